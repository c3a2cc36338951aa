/* SPDX-License-Identifier: BSD-2-Clause */
/* From our structs to JSON, see render.h; CSV is in csv.c. Thread: the owner's. */
#include "config.h"

#include "schema/rest/id.h"
#include "schema/rest/render.h"
#include "schema/rest/scope.h"
#include "schema/rest/value.h"

static void put_text(struct cw_json_out *o, const void *value)
{
	const char *text;

	memcpy(&text, value, sizeof text);
	cw_json_put_str(o, text);
}

/* JSON that we have as text already. */
static void put_raw(struct cw_json_out *o, const void *value)
{
	const char *text;

	memcpy(&text, value, sizeof text);
	cw_json_put_raw(o, text ? text : "{}", text ? strlen(text) : 2);
}

static void put_ports(struct cw_json_out *o, struct cw_portset ps, bool shape)
{
	uint16_t lo, hi;

	cw_json_begin_object(o);
	CW_JSON_KEY(o, "offset");
	cw_json_put_u64(o, ps.offset);
	CW_JSON_KEY(o, "length");
	cw_json_put_u64(o, ps.len);
	if (!shape) {
		CW_JSON_KEY(o, "psid");
		cw_json_put_u64(o, ps.psid);
		CW_JSON_KEY(o, "ranges");
		cw_json_begin_array(o);
		for (unsigned i = 0; i < CW_REST_RANGES_MAX && cw_portset_range(ps, i, &lo, &hi);
			i++) {
			cw_json_begin_array(o);
			cw_json_put_u64(o, lo);
			cw_json_put_u64(o, hi);
			cw_json_end_array(o);
		}
		cw_json_end_array(o);
	}
	cw_json_end_object(o);
}

/* "ADDR/LEN", and "ADDR" for one. */
static size_t prefix_text(struct cw_addr4 a, unsigned len, char to[static CW_ADDR4_STRLEN + 3])
{
	size_t n = strlen(cw_addr4_str(a, to));

	if (len == 32)
		return n;
	to[n++] = '/';
	if (len >= 10)
		to[n++] = (char) ('0' + len / 10);
	to[n++] = (char) ('0' + len % 10);
	return n;
}

/* As a prefix if it is one, else "FIRST-LAST". */
static void put_range(struct cw_json_out *o, const void *value)
{
	char text[2 * CW_ADDR4_STRLEN + 3], last[CW_ADDR4_STRLEN];
	struct cw_rest_range4 r;
	uint64_t size;
	size_t n;

	memcpy(&r, value, sizeof r);
	size = (uint64_t) r.hi.v - r.lo.v + 1;
	if ((size & (size - 1)) == 0 && (r.lo.v & (size - 1)) == 0) {
		n = prefix_text(r.lo, 32 - (unsigned) __builtin_ctzll(size), text);
	} else {
		n = strlen(cw_addr4_str(r.lo, text));
		text[n++] = '-';
		memcpy(text + n, cw_addr4_str(r.hi, last), sizeof last);
		n = strlen(text);
	}
	cw_json_put_text(o, text, n);
}

static void put_prefix(struct cw_json_out *o, const void *value)
{
	char text[CW_ADDR4_STRLEN + 3];
	struct cw_prefix4 p;

	memcpy(&p, value, sizeof p);
	cw_json_put_text(o, text, prefix_text(p.addr, p.len, text));
}

static void put_words(struct cw_json_out *o, const struct cw_rest_field *f, const void *value)
{
	const uint64_t set = cw_rest_value_num(f, value);

	cw_json_begin_array(o);
	for (unsigned bit = 0; bit < 64 && set >> bit; bit++) {
		const char *word = !(set >> bit & 1)           ? NULL
				   : f->kind == CW_REST_SCOPES ? cw_scope_name(1u << bit)
							       : cw_rest_word(f, bit);

		if (word)
			cw_json_put_str(o, word);
	}
	cw_json_end_array(o);
}

static void put_value(struct cw_json_out *o, const struct cw_rest_field *f, const void *value);

static void put_array(struct cw_json_out *o, const struct cw_rest_field *f, const void *value)
{
	struct cw_rest_array list;

	memcpy(&list, value, sizeof list);
	cw_json_begin_array(o);
	for (size_t i = 0; i < list.n; i++)
		put_value(o, f->item, (const char *) list.items + i * f->item->size);
	cw_json_end_array(o);
}

