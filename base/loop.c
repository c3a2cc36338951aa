/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop of a program: a libuv loop, a queue of tasks from other threads behind one
 * uv_async_t (whose wake-ups coalesce, so each drains the queue), signal watchers and one-shot
 * timers. Owns its handles; everybody else's handles are theirs to close before cw_loop_free(). */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <uv.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/mem.h"

/* Tasks of one wake-up; after them the sockets have their turn. */
#define TASK_BUDGET 256
/* At the end tasks may post tasks, but not for ever. */
#define LAST_ROUNDS 64

struct cw_loop {
	uv_loop_t uv;
	uint64_t begun_ns;
	uv_async_t wake;
	struct cw_queue tasks;
	struct cw_list signals; /* struct watcher */
	const struct cw_clock *clock;
	unsigned open_handles; /* own ones libuv has not let go of */
};

struct watcher {
	uv_signal_t handle;
	struct cw_list in_loop;
	void (*fn)(void *arg, int signum);
	void *arg;
};

struct cw_timer {
	uv_timer_t handle;
	void (*fn)(void *arg);
	void *arg;
};

static void run_chain(struct cw_qnode *chain)
{
	while (chain) {
		struct cw_loop_task *task = cw_container_of(chain, struct cw_loop_task, node);

		chain = chain->next; /* fn may post the task again, or free it */
		task->fn(task);
	}
}

static void on_wake(uv_async_t *wake)
{
	struct cw_loop *l = wake->data;

	run_chain(cw_queue_take(&l->tasks, TASK_BUDGET));
	if (cw_queue_count(&l->tasks))
		(void) uv_async_send(&l->wake);
}

static int ignore_sigpipe(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	return sigaction(SIGPIPE, &ignore, NULL) < 0 ? -errno : 0;
}

int cw_loop_new(const struct cw_clock *clock, struct cw_loop **ret)
{
	CW_CLEANUP(cw_freep) struct cw_loop *l = cw_zalloc(1, sizeof *l);
	int r;

	if (!l)
		return -ENOMEM;
	r = ignore_sigpipe();
	if (r < 0)
		return r;
	r = cw_queue_init(&l->tasks);
	if (r < 0)
		return r;
	r = uv_loop_init(&l->uv);
	if (r < 0) {
		cw_queue_done(&l->tasks);
		return r;
	}
	(void) uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME);
	l->begun_ns = uv_hrtime();
	r = uv_async_init(&l->uv, &l->wake, on_wake);
	if (r < 0) {
		(void) uv_loop_close(&l->uv);
		cw_queue_done(&l->tasks);
		return r;
	}
	l->wake.data = l;
	l->open_handles = 1;
	l->clock = clock;
	cw_list_init(&l->signals);
	*ret = CW_TAKE(l);
	return 0;
}

static void on_wake_closed(uv_handle_t *handle)
{
	struct cw_loop *l = handle->data;

	l->open_handles--;
}

static void on_signal_closed(uv_handle_t *handle)
{
	struct cw_loop *l = handle->loop->data;

	l->open_handles--;
	(void) cw_free(handle->data);
}

int cw_loop_free(struct cw_loop *l)
{
	struct cw_list *item;
	int r;

	if (!l)
		return 0;
	for (unsigned i = 0; i < LAST_ROUNDS && cw_queue_count(&l->tasks); i++)
		run_chain(cw_queue_take(&l->tasks, SIZE_MAX));
	cw_queue_close(&l->tasks);
	l->uv.data = l;
	while ((item = cw_list_pop(&l->signals)) != NULL) {
		struct watcher *w = cw_container_of(item, struct watcher, in_loop);

		uv_close((uv_handle_t *) &w->handle, on_signal_closed);
	}
	uv_close((uv_handle_t *) &l->wake, on_wake_closed);
	/* Never wait here: a handle somebody forgot could keep us for ever. */
	while (l->open_handles)
		(void) uv_run(&l->uv, UV_RUN_NOWAIT);
	r = uv_loop_close(&l->uv);
	if (r < 0)
		return r; /* the forgotten handle still points into l */
	cw_queue_done(&l->tasks);
	(void) cw_free(l);
	return 0;
}

struct uv_loop_s *cw_loop_uv(struct cw_loop *l)
{
	return &l->uv;
}

const struct cw_clock *cw_loop_clock(const struct cw_loop *l)
{
	return l->clock;
}

int cw_loop_run(struct cw_loop *l)
{
	(void) uv_run(
		&l->uv, UV_RUN_DEFAULT); /* what it returns is whether handles are left: they are */
	return 0;
}

void cw_loop_stop(struct cw_loop *l)
{
	uv_stop(&l->uv);
}

uint64_t cw_loop_busy_us(const struct cw_loop *l)
{
	/* The function only reads, under a lock of its own. */
	uint64_t idle = uv_metrics_idle_time((uv_loop_t *) (uintptr_t) &l->uv);
	uint64_t all = uv_hrtime() - l->begun_ns;

	return all > idle ? (all - idle) / 1000 : 0;
}

void cw_loop_post(struct cw_loop *l, struct cw_loop_task *task)
{
	/* Not empty before: then whoever put the first one has woken the loop, or is about to. */
	if (cw_queue_put(&l->tasks, &task->node, NULL))
		(void) uv_async_send(&l->wake);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct watcher *w = handle->data;

	w->fn(w->arg, signum);
}

int cw_loop_on_signal(struct cw_loop *l, int signum, void (*fn)(void *arg, int signum), void *arg)
{
	struct watcher *w = cw_zalloc(1, sizeof *w);
	int r;

	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->arg = arg;
	r = uv_signal_init(&l->uv, &w->handle);
	if (r < 0) {
		(void) cw_free(w);
		return r;
	}
	/* From here libuv knows the handle: the memory goes with cw_loop_free(), also on failure.
	 */
	w->handle.data = w;
	cw_list_append(&l->signals, &w->in_loop);
	l->open_handles++;
	return uv_signal_start(&w->handle, on_signal, signum);
}

static void on_timer(uv_timer_t *handle)
{
	struct cw_timer *t = handle->data;

	t->fn(t->arg);
}

int cw_timer_new(struct cw_loop *l, void (*fn)(void *arg), void *arg, struct cw_timer **ret)
{
	struct cw_timer *t = cw_zalloc(1, sizeof *t);
	int r;

	if (!t)
		return -ENOMEM;
	r = uv_timer_init(&l->uv, &t->handle);
	if (r < 0) {
		(void) cw_free(t);
		return r;
	}
	t->handle.data = t;
	t->fn = fn;
	t->arg = arg;
	*ret = t;
	return 0;
}

void cw_timer_start(struct cw_timer *t, uint64_t after_ms)
{
	/* libuv counts from the start of the turn: after a long callback the timer would be early
	 */
	uv_update_time(t->handle.loop);
	(void) uv_timer_start(&t->handle, on_timer, after_ms, 0);
}

void cw_timer_stop(struct cw_timer *t)
{
	(void) uv_timer_stop(&t->handle);
}

static void on_timer_closed(uv_handle_t *handle)
{
	(void) cw_free(handle->data);
}

struct cw_timer *cw_timer_free(struct cw_timer *t)
{
	if (t)
		uv_close((uv_handle_t *) &t->handle, on_timer_closed);
	return NULL;
}
