/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader of server-sent events. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/sse.h"

void cw_ctl_sse_init(struct cw_ctl_sse *s, cw_ctl_event_t *event, void *arg)
{
	*s = (struct cw_ctl_sse){.event = event, .arg = arg};
}

void cw_ctl_sse_done(struct cw_ctl_sse *s)
{
	s->line = cw_free(s->line);
	s->data = cw_free(s->data);
}

void cw_ctl_sse_restart(struct cw_ctl_sse *s)
{
	s->line_n = s->data_n = 0;
	s->type[0] = s->id[0] = '\0';
	s->after_cr = false;
}

/* An empty line: the event is complete. */
static int dispatch(struct cw_ctl_sse *s)
{
	int r = 0;

	if (s->id[0])
		memcpy(s->last_id, s->id, sizeof s->id);
	if (s->data_n) {
		s->data[s->data_n - 1] = '\0'; /* the line end behind the last line of data */
		r = s->event(s->arg, s->type[0] ? s->type : "message", s->data);
	} else if (s->type[0])
		r = s->event(s->arg, s->type, "");
	s->data_n = 0;
	s->type[0] = s->id[0] = '\0';
	return r;
}

static int add_data(struct cw_ctl_sse *s, const char *v, size_t n)
{
	if (!s->data && !(s->data = cw_zalloc(CW_CTL_SSE_MAX, 1)))
		return -ENOMEM;
	if (n + 1 > CW_CTL_SSE_MAX - s->data_n)
		return CW_E_LIMIT;
	memcpy(s->data + s->data_n, v, n);
	s->data[s->data_n + n] = '\n';
	s->data_n += n + 1;
	return 0;
}

static int end_line(struct cw_ctl_sse *s)
{
	size_t name = 0, n = s->line_n;
	const char *v;

	s->line_n = 0;
	if (n == 0)
		return dispatch(s);
	while (name < n && s->line[name] != ':')
		name++;
	v = s->line + name;
	n -= name;
	if (n) { /* the colon, and one blank */
		v++;
		n--;
	}
	if (n && *v == ' ') {
		v++;
		n--;
	}
	if (name == 4 && memcmp(s->line, "data", 4) == 0)
		return add_data(s, v, n);
	if (name == 5 && memcmp(s->line, "event", 5) == 0 && n < sizeof s->type)
		(void) snprintf(s->type, sizeof s->type, "%.*s", (int) n, v);
	else if (name == 2 && memcmp(s->line, "id", 2) == 0 && n < sizeof s->id && !memchr(v, 0, n))
		(void) snprintf(s->id, sizeof s->id, "%.*s", (int) n, v);
	return 0; /* comments, retry, unknown fields */
}

int cw_ctl_sse_feed(struct cw_ctl_sse *s, const char *p, size_t n)
{
	int r = 0;

	if (!s->line && !(s->line = cw_zalloc(CW_CTL_SSE_MAX, 1)))
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		bool lf = p[i] == '\n';

		if (lf && s->after_cr) {
			s->after_cr = false;
			continue;
		}
		s->after_cr = p[i] == '\r';
		if (lf || s->after_cr)
			r = end_line(s);
		else if (s->line_n == CW_CTL_SSE_MAX)
			r = CW_E_LIMIT;
		else
			s->line[s->line_n++] = p[i];
	}
	return r;
}
