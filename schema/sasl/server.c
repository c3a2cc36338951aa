/* SPDX-License-Identifier: BSD-2-Clause */
/* The server side of SASL on Cyrus libsasl2. The library runs the mechanisms; users come from the
 * caller's lookup, handed in by an internal property plugin (SCRAM, DIGEST-MD5) and a password
 * callback (PLAIN). No configuration file, no user database of the library's own, no security
 * layer.
 *
 * An unknown user has verifiers too, which no password fits: the exchange goes its whole way and
 * fails where a wrong password fails. Threads: see sasl.h; what is global is written by init and
 * done alone. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/sasl/common.h"
#include "schema/sasl/verifier.h"

#define AUXPROP_NAME "causeway"

enum { VERIFIERS_MAX = 8 };

struct cw_sasl_server {
	struct cw_sasl_params params;
	sasl_conn_t *conn;
	sasl_callback_t callbacks[5];
	bool lookup_failed, done;
	char mech[CW_SASL_KIND_MAX];
	char tried[CW_SASL_NAME_MAX]; /* the name the client gave */
	char user[CW_SASL_NAME_MAX];
	char *rewritten; /* a response of DIGEST-MD5 as the library wants it */
};

static struct {
	char realm[CW_SASL_NAME_MAX];
	char plugin_path[1024];
	unsigned iterations;
	bool active;
	sasl_callback_t callbacks[5];
} global;

/* ---- credentials ---- */

/* The user's verifier of that kind. 1; 0: none; < 0: could not look. */
static int find_verifier(
	struct cw_sasl_server *s, const char *user, const char *kind, struct cw_sasl_verifier *ret)
{
	struct cw_sasl_verifier all[VERIFIERS_MAX];
	const int n =
		s->params.lookup ? s->params.lookup(s->params.arg, user, all, VERIFIERS_MAX) : 0;

	if (n < 0) {
		s->lookup_failed = true;
		return n;
	}
	for (int i = 0; i < n && i < VERIFIERS_MAX; i++) {
		if (strncmp(all[i].kind, kind, sizeof all[i].kind) == 0) {
			*ret = all[i];
			return 1;
		}
	}
	return 0;
}

static int scram_value(struct cw_sasl_server *s, const char *user, char *to, size_t cap)
{
	struct cw_sasl_verifier v;
	int r = find_verifier(s, user, s->mech, &v);

	/* The library takes a damaged one for a failure of its own, which the client would see. */
	if (r == 0 || (r == 1 && !cw_sasl_scram_ok(&v)))
		r = cw_sasl_fake_verifier(s->mech, user, global.iterations, &v);
	if (r < 0)
		return r;
	(void) snprintf(to, cap, "%s$%s", v.kind, v.text);
	explicit_bzero(&v, sizeof v);
	return 0;
}

static int digest_value(
	struct cw_sasl_server *s, const char *user, unsigned char to[static CW_SASL_HA1_LEN])
{
	struct cw_sasl_verifier v;
	int r = find_verifier(s, user, "DIGEST-MD5", &v);

	if (r < 0)
		return r;
	if (r == 1 && cw_sasl_verifier_ha1(&v, global.realm, to) == 0) {
		explicit_bzero(&v, sizeof v);
		return 0;
	}
	return cw_sasl_fake_ha1(user, to);
}

/* ---- callbacks of the library ---- */

/* The session behind a connection: the context of the callbacks we gave it. */
static struct cw_sasl_server *session_of(const sasl_server_params_t *params)
{
	for (const sasl_callback_t *c = params->callbacks; c && c->id != SASL_CB_LIST_END; c++)
		if (c->id == SASL_CB_CANON_USER)
			return c->context;
	return NULL;
}

