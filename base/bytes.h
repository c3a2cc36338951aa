/* SPDX-License-Identifier: BSD-2-Clause */
/* Cursors over bytes. Failure is sticky: after the first read or write out of bounds every further
 * one does nothing and gives 0, so a codec checks `bad` once, at its end. Thread: the owner's. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

/* A piece of somebody else's bytes. */
struct cw_slice {
	const char *p;
	size_t n;
};

struct cw_reader {
	const uint8_t *pos;
	const uint8_t *end;
	bool bad;
};

struct cw_writer {
	uint8_t *start;
	uint8_t *pos;
	uint8_t *end;
	bool bad;
};

struct cw_reader cw_reader_of(const void *p, size_t n); /* borrows p */
size_t cw_read_left(const struct cw_reader *r);
/* Network byte order in, host order out. */
uint8_t cw_read_u8(struct cw_reader *r);
uint16_t cw_read_u16(struct cw_reader *r);
uint32_t cw_read_u32(struct cw_reader *r);
uint64_t cw_read_u64(struct cw_reader *r);
void cw_read_bytes(struct cw_reader *r, void *to, size_t n);
/* The next n bytes without copying; NULL (and bad) if there are fewer. Borrowed. */
const uint8_t *cw_read_take(struct cw_reader *r, size_t n);
void cw_read_skip(struct cw_reader *r, size_t n);
/* A reader limited to the next n bytes, which r skips: nothing nested reads past its parent. */
struct cw_reader cw_read_sub(struct cw_reader *r, size_t n);

struct cw_writer cw_writer_of(void *p, size_t n); /* borrows p */
size_t cw_write_len(const struct cw_writer *w);   /* octets written so far */
void cw_write_u8(struct cw_writer *w, uint8_t v);
void cw_write_u16(struct cw_writer *w, uint16_t v);
void cw_write_u32(struct cw_writer *w, uint32_t v);
void cw_write_u64(struct cw_writer *w, uint64_t v);
void cw_write_bytes(struct cw_writer *w, const void *p, size_t n);
void cw_write_str(struct cw_writer *w, const char *s); /* without the NUL */
void cw_write_fmt(struct cw_writer *w, const char *fmt, ...) CW_PRINTF(2, 3);
/* Reserves a 16-bit length field; end16 patches it with the octets written since. */
uint8_t *cw_write_begin16(struct cw_writer *w);
void cw_write_end16(struct cw_writer *w, uint8_t *mark);

/* Strict text to number: digits only, no sign, no blanks, within [min, max].
 * -CW_E_SYNTAX or -ERANGE style: CW_E_SYNTAX, CW_E_LIMIT. *ret untouched on failure. */
int cw_parse_u64(const char *s, size_t n, uint64_t min, uint64_t max, uint64_t *ret) CW_MUST_CHECK;
/* Base64 (RFC 4648 section 4) with padding, no blanks. Decode: number of octets or CW_E_SYNTAX /
 * CW_E_LIMIT (does not fit). Encode: length written without the NUL it appends, or CW_E_LIMIT. */
int cw_base64_decode(const char *s, size_t n, void *to, size_t cap) CW_MUST_CHECK;
int cw_base64_encode(const void *p, size_t n, char *to, size_t cap) CW_MUST_CHECK;
/* Likewise that of URLs (section 5), without padding. One text for one value: bits that are left over
 * must be zero. */
int cw_base64url_decode(const char *s, size_t n, void *to, size_t cap) CW_MUST_CHECK;
int cw_base64url_encode(const void *p, size_t n, char *to, size_t cap) CW_MUST_CHECK;
