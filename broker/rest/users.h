/* SPDX-License-Identifier: BSD-2-Clause */
/* What apply has in common with the handlers of users. Thread: any. */
#pragma once

#include "broker/auth/auth.h"
#include "broker/rest/handle.h"

/* As a body brings it. */
struct cw_rest_password {
	const char *text;
	uint64_t mechanisms; /* CW_REST_SCRAM_SHA_256...; 0: those the broker offers */
	bool allow_equivalent;
};

/* The mechanisms that will have a verifier. */
uint64_t cw_rest_mechanisms(const struct cw_rest *rest, const struct cw_rest_password *p);
/* Their verifiers: how many; CW_E_POLICY (one that stores what is as good as the password was not
 * allowed, or has no realm), CW_E_SYNTAX (the password cannot be prepared), -ENOMEM. Takes
 * milliseconds. *ret_member: which member is at fault. */
int cw_rest_verifiers(const struct cw_rest *rest, const char *user,
	const struct cw_rest_password *p, struct cw_credential to[static CW_AUTH_KINDS],
	const char **ret_member) CW_MUST_CHECK;
/* As bits, those that verifiers are for. */
uint64_t cw_rest_mechanisms_of(const struct cw_credential *v, size_t n) CW_PURE;
