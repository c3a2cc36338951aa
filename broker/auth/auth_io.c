/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL exchanges on libuv's thread pool. An exchange belongs to the loop while it rests and to one
 * pool thread while a step runs. Readers of the store are lent to steps; there are as many as pool
 * threads, so none waits. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/err.h"
#include "base/mem.h"
#include "broker/auth/auth.h"

_Static_assert(CW_SASL_VERIFIER_MAX <= sizeof((struct cw_credential *) 0)->verifier,
	"verifiers fit the store");
_Static_assert(CW_SASL_KIND_MAX <= sizeof((struct cw_credential *) 0)->kind, "kinds fit the store");

struct cw_auth {
	struct cw_loop *loop;
	pthread_mutex_t lock;
	struct cw_store_reader *reader[CW_AUTH_READERS]; /* those not lent */
	unsigned n_readers;
	size_t running;
};

struct cw_auth_exchange {
	struct cw_auth *auth;
	uv_work_t work;
	bool running, ended;
	cw_auth_done_t *fn;
	void *arg;
	char mech[32];
	char *external;
	struct cw_sasl_server *sasl;
	/* of the step that runs */
	void *in;
	size_t in_n;
	enum cw_sasl_result result;
	struct cw_sasl_out out;
};

/* ---- looking up ---- */

static struct cw_store_reader *borrow_reader(struct cw_auth *a)
{
	struct cw_store_reader *r = NULL;

	(void) pthread_mutex_lock(&a->lock);
	if (a->n_readers)
		r = a->reader[--a->n_readers];
	(void) pthread_mutex_unlock(&a->lock);
	return r;
}

static void return_reader(struct cw_auth *a, struct cw_store_reader *r)
{
	(void) pthread_mutex_lock(&a->lock);
	a->reader[a->n_readers++] = r;
	(void) pthread_mutex_unlock(&a->lock);
}

static int lookup(void *arg, const char *user, struct cw_sasl_verifier *to, size_t max)
{
	struct cw_auth *a = arg;
	struct cw_credential found[8];
	struct cw_store_reader *r;
	int n;

	if (strlen(user) >= CW_NAME_MAX)
		return 0;
	r = borrow_reader(a);
	if (!r)
		return CW_E_BUSY;
	n = cw_read_credentials(r, user, found, CW_ARRAY_LEN(found));
	return_reader(a, r);
	if (n > (int) max)
		n = (int) max;
	for (int i = 0; i < n; i++) {
		memset(&to[i], 0, sizeof to[i]);
		memcpy(to[i].kind, found[i].kind, strnlen(found[i].kind, sizeof to[i].kind - 1));
		memcpy(to[i].text, found[i].verifier,
			strnlen(found[i].verifier, sizeof to[i].text - 1));
	}
	explicit_bzero(found, sizeof found);
	return n;
}

/* ---- steps ---- */

static void run_step(struct cw_auth_exchange *x)
{
	const struct cw_sasl_params params = {
		.lookup = lookup, .arg = x->auth, .external = x->external};

	x->out = (struct cw_sasl_out){0};
	if (x->sasl)
		x->result = cw_sasl_server_step(x->sasl, x->in, x->in_n, &x->out);
	else
		x->result =
			cw_sasl_server_start(&params, x->mech, x->in, x->in_n, &x->sasl, &x->out);
}

static void forget_input(struct cw_auth_exchange *x)
{
	if (x->in)
		(void) cw_free_secret(x->in, x->in_n);
	x->in = NULL;
	x->in_n = 0;
}

static void exchange_free(struct cw_auth_exchange *x)
{
	forget_input(x);
	(void) cw_sasl_server_free(x->sasl);
	(void) cw_free(x->external);
	(void) cw_free(x);
}

static void on_pool(uv_work_t *work)
{
	run_step(work->data);
}

static void after_pool(uv_work_t *work, int status)
{
	struct cw_auth_exchange *x = work->data;

	x->auth->running--;
	x->running = false;
	forget_input(x);
	if (x->ended) {
		exchange_free(x);
		return;
	}
	if (status < 0)
		x->result = CW_SASL_BUSY;
	x->fn(x->arg, x->result, x->out.data, x->out.n);
}

static int take_input(struct cw_auth_exchange *x, const void *data, size_t n)
{
	if (!data)
		return 0;
	/* One octet more: an empty response is not the same as none. */
	x->in = cw_zalloc(1, n + 1);
	if (!x->in)
		return -ENOMEM;
	memcpy(x->in, data, n);
	x->in_n = n;
	return 0;
}

static int go(struct cw_auth_exchange *x)
{
	int r;

	if (cw_sasl_mech_is_instant(x->mech)) {
		run_step(x);
		forget_input(x);
		x->fn(x->arg, x->result, x->out.data, x->out.n);
		return 0;
	}
	x->work.data = x;
	r = uv_queue_work(cw_loop_uv(x->auth->loop), &x->work, on_pool, after_pool);
	if (r < 0)
		return r;
	x->running = true;
	x->auth->running++;
	return 0;
}

int cw_auth_start(struct cw_auth *a, const char *mech, const void *data, size_t n,
	const char *external, cw_auth_done_t *fn, void *arg, struct cw_auth_exchange **ret)
{
	struct cw_auth_exchange *x = cw_zalloc(1, sizeof *x);
	int r;

	if (!x)
		return -ENOMEM;
	x->auth = a;
	x->fn = fn;
	x->arg = arg;
	(void) snprintf(x->mech, sizeof x->mech, "%s", mech);
	r = take_input(x, data, n);
	if (r == 0 && external && !(x->external = cw_strdup(external)))
		r = -ENOMEM;
	if (r < 0) {
		exchange_free(x);
		return r;
	}
	*ret = x;
	r = go(x);
	if (r < 0) {
		*ret = NULL;
		exchange_free(x);
	}
	return r;
}

int cw_auth_step(struct cw_auth_exchange *x, const void *data, size_t n)
{
	int r = take_input(x, data, n);

	return r < 0 ? r : go(x);
}

struct cw_auth_exchange *cw_auth_end(struct cw_auth_exchange *x)
{
	if (!x)
		return NULL;
	if (x->running)
		x->ended = true;
	else
		exchange_free(x);
	return NULL;
}

const char *cw_auth_user(const struct cw_auth_exchange *x)
{
	return x && x->sasl ? cw_sasl_server_user(x->sasl) : NULL;
}

/* ---- life ---- */

int cw_auth_new(struct cw_loop *loop, struct cw_store *store, struct cw_auth **ret)
{
	struct cw_auth *a = cw_zalloc(1, sizeof *a);
	int r;

	if (!a)
		return -ENOMEM;
	a->loop = loop;
	r = -pthread_mutex_init(&a->lock, NULL);
	if (r < 0) {
		(void) cw_free(a);
		return r;
	}
	for (; a->n_readers < CW_AUTH_READERS; a->n_readers++) {
		r = cw_store_reader_open(store, &a->reader[a->n_readers]);
		if (r < 0) {
			(void) cw_auth_free(a);
			return r;
		}
	}
	*ret = a;
	return 0;
}

size_t cw_auth_running(const struct cw_auth *a)
{
	return a ? a->running : 0;
}

struct cw_auth *cw_auth_free(struct cw_auth *a)
{
	if (!a)
		return NULL;
	while (a->n_readers)
		(void) cw_store_reader_close(a->reader[--a->n_readers]);
	(void) pthread_mutex_destroy(&a->lock);
	return cw_free(a);
}
