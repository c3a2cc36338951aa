/* SPDX-License-Identifier: BSD-2-Clause */
/* The real causewayd as a service: command line, TLS with EXTERNAL, Unix socket, pushed deletes,
 * redirects, caps, reload, stop under load, restart and kill. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/broker-proc.h"
#include "tests/lib/cw-cmocka.h"
#include "tests/lib/test-certs.h"

#define TEP  "tep \"edge1\" { plugin = \"null\" ipv4 = \"192.0.2.1\" ipv6 = \"2001:db8::1\" }\n"
#define POOL "pool \"default\" { range = { \"198.51.100.0/24\" } tep = \"edge1\" quarantine = 0 }\n"
#define ANON "tsp { listen = { \"[::1]:0\" } mechanisms = { \"ANONYMOUS\" } }\n"

static struct proc p;

static int close_it(void **state)
{
	(void) state;
	proc_close(&p);
	return 0;
}

static void command_line(void **state)
{
	(void) state;
	proc_open(&p, ANON TEP POOL);
	assert_int_equal(proc_run(&p, "--help"), 0);
	assert_int_equal(proc_run(&p, "--version"), 0);
	assert_int_equal(proc_run(&p, "--check-config"), 0);
	assert_int_equal(proc_run(&p, "--print-sample-config"), 0);
	assert_int_equal(proc_run(&p, "--nonsense"), 2);
	assert_int_equal(proc_run(&p, "stray"), 2);
	assert_true(proc_log_has(&p, "Usage: causewayd", 1000));
}

static void broken_configuration(void **state)
{
	(void) state;
	proc_open(&p,
		ANON TEP POOL POOL "tep \"x\" { plugin = \"nonesuch\" ipv6 = \"2001:db8::2\" }\n"
				   "pool \"b\" { range = { \"198.51.100.7\" } tep = \"edge1\" }\n");
	assert_int_equal(proc_run(&p, "--check-config"), 1);
	assert_true(proc_log_has(
		&p, "conf:9: range 198.51.100.7 of pool \"b\" overlaps 198.51.100.0/24", 1000));
	assert_int_equal(proc_run(&p, "--foreground"), 1);
	proc_close(&p);
	/* A plugin that is not there is found before anything starts. */
	proc_open(&p, ANON TEP POOL "tep \"x\" { plugin = \"nonesuch\" ipv6 = \"2001:db8::2\" }\n");
	assert_int_equal(proc_run(&p, "--check-config"), 1);
	assert_true(proc_log_has(&p, "conf:7: tep \"x\": ", 1000));
	assert_int_equal(proc_run(&p, "--foreground"), 1);
}

static void an_address_in_use(void **state)
{
	struct link l;
	char conf[512];
	struct proc other;

	(void) state;
	proc_open(&p, ANON TEP POOL);
	proc_start(&p);
	(void) snprintf(conf, sizeof conf,
		"tsp { listen = { \"[::1]:%u\" } mechanisms = { \"ANONYMOUS\" } }\n" TEP POOL,
		p.port);
	proc_open(&other, conf);
	assert_int_equal(proc_run(&other, "--foreground"), 1);
	assert_true(proc_log_has(&other, "cannot listen on", 1000));
	proc_close(&other);
	/* And nobody may share the database of a running broker. */
	assert_int_equal(proc_run(&p, "--check-db"), 1);
	link_tcp(&l, p.port);
	link_login(&l, "1.0");
	link_close(&l);
}

/* Who comes over TLS: without a certificate, with ours, with one of another authority. */
static struct cw_tls_ctx *none, *mine, *foreign;

