/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file, second half: libconfuse decodes what conf_scan.c found well-formed
 * (quotes, escapes, ${VARIABLES}), from a text written anew out of just that, so it meets neither
 * mistakes nor the forms it misreads. Then every value is judged by the schema, all problems are
 * sorted by line and told. Owns the struct cw_conf. Thread: one at a time, for libconfuse's scanner
 * is global. */
#include "config.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/conf_impl.h"
#include "base/err.h"
#include "base/mem.h"

#define MAX_FILE ((size_t) 4 << 20)

/* A file of static facts is small; anything larger is not one. The text is given, with its length.
 */
static int read_file(const char *path, char **ret, size_t *ret_n)
{
	/* Whoever reads it again while it runs must not wait for the other end of a pipe. */
	CW_CLEANUP(cw_closep)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	CW_CLEANUP(cw_freep) char *text = NULL;
	size_t n = 0, room = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISFIFO(st.st_mode))
		return -EMEDIUMTYPE;
	for (;;) {
		ssize_t r;

		if (n == room) {
			char *more = cw_realloc(text, room + 16384, 1);

			if (!more)
				return -ENOMEM;
			text = more;
			room += 16384;
		}
		r = read(fd, text + n, room - n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t) r;
		if (n > MAX_FILE)
			return -EFBIG;
	}
	*ret = CW_TAKE(text);
	*ret_n = n;
	return 0;
}

/* --- libconfuse --- */

static void ignore_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	(void) cfg;
	(void) fmt;
	(void) ap;
}

/* The options of one kind as libconfuse wants them: all lists of strings without defaults. Given.
 */
static cfg_opt_t *options_of(
	const struct cw_conf_schema *schema, const struct cw_conf_section_kind *kind, size_t extra)
{
	cfg_opt_t *opts;
	unsigned n = 0;

	while (cw_conf_kind_opt(schema, kind, n))
		n++;
	opts = cw_zalloc(n + extra + 1, sizeof *opts);
	if (!opts)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		opts[i] = (cfg_opt_t) CFG_STR_LIST(
			cw_conf_kind_opt(schema, kind, i)->name, NULL, CFGF_NODEFAULT);
	opts[n] = (cfg_opt_t) CFG_END();
	return opts;
}

static unsigned kind_count(const struct cw_conf_schema *schema)
{
	unsigned n = 0;

	while (schema->sections && schema->sections[n].name)
		n++;
	return n;
}

static cfg_t *new_cfg(const struct cw_conf_schema *schema)
{
	const unsigned kinds = kind_count(schema);
	cfg_opt_t *top = options_of(schema, NULL, kinds);
	cfg_opt_t **subs = cw_zalloc(kinds + 1, sizeof(cfg_opt_t *));
	cfg_t *cfg = NULL;
	unsigned at = 0;
	bool whole = top && subs;

	while (whole && top[at].name)
		at++;
	for (unsigned i = 0; whole && i < kinds; i++) {
		const struct cw_conf_section_kind *k = &schema->sections[i];

		/* without titles, and so that each is one of its own: also repeated ones are judged
		 */
		subs[i] = options_of(schema, k, 0);
		whole = subs[i] != NULL;
		if (whole)
			top[at++] = (cfg_opt_t) CFG_SEC(k->name, subs[i], CFGF_MULTI);
	}
	if (whole) {
		top[at] = (cfg_opt_t) CFG_END();
		cfg = cfg_init(top, CFGF_NONE); /* copies the options */
	}
	if (cfg)
		(void) cfg_set_error_function(cfg, ignore_error);
	for (unsigned i = 0; subs && i < kinds; i++)
		(void) cw_free(subs[i]);
	(void) cw_free(subs);
	(void) cw_free(top);
	return cfg;
}

static void write_value(struct cw_writer *w, const struct cw_conf_value *v)
{
	const bool quoted = v->p[0] == '"' || v->p[0] == '\'';

	if (!quoted)
		cw_write_u8(w, '"');
	cw_write_bytes(w, v->p, v->n);
	if (!quoted)
		cw_write_u8(w, '"');
}

