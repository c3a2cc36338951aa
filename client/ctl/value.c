/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines to paths, queries and bodies. What a value must be is told by the broker, which knows; here is only what
 * is typed otherwise than it is sent: lists, durations, times, tags, port sets. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/value.h"
#include "schema/rest/json_out.h"
#include "schema/rest/rfc3339.h"

enum { TEXT_MAX = 65536 };

int cw_ctl_duration(const char *s, uint64_t *ret_s)
{
	uint64_t sum = 0;

	if (!*s)
		return CW_E_SYNTAX;
	while (*s) {
		size_t n = strspn(s, "0123456789");
		uint64_t v, unit;

		if (cw_parse_u64(s, n, 0, UINT32_MAX, &v) < 0)
			return n > 9 ? CW_E_LIMIT : CW_E_SYNTAX;
		s += n;
		switch (*s) {
		case '\0':
		case 's':
			unit = 1;
			break;
		case 'm':
			unit = 60;
			break;
		case 'h':
			unit = 3600;
			break;
		case 'd':
			unit = 86400;
			break;
		case 'w':
			unit = 604800;
			break;
		default:
			return CW_E_SYNTAX;
		}
		s += *s != '\0';
		sum += v * unit;
		if (sum > UINT32_MAX)
			return CW_E_LIMIT;
	}
	*ret_s = sum;
	return 0;
}

/* "Z" or "+hh:mm", to seconds east of Greenwich. */
static int zone(const char *s, int *ret_s)
{
	unsigned h, m;
	int end = 0;

	if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0) {
		*ret_s = 0;
		return 0;
	}
	/* NOLINTNEXTLINE(cert-err34-c): two digits each cannot overflow */
	if ((s[0] != '+' && s[0] != '-') || sscanf(s + 1, "%2u:%2u%n", &h, &m, &end) != 2 ||
		end != 5 || s[6] || h > 23 || m > 59)
		return CW_E_SYNTAX;
	*ret_s = (int) (h * 3600 + m * 60) * (s[0] == '-' ? -1 : 1);
	return 0;
}

int cw_ctl_time(const char *s, int64_t now_s, int64_t *ret_wall_s)
{
	struct tm tm = {.tm_isdst = -1};
	const char *rest;
	uint64_t d;
	int off, r;
	time_t t;

	if (strcmp(s, "now") == 0) {
		*ret_wall_s = now_s;
		return 0;
	}
	if (s[0] == '-' || s[0] == '+') {
		r = cw_ctl_duration(s + 1, &d);
		if (r == 0)
			*ret_wall_s = s[0] == '-' ? now_s - (int64_t) d : now_s + (int64_t) d;
		return r;
	}
	rest = strptime(s, "%Y-%m-%d", &tm);
	if (!rest || rest - s != 10)
		return CW_E_SYNTAX;
	if (*rest == 'T' || *rest == 't' || *rest == ' ') {
		const char *hm = strptime(rest + 1, "%H:%M", &tm);
		const char *sec = hm && *hm == ':' ? strptime(hm, ":%S", &tm) : NULL;

		if (!hm || hm - rest != 6 || tm.tm_sec > 59)
			return CW_E_SYNTAX;
		rest = sec ? sec : hm;
	}
	if (*rest) {
		if (zone(rest, &off) < 0)
			return CW_E_SYNTAX;
		t = timegm(&tm) - off;
	} else
		t = mktime(&tm);
	if (t < 0 || t > CW_RFC3339_MAX)
		return CW_E_SYNTAX;
	*ret_wall_s = t;
	return 0;
}

