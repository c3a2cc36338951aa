/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop: tasks from other threads in order, signals, timers, and nothing left behind. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/loop.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

static struct cw_loop *new_loop(void)
{
	struct cw_loop *l = NULL;

	assert_int_equal(cw_loop_new(&cw_system_clock, &l), 0);
	assert_non_null(l);
	return l;
}

struct task {
	struct cw_loop_task task;
	struct cw_loop *loop;
	unsigned producer, number, times;
	void (*done)(struct task *t);
};

static void run_task(struct cw_loop_task *task)
{
	struct task *t = cw_container_of(task, struct task, task);

	t->times++;
	if (t->done)
		t->done(t);
}

static void stop_loop(struct task *t)
{
	cw_loop_stop(t->loop);
}

static void create_and_free(void **state)
{
	struct cw_loop *l = new_loop();
	struct sigaction now;

	(void) state;
	assert_ptr_equal(cw_loop_clock(l), &cw_system_clock);
	assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_IGN);
	cw_loop_stop(l);
	assert_int_equal(cw_loop_run(l), 0); /* stopped before it began: returns at once */
	assert_int_equal(cw_loop_free(l), 0);
	assert_int_equal(cw_loop_free(NULL), 0);
}

static void out_of_memory(void **state)
{
	struct cw_loop *l = NULL;
	struct cw_timer *t = NULL;

	(void) state;
	cw_mem_fail_at(1);
	assert_int_equal(cw_loop_new(&cw_system_clock, &l), -ENOMEM);
	assert_null(l);
	l = new_loop();
	cw_mem_fail_at(1);
	assert_int_equal(cw_timer_new(l, NULL, NULL, &t), -ENOMEM);
	assert_null(t);
	cw_mem_fail_at(1);
	assert_int_equal(cw_loop_on_signal(l, SIGUSR1, NULL, NULL), -ENOMEM);
	cw_mem_fail_at(0);
	assert_int_equal(cw_loop_free(l), 0);
}

