/* SPDX-License-Identifier: BSD-2-Clause */
/* What every data plane plugin must do, through the host, whatever it does with packets. Usage:
 *
 *	conformance DIRECTORY PLUGIN TEP6 TEP4 COUNT [KEY=VALUE]...
 *
 * COUNT: size of the large batches (a plugin that starts a program for each wants it small).
 * Prints "ok NAME" or "not ok NAME" for each case and "end" at last; exit status 1 if one
 * failed. A plugin with an option max_bindings is also opened with max_bindings=4. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prog.h"
#include "dataplane/host/host.h"

enum { COUNT_MAX = 20000 };

static struct cw_loop *loop;
static struct cw_dphost *host;
static struct cw_dphost_config conf;
static char options[4096];
static size_t count;
static bool failed, case_failed;

/* --- one operation, waited for --- */

struct answer {
	unsigned calls;
	int result;
	size_t n;
	int items[COUNT_MAX];
	struct cw_dp_row *rows;
	bool more;
	struct cw_dp_cursor next;
};
static struct answer got;
static unsigned outstanding;
static bool waiting;

static void ended(void)
{
	got.calls++;
	if (outstanding)
		outstanding--;
	if (waiting && !outstanding)
		cw_loop_stop(loop);
}

static void on_results(
	void *arg, int result, const int *items, const struct cw_dp_counters *c, size_t n)
{
	(void) arg;
	(void) c;
	got.result = result;
	got.n = n;
	if (n && n <= COUNT_MAX)
		memcpy(got.items, items, n * sizeof *items);
	ended();
}

static void on_rows(void *arg, int result, const struct cw_dp_row *rows, size_t n,
	const struct cw_dp_cursor *next)
{
	(void) arg;
	got.result = result;
	got.n = n;
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
	(void) stats;
	got.result = result;
	got.n = n;
	ended();
}

static void on_probe(void *arg, int result, const char *notes)
{
	(void) arg;
	if (notes[0])
		(void) printf("# %s\n", notes);
	got.result = result;
	ended();
}

static void give_up(void *arg)
{
	(void) arg;
	cw_loop_stop(loop);
}

/* Runs the loop until all that is outstanding has ended, at most `ms`. */
static void run(uint64_t ms)
{
	struct cw_timer *t;

	if (cw_timer_new(loop, give_up, NULL, &t) < 0)
		abort();
	cw_timer_start(t, ms);
	waiting = true;
	(void) cw_loop_run(loop);
	waiting = false;
	(void) cw_timer_free(t);
}

static void begin(unsigned n)
{
	got.calls = 0;
	got.result = 1;
	got.n = 0;
	outstanding = n;
}

static void wait_end(void)
{
	if (outstanding)
		run(60000);
}

/* --- cases --- */

#define CHECK(x) check((x), #x, __LINE__)
static void check(bool good, const char *what, int line)
{
	if (!good) {
		case_failed = failed = true;
		(void) printf("# line %d: %s; result %s, %zu items, first %s\n", line, what,
			cw_err_name(got.result), got.n, got.n ? cw_err_name(got.items[0]) : "-");
	}
}

static void report(const char *name)
{
	(void) printf("%s %s\n", case_failed ? "not ok" : "ok", name);
	(void) fflush(stdout);
	case_failed = false;
}

static struct cw_dp_binding binding(uint32_t i, uint64_t generation)
{
	struct cw_dp_binding b = {
		.ipv4 = {198, 18, (uint8_t) (i >> 8), (uint8_t) i},
		.ipv6 = {0x20, 0x01, 0x0d, 0xb8,
			0xff, [14] = (uint8_t) (i >> 8), [15] = (uint8_t) i},
		.lease = i + 1,
		.generation = generation,
		.expires_boot_ms = CW_DP_NO_EXPIRY,
	};

	b.ipv6[13] = 1;
	return b;
}

static struct cw_dp_removal removal(uint32_t i, uint64_t generation)
{
	struct cw_dp_binding b = binding(i, generation);
	struct cw_dp_removal r = {.lease = b.lease, .generation = generation};

