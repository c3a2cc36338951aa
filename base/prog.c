/* SPDX-License-Identifier: BSD-2-Clause */
/* What every program does the same: its version, word to the service manager (sd_notify(3)'s
 * protocol, spoken here so that no program needs libsystemd for one datagram), descriptor limits,
 * words about flags it does not know.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/prog.h"

enum { FLAGS_MAX = 64 };

void cw_prog_version(const char *name)
{
	(void) printf("%s (Causeway) %s\nLicence: BSD-2-Clause\n", name, PACKAGE_VERSION);
}

int cw_prog_usage(const char *prog, const char *fmt, ...)
{
	va_list ap;

	(void) fprintf(stderr, "%s: ", prog);
	va_start(ap, fmt);
	(void) vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void) fprintf(stderr, "\nTry '%s --help'.\n", prog);
	return CW_EXIT_USAGE;
}

int cw_prog_bad_flag(const char *prog, const char *word, const struct option *longs)
{
	const char *names[FLAGS_MAX + 1] = {NULL};
	const char *near;
	char name[64];
	size_t n = 0;

	for (; n < FLAGS_MAX && longs[n].name; n++) {
		names[n] = longs[n].name;
		if (!optopt || longs[n].val != optopt)
			continue;
		return cw_prog_usage(prog,
			longs[n].has_arg ? "--%s needs a value behind it" : "--%s takes no value",
			longs[n].name);
	}
	if (optopt)
		return cw_prog_usage(prog, "unknown flag -%c", optopt);
	word += strspn(word, "-");
	(void) snprintf(name, sizeof name, "%.*s", (int) strcspn(word, "="), word);
	near = cw_conf_nearest(name, names);
	if (near)
		return cw_prog_usage(prog, "unknown flag --%s; did you mean --%s?", name, near);
	return cw_prog_usage(prog, "unknown or ambiguous flag --%s", name);
}

int cw_prog_end(const char *prog, int code)
{
	bool lost = ferror(stdout);
	int e = 0;

	if (fflush(stdout) != 0) {
		lost = true;
		e = errno;
	}
	if (!lost)
		return code;
	(void) fprintf(stderr, "%s: standard output cannot be written%s%s\n", prog, e ? ": " : "",
		e ? cw_strerror(-e) : "");
	return code ? code : CW_EXIT_FAILURE;
}

void cw_prog_notify(const char *state)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	CW_CLEANUP(cw_closep) int fd = -1;
	size_t n;

	if (!path || (path[0] != '/' && path[0] != '@'))
		return;
	n = strlen(path);
	if (n >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@') /* an abstract name, which has no NUL at its end */
		to.sun_path[0] = '\0';
	else
		n++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A service manager that does not listen is no reason to stop serving. */
	(void) sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *) &to,
		(socklen_t) (offsetof(struct sockaddr_un, sun_path) + n));
}

unsigned long cw_prog_raise_nofile(void)
{
	struct rlimit limit = {0};

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		const struct rlimit wanted = {
			.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
			limit.rlim_cur = limit.rlim_max;
	}
	return limit.rlim_cur;
}
