/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file to values. base/conf finds what is wrong with a line; here is what is
 * wrong with a value (check_*) and with several together (verify, in settings_verify.c). Building
 * happens only for files without a problem. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/settings.h"
#include "broker/settings_int.h"

/* ---- what one value must be ---- */

static bool is_word(const char *v, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v, words[i]) == 0)
			return true;
	return false;
}

static int want(bool good, const char *text, const char **ret_want)
{
	if (good)
		return 0;
	*ret_want = text;
	return CW_E_SYNTAX;
}

static int check_path(const char *v, const char **ret_want)
{
	return want(v[0] && strlen(v) < 1024, "a path", ret_want);
}

static int check_backend(const char *v, const char **ret_want)
{
	return want(strcmp(v, "sqlite") == 0, "\"sqlite\"", ret_want);
}

static int check_endpoint(const char *v, const char **ret_want)
{
	struct cw_endpoint ep;

	return want(cw_endpoint_parse(v, strlen(v), 0, &ep) == 0,
		"\"ADDR:PORT\", \"[ADDR6]:PORT\" or \"unix:PATH\"", ret_want);
}

static int check_inet_endpoint(const char *v, const char **ret_want)
{
	struct cw_endpoint ep;

	return want(cw_endpoint_parse(v, strlen(v), 0, &ep) == 0 && ep.kind == CW_EP_INET,
		"\"ADDR:PORT\" or \"[ADDR6]:PORT\"", ret_want);
}

const char *const cw_config_mechanisms[] = {
	"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "PLAIN", "ANONYMOUS", "EXTERNAL"};
_Static_assert(CW_ARRAY_LEN(cw_config_mechanisms) == CW_CONFIG_MECHANISMS, "one number");

static int check_mechanism(const char *v, const char **ret_want)
{
	return want(is_word(v, cw_config_mechanisms, CW_CONFIG_MECHANISMS),
		"one of SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5, PLAIN, ANONYMOUS, EXTERNAL",
		ret_want);
}

static int check_realm(const char *v, const char **ret_want)
{
	bool good = v[0] && strlen(v) < 128;

	for (const char *p = v; *p && good; p++)
		good = *p > ' ' && *p < 127 && *p != '"' && *p != '\\';
	return want(good, "a name without blanks and quotes", ret_want);
}

static int check_unit(const char *v, const char **ret_want)
{
	static const char *const words[] = {"seconds", "minutes"};

	return want(is_word(v, words, CW_ARRAY_LEN(words)), "seconds or minutes", ret_want);
}

static int check_when(const char *v, const char **ret_want)
{
	static const char *const words[] = {"full", "always"};

	return want(is_word(v, words, CW_ARRAY_LEN(words)), "full or always", ret_want);
}

static int check_prefix6(const char *v, const char **ret_want)
{
	struct cw_prefix6 p;

	return want(cw_prefix6_parse(v, strlen(v), &p) == 0, "an IPv6 prefix such as 2001:db8::/32",
		ret_want);
}

static int check_broker(const char *v, const char **ret_want)
{
	bool good = v[0] && strlen(v) < 255;

	for (const char *p = v; *p && good; p++)
		good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		       (*p >= '0' && *p <= '9') || strchr(".-:[]", *p) != NULL;
	return want(good, "an address or a name, with or without a port", ret_want);
}

static int check_level(const char *v, const char **ret_want)
{
	enum cw_log_level level;

	return want(cw_log_level_parse(v, &level) == 0, "err, warning, notice, info or debug",
		ret_want);
}

static const char *const formats[] = {"auto", "logfmt", "json", "journal"};

static int check_format(const char *v, const char **ret_want)
{
	return want(is_word(v, formats, CW_ARRAY_LEN(formats)), "auto, logfmt, json or journal",
		ret_want);
}

bool cw_config_name_ok(const char *v)
{
	size_t n = strlen(v);

	for (const char *p = v; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			    (*p >= '0' && *p <= '9') || strchr("._@-", *p)))
			return false;
	return n > 0 && n < CW_NAME_MAX;
}

