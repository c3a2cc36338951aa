/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests as the commands make them: what went wrong is told here, with what to do about it and the exit code for it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"
#include "schema/rest/problem.h"

enum {
	SECRET_MAX = 4096,
	DEFAULT_TIMEOUT_S = 60,
	QUERY_MAX = 16384,
	SAID_MAX = 2048,
	WHY_MAX = 512
};

static FILE *said; /* NULL: standard error */

void cw_ctl_say_to(FILE *f)
{
	said = f;
}

static FILE *to(void)
{
	return said ? said : stderr;
}

/* What the other side and its certificates say is in it: it must not steer the terminal. */
static CW_PRINTF(1, 0) void say(const char *fmt, va_list ap)
{
	char text[SAID_MAX];

	(void) vsnprintf(text, sizeof text, fmt, ap);
	cw_ctl_tame(text);
	if (!said)
		(void) fflush(stdout);
	(void) fprintf(to(), "causewayctl: %s\n", text);
}

void cw_ctl_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

int cw_ctl_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	(void) fputs("Try 'causewayctl --help'.\n", to());
	return CW_EXIT_USAGE;
}

int cw_ctl_failed(int r, const char *what)
{
	if (r >= 0)
		return CW_EXIT_OK;
	cw_ctl_say("%s: %s", what, cw_strerror(r));
	return CW_EXIT_FAILURE;
}

/* ---- files ---- */

int cw_ctl_slurp(const char *file, size_t max, char **ret, size_t *ret_n)
{
	bool in = strcmp(file, "-") == 0;
	CW_CLEANUP(cw_closep) int fd = in ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
	size_t n = 0, cap = 65536 < max ? 65536 : max + 1;
	char *p = fd < 0 ? NULL : cw_zalloc(cap + 1, 1), *grown;
	ssize_t got = 0;
	int r = fd < 0 ? -errno : p ? 0 : -ENOMEM;

	while (r == 0) {
		if (n == cap) {
			grown = n > max ? NULL : cw_realloc(p, cap * 2 + 1, 1);
			r = n > max ? CW_E_LIMIT : grown ? 0 : -ENOMEM;
			p = grown ? grown : p;
			cap *= 2;
			continue;
		}
		got = read(fd, p + n, cap - n);
		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			r = -errno;
		n += got > 0 ? (size_t) got : 0;
	}
	if (r == 0 && n > max)
		r = CW_E_LIMIT;
	if (r < 0) {
		if (p)
			p = cw_free_secret(p, n);
		return r;
	}
	p[n] = '\0';
	*ret = p;
	*ret_n = n;
	return 0;
}

int cw_ctl_secret(const char *file, char **ret, size_t *ret_n)
{
	char *p;
	size_t n;
	int r = cw_ctl_slurp(file, SECRET_MAX, &p, &n);

	if (r < 0)
		return r;
	*ret_n = strcspn(p, "\r\n");
	explicit_bzero(p + *ret_n, n - *ret_n);
	*ret = p;
	return 0;
}

/* ---- the connection ---- */

static int token(struct cw_ctl *c)
{
	const char *file = cw_ctl_value(c->line, "token-file");
	const char *from_env = getenv("CAUSEWAY_TOKEN_FILE"); /* NOLINT(concurrency-mt-unsafe) */
	size_t n;
	int r;

	if (!file && from_env && *from_env)
		file = from_env;
	if (!file)
		return CW_EXIT_OK;
	r = cw_ctl_secret(file, &c->token, &n);
	if (r == 0 && n == 0) {
		cw_ctl_say("%s: no token in its first line", file);
		return CW_EXIT_FAILURE;
	}
	return cw_ctl_failed(r, file);
}

static int open_http(struct cw_ctl *c)
{
	const char *timeout = cw_ctl_value(c->line, "timeout"),
		   *socket = cw_ctl_value(c->line, "socket");
	struct cw_ctl_peer peer = {
		.socket = socket ? socket : CW_STATEDIR "/api.sock",
		.url = cw_ctl_value(c->line, "url"),
		.ca = cw_ctl_value(c->line, "ca"),
		.cert = cw_ctl_value(c->line, "cert"),
		.key = cw_ctl_value(c->line, "key"),
		.timeout_s = DEFAULT_TIMEOUT_S,
	};
	char why[1024] = "";
	uint64_t s;
	int r;

	if (peer.url && socket)
		return cw_ctl_usage("--socket and --url do not go together");
	if (timeout && (cw_ctl_duration(timeout, &s) < 0 || s == 0))
		return cw_ctl_usage(
			"--timeout \"%s\" must be a duration: seconds, or 90s, 5m", timeout);
	if (timeout)
		peer.timeout_s = (unsigned) s;
	r = token(c);
	if (r != CW_EXIT_OK)
		return r;
	peer.token = c->token;
	r = cw_ctl_http_open(&peer, &c->http, why, sizeof why);
	if (r == CW_E_SYNTAX)
		return cw_ctl_usage("%s", why);
	return cw_ctl_failed(r, "libcurl");
}

