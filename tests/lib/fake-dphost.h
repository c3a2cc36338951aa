/* SPDX-License-Identifier: BSD-2-Clause */
/* A tunnel end point inside the test program, behind the functions of dataplane/host/host.h (linked
 * instead of libcwdphost). Its table outlives hosts, as a TEP outlives its broker; it records what
 * it was asked, and fails, waits or forgets as told. Thread: the loop's. */
#pragma once

#include <stdbool.h>

#include "dataplane/host/host.h"

enum fake_tep_mode {
	FAKE_OK,
	FAKE_HOLD,   /* answers wait for fake_tep_answer() */
	FAKE_REFUSE, /* each item of apply: CW_E_TEP */
	FAKE_REFUSE_REMOVE,
	FAKE_AGAIN,     /* each item -EAGAIN */
	FAKE_DEAD,      /* every call fails as a whole, nothing is done */
	FAKE_DEAD_DONE, /* every call fails as a whole, yet it was done */
};

struct fake_tep {
	enum fake_tep_mode mode;
	unsigned opens, applies, removes, lists; /* calls */
	unsigned items_applied, items_removed;
	size_t page; /* rows per list answer; 0: as asked */
};
extern struct fake_tep fake_tep;

void fake_tep_reset(void);
size_t fake_tep_count(void);
/* The binding of an address (whole), NULL: none. */
const struct cw_dp_binding *fake_tep_get(uint32_t addr);
void fake_tep_drop(uint32_t addr); /* forgets a binding by itself */
void fake_tep_put(const struct cw_dp_binding *b);
size_t fake_tep_held(void); /* answers that wait */
/* Gives what is held: as done, or (dropped) as never heard of. */
void fake_tep_answer(bool dropped);
