/* SPDX-License-Identifier: BSD-2-Clause */
/* Sections of the configuration to the database. One operation each; what exists is left alone,
 * and differs.c tells what differs. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "broker/auth/auth.h"
#include "broker/seed.h"

static int run(struct cw_store *store, struct cw_op *op, enum cw_op_kind kind, int64_t wall_s)
{
	op->kind = kind;
	op->now = (struct cw_store_time){wall_s, wall_s};
	return cw_store_run(store, op);
}

static int seed_tep(struct cw_store *store, struct cw_store_reader *reader,
	const struct cw_tep *want, int64_t wall_s)
{
	struct cw_op *op = cw_zalloc(1, sizeof *op);
	struct cw_tep have;
	int r = op ? cw_read_tep(reader, want->name, &have) : -ENOMEM;

	if (r == 0) {
		op->u.tep = *want;
		r = run(store, op, CW_OP_TEP_ADD, wall_s);
	} else if (r > 0) {
		bool same = strcmp(have.plugin, want->plugin) == 0 &&
			    strcmp(have.options, want->options) == 0;

		r = 0;
		if (!same) {
			op->u.tep = have;
			memcpy(op->u.tep.plugin, want->plugin, sizeof want->plugin);
			memcpy(op->u.tep.options, want->options, sizeof want->options);
			r = run(store, op, CW_OP_TEP_SET, wall_s);
		}
	}
	(void) cw_free(op);
	return r;
}

static int seed_pool(struct cw_store *store, struct cw_store_reader *reader,
	const struct cw_config_pool *want, int64_t wall_s)
{
	struct cw_op *op = cw_zalloc(1, sizeof *op);
	struct cw_pool have;
	int r = op ? cw_read_pool(reader, want->pool.name, &have) : -ENOMEM;

	if (r == 0) {
		op->u.pool.pool = want->pool;
		memcpy(op->u.pool.tep, want->tep, sizeof want->tep);
		op->u.pool.ranges = want->ranges;
		op->u.pool.n_ranges = want->n_ranges;
		op->u.pool.excludes = want->excludes;
		op->u.pool.n_excludes = want->n_excludes;
		r = run(store, op, CW_OP_POOL_ADD, wall_s);
	}
	(void) cw_free(op);
	return r < 0 ? r : 0;
}

static int seed_user(struct cw_store *store, struct cw_store_reader *reader,
	const struct cw_config *conf, const struct cw_config_user *want, int64_t wall_s)
{
	struct cw_credential made[CW_AUTH_KINDS];
	struct cw_op *op = cw_zalloc(1, sizeof *op);
	struct cw_user have;
	int r = op ? cw_read_user(reader, want->user.name, &have) : -ENOMEM;

	if (r == 0) {
		r = cw_auth_verifiers(
			conf->mechanisms, want->user.name, conf->realm, want->password, made);
		if (r >= 0) {
			op->u.user.user = want->user;
			op->u.user.credentials = made;
			op->u.user.n_credentials = (size_t) r;
			r = run(store, op, CW_OP_USER_ADD, wall_s);
		}
		explicit_bzero(made, sizeof made);
	}
	(void) cw_free(op);
	return r < 0 ? r : 0;
}

static int explain(int r, const char *kind, const char *name, char *why, size_t why_n)
{
	if (r == CW_E_CONFLICT)
		(void) snprintf(why, why_n, "%s \"%s\" overlaps something the database already has",
			kind, name);
	else
		(void) snprintf(
			why, why_n, "%s \"%s\" cannot be created: %s", kind, name, cw_strerror(r));
	return r;
}

int cw_seed(struct cw_store *store, const struct cw_config *conf, int64_t wall_s, char *why,
	size_t why_n)
{
	struct cw_store_reader *reader;
	int r = cw_store_reader_open(store, &reader);

	if (r < 0)
		return explain(r, "database", conf->store_path, why, why_n);
	for (size_t i = 0; i < conf->n_teps && r == 0; i++) {
		r = seed_tep(store, reader, &conf->teps[i].tep, wall_s);
		if (r < 0)
			r = explain(r, "tep", conf->teps[i].tep.name, why, why_n);
	}
	for (size_t i = 0; i < conf->n_pools && r == 0; i++) {
		r = seed_pool(store, reader, &conf->pools[i], wall_s);
		if (r < 0)
			r = explain(r, "pool", conf->pools[i].pool.name, why, why_n);
	}
	for (size_t i = 0; i < conf->n_users && r == 0; i++) {
		r = seed_user(store, reader, conf, &conf->users[i], wall_s);
		if (r < 0)
			r = explain(r, "user", conf->users[i].user.name, why, why_n);
	}
	(void) cw_store_reader_close(reader);
	return r;
}