static int check_name(const char *v, const char **ret_want)
{
	return want(cw_config_name_ok(v), CW_CONFIG_NAME_WANT, ret_want);
}

static int check_addr4(const char *v, const char **ret_want)
{
	struct cw_addr4 a;

	return want(cw_addr4_parse(v, strlen(v), &a) == 0 && cw_addr4_is_unicast(a),
		"an IPv4 address such as 192.0.2.1", ret_want);
}

static int check_tep6(const char *v, const char **ret_want)
{
	struct cw_addr6 a;

	return want(cw_addr6_parse(v, strlen(v), &a) == 0 &&
			    (cw_addr6_is_tunnel_end(&a) || cw_addr6_is_loopback(&a)),
		"a global IPv6 address such as 2001:db8::1", ret_want);
}

static int check_plugin_option(const char *v, const char **ret_want)
{
	const char *eq = strchr(v, '=');

	return want(
		eq && eq != v && !strpbrk(v, "\r\n") && strlen(v) < 512, "\"key=value\"", ret_want);
}

static int check_range(const char *v, const char **ret_want)
{
	struct cw_addr4 lo, hi;

	return want(cw_range4_parse(v, strlen(v), &lo, &hi) == 0 && lo.v <= hi.v &&
			    cw_addr4_is_unicast(lo) && cw_addr4_is_unicast(hi),
		"an IPv4 range such as 198.51.100.0/24 or 198.51.100.4-198.51.100.9", ret_want);
}

static int check_rest_socket(const char *v, const char **ret_want)
{
	return want(v[0] && strlen(v) < 1024, "a path, or \"none\"", ret_want);
}

static int check_role(const char *v, const char **ret_want)
{
	const char *name = v + (v[0] == '@' ? 1 : strncmp(v, "cert:", 5) == 0 ? 5 : 0);

	return want(name[0] && strlen(name) < CW_NAME_MAX && !strpbrk(name, " \t\r\n:"),
		"a user, @GROUP or cert:NAME", ret_want);
}

