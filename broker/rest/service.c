/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker itself: its version, that it lives, what it speaks. */
#include "config.h"

#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"
#include "schema/rest/openapi.h"

void cw_rest_do_getOpenapi(struct cw_rest_request *q)
{
	struct cw_slice text = cw_rest_openapi();

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	cw_json_put_raw(&q->out, text.p, text.n);
	cw_rest_answer_json(q, 200);
}

void cw_rest_do_getVersion(struct cw_rest_request *q)
{
	const struct cw_rest_version version = {
		.version = PACKAGE_VERSION,
		.schema = cw_store_schema(),
	};

	if (cw_rest_take_query(q, NULL, NULL))
		cw_rest_show(q, 200, &cw_rest_version_object, &version);
}

/* That it answers is the answer. */
void cw_rest_do_getHealth(struct cw_rest_request *q)
{
	const struct cw_rest_health health = {.status = 0};

	if (cw_rest_take_query(q, NULL, NULL))
		cw_rest_show(q, 200, &cw_rest_health_object, &health);
}
