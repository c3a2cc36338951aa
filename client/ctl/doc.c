/* SPDX-License-Identifier: BSD-2-Clause */
/* At build time: the lists of causewayctl(1) and the completions, from the tables of commands and flags. Not installed. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/prog.h"
#include "client/ctl/commands.h"

static bool first_of_noun(const struct cw_ctl_command *c)
{
	return c == cw_ctl_commands || !c->noun || !c[-1].noun || strcmp(c[-1].noun, c->noun) != 0;
}

static bool is_file(const struct cw_ctl_flag *f)
{
	return f->argument && strcmp(f->argument, "FILE") == 0;
}

/* The words a value is one of; NULL: it is free. */
static const char *words(const struct cw_ctl_flag *f)
{
	return f->argument && strchr(f->argument, '|') ? f->argument : NULL;
}

static bool takes_file(const struct cw_ctl_command *c)
{
	struct cw_ctl_arg arg;

	return cw_ctl_arg(c, 0, &arg) && arg.n == 4 && memcmp(arg.name, "file", 4) == 0;
}

static void put_words(const char *list)
{
	for (; *list; list++)
		(void) putchar(*list == '|' ? ' ' : *list);
}

/* ---- mdoc ---- */

static void mdoc_text(const char *s)
{
	if (*s == '.' || *s == '\'')
		(void) fputs("\\&", stdout);
	for (; *s; s++) {
		if (*s == '\\')
			(void) fputs("\\e", stdout);
		else if (*s == '-')
			(void) fputs("\\-", stdout);
		else
			(void) putchar(*s);
	}
}

static void mdoc_flags(const struct cw_ctl_command *c)
{
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (f->global != !c || !cw_ctl_takes(c, f))
			continue;
		(void) fputs(c ? " " : ".It ", stdout);
		if (c) { /* in a sentence */
			(void) printf("\\-\\-");
			mdoc_text(f->name);
			continue;
		}
		if (f->letter)
			(void) printf("Fl %c , ", f->letter);
		(void) fputs("Fl \\-", stdout);
		mdoc_text(f->name);
		if (f->argument) {
			(void) fputs(" Ar ", stdout);
			mdoc_text(f->argument);
		}
		(void) putchar('\n');
		mdoc_text(f->help);
		(void) puts(".");
	}
}

static void mdoc_command(const struct cw_ctl_command *c)
{
	struct cw_ctl_arg arg;
	bool own = false;

	(void) printf(".It Cm %s%s%s", c->noun ? c->noun : "", c->noun ? " " : "", c->verb);
	for (unsigned i = 0; cw_ctl_arg(c, i, &arg); i++)
		(void) printf(" %sAr %.*s%s", arg.optional ? "Op " : "", (int) arg.n, arg.name,
			arg.several ? " ..." : "");
	(void) printf("\n%c", toupper((unsigned char) c->help[0]));
	mdoc_text(c->help + 1);
	(void) puts(".");
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++)
		own = own || (!f->global && cw_ctl_takes(c, f));
	if (!own)
		return;
	(void) fputs("Flags:", stdout);
	mdoc_flags(c);
	(void) puts(".");
}

static void mdoc_own_flags(void)
{
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (f->global)
			continue;
		(void) fputs(".It ", stdout);
		if (f->letter)
			(void) printf("Fl %c , ", f->letter);
		(void) fputs("Fl \\-", stdout);
		mdoc_text(f->name);
		if (f->argument) {
			(void) fputs(" Ar ", stdout);
			mdoc_text(f->argument);
		}
		(void) printf("\n%c", toupper((unsigned char) f->help[0]));
		mdoc_text(f->help + 1);
		(void) puts(".");
	}
}

/* ---- shells ---- */

/* Each flag that has a value behind it. */
static void value_flags(const char *before)
{
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (!f->argument)
			continue;
		(void) printf("%s--%s", before, f->name);
		if (f->letter)
			(void) printf("%s-%c", before, f->letter);
	}
}

static void bash_values(void)
{
	(void) puts("\tcase $prev in");
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (!f->argument)
			continue;
		(void) printf("\t--%s", f->name);
		if (f->letter)
			(void) printf(" | -%c", f->letter);
		(void) puts(")");
		if (is_file(f))
			(void) puts("\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")");
		else if (words(f)) {
			(void) fputs("\t\tmapfile -t COMPREPLY < <(compgen -W \"", stdout);
			put_words(f->argument);
			(void) puts("\" -- \"$cur\")");
		}
		(void) puts("\t\treturn\n\t\t;;");
	}
	(void) puts("\tesac");
}

