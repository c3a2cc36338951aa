/* SPDX-License-Identifier: BSD-2-Clause */
/* `causewayd --check-db`: is what the database says possible? Thread: the main one, while no broker
 * runs on it. */
#pragma once

#include "broker/settings.h"

/* Prints what it found; CW_EXIT_OK or CW_EXIT_FAILURE. */
int cw_check_db(const struct cw_config *conf);
