/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file against the database (differs.h), in the background: it reads, and it
 * tries passwords, so it runs on libuv's pool. One at a time. Thread: the loop's. */
#pragma once

#include "base/loop.h"
#include "broker/settings.h"
#include "db/store.h"

struct cw_compare;

/* path: of the file, borrowed; as are loop and store. */
int cw_compare_new(struct cw_loop *loop, struct cw_store *store, const char *path,
	struct cw_compare **ret) CW_MUST_CHECK;
/* Waits for one that runs: at most one password more. To be called before the store is closed. NULL
 * is fine. */
struct cw_compare *cw_compare_free(struct cw_compare *c);
/* Says in the log what differs, and if it cannot be told. conf is held meanwhile; its passwords are
 * forgotten at the end, or now if nothing begins. One that runs is of no interest any more: it ends
 * soon, then this one begins. */
void cw_compare_begin(struct cw_compare *c, struct cw_config *conf);
