/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's half of a SASL exchange (RFC 4422), service "tsp", no security layer: answers to a
 * broker's challenges. Names and passwords come from memory; the copies made here are wiped when
 * the exchange is freed. SCRAM, DIGEST-MD5 and PLAIN are Cyrus SASL's; ANONYMOUS and EXTERNAL are
 * one empty message and are made here, because Cyrus would put the local user's and host's name
 * into the trace of ANONYMOUS. Thread: one thread of a process (Cyrus is used without its mutex
 * hooks). */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/defs.h"

/* In the order of preference among those that need a password. */
enum cw_mech {
	CW_MECH_EXTERNAL, /* TLS client certificate */
	CW_MECH_SCRAM_SHA_256,
	CW_MECH_SCRAM_SHA_1,
	CW_MECH_DIGEST_MD5,
	CW_MECH_PLAIN,
	CW_MECH_ANONYMOUS,
	CW_MECH_COUNT
};

#define CW_MECH_BIT(m) (1u << (m))
#define CW_MECH_PASSWORDS                                                        \
	(CW_MECH_BIT(CW_MECH_SCRAM_SHA_256) | CW_MECH_BIT(CW_MECH_SCRAM_SHA_1) | \
		CW_MECH_BIT(CW_MECH_DIGEST_MD5) | CW_MECH_BIT(CW_MECH_PLAIN))

/* Longest answer an exchange can produce, in octets before base64. */
#define CW_SASL_ANSWER_MAX 3000

const char *cw_mech_name(enum cw_mech m); /* registered name, static; m < CW_MECH_COUNT */
/* The mechanism of that name (case does not matter), or -1. */
int cw_mech_of(struct cw_slice name);

struct cw_sasl_client;

struct cw_sasl_client_conf {
	enum cw_mech mech;
	const char *user;     /* UTF-8; not for ANONYMOUS and EXTERNAL */
	const char *password; /* UTF-8 */
	const char *host;     /* name of the broker as configured, for DIGEST-MD5's digest-uri */
};

/* Copies what it needs. *ret: given. -ENOMEM; -EINVAL: user or password missing, or one holds what
 * the mechanism cannot carry; -ENOSYS: the mechanism's Cyrus module is not installed. */
int cw_sasl_client_new(
	const struct cw_sasl_client_conf *conf, struct cw_sasl_client **ret) CW_MUST_CHECK;
struct cw_sasl_client *cw_sasl_client_free(struct cw_sasl_client *c);

/* The initial response: *ret_has tells whether there is one (it may be empty). *ret is borrowed
 * until the next call. 0, -ENOMEM, CW_E_AUTH. */
int cw_sasl_client_start(
	struct cw_sasl_client *c, bool *ret_has, struct cw_slice *ret) CW_MUST_CHECK;

/* The answer to a challenge (decoded, no base64); *ret is borrowed until the next call; ret->p is
 * NULL if nothing is to be sent (the challenge was the broker's proof). CW_E_AUTH: the broker's
 * message is wrong or its proof does not verify: give up. -ENOMEM. */
int cw_sasl_client_step(
	struct cw_sasl_client *c, struct cw_slice challenge, struct cw_slice *ret) CW_MUST_CHECK;

/* All of this side's work is done: a verdict of success may be believed. Before that, a success
 * from the broker is a broker that did not prove that it knows the password. */
bool cw_sasl_client_done(const struct cw_sasl_client *c);
