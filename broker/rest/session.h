/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of the dashboard: a cookie says which token it stands for and until when, under a key of
 * this process. Nothing is kept of it here. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/defs.h"

enum { CW_REST_SESSION_KEY = 32, CW_REST_SESSION_STRLEN = 65 /* with NUL */ };

struct cw_rest_login_session {
	uint64_t token;
	int64_t expires_wall_s;
	char csrf[44];
};

/* The cookie's name: over TLS one that no other host can set. */
const char *cw_rest_session_cookie(bool is_tls);
/* What its value says. CW_E_SYNTAX: none, CW_E_AUTH: not ours, -EIO. Whether it is over is the caller's to see. */
int cw_rest_session_open(const uint8_t key[static CW_REST_SESSION_KEY], struct cw_slice text,
	struct cw_rest_login_session *ret) CW_MUST_CHECK;
