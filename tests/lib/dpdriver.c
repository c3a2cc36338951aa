/* SPDX-License-Identifier: BSD-2-Clause */
/* Drives one data plane plugin through the host, for shell tests: commands on stdin, one a line;
 * answers on stdout, data lines first, then "= RESULT".
 *
 * Usage: dpdriver DIRECTORY PLUGIN TEP6 [TEP4] [KEY=VALUE]...
 *
 *	apply IPV4 A/K/PSID IPV6 LEASE GENERATION LIFETIME_MS|never [MTU]
 *		"= 0 CODE"
 *	many COUNT FIRST_IPV4 GENERATION
 *		applies COUNT whole addresses; "= 0 MICROSECONDS"
 *	remove IPV4 A/K/PSID GENERATION
 *		"= 0 CODE up_packets down_packets drops"
 *	list
 *		rows; "= 0 COUNT"
 *	stats, probe, flush, faults, quit
 *	send COMMAND
 *		starts a command without waiting ("= sent"); its answer comes when it comes
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prog.h"
#include "dataplane/host/host.h"

static struct cw_loop *loop;
static struct cw_dphost *host;
static uv_poll_t in;
static char input[65536];
static size_t input_n;
static bool busy, ended;
static size_t listed;
static int64_t started_us;

static void next_line(void);

static void done(void)
{
	(void) fflush(stdout);
	busy = false;
}

static int64_t now_us(void)
{
	return cw_clock_now(&cw_system_clock).mono_us;
}

static const char *code(int r)
{
	return r == 0 ? "ok" : cw_err_name(r);
}

static void on_apply(
	void *arg, int result, const int *items, const struct cw_dp_counters *c, size_t n)
{
	(void) arg;
	(void) c;
	(void) printf("= %s %s\n", code(result), n ? code(items[n - 1]) : "none");
	done();
	next_line();
}

static void on_many(
	void *arg, int result, const int *items, const struct cw_dp_counters *c, size_t n)
{
	size_t bad = 0;

	(void) c;
	for (size_t i = 0; i < n; i++)
		bad += items[i] != 0;
	(void) printf(
		"= %s %zu failed, %" PRId64 " us\n", code(result), bad, now_us() - started_us);
	(void) cw_free(arg);
	done();
	next_line();
}

static void on_remove(
	void *arg, int result, const int *items, const struct cw_dp_counters *c, size_t n)
{
	(void) arg;
	(void) printf("= %s %s", code(result), n ? code(items[0]) : "none");
	if (c)
		(void) printf(" %" PRIu64 " %" PRIu64 " %" PRIu64, c->up_packets, c->down_packets,
			c->drops);
	(void) printf("\n");
	done();
	next_line();
}

static void on_flush(
	void *arg, int result, const int *items, const struct cw_dp_counters *c, size_t n)
{
	(void) arg;
	(void) items;
	(void) c;
	(void) n;
	(void) printf("= %s\n", code(result));
	done();
	next_line();
}

static void on_stats(void *arg, int result, const struct cw_dp_stat *s, size_t n)
{
	(void) arg;
	for (size_t i = 0; i < n; i++)
		(void) printf("%s %" PRIu64 "\n", s[i].name, s[i].value);
	(void) printf("= %s\n", code(result));
	done();
	next_line();
}

static void on_probe(void *arg, int result, const char *notes)
{
	(void) arg;
	if (notes[0])
		(void) printf("%s\n", notes);
	(void) printf("= %s\n", code(result));
	done();
	next_line();
}

static void on_rows(void *arg, int result, const struct cw_dp_row *rows, size_t n,
	const struct cw_dp_cursor *next)
{
	(void) arg;
	for (size_t i = 0; i < n; i++) {
		const struct cw_dp_binding *b = &rows[i].binding;
		const struct cw_dp_counters *c = &rows[i].counters;
		struct cw_addr6 a6;
		char text[CW_ADDR6_STRLEN];

		memcpy(a6.b, b->ipv6, 16);
		(void) printf("%u.%u.%u.%u %u/%u/%u %s %" PRIu64 " %" PRIu64 " mtu %u up %" PRIu64
			      " %" PRIu64 " down %" PRIu64 " %" PRIu64 " drops %" PRIu64 "\n",
			b->ipv4[0], b->ipv4[1], b->ipv4[2], b->ipv4[3], b->ports.offset,
			b->ports.len, b->ports.psid, cw_addr6_str(&a6, text), b->lease,
			b->generation, b->mtu, c->up_packets, c->up_bytes, c->down_packets,
			c->down_bytes, c->drops);
	}
	listed += n;
	if (result == 0 && next) {
		cw_dphost_list(host, *next, 3, on_rows, NULL);
		return;
	}
	(void) printf("= %s %zu\n", code(result), listed);
	done();
	next_line();
}

static bool key(char *v4, char *ports, uint8_t ret4[4], struct cw_dp_ports *ret_ports)
{
	struct cw_addr4 a;
	unsigned o, k, psid;

	if (!v4 || !ports || cw_addr4_parse(v4, strlen(v4), &a) < 0 ||
		sscanf(ports, "%u/%u/%u", &o, &k, &psid) != 3)
		return false;
	for (unsigned i = 0; i < 4; i++)
		ret4[i] = (uint8_t) (a.v >> (24 - 8 * i));
	*ret_ports = (struct cw_dp_ports){(uint8_t) o, (uint8_t) k, (uint16_t) psid};
	return true;
}

static int64_t expiry(const char *s)
{
	return strcmp(s, "never") == 0
		       ? CW_DP_NO_EXPIRY
		       : cw_clock_now(&cw_system_clock).boot_ms + strtoll(s, NULL, 10);
}

static bool do_apply(char **w)
{
	struct cw_dp_binding b = {0};
	struct cw_addr6 a6;

	if (!key(w[1], w[2], b.ipv4, &b.ports) || !w[3] || !w[4] || !w[5] || !w[6] ||
		cw_addr6_parse(w[3], strlen(w[3]), &a6) < 0)
		return false;
	memcpy(b.ipv6, a6.b, 16);
	b.lease = strtoull(w[4], NULL, 10);
	b.generation = strtoull(w[5], NULL, 10);
	b.expires_boot_ms = expiry(w[6]);
	b.mtu = w[7] ? (uint32_t) strtoul(w[7], NULL, 10) : 0;
	cw_dphost_apply(host, &b, 1, on_apply, NULL);
	return true;
}

static bool do_many(char **w)
{
	size_t n = w[1] ? strtoul(w[1], NULL, 10) : 0;
	struct cw_dp_binding *b;
	struct cw_addr4 a;

	if (n == 0 || !w[2] || !w[3] || cw_addr4_parse(w[2], strlen(w[2]), &a) < 0)
		return false;
	b = cw_zalloc(n, sizeof *b);
	if (!b)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint32_t v = a.v + (uint32_t) i;

		for (unsigned k = 0; k < 4; k++)
			b[i].ipv4[k] = b[i].ipv6[12 + k] = (uint8_t) (v >> (24 - 8 * k));
		b[i].ipv6[0] = 0x20;
		b[i].ipv6[1] = 0x01;
		b[i].lease = v;
		b[i].generation = strtoull(w[3], NULL, 10);
		b[i].expires_boot_ms = CW_DP_NO_EXPIRY;
	}
	started_us = now_us();
	cw_dphost_apply(host, b, n, on_many, b);
	return true;
}

static bool do_remove(char **w)
{
	struct cw_dp_removal r = {0};

	if (!key(w[1], w[2], r.ipv4, &r.ports) || !w[3])
		return false;
	r.generation = strtoull(w[3], NULL, 10);
	cw_dphost_remove(host, &r, 1, on_remove, NULL);
	return true;
}

static bool do_faults(void)
{
	const struct cw_dphost_faults *f = cw_dphost_faults(host);

	(void) printf("= ok deadlines %" PRIu64 " late %" PRIu64 " lies %" PRIu64 "\n",
		f->deadlines, f->late, f->lies);
	done();
	return true;
}

static bool run(char **w)
{
	if (strcmp(w[0], "apply") == 0)
		return do_apply(w);
	if (strcmp(w[0], "many") == 0)
		return do_many(w);
	if (strcmp(w[0], "remove") == 0)
		return do_remove(w);
	if (strcmp(w[0], "faults") == 0)
		return do_faults();
	if (strcmp(w[0], "list") == 0) {
		listed = 0;
		cw_dphost_list(host, (struct cw_dp_cursor){.begin = 1}, 3, on_rows, NULL);
	} else if (strcmp(w[0], "stats") == 0) {
		cw_dphost_stats(host, on_stats, NULL);
	} else if (strcmp(w[0], "probe") == 0) {
		cw_dphost_probe(host, on_probe, NULL);
	} else if (strcmp(w[0], "flush") == 0) {
		cw_dphost_flush(host, on_flush, NULL);
	} else {
		return false;
	}
	return true;
}

static void finish(void)
{
	ended = true;
	(void) uv_poll_stop(&in);
	cw_loop_stop(loop);
}

static void command(char *line)
{
	char *words[10] = {NULL}, *save = NULL;
	unsigned n = 0;
	bool wait = true;

	for (char *w = strtok_r(line, " \t", &save); w && n < 9; w = strtok_r(NULL, " \t", &save))
		words[n++] = w;
	if (n == 0)
		return;
	if (strcmp(words[0], "quit") == 0) {
		finish();
		return;
	}
	if (strcmp(words[0], "send") == 0 && n > 1) {
		memmove(words, words + 1, sizeof words - sizeof *words);
		wait = false;
		(void) printf("= sent\n");
		(void) fflush(stdout);
	}
	busy = true;
	if (!run(words)) {
		(void) printf("= usage\n");
		done();
	}
	if (!wait)
		busy = false;
}

/* Runs commands until one has to be waited for. */
static void next_line(void)
{
	static bool inside;

	if (inside)
		return;
	inside = true;
	while (!busy && !ended) {
		char *end = memchr(input, '\n', input_n);
		size_t n = end ? (size_t) (end - input) : 0;
		char line[1024];

		if (!end || n >= sizeof line)
			break;
		memcpy(line, input, n);
		line[n] = '\0';
		memmove(input, end + 1, input_n - n - 1);
		input_n -= n + 1;
		command(line);
	}
	inside = false;
}

