/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/compare.h"
#include "broker/differs.h"
#include "broker/outside.h"
#include "broker/reload.h"
#include "broker/rest/rest.h"

#define WHY_MAX 512

struct cw_reload {
	struct cw_reload_parts parts;
	struct cw_config *in_force; /* as it was taken over last */
	int64_t loaded_wall_s;
	struct cw_compare *compare;
	struct cw_rest *rest;
};

int cw_reload_new(const struct cw_reload_parts *parts, struct cw_reload **ret)
{
	struct cw_reload *r = cw_zalloc(1, sizeof *r);
	int e;

	if (!r)
		return -ENOMEM;
	e = cw_compare_new(parts->loop, parts->store, parts->path, &r->compare);
	if (e < 0) {
		(void) cw_free(r);
		return e;
	}
	r->parts = *parts;
	(void) cw_config_ref(r->parts.start);
	r->in_force = cw_config_ref(r->parts.start);
	r->loaded_wall_s = cw_clock_now(cw_loop_clock(parts->loop)).wall_s;
	*ret = r;
	return 0;
}

struct cw_reload *cw_reload_free(struct cw_reload *r)
{
	if (!r)
		return NULL;
	r->compare = cw_compare_free(r->compare);
	(void) cw_config_free(r->in_force);
	(void) cw_config_free(r->parts.start);
	return cw_free(r);
}

void cw_reload_serves(struct cw_reload *r, struct cw_rest *rest)
{
	r->rest = rest;
}

const struct cw_config *cw_reload_start(const struct cw_reload *r)
{
	return r->parts.start;
}

const struct cw_config *cw_reload_in_force(const struct cw_reload *r)
{
	return r->in_force;
}

int64_t cw_reload_loaded_wall_s(const struct cw_reload *r)
{
	return r->loaded_wall_s;
}

int cw_reload_test(const struct cw_reload *r, FILE *err, struct cw_config **ret)
{
	int n;

	*ret = NULL;
	n = cw_config_load(r->parts.path, err, ret);
	return n == 0 ? cw_config_check_outside(*ret, r->parts.path, err) : n;
}

static int take_over(struct cw_reload *r, struct cw_config *fresh, FILE *err)
{
	char why[WHY_MAX] = "out of memory";
	int e = cw_tsp_io_reload(r->parts.tsp_io, fresh, why, sizeof why);

	if (e == 0)
		e = cw_tsp_access_reload(r->parts.tsp, fresh);
	if (e == 0 && r->rest) {
		e = cw_rest_reload(r->rest);
		if (e < 0)
			(void) snprintf(why, sizeof why, "certificate and key of the API: %s",
				cw_strerror(e));
	}
	if (e < 0) {
		(void) fprintf(err, "%s: %s\n", r->parts.path, why);
		return e;
	}
	cw_log_change(fresh->log_level, fresh->log_format);
	cw_log(CW_LOG_NOTICE, CW_F(CW_F_EVENT("reload")), "configuration read again");
	(void) cw_differs_fixed(r->parts.start, fresh, r->parts.path);
	(void) cw_config_free(r->in_force);
	r->in_force = cw_config_ref(fresh);
	r->loaded_wall_s = cw_clock_now(cw_loop_clock(r->parts.loop)).wall_s;
	cw_compare_begin(r->compare, fresh);
	return 0;
}

/* text: what is wrong, a line each. */
static void say_failed(const struct cw_reload *r, int result, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		cw_log(CW_LOG_ERR, CW_F(CW_F_EVENT("reload.fail")), line);
	cw_log(CW_LOG_ERR,
		CW_F(CW_F_EVENT("reload.fail"), CW_F_STR("path", r->parts.path),
			CW_F_ERR(result < 0 ? result : CW_E_SYNTAX)),
		"the configuration has problems: the old one stays");
}

static void tell(const struct cw_reload *r, int result)
{
	char detail[96];

	if (result == 0)
		(void) snprintf(detail, sizeof detail, "{\"sha256\":\"%s\"}", r->in_force->hash);
	else
		(void) snprintf(
			detail, sizeof detail, "{\"problems\":%d}", result < 0 ? 1 : result);
	cw_engine_event(
		r->parts.engine, result == 0 ? "config.reload" : "config.error", 0, NULL, detail);
}

int cw_reload_now(struct cw_reload *r, FILE *err,
	void (*before)(void *arg, const struct cw_config *fresh), void *arg)
{
	struct cw_config *fresh = NULL;
	char *said = NULL;
	size_t said_n = 0;
	FILE *to = open_memstream(&said, &said_n);
	int result = to ? cw_reload_test(r, to, &fresh) : -ENOMEM;

	if (result == 0 && before)
		before(arg, fresh);
	if (result == 0)
		result = take_over(r, fresh, to);
	if (to)
		(void) fclose(to);
	if (said && err)
		(void) fputs(said, err);
	if (result != 0)
		say_failed(r, result, said ? said : (char[]){"out of memory"});
	tell(r, result);
	(void) cw_config_free(fresh);
	(void) cw_free(said);
	return result;
}