/* More tasks than one wake-up handles, posted by the loop's own thread before it runs. */
static void many_tasks(void **state)
{
	enum { N = 5000 };
	static struct task t[N];
	struct cw_loop *l = new_loop();

	(void) state;
	for (unsigned i = 0; i < N; i++) {
		t[i] = (struct task){.task = {.fn = run_task}, .loop = l};
		cw_loop_post(l, &t[i].task);
	}
	t[N - 1].done = stop_loop;
	assert_int_equal(cw_loop_run(l), 0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(t[i].times, 1);
	assert_int_equal(cw_loop_free(l), 0);
}

static void post_again(struct task *t)
{
	if (t->times < 1000)
		cw_loop_post(t->loop, &t->task);
	else
		cw_loop_stop(t->loop);
}

static void repeated_task(void **state)
{
	struct task t = {.task = {.fn = run_task}, .loop = new_loop(), .done = post_again};

	(void) state;
	cw_loop_post(t.loop, &t.task);
	assert_int_equal(cw_loop_run(t.loop), 0);
	assert_int_equal(t.times, 1000);
	assert_int_equal(cw_loop_free(t.loop), 0);
}

enum { PRODUCERS = 4, EACH = 5000 };
static unsigned next_number[PRODUCERS], arrived;
static pthread_t loop_thread;

static void check_order(struct task *t)
{
	assert_true(pthread_equal(pthread_self(), loop_thread));
	assert_int_equal(t->number, next_number[t->producer]);
	next_number[t->producer]++;
	if (++arrived == PRODUCERS * EACH)
		cw_loop_stop(t->loop);
}

static void *post_all(void *arg)
{
	struct task *t = arg;

	for (unsigned i = 0; i < EACH; i++)
		cw_loop_post(t[i].loop, &t[i].task);
	return NULL;
}

static void from_threads(void **state)
{
	static struct task t[PRODUCERS][EACH];
	struct cw_loop *l = new_loop();
	pthread_t threads[PRODUCERS];

	(void) state;
	loop_thread = pthread_self();
	for (unsigned p = 0; p < PRODUCERS; p++) {
		for (unsigned i = 0; i < EACH; i++)
			t[p][i] = (struct task){.task = {.fn = run_task},
				.loop = l,
				.producer = p,
				.number = i,
				.done = check_order};
		assert_int_equal(pthread_create(&threads[p], NULL, post_all, t[p]), 0);
	}
	assert_int_equal(cw_loop_run(l), 0);
	for (unsigned p = 0; p < PRODUCERS; p++)
		assert_int_equal(pthread_join(threads[p], NULL), 0);
	assert_int_equal(arrived, PRODUCERS * EACH);
	assert_int_equal(cw_loop_free(l), 0);
}

static unsigned freed;

static void free_task(struct task *t)
{
	freed++;
	(void) cw_free(t);
}

static void post_heir(struct task *t)
{
	struct task *heir = cw_zalloc(1, sizeof *heir);

	assert_non_null(heir);
	heir->task.fn = run_task;
	heir->done = free_task;
	cw_loop_post(t->loop, &heir->task);
	free_task(t);
}

/* What is still posted at the end runs, and may post more: nobody's memory is lost. */
static void tasks_at_the_end(void **state)
{
	struct cw_loop *l = new_loop();

	(void) state;
	for (unsigned i = 0; i < 1000; i++) {
		struct task *t = cw_zalloc(1, sizeof *t);

		assert_non_null(t);
		*t = (struct task){
			.task = {.fn = run_task}, .loop = l, .done = i ? free_task : post_heir};
		cw_loop_post(l, &t->task);
	}
	freed = 0;
	assert_int_equal(cw_loop_free(l), 0);
	assert_int_equal(freed, 1001);
}

static void post_for_ever(struct task *t)
{
	cw_loop_post(t->loop, &t->task);
}

/* A task that never stops posting itself does not keep the program alive. */
static void endless_task_at_the_end(void **state)
{
	struct task t = {.task = {.fn = run_task}, .loop = new_loop(), .done = post_for_ever};

	(void) state;
	cw_loop_post(t.loop, &t.task);
	assert_int_equal(cw_loop_free(t.loop), 0);
	assert_in_range(t.times, 1, 1000);
}

struct seen {
	struct cw_loop *loop;
	unsigned count;
	int signum;
};

static void on_signal(void *arg, int signum)
{
	struct seen *s = arg;

	s->signum = signum;
	if (++s->count == 2)
		cw_loop_stop(s->loop);
	else
		assert_int_equal(kill(getpid(), SIGUSR1), 0);
}

static void on_other_signal(void *arg, int signum)
{
	struct seen *s = arg;

	s->signum = signum;
	s->count++;
}

static void signals(void **state)
{
	struct cw_loop *l = new_loop();
	struct seen usr1 = {.loop = l}, usr2 = {.loop = l}, again = {.loop = l};

	(void) state;
	assert_int_equal(cw_loop_on_signal(l, SIGUSR1, on_other_signal, &again), 0);
	assert_int_equal(cw_loop_on_signal(l, SIGUSR1, on_signal, &usr1), 0);
	assert_int_equal(cw_loop_on_signal(l, SIGUSR2, on_other_signal, &usr2), 0);
	assert_true(cw_loop_on_signal(l, SIGKILL, on_other_signal, &usr2) < 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(cw_loop_run(l), 0);
	assert_int_equal(usr1.count, 2);
	assert_int_equal(usr1.signum, SIGUSR1);
	assert_int_equal(usr2.count, 0);
	assert_in_range(again.count, 1, 2); /* the second may be still on its way */
	assert_int_equal(cw_loop_free(l), 0);
}

struct tick {
	struct cw_loop *loop;
	struct cw_timer *timer;
	unsigned count;
	bool stop;
};

static void on_timer(void *arg)
{
	struct tick *t = arg;

	t->count++;
	if (t->stop)
		cw_loop_stop(t->loop);
}

static void timers(void **state)
{
	struct cw_loop *l = new_loop();
	struct tick early = {.loop = l}, late = {.loop = l, .stop = true}, never = {.loop = l};
	int64_t before;

	(void) state;
	assert_int_equal(cw_timer_new(l, on_timer, &early, &early.timer), 0);
	assert_int_equal(cw_timer_new(l, on_timer, &late, &late.timer), 0);
	assert_int_equal(cw_timer_new(l, on_timer, &never, &never.timer), 0);
	before = cw_clock_now(&cw_system_clock).mono_us;
	cw_timer_start(never.timer, 1);
	cw_timer_stop(never.timer);
	cw_timer_start(early.timer, 100000);
	cw_timer_start(early.timer, 5); /* replaces the deadline */
	cw_timer_start(late.timer, 30);
	assert_int_equal(cw_loop_run(l), 0);
	assert_true(cw_clock_now(&cw_system_clock).mono_us - before >= 29000);
	assert_int_equal(early.count, 1); /* once only */
	assert_int_equal(late.count, 1);
	assert_int_equal(never.count, 0);
	cw_timer_start(late.timer, 0); /* may be started again */
	cw_timer_start(early.timer, 0);
	early.timer = cw_timer_free(early.timer); /* stops it */
	assert_null(early.timer);
	assert_int_equal(cw_loop_run(l), 0);
	assert_int_equal(early.count, 1);
	assert_int_equal(late.count, 2);
	(void) cw_timer_free(late.timer);
	(void) cw_timer_free(never.timer);
	assert_null(cw_timer_free(NULL));
	assert_int_equal(cw_loop_free(l), 0);
}

static void burn(struct task *t)
{
	struct tick *tick = (struct tick *) t->loop;
	const int64_t until = cw_clock_now(&cw_system_clock).mono_us + 40000;

	while (cw_clock_now(&cw_system_clock).mono_us < until)
		;
	cw_timer_start(tick->timer, 30);
}

/* A timer set late in a turn counts from now, not from when the turn began. */
static void timer_after_long_turn(void **state)
{
	struct cw_loop *l = new_loop();
	struct tick tick = {.loop = l, .stop = true};
	struct task t = {.task = {.fn = run_task}, .loop = (struct cw_loop *) &tick, .done = burn};
	int64_t before = cw_clock_now(&cw_system_clock).mono_us;

	(void) state;
	assert_int_equal(cw_timer_new(l, on_timer, &tick, &tick.timer), 0);
	cw_loop_post(l, &t.task);
	assert_int_equal(cw_loop_run(l), 0);
	assert_true(cw_clock_now(&cw_system_clock).mono_us - before >= 40000 + 29000);
	(void) cw_timer_free(tick.timer);
	assert_int_equal(cw_loop_free(l), 0);
}

/* A handle that nobody closed is told, without waiting for it. */
static void forgotten_handle(void **state)
{
	struct cw_loop *l = new_loop();
	struct cw_timer *t;
	uv_loop_t *uv = cw_loop_uv(l);

	(void) state;
	assert_int_equal(cw_timer_new(l, on_timer, NULL, &t), 0);
	cw_timer_start(t, 1000000);
	assert_int_equal(cw_loop_free(l), -EBUSY);
	(void) cw_timer_free(t); /* put right by hand, so that the sanitizer sees no leak */
	(void) uv_run(uv, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(uv), 0);
	(void) cw_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_and_free),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(many_tasks),
		cmocka_unit_test(repeated_task),
		cmocka_unit_test(from_threads),
		cmocka_unit_test(tasks_at_the_end),
		cmocka_unit_test(endless_task_at_the_end),
		cmocka_unit_test(signals),
		cmocka_unit_test(timers),
		cmocka_unit_test(timer_after_long_turn),
		cmocka_unit_test(forgotten_handle),
	};

	return cmocka_run_group_tests_name("base/loop", tests, NULL, NULL);
}