static int check_host(const char *v, const char **ret_want)
{
	return want(v[0] && strlen(v) < 254 &&
			    strspn(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._") == strlen(v),
		"a host name without a port", ret_want);
}

static int check_password(const char *v, const char **ret_want)
{
	bool good = v[0] && strlen(v) < 256;

	for (const char *p = v; *p && good; p++)
		good = (unsigned char) *p >= ' ' && *p != 127;
	return want(good, "1 to 255 characters, none of them a control character", ret_want);
}

static const struct cw_conf_section_kind kinds[] = {
#define CW_SECTION(name, titled, help) {name, titled, help},
#define CW_OPT(section, name, type, def, min, max, check, help)
#include "broker/options.def"
#undef CW_SECTION
#undef CW_OPT
	{0}};

static const struct cw_conf_opt opts[] = {
#define CW_SECTION(name, titled, help)
#define CW_OPT(section, name, type, def, min, max, check, help) \
	{section, name, type, def, min, max, check, help},
#include "broker/options.def"
#undef CW_SECTION
#undef CW_OPT
	{0}};

static const struct cw_conf_schema schema = {
	.sections = kinds, .opts = opts, .verify = cw_config_verify};

const struct cw_conf_schema *cw_config_schema(void)
{
	return &schema;
}

/* ---- building ---- */

char *cw_config_path_under(const char *base, const char *path)
{
	size_t n = strlen(base) + strlen(path) + 2;
	char *p;

	if (path[0] == '/')
		return cw_strdup(path);
	p = cw_zalloc(n, 1);
	if (p)
		(void) snprintf(p, n, "%s/%s", base, path);
	return p;
}

bool cw_config_get_path(
	const struct cw_config *c, const struct cw_conf_section *s, const char *name, char **ret)
{
	const char *v = cw_conf_str(s, name);

	if (!v)
		return true;
	*ret = cw_config_path_under(c->state_dir, v);
	return *ret != NULL;
}

bool cw_config_get_listen(const struct cw_config *c, const struct cw_conf_section *s,
	struct cw_endpoint **ret, size_t *ret_n)
{
	unsigned n = cw_conf_list_count(s, "listen");
	struct cw_endpoint *v = cw_zalloc(n ? n : 1, sizeof *v);

	if (!v)
		return false;
	*ret = v;
	*ret_n = n;
	for (unsigned i = 0; i < n; i++) {
		const char *text = cw_conf_list_get(s, "listen", i);
		char *path;

		if (cw_endpoint_parse(text, strlen(text), 0, &v[i]) < 0)
			return false;
		if (v[i].kind != CW_EP_UNIX || v[i].u.path[0] == '/')
			continue;
		path = cw_config_path_under(c->run_dir, v[i].u.path);
		if (!path)
			return false;
		/* settings_verify.c saw that it fits. */
		(void) snprintf(v[i].u.path, sizeof v[i].u.path, "%s", path);
		(void) cw_free(path);
	}
	return true;
}

char *cw_config_join(const struct cw_conf_section *s, const char *name, char sep, bool sep_last)
{
	unsigned n = cw_conf_list_count(s, name);
	size_t room = 1;
	char *text, *p;

	for (unsigned i = 0; i < n; i++)
		room += strlen(cw_conf_list_get(s, name, i)) + 1;
	text = p = cw_zalloc(room, 1);
	for (unsigned i = 0; text && i < n; i++) {
		p = stpcpy(p, cw_conf_list_get(s, name, i));
		if (i + 1 < n || sep_last)
			*p++ = sep;
	}
	return text;
}

static bool build_tsp(struct cw_config *c, const struct cw_conf *f)
{
	const struct cw_conf_section *tsp = cw_conf_section(f, "tsp", 0);
	const struct cw_conf_section *tls = cw_conf_section(f, "tls", 0);
	unsigned n = cw_conf_list_count(tsp, "client-prefix");

	if (!cw_config_get_listen(c, tsp, &c->listen, &c->n_listen))
		return false;
	c->udp = cw_conf_bool(tsp, "udp");
	c->mechanisms = cw_config_join(tsp, "mechanisms", ' ', false);
	if (cw_conf_str(tsp, "realm") && !(c->realm = cw_strdup(cw_conf_str(tsp, "realm"))))
		return false;
	c->plain_without_tls = cw_conf_bool(tsp, "plain-without-tls");
	c->lifetime_minutes = strcmp(cw_conf_str(tsp, "lifetime-unit"), "minutes") == 0;
	c->anonymous_source_check = cw_conf_bool(tsp, "anonymous-source-check");
	c->client_prefix = cw_zalloc(n ? n : 1, sizeof *c->client_prefix);
	if (!c->client_prefix || !c->mechanisms)
		return false;
	c->n_client_prefix = n;
	for (unsigned i = 0; i < n; i++) {
		const char *v = cw_conf_list_get(tsp, "client-prefix", i);

		if (cw_prefix6_parse(v, strlen(v), &c->client_prefix[i]) < 0)
			return false;
	}
	c->tls = cw_conf_has(f, "tls");
	if (!c->tls)
		return true;
	c->tls_require_client_cert = cw_conf_bool(tls, "require-client-cert");
	c->tls_cert_line = cw_conf_opt_line(tls, "cert");
	c->tls_key_line = cw_conf_opt_line(tls, "key");
	c->tls_ca_line = cw_conf_opt_line(tls, "ca");
	return cw_config_get_listen(c, tls, &c->tls_listen, &c->n_tls_listen) &&
	       cw_config_get_path(c, tls, "cert", &c->tls_cert) &&
	       cw_config_get_path(c, tls, "key", &c->tls_key) &&
	       cw_config_get_path(c, tls, "ca", &c->tls_ca);
}

static unsigned get_uint(const struct cw_conf_section *s, const char *name)
{
	return (unsigned) cw_conf_int(s, name);
}

static bool build_limits(struct cw_config *c, const struct cw_conf *f)
{
	const struct cw_conf_section *s = cw_conf_section(f, "limits", 0);
	const struct cw_conf_section *r = cw_conf_section(f, "redirect", 0);
	unsigned n = cw_conf_list_count(r, "broker");

	c->limits = (struct cw_config_limits){
		.connections = get_uint(s, "connections"),
		.per_source = get_uint(s, "connections-per-source"),
		.per_network = get_uint(s, "connections-per-network"),
		.udp_sessions = get_uint(s, "udp-sessions"),
		.requests_per_source = get_uint(s, "requests-per-source"),
		.backoff_ms = get_uint(s, "login-backoff-ms"),
		.backoff_max_ms = get_uint(s, "login-backoff-max-ms"),
		.leases_per_principal = get_uint(s, "leases-per-principal"),
		.leases_per_network = get_uint(s, "leases-per-network"),
		.pending = get_uint(s, "pending-requests"),
	};
	c->redirect_always = strcmp(cw_conf_str(r, "when"), "always") == 0;
	c->redirect = cw_zalloc(n ? n : 1, sizeof *c->redirect);
	if (!c->redirect)
		return false;
	for (; c->n_redirect < n; c->n_redirect++)
		if (!(c->redirect[c->n_redirect] = cw_strdup(
			      cw_conf_list_get(r, "broker", (unsigned) c->n_redirect))))
			return false;
	return true;
}

static bool build_teps(struct cw_config *c, const struct cw_conf *f)
{
	unsigned n = cw_conf_section_count(f, "tep");

	c->teps = cw_zalloc(n ? n : 1, sizeof *c->teps);
	if (!c->teps)
		return false;
	for (unsigned i = 0; i < n; i++) {
		const struct cw_conf_section *s = cw_conf_section(f, "tep", i);
		struct cw_tep *t = &c->teps[i].tep;
		const char *v4 = cw_conf_str(s, "ipv4"), *v6 = cw_conf_str(s, "ipv6");
		char *options = cw_config_join(s, "options", '\n', true);

		if (!options)
			return false;
		c->teps[i].line = cw_conf_line(s);
		(void) snprintf(t->name, sizeof t->name, "%s", cw_conf_title(s));
		(void) snprintf(t->plugin, sizeof t->plugin, "%s", cw_conf_str(s, "plugin"));
		(void) snprintf(t->options, sizeof t->options, "%s", options);
		(void) cw_free(options);
		t->has_ipv4 = v4 != NULL;
		if ((v4 && cw_addr4_parse(v4, strlen(v4), &t->ipv4) < 0) ||
			cw_addr6_parse(v6, strlen(v6), &t->ipv6) < 0)
			return false;
		c->n_teps++;
	}
	return true;
}

static bool get_ranges(
	const struct cw_conf_section *s, const char *name, struct cw_range **ret, size_t *ret_n)
{
	unsigned n = cw_conf_list_count(s, name);
	struct cw_range *v = cw_zalloc(n ? n : 1, sizeof *v);

	if (!v)
		return false;
	*ret = v;
	*ret_n = n;
	for (unsigned i = 0; i < n; i++) {
		const char *text = cw_conf_list_get(s, name, i);

		if (cw_range4_parse(text, strlen(text), &v[i].lo, &v[i].hi) < 0)
			return false;
	}
	return true;
}

static bool build_pools(struct cw_config *c, const struct cw_conf *f)
{
	unsigned n = cw_conf_section_count(f, "pool");

	c->pools = cw_zalloc(n ? n : 1, sizeof *c->pools);
	if (!c->pools)
		return false;
	for (; c->n_pools < n; c->n_pools++) {
		const struct cw_conf_section *s = cw_conf_section(f, "pool", (unsigned) c->n_pools);
		struct cw_config_pool *p = &c->pools[c->n_pools];
		unsigned k = get_uint(s, "port-set-length");

		(void) snprintf(p->pool.name, sizeof p->pool.name, "%s", cw_conf_title(s));
		(void) snprintf(p->tep, sizeof p->tep, "%s", cw_conf_str(s, "tep"));
		p->line = cw_conf_line(s);
		p->pool.ps_len = (uint8_t) k;
		p->pool.ps_offset = k ? (uint8_t) get_uint(s, "port-set-offset") : 0;
		p->pool.keep_system_ports = k && cw_conf_bool(s, "keep-system-ports");
		p->pool.state = CW_POOL_ACTIVE;
		cw_config_lifetimes(
			s, &p->pool.lifetime_s, &p->pool.lifetime_min_s, &p->pool.lifetime_max_s);
		p->pool.quarantine_s = get_uint(s, "quarantine");
		p->pool.max_leases = get_uint(s, "max-leases");
		p->pool.retention_s = get_uint(s, "retention");
		p->pool.low_percent = CW_POOL_LOW;
		p->pool.order = get_uint(s, "order");
		if (!get_ranges(s, "range", &p->ranges, &p->n_ranges) ||
			!get_ranges(s, "exclude", &p->excludes, &p->n_excludes)) {
			c->n_pools++;
			return false;
		}
	}
	return true;
}

int cw_config_read_password(const char *path, char **ret)
{
	/* A pipe that nobody writes to reads as an empty password, which is none. */
	CW_CLEANUP(cw_closep)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char text[258];
	const char *want_text;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof text - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	text[strcspn(text, "\r\n")] = 0;
	if (check_password(text, &want_text) < 0)
		r = CW_E_SYNTAX;
	else if (!(*ret = cw_strdup(text)))
		r = -ENOMEM;
	explicit_bzero(text, sizeof text);
	return r;
}

static bool build_users(struct cw_config *c, const struct cw_conf *f)
{
	unsigned n = cw_conf_section_count(f, "user");

	c->users = cw_zalloc(n ? n : 1, sizeof *c->users);
	if (!c->users)
		return false;
	for (; c->n_users < n; c->n_users++) {
		const struct cw_conf_section *s = cw_conf_section(f, "user", (unsigned) c->n_users);
		struct cw_config_user *u = &c->users[c->n_users];
		char *path = NULL;
		struct stat st;
		int r;

		(void) snprintf(u->user.name, sizeof u->user.name, "%s", cw_conf_title(s));
		u->section_line = cw_conf_line(s);
		if (cw_conf_str(s, "pool"))
			(void) snprintf(
				u->user.pool, sizeof u->user.pool, "%s", cw_conf_str(s, "pool"));
		u->user.max_leases = get_uint(s, "max-leases");
		if (cw_conf_str(s, "password")) {
			u->password = cw_strdup(cw_conf_str(s, "password"));
			if (!u->password)
				return false;
			continue;
		}
		if (!cw_config_get_path(c, s, "password-file", &path) || !path)
			return false;
		r = cw_config_read_password(path, &u->password);
		u->line = cw_conf_opt_line(s, "password-file");
		if (r == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
			(st.st_mode & (S_IRGRP | S_IROTH)))
			u->open_file = CW_TAKE(path);
		(void) cw_free(path);
		if (r < 0)
			return false;
	}
	return true;
}

const struct cw_config_place cw_config_fixed_places[CW_FIXED_N] = {
#define X(id, section, dot, name) [CW_FIXED_##id] = {section, name},
	CW_CONFIG_FIXED(X)
#undef X
};

static void note_lines(struct cw_config *c, const struct cw_conf *f)
{
	const struct cw_config_place *fixed = cw_config_fixed_places;

	for (unsigned i = 0; i < CW_FIXED_N; i++) {
		const struct cw_conf_section *s = fixed[i].section[0]
							  ? cw_conf_section(f, fixed[i].section, 0)
							  : cw_conf_top(f);

		c->fixed_line[i] = cw_conf_opt_line(s, fixed[i].name);
	}
}

static struct cw_config *build(const struct cw_conf *f)
{
	const struct cw_conf_section *top = cw_conf_top(f);
	const struct cw_conf_section *store = cw_conf_section(f, "store", 0);
	const struct cw_conf_section *log = cw_conf_section(f, "log", 0);
	struct cw_config *c = cw_zalloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->refs = 1;
	note_lines(c, f);
	c->state_dir = cw_strdup(cw_conf_str(top, "state-dir"));
	c->run_dir = cw_strdup(cw_conf_str(top, "run-dir"));
	c->store_backend = cw_strdup(cw_conf_str(store, "backend"));
	if (!c->state_dir || !c->run_dir || !c->store_backend ||
		!cw_config_get_path(c, top, "plugin-dir", &c->plugin_dir) ||
		!cw_config_get_path(c, store, "path", &c->store_path))
		return cw_config_free(c);
	c->store_batch = get_uint(store, "batch");
	c->store_cache_kib = get_uint(store, "cache-kib");
	(void) !cw_log_level_parse(
		cw_conf_str(log, "level"), &c->log_level); /* check_level saw it */
	for (unsigned i = 0; i < CW_ARRAY_LEN(formats); i++)
		if (strcmp(cw_conf_str(log, "format"), formats[i]) == 0)
			c->log_format = (enum cw_log_format) i;
	if (!build_tsp(c, f) || !build_limits(c, f) || !build_teps(c, f) || !build_pools(c, f) ||
		!build_users(c, f) || !cw_config_rest_build(c, f) || !cw_config_values_build(c, f))
		return cw_config_free(c);
	return c;
}

static int built(int r, struct cw_conf *f, FILE *err, const char *path, struct cw_config **ret)
{
	struct cw_config *c;

	if (r != 0)
		return r;
	c = build(f);
	(void) cw_conf_free(f);
	if (!c) {
		(void) fprintf(err, "%s: out of memory\n", path);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

int cw_config_load(const char *path, FILE *err, struct cw_config **ret)
{
	struct cw_conf *f = NULL;
	int r = cw_conf_load(path, &schema, err, &f);

	return built(r, f, err, path, ret);
}

int cw_config_parse(const char *path, const char *text, size_t n, FILE *err, struct cw_config **ret)
{
	struct cw_conf *f = NULL;
	int r = cw_conf_parse(path, text, n, &schema, err, &f);

	return built(r, f, err, path, ret);
}

void cw_config_forget(struct cw_config *c)
{
	for (size_t i = 0; i < c->n_users; i++) {
		if (c->users[i].password)
			(void) cw_free_secret(c->users[i].password, strlen(c->users[i].password));
		c->users[i].password = NULL;
	}
}

struct cw_config *cw_config_ref(struct cw_config *c)
{
	c->refs++;
	return c;
}

struct cw_config *cw_config_free(struct cw_config *c)
{
	if (!c || --c->refs > 0)
		return NULL;
	cw_config_forget(c);
	for (size_t i = 0; i < c->n_pools; i++) {
		(void) cw_free(c->pools[i].ranges);
		(void) cw_free(c->pools[i].excludes);
	}
	for (size_t i = 0; i < c->n_users; i++)
		(void) cw_free(c->users[i].open_file);
	for (size_t i = 0; i < c->n_redirect; i++)
		(void) cw_free(c->redirect[i]);
	(void) cw_free(c->redirect);
	(void) cw_free(c->state_dir);
	(void) cw_free(c->run_dir);
	(void) cw_free(c->plugin_dir);
	(void) cw_free(c->store_backend);
	(void) cw_free(c->store_path);
	(void) cw_free(c->listen);
	(void) cw_free(c->mechanisms);
	(void) cw_free(c->realm);
	(void) cw_free(c->client_prefix);
	(void) cw_free(c->tls_listen);
	(void) cw_free(c->tls_cert);
	(void) cw_free(c->tls_key);
	(void) cw_free(c->tls_ca);
	cw_config_rest_done(&c->rest);
	cw_config_values_done(c);
	(void) cw_free(c->backup.directory);
	(void) cw_free(c->teps);
	(void) cw_free(c->pools);
	(void) cw_free(c->users);
	return cw_free(c);
}
