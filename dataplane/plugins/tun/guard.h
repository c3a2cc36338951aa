/* SPDX-License-Identifier: BSD-2-Clause */
/* Hears of what others do to the TUN device: it is taken down, loses its address or a route, is
 * deleted. Says so a moment later, and not more than a few times a minute: two programs that put
 * the same thing right must not fight at full speed. It only hears. Thread: the host's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "causeway-dataplane.h"

struct cw_tun_guard {
	const struct cw_dp_host *host;
	void (*fn)(void *arg);
	void *arg;
	int fd;
	unsigned index; /* of the device */
	bool gone;      /* it was deleted; known at once, fn may have to wait */
	struct cw_dp_watch *watch;
	struct cw_dp_timer *timer; /* until it is said */
	int64_t minute;            /* when the count began */
	unsigned said;             /* times, since then */
};

/* Begins to hear; fn is called later, never from here. May follow a stop: the count goes on.
 * Negative errno: nothing will be heard. g: zero at first, but for fd, which is -1. */
int cw_tun_guard_start(struct cw_tun_guard *g, const struct cw_dp_host *host, unsigned index,
	void (*fn)(void *arg), void *arg);
/* As if something had been heard: what fn tried did not work. Works without a start as well, once
 * there was one. */
void cw_tun_guard_again(struct cw_tun_guard *g);
void cw_tun_guard_stop(struct cw_tun_guard *g);
