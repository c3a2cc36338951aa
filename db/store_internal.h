/* SPDX-License-Identifier: BSD-2-Clause */
/* The store without its thread, for tests and tools that need every step to be theirs: instead of
 * cw_store_start(), set the hooks, submit, and step. Not for the broker. And what only the front of
 * the store calls. */
#pragma once

#include "db/backend.h"
#include "db/store.h"

/* Instead of cw_store_start(): hooks are called from cw_store_step(). */
void cw_store_set_hooks(struct cw_store *s, const struct cw_store_hooks *hooks);
/* Runs one transaction of what is queued, as the writer would. The number of operations taken. */
size_t cw_store_step(struct cw_store *s);
/* The back end's object: its own header knows what it is. Borrowed. */
struct cw_backend *cw_store_backend(struct cw_store *s);
/* Closes as if the process had died here: nothing is finished or tidied. Only without a thread. */
struct cw_store *cw_store_abandon(struct cw_store *s);

/* ---- batch.c, for store.c ---- */

/* The events of the batch, of leases and all others merged by their ids: each of the two lists is in
 * their order. Borrowed until it changes. false: there are none; true with *ret_n 0: no memory. */
bool cw_batch_live(struct cw_batch *b, const struct cw_live_event **ret, size_t *ret_n);
/* Frees the lists; it can be used again. */
void cw_batch_done(struct cw_batch *b);
