/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: the one of the issue as written, and every mistake with its exact text.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/settings.h"
#include "tests/lib/cw-cmocka.h"

/* As the issue has it. */
static const char good[] =
	"state-dir = \"/var/lib/causeway\"\n"
	"store { backend = \"sqlite\"  path = \"causeway.db\" }\n"
	"tsp {\n"
	"    listen = { \"[::]:3653\" }\n"
	"    mechanisms = { \"SCRAM-SHA-256\", \"DIGEST-MD5\", \"ANONYMOUS\" }\n"
	"    realm = \"example.net\"\n"
	"}\n"
	"tep \"edge1\" { plugin = \"null\"  ipv4 = \"192.0.2.1\"  ipv6 = \"2001:db8::1\" }\n"
	"pool \"default\" { range = { \"198.51.100.0/24\" }  exclude = { \"198.51.100.0/30\" }  tep = "
	"\"edge1\"  lifetime = 3600  quarantine = 30 }\n"
	"user \"alice\" { password = \"secret\" }\n";

#define TEP "tep \"e\" { plugin = \"null\" ipv6 = \"2001:db8::1\" }\n"

static struct cw_config *parse(const char *text, char **ret_said)
{
	struct cw_config *c = NULL;
	size_t n;
	FILE *err = open_memstream(ret_said, &n);

	assert_non_null(err);
	(void) !cw_config_parse("f", text, strlen(text), err, &c);
	(void) fclose(err);
	return c;
}

static void the_issue_as_written(void **state)
{
	char *said = NULL;
	struct cw_config *c = parse(good, &said);

	(void) state;
	assert_string_equal(said, "");
	assert_non_null(c);
	assert_string_equal(c->store_path, "/var/lib/causeway/causeway.db");
	assert_int_equal(c->n_listen, 1);
	assert_int_equal(cw_sockaddr_port((struct sockaddr *) &c->listen[0].u.ss), 3653);
	assert_string_equal(c->mechanisms, "SCRAM-SHA-256 DIGEST-MD5 ANONYMOUS");
	assert_string_equal(c->realm, "example.net");
	assert_true(c->udp);
	assert_false(c->tls);
	assert_int_equal(c->n_teps, 1);
	assert_string_equal(c->teps[0].tep.plugin, "null");
	assert_true(c->teps[0].tep.has_ipv4);
	assert_int_equal(c->teps[0].tep.ipv4.v, 0xc0000201);
	assert_int_equal(c->n_pools, 1);
	assert_string_equal(c->pools[0].tep, "edge1");
	assert_int_equal(c->pools[0].ranges[0].lo.v, 0xc6336400);
	assert_int_equal(c->pools[0].ranges[0].hi.v, 0xc63364ff);
	assert_int_equal(c->pools[0].excludes[0].hi.v, 0xc6336403);
	assert_int_equal(c->pools[0].pool.lifetime_s, 3600);
	assert_int_equal(c->pools[0].pool.low_percent, CW_POOL_LOW);
	assert_int_equal(c->pools[0].pool.lifetime_max_s, 3600);
	assert_int_equal(c->pools[0].pool.lifetime_min_s, 60);
	assert_int_equal(c->pools[0].pool.quarantine_s, 30);
	assert_int_equal(c->pools[0].pool.ps_len, 0);
	assert_string_equal(c->users[0].password, "secret");
	cw_config_forget(c);
	assert_null(c->users[0].password);
	(void) cw_config_free(c);
	free(said);
}

