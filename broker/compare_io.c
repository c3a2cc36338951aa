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
	struct cw_config *next; /* to be compared when the one that runs has ended */
	_Atomic bool enough;
	/* of the one that runs */
	bool running;
	struct cw_config *conf;
	struct cw_store_reader *reader;
	int result;
};

int cw_compare_new(
	struct cw_loop *loop, struct cw_store *store, const char *path, struct cw_compare **ret)
{
	struct cw_compare *c = cw_zalloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->store = store;
	c->path = path;
	*ret = c;
	return 0;
}

static void drop_next(struct cw_compare *c)
{
	if (c->next)
		cw_config_forget(c->next);
	c->next = cw_config_free(c->next);
}

struct cw_compare *cw_compare_free(struct cw_compare *c)
{
	if (!c)
		return NULL;
	drop_next(c);
	atomic_store(&c->enough, true);
	while (c->running)
		(void) uv_run(cw_loop_uv(c->loop), UV_RUN_ONCE);
	return cw_free(c);
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
	struct cw_config *next = c->next;

	end(c, status < 0 ? status : c->result);
	c->next = NULL;
	if (next)
		cw_compare_begin(c, next);
	(void) cw_config_free(next);
}

void cw_compare_begin(struct cw_compare *c, struct cw_config *conf)
{
	int r;

	if (c->running) {
		atomic_store(&c->enough, true);
		drop_next(c);
		c->next = cw_config_ref(conf);
		return;
	}
	r = cw_store_reader_open(c->store, &c->reader);
	c->conf = cw_config_ref(conf);
	atomic_store(&c->enough, false);
	if (r == 0)
		r = uv_queue_work(cw_loop_uv(c->loop), &c->work, compare, after);
	if (r == 0)
		c->running = true;
	else
		end(c, r);
}
