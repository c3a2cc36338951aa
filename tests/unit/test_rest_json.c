/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON in and out: what is refused and where it says that it is wrong, what is written and how it is escaped, ids and
 * times, and every length of buffer and every failing allocation on the way. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/rest/id.h"
#include "schema/rest/read.h"
#include "schema/rest/render.h"
#include "schema/rest/resources.h"
#include "schema/rest/rfc3339.h"
#include "schema/rest/scope.h"
#include "tests/lib/cw-cmocka.h"

static struct cw_rest_errors errs;
static struct cw_arena *arena;

static int setup(void **state)
{
	(void) state;
	cw_json_init();
	arena = cw_arena_new(4 << 20);
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void) state;
	arena = cw_arena_free(arena);
	return 0;
}

static int read_n(
	const struct cw_rest_object *o, const char *text, size_t n, void *to, enum cw_problem *ret)
{
	*ret = CW_PROBLEMS;
	errs = (struct cw_rest_errors){0};
	cw_arena_reset(arena);
	return cw_rest_read_body(o, text, n, arena, to, &errs, ret);
}

static int read_str(
	const struct cw_rest_object *o, const char *text, void *to, enum cw_problem *ret)
{
	return read_n(o, text, strlen(text), to, ret);
}

/* ---- in ---- */

/* What is wrong with a LeaseCreate, and every pointer that must be told, separated by blanks, in any order. */
static const struct {
	const char *text;
	enum cw_problem problem;
	const char *pointers;
} bad[] = {
	/* no JSON */
	{"", CW_PROBLEM_MALFORMED_JSON, "="},
	{" ", CW_PROBLEM_MALFORMED_JSON, "="},
	{"{", CW_PROBLEM_MALFORMED_JSON, "="},
	{"7", CW_PROBLEM_MALFORMED_JSON, "="},
	{"{\"ipv6\":}", CW_PROBLEM_MALFORMED_JSON, "=/ipv6"},
	{"{\"ipv6\":\"2001:db8::9\",}", CW_PROBLEM_MALFORMED_JSON, "="},
	{"{\"ipv6\":\"2001:db8::9\"} x", CW_PROBLEM_MALFORMED_JSON, "="},
	{"{'ipv6':1}", CW_PROBLEM_MALFORMED_JSON, "="},
	{"{\"a\":[1,2,}", CW_PROBLEM_MALFORMED_JSON, "=/a/2"},
	{"{\"tags\":{\"a\":\"\xff\"}}", CW_PROBLEM_MALFORMED_JSON, "=/tags/a"},
	{"{\"tags\":{\"a\":\"\xc0\x80\"}}", CW_PROBLEM_MALFORMED_JSON, "=/tags/a"},
	{"{\"tags\":{\"a\":\"\xed\xa0\x80\"}}", CW_PROBLEM_MALFORMED_JSON, "=/tags/a"},
	{"{\"tags\":{\"a\":\"\\ud800\"}}", CW_PROBLEM_MALFORMED_JSON, "=/tags/a"},
	{"{\"owner\":\"a\\u0000b\"}", CW_PROBLEM_MALFORMED_JSON, "=/owner"},
	{"{\"owner\":\"a\nb\"}", CW_PROBLEM_MALFORMED_JSON, "=/owner"},
	{"{\"pool\":\"a\",\"pool\":\"b\"}", CW_PROBLEM_MALFORMED_JSON, "=/pool"},
	{"{\"tags\":{\"a/b~c\":1,\"a/b~c\":2}}", CW_PROBLEM_MALFORMED_JSON, "=/tags/a~1b~0c"},
	{"{\"lifetime_s\":01}", CW_PROBLEM_MALFORMED_JSON, "=/lifetime_s"},
	{"{\"lifetime_s\":0x1}", CW_PROBLEM_MALFORMED_JSON, "=/lifetime_s"},
	{"{\"lifetime_s\":NaN}", CW_PROBLEM_MALFORMED_JSON, "=/lifetime_s"},
	/* JSON, and not ours */
	{"[]", CW_PROBLEM_INVALID_BODY, "="},
	{"{}", CW_PROBLEM_INVALID_BODY, "=/ipv6"},
	{"{\"lifetime_s\":9223372036854775808}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"lifetime_s\":-9223372036854775809}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"lifetime_s\":1e999}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":9223372036854775807}", CW_PROBLEM_INVALID_BODY,
		"=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":4294967296}", CW_PROBLEM_INVALID_BODY,
		"=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":0}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":-1}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":1.0}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":1e2}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":\"60\"}", CW_PROBLEM_INVALID_BODY,
		"=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":null}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":true}", CW_PROBLEM_INVALID_BODY, "=/lifetime_s"},
	{"{\"ipv6\":\"2001:db8::9\",\"ports_ok\":1}", CW_PROBLEM_INVALID_BODY, "=/ports_ok"},
	{"{\"ipv6\":\"2001:db8::9\",\"psid\":65536}", CW_PROBLEM_INVALID_BODY, "=/psid"},
	{"{\"ipv6\":\"::\"}", CW_PROBLEM_INVALID_BODY, "=/ipv6"},
	{"{\"ipv6\":\"192.0.2.1\"}", CW_PROBLEM_INVALID_BODY, "=/ipv6"},
	{"{\"ipv6\":\"2001:db8::9\",\"address\":\"192.0.2.01\"}", CW_PROBLEM_INVALID_BODY,
		"=/address"},
	{"{\"ipv6\":\"2001:db8::9\",\"address\":\"0.0.0.0\"}", CW_PROBLEM_INVALID_BODY,
		"=/address"},
	{"{\"ipv6\":\"2001:db8::9\",\"owner\":\"a b\"}", CW_PROBLEM_INVALID_BODY, "=/owner"},
	{"{\"ipv6\":\"2001:db8::9\",\"owner\":\"\"}", CW_PROBLEM_INVALID_BODY, "=/owner"},
	{"{\"ipv6\":\"2001:db8::9\",\"pool\":\"a/b\"}", CW_PROBLEM_INVALID_BODY, "=/pool"},
	{"{\"ipv6\":\"2001:db8::9\",\"tags\":{\"a\":1,\"b c\":\"\",\"\":\"x\"}}",
		CW_PROBLEM_INVALID_BODY, "=/tags/a =/tags/b~0 =/tags/"},
	{"{\"ipv6\":\"2001:db8::9\",\"tags\":[]}", CW_PROBLEM_INVALID_BODY, "=/tags"},
	{"{\"ipv6\":\"2001:db8::9\",\"tags\":{\"a\":\"x\\u0001\"}}", CW_PROBLEM_INVALID_BODY,
		"=/tags/a"},
	{"{\"ipv6\":\"2001:db8::9\",\"colour\":1,\"a/b\":{\"c\":[]}}", CW_PROBLEM_INVALID_BODY,
		"=/colour =/a~1b"},
	/* everything at once */
	{"{\"pool\":7,\"owner\":\"\",\"address\":\"x\",\"psid\":1.5,\"ports_ok\":\"yes\",\"lifetime_s\":0,\"tag\":{}}",
		CW_PROBLEM_INVALID_BODY,
		"=/pool =/owner =/address =/psid =/ports_ok =/lifetime_s =/tag =/ipv6"},
};

