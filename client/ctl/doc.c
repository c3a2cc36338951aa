/* SPDX-License-Identifier: BSD-2-Clause */
/* At build time: the lists of causewayctl(1) and the completions, from the tables of commands and flags. Not installed. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/prog.h"
#include "client/ctl/commands.h"

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

/* The noun whose list has what a flag or an argument names; NULL: none that is asked for while somebody types. */
static const char *names_of(const char *name, size_t n)
{
	static const char *const nouns[] = {"pool", "tep", "user", "job", "token", "reservation"};

	for (unsigned i = 0; i < CW_ARRAY_LEN(nouns); i++) {
		if (strlen(nouns[i]) == n && memcmp(nouns[i], name, n) == 0)
			return nouns[i];
	}
	return NULL;
}

static const char *flag_names(const struct cw_ctl_flag *f)
{
	return f->argument ? names_of(f->name, strlen(f->name)) : NULL;
}

static const char *arg_names(const struct cw_ctl_command *c, bool *ret_several)
{
	struct cw_ctl_arg arg;

	if (!cw_ctl_arg(c, 0, &arg))
		return NULL;
	*ret_several = arg.several;
	return names_of(arg.name, arg.n);
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

/* The lists of flags: the global ones, and all others. */
static void mdoc_flags(bool global)
{
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (f->global != global)
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
		(void) putchar('\n');
		if (global)
			mdoc_text(f->help);
		else {
			(void) putchar(toupper((unsigned char) f->help[0]));
			mdoc_text(f->help + 1);
		}
		(void) puts(".");
	}
}

/* Those of one command, in a sentence. */
static void mdoc_names(const struct cw_ctl_command *c)
{
	const char *before = "Flags:";

	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (f->global || !cw_ctl_takes(c, f))
			continue;
		(void) printf("%s \\-\\-", before);
		mdoc_text(f->name);
		before = "";
	}
	if (!*before)
		(void) puts(".");
}

static void mdoc_command(const struct cw_ctl_command *c)
{
	struct cw_ctl_arg arg;

	(void) printf(".It Cm %s%s%s", c->noun ? c->noun : "", c->noun ? " " : "", c->verb);
	for (unsigned i = 0; cw_ctl_arg(c, i, &arg); i++)
		(void) printf(" %sAr %.*s%s", arg.optional ? "Op " : "", (int) arg.n, arg.name,
			arg.several ? " ..." : "");
	(void) printf("\n%c", toupper((unsigned char) c->help[0]));
	mdoc_text(c->help + 1);
	(void) puts(".");
	mdoc_names(c);
}

/* ---- shells ---- */

/* Each flag that has a value behind it: those that say where the broker is and who asks, or the others. */
static void value_flags(const char *between, bool peer)
{
	const char *sep = "";

	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (!f->argument || cw_ctl_has_word("socket url ca cert key token-file", f->name,
					    strlen(f->name)) != peer)
			continue;
		(void) printf("%s--%s", sep, f->name);
		sep = between;
		if (f->letter)
			(void) printf("%s-%c", sep, f->letter);
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
		} else if (flag_names(f))
			(void) printf("\t\t_causewayctl_names %s\n", flag_names(f));
		(void) puts("\t\treturn\n\t\t;;");
	}
	(void) puts("\tesac");
}

