/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration of the client; see conf.h. The flags are written as a second configuration text and
 * go through the same table and the same checks as the file; a value that is set there wins. Owns
 * both parsed texts. Thread: one. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/conf.h"
#include "schema/ipip/ipip.h"
#include "schema/sasl/client.h"

#define CW_CLIENT_CONTROL CW_RUNDIR "/client/control.sock"
#define CW_CLIENT_STATE   CW_STATEDIR "/client/lease"
#define DEFAULT_FILE      CW_SYSCONFDIR "/causeway.conf"

enum { FLAGS_TEXT_MAX = 65536 };

/* ---- checks of single values ---- */

static int one_of(
	const char *value, const char *const *words, const char *want, const char **ret_want)
{
	for (; *words; words++)
		if (strcmp(value, *words) == 0)
			return 0;
	*ret_want = want;
	return CW_E_SYNTAX;
}

static int check_broker(const char *value, const char **ret_want)
{
	struct cw_broker b;

	*ret_want = "a broker such as tsp.example.net, 192.0.2.1:3653 or [2001:db8::1]:3653";
	return cw_broker_parse(value, CW_BROKER_PORT, &b);
}

static int check_mechanism(const char *value, const char **ret_want)
{
	*ret_want = "one of EXTERNAL, SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5, PLAIN, ANONYMOUS";
	return cw_mech_of((struct cw_slice){value, strlen(value)}) < 0 ? CW_E_SYNTAX : 0;
}

static int check_version(const char *value, const char **ret_want)
{
	const struct cw_slice v = {value, strlen(value)};
	char line[32];
	enum cw_tsp_version ignored;
	int n = snprintf(line, sizeof line, "VERSION=%s", value);

	*ret_want = "2.0.0 or 1.0";
	if (v.n == 0 || n < 0 || (size_t) n >= sizeof line)
		return CW_E_SYNTAX;
	return cw_tsp_parse_version((struct cw_slice){line, (size_t) n}, &ignored);
}

static int check_unit(const char *value, const char **ret_want)
{
	static const char *const words[] = {"seconds", "minutes", NULL};

	return one_of(value, words, "seconds or minutes", ret_want);
}

static int check_after_delete(const char *value, const char **ret_want)
{
	static const char *const words[] = {"retry", "exit", NULL};

	return one_of(value, words, "retry or exit", ret_want);
}

static int check_ports(const char *value, const char **ret_want)
{
	static const char *const words[] = {"MIN", NULL};

	return one_of(value, words, "MIN", ret_want);
}

static int check_addr6(const char *value, const char **ret_want)
{
	struct cw_addr6 a;

	*ret_want = "an IPv6 address that is not link-local, such as 2001:db8::1";
	if (cw_addr6_parse(value, strlen(value), &a) < 0)
		return CW_E_SYNTAX;
	return cw_addr6_is_tunnel_end(&a) || cw_addr6_is_loopback(&a) ? 0 : CW_E_SYNTAX;
}

static int check_path(const char *value, const char **ret_want)
{
	*ret_want = "an absolute path";
	return value[0] == '/' ? 0 : CW_E_SYNTAX;
}

static int check_log_level(const char *value, const char **ret_want)
{
	enum cw_log_level ignored;

	*ret_want = "err, warning, notice, info or debug";
	return cw_log_level_parse(value, &ignored);
}

static int check_kind(const char *value, const char **ret_want)
{
	enum cw_dti_kind ignored;

	*ret_want = "auto or tun";
	return cw_dti_kind_parse(value, &ignored);
}