int cw_ctl_try(struct cw_ctl *c, const struct cw_ctl_request *q, struct cw_ctl_answer *ret)
{
	bool local = !cw_ctl_value(c->line, "url");
	int r = c->http ? CW_EXIT_OK : open_http(c);

	if (r != CW_EXIT_OK)
		return r;
	r = cw_ctl_http_do(c->http, q, ret);
	if (r == 0)
		return CW_EXIT_OK;
	cw_ctl_say("%s", cw_ctl_http_why(c->http));
	if (cw_ctl_http_began(c->http) || r == CW_E_LIMIT || r == -ENOMEM)
		return CW_EXIT_FAILURE; /* it can be reached; what came is not whole */
	if (r == -EACCES || r == -EPERM) {
		cw_ctl_say(
			"this user may not open the socket: run it as root or as the broker's user, "
			"or use --url with a token");
		return CW_CTL_NOT_ALLOWED;
	}
	if (local && (r == -ENOENT || r == -ECONNREFUSED))
		cw_ctl_say(
			"is causewayd running? --socket names another socket, --url a broker elsewhere");
	else if (cw_ctl_http_remedy(c->http))
		cw_ctl_say("%s", cw_ctl_http_remedy(c->http));
	return r == -EINVAL ? CW_EXIT_FAILURE : CW_CTL_UNREACHABLE;
}

int cw_ctl_do(struct cw_ctl *c, const struct cw_ctl_request *q, struct cw_ctl_answer *ret)
{
	int r = cw_ctl_try(c, q, ret);

	if (r != CW_EXIT_OK || (ret->status >= 200 && ret->status < 300))
		return r;
	r = cw_ctl_problem(ret, NULL);
	cw_ctl_answer_done(ret);
	return r;
}

/* ---- problems ---- */

static const char *advice(enum cw_problem p)
{
	switch (p) {
	case CW_PROBLEM_UNAUTHENTICATED:
		return "a token is needed: --token-file FILE or CAUSEWAY_TOKEN_FILE; on the broker's host the Unix "
		       "socket needs none for root and those the configuration names (rest: admins, operators, viewers)";
	case CW_PROBLEM_INSUFFICIENT_SCOPE:
		return "'causewayctl whoami' tells what these credentials may do";
	case CW_PROBLEM_STALE:
		return "somebody changed it meanwhile: look at it again, then repeat the command";
	case CW_PROBLEM_POOL_EXHAUSTED:
		return "'causewayctl pool usage' shows who is full; 'causewayctl range add' gives a pool more";
	case CW_PROBLEM_IN_USE:
		return "what needs it goes first ('causewayctl lease revoke'); 'causewayctl pool delete --drain' waits for it";
	case CW_PROBLEM_NOT_CONFIGURED:
		return "the broker's configuration file has to name it first";
	case CW_PROBLEM_TEP_FAILED:
		return "'causewayctl tep list' shows how the tunnel end points are; the database already has the change";
	case CW_PROBLEM_EXISTS:
		return "the command set changes what exists";
	case CW_PROBLEM_KEY_REUSED:
		return "use another --idempotency-key for another request";
	case CW_PROBLEM_CONFIG_INVALID:
		return "correct the file; the old configuration stays in force";
	case CW_PROBLEM_STORE_FULL:
		return "make room on the broker's disk";
	case CW_PROBLEM_STORE_UNAVAILABLE:
		return "the broker's log tells why; 'causewayctl doctor' looks around";
	default:
		return NULL;
	}
}

static int exit_of(long status)
{
	switch (status) {
	case 400:
	case 405:
	case 406:
	case 413:
	case 414:
	case 415:
	case 431:
		return CW_EXIT_USAGE;
	case 401:
	case 403:
		return CW_CTL_NOT_ALLOWED;
	case 404:
		return CW_CTL_NOT_FOUND;
	case 409:
	case 412:
	case 428:
		return CW_CTL_CONFLICT;
	default:
		return CW_EXIT_FAILURE;
	}
}

