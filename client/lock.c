/* SPDX-License-Identifier: BSD-2-Clause */
/* The lock file; see lock.h. Thread: any. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "client/lock.h"

enum { POLL_MS = 20 };

/* The file that is locked is still the one at path: another owner removes it at its end. */
static bool current(const char *path, int fd)
{
	struct stat a;
	struct stat b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static pid_t owner_in(int fd)
{
	char text[24];
	uint64_t pid = 0;
	ssize_t n = pread(fd, text, sizeof text, 0);

	if (n <= 1 || cw_parse_u64(text, (size_t) n - 1, 1, INT32_MAX, &pid) < 0)
		return 0;
	return (pid_t) pid;
}

static int lock_file(const char *path, int fd, pid_t *ret_owner)
{
	char text[24];
	int n;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		n = errno;
		*ret_owner = owner_in(fd);
		return n == EWOULDBLOCK ? -EADDRINUSE : -n;
	}
	if (!current(path, fd))
		return -EAGAIN;
	n = snprintf(text, sizeof text, "%d\n", (int) getpid());
	/* For messages only; the lock is what counts. */
	if (ftruncate(fd, 0) == 0)
		(void) !pwrite(fd, text, (size_t) n, 0);
	return 0;
}

static int try_once(const char *path, int *ret_fd, pid_t *ret_owner)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = lock_file(path, fd, ret_owner);
	if (r < 0)
		(void) close(fd);
	else
		*ret_fd = fd;
	return r;
}

int cw_lock_take(const char *path, unsigned wait_ms, int *ret_fd, pid_t *ret_owner)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	int64_t until = cw_clock_now(&cw_system_clock).mono_us / 1000 + wait_ms;
	int r;

	*ret_owner = 0;
	for (;;) {
		r = try_once(path, ret_fd, ret_owner);
		if (r != -EADDRINUSE && r != -EAGAIN)
			return r;
		if (cw_clock_now(&cw_system_clock).mono_us / 1000 >= until)
			return r == -EAGAIN ? -EADDRINUSE : r;
		(void) nanosleep(&pause, NULL);
	}
}

void cw_lock_release(const char *path, int *fd)
{
	if (*fd < 0)
		return;
	(void) unlink(path); /* while it is ours */
	cw_closep(fd);
}
