/* SPDX-License-Identifier: BSD-2-Clause */
/* Who sends a request: found from the connection and from its credentials. Thread: any. */
#pragma once

#include "broker/rest/request.h"
#include "broker/rest/roles.h"

struct cw_rest_auth;

/* roles: borrowed. */
int cw_rest_auth_new(const struct cw_rest_roles *roles, unsigned requests_per_token,
	struct cw_rest_auth **ret) CW_MUST_CHECK;
struct cw_rest_auth *cw_rest_auth_free(struct cw_rest_auth *a); /* NULL is fine */

/* Fills q->who from the connection: fd of a Unix socket, or the peer's address (NULL: unknown). */
void cw_rest_auth_peer(
	struct cw_rest_auth *a, struct cw_rest_request *q, int unix_fd, const struct sockaddr *sa);
/* A name of its verified client certificate: the first that has a role counts. */
void cw_rest_auth_cert(struct cw_rest_auth *a, struct cw_rest_request *q, const char *name);
/* Then from what the request brought. 0, or CW_E_AUTH (what it brought is not valid), CW_E_LIMIT
 * (too many wrong ones from there), or a code of the store. Nothing brought is 0. */
int cw_rest_auth_credentials(struct cw_rest_auth *a, struct cw_rest_request *q) CW_MUST_CHECK;
/* Wrong tokens so far. Any thread. */
uint64_t cw_rest_auth_failures(const struct cw_rest_auth *a);
/* The same for a token that is not in the head of the request: 0, or as above. */
int cw_rest_auth_token(struct cw_rest_auth *a, struct cw_rest_request *q, const char *text,
	size_t n) CW_MUST_CHECK;
/* Whether the token it came with is there still and has not expired: a stream lasts longer than a
 * request. true without one. */
bool cw_rest_auth_lasts(struct cw_rest_request *q) CW_MUST_CHECK;
/* One more request. false: too many. */
bool cw_rest_auth_rate(struct cw_rest_auth *a, const struct cw_rest_request *q) CW_MUST_CHECK;

/* What is kept of a token. false: that is none. */
bool cw_rest_token_hash(const char *text, size_t n, uint8_t ret[static CW_HASH_LEN]) CW_MUST_CHECK;
