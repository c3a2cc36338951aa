/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a configuration file though each value alone is right: overlaps, names of
 * things that are not there, what is missing. It also sees files with other problems and passes
 * over what does not parse. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/settings_int.h"
#include "db/store.h"

/* One range or exclusion as written. */
struct span {
	struct cw_addr4 lo, hi;
	int line;
	const char *pool, *text;
	bool exclude;
};

struct spans {
	struct span *v;
	size_t n, cap;
};

static const struct cw_conf_section *titled(
	const struct cw_conf *f, const char *kind, const char *title)
{
	for (unsigned i = 0; i < cw_conf_section_count(f, kind); i++)
		if (strcmp(cw_conf_title(cw_conf_section(f, kind, i)), title) == 0)
			return cw_conf_section(f, kind, i);
	return NULL;
}

static void required(
	struct cw_conf *f, const struct cw_conf_section *s, const char *kind, const char *name)
{
	if (!cw_conf_is_set(s, name))
		cw_conf_problem(f, cw_conf_line(s), "%s \"%s\" has no option \"%s\"", kind,
			cw_conf_title(s), name);
}

static void verify_titles(struct cw_conf *f, const char *kind)
{
	for (unsigned i = 0; i < cw_conf_section_count(f, kind); i++) {
		const struct cw_conf_section *s = cw_conf_section(f, kind, i);

		if (!cw_config_name_ok(cw_conf_title(s)))
			cw_conf_problem(f, cw_conf_line(s), "the title of a %s is %s", kind,
				CW_CONFIG_NAME_WANT);
	}
}

/* ---- pools ---- */

void cw_config_lifetimes(
	const struct cw_conf_section *s, uint32_t *ret, uint32_t *ret_min, uint32_t *ret_max)
{
	int64_t life = cw_conf_int(s, "lifetime");
	int64_t min = cw_conf_is_set(s, "lifetime-min") ? cw_conf_int(s, "lifetime-min")
		      : life < 60                       ? life
							: 60;
	int64_t max = cw_conf_is_set(s, "lifetime-max") ? cw_conf_int(s, "lifetime-max") : life;

	*ret = (uint32_t) life;
	*ret_min = (uint32_t) min;
	*ret_max = (uint32_t) max;
}

static void take_spans(
	const struct cw_conf_section *s, const char *name, bool exclude, struct spans *to)
{
	for (unsigned i = 0; i < cw_conf_list_count(s, name); i++) {
		const char *text = cw_conf_list_get(s, name, i);
		struct span *sp;

		if (to->n == to->cap) {
			size_t cap = to->cap ? to->cap * 2 : 16;
			struct span *v = cw_realloc(to->v, cap, sizeof *v);

			if (!v)
				return; /* the database still refuses what this would have found */
			to->v = v;
			to->cap = cap;
		}
		sp = &to->v[to->n];
		if (cw_range4_parse(text, strlen(text), &sp->lo, &sp->hi) < 0 ||
			sp->lo.v > sp->hi.v)
			continue;
		sp->line = cw_conf_list_line(s, name, i);
		sp->pool = cw_conf_title(s);
		sp->text = text;
		sp->exclude = exclude;
		to->n++;
	}
}

static int by_lo(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->lo.v != y->lo.v)
		return x->lo.v < y->lo.v ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* Sorted by their start, each is compared with the one that reaches farthest so far. */
static void verify_overlaps(struct cw_conf *f, struct spans *all, const char *what)
{
	const struct span *far = NULL;

	if (all->n)
		qsort(all->v, all->n, sizeof *all->v, by_lo);
	for (size_t i = 0; i < all->n; i++) {
		const struct span *s = &all->v[i];

		if (far && s->lo.v <= far->hi.v) {
			const struct span *late = s->line >= far->line ? s : far;
			const struct span *early = late == s ? far : s;

			cw_conf_problem(f, late->line,
				"%s %s of pool \"%s\" overlaps %s of pool \"%s\" in line %d", what,
				late->text, late->pool, early->text, early->pool, early->line);
		}
		if (!far || s->hi.v > far->hi.v)
			far = s;
	}
}

static void verify_inside(
	struct cw_conf *f, const struct spans *ranges, const struct spans *excludes)
{
	for (size_t i = 0; i < excludes->n; i++) {
		bool inside = false;

		for (size_t k = 0; k < ranges->n && !inside; k++)
			inside = ranges->v[k].lo.v <= excludes->v[i].lo.v &&
				 excludes->v[i].hi.v <= ranges->v[k].hi.v;
		if (!inside)
			cw_conf_problem(f, excludes->v[i].line,
				"exclude %s of pool \"%s\" is not inside one of its ranges",
				excludes->v[i].text, excludes->v[i].pool);
	}
}

