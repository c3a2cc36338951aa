/* SPDX-License-Identifier: BSD-2-Clause */
/* causewayctl: the command line of those who run the broker, over its REST API. Commands and flags are two tables
 * (commands.def, flags.def); crud.c is what most commands do. Thread: one. */
#include "config.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/ctl/help.h"
#include "client/ctl/run.h"
#include "schema/rest/json_in.h"

enum { WATCH_S = 2 };

static int format_of(const struct cw_ctl_line *l, enum cw_ctl_format *ret)
{
	const char *name = cw_ctl_value(l, "output");

	*ret = CW_CTL_TABLE;
	if (cw_ctl_is_on(l, "json"))
		*ret = CW_CTL_JSON;
	if (cw_ctl_is_on(l, "ndjson"))
		*ret = CW_CTL_NDJSON;
	if (name && !cw_ctl_format_of(name, ret))
		return cw_ctl_usage(
			"--output \"%s\" must be table, json, ndjson, csv or name", name);
	return CW_EXIT_OK;
}

static bool only_shows(const struct cw_ctl_line *l)
{
	const struct cw_ctl_command *cmd = l->command;
	bool shows = cmd->op == CW_REST_OPS ? cmd->run == cw_ctl_run_doctor
					    : cw_rest_operation(cmd->op)->method == CW_REST_GET;

	return shows && cmd->run != cw_ctl_run_watch && cmd->run != cw_ctl_run_top &&
	       !cw_ctl_is_on(l, "follow");
}

static int show(struct cw_ctl *c, void *arg)
{
	(void) arg;
	return c->line->command->run(c);
}

static int run(struct cw_ctl_line *l)
{
	struct cw_ctl c = {.line = l, .now_s = cw_clock_now(&cw_system_clock).wall_s};
	enum cw_ctl_format format;
	int r = format_of(l, &format);

	if (r != CW_EXIT_OK)
		return r;
	cw_ctl_out_init(&c.out, stdout, format);
	c.out.quiet = cw_ctl_is_on(l, "quiet");
	if (cw_ctl_is_on(l, "watch")) {
		if (!only_shows(l))
			return cw_ctl_usage("--watch goes with what shows something and ends");
		r = cw_ctl_again(&c, WATCH_S, show, NULL);
	} else
		r = l->command->run(&c);
	cw_ctl_out_done(&c.out);
	c.http = cw_ctl_http_close(c.http);
	if (c.token)
		c.token = cw_free_secret(c.token, strlen(c.token));
	return r;
}

/* Sends who knows the command to its own help. */
static int wrong(const struct cw_ctl_line *l, const char *why)
{
	const struct cw_ctl_command *c = l->command;

	if (!c)
		return cw_ctl_usage("%s", why);
	cw_ctl_say("%s", why);
	(void) fprintf(stderr, "Try 'causewayctl %s%s%s --help'.\n", c->noun ? c->noun : "",
		c->noun ? " " : "", c->verb);
	return CW_EXIT_USAGE;
}

int main(int argc, char *argv[])
{
	static struct cw_ctl_line line;
	char why[512] = "";
	int r;

	(void) setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe): no thread yet */
	(void) signal(SIGPIPE, SIG_IGN);
	cw_json_init();
	if (cw_ctl_parse(argc - 1, (const char *const *) (argv + 1), &line, why, sizeof why) < 0)
		return wrong(&line, why);
	if (cw_ctl_is_on(&line, "version")) {
		cw_prog_version("causewayctl");
		return cw_prog_end("causewayctl", CW_EXIT_OK);
	}
	if (cw_ctl_is_on(&line, "help")) {
		if (line.command)
			cw_ctl_help_command(stdout, line.command);
		else if (line.noun)
			cw_ctl_help_noun(stdout, line.noun);
		else
			cw_ctl_help_all(stdout);
		return cw_prog_end("causewayctl", CW_EXIT_OK);
	}
	if (!line.command) {
		if (line.noun) {
			cw_ctl_help_noun(stderr, line.noun);
			return CW_EXIT_USAGE;
		}
		return cw_ctl_usage("a command is needed");
	}
	r = run(&line);
	if (fflush(stdout) != 0)
		(void) cw_ctl_out_failed(stdout);
	return cw_prog_end("causewayctl", r);
}
