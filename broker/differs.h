/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in the configuration file and has no effect: said in the log, one line each
 * (event=config.differs), with the place in the file. Never the value, which may be a password. */
#pragma once

#include <stdatomic.h>

#include "base/defs.h"
#include "broker/settings.h"
#include "db/store.h"

/* Options that are read at the start only: those that differ between the start's configuration and
 * one read later. path: the later one's file. Their number. */
unsigned cw_differs_fixed(
	const struct cw_config *start, const struct cw_config *now, const char *path);
/* tep, pool and user sections that differ from the database, which counts, or are not in it yet.
 * Passwords that conf has not forgotten are tried: PBKDF2, so not on the loop; stop ends it between
 * two users. Their number, or a code of the reader. */
int cw_differs_database(struct cw_store_reader *r, const struct cw_config *conf, const char *path,
	const _Atomic bool *stop) CW_MUST_CHECK;
