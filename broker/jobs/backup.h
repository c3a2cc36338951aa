/* SPDX-License-Identifier: BSD-2-Clause */
/* Backups as files: NAME.db, written and verified by the store, and NAME.db.sha256 beside it, which
 * sha256sum -c reads and which is there only once the other is whole. A backup without it is none:
 * it was cut short. Thread: one at a time, but for the list. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/defs.h"
#include "db/store.h"

#define CW_BACKUP_NAME_MAX 64 /* with NUL */

struct cw_backup_entry {
	char name[CW_BACKUP_NAME_MAX];
	int64_t created_wall_s;
	uint64_t octets;
	char sha256[65];
	uint32_t schema;
};

/* Makes one, and deletes the oldest beyond keep. name: of the new one. 0 or a code; -ENOSPC. */
int cw_backup_make(struct cw_store_reader *r, const char *directory, unsigned keep, int64_t wall_s,
	char name[static CW_BACKUP_NAME_MAX]) CW_MUST_CHECK;
/* Those that are whole, newest first: their number, max at most, or -errno. No folder: none. */
int cw_backup_list(const char *directory, struct cw_backup_entry *to, size_t max) CW_MUST_CHECK;
