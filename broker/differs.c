/* SPDX-License-Identifier: BSD-2-Clause */
/* The file against the start's options and against the database. Thread: any; the reader is the
 * caller's. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "broker/differs.h"
#include "schema/sasl/sasl.h"

#define PAGE 16

/* ---- options of the start ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_listen(
	const struct cw_endpoint *a, size_t n_a, const struct cw_endpoint *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

static bool same_fixed(
	enum cw_config_fixed what, const struct cw_config *a, const struct cw_config *b)
{
	switch (what) {
	case CW_FIXED_STATE_DIR:
		return same_text(a->state_dir, b->state_dir);
	case CW_FIXED_RUN_DIR:
		return same_text(a->run_dir, b->run_dir);
	case CW_FIXED_PLUGIN_DIR:
		return same_text(a->plugin_dir, b->plugin_dir);
	case CW_FIXED_BACKEND:
		return same_text(a->store_backend, b->store_backend);
	case CW_FIXED_PATH: /* a relative one moves with the folder, which is said */
		return same_text(a->store_path, b->store_path) ||
		       !same_text(a->state_dir, b->state_dir);
	case CW_FIXED_BATCH:
		return a->store_batch == b->store_batch;
	case CW_FIXED_CACHE:
		return a->store_cache_kib == b->store_cache_kib;
	case CW_FIXED_LISTEN:
		return same_listen(a->listen, a->n_listen, b->listen, b->n_listen);
	case CW_FIXED_UDP:
		return a->udp == b->udp;
	case CW_FIXED_REALM:
		return same_text(a->realm, b->realm);
	case CW_FIXED_UDP_SESSIONS:
		return a->limits.udp_sessions == b->limits.udp_sessions;
	case CW_FIXED_TLS_LISTEN:
		return a->tls == b->tls &&
		       same_listen(a->tls_listen, a->n_tls_listen, b->tls_listen, b->n_tls_listen);
	case CW_FIXED_REST_SOCKET:
		return same_text(a->rest.socket, b->rest.socket) ||
		       !same_text(a->state_dir, b->state_dir);
	case CW_FIXED_REST_LISTEN:
		return same_listen(
			a->rest.listen, a->rest.n_listen, b->rest.listen, b->rest.n_listen);
	case CW_FIXED_REST_CERT:
		return same_text(a->rest.cert, b->rest.cert);
	case CW_FIXED_REST_KEY:
		return same_text(a->rest.key, b->rest.key);
	case CW_FIXED_REST_CA:
		return same_text(a->rest.ca, b->rest.ca);
	case CW_FIXED_REST_CONNECTIONS:
		return a->rest.connections == b->rest.connections;
	case CW_FIXED_REST_RECEIVE:
		return a->rest.receive_s == b->rest.receive_s;
	case CW_FIXED_REST_STREAMS:
		return a->rest.streams == b->rest.streams;
	case CW_FIXED_REST_REQUESTS:
		return a->rest.requests_per_token == b->rest.requests_per_token;
	case CW_FIXED_REST_NAMES:
		return same_text(a->rest.names, b->rest.names);
	case CW_FIXED_REST_ADMINS:
		return same_text(a->rest.admins, b->rest.admins);
	case CW_FIXED_REST_OPERATORS:
		return same_text(a->rest.operators, b->rest.operators);
	case CW_FIXED_REST_VIEWERS:
		return same_text(a->rest.viewers, b->rest.viewers);
	case CW_FIXED_BACKUP_DIR:
		return same_text(a->backup.directory, b->backup.directory) ||
		       !same_text(a->state_dir, b->state_dir);
	case CW_FIXED_BACKUP_EVERY:
		return a->backup.every_s == b->backup.every_s;
	case CW_FIXED_BACKUP_KEEP:
		return a->backup.keep == b->backup.keep;
	case CW_FIXED_N:
		break;
	}
	return true;
}

