/* SPDX-License-Identifier: BSD-2-Clause */
/* A terminal that is painted over again and again: its alternate screen, keys without a line end, no cursor. However the
 * program ends, also by a signal or stopped by Ctrl-Z, the terminal is as it was before. Thread: one. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/defs.h"

struct cw_ctl_screen {
	int fd;
	FILE *f;
	unsigned width, height;
};

/* f: a terminal. */
void cw_ctl_screen_open(struct cw_ctl_screen *s, FILE *f);
void cw_ctl_screen_close(struct cw_ctl_screen *s);
/* The lines of text from the upper left on. What does not fit is cut; colours (SGR sequences) take no room. */
void cw_ctl_screen_paint(struct cw_ctl_screen *s, const char *text);
/* Waits for ms, or until it has another size. false: enough (q, or the end of input). */
bool cw_ctl_screen_wait(struct cw_ctl_screen *s, unsigned ms);

/* One line of text, cut to width columns, to f: *ret_columns of them. Gives where the next begins. */
const char *cw_ctl_screen_line(FILE *f, const char *text, unsigned width, unsigned *ret_columns);
