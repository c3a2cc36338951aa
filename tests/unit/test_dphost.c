/* SPDX-License-Identifier: BSD-2-Clause */
/* The plugin host: what it refuses to load, how it reads options, and how it stands every way in
 * which the `test` plugin misbehaves. Plugins are copied to a directory of this test's own, for the
 * build tree may be group-writable. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "dataplane/host/host.h"
#include "tests/lib/cw-cmocka.h"

static char dir[] = "/tmp/cw-dphost-XXXXXX";
static struct cw_loop *loop;
static char why[256];

static void copy_file(const char *from, const char *to)
{
	char path[512], buf[65536];
	int in, out;
	ssize_t n;

	(void) snprintf(path, sizeof path, "%s/%s",
		getenv("CW_BUILDDIR") ? getenv("CW_BUILDDIR") : ".", from);
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		fail_msg("%s: %s", path, strerror(errno));
	(void) snprintf(path, sizeof path, "%s/%s", dir, to);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(out >= 0);
	while ((n = read(in, buf, sizeof buf)) > 0)
		assert_int_equal(write(out, buf, (size_t) n), n);
	(void) close(in);
	(void) fchmod(out, 0755);
	(void) close(out);
}

static int set_up(void **state)
{
	(void) state;
	cw_log_open("test", CW_LOG_ERR, CW_LOG_LOGFMT);
	assert_non_null(mkdtemp(dir));
	copy_file("dataplane/plugins/null/.libs/null.so", "null.so");
	copy_file("dataplane/plugins/test/.libs/test.so", "test.so");
	copy_file(".libs/bad1.so", "bad1.so");
	copy_file(".libs/bad2.so", "bad2.so");
	copy_file(".libs/bad3.so", "bad3.so");
	copy_file(".libs/bad4.so", "bad4.so");
	copy_file("dataplane/plugins/tun/.libs/tun.so", "tun.so");
	copy_file("dataplane/plugins/exec/.libs/exec.so", "exec.so");
	copy_file("dataplane/plugins/null/.libs/null.so", "other.so");
	return cw_loop_new(&cw_system_clock, &loop);
}

static int tear_down(void **state)
{
	static const char *const files[] = {"null.so", "test.so", "bad1.so", "bad2.so", "bad3.so",
		"bad4.so", "tun.so", "exec.so", "other.so"};
	char path[512];

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(files); i++) {
		(void) snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void) unlink(path);
	}
	(void) rmdir(dir);
	return cw_loop_free(loop); /* -EBUSY: a leaked handle */
}

static int open_plugin(const char *plugin, const char *options, struct cw_dphost **ret)
{
	const struct cw_dphost_config conf = {
		.plugin = plugin,
		.directory = dir,
		.tep = "edge1",
		.ipv6 = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
		.options = options,
	};

	why[0] = '\0';
	return cw_dphost_open(loop, &conf, why, sizeof why, ret);
}

static struct cw_dphost *must_open(const char *plugin, const char *options)
{
	struct cw_dphost *h = NULL;

	if (open_plugin(plugin, options, &h) < 0)
		fail_msg("%s", why);
	return h;
}

/* --- one operation, waited for --- */

struct outcome {
	unsigned calls;
	int result;
	size_t n;
	int items[5000];
	struct cw_dp_counters counters;
	struct cw_dp_row rows[2000];
	bool more;
	struct cw_dp_cursor next;
	char notes[256];
	uint64_t first_stat;
	struct cw_dphost *close_this;
	bool stop;
};
static struct outcome got;

static void ended(void)
{
	got.calls++;
	if (got.close_this)
		got.close_this = cw_dphost_close(got.close_this);
	if (got.stop)
		cw_loop_stop(loop);
}

static void on_results(
	void *arg, int result, const int *items, const struct cw_dp_counters *counters, size_t n)
{
	(void) arg;
	got.result = result;
	got.n = n;
	assert_true(n <= CW_ARRAY_LEN(got.items));
	if (n)
		memcpy(got.items, items, n * sizeof *items);
	if (counters)
		got.counters = counters[0];
	ended();
}

