/* SPDX-License-Identifier: BSD-2-Clause */
/* The dashboard: the files of broker/dashboard, in the program. They hold nothing secret and are
 * served to everybody; what they show they ask of the API, as their reader. Thread: any. */
#pragma once

#include "broker/rest/request.h"

/* Is q->path a file of the dashboard? */
bool cw_rest_is_asset(const struct cw_rest_request *q) CW_MUST_CHECK;
/* Answers with it, 200 or 304. */
void cw_rest_asset(struct cw_rest_request *q);
