/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL (RFC 4422) for service "tsp", server side, through Cyrus libsasl2: no security layer,
 * success data (the last server message comes with the verdict), verifiers instead of passwords.
 *
 * Threads: cw_sasl_server_init() once, before threads. A session is used by one thread at a time,
 * but may move: start and step block (the lookup, PBKDF2 for PLAIN) and are meant for a pool
 * thread; ANONYMOUS and EXTERNAL never block and may be started on the loop. The lookup runs on the
 * thread of start or step. EXTERNAL says who the certificate names; whether that is a user of ours
 * is the owner's to look up. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

#define CW_SASL_SERVICE      "tsp"
#define CW_SASL_NAME_MAX     256 /* user names, with NUL */
#define CW_SASL_KIND_MAX     24
#define CW_SASL_VERIFIER_MAX 256
#define CW_SASL_DATA_MAX     4096 /* one message, either way, decoded */

/* What the server keeps instead of a password. kind and text:
 *	SCRAM-SHA-256, SCRAM-SHA-1	iterations:salt$StoredKey:ServerKey, base64 (RFC 5803)
 *	DIGEST-MD5			hex H(user:realm:password) ":" realm (RFC 2831);
 *					as good as the password
 * PLAIN is checked against the SCRAM verifiers. */
struct cw_sasl_verifier {
	char kind[CW_SASL_KIND_MAX];
	char text[CW_SASL_VERIFIER_MAX];
};

/* Verifiers of a user: their number up to max; 0: no such user. < 0: could not look (the client
 * gets "busy", not "wrong password"). */
typedef int (*cw_sasl_lookup_t)(
	void *arg, const char *user, struct cw_sasl_verifier *to, size_t max);

struct cw_sasl_server_conf {
	const char *realm;       /* for DIGEST-MD5 */
	const char *plugin_path; /* NULL: the library's own folder */
	unsigned iterations;     /* of verifiers that unknown users seem to have; 0: 4096, as
				    make_verifier */
};

/* Once per process. 0; -ENOMEM; -ENOENT: the library or its plugins are not usable; CW_E_SYNTAX:
 * bad realm. */
int cw_sasl_server_init(const struct cw_sasl_server_conf *conf) CW_MUST_CHECK;
void cw_sasl_server_done(void);
/* Can this mechanism be offered (one of ours, and its plugin is installed)? After init. */
bool cw_sasl_server_has(const char *mech);
/* Does it never block (ANONYMOUS, EXTERNAL)? */
bool cw_sasl_mech_is_instant(const char *mech);

enum cw_sasl_result {
	CW_SASL_CONTINUE, /* data is the next challenge, empty for a client-first mechanism that has
			     not spoken */
	CW_SASL_DONE,     /* authenticated; data is the final message or empty */
	CW_SASL_FAILED,   /* wrong password, unknown user, malformed exchange: all the same to the
			     client */
	CW_SASL_BUSY,     /* the lookup failed or memory ran out */
};

struct cw_sasl_params {
	cw_sasl_lookup_t lookup; /* borrowed with arg until the session is freed */
	void *arg;
	const char *external; /* verified name of the TLS peer, for EXTERNAL; NULL: none. Borrowed
				 for start */
};

struct cw_sasl_out {
	const void *data; /* borrowed from the session until its next call; NULL if n is 0 */
	size_t n;
};

struct cw_sasl_server;

/* Begins an exchange; data NULL: no initial response. *ret is given whatever the result (NULL only
 * for BUSY). */
enum cw_sasl_result cw_sasl_server_start(const struct cw_sasl_params *params, const char *mech,
	const void *data, size_t n, struct cw_sasl_server **ret,
	struct cw_sasl_out *ret_out) CW_MUST_CHECK;
/* The client's next message (NULL is an empty one). */
enum cw_sasl_result cw_sasl_server_step(struct cw_sasl_server *s, const void *data, size_t n,
	struct cw_sasl_out *ret_out) CW_MUST_CHECK;
struct cw_sasl_server *cw_sasl_server_free(
	struct cw_sasl_server *s); /* NULL is fine; returns NULL */
/* After CW_SASL_DONE: who it is; NULL for ANONYMOUS. Before or on failure: the name that was tried,
 * for logs, or NULL. Borrowed. */
const char *cw_sasl_server_user(const struct cw_sasl_server *s);
const char *cw_sasl_server_mech(const struct cw_sasl_server *s);

/* Makes what the server stores. kind: see above; realm only for DIGEST-MD5; iterations 0: 4096 (RFC
 * 5802's minimum). A fresh random salt each time. 0, CW_E_SYNTAX (unknown kind, empty or unusable
 * name or password), -ENOMEM, -EIO (no randomness). Blocks for the PBKDF2. */
int cw_sasl_make_verifier(const char *kind, const char *user, const char *realm,
	const char *password, unsigned iterations, struct cw_sasl_verifier *ret) CW_MUST_CHECK;
/* Does the password fit the verifier? 1, 0; CW_E_SYNTAX: the verifier is damaged. In constant time
 * for a given verifier. */
int cw_sasl_check_password(
	const struct cw_sasl_verifier *v, const char *user, const char *password) CW_MUST_CHECK;
