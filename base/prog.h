/* SPDX-License-Identifier: BSD-2-Clause */
/* What every program's command line shares. Exit codes: 0 ok, 1 failure, 2 usage. */
#pragma once

#include "base/defs.h"

enum { CW_EXIT_OK = 0, CW_EXIT_FAILURE = 1, CW_EXIT_USAGE = 2 };

/* "NAME (Causeway) VERSION" and licence to stdout. */
void cw_prog_version(const char *name);
struct option;
/* What getopt_long() with opterr 0 has just refused, to stderr, with what was probably meant and
 * where help is. word: argv[optind - 1]; longs: as given to it, where a flag with a letter has that
 * as its `val`. Gives the exit code. */
int cw_prog_bad_flag(const char *prog, const char *word, const struct option *longs);
/* The same for anything else on the command line. */
int cw_prog_usage(const char *prog, const char *fmt, ...) CW_PRINTF(2, 3);
/* The end of a program that printed: its exit code, or, with a word to stderr, 1 if standard output
 * did not take what was printed. */
int cw_prog_end(const char *prog, int code);
/* sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1"...; nothing when not started by systemd. */
void cw_prog_notify(const char *state);
/* Raises RLIMIT_NOFILE's soft limit to its hard one; returns the soft limit now in force. */
unsigned long cw_prog_raise_nofile(void);
