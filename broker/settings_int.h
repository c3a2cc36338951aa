/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two files of causewayd's configuration share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "broker/settings.h"

#define CW_CONFIG_NAME_WANT "a name of 1 to 63 letters, digits and . _ @ -"
bool cw_config_name_ok(const char *v);
/* lifetime, lifetime-min and lifetime-max with the defaults that depend on each other. */
void cw_config_lifetimes(
	const struct cw_conf_section *s, uint32_t *ret, uint32_t *ret_min, uint32_t *ret_max);
/* base/path unless path is absolute. Given. */
char *cw_config_path_under(const char *base, const char *path);
/* A path relative to the state folder; *ret is left alone if it is not set. false: no memory. */
bool cw_config_get_path(const struct cw_config *c, const struct cw_conf_section *s,
	const char *name, char **ret) CW_MUST_CHECK;
bool cw_config_get_listen(const struct cw_config *c, const struct cw_conf_section *s,
	struct cw_endpoint **ret, size_t *ret_n) CW_MUST_CHECK;
/* All elements of a list with a separator after (sep_last) or between them. Given. */
char *cw_config_join(const struct cw_conf_section *s, const char *name, char sep, bool sep_last);
/* Where options that are read at the start only stand; section "": in none. */
struct cw_config_place {
	const char *section, *name;
};
extern const struct cw_config_place cw_config_fixed_places[CW_FIXED_N];
/* settings_show.c */
bool cw_config_values_build(struct cw_config *c, const struct cw_conf *f) CW_MUST_CHECK;
void cw_config_values_done(struct cw_config *c);
/* settings_rest.c */
bool cw_config_rest_build(struct cw_config *c, const struct cw_conf *f) CW_MUST_CHECK;
void cw_config_rest_done(struct cw_config_rest *r);
void cw_config_rest_verify(struct cw_conf *f);
/* First line of a file. 0, -errno, CW_E_SYNTAX: not fit for a password. *ret given. */
int cw_config_read_password(const char *path, char **ret);
/* The schema's verify: what is wrong with several values together. */
void cw_config_verify(struct cw_conf *f);
