/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue between threads: a chain of the callers' nodes under one mutex. Nothing is allocated, so
 * a put cannot fail. Waiting uses the monotonic clock: a step of the wall clock wakes nobody late.
 */
#include "config.h"

#include <errno.h>
#include <time.h>

#include "base/queue.h"

int cw_queue_init(struct cw_queue *q)
{
	pthread_condattr_t attr;
	int r;

	*q = (struct cw_queue){.tail = &q->head};
	r = pthread_mutex_init(&q->lock, NULL);
	if (r != 0)
		return -r;
	r = pthread_condattr_init(&attr);
	if (r == 0) {
		r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		if (r == 0)
			r = pthread_cond_init(&q->ready, &attr);
		(void) pthread_condattr_destroy(&attr);
	}
	if (r != 0)
		(void) pthread_mutex_destroy(&q->lock);
	return -r;
}

void cw_queue_done(struct cw_queue *q)
{
	(void) pthread_cond_destroy(&q->ready);
	(void) pthread_mutex_destroy(&q->lock);
}

bool cw_queue_put(struct cw_queue *q, struct cw_qnode *node, bool *ret_closed)
{
	bool was_empty, closed;

	node->next = NULL;
	(void) pthread_mutex_lock(&q->lock);
	closed = q->closed;
	was_empty = q->count == 0;
	if (!closed) {
		*q->tail = node;
		q->tail = &node->next;
		q->count++;
		if (was_empty)
			(void) pthread_cond_signal(&q->ready);
	}
	(void) pthread_mutex_unlock(&q->lock);
	if (ret_closed)
		*ret_closed = closed;
	return was_empty && !closed;
}

/* Called with the lock held. */
static struct cw_qnode *take_locked(struct cw_queue *q, size_t max)
{
	struct cw_qnode *first = q->head;
	struct cw_qnode *last = first;
	size_t n = 1;

	if (!first || !max)
		return NULL;
	if (max >= q->count) {
		q->head = NULL;
		q->tail = &q->head;
		q->count = 0;
		return first;
	}
	for (; n < max; n++)
		last = last->next;
	q->head = last->next;
	q->count -= n;
	last->next = NULL;
	return first;
}

struct cw_qnode *cw_queue_take(struct cw_queue *q, size_t max)
{
	struct cw_qnode *chain;

	(void) pthread_mutex_lock(&q->lock);
	chain = take_locked(q, max);
	(void) pthread_mutex_unlock(&q->lock);
	return chain;
}

static struct timespec deadline_after(int timeout_ms)
{
	struct timespec at = {0};

	(void) clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_ms / 1000;
	at.tv_nsec += (long) (timeout_ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

struct cw_qnode *cw_queue_wait(struct cw_queue *q, size_t max, int timeout_ms)
{
	const struct timespec at =
		timeout_ms >= 0 ? deadline_after(timeout_ms) : (struct timespec){0};
	struct cw_qnode *chain;
	int r = 0;

	(void) pthread_mutex_lock(&q->lock);
	while (!q->head && !q->closed && r != ETIMEDOUT) {
		if (timeout_ms < 0)
			r = pthread_cond_wait(&q->ready, &q->lock);
		else
			r = pthread_cond_timedwait(&q->ready, &q->lock, &at);
	}
	chain = take_locked(q, max);
	(void) pthread_mutex_unlock(&q->lock);
	return chain;
}

void cw_queue_close(struct cw_queue *q)
{
	(void) pthread_mutex_lock(&q->lock);
	q->closed = true;
	(void) pthread_cond_broadcast(&q->ready);
	(void) pthread_mutex_unlock(&q->lock);
}

size_t cw_queue_count(struct cw_queue *q)
{
	size_t n;

	(void) pthread_mutex_lock(&q->lock);
	n = q->count;
	(void) pthread_mutex_unlock(&q->lock);
	return n;
}
