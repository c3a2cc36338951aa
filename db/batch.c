/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operations of one transaction make known: bindings for the TEPs, and events. */
#include "config.h"

#include <string.h>

#include "base/mem.h"
#include "db/backend.h"
#include "db/store_internal.h"

struct cw_outbox_entry *cw_batch_emit(struct cw_batch *batch, int what)
{
	struct cw_outbox_entry *e;

	if (batch->n == batch->cap) {
		size_t cap = batch->cap > 0 ? batch->cap * 2 : 64;
		void *p = cw_realloc(batch->entries, cap, sizeof *batch->entries);

		if (!p)
			return NULL;
		batch->entries = p;
		batch->cap = cap;
	}
	e = &batch->entries[batch->n++];
	memset(e, 0, sizeof *e);
	e->what = what;
	return e;
}

struct cw_event *cw_batch_event(struct cw_batch *batch)
{
	struct cw_event *e;

	if (batch->n_events == batch->cap_events) {
		size_t cap = batch->cap_events > 0 ? batch->cap_events * 2 : 8;
		void *p = cw_realloc(batch->events, cap, sizeof *batch->events);

		if (!p)
			return NULL;
		batch->events = p;
		batch->cap_events = cap;
	}
	e = &batch->events[batch->n_events++];
	memset(e, 0, sizeof *e);
	return e;
}

static uint64_t id_of(const struct cw_outbox_entry *e)
{
	return e->what == CW_OUTBOX_APPLY ? e->lease.id : e->lease.generation;
}

bool cw_batch_live(struct cw_batch *b, const struct cw_live_event **ret, size_t *ret_n)
{
	size_t k = 0, n = 0, most = b->n + b->n_events;

	*ret = NULL;
	*ret_n = 0;
	if (most > b->cap_live) {
		void *p = cw_realloc(b->live, most, sizeof *b->live);

		if (!p)
			return true; /* something was missed */
		b->live = p;
		b->cap_live = most;
	}
	for (size_t i = 0; i <= b->n; i++) {
		const struct cw_outbox_entry *e = i < b->n ? &b->entries[i] : NULL;

		if (e && e->what == CW_OUTBOX_REFRESH)
			continue;
		for (; k < b->n_events && (!e || b->events[k].id < id_of(e)); k++)
			b->live[n++] = (struct cw_live_event){
				.id = b->events[k].id, .event = &b->events[k]};
		if (e)
			b->live[n++] = (struct cw_live_event){.id = id_of(e), .lease = e};
	}
	*ret = b->live;
	*ret_n = n;
	return n > 0;
}

void cw_batch_done(struct cw_batch *b)
{
	b->entries = cw_free(b->entries);
	b->events = cw_free(b->events);
	b->live = cw_free(b->live);
	b->n = b->cap = b->n_events = b->cap_events = b->cap_live = 0;
}
