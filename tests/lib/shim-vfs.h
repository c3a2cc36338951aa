/* SPDX-License-Identifier: BSD-2-Clause */
/* A SQLite VFS over the default one, for tests: fails the k-th write, sync or truncation, once or
 * from then on, and can make each sync slower, as a disk without a write cache does. Register
 * before the database is opened. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHIM_WRITE = 1, SHIM_SYNC = 2, SHIM_TRUNCATE = 4, SHIM_GROW = 8 /* a write past the end */ };

struct shim {
	/* What to do; written by the test between operations. */
	unsigned fail_what; /* SHIM_* that count and fail */
	long fail_at;       /* the k-th of them from now, 1 = the next; 0: none */
	bool fail_on;       /* and all after it */
	int fail_errno;     /* ENOSPC, EDQUOT, EIO */
	unsigned sync_delay_us;
	bool power;  /* remember what each sync made durable, for shim_power_cut() */
	bool record; /* note every change of files opened from now on, for shim_replay() */
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

/* How many changes are noted: "now", for shim_replay(). */
size_t shim_recorded(void);
/* The disk after a cut right before change number `at`. Of each file, what a sync before the cut
 * covered is there; of what was written later, each write (truncation, deletion) by itself is
 * there, is not, or is there for some of its 512-octet sectors only. Some trials keep all of it and
 * some nothing. Files are written to the folder `to`, under the names they had. */
void shim_replay(size_t at, unsigned *seed, const char *to);
void shim_record_forget(void);
