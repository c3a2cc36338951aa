/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries, cursors, routes and scopes: what is taken, what is refused and with which pointer. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/rest/cursor.h"
#include "schema/rest/header.h"
#include "schema/rest/queries.h"
#include "schema/rest/query.h"
#include "schema/rest/render.h"
#include "schema/rest/route.h"
#include "schema/rest/scope.h"
#include "tests/lib/cw-cmocka.h"

static struct cw_rest_errors errs;
static struct cw_arena *arena;

static int setup(void **state)
{
	(void) state;
	arena = cw_arena_new(1 << 20);
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void) state;
	arena = cw_arena_free(arena);
	return 0;
}

static int query(const struct cw_rest_object *o, const char *raw, void *to)
{
	errs = (struct cw_rest_errors){0};
	cw_arena_reset(arena);
	return cw_rest_query(o, raw, strlen(raw), arena, to, &errs);
}

static void good_queries(void **state)
{
	struct cw_rest_query_list_leases q;
	struct cw_rest_query_list_events e;

	(void) state;
	assert_int_equal(query(&cw_rest_query_list_leases_object, "", &q), 0);
	assert_int_equal(q.seen, 0);
	assert_int_equal(
		query(&cw_rest_query_list_leases_object,
			"state=active&state=ending&user=alice&owner=user%3Aalice&ip=192.0.2.0%2F28&limit=1000&"
			"expires_before=2026-03-01T10:00:00Z&q=a+b%2Bc%C3%A4&count=exact&access=tsp",
			&q),
		0);
	assert_true(q.state == (1 << 1 | 1 << 2));
	assert_true(q.access == 1 << 1); /* as enum cw_access counts */
	assert_string_equal(q.user, "alice");
	assert_string_equal(q.owner, "user:alice");
	assert_int_equal(q.ip.addr.v, 0xc0000200);
	assert_int_equal(q.ip.len, 28);
	assert_int_equal(q.limit, 1000);
	assert_int_equal(q.expires_before, 1772359200);
	assert_string_equal(q.q, "a b+c\xc3\xa4");
	assert_true(CW_REST_HAS(&cw_rest_query_list_leases_object, &q, count));
	assert_false(CW_REST_HAS(&cw_rest_query_list_leases_object, &q, pool));
	assert_int_equal(query(&cw_rest_query_list_leases_object, "ip=192.0.2.9", &q), 0);
	assert_int_equal(q.ip.len, 32);
	assert_int_equal(query(&cw_rest_query_list_events_object, "type=pool&after=0", &e), 0);
	assert_string_equal(e.type, "pool");
	assert_true(CW_REST_HAS(&cw_rest_query_list_events_object, &e, after));
	assert_int_equal(query(NULL, "", &q), 0);
}

static void bad_queries(void **state)
{
	static const struct {
		const char *raw, *pointer;
	} cases[] = {
		{"colour=red", "/colour"},
		{"limit=0", "/limit"},
		{"limit=1001", "/limit"},
		{"limit=-1", "/limit"},
		{"limit=+1", "/limit"},
		{"limit=1.0", "/limit"},
		{"limit=", "/limit"},
		{"limit=18446744073709551616", "/limit"},
		{"limit", "/limit"},
		{"limit=1&limit=1", "/limit"},
		{"state=active&state=active", "/state"},
		{"state=Active", "/state"},
		{"state=", "/state"},
		{"count=yes", "/count"},
		{"user=a/b", "/user"},
		{"user=", "/user"},
		{"owner=a%20b", "/owner"},
		{"ip=192.0.2.1/28", "/ip"},
		{"ip=2001:db8::1", "/ip"},
		{"expires_before=now", "/expires_before"},
		{"q=%", "/q"},
		{"q=%4", "/q"},
		{"q=%4g", "/q"},
		{"q=%00", "/q"},
		{"q=%0a", "/q"},
		{"q=%7f", "/q"},
		{"q=%ff", "/q"},
		{"q=%c0%80", "/q"},
		{"q=\xff", "/q"},
		{"q=a=b&", "/"},
		{"&", "/"},
		{"=1", "/"},
		{"%zz=1", "/"},
		{"a%2Fb~=1", "/a~1b~0"},
	};
	struct cw_rest_query_list_leases q;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		if (query(&cw_rest_query_list_leases_object, cases[i].raw, &q) != CW_E_SYNTAX)
			fail_msg("taken: %s", cases[i].raw);
		if (strcmp(errs.e[0].pointer, cases[i].pointer) != 0 ||
			errs.e[0].where != CW_REST_IN_QUERY)
			fail_msg("%s: %s", cases[i].raw, errs.e[0].pointer);
	}
	assert_int_equal(query(&cw_rest_query_list_leases_object, "limit=0&x=1&state=y&user=%", &q),
		CW_E_SYNTAX);
	assert_int_equal(errs.n, 4);
	assert_int_equal(query(NULL, "x=1", &q), CW_E_SYNTAX);
	assert_string_equal(errs.e[0].pointer, "/x");
}

