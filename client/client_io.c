/* SPDX-License-Identifier: BSD-2-Clause */
/* The client at work; see client_io.h. The keeper decides; here its actions become sessions,
 * tunnels, files and hooks, and what happens becomes its input. Timers run on the boot clock
 * (timerfd), so that a lease that ran out in suspend ends at the moment of waking. Thread: all on
 * the loop's; the tunnel's packet thread reports through posted tasks. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/prog.h"
#include "client/client_io.h"
#include "client/control_io.h"
#include "client/dti/netlink.h"
#include "client/exit.h"
#include "client/hook_io.h"
#include "client/keeper.h"
#include "client/print.h"
#include "client/session_io.h"
#include "client/state.h"
#include "client/tunnel_io.h"

enum { FAREWELL_MS = 1000 }; /* for connections to let go at the end */

struct client {
	const struct cw_client_opts *opts;
	const struct cw_client_conf *conf;
	struct cw_loop *loop;
	struct cw_brokers brokers;
	struct cw_keeper_conf keeper_conf;
	struct cw_keeper keeper;
	struct cw_session *session;
	struct cw_addr6 source; /* this end, as the session has it */
	struct cw_tunnel tunnel;
	struct cw_hooks *hooks;
	struct cw_control *control;
	int state_lock; /* -1: not held */
	struct cw_timer *farewell;
	uv_poll_t alarm; /* timerfd */
	int alarm_fd;
	uv_poll_t watch; /* addresses of the host, and the tunnel's device */
	int watch_fd;
	/* What is to be done with the state file when the hooks are done. */
	enum { UNDONE_NOTHING, UNDONE_FORGET, UNDONE_KEEP } undone;
	struct cw_keeper_lease undone_lease;
	bool in_actions;
	bool ending; /* EXIT came; hooks may still run */
	bool told;   /* verdict was called */
	bool ready;  /* the service manager was told */
	bool farewell_over;
	int code;
	const char *version; /* of the session; static */
	int mech;
};

static struct cw_now now_of(const struct client *c)
{
	return cw_clock_now(cw_loop_clock(c->loop));
}

static void settle(struct client *c);

static void tell(struct client *c, int code, const char *text)
{
	if (c->told)
		return;
	c->told = true;
	if (c->opts->verdict)
		c->opts->verdict(c->opts->arg, code, text);
}

/* ---- facts for people ---- */

static void facts_of(
	const struct client *c, const struct cw_keeper_lease *lease, struct cw_print_facts *f)
{
	struct cw_now now = now_of(c);

	*f = (struct cw_print_facts){.lease = lease,
		.version = c->version,
		.mechanism = c->mech >= 0 ? cw_mech_name((enum cw_mech) c->mech) : NULL,
		.tls = c->conf->tls};
	if (lease) {
		f->left_ms = lease->expires_boot_ms - now.boot_ms;
		f->renew_in_ms = c->keeper.renew_at - now.boot_ms;
	}
}

static void print_lease(const struct client *c, const struct cw_keeper_lease *lease)
{
	char text[2048];
	struct cw_writer w = cw_writer_of(text, sizeof text);
	struct cw_print_facts f;

	facts_of(c, lease, &f);
	cw_print_lease(&w, &f, c->opts->json);
	(void) fwrite(text, 1, cw_write_len(&w), stdout);
	(void) fflush(stdout);
}

static void log_lease(const struct cw_keeper_lease *l, const char *event, const char *text)
{
	char broker[CW_BROKER_STRLEN];

	cw_log(CW_LOG_NOTICE,
		CW_F(CW_F_EVENT(event), CW_F_ADDR4("addr4", l->tsp.ipv4),
			CW_F_PORTSET("ports", l->tsp.ports), CW_F_ADDR6("client6", &l->tsp.client6),
			CW_F_ADDR6("tep6", &l->tsp.tep6),
			CW_F_UINT("lifetime_s", l->tsp.lifetime_s),
			CW_F_STR("broker", cw_broker_str(&l->broker, broker))),
		text);
}

/* ---- the tunnel ---- */

static void on_unbound(void *arg)
{
	struct client *c = arg;

	cw_keeper_unbound(&c->keeper, now_of(c));
	settle(c);
}