static void bash(void)
{
	(void) puts(
		"# SPDX-License-Identifier: BSD-2-Clause\n# shellcheck shell=bash disable=SC2269\n"
		"# Completion of causewayctl(1) for bash, made from its tables of commands and flags.\n\n"
		"_causewayctl() {\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} first second flags skip='' files='' word\n"
		"\tlocal -a words\n"
		"\tCOMPREPLY=()\n"
		"\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
		"\t\tif [ \"$skip\" ]; then\n"
		"\t\t\tskip=\n"
		"\t\t\tcontinue\n"
		"\t\tfi\n"
		"\t\tcase $word in");
	(void) fputs("\t\t'='", stdout);
	value_flags(" | ");
	(void) puts(") skip=yes ;;\n\t\t-*) ;;\n\t\t*) words+=(\"$word\") ;;\n\t\tesac\n\tdone\n"
		    "\tfirst=${words[0]-} second=${words[1]-}");
	bash_values();
	(void) fputs("\tflags=\"", stdout);
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (f->global)
			(void) printf(" --%s", f->name);
	}
	(void) fputs("\"\n\tcase $first in\n\t'')\n\t\tflags=\"", stdout);
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		if (first_of_noun(c))
			(void) printf("%s ", c->noun ? c->noun : c->verb);
	}
	(void) puts("$flags\"\n\t\t;;");
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		if (first_of_noun(c))
			(void) printf("\t%s)\n", c->noun ? c->noun : c->verb);
		if (first_of_noun(c) && c->noun) {
			(void) puts("\t\tcase $second in");
			(void) fputs("\t\t'') flags=\"", stdout);
			for (const struct cw_ctl_command *d = c;
				d->verb && d->noun && strcmp(d->noun, c->noun) == 0; d++)
				(void) printf("%s ", d->verb);
			(void) puts("$flags\" ;;");
		}
		(void) printf(c->noun ? "\t\t%s) flags=\"$flags" : "\t\tflags=\"$flags", c->verb);
		for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
			if (!f->global && cw_ctl_takes(c, f))
				(void) printf(" --%s", f->name);
		}
		(void) printf("\"%s%s\n", takes_file(c) ? " files=yes" : "", c->noun ? " ;;" : "");
		if (c->noun && (!c[1].verb || !c[1].noun || first_of_noun(c + 1)))
			(void) puts("\t\tesac");
		if (!c->noun || !c[1].verb || !c[1].noun || first_of_noun(c + 1))
			(void) puts("\t\t;;");
	}
	(void) puts("\tesac\n"
		    "\tif [ \"$files\" ] && [ \"${cur#-}\" = \"$cur\" ]; then\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		    "\telse\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$cur\")\n"
		    "\tfi\n}\n"
		    "complete -F _causewayctl causewayctl");
}

/* In single quotes, for zsh and fish. */
static void quote(const char *s, const char *special)
{
	for (; *s; s++) {
		if (*s == '\'')
			(void) fputs("'\\''", stdout);
		else {
			if (strchr(special, *s))
				(void) putchar('\\');
			(void) putchar(*s);
		}
	}
}

static void zsh_flag(const struct cw_ctl_flag *f)
{
	(void) printf("\t\t\t'*--%s[", f->name);
	quote(f->help, "[]:\\");
	(void) putchar(']');
	if (is_file(f))
		(void) fputs(":file:_files", stdout);
	else if (words(f)) {
		(void) fputs(":word:(", stdout);
		put_words(f->argument);
		(void) putchar(')');
	} else if (f->argument)
		(void) fputs(":value:", stdout);
	(void) puts("'");
}

