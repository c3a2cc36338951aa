/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as it is written: straight into a buffer, the caller's or one that grows, no tree. Commas come by themselves.
 * Failure is sticky and leaves the octets written before it. Text is escaped as RFC 8259 asks; octets that are no UTF-8
 * become U+FFFD, so that every output is JSON whatever a peer once sent. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "base/addr.h"
#include "base/defs.h"

struct cw_json_out {
	char *buf;
	size_t len, cap;
	size_t max; /* growing: never more; 0: the buffer is the caller's */
	bool comma; /* a value stands before */
	int err;    /* 0; CW_E_LIMIT: it does not fit; -ENOMEM */
};

void cw_json_out_init(struct cw_json_out *o, char *buf, size_t cap); /* borrows buf */
void cw_json_out_grow(struct cw_json_out *o, size_t max);            /* starts empty */
void cw_json_out_done(struct cw_json_out *o);                        /* frees what grew */
/* The grown buffer without a NUL; given, o is empty then. NULL if err is set or nothing was written. */
char *cw_json_out_take(struct cw_json_out *o, size_t *ret_n) CW_MUST_CHECK;

void cw_json_begin_object(struct cw_json_out *o);
void cw_json_end_object(struct cw_json_out *o);
void cw_json_begin_array(struct cw_json_out *o);
void cw_json_end_array(struct cw_json_out *o);
/* Key of the value that comes next: our own names, which need no escapes. */
void cw_json_key(struct cw_json_out *o, const char *key, size_t n);
#define CW_JSON_KEY(o, key) cw_json_key((o), "" key, sizeof(key) - 1)
/* Key that is data. */
void cw_json_key_text(struct cw_json_out *o, const char *key, size_t n);

void cw_json_put_text(struct cw_json_out *o, const char *p, size_t n);
void cw_json_put_str(struct cw_json_out *o, const char *s);                 /* NULL: null */
void cw_json_put_strs(struct cw_json_out *o, const char *a, const char *b); /* one text of two */
void cw_json_put_u64(struct cw_json_out *o, uint64_t v);
void cw_json_put_bool(struct cw_json_out *o, bool v);
void cw_json_put_null(struct cw_json_out *o);
void cw_json_put_addr4(struct cw_json_out *o, struct cw_addr4 a);
void cw_json_put_addr6(struct cw_json_out *o, const struct cw_addr6 *a);
void cw_json_put_time(struct cw_json_out *o, int64_t wall_s); /* RFC 3339 */
/* One value that is JSON already. */
void cw_json_put_raw(struct cw_json_out *o, const char *p, size_t n);
/* Octets between values: line ends of NDJSON, CSV. The next value has no comma before it. */
void cw_json_put_between(struct cw_json_out *o, const char *p, size_t n);

/* Octets of the UTF-8 character at text, 1 to 4; 0: it is none (RFC 3629 4). n > 0. */
size_t cw_utf8_len(const void *text, size_t n) CW_PURE;
