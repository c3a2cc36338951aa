/* SPDX-License-Identifier: BSD-2-Clause */
/* The hub of live events, without threads: what is kept, what is handed on, who is woken. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "broker/events/hub.h"
#include "tests/lib/cw-cmocka.h"

enum { KEPT = 8 };

struct reader {
	struct cw_hub_follower in; /* first */
	unsigned woken, suspended;
	size_t room; /* texts that take() accepts */
	char got[256];
};

static void on_wake(struct cw_hub_follower *f)
{
	((struct reader *) f)->woken++;
}

static void on_suspend(struct cw_hub_follower *f)
{
	((struct reader *) f)->suspended++;
}

static bool on_take(struct cw_hub_follower *f, const char *text, size_t n)
{
	struct reader *r = (struct reader *) f;

	if (r->room == 0)
		return false;
	r->room--;
	(void) strncat(r->got, text, n);
	return true;
}

static void follow(struct cw_hub *h, struct reader *r, uint64_t after)
{
	*r = (struct reader){.room = 100};
	r->in.wake = on_wake;
	r->in.suspend = on_suspend;
	r->in.take = on_take;
	r->in.after = after;
	r->in.replay = after > 0;
	cw_hub_follow(h, &r->in);
}

static void happen(struct cw_hub *h, uint64_t first, size_t n, const char *type)
{
	struct cw_event e[16] = {0};
	struct cw_live_event live[16] = {0};

	assert_true(n <= 16);
	for (size_t i = 0; i < n; i++) {
		e[i].id = first + i;
		e[i].object_id = (first + i) % 2 + 1;
		(void) snprintf(e[i].type, sizeof e[i].type, "%s", type);
		live[i] = (struct cw_live_event){.id = e[i].id, .event = &e[i]};
	}
	cw_hub_events(h, live, n);
}

static struct cw_hub *new_hub(void)
{
	struct cw_hub *h = NULL;

	assert_int_equal(cw_hub_new(NULL, KEPT, &h), 0);
	return h;
}

/* Renders until there is something else to say. */
static enum cw_hub_next next(struct cw_hub *h, struct reader *r)
{
	struct cw_event e;
	uint64_t limit;
	enum cw_hub_next what;

	while ((what = cw_hub_next(h, &r->in, &e, &limit)) == CW_HUB_RENDER) {
		char text[24];
		int n = snprintf(text, sizeof text, "%llu ", (unsigned long long) e.id);

		cw_hub_rendered(h, e.id, text, (size_t) n);
	}
	return what;
}

static void test_live(void **state)
{
	struct cw_hub *h = new_hub();
	struct reader a, b;

	(void) state;
	happen(h, 1, 3, "pool.low"); /* nobody follows */
	follow(h, &a, 0);
	follow(h, &b, 0);
	assert_int_equal(cw_hub_followers(h), 2);
	assert_int_equal(next(h, &a), CW_HUB_WAIT);
	assert_int_equal(a.suspended, 1);
	happen(h, 5, 2, "pool.low");
	assert_int_equal(a.woken, 1);
	assert_int_equal(b.woken, 0); /* it does not wait */
	happen(h, 9, 1, "pool.low");
	assert_int_equal(a.woken, 1); /* once for each wait */
	while (next(h, &a) == CW_HUB_TAKEN)
		;
	assert_string_equal(a.got, "5 6 9 ");
	/* The texts are there: all at once. */
	assert_int_equal(next(h, &b), CW_HUB_TAKEN);
	assert_string_equal(b.got, "5 6 9 ");
	cw_hub_leave(h, &a.in);
	assert_int_equal(next(h, &b), CW_HUB_WAIT);
	cw_hub_leave(h, &b.in);
	cw_hub_leave(h, &b.in);
	happen(h, 11, 1, "pool.low");
	assert_int_equal(b.woken, 0); /* who has left is not called */
	assert_int_equal(cw_hub_followers(h), 0);
	(void) cw_hub_free(h);
}

