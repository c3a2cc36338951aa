/* SPDX-License-Identifier: BSD-2-Clause */
/* Causeway data plane plugins: the binary interface between a host (causewayd, causeway-tepd) and
 * what programs a tunnel end point (TEP). This header is all a plugin needs; it is installed and
 * stands alone. See causeway-plugin(7) for a guided tour.
 *
 * A plugin is a shared object NAME.so in the host's plugin directory that exports one symbol:
 *
 *	const struct cw_dp_plugin cw_dataplane_plugin = {
 *		.abi = CW_DP_ABI, .size = sizeof cw_dataplane_plugin, .name = "NAME", ...
 *	};
 *
 * Rules
 *  - The host calls all operations from one thread and never two at once for one instance. No
 *    operation may block: start the work, return, and call host->complete() later (or inside the
 *    call) with the token. complete() and log() may be called from any thread; the other host
 *    functions only from the host's thread.
 *  - Every operation is idempotent. "Already there" and "already gone" are success.
 *  - A binding's key is (ipv4, ports). apply adds it or replaces what that key had; same content is
 *    success and keeps the counters; an older generation than the one there is CW_DP_STALE and
 *    changes nothing. remove of nothing is success; remove with an older generation than the one
 *    there is CW_DP_STALE and removes nothing.
 *  - Two bindings of one IPv4 whose port sets overlap without being equal are refused, as is a port
 *    set with another (offset, len) than the others of its address (RFC 7597 5.1): CW_DP_EXISTS.
 *  - A binding stops forwarding at expires_boot_ms by itself, whether or not its host is alive; it
 *    may be listed until removed.
 *  - Each item of a batch has its own result; a failed item does not undo the others.
 *    CW_DP_TRANSIENT may be sent again, the rest not.
 *  - The host gives up on a token after deadline_ms; a completion after that is ignored.
 *  - Arrays handed over are borrowed for the call only, in both directions.
 *
 * Versions: CW_DP_ABI changes when a released field changes. New fields are appended; `size` tells
 * what a side knows. Everything reserved is zero. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CW_DP_ABI           1
#define CW_DP_PLUGIN_SYMBOL "cw_dataplane_plugin"
#define CW_DP_NO_EXPIRY     INT64_MAX

/* Port set of RFC 7597 5.1: offset (a bits), len (k bits), PSID. len 0 = all ports of the address.
 */
struct cw_dp_ports {
	uint8_t offset;
	uint8_t len;
	uint16_t psid; /* host order */
};

struct cw_dp_binding {
	uint8_t ipv4[4]; /* network order */
	struct cw_dp_ports ports;
	uint8_t ipv6[16]; /* the client's end of the tunnel, network order */
	uint64_t lease;   /* for logs */
	uint64_t generation;
	int64_t expires_boot_ms; /* CLOCK_BOOTTIME milliseconds */
	uint32_t mtu;            /* of the tunnel path, 0 = the TEP's own */
	uint32_t reserved;
};

struct cw_dp_removal {
	uint8_t ipv4[4];
	struct cw_dp_ports ports;
	uint64_t lease;
	uint64_t generation;
};

enum cw_dp_status {
	CW_DP_OK = 0,
	CW_DP_TRANSIENT = 1,   /* no memory, buffers or connection now: try again */
	CW_DP_INVALID = 2,     /* the item can never work */
	CW_DP_FULL = 3,        /* no room for more bindings */
	CW_DP_UNSUPPORTED = 4, /* e.g. a port set where caps say none */
	CW_DP_EXISTS = 5,      /* overlaps with another binding */
	CW_DP_STALE = 6,       /* a newer generation is there */
	CW_DP_FAILED = 7,      /* refused for good; see the log */
};

/* Traffic of one binding since it was applied; "up" is from the client to IPv4. */
struct cw_dp_counters {
	uint64_t up_packets, up_bytes, down_packets, down_bytes, drops;
};

/* Result of one item of apply or remove; counters are the final ones of a removed binding, else
 * zero. */
struct cw_dp_result {
	enum cw_dp_status status;
	struct cw_dp_counters counters;
};

/* One row of list: the binding as it is, and its counters. */
struct cw_dp_row {
	struct cw_dp_binding binding;
	struct cw_dp_counters counters;
};

/* A place in the order of (ipv4, psid), for paging. `begin` != 0: before the first. */
struct cw_dp_cursor {
	uint8_t ipv4[4];
	uint16_t psid;
	uint16_t begin;
};

/* One named number of the whole plugin ("drop.spoof"). Names are static. */
struct cw_dp_stat {
	const char *name;
	uint64_t value;
};

enum cw_dp_log_level {
	CW_DP_LOG_ERR,
	CW_DP_LOG_WARNING,
	CW_DP_LOG_NOTICE,
	CW_DP_LOG_INFO,
	CW_DP_LOG_DEBUG
};

struct cw_dp_timer; /* the host's */
struct cw_dp_watch; /* the host's */
enum { CW_DP_READABLE = 1, CW_DP_WRITABLE = 2 };

/* What the host offers. Valid from open to close. */
struct cw_dp_host {
	uint32_t size;
	uint32_t reserved;
	void *ctx; /* first argument of every function below */

	/* Any thread. text is one line, no secret in it. */
	void (*log)(void *ctx, enum cw_dp_log_level level, const char *text);
	int64_t (*now_boot_ms)(void *ctx);

