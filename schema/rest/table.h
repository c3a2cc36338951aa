/* SPDX-License-Identifier: BSD-2-Clause */
/* How the tables of fields.h are written. Private to schema/rest. */
#pragma once

#include "schema/rest/fields.h"

/* A member of struct cw_rest_TYPE under its own name, or under another. */
#define FIELD(type, member, kind_, flags_, ...) \
	FIELD_AS(type, member, #member, kind_, flags_, __VA_ARGS__)
/* clang-format off */
#define FIELD_AS(type, member, name_, kind_, flags_, ...)                                \
	{.name = (name_), .kind = CW_REST_##kind_, .flags = (flags_),                      \
	 .offset = offsetof(struct cw_rest_##type, member),                              \
	 .size = sizeof(__typeof__(((struct cw_rest_##type *) NULL)->member)), __VA_ARGS__}
/* What a list is made of. */
#define ITEM(type, kind_, ...) {.kind = CW_REST_##kind_, .size = sizeof(type), __VA_ARGS__}
/* clang-format on */
#define OBJECT(type, table, name_, flags_)                                                \
	_Static_assert(CW_ARRAY_LEN(table##_fields) <= 32, "one bit of `seen` for each"); \
	const struct cw_rest_object cw_rest_##table##_object = {                          \
		.name = (name_),                                                          \
		.fields = table##_fields,                                                 \
		.n = CW_ARRAY_LEN(table##_fields),                                        \
		.flags = (flags_),                                                        \
		.size = sizeof(struct cw_rest_##type),                                    \
	}