static int check_device(const char *value, const char **ret_want)
{
	const char *percent = strchr(value, '%');
	size_t n = strlen(value);

	*ret_want = "a device name of at most 15 octets, with at most one %d";
	if (n == 0 || n >= IFNAMSIZ || strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		return CW_E_SYNTAX;
	for (const char *s = value; *s; s++)
		if (!isgraph((unsigned char) *s) || *s == '/' || *s == ':')
			return CW_E_SYNTAX;
	return percent && (percent[1] != 'd' || strchr(percent + 1, '%')) ? CW_E_SYNTAX : 0;
}

static int parse_route(const char *value, struct cw_prefix4 *ret)
{
	if (strcmp(value, "default") == 0) {
		*ret = (struct cw_prefix4){0};
		return 0;
	}
	return cw_prefix4_parse(value, strlen(value), ret);
}

static int check_route(const char *value, const char **ret_want)
{
	struct cw_prefix4 ignored;

	*ret_want = "an IPv4 prefix such as 203.0.113.0/24, default, or none";
	return strcmp(value, "none") == 0 ? 0 : parse_route(value, &ignored);
}

/* ---- the table ---- */

static const struct cw_conf_section_kind sections[] = {
	{"tls", false, "TLS to the brokers."},
	{"tunnel", false, "The tunnel interface and the routes over it."},
	{NULL, false, NULL},
};

static const struct cw_conf_opt opts[] = {
#define CW_OPT(section_, name_, type_, def_, min_, max_, check_, help_) \
	{.section = (section_),                                         \
		.name = (name_),                                        \
		.type = CW_CONF_##type_,                                \
		.def = (def_),                                          \
		.min = (min_),                                          \
		.max = (max_),                                          \
		.check = (check_),                                      \
		.help = (help_)},
#include "client/options.def"
#undef CW_OPT
	{.name = NULL},
};

const struct cw_conf_schema cw_client_schema = {.sections = sections, .opts = opts};

/* The row of an option; the empty last one if there is none (a mistake of ours, which the tests
 * find). */
static const struct cw_conf_opt *find(const char *section, const char *name)
{
	const struct cw_conf_opt *o = opts;

	while (o->name && (strcmp(o->name, name) != 0 || (!o->section) != (!section) ||
				  (section && strcmp(o->section, section) != 0)))
		o++;
	return o;
}

/* ---- flags as a text ---- */

static bool writable(const char *value)
{
	for (const char *s = value; *s; s++)
		if ((unsigned char) *s < ' ' || *s == '\'' || *s == '\\')
			return false;
	return true;
}

static bool same_option(const struct cw_client_flag *a, const struct cw_client_flag *b)
{
	return strcmp(a->option, b->option) == 0 && (!a->section) == (!b->section) &&
	       (!a->section || strcmp(a->section, b->section) == 0);
}

/* One option with all the values it was given, unless it was written with an earlier flag. */
static void write_option(
	struct cw_writer *w, const struct cw_client_flag *flags, size_t n, size_t i)
{
	const struct cw_conf_opt *o = find(flags[i].section, flags[i].option);
	const struct cw_client_flag *last = &flags[i];
	bool list = o->type == CW_CONF_LIST;
	const char *comma = "";

	for (size_t j = 0; j < i; j++)
		if (same_option(&flags[i], &flags[j]))
			return;
	cw_write_fmt(w, "%s = %s", flags[i].option, list ? "{" : "");
	for (size_t j = i; j < n; j++) {
		if (!same_option(&flags[i], &flags[j]))
			continue;
		last = &flags[j];
		if (list)
			cw_write_fmt(w, "%s'%s'", comma, flags[j].value);
		comma = ", ";
	}
	if (list)
		cw_write_str(w, "}");
	else if (o->type == CW_CONF_STR)
		cw_write_fmt(w, "'%s'", last->value);
	else /* numbers and truth values are written as they are; the parser says what is wrong */
		cw_write_str(w, last->value ? last->value : "true");
	cw_write_str(w, "\n");
}

/* A section may be written once only: its options go into one pair of braces. */
static void write_section(
	struct cw_writer *w, const char *section, const struct cw_client_flag *flags, size_t n)
{
	bool open = false;

	for (size_t i = 0; i < n; i++) {
		if ((!flags[i].section) != (!section) ||
			(section && strcmp(section, flags[i].section) != 0))
			continue;
		if (section && !open)
			cw_write_fmt(w, "%s {\n", section);
		open = true;
		write_option(w, flags, n, i);
	}
	if (section && open)
		cw_write_str(w, "}\n");
}

static int parse_flags(
	struct cw_client_conf *c, const struct cw_client_flag *flags, size_t n, FILE *err)
{
	struct cw_writer w;
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		if (!flags[i].value || writable(flags[i].value))
			continue;
		(void) fprintf(err,
			"causeway: a flag for %s holds a quote, a backslash or a control character\n",
			flags[i].option);
		bad++;
	}
	if (bad || n == 0)
		return bad;
	c->flags_text = cw_zalloc(1, FLAGS_TEXT_MAX);
	if (!c->flags_text)
		return -ENOMEM;
	w = cw_writer_of(c->flags_text, FLAGS_TEXT_MAX);
	write_section(&w, NULL, flags, n);
	for (const struct cw_conf_section_kind *s = sections; s->name; s++)
		write_section(&w, s->name, flags, n);
	if (w.bad) {
		(void) fprintf(err, "causeway: flags are too long\n");
		return 1;
	}
	return cw_conf_parse(
		"command line", c->flags_text, cw_write_len(&w), &cw_client_schema, err, &c->flags);
}

