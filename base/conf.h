/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file (libconfuse behind it, and only here): a table of sections and options in,
 * typed values out. Every problem is reported with file, line, what is wrong and what would be
 * right; all of them, not the first. Thread: one at a time (the scanner of libconfuse is global).
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/defs.h"

enum cw_conf_type { CW_CONF_STR, CW_CONF_INT, CW_CONF_BOOL, CW_CONF_LIST };

/* One option. `check` gets each value as text (each element of a list): 0, or < 0 with *ret_want
 * set to a static text of what would be right ("an IPv4 prefix such as 198.51.100.0/24"). */
struct cw_conf_opt {
	const char *section; /* NULL: top level */
	const char *name;
	enum cw_conf_type type;
	const char *def;  /* default as text (lists: NULL or one element); NULL: none */
	int64_t min, max; /* INT only; both 0: no bound */
	int (*check)(const char *value, const char **ret_want); /* or NULL */
	const char *help; /* one sentence for the sample file and the manual page */
};

/* A section kind: `name { .. }` once, or `name "title" { .. }` many times. */
struct cw_conf_section_kind {
	const char *name;
	bool titled;
	const char *help;
};

struct cw_conf;         /* a parsed file */
struct cw_conf_section; /* one section of it, or the top level */

struct cw_conf_schema {
	const struct cw_conf_section_kind *sections; /* ends with name == NULL */
	const struct cw_conf_opt *opts;              /* ends with name == NULL */
	/* What one value alone does not show (ranges that overlap): looks at a whole file, also one
	 * that has other problems, and reports with cw_conf_problem(). Values that failed their own
	 * check are there as written: pass over what does not parse. Options of a broken form give
	 * NULL, 0 or an empty list, and repeated sections are left out. May be NULL. */
	void (*verify)(struct cw_conf *c);
	/* Give *ret also for a text with problems, to be looked at together with another one. What
	 * it holds is as in verify. */
	bool give_broken;
};

/* For verify: one more problem at a line. */
void cw_conf_problem(struct cw_conf *c, int line, const char *fmt, ...) CW_PRINTF(3, 4);

/* Reads and checks `path`. Problems go to `err` one a line as "FILE:LINE: text", in the order of
 * lines; returns their number (0 = good and *ret is given; see give_broken), or -errno if the file
 * cannot be read at all (also reported). Refuses: unknown sections and options, repeated options,
 * repeated untitled sections and titles, wrong types, out of range, failed checks, a section, list,
 * string or comment that is not closed. The schema is borrowed until cw_conf_free(). */
int cw_conf_load(const char *path, const struct cw_conf_schema *schema, FILE *err,
	struct cw_conf **ret) CW_MUST_CHECK;
/* The same for n octets in memory; `path` is only the name for messages. */
int cw_conf_parse(const char *path, const char *text, size_t n, const struct cw_conf_schema *schema,
	FILE *err, struct cw_conf **ret) CW_MUST_CHECK;
/* The same for a text made from a command line, one flag a line: messages name the i-th line by the
 * i-th of names ("--mtu: ...") instead of by file and line. names: borrowed until cw_conf_free(). */
int cw_conf_parse_flags(const char *const *names, unsigned n_names, const char *text, size_t n,
	const struct cw_conf_schema *schema, FILE *err, struct cw_conf **ret) CW_MUST_CHECK;
/* The one of names (NULL ends them) that `word` was probably meant to be; NULL: none is close. */
const char *cw_conf_nearest(const char *word, const char *const *names);
struct cw_conf *cw_conf_free(struct cw_conf *c);
const struct cw_conf_section *cw_conf_top(const struct cw_conf *c); /* borrowed, as all below */
/* The untitled section, or the i-th titled one in the order of the file; NULL if there is none. An
 * untitled section that is not written is there all the same (line 0) and gives the defaults:
 * whether it was written says cw_conf_has(). */
const struct cw_conf_section *cw_conf_section(
	const struct cw_conf *c, const char *kind, unsigned i);
/* How many sections of a kind the file has, and whether any. */
unsigned cw_conf_section_count(const struct cw_conf *c, const char *kind);
bool cw_conf_has(const struct cw_conf *c, const char *kind);
/* Getters. Value in the file, else the schema's default, else NULL, 0, false, an empty list. `name`
 * must be an option of this section in the schema. A NULL section gives NULL, 0, false. */
const char *cw_conf_title(const struct cw_conf_section *s);
int cw_conf_line(const struct cw_conf_section *s); /* where the section starts; 0: not written */
bool cw_conf_is_set(const struct cw_conf_section *s, const char *name); /* written in the file */
/* Line of an option in the file, 0 if not written; for problems found after loading. */
int cw_conf_opt_line(const struct cw_conf_section *s, const char *name);
const char *cw_conf_path(const struct cw_conf *c);
/* SHA-256 of the text as it was read, in hexadecimal. */
#define CW_CONF_HASH_STRLEN 65
const char *cw_conf_hash(const struct cw_conf *c);
/* A value as text, whatever its type: as it could stand in the file, lists as `{ "a", "b" }`. Given;
 * NULL: no memory. Neither set nor with a default: "". */
char *cw_conf_value_text(
	const struct cw_conf_section *s, const struct cw_conf_opt *opt) CW_MUST_CHECK;
const char *cw_conf_str(
	const struct cw_conf_section *s, const char *name); /* NULL: not set, no default */
int64_t cw_conf_int(const struct cw_conf_section *s, const char *name);
bool cw_conf_bool(const struct cw_conf_section *s, const char *name);
unsigned cw_conf_list_count(const struct cw_conf_section *s, const char *name);
const char *cw_conf_list_get(const struct cw_conf_section *s, const char *name, unsigned i);
/* Line of one element, 0 if not written. */
int cw_conf_list_line(const struct cw_conf_section *s, const char *name, unsigned i);
/* The commented sample file of a schema to `out` (contrib's sample and conf(5) are made from it).
 */
void cw_conf_print_sample(const struct cw_conf_schema *schema, FILE *out);
/* The OPTIONS part of a conf(5) page in mdoc to `out`. */
void cw_conf_print_mdoc(const struct cw_conf_schema *schema, FILE *out);
