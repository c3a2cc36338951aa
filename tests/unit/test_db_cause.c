/* SPDX-License-Identifier: BSD-2-Clause */
/* Who wanted an operation: its audit row and its idempotency record, which stand and fall with the
 * effect. */
#include "config.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/db-fixture.h"

static unsigned n_done;

static void on_done(struct cw_op *op)
{
	(void) op;
	n_done++;
}

static int show_lease(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	const struct cw_lease *l = &op->u.acquire.lease;

	*ret_status = 201;
	return snprintf(
		to, n, "{\"id\":%llu,\"confirmed\":%d}", (unsigned long long) l->id, l->confirmed);
}

static void name_lease(struct cw_op *op)
{
	(void) snprintf(op->cause->object, sizeof op->cause->object, "ls_%llu",
		(unsigned long long) op->u.acquire.lease.id);
}

static struct cw_op_cause *cause(const char *key, unsigned char request)
{
	struct cw_op_cause *c = calloc(1, sizeof *c);

	assert_non_null(c);
	(void) snprintf(c->actor, sizeof c->actor, "token:ci");
	(void) snprintf(c->peer, sizeof c->peer, "[::1]:4711");
	(void) snprintf(c->verb, sizeof c->verb, "lease.create");
	(void) snprintf(c->scope, sizeof c->scope, "tk_1");
	c->complete = name_lease;
	if (key) {
		c->key_n = strlen(key);
		memcpy(c->key, key, c->key_n);
		c->answer = show_lease;
	}
	memset(c->request, request, sizeof c->request);
	return c;
}

static int64_t rows(struct fx *fx, const char *table)
{
	char sql[64];

	(void) snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	return fx_sql_int(fx, sql);
}

static void count_fault(void *arg, const char *text)
{
	++*(unsigned *) arg;
	print_message("# %s\n", text);
}

static unsigned faults(struct fx *fx)
{
	struct cw_store_reader *r;
	unsigned told = 0;
	int n;

	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	n = cw_store_check(r, count_fault, &told);
	assert_int_equal(n, told);
	(void) cw_store_reader_close(r);
	return told;
}

/* ---- audit ---- */

static void one_row_per_effect(void **state)
{
	struct fx *fx = *state;
	struct cw_op_cause *c = cause(NULL, 0);
	const struct cw_audit_filter all = {0};
	struct cw_page page = {0};
	struct cw_store_reader *r;
	struct cw_audit_row row[4];
	struct cw_op op;

	(void) fx_simple(fx, "10.0.0.0/32");
	assert_int_equal(rows(fx, "audit"), 0); /* the broker itself */
	op = fx_ask(fx, "alice", 1);
	op.cause = c;
	assert_int_equal(fx_run(fx, &op), 0);
	op = fx_ask(fx, "bob", 2);
	op.cause = c;
	assert_int_equal(fx_run(fx, &op), CW_E_POOL_EMPTY);
	c->actor[0] = '\0';
	op = fx_ask(fx, "alice", 1);
	op.cause = c;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	assert_int_equal(cw_read_audit(r, &all, &page, row, 4), 1);
	assert_string_equal(row[0].actor, "token:ci");
	assert_string_equal(row[0].peer, "[::1]:4711");
	assert_string_equal(row[0].verb, "lease.create");
	assert_int_equal(strncmp(row[0].object, "ls_", 3), 0);
	assert_int_equal(row[0].wall_s, fx->now.wall_s);
	(void) cw_store_reader_close(r);
	free(c);
}

static void audit_some(struct fx *fx, unsigned n)
{
	struct cw_op op = {.kind = CW_OP_AUDIT};

	for (unsigned i = 0; i < n; i++) {
		op.u.audit = (struct cw_op_audit){"root", "unix:0", "history.read", "", "{}"};
		(void) snprintf(op.u.audit.object, sizeof op.u.audit.object, "10.0.0.%u", i);
		assert_int_equal(fx_run(fx, &op), 0);
	}
}

