/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: the one of the documentation, every mistake with its line and advice, all
 * of them at once, defaults, documents made from the schema, failing memory. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

static int check_prefix(const char *value, const char **ret_want)
{
	*ret_want = "an IPv4 prefix such as 198.51.100.0/24";
	return strchr(value, '/') ? 0 : -EINVAL;
}

static const struct cw_conf_section_kind kinds[] = {
	{"store", false, "Where leases are kept."},
	{"tsp", false, "The access by TSP."},
	{"tep", true, "A tunnel end point."},
	{"pool", true, "Addresses to lend."},
	{"user", true, NULL},
	{NULL, false, NULL},
};

static const struct cw_conf_opt opts[] = {
	{NULL, "state-dir", CW_CONF_STR, "/var/lib/causeway", 0, 0, NULL, "Where state is kept."},
	{NULL, "threads", CW_CONF_INT, NULL, -5, 5, NULL, ".starts with a dot"},
	{"store", "backend", CW_CONF_STR, "sqlite", 0, 0, NULL, "The back end."},
	{"store", "path", CW_CONF_STR, "a \"quoted\" \\ $name", 0, 0, NULL, "Its file."},
	{"tsp", "listen", CW_CONF_LIST, "[::]:3653", 0, 0, NULL, "Where to listen."},
	{"tsp", "mechanisms", CW_CONF_LIST, NULL, 0, 0, NULL, "SASL mechanisms."},
	{"tsp", "realm", CW_CONF_STR, NULL, 0, 0, NULL, "The realm."},
	{"tep", "plugin", CW_CONF_STR, "null", 0, 0, NULL, "The plugin."},
	{"tep", "ipv4", CW_CONF_STR, NULL, 0, 0, NULL, "Its IPv4 address."},
	{"tep", "ipv6", CW_CONF_STR, NULL, 0, 0, NULL, "Its IPv6 address."},
	{"pool", "range", CW_CONF_LIST, NULL, 0, 0, check_prefix, "Ranges to lend from."},
	{"pool", "exclude", CW_CONF_LIST, NULL, 0, 0, check_prefix, "Ranges left out."},
	{"pool", "tep", CW_CONF_STR, NULL, 0, 0, NULL, "The tunnel end point."},
	{"pool", "lifetime", CW_CONF_INT, "3600", 1, 86400, NULL,
		"Seconds a lease lives, which is said here at such length that the sample file must break it into "
		"two lines."},
	{"pool", "quarantine", CW_CONF_INT, "30", 0, 0, NULL, "Seconds before reuse."},
	{"pool", "enabled", CW_CONF_BOOL, "true", 0, 0, NULL, "Whether it lends."},
	{"user", "password", CW_CONF_STR, NULL, 0, 0, check_prefix, "The password."},
	{"user", "passwords", CW_CONF_LIST, NULL, 0, 0, NULL, "More of them."},
	{NULL, NULL, CW_CONF_STR, NULL, 0, 0, NULL, NULL},
};

/* Uses every getter on every option of whatever was read, as a verifier may; and has an opinion of
 * its own: two pools may not name the same range. */
static void verify(struct cw_conf *c)
{
	for (const struct cw_conf_opt *o = opts; o->name; o++) {
		const unsigned n = o->section ? cw_conf_section_count(c, o->section) : 1;

		for (unsigned i = 0; i < n; i++) {
			const struct cw_conf_section *s =
				o->section ? cw_conf_section(c, o->section, i) : cw_conf_top(c);

			assert_non_null(s);
			for (unsigned k = 0; k < cw_conf_list_count(s, o->name); k++)
				assert_non_null(cw_conf_list_get(s, o->name, k));
			(void) cw_conf_str(s, o->name);
			(void) cw_conf_int(s, o->name);
			(void) cw_conf_bool(s, o->name);
			assert_int_equal(
				cw_conf_is_set(s, o->name), cw_conf_opt_line(s, o->name) > 0);
		}
	}
	for (unsigned i = 1; i < cw_conf_section_count(c, "pool"); i++) {
		const struct cw_conf_section *a = cw_conf_section(c, "pool", i - 1);
		const struct cw_conf_section *b = cw_conf_section(c, "pool", i);
		const char *x = cw_conf_list_get(a, "range", 0),
			   *y = cw_conf_list_get(b, "range", 0);

		if (x && y && strcmp(x, y) == 0)
			cw_conf_problem(c, cw_conf_list_line(b, "range", 0),
				"pool \"%s\" has the range of pool \"%s\"", cw_conf_title(b),
				cw_conf_title(a));
	}
}

