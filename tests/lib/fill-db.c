/* SPDX-License-Identifier: BSD-2-Clause */
/* fill-db FOLDER N LIFETIME END_IN: a lease database for tests, see bench_db_fill(). */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench-db.h"

int main(int argc, char **argv)
{
	if (argc != 5) {
		(void) fputs("usage: fill-db FOLDER N LIFETIME END_IN\n", stderr);
		return 2;
	}
	bench_db_fill(argv[1], (unsigned) strtoul(argv[2], NULL, 10),
		(unsigned) strtoul(argv[3], NULL, 10), (unsigned) strtoul(argv[4], NULL, 10));
	return 0;
}