/* ---- values ---- */

static const struct cw_conf_section *section_of(const struct cw_conf *c, const char *section)
{
	if (!c)
		return NULL;
	return section ? cw_conf_section(c, section, 0) : cw_conf_top(c);
}

/* Where the value of an option is to be taken from: the flags, else the file. */
static const struct cw_conf_section *place(
	const struct cw_client_conf *c, const char *section, const char *name)
{
	const struct cw_conf_section *s = section_of(c->flags, section);

	return s && cw_conf_is_set(s, name) ? s : section_of(c->file, section);
}

static const char *get_str(const struct cw_client_conf *c, const char *section, const char *name)
{
	return cw_conf_str(place(c, section, name), name);
}

static int64_t get_int(const struct cw_client_conf *c, const char *section, const char *name)
{
	return cw_conf_int(place(c, section, name), name);
}

static bool get_bool(const struct cw_client_conf *c, const char *section, const char *name)
{
	return cw_conf_bool(place(c, section, name), name);
}

static bool get_word(const struct cw_client_conf *c, const char *name, const char *word)
{
	const char *value = get_str(c, NULL, name);

	return value && strcmp(value, word) == 0;
}

static unsigned list_count(const struct cw_client_conf *c, const char *section, const char *name)
{
	return cw_conf_list_count(place(c, section, name), name);
}

static const char *list_get(
	const struct cw_client_conf *c, const char *section, const char *name, unsigned i)
{
	return cw_conf_list_get(place(c, section, name), name, i);
}

/* ---- all of it ---- */

static void take_values(struct cw_client_conf *c)
{
	c->user = get_str(c, NULL, "user");
	c->password_file = get_str(c, NULL, "password-file");
	c->allow_plain = get_bool(c, NULL, "allow-plain");
	c->protocol_version = get_str(c, NULL, "protocol-version");
	c->minutes = get_word(c, "lifetime-unit", "minutes");
	c->ports_min = get_str(c, NULL, "ports");
	c->connect_timeout_s = (unsigned) get_int(c, NULL, "connect-timeout");
	c->retry_min_ms = (uint32_t) get_int(c, NULL, "retry-min") * 1000;
	c->retry_max_ms = (uint32_t) get_int(c, NULL, "retry-max") * 1000;
	c->persist = get_bool(c, NULL, "persist");
	c->exit_on_delete = get_word(c, "after-delete", "exit");
	c->keep_lease = get_bool(c, NULL, "keep-lease");
	c->hook = get_str(c, NULL, "hook");
	c->hook_timeout_s = (unsigned) get_int(c, NULL, "hook-timeout");
	c->control = get_str(c, NULL, "control");
	c->state = get_str(c, NULL, "state");
	c->tls = get_bool(c, "tls", "enable");
	c->ca = get_str(c, "tls", "ca");
	c->cert = get_str(c, "tls", "cert");
	c->key = get_str(c, "tls", "key");
	c->server_name = get_str(c, "tls", "server-name");
	c->device = get_str(c, "tunnel", "device");
	c->mtu = (unsigned) get_int(c, "tunnel", "mtu");
	c->hop_limit = (unsigned) get_int(c, "tunnel", "hop-limit");
	c->metric = (unsigned) get_int(c, "tunnel", "metric");
	(void) !cw_log_level_parse(get_str(c, NULL, "log-level"), &c->log_level);
	(void) !cw_dti_kind_parse(get_str(c, "tunnel", "kind"), &c->kind);
}

static int problem(FILE *err, const char *text)
{
	(void) fprintf(err, "causeway: %s\n", text);
	return 1;
}

