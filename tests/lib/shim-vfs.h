/* SPDX-License-Identifier: BSD-2-Clause */
/* A SQLite VFS over the default one, for tests: fails the k-th write, sync or truncation, once or
 * from then on, and can make each sync slower, as a disk without a write cache does. Register
 * before the database is opened. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SHIM_WRITE = 1, SHIM_SYNC = 2, SHIM_TRUNCATE = 4, SHIM_GROW = 8 /* a write past the end */ };

struct shim {
	/* What to do; written by the test between operations. */
	unsigned fail_what; /* SHIM_* that count and fail */
	long fail_at;       /* the k-th of them from now, 1 = the next; 0: none */
	bool fail_on;       /* and all after it */
	int fail_errno;     /* ENOSPC, EDQUOT, EIO */
	unsigned sync_delay_us;
	bool power; /* remember what each sync made durable, for shim_power_cut() */
	/* What happened. */
	_Atomic uint64_t writes, syncs, truncates;
	_Atomic long counted; /* of fail_what, since shim_arm() */
	_Atomic long failed;
};

extern struct shim shim;

/* Makes it the default VFS. 0 or SQLite's result. */
int shim_register(void);
/* The k-th of `what` fails with `error` from now on counted; on: and all after it. k = 0 disarms.
 */
void shim_arm(unsigned what, long k, int error, bool on);
/* What would be on the disk if the power went now: of each file below `from`, what its last sync
 * covered (what was written since is lost), as files of the same names in `to`. Files opened before
 * shim.power was set are not known. */
void shim_power_cut(const char *from, const char *to);
void shim_power_forget(void);
