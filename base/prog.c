/* SPDX-License-Identifier: BSD-2-Clause */
/* What every program does the same: its version, word to the service manager (sd_notify(3)'s
 * protocol, spoken here so that no program needs libsystemd for one datagram), descriptor limits.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/prog.h"

void cw_prog_version(const char *name)
{
	(void) printf("%s (Causeway) %s\nLicence: BSD-2-Clause\n", name, PACKAGE_VERSION);
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
