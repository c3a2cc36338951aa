/* SPDX-License-Identifier: BSD-2-Clause */
/* See listen.h. Thread: the loop's, at the start. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "broker/rest/listen.h"

#define BACKLOG 1024

/* The address of path; one that is too long is named through its folder's descriptor, which must
 * stay open for as long as the address is used. */
static int address_of(const char *path, struct sockaddr_un *sa, int *ret_folder)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int n;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) < sizeof sa->sun_path) {
		memcpy(sa->sun_path, path, strlen(path));
		return 0;
	}
	if (!slash || (size_t) (slash - path) >= sizeof folder)
		return -ENAMETOOLONG;
	(void) snprintf(folder, sizeof folder, "%.*s", (int) (slash - path), path);
	*ret_folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_folder < 0)
		return -errno;
	n = snprintf(
		sa->sun_path, sizeof sa->sun_path, "/proc/self/fd/%d/%s", *ret_folder, slash + 1);
	return n < (int) sizeof sa->sun_path ? 0 : -ENAMETOOLONG;
}

/* Takes away what a server left that is no more. */
static int clear_way(const char *path, const struct sockaddr_un *sa)
{
	CW_CLEANUP(cw_closep) int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *) sa, sizeof *sa) == 0 || errno == EAGAIN)
		return -EBUSY;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int cw_rest_listen_unix(const char *path)
{
	CW_CLEANUP(cw_closep) int folder = -1, fd = -1;
	struct sockaddr_un sa;
	int r = address_of(path, &sa, &folder);
	int mine;

	if (r == 0)
		r = clear_way(path, &sa);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *) &sa, sizeof sa) < 0 ||
		chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	mine = fd;
	fd = -1;
	return mine;
}

int cw_rest_listen_inet(const struct cw_endpoint *ep, char *ret_bound)
{
	const struct sockaddr *sa = (const struct sockaddr *) &ep->u.ss;
	bool six = sa->sa_family == AF_INET6;
	socklen_t n = six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	struct sockaddr_storage got;
	socklen_t got_n = sizeof got;
	CW_CLEANUP(cw_closep) int fd = -1;
	const int one = 1;
	int mine;

	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
		(six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0) ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
		bind(fd, sa, n) < 0 || listen(fd, BACKLOG) < 0 ||
		getsockname(fd, (struct sockaddr *) &got, &got_n) < 0)
		return -errno;
	(void) cw_sockaddr_str((const struct sockaddr *) &got, ret_bound);
	mine = fd;
	fd = -1;
	return mine;
}
