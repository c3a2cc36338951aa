/* SPDX-License-Identifier: BSD-2-Clause */
/* The sections "rest" and "backup" of the configuration: to values, and what is wrong with several together. */
#include "config.h"

#include <string.h>

#include "base/mem.h"
#include "broker/settings_int.h"

static bool get_list(const struct cw_conf_section *s, const char *name, char **ret)
{
	if (!cw_conf_list_count(s, name))
		return true;
	*ret = cw_config_join(s, name, ' ', false);
	return *ret != NULL;
}

bool cw_config_rest_build(struct cw_config *c, const struct cw_conf *f)
{
	const struct cw_conf_section *s = cw_conf_section(f, "rest", 0);
	const struct cw_conf_section *backup = cw_conf_section(f, "backup", 0);
	struct cw_config_rest *r = &c->rest;

	c->backup.every_s = (unsigned) cw_conf_int(backup, "every");
	c->backup.keep = (unsigned) cw_conf_int(backup, "keep");
	if (!cw_config_get_path(c, backup, "directory", &c->backup.directory))
		return false;

	r->connections = (unsigned) cw_conf_int(s, "connections");
	r->receive_s = (unsigned) cw_conf_int(s, "receive-timeout");
	r->streams = (unsigned) cw_conf_int(s, "event-streams");
	r->requests_per_token = (unsigned) cw_conf_int(s, "requests-per-token");
	r->cert_line = cw_conf_opt_line(s, "cert");
	r->key_line = cw_conf_opt_line(s, "key");
	r->ca_line = cw_conf_opt_line(s, "ca");
	if (strcmp(cw_conf_str(s, "socket"), "none") != 0 &&
		!cw_config_get_path(c, s, "socket", &r->socket))
		return false;
	return cw_config_get_listen(c, s, &r->listen, &r->n_listen) &&
	       get_list(s, "names", &r->names) && get_list(s, "admins", &r->admins) &&
	       get_list(s, "operators", &r->operators) && get_list(s, "viewers", &r->viewers) &&
	       cw_config_get_path(c, s, "cert", &r->cert) &&
	       cw_config_get_path(c, s, "key", &r->key) && cw_config_get_path(c, s, "ca", &r->ca);
}

void cw_config_rest_done(struct cw_config_rest *r)
{
	(void) cw_free(r->socket);
	(void) cw_free(r->listen);
	(void) cw_free(r->names);
	(void) cw_free(r->admins);
	(void) cw_free(r->operators);
	(void) cw_free(r->viewers);
	(void) cw_free(r->cert);
	(void) cw_free(r->key);
	(void) cw_free(r->ca);
}

void cw_config_rest_verify(struct cw_conf *f)
{
	const struct cw_conf_section *s = cw_conf_section(f, "rest", 0);
	static const char *const both[] = {"cert", "key"};
	bool tls = cw_conf_is_set(s, "cert");

	for (unsigned i = 0; i < CW_ARRAY_LEN(both); i++)
		if (cw_conf_is_set(s, both[i]) && !cw_conf_is_set(s, both[!i]))
			cw_conf_problem(f, cw_conf_opt_line(s, both[i]),
				"section \"rest\" has \"%s\", but no \"%s\"", both[i], both[!i]);
	if (cw_conf_is_set(s, "ca") && !tls)
		cw_conf_problem(f, cw_conf_opt_line(s, "ca"),
			"\"ca\" needs \"cert\" and \"key\": client certificates come with TLS");
	for (unsigned i = 0; i < cw_conf_list_count(s, "listen"); i++) {
		const char *v = cw_conf_list_get(s, "listen", i);
		struct cw_endpoint ep;

		if (cw_endpoint_parse(v, strlen(v), 0, &ep) == 0 && ep.kind == CW_EP_INET && !tls &&
			!cw_sockaddr_is_loopback((const struct sockaddr *) &ep.u.ss))
			cw_conf_problem(f, cw_conf_list_line(s, "listen", i),
				"%s is no loopback address: that needs \"cert\" and \"key\"", v);
	}
}
