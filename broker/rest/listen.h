/* SPDX-License-Identifier: BSD-2-Clause */
/* The API's listening sockets. */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "base/defs.h"

/* Listens at path, which a server that died may have left; whoever reaches the folder may connect.
 * A path that is longer than a socket's address may be works too. The descriptor, or -errno: -EBUSY
 * if somebody answers there, -EEXIST if it is no socket. */
int cw_rest_listen_unix(const char *path) CW_MUST_CHECK;
/* *ret_bound (CW_ENDPOINT_STRLEN octets) tells the port it got. The descriptor, or -errno. */
int cw_rest_listen_inet(const struct cw_endpoint *ep, char *ret_bound) CW_MUST_CHECK;
