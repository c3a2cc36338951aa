/* SPDX-License-Identifier: BSD-2-Clause */
/* The real causewayd as a child on loopback, with the null plugin of the build tree, and
 * connections to it that speak raw octets. All waits are bounded. Asserts through cmocka. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/tls.h"

struct proc {
	pid_t pid;
	char dir[64];
	uint16_t port, tls_port, port4; /* port4: of a listener on 127.0.0.1, if it has one */
};

/* conf: everything but state-dir, run-dir and plugin-dir. */
void proc_open(struct proc *p, const char *conf);
void proc_start(struct proc *p); /* again, after proc_stop() or proc_kill() */
int proc_stop(struct proc *p);   /* SIGTERM; its exit status */
void proc_kill(struct proc *p);
void proc_close(struct proc *p); /* stops it, expects status 0, removes the folder */
/* Runs causewayd with another option (--check-db); its exit status. Output goes to the log. */
int proc_run(struct proc *p, const char *option);
char *proc_log(const struct proc *p);                                   /* given, by malloc */
bool proc_log_has(const struct proc *p, const char *text, unsigned ms); /* waits for it */
double proc_rss_mib(const struct proc *p);
unsigned proc_fds(const struct proc *p);

struct link {
	int fd;
	struct cw_tls *tls;
	char in[8192]; /* what the last read brought */
	size_t n;
	bool closed; /* the peer has closed, or reset the connection */
	bool reset;
};

void link_tcp(struct link *l, uint16_t port);  /* ::1 */
void link_tcp4(struct link *l, uint16_t port); /* 127.0.0.1 */
void link_unix(struct link *l, const char *path);
void link_udp(struct link *l, uint16_t port);
void link_tls(struct link *l, uint16_t port,
	struct cw_tls_ctx *ctx);                         /* shakes hands; closed if refused */
void link_send(struct link *l, const void *p, size_t n); /* a reset is noted, not an error */
void link_puts(struct link *l, const char *text);
/* Reads until `want` is in it (NULL: until closed), or ms passed. Returns in. */
const char *link_read(struct link *l, const char *want, unsigned ms);
void link_half_close(struct link *l);
void link_close(struct link *l);
/* Frame around body, CRLF added. */
void link_frame(struct link *l, const char *body);
/* VERSION and ANONYMOUS. */
void link_login(struct link *l, const char *version);
/* create, info or delete; returns the whole answer. v4 may be NULL. */
const char *link_ask(struct link *l, const char *action, const char *v6, const char *v4);
/* The client's IPv4 of an answer that has one; static. */
const char *link_leased(const char *answer);
