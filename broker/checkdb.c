/* SPDX-License-Identifier: BSD-2-Clause */
/* The store checks its own file and what must hold between its tables; then every lease is read
 * back and looked at as the engine would see it: in order of its key, no key twice, no two live
 * leases of one address whose port sets overlap, pool and TEP there. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/prog.h"
#include "broker/checkdb.h"
#include "db/store.h"

#define PAGE 1024

struct tally {
	unsigned long leases, by_state[4], bad;
};

static void complain(struct tally *t, const struct cw_lease *l, const char *what)
{
	char addr[CW_ADDR4_STRLEN], ports[24];

	t->bad++;
	(void) printf("lease %llu (%s, ports %s): %s\n", (unsigned long long) l->id,
		cw_addr4_str(l->addr, addr), cw_portset_str(l->ports, ports), what);
}

static void look(struct tally *t, const struct cw_lease *before, const struct cw_lease *l)
{
	t->leases++;
	if ((unsigned) l->state < CW_ARRAY_LEN(t->by_state))
		t->by_state[l->state]++;
	else
		complain(t, l, "unknown state");
	if (!cw_portset_valid(l->ports))
		complain(t, l, "impossible port set");
	if (!l->id || l->generation < l->id)
		complain(t, l, "impossible id or generation");
	if (l->state == CW_LEASE_ACTIVE && (!l->tep_id || !l->pool_id || !l->principal[0]))
		complain(t, l, "held by nobody, or nowhere");
	if (!before || before->addr.v != l->addr.v)
		return;
	if (before->ports.psid >= l->ports.psid)
		complain(t, l, "the same port set twice");
	if (before->ports.len != l->ports.len || before->ports.offset != l->ports.offset)
		complain(t, l, "port sets of different shapes on one address");
}

static void damaged(void *arg, const char *text)
{
	struct tally *t = arg;

	t->bad++;
	(void) printf("%s\n", text);
}

static int walk(struct cw_store_reader *r, struct tally *t)
{
	const struct cw_lease_filter all = {.states = 1u << CW_LEASE_FREE | 1u << CW_LEASE_ACTIVE |
						      1u << CW_LEASE_ENDING |
						      1u << CW_LEASE_QUARANTINED};
	struct cw_lease *page =
		cw_zalloc(PAGE + 1, sizeof *page); /* [0]: the last one of the page before */
	struct cw_lease_key after = {.begin = true};
	bool first = true;
	int n;

	if (!page)
		return -ENOMEM;
	while ((n = cw_read_leases(r, &all, after, page + 1, PAGE)) > 0) {
		for (int i = 1; i <= n; i++) {
			look(t, first ? NULL : &page[i - 1], &page[i]);
			first = false;
		}
		page[0] = page[n];
		after = (struct cw_lease_key){.addr = page[n].addr, .psid = page[n].ports.psid};
	}
	(void) cw_free(page);
	return n;
}

static const char *remedy(const struct cw_store_stats *st, unsigned long bad)
{
	if (st->damaged > 0)
		return "leases were put aside: restore a backup; or, when their holders' time is over, lend their "
		       "addresses again with --forget-damaged";
	return bad ? "restore a backup; the broker goes on with what it can read" : NULL;
}

int cw_forget_damaged(const struct cw_config *conf, int64_t wall_s)
{
	const struct cw_store_config sc = {
		.backend = conf->store_backend, .path = conf->store_path};
	struct cw_op op = {.kind = CW_OP_FORGET_DAMAGED, .now = {.wall_s = wall_s}};
	struct cw_store *store = NULL;
	char why[512];
	int r = cw_store_open(&sc, why, sizeof why, &store);

	if (r < 0) {
		(void) printf("%s\n", why); /* it names the file */
		return CW_EXIT_FAILURE;
	}
	r = cw_store_run(store, &op);
	if (r < 0)
		(void) printf("%s: %s\n", conf->store_path, cw_strerror(r));
	else
		(void) printf("%s: %u addresses of damaged leases are lent again\n",
			conf->store_path, op.u.sweep.count);
	(void) cw_store_close(store);
	return r < 0 ? CW_EXIT_FAILURE : CW_EXIT_OK;
}

int cw_check_db(const struct cw_config *conf)
{
	const struct cw_store_config sc = {
		.backend = conf->store_backend, .path = conf->store_path};
	struct cw_store_reader *reader = NULL;
	struct cw_store *store = NULL;
	struct cw_store_stats st;
	struct tally t = {0};
	const char *what;
	char why[512];
	int r = cw_store_open(&sc, why, sizeof why, &store);

	if (r < 0) {
		(void) printf("%s\n", why); /* it names the file */
		return CW_EXIT_FAILURE;
	}
	r = cw_store_reader_open(store, &reader);
	if (r == 0)
		r = cw_store_check(reader, damaged, &t);
	if (r >= 0)
		r = walk(reader, &t);
	if (r < 0)
		(void) printf(
			"%s: cannot be read to its end: %s\n", conf->store_path, cw_strerror(r));
	(void) printf(
		"%s: %lu rows: %lu active, %lu ending, %lu quarantined, %lu free; %lu faults\n",
		conf->store_path, t.leases, t.by_state[CW_LEASE_ACTIVE],
		t.by_state[CW_LEASE_ENDING], t.by_state[CW_LEASE_QUARANTINED],
		t.by_state[CW_LEASE_FREE], t.bad);
	cw_store_stats(store, &st);
	what = remedy(&st, t.bad + (r < 0));
	if (what)
		(void) printf("%s: %s\n", conf->store_path, what);
	(void) cw_store_reader_close(reader);
	(void) cw_store_close(store);
	return r < 0 || t.bad ? CW_EXIT_FAILURE : CW_EXIT_OK;
}
