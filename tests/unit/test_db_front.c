/* SPDX-License-Identifier: BSD-2-Clause */
/* The front of the store: group commit, order of answers, acquires parked for their TEP, what a
 * refusal may take back, the bounds of the queue, the end. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/db-fixture.h"

/* Answers in the order they came; the writer's thread or the test's. */
static struct cw_op *answers[512];
static _Atomic size_t n_answers;

static void on_done(struct cw_op *op)
{
	assert_true(n_answers < CW_ARRAY_LEN(answers));
	answers[n_answers++] = op;
}

static int set_up(void **state)
{
	(void) fx_set_up_memory(state);
	(void) fx_simple(*state, "10.0.0.0/24");
	n_answers = 0;
	return 0;
}

static struct cw_op ask(struct fx *fx, unsigned n, bool wait)
{
	char who[16];
	struct cw_op op;

	(void) snprintf(who, sizeof who, "u%u", n);
	op = fx_ask(fx, who, n);
	op.u.acquire.wait_confirm = wait;
	op.done = on_done;
	return op;
}

static struct cw_op answer(
	struct fx *fx, struct cw_confirm *item, const struct cw_lease *l, int result)
{
	struct cw_op op = {.kind = CW_OP_CONFIRM, .now = fx->now, .done = on_done};

	*item = (struct cw_confirm){.lease = l->id, .generation = l->generation, .result = result};
	op.u.confirm = (struct cw_op_confirm){.items = item, .n = 1};
	return op;
}

static struct cw_store_stats stats(struct fx *fx)
{
	struct cw_store_stats st;

	cw_store_stats(fx->s, &st);
	return st;
}

static void what_is_queued_is_one_commit(void **state)
{
	struct fx *fx = *state;
	struct cw_op ops[70];
	uint64_t before = stats(fx).commits;

	for (unsigned i = 0; i < 70; i++) {
		ops[i] = ask(fx, i + 1, false);
		cw_store_submit(fx->s, &ops[i]);
	}
	assert_int_equal(stats(fx).queued, 70);
	assert_int_equal(cw_store_step(fx->s), 64);
	assert_int_equal(stats(fx).commits, before + 1);
	assert_int_equal(n_answers, 64);
	assert_int_equal(fx->n_seen, 64);
	assert_int_equal(cw_store_step(fx->s), 6);
	assert_int_equal(stats(fx).commits, before + 2);
	assert_int_equal(stats(fx).batch_max_seen, 64);
	assert_int_equal(cw_store_step(fx->s), 0);
	for (unsigned i = 0; i < 70; i++) {
		assert_ptr_equal(answers[i], &ops[i]);
		assert_int_equal(ops[i].result, 0);
		assert_int_equal(fx->seen[i].lease.id, ops[i].u.acquire.lease.id);
	}
}

static struct fx *watched;
static size_t seen_when_answered[3];

static void on_done_after(struct cw_op *op)
{
	seen_when_answered[n_answers] = watched->n_seen;
	on_done(op);
}

/* Who is told of a lease is told before its end, though both are of one batch. */
static void told_before_its_end(void **state)
{
	struct fx *fx = *state;
	struct cw_op ops[2] = {ask(fx, 1, true)};
	struct cw_lease l;

	assert_int_equal(fx_acquire(fx, "u1", 1, &l), 0);
	assert_int_equal(fx_confirm(fx, l.id, l.generation, 0), 0);
	fx_forget(fx);
	watched = fx;
	ops[1] = (struct cw_op){.kind = CW_OP_END, .now = fx->now};
	ops[1].u.end = (struct cw_op_end){.id = l.id, .reason = CW_END_REVOKE};
	for (unsigned i = 0; i < 2; i++) {
		ops[i].done = on_done_after;
		cw_store_submit(fx->s, &ops[i]);
	}
	assert_int_equal(cw_store_step(fx->s), 2);
	assert_int_equal(n_answers, 2);
	assert_int_equal(seen_when_answered[0], 1);
	assert_int_equal(seen_when_answered[1], 2);
	assert_int_equal(fx->seen[0].what, CW_OUTBOX_REFRESH);
	assert_int_equal(fx->seen[1].what, CW_OUTBOX_REMOVE);
}