static void zsh(void)
{
	(void) puts(
		"#compdef causewayctl\n# SPDX-License-Identifier: BSD-2-Clause\n"
		"# Completion of causewayctl(1) for zsh, made from its tables of commands and flags.\n\n"
		"_causewayctl() {\n\tlocal -a commands flags\n\tflags=(");
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (f->global)
			zsh_flag(f);
	}
	(void) puts("\t)\n\tif ((CURRENT == 2)); then\n\t\tcommands=(");
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		if (first_of_noun(c)) {
			(void) printf("\t\t\t'%s:", c->noun ? c->noun : c->verb);
			quote(c->help, "");
			(void) puts("'");
		}
	}
	(void) puts(
		"\t\t)\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tif ((CURRENT == 3)); then\n"
		"\t\tcase $words[2] in");
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		if (!c->noun)
			continue;
		if (first_of_noun(c))
			(void) printf("\t\t%s)\n\t\t\tcommands=(\n", c->noun);
		(void) printf("\t\t\t\t'%s:", c->verb);
		quote(c->help, "");
		(void) puts("'");
		if (!c[1].noun || first_of_noun(c + 1))
			(void) puts(
				"\t\t\t)\n\t\t\t_describe command commands\n\t\t\treturn\n\t\t\t;;");
	}
	(void) puts("\t\tesac\n\tfi\n\tcase \"$words[2] $words[3]\" in");
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		(void) printf("\t'%s %s'%s)\n\t\tflags+=(\n", c->noun ? c->noun : c->verb,
			c->noun ? c->verb : "", c->noun ? "" : "*");
		for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
			if (!f->global && cw_ctl_takes(c, f))
				zsh_flag(f);
		}
		if (takes_file(c))
			(void) puts("\t\t\t'*:file:_files'");
		(void) puts("\t\t)\n\t\t;;");
	}
	(void) puts("\tesac\n\t_arguments $flags\n}\n\n_causewayctl \"$@\"");
}

static void fish_text(const char *s)
{
	for (; *s; s++)
		(void) printf(*s == '\'' || *s == '\\' ? "\\%c" : "%c", *s);
}

static void fish_flag(const char *when, const struct cw_ctl_flag *f)
{
	(void) printf("complete -c causewayctl%s -l %s", when, f->name);
	if (f->letter)
		(void) printf(" -s %c", f->letter);
	if (is_file(f))
		(void) fputs(" -r -F", stdout);
	else if (words(f)) {
		(void) fputs(" -x -a '", stdout);
		put_words(f->argument);
		(void) putchar('\'');
	} else if (f->argument)
		(void) fputs(" -x", stdout);
	(void) fputs(" -d '", stdout);
	fish_text(f->help);
	(void) puts("'");
}

static void fish(void)
{
	(void) puts(
		"# SPDX-License-Identifier: BSD-2-Clause\n"
		"# Completion of causewayctl(1) for fish, made from its tables of commands and flags.\n"
		"function __causewayctl_at --description 'the words so far that are no flags'\n"
		"    set -l got\n    set -l skip no\n    set -l all (commandline -opc)\n"
		"    for word in $all[2..-1]\n        if test $skip = yes\n            set skip no\n"
		"            continue\n        end\n        switch $word");
	(void) fputs("            case", stdout);
	value_flags(" ");
	(void) puts("\n                set skip yes\n            case '-*'\n            case '*'\n"
		    "                set -a got $word\n        end\n    end\n"
		    "    test \"$got[1] $got[2]\" = \"$argv[1] $argv[2]\"\nend\n"
		    "complete -c causewayctl -f");
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (f->global)
			fish_flag("", f);
	}
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		char when[128];

		if (first_of_noun(c)) {
			(void) printf("complete -c causewayctl -n '__causewayctl_at' -a %s -d '",
				c->noun ? c->noun : c->verb);
			fish_text(c->noun ? "" : c->help);
			(void) puts("'");
		}
		if (c->noun) {
			(void) printf("complete -c causewayctl -n '__causewayctl_at %s' -a %s -d '",
				c->noun, c->verb);
			fish_text(c->help);
			(void) puts("'");
		}
		(void) snprintf(when, sizeof when, " -n '__causewayctl_at %s%s%s'",
			c->noun ? c->noun : c->verb, c->noun ? " " : "", c->noun ? c->verb : "");
		for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
			if (!f->global && cw_ctl_takes(c, f))
				fish_flag(when, f);
		}
		if (takes_file(c))
			(void) printf("complete -c causewayctl%s -F\n", when);
	}
}

int main(int argc, char *argv[])
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "mdoc-commands") == 0) {
		for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++)
			mdoc_command(c);
	} else if (strcmp(what, "mdoc-flags") == 0)
		mdoc_flags(NULL);
	else if (strcmp(what, "mdoc-own-flags") == 0)
		mdoc_own_flags();
	else if (strcmp(what, "bash") == 0)
		bash();
	else if (strcmp(what, "zsh") == 0)
		zsh();
	else if (strcmp(what, "fish") == 0)
		fish();
	else
		return cw_prog_usage(
			"doc", "mdoc-commands, mdoc-flags, mdoc-own-flags, bash, zsh or fish");
	return cw_prog_end("doc", 0);
}
