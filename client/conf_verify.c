/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a configuration though each value alone is right: options that need or exclude
 * each other, files that cannot be used. Each problem names the flag or the line it is about and
 * what would be right. It also sees texts with other problems. Thread: one. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/tls.h"
#include "client/conf_int.h"
#include "schema/ipip/ipip.h"
#include "schema/sasl/client.h"

struct check {
	const struct cw_client_conf *conf;
	FILE *err;
	int bad;
};

/* One more problem, at the i-th value of an option (0 if it is no list). */
static void CW_PRINTF(5, 6) problem_at(
	struct check *k, const char *section, const char *name, unsigned i, const char *fmt, ...)
{
	char buf[CW_CLIENT_PLACE];
	const char *place = cw_client_conf_place(k->conf, section, name, i, buf);
	va_list ap;

	(void) fprintf(k->err, "%s: ", place ? place : "causeway");
	va_start(ap, fmt);
	(void) vfprintf(k->err, fmt, ap);
	va_end(ap);
	(void) fputc('\n', k->err);
	k->bad++;
}

static const char *str(const struct check *k, const char *section, const char *name)
{
	return cw_client_get_str(k->conf, section, name);
}

/* ---- options together ---- */

static void verify_brokers(struct check *k)
{
	unsigned n = cw_client_list_count(k->conf, NULL, "broker");
	const char *file = cw_conf_path(k->conf->file);
	char buf[CW_CLIENT_PLACE];

	if (n > CW_CLIENT_BROKERS_MAX)
		problem_at(k, NULL, "broker", CW_CLIENT_BROKERS_MAX,
			"more than %d brokers; leave some out", CW_CLIENT_BROKERS_MAX);
	if (n || cw_client_conf_place(k->conf, NULL, "broker", 0, buf))
		return; /* or there are some, with a problem that was told */
	(void) fprintf(k->err,
		k->conf->has_file
			? "%s: no broker; set broker = { \"HOST\" }, or use --broker HOST\n"
			: "causeway: no broker; use --broker HOST, or write %s with broker = { \"HOST\" }\n",
		file);
	k->bad++;
}

static void verify_routes(struct check *k)
{
	unsigned n = cw_client_list_count(k->conf, "tunnel", "routes");

	for (unsigned i = 0; n > 1 && i < n; i++)
		if (strcmp(cw_client_list_get(k->conf, "tunnel", "routes", i), "none") == 0)
			problem_at(k, "tunnel", "routes", i,
				"none stands alone; leave it out, or all other routes");
	if (n > CW_CLIENT_ROUTES_MAX)
		problem_at(k, "tunnel", "routes", CW_CLIENT_ROUTES_MAX,
			"more than %d routes; use larger prefixes", CW_CLIENT_ROUTES_MAX);
}

static void verify_numbers(struct check *k)
{
	int64_t mtu = cw_client_get_int(k->conf, "tunnel", "mtu");
	int64_t min = cw_client_get_int(k->conf, NULL, "retry-min");
	int64_t max = cw_client_get_int(k->conf, NULL, "retry-max");
	char buf[CW_CLIENT_PLACE];
	bool at_min = cw_client_conf_place(k->conf, NULL, "retry-min", 0, buf) != NULL;

	if (mtu > 0 && mtu < CW_IPIP_MTU_MIN)
		problem_at(k, "tunnel", "mtu", 0,
			"%d is too small; the MTU is at least %d, or 0 for that of the path",
			(int) mtu, CW_IPIP_MTU_MIN);
	if (min > max)
		problem_at(k, NULL, at_min ? "retry-min" : "retry-max", 0,
			"retry-min (%d) is greater than retry-max (%d); it is at most the same",
			(int) min, (int) max);
}

static void verify_tls_options(struct check *k)
{
	static const char *const names[] = {"ca", "cert", "key", "server-name"};
	bool cert = str(k, "tls", "cert") != NULL;
	bool key = str(k, "tls", "key") != NULL;

	for (size_t i = 0; i < CW_ARRAY_LEN(names); i++)
		if (str(k, "tls", names[i]) && !cw_client_get_bool(k->conf, "tls", "enable"))
			problem_at(k, "tls", names[i], 0,
				"%s is of use with TLS only; add --tls, or enable = true in section \"tls\"",
				names[i]);
	if (cert != key)
		problem_at(k, "tls", cert ? "cert" : "key", 0,
			"%s is set without %s; cert and key go together", cert ? "cert" : "key",
			cert ? "key" : "cert");
}