static void write_section(struct cw_writer *w, const struct cw_conf_section *sec)
{
	if (sec->kind)
		cw_write_fmt(w, "%s {\n", sec->kind->name);
	for (unsigned i = 0; i < sec->count; i++) {
		const struct cw_conf_item *item = &sec->items[i];

		if (item->broken)
			continue;
		cw_write_fmt(w, "%s = {", item->opt->name);
		for (unsigned k = 0; k < item->count; k++) {
			cw_write_str(w, k ? "," : "");
			write_value(w, &item->values[k]);
		}
		cw_write_str(w, "}\n");
	}
	if (sec->kind)
		cw_write_str(w, "}\n");
}

/* The good part of the file as a C string. Given. */
static char *write_text(const struct cw_conf *c)
{
	size_t room = 1;
	struct cw_writer w;
	char *text;

	for (unsigned i = 0; i < c->count; i++) {
		const struct cw_conf_section *sec = c->sections[i];

		room += 16 + (sec->kind ? strlen(sec->kind->name) : 0);
		for (unsigned k = 0; k < sec->count; k++) {
			room += 16 + strlen(sec->items[k].opt->name);
			for (unsigned v = 0; v < sec->items[k].count; v++)
				room += 4 + sec->items[k].values[v].n;
		}
	}
	text = cw_zalloc(room, 1);
	if (!text)
		return NULL;
	w = cw_writer_of(text, room - 1);
	for (unsigned i = 0; i < c->count; i++)
		if (c->sections[i]->line)
			write_section(&w, c->sections[i]);
	assert(!w.bad);
	return text;
}

/* Takes one item's values out of libconfuse; false if there are not as many as were written. */
static bool take_texts(struct cw_conf *c, struct cw_conf_item *item, cfg_t *from)
{
	if (!from || cfg_size(from, item->opt->name) != item->count)
		return false;
	item->texts = cw_zalloc(item->count, sizeof(char *));
	if (!item->texts) {
		c->no_memory = true;
		return true;
	}
	for (unsigned i = 0; i < item->count; i++) {
		item->texts[i] = cw_strdup(cfg_getnstr(from, item->opt->name, i));
		if (!item->texts[i])
			c->no_memory = true;
	}
	return true;
}

/* Has libconfuse read `text`, and fills the texts of all good items. */
static void decode(struct cw_conf *c, const char *text)
{
	cfg_t *cfg = new_cfg(c->schema);
	unsigned *next = cw_zalloc(kind_count(c->schema) + 1, sizeof *next);
	bool agreed;

	if (!cfg || !next) {
		c->no_memory = true;
		goto out;
	}
	agreed = text[0] == '\0' || cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	for (unsigned i = 0; i < c->count && agreed && !c->no_memory; i++) {
		struct cw_conf_section *sec = c->sections[i];
		cfg_t *from = cfg;

		if (!sec->line)
			continue;
		if (sec->kind)
			from = cfg_getnsec(
				cfg, sec->kind->name, next[sec->kind - c->schema->sections]++);
		for (unsigned k = 0; k < sec->count && agreed; k++)
			agreed = sec->items[k].broken || take_texts(c, &sec->items[k], from);
	}
	if (!agreed) /* our scanner let something through: say so rather than guess */
		cw_conf_problem(c, 1,
			"libconfuse does not accept this file, though every line looks right");
out:
	(void) cw_free(next);
	if (cfg)
		(void) cfg_free(cfg);
}

/* --- values --- */

static int parse_bool(const char *s, int64_t *ret)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (unsigned i = 0; i < CW_ARRAY_LEN(words); i++) {
		if (strcmp(s, words[i]) == 0) {
			*ret = i % 2;
			return 0;
		}
	}
	return CW_E_SYNTAX;
}

/* Decimal with an optional "-". */
static int parse_int(const char *s, int64_t *ret)
{
	const bool minus = s[0] == '-';
	uint64_t v;
	int r = cw_parse_u64(s + minus, strlen(s + minus), 0, INT64_MAX, &v);

	if (r == 0)
		*ret = minus ? -(int64_t) v : (int64_t) v;
	return r;
}

/* Values that would be shown in a message. A password is not. */
static const char *shown_value(
	const struct cw_conf_opt *opt, const char *text, char buf[static CW_CONF_SHOWN])
{
	if (strstr(opt->name, "password") || strstr(opt->name, "secret"))
		return "(not shown)";
	return cw_conf_show(text, strlen(text), buf);
}