/* Gives the mechanism's secret of the authentication identity; nothing else is a property here. */
static int on_auxprop(
	void *context, sasl_server_params_t *params, unsigned flags, const char *user, unsigned n)
{
	struct cw_sasl_server *s = session_of(params);
	const struct propval *wanted = params->utils->prop_get(params->propctx);
	char name[CW_SASL_NAME_MAX];

	(void) context;
	if (!s || !wanted || n >= sizeof name)
		return SASL_FAIL;
	if (flags & SASL_AUXPROP_AUTHZID)
		return SASL_OK;
	memcpy(name, user, n);
	name[n] = '\0';
	for (; wanted->name; wanted++) {
		char value[CW_SASL_KIND_MAX + CW_SASL_VERIFIER_MAX];
		unsigned char ha1[CW_SASL_HA1_LEN];
		int r = SASL_OK;

		if (strcmp(wanted->name, "*authPassword") == 0) {
			if (scram_value(s, name, value, sizeof value) < 0)
				return SASL_UNAVAIL;
			r = params->utils->prop_set(
				params->propctx, wanted->name, value, (int) strlen(value));
			explicit_bzero(value, sizeof value);
		} else if (strcmp(wanted->name, "*cmusaslsecretDIGEST-MD5") == 0) {
			if (digest_value(s, name, ha1) < 0)
				return SASL_UNAVAIL;
			r = params->utils->prop_set(
				params->propctx, wanted->name, (char *) ha1, sizeof ha1);
			explicit_bzero(ha1, sizeof ha1);
		}
		if (r != SASL_OK)
			return r;
	}
	return SASL_OK;
}

static int auxprop_init(const sasl_utils_t *utils, int max_version, int *ret_version,
	sasl_auxprop_plug_t **ret_plug, const char *name)
{
	static char plug_name[] = AUXPROP_NAME;
	static sasl_auxprop_plug_t plug = {.auxprop_lookup = on_auxprop, .name = plug_name};

	(void) utils;
	(void) name;
	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*ret_version = SASL_AUXPROP_PLUG_VERSION;
	*ret_plug = &plug;
	return SASL_OK;
}

/* PLAIN. One PBKDF2 for everybody. */
static int on_check_password(sasl_conn_t *conn, void *context, const char *user,
	const char *password, unsigned n, struct propctx *props)
{
	static const char *const kinds[] = {"SCRAM-SHA-256", "SCRAM-SHA-1"};
	struct cw_sasl_server *s = context;
	char text[CW_SASL_DATA_MAX];
	struct cw_sasl_verifier v;
	int r = 0;

	(void) conn;
	(void) props;
	for (unsigned i = 0; i < CW_ARRAY_LEN(kinds) && r == 0; i++)
		r = find_verifier(s, user, kinds[i], &v);
	if (r == 0)
		r = cw_sasl_fake_verifier(kinds[0], user, global.iterations, &v);
	if (r < 0 || n >= sizeof text)
		return SASL_FAIL;
	memcpy(text, password, n);
	text[n] = '\0';
	r = cw_sasl_check_password(&v, user, text);
	explicit_bzero(text, n);
	explicit_bzero(&v, sizeof v);
	return r == 1 ? SASL_OK : SASL_BADAUTH;
}

/* Names are taken as they are. */
static int on_canon_user(sasl_conn_t *conn, void *context, const char *in, unsigned n,
	unsigned flags, const char *realm, char *out, unsigned cap, unsigned *ret_n)
{
	struct cw_sasl_server *s = context;

	(void) conn;
	(void) realm;
	if (!n)
		n = (unsigned) strlen(in);
	if (!n || n >= cap || n >= sizeof s->tried || memchr(in, 0, n))
		return SASL_BADAUTH;
	memmove(out, in, n);
	out[n] = '\0';
	*ret_n = n;
	if (flags & SASL_CU_AUTHID) {
		memcpy(s->tried, out, n);
		s->tried[n] = '\0';
	}
	return SASL_OK;
}

