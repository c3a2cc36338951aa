/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers within a packet, in network byte order, at places that were checked before. */
#pragma once

#include <stdint.h>

static inline uint16_t cw_get16(const uint8_t *p)
{
	return (uint16_t) (p[0] << 8 | p[1]);
}

static inline uint32_t cw_get32(const uint8_t *p)
{
	return (uint32_t) cw_get16(p) << 16 | cw_get16(p + 2);
}

static inline void cw_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static inline void cw_put32(uint8_t *p, uint32_t v)
{
	cw_put16(p, (uint16_t) (v >> 16));
	cw_put16(p + 2, (uint16_t) v);
}