static void query_bounds(void **state)
{
	struct cw_rest_query_list_leases q;
	static char raw[CW_QUERY_MAX + 2];

	(void) state;
	memset(raw, 'a', sizeof raw - 1);
	assert_int_equal(query(&cw_rest_query_list_leases_object, raw, &q), CW_E_SYNTAX);
	memcpy(raw, "q=", 2);
	raw[2 + 127] = '\0';
	assert_int_equal(query(&cw_rest_query_list_leases_object, raw, &q), 0);
	raw[2 + 127] = 'a';
	raw[2 + 128] = '\0';
	assert_int_equal(query(&cw_rest_query_list_leases_object, raw, &q), CW_E_SYNTAX);
	raw[0] = '\0';
	for (unsigned i = 0; i < 80; i++)
		(void) snprintf(
			raw + strlen(raw), sizeof raw - strlen(raw), "%sx%u=1", i ? "&" : "", i);
	assert_int_equal(query(&cw_rest_query_list_leases_object, raw, &q), CW_E_SYNTAX);
	assert_int_equal(errs.n + errs.lost, CW_QUERY_PAIRS_MAX + 1);
}

/* What a cursor is bound to: all that was asked, in one order, without paging. */
static void filters(void **state)
{
	static const char *const same[] = {"state=active&pool=a&limit=5",
		"pool=a&count=exact&state=active", "pool=%61&state=active&cursor=x"};
	struct cw_rest_query_list_leases q;
	struct cw_json_out o;
	char text[256];

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(same); i++) {
		assert_int_equal(query(&cw_rest_query_list_leases_object, same[i], &q), 0);
		cw_json_out_init(&o, text, sizeof text - 1);
		cw_rest_render_filter(&o, &cw_rest_query_list_leases_object, &q);
		text[o.len] = '\0';
		assert_string_equal(text, "{\"state\":[\"active\"],\"pool\":\"a\"}");
	}
}

static void cursors(void **state)
{
	static const struct cw_slice filter = {"{\"pool\":\"a\"}", 12},
				     other = {"{\"pool\":\"b\"}", 12};
	struct cw_cursor_key key = {{1, 2, 3}}, other_key = {{1, 2, 4}};
	const struct cw_cursor want = {UINT64_C(0x0102030405060708), UINT64_MAX};
	char text[CW_CURSOR_STRLEN], bent[CW_CURSOR_STRLEN + 8];
	struct cw_cursor got = {0};
	const size_t n = CW_CURSOR_STRLEN - 1;

	(void) state;
	assert_int_equal(cw_cursor_make(&key, "listLeases", filter, want, text), 0);
	assert_int_equal(strlen(text), n);
	assert_int_equal(cw_cursor_open(&key, "listLeases", filter, text, n, &got), 0);
	assert_true(got.a == want.a && got.b == want.b);
	assert_int_equal(cw_cursor_open(&key, "listUsers", filter, text, n, &got), CW_E_SYNTAX);
	assert_int_equal(cw_cursor_open(&key, "listLeases", other, text, n, &got), CW_E_SYNTAX);
	assert_int_equal(
		cw_cursor_open(&other_key, "listLeases", filter, text, n, &got), CW_E_SYNTAX);
	/* Where one part ends cannot be shifted. */
	assert_int_equal(cw_cursor_open(&key, "listLeases{", (struct cw_slice){filter.p + 1, 11},
				 text, n, &got),
		CW_E_SYNTAX);
	for (size_t i = 0; i <= n + 4; i++) {
		memset(bent, 'A', sizeof bent);
		memcpy(bent, text, n);
		assert_true(i == n || cw_cursor_open(&key, "listLeases", filter, bent, i, &got) ==
					      CW_E_SYNTAX);
	}
	for (size_t i = 0; i < n; i++) {
		for (unsigned c = 1; c < 256; c += cw_test_cases(1, 41)) {
			memcpy(bent, text, n);
			bent[i] = (char) ((unsigned char) text[i] ^ c);
			assert_int_equal(cw_cursor_open(&key, "listLeases", filter, bent, n, &got),
				CW_E_SYNTAX);
		}
	}
}

