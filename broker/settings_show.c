/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as people see it: every option with its value, and what another reading of the
 * file would change. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "broker/settings.h"
#include "broker/settings_int.h"

#define KEY_MAX 192 /* of the names of a section, its title and an option */

/* ---- values ---- */

static bool is_fixed(const struct cw_conf_opt *o)
{
	const struct cw_config_place *fixed = cw_config_fixed_places;

	for (unsigned i = 0; i < CW_FIXED_N; i++)
		if (strcmp(fixed[i].section, o->section ? o->section : "") == 0 &&
			strcmp(fixed[i].name, o->name) == 0)
			return true;
	return false;
}

/* The password of a user, and a plugin's option that is one by its name. */
static bool is_secret(const struct cw_conf_opt *o, const char *value)
{
	static const char *const ends[] = {"password=", "secret=", "token="};

	if (o->section && strcmp(o->section, "user") == 0 && strcmp(o->name, "password") == 0)
		return true;
	if (!o->section || strcmp(o->section, "tep") != 0 || strcmp(o->name, "options") != 0)
		return false;
	for (unsigned i = 0; i < CW_ARRAY_LEN(ends); i++)
		if (strstr(value, ends[i]))
			return true;
	return false;
}

static bool add_value(
	struct cw_config *c, const struct cw_conf_section *s, const struct cw_conf_opt *o)
{
	struct cw_config_value *v = &c->values[c->n_values];
	const char *title = cw_conf_title(s);
	char *value = cw_conf_value_text(s, o);

	if (!value)
		return false;
	*v = (struct cw_config_value){
		.section = o->section,
		.name = o->name,
		.is_default = !cw_conf_is_set(s, o->name),
		.reloadable = !title && !is_fixed(o),
		.title = title ? cw_strdup(title) : NULL,
		.value = value,
	};
	c->n_values++;
	if (is_secret(o, value)) {
		(void) cw_free_secret(value, strlen(value));
		v->value = cw_strdup("***");
	}
	return v->value && (v->title || !title);
}

/* c NULL: counts only. The number, or -ENOMEM. */
static ssize_t each_of(struct cw_config *c, const struct cw_conf_section *s, const char *section)
{
	ssize_t n = 0;

	for (const struct cw_conf_opt *o = cw_config_schema()->opts; o->name; o++) {
		if (strcmp(o->section ? o->section : "", section) != 0 ||
			(cw_conf_title(s) && !cw_conf_is_set(s, o->name)))
			continue;
		n++;
		if (c && !add_value(c, s, o))
			return -ENOMEM;
	}
	return n;
}

static ssize_t each_value(struct cw_config *c, const struct cw_conf *f)
{
	ssize_t n = each_of(c, cw_conf_top(f), ""), r = n;

	for (unsigned titled = 0; titled < 2; titled++) {
		const struct cw_conf_section_kind *k = cw_config_schema()->sections;

		for (; k->name; k++) {
			unsigned count = !k->titled ? 1 : cw_conf_section_count(f, k->name);

			for (unsigned i = 0; k->titled == titled && i < count && r >= 0;
				i++, n += r)
				r = each_of(c, cw_conf_section(f, k->name, i), k->name);
		}
	}
	return r < 0 ? r : n;
}

bool cw_config_values_build(struct cw_config *c, const struct cw_conf *f)
{
	ssize_t n = each_value(NULL, f);

	(void) snprintf(c->hash, sizeof c->hash, "%s", cw_conf_hash(f));
	c->values = cw_zalloc((size_t) n, sizeof *c->values);
	return c->values && each_value(c, f) >= 0;
}

void cw_config_values_done(struct cw_config *c)
{
	for (size_t i = 0; i < c->n_values; i++) {
		(void) cw_free(c->values[i].title);
		(void) cw_free(c->values[i].value);
	}
	(void) cw_free(c->values);
}

/* ---- in force, and changes ---- */

/* Sections without a title have every option in every configuration, in the same order. */
const struct cw_config_value *cw_config_value_in_force(
	const struct cw_config *start, const struct cw_config *now, size_t i)
{
	return start->values[i].reloadable ? &now->values[i] : &start->values[i];
}

static int key_of(const struct cw_config_value *v, char to[static KEY_MAX])
{
	return snprintf(to, KEY_MAX, "%s%s%s%s%s", v->section ? v->section : "",
		v->section ? "." : "", v->title ? v->title : "", v->title ? "." : "", v->name);
}

/* Options of titled sections that differ: `had` has those of the start by name. */
static int titled_changes(const struct cw_config *fresh, size_t from, struct cw_map *had,
	int (*fn)(void *arg, const char *name, bool restart), void *arg)
{
	const struct cw_config_value *v;
	char key[KEY_MAX];
	size_t iter = 0;
	int r = 0;

	for (size_t i = from; i < fresh->n_values && r == 0; i++) {
		int n = key_of(&fresh->values[i], key);

		v = cw_map_take(had, key, (size_t) n);
		if (!v || strcmp(v->value, fresh->values[i].value) != 0)
			r = fn(arg, key, true);
	}
	while (r == 0 && (v = cw_map_next(had, &iter)) != NULL) {
		(void) key_of(v, key);
		r = fn(arg, key, true);
	}
	return r;
}

int cw_config_changes(const struct cw_config *start, const struct cw_config *now,
	const struct cw_config *fresh, int (*fn)(void *arg, const char *name, bool restart),
	void *arg)
{
	struct cw_map *had = cw_map_new();
	char key[KEY_MAX];
	int r = had ? 0 : -ENOMEM;
	size_t i = 0;

	for (; i < start->n_values && !start->values[i].title && r == 0; i++) {
		const struct cw_config_value *v = cw_config_value_in_force(start, now, i);

		(void) key_of(v, key);
		if (strcmp(v->value, fresh->values[i].value) != 0)
			r = fn(arg, key, !v->reloadable);
	}
	for (size_t k = i; k < start->n_values && r == 0; k++)
		r = cw_map_put(
			had, key, (size_t) key_of(&start->values[k], key), &start->values[k], NULL);
	if (r == 0)
		r = titled_changes(fresh, i, had, fn, arg);
	(void) cw_map_free(had);
	return r;
}
