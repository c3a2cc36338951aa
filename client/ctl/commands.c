/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of commands and flags, and command lines read by them. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "client/ctl/commands.h"
#include "client/ctl/run.h"
#include "schema/rest/queries.h"
#include "schema/rest/resources.h"

#define NONE               NULL
#define Q(name)            &cw_rest_query_##name##_object
#define B(name)            &cw_rest_##name##_object
#define CW_OP_REST_NOTHING CW_REST_OPS

const struct cw_ctl_command cw_ctl_commands[] = {
#define CW_CTL(noun_, verb_, op_, args_, query_, body_, columns_, flags_, streams_, run_, help_) \
	{.noun = (noun_),                                                                        \
		.verb = (verb_),                                                                 \
		.op = CW_OP_REST_##op_,                                                          \
		.args = (args_),                                                                 \
		.query = (query_),                                                               \
		.body = (body_),                                                                 \
		.columns = (columns_),                                                           \
		.flags = (flags_),                                                               \
		.streams = (streams_),                                                           \
		.run = cw_ctl_run_##run_,                                                        \
		.help = (help_)},
#include "client/ctl/commands.def"
#undef CW_CTL
	{.verb = NULL},
};

const struct cw_ctl_flag cw_ctl_flags[] = {
#define CW_CTL_FLAG(name_, letter_, argument_, member_, global_, help_) \
	{.name = (name_),                                               \
		.letter = (letter_),                                    \
		.argument = (argument_),                                \
		.member = (member_),                                    \
		.global = (global_),                                    \
		.help = (help_)},
#include "client/ctl/flags.def"
#undef CW_CTL_FLAG
	{.name = NULL},
};

enum { NEAR_MAX = 96, WORD_MAX = 64 };

bool cw_ctl_has_word(const char *list, const char *word, size_t n)
{
	while (list && *list) {
		size_t len = strcspn(list, " ,|");

		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len;
		list += strspn(list, " ,|");
	}
	return false;
}

const struct cw_rest_field *cw_ctl_field(
	const struct cw_rest_object *o, const char *member, size_t n)
{
	for (unsigned i = 0; o && i < o->n; i++) {
		const char *name = o->fields[i].name;

		if (strlen(name) == n && memcmp(name, member, n) == 0)
			return &o->fields[i];
	}
	return NULL;
}

bool cw_ctl_arg(const struct cw_ctl_command *c, unsigned i, struct cw_ctl_arg *ret)
{
	const char *s = c->args;

	for (;; i--) {
		size_t len = strcspn(s, " ");

		if (!len)
			return false;
		if (i) {
			s += len;
			s += strspn(s, " ");
			continue;
		}
		*ret = (struct cw_ctl_arg){.name = s, .n = len};
		if (s[0] == '[') {
			ret->optional = true;
			ret->name++;
			ret->n -= 2;
		}
		if (ret->n > 3 && memcmp(ret->name + ret->n - 3, "...", 3) == 0) {
			ret->several = true;
			ret->n -= 3;
		}
		return true;
	}
}

static bool is_arg(const struct cw_ctl_command *c, const char *member)
{
	struct cw_ctl_arg arg;

	for (unsigned i = 0; cw_ctl_arg(c, i, &arg); i++) {
		if (strlen(member) == arg.n && memcmp(member, arg.name, arg.n) == 0)
			return true;
	}
	return false;
}

bool cw_ctl_takes(const struct cw_ctl_command *c, const struct cw_ctl_flag *f)
{
	size_t n;

	if (f->global)
		return true;
	if (!c)
		return false;
	if (cw_ctl_has_word(c->flags, f->name, strlen(f->name)))
		return true;
	if (!f->member || is_arg(c, f->member))
		return false;
	n = strlen(f->member);
	return cw_ctl_field(c->query, f->member, n) || cw_ctl_field(c->body, f->member, n);
}

const struct cw_ctl_flag *cw_ctl_flag_of(const struct cw_ctl_command *c, const char *name, size_t n)
{
	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name; f++) {
		if (strlen(f->name) == n && memcmp(f->name, name, n) == 0 && cw_ctl_takes(c, f))
			return f;
	}
	return NULL;
}

const char *cw_ctl_value(const struct cw_ctl_line *l, const char *flag)
{
	for (size_t i = l->n_values; i > 0; i--) {
		if (strcmp(l->values[i - 1].flag->name, flag) == 0)
			return l->values[i - 1].text;
	}
	return NULL;
}

bool cw_ctl_is_on(const struct cw_ctl_line *l, const char *flag)
{
	for (size_t i = l->n_values; i > 0; i--) {
		if (strcmp(l->values[i - 1].flag->name, flag) == 0)
			return !l->values[i - 1].text || strcmp(l->values[i - 1].text, "true") == 0;
	}
	return false;
}

bool cw_ctl_first_of_noun(const struct cw_ctl_command *c)
{
	return c == cw_ctl_commands || !c->noun || !c[-1].noun || strcmp(c[-1].noun, c->noun) != 0;
}

/* ---- reading ---- */

/* "; did you mean X?", or nothing. */
static const char *meant(
	const char *word, const char *const *names, const char *dashes, char buf[static NEAR_MAX])
{
	const char *near = cw_conf_nearest(word, names);

	buf[0] = '\0';
	if (near)
		(void) snprintf(buf, NEAR_MAX, "; did you mean %s%s?", dashes, near);
	return buf;
}