static void verify_pool(struct cw_conf *f, const struct cw_conf_section *s)
{
	const char *tep = cw_conf_str(s, "tep");
	uint32_t life, min, max;

	required(f, s, "pool", "range");
	if (cw_conf_is_set(s, "range") && cw_conf_list_count(s, "range") == 0)
		cw_conf_problem(f, cw_conf_opt_line(s, "range"),
			"the list \"range\" of pool \"%s\" is empty; name what it lends, such as 198.51.100.0/24",
			cw_conf_title(s));
	required(f, s, "pool", "tep");
	if (tep && !titled(f, "tep", tep))
		cw_conf_problem(f, cw_conf_opt_line(s, "tep"),
			"pool \"%s\" names tep \"%s\", which is not in this file", cw_conf_title(s),
			tep);
	cw_config_lifetimes(s, &life, &min, &max);
	if (min > max || life < min || life > max) {
		int line = cw_conf_opt_line(s, min > life ? "lifetime-min" : "lifetime-max");

		cw_conf_problem(f, line ? line : cw_conf_line(s),
			"lifetimes of pool \"%s\" are out of order: lifetime-min %u, lifetime %u, lifetime-max %u",
			cw_conf_title(s), min, life, max);
	}
	if (cw_conf_int(s, "port-set-length") > 0 &&
		cw_conf_int(s, "port-set-offset") + cw_conf_int(s, "port-set-length") > 16)
		cw_conf_problem(f, cw_conf_opt_line(s, "port-set-length"),
			"port-set-offset and port-set-length of pool \"%s\" together are more than 16",
			cw_conf_title(s));
	/* The store refuses it as well: there would be nothing to lease. */
	if (cw_conf_int(s, "port-set-length") > 0 && cw_conf_int(s, "port-set-offset") > 6 &&
		cw_conf_bool(s, "keep-system-ports"))
		cw_conf_problem(f, cw_conf_opt_line(s, "port-set-offset"),
			"keep-system-ports of pool \"%s\" needs a port-set-offset of at most 6: every set has some of the ports 0 to 1023",
			cw_conf_title(s));
}

static void verify_pools(struct cw_conf *f)
{
	struct spans all = {0};

	for (unsigned i = 0; i < cw_conf_section_count(f, "pool"); i++) {
		const struct cw_conf_section *s = cw_conf_section(f, "pool", i);
		struct spans ranges = {0}, excludes = {0};

		verify_pool(f, s);
		take_spans(s, "range", false, &all);
		take_spans(s, "range", false, &ranges);
		take_spans(s, "exclude", true, &excludes);
		verify_inside(f, &ranges, &excludes);
		verify_overlaps(f, &excludes, "exclude");
		(void) cw_free(ranges.v);
		(void) cw_free(excludes.v);
	}
	verify_overlaps(f, &all, "range");
	(void) cw_free(all.v);
}

/* ---- the rest ---- */

static void verify_teps(struct cw_conf *f)
{
	for (unsigned i = 0; i < cw_conf_section_count(f, "tep"); i++) {
		const struct cw_conf_section *s = cw_conf_section(f, "tep", i);
		size_t n = 0;

		required(f, s, "tep", "plugin");
		required(f, s, "tep", "ipv6");
		for (unsigned k = 0; k < cw_conf_list_count(s, "options"); k++)
			n += strlen(cw_conf_list_get(s, "options", k)) + 1;
		if (n >= CW_TEXT_MAX)
			cw_conf_problem(f, cw_conf_opt_line(s, "options"),
				"options of tep \"%s\" are longer than %d octets", cw_conf_title(s),
				CW_TEXT_MAX - 1);
	}
}

static void verify_users(struct cw_conf *f)
{
	const char *base = cw_conf_str(cw_conf_top(f), "state-dir");

	for (unsigned i = 0; i < cw_conf_section_count(f, "user"); i++) {
		const struct cw_conf_section *s = cw_conf_section(f, "user", i);
		const char *file = cw_conf_str(s, "password-file"), *pool = cw_conf_str(s, "pool");
		char path[2048], *password = NULL;
		int r = 0;

		if (!cw_conf_is_set(s, "password") && !file)
			cw_conf_problem(f, cw_conf_line(s),
				"user \"%s\" needs one of the options \"password\" and \"password-file\"",
				cw_conf_title(s));
		else if (cw_conf_is_set(s, "password") && file)
			cw_conf_problem(f, cw_conf_opt_line(s, "password-file"),
				"user \"%s\" has \"password\" and \"password-file\"; remove one of them",
				cw_conf_title(s));
		if (pool && !titled(f, "pool", pool))
			cw_conf_problem(f, cw_conf_opt_line(s, "pool"),
				"user \"%s\" names pool \"%s\", which is not in this file",
				cw_conf_title(s), pool);
		if (!file)
			continue;
		(void) snprintf(path, sizeof path, "%s%s%s", file[0] == '/' || !base ? "" : base,
			file[0] == '/' || !base ? "" : "/", file);
		r = cw_config_read_password(path, &password);
		if (password)
			(void) cw_free_secret(password, strlen(password));
		if (r == CW_E_SYNTAX)
			cw_conf_problem(f, cw_conf_opt_line(s, "password-file"),
				"the first line of %s is no password; write it there, 1 to 255 characters without control characters",
				path);
		else if (r < 0)
			cw_conf_problem(f, cw_conf_opt_line(s, "password-file"),
				"%s cannot be read: %s; name a file the user of causewayd may read",
				path, cw_strerror(r));
	}
}

