/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's half of a SASL exchange; see client.h. RFC 4422, RFC 5802 (SCRAM), RFC 2831
 * (DIGEST-MD5), RFC 4616 (PLAIN), RFC 4505 (ANONYMOUS). Owns one sasl_conn_t and wiped copies of
 * name and password. Thread: the caller's, one per process. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sasl/sasl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/sasl/client.h"
#include "schema/sasl/common.h"

#define CREDENTIAL_MAX 255 /* octets of a user name or password */

struct cw_sasl_client {
	enum cw_mech mech;
	char *user;
	sasl_secret_t *secret;
	size_t secret_size; /* of the allocation, for wiping */
	sasl_conn_t *conn;  /* NULL: mechanism made here */
	sasl_callback_t callbacks[7];
	bool started;
	bool done;
};

static const char *const mech_names[CW_MECH_COUNT] = {
	[CW_MECH_EXTERNAL] = "EXTERNAL",
	[CW_MECH_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[CW_MECH_SCRAM_SHA_1] = "SCRAM-SHA-1",
	[CW_MECH_DIGEST_MD5] = "DIGEST-MD5",
	[CW_MECH_PLAIN] = "PLAIN",
	[CW_MECH_ANONYMOUS] = "ANONYMOUS",
};

const char *cw_mech_name(enum cw_mech m)
{
	return mech_names[m];
}

int cw_mech_of(struct cw_slice name)
{
	for (int i = 0; i < CW_MECH_COUNT; i++)
		if (strlen(mech_names[i]) == name.n &&
			strncasecmp(mech_names[i], name.p, name.n) == 0)
			return i;
	return -1;
}

/* Cyrus looks its own host's name up in the DNS for every new client, unless the name has a dot:
 * with a name server that does not answer, 10 s and more of the caller's thread. No mechanism used
 * here sends the name. So Cyrus, and whoever else asks in this process, gets one with a dot; the
 * program's own symbol comes before the C library's. */
#pragma GCC visibility push(default)
int gethostname(char *name, size_t n)
{
	struct utsname self;
	int k;

	if (uname(&self) < 0)
		return -1;
	k = snprintf(name, n, "%s%s", self.nodename, strchr(self.nodename, '.') ? "" : ".");
	if (k >= 0 && (size_t) k < n)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}
#pragma GCC visibility pop

/* --- callbacks of Cyrus --- */

static int give_name(void *context, int id, const char **result, unsigned *len)
{
	const struct cw_sasl_client *c = context;

	/* No authorization identity: the broker takes the authenticated one (guide tsp.md 3). */
	*result = id == SASL_CB_USER ? "" : c->user;
	if (len)
		*len = (unsigned) strlen(*result);
	return SASL_OK;
}

static int give_secret(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
	struct cw_sasl_client *c = context;

	(void) conn;
	(void) id;
	*secret = c->secret;
	return c->secret ? SASL_OK : SASL_FAIL;
}

static int give_realm(void *context, int id, const char **available, const char **result)
{
	(void) context;
	(void) id;
	/* The broker names the realm of its users; the first is as good as we can tell. */
	*result = available && available[0] ? available[0] : "";
	return SASL_OK;
}

static int library_result;

static void library_init(void)
{
	static const sasl_callback_t callbacks[] = {
		{SASL_CB_LOG, CW_SASL_PROC(cw_sasl_log), NULL},
		{SASL_CB_VERIFYFILE, CW_SASL_PROC(cw_sasl_verify_file), NULL},
		{SASL_CB_LIST_END, NULL, NULL},
	};

	cw_sasl_common_init();
	library_result = sasl_client_init(callbacks);
}

static int map_result(int r)
{
	switch (r) {
	case SASL_NOMEM:
		return -ENOMEM;
	case SASL_NOMECH:
		return -ENOSYS;
	default:
		return CW_E_AUTH;
	}
}

/* --- life --- */

static int copy_credentials(struct cw_sasl_client *c, const struct cw_sasl_client_conf *conf)
{
	size_t n;

	if (!conf->user || !conf->password || conf->user[0] == '\0')
		return -EINVAL;
	n = strlen(conf->password);
	if (n == 0 || n > CREDENTIAL_MAX || strlen(conf->user) > CREDENTIAL_MAX)
		return -EINVAL;
	c->user = cw_strdup(conf->user);
	c->secret_size = sizeof *c->secret + n + 1;
	c->secret = cw_zalloc(1, c->secret_size);
	if (!c->user || !c->secret)
		return -ENOMEM;
	c->secret->len = n;
	memcpy(c->secret->data, conf->password, n);
	return 0;
}

static int open_cyrus(struct cw_sasl_client *c, const char *host)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const sasl_security_properties_t props = {.max_ssf = 0, .maxbufsize = 0};
	int r;

	(void) pthread_once(&once, library_init);
	if (library_result != SASL_OK)
		return map_result(library_result);
	c->callbacks[0] = (sasl_callback_t){SASL_CB_USER, CW_SASL_PROC(give_name), c};
	c->callbacks[1] = (sasl_callback_t){SASL_CB_AUTHNAME, CW_SASL_PROC(give_name), c};
	c->callbacks[2] = (sasl_callback_t){SASL_CB_PASS, CW_SASL_PROC(give_secret), c};
	c->callbacks[3] = (sasl_callback_t){SASL_CB_GETREALM, CW_SASL_PROC(give_realm), c};
	c->callbacks[4] = (sasl_callback_t){SASL_CB_LOG, CW_SASL_PROC(cw_sasl_log), c};
	c->callbacks[5] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	r = sasl_client_new("tsp", host && host[0] ? host : "localhost", NULL, NULL, c->callbacks,
		SASL_SUCCESS_DATA, &c->conn);
	if (r != SASL_OK)
		return map_result(r);
	r = sasl_setprop(c->conn, SASL_SEC_PROPS, &props);
	return r == SASL_OK ? 0 : map_result(r);
}