/* Nobody acts for another. */
static int on_authorize(sasl_conn_t *conn, void *context, const char *wanted, unsigned wanted_n,
	const char *user, unsigned user_n, const char *realm, unsigned realm_n,
	struct propctx *props)
{
	(void) conn;
	(void) context;
	(void) realm;
	(void) realm_n;
	(void) props;
	return wanted_n == user_n && memcmp(wanted, user, user_n) == 0 ? SASL_OK : SASL_NOAUTHZ;
}

static int on_getopt(
	void *context, const char *plugin, const char *option, const char **ret, unsigned *ret_n)
{
	static const char *const options[][2] = {
		{"auxprop_plugin", AUXPROP_NAME},
		{"pwcheck_method", "none"}, /* after our callback nobody else is asked */
	};

	(void) context;
	(void) plugin;
	for (unsigned i = 0; i < CW_ARRAY_LEN(options); i++) {
		if (strcmp(option, options[i][0]) != 0)
			continue;
		*ret = options[i][1];
		if (ret_n)
			*ret_n = (unsigned) strlen(*ret);
		return SASL_OK;
	}
	return SASL_FAIL;
}

static int on_get_path(void *context, const char **ret)
{
	(void) context;
	*ret = global.plugin_path;
	return SASL_OK;
}

/* ---- the process ---- */

static int library_error(int r)
{
	switch (r) {
	case SASL_OK:
		return 0;
	case SASL_NOMEM:
		return -ENOMEM;
	default:
		return -ENOENT;
	}
}

int cw_sasl_server_init(const struct cw_sasl_server_conf *conf)
{
	sasl_callback_t *c = global.callbacks;
	int r;

	if (!conf->realm || !*conf->realm || strlen(conf->realm) >= sizeof global.realm ||
		strpbrk(conf->realm, "\"\\\r\n"))
		return CW_E_SYNTAX;
	if (conf->plugin_path && strlen(conf->plugin_path) >= sizeof global.plugin_path)
		return CW_E_SYNTAX;
	(void) snprintf(global.realm, sizeof global.realm, "%s", conf->realm);
	global.iterations = conf->iterations;
	*c++ = (sasl_callback_t){SASL_CB_GETOPT, CW_SASL_PROC(on_getopt), NULL};
	*c++ = (sasl_callback_t){SASL_CB_LOG, CW_SASL_PROC(cw_sasl_log), NULL};
	*c++ = (sasl_callback_t){SASL_CB_VERIFYFILE, CW_SASL_PROC(cw_sasl_verify_file), NULL};
	if (conf->plugin_path) {
		(void) snprintf(
			global.plugin_path, sizeof global.plugin_path, "%s", conf->plugin_path);
		*c++ = (sasl_callback_t){SASL_CB_GETPATH, CW_SASL_PROC(on_get_path), NULL};
	}
	*c = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	cw_sasl_common_init();
	/* Without a name the library reads no configuration file. */
	r = library_error(sasl_server_init(global.callbacks, NULL));
	if (r < 0)
		return r;
	r = library_error(sasl_auxprop_add_plugin(AUXPROP_NAME, auxprop_init));
	if (r < 0) {
		(void) sasl_server_done();
		return r;
	}
	global.active = true;
	return 0;
}

void cw_sasl_server_done(void)
{
	if (global.active)
		(void) sasl_server_done();
	global.active = false;
}

