/* SPDX-License-Identifier: BSD-2-Clause */
/* From the configuration to what sessions need: which mechanisms on which transport, redirect
 * lists, limits. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/access/tsp/access.h"

static bool offered_on(
	const struct cw_config *c, enum cw_tsp_transport t, const char *mech, size_t n)
{
	if (n == 5 && memcmp(mech, "PLAIN", n) == 0)
		return t == CW_TSP_ON_TLS || c->plain_without_tls;
	if (n == 8 && memcmp(mech, "EXTERNAL", n) == 0)
		return t == CW_TSP_ON_TLS && c->tls_ca;
	return true;
}

/* The mechanisms of one transport, in the order of the file. Given. */
static char *mechs_on(const struct cw_config *c, enum cw_tsp_transport t)
{
	char *to = cw_zalloc(strlen(c->mechanisms) + 1, 1), *p = to;

	for (const char *m = c->mechanisms; to && *m;) {
		size_t n = strcspn(m, " ");

		if (offered_on(c, t, m, n)) {
			if (p != to)
				*p++ = ' ';
			memcpy(p, m, n);
			p += n;
		}
		m += n;
		m += strspn(m, " ");
	}
	return to;
}

static int set_brokers(struct cw_tsp_profile *p, const struct cw_config *c)
{
	size_t n = c->n_redirect < CW_TSP_BROKERS_MAX ? c->n_redirect : CW_TSP_BROKERS_MAX;

	p->brokers = cw_zalloc(n ? n : 1, sizeof *p->brokers);
	p->broker_text = cw_zalloc(n ? n : 1, sizeof *p->broker_text);
	if (!p->brokers || !p->broker_text)
		return -ENOMEM;
	for (; p->n_brokers < n; p->n_brokers++) {
		const char *text = c->redirect[p->n_brokers];
		size_t v4 = strspn(text, "0123456789.");
		struct cw_addr6 a;
		struct cw_tsp_broker *b = &p->brokers[p->n_brokers];

		p->broker_text[p->n_brokers] = cw_strdup(text);
		if (!p->broker_text[p->n_brokers])
			return -ENOMEM;
		b->text = p->broker_text[p->n_brokers];
		if (text[0] == '[' || cw_addr6_parse(text, strlen(text), &a) == 0)
			b->kind = CW_TSP_BROKER_V6;
		else if (text[v4] == 0 || text[v4] == ':')
			b->kind = CW_TSP_BROKER_V4;
		else
			b->kind = CW_TSP_BROKER_DN;
	}
	return 0;
}

static int set_server_conf(struct cw_tsp_profile *p, enum cw_tsp_transport t, bool loopback)
{
	static const enum cw_tsp_event named[] = {
		CW_TSP_VERSION, CW_TSP_POOL_EMPTY, CW_TSP_OVERLOAD, CW_TSP_TYPE};
	struct cw_tsp_server_conf *sc = &p->conf[t][loopback];

	cw_tsp_server_conf_init(sc);
	sc->mechs = p->mechs[t];
	sc->udp = t == CW_TSP_ON_UDP;
	sc->loopback_ok = loopback;
	for (size_t i = 0; i < CW_ARRAY_LEN(named); i++)
		sc->redirect[named[i]] = (struct cw_tsp_redirect){p->brokers, p->n_brokers};
	/* Who fails to log in is one of the others' clients only if they are to serve them all. */
	if (p->redirect_always)
		sc->redirect[CW_TSP_AUTH] = (struct cw_tsp_redirect){p->brokers, p->n_brokers};
	return cw_tsp_server_conf_check(sc);
}

