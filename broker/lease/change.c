/* SPDX-License-Identifier: BSD-2-Clause */
/* TEPs that come, change and go while the broker runs. The store has them already when this hears of
 * it, in the order of commits, so a lease of a new TEP comes after the TEP. A TEP that goes has no
 * leases: the store saw to that. Thread: the loop's. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/lease/engine_int.h"

/* ---- pools: their names, for the log ---- */

static void pool_named(struct cw_engine *e, const struct cw_pool *p)
{
	char *name = cw_strdup(p->name);
	void *old = NULL;

	if (!name || cw_map_put_u64(e->pool_names, p->id, name, &old) < 0)
		(void) cw_free(name); /* the log says "?" */
	(void) cw_free(old);
}

/* ---- TEPs ---- */

/* Without its plugin it is down, which is tried again. */
static void open_and_compare(struct cw_engine_tep *t)
{
	char why[512] = "";
	int r = cw_tep_open(t, why, sizeof why);

	if (r == 0) {
		cw_sync_start(t);
		return;
	}
	cw_log(CW_LOG_ERR, CW_F(CW_F_EVENT("tep.open"), CW_F_STR("tep", t->tep.name), CW_F_ERR(r)),
		why);
	cw_tep_down(t, r);
}

static int put(struct cw_engine_tep ***list, unsigned *n, struct cw_engine_tep *t)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): a table of pointers */
	struct cw_engine_tep **v = cw_realloc(*list, *n + (size_t) 1, sizeof *v);

	if (!v)
		return -ENOMEM;
	v[(*n)++] = t;
	*list = v;
	return 0;
}

static void tep_came(struct cw_engine *e, const struct cw_tep *tep)
{
	struct cw_engine_tep *t = NULL;
	int r = cw_tep_new(e, tep, &t);

	if (r == 0)
		r = cw_map_put_u64(e->tep_by_id, tep->id, t, NULL);
	if (r == 0) {
		r = put(&e->teps, &e->n_teps, t);
		if (r < 0)
			(void) cw_map_take_u64(e->tep_by_id, tep->id);
	}
	if (r < 0) {
		(void) cw_tep_free(t);
		cw_log(CW_LOG_ERR,
			CW_F(CW_F_EVENT("tep.open"), CW_F_STR("tep", tep->name), CW_F_ERR(r)),
			"no memory for a new tunnel end point: it works after the next start");
		return;
	}
	open_and_compare(t);
}

/* Its instance ends; what was on its way is answered with that. */
static void close_instance(struct cw_engine_tep *t)
{
	cw_tep_close(t);
	t->state = CW_TEP_DOWN;
}

static void tep_changed(struct cw_engine *e, const struct cw_tep *tep)
{
	struct cw_engine_tep *t = cw_map_get_u64(e->tep_by_id, tep->id);
	bool moves;

	if (!t)
		return;
	moves = t->tep.has_ipv4 != tep->has_ipv4 || t->tep.ipv4.v != tep->ipv4.v ||
		!cw_addr6_eq(&t->tep.ipv6, &tep->ipv6) || strcmp(t->tep.plugin, tep->plugin) != 0 ||
		strcmp(t->tep.options, tep->options) != 0;
	t->tep = *tep;
	if (!moves)
		return;
	close_instance(t);
	open_and_compare(t);
}

static void tep_went(struct cw_engine *e, uint64_t id)
{
	struct cw_engine_tep *t = cw_map_take_u64(e->tep_by_id, id);
	unsigned i = 0;

	if (!t)
		return;
	while (i < e->n_teps && e->teps[i] != t)
		i++;
	for (; i + 1 < e->n_teps; i++)
		e->teps[i] = e->teps[i + 1];
	e->n_teps--;
	close_instance(t);
	/* A page of its comparison may be being read, or its turn posted. */
	if (put(&e->retired, &e->n_retired, t) < 0)
		cw_log(CW_LOG_WARNING, CW_F(CW_F_EVENT("tep.close"), CW_F_STR("tep", t->tep.name)),
			"no memory to take a tunnel end point apart: its memory stays until the end");
	cw_engine_settled(e);
}

void cw_change_collect(struct cw_engine *e)
{
	unsigned left = 0;

	if (!e->n_retired || cw_pager_outstanding(e->pager) > 0)
		return;
	for (unsigned i = 0; i < e->n_retired; i++) {
		if (e->retired[i]->again_posted || e->retired[i]->out)
			e->retired[left++] = e->retired[i];
		else
			(void) cw_tep_free(e->retired[i]);
	}
	e->n_retired = left;
}

static void one_done(struct cw_engine *e, const struct cw_op *op)
{
	switch (op->kind) {
	case CW_OP_TEP_ADD:
		tep_came(e, &op->u.tep);
		break;
	case CW_OP_TEP_SET:
		tep_changed(e, &op->u.tep);
		break;
	case CW_OP_TEP_DEL:
		tep_went(e, op->u.tep.id);
		break;
	case CW_OP_POOL_ADD:
	case CW_OP_POOL_SET:
		pool_named(e, &op->u.pool.pool);
		break;
	case CW_OP_POOL_DEL:
		(void) cw_free(cw_map_take_u64(e->pool_names, op->u.pool.pool.id));
		break;
	default:
		break;
	}
}

void cw_change_done(struct cw_engine *e, const struct cw_op *op)
{
	if (op->cause && op->cause->replayed)
		return;
	if (op->kind != CW_OP_GROUP) {
		one_done(e, op);
		return;
	}
	for (size_t i = 0; i < op->u.group.n && !op->u.group.dry_run; i++)
		one_done(e, op->u.group.ops[i]);
}

/* ---- how a TEP is ---- */

int cw_engine_tep_status(
	const struct cw_engine *e, uint64_t tep_id, struct cw_engine_tep_status *ret)
{
	const struct cw_engine_tep *t = cw_map_get_u64(e->tep_by_id, tep_id);

	if (!t)
		return -ENOENT;
	*ret = (struct cw_engine_tep_status){
		.state = !t->settled               ? CW_TEP_IS_STARTING
			 : t->state == CW_TEP_UP   ? CW_TEP_IS_UP
			 : t->state == CW_TEP_DOWN ? CW_TEP_IS_DOWN
						   : CW_TEP_IS_SYNCING,
		.waiting = t->queue.n + t->urgent.n + t->refresh.n + t->apply.n + t->remove.n +
			   t->n_retries,
		.compared = t->drift != NULL,
		.drift = t->drifted,
		.compared_wall_s = t->drift ? t->drift->compared_wall_s : 0,
		.last_error = t->last_error,
	};
	return 0;
}

void cw_engine_resync(struct cw_engine *e)
{
	for (unsigned i = 0; i < e->n_teps; i++) {
		e->teps[i]->dirty = true;
		cw_tep_dispatch(e->teps[i]);
	}
}

int cw_engine_resync_tep(struct cw_engine *e, uint64_t tep_id)
{
	struct cw_engine_tep *t = cw_map_get_u64(e->tep_by_id, tep_id);

	if (!t)
		return -ENOENT;
	if (t->state == CW_TEP_DOWN) {
		cw_tep_poke(t);
		return t->state == CW_TEP_DOWN ? CW_E_TEP : 0;
	}
	t->dirty = true;
	cw_tep_dispatch(t);
	return 0;
}

const struct cw_drift *cw_engine_drift(const struct cw_engine *e, uint64_t tep_id)
{
	const struct cw_engine_tep *t = cw_map_get_u64(e->tep_by_id, tep_id);

	return t ? t->drift : NULL;
}