/* The documented recipe, computed here from what a reader shows. */
static void the_chain_can_be_followed(void **state)
{
	struct fx *fx = *state;
	const struct cw_audit_filter all = {0}, one = {.object = "10.0.0.2"};
	struct cw_audit_row row[5];
	uint8_t hash[CW_HASH_LEN] = {0};
	struct cw_page page = {0}, down = {.newest = true};
	struct cw_store_reader *r;

	audit_some(fx, 2);
	fx->s = cw_store_close(fx->s);
	fx_reopen(fx); /* the chain goes on */
	audit_some(fx, 3);
	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	assert_int_equal(cw_read_audit(r, &all, &page, row, 5), 5);
	assert_false(page.more);
	for (unsigned i = 0; i < 5; i++) {
		const char *text[] = {
			row[i].actor, row[i].peer, row[i].verb, row[i].object, row[i].detail};
		uint8_t all_of_it[2048];
		size_t n = CW_HASH_LEN;

		memcpy(all_of_it, hash, n);
		for (int k = 56; k >= 0; k -= 8)
			all_of_it[n++] = (uint8_t) (row[i].id >> k);
		for (int k = 56; k >= 0; k -= 8)
			all_of_it[n++] = (uint8_t) ((uint64_t) row[i].wall_s >> k);
		for (unsigned k = 0; k < 5; k++) {
			size_t len = strlen(text[k]);

			for (int b = 24; b >= 0; b -= 8)
				all_of_it[n++] = (uint8_t) (len >> b);
			memcpy(all_of_it + n, text[k], len);
			n += len;
		}
		assert_int_equal(EVP_Digest(all_of_it, n, hash, NULL, EVP_sha256(), NULL), 1);
		assert_memory_equal(hash, row[i].hash, CW_HASH_LEN);
	}
	assert_int_equal(cw_read_audit(r, &all, &down, row, 2), 2);
	assert_true(down.more && row[0].id == 5 && row[1].id == 4);
	page = (struct cw_page){0};
	assert_int_equal(cw_read_audit(r, &one, &page, row, 5), 1);
	assert_int_equal(faults(fx), 0);
	(void) cw_store_reader_close(r);
}

static void a_broken_chain_is_found(void **state)
{
	static const char *const breaks[] = {
		"UPDATE audit SET object = '10.9.9.9' WHERE id = 3",
		"UPDATE audit SET wall_s = wall_s + 1 WHERE id = 1",
		"UPDATE audit SET actor = 'roo', peer = 'tunix:0' WHERE id = 2", /* a moved border */
		"DELETE FROM audit WHERE id = 3",
		"DELETE FROM audit WHERE id = 5",
		"DELETE FROM audit",
		"UPDATE audit SET hash = NULL WHERE id = 4",
		("INSERT INTO audit SELECT 6, wall_s, actor, verb, object, detail, peer, hash FROM audit"
		 " WHERE id = 5"),
	};
	struct fx *fx = *state;

	audit_some(fx, 5);
	assert_int_equal(fx_sql(fx, "DELETE FROM audit WHERE id = 5") & 0xff, SQLITE_CONSTRAINT);
	assert_int_equal(
		fx_sql(fx, "DROP TRIGGER audit_fixed_update; DROP TRIGGER"
			   " audit_fixed_delete; CREATE TABLE kept AS SELECT * FROM audit"),
		SQLITE_OK);
	for (size_t i = 0; i < CW_ARRAY_LEN(breaks); i++) {
		assert_int_equal(faults(fx), 0);
		assert_int_equal(fx_sql(fx, breaks[i]), SQLITE_OK);
		if (faults(fx) != 1)
			fail_msg("not found: %s", breaks[i]);
		assert_int_equal(
			fx_sql(fx, "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept;"
				   " UPDATE sqlite_sequence SET seq = 5 WHERE name = 'audit'"),
			SQLITE_OK);
	}
}

/* ---- records ---- */

