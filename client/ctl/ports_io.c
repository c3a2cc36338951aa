/* SPDX-License-Identifier: BSD-2-Clause */
/* Does somebody answer where the broker of this host should listen? */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/ctl/ports.h"

enum { PATIENCE_MS = 2000 };

/* Where to knock: a wildcard is asked over loopback. 0: the port is not known. */
static socklen_t address_of(
	const struct cw_endpoint *ep, const char *run_dir, struct sockaddr_storage *to)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) to;
	struct sockaddr_in *in = (struct sockaddr_in *) to;
	struct sockaddr_un *un = (struct sockaddr_un *) to;
	int n;

	if (ep->kind == CW_EP_UNIX) {
		un->sun_family = AF_UNIX;
		n = snprintf(un->sun_path, sizeof un->sun_path, "%s%s%s",
			ep->u.path[0] == '/' ? "" : run_dir, ep->u.path[0] == '/' ? "" : "/",
			ep->u.path);
		return n < 0 || (size_t) n >= sizeof un->sun_path ? 0 : sizeof *un;
	}
	*to = ep->u.ss;
	if (to->ss_family == AF_INET6) {
		if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
			in6->sin6_addr = in6addr_loopback;
		return in6->sin6_port ? sizeof *in6 : 0;
	}
	if (in->sin_addr.s_addr == htonl(INADDR_ANY))
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return in->sin_port ? sizeof *in : 0;
}

int cw_ctl_knock(const struct cw_endpoint *ep, const char *run_dir)
{
	struct sockaddr_storage to = {0};
	socklen_t n = address_of(ep, run_dir, &to), error_n = sizeof(int);
	CW_CLEANUP(cw_closep) int fd = -1;
	struct pollfd wait = {.events = POLLOUT};
	int error = 0;

	if (!n)
		return -EDESTADDRREQ;
	wait.fd = fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *) &to, n) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&wait, 1, PATIENCE_MS) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_n) < 0)
		return -errno;
	return -error;
}
