/* SPDX-License-Identifier: BSD-2-Clause */
/* causewayctl without a broker: its command lines, values, tables, the readers of CSV and of events, what apply sends. */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/apply.h"
#include "client/ctl/commands.h"
#include "client/ctl/csv.h"
#include "client/ctl/sse.h"
#include "client/ctl/table.h"
#include "client/ctl/value.h"
#include "schema/rest/json_in.h"
#include "tests/lib/cw-cmocka.h"

enum { NOW = 1772359200 }; /* 2026-03-01T10:00:00Z */

static struct cw_ctl_line line;
static char why[512];

/* Words separated by single blanks. */
static int parse(const char *text)
{
	static char copy[8192];
	const char *argv[1024];
	int argc = 0;

	(void) snprintf(copy, sizeof copy, "%s", text);
	why[0] = '\0';
	for (char *p = copy; *p; argc++) {
		argv[argc] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	return cw_ctl_parse(argc, argv, &line, why, sizeof why);
}

/* Every command can be reached, its arguments are members of its path and body, and each member has a flag. */
static void tables(void **state)
{
	struct cw_ctl_arg arg;

	(void) state;
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		unsigned params = cw_ctl_path_params(c->op), n = 0;

		for (; cw_ctl_arg(c, n, &arg); n++) {
			if (n >= params && c->body)
				assert_non_null(cw_ctl_field(c->body, arg.name, arg.n));
		}
		if (c->noun && strcmp(c->noun, "export") != 0 && strcmp(c->noun, "import") != 0)
			assert_true(n >= params);
		for (unsigned t = 0; t < 2; t++) {
			const struct cw_rest_object *o = t ? c->body : c->query;

			for (unsigned i = 0; o && i < o->n; i++) {
				const char *name = o->fields[i].name;
				bool found = strcmp(name, "cursor") == 0;

				for (unsigned k = 0; cw_ctl_arg(c, k, &arg); k++)
					found = found ||
						(strlen(name) == arg.n &&
							memcmp(name, arg.name, arg.n) == 0);
				for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++)
					found = found ||
						(f->member && strcmp(f->member, name) == 0 &&
							cw_ctl_takes(c, f));
				if (!found)
					print_error("%s %s: no flag for %s\n",
						c->noun ? c->noun : "", c->verb, name);
				assert_true(found);
			}
		}
		for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
			for (const struct cw_ctl_flag *g = f + 1; g->name && f->letter; g++)
				assert_false(g->letter == f->letter && cw_ctl_takes(c, f) &&
					     cw_ctl_takes(c, g));
		}
	}
}

static void lines(void **state)
{
	(void) state;
	assert_int_equal(parse("-o json pool list --limit=5 --state active -n 7 --json"), 0);
	assert_string_equal(line.command->verb, "list");
	assert_string_equal(cw_ctl_value(&line, "limit"), "7");
	assert_string_equal(cw_ctl_value(&line, "output"), "json");
	assert_null(cw_ctl_value(&line, "socket"));
	assert_true(cw_ctl_is_on(&line, "json"));
	assert_int_equal(parse("user create bob --disabled=false"), 0);
	assert_false(cw_ctl_is_on(&line, "disabled"));
	assert_int_equal(line.n_args, 1);
	assert_int_equal(parse("lease revoke ls_1 ls_2 -- --odd"), 0);
	assert_int_equal(line.n_args, 3);
	assert_string_equal(line.args[2], "--odd");
	assert_int_equal(parse("apply -f -"), 0);
	assert_string_equal(cw_ctl_value(&line, "file"), "-");
	assert_int_equal(
		parse("pool create --help"), 0); /* nothing is missing when help is asked for */
	assert_int_equal(parse("pool"), 0);
	assert_null(line.command);
	assert_string_equal(line.noun, "pool");

	assert_int_equal(parse("pool list --limit"), CW_E_SYNTAX);
	assert_non_null(strstr(why, "--limit needs a value"));
	assert_int_equal(parse("pool list --json=maybe"), CW_E_SYNTAX);
	assert_int_equal(parse("pool list -x"), CW_E_SYNTAX);
	assert_int_equal(parse("pool list --dry-run"), CW_E_SYNTAX);
	assert_int_equal(parse("--limit 3 pool list"),
		CW_E_SYNTAX); /* before the command only global ones */
	assert_int_equal(parse("pool lst"), CW_E_SYNTAX);
	assert_non_null(strstr(why, "did you mean list?"));
	assert_int_equal(parse("pool usage a b"), CW_E_SYNTAX);
	assert_int_equal(parse("range add p"), CW_E_SYNTAX);
	assert_non_null(strstr(why, "needs also range"));
}

