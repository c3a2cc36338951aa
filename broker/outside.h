/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration names that lies outside of it: plugins and files of TLS are looked at before
 * anything starts. Thread: the main one. */
#pragma once

#include <stdio.h>

#include "broker/settings.h"

/* Problems go to err, one a line, "FILE:LINE: text"; path is the configuration's. Their number.
 * What is unwise but works (a password others can read) is told as a warning and not counted. */
int cw_config_check_outside(const struct cw_config *conf, const char *path, FILE *err);
