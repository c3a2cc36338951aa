/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the client's configuration share: conf.c (table, values), conf_flags.c,
 * conf_verify.c. Thread: one. */
#pragma once

#include "client/conf.h"

/* Values from where they count: the flags, else the file, else the default. They may be wrong in a
 * text with problems, and NULL in one of a broken form. */
const char *cw_client_get_str(
	const struct cw_client_conf *c, const char *section, const char *name);
int64_t cw_client_get_int(const struct cw_client_conf *c, const char *section, const char *name);
bool cw_client_get_bool(const struct cw_client_conf *c, const char *section, const char *name);
unsigned cw_client_list_count(
	const struct cw_client_conf *c, const char *section, const char *name);
const char *cw_client_list_get(
	const struct cw_client_conf *c, const char *section, const char *name, unsigned i);

/* Flags into c->flags. The number of problems, all reported; -E2BIG, reported; -ENOMEM. */
int cw_client_flags_parse(
	struct cw_client_conf *c, const struct cw_client_flag *flags, size_t n, FILE *err);
/* What single values do not show: options that need or exclude each other, files. The number of
 * problems, all reported. */
int cw_client_verify(const struct cw_client_conf *c, bool for_up, FILE *err);