static void bad_bodies(void **state)
{
	struct cw_rest_lease_create l;
	enum cw_problem p;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(bad); i++) {
		char list[512] = "";
		unsigned n = 0;

		if (read_str(&cw_rest_lease_create_object, bad[i].text, &l, &p) != CW_E_SYNTAX)
			fail_msg("taken: %s", bad[i].text);
		for (const char *s = bad[i].pointers; s; s = strchr(s + 1, '='))
			n++;
		for (unsigned k = 0; k < errs.n; k++)
			(void) snprintf(list + strlen(list), sizeof list - strlen(list), "%s=%s",
				k ? " " : "", errs.e[k].pointer);
		if (p != bad[i].problem || errs.n != n)
			fail_msg("%s: %s, %s", bad[i].text, cw_problem_code(p), list);
		for (unsigned k = 0; k < errs.n; k++) {
			assert_true(errs.e[k].detail[0] && errs.e[k].where == CW_REST_IN_BODY);
			/* A blank cannot stand in the list, so the tag "b c" is looked for as "b~0". */
			if (strcmp(errs.e[k].pointer, "/tags/b c") == 0)
				continue;
			(void) snprintf(list, sizeof list, "=%s", errs.e[k].pointer);
			if (!strstr(bad[i].pointers, list))
				fail_msg("%s: %s", bad[i].text, errs.e[k].pointer);
		}
	}
}

