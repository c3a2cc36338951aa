/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of base/conf share and nobody else includes: the scanned form of a configuration
 * file. conf_scan.c finds sections, options, lines and every mistake of form (conf_advice.c words
 * some); conf.c has the values decoded and judged; conf_print.c writes samples. Thread: one at a
 * time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/conf.h"

/* A file of garbage must not become a larger one of complaints. */
#define CW_CONF_MAX_PROBLEMS 1000

/* A value as written: a quoted string with its quotes, or a bare word. Points into the file's text.
 */
struct cw_conf_value {
	const char *p;
	size_t n;
	int line;
};

/* One assignment. */
struct cw_conf_item {
	const struct cw_conf_opt *opt;
	int line;
	bool broken; /* a mistake of form was reported: the values are not looked at */
	struct cw_conf_value *values;
	unsigned count;
	char **texts;   /* decoded values, `count` of them */
	int64_t number; /* INT, BOOL */
};

struct cw_conf_section {
	const struct cw_conf *conf;
	const struct cw_conf_section_kind *kind; /* NULL: the top level */
	char *title;                             /* NULL: untitled */
	int line;                                /* 0: not written, stands for the defaults */
	bool dropped;                            /* a repetition, scanned only for its mistakes */
	struct cw_conf_item *items;
	unsigned count;
};

struct cw_conf_problem {
	int line;
	unsigned order; /* of finding, among problems of one line */
	char *text;
};

struct cw_conf {
	const struct cw_conf_schema *schema;
	char *path;
	char hash[CW_CONF_HASH_STRLEN];
	const char *const *names; /* of lines; NULL: they are told by number */
	unsigned n_names;
	struct cw_conf_section *
		*sections; /* the top level first; absent untitled kinds are in it */
	unsigned count;
	struct cw_conf_problem *problems;
	unsigned problem_count;
	bool no_memory; /* sticky */
};

/* Finds all sections and assignments of text, which must outlive the values' use. */
void cw_conf_scan(struct cw_conf *c, const char *text, size_t n);
/* A piece of the file fit for a message: printable, cut; returns buf. */
#define CW_CONF_SHOWN 64
char *cw_conf_show(const char *p, size_t n, char buf[static CW_CONF_SHOWN]);
/* The n-th option of a section kind (NULL: top level), NULL at the end. */
const struct cw_conf_opt *cw_conf_kind_opt(
	const struct cw_conf_schema *schema, const struct cw_conf_section_kind *kind, unsigned n);
/* The problem of a name, n octets at p, that is no option of the section `in`, or no section. */
void cw_conf_unknown_option(
	struct cw_conf *c, const struct cw_conf_section *in, const char *p, size_t n, int line);
void cw_conf_unknown_section(struct cw_conf *c, const char *p, size_t n, int line);
