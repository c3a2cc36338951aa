/* SPDX-License-Identifier: BSD-2-Clause */
/* See session.h; and who one is, login, logout. A cookie: number of the token, end, both 64 bits
 * big-endian, and their HMAC-SHA256, in base64url. What must come with it in X-CSRF-Token is
 * another HMAC of the same. */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"
#include "broker/rest/session.h"
#include "schema/rest/read.h"

enum {
	CLAIM = 16,
	MAC = 32,
	LIFE_S = 12 * 3600,
};

/* ---- cookies ---- */

const char *cw_rest_session_cookie(bool is_tls)
{
	return is_tls ? "__Host-causeway" : "causeway";
}

static void claim_of(const struct cw_rest_login_session *s, uint8_t to[static CLAIM])
{
	for (unsigned i = 0; i < 8; i++) {
		to[i] = (uint8_t) (s->token >> (56 - 8 * i));
		to[8 + i] = (uint8_t) ((uint64_t) s->expires_wall_s >> (56 - 8 * i));
	}
}

/* what: a letter, so that one HMAC is never taken for the other. */
static int mac_of(
	const uint8_t *key, char what, const uint8_t claim[static CLAIM], uint8_t to[static MAC])
{
	uint8_t text[CLAIM + 1];
	unsigned n = MAC;

	text[0] = (uint8_t) what;
	memcpy(text + 1, claim, CLAIM);
	return HMAC(EVP_sha256(), key, CW_REST_SESSION_KEY, text, sizeof text, to, &n) && n == MAC
		       ? 0
		       : -EIO;
}

static int put_csrf(const uint8_t *key, const uint8_t claim[static CLAIM], char to[static 44])
{
	uint8_t mac[MAC];
	int r = mac_of(key, 'f', claim, mac);

	if (r == 0)
		r = cw_base64url_encode(mac, sizeof mac, to, 44);
	return r < 0 ? r : 0;
}

/* The cookie's value for s->token and ->expires_wall_s; fills in csrf. 0 or -EIO. */
static int make(const uint8_t key[static CW_REST_SESSION_KEY], struct cw_rest_login_session *s,
	char to[static CW_REST_SESSION_STRLEN])
{
	uint8_t all[CLAIM + MAC];
	int r;

	claim_of(s, all);
	r = mac_of(key, 's', all, all + CLAIM);
	if (r == 0)
		r = cw_base64url_encode(all, sizeof all, to, CW_REST_SESSION_STRLEN);
	return r < 0 ? r : put_csrf(key, all, s->csrf);
}

int cw_rest_session_open(const uint8_t key[static CW_REST_SESSION_KEY], struct cw_slice text,
	struct cw_rest_login_session *ret)
{
	struct cw_rest_login_session s = {0};
	uint8_t all[CLAIM + MAC], mac[MAC];
	int r;

	if (cw_base64url_decode(text.p, text.n, all, sizeof all) != (int) sizeof all)
		return CW_E_SYNTAX;
	r = mac_of(key, 's', all, mac);
	if (r < 0)
		return r;
	if (CRYPTO_memcmp(mac, all + CLAIM, MAC) != 0)
		return CW_E_AUTH;
	for (unsigned i = 0; i < 8; i++) {
		s.token = s.token << 8 | all[i];
		s.expires_wall_s = (int64_t) ((uint64_t) s.expires_wall_s << 8 | all[8 + i]);
	}
	r = put_csrf(key, all, s.csrf);
	if (r == 0)
		*ret = s;
	return r;
}

/* ---- who am I ---- */

static void answer_who(struct cw_rest_request *q, unsigned status)
{
	const struct cw_rest_who *w = &q->who;
	const struct cw_rest_whoami shown = {
		.actor = w->actor,
		.via = w->via,
		.scopes = w->scopes,
		.csrf_token = w->csrf[0] ? w->csrf : NULL,
		.expires_at = w->expires_wall_s ? w->expires_wall_s : CW_REST_NO_TIME,
	};

	cw_rest_add_header(q, "Cache-Control", "no-store");
	cw_rest_show(q, status, &cw_rest_whoami_object, &shown);
}

void cw_rest_do_getSession(struct cw_rest_request *q)
{
	if (cw_rest_take_query(q, NULL, NULL))
		answer_who(q, 200);
}

/* ---- login, logout ---- */

static void set_cookie(struct cw_rest_request *q, const char *value, int64_t life_s)
{
	char text[200];

	(void) snprintf(text, sizeof text,
		"%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s",
		cw_rest_session_cookie(q->who.is_tls), value, (long long) life_s,
		q->who.is_tls ? "; Secure" : "");
	cw_rest_add_header(q, "Set-Cookie", text);
}

static void log_in(struct cw_rest_request *q)
{
	int64_t now = cw_rest_now_wall_s(q);
	struct cw_rest_login_session s = {.token = q->who.token, .expires_wall_s = now + LIFE_S};
	char value[CW_REST_SESSION_STRLEN];
	int r;

	if (q->who.expires_wall_s && q->who.expires_wall_s < s.expires_wall_s)
		s.expires_wall_s = q->who.expires_wall_s;
	r = make(q->rest->session_key, &s, value);
	if (r < 0) {
		cw_rest_problem_code(q, r);
		return;
	}
	q->who.via = CW_REST_VIA_COOKIE;
	q->who.expires_wall_s = s.expires_wall_s;
	memcpy(q->who.csrf, s.csrf, sizeof q->who.csrf);
	set_cookie(q, value, s.expires_wall_s - now);
	answer_who(q, 201);
}

void cw_rest_do_login(struct cw_rest_request *q)
{
	struct cw_rest_login body = {0};
	int r;

	if (!cw_rest_take_query(q, NULL, NULL) ||
		!cw_rest_take_body(q, &cw_rest_login_object, &body))
		return;
	r = cw_rest_auth_token(q->rest->auth, q, body.token, strlen(body.token));
	cw_rest_wipe(&cw_rest_login_object, &body);
	if (r == 0) {
		log_in(q);
	} else if (r == CW_E_AUTH) {
		cw_rest_add_header(q, "WWW-Authenticate", "Bearer realm=\"causeway\"");
		cw_rest_problem(q, CW_PROBLEM_UNAUTHENTICATED,
			"the token is unknown, has expired, or is not good for this address");
	} else if (r == CW_E_LIMIT) {
		cw_rest_add_header(q, "Retry-After", "1");
		cw_rest_problem(q, CW_PROBLEM_RATE_LIMITED, NULL);
	} else {
		cw_rest_problem_code(q, r);
	}
}

void cw_rest_do_logout(struct cw_rest_request *q)
{
	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	set_cookie(q, "", 0);
	cw_rest_answer(q, 204, NULL);
}