static void good_body(void **state)
{
	struct cw_rest_lease_create l;
	enum cw_problem p;

	(void) state;
	assert_int_equal(
		read_str(&cw_rest_lease_create_object,
			" {\"ipv6\" : \"2001:DB8::9\", \"owner\":\"user:alice\",\"lifetime_s\":4294967295,"
			"\"tags\":{\"z\":\"\xc3\xa4 \\\"\xf0\x9f\x98\x80\",\"a\":\"\"}}\n",
			&l, &p),
		0);
	assert_int_equal(l.lifetime_s, UINT32_MAX);
	assert_string_equal(l.owner, "user:alice");
	assert_int_equal(l.ipv6.b[15], 9);
	assert_string_equal(l.tags, "{\"z\":\"\xc3\xa4 \\\"\xf0\x9f\x98\x80\",\"a\":\"\"}");
	assert_true(CW_REST_HAS(&cw_rest_lease_create_object, &l, lifetime_s));
	assert_true(CW_REST_HAS(&cw_rest_lease_create_object, &l, ipv6));
	assert_false(CW_REST_HAS(&cw_rest_lease_create_object, &l, pool));
	assert_false(CW_REST_HAS(&cw_rest_lease_create_object, &l, address));
	assert_null(l.pool);
}

/* Depth 32 is taken by the parser (and then is no member of ours), 33 is not; brackets in texts do not count. */
static void depth(void **state)
{
	struct cw_rest_lease_create l;
	char text[256], deep[40];
	enum cw_problem p;

	(void) state;
	for (unsigned d = 31; d <= 33; d++) {
		memset(deep, '[', sizeof deep);
		(void) snprintf(text, sizeof text, "{\"a\":%.*s", (int) d - 1, deep);
		memset(deep, ']', sizeof deep);
		(void) snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s}",
			(int) d - 1, deep);
		assert_int_equal(read_str(&cw_rest_lease_create_object, text, &l, &p), CW_E_SYNTAX);
		assert_int_equal(p, d == 33 ? CW_PROBLEM_MALFORMED_JSON : CW_PROBLEM_INVALID_BODY);
		if (d == 33)
			assert_true(strncmp(errs.e[0].pointer, "/a/0/0/0", 8) == 0);
	}
	memset(deep, '{', sizeof deep);
	(void) snprintf(text, sizeof text,
		"{\"ipv6\":\"2001:db8::9\",\"tags\":{\"a\":\"\\\"%.*s\"}}", 40, deep);
	assert_int_equal(read_str(&cw_rest_lease_create_object, text, &l, &p), 0);
}

static void length(void **state)
{
	struct cw_rest_lease_create l;
	char *text = cw_zalloc(CW_JSON_BODY_MAX + 2, 1);
	enum cw_problem p;

	(void) state;
	memset(text, ' ', CW_JSON_BODY_MAX + 1);
	memcpy(text, "{\"ipv6\":\"2001:db8::9\"}", 22);
	assert_int_equal(read_n(&cw_rest_lease_create_object, text, CW_JSON_BODY_MAX, &l, &p), 0);
	assert_int_equal(read_n(&cw_rest_lease_create_object, text, CW_JSON_BODY_MAX + 1, &l, &p),
		CW_E_LIMIT);
	assert_int_equal(p, CW_PROBLEM_BODY_TOO_LARGE);
	/* A depth bomb of the whole length ends at once, and without a crash. */
	memset(text, '[', CW_JSON_BODY_MAX);
	assert_int_equal(
		read_n(&cw_rest_lease_create_object, text, CW_JSON_BODY_MAX, &l, &p), CW_E_SYNTAX);
	assert_int_equal(p, CW_PROBLEM_MALFORMED_JSON);
	(void) cw_free(text);
}

/* Every cut of a good body is bad, in one way or another. */
static void every_cut(void **state)
{
	static const char text[] =
		"{\"ipv6\":\"2001:db8::9\",\"lifetime_s\":60,\"tags\":{\"a\":\"\xc3\xa4\\u00e4\"},"
		"\"ports_ok\":true}";
	struct cw_rest_lease_create l;
	enum cw_problem p;

	(void) state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *exact =
			cw_memdup(n ? text : "x", n ? n : 1); /* so that a read beyond is seen */

		assert_int_equal(
			read_n(&cw_rest_lease_create_object, exact, n, &l, &p), CW_E_SYNTAX);
		assert_int_equal(p, CW_PROBLEM_MALFORMED_JSON);
		(void) cw_free(exact);
	}
	assert_int_equal(read_n(&cw_rest_lease_create_object, text, sizeof text - 1, &l, &p), 0);
}

