/* SPDX-License-Identifier: BSD-2-Clause */
/* What the REST API reads: the first octet of an input says as what. Bodies (b, then the schema's
 * place), queries (q, then the operation's place), cursors (c), ids (i), times (t), paths (p), header
 * fields (h), and texts that are written as JSON (o). What is taken is written, and what is written
 * is taken and written the same; what is refused says where; every answer is JSON. */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/rest/cursor.h"
#include "schema/rest/header.h"
#include "schema/rest/id.h"
#include "schema/rest/queries.h"
#include "schema/rest/query.h"
#include "schema/rest/read.h"
#include "schema/rest/render.h"
#include "schema/rest/rfc3339.h"
#include "schema/rest/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 8 << 20, STRUCT_MAX = 4096 };

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* The problem that would be answered: JSON whatever was read. */
static void check_refusal(const struct cw_rest_errors *errs, enum cw_problem problem)
{
	const struct cw_problem_text text = {.problem = problem, .request_id = "0", .errs = errs};
	struct cw_json_out o;
	json_t *j;

	check(errs->n > 0 || problem == CW_PROBLEM_BODY_TOO_LARGE);
	for (unsigned i = 0; i < errs->n; i++)
		check((!errs->e[i].pointer[0] || errs->e[i].pointer[0] == '/') &&
			errs->e[i].detail[0]);
	cw_json_out_grow(&o, OUT_MAX);
	cw_problem_render(&o, &text);
	j = json_loadb(o.buf, o.len, JSON_REJECT_DUPLICATES, NULL);
	check(!o.err && j);
	json_decref(j);
	cw_json_out_done(&o);
}

static void fuzz_body(
	const struct cw_rest_object *o, const void *p, size_t n, struct cw_arena *arena)
{
	CW_CLEANUP(cw_freep) struct cw_rest_errors *errs = cw_zalloc(1, sizeof *errs);
	_Alignas(max_align_t) uint8_t first[STRUCT_MAX], second[STRUCT_MAX];
	enum cw_problem problem = CW_PROBLEMS;
	struct cw_json_out once, twice, row;

	check(errs && o->size <= STRUCT_MAX);
	if (cw_rest_read_body(o, p, n, arena, first, errs, &problem) < 0) {
		check(problem < CW_PROBLEMS);
		check_refusal(errs, problem);
		return;
	}
	check(errs->n == 0 && errs->lost == 0);
	cw_json_out_grow(&once, OUT_MAX);
	cw_json_out_grow(&twice, OUT_MAX);
	cw_json_out_grow(&row, OUT_MAX);
	cw_rest_render(&once, o, first);
	check(!once.err);
	/* The body may be longer than what may be read: port sets are written with their ranges. */
	if (once.len <= CW_JSON_BODY_MAX) {
		check(cw_rest_read_body(o, once.buf, once.len, arena, second, errs, &problem) == 0);
		cw_rest_render(&twice, o, second);
		check(!twice.err && twice.len == once.len &&
			memcmp(twice.buf, once.buf, once.len) == 0);
	}
	cw_rest_csv_row(&row, o, first);
	check(!row.err && row.len >= 2);
	cw_rest_wipe(o, first);
	cw_json_out_done(&once);
	cw_json_out_done(&twice);
	cw_json_out_done(&row);
}

static void fuzz_query(
	const struct cw_rest_object *o, const char *p, size_t n, struct cw_arena *arena)
{
	CW_CLEANUP(cw_freep) struct cw_rest_errors *errs = cw_zalloc(1, sizeof *errs);
	_Alignas(max_align_t) uint8_t to[STRUCT_MAX];
	struct cw_json_out out;
	json_t *j;

	check(errs && o->size <= STRUCT_MAX);
	if (cw_rest_query(o, p, n, arena, to, errs) < 0) {
		check_refusal(errs, CW_PROBLEM_INVALID_QUERY);
		return;
	}
	cw_json_out_grow(&out, OUT_MAX);
	cw_rest_render_filter(&out, o, to);
	j = json_loadb(out.buf, out.len, JSON_REJECT_DUPLICATES, NULL);
	check(!out.err && j);
	json_decref(j);
	cw_json_out_done(&out);
}

/* Only what was made is a cursor, and what was made is one. */
static void fuzz_cursor(const char *p, size_t n)
{
	static const struct cw_cursor_key key = {{1, 2, 3, 4}};
	const struct cw_slice filter = {p, n};
	struct cw_cursor at = {n, 7}, got;
	char text[CW_CURSOR_STRLEN];
	uint8_t back[256];
	int r;

	check(cw_cursor_open(&key, "listLeases", filter, p, n, &got) == CW_E_SYNTAX);
	check(cw_cursor_make(&key, "listLeases", filter, at, text) == 0);
	check(cw_cursor_open(&key, "listLeases", filter, text, strlen(text), &got) == 0);
	check(got.a == at.a && got.b == at.b);
	r = cw_base64url_decode(p, n, back, sizeof back);
	if (r >= 0) {
		char again[512];

		check(cw_base64url_encode(back, (size_t) r, again, sizeof again) == (int) n);
		check(memcmp(again, p, n) == 0);
	}
}

