/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of a program: input given whole, output taken by lines, an end in time. No shell, no
 * thread: the host's watches and timers. Thread: the host's. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "causeway-dataplane.h"

enum { CW_EXEC_OUT, CW_EXEC_ERR };

struct cw_exec_child_ops {
	/* A line of output (without newline, cut at 511 octets, control characters replaced). */
	void (*line)(void *arg, int which, const char *text);
	/* status as of waitpid(2); timed_out: it was ended by us. Called once; the child may be
	 * started again from here. */
	void (*end)(void *arg, int status, bool timed_out);
};

struct cw_exec_stream {
	int fd;
	struct cw_dp_watch *watch;
	struct cw_exec_child *child;
	int which;
	size_t n;
	bool skipping; /* the rest of a line that was too long */
	char line[512];
};

struct cw_exec_child {
	const struct cw_dp_host *host;
	const struct cw_exec_child_ops *ops;
	void *arg;
	int keep;  /* descriptor 3 of what runs; -1: none. Borrowed. */
	pid_t pid; /* 0: none running */
	int pidfd;
	struct cw_dp_watch *exit_watch;
	struct cw_dp_timer *timer;
	bool timed_out, killed;
	struct cw_exec_stream streams[2];
};

void cw_exec_child_init(struct cw_exec_child *c, const struct cw_dp_host *host,
	const struct cw_exec_child_ops *ops, void *arg);
/* Starts argv[0] (absolute) with this environment, `input` as standard input, "/" as folder, a
 * process group of its own. 0 or a negative errno, and then ops are not called. */
int cw_exec_child_start(struct cw_exec_child *c, char *const argv[], char *const env[],
	const char *input, size_t n, uint64_t deadline_ms);
/* Ends what runs, at once and without a call of ops. */
void cw_exec_child_stop(struct cw_exec_child *c);
