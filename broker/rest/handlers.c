/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of handlers. */
#include "config.h"

#include "broker/rest/handlers.h"

cw_rest_handler_t *const cw_rest_handlers[CW_REST_OPS] = {
#define CW_OPERATION(name, method, path, scope, bits, repeats, locally, body) \
	[CW_OP_REST_##name] = cw_rest_do_##name,
#include "schema/rest/operations.def"
#undef CW_OPERATION
};
