/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints what the build makes from the client's table of options: `conf_doc mdoc` the OPTIONS part
 * of causeway.conf(5), `conf_doc sample` the commented sample file. Not installed. Thread: one. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "client/conf.h"

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "mdoc") == 0)
		cw_conf_print_mdoc(&cw_client_schema, stdout);
	else if (argc == 2 && strcmp(argv[1], "sample") == 0)
		cw_conf_print_sample(&cw_client_schema, stdout);
	else
		return 2;
	return fflush(stdout) == 0 ? 0 : 1;
}