char *cw_ctl_escape(const char *s, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";
	char *to = cw_zalloc(n + 1, 3), *p = to;

	for (size_t i = 0; to && i < n; i++) {
		unsigned char c = (unsigned char) s[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c && strchr("-._~@", c))) {
			*p++ = (char) c;
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	return to;
}

unsigned cw_ctl_path_params(enum cw_rest_op op)
{
	unsigned n = 0;

	if (op == CW_REST_OPS)
		return 0;
	for (const char *p = cw_rest_operation(op)->path; (p = strchr(p, '{')); p++)
		n++;
	return n;
}

char *cw_ctl_path(enum cw_rest_op op, const char *const *params)
{
	const char *p = cw_rest_operation(op)->path;
	struct cw_json_out o;
	size_t n;
	char *s = NULL;

	cw_json_out_grow(&o, TEXT_MAX);
	while (*p) {
		n = strcspn(p, "{");
		cw_json_put_between(&o, p, n);
		p += n;
		if (*p == '{') {
			CW_CLEANUP(cw_freep) char *e = cw_ctl_escape(*params, strlen(*params));

			if (!e)
				o.err = -ENOMEM;
			else
				cw_json_put_between(&o, e, strlen(e));
			params++;
			p += strcspn(p, "}") + 1;
		}
	}
	cw_json_put_between(&o, "", 1);
	s = cw_json_out_take(&o, &n);
	cw_json_out_done(&o);
	return s;
}

int cw_ctl_tag(json_t *tags, const char *text, char *why, size_t why_n)
{
	const char *eq = strchr(text, '=');
	CW_CLEANUP(cw_freep) char *key = NULL;

	if (!eq || eq == text) {
		(void) snprintf(why, why_n, "a tag is KEY=VALUE, not \"%s\"", text);
		return CW_E_SYNTAX;
	}
	key = cw_strndup(text, (size_t) (eq - text));
	if (!key)
		return -ENOMEM;
	if (!eq[1]) {
		(void) json_object_del(tags, key);
		return 0;
	}
	if (json_object_set_new(tags, key, json_string(eq + 1)) < 0) {
		(void) snprintf(why, why_n, "tag %s is not UTF-8", key);
		return CW_E_SYNTAX;
	}
	return 0;
}

static bool is_duration(const struct cw_rest_field *f)
{
	size_t n = strlen(f->name);

	return f->kind == CW_REST_NUM && n > 2 && strcmp(f->name + n - 2, "_s") == 0;
}

/* A value as text in the form the API has. */
static int plain(const struct cw_rest_field *f, const char *text, int64_t now_s, char *to, size_t n,
	const char **ret_why)
{
	uint64_t s;
	int64_t t;
	int r;

	if (is_duration(f)) {
		r = cw_ctl_duration(text, &s);
		*ret_why = "a duration: seconds, or 90s, 5m, 1h30m, 2d";
		if (r == 0)
			(void) snprintf(to, n, "%llu", (unsigned long long) s);
		return r;
	}
	if (f->kind == CW_REST_TIME) {
		*ret_why = "a time: 2026-03-01T10:00Z, \"2026-03-01 10:00\" (local), now, -2h";
		r = cw_ctl_time(text, now_s, &t);
		if (r == 0)
			(void) cw_rfc3339_str(t, to);
		return r;
	}
	*ret_why = "shorter";
	return (size_t) snprintf(to, n, "%s", text) < n ? 0 : CW_E_LIMIT;
}

static bool is_list(const struct cw_rest_field *f)
{
	return f->kind == CW_REST_ARRAY || f->kind == CW_REST_WORDS || f->kind == CW_REST_SCOPES;
}

static int shape(json_t *body, const char *name, const char *text, const char **ret_why)
{
	const char *slash = strchr(text, '/');
	uint64_t a, k;

	*ret_why = "OFFSET/LENGTH such as 6/4";
	if (!slash || cw_parse_u64(text, (size_t) (slash - text), 0, 15, &a) < 0 ||
		cw_parse_u64(slash + 1, strlen(slash + 1), 0, 16, &k) < 0)
		return CW_E_SYNTAX;
	return json_object_set_new(body, name,
		       json_pack("{s:I, s:I}", "offset", (json_int_t) a, "length",
			       (json_int_t) k)) < 0
		       ? -ENOMEM
		       : 0;
}

/* text: NULL is a switch. */
static int put(json_t *body, const struct cw_rest_field *f, const char *text, int64_t now_s,
	const char **ret_why)
{
	char buf[1024];
	json_t *list, *v = NULL;
	uint64_t u;
	int r;

	if (f->kind == CW_REST_BOOL)
		v = json_boolean(!text || strcmp(text, "true") == 0);
	else if ((f->flags & CW_REST_NULLABLE) && !*text)
		v = json_null();
	else if (f->kind == CW_REST_SHAPE)
		return shape(body, f->name, text, ret_why);
	if (v)
		return json_object_set_new(body, f->name, v) < 0 ? -ENOMEM : 0;
	if (is_list(f)) {
		list = json_object_get(body, f->name);
		if (!list && json_object_set_new(body, f->name, list = json_array()) < 0)
			return -ENOMEM;
		while (*text) {
			size_t n = strcspn(text, ",");

			if (json_array_append_new(list, json_stringn(text, n)) < 0)
				return CW_E_SYNTAX;
			text += n + (text[n] == ',');
		}
		return 0;
	}
	r = plain(f, text, now_s, buf, sizeof buf, ret_why);
	if (r < 0)
		return r;
	if (f->kind == CW_REST_NUM) {
		*ret_why = "a number";
		if (cw_parse_u64(buf, strlen(buf), 0, INT64_MAX, &u) < 0)
			return CW_E_SYNTAX;
		v = json_integer((json_int_t) u);
	} else {
		*ret_why = "UTF-8 text";
		v = json_string(buf);
	}
	return json_object_set_new(body, f->name, v) < 0 ? CW_E_SYNTAX : 0;
}

static int bad_value(const char *flag, const char *text, const char *want, char *why, size_t why_n)
{
	(void) snprintf(why, why_n, "%s \"%.200s\" must be %s", flag, text ? text : "", want);
	return CW_E_SYNTAX;
}

static int body_flag(json_t *body, const struct cw_ctl_line *l, const struct cw_ctl_value *v,
	int64_t now_s, char *why, size_t why_n)
{
	const char *member = v->flag->member, *want = "another text";
	const struct cw_rest_field *f;
	char owner[256], name[80];
	json_t *tags;
	int r;

	if (!member)
		return 0;
	f = cw_ctl_field(l->command->body, member, strlen(member));
	if (!f && strcmp(member, "user") == 0 && (f = cw_ctl_field(l->command->body, "owner", 5))) {
		(void) snprintf(owner, sizeof owner, "user:%s", v->text);
		return json_object_set_new(body, "owner", json_string(owner)) < 0
			       ? bad_value("--user", v->text, "UTF-8", why, why_n)
			       : 0;
	}
	if (!f || (f->flags & CW_REST_SECRET))
		return 0;
	if (f->kind == CW_REST_TAGS) {
		tags = json_object_get(body, f->name);
		if (!tags && json_object_set_new(body, f->name, tags = json_object()) < 0)
			return -ENOMEM;
		return cw_ctl_tag(tags, v->text, why, why_n);
	}
	r = put(body, f, v->text, now_s, &want);
	if (r == 0 || r == -ENOMEM)
		return r;
	(void) snprintf(name, sizeof name, "--%s", v->flag->name);
	return bad_value(name, v->text, want, why, why_n);
}

int cw_ctl_body(const struct cw_ctl_line *l, int64_t now_s, json_t **ret, char *why, size_t why_n)
{
	unsigned skip = cw_ctl_path_params(l->command->op);
	const char *want = "another text";
	struct cw_ctl_arg arg;
	json_t *body;
	int r = 0;

	*ret = NULL;
	if (!l->command->body)
		return 0;
	body = json_object();
	if (!body)
		return -ENOMEM;
	for (unsigned i = skip; r == 0 && i < l->n_args && cw_ctl_arg(l->command, i, &arg); i++) {
		const struct cw_rest_field *f = cw_ctl_field(l->command->body, arg.name, arg.n);

		r = f ? put(body, f, l->args[i], now_s, &want) : 0;
		if (r < 0 && r != -ENOMEM)
			r = bad_value(f->name, l->args[i], want, why, why_n);
	}
	for (size_t i = 0; r == 0 && i < l->n_values; i++)
		r = body_flag(body, l, &l->values[i], now_s, why, why_n);
	if (r < 0) {
		json_decref(body);
		return r;
	}
	*ret = body;
	return 0;
}

/* One "&name=value". */
static int query_part(struct cw_json_out *o, const char *name, const char *text, size_t n)
{
	CW_CLEANUP(cw_freep) char *e = cw_ctl_escape(text, n);

	if (!e)
		return -ENOMEM;
	if (o->len)
		cw_json_put_between(o, "&", 1);
	cw_json_put_between(o, name, strlen(name));
	cw_json_put_between(o, "=", 1);
	cw_json_put_between(o, e, strlen(e));
	return o->err;
}

static int query_flag(struct cw_json_out *o, const struct cw_rest_field *f,
	const struct cw_ctl_value *v, int64_t now_s, char *why, size_t why_n)
{
	const char *text = v->text ? v->text : "true", *want = "another text";
	char buf[1024], name[80];
	int r = 0;

	if (is_list(f)) {
		while (r == 0 && *text) {
			size_t n = strcspn(text, ",");

			r = query_part(o, f->name, text, n);
			text += n + (text[n] == ',');
		}
		return r;
	}
	if (plain(f, text, now_s, buf, sizeof buf, &want) < 0) {
		(void) snprintf(name, sizeof name, "--%s", v->flag->name);
		return bad_value(name, text, want, why, why_n);
	}
	return query_part(o, f->name, buf, strlen(buf));
}

int cw_ctl_query(const struct cw_ctl_line *l, const struct cw_rest_object *q, int64_t now_s,
	char **ret, char *why, size_t why_n)
{
	struct cw_json_out o;
	size_t n;
	int r = 0;

	cw_json_out_grow(&o, TEXT_MAX);
	for (size_t i = 0; r == 0 && i < l->n_values; i++) {
		const char *member = l->values[i].flag->member;
		const struct cw_rest_field *f =
			member ? cw_ctl_field(q, member, strlen(member)) : NULL;

		if (f && strcmp(member, "limit") != 0 && strcmp(member, "count") != 0)
			r = query_flag(&o, f, &l->values[i], now_s, why, why_n);
	}
	cw_json_put_between(&o, "", 1);
	if (r == 0)
		r = o.err;
	if (r == CW_E_LIMIT)
		(void) snprintf(why, why_n, "too much on the command line");
	*ret = r < 0 ? NULL : cw_json_out_take(&o, &n);
	cw_json_out_done(&o);
	return r < 0 ? r : *ret ? 0 : -ENOMEM;
}
