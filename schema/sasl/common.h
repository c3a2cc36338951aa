/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server and the client side of SASL share: how Cyrus libsasl2 locks, what it may load and
 * where it complains. For schema/sasl only. */
#pragma once

#include "base/defs.h"

/* Gives the library mutexes. Before its first init, from one thread; safe to repeat. */
void cw_sasl_common_init(void);
/* SASL_CB_LOG: all of it is debug, for it is about what peers send; what may hold passwords is
 * dropped. */
int cw_sasl_log(void *context, int level, const char *message);
/* SASL_CB_VERIFYFILE: loads the plugins of our mechanisms and nothing else (no user databases). */
int cw_sasl_verify_file(void *context, const char *file, int type);
/* The library's callbacks have as many types as purposes. */
typedef int (*cw_sasl_proc_t)(void);
#define CW_SASL_PROC(fn) ((cw_sasl_proc_t) (void (*)(void))(fn))
