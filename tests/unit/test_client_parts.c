/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's small parts: names of brokers, configuration and flags together, which login may be
 * used where, the state file, secrets, what is printed. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/brokers.h"
#include "client/conf.h"
#include "client/print.h"
#include "client/secret.h"
#include "client/state.h"
#include "schema/sasl/client.h"
#include "tests/lib/cw-cmocka.h"

static char folder[] = "/tmp/cw-client-parts-XXXXXX";

static const char *in_folder(const char *name)
{
	static char path[128];

	(void) snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static const char *file_of(const char *name, const char *text)
{
	const char *path = in_folder(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* ---- brokers ---- */

static void broker_names(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} good[] = {
		{"tsp.Example.NET", "tsp.example.net", 3653},
		{"tsp.example.net:99", "tsp.example.net", 99},
		{"192.0.2.1", "192.0.2.1", 3653},
		{"192.0.2.1:1", "192.0.2.1", 1},
		{"2001:DB8::1", "2001:db8::1", 3653},
		{"[2001:db8::1]", "2001:db8::1", 3653},
		{"[2001:db8::1]:65535", "2001:db8::1", 65535},
		{"[fe80::1%eth0]:3653", "fe80::1%eth0", 3653},
	};
	static const char *const bad[] = {"", ":", ":1", "a:", "a:0", "a:65536", "a:1x", "a b", "[",
		"[]", "[a]", "[::1", "[::1]x", "[::1]:", "-a", "a/b", "a\nb", "a;b", "\xc3\xa9"};
	struct cw_broker b;
	char text[CW_BROKER_STRLEN];
	char longest[300];

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(good); i++) {
		assert_int_equal(cw_broker_parse(good[i].text, 3653, &b), 0);
		assert_string_equal(b.host, good[i].host);
		assert_int_equal(b.port, good[i].port);
	}
	assert_string_equal(cw_broker_str(&b, text), "[fe80::1%eth0]:3653");
	for (size_t i = 0; i < CW_ARRAY_LEN(bad); i++)
		assert_int_equal(cw_broker_parse(bad[i], 3653, &b), CW_E_SYNTAX);
	memset(longest, 'a', sizeof longest);
	longest[255] = '\0';
	assert_int_equal(cw_broker_parse(longest, 3653, &b), 0);
	(void) cw_broker_str(&b, text);
	assert_string_equal(text + 255, ":3653");
	longest[255] = 'a';
	longest[256] = '\0';
	assert_int_equal(cw_broker_parse(longest, 3653, &b), CW_E_SYNTAX);
}

static void broker_lists(void **state)
{
	struct cw_tsp_broker texts[60];
	struct cw_tsp_msg msg = {.brokers = texts, .n_brokers = CW_ARRAY_LEN(texts)};
	static char names[60][8];
	struct cw_brokers b;
	char name[16];
	unsigned n = 0;

	(void) state;
	cw_brokers_init(&b, true);
	assert_null(cw_brokers_next(&b));
	for (int i = 0; i < 32; i++) {
		(void) snprintf(name, sizeof name, "c%d", i);
		assert_int_equal(cw_brokers_add(&b, name), 0);
	}
	assert_int_equal(b.list[0].port, 3654); /* with TLS */
	assert_int_equal(cw_brokers_add(&b, "one-more"), CW_E_LIMIT);
	assert_int_equal(cw_brokers_add(&b, "c0"), 0); /* known */
	/* Long lists are taken as far as there is room; nonsense is passed over. */
	for (int i = 0; i < 60; i++) {
		(void) snprintf(names[i], sizeof names[i], i % 10 ? "n%d" : "n %d", i);
		texts[i] = (struct cw_tsp_broker){CW_TSP_BROKER_DN, names[i]};
	}
	cw_brokers_begin(&b);
	assert_int_equal(cw_brokers_redirect(&b, &msg), 0); /* nobody said it */
	assert_string_equal(cw_brokers_next(&b)->host, "c0");
	assert_int_equal(cw_brokers_redirect(&b, &msg), CW_BROKERS_MAX - 32);
	assert_false(b.list[33].exposed);
	assert_string_equal(cw_brokers_next(&b)->host, "n1");
	cw_brokers_settle(&b);
	while (cw_brokers_next(&b))
		n++;
	assert_int_equal(n, CW_BROKERS_MAX - 2);
	/* A new round: the home, which stays known, then the configured. */
	cw_brokers_begin(&b);
	assert_string_equal(cw_brokers_next(&b)->host, "n1");
	assert_string_equal(cw_brokers_next(&b)->host, "c0");
	assert_true(cw_brokers_left(&b));
	cw_brokers_begin(&b);
	assert_string_equal(cw_brokers_next(&b)->host, "n1");
	assert_int_equal(b.n, 33);
}

/* ---- configuration ---- */

static int load(struct cw_client_conf *c, const char *text, const struct cw_client_flag *flags,
	size_t n, char *problems, size_t cap)
{
	FILE *err = fmemopen(problems, cap, "w");
	int r;

	assert_non_null(err);
	r = cw_client_conf_load(c, file_of("c.conf", text), flags, n, true, err);
	(void) fclose(err);
	return r;
}

static void file_and_flags(void **state)
{
	const struct cw_client_flag flags[] = {{"--broker", NULL, "broker", "b1"},
		{"--mtu", "tunnel", "mtu", "1400"}, {"--broker", NULL, "broker", "b2:99"},
		{"--route", "tunnel", "routes", "none"},
		{"--allow-plain", NULL, "allow-plain", NULL}, {"--mtu", "tunnel", "mtu", "1300"},
		{"--server-name", "tls", "server-name", "it's a \\"},
		{"--tls", "tls", "enable", NULL}};
	struct cw_client_conf c;
	char place[CW_CLIENT_PLACE];
	char problems[2048] = "";
	const char *text =
		"broker = { \"a\" }\nuser = \"al\"\nretry-max = 20\n"
		"tunnel { mtu = 1280 metric = 7 routes = { \"default\", \"10.0.0.0/8\", \"10.0.0.0/8\" } }\n";

	(void) state;
	assert_int_equal(load(&c, text, NULL, 0, problems, sizeof problems), 0);
	assert_int_equal(c.brokers.n, 1);
	assert_string_equal(c.user, "al");
	assert_int_equal(c.mtu, 1280);
	assert_int_equal(c.n_routes, 2);
	assert_int_equal(c.routes[1].len, 8);
	assert_int_equal(c.retry_max_ms, 20000);
	assert_string_equal(c.device, "causeway%d");
	assert_string_equal(c.protocol_version, "2.0.0");
	assert_false(c.allow_plain || c.tls || c.has_source || c.minutes || c.ports_min);
	cw_client_conf_free(&c);
	assert_int_equal(load(&c, text, flags, CW_ARRAY_LEN(flags), problems, sizeof problems), 0);
	assert_int_equal(c.brokers.n, 2);
	assert_string_equal(c.brokers.list[1].host, "b2");
	assert_int_equal(c.mtu, 1300); /* the last one counts */
	assert_int_equal(c.metric, 7);
	assert_int_equal(c.n_routes, 0);
	assert_true(c.allow_plain && c.tls);
	assert_string_equal(c.server_name, "it's a \\");
	assert_string_equal(c.user, "al");
	assert_string_equal(cw_client_conf_place(&c, "tunnel", "mtu", 0, place), "--mtu");
	assert_string_equal(cw_client_conf_place(&c, NULL, "broker", 1, place), "--broker");
	assert_non_null(strstr(cw_client_conf_place(&c, "tunnel", "metric", 0, place), "c.conf:4"));
	assert_null(cw_client_conf_place(&c, NULL, "hook", 0, place));
	cw_client_conf_free(&c);
	/* No route option at all: everything. */
	assert_int_equal(load(&c, "broker = { \"a\" }\n", NULL, 0, problems, sizeof problems), 0);
	assert_int_equal(c.n_routes, 1);
	assert_int_equal(c.routes[0].len, 0);
	cw_client_conf_free(&c);
}

static void mistakes(void **state)
{
	static const struct {
		const char *text, *problem;
		int count;
	} cases[] = {
		{"", "no broker", 1},
		{"broker = { \"a b\" }\n", "c.conf:1:", 1},
		{"broker = { \"a\" }\nsource = \"fe80::1\"\n", "c.conf:2:", 1},
		{"broker = { \"a\" }\nprotocol-version = \"3.0\"\n", "c.conf:2:", 1},
		{"broker = { \"a\" }\nmechanisms = { \"CRAM-MD5\" }\n", "c.conf:2:", 1},
		{"broker = { \"a\" }\nhook = \"hook\"\n", "absolute", 1},
		{"broker = { \"a\" }\ntls { cert = \"/c\" }\n", "cert and key", 3},
		{"broker = { \"a\" }\ntls { ca = \"/c\" }\n",
			"c.conf:2: ca is of use with TLS only", 2},
		{"broker = { \"a\" }\nretry-min = 10 retry-max = 5\n",
			"c.conf:2: retry-min (10) is", 1},
		{"broker = { \"a\" }\ntunnel { mtu = 1239 }\n", "c.conf:2: 1239 is too small", 1},
		{"broker = { \"a\" }\ntunnel { device = \"a/b\" }\n", "c.conf:2:", 1},
		{"broker = { \"a\" }\ntunnel { device = \"a%s\" }\n", "c.conf:2:", 1},
		{"broker = { \"a\" }\ntunnel { device = \"a234567890123456\" }\n", "c.conf:2:", 1},
		{"broker = { \"a\" }\ntunnel { routes = { \"10.0.0.1/8\" } }\n", "c.conf:2:", 1},
		{"broker = { \"a\" }\ntunnel { routes = { \"none\", \"default\" } }\n",
			"none stands alone", 1},
		{"broker = { \"a\" }\nlifetime-unit = \"hours\" after-delete = \"no\" ports = \"8\" log-level = \"x\"\n",
			"c.conf:2:", 4},
		/* Single values and what they do together: all of it at once. */
		{"broker = { \"a\" }\nuser = 3 retry-mn = 1\npassword-file = \"/nonexistent\"\n"
		 "tunnel {\n mtu = 1239\n}\ntls {\n key = \"k\"\n}\n",
			"c.conf:5: 1239 is too small", 7},
	};
	const struct cw_client_flag quote[] = {{"--user", NULL, "user", "a\nb"}};
	char problems[4096];
	struct cw_client_conf c;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		memset(problems, 0, sizeof problems);
		assert_int_equal(load(&c, cases[i].text, NULL, 0, problems, sizeof problems),
			cases[i].count);
		assert_non_null(strstr(problems, cases[i].problem));
		cw_client_conf_free(&c);
	}
	assert_int_equal(load(&c, "broker = { \"a\" }\n", quote, 1, problems, sizeof problems), 1);
	cw_client_conf_free(&c);
	assert_int_equal(
		cw_client_conf_load(&c, in_folder("none"), NULL, 0, true, stderr), -ENOENT);
	cw_client_conf_free(&c);
}

