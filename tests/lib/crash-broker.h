/* SPDX-License-Identifier: BSD-2-Clause */
/* The causewayd that a crash test kills and starts again: one, below one folder. Everything that
 * goes wrong ends the test by hand_die() of tests/lib/tsp-hand.h, and the broker with it. Thread:
 * the test's main one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct crash_broker {
	const char *program, *plugin_dir, *dir; /* borrowed; to be filled first */
	pid_t pid;                              /* 0: it does not run */
};
extern struct crash_broker crash_broker;

int64_t crash_now_ms(void); /* monotonic */

/* Writes DIR/causewayd.conf: state in DIR/state, which is made, and the text. */
void crash_broker_configure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Starts it; returns the milliseconds until ready() was true. */
int64_t crash_broker_start(bool (*ready)(void));
/* SIGKILL, or SIGTERM: then its status must be 0. */
void crash_broker_end(int signum);
/* causewayd --check-db must find nothing. */
void crash_broker_check_db(void);
