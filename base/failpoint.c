/* SPDX-License-Identifier: BSD-2-Clause */
/* Failure points for tests. The environment is read once; each visit costs one comparison. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/failpoint.h"

#define DELAY_MS 20

#define CW_FAILPOINT_DEF(id, name, where) {name, where},
static const struct {
	const char *name, *where;
} points[] = {
#include "base/failpoint.def"
};
#undef CW_FAILPOINT_DEF

static struct {
	enum { NOTHING, KILL, FAIL, DELAY } action;
	enum cw_failpoint at;
	unsigned nth; /* 0: each visit */
	atomic_uint visits;
	int log_fd;
	atomic_bool logged[CW_FP_COUNT];
} plan = {.log_fd = -1};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_action(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t) (colon - text) : strlen(text);
	uint64_t nth = 0;

	if (n == 4 && memcmp(text, "kill", 4) == 0)
		plan.action = KILL;
	else if (n == 5 && memcmp(text, "error", 5) == 0)
		plan.action = FAIL;
	else if (n == 5 && memcmp(text, "delay", 5) == 0)
		plan.action = DELAY;
	if (colon && cw_parse_u64(colon + 1, strlen(colon + 1), 1, 1u << 30, &nth) == 0)
		plan.nth = (unsigned) nth;
	else if (plan.action != DELAY)
		plan.nth = 1;
}

static void read_environment(void)
{
	const char *text =
		getenv("CW_FAILPOINT"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
	const char *log = getenv("CW_FAILPOINT_LOG"); /* NOLINT(concurrency-mt-unsafe) */
	const char *eq = text ? strchr(text, '=') : NULL;

	if (log)
		plan.log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (!eq)
		return;
	for (unsigned i = 0; i < CW_ARRAY_LEN(points); i++) {
		if (strlen(points[i].name) != (size_t) (eq - text) ||
			memcmp(points[i].name, text, (size_t) (eq - text)) != 0)
			continue;
		plan.at = (enum cw_failpoint) i;
		read_action(eq + 1);
	}
}

static void note_first(enum cw_failpoint at)
{
	const char *name = points[at].name;
	char line[64];
	size_t n = strlen(name);

	if (plan.log_fd < 0 || n + 1 > sizeof line || atomic_exchange(&plan.logged[at], true))
		return;
	memcpy(line, name, n);
	line[n] = '\n';
	if (write(plan.log_fd, line, n + 1) < 0)
		plan.log_fd = -1; /* the test that reads the file will say so */
}

int cw_failpoint_visit(enum cw_failpoint at)
{
	(void) pthread_once(&once, read_environment);
	note_first(at);
	if (plan.action == NOTHING || plan.at != at)
		return 0;
	if (plan.nth && atomic_fetch_add(&plan.visits, 1) + 1 != plan.nth)
		return 0;
	switch (plan.action) {
	case KILL:
		(void) kill(getpid(), SIGKILL);
		for (;;)
			(void) pause();
	case FAIL:
		return -EIO;
	case DELAY:
		(void) poll(NULL, 0, DELAY_MS);
		return 0;
	case NOTHING:
		break;
	}
	return 0;
}

unsigned cw_failpoint_list(FILE *to)
{
#ifdef CW_FAILPOINTS
	for (unsigned i = 0; i < CW_ARRAY_LEN(points); i++)
		(void) fprintf(to, "%s\t%s\n", points[i].name, points[i].where);
	return CW_ARRAY_LEN(points);
#else
	(void) to;
	return 0;
#endif
}
