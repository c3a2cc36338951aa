/* SPDX-License-Identifier: BSD-2-Clause */
/* A schema as documents: the commented sample file and the option list of a conf(5) page. Both come
 * from the table the parser uses, so no option is undocumented. Thread: any. */
#include "config.h"

#include <string.h>

#include "base/conf_impl.h"

#define WIDTH 78

/* Text after `lead` on each line, broken at blanks. */
static void print_wrapped(FILE *out, const char *lead, const char *text)
{
	size_t column = 0;

	while (*text) {
		const size_t n = strcspn(text, " ");

		if (column && column + 1 + n > WIDTH) {
			(void) fputc('\n', out);
			column = 0;
		}
		column += (size_t) fprintf(out, "%s%.*s", column ? " " : lead, (int) n, text);
		text += n;
		text += strspn(text, " ");
	}
	(void) fputc('\n', out);
}

/* As it would be written in a file: a quoted string with its escapes. */
static void print_string(FILE *out, const char *s)
{
	(void) fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || *s == '$')
			(void) fputc('\\', out);
		(void) fputc(*s, out);
	}
	(void) fputc('"', out);
}

static void print_default(FILE *out, const struct cw_conf_opt *o)
{
	switch (o->type) {
	case CW_CONF_INT:
		(void) fprintf(out, "%s", o->def ? o->def : "");
		if (!o->def)
			(void) fprintf(out, "%lld", (long long) o->min);
		break;
	case CW_CONF_BOOL:
		(void) fprintf(out, "%s", o->def ? o->def : "false");
		break;
	case CW_CONF_LIST:
		(void) fprintf(out, "{ ");
		if (o->def)
			print_string(out, o->def);
		(void) fprintf(out, o->def ? " }" : "}");
		break;
	case CW_CONF_STR:
		print_string(out, o->def ? o->def : "");
		break;
	}
}

static void print_sample_opts(
	const struct cw_conf_schema *schema, const struct cw_conf_section_kind *kind, FILE *out)
{
	const char *lead = kind ? "\t# " : "# ";
	const struct cw_conf_opt *o;

	for (unsigned i = 0; (o = cw_conf_kind_opt(schema, kind, i)) != NULL; i++) {
		print_wrapped(out, lead, o->help ? o->help : o->name);
		if (o->type == CW_CONF_INT && (o->min || o->max))
			(void) fprintf(out, "%sFrom %lld to %lld.\n", lead, (long long) o->min,
				(long long) o->max);
		if (!o->def && o->type != CW_CONF_LIST)
			(void) fprintf(out, "%sNo default.\n", lead);
		(void) fprintf(out, "%s#%s = ", kind ? "\t" : "", o->name);
		print_default(out, o);
		(void) fputc('\n', out);
	}
}

void cw_conf_print_sample(const struct cw_conf_schema *schema, FILE *out)
{
	(void) fprintf(out,
		"# Every option, with its default. To change one, remove the \"#\" before its name\n"
		"# (and before its section and the section's \"}\").\n\n");
	print_sample_opts(schema, NULL, out);
	for (const struct cw_conf_section_kind *k = schema->sections; k && k->name; k++) {
		(void) fputc('\n', out);
		if (k->help)
			print_wrapped(out, "# ", k->help);
		(void) fprintf(out, "#%s%s {\n", k->name, k->titled ? " \"name\"" : "");
		print_sample_opts(schema, k, out);
		(void) fprintf(out, "#}\n");
	}
}

/* A line of text in mdoc: no macro at its start, no escapes in it. */
static void print_mdoc_text(FILE *out, const char *s)
{
	const char *start = s;

	if (*s == '.' || *s == '\'')
		(void) fputs("\\&", out);
	for (; *s; s++) {
		if (*s == '\\')
			(void) fputs("\\e", out);
		else if (s[0] == ' ' && s > start && s[-1] == '.' && s[1] >= 'A' && s[1] <= 'Z')
			(void) fputc('\n', out); /* mandoc(1): new sentence, new line */
		else
			(void) fputc(*s == '\n' ? ' ' : *s, out);
	}
	(void) fputc('\n', out);
}

static void print_mdoc_opts(
	const struct cw_conf_schema *schema, const struct cw_conf_section_kind *kind, FILE *out)
{
	static const char *const types[] = {"string", "number", "true | false", "{ string, ... }"};
	const struct cw_conf_opt *o = cw_conf_kind_opt(schema, kind, 0);

	if (!o)
		return;
	(void) fprintf(out, ".Bl -tag -width Ds\n");
	for (unsigned i = 0; (o = cw_conf_kind_opt(schema, kind, i)) != NULL; i++) {
		(void) fprintf(out, ".It Ic %s No = Ar \"%s\"\n", o->name, types[o->type]);
		print_mdoc_text(out, o->help ? o->help : o->name);
		if (o->type == CW_CONF_INT && (o->min || o->max))
			(void) fprintf(out, "From %lld to %lld.\n", (long long) o->min,
				(long long) o->max);
		if (o->def && *o->def) {
			(void) fprintf(out, "Default:\n.Ql ");
			print_mdoc_text(out, o->def);
		}
	}
	(void) fprintf(out, ".El\n");
}

void cw_conf_print_mdoc(const struct cw_conf_schema *schema, FILE *out)
{
	if (cw_conf_kind_opt(schema, NULL, 0))
		(void) fprintf(out, ".Ss Outside of any section\n");
	print_mdoc_opts(schema, NULL, out);
	for (const struct cw_conf_section_kind *k = schema->sections; k && k->name; k++) {
		(void) fprintf(out, ".Ss Section %s%s\n", k->name, k->titled ? " Dq name" : "");
		if (k->help)
			print_mdoc_text(out, k->help);
		print_mdoc_opts(schema, k, out);
	}
}
