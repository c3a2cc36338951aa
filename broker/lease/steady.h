/* SPDX-License-Identifier: BSD-2-Clause */
/* The steady time line on which leases end (reliability guide, section 7; ADR 3). It started at the
 * wall clock, advances with CLOCK_BOOTTIME and is carried over restarts by a heartbeat row. While
 * the process runs it is boot time plus a constant. Thread: the owner's; the values are plain data.
 */
#pragma once

#include "base/clock.h"
#include "base/defs.h"
#include "db/store.h"

struct cw_steady {
	int64_t offset_ms; /* steady = CLOCK_BOOTTIME + this */
};

/* How the line was continued. */
enum cw_steady_how {
	CW_STEADY_FRESH,     /* no heartbeat: a new database */
	CW_STEADY_SAME_BOOT, /* the difference of boot times; the wall clock was not looked at */
	CW_STEADY_NEW_BOOT,  /* the difference of wall clocks */
	CW_STEADY_BACKWARDS, /* the wall clock went back: no time passed */
	CW_STEADY_JUMP, /* it went forward by more than anybody would believe: no time passed */
};

/* hb NULL: a new database. jump_s: longest wall-clock difference that is believed. */
enum cw_steady_how cw_steady_init(struct cw_steady *s, const struct cw_op_heartbeat *hb,
	const struct cw_store_time *at, const char *boot_id, struct cw_now now, int64_t jump_s);
int64_t cw_steady_s(const struct cw_steady *s, int64_t boot_ms) CW_PURE;
/* The CLOCK_BOOTTIME millisecond at which a steady second begins. */
int64_t cw_steady_boot_ms(const struct cw_steady *s, int64_t steady_s) CW_PURE;
/* What the heartbeat row must hold now, so that no fraction of a second is lost or won by a
 * restart. */
void cw_steady_heartbeat(const struct cw_steady *s, struct cw_now now, const char *boot_id,
	struct cw_op_heartbeat *ret_hb, struct cw_store_time *ret_at);
const char *cw_steady_how_name(enum cw_steady_how how); /* for the log; never NULL */
