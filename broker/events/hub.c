/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of events under one lock. While nobody follows only the newest id is kept. Each event is
 * rendered once, by the first follower that comes to it: not by the writer, which has better to do,
 * and not under the lock, for the names in it may have to be read. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "broker/events/hub.h"

#define KEPT 4096

struct slot {
	struct cw_event event;
	char *text; /* NULL: not rendered yet */
	size_t n;
};

struct cw_hub {
	struct cw_loop *loop;
	struct cw_loop_task task;
	struct cw_timer *timer; /* the loop's */
	int64_t woken_us;       /* likewise */

	pthread_mutex_t lock;
	struct cw_list followers;
	size_t n_followers, n_waiting;
	uint64_t newest;
	uint64_t dropped; /* id of the newest event that is not in the ring */
	struct slot *ring;
	size_t cap, first, n;
	bool posted, closed;
};

static struct slot *slot_at(const struct cw_hub *h, size_t i)
{
	return &h->ring[(h->first + i) % h->cap];
}

/* ---- waking ---- */

static void wake_all_locked(struct cw_hub *h)
{
	h->posted = false;
	if (h->n_waiting == 0)
		return;
	h->n_waiting = 0;
	cw_list_for_each (it, &h->followers) {
		struct cw_hub_follower *f = cw_container_of(it, struct cw_hub_follower, in_hub);

		if (f->waits) {
			f->waits = false;
			f->wake(f);
		}
	}
}

void cw_hub_wake(struct cw_hub *h)
{
	(void) pthread_mutex_lock(&h->lock);
	wake_all_locked(h);
	(void) pthread_mutex_unlock(&h->lock);
}

static void wake_now(void *arg)
{
	struct cw_hub *h = arg;

	h->woken_us = cw_clock_now(cw_loop_clock(h->loop)).mono_us;
	cw_hub_wake(h);
}

static void on_task(struct cw_loop_task *task)
{
	struct cw_hub *h = cw_container_of(task, struct cw_hub, task);
	int64_t gone_ms = (cw_clock_now(cw_loop_clock(h->loop)).mono_us - h->woken_us) / 1000;

	if (gone_ms >= 0 && gone_ms < CW_HUB_WAKE_MS)
		cw_timer_start(h->timer, (uint64_t) (CW_HUB_WAKE_MS - gone_ms));
	else
		wake_now(h);
}

static void wake_soon_locked(struct cw_hub *h)
{
	if (h->n_waiting == 0 || h->posted)
		return;
	if (!h->loop) {
		wake_all_locked(h);
		return;
	}
	h->posted = true;
	cw_loop_post(h->loop, &h->task);
}

/* ---- life ---- */

