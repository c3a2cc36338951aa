/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded before the C library (LD_PRELOAD) into an unchanged broker: a disk that fails, and
 * clocks that jump.
 *
 *	CW_SHIM_DIR=FOLDER	files below it count, except *-shm and *.commits, which hold nothing
 *				that must last
 *	CW_SHIM_FAIL=K:ERRNO	the K-th write, fsync, fdatasync or ftruncate on them fails, once;
 *	CW_SHIM_FAIL=K:ERRNO:ever	it and all later ones. ERRNO: EIO, ENOSPC, EDQUOT; the last
 *				two with "ever" fail writes only: a full disk can still be synced
 *	CW_SHIM_NOTE=FILE	gets a line for the first call that failed, "KIND PATH"
 *	CW_SHIM_CLOCK=FILE	"WALL BOOT": seconds added to CLOCK_REALTIME and CLOCK_BOOTTIME;
 *				read at each call
 *	CW_SHIM_BOOT_ID=FILE	is read instead of the kernel's boot id
 *
 * Thread: any. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *dir, *note, *boot_id;
static long nth;
static int err;
static bool ever;
static int clock_fd = -1;
static atomic_long calls;
static atomic_bool noted;

__attribute__((constructor)) static void init(void)
{
	const char *fail = getenv("CW_SHIM_FAIL"), *clock = getenv("CW_SHIM_CLOCK");
	char name[16] = "", more[8] = "";

	dir = getenv("CW_SHIM_DIR");
	note = getenv("CW_SHIM_NOTE");
	boot_id = getenv("CW_SHIM_BOOT_ID");
	if (fail && sscanf(fail, "%ld:%15[A-Z]:%7s", &nth, name, more) >= 2) {
		err = strcmp(name, "ENOSPC") == 0   ? ENOSPC
		      : strcmp(name, "EDQUOT") == 0 ? EDQUOT
						    : EIO;
		ever = more[0] == 'e';
	}
	if (clock)
		clock_fd = (int) syscall(SYS_openat, AT_FDCWD, clock, O_RDONLY | O_CLOEXEC);
}

/* ---- the disk ---- */

static void note_it(const char *kind, const char *path)
{
	char line[600];
	int n, fd;

	if (!note || atomic_exchange(&noted, true))
		return;
	n = snprintf(line, sizeof line, "%s %s\n", kind, path);
	fd = (int) syscall(SYS_openat, AT_FDCWD, note, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		(void) !syscall(SYS_write, fd, line, (size_t) n);
		(void) close(fd);
	}
}

static bool ends_with(const char *path, const char *end)
{
	size_t n = strlen(path), m = strlen(end);

	return n > m && strcmp(path + n - m, end) == 0;
}

/* Does this call fail? */
static bool fails(int fd, const char *kind)
{
	char link[64], path[512];
	bool is_sync = strstr(kind, "sync") != NULL;
	ssize_t n;
	long k;

	if (!dir || nth == 0)
		return false;
	(void) snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return false;
	path[n] = 0;
	if (strncmp(path, dir, strlen(dir)) != 0 || ends_with(path, "-shm") ||
		ends_with(path, ".commits"))
		return false;
	k = atomic_fetch_add(&calls, 1) + 1;
	if (k < nth || (k > nth && (!ever || (is_sync && err != EIO))))
		return false;
	note_it(kind, path);
	errno = err;
	return true;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return fails(fd, "write") ? -1 : (ssize_t) syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return fails(fd, "write") ? -1 : (ssize_t) syscall(SYS_pwrite64, fd, p, n, at);
}

int fsync(int fd)
{
	return fails(fd, "fsync") ? -1 : (int) syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails(fd, "fdatasync") ? -1 : (int) syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t n)
{
	return fails(fd, "ftruncate") ? -1 : (int) syscall(SYS_ftruncate, fd, n);
}

int ftruncate64(int fd, off64_t n)
{
	return fails(fd, "ftruncate") ? -1 : (int) syscall(SYS_ftruncate, fd, n);
}

/* ---- the clocks ---- */

static time_t offset_of(clockid_t id)
{
	long wall = 0, boot = 0;
	char text[64];
	ssize_t n;

	if (clock_fd < 0 ||
		(id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE && id != CLOCK_BOOTTIME))
		return 0;
	n = pread(clock_fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = 0;
	(void) sscanf(text, "%ld %ld", &wall, &boot);
	return id == CLOCK_BOOTTIME ? boot : wall;
}

int clock_gettime(clockid_t id, struct timespec *to)
{
	int r = (int) syscall(SYS_clock_gettime, id, to);

	if (r == 0)
		to->tv_sec += offset_of(id);
	return r;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
	struct timespec ts;

	(void) zone;
	(void) clock_gettime(CLOCK_REALTIME, &ts);
	to->tv_sec = ts.tv_sec;
	to->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *to)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	if (to)
		*to = ts.tv_sec;
	return ts.tv_sec;
}

/* ---- the boot ---- */

static const char *instead_of(const char *path)
{
	return boot_id && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? boot_id : path;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	return (int) syscall(SYS_openat, AT_FDCWD, instead_of(path), flags, mode);
}

/* The same where off_t has 64 bits. */
__attribute__((alias("open"))) int open64(const char *path, int flags, ...);