static void on_input(uv_poll_t *p, int status, int events)
{
	ssize_t n = read(0, input + input_n, sizeof input - input_n);

	(void) p;
	(void) status;
	(void) events;
	if (n <= 0) {
		finish();
		return;
	}
	input_n += (size_t) n;
	next_line();
}

static void on_closed(uv_handle_t *h)
{
	(void) h;
}

static int open_host(int argc, char **argv)
{
	struct cw_dphost_config conf = {.directory = argv[1], .plugin = argv[2], .tep = "edge1"};
	char options[4096] = "", why[256] = "";
	int i = 4, r;

	if (cw_addr6_parse(argv[3], strlen(argv[3]), &conf.ipv6) < 0)
		return CW_E_SYNTAX;
	if (i < argc && !strchr(argv[i], '=')) {
		conf.has_ipv4 = cw_addr4_parse(argv[i], strlen(argv[i]), &conf.ipv4) == 0;
		i++;
	}
	for (; i < argc; i++) {
		size_t used = strlen(options);

		(void) snprintf(options + used, sizeof options - used, "%s\n", argv[i]);
	}
	conf.options = options;
	r = cw_dphost_open(loop, &conf, why, sizeof why, &host);
	if (r < 0)
		(void) fprintf(stderr, "dpdriver: %s (%s)\n", why, cw_err_name(r));
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc < 4)
		return CW_EXIT_USAGE;
	cw_log_open("dpdriver", CW_LOG_INFO, CW_LOG_LOGFMT);
	if (cw_loop_new(&cw_system_clock, &loop) < 0)
		return CW_EXIT_FAILURE;
	r = open_host(argc, argv);
	if (r == 0) {
		const struct cw_dp_caps *c = cw_dphost_caps(host);

		(void) printf("= ready flags %u ranges %u frag %u max %" PRIu64 "\n", c->flags,
			(unsigned) c->ranges, c->frag_modes, c->max_bindings);
		(void) fflush(stdout);
		(void) uv_poll_init(cw_loop_uv(loop), &in, 0);
		(void) uv_poll_start(&in, UV_READABLE, on_input);
		(void) cw_loop_run(loop);
		uv_close((uv_handle_t *) &in, on_closed);
		host = cw_dphost_close(host);
	}
	if (cw_loop_free(loop) < 0)
		return CW_EXIT_FAILURE;
	return r == 0 ? CW_EXIT_OK : CW_EXIT_FAILURE;
}
