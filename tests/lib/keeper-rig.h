/* SPDX-License-Identifier: BSD-2-Clause */
/* A keeper on a fake clock, for tests: its actions are written down as words, answers of a broker
 * are made up, time goes where it is wanted. What does not fit fails the test. */
#pragma once

#include "client/keeper.h"
#include "tests/lib/cw-cmocka.h"

struct rig {
	struct cw_fake_clock clock;
	struct cw_keeper_conf conf;
	struct cw_brokers brokers;
	struct cw_keeper k;
	uint32_t dice; /* what the jitter throws */
	char words[2048];
	int code;
};

extern const char *const one[], *const two[]; /* brokers: a; a and b */

/* Not started yet; done() frees it. holding(): with a lease of 192.0.2.10 for `lifetime` seconds. */
struct rig *rig_of(const char *const *brokers);
struct rig *holding(const char *const *brokers, uint32_t lifetime);
void done(struct rig *r);
void start(struct rig *r);
/* What the keeper wants now: all its actions since the last call. */
void wants(struct rig *r, const char *text);

/* --- time --- */

struct cw_now now(struct rig *r);
void wait_ms(struct rig *r, int64_t ms);
/* To the deadline and not a millisecond further: before it nothing may happen. Returns the time it
 * took. */
int64_t to_deadline(struct rig *r);

/* --- what the broker says --- */

void heard_event(struct rig *r, struct cw_tsp_client_event ev);
void is_ready(struct rig *r);
struct cw_tsp_msg msg_of(
	enum cw_tsp_action action, const char *v4, const char *v6, uint32_t lifetime);
void leased(struct rig *r, const char *v4, uint32_t lifetime);
void leased_at(struct rig *r, const char *v4, const char *v6, uint32_t lifetime);
void replied(struct rig *r, unsigned code, enum cw_tsp_event status);
void redirected(struct rig *r, unsigned code, enum cw_tsp_event status, const char *to);
void closed(struct rig *r, enum cw_tsp_why why);
void deleted(struct rig *r, const char *v4);