static void base64url(void **state)
{
	static const char *const no[] = {
		"A", "AA=", "AB", "AAB", "A+AA", "A/AA", "AA A", "AAAA=", "\xff\xff"};
	uint8_t in[70], back[70];
	char text[100];

	(void) state;
	for (unsigned n = 0; n < sizeof in; n++) {
		const unsigned len = (n * 8 + 5) / 6;

		for (unsigned i = 0; i < n; i++)
			in[i] = (uint8_t) (i * 151 + n * 7);
		assert_int_equal(cw_base64url_encode(in, n, text, len + 1), len);
		assert_int_equal(cw_base64url_encode(in, n, text, len), CW_E_LIMIT);
		assert_int_equal(cw_base64url_encode(in, n, text, sizeof text), len);
		assert_int_equal(cw_base64url_decode(text, len, back, n), n);
		assert_memory_equal(in, back, n);
		if (n)
			assert_int_equal(cw_base64url_decode(text, len, back, n - 1), CW_E_LIMIT);
	}
	assert_int_equal(cw_base64url_encode("\xfb\xff", 2, text, sizeof text), 3);
	assert_string_equal(text, "-_8");
	for (size_t i = 0; i < CW_ARRAY_LEN(no); i++)
		if (cw_base64url_decode(no[i], strlen(no[i]), back, sizeof back) != CW_E_SYNTAX)
			fail_msg("taken: %s", no[i]);
}

static int route(enum cw_rest_method m, const char *path, struct cw_route *ret)
{
	return cw_route_find(m, path, strlen(path), ret);
}

static void found_routes(void **state)
{
	struct cw_route r;

	(void) state;
	assert_int_equal(route(CW_REST_GET, "/v1/pools/a%2Db@c/ranges/rg_7", &r), 0);
	assert_int_equal(r.op, CW_OP_REST_getRange);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.param[0], "a-b@c");
	assert_string_equal(r.param[1], "rg_7");
	assert_int_equal(r.allowed, 1u << CW_REST_GET | 1u << CW_REST_DELETE);
	assert_int_equal(route(CW_REST_POST, "/v1/teps/tep-1:drain", &r), 0);
	assert_int_equal(r.op, CW_OP_REST_drainTep);
	assert_string_equal(r.param[0], "tep-1");
	assert_int_equal(route(CW_REST_POST, "/v1/config:reload", &r), 0);
	assert_int_equal(r.op, CW_OP_REST_reloadConfig);
	assert_int_equal(route(cw_rest_method_of("HEAD"), "/v1/leases", &r), 0);
	assert_int_equal(r.op, CW_OP_REST_listLeases);
	assert_int_equal(route(CW_REST_PUT, "/v1/leases", &r), CW_E_POLICY);
	assert_int_equal(r.allowed, 1u << CW_REST_GET | 1u << CW_REST_POST);
	assert_int_equal(route(cw_rest_method_of("BREW"), "/v1/leases", &r), CW_E_POLICY);
	assert_int_equal(cw_rest_method_of("get"), CW_REST_METHODS);
	assert_string_equal(cw_rest_method_name(CW_REST_PATCH), "PATCH");
}