/* A text member, made safe for a terminal; given. */
static char *member(const json_t *j, const char *name)
{
	const json_t *v = json_object_get(j, name);

	return json_is_string(v) ? cw_ctl_cell(v) : NULL;
}

/* told: what stands on the first line. */
static void tell_errors(const json_t *j, const char *told)
{
	const json_t *errors = json_object_get(j, "errors");
	json_t *e;
	size_t i;

	json_array_foreach(errors, i, e)
	{
		CW_CLEANUP(cw_freep)
		char *where = member(e, "in"), *pointer = member(e, "pointer"),
		     *detail = member(e, "detail");

		if (pointer && *pointer)
			(void) fprintf(to(), "  %s%s%s: %s\n", where ? where : "",
				where && strcmp(where, "body") == 0 ? "" : " ", pointer,
				detail ? detail : "");
		else if (detail && !(told && strcmp(told, detail) == 0))
			(void) fprintf(to(), "  %s\n", detail);
	}
}

int cw_ctl_problem(const struct cw_ctl_answer *a, const char *about)
{
	json_t *j = a->body ? json_loadb(a->body, a->n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	CW_CLEANUP(cw_freep)
	char *title = member(j, "title"), *detail = member(j, "detail"), *code = member(j, "code"),
	     *scope = member(j, "scope");
	enum cw_problem p = code ? cw_problem_of(code, strlen(code)) : CW_PROBLEMS;
	const char *what = p < CW_PROBLEMS ? advice(p) : NULL;

	if (!title)
		cw_ctl_say("%s%sthe broker answered HTTP status %ld", about ? about : "",
			about ? ": " : "", a->status);
	else
		cw_ctl_say("%s%s%s%s%s%s%s", about ? about : "", about ? ": " : "", title,
			detail && strcmp(detail, title) != 0 ? ": " : "",
			detail && strcmp(detail, title) != 0 ? detail : "",
			scope ? "; missing: " : "", scope ? scope : "");
	tell_errors(j, detail);
	if (a->retry_after_s != UINT64_MAX)
		(void) fprintf(to(), "  try again in %" PRIu64 " s\n", a->retry_after_s);
	if (what)
		(void) fprintf(to(), "  %s\n", what);
	if (a->status >= 500 && a->request_id[0])
		(void) fprintf(to(), "  in the broker's log: request %s\n", a->request_id);
	json_decref(j);
	return exit_of(a->status);
}

/* ---- JSON ---- */

static int not_ours(const char *what)
{
	cw_ctl_say("the answer %s: is this the API of causewayd?", what);
	return CW_EXIT_FAILURE;
}

static int json_of(const struct cw_ctl_answer *a, json_t **ret)
{
	if (a->status == 204 || !a->n) {
		*ret = json_null();
		return CW_EXIT_OK;
	}
	*ret = json_loadb(a->body, a->n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*ret))
		return CW_EXIT_OK;
	json_decref(*ret);
	*ret = NULL;
	return not_ours("is no JSON object");
}

int cw_ctl_send(struct cw_ctl *c, const struct cw_ctl_request *q, json_t **ret)
{
	struct cw_ctl_answer a;
	int r = cw_ctl_do(c, q, &a);

	if (r != CW_EXIT_OK)
		return r;
	r = json_of(&a, ret);
	cw_ctl_answer_done(&a);
	return r;
}

int cw_ctl_rows(const json_t *v, const char *name, json_t **ret)
{
	*ret = json_object_get(v, name);
	return json_is_array(*ret) ? CW_EXIT_OK : not_ours("has no rows");
}

int cw_ctl_ask(struct cw_ctl *c, enum cw_rest_method method, const char *path, const char *query,
	json_t *body, json_t **ret)
{
	struct cw_ctl_request q = {.method = method, .path = path, .query = query};
	char *text = body ? cw_ctl_text(body) : NULL;
	int r = CW_EXIT_OK;

	if (body && !text)
		r = cw_ctl_failed(-ENOMEM, "request");
	json_decref(body);
	q.body = text;
	q.body_n = text ? strlen(text) : 0;
	if (r == CW_EXIT_OK)
		r = cw_ctl_send(c, &q, ret);
	if (text)
		text = cw_free_secret(text, strlen(text));
	return r;
}

int cw_ctl_get(struct cw_ctl *c, const char *path, const char *query, json_t **ret)
{
	return cw_ctl_ask(c, CW_REST_GET, path, query, NULL, ret);
}