static bool lists(const struct cw_conf_section *s, const char *name, const char *value)
{
	for (unsigned i = 0; i < cw_conf_list_count(s, name); i++)
		if (strcmp(cw_conf_list_get(s, name, i), value) == 0)
			return true;
	return false;
}

static void verify_mechanisms(struct cw_conf *f)
{
	const struct cw_conf_section *tsp = cw_conf_section(f, "tsp", 0);
	const struct cw_conf_section *tls = cw_conf_section(f, "tls", 0);
	int line = cw_conf_opt_line(tsp, "mechanisms");

	for (unsigned i = 0; i < cw_conf_list_count(tsp, "mechanisms"); i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(cw_conf_list_get(tsp, "mechanisms", i),
				    cw_conf_list_get(tsp, "mechanisms", k)) == 0)
				cw_conf_problem(f, cw_conf_list_line(tsp, "mechanisms", i),
					"mechanism %s is listed twice",
					cw_conf_list_get(tsp, "mechanisms", i));
	if (cw_conf_is_set(tsp, "mechanisms") && !cw_conf_list_count(tsp, "mechanisms"))
		cw_conf_problem(f, line, "no mechanism is offered: nobody could log in");
	if (lists(tsp, "mechanisms", "DIGEST-MD5") && !cw_conf_is_set(tsp, "realm"))
		cw_conf_problem(f, line, "DIGEST-MD5 needs the option \"realm\"");
	if (lists(tsp, "mechanisms", "EXTERNAL") &&
		(!cw_conf_has(f, "tls") || !cw_conf_is_set(tls, "ca")))
		cw_conf_problem(f, line, "EXTERNAL needs a section \"tls\" with the option \"ca\"");
	if (lists(tsp, "mechanisms", "PLAIN") && !cw_conf_has(f, "tls") &&
		!cw_conf_bool(tsp, "plain-without-tls"))
		cw_conf_problem(f, line,
			"PLAIN is offered on TLS only: it needs a section \"tls\", or \"plain-without-tls\"");
}

static void verify_tls(struct cw_conf *f)
{
	const struct cw_conf_section *tls = cw_conf_section(f, "tls", 0);
	static const char *const names[] = {"cert", "key"};

	if (!cw_conf_has(f, "tls"))
		return;
	for (unsigned i = 0; i < CW_ARRAY_LEN(names); i++)
		if (!cw_conf_is_set(tls, names[i]))
			cw_conf_problem(f, cw_conf_line(tls),
				"section \"tls\" has no option \"%s\"", names[i]);
	if (cw_conf_bool(tls, "require-client-cert") && !cw_conf_is_set(tls, "ca"))
		cw_conf_problem(f, cw_conf_opt_line(tls, "require-client-cert"),
			"require-client-cert needs the option \"ca\"");
}

static void verify_listen(struct cw_conf *f)
{
	const struct cw_conf_section *tsp = cw_conf_section(f, "tsp", 0);
	const char *run_dir = cw_conf_str(cw_conf_top(f), "run-dir");

	if (cw_conf_list_count(tsp, "listen") == 0 &&
		(!cw_conf_has(f, "tls") ||
			cw_conf_list_count(cw_conf_section(f, "tls", 0), "listen") == 0))
		cw_conf_problem(f, cw_conf_opt_line(tsp, "listen"),
			"the list \"listen\" is empty, so nobody could reach the broker; leave it out, or write \"[::]:3653\"");
	for (unsigned i = 0; i < cw_conf_list_count(tsp, "listen"); i++) {
		const char *v = cw_conf_list_get(tsp, "listen", i);
		size_t n = strlen(v);
		struct cw_endpoint ep;

		if (strncmp(v, "unix:", 5) == 0 && v[5] != '/' && run_dir &&
			n - 5 + strlen(run_dir) + 2 > sizeof ep.u.path)
			cw_conf_problem(f, cw_conf_list_line(tsp, "listen", i),
				"the path of %s is too long for a Unix socket", v);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(v, cw_conf_list_get(tsp, "listen", k)) == 0 &&
				(n < 2 || strcmp(v + n - 2, ":0") != 0))
				cw_conf_problem(f, cw_conf_list_line(tsp, "listen", i),
					"%s is listed twice", v);
	}
}

void cw_config_verify(struct cw_conf *f)
{
	const struct cw_conf_section *redirect = cw_conf_section(f, "redirect", 0);

	verify_titles(f, "tep");
	verify_titles(f, "pool");
	verify_titles(f, "user");
	verify_listen(f);
	verify_mechanisms(f);
	verify_tls(f);
	verify_teps(f);
	verify_pools(f);
	verify_users(f);
	cw_config_rest_verify(f);
	if (cw_conf_has(f, "redirect") && !cw_conf_is_set(redirect, "broker"))
		cw_conf_problem(
			f, cw_conf_line(redirect), "section \"redirect\" has no option \"broker\"");
}