struct place {
	const char *path;
	const char *kind, *name; /* of a section; kind NULL: none */
	int line;                /* 0: not written */
	unsigned said;
};

static void say(struct place *p, const char *option, const char *text)
{
	char at[256];
	struct cw_field fields[5] = {CW_F_EVENT("config.differs")};
	unsigned n = 1;

	if (p->line > 0)
		(void) snprintf(at, sizeof at, "%s:%d", p->path, p->line);
	else
		(void) snprintf(at, sizeof at, "%s", p->path);
	fields[n++] = (struct cw_field) CW_F_STR("at", at);
	if (p->kind)
		fields[n++] = (struct cw_field) CW_F_STR(p->kind, p->name);
	if (option)
		fields[n] = (struct cw_field) CW_F_STR("option", option);
	cw_log(CW_LOG_WARNING, fields, text);
	p->said++;
}

unsigned cw_differs_fixed(
	const struct cw_config *start, const struct cw_config *now, const char *path)
{
	static const char *const names[CW_FIXED_N] = {
#define X(id, section, dot, name) [CW_FIXED_##id] = section dot name,
		CW_CONFIG_FIXED(X)
#undef X
	};
	struct place p = {.path = path};

	for (unsigned i = 0; i < CW_FIXED_N; i++) {
		p.line = now->fixed_line[i];
		if (!same_fixed((enum cw_config_fixed) i, start, now))
			say(&p, names[i],
				"this option is read at the start only: the old value stays until a restart");
	}
	return p.said;
}

/* ---- sections and the database ---- */

#define COUNTS "the database has something else than the file; the database counts"
#define ABSENT "this section is not in the database yet: it is created at the next start"

static int differs_tep(struct cw_store_reader *r, const struct cw_config_tep *want, struct place *p)
{
	struct cw_tep have;
	int found = cw_read_tep(r, want->tep.name, &have);

	if (found <= 0) {
		if (found == 0)
			say(p, NULL, ABSENT);
		return found;
	}
	if (have.has_ipv4 != want->tep.has_ipv4 || have.ipv4.v != want->tep.ipv4.v)
		say(p, "ipv4", COUNTS);
	if (!cw_addr6_eq(&have.ipv6, &want->tep.ipv6))
		say(p, "ipv6", COUNTS);
	if (strcmp(have.plugin, want->tep.plugin) != 0)
		say(p, "plugin", "the plugin of a tunnel end point changes at the next start");
	if (strcmp(have.options, want->tep.options) != 0)
		say(p, "options", "the plugin's options change at the next start");
	return 0;
}

typedef int read_ranges_t(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
	struct cw_range *to, size_t max);

/* 1: the same ranges in whatever order; neither side has one twice. 0: not; or a code. */
static int same_ranges(struct cw_store_reader *r, read_ranges_t *read, uint64_t pool,
	const struct cw_range *want, size_t n_want)
{
	struct cw_range some[PAGE];
	uint64_t after = 0;
	size_t seen = 0;
	int n;

	while ((n = read(r, pool, after, some, PAGE)) > 0) {
		for (int i = 0; i < n; i++) {
			size_t k = 0;

			while (k < n_want &&
				(want[k].lo.v != some[i].lo.v || want[k].hi.v != some[i].hi.v))
				k++;
			if (k == n_want)
				return 0;
			seen++;
		}
		after = some[n - 1].id;
	}
	return n < 0 ? n : seen == n_want;
}

static int differs_pool(
	struct cw_store_reader *r, const struct cw_config_pool *want, struct place *p)
{
	const struct cw_pool *w = &want->pool;
	struct cw_pool have;
	struct cw_tep tep;
	int found = cw_read_pool(r, w->name, &have);
	int has_tep, ranges, excludes;

