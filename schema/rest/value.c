/* SPDX-License-Identifier: BSD-2-Clause */
/* See value.h. Thread: any. */
#include "config.h"

#include "schema/rest/value.h"

uint64_t cw_rest_value_num(const struct cw_rest_field *f, const void *value)
{
	uint16_t u16;
	uint32_t u32;

	switch (f->size) {
	case 1:
		return *(const uint8_t *) value;
	case 2:
		memcpy(&u16, value, sizeof u16);
		return u16;
	case 4:
		memcpy(&u32, value, sizeof u32);
		return u32;
	default:
		return cw_rest_value_u64(value);
	}
}

void cw_rest_put_num(const struct cw_rest_field *f, uint64_t v, void *to)
{
	const uint32_t u32 = (uint32_t) v;
	const uint16_t u16 = (uint16_t) v;
	const uint8_t u8 = (uint8_t) v;

	memcpy(to,
		f->size == 8   ? (const void *) &v
		: f->size == 4 ? (const void *) &u32
		: f->size == 2 ? (const void *) &u16
			       : (const void *) &u8,
		f->size);
}

bool cw_rest_is_null(const struct cw_rest_field *f, const void *value)
{
	const void *p;

	switch (f->kind) {
	case CW_REST_NUM:
		return cw_rest_value_u64(value) == CW_REST_NONE;
	case CW_REST_TIME:
		return cw_rest_value_time(value) == CW_REST_NO_TIME;
	case CW_REST_WORD:
		return !cw_rest_word(f, *(const uint8_t *) value);
	case CW_REST_ID:
		return !cw_rest_value_u64(value);
	case CW_REST_ADDR4:
		return !cw_rest_value_addr4(value).v;
	case CW_REST_ADDR6:
		return cw_addr6_is_unspecified(value);
	case CW_REST_PORTS:
	case CW_REST_SHAPE:
		return cw_portset_is_whole(cw_rest_value_ports(value));
	case CW_REST_TEXT:
	case CW_REST_NAME:
	case CW_REST_PRINCIPAL:
	case CW_REST_PREFIX:
	case CW_REST_OBJECT:
		memcpy(&p, value, sizeof p);
		return !p;
	default:
		return false;
	}
}