static int take_routes(struct cw_client_conf *c, FILE *err)
{
	unsigned n = list_count(c, "tunnel", "routes");
	int bad = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *text = list_get(c, "tunnel", "routes", i);
		struct cw_prefix4 p = {0};
		bool twice = false;

		if (strcmp(text, "none") == 0) {
			if (n > 1)
				bad += problem(err, "routes: none stands alone");
			continue;
		}
		if (parse_route(text, &p) < 0)
			continue; /* reported by its check */
		for (unsigned j = 0; j < c->n_routes; j++)
			twice = twice ||
				(c->routes[j].addr.v == p.addr.v && c->routes[j].len == p.len);
		if (twice)
			continue;
		if (c->n_routes == CW_CLIENT_ROUTES_MAX)
			return bad + problem(err, "routes: more than 64");
		c->routes[c->n_routes++] = p;
	}
	return bad;
}

/* What single values do not show. */
static int take_together(struct cw_client_conf *c, bool need_broker, FILE *err)
{
	const char *source = get_str(c, NULL, "source");
	int bad = take_routes(c, err);

	cw_brokers_init(&c->brokers, c->tls);
	for (unsigned i = 0; i < list_count(c, NULL, "broker"); i++)
		if (cw_brokers_add(&c->brokers, list_get(c, NULL, "broker", i)) == CW_E_LIMIT)
			bad += problem(err, "broker: more than 32");
	if (need_broker && c->brokers.n == 0)
		bad += problem(err, "no broker: set `broker` in the file, or use --broker HOST");
	for (unsigned i = 0; i < list_count(c, NULL, "mechanisms"); i++) {
		const char *name = list_get(c, NULL, "mechanisms", i);
		int m = cw_mech_of((struct cw_slice){name, strlen(name)});

		c->mechs |= m >= 0 ? CW_MECH_BIT(m) : 0;
	}
	if (source)
		c->has_source = cw_addr6_parse(source, strlen(source), &c->source) == 0;
	if (c->mtu && c->mtu < CW_IPIP_MTU_MIN)
		bad += problem(err, "mtu: at least 1240, or 0 for that of the path");
	if ((!c->cert) != (!c->key))
		bad += problem(err, "tls: cert and key go together");
	if (!c->tls && (c->ca || c->cert || c->server_name))
		bad += problem(err, "tls: ca, cert and server-name need `enable = true` or --tls");
	if (c->retry_min_ms > c->retry_max_ms)
		bad += problem(err, "retry-min is greater than retry-max");
	return bad;
}

int cw_client_conf_load(struct cw_client_conf *ret, const char *path,
	const struct cw_client_flag *flags, size_t n_flags, bool need_broker, FILE *err)
{
	const char *file = path ? path : DEFAULT_FILE;
	int bad = 0;
	int r;

	*ret = (struct cw_client_conf){0};
	if (path || access(file, F_OK) == 0)
		bad = cw_conf_load(file, &cw_client_schema, err, &ret->file);
	else
		bad = cw_conf_parse("defaults", "", 0, &cw_client_schema, err, &ret->file);
	if (bad < 0)
		return bad;
	r = parse_flags(ret, flags, n_flags, err);
	if (r < 0)
		return r;
	bad += r;
	if (bad)
		return bad;
	take_values(ret);
	return take_together(ret, need_broker, err);
}

void cw_client_conf_free(struct cw_client_conf *c)
{
	c->file = cw_conf_free(c->file);
	c->flags = cw_conf_free(c->flags);
	c->flags_text = cw_free(c->flags_text);
}

unsigned cw_client_mechs(const struct cw_client_conf *c, bool has_password, bool exposed)
{
	unsigned m = c->mechs;

	if (m == 0) {
		/* With a name somebody wants to be known: falling back to ANONYMOUS would let a
		 * broker, or who stands before it, strip the login. */
		m = c->cert ? CW_MECH_BIT(CW_MECH_EXTERNAL) : 0;
		m |= c->user ? CW_MECH_PASSWORDS : 0;
		if (m == 0)
			m = CW_MECH_BIT(CW_MECH_ANONYMOUS);
	}
	if (!c->tls || !c->cert)
		m &= ~CW_MECH_BIT(CW_MECH_EXTERNAL);
	if (!c->user || !has_password)
		m &= ~CW_MECH_PASSWORDS;
	/* guide tsp.md 3 and 11 */
	if (!c->tls && (!c->allow_plain || exposed))
		m &= ~CW_MECH_BIT(CW_MECH_PLAIN);
	return m;
}