bool cw_sasl_server_has(const char *mech)
{
	static const char *const ours[] = {
		"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "PLAIN", "ANONYMOUS", "EXTERNAL"};
	const char **list = sasl_global_listmech();
	bool is_ours = false;

	for (unsigned i = 0; i < CW_ARRAY_LEN(ours); i++)
		is_ours = is_ours || strcmp(mech, ours[i]) == 0;
	for (; is_ours && list && *list; list++)
		if (strcmp(*list, mech) == 0)
			return true;
	return false;
}

bool cw_sasl_mech_is_instant(const char *mech)
{
	return strcmp(mech, "ANONYMOUS") == 0 || strcmp(mech, "EXTERNAL") == 0;
}

/* ---- a session ---- */

/* RFC 2831 has `charset=utf-8`; the example in RFC 5572 and its clients say `charset=utf8`, which
 * the library refuses. The value is no part of what is hashed. NULL: nothing to rewrite, or no
 * memory for it. */
static char *fix_charset(const char *p, size_t n, size_t *ret_n)
{
	static const char bad[] = "charset=utf8", good[] = "charset=utf-8";
	const size_t bad_n = sizeof bad - 1, good_n = sizeof good - 1;
	bool quoted = false, at_start = true;
	char *copy;

	for (size_t i = 0; i < n; i++) {
		if (at_start && n - i >= bad_n && strncasecmp(p + i, bad, bad_n) == 0 &&
			(n - i == bad_n || p[i + bad_n] == ',' || p[i + bad_n] == ' ')) {
			copy = cw_zalloc(n + good_n - bad_n + 1, 1);
			if (!copy)
				return NULL;
			memcpy(copy, p, i);
			memcpy(copy + i, good, good_n);
			memcpy(copy + i + good_n, p + i + bad_n, n - i - bad_n);
			*ret_n = n + good_n - bad_n;
			return copy;
		}
		if (quoted && p[i] == '\\') {
			i++;
			continue;
		}
		if (p[i] == '"')
			quoted = !quoted;
		at_start = !quoted && (p[i] == ',' || (at_start && p[i] == ' '));
	}
	return NULL;
}

/* RFC 2831 2.1.2 allows each of these once. The library keeps the last one and loses the memory of
 * the others, for whoever has not logged in yet. It reads a name to its first octet of another kind
 * and quotes at the start of a value alone; where it would stop for an error, this goes on. */
static bool digest_repeats(const char *p, size_t n)
{
	static const char *const names[] = {"username", "realm", "nonce", "cnonce", "nc", "qop",
		"digest-uri", "response", "maxbuf", "charset", "cipher", "authzid"};
	unsigned seen = 0;
	size_t i = 0;

	while (i < n) {
		size_t start, len;

		while (i < n && (p[i] == ',' || isspace((unsigned char) p[i])))
			i++;
		start = i;
		while (i < n && (isalpha((unsigned char) p[i]) || p[i] == '-'))
			i++;
		len = i - start;
		for (unsigned k = 0; k < CW_ARRAY_LEN(names); k++) {
			if (len != strlen(names[k]) || strncasecmp(p + start, names[k], len) != 0)
				continue;
			if (seen & 1u << k)
				return true;
			seen |= 1u << k;
		}
		while (i < n && p[i] != '=')
			i++;
		i++;
		while (i < n && isspace((unsigned char) p[i]))
			i++;
		if (i < n && p[i] == '"')
			for (i++; i < n && p[i] != '"'; i++)
				i += p[i] == '\\';
		while (i < n && p[i] != ',')
			i++;
	}
	return false;
}

static enum cw_sasl_result finish(
	struct cw_sasl_server *s, int r, const char *out, unsigned n, struct cw_sasl_out *ret_out)
{
	const void *user = NULL;

	*ret_out = (struct cw_sasl_out){NULL, 0};
	if ((r == SASL_OK || r == SASL_CONTINUE) && out && n)
		*ret_out = (struct cw_sasl_out){out, n};
	if (r == SASL_CONTINUE)
		return CW_SASL_CONTINUE;
	if (r != SASL_OK) {
		*ret_out = (struct cw_sasl_out){NULL, 0};
		return s->lookup_failed || r == SASL_NOMEM ? CW_SASL_BUSY : CW_SASL_FAILED;
	}
	if (strcmp(s->mech, "ANONYMOUS") != 0) {
		if (sasl_getprop(s->conn, SASL_USERNAME, &user) != SASL_OK || !user ||
			strlen(user) >= sizeof s->user)
			return CW_SASL_FAILED;
		(void) snprintf(s->user, sizeof s->user, "%s", (const char *) user);
	}
	s->done = true;
	return CW_SASL_DONE;
}

static int new_connection(struct cw_sasl_server *s)
{
	const sasl_security_properties_t none = {.max_ssf = 0};
	sasl_callback_t *c = s->callbacks;
	int r;

	*c++ = (sasl_callback_t){SASL_CB_CANON_USER, CW_SASL_PROC(on_canon_user), s};
	*c++ = (sasl_callback_t){SASL_CB_PROXY_POLICY, CW_SASL_PROC(on_authorize), s};
	*c++ = (sasl_callback_t){
		SASL_CB_SERVER_USERDB_CHECKPASS, CW_SASL_PROC(on_check_password), s};
	*c = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	/* The realm goes in as the host's name: given as a realm it would be hung on to every user
	 * name. */
	r = sasl_server_new(CW_SASL_SERVICE, global.realm, NULL, NULL, NULL, s->callbacks,
		SASL_SUCCESS_DATA, &s->conn);
	if (r == SASL_OK)
		r = sasl_setprop(s->conn, SASL_SEC_PROPS, &none);
	if (r == SASL_OK && s->params.external)
		r = sasl_setprop(s->conn, SASL_AUTH_EXTERNAL, s->params.external);
	return r;
}

enum cw_sasl_result cw_sasl_server_start(const struct cw_sasl_params *params, const char *mech,
	const void *data, size_t n, struct cw_sasl_server **ret, struct cw_sasl_out *ret_out)
{
	struct cw_sasl_server *s = cw_zalloc(1, sizeof *s);
	const char *out = NULL;
	unsigned out_n = 0;
	int r;

	*ret = s;
	*ret_out = (struct cw_sasl_out){NULL, 0};
	if (!s)
		return CW_SASL_BUSY;
	s->params = *params;
	(void) snprintf(s->mech, sizeof s->mech, "%s", mech);
	if (!global.active || !cw_sasl_server_has(mech) || n > CW_SASL_DATA_MAX)
		return CW_SASL_FAILED;
	r = new_connection(s);
	s->params.external = NULL;
	if (r != SASL_OK)
		return CW_SASL_BUSY;
	/* RFC 4505's trace information may be left out, and TSP's clients send no empty response
	 * for it. */
	if (!data && strcmp(mech, "ANONYMOUS") == 0)
		data = "";
	r = sasl_server_start(s->conn, mech, data, (unsigned) n, &out, &out_n);
	return finish(s, r, out, out_n, ret_out);
}

enum cw_sasl_result cw_sasl_server_step(
	struct cw_sasl_server *s, const void *data, size_t n, struct cw_sasl_out *ret_out)
{
	const char *out = NULL;
	unsigned out_n = 0;
	int r;

	*ret_out = (struct cw_sasl_out){NULL, 0};
	if (!s->conn || s->done || n > CW_SASL_DATA_MAX)
		return CW_SASL_FAILED;
	if (!data)
		data = "";
	if (strcmp(s->mech, "DIGEST-MD5") == 0) {
		if (digest_repeats(data, n))
			return CW_SASL_FAILED;
		s->rewritten = cw_free(s->rewritten);
		s->rewritten = fix_charset(data, n, &n);
		if (s->rewritten)
			data = s->rewritten;
	}
	r = sasl_server_step(s->conn, data, (unsigned) n, &out, &out_n);
	return finish(s, r, out, out_n, ret_out);
}

struct cw_sasl_server *cw_sasl_server_free(struct cw_sasl_server *s)
{
	if (!s)
		return NULL;
	if (s->conn)
		sasl_dispose(&s->conn);
	(void) cw_free(s->rewritten);
	return cw_free(s);
}

const char *cw_sasl_server_user(const struct cw_sasl_server *s)
{
	if (s->done)
		return s->user[0] ? s->user : NULL;
	return s->tried[0] ? s->tried : NULL;
}

const char *cw_sasl_server_mech(const struct cw_sasl_server *s)
{
	return s->mech;
}
