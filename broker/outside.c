/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins and files that a configuration names; see outside.h. Thread: the main one. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/tls.h"
#include "broker/lease/engine.h"
#include "broker/outside.h"

#define WHY_MAX 512

/* Plugins are asked: their names, options and folder. */
static int check_plugins(const struct cw_config *conf, const char *path, FILE *err)
{
	int n = 0;

	for (size_t i = 0; i < conf->n_teps; i++) {
		const struct cw_tep *t = &conf->teps[i].tep;
		char why[WHY_MAX];

		if (cw_engine_check_tep(t, conf->plugin_dir, why, sizeof why) < 0) {
			(void) fprintf(err, "%s:%d: tep \"%s\": %s\n", path, conf->teps[i].line,
				t->name, why);
			n++;
		}
	}
	return n;
}

static int check_readable(const char *file, const char *path, int line, FILE *err)
{
	if (!file || access(file, R_OK) == 0)
		return 0;
	(void) fprintf(err,
		"%s:%d: %s cannot be read: %s; name a PEM file the user of causewayd may read\n",
		path, line, file, cw_strerror(-errno));
	return 1;
}

static int check_tls(const struct cw_config *conf, const char *path, FILE *err)
{
	const struct cw_tls_config tc = {.server = true,
		.cert_file = conf->tls_cert,
		.key_file = conf->tls_key,
		.ca_file = conf->tls_ca,
		.require_peer = conf->tls_require_client_cert};
	struct cw_tls_ctx *ctx = NULL;
	int line = conf->tls_cert_line;
	int n;

	if (!conf->tls)
		return 0;
	n = check_readable(conf->tls_cert, path, conf->tls_cert_line, err) +
	    check_readable(conf->tls_key, path, conf->tls_key_line, err) +
	    check_readable(conf->tls_ca, path, conf->tls_ca_line, err);
	if (n || cw_tls_ctx_new(&tc, &ctx) == 0) {
		(void) cw_tls_ctx_free(ctx);
		return n;
	}
	/* The text begins with the file it is about. */
	if (conf->tls_ca && strncmp(cw_tls_error(), conf->tls_ca, strlen(conf->tls_ca)) == 0)
		line = conf->tls_ca_line;
	if (strncmp(cw_tls_error(), conf->tls_key, strlen(conf->tls_key)) == 0)
		line = conf->tls_key_line;
	(void) fprintf(err,
		"%s:%d: %s; TLS wants PEM files: a certificate, its own key without a passphrase, a CA\n",
		path, line, cw_tls_error());
	return 1;
}

static void check_passwords(const struct cw_config *conf, const char *path, FILE *err)
{
	for (size_t i = 0; i < conf->n_users; i++)
		if (conf->users[i].open_file)
			(void) fprintf(err,
				"%s:%d: warning: others can read the password in %s; chmod 600 %s\n",
				path, conf->users[i].line, conf->users[i].open_file,
				conf->users[i].open_file);
}

int cw_config_check_outside(const struct cw_config *conf, const char *path, FILE *err)
{
	check_passwords(conf, path, err);
	return check_tls(conf, path, err) + check_plugins(conf, path, err);
}
