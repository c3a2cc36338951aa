/* SPDX-License-Identifier: BSD-2-Clause */
/* The same again and again. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client/ctl/run.h"
#include "client/ctl/screen.h"

/* One picture as a text (free()); what is said instead is in it. The exit code. */
static int take(struct cw_ctl *c, int (*show)(struct cw_ctl *c, void *arg), void *arg, char **ret)
{
	FILE *out = c->out.f, *f;
	size_t n;
	int r;

	*ret = NULL;
	f = open_memstream(ret, &n);
	if (!f)
		return cw_ctl_failed(-errno, "output");
	c->out.f = f;
	cw_ctl_say_to(f);
	r = show(c, arg);
	cw_ctl_say_to(NULL);
	c->out.f = out;
	if (fclose(f) != 0)
		r = cw_ctl_failed(-errno, "output");
	return r;
}

static int paint(struct cw_ctl *c, unsigned ms, int (*show)(struct cw_ctl *c, void *arg), void *arg)
{
	struct cw_ctl_screen s;
	bool shown = false, on = true;
	char *text = NULL;
	int r = CW_EXIT_OK;

	cw_ctl_screen_open(&s, c->out.f);
	while (on) {
		c->out.width = s.width;
		c->out.height = s.height;
		c->now_s = cw_clock_now(&cw_system_clock).wall_s;
		free(text); /* open_memstream's */
		r = take(c, show, arg, &text);
		/* A status of 1 may be what it has to tell (doctor). */
		if (!text || (r > CW_EXIT_FAILURE && (!shown || r == CW_EXIT_USAGE)))
			break;
		shown = true;
		cw_ctl_screen_paint(&s, text);
		on = cw_ctl_screen_wait(&s, ms) && !ferror(c->out.f);
	}
	cw_ctl_screen_close(&s);
	/* The last failure is worth reading after the terminal is as it was. */
	if (r != CW_EXIT_OK && on && text)
		(void) fputs(text, stderr);
	free(text);
	return on ? r : CW_EXIT_OK;
}

int cw_ctl_again(struct cw_ctl *c, uint64_t s, int (*show)(struct cw_ctl *c, void *arg), void *arg)
{
	int r;

	if (c->out.width)
		return paint(c, (unsigned) s * 1000, show, arg);
	do {
		c->now_s = cw_clock_now(&cw_system_clock).wall_s;
		r = show(c, arg);
		(void) fflush(c->out.f);
	} while (r == CW_EXIT_OK && cw_ctl_out_failed(c->out.f) == 0 &&
		 cw_ctl_wait((unsigned) s * 1000));
	return r;
}
