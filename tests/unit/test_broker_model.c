/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine against a small reference model: random acquire, renew, release, revoke, expiry, clock
 * steps, crashes and a TEP that fails, and after each step the store, the TEP and the model must
 * agree: who holds what until when, what rests in quarantine, what is forwarded to whom. A failing
 * run prints its seed; CW_SEED=N repeats it, CW_STEPS=N makes it longer. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/broker-fixture.h"

enum {
	ADDRESSES = 8,
	WHO = 5,
	CLIENTS = 3,
	LIFETIME = 100,
	QUARANTINE = 7,
	RESTS = QUARANTINE + 1,
	BASE = 0xc6336400
};

/* One address. */
struct place {
	bool held, resting;
	unsigned who, n;
	int64_t until_s; /* of the lease, or of the rest; on the test's own time line */
	uint64_t lease;
};

static struct {
	struct bx b;
	struct place at[ADDRESSES];
	int64_t now_s;
	unsigned seed, state, step;
	bool tep_bad;
	unsigned grants, renewals, ends, expiries, crashes, refusals, full;
} m;

static unsigned dice(unsigned n)
{
	/* xorshift: the same everywhere */
	m.state ^= m.state << 13;
	m.state ^= m.state >> 17;
	m.state ^= m.state << 5;
	return m.state % n;
}

#define expect(cond, ...)                                                         \
	do {                                                                      \
		if (!(cond)) {                                                    \
			print_message("# CW_SEED=%u, step %u: ", m.seed, m.step); \
			print_message(__VA_ARGS__);                               \
			print_message("\n");                                      \
			fail();                                                   \
		}                                                                 \
	} while (0)

static const char *name_of(unsigned who)
{
	static const char *const names[WHO] = {"user:a", "user:b", "user:c", "ip6:d", "ip6:e"};

	return names[who];
}

static struct place *held_by(unsigned who, unsigned n)
{
	for (unsigned i = 0; i < ADDRESSES; i++)
		if (m.at[i].held && m.at[i].who == who && m.at[i].n == n)
			return &m.at[i];
	return NULL;
}

/* Time has passed: leases end and rests are over. */
static void model_time(void)
{
	for (unsigned i = 0; i < ADDRESSES; i++) {
		struct place *p = &m.at[i];

		if (p->held && p->until_s <= m.now_s) {
			p->held = false;
			p->resting = true;
			p->until_s = m.now_s + RESTS; /* from when forwarding stopped */
			m.expiries++;
		} else if (p->resting && p->until_s <= m.now_s) {
			p->resting = false;
		}
	}
}

/* What the store says is held is what the model says is held, and (if the TEP is well) what is
 * forwarded. */
static void check_all(void)
{
	const struct cw_lease_filter active = {.states = 1u << CW_LEASE_ACTIVE};
	struct cw_lease l[ADDRESSES + 1];
	struct cw_store_reader *r;
	unsigned held = 0;
	int n;

	expect(cw_store_reader_open(m.b.store, &r) == 0, "no reader");
	n = cw_read_leases(r, &active, (struct cw_lease_key){.begin = true}, l, ADDRESSES + 1);
	(void) cw_store_reader_close(r);
	for (unsigned i = 0; i < ADDRESSES; i++)
		held += m.at[i].held;
	expect(n == (int) held, "%d leases are active, the model has %u", n, held);
	for (int k = 0; k < n; k++) {
		unsigned i = l[k].addr.v - BASE;
		const struct place *p = i < ADDRESSES ? &m.at[i] : NULL;
		const struct cw_dp_binding *b = fake_tep_get(l[k].addr.v);
		struct cw_addr6 client = bx_client(p ? p->n : 0);

		expect(p && p->held, "address %u is not held", i);
		expect(strcmp(l[k].principal, name_of(p->who)) == 0 &&
				cw_addr6_eq(&l[k].client6, &client),
			"address %u is held by somebody else", i);
		expect(l[k].id == p->lease, "address %u is another tenure", i);
		expect(cw_engine_remaining_s(m.b.engine, &l[k]) ==
				(uint32_t) (p->until_s - m.now_s),
			"address %u has %u s left, not %lld", i,
			cw_engine_remaining_s(m.b.engine, &l[k]),
			(long long) (p->until_s - m.now_s));
		if (m.tep_bad)
			continue;
		expect(b != NULL, "address %u is held and not forwarded", i);
		expect(memcmp(b->ipv6, client.b, 16) == 0,
			"address %u is forwarded to somebody else", i);
		expect(llabs(b->expires_boot_ms - m.b.clock.at.boot_ms -
			       (p->until_s - m.now_s) * 1000) <= 2000,
			"address %u is forwarded until %lld", i, (long long) b->expires_boot_ms);
	}
	expect(m.tep_bad || fake_tep_count() == held, "%zu are forwarded, %u are held",
		fake_tep_count(), held);
}