	memcpy(r.ipv4, b.ipv4, 4);
	return r;
}

static void apply(const struct cw_dp_binding *b, size_t n)
{
	begin(1);
	cw_dphost_apply(host, b, n, on_results, NULL);
	wait_end();
	CHECK(got.calls == 1);
}

static int apply_one(const struct cw_dp_binding *b)
{
	apply(b, 1);
	CHECK(got.n == 1);
	return got.items[0];
}

static int remove_one(const struct cw_dp_removal *r)
{
	begin(1);
	cw_dphost_remove(host, r, 1, on_results, NULL);
	wait_end();
	CHECK(got.calls == 1 && got.n == 1);
	return got.items[0];
}

static void page(struct cw_dp_cursor after, size_t max)
{
	begin(1);
	cw_dphost_list(host, after, max, on_rows, NULL);
	wait_end();
	CHECK(got.calls == 1 && got.result == 0 && got.n <= max);
}

static size_t list_count(size_t max)
{
	struct cw_dp_cursor at = {.begin = 1};
	size_t n = 0;

	do {
		page(at, max);
		n += got.n;
		at = got.next;
	} while (got.more && !case_failed);
	return n;
}

static bool find(const struct cw_dp_binding *b, struct cw_dp_row *ret)
{
	struct cw_dp_cursor at = {.begin = 1};

	do {
		page(at, 1000);
		for (size_t i = 0; i < got.n; i++) {
			if (memcmp(got.rows[i].binding.ipv4, b->ipv4, 4) == 0 &&
				memcmp(&got.rows[i].binding.ports, &b->ports, sizeof b->ports) ==
					0) {
				*ret = got.rows[i];
				return true;
			}
		}
		at = got.next;
	} while (got.more && !case_failed);
	return false;
}

static void flush(void)
{
	begin(1);
	cw_dphost_flush(host, on_results, NULL);
	wait_end();
	CHECK(got.calls == 1 && got.result == 0);
}

static void opens(void)
{
	const struct cw_dp_caps *c = cw_dphost_caps(host);

	CHECK(c->deadline_ms > 0 && c->batch_max > 0);
	CHECK(!(c->flags & CW_DP_CAP_FORWARDS) || c->frag_modes);
	CHECK(list_count(10) == 0);
	begin(1);
	cw_dphost_stats(host, on_stats, NULL);
	wait_end();
	CHECK(got.calls == 1 && got.result == 0);
	begin(1);
	cw_dphost_probe(host, on_probe, NULL);
	wait_end();
	CHECK(got.calls == 1 && got.result == 0);
	report("opens empty, gives statistics, passes its probe");
}

static void applies(void)
{
	struct cw_dp_binding b = binding(1, 5), x;
	struct cw_dp_row row;

	b.mtu = 1400;
	CHECK(apply_one(&b) == 0);
	CHECK(find(&b, &row) && memcmp(&row.binding, &b, sizeof b) == 0);
	report("what was applied is listed as it is");
	CHECK(apply_one(&b) == 0 && list_count(10) == 1);
	report("the same again is success");
	x = b;
	x.generation = 4;
	x.ipv6[15] = 99;
	CHECK(apply_one(&x) == CW_E_STALE);
	CHECK(find(&b, &row) && memcmp(&row.binding, &b, sizeof b) == 0);
	report("an older generation is stale and changes nothing");
	x.generation = 6;
	CHECK(apply_one(&x) == 0 && list_count(10) == 1);
	CHECK(find(&b, &row) && memcmp(&row.binding, &x, sizeof b) == 0);
	report("a newer one replaces");
}

