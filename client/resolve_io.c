/* SPDX-License-Identifier: BSD-2-Clause */
/* Names to addresses; see resolve_io.h. Each lookup is a detached thread and one struct between it
 * and the loop. The struct belongs to the thread until it has posted, to the loop from then on; who
 * finds it cancelled frees it. Thread: run() the lookup's, all else the loop's. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/resolve_io.h"

enum {
	LOOKUPS_MAX = 8,        /* that hang at the same time */
	STACK_OCTETS = 1 << 20, /* modules of the name service switch are not modest */
};

struct cw_resolve {
	struct cw_loop *loop;
	cw_resolve_fn *done;
	void *arg;
	char host[256];
	char port[8];
	struct addrinfo *addresses;
	int status;
	struct cw_loop_task task;
	pthread_mutex_t lock; /* of `cancelled` */
	bool cancelled;
};

static _Atomic unsigned lookups;

static void free_all(struct cw_resolve *r)
{
	if (r->addresses)
		freeaddrinfo(r->addresses);
	(void) pthread_mutex_destroy(&r->lock);
	(void) cw_free(r);
}

static void on_task(struct cw_loop_task *task)
{
	struct cw_resolve *r = cw_container_of(task, struct cw_resolve, task);

	if (!r->cancelled)
		r->done(r->arg, r->status, r->addresses);
	free_all(r);
}

/* The lookup is over: to the loop, unless nobody waits. */
static void finish(struct cw_resolve *r)
{
	bool cancelled;

	(void) pthread_mutex_lock(&r->lock);
	cancelled = r->cancelled;
	if (!cancelled) /* under the lock: after a cancel the loop may be gone */
		cw_loop_post(r->loop, &r->task);
	(void) pthread_mutex_unlock(&r->lock);
	if (cancelled)
		free_all(r);
}

static void *run(void *arg)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct cw_resolve *r = arg;

	r->status = getaddrinfo(r->host, r->port, &hints, &r->addresses);
	atomic_fetch_sub(&lookups, 1);
	finish(r);
	return NULL;
}

static int start_thread(struct cw_resolve *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	sigset_t old;
	int e = pthread_attr_init(&attr);

	if (e)
		return -e;
	(void) pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void) pthread_attr_setstacksize(&attr, STACK_OCTETS);
	/* Signals are the loop's. */
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&thread, &attr, run, r);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void) pthread_attr_destroy(&attr);
	return -e;
}

int cw_resolve_start(struct cw_loop *loop, const char *host, uint16_t port, cw_resolve_fn *done,
	void *arg, struct cw_resolve **ret)
{
	const struct addrinfo numeric = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct cw_resolve *r = cw_zalloc(1, sizeof *r);
	int e;

	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->done = done;
	r->arg = arg;
	r->task.fn = on_task;
	(void) pthread_mutex_init(&r->lock, NULL);
	(void) snprintf(r->host, sizeof r->host, "%s", host);
	(void) snprintf(r->port, sizeof r->port, "%u", port);
	if (getaddrinfo(r->host, r->port, &numeric, &r->addresses) == 0) {
		finish(r); /* an address: nobody has to be asked */
		*ret = r;
		return 0;
	}
	r->addresses = NULL;
	e = -EAGAIN;
	if (atomic_fetch_add(&lookups, 1) < LOOKUPS_MAX)
		e = start_thread(r);
	if (e < 0) {
		atomic_fetch_sub(&lookups, 1);
		free_all(r);
		return e;
	}
	*ret = r;
	return 0;
}

struct cw_resolve *cw_resolve_cancel(struct cw_resolve *r)
{
	if (!r)
		return NULL;
	(void) pthread_mutex_lock(&r->lock);
	r->cancelled = true; /* from here on it is the thread's, or the posted task's, to free */
	(void) pthread_mutex_unlock(&r->lock);
	return NULL;
}
