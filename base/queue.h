/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue between threads: many put, one takes all. Items are intrusive (struct cw_qnode first in,
 * first out). Thread: put any; take the consumer's. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/defs.h"

struct cw_qnode {
	struct cw_qnode *next;
};

struct cw_queue {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	struct cw_qnode *head;
	struct cw_qnode **tail;
	size_t count;
	bool closed;
};

int cw_queue_init(struct cw_queue *q) CW_MUST_CHECK; /* 0 or -errno */
void cw_queue_done(struct cw_queue *q);
/* true if the queue was empty before (the consumer may need a wake-up); *ret_closed if not NULL
 * says the queue is closed, and then nothing was put. */
bool cw_queue_put(struct cw_queue *q, struct cw_qnode *node, bool *ret_closed);
/* Up to max items in order as a NULL-terminated chain; NULL if empty. Never waits. */
struct cw_qnode *cw_queue_take(struct cw_queue *q, size_t max);
/* Like take, but waits until there is an item or the queue is closed (then NULL once empty) or
 * timeout_ms passed (< 0: no limit; returns NULL). */
struct cw_qnode *cw_queue_wait(struct cw_queue *q, size_t max, int timeout_ms);
void cw_queue_close(struct cw_queue *q); /* puts are refused from now on; waiters wake */
size_t cw_queue_count(struct cw_queue *q);
