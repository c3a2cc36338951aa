/* SPDX-License-Identifier: BSD-2-Clause */
/* What --help prints. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "client/ctl/help.h"
#include "client/ctl/run.h"

enum { HELP_COLUMN = 34 };

static int print_args(FILE *f, const struct cw_ctl_command *c)
{
	struct cw_ctl_arg arg;
	int n = 0;

	for (unsigned i = 0; cw_ctl_arg(c, i, &arg); i++) {
		n += fprintf(f, arg.optional ? " [" : " ");
		for (size_t k = 0; k < arg.n; k++, n++)
			(void) fputc(toupper((unsigned char) arg.name[k]), f);
		n += fprintf(f, "%s%s", arg.several ? "..." : "", arg.optional ? "]" : "");
	}
	return n;
}

static int synopsis(FILE *f, const struct cw_ctl_command *c)
{
	int n = fprintf(f, "%s%s%s", c->noun ? c->noun : "", c->noun ? " " : "", c->verb);

	return n + print_args(f, c);
}

static void line(FILE *f, const struct cw_ctl_command *c)
{
	int n = fprintf(f, "  ") + synopsis(f, c);

	(void) fprintf(f, "%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 2, "", c->help);
}

static void flags(FILE *f, const struct cw_ctl_command *c, bool global)
{
	for (const struct cw_ctl_flag *g = cw_ctl_flags; g->name; g++) {
		int n;

		if (g->global != global || !cw_ctl_takes(c, g))
			continue;
		n = g->letter ? fprintf(f, "  -%c, ", g->letter) : fprintf(f, "      ");
		n += fprintf(f, "--%s%s%s", g->name, g->argument ? " " : "",
			g->argument ? g->argument : "");
		(void) fprintf(f, "%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 2, "", g->help);
	}
}

void cw_ctl_help_all(FILE *f)
{
	(void) fputs(
		"Usage: causewayctl [FLAG...] NOUN VERB [ARGUMENT...] [FLAG...]\n\nCommands:\n", f);
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		if (c != cw_ctl_commands && c->noun && cw_ctl_first_of_noun(c))
			(void) fputc('\n', f);
		if (!c->noun && c[-1].noun)
			(void) fputc('\n', f);
		line(f, c);
	}
	(void) fputs("\nFlags of all commands:\n", f);
	flags(f, NULL, true);
	(void) fputs("\n'causewayctl NOUN VERB --help' tells what else a command takes.\n", f);
}

void cw_ctl_help_noun(FILE *f, const char *noun)
{
	(void) fprintf(
		f, "Usage: causewayctl %s VERB [ARGUMENT...] [FLAG...]\n\nCommands:\n", noun);
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		if (c->noun && strcmp(c->noun, noun) == 0)
			line(f, c);
	}
}

void cw_ctl_help_command(FILE *f, const struct cw_ctl_command *c)
{
	bool own = false;

	(void) fputs("Usage: causewayctl ", f);
	(void) synopsis(f, c);
	(void) fprintf(
		f, " [FLAG...]\n\n%c%s.\n", toupper((unsigned char) c->help[0]), c->help + 1);
	for (const struct cw_ctl_flag *g = cw_ctl_flags; g->name; g++)
		own = own || (!g->global && cw_ctl_takes(c, g));
	if (own) {
		(void) fputs("\nFlags:\n", f);
		flags(f, c, false);
	}
	(void) fputs("\nFlags of all commands:\n", f);
	flags(f, c, true);
}

int cw_ctl_run_help(struct cw_ctl *c)
{
	static struct cw_ctl_line asked;
	char why[512];
	size_t n = c->line->n_args;

	/* Arguments are missing where only the name stands: that is no fault here. */
	if (cw_ctl_parse((int) n, c->line->args, &asked, why, sizeof why) < 0 && !asked.command)
		return cw_ctl_usage("%s", why);
	if (asked.command)
		cw_ctl_help_command(stdout, asked.command);
	else if (asked.noun)
		cw_ctl_help_noun(stdout, asked.noun);
	else
		cw_ctl_help_all(stdout);
	return CW_EXIT_OK;
}