static void tls_contexts(void)
{
	struct cw_tls_config tc = {.server_name = "localhost"};
	char ca[128], cert[128], key[128], cert2[128], key2[128];

	(void) snprintf(ca, sizeof ca, "%s/ca.pem", p.dir);
	(void) snprintf(cert, sizeof cert, "%s/client.pem", p.dir);
	(void) snprintf(key, sizeof key, "%s/client.key", p.dir);
	(void) snprintf(cert2, sizeof cert2, "%s/stranger.pem", p.dir);
	(void) snprintf(key2, sizeof key2, "%s/stranger.key", p.dir);
	tc.ca_file = ca;
	assert_int_equal(cw_tls_ctx_new(&tc, &none), 0);
	tc.cert_file = cert;
	tc.key_file = key;
	assert_int_equal(cw_tls_ctx_new(&tc, &mine), 0);
	tc.cert_file = cert2;
	tc.key_file = key2;
	assert_int_equal(cw_tls_ctx_new(&tc, &foreign), 0);
}

/* PLAIN and EXTERNAL are TLS's only. */
static void external_with_a_certificate(void)
{
	struct link l;

	link_tcp(&l, p.port);
	link_puts(&l, "VERSION=2.0.0\r\n");
	assert_string_equal(
		link_read(&l, "\r\n", 5000), "CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n");
	link_close(&l);
	link_tls(&l, p.tls_port, mine);
	link_puts(&l, "VERSION=2.0.0\r\n");
	assert_string_equal(link_read(&l, "\r\n", 5000),
		"CAPABILITY TUNNEL=V4V6 AUTH=EXTERNAL AUTH=PLAIN AUTH=ANONYMOUS\r\n");
	link_puts(&l, "AUTHENTICATE EXTERNAL =\r\n");
	assert_string_equal(link_read(&l, "\r\n", 5000), "200 Success\r\n");
	assert_non_null(strstr(link_ask(&l, "create", "2001:db8:9::9", NULL), "\n200 "));
	link_frame(&l, "<tunnel action=\"accept\"></tunnel>");
	assert_non_null(strstr(link_ask(&l, "info", "2001:db8:9::9", NULL), "\n200 "));
	link_close(&l);
	assert_true(proc_log_has(&p, "principal=user:host1.example.net", 2000));
}

/* Without a certificate, or with a stranger's, there is nobody to be. */
static void external_without_one(void)
{
	struct link l;

	link_tls(&l, p.tls_port, none);
	link_puts(&l, "VERSION=2.0.0\r\n");
	(void) link_read(&l, "\r\n", 5000);
	link_puts(&l, "AUTHENTICATE EXTERNAL =\r\n");
	assert_non_null(strstr(link_read(&l, "300 ", 5000), "300 "));
	link_close(&l);
	link_tls(&l, p.tls_port, foreign);
	link_puts(&l, "VERSION=2.0.0\r\n");
	(void) link_read(&l, "\r\n", 5000);
	if (!l.closed) {
		link_puts(&l, "AUTHENTICATE EXTERNAL =\r\n");
		assert_non_null(strstr(link_read(&l, "300 ", 5000), "300 "));
	}
	link_close(&l);
}

/* A new certificate is taken at SIGHUP; connections that are open stay. */
static void certificate_is_renewed(void)
{
	struct link l;

	link_tls(&l, p.tls_port, none);
	test_certs_make(p.dir);
	assert_int_equal(kill(p.pid, SIGHUP), 0);
	assert_true(proc_log_has(&p, "event=reload", 5000));
	link_puts(&l, "VERSION=2.0.0\r\n");
	assert_non_null(strstr(link_read(&l, "\r\n", 5000), "CAPABILITY"));
	link_close(&l);
	link_tls(&l, p.tls_port, none); /* trusts the old authority */
	assert_true(l.closed || !cw_tls_ready(l.tls));
	link_close(&l);
}