static void on_rows(void *arg, int result, const struct cw_dp_row *rows, size_t n,
	const struct cw_dp_cursor *next)
{
	(void) arg;
	got.result = result;
	got.n = n;
	assert_true(n <= CW_ARRAY_LEN(got.rows));
	if (n)
		memcpy(got.rows, rows, n * sizeof *rows);
	got.more = next != NULL;
	if (next)
		got.next = *next;
	ended();
}

static void on_stats(void *arg, int result, const struct cw_dp_stat *stats, size_t n)
{
	(void) arg;
	got.result = result;
	got.n = n;
	got.first_stat = n ? stats[0].value : 0;
	ended();
}

static void on_probe(void *arg, int result, const char *notes)
{
	(void) arg;
	got.result = result;
	(void) snprintf(got.notes, sizeof got.notes, "%s", notes);
	ended();
}

static void begin(void)
{
	memset(&got, 0, sizeof got);
}

static void give_up(void *arg)
{
	(void) arg;
	cw_loop_stop(loop);
}

/* Runs the loop until the operation ended. */
static void wait_end(void)
{
	struct cw_timer *t;

	if (!got.calls) {
		assert_int_equal(cw_timer_new(loop, give_up, NULL, &t), 0);
		cw_timer_start(t, 10000);
		got.stop = true;
		(void) cw_loop_run(loop);
		got.stop = false;
		(void) cw_timer_free(t);
	}
	assert_int_equal(got.calls, 1);
}

static void run_for(uint64_t ms)
{
	struct cw_timer *t;

	assert_int_equal(cw_timer_new(loop, give_up, NULL, &t), 0);
	cw_timer_start(t, ms);
	(void) cw_loop_run(loop);
	(void) cw_timer_free(t);
}

static struct cw_dp_binding many[5000];

static void fill(size_t n)
{
	for (size_t i = 0; i < n; i++)
		many[i] = (struct cw_dp_binding){
			.ipv4 = {10, 0, (uint8_t) (i >> 8), (uint8_t) i},
			.ipv6 = {0x20, 0x01, 0x0d,
				0xb8, [14] = (uint8_t) (i >> 8), [15] = (uint8_t) (i | 1)},
			.lease = i,
			.generation = 1,
			.expires_boot_ms = CW_DP_NO_EXPIRY,
		};
}

static void apply(struct cw_dphost *h, size_t n)
{
	fill(n);
	begin();
	cw_dphost_apply(h, many, n, on_results, NULL);
	wait_end();
}

static void remove_first(struct cw_dphost *h, size_t n)
{
	struct cw_dp_removal r[5000];

	fill(n);
	for (size_t i = 0; i < n; i++) {
		r[i] = (struct cw_dp_removal){.lease = i, .generation = 1};
		memcpy(r[i].ipv4, many[i].ipv4, 4);
	}
	begin();
	cw_dphost_remove(h, r, n, on_results, NULL);
	wait_end();
}

static size_t count_all(struct cw_dphost *h)
{
	struct cw_dp_cursor at = {.begin = 1};
	size_t n = 0;

	do {
		begin();
		cw_dphost_list(h, at, 777, on_rows, NULL);
		wait_end();
		assert_int_equal(got.result, 0);
		n += got.n;
		at = got.next;
	} while (got.more);
	return n;
}

/* --- loading --- */