static void everything_at_once(void **state)
{
	char *said = NULL;
	struct cw_config *c = parse(
		"state-dir = \"/s\"\nrun-dir = \"/r\"\nplugin-dir = \"plugins\"\n"
		"tsp { listen = { \"unix:tsp.sock\", \"127.0.0.1:0\" } udp = no lifetime-unit = minutes\n"
		" mechanisms = { \"PLAIN\", \"EXTERNAL\" } client-prefix = { \"2001:db8::/32\" } }\n"
		"tls { cert = \"c.pem\" key = \"/k.pem\" ca = \"ca.pem\" require-client-cert = yes }\n"
		"limits { connections = 5 leases-per-principal = 0 }\n"
		"redirect { broker = { \"192.0.2.9\", \"tsp2.example.net\" } when = always }\n"
		"log { level = debug format = json }\n"
		"tep \"e\" { plugin = \"tun\" ipv6 = \"2001:db8::1\" options = { \"dev=cwtep0\", \"mtu=1400\" } }\n"
		"pool \"shared\" { range = { \"203.0.113.7\", \"203.0.113.9-203.0.113.12\" } tep = \"e\"\n"
		" port-set-length = 6 lifetime = 30 lifetime-max = 600 order = 1 }\n",
		&said);

	(void) state;
	assert_string_equal(said, "");
	assert_non_null(c);
	assert_string_equal(c->plugin_dir, "/s/plugins");
	assert_string_equal(c->listen[0].u.path, "/r/tsp.sock");
	assert_true(c->lifetime_minutes);
	assert_string_equal(c->tls_cert, "/s/c.pem");
	assert_string_equal(c->tls_key, "/k.pem");
	assert_int_equal(c->n_tls_listen, 1);
	assert_int_equal(c->limits.connections, 5);
	assert_int_equal(c->n_redirect, 2);
	assert_true(c->redirect_always);
	assert_int_equal(c->log_level, CW_LOG_DEBUG);
	assert_int_equal(c->log_format, CW_LOG_JSON);
	assert_string_equal(c->teps[0].tep.options, "dev=cwtep0\nmtu=1400\n");
	assert_false(c->teps[0].tep.has_ipv4);
	assert_int_equal(c->pools[0].pool.ps_len, 6);
	assert_int_equal(c->pools[0].pool.ps_offset, 6);
	assert_true(c->pools[0].pool.keep_system_ports);
	assert_int_equal(c->pools[0].pool.lifetime_min_s, 30);
	assert_int_equal(c->pools[0].n_ranges, 2);
	(void) cw_config_free(c);
	free(said);
}

struct mistake {
	const char *text, *said;
};