static int profile_new(const struct cw_config *c, struct cw_tsp_profile **ret)
{
	struct cw_tsp_profile *p = cw_zalloc(1, sizeof *p);
	int r;

	if (!p)
		return -ENOMEM;
	p->refs = 1;
	p->redirect_always = c->redirect_always && c->n_redirect;
	p->minutes = c->lifetime_minutes;
	p->anonymous_source_check = c->anonymous_source_check;
	p->leases_per_principal = c->limits.leases_per_principal;
	p->leases_per_network = c->limits.leases_per_network;
	p->pending_max = c->limits.pending;
	r = set_brokers(p, c);
	p->client_prefix =
		cw_zalloc(c->n_client_prefix ? c->n_client_prefix : 1, sizeof *p->client_prefix);
	if (r == 0 && !p->client_prefix)
		r = -ENOMEM;
	for (; r == 0 && p->n_client_prefix < c->n_client_prefix; p->n_client_prefix++)
		p->client_prefix[p->n_client_prefix] = c->client_prefix[p->n_client_prefix];
	for (unsigned t = 0; t < CW_TSP_TRANSPORTS && r == 0; t++) {
		p->mechs[t] = mechs_on(c, (enum cw_tsp_transport) t);
		r = p->mechs[t] ? set_server_conf(p, (enum cw_tsp_transport) t, false) : -ENOMEM;
		if (r == 0)
			r = set_server_conf(p, (enum cw_tsp_transport) t, true);
	}
	if (r < 0) {
		(void) cw_tsp_profile_unref(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct cw_tsp_profile *cw_tsp_profile_ref(struct cw_tsp_profile *p)
{
	p->refs++;
	return p;
}

struct cw_tsp_profile *cw_tsp_profile_unref(struct cw_tsp_profile *p)
{
	if (!p || --p->refs)
		return NULL;
	for (unsigned i = 0; i < p->n_brokers; i++)
		(void) cw_free(p->broker_text[i]);
	for (unsigned t = 0; t < CW_TSP_TRANSPORTS; t++)
		(void) cw_free(p->mechs[t]);
	(void) cw_free(p->broker_text);
	(void) cw_free(p->brokers);
	(void) cw_free(p->client_prefix);
	return cw_free(p);
}

static struct cw_limits_config limits_of(const struct cw_config *c)
{
	return (struct cw_limits_config){
		.per_source = c->limits.per_source,
		.per_network = c->limits.per_network,
		.requests_per_s = c->limits.requests_per_source,
		.backoff_ms = c->limits.backoff_ms,
		.backoff_max_ms = c->limits.backoff_max_ms,
	};
}

int cw_tsp_access_new(struct cw_loop *loop, struct cw_engine *engine, struct cw_auth *auth,
	const struct cw_config *conf, struct cw_tsp_access **ret)
{
	const struct cw_limits_config limits = limits_of(conf);
	struct cw_tsp_access *a = cw_zalloc(1, sizeof *a);
	int r;

	if (!a)
		return -ENOMEM;
	a->loop = loop;
	a->clock = cw_loop_clock(loop);
	a->engine = engine;
	a->auth = auth;
	cw_list_init(&a->requests);
	cw_list_init(&a->sessions);
	a->offers = cw_map_new();
	r = a->offers ? cw_limits_new(&limits, &a->limits) : -ENOMEM;
	if (r == 0)
		r = cw_netcount_new(&a->networks);
	if (r == 0)
		r = profile_new(conf, &a->profile);
	if (r < 0) {
		(void) cw_tsp_access_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

int cw_tsp_access_reload(struct cw_tsp_access *a, const struct cw_config *conf)
{
	const struct cw_limits_config limits = limits_of(conf);
	struct cw_tsp_profile *p;
	int r = profile_new(conf, &p);

	if (r < 0)
		return r;
	(void) cw_tsp_profile_unref(a->profile);
	a->profile = p;
	cw_limits_configure(a->limits, &limits);
	return 0;
}

struct cw_tsp_access *cw_tsp_access_free(struct cw_tsp_access *a)
{
	if (!a)
		return NULL;
	(void) cw_tsp_profile_unref(a->profile);
	(void) cw_limits_free(a->limits);
	(void) cw_netcount_free(a->networks);
	(void) cw_map_free(a->offers);
	return cw_free(a);
}

int64_t cw_tsp_access_now_ms(const struct cw_tsp_access *a)
{
	return cw_clock_now(a->clock).mono_us / 1000;
}

void cw_tsp_access_transition(struct cw_tsp_access *a, int what, const struct cw_lease *lease)
{
	if (strncmp(lease->principal, "ip6:", 4) != 0)
		return;
	if (what == CW_OUTBOX_APPLY)
		cw_netcount_add(a->networks, &lease->client6);
	else if (what == CW_OUTBOX_REMOVE)
		cw_netcount_sub(a->networks, &lease->client6);
}

#define TELL_MS 10000 /* an event for all failures of so long */

static void tell_failures(struct cw_tsp_access *a, const char *name)
{
	int64_t now_ms = cw_tsp_access_now_ms(a);
	char detail[64];

	if (a->failures_told && now_ms - a->told_ms < TELL_MS)
		return;
	(void) snprintf(detail, sizeof detail, "{\"access\":\"tsp\",\"failures\":%llu}",
		(unsigned long long) (a->stats.login_failures - a->failures_told));
	a->failures_told = a->stats.login_failures;
	a->told_ms = now_ms;
	cw_engine_event(a->engine, "auth.fail", 0, name, detail);
}

void cw_tsp_access_login_failed(
	struct cw_tsp_access *a, const char *mech, const char *name, const struct sockaddr *from)
{
	static struct cw_log_limit limit;
	unsigned i = 0;

	a->stats.login_failures++;
	while (i < CW_CONFIG_MECHANISMS && (!mech || strcmp(mech, cw_config_mechanisms[i]) != 0))
		i++;
	a->stats.failures_of[i]++;
	if (cw_log_limit_ok(&limit, cw_clock_now(a->clock).mono_us, 20, 10000))
		cw_log(CW_LOG_INFO,
			CW_F(CW_F_EVENT("auth.fail"), CW_F_STR("access", "tsp"),
				CW_F_STR("mech", mech ? mech : "?"),
				CW_F_STR("principal", name ? name : "?"), CW_F_PEER(from)),
			"login failed");
	tell_failures(a, name);
}