static const struct cw_conf_schema schema = {.sections = kinds, .opts = opts, .verify = verify};

static const char documented[] =
	"    state-dir = \"/var/lib/causeway\"\n"
	"    store { backend = \"sqlite\"  path = \"causeway.db\" }\n"
	"    tsp {\n"
	"        listen = { \"[::]:3653\" }\n"
	"        mechanisms = { \"SCRAM-SHA-256\", \"DIGEST-MD5\", \"ANONYMOUS\" }\n"
	"        realm = \"example.net\"\n"
	"    }\n"
	"    tep \"edge1\" { plugin = \"null\"  ipv4 = \"192.0.2.1\"  ipv6 = \"2001:db8::1\" }\n"
	"    pool \"default\" { range = { \"198.51.100.0/24\" }  exclude = { \"198.51.100.0/30\" }  "
	"tep = \"edge1\"  lifetime = 3600  quarantine = 30 }\n"
	"    user \"alice\" { password = \"se/cret\" }\n";

/* Parses text; the problems go to told. */
static char told[65536];

static int parse_n(const char *text, size_t n, struct cw_conf **ret)
{
	FILE *err = fmemopen(told, sizeof told, "w");
	int r;

	memset(told, 0, sizeof told);
	assert_non_null(err);
	*ret = NULL;
	r = cw_conf_parse("x.conf", text, n, &schema, err, ret);
	assert_int_equal(fclose(err), 0);
	return r;
}

static struct cw_conf *parse(const char *text)
{
	struct cw_conf *c;
	const int r = parse_n(text, strlen(text), &c);

	if (r != 0)
		fail_msg("%s", told);
	assert_string_equal(told, "");
	return c;
}

/* All problems of a file, whose lines end with \n. */
static void expect(const char *text, int count, const char *problems)
{
	struct cw_conf *c;

	const int r = parse_n(text, strlen(text), &c);

	assert_null(c);
	assert_string_equal(told, problems);
	assert_int_equal(r, count);
}

static void as_documented(void **state)
{
	struct cw_conf *c = parse(documented);
	const struct cw_conf_section *s;

	(void) state;
	assert_string_equal(cw_conf_path(c), "x.conf");
	assert_string_equal(cw_conf_str(cw_conf_top(c), "state-dir"), "/var/lib/causeway");
	assert_int_equal(cw_conf_opt_line(cw_conf_top(c), "state-dir"), 1);
	s = cw_conf_section(c, "store", 0);
	assert_string_equal(cw_conf_str(s, "path"), "causeway.db");
	assert_int_equal(cw_conf_line(s), 2);
	assert_null(cw_conf_title(s));
	s = cw_conf_section(c, "tsp", 0);
	assert_int_equal(cw_conf_list_count(s, "mechanisms"), 3);
	assert_string_equal(cw_conf_list_get(s, "mechanisms", 0), "SCRAM-SHA-256");
	assert_string_equal(cw_conf_list_get(s, "mechanisms", 2), "ANONYMOUS");
	assert_null(cw_conf_list_get(s, "mechanisms", 3));
	assert_int_equal(cw_conf_opt_line(s, "realm"), 6);
	assert_int_equal(cw_conf_section_count(c, "tep"), 1);
	assert_string_equal(cw_conf_title(cw_conf_section(c, "tep", 0)), "edge1");
	s = cw_conf_section(c, "pool", 0);
	assert_int_equal(cw_conf_int(s, "lifetime"), 3600);
	assert_int_equal(cw_conf_opt_line(s, "lifetime"), 9);
	assert_string_equal(cw_conf_list_get(s, "exclude", 0), "198.51.100.0/30");
	assert_string_equal(cw_conf_str(cw_conf_section(c, "user", 0), "password"), "se/cret");
	assert_null(cw_conf_section(c, "user", 1));
	assert_null(cw_conf_free(c));
	assert_null(cw_conf_free(NULL));
}

