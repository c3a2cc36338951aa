/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue between threads: order, limits, waiting, closing, and many producers at once. */
#include "config.h"

#include <sched.h>

#include "base/clock.h"
#include "base/queue.h"
#include "tests/lib/cw-cmocka.h"

struct item {
	struct cw_qnode node;
	unsigned from, number;
};

static struct item *item_of(struct cw_qnode *n)
{
	return cw_container_of(n, struct item, node);
}

static void order(void **state)
{
	struct cw_queue q;
	struct item i[10];
	struct cw_qnode *n;
	bool closed = true;

	(void) state;
	assert_int_equal(cw_queue_init(&q), 0);
	assert_null(cw_queue_take(&q, SIZE_MAX));
	for (unsigned k = 0; k < 10; k++) {
		i[k].number = k;
		assert_int_equal(cw_queue_put(&q, &i[k].node, &closed), k == 0);
		assert_false(closed);
	}
	assert_int_equal(cw_queue_count(&q), 10);
	assert_null(cw_queue_take(&q, 0));
	n = cw_queue_take(&q, 1);
	assert_int_equal(item_of(n)->number, 0);
	assert_null(n->next);
	n = cw_queue_take(&q, 3);
	for (unsigned k = 1; k <= 3; k++, n = n->next)
		assert_int_equal(item_of(n)->number, k);
	assert_null(n);
	assert_int_equal(cw_queue_count(&q), 6);
	assert_false(cw_queue_put(&q, &i[0].node, NULL)); /* again, behind the others */
	n = cw_queue_take(&q, 7);
	for (unsigned k = 4; k <= 9; k++, n = n->next)
		assert_int_equal(item_of(n)->number, k);
	assert_ptr_equal(n, &i[0].node);
	assert_null(n->next);
	assert_int_equal(cw_queue_count(&q), 0);
	assert_true(cw_queue_put(&q, &i[0].node, NULL));
	assert_ptr_equal(cw_queue_take(&q, 100), &i[0].node);
	cw_queue_done(&q);
}

static void waiting(void **state)
{
	struct cw_queue q;
	struct item i;
	int64_t before;

	(void) state;
	assert_int_equal(cw_queue_init(&q), 0);
	assert_null(cw_queue_wait(&q, 1, 0));
	before = cw_clock_now(&cw_system_clock).mono_us;
	assert_null(cw_queue_wait(&q, 1, 30));
	assert_true(cw_clock_now(&cw_system_clock).mono_us - before >= 30000);
	(void) cw_queue_put(&q, &i.node, NULL);
	assert_ptr_equal(cw_queue_wait(&q, 1, -1), &i.node);
	cw_queue_done(&q);
}

static void closing(void **state)
{
	struct cw_queue q;
	struct item i[2];
	bool closed = false;

	(void) state;
	assert_int_equal(cw_queue_init(&q), 0);
	(void) cw_queue_put(&q, &i[0].node, NULL);
	cw_queue_close(&q);
	assert_false(cw_queue_put(&q, &i[1].node, &closed));
	assert_true(closed);
	assert_int_equal(cw_queue_count(&q), 1);
	assert_ptr_equal(cw_queue_wait(&q, 5, -1), &i[0].node); /* what was in comes out first */
	assert_null(cw_queue_wait(&q, 5, -1));
	assert_false(cw_queue_put(&q, &i[1].node, &closed));
	assert_true(closed);
	cw_queue_done(&q);
}

enum { PRODUCERS = 4, EACH = 20000 };

struct producer {
	struct cw_queue *q;
	struct item items[EACH];
	unsigned wakeups; /* puts that found the queue empty */
};

static void *produce(void *arg)
{
	struct producer *p = arg;

	for (unsigned i = 0; i < EACH; i++)
		p->wakeups += cw_queue_put(p->q, &p->items[i].node, NULL);
	return NULL;
}

