/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations that are written down and not there yet: each answers so. Whoever adds one takes its
 * line away; the file goes with the last. */
#include "config.h"

#include "broker/rest/handlers.h"

static void missing(struct cw_rest_request *q)
{
	cw_rest_problem(q, CW_PROBLEM_INTERNAL, "%s is not there yet", q->operation->name);
}

#define MISSING(name)                                     \
	void cw_rest_do_##name(struct cw_rest_request *q) \
	{                                                 \
		missing(q);                               \
	}

MISSING(listSessions)
MISSING(getClientSession)
MISSING(deleteSession)
MISSING(getConfig)
MISSING(testConfig)
MISSING(reloadConfig)
