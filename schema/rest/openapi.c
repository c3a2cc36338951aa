/* SPDX-License-Identifier: BSD-2-Clause */
/* The description of the REST API, see openapi.h. Thread: constant. */
#include "config.h"

#include "schema/rest/openapi-text.h"
#include "schema/rest/openapi.h"

struct cw_slice cw_rest_openapi(void)
{
	return (struct cw_slice){openapi_text, sizeof openapi_text - 1};
}
