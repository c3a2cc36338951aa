/* SPDX-License-Identifier: BSD-2-Clause */
/* Who asks: the user at the other end of a Unix socket, the holder of a token, the subject of a
 * client certificate. What each may do is a set of scopes (schema/rest/scope.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/auth/limits.h"
#include "db/store.h"

struct cw_rest_who {
	char actor
		[CW_PRINCIPAL_MAX]; /* "uid:0", "token:tk_7", "cert:NAME"; "" as long as unknown */
	char peer[64];              /* "unix", "192.0.2.7" */
	uint32_t scopes;
	uint64_t token; /* its id, or 0 */
	bool is_unix;
	struct cw_source source;
};
