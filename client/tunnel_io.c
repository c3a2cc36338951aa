/* SPDX-License-Identifier: BSD-2-Clause */
/* The tunnel of the client; see tunnel_io.h. Owns the interface. Thread: the loop's; on_event() is
 * called by the packet thread and posts. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "client/tunnel_io.h"

enum {
	LOOK_MS = 100, /* for a program that takes several steps to be done with them */
	REPAIRS = 5,   /* within REPAIRS_MS: who changes it more often than that means it */
	REPAIRS_MS = 60 * 1000,
};

/* Loop thread: what the packet thread reported. */
static void on_task(struct cw_loop_task *task)
{
	struct cw_tunnel *t = cw_container_of(task, struct cw_tunnel, task);
	bool unbound;
	int mtu;
	int failure;

	atomic_store(&t->posted, false);
	mtu = atomic_exchange(&t->new_mtu, 0);
	failure = atomic_exchange(&t->failure, 0);
	unbound = atomic_exchange(&t->is_unbound, false);
	if (!t->dti)
		return;
	if (mtu)
		cw_log(CW_LOG_INFO,
			CW_F(CW_F_EVENT("client.mtu"), CW_F_STR("device", cw_dti_device(t->dti)),
				CW_F_INT("mtu", mtu)),
			"the tunnel's MTU follows the path");
	if (unbound) {
		cw_log(CW_LOG_WARNING, CW_F(CW_F_EVENT("client.unbound")),
			"the TEP does not know this lease, it is renewed");
		t->unbound(t->arg);
	}
	if (failure)
		t->failed(t->arg);
}

/* Packet thread. */
static void on_event(void *arg, enum cw_dti_event event, int value)
{
	struct cw_tunnel *t = arg;

	switch (event) {
	case CW_DTI_EV_MTU:
		atomic_store(&t->new_mtu, value);
		break;
	case CW_DTI_EV_UNBOUND:
		atomic_store(&t->is_unbound, true);
		break;
	case CW_DTI_EV_FAILED:
		atomic_store(&t->failure, value);
		break;
	}
	if (!atomic_exchange(&t->posted, true))
		cw_loop_post(t->loop, &t->task);
}

/* What one look found. */
static void tell_repair(const struct cw_tunnel *t, int put)
{
	char what[32];

	if (put < 0) {
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("client.repair"), CW_F_STR("device", cw_dti_device(t->dti)),
				CW_F_ERR(put)),
			"the tunnel's device was changed and cannot be put right");
		return;
	}
	(void) snprintf(what, sizeof what, "%s%s%s", put & CW_DTI_PUT_LINK ? "link " : "",
		put & CW_DTI_PUT_ADDRESS ? "address " : "",
		put & CW_DTI_PUT_ROUTES ? "routes " : "");
	what[strlen(what) - 1] = '\0';
	cw_log(CW_LOG_WARNING,
		CW_F(CW_F_EVENT("client.repair"), CW_F_STR("device", cw_dti_device(t->dti)),
			CW_F_STR("op", what)),
		"somebody changed the tunnel's device, it was put right");
}

static void on_look(void *arg)
{
	struct cw_tunnel *t = arg;
	int64_t now = cw_clock_now(cw_loop_clock(t->loop)).mono_us / 1000;
	int put;

	t->looking = false;
	if (now - t->repairs_at >= REPAIRS_MS)
		t->repairs = 0;
	if (t->repairs == REPAIRS) {
		/* A fight with another program: it has the device until the time is over. */
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("client.repair"),
				CW_F_STR("device", cw_dti_device(t->dti))),
			"somebody keeps changing the tunnel's device, it is left alone for a minute");
		t->looking = true;
		cw_timer_start(t->look, REPAIRS_MS);
		t->repairs = 0;
		return;
	}
	put = cw_dti_repair(t->dti);
	if (put == 0)
		return;
	/* Deleted, or moved to another network namespace, of which the packet thread knows nothing. */
	if (put == -ENODEV || put == -ENXIO) {
		t->failed(t->arg);
		return;
	}
	if (t->repairs++ == 0)
		t->repairs_at = now;
	tell_repair(t, put);
}

void cw_tunnel_init(struct cw_tunnel *t, struct cw_loop *loop, void (*unbound)(void *arg),
	void (*failed)(void *arg), void *arg)
{
	*t = (struct cw_tunnel){.loop = loop,
		.unbound = unbound,
		.failed = failed,
		.arg = arg,
		.task = {.fn = on_task}};
}

int cw_tunnel_open(struct cw_tunnel *t, const struct cw_client_conf *conf,
	const struct cw_keeper_lease *lease, const char **ret_what)
{
	const struct cw_dti_conf c = {.kind = conf->kind,
		.device = conf->device,
		.ipv4 = lease->tsp.ipv4,
		.ports = lease->tsp.ports,
		.local = lease->tsp.client6,
		.tep = lease->tsp.tep6,
		.has_tep4 = lease->tsp.tep4.v != 0,
		.tep4 = lease->tsp.tep4,
		.mtu = conf->mtu,
		.hop_limit = conf->hop_limit,
		.routes = conf->routes,
		.n_routes = conf->n_routes,
		.metric = conf->metric,
		.expires_boot_ms = lease->expires_boot_ms,
		.event = on_event,
		.arg = t};

	int r = cw_dti_open(&c, &t->dti, ret_what);

	t->looking = false;
	t->repairs = 0;
	/* Without the timer changes of others are not noticed; packets flow all the same. */
	if (r == 0 && cw_timer_new(t->loop, on_look, t, &t->look) < 0)
		t->look = NULL;
	return r;
}

void cw_tunnel_changed(struct cw_tunnel *t)
{
	if (!t->dti || !t->look || t->looking)
		return;
	t->looking = true;
	cw_timer_start(t->look, LOOK_MS);
}

void cw_tunnel_extend(struct cw_tunnel *t, const struct cw_keeper_lease *lease)
{
	if (t->dti)
		cw_dti_extend(t->dti, lease->expires_boot_ms);
}

void cw_tunnel_close(struct cw_tunnel *t)
{
	t->look = cw_timer_free(t->look);
	t->dti = cw_dti_close(t->dti);
}
