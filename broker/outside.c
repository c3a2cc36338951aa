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

/* The files of one section, with the lines that name them. */
struct tls_files {
	const char *cert, *key, *ca;
	int cert_line, key_line, ca_line;
};

static int check_tls(const struct tls_files *f, bool require_peer, const char *path, FILE *err)
{
	const struct cw_tls_config tc = {.server = true,
		.cert_file = f->cert,
		.key_file = f->key,
		.ca_file = f->ca,
		.require_peer = require_peer};
	struct cw_tls_ctx *ctx = NULL;
	int line = f->cert_line;
	int n;

	n = check_readable(f->cert, path, f->cert_line, err) +
	    check_readable(f->key, path, f->key_line, err) +
	    check_readable(f->ca, path, f->ca_line, err);
	if (n || cw_tls_ctx_new(&tc, &ctx) == 0) {
		(void) cw_tls_ctx_free(ctx);
		return n;
	}
	/* The text begins with the file it is about. */
	if (f->ca && strncmp(cw_tls_error(), f->ca, strlen(f->ca)) == 0)
		line = f->ca_line;
	if (strncmp(cw_tls_error(), f->key, strlen(f->key)) == 0)
		line = f->key_line;
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
	const struct cw_config_rest *r = &conf->rest;
	const struct tls_files tsp = {conf->tls_cert, conf->tls_key, conf->tls_ca,
		conf->tls_cert_line, conf->tls_key_line, conf->tls_ca_line};
	const struct tls_files rest = {
		r->cert, r->key, r->ca, r->cert_line, r->key_line, r->ca_line};
	int n = 0;

	check_passwords(conf, path, err);
	if (conf->tls)
		n += check_tls(&tsp, conf->tls_require_client_cert, path, err);
	if (r->cert)
		n += check_tls(&rest, false, path, err);
	return n + check_plugins(conf, path, err);
}