static void tls_and_external(void **state)
{
	struct link l;

	(void) state;
	proc_open(&p,
		"tsp { listen = { \"[::1]:0\" } mechanisms = { \"EXTERNAL\", \"PLAIN\", \"ANONYMOUS\" } }\n"
		"tls { listen = { \"[::1]:0\" } cert = \"server.pem\" key = \"server.key\" ca = \"ca.pem\" }\n" TEP
			POOL "user \"alice\" { password = \"secret\" }\n");
	test_certs_make(p.dir);
	proc_start(&p);
	assert_true(p.tls_port != 0);
	tls_contexts();
	external_with_a_certificate();
	external_without_one();
	/* A password, under TLS. */
	link_tls(&l, p.tls_port, none);
	link_puts(&l, "VERSION=2.0.0\r\n");
	(void) link_read(&l, "\r\n", 5000);
	link_puts(&l, "AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n");
	assert_string_equal(link_read(&l, "\r\n", 5000), "200 Success\r\n");
	link_close(&l);
	/* Not TLS at all. */
	link_tcp(&l, p.tls_port);
	link_puts(&l, "VERSION=2.0.0\r\n");
	(void) link_read(&l, NULL, 5000);
	assert_true(l.closed);
	link_close(&l);
	certificate_is_renewed();
	none = cw_tls_ctx_free(none);
	mine = cw_tls_ctx_free(mine);
	foreign = cw_tls_ctx_free(foreign);
	/* No password was ever logged. */
	assert_false(proc_log_has(&p, "secret", 0));
}

static void unix_socket_and_ipv4(void **state)
{
	char path[128];
	struct link l;

	(void) state;
	proc_open(&p,
		"tsp { listen = { \"unix:tsp.sock\", \"[::1]:0\", \"127.0.0.1:0\" } mechanisms = { \"ANONYMOUS\" } }\n" TEP
			POOL);
	proc_start(&p);
	(void) snprintf(path, sizeof path, "%s/tsp.sock", p.dir);
	link_unix(&l, path);
	link_login(&l, "1.0");
	assert_non_null(strstr(link_ask(&l, "create", "2001:db8:a::1", NULL), "\n200 "));
	link_close(&l);
	link_tcp4(&l, p.port4);
	link_login(&l, "1.0");
	assert_non_null(strstr(link_ask(&l, "create", "2001:db8:a::1", NULL), "\n200 "));
	link_close(&l);
	/* A socket file left by a crash is no obstacle. */
	proc_kill(&p);
	assert_int_equal(access(path, F_OK), 0);
	proc_start(&p);
	link_unix(&l, path);
	link_login(&l, "1.0");
	assert_non_null(strstr(link_ask(&l, "info", "2001:db8:a::1", NULL), "\n200 "));
	link_close(&l);
}

static void deletes_are_pushed(void **state)
{
	struct link a, b;
	char addr[16];

	(void) state;
	proc_open(&p, ANON TEP
		"pool \"default\" { range = { \"198.51.100.0/24\" } tep = \"edge1\" lifetime = 2 quarantine = 0 }\n");
	proc_start(&p);
	link_tcp(&a, p.port);
	link_login(&a, "1.0");
	link_tcp(&b, p.port);
	link_login(&b, "2.0.0");
	assert_non_null(strstr(link_ask(&a, "create", "2001:db8:a::1", NULL), "lifetime=\"2\""));
	(void) snprintf(addr, sizeof addr, "%s", link_leased(a.in));
	assert_non_null(strstr(link_ask(&b, "info", "2001:db8:a::1", addr), "\n200 "));
	/* A renewal of one is no news for the other. */
	assert_non_null(strstr(link_ask(&a, "create", "2001:db8:a::1", addr), "\n200 "));
	/* Then it ends, and both hear of it, unasked. */
	assert_non_null(strstr(link_read(&a, "</tunnel>", 6000),
		"\n200 OK\r\n<tunnel action=\"delete\" type=\"v4v6\">"));
	assert_non_null(strstr(link_read(&b, "</tunnel>", 2000),
		"\n200 OK\r\n<tunnel action=\"delete\" type=\"v4v6\">"));
	assert_non_null(strstr(b.in, addr));
	/* What the other connection of the same client gives back is pushed as well. */
	assert_non_null(strstr(link_ask(&a, "create", "2001:db8:a::1", NULL), "\n200 "));
	(void) snprintf(addr, sizeof addr, "%s", link_leased(a.in));
	assert_non_null(strstr(link_ask(&b, "delete", "2001:db8:a::1", addr), "\n200 Success"));
	assert_non_null(strstr(link_read(&a, "</tunnel>", 5000), "action=\"delete\""));
	link_close(&a);
	link_close(&b);
	assert_true(proc_log_has(&p, "event=lease.expire", 1000));
}