static void values(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t s;
	} durations[] = {{"0", 0, 0}, {"90", 0, 90}, {"90s", 0, 90}, {"1h30m", 0, 5400},
		{"2d", 0, 172800}, {"1w", 0, 604800}, {"", CW_E_SYNTAX, 0}, {"h", CW_E_SYNTAX, 0},
		{"-1", CW_E_SYNTAX, 0}, {"1x", CW_E_SYNTAX, 0}, {"1.5h", CW_E_SYNTAX, 0},
		{"99999999999", CW_E_LIMIT, 0}, {"4294967295", 0, 4294967295},
		{"4294967295m", CW_E_LIMIT, 0}};
	static const struct {
		const char *text;
		int64_t at; /* -1: none */
	} times[] = {{"now", NOW}, {"-2h", NOW - 7200}, {"+30m", NOW + 1800},
		{"2026-03-01T10:00:00Z", NOW}, {"2026-03-01T10:00Z", NOW},
		{"2026-03-01 11:00+01:00", NOW}, {"2026-03-01T05:30-04:30", NOW},
		{"2026-03-01", NOW - 36000}, {"2026-03-01 10:00", NOW}, {"tomorrow", -1},
		{"2026-3-1", -1}, {"2026-03-01T10", -1}, {"2026-03-01T10:00:00+1:00", -1},
		{"2026-03-01T10:00Zz", -1}, {"2026-13-01", -1}, {"1960-01-01Z", -1}, {"-", -1},
		{"", -1}};
	uint64_t s;
	int64_t at;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(durations); i++) {
		s = 0;
		assert_int_equal(cw_ctl_duration(durations[i].text, &s), durations[i].r);
		assert_int_equal(s, durations[i].s);
	}
	for (size_t i = 0; i < CW_ARRAY_LEN(times); i++) {
		at = -1;
		if (cw_ctl_time(times[i].text, NOW, &at) < 0)
			at = -1;
		if (at != times[i].at)
			print_error("%s\n", times[i].text);
		assert_int_equal(at, times[i].at);
	}
}

static void body_is(const char *command, const char *want)
{
	CW_CLEANUP(cw_freep) char *text = NULL;
	json_t *body = NULL;

	assert_int_equal(parse(command), 0);
	if (cw_ctl_body(&line, NOW, &body, why, sizeof why) < 0) {
		assert_null(want);
		return;
	}
	text = cw_ctl_text(body);
	json_decref(body);
	assert_string_equal(text, want);
}

static void bodies(void **state)
{
	(void) state;
	body_is("pool create p --tep t --lifetime 1h --port-set 6/4 --range 192.0.2.0/28 --range 192.0.2.32,192.0.2.33 "
		"--keep-system-ports=false",
		"{\"name\":\"p\",\"tep\":\"t\",\"lifetime_s\":3600,\"port_set\":{\"offset\":6,\"length\":4},"
		"\"ranges\":[\"192.0.2.0/28\",\"192.0.2.32\",\"192.0.2.33\"],\"keep_system_ports\":false}");
	body_is("range add p 192.0.2.0/28",
		"{\"range\":\"192.0.2.0/28\"}"); /* the pool is in the path */
	body_is("user set bob --pool= --disabled", "{\"pool\":null,\"disabled\":true}");
	body_is("lease allocate --user bob --ipv6 ::1 --tag a=b --tag c=d=e",
		"{\"owner\":\"user:bob\",\"ipv6\":\"::1\",\"tags\":{\"a\":\"b\",\"c\":\"d=e\"}}");
	body_is("token create --scope pools:read,admin", "{\"scopes\":[\"pools:read\",\"admin\"]}");
	body_is("user create bob --password-file /etc/shadow",
		"{\"name\":\"bob\"}"); /* read elsewhere */
	body_is("pool create p --tep t --order x", NULL);
	body_is("pool create p --tep t --port-set 4", NULL);
	body_is("lease allocate --tag nothing", NULL);
}

static void queries(void **state)
{
	CW_CLEANUP(cw_freep) char *q = NULL, *path = NULL;
	const char *params[] = {"a/b c", "rg_1"};

	(void) state;
	assert_int_equal(
		parse("lease list --state active,ending --state free --search a&b --expires-before +1h --limit 5"),
		0);
	assert_int_equal(cw_ctl_query(&line, line.command->query, NOW, &q, why, sizeof why), 0);
	assert_string_equal(q,
		"state=active&state=ending&state=free&q=a%26b&expires_before=2026-03-01T11%3A00%3A00Z");
	path = cw_ctl_path(CW_OP_REST_deleteRange, params);
	assert_string_equal(path, "/v1/pools/a%2Fb%20c/ranges/rg_1");
}

