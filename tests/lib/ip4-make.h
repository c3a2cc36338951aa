/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 packets made and checked by hand, with slow and plain arithmetic, for tests of packet code.
 */
#pragma once

#include <stdint.h>
#include <string.h>

static uint8_t buf[70000];

static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static inline unsigned get16(const uint8_t *p)
{
	return (unsigned) p[0] << 8 | p[1];
}

static inline unsigned slow_sum(const uint8_t *p, size_t n, unsigned long s)
{
	for (size_t i = 0; i < n; i++)
		s += (unsigned long) p[i] << (i % 2 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (unsigned) s;
}

/* A packet of n octets of payload at buf; returns its length. */
static inline size_t make(uint8_t proto, size_t ihl, size_t n, unsigned frag)
{
	memset(buf, 0, ihl);
	buf[0] = (uint8_t) (0x40 | ihl / 4);
	put16(buf + 2, (unsigned) (ihl + n));
	put16(buf + 4, 77);
	put16(buf + 6, frag);
	buf[8] = 64;
	buf[9] = proto;
	memcpy(buf + 12, "\306\063\144\012", 4); /* 198.51.100.10 */
	memcpy(buf + 16, "\313\000\161\120", 4); /* 203.0.113.80 */
	put16(buf + 10, ~slow_sum(buf, ihl, 0) & 0xffff);
	for (size_t i = 0; i < n; i++)
		buf[ihl + i] = (uint8_t) (i * 7 + 3);
	return ihl + n;
}

static inline void fix(void)
{
	size_t ihl = (size_t) (buf[0] & 15) * 4;

	put16(buf + 10, 0);
	put16(buf + 10, ~slow_sum(buf, ihl, 0) & 0xffff);
}