/* Why a mechanism that was asked for can never be used; NULL: it can. */
static const char *hindrance(const struct check *k, int mech)
{
	bool tls = cw_client_get_bool(k->conf, "tls", "enable");

	if (mech == CW_MECH_EXTERNAL && (!tls || !str(k, "tls", "cert")))
		return "needs TLS with this host's certificate: --tls, --cert and --key";
	if (CW_MECH_BIT(mech) & CW_MECH_PASSWORDS && !str(k, NULL, "user"))
		return "needs a name to log in with: user, or --user";
	if (mech == CW_MECH_PLAIN && !tls && !cw_client_get_bool(k->conf, NULL, "allow-plain"))
		return "needs TLS (--tls), or allow-plain, which sends the password in clear";
	return NULL;
}

static void verify_login(struct check *k)
{
	unsigned n = cw_client_list_count(k->conf, NULL, "mechanisms");
	bool usable = n == 0;

	if (str(k, NULL, "password-file") && !str(k, NULL, "user"))
		problem_at(k, NULL, "password-file", 0,
			"a password without a name to log in with; set user, or --user NAME");
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; !usable && i < n; i++) {
			const char *name = cw_client_list_get(k->conf, NULL, "mechanisms", i);
			int m = cw_mech_of((struct cw_slice){name, strlen(name)});

			if (pass == 0)
				usable = m < 0 || !hindrance(k, m);
			else
				problem_at(
					k, NULL, "mechanisms", i, "%s %s", name, hindrance(k, m));
		}
}

/* ---- files ---- */

static void verify_tls_files(struct check *k)
{
	static const char *const names[] = {"ca", "cert", "key"};
	struct cw_tls_config tls = {.server_name = "localhost", .ca_file = str(k, "tls", "ca")};
	struct cw_tls_ctx *ctx = NULL;
	int before = k->bad;

	for (size_t i = 0; i < CW_ARRAY_LEN(names); i++) {
		const char *path = str(k, "tls", names[i]);

		if (path && path[0] == '/' && access(path, R_OK) < 0)
			problem_at(k, "tls", names[i], 0,
				"%s cannot be read: %s; name a PEM file this user may read", path,
				cw_strerror(-errno));
	}
	if (k->bad != before)
		return;
	if (tls.ca_file && cw_tls_ctx_new(&tls, &ctx) < 0) {
		problem_at(
			k, "tls", "ca", 0, "%s; it is a PEM file of certificates", cw_tls_error());
		return;
	}
	ctx = cw_tls_ctx_free(ctx);
	tls.cert_file = str(k, "tls", "cert");
	tls.key_file = str(k, "tls", "key");
	if (tls.cert_file && tls.key_file && cw_tls_ctx_new(&tls, &ctx) < 0)
		problem_at(k, "tls", strstr(cw_tls_error(), tls.cert_file) ? "cert" : "key", 0,
			"%s; they are PEM files of a certificate and of its own key without a passphrase",
			cw_tls_error());
	(void) cw_tls_ctx_free(ctx);
}

static void verify_hook(struct check *k)
{
	const char *hook = str(k, NULL, "hook");
	struct stat st;

	if (!hook || hook[0] != '/')
		return; /* reported by its check */
	if (access(hook, X_OK) < 0)
		problem_at(k, NULL, "hook", 0,
			"%s cannot be run: %s; name a program that this user may run", hook,
			cw_strerror(-errno));
	else if (stat(hook, &st) == 0 && !S_ISREG(st.st_mode))
		problem_at(k, NULL, "hook", 0, "%s is no program", hook);
}

/* Only whether it can be opened: a pipe can be read once. What is in it is seen when it is needed.
 */
static void verify_password_file(struct check *k)
{
	const char *file = str(k, NULL, "password-file");
	struct stat st;

	if (!file || strcmp(file, "-") == 0)
		return;
	if (access(file, R_OK) < 0)
		problem_at(k, NULL, "password-file", 0,
			"%s cannot be read: %s; name a file this user may read, or - for standard input",
			file, cw_strerror(-errno));
	else if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
		problem_at(k, NULL, "password-file", 0,
			"%s is a directory; name a file with the password in its first line", file);
	else if (S_ISREG(st.st_mode) && st.st_size == 0)
		problem_at(k, NULL, "password-file", 0,
			"%s is empty; write the password in its first line", file);
}

int cw_client_verify(const struct cw_client_conf *c, bool for_up, FILE *err)
{
	struct check k = {.conf = c, .err = err};

	verify_numbers(&k);
	verify_routes(&k);
	verify_tls_options(&k);
	verify_login(&k);
	if (!for_up)
		return k.bad;
	verify_brokers(&k);
	verify_tls_files(&k);
	verify_hook(&k);
	verify_password_file(&k);
	return k.bad;
}
