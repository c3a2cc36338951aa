/* SPDX-License-Identifier: BSD-2-Clause */
/* The tunnel of the client; see tunnel_io.h. Owns the interface. Thread: the loop's; on_event() is
 * called by the packet thread and posts. */
#include "config.h"

#include "base/log.h"
#include "client/tunnel_io.h"

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

	return cw_dti_open(&c, &t->dti, ret_what);
}

void cw_tunnel_extend(struct cw_tunnel *t, const struct cw_keeper_lease *lease)
{
	if (t->dti)
		cw_dti_extend(t->dti, lease->expires_boot_ms);
}

void cw_tunnel_close(struct cw_tunnel *t)
{
	t->dti = cw_dti_close(t->dti);
}
