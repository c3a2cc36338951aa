/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors a plugin watches: one uv_poll_t each, freed when libuv lets go of it. Thread: the
 * loop's. */
#include "config.h"

#include <uv.h>

#include "base/mem.h"
#include "dataplane/host/internal.h"

struct cw_dp_watch {
	uv_poll_t poll;
	struct cw_list in_host;
	struct cw_dphost *h;
	void (*fn)(void *arg, int events);
	void *arg;
};

static void on_closed(uv_handle_t *handle)
{
	(void) cw_free(handle->data);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct cw_dp_watch *w = poll->data;
	struct cw_dphost *h = w->h;
	int what = 0;

	if (events & UV_READABLE)
		what |= CW_DP_READABLE;
	if (events & UV_WRITABLE)
		what |= CW_DP_WRITABLE;
	if (status < 0 || !what) /* an error shows at the next read or write */
		what = CW_DP_READABLE | CW_DP_WRITABLE;
	cw_dphost_enter(h);
	w->fn(w->arg, what);
	cw_dphost_leave(h);
}

struct cw_dp_watch *cw_dphost_watch(
	void *ctx, int fd, int events, void (*fn)(void *arg, int events), void *arg)
{
	struct cw_dphost *h = ctx;
	struct cw_dp_watch *w;
	int uv_events = (events & CW_DP_READABLE ? UV_READABLE : 0) |
			(events & CW_DP_WRITABLE ? UV_WRITABLE : 0);

	if (!uv_events || !pthread_equal(h->thread, pthread_self()))
		return NULL;
	w = cw_zalloc(1, sizeof *w);
	if (!w)
		return NULL;
	if (uv_poll_init(cw_loop_uv(h->loop), &w->poll, fd) < 0) {
		(void) cw_free(w);
		return NULL;
	}
	w->poll.data = w;
	w->h = h;
	w->fn = fn;
	w->arg = arg;
	if (uv_poll_start(&w->poll, uv_events, on_event) < 0) {
		uv_close((uv_handle_t *) &w->poll, on_closed);
		return NULL;
	}
	cw_list_append(&h->watches, &w->in_host);
	return w;
}

void cw_dphost_unwatch(void *ctx, struct cw_dp_watch *w)
{
	(void) ctx;
	if (!w)
		return;
	cw_list_remove(&w->in_host);
	uv_close((uv_handle_t *) &w->poll, on_closed);
}

void cw_dphost_drop_watches(struct cw_dphost *h)
{
	while (!cw_list_empty(&h->watches))
		cw_dphost_unwatch(h, cw_container_of(h->watches.next, struct cw_dp_watch, in_host));
}
