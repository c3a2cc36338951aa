/* SPDX-License-Identifier: BSD-2-Clause */
/* See auth.h. A token is 256 random bits, so its plain SHA-256 is as good a key as a slow hash, and
 * looking it up by an index tells a stranger nothing. */
#include "config.h"

#include <errno.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/rest/handle.h"
#include "broker/rest/rest_int.h"
#include "broker/rest/session.h"
#include "schema/rest/header.h"

#define USES        256 /* tokens whose last use is remembered, by their number */
#define USE_EVERY_S 60  /* the store keeps it no finer */
#define WRONG_PER_S 10  /* wrong tokens of one network, told so; more are told to wait */

struct cw_rest_auth {
	const struct cw_rest_roles *roles;
	pthread_mutex_t lock;
	_Atomic uint64_t failures;
	struct cw_limits *wrong;  /* sources that brought wrong credentials */
	struct cw_limits *tokens; /* by the number of the token */
	struct {
		uint64_t token;
		int64_t wall_s;
	} used[USES]; /* what the store has been told */
};

int cw_rest_auth_new(
	const struct cw_rest_roles *roles, unsigned requests_per_token, struct cw_rest_auth **ret)
{
	const struct cw_limits_config wrong = {.requests_per_s = WRONG_PER_S};
	const struct cw_limits_config tokens = {.requests_per_s = requests_per_token};
	struct cw_rest_auth *a = cw_zalloc(1, sizeof *a);
	int r = a ? 0 : -ENOMEM;

	if (r == 0)
		r = cw_limits_new(&wrong, &a->wrong);
	if (r == 0)
		r = cw_limits_new(&tokens, &a->tokens);
	if (r < 0) {
		if (a)
			(void) cw_limits_free(a->wrong);
		(void) cw_free(a);
		return r;
	}
	a->roles = roles;
	(void) pthread_mutex_init(&a->lock, NULL);
	*ret = a;
	return 0;
}

struct cw_rest_auth *cw_rest_auth_free(struct cw_rest_auth *a)
{
	if (!a)
		return NULL;
	(void) pthread_mutex_destroy(&a->lock);
	(void) cw_limits_free(a->wrong);
	(void) cw_limits_free(a->tokens);
	return cw_free(a);
}

void cw_rest_auth_peer(
	struct cw_rest_auth *a, struct cw_rest_request *q, int unix_fd, const struct sockaddr *sa)
{
	char text[CW_ENDPOINT_STRLEN];
	uid_t uid;

	q->who.source = cw_source_of(sa);
	if (unix_fd < 0) {
		(void) snprintf(q->who.peer, sizeof q->who.peer, "%s",
			sa ? cw_sockaddr_str(sa, text) : "unknown");
		return;
	}
	q->who.is_unix = true;
	(void) snprintf(q->who.peer, sizeof q->who.peer, "unix");
	q->who.scopes = cw_rest_roles_unix(a->roles, unix_fd, &uid);
	if (uid != (uid_t) -1)
		(void) snprintf(q->who.actor, sizeof q->who.actor, "uid:%lu", (unsigned long) uid);
}

void cw_rest_auth_cert(struct cw_rest_auth *a, struct cw_rest_request *q, const char *name)
{
	uint32_t scopes = cw_rest_roles_cert(a->roles, name);

	if (q->who.actor[0] || !scopes)
		return;
	q->who.scopes = scopes;
	(void) snprintf(q->who.actor, sizeof q->who.actor, "cert:%.100s", name);
}

bool cw_rest_token_hash(const char *text, size_t n, uint8_t ret[static CW_HASH_LEN])
{
	return cw_bearer_ok(text, n) && SHA256((const unsigned char *) text, n, ret) != NULL;
}

static int64_t wall_s(const struct cw_rest_request *q)
{
	return cw_clock_now(cw_loop_clock(q->rest->parts.loop)).wall_s;
}

