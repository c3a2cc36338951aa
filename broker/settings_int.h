/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two files of causewayd's configuration share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"

enum { CW_CONFIG_MECHANISMS = 6 };
extern const char *const cw_config_mechanisms[];

#define CW_CONFIG_NAME_WANT "a name of 1 to 63 letters, digits and . _ @ -"
bool cw_config_name_ok(const char *v);
/* lifetime, lifetime-min and lifetime-max with the defaults that depend on each other. */
void cw_config_lifetimes(
	const struct cw_conf_section *s, uint32_t *ret, uint32_t *ret_min, uint32_t *ret_max);
/* First line of a file. 0, -errno, CW_E_SYNTAX: not fit for a password. *ret given. */
int cw_config_read_password(const char *path, char **ret);
/* The schema's verify: what is wrong with several values together. */
void cw_config_verify(struct cw_conf *f);