static void on_tunnel_failed(void *arg)
{
	struct client *c = arg;

	cw_keeper_tunnel_failed(
		&c->keeper, CW_EXIT_FAILURE, "the tunnel's device is gone", now_of(c));
	settle(c);
}

static void run_hook(struct client *c, const char *event, const char *reason,
	const struct cw_keeper_lease *lease)
{
	const struct cw_hook_facts f = {.event = event,
		.reason = reason,
		.device = c->tunnel.dti ? cw_dti_device(c->tunnel.dti) : "",
		.kind = c->tunnel.dti ? cw_dti_kind_name(c->tunnel.dti) : "",
		.mtu = c->tunnel.dti ? cw_dti_mtu(c->tunnel.dti) : 0,
		.lease = lease};

	cw_hooks_run(c->hooks, &f);
}

static int open_tunnel(struct client *c, const struct cw_keeper_lease *l)
{
	const char *what = "";
	char text[200];
	int r = cw_tunnel_open(&c->tunnel, c->conf, l, &what);

	if (r == 0)
		return 0;
	cw_log(CW_LOG_ERR, CW_F(CW_F_EVENT("client.tunnel"), CW_F_ERR(r)), what);
	(void) snprintf(text, sizeof text, "%s: %s", what, cw_strerror(r));
	if (r == -EADDRNOTAVAIL || r == -ENETUNREACH || r == -EHOSTUNREACH)
		cw_keeper_unfit(&c->keeper, text, now_of(c));
	else
		cw_keeper_tunnel_failed(&c->keeper, CW_EXIT_FAILURE, text, now_of(c));
	return r;
}

/* device NULL: the hook has undone, or never did, what belongs to the tunnel. */
static void save(struct client *c, const struct cw_keeper_lease *l, const char *device)
{
	struct cw_state state = {.lease = *l};
	int r;

	if (device)
		(void) snprintf(state.device, sizeof state.device, "%s", device);
	c->undone = UNDONE_NOTHING;
	r = cw_state_save(c->conf->state, &state);
	if (r < 0)
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("client.state"), CW_F_STR("path", c->conf->state),
				CW_F_ERR(r)),
			"the lease cannot be remembered over a restart; going on without");
}

static void lease_up(struct client *c, const struct cw_keeper_lease *l)
{
	char text[2048];
	struct cw_writer w = cw_writer_of(text, sizeof text - 1);
	struct cw_print_facts f;

	if (c->opts->once) {
		print_lease(c, l);
		return;
	}
	log_lease(l, "client.up", "lease obtained");
	if (open_tunnel(c, l) < 0)
		return;
	save(c, l,
		cw_dti_device(c->tunnel.dti)); /* first: a killed client's hook is undone by this */
	run_hook(c, "up", NULL, l);
	facts_of(c, l, &f);
	cw_print_lease(&w, &f, false);
	text[cw_write_len(&w)] = '\0';
	cw_control_done(c->control, CW_CONTROL_RENEW, CW_EXIT_OK, "a lease was obtained");
	if (!c->ready)
		cw_log(CW_LOG_NOTICE,
			CW_F(CW_F_EVENT("ready"), CW_F_STR("device", cw_dti_device(c->tunnel.dti)),
				CW_F_STR("control", c->conf->control)),
			"the tunnel is up");
	c->ready = true;
	cw_prog_notify("READY=1\nSTATUS=lease obtained");
	tell(c, CW_EXIT_OK, text);
}

static void lease_renewed(struct client *c, const struct cw_keeper_lease *l)
{
	if (c->opts->once)
		return;
	cw_tunnel_extend(&c->tunnel, l);
	log_lease(l, "client.renew", "lease renewed");
	save(c, l, c->tunnel.dti ? cw_dti_device(c->tunnel.dti) : NULL);
	run_hook(c, "renew", NULL, l);
	cw_control_done(c->control, CW_CONTROL_RENEW, CW_EXIT_OK, "the lease was renewed");
}

