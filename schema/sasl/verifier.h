/* SPDX-License-Identifier: BSD-2-Clause */
/* Verifiers of users that do not exist, for schema/sasl/server.c: an unknown user must look, and
 * take as long, as one with a wrong password. Thread: any. */
#pragma once

#include "schema/sasl/sasl.h"

#define CW_SASL_HA1_LEN    ((size_t) 16)
#define CW_SASL_ITERATIONS 4096 /* RFC 5802 5.1, RFC 7677 4: at least */

/* A SCRAM verifier of that kind that no password fits, the same for the same user as long as the
 * process lives. 0; CW_E_SYNTAX: unknown kind; -EIO. */
int cw_sasl_fake_verifier(const char *kind, const char *user, unsigned iterations,
	struct cw_sasl_verifier *ret) CW_MUST_CHECK;
/* Is it a whole SCRAM verifier? */
bool cw_sasl_scram_ok(const struct cw_sasl_verifier *v);
/* A fake one for DIGEST-MD5. 0, -EIO. */
int cw_sasl_fake_ha1(const char *user, unsigned char to[static CW_SASL_HA1_LEN]) CW_MUST_CHECK;
/* The 16 octets in a DIGEST-MD5 verifier made for that realm. 0; CW_E_SYNTAX: damaged, or of
 * another realm. */
int cw_sasl_verifier_ha1(const struct cw_sasl_verifier *v, const char *realm,
	unsigned char to[static CW_SASL_HA1_LEN]) CW_MUST_CHECK;