/* New leases that wait for their TEP go out together: it likes large batches. */
static void grants_go_out_together(void **state)
{
	struct fx *fx = *state;
	static struct cw_op
		ops[20]; /* they still wait when the store is closed, after this function */

	for (unsigned i = 0; i < 20; i++) {
		ops[i] = ask(fx, i + 1, true);
		cw_store_submit(fx->s, &ops[i]);
	}
	assert_int_equal(cw_store_step(fx->s), 20);
	assert_int_equal(fx->n_batches, 1);
	assert_int_equal(fx->n_seen, 20);
}

static void one_refusal_does_not_fail_the_batch(void **state)
{
	struct fx *fx = *state;
	struct cw_op ops[3] = {ask(fx, 1, false), ask(fx, 2, false), ask(fx, 3, false)};

	ops[1].u.acquire.named = true;
	ops[1].u.acquire.addr = fx_a4("192.0.2.1");
	for (unsigned i = 0; i < 3; i++)
		cw_store_submit(fx->s, &ops[i]);
	assert_int_equal(cw_store_step(fx->s), 3);
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, CW_E_CONFLICT);
	assert_int_equal(ops[2].result, 0);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 2);
}

static void waits_for_the_tep(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = ask(fx, 1, true), again = ask(fx, 1, true), ok;
	struct cw_confirm item;

	cw_store_submit(fx->s, &op);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_answers, 0);
	assert_int_equal(stats(fx).waiting, 1);
	assert_int_equal(fx->n_seen, 1);
	/* A second request for the same lease waits beside the first. */
	cw_store_submit(fx->s, &again);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_answers, 0);
	assert_int_equal(stats(fx).waiting, 2);
	ok = answer(fx, &item, &op.u.acquire.lease, 0);
	item.generation--; /* somebody else's */
	cw_store_submit(fx->s, &ok);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_answers, 1);
	item.generation++;
	cw_store_submit(fx->s, &ok);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_answers, 4);
	assert_ptr_equal(answers[1], &op);
	assert_ptr_equal(answers[2], &again);
	assert_ptr_equal(answers[3], &ok); /* after its own commit */
	assert_int_equal(op.result, 0);
	assert_int_equal(again.result, 0);
	assert_int_equal(again.u.acquire.how, CW_ACQ_RESTARTED);
	assert_true(op.u.acquire.lease.confirmed);
	assert_int_equal(stats(fx).waiting, 0);
	/* Confirmed: nothing to wait for. */
	n_answers = 0;
	cw_store_submit(fx->s, &again);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_answers, 1);
}

static void refused_by_the_tep_is_taken_back(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = ask(fx, 1, true), again = ask(fx, 1, true), no;
	struct cw_lease row;
	struct cw_confirm item;

	cw_store_submit(fx->s, &op);
	cw_store_submit(fx->s, &again);
	(void) cw_store_step(fx->s);
	fx_forget(fx);
	no = answer(fx, &item, &op.u.acquire.lease, CW_E_TEP);
	cw_store_submit(fx->s, &no);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_answers, 3);
	assert_int_equal(op.result, CW_E_TEP);
	assert_int_equal(again.result, CW_E_TEP);
	assert_int_equal(no.result, 0);
	row = fx_lease(fx, op.u.acquire.lease.id);
	assert_int_equal(row.state, CW_LEASE_ENDING);
	assert_int_equal(row.reason, CW_END_TEP);
	assert_int_equal(fx->n_seen, 1);
	assert_int_equal(fx->seen[0].what, CW_OUTBOX_REMOVE);
	/* Nobody was told of it: free at once when the TEP has stopped. */
	assert_int_equal(fx_confirm(fx, row.id, row.generation, 0), 0);
	assert_int_equal(fx_lease(fx, row.id).state, CW_LEASE_FREE);
}

