/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the lease store share: a store without its thread in a folder of its own or in
 * memory, hooks that write down what they were told, and short ways to say what a test wants.
 * Everything asserts through cmocka. */
#pragma once

#include "db/store.h"
#include "db/store_internal.h"
#include "tests/lib/cw-cmocka.h"

#define FX_SEEN 4096

struct fx {
	struct cw_store *s;
	struct cw_store_time now;
	char dir[64];
	char path[96];
	/* What the hooks were told; reset by fx_forget(). */
	struct cw_outbox_entry seen[FX_SEEN];
	size_t n_seen;
	int health[16];
	size_t n_health;
	unsigned n_batches; /* calls of the outbox hook */
	/* Events, as they happened; their order is checked. */
	struct {
		uint64_t id;
		char type[CW_TYPE_MAX];
	} event[FX_SEEN];
	size_t n_events;
	uint64_t last_event;
	bool missed_events;
};

/* Before the first fx_open(): folders are made in memory if the user named none, for tests of which
 * nothing must outlive the machine (a shim knows what a sync makes durable, or no sync matters). */
void fx_disk_in_memory(void);
/* memory: ":memory:"; else a database file in a new folder below $TMPDIR or /tmp. */
void fx_open(struct fx *fx, bool memory);
/* The same file again (fx->s must be NULL). */
void fx_reopen(struct fx *fx);
void fx_close(struct fx *fx); /* closes the store and removes the folder */
void fx_forget(struct fx *fx);

/* For cmocka_unit_test_setup_teardown(): *state is a store in memory, or in a file. */
int fx_set_up_memory(void **state);
int fx_set_up_file(void **state);
int fx_tear_down(void **state);

/* Adds TEP "edge" and pool "p" on it: ranges like "10.0.0.0/24", NULL-terminated; ps for shared
 * pools. */
uint64_t fx_pool(
	struct fx *fx, const char *name, struct cw_portset shape, const char *const *ranges);
/* A whole-address pool "p" with one range, quarantine 30, lifetime 3600. */
uint64_t fx_simple(struct fx *fx, const char *range);

struct cw_addr4 fx_a4(const char *s);
struct cw_addr6 fx_a6(unsigned n); /* 2001:db8::n */
struct cw_range fx_range(const char *s, uint64_t pool);

/* Runs an operation to its end (no parking) and returns its result. op->kind and u are the
 * caller's. */
int fx_run(struct fx *fx, struct cw_op *op);
/* ACQUIRE by (who, 2001:db8::n) with defaults; *ret_lease may be NULL. */
int fx_acquire(struct fx *fx, const char *who, unsigned n, struct cw_lease *ret_lease);
/* An acquire as an operation to be changed further. */
struct cw_op fx_ask(const struct fx *fx, const char *who, unsigned n);
int fx_end(struct fx *fx, uint64_t lease, enum cw_end_reason reason);
/* The TEP's answer to one entry. */
int fx_confirm(struct fx *fx, uint64_t lease, uint64_t generation, int result);
/* END and the TEP's confirmation. */
void fx_release(struct fx *fx, const struct cw_lease *l, enum cw_end_reason reason);
int fx_sweep(struct fx *fx, enum cw_op_kind kind, unsigned limit, unsigned *ret_count,
	int64_t *ret_next_s);
struct cw_lease fx_lease(
	struct fx *fx, uint64_t id); /* through a reader; asserts that it is there */
/* Number by number: padding is nobody's. */
bool fx_same_usage(const struct cw_usage *a, const struct cw_usage *b);
/* Runs SQL on the writer's connection; an extended result code of SQLite. */
int fx_sql(struct fx *fx, const char *sql);
/* How many events of that type there were since fx_forget(). */
unsigned fx_events(const struct fx *fx, const char *type);
int64_t fx_sql_int(struct fx *fx, const char *sql); /* first column of the first row */
