/* SPDX-License-Identifier: BSD-2-Clause */
/* Flags of the command line as a text in the language of the configuration file, so that they meet
 * the same table and the same checks. One flag a line: a problem of a line is told by its flag.
 * Owns nothing; the texts go into the configuration. Thread: one. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "client/conf_int.h"

enum { FLAGS_TEXT_MAX = 65536 };

/* The text under construction. */
struct text {
	struct cw_writer w;
	const char **names; /* of its lines */
	unsigned n_names;
};

/* The row of an option; the empty last one if there is none (a mistake of ours, which the tests
 * find). */
static const struct cw_conf_opt *find(const struct cw_client_flag *f)
{
	const struct cw_conf_opt *o = cw_client_schema.opts;

	while (o->name && (strcmp(o->name, f->option) != 0 || (!o->section) != (!f->section) ||
				  (o->section && strcmp(o->section, f->section) != 0)))
		o++;
	return o;
}

static bool same_option(const struct cw_client_flag *a, const struct cw_client_flag *b)
{
	return strcmp(a->option, b->option) == 0 && (!a->section) == (!b->section) &&
	       (!a->section || strcmp(a->section, b->section) == 0);
}

static void end_line(struct text *t, const char *name)
{
	cw_write_str(&t->w, "\n");
	t->names[t->n_names++] = name;
}

/* In single quotes, where two characters need a backslash. */
static void write_value(struct cw_writer *w, const char *value)
{
	cw_write_u8(w, '\'');
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			cw_write_u8(w, '\\');
		cw_write_u8(w, (uint8_t) *value);
	}
	cw_write_u8(w, '\'');
}

/* One option with all the values it was given (of a single one the last), unless it was written
 * with an earlier flag. */
static void write_option(struct text *t, const struct cw_client_flag *flags, size_t n, size_t i)
{
	const struct cw_client_flag *last = &flags[i];
	bool list = find(last)->type == CW_CONF_LIST;

	for (size_t j = 0; j < i; j++)
		if (same_option(&flags[i], &flags[j]))
			return;
	cw_write_fmt(&t->w, "%s = %s", flags[i].option, list ? "{ " : "");
	for (size_t j = i + 1; j < n; j++) {
		if (!same_option(&flags[i], &flags[j]))
			continue;
		if (list) {
			write_value(&t->w, last->value);
			cw_write_str(&t->w, ",");
			end_line(t, last->name);
		}
		last = &flags[j];
	}
	write_value(&t->w, last->value ? last->value : "true");
	cw_write_str(&t->w, list ? " }" : "");
	end_line(t, last->name);
}

/* A section may be written once only: its options go into one pair of braces. */
static void write_section(
	struct text *t, const char *section, const struct cw_client_flag *flags, size_t n)
{
	bool open = false;

	for (size_t i = 0; i < n; i++) {
		if ((!flags[i].section) != (!section) ||
			(section && strcmp(section, flags[i].section) != 0))
			continue;
		if (section && !open) {
			cw_write_fmt(&t->w, "%s {", section);
			end_line(t, flags[i].name);
		}
		open = true;
		write_option(t, flags, n, i);
	}
	if (section && open) {
		cw_write_str(&t->w, "}");
		end_line(t, section);
	}
}

static bool has_control(const char *value)
{
	while (*value && (unsigned char) *value >= ' ')
		value++;
	return *value;
}

int cw_client_flags_parse(
	struct cw_client_conf *c, const struct cw_client_flag *flags, size_t n, FILE *err)
{
	struct text t = {0};
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		if (!flags[i].value || !has_control(flags[i].value))
			continue;
		(void) fprintf(err, "%s: the value has a control character; write it without\n",
			flags[i].name);
		bad++;
	}
	if (bad || n == 0)
		return bad;
	c->flags_text = cw_zalloc(1, FLAGS_TEXT_MAX);
	/* besides one a flag, each section has two lines of its own */
	c->flag_names = cw_zalloc(3 * n, sizeof *c->flag_names);
	if (!c->flags_text || !c->flag_names)
		return -ENOMEM;
	t.w = cw_writer_of(c->flags_text, FLAGS_TEXT_MAX);
	t.names = c->flag_names;
	write_section(&t, NULL, flags, n);
	for (const struct cw_conf_section_kind *s = cw_client_schema.sections; s->name; s++)
		write_section(&t, s->name, flags, n);
	if (t.w.bad) {
		(void) fprintf(err,
			"causeway: the flags are longer than %d octets; write a file and name it with --config\n",
			FLAGS_TEXT_MAX);
		return -E2BIG;
	}
	return cw_conf_parse_flags(t.names, t.n_names, c->flags_text, cw_write_len(&t.w),
		&cw_client_schema, err, &c->flags);
}
