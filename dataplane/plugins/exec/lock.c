/* SPDX-License-Identifier: BSD-2-Clause */
/* See lock.h. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier) */

#include "dataplane/plugins/exec/lock.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* FNV-1a: the path may be longer than a name. */
static uint64_t hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s; s++)
		h = (h ^ (unsigned char) *s) * 0x100000001b3u;
	return h;
}

/* Anybody may take a name; only we are waited for. Who holds it listens, so that it can be asked.
 */
static int holder(const struct sockaddr_un *name, socklen_t n)
{
	struct ucred who = {.uid = (uid_t) -1};
	socklen_t len = sizeof who;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = -EAGAIN;

	if (fd < 0)
		return -errno;
	/* Refused: it does not listen yet or has just ended; a full queue: it waits for nobody. */
	if (connect(fd, (const struct sockaddr *) name, n) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid != geteuid() &&
		who.uid != 0)
		r = -EPERM;
	(void) close(fd);
	return r;
}

int cw_exec_lock(const char *tep, const char *program, int *ret)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int k = snprintf(name.sun_path + 1, sizeof name.sun_path - 1,
		"causeway-exec/%lx/%016llx/%s", (unsigned long) geteuid(),
		(unsigned long long) hash(program), tep);
	socklen_t n = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + (size_t) k);
	int fd, r;

	if (k < 0 || (size_t) k >= sizeof name.sun_path - 1)
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *) &name, n) < 0 || listen(fd, 1) < 0) {
		r = errno == EADDRINUSE ? holder(&name, n) : -errno;
		(void) close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}
