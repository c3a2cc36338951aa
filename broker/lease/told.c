/* SPDX-License-Identifier: BSD-2-Clause */
/* Events that no operation of the store causes: what happened to TEPs, clocks, jobs. Written as
 * operations of their own; nobody waits for them. Thread: the loop's. */
#include "config.h"

#include <stdio.h>

#include "base/mem.h"
#include "broker/lease/engine_int.h"

enum { TOLD_MAX = 256 }; /* on their way at once: a store that stands still is told enough */

static void told(struct cw_loop_task *task)
{
	struct cw_engine_op *op = cw_engine_op_over(task);

	op->engine->telling--;
	(void) cw_free(op);
}

void cw_engine_event(struct cw_engine *e, const char *type, uint64_t object_id, const char *object,
	const char *detail)
{
	struct cw_engine_op *op;
	struct cw_event *ev;

	if (!e->started || e->stopping || e->telling >= TOLD_MAX)
		return;
	op = cw_zalloc(1, sizeof *op);
	if (!op)
		return;
	op->op.kind = CW_OP_EVENT;
	op->op.now = cw_engine_now(e);
	ev = &op->op.u.event;
	ev->object_id = object_id;
	(void) snprintf(ev->type, sizeof ev->type, "%s", type);
	(void) snprintf(ev->object, sizeof ev->object, "%s", object ? object : "");
	(void) snprintf(ev->detail, sizeof ev->detail, "%s", detail ? detail : "");
	e->telling++;
	cw_engine_run_op(e, op, told);
}