static void layout(void **state)
{
	const size_t natural[] = {5, 40, 20, 6}, least[] = {2, 4, 5, 6};
	size_t w[4];

	(void) state;
	cw_ctl_layout(natural, least, 4, 0, w);
	assert_memory_equal(w, natural, sizeof w);
	cw_ctl_layout(natural, least, 4, 77, w);
	assert_memory_equal(w, natural, sizeof w);
	cw_ctl_layout(natural, least, 4, 57, w); /* only the widest gives */
	assert_int_equal(w[0] + w[1] + w[2] + w[3] + 3 * CW_CTL_GAP, 57);
	assert_int_equal(w[1], 20);
	assert_int_equal(w[2], 20);
	cw_ctl_layout(natural, least, 4, 23, w); /* headings stay whole */
	assert_int_equal(w[0] + w[1] + w[2] + w[3] + 3 * CW_CTL_GAP, 23);
	cw_ctl_layout(natural, least, 4, 12, w);
	assert_int_equal(w[0] + w[1] + w[2] + w[3] + 3 * CW_CTL_GAP, 12);
	cw_ctl_layout(natural, least, 4, 1, w); /* and no loop without an end */
	assert_int_equal(w[0] + w[1] + w[2] + w[3], 4);
	assert_int_equal(cw_ctl_width("a\u00e9\u2026", 6), 3);
	assert_int_equal(cw_ctl_fit("a\u00e9\u2026", 6, 2), 3);
}

static void cell_is(const char *json, const char *cell, const char *csv)
{
	json_t *v = json_loads(json, JSON_DECODE_ANY, NULL);
	CW_CLEANUP(cw_freep) char *a = cw_ctl_cell(v), *b = cw_ctl_csv(v);

	assert_non_null(v);
	assert_string_equal(a, cell);
	assert_string_equal(b, csv);
	json_decref(v);
}

static void cells(void **state)
{
	(void) state;
	cell_is("null", "-", "");
	cell_is("true", "yes", "true");
	cell_is("9007199254740993", "9007199254740993", "9007199254740993");
	cell_is("\"a\\u001b[31m\\nb\\u009b\"", "a?[31m?b??", "\"a\033[31m\nb\302\233\"");
	cell_is("\"a,\\\"b\"", "a,\"b", "\"a,\"\"b\"");
	cell_is("{\"offset\":6,\"length\":4,\"psid\":5,\"ranges\":[[1,2]]}", "6/4/5",
		"\"{\"\"offset\"\":6,\"\"length\"\":4,\"\"psid\"\":5,\"\"ranges\"\":[[1,2]]}\"");
	cell_is("{\"a\":\"b\",\"c\":1}", "a=b,c=1", "\"{\"\"a\"\":\"\"b\"\",\"\"c\"\":1}\"");
	cell_is("[]", "-", "[]");
	cell_is("[\"x\",\"y\"]", "x,y", "\"[\"\"x\"\",\"\"y\"\"]\"");
}

static void csv(void **state)
{
	char text[] = "a,b\r\n1,\"x \"\"y\"\",\nz\"\n\n,\r\nlast,\"\"";
	char open[] = "\"a", behind[] = "\"a\"b,c";
	struct cw_ctl_csv_in in = {.at = text, .line = 1};
	char *f[CW_CTL_CSV_FIELDS_MAX], *many = cw_zalloc(CW_CTL_CSV_FIELDS_MAX + 2, 1);
	unsigned n;

	(void) state;
	assert_int_equal(cw_ctl_csv_next(&in, f, &n), 1);
	assert_int_equal(n, 2);
	assert_string_equal(f[1], "b");
	assert_int_equal(cw_ctl_csv_next(&in, f, &n), 1);
	assert_string_equal(f[1], "x \"y\",\nz");
	assert_int_equal(cw_ctl_csv_next(&in, f, &n), 1);
	assert_int_equal(n, 2);
	assert_string_equal(f[0], "");
	assert_int_equal(cw_ctl_csv_next(&in, f, &n), 1);
	assert_string_equal(f[0], "last");
	assert_int_equal(in.began, 6);
	assert_string_equal(f[1], "");
	assert_int_equal(cw_ctl_csv_next(&in, f, &n), 0);
	in.at = open;
	assert_int_equal(cw_ctl_csv_next(&in, f, &n), CW_E_SYNTAX);
	in.at = behind;
	assert_int_equal(cw_ctl_csv_next(&in, f, &n), CW_E_SYNTAX);
	memset(many, ',', CW_CTL_CSV_FIELDS_MAX + 1);
	in.at = many;
	assert_int_equal(cw_ctl_csv_next(&in, f, &n), CW_E_LIMIT);
	many = cw_free(many);
}