static void free_p(struct cw_sasl_client **c)
{
	*c = cw_sasl_client_free(*c);
}

int cw_sasl_client_new(const struct cw_sasl_client_conf *conf, struct cw_sasl_client **ret)
{
	CW_CLEANUP(free_p) struct cw_sasl_client *c = cw_zalloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->mech = conf->mech;
	if (CW_MECH_BIT(conf->mech) & CW_MECH_PASSWORDS) {
		r = copy_credentials(c, conf);
		if (r < 0)
			return r;
		r = open_cyrus(c, conf->host);
		if (r < 0)
			return r;
	}
	*ret = CW_TAKE(c);
	return 0;
}

struct cw_sasl_client *cw_sasl_client_free(struct cw_sasl_client *c)
{
	if (!c)
		return NULL;
	if (c->conn)
		sasl_dispose(&c->conn);
	if (c->secret)
		(void) cw_free_secret(c->secret, c->secret_size);
	if (c->user)
		(void) cw_free_secret(c->user, strlen(c->user));
	return cw_free(c);
}

/* --- the exchange --- */

int cw_sasl_client_start(struct cw_sasl_client *c, bool *ret_has, struct cw_slice *ret)
{
	const char *out = NULL;
	const char *chosen;
	unsigned n = 0;
	int r;

	if (c->started)
		return CW_E_AUTH;
	c->started = true;
	if (!c->conn) {
		c->done = true;
		/* EXTERNAL's empty authorization identity is an empty response, which is not the
		 * same as none. */
		*ret_has = c->mech == CW_MECH_EXTERNAL;
		*ret = (struct cw_slice){"", 0};
		return 0;
	}
	r = sasl_client_start(c->conn, mech_names[c->mech], NULL, &out, &n, &chosen);
	if (r != SASL_OK && r != SASL_CONTINUE)
		return map_result(r);
	if (n > CW_SASL_ANSWER_MAX)
		return CW_E_AUTH;
	c->done = r == SASL_OK;
	*ret_has = out != NULL;
	*ret = (struct cw_slice){out, n};
	return 0;
}

int cw_sasl_client_step(struct cw_sasl_client *c, struct cw_slice challenge, struct cw_slice *ret)
{
	const char *out = NULL;
	unsigned n = 0;
	int r;

	if (!c->started || c->done || !c->conn)
		return CW_E_AUTH;
	r = sasl_client_step(c->conn, challenge.p, (unsigned) challenge.n, NULL, &out, &n);
	if (r != SASL_OK && r != SASL_CONTINUE)
		return map_result(r);
	if (n > CW_SASL_ANSWER_MAX)
		return CW_E_AUTH;
	c->done = r == SASL_OK;
	/* Cyrus hands out an empty answer after the broker's proof; on the wire nothing follows it.
	 */
	*ret = c->done && n == 0 ? (struct cw_slice){NULL, 0}
				 : (struct cw_slice){out ? out : "", n};
	return 0;
}

bool cw_sasl_client_done(const struct cw_sasl_client *c)
{
	return c->done;
}
