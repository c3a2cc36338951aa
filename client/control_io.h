/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket by which `causeway status`, `renew` and `down` reach the running client. One request a
 * connection: a line of words ("status json"); the answer is a line with the exit code, then the
 * text to print. Only root and the user the client runs as may ask. Thread: the loop's;
 * cw_control_ask() any. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/defs.h"
#include "base/loop.h"

enum { CW_CONTROL_TEXT_MAX = 8192, CW_CONTROL_PATH_MAX = 107 };

enum cw_control_command { CW_CONTROL_STATUS, CW_CONTROL_RENEW, CW_CONTROL_DOWN };

struct cw_control;

struct cw_control_ops {
	/* Writes the answer to a status request. */
	void (*status)(void *arg, bool json, struct cw_writer *w);
	/* renew or down: begin it; the answer follows with cw_control_done(). keep: only with down.
	 */
	void (*command)(void *arg, enum cw_control_command command, bool keep);
};

/* Listens at `path`, mode 0600, under the lock PATH.lock; a socket left by a killed client is
 * replaced. *ret: given. -EADDRINUSE: another client is there, *ret_owner says which (0: not
 * known); -EEXIST: something there is no socket; -errno. */
int cw_control_new(struct cw_loop *loop, const char *path, const struct cw_control_ops *ops,
	void *arg, struct cw_control **ret, pid_t *ret_owner) CW_MUST_CHECK;
/* Answers all who wait for `command`: exit code and a sentence. */
void cw_control_done(
	struct cw_control *c, enum cw_control_command command, int code, const char *text);
/* Removes the socket; answers under way are still written. NULL is fine; returns NULL. */
struct cw_control *cw_control_free(struct cw_control *c);
/* How many are not gone yet, freed ones with answers under way included. */
unsigned cw_controls_alive(void);

/* The other end: sends `request` and reads the answer into text (with NUL), waiting at most
 * timeout_s. The exit code in the answer (>= 0); -ENOENT, -ECONNREFUSED: nobody there; -EACCES,
 * -EPERM; -ETIMEDOUT; -EBADMSG. */
int cw_control_ask(const char *path, const char *request, unsigned timeout_s,
	char text[static CW_CONTROL_TEXT_MAX]) CW_MUST_CHECK;