static void bash_command(const struct cw_ctl_command *c)
{
	bool several = false;

	if (cw_ctl_first_of_noun(c))
		(void) printf("\t%s)\n", c->noun ? c->noun : c->verb);
	if (cw_ctl_first_of_noun(c) && c->noun) {
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
	(void) printf("\"%s", takes_file(c) ? " files=yes" : "");
	if (c->noun && arg_names(c, &several)) {
		(void) printf(" names=%s", arg_names(c, &several));
		if (!several)
			(void) fputs("${words[2]+-}", stdout);
	}
	(void) puts(c->noun ? " ;;" : "");
	if (c->noun && (!c[1].verb || !c[1].noun || cw_ctl_first_of_noun(c + 1)))
		(void) puts("\t\tesac");
	if (!c->noun || !c[1].verb || !c[1].noun || cw_ctl_first_of_noun(c + 1))
		(void) puts("\t\t;;");
}

static void bash(void)
{
	(void) fputs(
		"# SPDX-License-Identifier: BSD-2-Clause\n# shellcheck shell=bash disable=SC2269\n"
		"# Completion of causewayctl(1) for bash, made from its tables of commands and flags.\n\n"
		"# What there is on the broker: the names that begin like the word.\n"
		"_causewayctl_names() {\n"
		"\tlocal name\n"
		"\twhile IFS= read -r name; do\n"
		"\t\tcase $name in\n"
		"\t\t\"$cur\"*) COMPREPLY+=(\"$(printf %q \"$name\")\") ;;\n"
		"\t\tesac\n"
		"\tdone < <(\"${COMP_WORDS[0]}\" \"${peer[@]}\" --timeout 2 \"$1\" list -o name 2>/dev/null </dev/null)\n"
		"}\n\n"
		"_causewayctl() {\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} first second flags skip='' files='' names='' word\n"
		"\tlocal -a words peer\n"
		"\tCOMPREPLY=()\n"
		"\tif [ \"$cur\" = = ]; then\n"
		"\t\tcur=\n"
		"\telif [ \"$prev\" = = ] && [ \"$COMP_CWORD\" -gt 2 ]; then\n"
		"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
		"\tfi\n"
		"\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
		"\t\tif [ \"$word\" = = ]; then\n"
		"\t\t\tskip=${skip:-yes}\n"
		"\t\t\tcontinue\n"
		"\t\tfi\n"
		"\t\tif [ \"$skip\" ]; then\n"
		"\t\t\t[ \"$skip\" = yes ] || peer+=(\"$skip\" \"$word\")\n"
		"\t\t\tskip=\n"
		"\t\t\tcontinue\n"
		"\t\tfi\n"
		"\t\tcase $word in\n"
		"\t\t",
		stdout);
	value_flags(" | ", true);
	(void) fputs(") skip=$word ;;\n\t\t", stdout);
	value_flags(" | ", false);
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
		if (cw_ctl_first_of_noun(c))
			(void) printf("%s ", c->noun ? c->noun : c->verb);
	}
	(void) puts("$flags\"\n\t\t;;");
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++)
		bash_command(c);
	(void) puts(
		"\tesac\n"
		"\tif [ \"$files\" ] && [ \"${cur#-}\" = \"$cur\" ]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		"\telif [ \"$names\" ] && [ \"${names%-}\" = \"$names\" ] && [ \"${cur#-}\" = \"$cur\" ]; then\n"
		"\t\t_causewayctl_names \"$names\"\n"
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

static void zsh_spelling(const struct cw_ctl_flag *f, const char *dashes, const char *name)
{
	(void) printf("\t\t\t'*%s%s[", dashes, name);
	quote(f->help, "[]:\\");
	(void) putchar(']');
	if (is_file(f))
		(void) fputs(":file:_files", stdout);
	else if (words(f)) {
		(void) fputs(":word:(", stdout);
		put_words(f->argument);
		(void) putchar(')');
	} else if (flag_names(
			   f)) /* the blank keeps _arguments from putting words before the name */
		(void) printf(":%s: _causewayctl_names %s", f->name, flag_names(f));
	else if (f->argument)
		(void) fputs(":value:", stdout);
	(void) puts("'");
}

static void zsh_flag(const struct cw_ctl_flag *f)
{
	const char letter[2] = {f->letter, '\0'};

	zsh_spelling(f, "--", f->name);
	if (f->letter)
		zsh_spelling(f, "-", letter);
}

static void zsh_command(const struct cw_ctl_command *c)
{
	bool several = false;
	const char *names = arg_names(c, &several);

	(void) printf("\t'%s %s'%s)\n\t\tnamed=%d\n\t\tflags+=(\n", c->noun ? c->noun : c->verb,
		c->noun ? c->verb : "", c->noun ? "" : "*", c->noun ? 2 : 1);
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (!f->global && cw_ctl_takes(c, f))
			zsh_flag(f);
	}
	(void) puts("\t\t)");
	if (takes_file(c))
		(void) puts("\t\trest='*:file:_files'");
	else if (names && several)
		(void) printf("\t\trest='*:%s: _causewayctl_names %s'\n", names, names);
	else if (names)
		(void) printf("\t\tflags+=('1:%s: _causewayctl_names %s')\n", names, names);
	(void) puts("\t\t;;");
}

static void zsh(void)
{
	(void) fputs(
		"#compdef causewayctl\n# SPDX-License-Identifier: BSD-2-Clause\n"
		"# Completion of causewayctl(1) for zsh, made from its tables of commands and flags.\n\n"
		"# What there is on the broker.\n"
		"_causewayctl_names() {\n\tlocal -a names\n"
		"\tnames=(${(f)\"$(command causewayctl $peer --timeout 2 $1 list -o name 2>/dev/null </dev/null)\"})\n"
		"\tcompadd -a names\n}\n\n"
		"_causewayctl() {\n\tlocal -a commands flags plain at peer\n\tlocal word skip rest='*: : true'\n\tinteger i named=0\n"
		"\tfor ((i = 2; i < CURRENT; i++)); do\n\t\tword=$words[i]\n"
		"\t\tif [[ -n $skip ]]; then\n\t\t\t[[ $skip == yes ]] || peer+=($skip $word)\n"
		"\t\t\tskip=\n\t\t\tcontinue\n\t\tfi\n\t\tcase $word in\n"
		"\t\t(--socket=*|--url=*|--ca=*|--cert=*|--key=*|--token-file=*) peer+=($word) ;;\n\t\t(",
		stdout);
	value_flags("|", true);
	(void) fputs(") skip=$word ;;\n\t\t(", stdout);
	value_flags("|", false);
	(void) puts(
		") skip=yes ;;\n\t\t(-*) ;;\n\t\t(*)\n\t\t\tplain+=(\"$word\")\n\t\t\tat+=($i)\n\t\t\t;;\n"
		"\t\tesac\n\tdone\n\tflags=(");
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (f->global)
			zsh_flag(f);
	}
	(void) puts(
		"\t)\n\tif (($#plain == 0)) && [[ -z $skip && $words[CURRENT] != -* ]]; then\n\t\tcommands=(");
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		if (cw_ctl_first_of_noun(c)) {
			(void) printf("\t\t\t'%s:", c->noun ? c->noun : c->verb);
			quote(c->help, "");
			(void) puts("'");
		}
	}
	(void) puts(
		"\t\t)\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tif (($#plain == 1)) && [[ -z $skip && $words[CURRENT] != -* ]]; then\n"
		"\t\tcase $plain[1] in");
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++) {
		if (!c->noun)
			continue;
		if (cw_ctl_first_of_noun(c))
			(void) printf("\t\t%s)\n\t\t\tcommands=(\n", c->noun);
		(void) printf("\t\t\t\t'%s:", c->verb);
		quote(c->help, "");
		(void) puts("'");
		if (!c[1].noun || cw_ctl_first_of_noun(c + 1))
			(void) puts(
				"\t\t\t)\n\t\t\t_describe command commands\n\t\t\treturn\n\t\t\t;;");
	}
	(void) puts("\t\tesac\n\tfi\n\tcase \"$plain[1] $plain[2]\" in");
	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++)
		zsh_command(c);
	/* The command's own words are no arguments. */
	(void) puts("\tesac\n\t((named == 2)) && words[at[2]]=()\n\t((named)) && words[at[1]]=()\n"
		    "\t((CURRENT -= named))\n\t_arguments $flags $rest\n}\n\n_causewayctl \"$@\"");
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
	else if (flag_names(f))
		(void) printf(" -x -a '(__causewayctl_names %s)'", flag_names(f));
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
	bool several = false;

	(void) fputs(
		"# SPDX-License-Identifier: BSD-2-Clause\n"
		"# Completion of causewayctl(1) for fish, made from its tables of commands and flags.\n"
		"function __causewayctl_names --description 'what there is on the broker'\n"
		"    set -l peer\n    set -l take no\n    set -l all (commandline -opc)\n"
		"    for word in $all[2..-1]\n        if test $take = yes\n            set take no\n"
		"            set -a peer $word\n            continue\n        end\n        switch $word\n"
		"            case ",
		stdout);
	value_flags(" ", true);
	(void) puts(
		"\n                set take yes\n                set -a peer $word\n"
		"            case '--socket=*' '--url=*' '--ca=*' '--cert=*' '--key=*' '--token-file=*'\n"
		"                set -a peer $word\n        end\n    end\n"
		"    command -q causewayctl; and command causewayctl $peer --timeout 2 $argv[1] list -o name 2>/dev/null </dev/null\n"
		"end\n"
		"function __causewayctl_at --description 'the words so far that are no flags'\n"
		"    set -l got\n    set -l skip no\n    set -l all (commandline -opc)\n"
		"    for word in $all[2..-1]\n        if test $skip = yes\n            set skip no\n"
		"            continue\n        end\n        switch $word");
	(void) fputs("            case ", stdout);
	value_flags(" ", true);
	(void) fputs(" ", stdout);
	value_flags(" ", false);
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

		if (cw_ctl_first_of_noun(c)) {
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
		else if (arg_names(c, &several))
			(void) printf("complete -c causewayctl%s -a '(__causewayctl_names %s)'\n",
				when, arg_names(c, &several));
	}
}

int main(int argc, char *argv[])
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "mdoc-commands") == 0) {
		for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb; c++)
			mdoc_command(c);
	} else if (strcmp(what, "mdoc-flags") == 0)
		mdoc_flags(true);
	else if (strcmp(what, "mdoc-own-flags") == 0)
		mdoc_flags(false);
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