static void judge_int(struct cw_conf *c, struct cw_conf_item *item, const char *text, int line)
{
	const struct cw_conf_opt *opt = item->opt;
	const bool bounded = opt->min || opt->max;
	const int r = parse_int(text, &item->number);
	char shown[CW_CONF_SHOWN];

	if (r == 0 && (!bounded || (item->number >= opt->min && item->number <= opt->max)))
		return;
	if (bounded)
		cw_conf_problem(c, line,
			"\"%s\" is wrong for option \"%s\"; it is a whole number from %lld to %lld",
			shown_value(opt, text, shown), opt->name, (long long) opt->min,
			(long long) opt->max);
	else
		cw_conf_problem(c, line, "\"%s\" is wrong for option \"%s\"; it is a whole number",
			shown_value(opt, text, shown), opt->name);
}

static void judge_value(struct cw_conf *c, struct cw_conf_item *item, unsigned i)
{
	const struct cw_conf_opt *opt = item->opt;
	const char *text = item->texts[i];
	const int line = item->values[i].line;
	const char *want = NULL;
	char shown[CW_CONF_SHOWN];
	int64_t number;
	const unsigned before = c->problem_count;

	/* A bare word is a string, but not one that reads as another type. */
	if ((opt->type == CW_CONF_STR || opt->type == CW_CONF_LIST) &&
		item->values[i].p[0] != '"' && item->values[i].p[0] != '\'' &&
		(parse_int(text, &number) == 0 || parse_bool(text, &number) == 0))
		cw_conf_problem(c, line,
			"%s is wrong for option \"%s\"; it is a string: write it in quotes",
			shown_value(opt, text, shown), opt->name);
	else if (opt->type == CW_CONF_INT)
		judge_int(c, item, text, line);
	else if (opt->type == CW_CONF_BOOL && parse_bool(text, &item->number) < 0)
		cw_conf_problem(c, line, "\"%s\" is wrong for option \"%s\"; it is true or false",
			shown_value(opt, text, shown), opt->name);
	if (c->problem_count == before && opt->check && opt->check(text, &want) < 0)
		cw_conf_problem(c, line, "\"%s\" is wrong for option \"%s\"; it wants %s",
			shown_value(opt, text, shown), opt->name, want ? want : "something else");
}

static void judge(struct cw_conf *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct cw_conf_section *sec = c->sections[i];

		for (unsigned k = 0; k < sec->count; k++)
			for (unsigned v = 0; sec->items[k].texts && v < sec->items[k].count; v++)
				judge_value(c, &sec->items[k], v);
	}
}

/* --- problems --- */

static int by_line(const void *a, const void *b)
{
	const struct cw_conf_problem *x = a;
	const struct cw_conf_problem *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void tell_one(const struct cw_conf *c, const struct cw_conf_problem *p, FILE *err)
{
	if (p->line > 0 && (unsigned) p->line <= c->n_names)
		(void) fprintf(err, "%s: %s\n", c->names[p->line - 1], p->text);
	else
		(void) fprintf(err, "%s:%d: %s\n", c->path, p->line, p->text);
}

static void tell(struct cw_conf *c, FILE *err)
{
	const unsigned kept =
		c->problem_count < CW_CONF_MAX_PROBLEMS ? c->problem_count : CW_CONF_MAX_PROBLEMS;

	if (kept)
		qsort(c->problems, kept, sizeof *c->problems, by_line);
	for (unsigned i = 0; i < kept; i++)
		tell_one(c, &c->problems[i], err);
	if (kept < c->problem_count)
		(void) fprintf(err, "%s: and %u more problems\n", c->path, c->problem_count - kept);
}

static void note_hash(struct cw_conf *c, const char *text, size_t n)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];

	(void) SHA256((const unsigned char *) text, n, hash);
	for (unsigned i = 0; i < sizeof hash; i++)
		(void) snprintf(c->hash + (size_t) 2 * i, 3, "%02x", hash[i]);
}

