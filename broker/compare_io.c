/* SPDX-License-Identifier: BSD-2-Clause */
/* A comparison on libuv's pool; see compare.h. */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/compare.h"
#include "broker/differs.h"

struct cw_compare {
	uv_work_t work;
	struct cw_loop *loop;
	struct cw_store *store;
	const char *path;
	void (*done)(void *arg); /* NULL: it is being freed */
	void *arg;
	_Atomic bool enough;
	/* of the one that runs */
	bool running;
	struct cw_config *conf;
	struct cw_store_reader *reader;
	int result;
};

int cw_compare_new(struct cw_loop *loop, struct cw_store *store, const char *path,
	void (*done)(void *arg), void *arg, struct cw_compare **ret)
{
	struct cw_compare *c = cw_zalloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->store = store;
	c->path = path;
	c->done = done;
	c->arg = arg;
	*ret = c;
	return 0;
}

struct cw_compare *cw_compare_free(struct cw_compare *c)
{
	if (!c)
		return NULL;
	c->done = NULL;
	cw_compare_hurry(c);
	while (c->running)
		(void) uv_run(cw_loop_uv(c->loop), UV_RUN_ONCE);
	return cw_free(c);
}

bool cw_compare_running(const struct cw_compare *c)
{
	return c->running;
}

void cw_compare_hurry(struct cw_compare *c)
{
	atomic_store(&c->enough, true);
}

static void compare(uv_work_t *work)
{
	struct cw_compare *c = cw_container_of(work, struct cw_compare, work);

	c->result = cw_differs_database(c->reader, c->conf, c->path, &c->enough);
}

/* r: 0, what differs, or why it cannot be told. */
static void end(struct cw_compare *c, int r)
{
	if (r < 0)
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("reload.fail"), CW_F_STR("path", c->path), CW_F_ERR(r)),
			"the configuration was read again, but could not be compared with the database");
	c->running = false;
	c->reader = cw_store_reader_close(c->reader);
	cw_config_forget(c->conf);
	c->conf = cw_config_free(c->conf);
}

static void after(uv_work_t *work, int status)
{
	struct cw_compare *c = cw_container_of(work, struct cw_compare, work);

	end(c, status < 0 ? status : c->result);
	if (c->done)
		c->done(c->arg);
}

void cw_compare_begin(struct cw_compare *c, struct cw_config *conf)
{
	int r = cw_store_reader_open(c->store, &c->reader);

	c->conf = cw_config_ref(conf);
	atomic_store(&c->enough, false);
	if (r == 0)
		r = uv_queue_work(cw_loop_uv(c->loop), &c->work, compare, after);
	if (r == 0)
		c->running = true;
	else
		end(c, r);
}
