/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a request over TCP was meant for this broker. A page of anybody can make a browser ask a
 * loopback address: by a name of its own that it lets point there (DNS rebinding), or plainly from
 * another origin. The first shows in Host, the second in Origin. No state. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

/* host: the header's value. An address cannot be made to point elsewhere; "localhost" and those of
 * names (blank-separated; NULL: none) are ours. */
bool cw_rest_host_is_ours(const char *host, const char *names) CW_PURE;
/* RFC 6454 7: origin is the same as the host that was asked; "null" is none. */
bool cw_rest_origin_is_ours(const char *origin, const char *host) CW_PURE;
