/* SPDX-License-Identifier: BSD-2-Clause */
/* The intrusive list: order, repetition, splicing. */
#include "config.h"

#include "base/list.h"
#include "tests/lib/cw-cmocka.h"

struct item {
	int number;
	struct cw_list in;
};

/* The numbers in order as one decimal; also walks back and compares. */
static int numbers(struct cw_list *head)
{
	int forth = 0, back = 0, place = 1;

	for (struct cw_list *it = head->next; it != head; it = it->next)
		forth = forth * 10 + cw_container_of(it, struct item, in)->number;
	for (struct cw_list *it = head->prev; it != head; it = it->prev) {
		back += cw_container_of(it, struct item, in)->number * place;
		place *= 10;
	}
	assert_int_equal(forth, back);
	return forth;
}

static void order(void **state)
{
	struct item a = {1, {0}}, b = {2, {0}}, c = {3, {0}};
	struct cw_list head;

	(void) state;
	cw_list_init(&head);
	assert_true(cw_list_empty(&head));
	assert_null(cw_list_pop(&head));
	cw_list_append(&head, &b.in);
	cw_list_append(&head, &c.in);
	cw_list_prepend(&head, &a.in);
	assert_int_equal(numbers(&head), 123);
	cw_list_remove(&b.in);
	assert_int_equal(numbers(&head), 13);
	cw_list_remove(&b.in); /* safe to repeat */
	assert_int_equal(numbers(&head), 13);
	assert_ptr_equal(cw_list_pop(&head), &a.in);
	assert_true(cw_list_empty(&a.in));
	assert_ptr_equal(cw_list_pop(&head), &c.in);
	assert_true(cw_list_empty(&head));
}

static void splice(void **state)
{
	struct item i[5];
	struct cw_list to, from;

	(void) state;
	cw_list_init(&to);
	cw_list_init(&from);
	cw_list_splice(&to, &from); /* nothing to nothing */
	assert_true(cw_list_empty(&to));
	for (int n = 0; n < 5; n++) {
		i[n].number = n + 1;
		cw_list_append(n < 2 ? &to : &from, &i[n].in);
	}
	cw_list_splice(&to, &from);
	assert_int_equal(numbers(&to), 12345);
	assert_true(cw_list_empty(&from));
	cw_list_splice(&from, &to); /* all to an empty one */
	assert_int_equal(numbers(&from), 12345);
	assert_true(cw_list_empty(&to));
	cw_list_splice(&from, &to); /* nothing to some */
	assert_int_equal(numbers(&from), 12345);
}

static void remove_while_visiting(void **state)
{
	struct item i[9];
	struct cw_list head;
	int sum = 0;

	(void) state;
	cw_list_init(&head);
	for (int n = 0; n < 9; n++) {
		i[n].number = n + 1;
		cw_list_append(&head, &i[n].in);
	}
	cw_list_for_each_safe (it, next, &head)
		if (cw_container_of(it, struct item, in)->number % 2)
			cw_list_remove(it);
	assert_int_equal(numbers(&head), 2468);
	cw_list_for_each (it, &head)
		sum += cw_container_of(it, struct item, in)->number;
	assert_int_equal(sum, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(splice),
		cmocka_unit_test(remove_while_visiting),
	};

	return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