/* The hook has undone its part for the lease that went down: only now may a restart not see it. */
static void write_undone(struct client *c)
{
	bool forget = c->undone == UNDONE_FORGET;
	int r;

	if (c->undone == UNDONE_NOTHING || cw_hooks_busy(c->hooks))
		return;
	if (!forget)
		save(c, &c->undone_lease, NULL);
	c->undone = UNDONE_NOTHING;
	r = forget ? cw_state_forget(c->conf->state) : 0;
	if (r < 0)
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("client.state"), CW_F_STR("path", c->conf->state),
				CW_F_ERR(r)),
			"the remembered lease cannot be removed; the next start will ask for it");
}

static void lease_down(struct client *c, const struct cw_keeper_action *a)
{
	const char *reason = cw_keeper_reason_name(a->reason);

	if (c->opts->once)
		return;
	log_lease(&a->lease, "client.down", reason);
	if (c->tunnel.dti) /* else there was no up */
		run_hook(c,
			a->reason == CW_DOWN_STOP || a->reason == CW_DOWN_MOVED ? "down" : "expire",
			reason, &a->lease);
	cw_tunnel_close(&c->tunnel);
	c->undone = a->flag ? UNDONE_KEEP : UNDONE_FORGET;
	c->undone_lease = a->lease;
	write_undone(c);
}

/* What a client that was killed left behind: its device and routes went with it, but not what its
 * hook did. */
static void undo_last(struct client *c, const struct cw_state *last)
{
	const struct cw_hook_facts f = {.event = "down",
		.reason = "killed",
		.device = last->device,
		.kind = "",
		.lease = &last->lease};

	log_lease(&last->lease, "client.undo", "the last client was killed, its hook is undone");
	cw_hooks_run(c->hooks, &f);
}

/* ---- the session ---- */

static void on_unreachable(void *arg, const char *text)
{
	struct client *c = arg;

	cw_log(CW_LOG_INFO, CW_F(CW_F_EVENT("client.unreachable"), CW_F_STR("reason", text)),
		"no broker there");
	cw_keeper_unreachable(&c->keeper, CW_EXIT_UNREACHABLE, text, now_of(c));
	settle(c);
}

static void on_session_event(void *arg, const struct cw_tsp_client_event *ev)
{
	struct client *c = arg;

	if (ev->type == CW_TSP_EV_READY) {
		c->mech = cw_tsp_client_mech(cw_session_tsp(c->session));
	} else if (ev->type == CW_TSP_EV_CLOSED) {
		cw_log(CW_LOG_INFO,
			CW_F(CW_F_EVENT("client.closed"),
				CW_F_STR("reason", cw_tsp_why_name(ev->why)),
				CW_F_UINT("code", ev->code), CW_F_SLICE("text", ev->text)),
			cw_tsp_why_text(ev->why));
	} else if (ev->type == CW_TSP_EV_REPLY && ev->status != CW_TSP_DONE) {
		cw_log(CW_LOG_INFO,
			CW_F(CW_F_EVENT("client.refused"), CW_F_UINT("code", ev->code),
				CW_F_SLICE("text", ev->text)),
			"the broker refused the request");
	}
	cw_keeper_event(&c->keeper, ev, now_of(c));
	settle(c);
}

static const struct cw_session_ops session_ops = {
	.unreachable = on_unreachable, .event = on_session_event};

static void open_session(struct client *c, const struct cw_keeper_action *a)
{
	const struct cw_client_conf *conf = c->conf;
	struct cw_session_conf s = {.host = a->broker->host,
		.port = a->broker->port,
		.with_tls = conf->tls,
		.tls = {.cert_file = conf->cert,
			.key_file = conf->key,
			.ca_file = conf->ca,
			.server_name = conf->server_name},
		.has_source = conf->has_source,
		.source = conf->source,
		.connect_timeout_ms = conf->connect_timeout_s * 1000,
		.tsp = {.version = a->version,
			.mechs = cw_client_mechs(
				conf, c->opts->password != NULL, a->broker->exposed),
			.user = conf->user,
			.password = c->opts->password}};
	char broker[CW_BROKER_STRLEN];
	char text[320];
	int r;

	c->session = cw_session_close(c->session);
	c->version = a->version;
	c->mech = -1;
	cw_log(CW_LOG_DEBUG,
		CW_F(CW_F_EVENT("client.connect"),
			CW_F_STR("broker", cw_broker_str(a->broker, broker)),
			CW_F_STR("version", a->version)),
		"connecting");
	if (s.tsp.mechs == 0) {
		cw_keeper_unreachable(&c->keeper, CW_EXIT_AUTH,
			conf->user && !c->opts->password
				? "there is no password for this user; set password-file, or --password-file FILE"
				: "no login mechanism is possible here; PLAIN needs TLS, or allow-plain with a broker that was configured",
			now_of(c));
		return;
	}
	r = cw_session_open(c->loop, &s, &session_ops, c, &c->session);
	if (r == 0)
		return;
	(void) snprintf(text, sizeof text, "cannot open a session: %s%s%s", cw_strerror(r),
		conf->tls ? ": " : "", conf->tls ? cw_tls_error() : "");
	cw_keeper_unreachable(&c->keeper, CW_EXIT_FAILURE, text, now_of(c));
}