/* Which login may be used where (guide tsp.md 3 and 11). */
static void policy(void **state)
{
	const unsigned strong = CW_MECH_PASSWORDS & ~CW_MECH_BIT(CW_MECH_PLAIN);
	struct cw_client_conf c = {0};

	(void) state;
	assert_int_equal(cw_client_mechs(&c, false, false), CW_MECH_BIT(CW_MECH_ANONYMOUS));
	c.user = "alice";
	assert_int_equal(cw_client_mechs(&c, true, false), strong);
	assert_int_equal(cw_client_mechs(&c, false, false), 0); /* not: ANONYMOUS */
	c.allow_plain = true;
	assert_int_equal(cw_client_mechs(&c, true, false), CW_MECH_PASSWORDS);
	assert_int_equal(cw_client_mechs(&c, true, true), strong); /* learned without TLS */
	c.allow_plain = false;
	c.tls = true;
	assert_int_equal(cw_client_mechs(&c, true, false), CW_MECH_PASSWORDS);
	c.cert = "/c";
	assert_int_equal(cw_client_mechs(&c, true, false),
		CW_MECH_PASSWORDS | CW_MECH_BIT(CW_MECH_EXTERNAL));
	c.user = NULL;
	assert_int_equal(cw_client_mechs(&c, false, false), CW_MECH_BIT(CW_MECH_EXTERNAL));
	/* What the user asks for, within that. */
	c = (struct cw_client_conf){.user = "alice",
		.mechs = CW_MECH_BIT(CW_MECH_PLAIN) | CW_MECH_BIT(CW_MECH_DIGEST_MD5) |
			 CW_MECH_BIT(CW_MECH_EXTERNAL)};
	assert_int_equal(cw_client_mechs(&c, true, false), CW_MECH_BIT(CW_MECH_DIGEST_MD5));
	c.mechs = CW_MECH_BIT(CW_MECH_ANONYMOUS);
	assert_int_equal(cw_client_mechs(&c, true, false), CW_MECH_BIT(CW_MECH_ANONYMOUS));
}