static void a_repeat_is_answered_from_the_record(void **state)
{
	struct fx *fx = *state;
	struct cw_op_cause *c = cause("one", 1), *other = cause("one", 1);
	char first[64];
	struct cw_op op;

	(void) fx_simple(fx, "10.0.0.0/24");
	op = fx_ask(fx, "rest:a", 1);
	op.cause = c;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_true(!c->replayed && c->status == 201 && c->body_n > 0);
	(void) snprintf(first, sizeof first, "%.*s", (int) c->body_n, c->body);
	memset(c->body, 0, sizeof c->body);
	fx->now.steady_s += 86399;
	fx->s = cw_store_close(fx->s);
	fx_reopen(fx);
	fx_forget(fx);
	op = fx_ask(fx, "rest:b", 2); /* whatever it says: the hash is what counts */
	op.cause = c;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_true(c->replayed && c->status == 201 && c->body_n == strlen(first));
	assert_memory_equal(c->body, first, c->body_n);
	assert_int_equal(fx->n_seen, 0);
	assert_int_equal(rows(fx, "lease"), 1);
	assert_int_equal(rows(fx, "audit"), 1);
	/* Another request with the key, and another scope. */
	memset(other->request, 2, sizeof other->request);
	op = fx_ask(fx, "rest:b", 2);
	op.cause = other;
	assert_int_equal(fx_run(fx, &op), CW_E_KEY_REUSED);
	assert_int_equal(rows(fx, "lease"), 1);
	(void) snprintf(other->scope, sizeof other->scope, "tk_2");
	assert_int_equal(fx_run(fx, &op), 0);
	assert_false(other->replayed);
	assert_int_equal(rows(fx, "lease"), 2);
	/* A day later it is as if it had never been. */
	fx->now.steady_s += 1;
	op = fx_ask(fx, "rest:c", 3);
	op.cause = c;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_false(c->replayed);
	assert_int_equal(rows(fx, "lease"), 3);
	op = (struct cw_op){.kind = CW_OP_TIDY};
	op.u.tidy.limit = 10;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.tidy.count, 0);
	fx->now.steady_s += 86400;
	op.u.tidy.limit = 1;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.tidy.count, 1);
	assert_int_equal(rows(fx, "idempotency"), 1);
	free(c);
	free(other);
}

static void a_failure_is_not_kept(void **state)
{
	struct fx *fx = *state;
	struct cw_op_cause *c = cause("one", 1);
	struct cw_lease l;
	struct cw_op op;

	(void) fx_simple(fx, "10.0.0.0/32");
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	op = fx_ask(fx, "rest:a", 2);
	op.cause = c;
	assert_int_equal(fx_run(fx, &op), CW_E_POOL_EMPTY);
	assert_int_equal(rows(fx, "idempotency"), 0);
	fx_release(fx, &l, CW_END_RELEASE);
	fx->now.steady_s += 31;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_false(c->replayed);
	free(c);
}

static int too_long(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	(void) op;
	(void) to;
	*ret_status = 201;
	return (int) n + 1;
}

/* Then there is no effect either, and the others of the transaction are not harmed. */
static void an_answer_that_cannot_be_kept_undoes_it(void **state)
{
	struct fx *fx = *state;
	struct cw_op_cause *c = cause("one", 1);
	struct cw_op ops[3];

	(void) fx_simple(fx, "10.0.0.0/24");
	n_done = 0;
	for (unsigned i = 0; i < 3; i++) {
		ops[i] = fx_ask(fx, "rest:a", i + 1);
		ops[i].done = on_done;
		ops[i].cause = i == 1 ? c : NULL;
		cw_store_submit(fx->s, &ops[i]);
	}
	c->answer = too_long;
	while (cw_store_step(fx->s) > 0)
		;
	assert_int_equal(n_done, 3);
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, -EMSGSIZE);
	assert_int_equal(ops[2].result, 0);
	assert_int_equal(rows(fx, "lease"), 2);
	assert_int_equal(rows(fx, "audit"), 0);
	assert_int_equal(rows(fx, "idempotency"), 0);
	assert_int_equal(faults(fx), 0);
	free(c);
}

/* ---- with a TEP to wait for ---- */

static void submit(struct fx *fx, struct cw_op *op, struct cw_op_cause *c)
{
	*op = fx_ask(fx, "rest:a", 1);
	op->u.acquire.wait_confirm = true;
	op->cause = c;
	op->done = on_done;
	cw_store_submit(fx->s, op);
	while (cw_store_step(fx->s) > 0)
		;
}

static void a_repeat_waits_for_the_same_tep(void **state)
{
	struct fx *fx = *state;
	struct cw_op_cause *c[3] = {cause("one", 1), cause("one", 1), cause("one", 1)};
	struct cw_op op[3];

	(void) fx_simple(fx, "10.0.0.0/24");
	n_done = 0;
	submit(fx, &op[0], c[0]);
	submit(fx, &op[1], c[1]);
	assert_int_equal(n_done, 0);
	assert_int_equal(rows(fx, "lease"), 1);
	assert_int_equal(
		fx_confirm(fx, op[0].u.acquire.lease.id, op[0].u.acquire.lease.generation, 0), 0);
	assert_int_equal(n_done, 2);
	assert_true(op[0].result == 0 && op[1].result == 0);
	assert_true(!c[0]->replayed && c[1]->replayed);
	assert_non_null(strstr(c[0]->body, "\"confirmed\":1"));
	assert_int_equal(c[0]->body_n, c[1]->body_n);
	assert_memory_equal(c[0]->body, c[1]->body, c[0]->body_n);
	submit(fx, &op[2], c[2]); /* confirmed: at once */
	assert_int_equal(n_done, 3);
	assert_true(op[2].result == 0 && c[2]->replayed);
	for (unsigned i = 0; i < 3; i++)
		free(c[i]);
}