int cw_hub_new(struct cw_loop *loop, size_t kept, struct cw_hub **ret)
{
	struct cw_hub *h = cw_zalloc(1, sizeof *h);
	int r;

	if (!h)
		return -ENOMEM;
	cw_list_init(&h->followers);
	h->loop = loop;
	h->task.fn = on_task;
	h->cap = kept ? kept : KEPT;
	r = -pthread_mutex_init(&h->lock, NULL);
	if (r < 0) {
		(void) cw_free(h);
		return r;
	}
	h->ring = cw_zalloc(h->cap, sizeof *h->ring);
	r = h->ring ? 0 : -ENOMEM;
	if (r == 0 && loop)
		r = cw_timer_new(loop, wake_now, h, &h->timer);
	if (r < 0) {
		(void) cw_hub_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

static void empty(struct cw_hub *h)
{
	for (size_t i = 0; i < h->n; i++)
		slot_at(h, i)->text = cw_free(slot_at(h, i)->text);
	h->n = 0;
}

struct cw_hub *cw_hub_free(struct cw_hub *h)
{
	if (!h)
		return NULL;
	h->timer = cw_timer_free(h->timer);
	empty(h);
	(void) pthread_mutex_destroy(&h->lock);
	(void) cw_free(h->ring);
	return cw_free(h);
}

/* ---- events ---- */

static void keep(struct cw_hub *h, const struct cw_live_event *live)
{
	struct slot *s;

	if (h->n == h->cap) {
		s = slot_at(h, 0);
		h->dropped = s->event.id;
		s->text = cw_free(s->text);
		h->first = (h->first + 1) % h->cap;
		h->n--;
	}
	s = slot_at(h, h->n);
	cw_live_event_fill(live, &s->event);
	h->n++;
}

void cw_hub_events(void *arg, const struct cw_live_event *events, size_t n)
{
	struct cw_hub *h = arg;

	(void) pthread_mutex_lock(&h->lock);
	if (n > 0 && h->n_followers > 0) {
		for (size_t i = 0; i < n; i++)
			keep(h, &events[i]);
		h->newest = events[n - 1].id;
	} else {
		/* Nobody wants them; or there was no memory to tell what they were, but one at
		 * least there was. */
		empty(h);
		h->newest = n > 0 ? events[n - 1].id : h->newest + 1;
		h->dropped = h->newest;
	}
	wake_soon_locked(h);
	(void) pthread_mutex_unlock(&h->lock);
}

/* ---- followers ---- */

void cw_hub_follow(struct cw_hub *h, struct cw_hub_follower *f)
{
	(void) pthread_mutex_lock(&h->lock);
	if (!f->after && !f->replay)
		f->after = h->newest;
	f->waits = false;
	f->follows = true;
	cw_list_append(&h->followers, &f->in_hub);
	h->n_followers++;
	(void) pthread_mutex_unlock(&h->lock);
}

void cw_hub_leave(struct cw_hub *h, struct cw_hub_follower *f)
{
	(void) pthread_mutex_lock(&h->lock);
	if (f->follows) {
		cw_list_remove(&f->in_hub);
		h->n_followers--;
		h->n_waiting -= f->waits;
	}
	f->follows = f->waits = false;
	(void) pthread_mutex_unlock(&h->lock);
}

/* Place in the ring of the first event after `after`; ids grow. */
static size_t place_after(const struct cw_hub *h, uint64_t after)
{
	size_t lo = 0, hi = h->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (slot_at(h, mid)->event.id <= after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* But for its time. */
static bool wants(const struct cw_event_filter *filter, const struct cw_event *e)
{
	size_t n = filter->type ? strlen(filter->type) : 0;

	if (n > 0 && (strncmp(filter->type, e->type, n) != 0 ||
			     (e->type[n] != '\0' && e->type[n] != '.')))
		return false;
	return filter->object_id == 0 || filter->object_id == e->object_id;
}

static enum cw_hub_next from_ring(struct cw_hub *h, struct cw_hub_follower *f, struct cw_event *ret)
{
	bool taken = false;

	for (size_t i = place_after(h, f->after); i < h->n; i++) {
		const struct slot *s = slot_at(h, i);

		if (wants(&f->filter, &s->event)) {
			if (!s->text && !taken) {
				*ret = s->event;
				return CW_HUB_RENDER;
			}
			if (!s->text || !f->take(f, s->text, s->n))
				break;
			taken = true;
		}
		f->after = s->event.id;
	}
	if (taken)
		return CW_HUB_TAKEN;
	f->waits = true;
	h->n_waiting++;
	f->suspend(f);
	return CW_HUB_WAIT;
}

enum cw_hub_next cw_hub_next(
	struct cw_hub *h, struct cw_hub_follower *f, struct cw_event *ret, uint64_t *ret_limit)
{
	enum cw_hub_next what;

	(void) pthread_mutex_lock(&h->lock);
	if (h->closed)
		what = CW_HUB_OVER;
	else if (f->replay || f->after < h->dropped)
		what = CW_HUB_BEHIND;
	else
		what = from_ring(h, f, ret);
	*ret_limit = h->dropped;
	(void) pthread_mutex_unlock(&h->lock);
	return what;
}

void cw_hub_rendered(struct cw_hub *h, uint64_t id, const char *text, size_t n)
{
	char *copy = cw_zalloc(n, 1);
	size_t i;

	if (!copy)
		return;
	memcpy(copy, text, n);
	(void) pthread_mutex_lock(&h->lock);
	i = place_after(h, id - 1);
	if (i < h->n && slot_at(h, i)->event.id == id && !slot_at(h, i)->text) {
		slot_at(h, i)->text = copy;
		slot_at(h, i)->n = n;
		copy = NULL;
	}
	(void) pthread_mutex_unlock(&h->lock);
	(void) cw_free(copy);
}

void cw_hub_close(struct cw_hub *h)
{
	(void) pthread_mutex_lock(&h->lock);
	h->closed = true;
	wake_all_locked(h);
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