/* Somebody was answered: nothing is taken back, whatever the TEP says later. */
static void refused_after_an_answer_stays(void **state, bool by_find, bool same_batch)
{
	struct fx *fx = *state;
	struct cw_op op = ask(fx, 1, true), told = ask(fx, 1, false), no;
	struct cw_confirm item;

	cw_store_submit(fx->s, &op);
	(void) cw_store_step(fx->s);
	if (by_find) {
		told = (struct cw_op){.kind = CW_OP_FIND, .now = fx->now, .done = on_done};
		told.u.find.id = op.u.acquire.lease.id;
	}
	cw_store_submit(fx->s, &told);
	if (!same_batch)
		(void) cw_store_step(fx->s);
	no = answer(fx, &item, &op.u.acquire.lease, CW_E_TEP);
	cw_store_submit(fx->s, &no);
	(void) cw_store_step(fx->s);
	assert_int_equal(told.result, 0);
	assert_int_equal(op.result, CW_E_TEP);
	assert_int_equal(n_answers, 3);
	assert_int_equal(fx_lease(fx, op.u.acquire.lease.id).state, CW_LEASE_ACTIVE);
	assert_int_equal(
		fx_sql_int(fx, "SELECT what FROM outbox"), CW_OUTBOX_APPLY); /* still to be done */
}

static void refused_after_a_restart_stays(void **state)
{
	refused_after_an_answer_stays(state, false, false);
}

static void refused_after_a_find_stays(void **state)
{
	refused_after_an_answer_stays(state, true, false);
}

static void refused_in_the_batch_of_an_answer_stays(void **state)
{
	refused_after_an_answer_stays(state, false, true);
}

static void refused_without_anybody_waiting_stays(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;

	assert_int_equal(fx_acquire(fx, "u1", 1, &l), 0);
	assert_int_equal(fx_confirm(fx, l.id, l.generation, CW_E_TEP), 0);
	assert_int_equal(fx_lease(fx, l.id).state, CW_LEASE_ACTIVE);
	assert_false(fx_lease(fx, l.id).confirmed);
}

static void a_restart_of_an_answered_lease_waits_and_fails_alone(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = ask(fx, 1, true), no;
	struct cw_confirm item;
	struct cw_lease l;

	assert_int_equal(fx_acquire(fx, "u1", 1, &l), 0); /* answered, not confirmed */
	cw_store_submit(fx->s, &op);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_answers, 0);
	no = answer(fx, &item, &l, CW_E_TEP);
	cw_store_submit(fx->s, &no);
	(void) cw_store_step(fx->s);
	assert_int_equal(op.result, CW_E_TEP);
	assert_int_equal(fx_lease(fx, l.id).state, CW_LEASE_ACTIVE);
}

static void confirmed_in_its_own_batch(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = ask(fx, 1, true), ok;
	struct cw_confirm item;
	struct cw_lease l;

	assert_int_equal(fx_acquire(fx, "u1", 1, &l), 0);
	/* The restart finds the lease unconfirmed; the confirmation comes behind it in the same
	 * batch. */
	ok = answer(fx, &item, &l, 0);
	cw_store_submit(fx->s, &op);
	cw_store_submit(fx->s, &ok);
	assert_int_equal(cw_store_step(fx->s), 2);
	assert_int_equal(n_answers, 2);
	assert_int_equal(op.result, 0);
	assert_true(op.u.acquire.lease.confirmed);
}

static void an_end_releases_those_who_wait(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = ask(fx, 1, true),
		     end = {.kind = CW_OP_END, .now = fx->now, .done = on_done};

	cw_store_submit(fx->s, &op);
	(void) cw_store_step(fx->s);
	end.u.end = (struct cw_op_end){.id = op.u.acquire.lease.id, .reason = CW_END_REVOKE};
	cw_store_submit(fx->s, &end);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_answers, 2);
	assert_int_equal(op.result, CW_E_TEP);
	assert_int_equal(end.result, 0);
	/* It was revoked, not refused: it rests. */
	assert_int_equal(fx_confirm(fx, op.u.acquire.lease.id, end.u.end.lease.generation, 0), 0);
	assert_int_equal(fx_lease(fx, op.u.acquire.lease.id).state, CW_LEASE_QUARANTINED);
}