static void redirects(void **state)
{
	struct link l;

	(void) state;
	proc_open(&p, ANON TEP
		"pool \"default\" { range = { \"198.51.100.7\" } tep = \"edge1\" quarantine = 0 }\n"
		"redirect { broker = { \"[2001:db8::53]:3653\", \"tsp2.example.net\" } }\n");
	proc_start(&p);
	link_tcp(&l, p.port);
	link_login(&l, "2.0.0");
	assert_non_null(strstr(link_ask(&l, "create", "2001:db8:a::1", NULL), "\n200 "));
	link_frame(&l, "<tunnel action=\"accept\"></tunnel>");
	assert_non_null(strstr(link_ask(&l, "create", "2001:db8:a::2", NULL), "\n1301 "));
	assert_non_null(strstr(l.in, "tsp2.example.net"));
	link_close(&l);
	link_tcp(&l, p.port);
	link_puts(&l, "VERSION=9.9\r\n");
	assert_non_null(strstr(link_read(&l, NULL, 5000), "1302 "));
	assert_non_null(strstr(l.in, "[2001:db8::53]:3653"));
	assert_true(l.closed && !l.reset);
	link_close(&l);
}

static void at_the_cap_newcomers_wait(void **state)
{
	struct link l[5];

	(void) state;
	proc_open(&p, ANON TEP POOL "limits { connections = 3 }\n");
	proc_start(&p);
	for (unsigned i = 0; i < 5; i++) {
		link_tcp(&l[i], p.port);
		link_puts(&l[i], "VERSION=2.0.0\r\n");
	}
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(strstr(link_read(&l[i], "\r\n", 5000), "CAPABILITY"));
	/* Not dropped without a word: they wait. */
	assert_string_equal(link_read(&l[3], "\r\n", 200), "");
	assert_false(l[3].closed);
	link_close(&l[0]);
	assert_non_null(strstr(link_read(&l[3], "\r\n", 5000), "CAPABILITY"));
	link_close(&l[1]);
	assert_non_null(strstr(link_read(&l[4], "\r\n", 5000), "CAPABILITY"));
	for (unsigned i = 2; i < 5; i++)
		link_close(&l[i]);
}

static void reload(void **state)
{
	char path[128], *text, *at;
	struct link l;
	FILE *f;

	(void) state;
	proc_open(&p, ANON TEP POOL);
	proc_start(&p);
	(void) snprintf(path, sizeof path, "%s/conf", p.dir);
	f = fopen(path, "a");
	assert_non_null(f);
	(void) fprintf(f, "nonsense\n");
	(void) fclose(f);
	assert_int_equal(kill(p.pid, SIGHUP), 0);
	assert_true(proc_log_has(&p, "event=reload.fail", 5000)); /* and it goes on as before */
	assert_true(proc_log_has(&p, "event=reload.fail path=", 5000));
	/* What is wrong is a line of the log as well, not bare text. */
	text = proc_log(&p);
	at = strstr(text, "conf:7: ");
	assert_non_null(at);
	at[strcspn(at, "\n")] = 0;
	assert_non_null(strstr(at, "\" event=reload.fail"));
	free(text);
	f = fopen(path, "r+");
	assert_non_null(f);
	(void) fseek(f, -9, SEEK_END);
	(void) fprintf(f, "redirect { broker = { \"192.0.2.9\" } when = always }\n");
	(void) fclose(f);
	assert_int_equal(kill(p.pid, SIGHUP), 0);
	assert_true(proc_log_has(&p, "event=reload\n", 5000));
	link_tcp(&l, p.port);
	link_login(&l, "1.0");
	assert_non_null(strstr(link_ask(&l, "create", "2001:db8:a::1", NULL), "\n1306 "));
	link_close(&l);
	assert_int_equal(kill(p.pid, SIGUSR1), 0);
	assert_true(proc_log_has(&p, "event=stats.lease", 5000));
	assert_true(proc_log_has(&p, "event=stats.tsp open_tcp=", 1000));
	assert_true(proc_log_has(&p, "event=stats.store", 1000));
}

