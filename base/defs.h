/* SPDX-License-Identifier: BSD-2-Clause */
/* Small macros every room uses. No functions, no state. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The caller must look at the result. */
#define CW_MUST_CHECK        __attribute__((warn_unused_result))
#define CW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CW_PURE              __attribute__((pure))

/* Runs fn(&variable) when the variable goes out of scope: `CW_CLEANUP(cw_freep) char *p = NULL;` */
#define CW_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hands over what a cleanup variable holds: `return CW_TAKE(p);` leaves NULL behind. */
#define CW_TAKE(p)                             \
	__extension__({                        \
		__typeof__(p) cw_taken_ = (p); \
		(p) = NULL;                    \
		cw_taken_;                     \
	})

#define CW_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that embeds `member` at `ptr`. */
/* clang-format off */
#define cw_container_of(ptr, type, member) \
	((type *) (void *) ((char *) (ptr) - offsetof(type, member)))
/* clang-format on */