/* More errors than fit are counted. */
static void many_errors(void **state)
{
	struct cw_rest_lease_create l;
	char text[1024] = "{\"ipv6\":\"2001:db8::9\"";
	enum cw_problem p;

	(void) state;
	for (unsigned i = 0; i < 40; i++)
		(void) snprintf(text + strlen(text), sizeof text - strlen(text), ",\"x%u\":0", i);
	strncat(text, "}", sizeof text - strlen(text) - 1);
	assert_int_equal(read_str(&cw_rest_lease_create_object, text, &l, &p), CW_E_SYNTAX);
	assert_int_equal(errs.n, CW_REST_ERRORS_MAX);
	assert_int_equal(errs.lost, 40 - CW_REST_ERRORS_MAX);
}

static void nested(void **state)
{
	struct cw_rest_apply_request a;
	const struct cw_rest_pool_create *pool;
	const struct cw_rest_range4 *range;
	const struct cw_rest_user_create *user;
	enum cw_problem p;

	(void) state;
	assert_int_equal(
		read_str(&cw_rest_apply_request_object,
			"{\"pools\":[{\"name\":\"a\",\"tep\":\"t\",\"port_set\":null,\"ranges\":[\"192.0.2.0/28\","
			"\"192.0.2.100-192.0.2.101\"]},{\"name\":\"b\",\"tep\":\"t\",\"port_set\":{\"offset\":6,"
			"\"length\":4}}],\"users\":[{\"name\":\"u\",\"password\":\"secret\",\"pool\":null}]}",
			&a, &p),
		0);
	assert_int_equal(a.pools.n, 2);
	pool = a.pools.items;
	range = pool[0].ranges.items;
	assert_int_equal(pool[0].ranges.n, 2);
	assert_int_equal(range[1].hi.v, 0xc0000265);
	assert_true(CW_REST_HAS(&cw_rest_pool_create_object, &pool[0], port_set));
	assert_true(cw_portset_is_whole(pool[0].port_set));
	assert_int_equal(pool[1].port_set.len, 4);
	user = a.users.items;
	assert_string_equal(user->password, "secret");
	cw_rest_wipe(&cw_rest_apply_request_object, &a);
	assert_memory_equal(user->password, "\0\0\0\0\0\0", 6);
	assert_int_equal(
		read_str(&cw_rest_apply_request_object,
			"{\"pools\":[{\"name\":\"a\",\"tep\":\"t\",\"ranges\":[\"192.0.2.1/28\",7]},{\"tep\":null,"
			"\"port_set\":{\"offset\":12,\"length\":6,\"x\":1}}],\"users\":{}}",
			&a, &p),
		CW_E_SYNTAX);
	assert_int_equal(errs.n, 7);
	assert_string_equal(errs.e[0].pointer, "/pools/0/ranges/0");
	assert_string_equal(errs.e[1].pointer, "/pools/0/ranges/1");
	assert_string_equal(errs.e[2].pointer, "/pools/1/tep");
	assert_string_equal(errs.e[3].pointer, "/pools/1/port_set/x");
	assert_string_equal(errs.e[4].pointer, "/pools/1/port_set");
	assert_string_equal(errs.e[5].pointer, "/pools/1/name");
	assert_string_equal(errs.e[6].pointer, "/users");
}

