/* SPDX-License-Identifier: BSD-2-Clause */
/* The dashboard: the files of broker/dashboard, in the program. They hold nothing secret and are
 * served to everybody; what they show they ask of the API, as their reader. Thread: any. */
#pragma once

#include "broker/rest/request.h"

/* If q->path is a file of the dashboard, q has its answer (200, 304, 405): true. */
bool cw_rest_asset(struct cw_rest_request *q, enum cw_rest_method method) CW_MUST_CHECK;
