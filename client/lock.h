/* SPDX-License-Identifier: BSD-2-Clause */
/* One client per control socket: a lock file that the kernel lets go of when its owner dies,
 * however it dies. Children do not inherit it. Thread: any. */
#pragma once

#include <sys/types.h>

#include "base/defs.h"

/* Takes the lock, waiting at most wait_ms: the last owner may be killed but not gone. *ret_fd:
 * given, for cw_lock_release(). 0; -EADDRINUSE: somebody has it, *ret_owner says who (0: not
 * known); -errno of the file. */
int cw_lock_take(const char *path, unsigned wait_ms, int *ret_fd, pid_t *ret_owner) CW_MUST_CHECK;
/* Removes the file and lets go. fd < 0 is fine. */
void cw_lock_release(const char *path, int *fd);