/* This end's address: configured, or the connection's. */
static bool find_source(struct client *c)
{
	if (c->conf->has_source) {
		c->source = c->conf->source;
		return true;
	}
	return c->session && cw_session_source(c->session, &c->source);
}

static void send_request(struct client *c, const struct cw_keeper_action *a)
{
	struct cw_tsp_client *tsp = c->session ? cw_session_tsp(c->session) : NULL;
	const struct cw_addr6 *about =
		a->action == CW_TSP_DELETE ? &a->lease.tsp.client6 : &c->source;
	struct cw_addr6 link_local;
	struct cw_tsp_msg msg;
	bool with_link_local;
	char text[120];
	int r;

	if (!tsp || !find_source(c)) {
		cw_keeper_unsent(&c->keeper,
			"this host's IPv6 address for the tunnel is not known: use --source, or reach the broker over IPv6",
			now_of(c));
		return;
	}
	/* DSTM 3.2: both addresses; RFC 5572 4.7.2: only the one. */
	with_link_local = cw_tsp_client_version(tsp) == CW_TSP_V1 &&
			  cw_session_link_local(about, &link_local);
	cw_tsp_msg_about(&msg, a->action, about, a->ipv4.v ? &a->ipv4 : NULL,
		with_link_local ? &link_local : NULL);
	msg.ports_min = c->conf->ports_min && a->action == CW_TSP_CREATE;
	r = cw_tsp_client_request(tsp, &msg, 0, now_of(c).mono_us / 1000);
	if (r < 0) {
		(void) snprintf(
			text, sizeof text, "the request cannot be sent: %s", cw_strerror(r));
		cw_keeper_unsent(&c->keeper, text, now_of(c));
		return;
	}
	cw_session_touch(c->session);
}

static void send_ack(struct client *c, const struct cw_keeper_action *a)
{
	struct cw_tsp_msg deleted;

	if (!c->session)
		return;
	cw_tsp_msg_about(&deleted, CW_TSP_DELETE, &a->lease.tsp.client6, &a->lease.tsp.ipv4, NULL);
	/* The acknowledgement is a courtesy (DSTM 2.3); a failure has no consequence. */
	(void) !cw_tsp_client_ack(cw_session_tsp(c->session), &deleted, now_of(c).mono_us / 1000);
}

static void send_accept(struct client *c, bool yes)
{
	if (c->session)
		(void) !cw_tsp_client_accept(
			cw_session_tsp(c->session), yes, now_of(c).mono_us / 1000);
}

/* ---- the end ---- */

static void stop_when_quiet(struct client *c)
{
	if (!c->ending || (c->hooks && cw_hooks_busy(c->hooks)))
		return;
	cw_loop_stop(c->loop);
}

static void on_drained(void *arg)
{
	write_undone(arg);
	stop_when_quiet(arg);
}

static void end(struct client *c, int code)
{
	const char *text = c->keeper.error;
	bool in_vain = !code && !c->keeper.had_lease; /* told to end before it had one */

	if (in_vain && c->opts->once)
		code = CW_EXIT_FAILURE;
	if (in_vain)
		text = "ended before there was a lease";
	c->ending = true;
	c->code = code;
	cw_prog_notify("STOPPING=1");
	if (code && !c->opts->once)
		cw_log(CW_LOG_ERR, CW_F(CW_F_EVENT("client.exit"), CW_F_INT("code", code)), text);
	tell(c, in_vain ? CW_EXIT_FAILURE : code, text);
	cw_control_done(c->control, CW_CONTROL_RENEW, CW_EXIT_FAILURE, "the client ends");
	stop_when_quiet(c);
}