static void put_inner(struct cw_json_out *o, const struct cw_rest_field *f, const void *value)
{
	const void *p = value;

	if (f->flags & CW_REST_NULLABLE)
		memcpy(&p, value, sizeof p);
	cw_rest_render(o, f->object, p);
}

static void put_value(struct cw_json_out *o, const struct cw_rest_field *f, const void *value)
{
	char id[CW_ID_STRLEN];

	if ((f->flags & CW_REST_NULLABLE) && cw_rest_is_null(f, value)) {
		cw_json_put_null(o);
		return;
	}
	switch (f->kind) {
	case CW_REST_BOOL:
		cw_json_put_bool(o, cw_rest_value_bool(value));
		break;
	case CW_REST_NUM:
		cw_json_put_u64(o, cw_rest_value_num(f, value));
		break;
	case CW_REST_TEXT:
	case CW_REST_NAME:
	case CW_REST_PRINCIPAL:
	case CW_REST_PREFIX:
		put_text(o, value);
		break;
	case CW_REST_ADDR4:
		cw_json_put_addr4(o, cw_rest_value_addr4(value));
		break;
	case CW_REST_ADDR6:
		cw_json_put_addr6(o, value);
		break;
	case CW_REST_PREFIX4:
		put_prefix(o, value);
		break;
	case CW_REST_RANGE4:
		put_range(o, value);
		break;
	case CW_REST_TIME:
		cw_json_put_time(o, cw_rest_value_time(value));
		break;
	case CW_REST_WORD:
		cw_json_put_str(o, cw_rest_word(f, *(const uint8_t *) value));
		break;
	case CW_REST_WORDS:
	case CW_REST_SCOPES:
		put_words(o, f, value);
		break;
	case CW_REST_ID:
		cw_json_put_str(
			o, cw_id_str((enum cw_id_kind) f->base, cw_rest_value_u64(value), id));
		break;
	case CW_REST_PORTS:
	case CW_REST_SHAPE:
		put_ports(o, cw_rest_value_ports(value), f->kind == CW_REST_SHAPE);
		break;
	case CW_REST_TAGS:
	case CW_REST_RAW:
		put_raw(o, value);
		break;
	case CW_REST_OBJECT:
		put_inner(o, f, value);
		break;
	case CW_REST_ARRAY:
		put_array(o, f, value);
		break;
	}
}

static void render(
	struct cw_json_out *o, const struct cw_rest_object *object, const void *p, unsigned without)
{
	uint32_t seen;

	memcpy(&seen, p, sizeof seen);
	cw_json_begin_object(o);
	for (unsigned i = 0; i < object->n; i++) {
		const struct cw_rest_field *f = &object->fields[i];

		if ((f->flags & without) || !((f->flags & CW_REST_REQUIRED) || (seen >> i & 1)))
			continue;
		cw_json_key(o, f->name, strlen(f->name));
		put_value(o, f, (const char *) p + f->offset);
	}
	cw_json_end_object(o);
}

void cw_rest_render(struct cw_json_out *o, const struct cw_rest_object *object, const void *p)
{
	render(o, object, p, 0);
}

void cw_rest_render_filter(
	struct cw_json_out *o, const struct cw_rest_object *object, const void *p)
{
	render(o, object, p, CW_REST_PAGING);
}

void cw_rest_list_begin(struct cw_json_out *o)
{
	cw_json_begin_object(o);
	CW_JSON_KEY(o, "items");
	cw_json_begin_array(o);
}

void cw_rest_list_end(struct cw_json_out *o, const char *next, const uint64_t *count)
{
	cw_json_end_array(o);
	CW_JSON_KEY(o, "next");
	cw_json_put_str(o, next);
	if (count) {
		CW_JSON_KEY(o, "count");
		cw_json_put_u64(o, *count);
	}
	cw_json_end_object(o);
}

void cw_rest_render_line(struct cw_json_out *o, const struct cw_rest_object *object, const void *p)
{
	cw_rest_render(o, object, p);
	cw_json_put_between(o, "\n", 1);
}
