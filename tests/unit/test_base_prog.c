/* SPDX-License-Identifier: BSD-2-Clause */
/* Word to the service manager over both kinds of socket names; version; descriptor limits. */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/prog.h"
#include "tests/lib/cw-cmocka.h"

static void expect(int fd, const char *want)
{
	char got[100];
	const ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);

	assert_int_equal(n, want ? (ssize_t) strlen(want) : -1);
	if (want)
		assert_memory_equal(got, want, strlen(want));
}

static int bound(const char *name, size_t n)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(a.sun_path, name, n);
	assert_int_equal(bind(fd, (struct sockaddr *) &a,
				 (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)),
		0);
	return fd;
}

static void notify_path(void **state)
{
	char dir[] = "/tmp/cw-prog-XXXXXX", path[64];
	int fd;

	(void) state;
	assert_non_null(mkdtemp(dir));
	(void) snprintf(path, sizeof path, "%s/notify", dir);
	fd = bound(path, strlen(path) + 1);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	cw_prog_notify("READY=1");
	cw_prog_notify("STOPPING=1");
	expect(fd, "READY=1");
	expect(fd, "STOPPING=1");
	cw_closep(&fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	cw_prog_notify("READY=1"); /* nobody listens any more: no harm */
	(void) unsetenv("NOTIFY_SOCKET");
}

static void notify_abstract(void **state)
{
	char name[64];
	int fd;

	(void) state;
	(void) snprintf(name, sizeof name, "@cw-prog-%d", (int) getpid());
	name[0] = '\0';
	fd = bound(name, 1 + strlen(name + 1));
	name[0] = '@';
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	cw_prog_notify("WATCHDOG=1");
	expect(fd, "WATCHDOG=1");
	cw_closep(&fd);
	(void) unsetenv("NOTIFY_SOCKET");
}

static void notify_nobody(void **state)
{
	char far[200];

	(void) state;
	cw_prog_notify("READY=1");
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	cw_prog_notify("READY=1");
	memset(far, '/', sizeof far - 1); /* longer than a socket's name may be */
	far[sizeof far - 1] = '\0';
	assert_int_equal(setenv("NOTIFY_SOCKET", far, 1), 0);
	cw_prog_notify("READY=1");
	(void) unsetenv("NOTIFY_SOCKET");
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void version(void **state)
{
	const int out = dup(STDOUT_FILENO), file = memfd_create("stdout", MFD_CLOEXEC);
	char got[200] = "", want[200];

	(void) state;
	assert_true(out >= 0 && file >= 0);
	(void) fflush(stdout);
	assert_int_equal(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
	cw_prog_version("causewayd");
	(void) fflush(stdout);
	assert_int_equal(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	assert_true(pread(file, got, sizeof got - 1, 0) > 0);
	(void) snprintf(want, sizeof want, "causewayd (Causeway) %s\n", PACKAGE_VERSION);
	assert_memory_equal(got, want, strlen(want));
	assert_non_null(strstr(got, "BSD-2-Clause"));
	(void) close(out);
	(void) close(file);
}

static void descriptors(void **state)
{
	struct rlimit was, limit;

	(void) state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	limit = was;
	limit.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(cw_prog_raise_nofile(), was.rlim_max);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, was.rlim_max);
	assert_int_equal(cw_prog_raise_nofile(), was.rlim_max); /* nothing left to raise */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notify_path),
		cmocka_unit_test(notify_abstract),
		cmocka_unit_test(notify_nobody),
		cmocka_unit_test(version),
		cmocka_unit_test(descriptors),
	};

	return cmocka_run_group_tests_name("base/prog", tests, NULL, NULL);
}
