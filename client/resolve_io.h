/* SPDX-License-Identifier: BSD-2-Clause */
/* A broker's name to addresses, by the host's own resolver (getaddrinfo: /etc/hosts, DNS, mDNS,
 * what nsswitch.conf says), in a thread that nobody has to wait for: libuv's pool is joined at
 * exit, and a DNS server that is silent would keep the process for as long as resolv.conf has
 * patience (adr/0010). Thread: the loop's. */
#pragma once

#include <netdb.h>

#include "base/loop.h"

struct cw_resolve;

/* status: 0, with addresses borrowed for the call; else an EAI_ code, for gai_strerror(3). */
typedef void cw_resolve_fn(void *arg, int status, const struct addrinfo *addresses);

/* done(arg, ...) is called later, once, unless it is cancelled before. *ret: given, gone with the
 * call of done or with cw_resolve_cancel(). 0; -ENOMEM; -EAGAIN: too many lookups hang already. */
int cw_resolve_start(struct cw_loop *loop, const char *host, uint16_t port, cw_resolve_fn *done,
	void *arg, struct cw_resolve **ret) CW_MUST_CHECK;
/* No call of done any more. NULL is fine; returns NULL. The lookup itself goes on unseen. */
struct cw_resolve *cw_resolve_cancel(struct cw_resolve *r);