static int64_t now_ms(const struct cw_rest_request *q)
{
	return cw_clock_now(cw_loop_clock(q->rest->parts.loop)).mono_us / 1000;
}

static bool within(const struct cw_addr6 *a, const char *prefix, size_t n)
{
	struct cw_prefix6 p6;
	struct cw_prefix4 p4;

	if (cw_addr6_is_v4mapped(a)) {
		const struct cw_addr4 a4 = {(uint32_t) a->b[12] << 24 | (uint32_t) a->b[13] << 16 |
					    (uint32_t) a->b[14] << 8 | a->b[15]};

		return cw_prefix4_parse(prefix, n, &p4) == 0 && cw_prefix4_has(&p4, a4);
	}
	return cw_prefix6_parse(prefix, n, &p6) == 0 && cw_prefix6_has(&p6, a);
}

/* Prefixes of a token, blank-separated; none: from anywhere. The Unix socket is anywhere. */
static bool may_come_from(const struct cw_token *t, const struct cw_rest_request *q)
{
	const char *p = t->prefixes;

	if (!*p || q->who.is_unix)
		return true;
	while (*p) {
		size_t n = strcspn(p, " ");

		if (within(&q->who.source.addr, p, n))
			return true;
		p += n + (p[n] == ' ');
	}
	return false;
}

static void free_op(struct cw_op *op)
{
	(void) cw_free(op);
}

/* That a token was used, told to the store now and then. Nobody waits for it, and it is no harm if
 * it is lost. */
static void note_use(struct cw_rest_request *q, uint64_t token)
{
	struct cw_rest_auth *a = q->rest->auth;
	struct cw_store_time now = {cw_rest_now_steady_s(q), wall_s(q)};
	struct cw_op *op;
	bool due;

	(void) pthread_mutex_lock(&a->lock);
	due = a->used[token % USES].token != token ||
	      now.wall_s >= a->used[token % USES].wall_s + USE_EVERY_S ||
	      now.wall_s < a->used[token % USES].wall_s;
	if (due) {
		a->used[token % USES].token = token;
		a->used[token % USES].wall_s = now.wall_s;
	}
	(void) pthread_mutex_unlock(&a->lock);
	op = due ? cw_zalloc(1, sizeof *op) : NULL;
	if (!op)
		return;
	op->kind = CW_OP_TOKEN_USED;
	op->now = now;
	op->u.token.id = token;
	op->done = free_op;
	cw_store_submit(q->rest->parts.store, op);
}

/* From here on it is the token's holder who asks. */
static int accept_token(struct cw_rest_request *q, const struct cw_token *t, enum cw_rest_via via)
{
	if ((t->expires_wall_s && t->expires_wall_s <= wall_s(q)) || !may_come_from(t, q))
		return CW_E_AUTH;
	note_use(q, t->id);
	q->who.token = t->id;
	q->who.via = (uint8_t) via;
	q->who.scopes = (uint32_t) t->scopes;
	q->who.expires_wall_s = t->expires_wall_s;
	(void) snprintf(q->who.name, sizeof q->who.name, "%s", t->name);
	(void) snprintf(
		q->who.actor, sizeof q->who.actor, "token:tk_%llu", (unsigned long long) t->id);
	return 0;
}

static int take_token(struct cw_rest_request *q, struct cw_slice text)
{
	uint8_t hash[CW_HASH_LEN];
	struct cw_store_reader *reader;
	struct cw_token t;
	int r;

	if (!cw_rest_token_hash(text.p, text.n, hash))
		return CW_E_AUTH;
	r = cw_rest_readers_take(q->rest->readers, &reader);
	if (r < 0)
		return r;
	r = cw_read_token(reader, hash, &t);
	cw_rest_readers_give(q->rest->readers, reader);
	return r < 0 ? r : r == 0 ? CW_E_AUTH : accept_token(q, &t, CW_REST_VIA_TOKEN);
}

