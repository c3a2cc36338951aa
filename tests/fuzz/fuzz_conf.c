/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file from any octets: no crash, problems if and only if there is no result, and
 * what our scanner passes libconfuse must take as well, value for value. */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cw_conf_section_kind kinds[] = {
	{"store", false, NULL}, {"pool", true, NULL}, {"tep", true, NULL}, {NULL, false, NULL}};

static int check_short(const char *value, const char **ret_want)
{
	*ret_want = "at most four octets";
	return strlen(value) <= 4 ? 0 : -1;
}

static const struct cw_conf_opt opts[] = {
	{NULL, "state-dir", CW_CONF_STR, "x", 0, 0, NULL, NULL},
	{NULL, "n", CW_CONF_INT, NULL, 0, 0, NULL, NULL},
	{"store", "path", CW_CONF_STR, NULL, 0, 0, NULL, NULL},
	{"pool", "range", CW_CONF_LIST, NULL, 0, 0, check_short, NULL},
	{"pool", "tep", CW_CONF_STR, NULL, 0, 0, NULL, NULL},
	{"pool", "on", CW_CONF_BOOL, "true", 0, 0, NULL, NULL},
	{"tep", "lifetime", CW_CONF_INT, "5", 1, 9, NULL, NULL},
	{NULL, NULL, CW_CONF_STR, NULL, 0, 0, NULL, NULL},
};

static void must(bool good)
{
	if (!good)
		abort();
}

/* A list stands in braces, what is not set is nothing. */
static void look_at_text(char *text, enum cw_conf_type type)
{
	must(text != NULL);
	must(type != CW_CONF_LIST || !*text ||
		(strncmp(text, "{ \"", 3) == 0 && strcmp(text + strlen(text) - 3, "\" }") == 0));
	free(text);
}

/* Every getter on every option. */
static void look(struct cw_conf *c)
{
	for (const struct cw_conf_opt *o = opts; o->name; o++) {
		const unsigned n = o->section ? cw_conf_section_count(c, o->section) : 1;

		for (unsigned i = 0; i < n; i++) {
			const struct cw_conf_section *s =
				o->section ? cw_conf_section(c, o->section, i) : cw_conf_top(c);

			must(s && cw_conf_line(s) > 0);
			for (unsigned k = 0; k < cw_conf_list_count(s, o->name); k++)
				must(cw_conf_list_get(s, o->name, k) != NULL);
			must(cw_conf_is_set(s, o->name) == (cw_conf_opt_line(s, o->name) > 0));
			(void) cw_conf_int(s, o->name);
			(void) cw_conf_bool(s, o->name);
			look_at_text(cw_conf_value_text(s, o), o->type);
		}
	}
}

static const struct cw_conf_schema schema = {.sections = kinds, .opts = opts, .verify = look};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_conf *c = NULL;
	char *told = NULL;
	size_t told_n = 0;
	FILE *err = open_memstream(&told, &told_n);
	int r;

	must(err != NULL);
	r = cw_conf_parse("x", (const char *) data, size, &schema, err, &c);
	must(fclose(err) == 0);
	must(r >= 0 && (r == 0) == (c != NULL) && (r == 0) == (told_n == 0));
	must(strncmp(told, "x:1: libconfuse", 15) != 0 && !strstr(told, "\nx:1: libconfuse"));
	for (size_t i = 0; i < told_n; i++) /* nothing raw from the file reaches a terminal */
		must(told[i] == '\n' || (told[i] >= ' ' && told[i] <= '~'));
	if (c) {
		look(c);
		must(strlen(cw_conf_hash(c)) == CW_CONF_HASH_STRLEN - 1);
	}
	(void) cw_conf_free(c);
	free(told);
	return 0;
}