/* Nothing written: untitled sections give their defaults, titled ones are not there. */
static void defaults(void **state)
{
	static const char *const empty[] = {
		"", "\n\n", "# only a comment", "/* one */ // and\n# more\n"};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(empty); i++) {
		struct cw_conf *c = parse(empty[i]);
		const struct cw_conf_section *s = cw_conf_section(c, "store", 0);

		assert_non_null(s);
		assert_false(cw_conf_has(c, "store"));
		assert_int_equal(cw_conf_line(s), 0);
		assert_string_equal(cw_conf_str(s, "backend"), "sqlite");
		assert_false(cw_conf_is_set(s, "backend"));
		assert_int_equal(cw_conf_opt_line(s, "backend"), 0);
		s = cw_conf_section(c, "tsp", 0);
		assert_int_equal(cw_conf_list_count(s, "listen"), 1);
		assert_string_equal(cw_conf_list_get(s, "listen", 0), "[::]:3653");
		assert_null(cw_conf_list_get(s, "listen", 1));
		assert_int_equal(cw_conf_list_line(s, "listen", 0), 0);
		assert_int_equal(cw_conf_list_count(s, "mechanisms"), 0);
		assert_null(cw_conf_list_get(s, "mechanisms", 0));
		assert_null(cw_conf_str(s, "realm"));
		assert_null(cw_conf_section(c, "store", 1));
		assert_null(cw_conf_section(c, "pool", 0));
		assert_int_equal(cw_conf_section_count(c, "pool"), 0);
		assert_int_equal(cw_conf_int(cw_conf_top(c), "threads"), 0);
		assert_null(cw_conf_str(NULL, "x"));
		assert_int_equal(cw_conf_int(NULL, "x"), 0);
		assert_false(cw_conf_bool(NULL, "x"));
		assert_int_equal(cw_conf_list_count(NULL, "x"), 0);
		(void) cw_conf_free(c);
	}
}

static void values(void **state)
{
	struct cw_conf *c;
	const struct cw_conf_section *s;

	(void) state;
	assert_int_equal(setenv("CW_TEST_SET", "from ${the} \"environment\"", 1), 0);
	c = parse(
		"threads = -5\n"
		"tsp { listen = one\n mechanisms = { a , \"b\", /* c */\n 'd\\'\\e' , } realm = '${x}' }"
		"pool word { enabled = off lifetime=86400 quarantine=0 range={}}\n"
		"pool p2 { enabled = yes lifetime = \"1\" tep = \"\\\"\\\\\\$\\'\\n\\t\\r\\x41\\xfe\" }\r\n"
		"pool \"p 3\" { tep = \"<${CW_TEST_SET}|${CW_TEST_NOT:-def ault}|\\${CW}>\" }\n"
		"tep t { ipv4 = '' ipv6 = \"# // /* \" plugin = a//b\n }");
	assert_int_equal(cw_conf_int(cw_conf_top(c), "threads"), -5);
	s = cw_conf_section(c, "tsp", 0);
	assert_int_equal(cw_conf_list_count(s, "listen"), 1); /* a list of one needs no braces */
	assert_string_equal(cw_conf_list_get(s, "listen", 0), "one");
	assert_int_equal(cw_conf_list_count(s, "mechanisms"), 3);
	assert_string_equal(cw_conf_list_get(s, "mechanisms", 2), "d'\\e");
	assert_int_equal(cw_conf_opt_line(s, "mechanisms"), 3);
	assert_int_equal(cw_conf_list_line(s, "mechanisms", 1), 3);
	assert_int_equal(cw_conf_list_line(s, "mechanisms", 2), 4);
	assert_string_equal(cw_conf_str(s, "realm"), "${x}");
	assert_int_equal(cw_conf_section_count(c, "pool"), 3);
	s = cw_conf_section(c, "pool", 0);
	assert_string_equal(cw_conf_title(s), "word");
	assert_false(cw_conf_bool(s, "enabled"));
	assert_int_equal(cw_conf_int(s, "quarantine"), 0);
	assert_true(cw_conf_is_set(s, "range"));
	assert_int_equal(cw_conf_list_count(s, "range"), 0);
	s = cw_conf_section(c, "pool", 1);
	assert_true(cw_conf_bool(s, "enabled"));
	assert_int_equal(cw_conf_int(s, "lifetime"), 1);
	assert_int_equal(cw_conf_int(s, "quarantine"), 30);
	assert_string_equal(cw_conf_str(s, "tep"), "\"\\$'\n\t\rA\xfe");
	s = cw_conf_section(c, "pool", 2);
	assert_string_equal(cw_conf_title(s), "p 3");
	assert_true(cw_conf_bool(s, "enabled")); /* the default */
	assert_string_equal(cw_conf_str(s, "tep"), "<from ${the} \"environment\"|def ault|${CW}>");
	s = cw_conf_section(c, "tep", 0);
	assert_string_equal(cw_conf_str(s, "ipv4"), "");
	assert_string_equal(cw_conf_str(s, "ipv6"), "# // /* ");
	assert_string_equal(cw_conf_str(s, "plugin"), "a");
	(void) cw_conf_free(c);
	(void) unsetenv("CW_TEST_SET");
}