static void fuzz_small(const char *p, size_t n)
{
	char id[CW_ID_STRLEN], time[CW_RFC3339_STRLEN];
	enum cw_id_kind kind;
	uint64_t number;
	int64_t wall_s;

	if (cw_id_parse_any(p, n, &kind, &number) == 0)
		check(strlen(cw_id_str(kind, number, id)) == n && memcmp(id, p, n) == 0);
	if (cw_rfc3339_parse(p, n, &wall_s) == 0)
		check(n == CW_RFC3339_LEN && memcmp(cw_rfc3339_str(wall_s, time), p, n) == 0);
}

static void fuzz_path(const char *p, size_t n)
{
	struct cw_route r;

	for (unsigned m = 0; m <= CW_REST_METHODS; m++) {
		const int e = cw_route_find((enum cw_rest_method) m, p, n, &r);

		if (e == 0) {
			check(r.op < CW_REST_OPS && r.n <= CW_ROUTE_PARAMS_MAX &&
				(r.allowed >> m & 1));
			for (unsigned i = 0; i < r.n; i++)
				check(r.param[i][0] && strlen(r.param[i]) <= CW_ROUTE_PARAM_MAX);
		}
	}
}

/* n octets without a NUL, as HTTP libraries give them. */
static void fuzz_header(const char *p, size_t n)
{
	char key[CW_IDEMPOTENCY_KEY_MAX + 1], tag[CW_ETAG_STRLEN];
	char *value = cw_strndup(p, n);
	enum cw_media media = CW_MEDIAS;
	struct cw_slice got;
	uint64_t version;
	int r;

	check(value != NULL);
	if (cw_if_match(value, &version) == 0)
		check(version && strcmp(cw_etag_str(version, tag), value) == 0 &&
			cw_if_none_match(value, version));
	(void) cw_if_none_match(value, 3);
	r = cw_idempotency_key(value, key);
	check(r < 0 || ((size_t) r == strlen(key) && r > 0));
	if (cw_bearer(value, &got) == 0)
		check(got.n == CW_BEARER_LEN && got.p + got.n == value + strlen(value));
	if (cw_cookie(value, "causeway", &got) == 0)
		check(got.p + got.n <= value + strlen(value) && !memchr(got.p, ';', got.n));
	check(cw_accept(value, 6, &media) < 0 || media == CW_MEDIA_NDJSON || media == CW_MEDIA_CSV);
	(void) cw_content_is_json(value);
	(void) cw_free(value);
}

static void fuzz_out(const char *p, size_t n)
{
	struct cw_json_out o;
	json_t *j;

	cw_json_out_grow(&o, OUT_MAX);
	cw_json_begin_object(&o);
	cw_json_key_text(&o, p, n / 2);
	cw_json_put_text(&o, p, n);
	cw_json_end_object(&o);
	j = memchr(p, 0, n / 2) ? NULL : json_loadb(o.buf, o.len, JSON_ALLOW_NUL, NULL);
	check(!o.err && (j || memchr(p, 0, n / 2)));
	json_decref(j);
	cw_json_out_done(&o);
}

static const struct cw_rest_object *pick(const struct cw_rest_object *const *list, uint8_t place)
{
	unsigned n = 0;

	while (list[n])
		n++;
	if (!n)
		abort();
	/* From '0' on, so that seeds can be read. */
	return list[(uint8_t) (place - '0') % n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_arena *arena;
	const char *p = (const char *) data + 1;

	if (size < 2)
		return 0;
	arena = cw_arena_new(64 << 20);
	check(arena != NULL);
	cw_json_init();
	if (data[0] == 'b')
		fuzz_body(pick(cw_rest_objects, data[1]), p + 1, size - 2, arena);
	else if (data[0] == 'q')
		fuzz_query(pick(cw_rest_queries, data[1]), p + 1, size - 2, arena);
	else if (data[0] == 'c')
		fuzz_cursor(p, size - 1);
	else if (data[0] == 'i' || data[0] == 't')
		fuzz_small(p, size - 1);
	else if (data[0] == 'p')
		fuzz_path(p, size - 1);
	else if (data[0] == 'h')
		fuzz_header(p, size - 1);
	else if (data[0] == 'o')
		fuzz_out(p, size - 1);
	(void) cw_arena_free(arena);
	return 0;
}
