/* SPDX-License-Identifier: BSD-2-Clause */
/* What apply has in common with the handlers of TEPs. Thread: any. */
#pragma once

#include "broker/rest/handle.h"

/* A new TEP: plugin and options of its section. -ENOENT: there is none; or why it could not be
 * opened; one line in why. */
int cw_rest_new_tep(const struct cw_rest *rest, const struct cw_rest_tep_create *b,
	struct cw_tep *ret, char *why, size_t why_n) CW_MUST_CHECK;
