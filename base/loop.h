/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop of a program: libuv plus "run this on the loop thread" from other threads, and
 * signals. Only base/loop*, files named *_io.c and main.c may include <uv.h>; they get the
 * uv_loop_t here. Thread: all calls the loop's own, except cw_loop_post. */
#pragma once

#include "base/clock.h"
#include "base/defs.h"
#include "base/queue.h"

struct cw_loop;
struct uv_loop_s;

/* A thing to run on the loop thread. Embed it; it may be posted again once fn was called. */
struct cw_loop_task {
	struct cw_qnode node;
	void (*fn)(struct cw_loop_task *task);
};

/* Given; ignores SIGPIPE. */
int cw_loop_new(const struct cw_clock *clock, struct cw_loop **ret) CW_MUST_CHECK;
/* Runs what was posted, then closes what is its own; NULL is fine. Tasks posted meanwhile from
 * other threads may never run: stop those first. -EBUSY: somebody's handle is still open (a leak;
 * tests fail on it). */
int cw_loop_free(struct cw_loop *l);
struct uv_loop_s *cw_loop_uv(struct cw_loop *l); /* borrowed */
const struct cw_clock *cw_loop_clock(const struct cw_loop *l);
int cw_loop_run(struct cw_loop *l); /* until cw_loop_stop(); at once if that was called before. 0 */
void cw_loop_stop(struct cw_loop *l); /* cw_loop_run returns after this turn */
/* Time its thread did not wait for something to do, since it was made. */
uint64_t cw_loop_busy_us(const struct cw_loop *l);
/* Any thread. Tasks run in the order posted. The loop must outlive the task. */
void cw_loop_post(struct cw_loop *l, struct cw_loop_task *task);
/* Calls fn on the loop thread for each delivery of signum. 0 or -errno. */
int cw_loop_on_signal(
	struct cw_loop *l, int signum, void (*fn)(void *arg, int signum), void *arg) CW_MUST_CHECK;

/* One-shot timer for code without uv (machines get their time passed in; this is for the glue).
 * Init once; start replaces an earlier deadline; done before the memory goes: fn_closed runs
 * later. */
struct cw_timer;
int cw_timer_new(
	struct cw_loop *l, void (*fn)(void *arg), void *arg, struct cw_timer **ret) CW_MUST_CHECK;
void cw_timer_start(struct cw_timer *t, uint64_t after_ms);
void cw_timer_stop(struct cw_timer *t);
/* Stops; memory goes when libuv lets go; returns NULL. */
struct cw_timer *cw_timer_free(struct cw_timer *t);
