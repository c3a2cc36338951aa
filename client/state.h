/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that remembers lease and tunnel over a crash: the next start asks for the same address,
 * and has the hook undo what it did for the tunnel that died. A small text of "key value" lines,
 * replaced whole. Thread: the owner's. */
#pragma once

#include <sys/types.h>

#include "base/defs.h"
#include "client/keeper.h"

enum { CW_STATE_DEVICE_MAX = 16 };

struct cw_state {
	struct cw_keeper_lease lease;
	char device[CW_STATE_DEVICE_MAX]; /* of the tunnel whose hook ran; empty: there is none */
};

/* Writes the file under another name, syncs it, renames it; makes missing folders. 0 or -errno. */
int cw_state_save(const char *path, const struct cw_state *state) CW_MUST_CHECK;
/* What the file says; only the members it holds are set (expires_boot_ms is not). 0; -ENOENT and
 * other -errno; CW_E_SYNTAX: not such a file, or damaged: start without. */
int cw_state_load(const char *path, struct cw_state *ret) CW_MUST_CHECK;
/* Removes the file; not there is fine. 0 or -errno. */
int cw_state_forget(const char *path) CW_MUST_CHECK;
/* Makes the folder of `path` and those above it, if missing: a fresh prefix has none of them. */
void cw_state_make_folders(const char *path);
/* As cw_lock_take() and cw_lock_release() of PATH.lock: only one client at a time uses the file. */
int cw_state_lock(const char *path, int *ret_fd, pid_t *ret_owner) CW_MUST_CHECK;
void cw_state_unlock(const char *path, int *fd);
/* The text of the file, and back; for tests and the fuzzer. Length, or CW_E_LIMIT. */
int cw_state_render(const struct cw_state *state, char *to, size_t cap) CW_MUST_CHECK;
int cw_state_parse(const char *text, size_t n, struct cw_state *ret) CW_MUST_CHECK;