/* Each producer's items arrive complete and in its order; a waiter is never left asleep. */
static void many_producers(void **state)
{
	static struct producer p[PRODUCERS];
	unsigned next[PRODUCERS] = {0}, got = 0, takes = 0, wakeups = 0;
	pthread_t threads[PRODUCERS];
	struct cw_queue q;

	(void) state;
	assert_int_equal(cw_queue_init(&q), 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		p[i].q = &q;
		for (unsigned k = 0; k < EACH; k++) {
			p[i].items[k].from = i;
			p[i].items[k].number = k;
		}
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &p[i]), 0);
	}
	while (got < PRODUCERS * EACH) {
		struct cw_qnode *n = cw_queue_wait(&q, 100, 20000);

		assert_non_null(n);
		takes++;
		for (; n; n = n->next, got++) {
			struct item *i = item_of(n);

			assert_int_equal(i->number, next[i->from]);
			next[i->from]++;
		}
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		wakeups += p[i].wakeups;
	}
	assert_in_range(wakeups, 1, takes);
	assert_int_equal(cw_queue_count(&q), 0);
	cw_queue_done(&q);
}

enum { ROUNDS = 2000, PATIENCE_MS = 10000 };

struct table {
	struct cw_queue there, back;
};

static void *send_back(void *arg)
{
	struct table *t = arg;
	struct cw_qnode *ball;

	while ((ball = cw_queue_wait(&t->there, 1, PATIENCE_MS)) != NULL)
		(void) cw_queue_put(&t->back, ball, NULL);
	return NULL;
}

/* Each put of this game meets a sleeper: a wake-up that is lost costs a whole timeout. */
static void put_wakes(void **state)
{
	struct table t;
	struct item i;
	pthread_t other;
	const int64_t before = cw_clock_now(&cw_system_clock).mono_us;

	(void) state;
	assert_int_equal(cw_queue_init(&t.there), 0);
	assert_int_equal(cw_queue_init(&t.back), 0);
	assert_int_equal(pthread_create(&other, NULL, send_back, &t), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		(void) cw_queue_put(&t.there, &i.node, NULL);
		assert_ptr_equal(cw_queue_wait(&t.back, 1, PATIENCE_MS), &i.node);
		if (cw_clock_now(&cw_system_clock).mono_us - before > PATIENCE_MS * 900)
			fail_msg("a wake-up was lost in round %u", round);
	}
	cw_queue_close(&t.there);
	assert_int_equal(pthread_join(other, NULL), 0);
	cw_queue_done(&t.there);
	cw_queue_done(&t.back);
}

struct sleepers {
	struct cw_queue q;
	unsigned awake; /* atomic: how many are about to wait */
};

static void *wait_for_close(void *arg)
{
	struct sleepers *s = arg;

	(void) __atomic_add_fetch(&s->awake, 1, __ATOMIC_RELAXED);
	return cw_queue_wait(&s->q, 1, -1) ? arg : NULL;
}

static void close_wakes_all(void **state)
{
	(void) state;
	for (unsigned round = 0; round < 50; round++) {
		pthread_t threads[3];
		struct sleepers s = {.awake = 0};
		void *got;

		assert_int_equal(cw_queue_init(&s.q), 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, wait_for_close, &s), 0);
		while (__atomic_load_n(&s.awake, __ATOMIC_RELAXED) < 3)
			(void) sched_yield();
		for (unsigned i = 0; i < 100; i++) /* most rounds find all three asleep */
			(void) sched_yield();
		cw_queue_close(&s.q);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(pthread_join(threads[i], &got), 0);
			assert_null(got);
		}
		cw_queue_done(&s.q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(waiting),
		cmocka_unit_test(closing),
		cmocka_unit_test(many_producers),
		cmocka_unit_test(put_wakes),
		cmocka_unit_test(close_wakes_all),
	};

	return cmocka_run_group_tests_name("base/queue", tests, NULL, NULL);
}