/* ---- steps ---- */

static void granted(unsigned who, unsigned n, const struct cw_lease *l)
{
	unsigned i = l->addr.v - BASE;
	struct place *before = held_by(who, n);

	expect(i < ADDRESSES, "an address of no pool");
	if (before) {
		expect(before == &m.at[i] && before->lease == l->id,
			"the holder got another lease");
		m.renewals++;
	} else {
		expect(!m.at[i].held, "address %u is held twice", i);
		expect(!m.at[i].resting || m.at[i].who == who,
			"address %u was given away in quarantine", i);
		m.grants++;
	}
	m.at[i] = (struct place){
		.held = true, .who = who, .n = n, .until_s = m.now_s + LIFETIME, .lease = l->id};
}

static void do_acquire(void)
{
	unsigned who = dice(WHO), n = 1 + dice(CLIENTS), usable = 0;
	struct place *mine = held_by(who, n);
	struct cw_lease l;
	int r = bx_acquire(&m.b, name_of(who), n, &l);

	for (unsigned i = 0; i < ADDRESSES; i++)
		usable += !m.at[i].held && (!m.at[i].resting || m.at[i].who == who);
	if (r == 0) {
		granted(who, n, &l);
	} else if (r == CW_E_POOL_EMPTY) {
		expect(!mine && (usable == 0 || m.tep_bad), "full, with %u addresses free", usable);
		m.full++;
	} else {
		expect(r == CW_E_TEP && m.tep_bad, "acquire: %s", cw_strerror(r));
		m.refusals++;
	}
}

static void do_renew(void)
{
	unsigned who = dice(WHO), n = 1 + dice(CLIENTS), i = dice(ADDRESSES);
	bool user = strncmp(name_of(who), "user:", 5) == 0;
	struct place *p = &m.at[i];
	struct cw_lease l;
	int r;

	if (p->held && dice(3)) {
		who = p->who;
		n = dice(4) ? p->n : n;
		user = strncmp(name_of(who), "user:", 5) == 0;
	}
	if (!user && p->held && p->who == who && p->n != n)
		return; /* the access never asks that for ANONYMOUS */
	if (p->held && p->who == who && p->n != n && (held_by(who, n) || m.tep_bad))
		return; /* a client with two leases: legal, but the model has one */
	r = bx_renew(&m.b, name_of(who), n, BASE + i, &l);
	if (p->held && p->who == who) {
		expect(r == 0 || (m.tep_bad && r == CW_E_TEP), "renewal of a held lease: %s",
			cw_strerror(r));
		if (r < 0)
			return;
		expect(l.addr.v == BASE + i, "renewed another address");
		p->n = n;
		p->until_s = m.now_s + LIFETIME;
		p->lease = l.id;
		m.renewals++;
	} else {
		expect(r == CW_E_NOT_YOURS || r == CW_E_GONE, "renewal of what is not held: %s",
			cw_strerror(r));
	}
}

static void do_end(void)
{
	struct place *p = &m.at[dice(ADDRESSES)];
	int r;

	if (!p->lease)
		return;
	r = bx_end(&m.b, p->lease, dice(2) ? CW_END_RELEASE : CW_END_REVOKE);
	if (!p->held) {
		expect(r == CW_E_GONE || r == CW_E_NOT_YOURS, "end of what has ended: %s",
			cw_strerror(r));
		return;
	}
	expect(r == 0, "end: %s", cw_strerror(r));
	bx_settle(&m.b);
	p->held = false;
	p->resting = true;
	p->until_s = m.now_s + RESTS;
	m.ends++;
}