static const struct mistake mistakes[] = {
	{"nonsense = 1\n", "f:1: "},
	{"tsp { listen = { \"[::]:3653\"\n", "f:"},
	{"tsp { lissten = { \"[::]:3653\" } }\n", "f:1: "},
	{"tep \"e\" {\n ipv6 = \"2001:db8::1\" }\n", "f:1: tep \"e\" has no option \"plugin\"\n"},
	{"tep \"e\" { plugin = \"null\" }\n", "f:1: tep \"e\" has no option \"ipv6\"\n"},
	{"\n" TEP "pool \"p\" {\n tep = \"e\" }\n", "f:3: pool \"p\" has no option \"range\"\n"},
	{TEP "pool \"p\" { range = { \"10.0.0.0/24\" }\n tep = \"x\" }\n",
		"f:3: pool \"p\" names tep \"x\", which is not in this file\n"},
	{TEP "pool \"p\" { range = { \"10.0.0.0/24\",\n \"10.0.0.128/25\" } tep = \"e\" }\n",
		"f:3: range 10.0.0.128/25 of pool \"p\" overlaps 10.0.0.0/24 of pool \"p\" in line 2\n"},
	{TEP "pool \"a\" { range = { \"10.0.0.0/24\" } tep = \"e\" }\n"
	     "pool \"b\" { range = { \"10.1.0.0/24\", \"10.0.0.255\" } tep = \"e\" }\n",
		"f:3: range 10.0.0.255 of pool \"b\" overlaps 10.0.0.0/24 of pool \"a\" in line 2\n"},
	{TEP "pool \"a\" { range = { \"10.0.0.4/30\" } tep = \"e\" }\n"
	     "pool \"b\" { range = { \"10.0.0.0/24\" } tep = \"e\" }\n",
		"f:3: range 10.0.0.0/24 of pool \"b\" overlaps 10.0.0.4/30 of pool \"a\" in line 2\n"},
	{TEP "pool \"p\" { range = { \"10.0.0.0/24\" } exclude = { \"10.0.1.0/30\" } tep = \"e\" }\n",
		"f:2: exclude 10.0.1.0/30 of pool \"p\" is not inside one of its ranges\n"},
	{TEP "pool \"p\" { range = { \"10.0.0.0/24\" } exclude = { \"10.0.0.0/30\", \"10.0.0.3\" } tep = \"e\" }\n",
		"f:2: exclude 10.0.0.3 of pool \"p\" overlaps 10.0.0.0/30 of pool \"p\" in line 2\n"},
	{TEP "pool \"p\" { range = { \"10.0.0.0/24\" } tep = \"e\" lifetime = 100\n lifetime-max = 50 }\n",
		"f:3: lifetimes of pool \"p\" are out of order: lifetime-min 60, lifetime 100, lifetime-max 50\n"},
	{TEP "pool \"p\" { range = { \"10.0.0.0/24\" } tep = \"e\"\n port-set-offset = 10 port-set-length = 8\n"
	     " keep-system-ports = no }\n",
		"f:3: port-set-offset and port-set-length of pool \"p\" together are more than 16\n"},
	{TEP "pool \"p\" { range = { \"10.0.0.0/24\" } tep = \"e\" port-set-offset = 8 port-set-length = 4 }\n",
		"f:2: keep-system-ports of pool \"p\" needs a port-set-offset of at most 6: every set has some of the ports 0 to "
		"1023\n"},
	{TEP "pool \"p\" { range = { \"10.0.0.1/24\" } tep = \"e\" }\n",
		"f:2: \"10.0.0.1/24\" is wrong for option \"range\"; it wants an IPv4 range such as 198.51.100.0/24 or "
		"198.51.100.4-198.51.100.9\n"},
	{TEP "pool \"p\" { range = { \"224.0.0.0/8\" } tep = \"e\" }\n",
		"f:2: \"224.0.0.0/8\" is wrong"},
	{TEP "pool \"p q\" { range = { \"10.0.0.0/24\" } tep = \"e\" }\n",
		"f:2: the title of a pool is a name of 1 to 63 letters, digits and . _ @ -\n"},
	{"user \"u\" { }\n",
		"f:1: user \"u\" needs one of the options \"password\" and \"password-file\"\n"},
	{"user \"u\" { password = \"x\" password-file = \"/dev/null\" }\n",
		"f:1: user \"u\" has \"password\" and \"password-file\"; remove one of them\n"
		"f:1: the first line of /dev/null is no password; write it there, 1 to 255 characters without control characters\n"},
	{"user \"u\" {\n password-file = \"/nonexistent/file\" }\n",
		"f:2: /nonexistent/file cannot be read: "},
	{"user \"u\" { password = \"x\" pool = \"nope\" }\n",
		"f:1: user \"u\" names pool \"nope\", which is not in this file\n"},
	{"user \"u\" { password = \"sec\\tret\" }\n",
		"f:1: \"(not shown)\" is wrong for option \"password\""},
	{"tsp { mechanisms = { \"DIGEST-MD5\" } }\n",
		"f:1: DIGEST-MD5 needs the option \"realm\"\n"},
	{"tsp { mechanisms = { \"EXTERNAL\" } }\n",
		"f:1: EXTERNAL needs a section \"tls\" with the option \"ca\"\n"},
	{"tsp { mechanisms = { \"PLAIN\" } }\n",
		"f:1: PLAIN is offered on TLS only: it needs a section \"tls\", or \"plain-without-tls\"\n"},
	{"tsp { mechanisms = { \"ANONYMOUS\",\n\"ANONYMOUS\" } }\n",
		"f:2: mechanism ANONYMOUS is listed twice\n"},
	{"tsp { mechanisms = { \"PASSDSS-3DES-1\" } }\n",
		"f:1: \"PASSDSS-3DES-1\" is wrong for option \"mechanisms\""},
	{"tsp { listen = { \"[::1]:1\",\n\"[::1]:1\" } }\n", "f:2: [::1]:1 is listed twice\n"},
	{"tsp { listen = { \"localhost:1\" } }\n",
		"f:1: \"localhost:1\" is wrong for option \"listen\""},
	{"tls { listen = { \"unix:x\" } cert = \"a\" key = \"b\" }\n",
		"f:1: \"unix:x\" is wrong for option \"listen\""},
	{"tls { cert = \"a\" }\n", "f:1: section \"tls\" has no option \"key\"\n"},
	{"tls { cert = \"a\" key = \"b\"\n require-client-cert = yes }\n",
		"f:2: require-client-cert needs the option \"ca\"\n"},
	{"redirect { }\n", "f:1: section \"redirect\" has no option \"broker\"\n"},
	{"redirect { broker = { \"a b\" } }\n", "f:1: \"a b\" is wrong for option \"broker\""},
	{"store { backend = \"postgres\" }\n",
		"f:1: \"postgres\" is wrong for option \"backend\"; it wants \"sqlite\"\n"},
	{"limits { connections = 0 }\n",
		"f:1: \"0\" is wrong for option \"connections\"; it is a whole number from 1 to 1000000\n"},
	{"log { level = loud }\n",
		"f:1: \"loud\" is wrong for option \"level\"; it wants err, warning, notice, info or debug\n"},
	{"tep \"e\" { plugin = \"null\" ipv6 = \"fe80::1\" }\n",
		"f:1: \"fe80::1\" is wrong for option \"ipv6\""},
	{"tep \"e\" { plugin = \"null\" ipv6 = \"2001:db8::1\" options = { \"dev\" } }\n",
		"f:1: \"dev\" is wrong for option \"options\"; it wants \"key=value\"\n"},
	/* Different kinds of problems, all of them, by line. */
	{"bogus = 1\n" TEP
	 "pool \"a\" { range = { \"10.0.0.0/24\" } tep = \"x\" lifetime = many }\n"
	 "pool \"b\" { range = { \"10.0.0.0/25\" } tep = \"e\" }\nuser \"u\" { }\n",
		NULL},
};