static void no_routes(void **state)
{
	static const char *const no[] = {"", "/", "/v1", "/v1/", "/v2/leases", "/v1/leases/",
		"/v1/leases//", "/v1//leases", "/v1/leases/ls_1/x", "/v1/Leases",
		"/v1/leases:drain", "/v1/teps/:drain", "/v1/teps/a:drainx", "/v1/teps/a:b:drain",
		"/v1/pools/a/ranges/", "/v1/leases/%", "/v1/leases/%00", "/v1/leases/%zz",
		"/v1/leases/\xff", "/v1/leases/a\x01", "v1/leases", "/v1/jobs/expiry:run/",
		"/healthz/", "/v1/l%65ases"};
	static char text[4096] = "/v1/leases/";
	struct cw_route r;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(no); i++)
		if (route(CW_REST_GET, no[i], &r) != -ENOENT)
			fail_msg("taken: %s", no[i]);
	memset(text + 11, 'a', CW_ROUTE_PARAM_MAX);
	assert_int_equal(route(CW_REST_GET, text, &r), 0);
	assert_int_equal(strlen(r.param[0]), CW_ROUTE_PARAM_MAX);
	text[11 + CW_ROUTE_PARAM_MAX] = 'a';
	assert_int_equal(route(CW_REST_GET, text, &r), -ENOENT);
}

static void scope_words(void **state)
{
	static const char *const no[] = {"", "pools", "pools:", "pools:Read", "root", "pools:read ",
		" pools:read", "pools:read  users:read", "pools:read,users:read", "any pools:read"};
	uint32_t set;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(no); i++)
		if (cw_scopes_parse(no[i], strlen(no[i]), &set) != CW_E_SYNTAX)
			fail_msg("taken: %s", no[i]);
	assert_int_equal(cw_scopes_parse("any", 3, &set), 0);
	assert_int_equal(set, 0);
	assert_int_equal(cw_scopes_parse("pools:write users:read", 22, &set), 0);
	assert_int_equal(set, CW_SCOPE_POOLS_READ | CW_SCOPE_POOLS_WRITE | CW_SCOPE_USERS_READ);
	assert_int_equal(cw_scope_missing(CW_SCOPES_VIEWER, set), CW_SCOPE_POOLS_WRITE);
	assert_int_equal(cw_scope_missing(CW_SCOPES_OPERATOR, set), 0);
	assert_int_equal(
		cw_scope_missing(CW_SCOPES_OPERATOR, CW_SCOPE_ADMIN_READ), CW_SCOPE_ADMIN_READ);
	assert_int_equal(CW_SCOPES_VIEWER & ~CW_SCOPES_OPERATOR, 0);
	assert_int_equal(CW_SCOPES_OPERATOR & ~CW_SCOPES_ADMIN, 0);
	assert_string_equal(cw_scope_name(0), "");
	assert_string_equal(cw_scope_name(1u << 31), "");
}

static void etags(void **state)
{
	static const char *const no[] = {"", "3", "\"3", "\"", "*", "W/\"3\"", "\"3\",\"4\"",
		"\"3\" ", " \"3\"", "\"3\"x", "\"a b\"", "\"\x7f\""};
	static const char *const not_ours[] = {
		"\"\"", "\"0\"", "\"03\"", "\"abc\"", "\"-1\"", "\"9223372036854775808\""};
	char text[CW_ETAG_STRLEN];
	uint64_t v = 7;

	(void) state;
	assert_string_equal(cw_etag_str(INT64_MAX, text), "\"9223372036854775807\"");
	assert_int_equal(cw_if_match(text, &v), 0);
	assert_true(v == INT64_MAX);
	for (size_t i = 0; i < CW_ARRAY_LEN(no); i++)
		if (cw_if_match(no[i], &v) != CW_E_SYNTAX)
			fail_msg("taken: %s", no[i]);
	for (size_t i = 0; i < CW_ARRAY_LEN(not_ours); i++)
		if (cw_if_match(not_ours[i], &v) != CW_E_STALE)
			fail_msg("taken: %s", not_ours[i]);
	assert_true(v == INT64_MAX);
	assert_true(cw_if_none_match("*", 3));
	assert_true(cw_if_none_match("\"3\"", 3));
	assert_true(cw_if_none_match("W/\"3\"", 3));
	assert_true(cw_if_none_match("\"1\", \"a,b\" ,\t\"3\"", 3));
	assert_false(cw_if_none_match("\"33\"", 3));
	assert_false(cw_if_none_match("\"3\",", 3));
	assert_false(cw_if_none_match("\"3\" x", 3));
	assert_false(cw_if_none_match("3", 3));
	assert_false(cw_if_none_match("", 3));
}

