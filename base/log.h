/* SPDX-License-Identifier: BSD-2-Clause */
/* Structured log: a level, a fixed text and typed key=value fields; to stderr as logfmt or JSON, or
 * to journald with native fields. A value a peer supplied is escaped and cut. The level and the
 * sink are the only static state. Thread: any (one write(2) per line). */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/defs.h"

enum cw_log_level { CW_LOG_ERR, CW_LOG_WARNING, CW_LOG_NOTICE, CW_LOG_INFO, CW_LOG_DEBUG };
enum cw_log_format { CW_LOG_AUTO, CW_LOG_LOGFMT, CW_LOG_JSON, CW_LOG_JOURNAL };

/* One field. Build with the CW_F_* macros; the array given to cw_log() ends itself. */
struct cw_field {
	const char *key; /* lower case, from the list in contrib/doc/design.md */
	enum {
		CW_FT_END,
		CW_FT_STR,
		CW_FT_SLICE,
		CW_FT_INT,
		CW_FT_UINT,
		CW_FT_ADDR4,
		CW_FT_ADDR6,
		CW_FT_PORTSET,
		CW_FT_ERR,
		CW_FT_SOCKADDR,
	} type;
	union {
		const char *s;
		struct cw_slice slice;
		int64_t i;
		uint64_t u;
		struct cw_addr4 a4;
		const struct cw_addr6 *a6;
		struct cw_portset ps;
		const struct sockaddr *sa;
	} v;
};

/* clang-format off */
#define CW_F_EVENT(x)      {.key = "event", .type = CW_FT_STR, .v.s = (x)}
#define CW_F_STR(k, x)     {.key = (k), .type = CW_FT_STR, .v.s = (x)}
#define CW_F_SLICE(k, x)   {.key = (k), .type = CW_FT_SLICE, .v.slice = (x)}
#define CW_F_INT(k, x)     {.key = (k), .type = CW_FT_INT, .v.i = (x)}
#define CW_F_UINT(k, x)    {.key = (k), .type = CW_FT_UINT, .v.u = (x)}
#define CW_F_ADDR4(k, x)   {.key = (k), .type = CW_FT_ADDR4, .v.a4 = (x)}
#define CW_F_ADDR6(k, x)   {.key = (k), .type = CW_FT_ADDR6, .v.a6 = (x)}
#define CW_F_PORTSET(k, x) {.key = (k), .type = CW_FT_PORTSET, .v.ps = (x)}
#define CW_F_ERR(x)        {.key = "err", .type = CW_FT_ERR, .v.i = (x)}
#define CW_F_PEER(x)       {.key = "peer", .type = CW_FT_SOCKADDR, .v.sa = (x)}
/* clang-format on */
/* cw_log(CW_LOG_INFO, CW_F(CW_F_EVENT("lease.grant"), CW_F_UINT("lease", id)), "lease granted"); */
#define CW_F(...) ((const struct cw_field[]){__VA_ARGS__, {.type = CW_FT_END}})
#define CW_F_NONE ((const struct cw_field[]){{.type = CW_FT_END}})

/* AUTO: journald if stderr is the journal's socket, else logfmt. Call once, before threads;
 * `program` is borrowed for good. Before the call: logfmt to stderr, level info. */
void cw_log_open(const char *program, enum cw_log_level level, enum cw_log_format format);
/* From now on; any thread. */
void cw_log_change(enum cw_log_level level, enum cw_log_format format);
void cw_log_set_level(enum cw_log_level level); /* any thread, any time (reload) */
/* Where journald listens; NULL: the usual place. For tests; borrowed. Before threads. */
void cw_log_set_journal_socket(const char *path);
bool cw_log_enabled(enum cw_log_level level);
void cw_log(enum cw_log_level level, const struct cw_field *fields, const char *text);
/* "err".."debug"; CW_E_SYNTAX */
int cw_log_level_parse(const char *s, enum cw_log_level *ret) CW_MUST_CHECK;
/* A rate limit for lines peers can cause: true at most `burst` times per `interval_ms`. */
struct cw_log_limit {
	int64_t window_start_us;
	unsigned used;
};
bool cw_log_limit_ok(struct cw_log_limit *l, int64_t mono_us, unsigned burst, unsigned interval_ms);