static void unknown_names(void **state)
{
	(void) state;
	expect("state-dri = \"/x\"\n", 1,
		"x.conf:1: unknown option \"state-dri\" outside of any section; did you mean "
		"\"state-dir\"?\n");
	expect("\npool \"a\" {\n lifetme = 5\n}\n", 1,
		"x.conf:3: unknown option \"lifetme\" in section \"pool\" of line 2 (\"a\"); did you mean "
		"\"lifetime\"?\n");
	expect("user a { passwodrs = x }\n", 1, /* not "password", which is further off */
		"x.conf:1: unknown option \"passwodrs\" in section \"user\" of line 1 (\"a\"); did you mean "
		"\"passwords\"?\n");
	expect("/* two\nlines */\n\nzz = 1\n", 1,
		"x.conf:4: unknown option \"zz\" outside of any section; known here: \"state-dir\", "
		"\"threads\"\n");
	expect("store { realm = x }\n", 1,
		"x.conf:1: unknown option \"realm\" in section \"store\"; it belongs in section "
		"\"tsp\"\n");
	expect("store { state-dir = x }\n", 1,
		"x.conf:1: unknown option \"state-dir\" in section \"store\"; it belongs outside of any "
		"section\n");
	expect("store { zzzzz = { a, b } }\n", 1,
		"x.conf:1: unknown option \"zzzzz\" in section \"store\"; known here: \"backend\", "
		"\"path\"\n");
	expect("stroe { a = b { } c }\n", 1,
		"x.conf:1: unknown section \"stroe\"; did you mean \"store\"?\n");
	expect("zzzzz \"t\" { }\nzzzzz t { { } }\n", 2,
		"x.conf:1: unknown section \"zzzzz\"; known here: \"store\", \"tsp\", \"tep\", \"pool\", "
		"\"user\"\n"
		"x.conf:2: unknown section \"zzzzz\"; known here: \"store\", \"tsp\", \"tep\", \"pool\", "
		"\"user\"\n");
	expect("zzzzz { \n\n", 2,
		"x.conf:1: unknown section \"zzzzz\"; known here: \"store\", \"tsp\", \"tep\", \"pool\", "
		"\"user\"\n"
		"x.conf:1: the section opened here is not closed; \"}\" is missing\n");
}

static void repetitions(void **state)
{
	(void) state;
	expect("state-dir = a\n\nstate-dir = b\nstate-dir = c\n", 2,
		"x.conf:3: option \"state-dir\" again; it is set in line 1 already, remove one\n"
		"x.conf:4: option \"state-dir\" again; it is set in line 1 already, remove one\n");
	expect("store { }\nstore { backend = x }\n", 1,
		"x.conf:2: section \"store\" again; it is in line 1 already, write all options there\n");
	/* what is in the repetition is looked at too */
	expect("pool \"a\" { }\npool b { }\npool 'a' { lifetime = 0 }\n", 2,
		"x.conf:3: section \"pool\" with the title \"a\" again; it is in line 1 already\n"
		"x.conf:3: \"0\" is wrong for option \"lifetime\"; it is a whole number from 1 to "
		"86400\n");
	(void) cw_conf_free(parse("pool \"a\" { tep = x }\ntep \"a\" { }\nuser a { }\n"));
}