static void credentials(void **state)
{
	static const char token[] = "cw_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_";
	struct cw_slice got;
	char text[128];

	(void) state;
	(void) snprintf(text, sizeof text, "bEARER  %s", token);
	assert_int_equal(cw_bearer(text, &got), 0);
	assert_int_equal(got.n, CW_BEARER_LEN);
	assert_memory_equal(got.p, token, got.n);
	assert_int_equal(cw_bearer("Basic YTpi", &got), -ENOENT);
	assert_int_equal(cw_bearer("Bearerx", &got), -ENOENT);
	assert_int_equal(cw_bearer("Bearer", &got), CW_E_SYNTAX);
	assert_int_equal(cw_bearer("Bearer ", &got), CW_E_SYNTAX);
	for (size_t n = 0; n <= CW_BEARER_LEN + 1; n++) {
		(void) snprintf(text, sizeof text, "Bearer %.*s%s", (int) n, token,
			n > CW_BEARER_LEN ? "A" : "");
		assert_int_equal(cw_bearer(text, &got), n == CW_BEARER_LEN ? 0 : CW_E_SYNTAX);
	}
	(void) snprintf(text, sizeof text, "Bearer %s", token);
	text[7 + 20] = '+';
	assert_int_equal(cw_bearer(text, &got), CW_E_SYNTAX);
	assert_int_equal(cw_cookie("a=b; causeway=xyz; causeway=no", "causeway", &got), 0);
	assert_int_equal(got.n, 3);
	assert_memory_equal(got.p, "xyz", 3);
	assert_int_equal(cw_cookie("causeway=", "causeway", &got), 0);
	assert_int_equal(got.n, 0);
	assert_int_equal(cw_cookie("xcauseway=1;causeway2=2;causeway", "causeway", &got), -ENOENT);
	assert_int_equal(cw_cookie("", "causeway", &got), -ENOENT);
}

static void idempotency_keys(void **state)
{
	static const char *const no[] = {"", "\"\"", "\"", "\"a", "\"a\"b", "a\tb", "a\x7f",
		"\xc3\xa4", "\"a\\b\"", "\"a\\"};
	char to[CW_IDEMPOTENCY_KEY_MAX + 1], text[300];

	(void) state;
	assert_int_equal(cw_idempotency_key("8e03978e-40d5", to), 13);
	assert_int_equal(cw_idempotency_key("\"8e03978e-40d5\"", to), 13);
	assert_string_equal(to, "8e03978e-40d5");
	assert_int_equal(cw_idempotency_key("\"a\\\"\\\\b\"", to), 4);
	assert_string_equal(to, "a\"\\b");
	for (size_t i = 0; i < CW_ARRAY_LEN(no); i++)
		if (cw_idempotency_key(no[i], to) != CW_E_SYNTAX)
			fail_msg("taken: %s", no[i]);
	memset(text, 'k', sizeof text);
	text[CW_IDEMPOTENCY_KEY_MAX] = '\0';
	assert_int_equal(cw_idempotency_key(text, to), CW_IDEMPOTENCY_KEY_MAX);
	text[CW_IDEMPOTENCY_KEY_MAX] = 'k';
	text[CW_IDEMPOTENCY_KEY_MAX + 1] = '\0';
	assert_int_equal(cw_idempotency_key(text, to), CW_E_SYNTAX);
}