static void mistakes_are_named(void **state)
{
	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(mistakes); i++) {
		const struct mistake *m = &mistakes[i];
		char *said = NULL;
		struct cw_config *c = parse(m->text, &said);

		assert_null(c);
		if (!m->said)
			m = NULL;
		/* A text that ends in a line end is the whole answer. */
		else if (m->said[strlen(m->said) - 1] == '\n')
			assert_string_equal(said, m->said);
		else if (strncmp(said, m->said, strlen(m->said)) != 0)
			fail_msg("said \"%s\", wanted \"%s...\"", said, m->said);
		if (!m) {
			assert_non_null(strstr(said, "f:1: "));
			assert_non_null(strstr(said, "\nf:3: pool \"a\" names tep \"x\""));
			assert_non_null(strstr(said, "is wrong for option \"lifetime\""));
			assert_non_null(strstr(said,
				"\nf:4: range 10.0.0.0/25 of pool \"b\" overlaps 10.0.0.0/24"));
			assert_non_null(strstr(said, "\nf:5: user \"u\" needs"));
		}
		free(said);
	}
}

static void password_from_a_file(void **state)
{
	char path[] = "/tmp/cw-password-XXXXXX", text[256], *said = NULL;
	int fd = mkstemp(path);
	struct cw_config *c;

	(void) state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "geheim\nsecond line\n", 19), 19);
	(void) close(fd);
	(void) snprintf(
		text, sizeof text, "user \"u\" { password-file = \"%s\" max-leases = 3 }\n", path);
	c = parse(text, &said);
	assert_string_equal(said, "");
	assert_string_equal(c->users[0].password, "geheim");
	assert_int_equal(c->users[0].user.max_leases, 3);
	(void) cw_config_free(c);
	(void) unlink(path);
	free(said);
}

/* What --print-sample-config says must itself be a good configuration. */
static void the_sample_parses(void **state)
{
	char *text = NULL, *said = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	struct cw_config *c;

	(void) state;
	cw_conf_print_sample(cw_config_schema(), f);
	(void) fclose(f);
	assert_non_null(strstr(text, "leases-per-network"));
	c = parse(text, &said);
	assert_string_equal(said, "");
	(void) cw_config_free(c);
	free(said);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_issue_as_written),
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(password_from_a_file),
		cmocka_unit_test(the_sample_parses),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