static char seen[256];

static int on_event(void *arg, const char *type, const char *data)
{
	size_t n = strlen(seen);

	(void) arg;
	(void) snprintf(seen + n, sizeof seen - n, "%s=%s;", type, data);
	return 0;
}

static void events(void **state)
{
	static const char text[] =
		": hello\n\nid: 7\nevent: pool.low\ndata: {\"a\":1}\n\nid:8\r\ndata:x\r\ndata: y\r\n\r\n"
		"retry: 5\nevent: lagged\n\nid: 9\nevent: cut\ndata: no end\n";
	static const char want[] = "pool.low={\"a\":1};message=x\ny;lagged=;";
	struct cw_ctl_sse s;

	(void) state;
	/* However the octets are cut. */
	for (size_t step = 1; step < sizeof text; step++) {
		cw_ctl_sse_init(&s, on_event, NULL);
		seen[0] = '\0';
		for (size_t i = 0; i < sizeof text - 1; i += step)
			assert_int_equal(
				cw_ctl_sse_feed(&s, text + i,
					step < sizeof text - 1 - i ? step : sizeof text - 1 - i),
				0);
		assert_string_equal(seen, want);
		assert_string_equal(s.last_id, "8"); /* the one that was cut has to come again */
		cw_ctl_sse_restart(&s);
		assert_int_equal(cw_ctl_sse_feed(&s, "\n\n", 2), 0);
		assert_string_equal(seen, want);
		assert_string_equal(s.last_id, "8");
		cw_ctl_sse_done(&s);
	}
	cw_ctl_sse_init(&s, on_event, NULL);
	for (size_t i = 0; i < CW_CTL_SSE_MAX; i++)
		assert_int_equal(cw_ctl_sse_feed(&s, "x", 1), 0);
	assert_int_equal(cw_ctl_sse_feed(&s, "x", 1), CW_E_LIMIT);
	cw_ctl_sse_done(&s);
}

static void wanted_is(const char *file, const char *want)
{
	json_t *j = json_loads(file, JSON_REJECT_DUPLICATES, NULL), *body = NULL;
	CW_CLEANUP(cw_freep) char *text = NULL;
	int r;

	assert_non_null(j);
	r = cw_ctl_apply_body(j, &body, why, sizeof why);
	json_decref(j);
	assert_int_equal(r, want ? 0 : CW_E_SYNTAX);
	if (!want) {
		assert_true(why[0]);
		return;
	}
	text = cw_ctl_text(body);
	json_decref(body);
	assert_string_equal(text, want);
}

static void apply(void **state)
{
	(void) state;
	wanted_is(
		"{\"pool\": {\"a\": {\"tep\": \"t\", \"range\": \"192.0.2.0/28\", \"exclude\": [\"192.0.2.0\"], "
		"\"lifetime\": \"1h\", \"lifetime-max\": 7200, \"quarantine\": 5, \"max-leases\": 2, "
		"\"port-set-length\": 4}}}",
		"{\"pools\":[{\"name\":\"a\",\"tep\":\"t\",\"ranges\":[\"192.0.2.0/28\"],\"exclusions\":[\"192.0.2.0\"],"
		"\"lifetime_s\":3600,\"lifetime_max_s\":7200,\"quarantine_s\":5,\"max_leases\":2,"
		"\"port_set\":{\"offset\":6,\"length\":4}}]}");
	wanted_is(
		"{\"pools\": [{\"name\": \"a\", \"lifetime_s\": 5}], \"pool\": {\"b\": {}}, \"teps\": []}",
		"{\"pools\":[{\"name\":\"a\",\"lifetime_s\":5},{\"name\":\"b\"}],\"teps\":[]}");
	wanted_is("{\"user\": {\"x\": {\"unheard-of\": 1}}}",
		"{\"users\":[{\"name\":\"x\",\"unheard_of\":1}]}");
	wanted_is("{\"pol\": []}", NULL);
	wanted_is("{\"pool\": 5}", NULL);
	wanted_is("{\"pool\": [5]}", NULL);
	wanted_is("{\"pool\": {\"a\": {\"lifetime\": \"soon\"}}}", NULL);
	wanted_is("[]", NULL);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(lines),
		cmocka_unit_test(values),
		cmocka_unit_test(bodies),
		cmocka_unit_test(queries),
		cmocka_unit_test(layout),
		cmocka_unit_test(cells),
		cmocka_unit_test(csv),
		cmocka_unit_test(events),
		cmocka_unit_test(apply),
	};

	(void) setenv("TZ", "UTC", 1);
	cw_json_init();
	return cmocka_run_group_tests(cases, NULL, NULL);
}
