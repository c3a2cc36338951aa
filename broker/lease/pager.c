/* SPDX-License-Identifier: BSD-2-Clause */
/* The reading thread: takes jobs from a queue, posts them back to the loop. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/err.h"
#include "base/mem.h"
#include "broker/lease/pager.h"

struct cw_pager {
	struct cw_loop *loop;
	struct cw_store_reader *reader; /* the thread's while it runs */
	struct cw_queue jobs;
	pthread_t thread;
	bool running;
	size_t outstanding; /* the loop's */
};

static void on_loop(struct cw_loop_task *task)
{
	struct cw_pager_job *job = cw_container_of(task, struct cw_pager_job, task);

	job->pager->outstanding--;
	job->done(job);
}

static void *thread_main(void *arg)
{
	struct cw_pager *p = arg;
	struct cw_qnode *node;

	while ((node = cw_queue_wait(&p->jobs, 1, -1)) != NULL) {
		struct cw_pager_job *job = cw_container_of(node, struct cw_pager_job, node);

		job->result =
			cw_read_leases(p->reader, &job->filter, job->after, job->to, job->max);
		cw_loop_post(p->loop, &job->task);
	}
	return NULL;
}

int cw_pager_new(struct cw_loop *loop, struct cw_store *store, struct cw_pager **ret)
{
	struct cw_pager *p = cw_zalloc(1, sizeof *p);
	sigset_t all, old;
	int r;

	if (!p)
		return -ENOMEM;
	p->loop = loop;
	r = cw_queue_init(&p->jobs);
	if (r < 0) {
		(void) cw_free(p);
		return r;
	}
	r = cw_store_reader_open(store, &p->reader);
	if (r < 0)
		goto fail;
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_BLOCK, &all, &old); /* signals are the loop's */
	r = -pthread_create(&p->thread, NULL, thread_main, p);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		goto fail;
	p->running = true;
	*ret = p;
	return 0;
fail:
	(void) cw_store_reader_close(p->reader);
	cw_queue_done(&p->jobs);
	(void) cw_free(p);
	return r;
}

void cw_pager_read(struct cw_pager *p, struct cw_pager_job *job)
{
	bool closed = false;

	job->pager = p;
	job->task.fn = on_loop;
	p->outstanding++;
	(void) cw_queue_put(&p->jobs, &job->node, &closed);
	if (closed) {
		job->result = CW_E_SHUTDOWN;
		cw_loop_post(p->loop, &job->task);
	}
}

size_t cw_pager_outstanding(const struct cw_pager *p)
{
	return p ? p->outstanding : 0;
}

void cw_pager_stop(struct cw_pager *p)
{
	if (!p || !p->running)
		return;
	cw_queue_close(&p->jobs);
	(void) pthread_join(p->thread, NULL);
	p->running = false;
	p->reader = cw_store_reader_close(p->reader);
}

struct cw_pager *cw_pager_free(struct cw_pager *p)
{
	if (!p)
		return NULL;
	cw_pager_stop(p);
	cw_queue_done(&p->jobs);
	return cw_free(p);
}