static void removes(void)
{
	struct cw_dp_binding b = binding(1, 6);
	struct cw_dp_removal r = removal(1, 5);
	struct cw_dp_row row;

	CHECK(remove_one(&r) == CW_E_STALE && find(&b, &row));
	report("a late removal is stale and removes nothing");
	r.generation = 6;
	CHECK(remove_one(&r) == 0 && list_count(10) == 0);
	CHECK(remove_one(&r) == 0);
	report("removal, and of nothing, is success");
	b.generation = 1;
	CHECK(apply_one(&b) == 0);
	report("after a removal generations begin anew");
	flush();
	CHECK(list_count(10) == 0);
	flush();
	report("flush");
}

static void invalid(void)
{
	static const uint8_t v6[][16] = {{0}, {[15] = 1}, {0xff, 2, [15] = 1},
		{0xfe, 0x80, [15] = 1}, {[10] = 0xff, [11] = 0xff}};
	struct cw_dp_binding b;

	for (size_t i = 0; i < sizeof v6 / sizeof *v6; i++) {
		b = binding(1, 1);
		memcpy(b.ipv6, v6[i], 16);
		/* ::1 may try out a plugin that carries nothing (null). */
		if (i == 1 && !(cw_dphost_caps(host)->flags & CW_DP_CAP_FORWARDS))
			continue;
		CHECK(apply_one(&b) == CW_E_TEP);
	}
	b = binding(1, 1);
	memset(b.ipv4, 0, 4);
	CHECK(apply_one(&b) == CW_E_TEP);
	b = binding(1, 1);
	b.ports = (struct cw_dp_ports){0, 4, 16};
	CHECK(apply_one(&b) == CW_E_TEP);
	b.ports = (struct cw_dp_ports){10, 10, 1};
	CHECK(apply_one(&b) == CW_E_TEP);
	CHECK(list_count(10) == 0);
	report("bindings that can never work are refused");
}

static void port_sets(void)
{
	bool psid = cw_dphost_caps(host)->ranges == CW_DP_RANGES_PSID;
	struct cw_dp_binding b = binding(1, 1);

	b.ports = (struct cw_dp_ports){0, 4, 3};
	if (cw_dphost_caps(host)->ranges == CW_DP_RANGES_NONE) {
		CHECK(apply_one(&b) == CW_E_TEP && list_count(10) == 0);
		report("port sets are refused, as the caps say");
		return;
	}
	CHECK(apply_one(&b) == 0);
	b.ports.psid = 4;
	CHECK(apply_one(&b) == 0);
	b.ports.psid = 0;
	CHECK(apply_one(&b) == 0 && list_count(1) == 3);
	report("port sets of one address");
	b.ports = (struct cw_dp_ports){0, 0, 0};
	CHECK(apply_one(&b) == CW_E_CONFLICT);
	b.ports = (struct cw_dp_ports){0, 5, 3};
	CHECK(apply_one(&b) == CW_E_CONFLICT);
	report("a whole address over port sets, and another division, is a conflict");
	b = binding(2, 1);
	CHECK(apply_one(&b) == 0);
	b.ports = (struct cw_dp_ports){0, 4, 3};
	CHECK(apply_one(&b) == CW_E_CONFLICT && list_count(2) == 4);
	report("a port set over a whole address is a conflict");
	b = binding(3, 1);
	b.ports = (struct cw_dp_ports){4, 8, 200};
	CHECK(apply_one(&b) == (psid ? 0 : CW_E_TEP));
	report("scattered port sets, as the caps say");
	flush();
}

static void mixed_batch(void)
{
	struct cw_dp_binding b[7];

	for (uint32_t i = 0; i < 7; i++)
		b[i] = binding(10 + i, 5);
	CHECK(apply_one(&b[3]) == 0);
	b[1].ipv6[0] = 0xff;
	b[3].generation = 4;
	b[5] = b[4]; /* twice the same */
	b[6] = b[4];
	b[6].ports = (struct cw_dp_ports){0, 4, 3}; /* overlaps with one of its own batch */
	apply(b, 7);
	CHECK(got.result == 0 && got.n == 7);
	CHECK(got.items[0] == 0 && got.items[1] == CW_E_TEP && got.items[2] == 0 &&
		got.items[3] == CW_E_STALE);
	CHECK(got.items[4] == 0 && got.items[5] == 0 &&
		(got.items[6] == CW_E_CONFLICT || got.items[6] == CW_E_TEP));
	CHECK(list_count(100) == 4);
	report("each item of a batch has its own fate");
	flush();
}

