/* SPDX-License-Identifier: BSD-2-Clause */
/* Help, the manual's lists and the completions, written from the tables of commands and flags. No I/O but the stream that is
 * given. Thread: any. */
#pragma once

#include <stdio.h>

#include "client/ctl/commands.h"

void cw_ctl_help_all(FILE *f);
/* noun: its commands; with a command: its arguments and flags. */
void cw_ctl_help_noun(FILE *f, const char *noun);
void cw_ctl_help_command(FILE *f, const struct cw_ctl_command *c);