/* ---- keeper and loop ---- */

static void carry_out(struct client *c, const struct cw_keeper_action *a)
{
	switch (a->type) {
	case CW_ACT_CONNECT:
		open_session(c, a);
		break;
	case CW_ACT_DISCONNECT:
		c->session = cw_session_close(c->session);
		break;
	case CW_ACT_REQUEST:
		send_request(c, a);
		break;
	case CW_ACT_ACCEPT:
		send_accept(c, a->flag);
		break;
	case CW_ACT_ACK:
		send_ack(c, a);
		break;
	case CW_ACT_UP:
		lease_up(c, &a->lease);
		break;
	case CW_ACT_RENEWED:
		lease_renewed(c, &a->lease);
		break;
	case CW_ACT_DOWN:
		lease_down(c, a);
		break;
	case CW_ACT_EXIT:
		end(c, a->code);
		break;
	}
}

static void set_alarm(struct client *c)
{
	int64_t at = cw_keeper_deadline(&c->keeper);
	struct itimerspec when = {0};

	if (at != INT64_MAX) {
		at = at > 0 ? at : 1; /* zero would switch it off */
		when.it_value.tv_sec = at / 1000;
		when.it_value.tv_nsec = at % 1000 * 1000000;
	}
	(void) timerfd_settime(c->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* After every input: carries out what the keeper wants. Inputs that come from inside are carried
 * out by the outer call. */
static void settle(struct client *c)
{
	struct cw_keeper_action a;

	if (c->in_actions)
		return;
	c->in_actions = true;
	while (cw_keeper_next(&c->keeper, &a))
		carry_out(c, &a);
	c->in_actions = false;
	set_alarm(c);
	/* Who asked for a renewal is told that it failed; the tries that follow may be many. */
	if (cw_keeper_next_try(&c->keeper) != INT64_MAX)
		cw_control_done(c->control, CW_CONTROL_RENEW, c->keeper.code, c->keeper.error);
	if (!c->ready && c->keeper.link == CW_LINK_WAIT) {
		/* Who waits for us at boot shall not wait for a broker that is away. */
		c->ready = true;
		cw_prog_notify("READY=1\nSTATUS=no broker yet, trying on");
	}
}

static void on_alarm(uv_poll_t *p, int status, int events)
{
	struct client *c = p->data;
	uint64_t expirations;

	(void) status;
	(void) events;
	(void) !read(c->alarm_fd, &expirations, sizeof expirations);
	cw_keeper_tick(&c->keeper, now_of(c));
	settle(c);
}

static void on_watch(uv_poll_t *p, int status, int events)
{
	struct client *c = p->data;
	struct cw_netlink_news news;

	(void) status;
	(void) events;
	cw_netlink_watch_read(c->watch_fd, c->tunnel.dti ? cw_dti_index(c->tunnel.dti) : 0, &news);
	if (news.device)
		cw_tunnel_changed(&c->tunnel);
	if (!news.n_gone)
		return;
	for (unsigned i = 0; i < news.n_gone; i++)
		cw_keeper_source_gone(&c->keeper, &news.gone[i], now_of(c));
	settle(c);
}

static void on_signal(void *arg, int signum)
{
	struct client *c = arg;

	if (signum == SIGUSR1) {
		(void) cw_keeper_renew_now(&c->keeper, now_of(c));
	} else {
		cw_keeper_stop(&c->keeper, c->conf->keep_lease, now_of(c));
	}
	settle(c);
}

/* ---- control ---- */

static void on_status(void *arg, bool json, struct cw_writer *w)
{
	const struct client *c = arg;
	struct cw_print_facts f;
	struct cw_dti_stats stats;
	int64_t next = cw_keeper_next_try(&c->keeper);

	facts_of(c, c->keeper.has_lease ? &c->keeper.lease : NULL, &f);
	f.state = cw_keeper_state(&c->keeper);
	f.error = c->keeper.error;
	f.renewals = c->keeper.renewals;
	f.failures = c->keeper.attempt;
	f.next_try_in_ms = -1;
	if (next != INT64_MAX)
		f.next_try_in_ms = next > now_of(c).boot_ms ? next - now_of(c).boot_ms : 0;
	if (c->tunnel.dti) {
		cw_dti_stats(c->tunnel.dti, &stats);
		f.device = cw_dti_device(c->tunnel.dti);
		f.kind = cw_dti_kind_name(c->tunnel.dti);
		f.mtu = cw_dti_mtu(c->tunnel.dti);
		f.stats = &stats;
	}
	cw_print_status(w, &f, json);
}

static void on_command(void *arg, enum cw_control_command command, bool keep)
{
	struct client *c = arg;

	if (command == CW_CONTROL_DOWN)
		cw_keeper_stop(&c->keeper, keep || c->conf->keep_lease, now_of(c));
	else
		(void) cw_keeper_renew_now(&c->keeper, now_of(c));
	settle(c);
}

static const struct cw_control_ops control_ops = {.status = on_status, .command = on_command};

/* ---- life ---- */

static uint32_t random_u32(void *arg)
{
	uint32_t v = 0;

	(void) arg;
	(void) !cw_random(&v, sizeof v);
	return v;
}

static int start_polls(struct client *c)
{
	int r;

	c->alarm_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (c->alarm_fd < 0)
		return -errno;
	r = uv_poll_init(cw_loop_uv(c->loop), &c->alarm, c->alarm_fd);
	if (r < 0)
		return r;
	c->alarm.data = c;
	r = uv_poll_start(&c->alarm, UV_READABLE, on_alarm);
	/* Without the watch a changed address is noticed at the next renewal. */
	c->watch_fd = r == 0 && !c->opts->once ? cw_netlink_watch() : -1;
	if (c->watch_fd >= 0 && uv_poll_init(cw_loop_uv(c->loop), &c->watch, c->watch_fd) == 0) {
		c->watch.data = c;
		(void) uv_poll_start(&c->watch, UV_READABLE, on_watch);
	}
	return r;
}

static int cannot_start(
	struct client *c, const char *event, const char *path, int r, const char *text)
{
	cw_log(CW_LOG_ERR, CW_F(CW_F_EVENT(event), CW_F_STR("path", path), CW_F_ERR(r)), text);
	tell(c, CW_EXIT_FAILURE, text);
	return r;
}

static int start_control(struct client *c)
{
	char text[200] = "another client is running; 'causeway down' ends it";
	pid_t owner;
	int r;

	cw_state_make_folders(c->conf->control);
	r = cw_control_new(c->loop, c->conf->control, &control_ops, c, &c->control, &owner);
	if (r == 0)
		return 0;
	if (r == -EADDRINUSE && owner)
		(void) snprintf(text, sizeof text,
			"another client is running (process %d); 'causeway down' ends it",
			(int) owner);
	else if (r != -EADDRINUSE)
		(void) snprintf(text, sizeof text, "the control socket %s cannot be made: %s",
			c->conf->control, cw_strerror(r));
	return cannot_start(c, "client.control", c->conf->control, r, text);
}

/* Clients with control sockets of their own may run side by side, but not with one state file: each
 * would undo the other's hooks. Where nothing can be written nothing is shared. */
static int lock_state(struct client *c)
{
	char text[200];
	pid_t owner;
	int r = cw_state_lock(c->conf->state, &c->state_lock, &owner);

	if (r != -EADDRINUSE)
		return 0;
	(void) snprintf(text, sizeof text,
		"another client (process %d) has the state file %.60s; this one needs --state FILE",
		(int) owner, c->conf->state);
	return cannot_start(c, "client.state", c->conf->state, r, text);
}

static int start_parts(struct client *c)
{
	static const int signals[] = {
		SIGTERM, SIGINT, SIGHUP, SIGUSR1}; /* HUP: the terminal of --foreground is gone */
	int r = c->opts->once ? 0 : start_control(c); /* first: it holds the lock */

	if (r == 0 && !c->opts->once)
		r = lock_state(c);
	if (r == 0)
		r = start_polls(c);
	for (size_t i = 0; r == 0 && i < CW_ARRAY_LEN(signals); i++)
		r = cw_loop_on_signal(c->loop, signals[i], on_signal, c);
	if (r == 0)
		r = cw_hooks_new(c->loop, c->opts->once ? NULL : c->conf->hook, c->conf->state,
			c->conf->hook_timeout_s, c->opts->background, on_drained, c, &c->hooks);
	return r;
}

static void start_keeper(struct client *c)
{
	const struct cw_client_conf *conf = c->conf;
	struct cw_state old;
	bool found = !c->opts->once && cw_state_load(conf->state, &old) == 0;
	bool restored = found && old.lease.expires_wall_s > now_of(c).wall_s;

	c->keeper_conf = (struct cw_keeper_conf){.version = conf->protocol_version,
		.once = c->opts->once,
		.release = c->opts->release,
		.persist = conf->persist,
		.exit_on_delete = conf->exit_on_delete,
		.minutes = conf->minutes,
		.retry_min_ms = conf->retry_min_ms,
		.retry_max_ms = conf->retry_max_ms,
		.random = random_u32};
	c->brokers = conf->brokers;
	cw_keeper_init(&c->keeper, &c->keeper_conf, &c->brokers);
	if (found && old.device[0]) {
		undo_last(c, &old);
		c->undone = UNDONE_KEEP;
		c->undone_lease = old.lease;
		write_undone(c);
	}
	cw_keeper_start(&c->keeper, restored ? &old.lease.tsp.ipv4 : NULL, now_of(c));
	settle(c);
}

static void on_farewell(void *arg)
{
	((struct client *) arg)->farewell_over = true;
}

static void on_poll_closed(uv_handle_t *h)
{
	struct client *c = h->data;

	cw_closep(h == (uv_handle_t *) &c->alarm ? &c->alarm_fd : &c->watch_fd);
}

/* Closes what is open, and lets connections flush. */
static void finish_parts(struct client *c)
{
	c->session = cw_session_close(c->session);
	cw_tunnel_close(&c->tunnel);
	c->hooks = cw_hooks_free(c->hooks);
	cw_state_unlock(c->conf->state, &c->state_lock);
	if (c->control) {
		cw_control_done(c->control, CW_CONTROL_DOWN, CW_EXIT_OK, "the client has ended");
		c->control = cw_control_free(c->control);
	}
	if (c->alarm.data)
		uv_close((uv_handle_t *) &c->alarm, on_poll_closed);
	if (c->watch.data)
		uv_close((uv_handle_t *) &c->watch, on_poll_closed);
	if (cw_timer_new(c->loop, on_farewell, c, &c->farewell) == 0) {
		cw_timer_start(c->farewell, FAREWELL_MS);
		while (!c->farewell_over && (cw_sessions_alive() || cw_controls_alive()))
			(void) uv_run(cw_loop_uv(c->loop), UV_RUN_ONCE);
		c->farewell = cw_timer_free(c->farewell);
	}
}

int cw_client_run(const struct cw_client_opts *opts)
{
	struct client *c = cw_zalloc(1, sizeof *c);
	int code;
	int r;

	if (!c)
		return CW_EXIT_FAILURE;
	c->opts = opts;
	c->conf = opts->conf;
	c->alarm_fd = c->watch_fd = c->state_lock = -1;
	c->mech = -1;
	r = cw_loop_new(&cw_system_clock, &c->loop);
	if (r < 0) {
		(void) cw_free(c);
		return CW_EXIT_FAILURE;
	}
	cw_tunnel_init(&c->tunnel, c->loop, on_unbound, on_tunnel_failed, c);
	cw_tsp_init();
	r = start_parts(c);
	if (r == 0) {
		start_keeper(c);
		if (!c->ending || cw_hooks_busy(c->hooks))
			r = cw_loop_run(c->loop);
	}
	if (r < 0)
		tell(c, CW_EXIT_FAILURE, cw_strerror(r));
	code = r < 0 ? CW_EXIT_FAILURE : c->code;
	finish_parts(c);
	(void) cw_loop_free(c->loop);
	(void) cw_free(c);
	return code;
}
