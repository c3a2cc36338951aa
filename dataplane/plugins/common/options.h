/* SPDX-License-Identifier: BSD-2-Clause */
/* Option values, which arrive as text, made into numbers; texts for errno. Needs the ABI header and
 * libc only. Thread: any. */
#pragma once

#include <stdbool.h>

#include "causeway-dataplane.h"

/* The value of an option the plugin declared; never NULL under a host that keeps the contract, else
 * "". Borrowed. */
const char *cw_dpopt_get(const struct cw_dp_open *open, const char *name);
/* Digits only, within [min, max]. false: one line about it in why. */
bool cw_dpopt_u64(const struct cw_dp_open *open, const char *name, uint64_t min, uint64_t max,
	uint64_t *ret, char *why, size_t why_n);
/* One of the NULL-terminated words; *ret is its index. false: one line about it in why. */
bool cw_dpopt_word(const struct cw_dp_open *open, const char *name, const char *const *words,
	unsigned *ret, char *why, size_t why_n);
/* What an errno value (positive) means. Static, never NULL. */
const char *cw_dpopt_errno(int err);