static void refuses_bad_files(void **state)
{
	struct cw_dphost *h = NULL;
	char path[512];

	(void) state;
	assert_int_equal(open_plugin("../null", NULL, &h), CW_E_SYNTAX);
	assert_int_equal(open_plugin("", NULL, &h), CW_E_SYNTAX);
	assert_int_equal(open_plugin("Null", NULL, &h), CW_E_SYNTAX);
	assert_int_equal(open_plugin("absent", NULL, &h), -ENOENT);
	assert_int_equal(open_plugin("bad1", NULL, &h), -ENOEXEC);
	assert_non_null(strstr(why, "ABI 2"));
	assert_int_equal(open_plugin("bad2", NULL, &h), -ENOEXEC);
	assert_non_null(strstr(why, "too short"));
	assert_int_equal(open_plugin("bad3", NULL, &h), -ENOEXEC);
	assert_non_null(strstr(why, "operation"));
	assert_int_equal(open_plugin("other", NULL, &h), -ENOEXEC);
	assert_non_null(strstr(why, "another name"));
	(void) snprintf(path, sizeof path, "%s/null.so", dir);
	assert_int_equal(chmod(path, 0775), 0);
	assert_int_equal(open_plugin("null", NULL, &h), -EPERM);
	assert_int_equal(chmod(path, 0757), 0);
	assert_int_equal(open_plugin("null", NULL, &h), -EPERM);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(open_plugin("null", NULL, &h), -EPERM);
	assert_int_equal(chmod(dir, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 1, 1), 0);
		assert_int_equal(open_plugin("null", NULL, &h), -EPERM);
		assert_int_equal(chown(path, 0, 0), 0);
	}
	assert_null(h);
	h = must_open("null", NULL);
	assert_null(cw_dphost_close(h));
}

/* A copy that ended early. dlopen() of some of these is SIGBUS. */
static void refuses_cut_files(void **state)
{
	struct cw_dphost_config conf = {.plugin = "cut", .directory = dir, .tep = "e"};
	struct cw_dphost *h = NULL;
	char path[512];
	struct stat st;

	(void) state;
	copy_file("dataplane/plugins/null/.libs/null.so", "cut.so");
	(void) snprintf(path, sizeof path, "%s/cut.so", dir);
	assert_int_equal(stat(path, &st), 0);
	/* Whole, it gets as far as its name. */
	assert_int_equal(open_plugin("cut", NULL, &h), -ENOEXEC);
	assert_non_null(strstr(why, "another name"));
	for (off_t n = st.st_size - 1; n >= 0; n = n > 4096 ? n - 1500 : n - 61) {
		assert_int_equal(truncate(path, n), 0);
		assert_int_equal(open_plugin("cut", NULL, &h), -ENOEXEC);
		assert_non_null(strstr(
			why, n < 64 ? "not a shared object of this machine" : "is cut short"));
		assert_int_equal(cw_dphost_check(&conf, why, sizeof why), -ENOEXEC);
	}
	assert_null(h);
	assert_int_equal(unlink(path), 0);
}

static void reads_options(void **state)
{
	static const char *const bad[] = {"colour=red\n", "max_bindings\n",
		"max_bindings=1\nmax_bindings=2\n", "max_bindings=x\n", "max_bindings=\n",
		"max_bindings=-1\n", "max_bindings=99999999999999999999\n", "=3\n",
		"max_bindings=1\r\n"};
	struct cw_dphost *h = NULL;
	struct cw_dphost_config conf = {
		.plugin = "null", .directory = dir, .tep = "e", .options = "nope=1"};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(bad); i++) {
		assert_true(open_plugin("null", bad[i], &h) < 0);
		assert_true(strlen(why) > 5);
	}
	h = must_open("null", "\n  max_bindings = 12\n\n");
	(void) cw_dphost_close(h);
	h = must_open("null", "max_bindings=12");
	assert_int_equal(cw_dphost_caps(h)->max_bindings, 12);
	assert_int_equal(cw_dphost_caps(h)->ranges, CW_DP_RANGES_PSID);
	(void) cw_dphost_close(h);
	assert_int_equal(cw_dphost_check(&conf, why, sizeof why), CW_E_SYNTAX);
	conf.options = "max_bindings=3";
	assert_int_equal(cw_dphost_check(&conf, why, sizeof why), 0);
}

/* What --check-config learns of values: from the plugin, which opens nothing for it (tun could not,
 * without privileges; exec would run its program). */