static void test_filter(void **state)
{
	struct cw_hub *h = new_hub();
	struct reader a;

	(void) state;
	follow(h, &a, 0);
	a.in.filter.type = "pool";
	a.in.filter.object_id = 1;
	happen(h, 1, 2, "pool.low");
	happen(h, 3, 2, "poolside");
	happen(h, 5, 2, "tep.up");
	happen(h, 7, 2, "pool");
	while (next(h, &a) == CW_HUB_TAKEN)
		;
	assert_string_equal(a.got, "2 8 ");
	assert_int_equal(a.in.after, 8);
	cw_hub_leave(h, &a.in);
	(void) cw_hub_free(h);
}

static void test_room(void **state)
{
	struct cw_hub *h = new_hub();
	struct reader a, b;

	(void) state;
	follow(h, &a, 0);
	follow(h, &b, 0);
	happen(h, 1, 4, "pool.low");
	while (next(h, &a) == CW_HUB_TAKEN)
		;
	for (unsigned i = 1; i <= 4; i++) {
		b.room = 1;
		assert_int_equal(next(h, &b), CW_HUB_TAKEN);
		assert_int_equal(b.in.after, i);
	}
	assert_string_equal(b.got, "1 2 3 4 ");
	cw_hub_leave(h, &a.in);
	cw_hub_leave(h, &b.in);
	(void) cw_hub_free(h);
}

/* Behind what is kept: the database has it. */
static void test_behind(void **state)
{
	struct cw_hub *h = new_hub();
	struct cw_event e;
	struct reader a, b;
	uint64_t limit = 0;

	(void) state;
	follow(h, &a, 0);
	happen(h, 1, KEPT, "pool.low");
	happen(h, 20, 1, "pool.low"); /* 1 goes */
	assert_int_equal(cw_hub_next(h, &a.in, &e, &limit), CW_HUB_BEHIND);
	assert_int_equal(limit, 1);
	a.in.after = 1;
	while (next(h, &a) == CW_HUB_TAKEN)
		;
	assert_string_equal(a.got, "2 3 4 5 6 7 8 20 ");

	/* Who named an id reads the database first, whatever is kept; then nothing twice. */
	follow(h, &b, 7);
	assert_int_equal(next(h, &b), CW_HUB_BEHIND);
	b.in.after = 8;
	b.in.replay = false;
	assert_int_equal(next(h, &b), CW_HUB_TAKEN);
	assert_string_equal(b.got, "20 ");
	cw_hub_leave(h, &a.in);
	cw_hub_leave(h, &b.in);
	(void) cw_hub_free(h);
}

/* The writer had no memory to say what happened. */
static void test_unknown(void **state)
{
	struct cw_hub *h = new_hub();
	struct cw_event e;
	struct reader a;
	uint64_t limit = 0;

	(void) state;
	happen(h, 3, 1, "pool.low");
	follow(h, &a, 0);
	assert_int_equal(next(h, &a), CW_HUB_WAIT);
	cw_hub_events(h, NULL, 0);
	assert_int_equal(a.woken, 1);
	assert_int_equal(cw_hub_next(h, &a.in, &e, &limit), CW_HUB_BEHIND);
	assert_true(limit > 3);
	a.in.after = 7; /* what the database had */
	assert_int_equal(next(h, &a), CW_HUB_WAIT);
	happen(h, 8, 1, "pool.low");
	assert_int_equal(next(h, &a), CW_HUB_TAKEN);
	assert_string_equal(a.got, "8 ");
	cw_hub_leave(h, &a.in);
	(void) cw_hub_free(h);
}

static void test_close(void **state)
{
	struct cw_hub *h = new_hub();
	struct reader a;

	(void) state;
	follow(h, &a, 0);
	assert_int_equal(next(h, &a), CW_HUB_WAIT);
	cw_hub_close(h);
	assert_int_equal(a.woken, 1);
	assert_int_equal(next(h, &a), CW_HUB_OVER);
	cw_hub_leave(h, &a.in);
	(void) cw_hub_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
