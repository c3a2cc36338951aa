/* SPDX-License-Identifier: BSD-2-Clause */
/* Result codes. Functions return 0 or a positive value for success and a negative errno or one of
 * the negative codes below for failure. Thread: any. */
#pragma once

/* What the operating system has no errno for; never overlaps with errno values. */
enum cw_err {
	CW_E_POOL_EMPTY = -1001, /* no free address or port set in any pool that was allowed */
	CW_E_QUOTA = -1002,      /* the principal already holds as many leases as policy allows */
	CW_E_NOT_YOURS = -1003,  /* the named address is not leased to the asker */
	CW_E_GONE = -1004,       /* the named lease has ended */
	CW_E_TEP = -1005,  /* the tunnel end point refused, failed or did not answer in time */
	CW_E_BUSY = -1006, /* overload or the same request is still running: try again later */
	CW_E_STORE_FULL = -1007,    /* no space on the store's disk; reads still work */
	CW_E_STORE_IO = -1008,      /* the store cannot vouch for its disk any more: restart */
	CW_E_STORE_CORRUPT = -1009, /* the database file is damaged */
	CW_E_CONFLICT = -1010,      /* overlaps with, or is still used by, something that exists */
	CW_E_STALE = -1011,         /* an older generation than the one already there */
	CW_E_POLICY = -1012,        /* policy forbids it (pool disabled, draining, user disabled) */
	CW_E_AUTH = -1013,          /* authentication failed */
	CW_E_SYNTAX = -1014,        /* input is not of the language's form */
	CW_E_LIMIT = -1015,         /* input is beyond a stated bound */
	CW_E_SHUTDOWN = -1016,      /* the service is stopping */
	CW_E_SCHEMA = -1017,        /* the database was written by a newer or unknown release */
	CW_E_KEY_REUSED = -1018,    /* an idempotency key that came with another request before */
};

/* A fixed English text for any result code of this project, errno included. Borrowed, static or
 * thread-local; never NULL. */
const char *cw_strerror(int err);

/* A stable lower-case token for logs and machine output ("pool-empty", "tep", "enoent"); never
 * NULL. */
const char *cw_err_name(int err);