static void checks_values(void **state)
{
	static const struct {
		const char *plugin, *options, *said; /* NULL: nothing, all is well */
	} cases[] = {
		{"null", "max_bindings=3", NULL},
		{"null", "max_bindings=x", "option max_bindings"},
		{"null", "max_bindings=-1", "option max_bindings"},
		{"test", "mode=lie-count\nthread=yes", NULL},
		{"test", "mode=odd", "mode"},
		{"test", "thread=maybe", "option thread"},
		{"tun", "", NULL},
		{"tun", "dev=x%d\nmtu=1400\nroutes=198.51.100.0/24,203.0.113.1/32\ntclass=3", NULL},
		{"tun", "mtu=100", "option mtu: \"100\""},
		{"tun", "hop_limit=0", "option hop_limit: \"0\""},
		{"tun", "routes=foo", "option routes"},
		{"tun", "routes=198.51.100.1/24", "option routes"},
		{"tun", "dev=a/b", "option dev"},
		{"tun", "dev=longer-than-a-name", "option dev"},
		{"tun", "tclass=blue", "option tclass"},
		{"tun", "fragment=never", "option fragment"},
		{"tun", "gather_us=1001", "option gather_us"},
		{"exec", "program=/bin/true", NULL},
		{"exec", "program=/nonexist", "/nonexist cannot be executed"},
		{"exec", "program=true", "not an absolute path"},
		{"exec", "program=/bin/true\nranges=some", "option ranges"},
		{"exec", "program=/bin/true\nguarantees=all", "option guarantees"},
		{"exec", "program=/bin/true\ndeadline_ms=1", "option deadline_ms"},
		{"bad4", "", NULL},
	};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		const struct cw_dphost_config conf = {.plugin = cases[i].plugin,
			.directory = dir,
			.tep = "e",
			.ipv6 = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
			.options = cases[i].options};
		int r = cw_dphost_check(&conf, why, sizeof why);

		if (!cases[i].said ? r != 0 : r >= 0 || !strstr(why, cases[i].said))
			fail_msg("%s %s: %d %s", cases[i].plugin, cases[i].options, r, why);
	}
}

/* --- operations --- */

static void splits_and_answers(void **state)
{
	static const char *const options[] = {
		"", "delay_ms=3", "thread=yes", "thread=yes\ndelay_ms=2"};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(options); i++) {
		struct cw_dphost *h = must_open("test", options[i]);

		assert_int_equal(cw_dphost_caps(h)->batch_max, 100);
		apply(h, 1234);
		assert_int_equal(got.result, 0);
		assert_int_equal(got.n, 1234);
		for (size_t k = 0; k < got.n; k++)
			assert_int_equal(got.items[k], 0);
		assert_int_equal(count_all(h), 1234);
		begin();
		cw_dphost_stats(h, on_stats, NULL);
		wait_end();
		assert_int_equal(got.result, 0);
		assert_true(got.first_stat >= 13); /* calls of at most 100 items */
		remove_first(h, 1000);
		assert_int_equal(got.result, 0);
		assert_int_equal(count_all(h), 234);
		begin();
		cw_dphost_flush(h, on_results, NULL);
		wait_end();
		assert_int_equal(got.result, 0);
		assert_int_equal(count_all(h), 0);
		begin();
		cw_dphost_probe(h, on_probe, NULL);
		wait_end();
		assert_int_equal(got.result, 0);
		assert_string_equal(got.notes, "mode is for tests only");
		begin();
		cw_dphost_apply(h, NULL, 0, on_results, NULL);
		wait_end();
		assert_int_equal(got.result, 0);
		assert_int_equal(cw_dphost_faults(h)->lies, 0);
		(void) cw_dphost_close(h);
	}
}

