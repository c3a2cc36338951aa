/* SPDX-License-Identifier: BSD-2-Clause */
/* One program at a time for a TEP, also when its host was killed and another one starts: the name
 * of an abstract Unix socket, which the host holds and every program it starts inherits as
 * descriptor 3. The name is free when the last of them has ended. Thread: the host's. */
#pragma once

/* Takes the lock; *ret: given, to be closed. -EAGAIN: held by processes of this user. Other
 * negative errno: cannot be had at all, for instance held by another user (-EPERM). */
int cw_exec_lock(const char *tep, const char *program, int *ret);