static struct cw_dp_binding many[COUNT_MAX];

static void large(void)
{
	static const size_t pages[] = {1, 7, 1000};

	for (uint32_t i = 0; i < count; i++)
		many[i] = binding((uint32_t) ((uint64_t) i * 7919 % count), 1);
	apply(many, count);
	CHECK(got.result == 0 && got.n == count);
	for (size_t i = 0; i < got.n; i++)
		CHECK(got.items[i] == 0);
	report("a large batch");
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
		if (pages[i] * 3000 > count)
			CHECK(list_count(pages[i]) == count); /* the host checks the order */
	}
	report("listed in order, by pages");
}

/* Those that are there all the time must be seen exactly once while others come and go. */
static void list_while_changing(void)
{
	struct cw_dp_cursor at = {.begin = 1};
	unsigned char *seen = cw_zalloc(COUNT_MAX, 1);
	uint32_t turn = 0;
	size_t missing = 0, twice = 0;

	if (!seen)
		abort();
	do {
		struct cw_dp_binding b = binding(COUNT_MAX + turn, 1);
		struct cw_dp_removal r = removal(turn * 5 + 1, 1);

		page(at, count / 10 + 1);
		for (size_t i = 0; i < got.n; i++) {
			uint64_t id = got.rows[i].binding.lease - 1;

			if (id < count && seen[id]++)
				twice++;
		}
		at = got.next;
		if (got.more) {
			CHECK(apply_one(&b) == 0);
			CHECK(remove_one(&r) == 0);
			got.more = true;
		}
		turn++;
	} while (got.more && !case_failed);
	for (uint32_t i = 0; i < count; i++)
		missing += !seen[i] && !(i % 5 == 1 && i / 5 < turn);
	CHECK(turn >= 9 && missing == 0 && twice == 0);
	(void) cw_free(seen);
	report("a listing misses nothing and doubles nothing while bindings come and go");
	flush();
}

static void overlapping_requests(void)
{
	begin(20);
	for (uint32_t i = 0; i < 20; i++) {
		struct cw_dp_binding b = binding(i, 1);

		cw_dphost_apply(host, &b, 1, on_results, NULL);
	}
	wait_end();
	CHECK(got.calls == 20 && list_count(100) == 20);
	report("many requests at once are all answered");
	flush();
}

static void expiry(void)
{
	struct cw_dp_binding b = binding(1, 1), other = binding(2, 1);
	struct cw_dp_row row;

	b.expires_boot_ms = cw_clock_now(&cw_system_clock).boot_ms + 100;
	CHECK(apply_one(&b) == 0 && apply_one(&other) == 0);
	outstanding = 1; /* nobody answers: just the time */
	run(400);
	outstanding = 0;
	CHECK(find(&other, &row));
	b.generation = 2;
	b.expires_boot_ms = CW_DP_NO_EXPIRY;
	CHECK(apply_one(&b) == 0);
	outstanding = 1;
	run(200);
	outstanding = 0;
	CHECK(find(&b, &row) && row.binding.generation == 2);
	report("what expired may be bound again, and stays");
	flush();
}

static bool reopen(const char *more)
{
	static char all[5000];
	char why[256] = "";

	host = cw_dphost_close(host);
	(void) snprintf(all, sizeof all, "%s%s", options, more);
	conf.options = all;
	if (cw_dphost_open(loop, &conf, why, sizeof why, &host) < 0) {
		(void) printf("# %s\n", why);
		return false;
	}
	return true;
}