static void word_lists(void **state)
{
	struct cw_rest_token_create t;
	struct cw_rest_credentials_set c;
	enum cw_problem p;

	(void) state;
	assert_int_equal(
		read_str(&cw_rest_token_create_object,
			"{\"name\":\"n\",\"scopes\":[\"leases:write\",\"pools:read\"],\"prefixes\":[\"192.0.2.0/24\","
			"\"2001:db8::/32\",\"::1\"]}",
			&t, &p),
		0);
	assert_int_equal(
		t.scopes, CW_SCOPE_LEASES_WRITE | CW_SCOPE_LEASES_READ | CW_SCOPE_POOLS_READ);
	assert_int_equal(t.prefixes.n, 3);
	assert_string_equal(((const char *const *) t.prefixes.items)[1], "2001:db8::/32");
	assert_int_equal(
		read_str(&cw_rest_token_create_object,
			"{\"name\":\"n\",\"scopes\":[\"viewer\",\"root\",7,\"viewer\"],\"prefixes\":[\"::1/64\"]}",
			&t, &p),
		CW_E_SYNTAX);
	assert_int_equal(errs.n, 4);
	assert_string_equal(errs.e[2].pointer, "/scopes/3");
	assert_string_equal(errs.e[3].pointer, "/prefixes/0");
	assert_int_equal(
		read_str(&cw_rest_token_create_object, "{\"name\":\"n\",\"scopes\":[]}", &t, &p),
		CW_E_SYNTAX);
	assert_int_equal(
		read_str(&cw_rest_credentials_set_object,
			"{\"password\":\"p\xc3\xa4ss\",\"mechanisms\":[\"DIGEST-MD5\",\"SCRAM-SHA-256\"]}",
			&c, &p),
		0);
	assert_int_equal(c.mechanisms, CW_REST_DIGEST_MD5 | CW_REST_SCRAM_SHA_256);
	assert_int_equal(read_str(&cw_rest_lease_patch_object, "{}", &t, &p), CW_E_SYNTAX);
	assert_string_equal(errs.e[0].pointer, "");
}

/* Lengths count characters, as openapi.yaml does. */
static void text_lengths(void **state)
{
	struct cw_rest_credentials_set c;
	enum cw_problem p;
	char text[1024];

	(void) state;
	for (unsigned n = 254; n <= 256; n++) {
		(void) snprintf(text, sizeof text, "{\"password\":\"");
		for (unsigned i = 0; i < n; i++)
			strncat(text, "\xc3\xa4", sizeof text - strlen(text) - 1);
		strncat(text, "\"}", sizeof text - strlen(text) - 1);
		assert_int_equal(read_str(&cw_rest_credentials_set_object, text, &c, &p),
			n == 256 ? CW_E_SYNTAX : 0);
	}
	assert_int_equal(read_str(&cw_rest_credentials_set_object, "{\"password\":\"\"}", &c, &p),
		CW_E_SYNTAX);
}

/* The k-th allocation fails: an answer without memory or with it, never a crash or a leak. */
static void no_memory(void **state)
{
	static const char text[] =
		"{\"pools\":[{\"name\":\"a\",\"tep\":\"t\",\"ranges\":[\"192.0.2.0/28\"]}],\"users\":["
		"{\"name\":\"u\",\"password\":\"secret\"}],\"x\":[1,{}]}";
	unsigned failed = 0;

	(void) state;
	for (unsigned long k = 1; k < 200; k++) {
		struct cw_rest_apply_request a;
		enum cw_problem p;
		int r;

		cw_mem_fail_at(k);
		r = read_str(&cw_rest_apply_request_object, text, &a, &p);
		cw_mem_fail_at(0);
		assert_true(r == -ENOMEM || r == CW_E_SYNTAX);
		failed += r == -ENOMEM;
	}
	assert_true(failed > 5);
}

/* ---- out ---- */

static void escapes(void **state)
{
	static const struct {
		const char *in, *out;
		size_t n;
	} cases[] = {
		{"", "\"\"", 0},
		{"plain", "\"plain\"", 5},
		{"\"\\/\b\f\n\r\t", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"", 8},
		{"a\0b\x1f\x7f", "\"a\\u0000b\\u001f\x7f\"", 5},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
			9},
		{"\xf4\x8f\xbf\xbf\xf4\x90\x80\x80",
			"\"\xf4\x8f\xbf\xbf\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", 8},
		{"\xff", "\"\xef\xbf\xbd\"", 1},
		{"\xc3", "\"\xef\xbf\xbd\"", 1},
		{"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"", 2},
		{"\xe0\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", 3},
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", 3},
		{"\xe2\x82x", "\"\xef\xbf\xbd\xef\xbf\xbdx\"", 3},
	};
	struct cw_json_out o;
	char buf[128];

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		cw_json_out_init(&o, buf, sizeof buf);
		cw_json_put_text(&o, cases[i].in, cases[i].n);
		assert_int_equal(o.err, 0);
		assert_int_equal(o.len, strlen(cases[i].out));
		assert_memory_equal(buf, cases[i].out, o.len);
	}
}

