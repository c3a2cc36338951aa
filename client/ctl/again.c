/* SPDX-License-Identifier: BSD-2-Clause */
/* The same again and again. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/ctl/run.h"
#include "client/ctl/screen.h"

enum { PICTURE_MAX = 16 * 1024 * 1024 };

struct text {
	char *p; /* NUL-terminated, or NULL */
	size_t n, cap;
};

static ssize_t keep(void *arg, const char *from, size_t n)
{
	struct text *t = arg;
	size_t cap = t->cap ? t->cap : 8192;
	char *grown;

	while (cap <= t->n + n && cap < PICTURE_MAX)
		cap *= 2;
	if (cap <= t->n + n) {
		errno = EFBIG;
		return 0; /* fopencookie(3): an error */
	}
	if (cap > t->cap) {
		grown = cw_realloc(t->p, cap, 1);
		if (!grown)
			return 0;
		t->p = grown;
		t->cap = cap;
	}
	memcpy(t->p + t->n, from, n);
	t->n += n;
	t->p[t->n] = '\0';
	return (ssize_t) n;
}

/* One picture as a text; what is said instead is in it. The exit code. */
static int take(
	struct cw_ctl *c, int (*show)(struct cw_ctl *c, void *arg), void *arg, struct text *ret)
{
	FILE *out = c->out.f, *f = fopencookie(ret, "w", (cookie_io_functions_t){.write = keep});
	int r;

	ret->n = 0;
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
	struct text text = {.p = NULL};
	int r = CW_EXIT_OK;

	cw_ctl_screen_open(&s, c->out.f);
	while (on) {
		c->out.width = s.width;
		c->out.height = s.height;
		c->now_s = cw_clock_now(&cw_system_clock).wall_s;
		r = take(c, show, arg, &text);
		/* A status of 1 may be what it has to tell (doctor). */
		if (!text.n || (r > CW_EXIT_FAILURE && (!shown || r == CW_EXIT_USAGE)))
			break;
		shown = true;
		cw_ctl_screen_paint(&s, text.p);
		on = cw_ctl_screen_wait(&s, ms) && !ferror(c->out.f);
	}
	cw_ctl_screen_close(&s);
	/* The last failure is worth reading after the terminal is as it was. */
	if (r != CW_EXIT_OK && on && text.n)
		(void) fputs(text.p, stderr);
	(void) cw_free(text.p);
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
