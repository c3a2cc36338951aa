/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of causewayctl and their flags: one table each (commands.def, flags.def), from which the command line is
 * read and help, manual page and completions are written. No I/O here. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "schema/rest/fields.h"
#include "schema/rest/route.h"

struct cw_ctl;

struct cw_ctl_flag {
	const char *name;     /* without dashes */
	const char *argument; /* NULL: a switch */
	const char *member;   /* of a body or a query */
	const char *help;
	char letter; /* 0: none */
	bool global;
};

struct cw_ctl_command {
	const char *noun; /* NULL: the verb alone */
	const char *verb;
	enum cw_rest_op op; /* CW_REST_OPS: none */
	const char *args;
	const struct cw_rest_object *query, *body; /* NULL: none */
	const char *columns, *flags, *streams;
	int (*run)(struct cw_ctl *c);
	const char *help;
};

extern const struct cw_ctl_command cw_ctl_commands[]; /* verb NULL at the end */
extern const struct cw_ctl_flag cw_ctl_flags[];       /* name NULL at the end */

/* What a command line says. Texts are those of argv. */
enum { CW_CTL_ARGS_MAX = 4096, CW_CTL_VALUES_MAX = 512 };
struct cw_ctl_line {
	const struct cw_ctl_command *command; /* NULL: none, only flags or help */
	const char *noun, *verb;              /* as they were typed */
	const char *const *args;              /* n_args of them, borrowed from `words` */
	size_t n_args;
	struct cw_ctl_value {
		const struct cw_ctl_flag *flag;
		const char *text; /* NULL: a switch without a value */
	} values[CW_CTL_VALUES_MAX];
	size_t n_values;
	const char *words[CW_CTL_ARGS_MAX];
};

/* argv without the program's name. 0, or CW_E_SYNTAX: *why says what is wrong. */
int cw_ctl_parse(int argc, const char *const *argv, struct cw_ctl_line *ret, char *why,
	size_t why_n) CW_MUST_CHECK;

/* The flag as the command takes it; NULL: it does not. command NULL: the global ones. */
const struct cw_ctl_flag *cw_ctl_flag_of(
	const struct cw_ctl_command *c, const char *name, size_t n) CW_PURE;
bool cw_ctl_takes(const struct cw_ctl_command *c, const struct cw_ctl_flag *f) CW_PURE;
/* The field of a table behind a flag; NULL: none. */
const struct cw_rest_field *cw_ctl_field(
	const struct cw_rest_object *o, const char *member, size_t n) CW_PURE;
/* Of the table: the first line of its noun, or one without a noun. */
bool cw_ctl_first_of_noun(const struct cw_ctl_command *c) CW_PURE;
/* Whether the word is one of a list that blanks, commas or bars separate. */
bool cw_ctl_has_word(const char *list, const char *word, size_t n) CW_PURE;

/* The i-th argument of a command: its name and how many may stand there. false: it has no such. */
struct cw_ctl_arg {
	const char *name;
	size_t n;
	bool optional, several;
};
bool cw_ctl_arg(const struct cw_ctl_command *c, unsigned i, struct cw_ctl_arg *ret);

/* The last value of a flag; NULL: it was not given (or is a switch). */
const char *cw_ctl_value(const struct cw_ctl_line *l, const char *flag) CW_PURE;
/* A switch: given and not =false. */
bool cw_ctl_is_on(const struct cw_ctl_line *l, const char *flag) CW_PURE;