/* Every octet and every pair of octets becomes JSON that jansson takes. */
static void all_octets(void **state)
{
	const unsigned step = cw_test_cases(1, 37);

	(void) state;
	for (unsigned v = 0; v < 65536; v += step) {
		const char in[2] = {(char) (v >> 8), (char) v};
		struct cw_json_out o;
		char buf[32];
		json_t *j;

		cw_json_out_init(&o, buf, sizeof buf);
		cw_json_begin_array(&o);
		cw_json_put_text(&o, in, 2);
		cw_json_end_array(&o);
		j = json_loadb(buf, o.len, JSON_ALLOW_NUL, NULL);
		if (!j)
			fail_msg("%04x: %.*s", v, (int) o.len, buf);
		json_decref(j);
	}
}

static void write_sample(struct cw_json_out *o)
{
	struct cw_addr6 six = {{0x20, 0x01, 0x0d, 0xb8, [15] = 9}};

	cw_json_begin_object(o);
	CW_JSON_KEY(o, "a");
	cw_json_begin_array(o);
	cw_json_put_u64(o, 0);
	cw_json_put_u64(o, UINT64_MAX);
	cw_json_put_bool(o, true);
	cw_json_put_bool(o, false);
	cw_json_put_null(o);
	cw_json_put_str(o, NULL);
	cw_json_begin_object(o);
	cw_json_end_object(o);
	cw_json_begin_array(o);
	cw_json_end_array(o);
	cw_json_end_array(o);
	cw_json_key_text(o, "b\"", 2);
	cw_json_put_strs(o, "x", "y\n");
	CW_JSON_KEY(o, "c");
	cw_json_put_addr4(o, (struct cw_addr4){0xc0000209});
	CW_JSON_KEY(o, "d");
	cw_json_put_addr6(o, &six);
	CW_JSON_KEY(o, "e");
	cw_json_put_time(o, 0);
	CW_JSON_KEY(o, "f");
	cw_json_put_raw(o, "{}", 2);
	cw_json_end_object(o);
	cw_json_put_between(o, "\n", 1);
	cw_json_put_u64(o, 255);
}

static const char sample[] =
	"{\"a\":[0,18446744073709551615,true,false,null,null,{},[]],\"b\\\"\":\"xy\\n\",\"c\":\"192.0.2.9\","
	"\"d\":\"2001:db8::9\",\"e\":\"1970-01-01T00:00:00Z\",\"f\":{}}\n255";

/* The same text from a buffer of the caller's and from one that grows; a buffer too short says so and is never left. */
static void buffers(void **state)
{
	struct cw_json_out o;
	size_t n;
	char *p;

	(void) state;
	cw_json_out_grow(&o, 1024);
	write_sample(&o);
	p = cw_json_out_take(&o, &n);
	assert_non_null(p);
	assert_int_equal(n, sizeof sample - 1);
	assert_memory_equal(p, sample, n);
	(void) cw_free(p);
	for (size_t cap = 0; cap <= sizeof sample + 8; cap++) {
		char *exact = cw_zalloc(cap + 1, 1);

		cw_json_out_init(&o, exact, cap);
		write_sample(&o);
		assert_true(o.len <= cap);
		assert_true(o.err == (cap < sizeof sample - 1 ? CW_E_LIMIT : o.err));
		assert_memory_equal(exact, sample, o.len);
		if (!o.err)
			assert_int_equal(o.len, sizeof sample - 1);
		exact = cw_free(exact);
		cw_json_out_grow(&o, cap + 1);
		write_sample(&o);
		assert_true(o.len <= cap + 1);
		cw_json_out_done(&o);
	}
	cw_json_out_init(&o, (char[sizeof sample + 8]){0}, sizeof sample + 8);
	write_sample(&o);
	assert_int_equal(o.err, 0);
}

/* What does not fit, and no memory. */
static void no_room(void **state)
{
	struct cw_json_out o;
	char buf[40];

	(void) state;
	cw_json_out_init(&o, buf, sizeof buf);
	cw_rest_list_begin(&o);
	cw_json_put_u64(&o, 1);
	cw_json_put_u64(&o, 2);
	cw_rest_list_end(&o, NULL, &(uint64_t){3});
	assert_int_equal(o.err, 0);
	assert_int_equal(o.len, strlen("{\"items\":[1,2],\"next\":null,\"count\":3}"));
	assert_memory_equal(buf, "{\"items\":[1,2],\"next\":null,\"count\":3}", o.len);
	cw_json_put_str(&o, "a text that is longer than what is left of it");
	assert_int_equal(o.err, CW_E_LIMIT);
	cw_json_out_grow(&o, 1 << 20);
	cw_mem_fail_at(1);
	cw_json_put_u64(&o, 1);
	cw_mem_fail_at(0);
	assert_int_equal(o.err, -ENOMEM);
	assert_null(cw_json_out_take(&o, &(size_t){0}));
	cw_json_out_done(&o);
}