/* A session is its token's: it ends when that is taken away. */
static int take_cookie(struct cw_rest_request *q, struct cw_slice text)
{
	struct cw_rest_login_session session;
	struct cw_store_reader *reader;
	struct cw_token t;
	int r = cw_rest_session_open(q->rest->session_key, text, &session);

	if (r < 0)
		return r;
	if (session.expires_wall_s <= wall_s(q))
		return CW_E_AUTH;
	r = cw_rest_readers_take(q->rest->readers, &reader);
	if (r < 0)
		return r;
	r = cw_read_token_id(reader, session.token, &t);
	cw_rest_readers_give(q->rest->readers, reader);
	if (r <= 0)
		return r < 0 ? r : CW_E_AUTH;
	r = accept_token(q, &t, CW_REST_VIA_COOKIE);
	if (r == 0) {
		q->who.expires_wall_s = session.expires_wall_s;
		(void) snprintf(q->who.csrf, sizeof q->who.csrf, "%s", session.csrf);
	}
	return r;
}

bool cw_rest_auth_lasts(struct cw_rest_request *q)
{
	struct cw_store_reader *reader;
	struct cw_token t;
	int r;

	if (!q->who.token)
		return true;
	if (q->who.expires_wall_s && q->who.expires_wall_s <= wall_s(q))
		return false;
	if (cw_rest_readers_take(q->rest->readers, &reader) < 0)
		return false;
	r = cw_read_token_id(reader, q->who.token, &t);
	cw_rest_readers_give(q->rest->readers, reader);
	return r > 0;
}

/* One who guesses gets so many answers; who has a token that is good is never kept waiting. */
static bool may_guess(struct cw_rest_auth *a, const struct cw_rest_request *q)
{
	struct cw_source s = cw_source_network(&q->who.source);
	bool may;

	s.exempt = false;
	atomic_fetch_add(&a->failures, 1);
	(void) pthread_mutex_lock(&a->lock);
	may = cw_limits_request(a->wrong, &s, now_ms(q));
	(void) pthread_mutex_unlock(&a->lock);
	return may;
}

uint64_t cw_rest_auth_failures(const struct cw_rest_auth *a)
{
	return atomic_load(&a->failures);
}

int cw_rest_auth_credentials(struct cw_rest_auth *a, struct cw_rest_request *q)
{
	const char *value = cw_rest_header(q, "Authorization");
	struct cw_slice text;
	int r = value ? cw_bearer(value, &text) : -ENOENT;

	if (r == -ENOENT) {
		value = cw_rest_header(q, "Cookie");
		r = value ? cw_cookie(value, cw_rest_session_cookie(q->who.is_tls), &text)
			  : -ENOENT;
		/* An old cookie is none: browsers bring it to the login, too. */
		r = r == 0 ? take_cookie(q, text) : 0;
		return r == CW_E_AUTH || r == CW_E_SYNTAX ? 0 : r;
	}
	r = r == 0 ? take_token(q, text) : CW_E_AUTH;
	return r != CW_E_AUTH || may_guess(a, q) ? r : CW_E_LIMIT;
}

int cw_rest_auth_token(
	struct cw_rest_auth *a, struct cw_rest_request *q, const char *text, size_t n)
{
	int r = take_token(q, (struct cw_slice){text, n});

	return r != CW_E_AUTH || may_guess(a, q) ? r : CW_E_LIMIT;
}

bool cw_rest_auth_rate(struct cw_rest_auth *a, const struct cw_rest_request *q)
{
	/* A source of its own for each token: its number as an address. */
	struct cw_source s = {0};
	bool good;

	if (!q->who.token)
		return true;
	for (unsigned i = 0; i < 8; i++)
		s.addr.b[i] = (uint8_t) (q->who.token >> (8 * i));
	(void) pthread_mutex_lock(&a->lock);
	good = cw_limits_request(a->tokens, &s, now_ms(q));
	(void) pthread_mutex_unlock(&a->lock);
	return good;
}
