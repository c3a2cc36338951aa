/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is asking: SASL exchanges against the users of the store. What blocks (lookups, key
 * derivation) runs on libuv's pool, each job with a store reader of its own; ANONYMOUS and EXTERNAL
 * are decided on the spot. And the verifiers that are stored instead of passwords. Thread: the
 * loop's, but for cw_auth_verifiers, which may run anywhere. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "base/loop.h"
#include "db/store.h"
#include "schema/sasl/sasl.h"

struct cw_auth;
struct cw_auth_exchange;

enum { CW_AUTH_READERS = 4, CW_AUTH_KINDS = 3 };

/* Opens the readers. loop and store are borrowed. cw_sasl_server_init() has run. *ret given. */
int cw_auth_new(struct cw_loop *loop, struct cw_store *store, struct cw_auth **ret) CW_MUST_CHECK;
/* Steps on the pool right now; the loop must run until there is none before cw_auth_free(). */
size_t cw_auth_running(const struct cw_auth *a);
struct cw_auth *cw_auth_free(struct cw_auth *a); /* NULL is fine */

/* The result of a start or step. data is borrowed for the call. Once per start or step; for
 * mechanisms that never block inside it. */
typedef void cw_auth_done_t(void *arg, enum cw_sasl_result result, const void *data, size_t n);

/* Begins an exchange: data NULL is no initial response, external the verified name of the TLS peer
 * or NULL; both are copied. *ret is given before fn runs. -ENOMEM: fn will not run. */
int cw_auth_start(struct cw_auth *a, const char *mech, const void *data, size_t n,
	const char *external, cw_auth_done_t *fn, void *arg,
	struct cw_auth_exchange **ret) CW_MUST_CHECK;
/* The peer's next message; not while one is running. */
int cw_auth_step(struct cw_auth_exchange *x, const void *data, size_t n) CW_MUST_CHECK;
/* Ends it; a running step finishes unheard. Not inside its fn. NULL is fine; returns NULL. */
struct cw_auth_exchange *cw_auth_end(struct cw_auth_exchange *x);
/* After DONE: the user, or NULL for ANONYMOUS. On failure: the name that was tried, for logs.
 * Borrowed. */
const char *cw_auth_user(const struct cw_auth_exchange *x);

/* What to store for a password so that each of the blank-separated mechanisms works (PLAIN is
 * checked against a SCRAM verifier). Number of credentials written to to[CW_AUTH_KINDS], or a code.
 */
int cw_auth_verifiers(const char *mechanisms, const char *user, const char *realm,
	const char *password, struct cw_credential to[static CW_AUTH_KINDS]) CW_MUST_CHECK;
