/* SPDX-License-Identifier: BSD-2-Clause */
/* `causewayd --check-db`: is what the database says possible? Thread: the main one, while no broker
 * runs on it. */
#pragma once

#include "broker/settings.h"

/* Prints what it found; CW_EXIT_OK or CW_EXIT_FAILURE. */
int cw_check_db(const struct cw_config *conf);
/* Lends the addresses of damaged leases again; prints how many. wall_s: now. */
int cw_forget_damaged(const struct cw_config *conf, int64_t wall_s);