static void full(void)
{
	struct cw_dp_binding b[5];
	bool open = reopen("max_bindings=4\n");

	CHECK(open);
	if (open) {
		for (uint32_t i = 0; i < 5; i++)
			b[i] = binding(i, 1);
		apply(b, 5);
		CHECK(got.n == 5 && got.items[3] == 0 && got.items[4] == CW_E_LIMIT);
		b[0].generation = 2;
		CHECK(apply_one(&b[0]) == 0);
		CHECK(cw_dphost_caps(host)->max_bindings == 4);
	}
	report("full, except for what is there");
}

/* What a check says of options must be what opening says, and it must leave an open TEP alone. */
static void checks(void)
{
	static char all[5000];
	struct cw_dphost_config c = conf;
	struct cw_dphost *other = NULL;
	struct cw_dp_binding b = binding(1, 1);
	struct cw_dp_row row;
	char why[256] = "", opened[256] = "";

	c.options = options;
	flush();
	CHECK(apply_one(&b) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(cw_dphost_check(&c, why, sizeof why) == 0);
	CHECK(find(&b, &row));
	(void) snprintf(all, sizeof all, "%smax_bindings=many\n", options);
	c.options = all;
	CHECK(cw_dphost_check(&c, why, sizeof why) < 0);
	CHECK(cw_dphost_open(loop, &c, opened, sizeof opened, &other) < 0);
	CHECK(strcmp(why, opened) == 0 && strstr(why, "max_bindings"));
	(void) cw_dphost_close(other);
	report("checks its options as opening does, and only looks");
}

static void closing(void)
{
	struct cw_dp_binding b = binding(1, 1);
	bool open = reopen("");

	CHECK(open);
	if (open) {
		flush();
		begin(1);
		cw_dphost_apply(host, &b, 1, on_results, NULL);
		host = cw_dphost_close(host);
		CHECK(got.calls == 1 && (got.result == 0 || got.result == CW_E_SHUTDOWN));
	}
	report("closes with something outstanding");
}

static void faults(void)
{
	const struct cw_dphost_faults *f = cw_dphost_faults(host);

	CHECK(f->lies == 0 && f->late == 0 && f->deadlines == 0);
	report("the contract was kept throughout");
}

static int set_up(int argc, char **argv)
{
	char why[256] = "";
	int r;

	conf.directory = argv[1];
	conf.plugin = argv[2];
	conf.tep = "conformance";
	if (cw_addr6_parse(argv[3], strlen(argv[3]), &conf.ipv6) < 0 ||
		cw_addr4_parse(argv[4], strlen(argv[4]), &conf.ipv4) < 0)
		return CW_E_SYNTAX;
	conf.has_ipv4 = true;
	count = strtoul(argv[5], NULL, 10);
	if (count < 100 || count > COUNT_MAX)
		return CW_E_LIMIT;
	for (int i = 6; i < argc; i++) {
		size_t used = strlen(options);

		(void) snprintf(options + used, sizeof options - used, "%s\n", argv[i]);
	}
	conf.options = options;
	got.rows = cw_zalloc(COUNT_MAX, sizeof *got.rows);
	if (!got.rows)
		return -ENOMEM;
	r = cw_dphost_open(loop, &conf, why, sizeof why, &host);
	if (r < 0)
		(void) fprintf(stderr, "conformance: %s\n", why);
	return r;
}

int main(int argc, char **argv)
{
	if (argc < 6)
		return CW_EXIT_USAGE;
	cw_log_open("conformance", CW_LOG_ERR, CW_LOG_LOGFMT);
	if (cw_loop_new(&cw_system_clock, &loop) < 0 || set_up(argc, argv) < 0)
		return CW_EXIT_FAILURE;
	opens();
	applies();
	removes();
	invalid();
	port_sets();
	mixed_batch();
	large();
	list_while_changing();
	overlapping_requests();
	expiry();
	checks();
	faults();
	full();
	closing();
	host = cw_dphost_close(host);
	(void) cw_free(got.rows);
	if (cw_loop_free(loop) < 0) {
		(void) printf("not ok no handle is left behind\n");
		failed = true;
	}
	(void) printf("end\n");
	return failed ? CW_EXIT_FAILURE : CW_EXIT_OK;
}
