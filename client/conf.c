/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration of the client; see conf.h. The table of options with the checks of single values,
 * and the values out of file and flags: what a flag sets wins. conf_flags.c turns flags into a text
 * that goes through the same table, conf_verify.c looks at options together and at files. Owns both
 * parsed texts. Thread: one. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/conf_int.h"
#include "client/control_io.h"
#include "schema/sasl/client.h"

#define CW_CLIENT_CONTROL CW_RUNDIR "/client/control.sock"
#define CW_CLIENT_STATE   CW_STATEDIR "/client/lease"
#define DEFAULT_FILE      CW_SYSCONFDIR "/causeway.conf"

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

	return one_of(value, words, "the word MIN", ret_want);
}

static int check_not_empty(const char *value, const char **ret_want)
{
	*ret_want = "a text that is not empty; leave it out, if need be";
	return value[0] ? 0 : CW_E_SYNTAX;
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

static int check_socket(const char *value, const char **ret_want)
{
	*ret_want = "an absolute path of at most 107 octets";
	return value[0] == '/' && strlen(value) <= CW_CONTROL_PATH_MAX ? 0 : CW_E_SYNTAX;
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

const struct cw_conf_schema cw_client_schema = {
	.sections = sections, .opts = opts, .give_broken = true};

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

const char *cw_client_get_str(const struct cw_client_conf *c, const char *section, const char *name)
{
	return cw_conf_str(place(c, section, name), name);
}

int64_t cw_client_get_int(const struct cw_client_conf *c, const char *section, const char *name)
{
	return cw_conf_int(place(c, section, name), name);
}

bool cw_client_get_bool(const struct cw_client_conf *c, const char *section, const char *name)
{
	return cw_conf_bool(place(c, section, name), name);
}

static bool get_word(const struct cw_client_conf *c, const char *name, const char *word)
{
	const char *value = cw_client_get_str(c, NULL, name);

	return value && strcmp(value, word) == 0;
}

unsigned cw_client_list_count(const struct cw_client_conf *c, const char *section, const char *name)
{
	return cw_conf_list_count(place(c, section, name), name);
}

const char *cw_client_list_get(
	const struct cw_client_conf *c, const char *section, const char *name, unsigned i)
{
	return cw_conf_list_get(place(c, section, name), name, i);
}

/* ---- all of it ---- */

static void add_route(struct cw_client_conf *c, const char *text)
{
	struct cw_prefix4 p = {0};

	if (parse_route(text, &p) < 0) /* none */
		return;
	for (unsigned i = 0; i < c->n_routes; i++)
		if (c->routes[i].addr.v == p.addr.v && c->routes[i].len == p.len)
			return;
	if (c->n_routes < CW_CLIENT_ROUTES_MAX)
		c->routes[c->n_routes++] = p;
}

static void take_lists(struct cw_client_conf *c)
{
	cw_brokers_init(&c->brokers, c->tls);
	for (unsigned i = 0; i < cw_client_list_count(c, NULL, "broker"); i++)
		(void) !cw_brokers_add(&c->brokers, cw_client_list_get(c, NULL, "broker", i));
	for (unsigned i = 0; i < cw_client_list_count(c, NULL, "mechanisms"); i++) {
		const char *name = cw_client_list_get(c, NULL, "mechanisms", i);

		c->mechs |= CW_MECH_BIT(cw_mech_of((struct cw_slice){name, strlen(name)}));
	}
	for (unsigned i = 0; i < cw_client_list_count(c, "tunnel", "routes"); i++)
		add_route(c, cw_client_list_get(c, "tunnel", "routes", i));
}

/* Out of file and flags that have passed every check. */
static void take_values(struct cw_client_conf *c)
{
	const char *source = cw_client_get_str(c, NULL, "source");

	c->user = cw_client_get_str(c, NULL, "user");
	c->password_file = cw_client_get_str(c, NULL, "password-file");
	c->allow_plain = cw_client_get_bool(c, NULL, "allow-plain");
	c->protocol_version = cw_client_get_str(c, NULL, "protocol-version");
	c->minutes = get_word(c, "lifetime-unit", "minutes");
	c->ports_min = cw_client_get_str(c, NULL, "ports");
	c->connect_timeout_s = (unsigned) cw_client_get_int(c, NULL, "connect-timeout");
	c->retry_min_ms = (uint32_t) cw_client_get_int(c, NULL, "retry-min") * 1000;
	c->retry_max_ms = (uint32_t) cw_client_get_int(c, NULL, "retry-max") * 1000;
	c->persist = cw_client_get_bool(c, NULL, "persist");
	c->exit_on_delete = get_word(c, "after-delete", "exit");
	c->keep_lease = cw_client_get_bool(c, NULL, "keep-lease");
	c->hook = cw_client_get_str(c, NULL, "hook");
	c->hook_timeout_s = (unsigned) cw_client_get_int(c, NULL, "hook-timeout");
	c->control = cw_client_get_str(c, NULL, "control");
	c->state = cw_client_get_str(c, NULL, "state");
	c->tls = cw_client_get_bool(c, "tls", "enable");
	c->ca = cw_client_get_str(c, "tls", "ca");
	c->cert = cw_client_get_str(c, "tls", "cert");
	c->key = cw_client_get_str(c, "tls", "key");
	c->server_name = cw_client_get_str(c, "tls", "server-name");
	c->device = cw_client_get_str(c, "tunnel", "device");
	c->mtu = (unsigned) cw_client_get_int(c, "tunnel", "mtu");
	c->hop_limit = (unsigned) cw_client_get_int(c, "tunnel", "hop-limit");
	c->metric = (unsigned) cw_client_get_int(c, "tunnel", "metric");
	(void) !cw_log_level_parse(cw_client_get_str(c, NULL, "log-level"), &c->log_level);
	(void) !cw_dti_kind_parse(cw_client_get_str(c, "tunnel", "kind"), &c->kind);
	c->has_source = source && cw_addr6_parse(source, strlen(source), &c->source) == 0;
	take_lists(c);
}

const char *cw_client_conf_place(const struct cw_client_conf *c, const char *section,
	const char *name, unsigned i, char buf[static CW_CLIENT_PLACE])
{
	const struct cw_conf_section *s = place(c, section, name);
	int line = cw_conf_list_count(s, name) > i ? cw_conf_list_line(s, name, i) : 0;

	if (!line)
		line = cw_conf_opt_line(s, name);
	if (!line)
		return NULL;
	if (c->flags && s == section_of(c->flags, section))
		return c->flag_names[line - 1];
	(void) snprintf(buf, CW_CLIENT_PLACE, "%s:%d", cw_conf_path(c->file), line);
	return buf;
}

int cw_client_conf_load(struct cw_client_conf *ret, const char *path,
	const struct cw_client_flag *flags, size_t n_flags, bool for_up, FILE *err)
{
	const char *file = path ? path : DEFAULT_FILE;
	int from_file;
	int from_flags;
	int together;

	*ret = (struct cw_client_conf){0};
	ret->has_file = path || access(file, F_OK) == 0;
	if (ret->has_file)
		from_file = cw_conf_load(file, &cw_client_schema, err, &ret->file);
	else
		from_file = cw_conf_parse(file, "", 0, &cw_client_schema, err, &ret->file);
	if (from_file < 0)
		return from_file;
	from_flags = cw_client_flags_parse(ret, flags, n_flags, err);
	if (from_flags < 0)
		return from_flags;
	together = cw_client_verify(ret, for_up, err);
	if (from_file + from_flags + together == 0)
		take_values(ret);
	return from_file + from_flags + together;
}

void cw_client_conf_free(struct cw_client_conf *c)
{
	c->file = cw_conf_free(c->file);
	c->flags = cw_conf_free(c->flags);
	c->flags_text = cw_free(c->flags_text);
	c->flag_names = cw_free(c->flag_names);
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
