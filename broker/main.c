/* SPDX-License-Identifier: BSD-2-Clause */
/* causewayd: command line, start, signals, end. The order at start: configuration, store (migrated,
 * quick-checked), the file's sections into the database, engine (time line, TEPs, comparison), then
 * listeners, READY. At the end the other way round: no new connections, answers that are due, TEPs,
 * store. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/prog.h"
#include "broker/access/tsp/access.h"
#include "broker/access/tsp/io.h"
#include "broker/auth/auth.h"
#include "broker/checkdb.h"
#include "broker/differs.h"
#include "broker/events/hub.h"
#include "broker/jobs/jobs.h"
#include "broker/lease/engine.h"
#include "broker/outside.h"
#include "broker/reload.h"
#include "broker/rest/rest.h"
#include "broker/seed.h"
#include "broker/settings.h"
#include "broker/statsline.h"
#include "schema/sasl/sasl.h"

#define STOP_MS      4000 /* for answers that are due; the unit's limit is larger */
#define DRAIN_ROUNDS 4000
#define WHY_MAX      512

struct daemon {
	const char *config_path;
	struct cw_config *conf; /* the start's, and so what holds of options that stay */
	struct cw_loop *loop;
	struct cw_store *store;
	struct cw_engine *engine;
	struct cw_auth *auth;
	struct cw_tsp_access *tsp;
	struct cw_tsp_io *tsp_io;
	struct cw_hub *hub;
	struct cw_jobs *jobs;
	struct cw_rest *rest;
	unsigned stops; /* of the two, that are awaited */
	struct cw_timer *watchdog, *stop_timer;
	uint64_t watchdog_ms;
	int64_t started_us;
	bool stopping;
	int trouble;        /* of the store, as on_health() heard last */
	int64_t trouble_us; /* since when */
	struct cw_reload *reload;
	int exit_code;
};

/* ---- end ---- */

static void on_part_stopped(void *arg)
{
	struct daemon *d = arg;

	if (--d->stops == 0)
		cw_loop_stop(d->loop);
}

/* No new connections and requests; those that are under way are answered. */
static void stop_parts(struct daemon *d)
{
	d->stopping = true;
	d->stops = (d->tsp_io != NULL) + (d->rest != NULL);
	if (d->rest)
		cw_rest_stop(d->rest, on_part_stopped, d);
	if (d->tsp_io)
		cw_tsp_io_stop(d->tsp_io, on_part_stopped, d);
	if (d->stops == 0)
		cw_loop_stop(d->loop);
}

static void on_stop_timer(void *arg)
{
	struct daemon *d = arg;

	cw_log(CW_LOG_WARNING,
		CW_F(CW_F_EVENT("stop.late"), CW_F_UINT("connections", cw_tsp_io_count(d->tsp_io))),
		"some answers are still due: these connections are cut");
	cw_tsp_io_abort(d->tsp_io);
}

static void begin_stop(struct daemon *d, int exit_code)
{
	if (d->stopping)
		return;
	d->exit_code = exit_code;
	cw_prog_notify("STOPPING=1");
	cw_log(CW_LOG_NOTICE, CW_F(CW_F_EVENT("stop")), "stopping");
	if (d->tsp)
		d->tsp->stopping = true;
	if (d->tsp_io && cw_timer_new(d->loop, on_stop_timer, d, &d->stop_timer) == 0)
		cw_timer_start(d->stop_timer, STOP_MS);
	stop_parts(d);
}

/* It could not be told while it lasted. */
static void tell_store_ok(const struct daemon *d)
{
	char detail[96];

	(void) snprintf(detail, sizeof detail, "{\"after\":\"%s\",\"seconds\":%lld}",
		d->trouble == CW_E_BUSY ? "busy" : "full",
		(long long) (cw_clock_now(&cw_system_clock).mono_us - d->trouble_us) / 1000000);
	cw_engine_event(d->engine, "store.ok", 0, NULL, detail);
}

