/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit codes of `causeway`, as causeway(1) documents them. 0, 1, 2 are base/prog.h's. */
#pragma once

enum {
	CW_EXIT_NO_ADDRESS = 3,  /* pool empty, quota used up */
	CW_EXIT_AUTH = 4,        /* login failed, or the broker could not prove itself */
	CW_EXIT_UNREACHABLE = 5, /* no broker answered */
	CW_EXIT_REFUSED = 6,     /* refused for another reason */
	CW_EXIT_BUSY = 7,        /* broker overloaded, even after retries */
	CW_EXIT_PROTOCOL = 8,    /* no common version, or not TSP */
	CW_EXIT_NOT_RUNNING = 9, /* status, renew, down: no client runs */
};
