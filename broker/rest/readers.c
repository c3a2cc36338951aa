/* SPDX-License-Identifier: BSD-2-Clause */
/* As many readers as threads ever wanted one at once, kept for the next. */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "broker/rest/readers.h"

#define KEPT_MAX 16

struct cw_rest_readers {
	struct cw_store *store;
	pthread_mutex_t lock;
	size_t n;
	struct cw_store_reader *kept[KEPT_MAX];
};

int cw_rest_readers_new(struct cw_store *store, struct cw_rest_readers **ret)
{
	struct cw_rest_readers *p = cw_zalloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->store = store;
	(void) pthread_mutex_init(&p->lock, NULL);
	*ret = p;
	return 0;
}

struct cw_rest_readers *cw_rest_readers_free(struct cw_rest_readers *p)
{
	if (!p)
		return NULL;
	while (p->n > 0)
		(void) cw_store_reader_close(p->kept[--p->n]);
	(void) pthread_mutex_destroy(&p->lock);
	return cw_free(p);
}

int cw_rest_readers_take(struct cw_rest_readers *p, struct cw_store_reader **ret)
{
	struct cw_store_reader *r = NULL;

	(void) pthread_mutex_lock(&p->lock);
	if (p->n > 0)
		r = p->kept[--p->n];
	(void) pthread_mutex_unlock(&p->lock);
	if (!r)
		return cw_store_reader_open(p->store, ret);
	*ret = r;
	return 0;
}

void cw_rest_readers_give(struct cw_rest_readers *p, struct cw_store_reader *r)
{
	(void) pthread_mutex_lock(&p->lock);
	if (p->n < KEPT_MAX) {
		p->kept[p->n++] = r;
		r = NULL;
	}
	(void) pthread_mutex_unlock(&p->lock);
	(void) cw_store_reader_close(r);
}