static void do_time(void)
{
	int64_t s = dice(3) ? 1 + dice(5) : 20 + dice(60);

	/* In steps, or the moment when a rest begins would be the clock's last. */
	for (; s > 0; s--) {
		bx_advance(&m.b, 1);
		m.now_s++;
		model_time();
	}
}

static void tep_good_again(void)
{
	fake_tep.mode = FAKE_OK;
	bx_advance(&m.b, 1);
	m.now_s++;
	bx_advance(&m.b, 30);
	m.now_s += 30;
	m.tep_bad = false;
	/* While it was bad, ends waited for it: their rests began only now. */
	for (unsigned i = 0; i < ADDRESSES; i++) {
		struct place *p = &m.at[i];

		if (p->held && p->until_s <= m.now_s) {
			p->held = false;
			m.expiries++;
		}
		p->resting = !p->held && p->lease;
		if (p->resting)
			p->until_s = m.now_s + RESTS;
	}
	bx_advance(&m.b, RESTS + 1);
	m.now_s += RESTS + 1;
	for (unsigned i = 0; i < ADDRESSES; i++) {
		m.at[i].resting = false;
		if (m.at[i].held && m.at[i].until_s <= m.now_s) {
			m.at[i].held = false;
			m.at[i].resting = true;
			m.at[i].until_s = m.now_s + RESTS;
		}
	}
}

static void do_tep(void)
{
	static const enum fake_tep_mode modes[] = {FAKE_DEAD, FAKE_DEAD_DONE, FAKE_REFUSE};

	if (m.tep_bad) {
		tep_good_again();
		return;
	}
	m.tep_bad = true;
	fake_tep.mode = modes[dice(3)];
}

static void do_crash(void)
{
	/* Requests nobody was answered about would be unknown to the model: none is running here.
	 */
	if (m.tep_bad)
		tep_good_again();
	if (dice(2)) {
		bx_crash(&m.b);
	} else { /* another boot, after a while */
		bx_stop(&m.b);
		(void) snprintf(m.b.boot_id, sizeof m.b.boot_id, "boot-%u", m.step);
		m.b.clock.at.boot_ms = 1000 + dice(100000);
		bx_start(&m.b);
	}
	bx_settle(&m.b);
	m.crashes++;
}

static void one_step(void)
{
	unsigned d = dice(100);

	if (d < 45)
		do_acquire();
	else if (d < 65)
		do_renew();
	else if (d < 80)
		do_end();
	else if (d < 93)
		do_time();
	else if (d < 97)
		do_tep();
	else
		do_crash();
	bx_settle(&m.b);
	if (!m.tep_bad) {
		cw_engine_poke(m.b.engine); /* renewals reach the TEP */
		bx_settle(&m.b);
	}
	check_all();
}

static void run(unsigned seed, unsigned steps)
{
	static const struct bx_pool pool = {
		.range = "198.51.100.0/29", .lifetime_s = LIFETIME, .quarantine_s = QUARANTINE};

	memset(&m, 0, sizeof m);
	m.seed = m.state = seed;
	fake_tep_reset();
	bx_open(&m.b, true, &pool);
	for (m.step = 0; m.step < steps; m.step++)
		one_step();
	bx_close(&m.b);
	print_message(
		"# seed %u: %u grants, %u renewals, %u ends, %u expiries, %u crashes, %u refusals, %u full\n",
		seed, m.grants, m.renewals, m.ends, m.expiries, m.crashes, m.refusals, m.full);
	/* A test that never got anywhere proves nothing. */
	assert_true(steps < 300 || (m.grants && m.renewals && m.ends && m.expiries && m.crashes &&
					   m.refusals && m.full));
}

static void random_walks(void **state)
{
	const char *seed = getenv("CW_SEED"), *steps = getenv("CW_STEPS");
	unsigned n = steps ? (unsigned) strtoul(steps, NULL, 10) : 400;

	(void) state;
	if (seed) {
		run((unsigned) strtoul(seed, NULL, 10), n);
		return;
	}
	for (unsigned i = 1; i <= cw_test_cases(3, 1); i++)
		run(i * 7919, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_walks)};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
