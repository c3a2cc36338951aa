/* SPDX-License-Identifier: BSD-2-Clause */
/* Any batch of packets, joined and cut again, is the same batch; see tests/lib/join-check.h. */
#include "config.h"

#include "tests/lib/join-check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct join_check c;

	if (!join_check(&c, data, size))
		abort();
	return 0;
}
