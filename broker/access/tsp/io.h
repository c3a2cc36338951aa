/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets of the TSP access: listeners (TCP, Unix, TLS, UDP), connections, and their end. Thread:
 * the loop's. */
#pragma once

#include <stddef.h>

#include "base/defs.h"
#include "broker/access/tsp/access.h"
#include "broker/settings.h"

struct cw_tsp_io;

/* Opens every listener of the configuration. 0, or a code with one line in why (which address, what
 * is wrong). *ret given. nofile: how many files may be open; connections stay below it. */
int cw_tsp_io_new(struct cw_tsp_access *a, const struct cw_config *conf, unsigned long nofile,
	char *why, size_t why_n, struct cw_tsp_io **ret) CW_MUST_CHECK;
/* Where they are bound: "[::1]:3653,unix:/run/x" per kind ("tsp", "tsp-udp", "tsps"). Returns buf.
 */
char *cw_tsp_io_bound(const struct cw_tsp_io *io, const char *kind, char *buf, size_t n);
/* New certificate and key for connections from now on, new limits. On failure nothing changed. */
int cw_tsp_io_reload(
	struct cw_tsp_io *io, const struct cw_config *conf, char *why, size_t why_n) CW_MUST_CHECK;
/* No new connections; idle ones end, busy ones after their answer. fn runs when the last is gone.
 */
void cw_tsp_io_stop(struct cw_tsp_io *io, void (*fn)(void *arg), void *arg);
void cw_tsp_io_abort(struct cw_tsp_io *io); /* after stop: ends what is left now */
size_t cw_tsp_io_count(
	const struct cw_tsp_io *io); /* connections and handles that are not gone yet */
struct cw_tsp_io *cw_tsp_io_free(struct cw_tsp_io *io); /* count is 0. NULL is fine */
