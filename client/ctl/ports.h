/* SPDX-License-Identifier: BSD-2-Clause */
/* Thread: any. */
#pragma once

#include "base/addr.h"
#include "base/defs.h"

/* Connects to where a broker of this host listens and hangs up; a wildcard is asked over loopback, a
 * relative path of a Unix socket is below run_dir. 0: somebody answers; -EDESTADDRREQ: the port is 0,
 * or the path too long; another -errno: nobody does. Waits two seconds at most. */
int cw_ctl_knock(const struct cw_endpoint *ep, const char *run_dir) CW_MUST_CHECK;