static int parse(const char *path, const char *const *names, unsigned n_names, const char *text,
	size_t n, const struct cw_conf_schema *schema, FILE *err, struct cw_conf **ret)
{
	struct cw_conf *c = cw_zalloc(1, sizeof *c);
	char *good = NULL;
	int r;

	if (!c)
		goto no_memory;
	c->schema = schema;
	c->names = names;
	c->n_names = n_names;
	c->path = cw_strdup(path);
	if (!c->path)
		goto no_memory;
	note_hash(c, text, n);
	cw_conf_scan(c, text, n);
	if (!c->no_memory)
		good = write_text(c);
	if (!good)
		goto no_memory;
	decode(c, good);
	(void) cw_free_secret(good, strlen(good));
	if (!c->no_memory)
		judge(c);
	if (!c->no_memory && schema->verify)
		schema->verify(c);
	if (c->no_memory)
		goto no_memory;
	r = (int) c->problem_count;
	tell(c, err);
	if (r && !schema->give_broken)
		(void) cw_conf_free(c);
	else
		*ret = c;
	return r;

no_memory:
	(void) cw_conf_free(c);
	(void) fprintf(err, "%s: out of memory\n", path);
	return -ENOMEM;
}

int cw_conf_parse(const char *path, const char *text, size_t n, const struct cw_conf_schema *schema,
	FILE *err, struct cw_conf **ret)
{
	return parse(path, NULL, 0, text, n, schema, err, ret);
}

int cw_conf_parse_flags(const char *const *names, unsigned n_names, const char *text, size_t n,
	const struct cw_conf_schema *schema, FILE *err, struct cw_conf **ret)
{
	return parse("command line", names, n_names, text, n, schema, err, ret);
}

int cw_conf_load(
	const char *path, const struct cw_conf_schema *schema, FILE *err, struct cw_conf **ret)
{
	char *text = NULL;
	size_t n = 0;
	int r = read_file(path, &text, &n);

	if (r < 0) {
		if (r == -EFBIG)
			(void) fprintf(err,
				"%s: more than %zu octets; a configuration is smaller\n", path,
				MAX_FILE);
		else
			(void) fprintf(err, "%s: cannot be read: %s\n", path[0] ? path : "\"\"",
				cw_strerror(r));
		return r;
	}
	r = cw_conf_parse(path, text, n, schema, err, ret);
	(void) cw_free_secret(text, n);
	return r;
}

static void done_item(struct cw_conf_item *item)
{
	for (unsigned i = 0; item->texts && i < item->count; i++)
		if (item->texts[i])
			(void) cw_free_secret(item->texts[i], strlen(item->texts[i]));
	(void) cw_free(item->texts);
	(void) cw_free(item->values);
}

struct cw_conf *cw_conf_free(struct cw_conf *c)
{
	if (!c)
		return NULL;
	for (unsigned i = 0; i < c->count; i++) {
		struct cw_conf_section *sec = c->sections[i];

		for (unsigned k = 0; k < sec->count; k++)
			done_item(&sec->items[k]);
		(void) cw_free(sec->items);
		(void) cw_free(sec->title);
		(void) cw_free(sec);
	}
	(void) cw_free(c->sections);
	for (unsigned i = 0; i < c->problem_count && i < CW_CONF_MAX_PROBLEMS; i++)
		(void) cw_free(c->problems[i].text);
	(void) cw_free(c->problems);
	(void) cw_free(c->path);
	return cw_free(c);
}

/* --- getters --- */

const struct cw_conf_section *cw_conf_top(const struct cw_conf *c)
{
	return c->sections[0];
}

/* Repetitions are not shown, also not to the schema's verify(): they may lack even a title. */
static bool is_kind(const struct cw_conf_section *sec, const char *kind)
{
	return sec->kind && !sec->dropped && strcmp(sec->kind->name, kind) == 0;
}

const struct cw_conf_section *cw_conf_section(const struct cw_conf *c, const char *kind, unsigned i)
{
	for (unsigned k = 0; k < c->count; k++)
		if (is_kind(c->sections[k], kind) && i-- == 0)
			return c->sections[k];
	return NULL;
}

unsigned cw_conf_section_count(const struct cw_conf *c, const char *kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->count; i++)
		n += is_kind(c->sections[i], kind) && c->sections[i]->line;
	return n;
}

bool cw_conf_has(const struct cw_conf *c, const char *kind)
{
	return cw_conf_section_count(c, kind) > 0;
}

const char *cw_conf_title(const struct cw_conf_section *s)
{
	return s->title;
}

int cw_conf_line(const struct cw_conf_section *s)
{
	return s->line;
}

const char *cw_conf_path(const struct cw_conf *c)
{
	return c->path;
}

