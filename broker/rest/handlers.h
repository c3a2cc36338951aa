/* SPDX-License-Identifier: BSD-2-Clause */
/* One handler per operation of openapi.yaml: cw_rest_do_OPERATIONID, in the file of its resource. */
#pragma once

#include "broker/rest/request.h"

#define CW_OPERATION(name, method, path, scope, bits, repeats, locally, body) \
	cw_rest_handler_t cw_rest_do_##name;
#include "schema/rest/operations.def"
#undef CW_OPERATION

extern cw_rest_handler_t *const cw_rest_handlers[CW_REST_OPS];
