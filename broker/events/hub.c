/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of events under one lock. While nobody follows only the newest id is kept. */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "broker/events/hub.h"

#define KEPT 4096

struct cw_hub {
	pthread_mutex_t lock;
	struct cw_list followers;
	size_t n_followers;
	uint64_t newest;
	uint64_t dropped; /* id of the newest event that is not in the ring */
	struct cw_event *ring;
	size_t cap, first, n;
};

int cw_hub_new(size_t kept, struct cw_hub **ret)
{
	struct cw_hub *h = cw_zalloc(1, sizeof *h);

	if (!h)
		return -ENOMEM;
	h->cap = kept ? kept : KEPT;
	h->ring = cw_zalloc(h->cap, sizeof *h->ring);
	if (!h->ring) {
		(void) cw_free(h);
		return -ENOMEM;
	}
	cw_list_init(&h->followers);
	(void) pthread_mutex_init(&h->lock, NULL);
	*ret = h;
	return 0;
}

struct cw_hub *cw_hub_free(struct cw_hub *h)
{
	if (!h)
		return NULL;
	(void) pthread_mutex_destroy(&h->lock);
	(void) cw_free(h->ring);
	return cw_free(h);
}

static void keep(struct cw_hub *h, const struct cw_live_event *live)
{
	if (h->n == h->cap) {
		h->dropped = h->ring[h->first].id;
		h->first = (h->first + 1) % h->cap;
		h->n--;
	}
	cw_live_event_fill(live, &h->ring[(h->first + h->n) % h->cap]);
	h->n++;
}

static void wake_all(struct cw_hub *h)
{
	cw_list_for_each (it, &h->followers) {
		struct cw_hub_follower *f = cw_container_of(it, struct cw_hub_follower, in_hub);

		if (f->waits) {
			f->waits = false;
			f->wake(f);
		}
	}
}

void cw_hub_events(void *arg, const struct cw_live_event *events, size_t n)
{
	struct cw_hub *h = arg;

	if (n == 0)
		return;
	(void) pthread_mutex_lock(&h->lock);
	if (h->n_followers > 0) {
		for (size_t i = 0; i < n; i++)
			keep(h, &events[i]);
		wake_all(h);
	} else {
		h->n = 0;
		h->dropped = events[n - 1].id;
	}
	h->newest = events[n - 1].id;
	(void) pthread_mutex_unlock(&h->lock);
}

void cw_hub_follow(struct cw_hub *h, struct cw_hub_follower *f, uint64_t after)
{
	(void) pthread_mutex_lock(&h->lock);
	f->after = after ? after : h->newest;
	f->waits = false;
	cw_list_append(&h->followers, &f->in_hub);
	h->n_followers++;
	(void) pthread_mutex_unlock(&h->lock);
}

void cw_hub_leave(struct cw_hub *h, struct cw_hub_follower *f)
{
	(void) pthread_mutex_lock(&h->lock);
	if (!cw_list_empty(&f->in_hub)) {
		cw_list_remove(&f->in_hub);
		h->n_followers--;
	}
	f->waits = false;
	(void) pthread_mutex_unlock(&h->lock);
}

/* Place in the ring of the first event after `after`; ids grow. */
static size_t place_after(const struct cw_hub *h, uint64_t after)
{
	size_t lo = 0, hi = h->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (h->ring[(h->first + mid) % h->cap].id <= after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

enum cw_hub_next cw_hub_next(struct cw_hub *h, struct cw_hub_follower *f,
	void (*suspend)(struct cw_hub_follower *f), struct cw_event *ret)
{
	enum cw_hub_next what = CW_HUB_EVENT;
	size_t at;

	(void) pthread_mutex_lock(&h->lock);
	at = place_after(h, f->after);
	if (f->after < h->dropped) {
		what = CW_HUB_BEHIND;
	} else if (at < h->n) {
		*ret = h->ring[(h->first + at) % h->cap];
		f->after = ret->id;
	} else {
		what = CW_HUB_WAIT;
		f->waits = true;
		suspend(f);
	}
	(void) pthread_mutex_unlock(&h->lock);
	return what;
}

void cw_hub_wake(struct cw_hub *h)
{
	(void) pthread_mutex_lock(&h->lock);
	wake_all(h);
	(void) pthread_mutex_unlock(&h->lock);
}

size_t cw_hub_followers(struct cw_hub *h)
{
	size_t n;

	(void) pthread_mutex_lock(&h->lock);
	n = h->n_followers;
	(void) pthread_mutex_unlock(&h->lock);
	return n;
}

uint64_t cw_hub_newest(struct cw_hub *h)
{
	uint64_t id;

	(void) pthread_mutex_lock(&h->lock);
	id = h->newest;
	(void) pthread_mutex_unlock(&h->lock);
	return id;
}