/* ---- state ---- */

static struct cw_keeper_lease some_lease(void)
{
	struct cw_keeper_lease l = {.tsp = {.ipv4 = {0xc633640a},
					    .client6 = {{0x20, 1, 0xd, 0xb8, [15] = 1}},
					    .tep6 = {{0x20, 1, 0xd, 0xb8, [15] = 2}},
					    .lifetime_s = 3600},
		.expires_wall_s = 1700000000};

	assert_int_equal(cw_broker_parse("tsp.example.net:99", 3653, &l.broker), 0);
	return l;
}

static void state_file(void **state)
{
	const struct cw_state l = {.lease = some_lease(), .device = "dti0"};
	struct cw_state got;
	const char *path = in_folder("a/b/c/d/lease");
	char kept[128];
	struct stat st;

	(void) state;
	(void) snprintf(kept, sizeof kept, "%s", path);
	assert_int_equal(cw_state_load(kept, &got), -ENOENT);
	assert_int_equal(cw_state_forget(kept), 0);
	assert_int_equal(cw_state_save(kept, &l), 0); /* folders are made */
	assert_int_equal(cw_state_save(kept, &l), 0);
	assert_int_equal(stat(kept, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(cw_state_load(kept, &got), 0);
	assert_int_equal(got.lease.tsp.ipv4.v, l.lease.tsp.ipv4.v);
	assert_true(cw_addr6_eq(&got.lease.tsp.client6, &l.lease.tsp.client6));
	assert_true(cw_addr6_eq(&got.lease.tsp.tep6, &l.lease.tsp.tep6));
	assert_int_equal(got.lease.expires_wall_s, l.lease.expires_wall_s);
	assert_string_equal(got.lease.broker.host, "tsp.example.net");
	assert_int_equal(got.lease.broker.port, 99);
	assert_string_equal(got.device, "dti0");
	assert_int_equal(cw_state_forget(kept), 0);
	assert_int_equal(cw_state_load(kept, &got), -ENOENT);
}

static void damaged_state(void **state)
{
	const struct cw_state l = {.lease = some_lease(), .device = "dti0"};
	struct cw_state got;
	char text[1024];
	char copy[1024];
	int n = cw_state_render(&l, text, sizeof text);

	(void) state;
	assert_true(n > 0);
	assert_int_equal(cw_state_parse(text, (size_t) n, &got), 0);
	/* Cut anywhere it is either whole without the broker, which is no loss, or refused. */
	for (int cut = 0; cut < n; cut++) {
		int r = cw_state_parse(text, (size_t) cut, &got);

		assert_true(r == CW_E_SYNTAX || strstr(text, "broker") - text == cut);
	}
	/* Any octet changed: no crash, and nothing but a whole lease. */
	for (int i = 0; i < n; i++)
		for (int with = 0; with < 256; with += 51) {
			memcpy(copy, text, (size_t) n);
			copy[i] = (char) with;
			if (cw_state_parse(copy, (size_t) n, &got) == 0)
				assert_true(cw_addr4_is_unicast(got.lease.tsp.ipv4));
		}
	assert_int_equal(cw_state_parse("causeway-lease 1\nfuture thing\n", 30, &got), CW_E_SYNTAX);
	assert_int_equal(cw_state_render(&l, text, 20), CW_E_LIMIT);
}

/* ---- secrets ---- */

static void secrets(void **state)
{
	char *secret = NULL;
	bool open_to_others = true;
	const char *path;
	char longest[400];

	(void) state;
	path = file_of("p", "top secret\r\nsecond line\n");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(cw_secret_read(path, &secret, &open_to_others), 0);
	assert_string_equal(secret, "top secret");
	assert_false(open_to_others);
	secret = cw_secret_free(secret);
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(cw_secret_read(path, &secret, &open_to_others), 0);
	assert_true(open_to_others);
	secret = cw_secret_free(secret);
	assert_int_equal(cw_secret_read(in_folder("none"), &secret, &open_to_others), -ENOENT);
	assert_int_equal(cw_secret_read(folder, &secret, &open_to_others), -EISDIR);
	assert_int_equal(cw_secret_read(file_of("p", ""), &secret, &open_to_others), CW_E_SYNTAX);
	assert_int_equal(
		cw_secret_read(file_of("p", "\nsecret\n"), &secret, &open_to_others), CW_E_SYNTAX);
	memset(longest, 'x', sizeof longest);
	longest[255] = '\0';
	assert_int_equal(cw_secret_read(file_of("p", longest), &secret, &open_to_others), 0);
	assert_int_equal(strlen(secret), 255);
	secret = cw_secret_free(secret);
	longest[255] = 'x';
	longest[256] = '\0';
	assert_int_equal(
		cw_secret_read(file_of("p", longest), &secret, &open_to_others), CW_E_LIMIT);
	/* systemd's credential, and none. */
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_int_equal(cw_secret_read(NULL, &secret, &open_to_others), 0);
	assert_null(secret);
	(void) file_of("password", "from systemd\n");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	assert_int_equal(cw_secret_read(NULL, &secret, &open_to_others), 0);
	assert_string_equal(secret, "from systemd");
	secret = cw_secret_free(secret);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

/* ---- print ---- */

static void printing(void **state)
{
	struct cw_keeper_lease l = some_lease();
	const struct cw_dti_stats stats = {.up_packets = 1, .drop_source = 2};
	struct cw_print_facts f = {.lease = &l,
		.version = "1.0",
		.mechanism = "ANONYMOUS",
		.left_ms = 1500,
		.state = "held",
		.next_try_in_ms = -1,
		.renewals = 7,
		.error = "a \"b\"\n\\c\x01"};
	char text[4096];
	struct cw_writer w = cw_writer_of(text, sizeof text - 1);

	(void) state;
	cw_print_lease(&w, &f, true);
	text[cw_write_len(&w)] = '\0';
	assert_string_equal(text,
		"{\"ipv4\":\"198.51.100.10\",\"ports\":null,\"client_ipv6\":\"2001:db8::1\",\"tep_ipv4\":null,"
		"\"tep_ipv6\":\"2001:db8::2\",\"lifetime\":3600,\"remaining\":2,\"expires\":\"2023-11-14T22:13:20Z\","
		"\"broker\":\"tsp.example.net:99\",\"protocol_version\":\"1.0\",\"mechanism\":\"ANONYMOUS\","
		"\"tls\":false}\n");
	l.tsp.ports = (struct cw_portset){0, 6, 3};
	f.device = "dti0";
	f.kind = "tun";
	f.stats = &stats;
	w = cw_writer_of(text, sizeof text - 1);
	cw_print_status(&w, &f, true);
	text[cw_write_len(&w)] = '\0';
	assert_non_null(strstr(text, "\"ports\":\"0/6/3\""));
	assert_non_null(strstr(text, "\"error\":\"a \\\"b\\\"\\u000a\\\\c\\u0001\""));
	assert_non_null(strstr(text, ",\"failures\":0,\"next_try\":null,"));
	assert_non_null(strstr(text, "\"renewals\":7}"));
	assert_non_null(strstr(text, "\"up_packets\":1,"));
	assert_non_null(strstr(text, "\"drop_source\":2,"));
	w = cw_writer_of(text, sizeof text - 1);
	cw_print_status(&w, &f, false);
	text[cw_write_len(&w)] = '\0';
	assert_non_null(strstr(text, "198.51.100.10 ports 0/6/3\n"));
	assert_non_null(strstr(text, "drop_source"));
	assert_null(strstr(text, "drop_ecn"));
	f = (struct cw_print_facts){.state = "waiting", .failures = 3, .next_try_in_ms = 1500};
	w = cw_writer_of(text, sizeof text - 1);
	cw_print_status(&w, &f, true);
	text[cw_write_len(&w)] = '\0';
	assert_string_equal(text,
		"{\"state\":\"waiting\",\"error\":null,\"failures\":3,\"next_try\":2,\"protocol_version\":null,\"mechanism\":null,\"tls\":false,"
		"\"lease\":null,\"tunnel\":null}\n");
}

static int set_up(void **state)
{
	(void) state;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"c.conf", "p", "password", "a/b/lease", "a/b", "a", ""};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(names); i++)
		(void) remove(in_folder(names[i]));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broker_names),
		cmocka_unit_test(broker_lists),
		cmocka_unit_test(file_and_flags),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(policy),
		cmocka_unit_test(state_file),
		cmocka_unit_test(damaged_state),
		cmocka_unit_test(secrets),
		cmocka_unit_test(printing),
	};

	return cmocka_run_group_tests_name("client parts", tests, set_up, tear_down);
}
