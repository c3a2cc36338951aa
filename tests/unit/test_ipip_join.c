/* SPDX-License-Identifier: BSD-2-Clause */
/* Joining of TCP segments: what is joined, what must not be, and that nothing is ever changed by
 * it (join-check.h). */
#include "config.h"

#include "tests/lib/cw-cmocka.h"
#include "tests/lib/join-check.h"

enum {
	ACK = 0x10,
	PSH = 0x08,
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	URG = 0x20,
	ECE = 0x40,
	CWR = 0x80
};

static struct join_check c;
static uint8_t batch[CW_IPIP_JOIN_MAX][JOIN_CHECK_STEP];

/* n segments of 1400 octets of one connection. */
static void plain(unsigned n)
{
	memset(batch, 0, sizeof batch);
	for (unsigned i = 0; i < n; i++) {
		batch[i][1] = ACK;
		batch[i][2] = 175;
		batch[i][9] = 64;
		batch[i][10] = 3;
	}
}

static void gives(unsigned n, unsigned groups)
{
	assert_true(join_check(&c, batch[0], (size_t) n * JOIN_CHECK_STEP));
	assert_int_equal(c.n, n);
	assert_int_equal(c.join.n, groups);
}

static void joins(void **state)
{
	struct virtio_net_hdr vnet;
	struct iovec iov[CW_IPIP_JOIN_MAX];

	(void) state;
	plain(64);
	gives(40, 1); /* over the end of the sequence numbers and of the ids */
	assert_int_equal(c.joined, 40);
	assert_int_equal(cw_ipip_join_end(&c.join, 0, &vnet, iov), 40);
	assert_int_equal(vnet.gso_size, 1400);
	assert_int_equal(vnet.hdr_len, 52);
	gives(64, 2); /* 65535 octets are the end */
	assert_int_equal(c.join.groups[0].n, 46);
	gives(1, 1);
	assert_int_equal(c.joined, 0);
	gives(0, 0);
	/* Ends: a shorter one, PSH, FIN; each with what stands before it. */
	batch[3][2] = 100;
	gives(6, 2);
	assert_int_equal(c.join.groups[0].n, 4);
	plain(6);
	batch[3][1] |= PSH;
	gives(6, 2);
	batch[3][1] |= FIN;
	gives(6, 2);
	assert_int_equal(c.join.groups[0].n, 4);
	assert_int_equal(c.join.groups[0].packet.payload[13], ACK | PSH | FIN);
	plain(6);
	batch[0][1] |= PSH;
	gives(6, 2);
	assert_int_equal(c.join.groups[0].n, 1);
	plain(6);
	batch[2][2] = 180; /* a longer one begins anew */
	gives(6, 3);
}

/* Each of these ends what is open, alone or as the begin of the next group. */
static void keeps_apart(void **state)
{
	static const struct {
		uint8_t at, with;
		unsigned groups;
	} cases[] = {{1, ACK | SYN, 3}, {1, ACK | RST, 3}, {1, ACK | URG, 3}, {1, ACK | CWR, 3},
		{1, 0, 3}, {1, ACK | ECE, 3}, {4, 100, 2}, {5, 1, 2}, {9, 63, 3}, {10, 4, 3},
		{11, 9, 3}, {0, 0x04, 3}, {0, 0x08, 3}, {0, 0x10, 3}, {0, 0x20, 3}, {0, 0x40, 3}};

	(void) state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		plain(7);
		batch[3][cases[i].at] = cases[i].with;
		gives(7, cases[i].groups);
		assert_int_equal(c.join.groups[0].n, 3);
	}
	/* An acknowledgement without data. */
	plain(7);
	batch[3][2] = 0;
	gives(7, 3);
	/* Fragments, though all alike. */
	plain(7);
	for (unsigned i = 0; i < 7; i++)
		batch[i][0] = 0x10;
	gives(7, 7);
	/* ECE on all of them is no reason. */
	plain(7);
	for (unsigned i = 0; i < 7; i++)
		batch[i][1] |= ECE;
	gives(7, 1);
}

/* A segment with a wrong checksum is passed on as it came, wherever it stands. */
static void wrong_sums(void **state)
{
	(void) state;
	for (unsigned bad = 0; bad < 7; bad++) {
		plain(7);
		batch[bad][6] = 20 + 17;
		batch[bad][7] = 0x10;
		gives(7, bad == 0 ? 2 : bad == 6 ? 2 : 3);
	}
}

/* Any other octet of the header that differs, with both sums right. */
static void every_octet(void **state)
{
	(void) state;
	for (unsigned at = 0; at < 52; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			plain(7);
			batch[3][6] = (uint8_t) at;
			batch[3][7] = (uint8_t) (1u << bit);
			batch[3][8] = 3;
			assert_true(join_check(&c, batch[0], 7 * JOIN_CHECK_STEP));
			/* The checksums are mended; PSH and FIN may be the last; the ECN
			 * field's owner and the lengths make it another packet, or none. */
			if (at == 10 || at == 11 || at == 36 || at == 37)
				assert_int_equal(c.join.n, 1);
			else
				assert_true(c.join.n >= 2 || c.n < 7);
		}
	}
}

static void interleaved(void **state)
{
	(void) state;
	plain(60);
	for (unsigned i = 0; i < 60; i++)
		batch[i][0] = (uint8_t) (i % 4);
	gives(60, 4);
	/* UDP between is nobody's business; a fragment between the same hosts is. */
	plain(7);
	batch[3][0] = 0x80;
	assert_true(join_check(&c, batch[0], 7 * JOIN_CHECK_STEP));
	assert_int_equal(c.join.n, 3); /* its octets are missing in the sequence */
	plain(7);
	batch[3][0] = 0x80 | 1;
	gives(7, 2);
	plain(7);
	batch[3][0] = 0x20 | 1;
	gives(7, 3);
	assert_int_equal(c.join.groups[0].n, 3);
	/* Two owners at once: never together, in order. */
	plain(60);
	for (unsigned i = 0; i < 60; i++)
		batch[i][0] = i & 1 ? 0x04 : 0;
	gives(60, 60);
}

static void by_chance(void **state)
{
	unsigned joined = 0, groups = 0;

	(void) state;
	srand(3);
	for (unsigned round = 0; round < 2000; round++) {
		plain(64);
		for (unsigned i = 0; i < 64; i++) {
			batch[i][0] = (uint8_t) (rand() % 4);
			for (unsigned k = 0; k < JOIN_CHECK_STEP; k++)
				if (rand() % 100 == 0)
					batch[i][k] = (uint8_t) rand();
		}
		assert_true(join_check(&c, batch[0], sizeof batch / 4));
		joined += c.joined;
		groups += c.groups;
	}
	assert_true(joined > 2000 * 32 && groups < joined / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins),
		cmocka_unit_test(keeps_apart),
		cmocka_unit_test(wrong_sums),
		cmocka_unit_test(every_octet),
		cmocka_unit_test(interleaved),
		cmocka_unit_test(by_chance),
	};

	return cmocka_run_group_tests_name("ipip_join", tests, NULL, NULL);
}