/* Replaces a text in the configuration. */
static void edit(const char *from, const char *to)
{
	char path[128], text[4096];
	const char *at;
	size_t n;
	FILE *f;

	(void) snprintf(path, sizeof path, "%s/conf", p.dir);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	(void) fclose(f);
	at = strstr(text, from);
	assert_non_null(at);
	f = fopen(path, "w");
	assert_non_null(f);
	(void) fprintf(f, "%.*s%s%s", (int) (at - text), text, to, at + strlen(from));
	assert_int_equal(fclose(f), 0);
}

static unsigned count(const char *want)
{
	char *text = proc_log(&p);
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, want)); at++)
		n++;
	free(text);
	return n;
}

/* SIGHUP names what it cannot change, with its place; a second one does so again. */
static void reload_says_what_stays(void **state)
{
	(void) state;
	proc_open(&p, ANON TEP POOL "user \"alice\" { password = \"secret\" }\n"
				    "user \"bob\" { password = \"hidden\" max-leases = 2 }\n");
	proc_start(&p);
	assert_int_equal(kill(p.pid, SIGHUP), 0);
	assert_true(proc_log_has(&p, "event=reload\n", 5000));
	edit("198.51.100.0/24", "198.51.100.0/25");
	edit("quarantine = 0", "quarantine = 7");
	edit("2001:db8::1", "2001:db8::2");
	edit("secret", "changed");
	edit("max-leases = 2", "");
	edit("ANONYMOUS\" }", "ANONYMOUS\" } udp = false");
	edit("user \"bob\"", "user \"carol\" { password = \"other\" }\nuser \"bob\"");
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(kill(p.pid, SIGHUP), 0);
		/* The last one that is said. */
		for (unsigned k = 0; k < 500 && count("user=bob option=max-leases") < i; k++)
			(void) poll(NULL, 0, 10);
		assert_int_equal(count("conf:4 option=tsp.udp"), i);
		assert_int_equal(count("conf:5 tep=edge1 option=ipv6"), i);
		assert_int_equal(count("conf:6 pool=default option=range"), i);
		assert_int_equal(count("conf:6 pool=default option=quarantine"), i);
		assert_int_equal(count("conf:7 user=alice option=password"), i);
		assert_int_equal(count("conf:8 user=carol\n"), i);
		assert_int_equal(count("conf:9 user=bob option=max-leases"), i);
		/* Nothing else: not at the start, not for what is the same. */
		assert_int_equal(count("event=config.differs"), 7 * i);
	}
	assert_int_equal(count("changed") + count("secret"), 0);
	proc_stop(&p);
}

/* A start says it too, but for passwords. */
static void a_start_says_what_differs(void **state)
{
	(void) state;
	proc_open(&p, ANON TEP POOL);
	proc_start(&p);
	proc_stop(&p);
	edit("198.51.100.0/24", "198.51.100.0/25");
	proc_start(&p);
	assert_int_equal(count("conf:6 pool=default option=range"), 1);
	assert_int_equal(count("event=config.differs"), 1);
}