static void a_problem(void **state)
{
	struct cw_problem_text t = {
		.problem = CW_PROBLEM_INVALID_BODY, .request_id = "8f2c", .errs = &errs};
	struct cw_rest_lease_create l;
	struct cw_json_out o;
	char buf[1024];
	enum cw_problem p;

	(void) state;
	assert_int_equal(read_str(&cw_rest_lease_create_object, "{\"x\":1}", &l, &p), CW_E_SYNTAX);
	cw_json_out_init(&o, buf, sizeof buf - 1);
	cw_problem_render(&o, &t);
	buf[o.len] = '\0';
	assert_string_equal(buf,
		"{\"type\":\"/problems/invalid-body\",\"title\":\"The body does not fit the schema\",\"status\":400,"
		"\"detail\":\"2 things are wrong\",\"instance\":\"/requests/8f2c\",\"code\":\"invalid-body\",\"errors\":["
		"{\"in\":\"body\",\"pointer\":\"/x\",\"detail\":\"unknown member\"},"
		"{\"in\":\"body\",\"pointer\":\"/ipv6\",\"detail\":\"is missing\"}]}");
	t = (struct cw_problem_text){.problem = CW_PROBLEM_INSUFFICIENT_SCOPE,
		.request_id = "1",
		.scope = cw_scope_missing(
			CW_SCOPES_VIEWER, CW_SCOPE_TEPS_WRITE | CW_SCOPE_TEPS_READ)};
	cw_json_out_init(&o, buf, sizeof buf - 1);
	cw_problem_render(&o, &t);
	buf[o.len] = '\0';
	assert_non_null(strstr(buf, "\"status\":403,"));
	assert_non_null(strstr(buf, "\"scope\":\"teps:write\""));
	assert_null(strstr(buf, "errors"));
}

static void csv(void **state)
{
	struct cw_rest_lease l = {.id = 12,
		.pool = "pool-a",
		.address = {0xc0000209},
		.ports = {6, 4, 5},
		.ipv6 = {{0x20, 1, [15] = 9}},
		.owner = "user:\"a\",b",
		.access = 1,
		.state = 1,
		.confirmed = true,
		.tep = "t",
		.granted_at = 0,
		.expires_at = 60,
		.lifetime_s = 60,
		.tags = "{\"a\":\"b\"}"};
	struct cw_json_out o;
	char buf[512];

	(void) state;
	cw_json_out_init(&o, buf, sizeof buf - 1);
	cw_rest_csv_row(&o, &cw_rest_lease_object, &l);
	buf[o.len] = '\0';
	assert_string_equal(buf,
		"ls_12,pool-a,192.0.2.9,6,4,5,2001::9,\"user:\"\"a\"\",b\",tsp,active,true,t,"
		"1970-01-01T00:00:00Z,1970-01-01T00:01:00Z,60,,\"{\"\"a\"\":\"\"b\"\"}\"\r\n");
	l.ports = CW_PORTSET_WHOLE;
	l.tags = NULL;
	l.end_reason = 3;
	cw_json_out_init(&o, buf, sizeof buf - 1);
	cw_rest_csv_row(&o, &cw_rest_lease_object, &l);
	buf[o.len] = '\0';
	assert_non_null(strstr(buf, "192.0.2.9,,,,2001::9"));
	assert_non_null(strstr(buf, ",60,revoke,\r\n"));
}

/* ---- ids and times ---- */

