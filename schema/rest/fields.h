/* SPDX-License-Identifier: BSD-2-Clause */
/* How a struct of ours and an object of the REST API belong together: one table per object (resources.c), used in both
 * directions (read.h, render.h) and for queries (query.h), and compared with openapi.yaml by a test. Every such struct
 * starts with `uint32_t seen`, one bit per field in the order of the table: what a request named.
 *
 * What is null where a table allows it:
 *	text, object: NULL	number (uint64_t): CW_REST_NONE	time: CW_REST_NO_TIME	id: 0
 *	IPv4: 0.0.0.0		IPv6: ::			port set: the whole address	word: CW_REST_NO_WORD
 * Thread: the tables are constant; the structs are their owner's. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/defs.h"

#define CW_REST_NONE    UINT64_MAX
#define CW_REST_NO_TIME INT64_MAX
#define CW_REST_NO_WORD UINT8_MAX

enum cw_rest_kind {
	CW_REST_BOOL, /* bool */
	CW_REST_NUM,  /* uint8_t .. uint64_t, min to max */
	CW_REST_TEXT, /* const char *, min to max characters, none of them control characters */
	CW_REST_NAME, /* const char *: [A-Za-z0-9._@-], 1 to 63 */
	CW_REST_PRINCIPAL, /* const char *: printable ASCII without blanks, 1 to 127 */
	CW_REST_PREFIX,    /* const char *: an IPv4 or IPv6 prefix, as it was written */
	CW_REST_ADDR4,     /* struct cw_addr4 */
	CW_REST_ADDR6,     /* struct cw_addr6 */
	CW_REST_PREFIX4,   /* struct cw_prefix4; an address alone is its /32 */
	CW_REST_RANGE4,    /* struct cw_rest_range4 from "ADDR/LEN", "FIRST-LAST", "ADDR" */
	CW_REST_TIME,      /* int64_t, wall clock */
	CW_REST_WORD,      /* uint8_t: base + place in words */
	CW_REST_WORDS, /* uint64_t: a bit 1 << (base + place) for each; a list, in a query repeated */
	CW_REST_SCOPES, /* uint32_t of schema/rest/scope.h; a list */
	CW_REST_ID,     /* uint64_t, of the kind `base` */
	CW_REST_PORTS,  /* struct cw_portset as {offset, length, psid, ranges} */
	CW_REST_SHAPE,  /* struct cw_portset, psid 0, as {offset, length} */
	CW_REST_TAGS, /* const char *: JSON of an object of short texts, at most 1024 octets; NULL is {} */
	CW_REST_RAW,    /* const char *: JSON of an object, ours; NULL is {} */
	CW_REST_OBJECT, /* the struct itself, or a pointer to it if it may be null */
	CW_REST_ARRAY,  /* struct cw_rest_array of min to max `item`s */
};

enum {
	CW_REST_REQUIRED = 1 << 0, /* always written; when read it must be there */
	CW_REST_NULLABLE = 1 << 1,
	CW_REST_SECRET = 1 << 2,   /* text that cw_rest_wipe() overwrites */
	CW_REST_PAGING = 1 << 3,   /* of a query: no part of the filter */
	CW_REST_NONEMPTY = 1 << 4, /* of an object: at least one member */
};

struct cw_rest_range4 {
	struct cw_addr4 lo, hi;
};

struct cw_rest_array {
	const void *items; /* borrowed; read: of the arena */
	size_t n;
};

struct cw_rest_object;

struct cw_rest_field {
	const char *name;
	enum cw_rest_kind kind;
	unsigned flags;
	size_t offset, size; /* of its value in the struct */
	uint64_t min, max;
	unsigned base;
	const char *const *words; /* NULL-ended */
	const struct cw_rest_object *object;
	const struct cw_rest_field *item;
};

struct cw_rest_object {
	const char *name; /* of the schema in openapi.yaml, or the operation whose query it is */
	const struct cw_rest_field *fields;
	unsigned n;
	unsigned flags;
	size_t size;
};

/* Whether a struct that was read (p) has the member at this offset: null counts. */
bool cw_rest_has(const struct cw_rest_object *o, const void *p, size_t offset) CW_PURE;
#define CW_REST_HAS(o, p, member) cw_rest_has((o), (p), offsetof(__typeof__(*(p)), member))
/* The word behind a value of this field; NULL: it is none. */
const char *cw_rest_word(const struct cw_rest_field *f, unsigned value) CW_PURE;
