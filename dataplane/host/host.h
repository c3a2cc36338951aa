/* SPDX-License-Identifier: BSD-2-Clause */
/* The host side of the plugin interface, shared by causewayd and causeway-tepd: finds and checks a
 * plugin file, opens an instance for one TEP, batches, enforces deadlines, and hands results back
 * on the loop thread. A plugin that hangs, lies (wrong counts, unknown or repeated tokens, rows out
 * of order) or fails costs its own TEP only. Thread: the loop's, all of it. */
#pragma once

#include <stdbool.h>

#include "causeway-dataplane.h"

#include "base/addr.h"
#include "base/defs.h"
#include "base/loop.h"

struct cw_dphost; /* one open plugin instance = one TEP */

struct cw_dphost_config {
	const char *plugin;    /* "null" */
	const char *directory; /* NULL: the compiled-in one. Must be root-owned (or the caller's own
				* when not root), not writable by others; so must the file */
	const char *tep;       /* name, borrowed until close */
	bool has_ipv4;
	struct cw_addr4 ipv4;
	struct cw_addr6 ipv6;
	const char *options; /* "key=value" lines; unknown keys are refused */
};

/* Loads, checks abi, size and name before any other field, opens. CW_E_SYNTAX: plugin name or
 * options; -ENOENT: no such plugin; -EPERM: owner or mode of file or directory; -ENOEXEC: not a
 * plugin of this ABI, or a file cut short; else what the plugin's open said. One line in why. *ret
 * given. */
int cw_dphost_open(struct cw_loop *loop, const struct cw_dphost_config *conf, char *why,
	size_t why_n, struct cw_dphost **ret) CW_MUST_CHECK;
/* Fails what is outstanding with CW_E_SHUTDOWN, closes the instance, unloads. */
struct cw_dphost *cw_dphost_close(struct cw_dphost *h);
const struct cw_dp_caps *cw_dphost_caps(const struct cw_dphost *h);

/* What the plugin did wrong so far. */
struct cw_dphost_faults {
	uint64_t deadlines; /* tokens not answered in time */
	uint64_t late;      /* answers after that */
	uint64_t lies; /* unknown or repeated tokens, wrong counts, rows out of order, cursors that
			  stand still */
};
const struct cw_dphost_faults *cw_dphost_faults(const struct cw_dphost *h);
/* Checks plugin name, directory, and options, their values by the plugin's own check if it has one,
 * without opening an instance (--check-config). Codes as cw_dphost_open(). */
int cw_dphost_check(const struct cw_dphost_config *conf, char *why, size_t why_n) CW_MUST_CHECK;

/* Operations. fn is called exactly once, on the loop thread, maybe before the call returns; it may
 * close h. Items are copied; batches larger than the plugin's are split, sent one after the other
 * and answered as one. result: 0 (the items tell), or what stopped the batch: CW_E_TEP (deadline,
 * plugin failure or lie), -EAGAIN (the plugin may be asked again), CW_E_SHUTDOWN, -ENOMEM (then
 * nothing was sent and n is 0). items: n codes in the order given: 0, CW_E_TEP, CW_E_STALE,
 * CW_E_CONFLICT, CW_E_LIMIT, -EAGAIN; those that were not answered carry `result`. After a deadline
 * an item may have been done all the same: operations are idempotent, ask again. counters: n final
 * counters, remove only. */
typedef void cw_dphost_results_t(
	void *arg, int result, const int *items, const struct cw_dp_counters *counters, size_t n);
void cw_dphost_apply(struct cw_dphost *h, const struct cw_dp_binding *b, size_t n,
	cw_dphost_results_t *fn, void *arg);
void cw_dphost_remove(struct cw_dphost *h, const struct cw_dp_removal *r, size_t n,
	cw_dphost_results_t *fn, void *arg);
/* Up to max rows (0: 1024). next: NULL at the end. */
typedef void cw_dphost_rows_t(void *arg, int result, const struct cw_dp_row *rows, size_t n,
	const struct cw_dp_cursor *next);
void cw_dphost_list(struct cw_dphost *h, struct cw_dp_cursor after, size_t max,
	cw_dphost_rows_t *fn, void *arg);
typedef void cw_dphost_stats_t(void *arg, int result, const struct cw_dp_stat *stats, size_t n);
void cw_dphost_stats(struct cw_dphost *h, cw_dphost_stats_t *fn, void *arg);
/* notes: what the plugin says is missing and the remedy, one per line; "" if nothing. */
typedef void cw_dphost_probe_t(void *arg, int result, const char *notes);
void cw_dphost_probe(struct cw_dphost *h, cw_dphost_probe_t *fn, void *arg);
void cw_dphost_flush(struct cw_dphost *h, cw_dphost_results_t *fn, void *arg);

/* Conversions between the project's values and the ABI's. */
struct cw_dp_ports cw_dp_ports_of(struct cw_portset ps);
struct cw_portset cw_portset_of_dp(struct cw_dp_ports p);
