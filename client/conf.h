/* SPDX-License-Identifier: BSD-2-Clause */
/* What the client is told: the file and the flags over it, checked, as plain values. Thread: one.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/log.h"
#include "client/brokers.h"
#include "client/dti/dti.h"

enum { CW_CLIENT_ROUTES_MAX = 64, CW_CLIENT_BROKERS_MAX = CW_BROKERS_MAX / 2 };

extern const struct cw_conf_schema cw_client_schema;

/* Strings are borrowed from the parsed texts, which live as long as this. */
struct cw_client_conf {
	struct cw_brokers brokers;
	const char *user;
	const char *password_file;
	unsigned mechs; /* CW_MECH_BIT()s the user wants; 0: by policy */
	bool allow_plain;
	const char *protocol_version;
	bool minutes;
	bool has_source;
	struct cw_addr6 source;
	bool ports_min;
	unsigned connect_timeout_s;
	uint32_t retry_min_ms, retry_max_ms;
	bool persist;
	bool exit_on_delete;
	bool keep_lease;
	const char *hook;
	unsigned hook_timeout_s;
	const char *control;
	const char *state;
	enum cw_log_level log_level;
	bool tls;
	const char *ca, *cert, *key, *server_name;
	enum cw_dti_kind kind;
	const char *device;
	unsigned mtu, hop_limit, metric;
	struct cw_prefix4 routes[CW_CLIENT_ROUTES_MAX];
	unsigned n_routes;

	struct cw_conf *file;
	bool has_file;         /* false: there is no file, `file` holds the defaults */
	struct cw_conf *flags; /* NULL: no flags */
	char *flags_text;
	const char **flag_names; /* of the lines of flags_text */
};

/* One flag as given: its name ("--mtu"), the option it sets, and the value, NULL for a flag without
 * argument ("true"). Borrowed as long as the configuration. */
struct cw_client_flag {
	const char *name, *section, *option, *value;
};

/* path: the file; NULL: the default one, which may be missing. Problems go to err, one a line, as
 * "FILE:LINE: text" or "--FLAG: text"; their number is returned, or -errno if the file cannot be
 * read (reported as well). *ret: given, to be freed with cw_client_conf_free() whatever the result;
 * without a problem the values are in it. for_up: what `up` needs is looked at, too: a broker,
 * files of TLS, password and hook. */
int cw_client_conf_load(struct cw_client_conf *ret, const char *path,
	const struct cw_client_flag *flags, size_t n_flags, bool for_up, FILE *err) CW_MUST_CHECK;
void cw_client_conf_free(struct cw_client_conf *c);

/* Where an option was set, for messages: "--mtu" or "FILE:LINE"; of a list its i-th value (0 for
 * the others). NULL: nowhere. Borrowed, or buf. */
#define CW_CLIENT_PLACE 512
const char *cw_client_conf_place(const struct cw_client_conf *c, const char *section,
	const char *name, unsigned i, char buf[static CW_CLIENT_PLACE]);

/* Which mechanisms may be used on a connection: what was asked for, less what would give a secret
 * away or cannot work. exposed: the broker was learned over a connection without TLS (guide tsp.md
 * 11). */
unsigned cw_client_mechs(const struct cw_client_conf *c, bool has_password, bool exposed);
