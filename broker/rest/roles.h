/* SPDX-License-Identifier: BSD-2-Clause */
/* Who of this host, or with which certificate, has which scopes: the lists of section "rest".
 * Names are looked up once, at the start. Thread: any after that; nothing changes. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/defs.h"
#include "broker/settings.h"

struct cw_rest_roles;

/* An unknown user or group is -ENOENT with one line in why. *ret given. */
int cw_rest_roles_new(const struct cw_config_rest *conf, char *why, size_t why_n,
	struct cw_rest_roles **ret) CW_MUST_CHECK;
struct cw_rest_roles *cw_rest_roles_free(struct cw_rest_roles *r); /* NULL is fine */
/* Scopes of the process at the other end of a Unix socket, of its user or any of its groups; 0:
 * none. *ret_uid is its user, (uid_t) -1 if that cannot be told. */
uint32_t cw_rest_roles_unix(const struct cw_rest_roles *r, int fd, uid_t *ret_uid);
/* Of a name a verified certificate is for. */
uint32_t cw_rest_roles_cert(const struct cw_rest_roles *r, const char *name);
