/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file while the broker runs: what of it is in force, and reading it again. Thread:
 * the loop's. */
#pragma once

#include <stdio.h>

#include "broker/access/tsp/access.h"
#include "broker/access/tsp/io.h"
#include "broker/lease/engine.h"
#include "broker/settings.h"
#include "db/store.h"

struct cw_reload;
struct cw_rest;

struct cw_reload_parts {
	struct cw_loop *loop; /* all borrowed */
	struct cw_store *store;
	struct cw_engine *engine;
	struct cw_tsp_access *tsp;
	struct cw_tsp_io *tsp_io;
	struct cw_config *start; /* referenced */
	const char *path;        /* of the file */
};

int cw_reload_new(const struct cw_reload_parts *parts, struct cw_reload **ret) CW_MUST_CHECK;
/* Before the store is closed. NULL is fine. */
struct cw_reload *cw_reload_free(struct cw_reload *r);

/* The API, whose certificate is read again too; borrowed, NULL: it is going. */
void cw_reload_serves(struct cw_reload *r, struct cw_rest *rest);
/* The start's configuration, and what was taken over last, which is the same until then
 * (cw_config_value_in_force()); borrowed. */
const struct cw_config *cw_reload_start(const struct cw_reload *r);
const struct cw_config *cw_reload_in_force(const struct cw_reload *r);
int64_t cw_reload_loaded_wall_s(const struct cw_reload *r); /* when that was read */

/* Reads the file and looks at all it names, as causewayd --check-config does; takes nothing over. The
 * number of problems, or -errno; each is a line in err, "FILE:LINE: text", as are warnings, which are
 * not counted. *ret: given if the text itself has no problem, else NULL. */
int cw_reload_test(const struct cw_reload *r, FILE *err, struct cw_config **ret);
/* The same, and takes over what can be while the broker runs: all of it, or with a problem nothing. 0,
 * the number of problems, or a code; each is a line in err (which may be NULL), and of the log. An
 * event tells of it. before (which may be NULL) is called with what is about to be taken over. */
int cw_reload_now(struct cw_reload *r, FILE *err,
	void (*before)(void *arg, const struct cw_config *fresh), void *arg);