static void expiry_and_a_move_release_those_who_wait(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = ask(fx, 1, true), two = ask(fx, 2, true), move;

	cw_store_submit(fx->s, &op);
	cw_store_submit(fx->s, &two);
	(void) cw_store_step(fx->s);
	move = fx_ask(fx, "u2", 22);
	move.u.acquire.named = move.u.acquire.held_only = move.u.acquire.may_move = true;
	move.u.acquire.addr = two.u.acquire.lease.addr;
	assert_int_equal(fx_run(fx, &move), 0);
	assert_int_equal(n_answers, 1);
	assert_int_equal(two.result, CW_E_GONE);
	fx->now.steady_s = op.u.acquire.lease.expires_s;
	move.u.acquire.may_move = false; /* keep the other one alive */
	assert_int_equal(fx_run(fx, &move), 0);
	assert_int_equal(fx_sweep(fx, CW_OP_EXPIRE, 10, NULL, NULL), 0);
	assert_int_equal(n_answers, 2);
	assert_int_equal(op.result, CW_E_TEP);
}

static void the_queue_is_bounded(void **state)
{
	struct fx fx = {.now = {.steady_s = 1, .wall_s = 1}};
	const struct cw_store_config conf = {
		.backend = "sqlite", .path = ":memory:", .queue_max = 4};
	struct cw_op ops[6], renewal[3], beat[9];
	char why[128];

	(void) state;
	assert_int_equal(cw_store_open(&conf, why, sizeof why, &fx.s), 0);
	for (unsigned i = 0; i < 6; i++) {
		ops[i] = ask(&fx, i, false);
		cw_store_submit(fx.s, &ops[i]);
	}
	assert_int_equal(n_answers, 2); /* at once */
	assert_int_equal(ops[4].result, CW_E_BUSY);
	assert_int_equal(ops[5].result, CW_E_BUSY);
	/* Who has a lease may keep it when nobody new gets one, */
	for (unsigned i = 0; i < 3; i++) {
		renewal[i] = ask(&fx, i, false);
		renewal[i].u.acquire.named = renewal[i].u.acquire.held_only = true;
		cw_store_submit(fx.s, &renewal[i]);
	}
	assert_int_equal(n_answers, 3);
	assert_int_equal(renewal[2].result, CW_E_BUSY);
	/* and what frees addresses and keeps time still gets in, within a bound of its own. */
	for (unsigned i = 0; i < 9; i++) {
		beat[i] = (struct cw_op){.kind = CW_OP_HEARTBEAT, .done = on_done};
		cw_store_submit(fx.s, &beat[i]);
	}
	assert_int_equal(n_answers, 3 + 7);
	assert_int_equal(beat[2].result, CW_E_BUSY);
	fx.s = cw_store_close(fx.s);
	assert_int_equal(n_answers, 6 + 3 + 9);
	assert_int_equal(beat[0].result, 0);
	assert_int_equal(ops[0].result, CW_E_POOL_EMPTY); /* there is no pool */
}

static void closing_finishes_what_is_queued(void **state)
{
	struct fx *fx = *state;
	struct cw_op parked = ask(fx, 1, true), queued = ask(fx, 2, false);

	cw_store_submit(fx->s, &parked);
	(void) cw_store_step(fx->s);
	cw_store_submit(fx->s, &queued);
	fx->s = cw_store_close(fx->s);
	assert_int_equal(n_answers, 2);
	assert_int_equal(queued.result, 0);
	assert_int_equal(parked.result, CW_E_SHUTDOWN);
}

static void wrong_configurations(void **state)
{
	static const struct cw_store_config confs[] = {
		{.backend = "oracle", .path = ":memory:"},
		{.backend = NULL, .path = ":memory:"},
		{.backend = "sqlite", .path = NULL},
		{.backend = "sqlite", .path = ""},
	};
	struct cw_store *s = NULL;
	char why[128];

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(confs); i++) {
		assert_int_equal(cw_store_open(&confs[i], why, sizeof why, &s), -EINVAL);
		assert_non_null(strstr(why, "back end"));
	}
	assert_null(s);
	assert_null(cw_store_close(NULL));
	assert_null(cw_store_reader_close(NULL));
}

/* ---- with threads ---- */

