/* SPDX-License-Identifier: BSD-2-Clause */
/* Server-sent events as they are read (WHATWG HTML, 9.2.6), without I/O: octets in, events out. Thread: the owner's. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

enum { CW_CTL_SSE_MAX = 256 * 1024 }; /* of one line, and of one event's data */

/* type and data are NUL-terminated, borrowed. < 0 ends the reading. */
typedef int cw_ctl_event_t(void *arg, const char *type, const char *data);

struct cw_ctl_sse {
	cw_ctl_event_t *event;
	void *arg;
	char *line, *data;
	size_t line_n, data_n;
	char type[64], id[32], last_id[32]; /* last_id: of the last event that was complete */
	bool after_cr;
};

void cw_ctl_sse_init(struct cw_ctl_sse *s, cw_ctl_event_t *event, void *arg);
void cw_ctl_sse_done(struct cw_ctl_sse *s);
/* What was not complete is forgotten: a new connection. last_id stays. */
void cw_ctl_sse_restart(struct cw_ctl_sse *s);
/* 0; CW_E_LIMIT: too long; -ENOMEM; what the callback gave. */
int cw_ctl_sse_feed(struct cw_ctl_sse *s, const char *p, size_t n) CW_MUST_CHECK;