static void leases_survive(void **state)
{
	struct link l;
	char addr[16], text[32];

	(void) state;
	proc_open(&p, ANON TEP POOL);
	proc_start(&p);
	link_tcp(&l, p.port);
	link_login(&l, "1.0");
	assert_non_null(strstr(link_ask(&l, "create", "2001:db8:a::1", NULL), "\n200 "));
	(void) snprintf(addr, sizeof addr, "%s", link_leased(l.in));
	for (unsigned i = 0; i < 3; i++) {
		if (i == 1)
			proc_kill(&p);
		else
			assert_int_equal(proc_stop(&p), 0);
		link_close(&l);
		proc_start(&p);
		link_tcp(&l, p.port);
		link_login(&l, "1.0");
		(void) snprintf(text, sizeof text, ">%s<", addr);
		assert_non_null(strstr(link_ask(&l, "info", "2001:db8:a::1", NULL), text));
		assert_true(proc_log_has(&p, "event=tep.sync tep=edge1 applied=1 ", 1000));
	}
	link_close(&l);
	assert_int_equal(proc_stop(&p), 0);
	assert_int_equal(proc_run(&p, "--check-db"), 0);
}

static void stop_under_load(void **state)
{
	enum { N = 40 };
	struct link l[N];
	unsigned answered = 0;
	char body[256];

	(void) state;
	proc_open(&p, ANON TEP POOL);
	proc_start(&p);
	for (unsigned i = 0; i < N; i++) {
		link_tcp(&l[i], p.port);
		link_login(&l[i], "1.0");
	}
	for (unsigned i = 0; i < N; i++) {
		(void) snprintf(body, sizeof body,
			"<tunnel action=\"create\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8:b::%x</address></client></tunnel>",
			i + 1);
		link_frame(&l[i], body);
	}
	assert_int_equal(proc_stop(&p), 0); /* within its time; kill would fail the test */
	proc_start(&p);
	for (unsigned i = 0; i < N; i++) {
		struct link again;
		char v6[32];

		/* Whoever was answered has its lease. */
		(void) link_read(&l[i], NULL, 100);
		assert_true(l[i].closed);
		if (strstr(l[i].in, "\n200 ")) {
			answered++;
			(void) snprintf(v6, sizeof v6, "2001:db8:b::%x", i + 1);
			link_tcp(&again, p.port);
			link_login(&again, "1.0");
			assert_non_null(strstr(
				link_ask(&again, "info", v6, link_leased(l[i].in)), "\n200 "));
			link_close(&again);
		}
		link_close(&l[i]);
	}
	print_message("# %u of %u were answered\n", answered, N);
}

static void many_logins_at_once(void **state)
{
	enum { N = 60 };
	struct link l[N];

	(void) state;
	/* Passwords are checked on the pool's threads; others are served meanwhile, every verdict
	 * comes. */
	proc_open(&p,
		"tsp { listen = { \"[::1]:0\" } mechanisms = { \"PLAIN\", \"ANONYMOUS\" } plain-without-tls = yes }\n" TEP
			POOL "user \"alice\" { password = \"secret\" }\n");
	proc_start(&p);
	for (unsigned i = 0; i < N; i++) {
		link_tcp(&l[i], p.port);
		link_puts(&l[i],
			i % 2 ? "VERSION=2.0.0\r\nAUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n"
			      : "VERSION=2.0.0\r\nAUTHENTICATE PLAIN AGFsaWNlAHdyb25n\r\n");
	}
	for (unsigned i = 0; i < N; i += 3)
		link_close(&l[i]); /* in the middle of it */
	for (unsigned i = 0; i < N; i++) {
		if (i % 3 == 0)
			continue;
		assert_non_null(strstr(link_read(&l[i], i % 2 ? "200 Success" : "300 ", 20000),
			i % 2 ? "200 Success" : "300 "));
		link_close(&l[i]);
	}
}

#define CASE(fn) cmocka_unit_test_teardown(fn, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(command_line),
		CASE(broken_configuration),
		CASE(an_address_in_use),
		CASE(tls_and_external),
		CASE(unix_socket_and_ipv4),
		CASE(deletes_are_pushed),
		CASE(redirects),
		CASE(at_the_cap_newcomers_wait),
		CASE(reload),
		CASE(reload_says_what_stays),
		CASE(a_start_says_what_differs),
		CASE(leases_survive),
		CASE(stop_under_load),
		CASE(many_logins_at_once),
	};

	return cmocka_run_group_tests_name("broker as a service", tests, NULL, NULL);
}