	/* Any thread. Ends a token. apply, remove, flush, probe: results (n as many as there were
	 * items; 0 for flush and probe, whose outcome is `status`; for apply/remove a status other
	 * than OK fails all items and results may be NULL). list: rows and, if there are more, next
	 * != NULL. stats: stats. */
	void (*complete)(void *ctx, uint64_t token, enum cw_dp_status status,
		const struct cw_dp_result *results, size_t n);
	void (*complete_list)(void *ctx, uint64_t token, enum cw_dp_status status,
		const struct cw_dp_row *rows, size_t n, const struct cw_dp_cursor *next);
	void (*complete_stats)(void *ctx, uint64_t token, const struct cw_dp_stat *stats, size_t n);
	/* Probe only: one line about what is missing and the remedy; may be called several times
	 * before complete. */
	void (*probe_note)(void *ctx, uint64_t token, const char *text);

	/* Host's thread. fn runs once after_ms later. NULL: out of memory. */
	struct cw_dp_timer *(*timer_start)(
		void *ctx, uint64_t after_ms, void (*fn)(void *arg), void *arg);
	void (*timer_cancel)(void *ctx, struct cw_dp_timer *t); /* NULL is fine; not after fn ran */
	/* fn runs when fd is ready for `events`, until unwatched. The plugin owns fd and unwatches
	 * before closing it. */
	struct cw_dp_watch *(*watch)(
		void *ctx, int fd, int events, void (*fn)(void *arg, int events), void *arg);
	void (*unwatch)(void *ctx, struct cw_dp_watch *w);
};

enum cw_dp_ranges { CW_DP_RANGES_NONE, CW_DP_RANGES_ALIGNED_POW2, CW_DP_RANGES_PSID };

enum {
	CW_DP_CAP_ANTI_SPOOF = 1u << 0, /* inner source (and port) checked against the binding */
	CW_DP_CAP_EXPIRY = 1u << 1,     /* stops at expires_boot_ms by itself */
	CW_DP_CAP_COUNTERS = 1u << 2,
	CW_DP_CAP_HAIRPIN = 1u << 3,  /* forwards between two of its clients */
	CW_DP_CAP_FORWARDS = 1u << 4, /* carries packets itself (not only remembers) */
};
enum {
	CW_DP_FRAG_INNER = 1u << 0,
	CW_DP_FRAG_OUTER = 1u << 1,
	CW_DP_FRAG_OUTER_IGNORE_DF = 1u << 2,
};

/* What this instance can do with its options; filled by open. */
struct cw_dp_caps {
	uint32_t size;  /* set by the host */
	uint32_t flags; /* CW_DP_CAP_* */
	enum cw_dp_ranges ranges;
	uint32_t frag_modes;   /* CW_DP_FRAG_* */
	uint64_t max_bindings; /* 0 = bounded by memory only */
	uint32_t deadline_ms;  /* how long the host should wait for a token; 0 = 5000 */
	uint32_t batch_max;    /* items per apply/remove call; 0 = 1024 */
};

/* An option an operator may set for a TEP. Values are text; `def` NULL = required. */
struct cw_dp_option {
	const char *name;
	const char *def;
	const char *help;
};

struct cw_dp_setting {
	const char *name;
	const char *value;
};

/* What open gets. */
struct cw_dp_open {
	uint32_t size;
	uint32_t n_settings;
	const char *tep; /* name of the TEP, for logs and device names */
	uint8_t ipv4[4]; /* 0.0.0.0: none */
	uint8_t ipv6[16];
	const struct cw_dp_setting
		*settings; /* every option of the plugin once, defaults filled in */
};

struct cw_dp_ops {
	/* Makes an instance: 0 and *ret_self, or a negative errno with one line in why
	 * (NUL-terminated, why_n octets). May do short system calls (create a device, open a
	 * socket), nothing that waits. */
	int (*open)(const struct cw_dp_host *host, const struct cw_dp_open *open,
		struct cw_dp_caps *ret_caps, void **ret_self, char *why, size_t why_n);
	/* Stops forwarding or leaves it on, as the plugin documents; frees. No completion may
	 * follow. */
	void (*close)(void *self);
	/* Does the real work once (a trial binding, packet, child), says what is missing through
	 * probe_note. */
	void (*probe)(void *self, uint64_t token);
	void (*apply)(void *self, uint64_t token, const struct cw_dp_binding *items, size_t n);
	void (*remove)(void *self, uint64_t token, const struct cw_dp_removal *items, size_t n);
	/* Up to max rows after `after`, in order of (ipv4, psid). Bindings applied meanwhile may or
	 * may not show. */
	void (*list)(void *self, uint64_t token, struct cw_dp_cursor after, size_t max);
	void (*stats)(void *self, uint64_t token);
	/* Removes every binding. For tests and decommissioning; a host never flushes to
	 * resynchronise. */
	void (*flush)(void *self, uint64_t token);
};

struct cw_dp_plugin {
	uint32_t abi;     /* CW_DP_ABI */
	uint32_t size;    /* sizeof(struct cw_dp_plugin) of the plugin */
	const char *name; /* equals the file's name without ".so" */
	const char *version;
	const char *help;  /* one sentence */
	const char *needs; /* capabilities(7) it needs, blank-separated: "CAP_NET_ADMIN
			      CAP_NET_RAW"; "" = none */
	const struct cw_dp_option *options; /* ends with name == NULL; NULL = none */
	const struct cw_dp_ops *ops;
	/* May be NULL. Looks at what open would get, above all at the values of the options, and
	 * changes nothing on the host: 0, or a negative errno with one line in why (NUL-terminated,
	 * why_n octets). Hosts call it to check a configuration: without an instance, beside open
	 * ones, any number of times, from the thread of the operations, which it does not block.
	 * open does not rely on it. A host that does not know it never looks here; one that does
	 * calls it only if `size` covers it. */
	int (*check)(const struct cw_dp_open *open, char *why, size_t why_n);
};

#ifndef CW_DP_HOST
extern const struct cw_dp_plugin cw_dataplane_plugin __attribute__((visibility("default")));
#endif

#ifdef __cplusplus
}
#endif