struct worker {
	struct cw_store *s;
	unsigned first;
	struct cw_lease got[50];
	int results[50];
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < 50; i++) {
		struct cw_op op = {.kind = CW_OP_ACQUIRE, .now = {1000, 1700000000}};

		(void) snprintf(
			op.u.acquire.principal, sizeof op.u.acquire.principal, "w%u", w->first + i);
		op.u.acquire.client6 = fx_a6(w->first + i);
		op.u.acquire.access = CW_ACCESS_REST;
		op.u.acquire.wait_confirm = i % 2 == 0;
		w->results[i] = cw_store_run(w->s, &op);
		w->got[i] = op.u.acquire.lease;
	}
	return NULL;
}

/* The TEP of this test: confirms what it is told from a thread of its own. */
struct tep {
	struct cw_store *s;
	struct cw_queue todo;
};

struct todo {
	struct cw_qnode node;
	struct cw_op op;
	struct cw_confirm item;
};

static void on_confirmed(struct cw_op *op)
{
	free(cw_container_of(op, struct todo, op));
}

static void on_outbox(void *arg, const struct cw_outbox_entry *entries, size_t n)
{
	struct tep *tep = arg;

	for (size_t i = 0; i < n; i++) {
		struct todo *t = calloc(1, sizeof *t);

		t->item = (struct cw_confirm){
			.lease = entries[i].lease.id, .generation = entries[i].lease.generation};
		t->op = (struct cw_op){
			.kind = CW_OP_CONFIRM, .now = {1000, 1700000000}, .done = on_confirmed};
		t->op.u.confirm = (struct cw_op_confirm){.items = &t->item, .n = 1};
		(void) cw_queue_put(&tep->todo, &t->node, NULL);
	}
}

static void *tep_main(void *arg)
{
	struct tep *tep = arg;
	struct cw_qnode *node, *next;

	while ((node = cw_queue_wait(&tep->todo, 16, -1))) {
		for (; node; node = next) {
			next = node->next;
			cw_store_submit(tep->s, &cw_container_of(node, struct todo, node)->op);
		}
	}
	return NULL;
}

static void many_threads_no_address_twice(void **state)
{
	struct fx *fx = *state;
	static struct worker workers[4];
	pthread_t threads[4], tep_thread;
	struct tep tep = {.s = fx->s};
	const struct cw_store_hooks hooks = {.arg = &tep, .outbox = on_outbox};
	bool taken[256] = {false};

	assert_int_equal(cw_queue_init(&tep.todo), 0);
	assert_int_equal(cw_store_start(fx->s, &hooks), 0);
	assert_int_equal(pthread_create(&tep_thread, NULL, tep_main, &tep), 0);
	for (unsigned i = 0; i < 4; i++) {
		workers[i] = (struct worker){.s = fx->s, .first = 1 + i * 50};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		(void) pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 50; k++) {
			uint8_t host = (uint8_t) workers[i].got[k].addr.v;

			assert_int_equal(workers[i].results[k], 0);
			assert_false(taken[host]);
			taken[host] = true;
		}
	}
	cw_queue_close(&tep.todo);
	(void) pthread_join(tep_thread, NULL);
	fx->s = cw_store_close(fx->s); /* the last confirmations */
	cw_queue_done(&tep.todo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, fx_tear_down)
		T(what_is_queued_is_one_commit),
		T(told_before_its_end),
		T(grants_go_out_together),
		T(one_refusal_does_not_fail_the_batch),
		T(waits_for_the_tep),
		T(refused_by_the_tep_is_taken_back),
		T(refused_after_a_restart_stays),
		T(refused_after_a_find_stays),
		T(refused_in_the_batch_of_an_answer_stays),
		T(refused_without_anybody_waiting_stays),
		T(a_restart_of_an_answered_lease_waits_and_fails_alone),
		T(confirmed_in_its_own_batch),
		T(an_end_releases_those_who_wait),
		T(expiry_and_a_move_release_those_who_wait),
		T(the_queue_is_bounded),
		T(closing_finishes_what_is_queued),
		T(wrong_configurations),
		T(many_threads_no_address_twice),
	};

	return cmocka_run_group_tests_name("db front", tests, NULL, NULL);
}