static void media(void **state)
{
	static const struct {
		const char *accept;
		enum cw_media want; /* CW_MEDIAS: none */
	} cases[] = {
		{NULL, CW_MEDIA_JSON},
		{"", CW_MEDIA_JSON},
		{"*/*", CW_MEDIA_JSON},
		{"application/*", CW_MEDIA_JSON},
		{"text/*", CW_MEDIA_CSV},
		{"application/x-ndjson", CW_MEDIA_NDJSON},
		{"Application/X-NDJSON ; q=1", CW_MEDIA_NDJSON},
		{"application/json;q=0.5, text/csv", CW_MEDIA_CSV},
		{"application/json;q=0.5, text/csv;q=0.499", CW_MEDIA_JSON},
		{"text/html,application/xhtml+xml,*/*;q=0.1", CW_MEDIA_JSON},
		{"*/*, application/json;q=0", CW_MEDIA_NDJSON},
		{"application/json;v=1;q=0.2,text/csv;q=0.3", CW_MEDIA_CSV},
		{"text/event-stream", CW_MEDIAS},
		{"text/html", CW_MEDIAS},
		{"application/json;q=0", CW_MEDIAS},
		{"application/json;q=0.000", CW_MEDIAS},
		{"application/json;q=2", CW_MEDIAS},
		{"application/json;q=0.0001", CW_MEDIAS},
		{"application/json;q=x", CW_MEDIAS},
		{"applicationjson", CW_MEDIAS},
		{"*", CW_MEDIAS},
		{",,", CW_MEDIA_JSON},
	};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		enum cw_media got = CW_MEDIAS;
		const int r = cw_accept(cases[i].accept,
			1 << CW_MEDIA_JSON | 1 << CW_MEDIA_NDJSON | 1 << CW_MEDIA_CSV, &got);

		if (got != cases[i].want || r != (got == CW_MEDIAS ? CW_E_POLICY : 0))
			fail_msg("%s: %u", cases[i].accept, got);
	}
	assert_false(cw_content_is_json(NULL));
	assert_true(cw_content_is_json("application/json"));
	assert_true(cw_content_is_json("Application/JSON ; charset=UTF-8"));
	assert_true(cw_content_is_json("application/json;charset=\"utf-8\""));
	assert_false(cw_content_is_json("application/jsonx"));
	assert_false(cw_content_is_json("application/json; charset=latin1"));
	assert_false(cw_content_is_json("application/json;"));
	assert_false(cw_content_is_json("text/plain"));
	assert_false(cw_content_is_json(""));
	assert_string_equal(cw_media_name(CW_MEDIA_EVENTS), "text/event-stream");
}

/* Every code of ours has its problem; only what nobody expects is internal. */
static void codes(void **state)
{
	(void) state;
	for (int r = -1001; r > -1100; r--) {
		const bool known = strcmp(cw_err_name(r), "unknown") != 0;
		const enum cw_problem p = cw_problem_of_code(r);

		if (known && r != CW_E_SYNTAX && r != CW_E_LIMIT && r != CW_E_SCHEMA &&
			p == CW_PROBLEM_INTERNAL)
			fail_msg("%s", cw_err_name(r));
		assert_true(known || p == CW_PROBLEM_INTERNAL);
	}
	assert_int_equal(cw_problem_of_code(CW_E_POOL_EMPTY), CW_PROBLEM_POOL_EXHAUSTED);
	assert_int_equal(cw_problem_of_code(-ENOENT), CW_PROBLEM_NOT_FOUND);
	assert_int_equal(cw_problem_of_code(-EIO), CW_PROBLEM_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_queries),
		cmocka_unit_test(bad_queries),
		cmocka_unit_test(query_bounds),
		cmocka_unit_test(filters),
		cmocka_unit_test(cursors),
		cmocka_unit_test(base64url),
		cmocka_unit_test(found_routes),
		cmocka_unit_test(no_routes),
		cmocka_unit_test(scope_words),
		cmocka_unit_test(etags),
		cmocka_unit_test(credentials),
		cmocka_unit_test(idempotency_keys),
		cmocka_unit_test(media),
		cmocka_unit_test(codes),
	};

	return cmocka_run_group_tests_name("rest/query", tests, setup, teardown);
}
