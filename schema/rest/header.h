/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of HTTP header fields that the REST API looks into. Each function takes the value as it came, NUL-terminated,
 * and reads it whole: what is not of the form is refused, never guessed. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/defs.h"

/* ---- versions (RFC 9110 8.8.3, 13.1) ---- */

#define CW_ETAG_STRLEN 24 /* with NUL */

/* "3" with its quotation marks. Returns buf. */
char *cw_etag_str(uint64_t version, char buf[static CW_ETAG_STRLEN]);
/* If-Match: one strong tag, for "*" or a list would change what nobody has seen. 0; CW_E_SYNTAX; CW_E_STALE: a tag, but
 * none of ours, so no version has it. *ret is never 0. */
int cw_if_match(const char *value, uint64_t *ret_version) CW_MUST_CHECK;
/* If-None-Match: whether the version is among the tags ("*": any is). What is malformed matches nothing. */
bool cw_if_none_match(const char *value, uint64_t version);

/* ---- who asks ---- */

enum { CW_BEARER_LEN = 46 }; /* "cw_" and 256 bits in base64url */

/* Authorization (RFC 6750 2.1): the token, a slice of value, of the form ours have. 0; -ENOENT: another scheme;
 * CW_E_SYNTAX: none of ours. */
int cw_bearer(const char *value, struct cw_slice *ret_token) CW_MUST_CHECK;
/* Whether n octets have the form of a token. */
bool cw_bearer_ok(const char *s, size_t n) CW_PURE;
/* Cookie (RFC 6265 4.2.1): the value of the first one of this name, a slice. 0, -ENOENT. */
int cw_cookie(const char *value, const char *name, struct cw_slice *ret) CW_MUST_CHECK;

/* ---- the request ---- */

enum { CW_IDEMPOTENCY_KEY_MAX = 255 };

/* Idempotency-Key: a string of structured fields ("...", RFC 8941 3.3.3) or, as many send it, the bare characters. Both
 * give the same key. Its length, 1 to CW_IDEMPOTENCY_KEY_MAX, or CW_E_SYNTAX. to gets a NUL behind it. */
int cw_idempotency_key(const char *value, char to[static CW_IDEMPOTENCY_KEY_MAX + 1]) CW_MUST_CHECK;

enum cw_media {
	CW_MEDIA_JSON,        /* application/json */
	CW_MEDIA_NDJSON,      /* application/x-ndjson */
	CW_MEDIA_CSV,         /* text/csv */
	CW_MEDIA_EVENTS,      /* text/event-stream */
	CW_MEDIA_OPENMETRICS, /* application/openmetrics-text */
	CW_MEDIA_PLAIN,       /* text/plain */
	CW_MEDIAS
};
/* The name as above. */
const char *cw_media_name(enum cw_media m);
/* Accept (RFC 9110 12.5.1): the best of what is offered, 1 << enum cw_media each; among equals the first. NULL or empty:
 * the first. 0; CW_E_POLICY: none will do (problems are told as problem+json whatever was asked for). */
int cw_accept(const char *value, unsigned offered, enum cw_media *ret) CW_MUST_CHECK;
/* Content-Type: application/json, with no parameter but charset=utf-8. NULL: there was none, false. */
bool cw_content_is_json(const char *value);