int cw_ctl_etag(struct cw_ctl *c, const char *path, char to[static CW_CTL_ETAG_MAX])
{
	const enum cw_rest_op op = c->line->command->op;
	const char *given = cw_ctl_value(c->line, "if-match");
	/* Credentials have the version of their user. */
	const bool of_user = op == CW_OP_REST_setCredentials || op == CW_OP_REST_deleteCredentials;
	const char *end = of_user ? strrchr(path, '/') : path + strlen(path);
	CW_CLEANUP(cw_freep) char *at = cw_strndup(path, (size_t) (end - path));
	struct cw_ctl_request q = {.method = CW_REST_GET, .path = at};
	struct cw_ctl_answer a;
	int r;

	if (given) {
		if (snprintf(to, CW_CTL_ETAG_MAX, "\"%s\"", given) >= CW_CTL_ETAG_MAX)
			return cw_ctl_usage("--if-match \"%s\" is no version", given);
		return CW_EXIT_OK;
	}
	if (!at)
		return cw_ctl_failed(-ENOMEM, path);
	r = cw_ctl_do(c, &q, &a);
	if (r != CW_EXIT_OK)
		return r;
	(void) snprintf(to, CW_CTL_ETAG_MAX, "%s", a.etag);
	cw_ctl_answer_done(&a);
	return CW_EXIT_OK;
}

/* limit, and the cursor of the last page, behind what was there. */
static char *page_query(const char *query, uint64_t limit, const char *cursor)
{
	CW_CLEANUP(cw_freep) char *e = cursor ? cw_ctl_escape(cursor, strlen(cursor)) : NULL;
	char *q = cw_zalloc(QUERY_MAX, 1);

	if (!q || (cursor && !e))
		return cw_free(q);
	if (snprintf(q, QUERY_MAX, "%s%slimit=%" PRIu64 "%s%s", query ? query : "",
		    query && *query ? "&" : "", limit, e ? "&cursor=" : "",
		    e ? e : "") >= QUERY_MAX)
		return cw_free(q);
	return q;
}

int cw_ctl_each(struct cw_ctl *c, const char *path, const char *query, uint64_t most,
	cw_ctl_row_t *row, void *arg)
{
	CW_CLEANUP(cw_freep) char *cursor = NULL;
	uint64_t left = most ? most : UINT64_MAX;
	int r = CW_EXIT_OK;

	while (r == CW_EXIT_OK && left) {
		CW_CLEANUP(cw_freep)
		char *q = page_query(query, left < CW_CTL_PAGE ? left : CW_CTL_PAGE, cursor);
		json_t *page = NULL, *items = NULL, *item;
		const char *next;
		size_t i;

		r = q ? cw_ctl_get(c, path, q, &page) : cw_ctl_usage("the query is too long");
		if (r == CW_EXIT_OK)
			r = cw_ctl_rows(page, "items", &items);
		json_array_foreach(items, i, item)
		{
			if (r == CW_EXIT_OK && left) {
				r = row(c, item, arg);
				left--;
			}
		}
		next = json_string_value(json_object_get(page, "next"));
		cursor = cw_free(cursor);
		if (next && !(cursor = cw_strdup(next)))
			r = cw_ctl_failed(-ENOMEM, path);
		json_decref(page);
		if (!cursor)
			break;
	}
	return r;
}

/* ---- pieces ---- */

char *cw_ctl_own_path(const struct cw_ctl *c)
{
	char *path = cw_ctl_path(c->line->command->op, c->line->args);

	if (!path)
		(void) cw_ctl_failed(-ENOMEM, "path");
	return path;
}

int cw_ctl_limit(const struct cw_ctl *c, uint64_t *ret)
{
	const char *limit = cw_ctl_value(c->line, "limit");

	*ret = 0;
	if (limit && cw_parse_u64(limit, strlen(limit), 1, INT64_MAX, ret) < 0)
		return cw_ctl_usage("--limit \"%s\" must be a number from 1 on", limit);
	return CW_EXIT_OK;
}

int cw_ctl_own_query(struct cw_ctl *c, char **ret)
{
	char why[WHY_MAX] = "";
	int r = cw_ctl_query(c->line, c->line->command->query, c->now_s, ret, why, sizeof why);

	return r < 0 && why[0] ? cw_ctl_usage("%s", why) : cw_ctl_failed(r, "query");
}