static void item_codes(void **state)
{
	struct cw_dphost *h = must_open("test", "max_bindings=3");
	struct cw_dp_binding b[6];

	(void) state;
	fill(6);
	memcpy(b, many, sizeof b);
	b[1].ipv6[0] = 0xff; /* invalid */
	b[2] = b[0];
	b[2].generation = 0; /* stale */
	b[3] = b[0];
	b[3].ports = (struct cw_dp_ports){0, 4, 1}; /* overlaps */
	begin();
	cw_dphost_apply(h, b, 6, on_results, NULL);
	wait_end();
	assert_int_equal(got.result, 0);
	assert_int_equal(got.items[0], 0);
	assert_int_equal(got.items[1], CW_E_TEP);
	assert_int_equal(got.items[2], CW_E_STALE);
	assert_int_equal(got.items[3], CW_E_CONFLICT);
	assert_int_equal(got.items[4], 0);
	assert_int_equal(got.items[5], 0);
	apply(h, 7);
	assert_int_equal(got.items[6], CW_E_LIMIT);
	(void) cw_dphost_close(h);
}

/* mode, result of apply, what the faults are afterwards */
static void stands_misbehaviour(void **state)
{
	static const struct {
		const char *options;
		int result, item;
		uint64_t lies, deadlines;
	} cases[] = {
		{"mode=fail", 0, CW_E_TEP, 0, 0},
		{"mode=transient", 0, -EAGAIN, 0, 0},
		{"mode=fail-every=2", 0, 0, 0, 0},
		{"mode=lie-count", CW_E_TEP, CW_E_TEP, 1, 0},
		{"mode=lie-token", CW_E_TEP, CW_E_TEP, 1, 1},
		{"mode=double", 0, 0, 1, 0},
		{"mode=hang", CW_E_TEP, CW_E_TEP, 0, 1},
		{"mode=double\nthread=yes", 0, 0, 1, 0},
		{"mode=lie-count\nthread=yes\ndelay_ms=1", CW_E_TEP, CW_E_TEP, 1, 0},
	};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		struct cw_dphost *h = must_open("test", cases[i].options);

		apply(h, 50);
		run_for(5); /* what comes too often comes a little later */
		print_message("# case %zu\n", i);
		assert_int_equal(got.calls, 1);
		assert_int_equal(got.result, cases[i].result);
		assert_int_equal(got.n, 50);
		assert_int_equal(got.items[0], cases[i].item);
		assert_int_equal(cw_dphost_faults(h)->lies, cases[i].lies);
		assert_int_equal(cw_dphost_faults(h)->deadlines, cases[i].deadlines);
		if (strstr(cases[i].options, "every"))
			assert_int_equal(got.items[1], CW_E_TEP);
		(void) cw_dphost_close(h);
	}
}

static void late_is_not_a_lie(void **state)
{
	struct cw_dphost *h = must_open("test", "mode=late");

	(void) state;
	apply(h, 250); /* three parts: the first one's deadline ends it */
	assert_int_equal(got.result, CW_E_TEP);
	assert_int_equal(got.items[249], CW_E_TEP);
	run_for(700);
	assert_int_equal(got.calls, 1);
	assert_int_equal(cw_dphost_faults(h)->deadlines, 1);
	assert_int_equal(cw_dphost_faults(h)->late, 1);
	assert_int_equal(cw_dphost_faults(h)->lies, 0);
	(void) cw_dphost_close(h);
}

static void lies_in_lists(void **state)
{
	static const char *const options[] = {
		"mode=lie-list\nops=list", "mode=lie-cursor\nops=list"};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(options); i++) {
		struct cw_dphost *h = must_open("test", options[i]);

		apply(h, 20);
		assert_int_equal(got.result, 0);
		begin();
		cw_dphost_list(h, (struct cw_dp_cursor){.ipv4 = {10, 0, 0, 4}}, 10, on_rows, NULL);
		wait_end();
		assert_int_equal(got.result, CW_E_TEP);
		assert_int_equal(got.n, 0);
		assert_int_equal(cw_dphost_faults(h)->lies, 1);
		(void) cw_dphost_close(h);
	}
}

