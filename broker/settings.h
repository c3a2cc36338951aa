/* SPDX-License-Identifier: BSD-2-Clause */
/* causewayd's configuration file as values: parsed, checked on its own and against itself. Every
 * option stands in options.def. Thread: the main one, before others start. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/conf.h"
#include "base/defs.h"
#include "base/log.h"
#include "db/store.h"

/* Options that are read at the start only: id, section ("": none), dot, name. */
#define CW_CONFIG_FIXED(X)                                  \
	X(STATE_DIR, "", "", "state-dir")                   \
	X(RUN_DIR, "", "", "run-dir")                       \
	X(PLUGIN_DIR, "", "", "plugin-dir")                 \
	X(BACKEND, "store", ".", "backend")                 \
	X(PATH, "store", ".", "path")                       \
	X(BATCH, "store", ".", "batch")                     \
	X(CACHE, "store", ".", "cache-kib")                 \
	X(LISTEN, "tsp", ".", "listen")                     \
	X(UDP, "tsp", ".", "udp")                           \
	X(REALM, "tsp", ".", "realm")                       \
	X(UDP_SESSIONS, "limits", ".", "udp-sessions")      \
	X(TLS_LISTEN, "tls", ".", "listen")                 \
	X(REST_SOCKET, "rest", ".", "socket")               \
	X(REST_LISTEN, "rest", ".", "listen")               \
	X(REST_CERT, "rest", ".", "cert")                   \
	X(REST_KEY, "rest", ".", "key")                     \
	X(REST_CA, "rest", ".", "ca")                       \
	X(REST_NAMES, "rest", ".", "names")                 \
	X(REST_ADMINS, "rest", ".", "admins")               \
	X(REST_OPERATORS, "rest", ".", "operators")         \
	X(REST_VIEWERS, "rest", ".", "viewers")             \
	X(REST_CONNECTIONS, "rest", ".", "connections")     \
	X(REST_RECEIVE, "rest", ".", "receive-timeout")     \
	X(REST_STREAMS, "rest", ".", "event-streams")       \
	X(REST_REQUESTS, "rest", ".", "requests-per-token") \
	X(BACKUP_DIR, "backup", ".", "directory")           \
	X(BACKUP_EVERY, "backup", ".", "every")             \
	X(BACKUP_KEEP, "backup", ".", "keep")
enum cw_config_fixed {
#define X(id, section, dot, name) CW_FIXED_##id,
	CW_CONFIG_FIXED(X)
#undef X
		CW_FIXED_N
};

enum { CW_CONFIG_MECHANISMS = 6 };
extern const char *const cw_config_mechanisms[]; /* all that there are */

struct cw_config_tep {
	struct cw_tep tep; /* id and version 0 */
	int line;
};

struct cw_config_pool {
	struct cw_pool pool;
	char tep[CW_NAME_MAX];
	struct cw_range *ranges, *excludes;
	size_t n_ranges, n_excludes;
	int line;
};

struct cw_config_user {
	struct cw_user user;
	char *password;  /* until cw_config_forget() */
	char *open_file; /* its file, if others than its owner can read it; else NULL */
	int line;        /* of password-file */
	int section_line;
};

struct cw_config_limits {
	unsigned connections, per_source, per_network, udp_sessions, requests_per_source;
	unsigned backoff_ms, backoff_max_ms;
	unsigned leases_per_principal, leases_per_network, pending;
};

/* Lists are blank-separated, as written; NULL: not set. */
struct cw_config_rest {
	char *socket; /* NULL: none */
	struct cw_endpoint *listen;
	size_t n_listen;
	char *names, *admins, *operators, *viewers;
	char *cert, *key, *ca;
	int cert_line, key_line, ca_line;
	unsigned connections, receive_s, streams, requests_per_token;
};

struct cw_config_backup {
	char *directory; /* NULL: none are made */
	unsigned every_s, keep;
};

/* One option as people see it. Of sections that the file may have many of, only what is written. */
struct cw_config_value {
	const char *section; /* NULL: none */
	char *title;         /* NULL: none */
	const char *name;
	char *value; /* as the file could write it; "***" for a secret, "" for nothing */
	bool is_default;
	bool reloadable; /* reading the file again takes it over */
};

struct cw_config {
	unsigned refs;
	struct cw_config_value
		*values; /* in the order of the schema; those of titled sections last */
	size_t n_values;
	char hash[CW_CONF_HASH_STRLEN];         /* of the file */
	int fixed_line[CW_FIXED_N];             /* where each is written; 0: nowhere */
	char *state_dir, *run_dir, *plugin_dir; /* plugin_dir NULL: compiled in */
	char *store_backend, *store_path;
	unsigned store_batch, store_cache_kib;
	struct cw_endpoint *listen;
	size_t n_listen;
	bool udp;
	char *mechanisms; /* blank-separated, as written */
	char *realm;      /* NULL: not set */
	bool plain_without_tls, lifetime_minutes, anonymous_source_check;
	struct cw_prefix6 *client_prefix;
	size_t n_client_prefix;
	bool tls;
	struct cw_endpoint *tls_listen;
	size_t n_tls_listen;
	char *tls_cert, *tls_key, *tls_ca;
	int tls_cert_line, tls_key_line, tls_ca_line;
	bool tls_require_client_cert;
	struct cw_config_limits limits;
	char **redirect; /* texts of brokers */
	size_t n_redirect;
	bool redirect_always;
	struct cw_config_rest rest;
	struct cw_config_backup backup;
	enum cw_log_level log_level;
	enum cw_log_format log_format;
	struct cw_config_tep *teps;
	size_t n_teps;
	struct cw_config_pool *pools;
	size_t n_pools;
	struct cw_config_user *users;
	size_t n_users;
};

/* Reads and checks; problems go to err, one a line, "FILE:LINE: text". Their number, 0 and *ret
 * given, or -errno (reported as well). */
int cw_config_load(const char *path, FILE *err, struct cw_config **ret) CW_MUST_CHECK;
/* The same for a text in memory. */
int cw_config_parse(const char *path, const char *text, size_t n, FILE *err,
	struct cw_config **ret) CW_MUST_CHECK;
struct cw_config *cw_config_ref(struct cw_config *c); /* not thread-safe, nor is free */
/* One reference less; with the last one passwords are overwritten. NULL is fine. */
struct cw_config *cw_config_free(struct cw_config *c);
void cw_config_forget(struct cw_config *c); /* overwrites the passwords now */
/* What is in force after a start with `start` and a reload that took over `now` (which may be
 * `start`): the i-th of start->n_values. */
const struct cw_config_value *cw_config_value_in_force(
	const struct cw_config *start, const struct cw_config *now, size_t i);
/* Calls fn for each option in which `fresh` differs from what is in force, with its name
 * ("tsp.udp", "pool.default.lifetime") and whether reading it again would not take it over. Secrets
 * are not compared. 0, -ENOMEM, or what fn returned when it was not 0. */
int cw_config_changes(const struct cw_config *start, const struct cw_config *now,
	const struct cw_config *fresh, int (*fn)(void *arg, const char *name, bool restart),
	void *arg) CW_MUST_CHECK;
const struct cw_conf_schema *cw_config_schema(void); /* for the sample file and the manual page */