static void a_refused_lease_takes_its_record_along(void **state)
{
	struct fx *fx = *state;
	struct cw_op_cause *c[3] = {cause("one", 1), cause("one", 1), cause("two", 2)};
	struct cw_op op[4];

	(void) fx_simple(fx, "10.0.0.0/24");
	n_done = 0;
	submit(fx, &op[0], c[0]);
	submit(fx, &op[1], c[1]);
	submit(fx, &op[2], c[2]); /* restarts the same lease, with a record of its own */
	assert_int_equal(rows(fx, "idempotency"), 2);
	assert_int_equal(fx_confirm(fx, op[0].u.acquire.lease.id, op[0].u.acquire.lease.generation,
				 CW_E_TEP),
		0);
	assert_int_equal(n_done, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(op[i].result, CW_E_TEP);
	assert_int_equal(rows(fx, "idempotency"), 0);
	submit(fx, &op[3], c[0]); /* a new lease */
	assert_false(c[0]->replayed);
	assert_true(op[3].u.acquire.lease.id > op[0].u.acquire.lease.id);
	fx->s = cw_store_abandon(fx->s);
	/* After a crash the same key waits for the lease that is not confirmed yet. */
	fx_reopen(fx);
	n_done = 0;
	submit(fx, &op[1], c[1]);
	assert_int_equal(n_done, 0);
	assert_int_equal(op[1].u.acquire.lease.id, op[3].u.acquire.lease.id);
	assert_int_equal(
		fx_confirm(fx, op[1].u.acquire.lease.id, op[1].u.acquire.lease.generation, 0), 0);
	assert_int_equal(n_done, 1);
	assert_true(op[1].result == 0 && c[1]->replayed);
	for (unsigned i = 0; i < 3; i++)
		free(c[i]);
}

static void a_repeat_after_its_end_says_the_same(void **state)
{
	struct fx *fx = *state;
	struct cw_op_cause *c[2] = {cause("one", 1), cause("one", 1)};
	struct cw_op op[2];

	(void) fx_simple(fx, "10.0.0.0/24");
	op[0] = fx_ask(fx, "rest:a", 1);
	op[0].cause = c[0];
	assert_int_equal(fx_run(fx, &op[0]), 0);
	fx_release(fx, &op[0].u.acquire.lease, CW_END_REVOKE);
	n_done = 0;
	submit(fx, &op[1], c[1]);
	assert_int_equal(n_done, 1);
	assert_true(op[1].result == 0 && c[1]->replayed);
	assert_memory_equal(c[0]->body, c[1]->body, c[0]->body_n);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease WHERE state = 1"), 0);
	free(c[0]);
	free(c[1]);
}

static void wrong_causes(void **state)
{
	struct fx *fx = *state;
	struct cw_op_cause *c = cause("one", 1);
	struct cw_op op;

	(void) fx_simple(fx, "10.0.0.0/24");
	op = fx_ask(fx, "rest:a", 1);
	op.cause = c;
	c->scope[0] = '\0';
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	c->scope[0] = 'x';
	c->key_n = CW_KEY_MAX + 1;
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	c->key_n = CW_KEY_MAX;
	memset(c->detail, 'x', sizeof c->detail);
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	c->detail[0] = '\0';
	c->answer = NULL;
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	c->answer = show_lease;
	op.kind = CW_OP_CONFIRM;
	op.u.confirm = (struct cw_op_confirm){0};
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	assert_int_equal(rows(fx, "lease"), 0);
	op = fx_ask(fx, "rest:a", 1);
	op.cause = c;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_run(fx, &op), 0);
	assert_true(c->replayed);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_row_per_effect, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			the_chain_can_be_followed, fx_set_up_file, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			a_broken_chain_is_found, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			a_repeat_is_answered_from_the_record, fx_set_up_file, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			a_failure_is_not_kept, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			an_answer_that_cannot_be_kept_undoes_it, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			a_repeat_waits_for_the_same_tep, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			a_refused_lease_takes_its_record_along, fx_set_up_file, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			a_repeat_after_its_end_says_the_same, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(wrong_causes, fx_set_up_memory, fx_tear_down),
	};

	fx_disk_in_memory();
	return cmocka_run_group_tests_name("db cause", tests, NULL, NULL);
}