static void not_closed(void **state)
{
	(void) state;
	expect("\ntsp {\n realm = x\n\n", 1,
		"x.conf:2: section \"tsp\" opened here is not closed; \"}\" is missing\n");
	expect("tsp {\n listen = { a, b\n realm = x\n}\n", 1,
		"x.conf:2: the list of option \"listen\" opened here is not closed; \"}\" is missing\n");
	expect("tsp {\n listen = { a,\n\n", 2,
		"x.conf:1: section \"tsp\" opened here is not closed; \"}\" is missing\n"
		"x.conf:2: the list of option \"listen\" opened here is not closed; \"}\" is missing\n");
	expect("tsp {\n realm = \"x\npool \"a\" { lifetime = 0 }\n", 3,
		"x.conf:2: a string is not closed at the end of its line; the quote is missing\n"
		"x.conf:3: section \"pool\" begins inside section \"tsp\" of line 1; a \"}\" is missing "
		"before it\n"
		"x.conf:3: \"0\" is wrong for option \"lifetime\"; it is a whole number from 1 to "
		"86400\n");
	expect("state-dir = 'x\n", 1,
		"x.conf:1: a string is not closed at the end of its line; the quote is missing\n");
	expect("state-dir = \"x\\", 1,
		"x.conf:1: a string is not closed at the end of its line; the quote is missing\n");
	expect("state-dir = a\n/* never\nstore {\n", 1,
		"x.conf:2: the comment opened here is not closed; \"*/\" is missing\n");
	expect("}\nstore { } }\n", 2,
		"x.conf:1: unexpected \"}\"; no section is open here\n"
		"x.conf:2: unexpected \"}\"; no section is open here\n");
	/* an option and a section of one name: the block after it tells */
	expect("pool a {\n tep = x\ntep \"y\" { }\n", 1,
		"x.conf:3: section \"tep\" begins inside section \"pool\" of line 1; a \"}\" is missing "
		"before it\n");
}

static void wrong_form(void **state)
{
	(void) state;
	expect("state-dir\n", 1,
		"x.conf:1: option \"state-dir\" has no value; write state-dir = VALUE\n");
	expect("state-dir \"x\"\n", 1,
		"x.conf:1: option \"state-dir\" has no value; write state-dir = VALUE\n");
	expect("state-dir =\nthreads = 1\n", 1,
		"x.conf:1: option \"state-dir\" has no value after \"=\"\n");
	expect("store { path = }\n", 1, "x.conf:1: option \"path\" has no value after \"=\"\n");
	expect("tsp { listen { a } }\n", 1, "x.conf:1: \"=\" is missing after option \"listen\"\n");
	expect("tsp { listen = a, b realm = { x } }\n", 2,
		"x.conf:1: several values of option \"listen\" without braces; a list is { \"value\", "
		"\"value\" }\n"
		"x.conf:1: option \"realm\" takes one value, not a list; write it without braces\n");
	expect("tsp { listen = { a b } }\n", 1,
		"x.conf:1: two values of option \"listen\" without a \",\" between them\n");
	expect("tsp { listen = { , a } }\n", 1,
		"x.conf:1: unexpected \",\"; a list is { \"value\", \"value\" }\n");
	expect("tsp { listen = { a,, b } }\n", 1,
		"x.conf:1: unexpected \",\"; a list is { \"value\", \"value\" }\n");
	expect("tsp { listen += { a } }\n", 1,
		"x.conf:1: \"+=\" after option \"listen\"; write all values in one list after \"=\"\n");
	expect("tsp \"t\" { }\npool { }\npool \"\" { }\npool \"a\\n\" { }\npool b\n", 6,
		"x.conf:1: section \"tsp\" takes no title; write tsp {\n"
		"x.conf:2: section \"pool\" has no title; write pool \"NAME\" {\n"
		"x.conf:3: the title of section \"pool\" is empty, over 128 octets or has a \"\\\" or "
		"\"$\"; write a plain name\n"
		"x.conf:4: the title of section \"pool\" is empty, over 128 octets or has a \"\\\" or "
		"\"$\"; write a plain name\n"
		"x.conf:5: \"{\" is missing after section \"pool\"\n"
		"x.conf:5: section \"pool\" opened here is not closed; \"}\" is missing\n");
}