static void closing(void **state)
{
	struct cw_dphost *h = must_open("test", "mode=hang");

	(void) state;
	/* With something outstanding. */
	fill(10);
	begin();
	cw_dphost_apply(h, many, 10, on_results, NULL);
	assert_int_equal(got.calls, 0);
	(void) cw_dphost_close(h);
	assert_int_equal(got.calls, 1);
	assert_int_equal(got.result, CW_E_SHUTDOWN);
	assert_int_equal(got.items[9], CW_E_SHUTDOWN);
	/* From inside an answer: on the loop, in the call, at the deadline, with answers of threads
	 * still queued. */
	static const char *const options[] = {
		"", "delay_ms=1", "mode=hang", "thread=yes", "mode=double\nthread=yes"};

	for (size_t i = 0; i < CW_ARRAY_LEN(options); i++) {
		h = must_open("test", options[i]);
		begin();
		got.close_this = h;
		cw_dphost_apply(h, many, 10, on_results, NULL);
		wait_end();
		assert_null(got.close_this);
	}
	run_for(5);
}

/* A caller that asks again from its answer must not starve the loop. */
static unsigned chain_left;
static struct cw_dphost *chain_host;
static bool timer_ran;

static void on_chain(void *arg, int result, const struct cw_dp_stat *stats, size_t n)
{
	(void) arg;
	(void) result;
	(void) stats;
	(void) n;
	if (!timer_ran && --chain_left)
		cw_dphost_stats(chain_host, on_chain, NULL);
}

static void on_tick(void *arg)
{
	(void) arg;
	timer_ran = true;
	cw_loop_stop(loop);
}

static void yields(void **state)
{
	struct cw_timer *t;

	(void) state;
	chain_host = must_open("null", NULL);
	chain_left = 100000000;
	timer_ran = false;
	assert_int_equal(cw_timer_new(loop, on_tick, NULL, &t), 0);
	cw_timer_start(t, 1);
	cw_dphost_stats(chain_host, on_chain, NULL);
	(void) cw_loop_run(loop);
	assert_true(timer_ran);
	assert_true(chain_left > 0);
	(void) cw_timer_free(t);
	(void) cw_dphost_close(chain_host);
}

/* Every allocation of an open and an apply may fail: an answer all the same, and no leak (ASan). */
static void out_of_memory(void **state)
{
	(void) state;
	for (unsigned long k = 1; k < 60; k++) {
		struct cw_dphost *h = NULL;
		int r;

		fill(3);
		begin();
		cw_mem_fail_at(k);
		r = open_plugin("test", "delay_ms=0", &h);
		if (r == 0)
			cw_dphost_apply(h, many, 3, on_results, NULL);
		if (r == 0 && got.calls == 0)
			wait_end(); /* a lost completion ends at its deadline */
		cw_mem_fail_at(0);
		assert_true(r == 0 || r == -ENOMEM);
		if (r == 0)
			assert_int_equal(got.calls, 1);
		(void) cw_dphost_close(h);
	}
	run_for(1);
}

/* The process dies with the plugin: what a broker must survive by restarting, so here only that it
 * is so. */
static void crashes(void **state)
{
	static const char *const options[] = {"mode=crash", "mode=abort"};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(options); i++) {
		pid_t pid;
		int status;

		(void) fflush(NULL);
		pid = fork();
		if (pid == 0) {
			struct cw_dphost *h;

			(void) signal(
				SIGSEGV, SIG_DFL); /* cmocka's handler would run the next test */
			(void) signal(SIGABRT, SIG_DFL);
			if (freopen("/dev/null", "w", stderr) &&
				open_plugin("test", options[i], &h) == 0)
				cw_dphost_apply(h, many, 1, on_results, NULL);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bad_files),
		cmocka_unit_test(refuses_cut_files),
		cmocka_unit_test(reads_options),
		cmocka_unit_test(checks_values),
		cmocka_unit_test(splits_and_answers),
		cmocka_unit_test(item_codes),
		cmocka_unit_test(stands_misbehaviour),
		cmocka_unit_test(late_is_not_a_lie),
		cmocka_unit_test(lies_in_lists),
		cmocka_unit_test(closing),
		cmocka_unit_test(yields),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(crashes),
	};

	return cmocka_run_group_tests_name("dphost", tests, set_up, tear_down);
}
