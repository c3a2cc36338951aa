/* SPDX-License-Identifier: BSD-2-Clause */
/* What every program's command line shares. Exit codes: 0 ok, 1 failure, 2 usage. */
#pragma once

#include "base/defs.h"

enum { CW_EXIT_OK = 0, CW_EXIT_FAILURE = 1, CW_EXIT_USAGE = 2 };

/* "NAME (Causeway) VERSION" and licence to stdout. */
void cw_prog_version(const char *name);
/* sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1"...; nothing when not started by systemd. */
void cw_prog_notify(const char *state);
/* Raises RLIMIT_NOFILE's soft limit to its hard one; returns the soft limit now in force. */
unsigned long cw_prog_raise_nofile(void);