static void wrong_strings(void **state)
{
	static const char escape[] =
		"x.conf:1: unknown \"\\\" escape in a string; there are \\\" \\\\ \\$ "
		"\\n \\r \\t and \\xHH (not \\x00)\n";
	static const char *const escapes[] = {
		"\\q", "\\0", "\\12", "\\x", "\\x4", "\\xg1", "\\x00"};
	char text[100];

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(escapes); i++) {
		(void) snprintf(text, sizeof text, "state-dir = \"a%sb\"\n", escapes[i]);
		if (strcmp(escapes[i], "\\x4") == 0)
			(void) snprintf(text, sizeof text, "state-dir = \"\\x4\"\n");
		expect(text, 1, escape);
	}
	expect("state-dir = \"a${HOME\"\nstore { path = } }\n", 3,
		"x.conf:1: \"${\" in a string starts a variable, and its \"}\" is missing; write \"\\${\" "
		"for the characters themselves\n"
		"x.conf:2: option \"path\" has no value after \"=\"\n"
		"x.conf:2: unexpected \"}\"; no section is open here\n");
	expect("state-dir = \"${}\"\n", 1,
		"x.conf:1: a variable in a string is \"${NAME}\" or \"${NAME:-text}\"\n");
	expect("state-dir = \"${A B}\"\n", 1,
		"x.conf:1: a variable in a string is \"${NAME}\" or \"${NAME:-text}\"\n");
	expect("state-dir = \"${CW_TEST_UNSET}\"\n", 1,
		"x.conf:1: the environment variable \"CW_TEST_UNSET\" is not set; set it, or write "
		"\"${CW_TEST_UNSET:-text}\" with what to use instead\n");
	expect("state-dir = \"a\x01z\"\n", 1,
		"x.conf:1: a string has a control character; write it as \\xHH\n");
	expect("state-dir = a ; threads = 1 \x7f\n", 1,
		"x.conf:1: unexpected \";\"; the name of an option or section belongs here\n");
}

static void wrong_values(void **state)
{
	(void) state;
	/* A bare number or truth value is not a string; other bare words are, and so are these in
	 * quotes. */
	expect("state-dir = 7\nstore { path = yes }\ntsp { listen = { a, -1, \"2\" } }\n"
	       "user u { password = 12345 }\n",
		4,
		"x.conf:1: 7 is wrong for option \"state-dir\"; it is a string: write it in quotes\n"
		"x.conf:2: yes is wrong for option \"path\"; it is a string: write it in quotes\n"
		"x.conf:3: -1 is wrong for option \"listen\"; it is a string: write it in quotes\n"
		"x.conf:4: (not shown) is wrong for option \"password\"; it is a string: write it in "
		"quotes\n");
	(void) cw_conf_free(parse("state-dir = '7'\nstore { path = 7up }\n"));
	expect("threads = 6\npool a { lifetime = x\nenabled = maybe quarantine = 9223372036854775808 }\n"
	       "pool b { range = { \"1/2\", \"3\",\n \"4\" } lifetime = \" 5\" quarantine = \"\" }\n"
	       "user u { password = hunter2 }\n",
		9,
		"x.conf:1: \"6\" is wrong for option \"threads\"; it is a whole number from -5 to 5\n"
		"x.conf:2: \"x\" is wrong for option \"lifetime\"; it is a whole number from 1 to 86400\n"
		"x.conf:3: \"maybe\" is wrong for option \"enabled\"; it is true or false\n"
		"x.conf:3: \"9223372036854775808\" is wrong for option \"quarantine\"; it is a whole "
		"number\n"
		"x.conf:4: \"3\" is wrong for option \"range\"; it wants an IPv4 prefix such as "
		"198.51.100.0/24\n"
		"x.conf:5: \"4\" is wrong for option \"range\"; it wants an IPv4 prefix such as "
		"198.51.100.0/24\n"
		"x.conf:5: \" 5\" is wrong for option \"lifetime\"; it is a whole number from 1 to "
		"86400\n"
		"x.conf:5: \"\" is wrong for option \"quarantine\"; it is a whole number\n"
		"x.conf:6: \"(not shown)\" is wrong for option \"password\"; it wants an IPv4 prefix such "
		"as 198.51.100.0/24\n");
}

/* What only the whole file shows is told among the rest, in the order of lines. */
static void verified(void **state)
{
	(void) state;
	expect("pool a { range = \"1/2\" }\npool b { range = \"1/2\" }\npool a { range = \"1/2\" }\n"
	       "pool c { range = { \"1/2\" \"3/4\" }\n lifetime = }\npool { }\nthreads = {}\n",
		6,
		"x.conf:2: pool \"b\" has the range of pool \"a\"\n"
		"x.conf:3: section \"pool\" with the title \"a\" again; it is in line 1 already\n"
		"x.conf:4: two values of option \"range\" without a \",\" between them\n"
		"x.conf:5: option \"lifetime\" has no value after \"=\"\n"
		"x.conf:6: section \"pool\" has no title; write pool \"NAME\" {\n"
		"x.conf:7: option \"threads\" takes one value, not a list; write it without braces\n");
}