static void on_health(void *arg, int result)
{
	struct daemon *d = arg;

	if (result == 0) {
		cw_log(CW_LOG_NOTICE, CW_F(CW_F_EVENT("store.ok")),
			"the lease store takes what is written again");
		tell_store_ok(d);
	} else if (result == CW_E_STORE_FULL) {
		cw_log(CW_LOG_ERR,
			CW_F(CW_F_EVENT("store.full"), CW_F_STR("path", d->conf->store_path)),
			"no space on the lease store's disk: nothing is granted, what is held goes on");
	} else if (result == CW_E_BUSY) {
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("store.busy"), CW_F_STR("path", d->conf->store_path)),
			"another program holds the database's write lock: nothing is granted or renewed until it ends; end it");
	} else {
		/* What an acknowledgement would promise cannot be promised any more: read the disk
		 * again. */
		cw_log(CW_LOG_ERR,
			CW_F(CW_F_EVENT("store.broken"), CW_F_STR("path", d->conf->store_path),
				CW_F_ERR(result)),
			"the lease store cannot vouch for its disk: ending, to be started again");
		begin_stop(d, CW_EXIT_FAILURE);
	}
	if (result != 0 && d->trouble == 0)
		d->trouble_us = cw_clock_now(&cw_system_clock).mono_us;
	d->trouble = result;
}

/* What is outstanding ends by itself; a few turns of the loop are needed to hear of it. */
static void drain(struct daemon *d)
{
	for (unsigned i = 0; i < DRAIN_ROUNDS; i++) {
		if (cw_engine_outstanding(d->engine) == 0 && cw_auth_running(d->auth) == 0 &&
			(!d->tsp_io || cw_tsp_io_count(d->tsp_io) == 0))
			return;
		(void) uv_run(cw_loop_uv(d->loop), UV_RUN_ONCE);
	}
}

static void take_down(struct daemon *d)
{
	if (!d->stopping) {
		stop_parts(d);
		if (d->tsp_io)
			cw_tsp_io_abort(d->tsp_io);
	}
	/* A handler that waits for the engine must be answered before its server ends. */
	while (d->rest && cw_rest_active(d->rest) > 0)
		(void) uv_run(cw_loop_uv(d->loop), UV_RUN_ONCE);
	if (d->reload)
		cw_reload_serves(d->reload, NULL);
	d->rest = cw_rest_free(d->rest);
	d->reload = cw_reload_free(d->reload);
	d->watchdog = cw_timer_free(d->watchdog);
	d->stop_timer = cw_timer_free(d->stop_timer);
	cw_jobs_stop(d->jobs);
	/* Offers of the last connections are given back before the store closes. */
	if (d->engine)
		cw_engine_stop(d->engine);
	d->store = cw_store_close(d->store);
	if (d->engine)
		drain(d);
	d->jobs = cw_jobs_free(d->jobs);
	d->tsp_io = cw_tsp_io_free(d->tsp_io);
	d->tsp = cw_tsp_access_free(d->tsp);
	d->auth = cw_auth_free(d->auth);
	d->engine = cw_engine_free(d->engine);
	d->hub = cw_hub_free(d->hub); /* after the writer, which it hears */
	if (cw_loop_free(d->loop) < 0)
		cw_log(CW_LOG_WARNING, CW_F(CW_F_EVENT("stop.leak")),
			"a handle was still open at the end");
	cw_sasl_server_done();
	d->conf = cw_config_free(d->conf);
}

/* ---- ready ---- */

static void on_watchdog(void *arg)
{
	struct daemon *d = arg;

	cw_prog_notify("WATCHDOG=1");
	cw_timer_start(d->watchdog, d->watchdog_ms);
}

