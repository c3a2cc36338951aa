/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as the API shows them, for its list (events.c) and its streams (follow.c). */
#pragma once

#include "broker/rest/handle.h"

struct cw_rest_shown_event {
	struct cw_rest_event event;
	char object[CW_ID_STRLEN];
	char detail[4096];
};

/* Names of pools and TEPs come through q's reader. Texts are e's and to's. */
void cw_rest_show_event(
	struct cw_rest_request *q, const struct cw_event *e, struct cw_rest_shown_event *to);
struct cw_rest_tenure cw_rest_show_tenure(struct cw_rest_request *q, const struct cw_tenure *t);
/* type and object of the query into a filter; false: answered. */
bool cw_rest_event_filter(struct cw_rest_request *q, const struct cw_rest_query_list_events *asked,
	struct cw_event_filter *to);
/* Answers with a stream of events. */
void cw_rest_follow(struct cw_rest_request *q, const struct cw_rest_query_list_events *asked);