int cw_ctl_own_body(struct cw_ctl *c, json_t **ret)
{
	char why[WHY_MAX] = "";
	int r = cw_ctl_body(c->line, c->now_s, ret, why, sizeof why);

	return r < 0 && why[0] ? cw_ctl_usage("%s", why) : cw_ctl_failed(r, "body");
}

int cw_ctl_password(const char *file, json_t *body)
{
	char *password;
	size_t n;
	int r = cw_ctl_secret(file, &password, &n);

	if (r < 0)
		return cw_ctl_failed(r, file);
	r = CW_EXIT_OK;
	if (n == 0)
		r = cw_ctl_usage("%s: no password in its first line", file);
	else if (json_object_set_new(body, "password", json_stringn(password, n)) < 0)
		r = cw_ctl_usage("%s: the password is not UTF-8", file);
	(void) cw_free_secret(password, n);
	return r;
}

int cw_ctl_submit(
	struct cw_ctl *c, const char *path, const char *if_match, const char *key, json_t *body)
{
	struct cw_ctl_request q = {
		.method = cw_rest_operation(c->line->command->op)->method,
		.path = path,
		.if_match = if_match,
		.key = key,
	};
	char *text = body ? cw_ctl_text(body) : NULL;
	json_t *v = NULL;
	int r;

	json_decref(body);
	if (!text)
		return cw_ctl_failed(-ENOMEM, path);
	q.body = text;
	q.body_n = strlen(text);
	r = cw_ctl_send(c, &q, &v);
	(void) cw_free_secret(text, q.body_n);
	if (r == CW_EXIT_OK)
		r = cw_ctl_show(c, v);
	json_decref(v);
	return r;
}

int cw_ctl_key(const struct cw_ctl *c, const char **ret, char *to, size_t n)
{
	const char *given = cw_ctl_value(c->line, "idempotency-key");
	uint8_t random[16];
	int r;

	*ret = given;
	if (given)
		return CW_EXIT_OK;
	r = cw_random(random, sizeof random);
	if (r < 0)
		return cw_ctl_failed(r, "random numbers");
	for (size_t i = 0; i < sizeof random && 2 * i + 3 < n; i++)
		(void) snprintf(to + 2 * i, 3, "%02x", random[i]);
	*ret = to;
	return CW_EXIT_OK;
}

/* ---- output ---- */

int cw_ctl_begin(struct cw_ctl *c)
{
	const char *columns = cw_ctl_value(c->line, "columns");
	int r = cw_ctl_out_begin(&c->out, columns ? columns : c->line->command->columns);

	c->out.asked = columns != NULL;
	return cw_ctl_failed(r, "output");
}

int cw_ctl_row(struct cw_ctl *c, const json_t *row)
{
	int r = cw_ctl_out_row(&c->out, row);

	if (r == CW_E_SYNTAX)
		return cw_ctl_usage("there is no column \"%s\"; --json shows what there is",
			cw_ctl_out_missing(&c->out, row));
	return cw_ctl_failed(r, "output");
}

struct passed {
	FILE *f;
	uint64_t lines; /* left to print */
	bool csv;
	bool quoted; /* in a field of CSV, where line ends do not count */
};

static int pass(void *arg, const char *p, size_t n)
{
	struct passed *to = arg;
	size_t take = 0;

	while (take < n && to->lines) {
		to->quoted ^= to->csv && p[take] == '"';
		to->lines -= p[take++] == '\n' && !to->quoted;
	}
	if (fwrite(p, 1, take, to->f) != take)
		return cw_ctl_out_failed(to->f);
	return to->lines == 0;
}

int cw_ctl_pass_on(
	struct cw_ctl *c, const char *path, const char *query, const char *accept, uint64_t lines)
{
	struct passed to = {.f = c->out.f,
		.lines = lines ? lines : UINT64_MAX,
		.csv = strcmp(accept, "text/csv") == 0};
	struct cw_ctl_request q = {
		.method = CW_REST_GET,
		.path = path,
		.query = query,
		.accept = accept,
		.sink = pass,
		.arg = &to,
	};
	struct cw_ctl_answer a;
	int r = cw_ctl_do(c, &q, &a);

	if (r == CW_EXIT_OK)
		cw_ctl_answer_done(&a);
	return r;
}

int cw_ctl_show(struct cw_ctl *c, const json_t *v)
{
	if (c->out.quiet || json_is_null(v))
		return CW_EXIT_OK;
	return cw_ctl_failed(cw_ctl_out_one(&c->out, v, c->line->command->columns), "output");
}
