/* SPDX-License-Identifier: BSD-2-Clause */
/* The main() of a fuzz target without libFuzzer: runs the target once over every file named on the
 * command line. A folder is named by its files (the shell expands them). One thread. */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No input is larger; libFuzzer's own default limit is 4 KiB, seeds may be longer. */
enum { MAX_INPUT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target sees an allocation of exactly the input's size, so that ASan and Valgrind see one
 * octet too far. */
static int run_file(const char *path)
{
	static uint8_t buf[MAX_INPUT];
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t n;
	int bad;

	if (!f)
		return -errno;
	n = fread(buf, 1, sizeof buf, f);
	bad = ferror(f) || fgetc(f) != EOF;
	(void) fclose(f);
	if (bad)
		return -EFBIG;
	exact = malloc(n ? n : 1);
	if (!exact)
		return -ENOMEM;
	memcpy(exact, buf, n);
	(void) LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int r = run_file(argv[i]);

		if (r < 0) {
			(void) fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
			return EXIT_FAILURE;
		}
	}
	(void) printf("%d inputs\n", argc - 1);
	return EXIT_SUCCESS;
}
