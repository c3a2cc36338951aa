/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers of the store for threads that need one for a moment. Thread: any. */
#pragma once

#include "base/defs.h"
#include "db/store.h"

struct cw_rest_readers;

int cw_rest_readers_new(struct cw_store *store, struct cw_rest_readers **ret) CW_MUST_CHECK;
/* None may be lent. NULL is fine. */
struct cw_rest_readers *cw_rest_readers_free(struct cw_rest_readers *p);
/* 0 or a code; cw_rest_readers_give() after. */
int cw_rest_readers_take(struct cw_rest_readers *p, struct cw_store_reader **ret) CW_MUST_CHECK;
void cw_rest_readers_give(struct cw_rest_readers *p, struct cw_store_reader *r);