static void ids(void **state)
{
	static const char *const no[] = {"", "ls", "ls_", "ls_0", "ls_01", "ls_-1", "ls_+1",
		"ls_1 ", " ls_1", "LS_1", "pl_1", "ls_9223372036854775808",
		"ls_18446744073709551616", "ls_99999999999999999999", "ls_1x", "ls1"};
	char text[CW_ID_STRLEN];
	enum cw_id_kind kind;
	uint64_t id;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(no); i++)
		if (cw_id_parse(CW_ID_LEASE, no[i], strlen(no[i]), &id) != CW_E_SYNTAX)
			fail_msg("taken: %s", no[i]);
	for (unsigned k = 0; k < CW_ID_KINDS; k++) {
		for (uint64_t v = 1; v && v <= INT64_MAX; v = v * 3 + 1) {
			const size_t n = strlen(cw_id_str((enum cw_id_kind) k, v, text));

			assert_int_equal(cw_id_parse((enum cw_id_kind) k, text, n, &id), 0);
			assert_true(id == v);
			assert_int_equal(cw_id_parse_any(text, n, &kind, &id), 0);
			assert_int_equal(kind, k);
			if (v > UINT64_MAX / 3 - 1)
				break;
		}
	}
	assert_string_equal(cw_id_str(CW_ID_LEASE, INT64_MAX, text), "ls_9223372036854775807");
	assert_int_equal(cw_id_parse(CW_ID_LEASE, text, strlen(text), &id), 0);
	assert_int_equal(cw_id_parse_any("xx_1", 4, &kind, &id), CW_E_SYNTAX);
}

static void times(void **state)
{
	static const char *const no[] = {"", "2026-03-01", "2026-03-01T10:00Z",
		"2026-03-01T10:00:00", "2026-03-01T10:00:00z", "2026-03-01t10:00:00Z",
		"2026-03-01 10:00:00Z", "2026-03-01T10:00:00+00:00", "2026-03-01T10:00:00.0Z",
		"2026-02-29T10:00:00Z", "2100-02-29T10:00:00Z", "2026-13-01T10:00:00Z",
		"2026-00-01T10:00:00Z", "2026-01-00T10:00:00Z", "2026-04-31T10:00:00Z",
		"2026-03-01T24:00:00Z", "2026-03-01T10:60:00Z", "2026-12-31T23:59:60Z",
		"1969-12-31T23:59:59Z", "-026-03-01T10:00:00Z", "2026-03-01T10:00:00ZZ"};
	static const struct {
		const char *text;
		int64_t s;
	} yes[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2000-02-29T23:59:59Z", 951868799},
		{"2026-03-01T10:00:00Z", 1772359200},
		{"2100-03-01T00:00:00Z", 4107542400},
		{"9999-12-31T23:59:59Z", CW_RFC3339_MAX},
	};
	char text[CW_RFC3339_STRLEN];
	int64_t s;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(no); i++)
		if (cw_rfc3339_parse(no[i], strlen(no[i]), &s) != CW_E_SYNTAX)
			fail_msg("taken: %s", no[i]);
	for (size_t i = 0; i < CW_ARRAY_LEN(yes); i++) {
		assert_int_equal(cw_rfc3339_parse(yes[i].text, strlen(yes[i].text), &s), 0);
		assert_true(s == yes[i].s);
		assert_string_equal(cw_rfc3339_str(s, text), yes[i].text);
	}
	assert_string_equal(cw_rfc3339_str(-1, text), "1970-01-01T00:00:00Z");
	assert_string_equal(cw_rfc3339_str(INT64_MAX, text), "9999-12-31T23:59:59Z");
	/* Each day to the end, and its parts as the C library has them. */
	for (int64_t day = 0; day <= CW_RFC3339_MAX / 86400; day += cw_test_cases(1, 97)) {
		const time_t t = day * 86400 + day % 86400;
		char want[CW_RFC3339_STRLEN + 8];
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		assert_true(
			strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm) == CW_RFC3339_LEN);
		assert_string_equal(cw_rfc3339_str(t, text), want);
		assert_int_equal(cw_rfc3339_parse(text, CW_RFC3339_LEN, &s), 0);
		assert_true(s == t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_bodies),
		cmocka_unit_test(good_body),
		cmocka_unit_test(depth),
		cmocka_unit_test(length),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(many_errors),
		cmocka_unit_test(nested),
		cmocka_unit_test(word_lists),
		cmocka_unit_test(text_lengths),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(escapes),
		cmocka_unit_test(all_octets),
		cmocka_unit_test(buffers),
		cmocka_unit_test(no_room),
		cmocka_unit_test(a_problem),
		cmocka_unit_test(csv),
		cmocka_unit_test(ids),
		cmocka_unit_test(times),
	};

	return cmocka_run_group_tests_name("rest/json", tests, setup, teardown);
}