static const struct cw_conf_item *find_item(const struct cw_conf_section *s, const char *name)
{
	for (unsigned i = 0; s && i < s->count; i++)
		if (strcmp(s->items[i].opt->name, name) == 0)
			return &s->items[i];
	return NULL;
}

/* The schema's line for an option; asking for one that is not there is our own mistake. */
static const struct cw_conf_opt *find_opt(const struct cw_conf_section *s, const char *name)
{
	const struct cw_conf_opt *opt;

	for (unsigned i = 0; (opt = cw_conf_kind_opt(s->conf->schema, s->kind, i)) != NULL; i++)
		if (strcmp(opt->name, name) == 0)
			return opt;
	assert(0 && "option of the schema");
	return NULL;
}

static const char *default_of(const struct cw_conf_section *s, const char *name)
{
	const struct cw_conf_opt *opt = s ? find_opt(s, name) : NULL;

	return opt ? opt->def : NULL;
}

bool cw_conf_is_set(const struct cw_conf_section *s, const char *name)
{
	return find_item(s, name) != NULL;
}

int cw_conf_opt_line(const struct cw_conf_section *s, const char *name)
{
	const struct cw_conf_item *item = find_item(s, name);

	return item ? item->line : 0;
}

const char *cw_conf_str(const struct cw_conf_section *s, const char *name)
{
	return cw_conf_list_get(s, name, 0);
}

int64_t cw_conf_int(const struct cw_conf_section *s, const char *name)
{
	const struct cw_conf_item *item = find_item(s, name);
	const char *def = default_of(s, name);
	int64_t v = 0;

	if (item)
		return item->number;
	return def && parse_int(def, &v) == 0 ? v : 0;
}

bool cw_conf_bool(const struct cw_conf_section *s, const char *name)
{
	const struct cw_conf_item *item = find_item(s, name);
	const char *def = default_of(s, name);
	int64_t v = 0;

	if (item)
		return item->number != 0;
	return def && parse_bool(def, &v) == 0 && v;
}

unsigned cw_conf_list_count(const struct cw_conf_section *s, const char *name)
{
	const struct cw_conf_item *item = find_item(s, name);

	if (item)
		return item->texts ? item->count : 0; /* broken: there is nothing to look at */
	return default_of(s, name) != NULL;
}

const char *cw_conf_list_get(const struct cw_conf_section *s, const char *name, unsigned i)
{
	const struct cw_conf_item *item = find_item(s, name);

	if (!item)
		return i == 0 ? default_of(s, name) : NULL;
	return item->texts && i < item->count ? item->texts[i] : NULL;
}

/* Quoted for a file: `"` and `\` escaped. */
static void write_quoted(struct cw_writer *w, const char *text)
{
	cw_write_u8(w, '"');
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			cw_write_u8(w, '\\');
		cw_write_u8(w, (uint8_t) *p);
	}
	cw_write_u8(w, '"');
}

/* An element as text; a broken one, which only a schema's verify() sees, is nothing. */
static const char *element(const struct cw_conf_section *s, const char *name, unsigned i)
{
	const char *text = cw_conf_list_get(s, name, i);

	return text ? text : "";
}

char *cw_conf_value_text(const struct cw_conf_section *s, const struct cw_conf_opt *opt)
{
	const unsigned n = cw_conf_list_count(s, opt->name);
	size_t room = 8;
	struct cw_writer w;
	char *text;

	if (opt->type != CW_CONF_LIST || n == 0)
		return cw_strdup(n ? element(s, opt->name, 0) : "");
	for (unsigned i = 0; i < n; i++)
		room += 4 + 2 * strlen(element(s, opt->name, i));
	text = cw_zalloc(room, 1);
	if (!text)
		return NULL;
	w = cw_writer_of(text, room - 1);
	for (unsigned i = 0; i < n; i++) {
		cw_write_str(&w, i ? ", " : "{ ");
		write_quoted(&w, element(s, opt->name, i));
	}
	cw_write_str(&w, " }");
	return text;
}

const char *cw_conf_hash(const struct cw_conf *c)
{
	return c->hash;
}

int cw_conf_list_line(const struct cw_conf_section *s, const char *name, unsigned i)
{
	const struct cw_conf_item *item = find_item(s, name);

	return item && i < item->count ? item->values[i].line : 0;
}
