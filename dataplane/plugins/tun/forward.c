/* SPDX-License-Identifier: BSD-2-Clause */
/* Start, stop and the little things both directions need. See forward.h. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier) */

#include "dataplane/plugins/tun/forward.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int64_t cw_tun_now_ms(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool cw_tun_limit_ok(struct cw_tun_limit *l, int64_t now_ms)
{
	int64_t full = (int64_t) l->per_s * 1000;

	if (l->at_ms == 0)
		l->tokens_milli = full;
	else
		l->tokens_milli += (now_ms - l->at_ms) * l->per_s;
	l->at_ms = now_ms;
	if (l->tokens_milli > full)
		l->tokens_milli = full;
	if (l->tokens_milli < 1000)
		return false;
	l->tokens_milli -= 1000;
	return true;
}

static int start(pthread_t *ret, void *(*run)(void *arg), void *arg, const char *name)
{
	sigset_t all, old;
	int r;

	/* Signals are the host's. */
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, NULL, run, arg);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		(void) pthread_setname_np(*ret, name);
	return -r;
}

int cw_tun_forward_start(struct cw_tun *t)
{
	int r;

	t->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->stop < 0)
		return -errno;
	t->up = cw_tun_up_new(t);
	t->down = cw_tun_down_new(t);
	if (!t->up || !t->down)
		return -ENOMEM;
	r = start(&t->up_thread, cw_tun_up_run, t->up, "tun-up");
	if (r < 0)
		return r;
	r = start(&t->down_thread, cw_tun_down_run, t->down, "tun-down");
	if (r < 0) {
		(void) eventfd_write(t->stop, 1);
		(void) pthread_join(t->up_thread, NULL);
		return r;
	}
	t->running = true;
	return 0;
}

void cw_tun_forward_stop(struct cw_tun *t)
{
	if (t->running) {
		(void) eventfd_write(t->stop, 1);
		(void) pthread_join(t->up_thread, NULL);
		(void) pthread_join(t->down_thread, NULL);
		t->running = false;
	}
	t->up = cw_tun_up_free(t->up);
	t->down = cw_tun_down_free(t->down);
	if (t->stop >= 0)
		(void) close(t->stop);
	t->stop = -1;
}

static void settle(const struct cw_tun_counts *c)
{
	uint64_t was = __atomic_load_n(&c->batches, __ATOMIC_ACQUIRE);

	while ((was & 1) && __atomic_load_n(&c->batches, __ATOMIC_ACQUIRE) == was)
		(void) sched_yield();
}

void cw_tun_forward_settle(const struct cw_tun *t)
{
	settle(&t->up_counts);
	settle(&t->down_counts);
}
