/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/crash-broker.h"
#include "tests/lib/tsp-hand.h"

struct crash_broker crash_broker;

int64_t crash_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A failed check must not leave the broker behind. */
static void at_death(void)
{
	if (crash_broker.pid > 0)
		kill(crash_broker.pid, SIGKILL);
}

void crash_broker_configure(const char *fmt, ...)
{
	char path[600];
	va_list ap;

	snprintf(path, sizeof path, "%s/causewayd.conf", crash_broker.dir);
	FILE *f = fopen(path, "w");

	if (!f)
		hand_die("%s: %s", path, strerror(errno));
	fprintf(f,
		"state-dir = \"%s/state\"\n"
		"plugin-dir = \"%s\"\n"
		"store { backend = \"sqlite\"  path = \"causeway.db\" }\n",
		crash_broker.dir, crash_broker.plugin_dir);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	if (fclose(f) != 0)
		hand_die("%s: %s", path, strerror(errno));
	snprintf(path, sizeof path, "%s/state", crash_broker.dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		hand_die("%s: %s", path, strerror(errno));
}

static void broker_exec(const char *extra)
{
	char conf[600], log[600];

	snprintf(conf, sizeof conf, "%s/causewayd.conf", crash_broker.dir);
	snprintf(log, sizeof log, "%s/causewayd.log", crash_broker.dir);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
	}
	execl(crash_broker.program, "causewayd", "--config", conf, extra, (char *) NULL);
	_exit(127);
}

static pid_t broker_fork(const char *extra)
{
	pid_t pid;

	hand_at_death = at_death;
	pid = fork();
	if (pid < 0)
		hand_die("fork: %s", strerror(errno));
	if (pid == 0)
		broker_exec(extra);
	return pid;
}

int64_t crash_broker_start(bool (*ready)(void))
{
	int64_t start = crash_now_ms();

	crash_broker.pid = broker_fork("--foreground");
	while (!ready()) {
		int status;

		if (waitpid(crash_broker.pid, &status, WNOHANG) == crash_broker.pid) {
			crash_broker.pid = 0;
			hand_die("the broker ended at start with status %d; see %s/causewayd.log",
				status, crash_broker.dir);
		}
		if (crash_now_ms() - start > 20000)
			hand_die("the broker was not ready within 20 s");
		poll(NULL, 0, 5);
	}
	return crash_now_ms() - start;
}

void crash_broker_end(int signum)
{
	int status;

	kill(crash_broker.pid, signum);
	if (waitpid(crash_broker.pid, &status, 0) != crash_broker.pid)
		hand_die("waitpid: %s", strerror(errno));
	crash_broker.pid = 0;
	if (signum == SIGKILL && !WIFSIGNALED(status))
		hand_die("the broker ended by itself with status %d", status);
	if (signum == SIGTERM && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		hand_die("the broker did not end cleanly: status %d", status);
}

void crash_broker_check_db(void)
{
	pid_t pid = broker_fork("--check-db");
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		hand_die("causewayd --check-db found damage; see %s/causewayd.log",
			crash_broker.dir);
}
