/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints what the build puts into causewayd.conf(5) and the sample file: `conf_doc mdoc | sample`.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/prog.h"
#include "broker/settings.h"

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "mdoc") == 0) {
		cw_conf_print_mdoc(cw_config_schema(), stdout);
	} else if (argc == 2 && strcmp(argv[1], "sample") == 0) {
		cw_conf_print_sample(cw_config_schema(), stdout);
	} else {
		(void) fputs("usage: conf_doc mdoc | sample\n", stderr);
		return CW_EXIT_USAGE;
	}
	return fflush(stdout) == 0 ? CW_EXIT_OK : CW_EXIT_FAILURE;
}