static void start_watchdog(struct daemon *d)
{
	const char *text =
		getenv("WATCHDOG_USEC"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
	unsigned long long us = text ? strtoull(text, NULL, 10) : 0;

	if (us < 2000 || cw_timer_new(d->loop, on_watchdog, d, &d->watchdog) < 0)
		return;
	d->watchdog_ms = us / 2000;
	cw_timer_start(d->watchdog, d->watchdog_ms);
}

static void say_ready(struct daemon *d)
{
	static const char *const kinds[] = {"tsp", "tsp-udp", "tsps"};
	char text[CW_ARRAY_LEN(kinds)][1024];
	struct cw_field fields[CW_ARRAY_LEN(kinds) + 4] = {CW_F_EVENT("ready")};
	char rest[1024];
	unsigned n = 1;

	for (unsigned i = 0; i < CW_ARRAY_LEN(kinds); i++)
		if (cw_tsp_io_bound(d->tsp_io, kinds[i], text[i], sizeof text[i])[0])
			fields[n++] = (struct cw_field) CW_F_STR(kinds[i], text[i]);
	if (cw_rest_bound(d->rest, rest, sizeof rest)[0])
		fields[n++] = (struct cw_field) CW_F_STR("rest", rest);
	fields[n] = (struct cw_field) CW_F_INT(
		"dur_us", cw_clock_now(&cw_system_clock).mono_us - d->started_us);
	cw_log(CW_LOG_NOTICE, fields, "ready");
	cw_prog_notify("READY=1");
}

static int new_reload(struct daemon *d)
{
	const struct cw_reload_parts parts = {
		.loop = d->loop,
		.store = d->store,
		.engine = d->engine,
		.tsp = d->tsp,
		.tsp_io = d->tsp_io,
		.start = d->conf,
		.path = d->config_path,
	};

	return cw_reload_new(&parts, &d->reload);
}

static void on_engine_ready(void *arg)
{
	struct daemon *d = arg;
	struct cw_rest_parts parts = {
		.loop = d->loop,
		.engine = d->engine,
		.store = d->store,
		.hub = d->hub,
		.tsp = d->tsp,
		.config = d->conf,
	};
	char why[WHY_MAX] = "out of memory";
	int r;

	if (d->stopping)
		return;
	r = cw_tsp_io_new(d->tsp, d->conf, cw_prog_raise_nofile(), why, sizeof why, &d->tsp_io);
	if (r == 0)
		r = cw_jobs_new(d->loop, d->engine, d->store, d->conf, &d->jobs);
	if (r == 0)
		r = new_reload(d);
	parts.jobs = d->jobs;
	parts.reload = d->reload;
	if (r == 0)
		r = cw_rest_new(&parts, why, sizeof why, &d->rest);
	if (r < 0) {
		cw_log(CW_LOG_ERR, CW_F(CW_F_EVENT("start.fail"), CW_F_ERR(r)), why);
		begin_stop(d, CW_EXIT_FAILURE);
		return;
	}
	cw_reload_serves(d->reload, d->rest);
	say_ready(d);
	start_watchdog(d);
}

static void on_transition(void *arg, int what, const struct cw_lease *lease)
{
	struct daemon *d = arg;

	cw_tsp_access_transition(d->tsp, what, lease);
}

/* ---- signals ---- */

static void on_terminate(void *arg, int signum)
{
	struct daemon *d = arg;

	(void) signum;
	if (d->stopping && d->tsp_io)
		cw_tsp_io_abort(d->tsp_io); /* asked twice */
	begin_stop(d, CW_EXIT_OK);
}

/* ---- reading again ---- */

static void on_reload(void *arg, int signum)
{
	struct daemon *d = arg;

	(void) signum;
	if (d->stopping || !d->reload)
		return;
	cw_prog_notify("RELOADING=1");
	(void) cw_reload_now(d->reload, NULL, NULL, NULL); /* which says how it went */
	cw_prog_notify("READY=1");
}

static void on_dump(void *arg, int signum)
{
	struct daemon *d = arg;

	(void) signum;
	if (!d->stopping)
		cw_stats_log(d->engine, d->tsp, d->store);
}

/* ---- start ---- */

static int fail(const char *what, int r, const char *why)
{
	cw_log(CW_LOG_ERR, CW_F(CW_F_EVENT("start.fail"), CW_F_STR("what", what), CW_F_ERR(r)),
		why[0] ? why : cw_strerror(r));
	return CW_EXIT_FAILURE;
}

/* At the start, when what the database did not have is in it, and no password is left to try. */
static int compare_at_start(struct daemon *d)
{
	struct cw_store_reader *reader;
	int r = cw_store_reader_open(d->store, &reader);

	if (r < 0)
		return r;
	r = cw_differs_database(reader, d->conf, d->config_path, NULL);
	(void) cw_store_reader_close(reader);
	return r < 0 ? r : 0;
}

/* A TEP's plugin and options follow its section at each start: that is where to look. One that the
 * file does not have is the database's. */
static int fail_engine(const struct daemon *d, int r, const char *why)
{
	const struct cw_tep *t = d->engine ? cw_engine_unopened(d->engine) : NULL;
	char text[2 * WHY_MAX];

	for (size_t i = 0; t && i < d->conf->n_teps; i++) {
		if (strcmp(d->conf->teps[i].tep.name, t->name) != 0)
			continue;
		(void) snprintf(
			text, sizeof text, "%s:%d: %s", d->config_path, d->conf->teps[i].line, why);
		return fail("engine", r, text);
	}
	return fail("engine", r, why);
}

static int make_state_dir(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	return -errno;
}

static int open_store(struct daemon *d, char *why, size_t why_n)
{
	const struct cw_store_config sc = {
		.backend = d->conf->store_backend,
		.path = d->conf->store_path,
		.batch_max = d->conf->store_batch,
		.cache_kib = d->conf->store_cache_kib,
	};
	struct cw_store_stats st;
	int r = make_state_dir(d->conf->state_dir);

	if (r < 0) {
		(void) snprintf(
			why, why_n, "%s cannot be made: %s", d->conf->state_dir, cw_strerror(r));
		return r;
	}
	r = cw_store_open(&sc, why, why_n, &d->store);
	if (r < 0)
		return r;
	cw_store_stats(d->store, &st);
	if (st.damaged > 0)
		cw_log(CW_LOG_ERR,
			CW_F(CW_F_EVENT("store.damaged"), CW_F_STR("path", d->conf->store_path),
				CW_F_UINT("leases", st.damaged)),
			"leases were put aside because their rows are damaged, their addresses are not lent; causewayd --check-db tells more");
	if (st.rebuilt)
		cw_log(CW_LOG_ERR,
			CW_F(CW_F_EVENT("store.rebuilt"), CW_F_STR("path", d->conf->store_path)),
			"the last run ended because the database contradicted itself: the indexes of leases were made anew; causewayd --check-db, with the broker stopped, tells whether that was all");
	return 0;
}

/* Of what open_store() said in the log. */
static void tell_damage(const struct daemon *d)
{
	struct cw_store_stats st;
	char detail[48];

	cw_store_stats(d->store, &st);
	(void) snprintf(
		detail, sizeof detail, "{\"leases\":%llu}", (unsigned long long) st.damaged);
	if (st.damaged > 0)
		cw_engine_event(d->engine, "store.damaged", 0, NULL, detail);
	if (st.rebuilt)
		cw_engine_event(d->engine, "store.rebuilt", 0, NULL, NULL);
}

static int bring_up(struct daemon *d)
{
	const struct cw_sasl_server_conf sasl = {
		.realm = d->conf->realm ? d->conf->realm : "causeway"};
	struct cw_engine_config ec;
	char why[WHY_MAX] = "";
	int r = cw_loop_new(&cw_system_clock, &d->loop);

	if (r == 0)
		r = cw_loop_on_signal(d->loop, SIGTERM, on_terminate, d);
	if (r == 0)
		r = cw_loop_on_signal(d->loop, SIGINT, on_terminate, d);
	if (r == 0)
		r = cw_loop_on_signal(d->loop, SIGHUP, on_reload, d);
	if (r == 0)
		r = cw_loop_on_signal(d->loop, SIGUSR1, on_dump, d);
	if (r < 0)
		return fail("loop", r, why);
	cw_tsp_init();
	r = cw_sasl_server_init(&sasl);
	if (r < 0)
		return fail("sasl", r, why);
	r = open_store(d, why, sizeof why);
	if (r < 0)
		return fail("store", r, why);
	r = cw_seed(d->store, d->conf, cw_clock_now(&cw_system_clock).wall_s, why, sizeof why);
	cw_config_forget(d->conf);
	if (r == 0)
		r = compare_at_start(d);
	if (r < 0)
		return fail("configuration", r, why);
	r = cw_hub_new(d->loop, 0, &d->hub);
	if (r < 0)
		return fail("events", r, why);
	ec = (struct cw_engine_config){
		.loop = d->loop,
		.store = d->store,
		.plugin_dir = d->conf->plugin_dir,
		.ready = on_engine_ready,
		.health = on_health,
		.transition = on_transition,
		.arg = d,
		.events = cw_hub_events,
		.events_arg = d->hub,
	};
	r = cw_auth_new(d->loop, d->store, &d->auth);
	if (r == 0)
		r = cw_engine_new(&ec, &d->engine);
	if (r == 0)
		r = cw_tsp_access_new(d->loop, d->engine, d->auth, d->conf, &d->tsp);
	if (r == CW_E_LIMIT || r == CW_E_SYNTAX)
		(void) snprintf(why, sizeof why,
			"mechanisms or redirect list do not fit the protocol: %s", cw_strerror(r));
	if (r == 0)
		r = cw_engine_start(d->engine, why, sizeof why);
	if (r == 0)
		tell_damage(d);
	return r < 0 ? fail_engine(d, r, why) : CW_EXIT_OK;
}

static int run(struct daemon *d)
{
	int r;

	d->started_us = cw_clock_now(&cw_system_clock).mono_us;
	r = bring_up(d);
	if (r == CW_EXIT_OK) /* or it failed in a callback already, which has set the exit code */
		(void) cw_loop_run(d->loop);
	else
		d->exit_code = r;
	take_down(d);
	return d->exit_code;
}

/* ---- command line ---- */

static void help(void)
{
	(void) fputs(
		"Usage: causewayd [--config FILE] [--foreground]\n"
		"       causewayd [--config FILE] --check-config | --check-db | --forget-damaged\n"
		"       causewayd --print-sample-config | --list-failpoints | --help | --version\n"
		"\n"
		"The Causeway tunnel broker: leases IPv4 addresses and tells tunnel end points.\n"
		"\n"
		"  -c, --config FILE       configuration (" CW_SYSCONFDIR "/causewayd.conf)\n"
		"  -f, --foreground        stay in the foreground (it always does; for scripts that say so)\n"
		"  -t, --check-config      print every problem of the configuration and end: 0 none, 1 some\n"
		"      --check-db          check the lease database and end: 0 sound, 1 damaged\n"
		"      --forget-damaged    lend the addresses of leases again that --check-db found damaged\n"
		"      --print-sample-config\n"
		"                          a commented configuration with every option\n"
		"      --list-failpoints   places where tests can make this build fail; 1 if it has none\n"
		"  -h, --help              this text\n"
		"  -V, --version           version and licence\n",
		stdout);
}

static int check_config(const char *path)
{
	struct cw_config *conf = NULL;
	int r = cw_config_load(path, stderr, &conf);

	if (r == 0)
		r = cw_config_check_outside(conf, path, stderr);
	(void) cw_config_free(conf);
	return r ? CW_EXIT_FAILURE : CW_EXIT_OK;
}

enum action {
	DO_RUN,
	DO_CHECK_CONFIG,
	DO_CHECK_DB,
	DO_FORGET,
	DO_SAMPLE,
	DO_FAILPOINTS,
	DO_HELP,
	DO_VERSION,
	DO_USAGE
};

static enum action parse_args(int argc, char **argv, const char **ret_config)
{
	enum { OPT_ACTION = 256 };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"foreground", no_argument, NULL, 'f'},
		{"check-config", no_argument, NULL, 't'}, /* OPT_ACTION + DO_CHECK_CONFIG */
		{"check-db", no_argument, NULL, OPT_ACTION + DO_CHECK_DB},
		{"forget-damaged", no_argument, NULL, OPT_ACTION + DO_FORGET},
		{"print-sample-config", no_argument, NULL, OPT_ACTION + DO_SAMPLE},
		{"list-failpoints", no_argument, NULL, OPT_ACTION + DO_FAILPOINTS},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	enum action action = DO_RUN, asked;
	int c;

	opterr = 0; /* cw_prog_bad_flag() knows what was meant */
	/* NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while ((c = getopt_long(argc, argv, "c:fthV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			*ret_config = optarg;
			break;
		case 'f':
			break;
		case 'h':
			return DO_HELP;
		case 'V':
			return DO_VERSION;
		case '?':
			(void) cw_prog_bad_flag("causewayd", argv[optind - 1], options);
			return DO_USAGE;
		default:
			asked = c == 't' ? DO_CHECK_CONFIG : (enum action)(c - OPT_ACTION);
			if (action != DO_RUN && action != asked) {
				(void) cw_prog_usage("causewayd",
					"two things to do; name one of --check-config, --check-db, --forget-damaged, "
					"--print-sample-config and --list-failpoints");
				return DO_USAGE;
			}
			action = asked;
		}
	}
	if (optind == argc)
		return action;
	(void) cw_prog_usage("causewayd",
		"unexpected \"%.60s\"; it takes flags only, the configuration is named with --config FILE",
		argv[optind]);
	return DO_USAGE;
}

static int list_failpoints(void)
{
	if (cw_failpoint_list(stdout))
		return CW_EXIT_OK;
	(void) fputs(
		"causewayd: this build has none; configure it with --enable-failpoints\n", stderr);
	return CW_EXIT_FAILURE;
}

static int carry_out(enum action action, struct daemon *d)
{
	int r;

	switch (action) {
	case DO_HELP:
		help();
		return CW_EXIT_OK;
	case DO_VERSION:
		cw_prog_version("causewayd");
		return CW_EXIT_OK;
	case DO_USAGE: /* it was said what is wrong */
		return CW_EXIT_USAGE;
	case DO_SAMPLE:
		cw_conf_print_sample(cw_config_schema(), stdout);
		return CW_EXIT_OK;
	case DO_FAILPOINTS:
		return list_failpoints();
	case DO_CHECK_CONFIG:
		return check_config(d->config_path);
	case DO_CHECK_DB:
	case DO_FORGET:
	case DO_RUN:
		break;
	}
	(void) umask(0077);
	/* Before libuv's first use of its pool; one reader of the store per thread. */
	(void) setenv(
		"UV_THREADPOOL_SIZE", "4", 1); /* NOLINT(concurrency-mt-unsafe): no thread yet */
	r = cw_config_load(d->config_path, stderr, &d->conf);
	if (r != 0)
		return CW_EXIT_FAILURE;
	cw_log_open("causewayd", d->conf->log_level, d->conf->log_format);
	if (action != DO_RUN) {
		r = action == DO_CHECK_DB
			    ? cw_check_db(d->conf)
			    : cw_forget_damaged(d->conf, cw_clock_now(&cw_system_clock).wall_s);
		d->conf = cw_config_free(d->conf);
		return r;
	}
	if (cw_config_check_outside(d->conf, d->config_path, stderr)) {
		d->conf = cw_config_free(d->conf);
		return CW_EXIT_FAILURE;
	}
	return run(d);
}

int main(int argc, char **argv)
{
	struct daemon d = {.config_path = CW_SYSCONFDIR "/causewayd.conf"};
	enum action action = parse_args(argc, argv, &d.config_path);

	return cw_prog_end("causewayd", carry_out(action, &d));
}
