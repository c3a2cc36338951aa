/* SPDX-License-Identifier: BSD-2-Clause */
/* The password, from where secrets may come: a file, standard input, a systemd credential. Never
 * from the command line, where everybody could read it. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

enum { CW_SECRET_MAX = 256 }; /* with NUL */

/* The first line of `file` ("-": standard input; NULL: the credential "password" of systemd, if
 * there is one). *ret: given, to be freed with cw_secret_free(); NULL if file is NULL and there is
 * no credential. *ret_open: others than the owner can read the file. 0, -errno, CW_E_SYNTAX
 * (empty), CW_E_LIMIT (too long). */
int cw_secret_read(const char *file, char **ret, bool *ret_open) CW_MUST_CHECK;
/* The result < 0 of cw_secret_read() in words, with what would be right; static. */
const char *cw_secret_problem(int r);
/* Wipes first. NULL is fine; returns NULL. */
char *cw_secret_free(char *secret);