	if (found <= 0) {
		if (found == 0)
			say(p, NULL, ABSENT);
		return found;
	}
	has_tep = cw_read_tep(r, want->tep, &tep);
	ranges = same_ranges(r, cw_read_ranges, have.id, want->ranges, want->n_ranges);
	excludes = same_ranges(r, cw_read_excludes, have.id, want->excludes, want->n_excludes);
	if (has_tep < 0 || ranges < 0 || excludes < 0)
		return has_tep < 0 ? has_tep : ranges < 0 ? ranges : excludes;

	const struct {
		const char *name;
		bool same;
	} options[] = {
		{"range", ranges},
		{"exclude", excludes},
		{"tep", has_tep && tep.id == have.tep_id},
		{"port-set-length", w->ps_len == have.ps_len},
		{"port-set-offset", w->ps_offset == have.ps_offset},
		{"keep-system-ports", w->keep_system_ports == have.keep_system_ports},
		{"lifetime", w->lifetime_s == have.lifetime_s},
		{"lifetime-min", w->lifetime_min_s == have.lifetime_min_s},
		{"lifetime-max", w->lifetime_max_s == have.lifetime_max_s},
		{"quarantine", w->quarantine_s == have.quarantine_s},
		{"max-leases", w->max_leases == have.max_leases},
		{"retention", w->retention_s == have.retention_s},
		{"order", w->order == have.order},
	};
	for (size_t i = 0; i < CW_ARRAY_LEN(options); i++)
		if (!options[i].same)
			say(p, options[i].name, COUNTS);
	return 0;
}

/* All verifiers of a user are of one password. A disabled user has none to be seen. */
static int differs_password(
	struct cw_store_reader *r, const struct cw_config_user *want, struct place *p)
{
	struct cw_credential found[4];
	struct cw_sasl_verifier v = {0};
	int n = cw_read_credentials(r, want->user.name, found, CW_ARRAY_LEN(found));

	if (n > 0) {
		memcpy(v.kind, found[0].kind, strnlen(found[0].kind, sizeof v.kind - 1));
		memcpy(v.text, found[0].verifier, strnlen(found[0].verifier, sizeof v.text - 1));
		if (cw_sasl_check_password(&v, want->user.name, want->password) == 0)
			say(p, "password", COUNTS);
		explicit_bzero(&v, sizeof v);
		explicit_bzero(found, sizeof found);
	}
	return n < 0 ? n : 0;
}

static int differs_user(
	struct cw_store_reader *r, const struct cw_config_user *want, struct place *p)
{
	struct cw_user have;
	int found = cw_read_user(r, want->user.name, &have);

	if (found <= 0) {
		if (found == 0)
			say(p, NULL, ABSENT);
		return found;
	}
	if (strcmp(want->user.pool, have.pool) != 0)
		say(p, "pool", COUNTS);
	if (want->user.max_leases != have.max_leases)
		say(p, "max-leases", COUNTS);
	return want->password ? differs_password(r, want, p) : 0;
}

int cw_differs_database(struct cw_store_reader *r, const struct cw_config *conf, const char *path,
	const _Atomic bool *stop)
{
	struct place p = {.path = path};
	int e = 0;

	p.kind = "tep";
	for (size_t i = 0; i < conf->n_teps && e == 0; i++) {
		p.name = conf->teps[i].tep.name;
		p.line = conf->teps[i].line;
		e = differs_tep(r, &conf->teps[i], &p);
	}
	p.kind = "pool";
	for (size_t i = 0; i < conf->n_pools && e == 0; i++) {
		p.name = conf->pools[i].pool.name;
		p.line = conf->pools[i].line;
		e = differs_pool(r, &conf->pools[i], &p);
	}
	p.kind = "user";
	for (size_t i = 0; i < conf->n_users && e == 0 && !(stop && atomic_load(stop)); i++) {
		p.name = conf->users[i].user.name;
		p.line = conf->users[i].section_line;
		e = differs_user(r, &conf->users[i], &p);
	}
	return e < 0 ? e : (int) p.said;
}
