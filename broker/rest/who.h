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
	char name[CW_NAME_MAX];     /* of the token; "": none */
	char peer[64];              /* "unix", "192.0.2.7" */
	uint32_t scopes;
	uint64_t token;         /* its id, or 0 */
	int64_t expires_wall_s; /* of the token or cookie; 0: never */
	uint8_t via;            /* enum cw_rest_via */
	char csrf[44];          /* what must come with a cookie; "": nothing */
	bool is_unix;
	bool is_tls;
	struct cw_source source;
};