/* Messages never carry what the file could do to a terminal, nor all of a long word. */
static void shown_values(void **state)
{
	struct cw_conf *c;
	char text[400];

	(void) state;
	expect("threads = \"\\x1b[2J\xff\"\n", 1,
		"x.conf:1: \"?[2J?\" is wrong for option \"threads\"; it is a whole number from -5 to 5\n");
	memset(text, 'z', sizeof text);
	memcpy(text + 390, " = 1\n", 6);
	assert_int_equal(parse_n(text, 395, &c), 1);
	assert_in_range(strlen(told), 100, 250);
	assert_non_null(strstr(told, "zzz...\""));
}

static void odd_octets(void **state)
{
	static const char with_nul[] = "state-dir = \"a\0b\"\nthreads\0 = 1\n\0";
	struct cw_conf *c;

	(void) state;
	assert_true(parse_n(with_nul, sizeof with_nul, &c) >= 3);
	assert_non_null(strstr(told, "x.conf:1: a string has a control character"));
	assert_non_null(strstr(told, "x.conf:2: "));
	assert_non_null(strstr(told, "x.conf:3: "));
	assert_int_equal(parse_n("state-dir = \"${HOME:-a\0b}\"", 26, &c), 1);
	assert_string_equal(
		told, "x.conf:1: a string has a control character; write it as \\xHH\n");
}

/* More problems than anybody reads: the first thousand, and how many more. */
static void many_problems(void **state)
{
	enum { N = 1500 };
	char *text = cw_zalloc(N, 8);
	char *err = NULL, *last;
	size_t err_n = 0;
	struct cw_conf *c = NULL;
	FILE *f = open_memstream(&err, &err_n);

	(void) state;
	assert_non_null(text);
	assert_non_null(f);
	for (unsigned i = 0; i < N; i++)
		memcpy(text + 7 * i, "zz = 1\n", 7);
	assert_int_equal(cw_conf_parse("x.conf", text, strlen(text), &schema, f, &c), N);
	assert_int_equal(fclose(f), 0);
	last = strstr(err, "x.conf: and ");
	assert_non_null(last);
	assert_string_equal(last, "x.conf: and 500 more problems\n");
	free(err);
	(void) cw_free(text);
}

static void many_sections(void **state)
{
	const unsigned many = cw_test_cases(20000, 2000);
	char *text = NULL, last[20];
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct cw_conf *c;

	(void) state;
	assert_non_null(f);
	for (unsigned i = 0; i < many; i++)
		(void) fprintf(f, "user \"u%u\" { password = \"p/%u\" }\n", i, i);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(parse_n(text, n, &c), 0);
	assert_int_equal(cw_conf_section_count(c, "user"), many);
	(void) snprintf(last, sizeof last, "p/%u", many - 1);
	assert_string_equal(cw_conf_str(cw_conf_section(c, "user", many - 1), "password"), last);
	(void) cw_conf_free(c);
	free(text);
}

static void files(void **state)
{
	char path[] = "/tmp/cw-conf-XXXXXX", want[200];
	const int fd = mkstemp(path);
	struct cw_conf *c = NULL;
	FILE *err = fmemopen(told, sizeof told, "w");

	(void) state;
	assert_true(fd >= 0);
	assert_non_null(err);
	assert_int_equal(write(fd, documented, sizeof documented - 1), sizeof documented - 1);
	assert_int_equal(cw_conf_load(path, &schema, err, &c), 0);
	assert_string_equal(cw_conf_path(c), path);
	c = cw_conf_free(c);
	assert_int_equal(write(fd, "threads = x\n", 12), 12);
	assert_int_equal(cw_conf_load(path, &schema, err, &c), 1);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	assert_true(
		cw_conf_load(path, &schema, err, &c) > 0); /* NULs, but of a size that is read */
	assert_int_equal(ftruncate(fd, (4 << 20) + 1), 0);
	assert_int_equal(cw_conf_load(path, &schema, err, &c), -EFBIG);
	(void) close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(cw_conf_load(path, &schema, err, &c), -ENOENT);
	assert_int_equal(cw_conf_load("/tmp", &schema, err, &c), -EISDIR);
	assert_null(c);
	assert_int_equal(fclose(err), 0);
	(void) snprintf(want, sizeof want,
		"%s:11: \"x\" is wrong for option \"threads\"; it is a whole number from -5 to 5\n",
		path);
	assert_memory_equal(told, want, strlen(want));
	(void) snprintf(want, sizeof want, "%s: cannot be read: No such file or directory\n", path);
	assert_non_null(strstr(told, want));
}

