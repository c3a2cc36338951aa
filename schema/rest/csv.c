/* SPDX-License-Identifier: BSD-2-Clause */
/* From our structs to CSV, see render.h. Thread: the owner's. */
#include "config.h"

#include <stdio.h>

#include "schema/rest/id.h"
#include "schema/rest/render.h"
#include "schema/rest/rfc3339.h"
#include "schema/rest/value.h"

/* RFC 4180 2: quotation marks around what has a comma, a quotation mark or a line end; they are doubled inside. */
static void put_cell(struct cw_json_out *o, const char *s, size_t n)
{
	bool quote = false;
	size_t from = 0;

	for (size_t i = 0; i < n && !quote; i++)
		quote = s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
	if (!quote) {
		cw_json_put_between(o, s, n);
		return;
	}
	cw_json_put_between(o, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"') {
			cw_json_put_between(o, s + from, i + 1 - from);
			from = i;
		}
	}
	cw_json_put_between(o, s + from, n - from);
	cw_json_put_between(o, "\"", 1);
}

static void put_str(struct cw_json_out *o, const void *value)
{
	const char *text;

	memcpy(&text, value, sizeof text);
	if (text)
		put_cell(o, text, strlen(text));
}

static void put_number(struct cw_json_out *o, uint64_t v)
{
	char text[24];

	cw_json_put_between(
		o, text, (size_t) snprintf(text, sizeof text, "%llu", (unsigned long long) v));
}

/* What a cell can hold: one value that people know as one. */
static bool has_column(const struct cw_rest_field *f)
{
	switch (f->kind) {
	case CW_REST_OBJECT:
	case CW_REST_ARRAY:
	case CW_REST_RAW:
	case CW_REST_WORDS:
	case CW_REST_SCOPES:
	case CW_REST_PREFIX4:
	case CW_REST_RANGE4:
		return false;
	default:
		return true;
	}
}

static void put_value(struct cw_json_out *o, const struct cw_rest_field *f, const void *value)
{
	char text[CW_ADDR6_STRLEN];
	const char *word;

	switch (f->kind) {
	case CW_REST_BOOL:
		cw_json_put_between(o, cw_rest_value_bool(value) ? "true" : "false",
			cw_rest_value_bool(value) ? 4 : 5);
		break;
	case CW_REST_NUM:
		put_number(o, cw_rest_value_num(f, value));
		break;
	case CW_REST_ADDR4:
		cw_json_put_between(
			o, text, strlen(cw_addr4_str(cw_rest_value_addr4(value), text)));
		break;
	case CW_REST_ADDR6:
		cw_json_put_between(o, text, strlen(cw_addr6_str(value, text)));
		break;
	case CW_REST_TIME:
		(void) cw_rfc3339_str(cw_rest_value_time(value), text);
		cw_json_put_between(o, text, CW_RFC3339_LEN);
		break;
	case CW_REST_WORD:
		word = cw_rest_word(f, *(const uint8_t *) value);
		if (word)
			cw_json_put_between(o, word, strlen(word));
		break;
	case CW_REST_ID:
		(void) cw_id_str((enum cw_id_kind) f->base, cw_rest_value_u64(value), text);
		cw_json_put_between(o, text, strlen(text));
		break;
	default:
		put_str(o, value);
		break;
	}
}

static void put_ports(struct cw_json_out *o, const struct cw_rest_field *f, struct cw_portset ps)
{
	const bool null = cw_portset_is_whole(ps);

	if (!null)
		put_number(o, ps.offset);
	cw_json_put_between(o, ",", 1);
	if (!null)
		put_number(o, ps.len);
	if (f->kind == CW_REST_PORTS) {
		cw_json_put_between(o, ",", 1);
		if (!null)
			put_number(o, ps.psid);
	}
}

void cw_rest_csv_head(struct cw_json_out *o, const struct cw_rest_object *object)
{
	bool first = true;

	for (unsigned i = 0; i < object->n; i++) {
		const struct cw_rest_field *f = &object->fields[i];
		const char *name = f->kind == CW_REST_PORTS ? "port_set_offset,port_set_length,psid"
				   : f->kind == CW_REST_SHAPE ? "port_set_offset,port_set_length"
							      : f->name;

		if (!has_column(f))
			continue;
		if (!first)
			cw_json_put_between(o, ",", 1);
		first = false;
		cw_json_put_between(o, name, strlen(name));
	}
	cw_json_put_between(o, "\r\n", 2);
}

void cw_rest_csv_row(struct cw_json_out *o, const struct cw_rest_object *object, const void *p)
{
	bool first = true;

	for (unsigned i = 0; i < object->n; i++) {
		const struct cw_rest_field *f = &object->fields[i];
		const void *value = (const char *) p + f->offset;

		if (!has_column(f))
			continue;
		if (!first)
			cw_json_put_between(o, ",", 1);
		first = false;
		if (f->kind == CW_REST_PORTS || f->kind == CW_REST_SHAPE)
			put_ports(o, f, cw_rest_value_ports(value));
		else if (!(f->flags & CW_REST_NULLABLE) || !cw_rest_is_null(f, value))
			put_value(o, f, value);
	}
	cw_json_put_between(o, "\r\n", 2);
}
