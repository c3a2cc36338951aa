/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole TSP session on the server side. The first octet sets it up (1: UDP, 2: answers wait, 4:
 * redirects, 8: ::1 is allowed, 16: failing verdicts are held back); then each octet below 0xe0 is
 * the length of a chunk of input that follows, the others are events: see event(). Everything that
 * is said must be whole, short and in time. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/tsp-owner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Looks at what was said since the last time. */
static void check_record(struct tsp_owner *o, bool closed_before)
{
	const size_t full = sizeof o->record - 1, n = o->n;
	const char *text = tsp_owner_record(o);

	if (closed_before)
		check(n == 0);
	if (o->closed && n && n < full)
		check(text[n - 1] == ']');
	check(cw_tsp_server_memory(o->server) < 150000);
	if (o->closed)
		check(cw_tsp_server_deadline(o->server) == INT64_MAX);
}

static void event(struct tsp_owner *o, uint8_t op)
{
	const struct cw_tsp_msg m = tsp_owner_lease(CW_TSP_DELETE);

	switch (op) {
	case 0xf0:
		tsp_owner_answer(o);
		break;
	case 0xf1:
		check(cw_tsp_server_push_delete(o->server, &m) <= 0);
		break;
	case 0xf2:
		cw_tsp_server_eof(o->server, o->now_ms);
		break;
	case 0xf3:
		cw_tsp_server_lost(o->server);
		break;
	case 0xf4:
		cw_tsp_server_set_lease(o->server, true, o->now_ms);
		break;
	case 0xf5:
		cw_tsp_server_set_lease(o->server, false, o->now_ms);
		break;
	case 0xf6:
		cw_tsp_server_refuse(o->server, CW_TSP_OVERLOAD);
		break;
	case 0xf7:
		o->event = (enum cw_tsp_event)((o->event + 1) % CW_TSP_EVENTS);
		break;
	case 0xf8:
		o->hold = !o->hold;
		break;
	case 0xf9: /* the same again without an owner that waits: late results */
		cw_tsp_server_reply(o->server, CW_TSP_DONE, &m, CW_TSP_REPLY_OFFER, o->now_ms);
		cw_tsp_server_sasl_result(o->server, CW_TSP_SASL_DONE, "x", 1, 0, o->now_ms);
		break;
	default: /* 0xe0 to 0xef: time passes, up to 65 s */
		tsp_owner_sleep(o, (int64_t) 2 << (op & 15));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cw_tsp_broker broker = {CW_TSP_BROKER_DN, "tsp2.example.net"};
	static struct tsp_owner o;
	uint8_t setup;

	if (!size)
		return 0;
	setup = *data++;
	size--;
	cw_tsp_init();
	tsp_owner_init(&o, "SCRAM-SHA-256 DIGEST-MD5 PLAIN ANONYMOUS EXTERNAL");
	o.conf.udp = setup & 1;
	o.hold = setup & 2;
	for (unsigned i = 0; i < CW_TSP_EVENTS && setup & 4; i++)
		o.conf.redirect[i] = (struct cw_tsp_redirect){&broker, i != CW_TSP_DONE};
	o.conf.loopback_ok = setup & 8;
	o.fail_delay_ms = setup & 16 ? 3000 : 0;
	check(cw_tsp_server_conf_check(&o.conf) == 0);
	tsp_owner_start(&o);
	check(o.server != NULL);
	while (size) {
		const bool closed = cw_tsp_server_state(o.server) == CW_TSP_S_CLOSED;
		const uint8_t op = *data++;
		const unsigned writes = o.writes;

		size--;
		if (op < 0xe0) {
			const size_t n = op < size ? op : size;

			tsp_owner_input(&o, data, n);
			data += n;
			size -= n;
			if (o.conf.udp) /* one answer, or none yet */
				check(o.writes <= writes + 1);
		} else {
			event(&o, op);
		}
		check_record(&o, closed);
	}
	tsp_owner_done(&o);
	return 0;
}