/* The sample is a good file as it is, and also with every "#" before a name removed: then it says
 * what the defaults say. */
static void sample(void **state)
{
	char *text = NULL, *to;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct cw_conf *c;

	(void) state;
	assert_non_null(f);
	cw_conf_print_sample(&schema, f);
	assert_int_equal(fclose(f), 0);
	(void) cw_conf_free(parse(text));
	to = text;
	for (const char *p = text; *p; p++)
		if (*p != '#' || p[1] == ' ')
			*to++ = *p;
	*to = '\0';
	/* an empty password fails its check, as it should: write one */
	to = strstr(text, "password = \"\"");
	assert_non_null(to);
	memcpy(to, "password =\"/\"", 13);
	c = parse(text);
	for (const struct cw_conf_opt *o = opts; o->name; o++) {
		const struct cw_conf_section *s =
			o->section ? cw_conf_section(c, o->section, 0) : cw_conf_top(c);

		assert_non_null(s);
		assert_true(cw_conf_is_set(s, o->name));
		if (o->def)
			assert_string_equal(cw_conf_list_get(s, o->name, 0), o->def);
	}
	(void) cw_conf_free(c);
	free(text);
}

static void manual(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	(void) state;
	assert_non_null(f);
	cw_conf_print_mdoc(&schema, f);
	assert_int_equal(fclose(f), 0);
	for (const struct cw_conf_opt *o = opts; o->name; o++) {
		char item[100];

		(void) snprintf(item, sizeof item, "\n.It Ic %s No = ", o->name);
		assert_non_null(strstr(text, item));
	}
	assert_non_null(strstr(text, "\n.Ss Section pool Dq name\n"));
	assert_non_null(strstr(text, "\nFrom 1 to 86400.\n"));
	assert_non_null(strstr(text, "\n\\&.starts with a dot\n")); /* no macro by accident */
	assert_non_null(strstr(text, "a \"quoted\" \\e $name"));
	free(text);
}

/* Whichever allocation fails: -ENOMEM, said so, and nothing leaks; or all is well, for libconfuse's
 * own allocations are not ours to fail. */
static void out_of_memory(void **state)
{
	static const char *const texts[] = {
		documented, "store {\n zz = 1 path = 'x\nuser b { password = x }\n"};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(texts); i++) {
		const int good = i ? 4 : 0;
		unsigned k = 1;

		for (;; k++) {
			const unsigned long before = cw_mem_count();
			struct cw_conf *c;
			int r;

			cw_mem_fail_at(k);
			r = parse_n(texts[i], strlen(texts[i]), &c);
			cw_mem_fail_at(0);
			if (cw_mem_count() - before < k) {
				assert_int_equal(r, good);
				(void) cw_conf_free(c);
				break;
			}
			assert_int_equal(r, -ENOMEM);
			assert_null(c);
			assert_string_equal(told, "x.conf: out of memory\n");
		}
		assert_in_range(k, 20, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_documented),
		cmocka_unit_test(defaults),
		cmocka_unit_test(values),
		cmocka_unit_test(unknown_names),
		cmocka_unit_test(repetitions),
		cmocka_unit_test(not_closed),
		cmocka_unit_test(wrong_form),
		cmocka_unit_test(wrong_strings),
		cmocka_unit_test(wrong_values),
		cmocka_unit_test(verified),
		cmocka_unit_test(shown_values),
		cmocka_unit_test(odd_octets),
		cmocka_unit_test(many_problems),
		cmocka_unit_test(many_sections),
		cmocka_unit_test(files),
		cmocka_unit_test(sample),
		cmocka_unit_test(manual),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests_name("base/conf", tests, NULL, NULL);
}
