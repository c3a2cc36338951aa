/* SPDX-License-Identifier: BSD-2-Clause */
/* The difference between what is there and what was asked for, as operations of the store. Thread:
 * the request's. */
#pragma once

#include "broker/rest/handle.h"

/* What is taken away makes room for what comes; what others name comes before them. */
enum cw_apply_phase {
	CW_APPLY_TEPS,
	CW_APPLY_RESERVATIONS_GO,
	CW_APPLY_USERS_GO,
	CW_APPLY_RANGES_GO,
	CW_APPLY_POOLS_GO,
	CW_APPLY_POOLS,
	CW_APPLY_RANGES,
	CW_APPLY_RESERVATIONS,
	CW_APPLY_USERS,
	CW_APPLY_TEPS_GO,
	CW_APPLY_PHASES
};

enum { CW_APPLY_MEMBERS = 12 };

struct cw_apply_step {
	struct cw_op *op; /* NULL: only told, of what prune would take */
	enum cw_apply_phase phase;
	uint8_t action, kind; /* enum cw_rest_apply_action, enum cw_rest_apply_kind */
	const char *name;     /* of the arena, as the next */
	const char *pointer;  /* into the body; "" for what it does not name */
	enum cw_id_kind id_kind;
	uint64_t id; /* 0: made by it */
	const char *members[CW_APPLY_MEMBERS];
	size_t n_members;
	struct cw_credential *credentials;
};

struct cw_apply {
	struct cw_rest_request *q;
	struct cw_rest_apply_request body;
	struct cw_rest_query_apply asked;
	struct cw_apply_step **steps; /* in the order they are made */
	size_t n, cap;
	struct cw_op **ops; /* theirs */
};

/* Fills a->steps from a->body and what is there. false: answered with a problem. */
bool cw_apply_compare(struct cw_apply *a);
/* Frees all steps. */
void cw_apply_done(struct cw_apply *a);