static int bad_flag(
	const struct cw_ctl_line *l, const char *name, size_t n, char *why, size_t why_n)
{
	const char *names[128];
	char word[WORD_MAX], near[NEAR_MAX];
	size_t count = 0;

	for (const struct cw_ctl_flag *f = cw_ctl_flags; f->name && count < 127; f++) {
		if (cw_ctl_takes(l->command, f))
			names[count++] = f->name;
	}
	names[count] = NULL;
	(void) snprintf(word, sizeof word, "%.*s", (int) (n < WORD_MAX ? n : WORD_MAX - 1), name);
	(void) snprintf(why, why_n, "%s%s%s takes no flag --%s%s",
		l->noun      ? l->noun
		: l->command ? ""
			     : "causewayctl without a command",
		l->noun && l->verb ? " " : "", l->verb ? l->verb : "", word,
		meant(word, names, "--", near));
	return CW_E_SYNTAX;
}

static int add(struct cw_ctl_line *l, const struct cw_ctl_flag *f, const char *text, char *why,
	size_t why_n)
{
	if (!f->argument && text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
		(void) snprintf(why, why_n, "--%s is a switch: --%s or --%s=false", f->name,
			f->name, f->name);
		return CW_E_SYNTAX;
	}
	if (l->n_values == CW_CTL_VALUES_MAX) {
		(void) snprintf(why, why_n, "more than %d flags", CW_CTL_VALUES_MAX);
		return CW_E_SYNTAX;
	}
	l->values[l->n_values++] = (struct cw_ctl_value){.flag = f, .text = text};
	return 0;
}

/* argv[*at] is a flag; *at moves over its value. */
static int take_flag(
	struct cw_ctl_line *l, int argc, const char *const *argv, int *at, char *why, size_t why_n)
{
	const char *word = argv[*at], *text = NULL;
	const struct cw_ctl_flag *f = NULL;

	if (word[1] == '-') {
		size_t n = strcspn(word + 2, "=");

		f = cw_ctl_flag_of(l->command, word + 2, n);
		if (!f)
			return bad_flag(l, word + 2, n, why, why_n);
		if (word[2 + n] == '=')
			text = word + 3 + n;
	} else {
		for (const struct cw_ctl_flag *g = cw_ctl_flags; g->name && !f; g++) {
			if (g->letter == word[1] && cw_ctl_takes(l->command, g))
				f = g;
		}
		if (!f || (word[2] && !f->argument))
			return bad_flag(l, word + 1, strlen(word + 1), why, why_n);
		if (word[2])
			text = word + 2;
	}
	if (f->argument && !text) {
		if (*at + 1 >= argc) {
			(void) snprintf(why, why_n, "--%s needs a value behind it: %s", f->name,
				f->argument);
			return CW_E_SYNTAX;
		}
		text = argv[++*at];
	}
	return add(l, f, text, why, why_n);
}

/* A word of the command's name. */
static int take_name(struct cw_ctl_line *l, const char *word, char *why, size_t why_n)
{
	const char *names[128];
	char near[NEAR_MAX];
	bool noun = false;
	size_t n = 0;

	for (const struct cw_ctl_command *c = cw_ctl_commands; c->verb && n < 127; c++) {
		const char *name = l->noun ? c->verb : c->noun ? c->noun : c->verb;

		if (l->noun && (!c->noun || strcmp(c->noun, l->noun) != 0))
			continue;
		names[n++] = name;
		if (strcmp(name, word) != 0)
			continue;
		if (!l->noun && c->noun) {
			noun = true;
			continue;
		}
		l->command = c;
		l->verb = word;
		return 0;
	}
	names[n] = NULL;
	if (noun) {
		l->noun = word;
		return 0;
	}
	(void) snprintf(why, why_n,
		l->noun ? "%s has no command \"%s\"%s" : "%sno command is called \"%s\"%s",
		l->noun ? l->noun : "", word, meant(word, names, "", near));
	return CW_E_SYNTAX;
}

static int check_args(const struct cw_ctl_line *l, char *why, size_t why_n)
{
	struct cw_ctl_arg arg;
	size_t least = 0, most = 0;

	for (unsigned i = 0; cw_ctl_arg(l->command, i, &arg); i++) {
		least += !arg.optional;
		most = arg.several ? CW_CTL_ARGS_MAX : most + 1;
		if (l->n_args < least) {
			(void) snprintf(why, why_n, "%s%s%s needs %s%.*s", l->noun ? l->noun : "",
				l->noun ? " " : "", l->verb, l->n_args ? "also " : "", (int) arg.n,
				arg.name);
			return CW_E_SYNTAX;
		}
	}
	if (l->n_args <= most)
		return 0;
	(void) snprintf(why, why_n, "%s%s%s does not take \"%s\"", l->noun ? l->noun : "",
		l->noun ? " " : "", l->verb, l->args[most]);
	return CW_E_SYNTAX;
}

int cw_ctl_parse(
	int argc, const char *const *argv, struct cw_ctl_line *ret, char *why, size_t why_n)
{
	bool flags = true;
	int r = 0;

	memset(ret, 0, sizeof *ret);
	ret->args = ret->words;
	for (int i = 0; i < argc; i++) {
		if (flags && strcmp(argv[i], "--") == 0)
			flags = false;
		else if (flags && argv[i][0] == '-' && argv[i][1])
			r = take_flag(ret, argc, argv, &i, why, why_n);
		else if (!ret->command)
			r = take_name(ret, argv[i], why, why_n);
		else if (ret->n_args == CW_CTL_ARGS_MAX) {
			(void) snprintf(why, why_n, "more than %d words", CW_CTL_ARGS_MAX);
			r = CW_E_SYNTAX;
		} else
			ret->words[ret->n_args++] = argv[i];
		if (r < 0)
			return r;
	}
	if (!ret->command || cw_ctl_is_on(ret, "help"))
		return 0;
	return check_args(ret, why, why_n);
}
