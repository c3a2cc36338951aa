/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of causewayctl have in common: the command line that was read, the broker, the output; and each
 * command's function, named in commands.def. They give the exit code; what went wrong is on standard error by then.
 * Thread: one. */
#pragma once

#include "base/prog.h"
#include "client/ctl/commands.h"
#include "client/ctl/exit.h"
#include "client/ctl/http_io.h"
#include "client/ctl/out.h"

struct json_t;

enum { CW_CTL_PAGE = 1000 }; /* rows in one answer, at most (Limit in openapi.yaml) */

struct cw_ctl {
	struct cw_ctl_line *line;
	struct cw_ctl_http *http; /* NULL until the first request: cw_ctl_do() opens it */
	struct cw_ctl_out out;
	char *token; /* NULL: none; cw_free_secret */
	int64_t now_s;
};

/* ---- asking (ask.c) ---- */

/* One request. CW_EXIT_OK: *ret is given (cw_ctl_answer_done) and its status is 2xx; else the exit code, and the problem
 * has been told. */
int cw_ctl_do(struct cw_ctl *c, const struct cw_ctl_request *q, struct cw_ctl_answer *ret);
/* The same without telling: an answer of any status is CW_EXIT_OK. */
int cw_ctl_try(struct cw_ctl *c, const struct cw_ctl_request *q, struct cw_ctl_answer *ret);
/* Tells what a problem says: title, detail, each pointer, and what to do; gives the exit code. about: what it was for, or
 * NULL. */
int cw_ctl_problem(const struct cw_ctl_answer *a, const char *about);
/* A 2xx answer's JSON; *ret is given. body: its JSON, or NULL; taken. */
int cw_ctl_ask(struct cw_ctl *c, enum cw_rest_method method, const char *path, const char *query,
	struct json_t *body, struct json_t **ret);
int cw_ctl_get(struct cw_ctl *c, const char *path, const char *query, struct json_t **ret);
/* The same for a request of any kind: a 2xx answer's JSON object (null: it has none). */
int cw_ctl_send(struct cw_ctl *c, const struct cw_ctl_request *q, struct json_t **ret);
/* The rows of an answer; borrowed. CW_EXIT_FAILURE, told: it is not one of ours. */
int cw_ctl_rows(const struct json_t *v, const char *name, struct json_t **ret);
/* The version that the command changes at a path: the ETag of what is there, or --if-match. */
int cw_ctl_etag(struct cw_ctl *c, const char *path, char to[static CW_CTL_ETAG_MAX]);
/* All rows of a list, page by page. A row that gives other than CW_EXIT_OK ends it with that. most: 0: all. */
typedef int cw_ctl_row_t(struct cw_ctl *c, const struct json_t *row, void *arg);
int cw_ctl_each(struct cw_ctl *c, const char *path, const char *query, uint64_t most,
	cw_ctl_row_t *row, void *arg);
/* The path of the command's operation with its arguments; given; NULL has been told. */
char *cw_ctl_own_path(const struct cw_ctl *c);
/* Its query and its body from the command line; given. The exit code; told. */
int cw_ctl_own_query(struct cw_ctl *c, char **ret);
int cw_ctl_own_body(struct cw_ctl *c, struct json_t **ret);
int cw_ctl_limit(const struct cw_ctl *c, uint64_t *ret); /* --limit; 0: none */
/* The first line of a file ("-": standard input) as the body's password. */
int cw_ctl_password(const char *file, struct json_t *body);
/* The command's operation with this body (taken) at a path; prints what comes back. if_match, key: or NULL. */
int cw_ctl_submit(struct cw_ctl *c, const char *path, const char *if_match, const char *key,
	struct json_t *body);
/* The exit code for a result code of ours, told; 0 gives CW_EXIT_OK. */
int cw_ctl_failed(int r, const char *what);
/* "causewayctl: ..." and the exit code for wrong usage. */
int cw_ctl_usage(const char *fmt, ...) CW_PRINTF(1, 2);
void cw_ctl_say(const char *fmt, ...) CW_PRINTF(1, 2); /* to standard error */
/* What is said from now on goes to f; NULL: to standard error. */
void cw_ctl_say_to(FILE *f);
/* A random Idempotency-Key, or the one that was given; to: of 40 octets or more. */
int cw_ctl_key(const struct cw_ctl *c, const char **ret, char *to, size_t n);
/* The first line of a file ("-": standard input), at most 4 KiB; given, for cw_free_secret. *ret_n without NUL. */
int cw_ctl_secret(const char *file, char **ret, size_t *ret_n);
/* A whole file or standard input, at most max octets, NUL-terminated; given. */
int cw_ctl_slurp(const char *file, size_t max, char **ret, size_t *ret_n);
/* Value of the sample of /metrics at line, if it is one of this name that has the label (NULL: any). */
bool cw_ctl_sample(const char *line, const char *name, const char *label, double *ret);
/* How full each pool is, fullest first; *ret is given. */
int cw_ctl_usages(struct cw_ctl *c, struct json_t **ret);
/* Begins a list with the columns of --columns, or else the command's; a row of it. The exit code. */
int cw_ctl_begin(struct cw_ctl *c);
int cw_ctl_row(struct cw_ctl *c, const struct json_t *row);
/* Prints the answer of a GET as it comes: nothing of a million rows is held here. lines: the most to print; 0: all. */
int cw_ctl_pass_on(
	struct cw_ctl *c, const char *path, const char *query, const char *accept, uint64_t lines);
/* Prints one JSON value (borrowed), the command's columns; the exit code. */
int cw_ctl_show(struct cw_ctl *c, const struct json_t *v);

/* ---- the commands ---- */

#define CW_CTL_RUN(name) int cw_ctl_run_##name(struct cw_ctl *c)
CW_CTL_RUN(list); /* crud.c */
CW_CTL_RUN(show);
CW_CTL_RUN(create);
CW_CTL_RUN(set);
CW_CTL_RUN(delete);
CW_CTL_RUN(post);
CW_CTL_RUN(drain); /* special.c */
CW_CTL_RUN(tag);
CW_CTL_RUN(passwd);
CW_CTL_RUN(token);
CW_CTL_RUN(run);
CW_CTL_RUN(usage);
CW_CTL_RUN(samples);
CW_CTL_RUN(drift);
CW_CTL_RUN(items);
CW_CTL_RUN(config);
CW_CTL_RUN(status);
CW_CTL_RUN(metrics);
CW_CTL_RUN(who);    /* who.c */
CW_CTL_RUN(events); /* watch.c */
CW_CTL_RUN(watch);
CW_CTL_RUN(top); /* top.c */
/* Runs show again and again, every s seconds, on a terminal painted over the last time, until q: --watch and top (again.c).
 * There a failure is shown in its place and tried again, if the first time went well. */
int cw_ctl_again(struct cw_ctl *c, uint64_t s, int (*show)(struct cw_ctl *c, void *arg), void *arg);
CW_CTL_RUN(apply);        /* apply.c */
CW_CTL_RUN(export_pools); /* transfer.c */
CW_CTL_RUN(export_leases);
CW_CTL_RUN(import_pools);
CW_CTL_RUN(import_leases);
CW_CTL_RUN(doctor);  /* doctor.c */
CW_CTL_RUN(restore); /* restore.c */
CW_CTL_RUN(help);    /* help.c */
#undef CW_CTL_RUN
