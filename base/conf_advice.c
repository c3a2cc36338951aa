/* SPDX-License-Identifier: BSD-2-Clause */
/* What to say about a name in the configuration file that the schema does not have: the one that
 * was probably meant, where it belongs, or which there are. Thread: one at a time. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/conf_impl.h"

const struct cw_conf_opt *cw_conf_kind_opt(
	const struct cw_conf_schema *schema, const struct cw_conf_section_kind *kind, unsigned n)
{
	for (const struct cw_conf_opt *o = schema->opts; o->name; o++) {
		if (kind ? !o->section || strcmp(o->section, kind->name) != 0 : o->section != NULL)
			continue;
		if (n-- == 0)
			return o;
	}
	return NULL;
}

/* Edit distance with transpositions of neighbours, of short texts; large for long ones. */
static unsigned distance(const char *a, size_t an, const char *b, size_t bn)
{
	enum { MAX = 32 };
	unsigned d[MAX + 1][MAX + 1];

	if (an > MAX || bn > MAX)
		return MAX;
	for (unsigned i = 0; i <= an; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= bn; j++)
		d[0][j] = j;
	for (unsigned i = 1; i <= an; i++) {
		for (unsigned j = 1; j <= bn; j++) {
			unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[an][bn];
}

/* The closest name so far, if it is close at all. */
struct guess {
	const char *name;
	unsigned far;
};

static void consider(struct guess *g, const char *p, size_t n, const char *name)
{
	const size_t name_n = strlen(name);
	const unsigned far = distance(p, n, name, name_n);

	if (far <= (name_n < 5 ? 1U : 2U) && (!g->name || far < g->far))
		*g = (struct guess){name, far};
}

const char *cw_conf_nearest(const char *word, const char *const *names)
{
	struct guess g = {NULL, 0};

	for (; *names; names++)
		consider(&g, word, strlen(word), *names);
	return g.name;
}

/* `; did you mean "x"?`, or all names, into w. */
static void write_advice(struct cw_writer *w, const struct guess *g)
{
	if (g->name)
		cw_write_fmt(w, "; did you mean \"%s\"?", g->name);
	else
		cw_write_str(w, "; known here:");
}

static void where(const struct cw_conf_section *in, char buf[static 160])
{
	char shown[CW_CONF_SHOWN];

	if (!in->kind)
		(void) snprintf(buf, 160, "outside of any section");
	else if (in->title)
		(void) snprintf(buf, 160, "in section \"%s\" of line %d (\"%s\")", in->kind->name,
			in->line, cw_conf_show(in->title, strlen(in->title), shown));
	else
		(void) snprintf(buf, 160, "in section \"%s\"", in->kind->name);
}

void cw_conf_unknown_option(
	struct cw_conf *c, const struct cw_conf_section *in, const char *p, size_t n, int line)
{
	char shown[CW_CONF_SHOWN], place[160], advice[400];
	struct cw_writer w = cw_writer_of(advice, sizeof advice - 1);
	const struct cw_conf_opt *o;
	const struct cw_conf_opt *elsewhere = NULL;
	struct guess g = {NULL, 0};

	for (unsigned i = 0; (o = cw_conf_kind_opt(c->schema, in->kind, i)) != NULL; i++)
		consider(&g, p, n, o->name);
	for (o = c->schema->opts; o->name && !elsewhere; o++)
		if (strlen(o->name) == n && memcmp(o->name, p, n) == 0)
			elsewhere = o;
	if (!g.name && elsewhere && elsewhere->section)
		cw_write_fmt(&w, "; it belongs in section \"%s\"", elsewhere->section);
	else if (!g.name && elsewhere)
		cw_write_str(&w, "; it belongs outside of any section");
	else
		write_advice(&w, &g);
	for (unsigned i = 0; !g.name && !elsewhere; i++) {
		o = cw_conf_kind_opt(c->schema, in->kind, i);
		if (!o)
			break;
		cw_write_fmt(&w, "%s \"%s\"", i ? "," : "", o->name);
	}
	advice[cw_write_len(&w)] = '\0';
	where(in, place);
	cw_conf_problem(
		c, line, "unknown option \"%s\" %s%s", cw_conf_show(p, n, shown), place, advice);
}

void cw_conf_unknown_section(struct cw_conf *c, const char *p, size_t n, int line)
{
	char shown[CW_CONF_SHOWN], advice[400];
	struct cw_writer w = cw_writer_of(advice, sizeof advice - 1);
	struct guess g = {NULL, 0};
	const struct cw_conf_section_kind *all = c->schema->sections;

	for (const struct cw_conf_section_kind *k = all; k && k->name; k++)
		consider(&g, p, n, k->name);
	write_advice(&w, &g);
	for (const struct cw_conf_section_kind *k = all; !g.name && k && k->name; k++)
		cw_write_fmt(&w, "%s \"%s\"", k != all ? "," : "", k->name);
	advice[cw_write_len(&w)] = '\0';
	cw_conf_problem(c, line, "unknown section \"%s\"%s", cw_conf_show(p, n, shown), advice);
}
