/* SPDX-License-Identifier: BSD-2-Clause */
/* Text and JSON of lease and status; see print.h. Thread: any. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/print.h"

void cw_print_json_str(struct cw_writer *w, const char *s)
{
	if (!s) {
		cw_write_str(w, "null");
		return;
	}
	cw_write_u8(w, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			cw_write_fmt(w, "\\%c", *s);
		else if ((unsigned char) *s < ' ' || (unsigned char) *s >= 0x7f)
			cw_write_fmt(w, "\\u%04x", (unsigned char) *s);
		else
			cw_write_u8(w, (uint8_t) *s);
	}
	cw_write_u8(w, '"');
}

static void member(struct cw_writer *w, const char *name, const char *value)
{
	cw_write_fmt(w, "\"%s\":", name);
	cw_print_json_str(w, value);
}

/* The texts of a lease, each empty if there is nothing to tell. */
struct texts {
	char ipv4[CW_ADDR4_STRLEN], tep4[CW_ADDR4_STRLEN];
	char client6[CW_ADDR6_STRLEN], tep6[CW_ADDR6_STRLEN];
	char ports[24];
	char expires[CW_TIME_STRLEN];
	char broker[CW_BROKER_STRLEN];
};

static void texts_of(const struct cw_keeper_lease *l, struct texts *t)
{
	*t = (struct texts){0};
	(void) cw_addr4_str(l->tsp.ipv4, t->ipv4);
	if (l->tsp.tep4.v)
		(void) cw_addr4_str(l->tsp.tep4, t->tep4);
	(void) cw_addr6_str(&l->tsp.client6, t->client6);
	(void) cw_addr6_str(&l->tsp.tep6, t->tep6);
	if (!cw_portset_is_whole(l->tsp.ports))
		(void) cw_portset_str(l->tsp.ports, t->ports);
	(void) cw_time_str(l->expires_wall_s, t->expires);
	(void) cw_broker_str(&l->broker, t->broker);
}

static const char *or_null(const char *s)
{
	return s && s[0] ? s : NULL;
}

static int64_t seconds(int64_t ms)
{
	return ms > 0 ? (ms + 999) / 1000 : 0;
}

static void lease_members(struct cw_writer *w, const struct cw_print_facts *f)
{
	struct texts t;

	texts_of(f->lease, &t);
	member(w, "ipv4", t.ipv4);
	cw_write_u8(w, ',');
	member(w, "ports", or_null(t.ports));
	cw_write_u8(w, ',');
	member(w, "client_ipv6", t.client6);
	cw_write_u8(w, ',');
	member(w, "tep_ipv4", or_null(t.tep4));
	cw_write_u8(w, ',');
	member(w, "tep_ipv6", t.tep6);
	cw_write_fmt(w, ",\"lifetime\":%u,\"remaining\":%" PRId64 ",", f->lease->tsp.lifetime_s,
		seconds(f->left_ms));
	member(w, "expires", t.expires);
	cw_write_u8(w, ',');
	member(w, "broker", t.broker);
}

static void session_members(struct cw_writer *w, const struct cw_print_facts *f)
{
	member(w, "protocol_version", f->version);
	cw_write_u8(w, ',');
	member(w, "mechanism", f->mechanism);
	cw_write_fmt(w, ",\"tls\":%s", f->tls ? "true" : "false");
}

static void lease_lines(struct cw_writer *w, const struct cw_print_facts *f)
{
	struct texts t;

	texts_of(f->lease, &t);
	cw_write_fmt(w, "address    %s", t.ipv4);
	if (t.ports[0])
		cw_write_fmt(w, " ports %s", t.ports);
	cw_write_fmt(w, "\nthis end   %s\nTEP        %s%s%s%s\n", t.client6, t.tep6,
		t.tep4[0] ? " (" : "", t.tep4, t.tep4[0] ? ")" : "");
	cw_write_fmt(w, "lifetime   %u s, until %s (%" PRId64 " s left)\n",
		f->lease->tsp.lifetime_s, t.expires, seconds(f->left_ms));
	cw_write_fmt(w, "broker     %s\n", t.broker);
}

static void session_line(struct cw_writer *w, const struct cw_print_facts *f)
{
	if (f->version)
		cw_write_fmt(w, "session    TSP %s, %s%s\n", f->version,
			f->mechanism ? f->mechanism : "no login", f->tls ? ", TLS" : "");
}

void cw_print_lease(struct cw_writer *w, const struct cw_print_facts *f, bool json)
{
	if (!json) {
		lease_lines(w, f);
		session_line(w, f);
		return;
	}
	cw_write_u8(w, '{');
	lease_members(w, f);
	cw_write_u8(w, ',');
	session_members(w, f);
	cw_write_str(w, "}\n");
}

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
#define COUNTER(member_)                                         \
	{                                                        \
#member_, offsetof(struct cw_dti_stats, member_) \
	}
	COUNTER(up_packets),
	COUNTER(up_bytes),
	COUNTER(down_packets),
	COUNTER(down_bytes),
	COUNTER(drop_source),
	COUNTER(drop_destination),
	COUNTER(drop_outer),
	COUNTER(drop_malformed),
	COUNTER(drop_ecn),
	COUNTER(drop_merged),
	COUNTER(drop_overrun),
	COUNTER(drop_send),
	COUNTER(offloaded),
	COUNTER(joined),
	COUNTER(cut),
	COUNTER(icmp_errors),
#undef COUNTER
};

static uint64_t counter(const struct cw_dti_stats *s, size_t i)
{
	return *(const uint64_t *) (const void *) ((const char *) s + counters[i].offset);
}

static void status_json(struct cw_writer *w, const struct cw_print_facts *f)
{
	cw_write_u8(w, '{');
	member(w, "state", f->state);
	cw_write_u8(w, ',');
	member(w, "error", or_null(f->error));
	cw_write_fmt(w, ",\"failures\":%u,\"next_try\":", f->failures);
	if (f->next_try_in_ms >= 0)
		cw_write_fmt(w, "%" PRId64 ",", seconds(f->next_try_in_ms));
	else
		cw_write_str(w, "null,");
	session_members(w, f);
	cw_write_str(w, ",\"lease\":");
	if (f->lease) {
		cw_write_u8(w, '{');
		lease_members(w, f);
		cw_write_fmt(w, ",\"renew_in\":%" PRId64 ",\"renewals\":%u}",
			seconds(f->renew_in_ms), f->renewals);
	} else {
		cw_write_str(w, "null");
	}
	cw_write_str(w, ",\"tunnel\":");
	if (f->device && f->stats) {
		cw_write_u8(w, '{');
		member(w, "device", f->device);
		cw_write_u8(w, ',');
		member(w, "kind", f->kind);
		cw_write_fmt(w, ",\"mtu\":%u", f->mtu);
		for (size_t i = 0; i < CW_ARRAY_LEN(counters); i++)
			cw_write_fmt(w, ",\"%s\":%" PRIu64, counters[i].name, counter(f->stats, i));
		cw_write_u8(w, '}');
	} else {
		cw_write_str(w, "null");
	}
	cw_write_str(w, "}\n");
}

void cw_print_status(struct cw_writer *w, const struct cw_print_facts *f, bool json)
{
	if (json) {
		status_json(w, f);
		return;
	}
	cw_write_fmt(w, "state      %s\n", f->state);
	if (f->lease) {
		lease_lines(w, f);
		cw_write_fmt(w, "renewal    in %" PRId64 " s, %u so far\n", seconds(f->renew_in_ms),
			f->renewals);
	}
	session_line(w, f);
	if (f->device && f->stats) {
		cw_write_fmt(w, "tunnel     %s (%s), MTU %u\n", f->device, f->kind, f->mtu);
		cw_write_fmt(w, "up         %" PRIu64 " packets, %" PRIu64 " octets\n",
			f->stats->up_packets, f->stats->up_bytes);
		cw_write_fmt(w, "down       %" PRIu64 " packets, %" PRIu64 " octets\n",
			f->stats->down_packets, f->stats->down_bytes);
		for (size_t i = 4; i < CW_ARRAY_LEN(counters); i++)
			if (counter(f->stats, i))
				cw_write_fmt(w, "%-17s%" PRIu64 "\n", counters[i].name,
					counter(f->stats, i));
	}
	if (or_null(f->error))
		cw_write_fmt(w, "last error %s\n", f->error);
	if (f->next_try_in_ms >= 0)
		cw_write_fmt(w, "next try   in %" PRId64 " s, %u failed\n",
			seconds(f->next_try_in_ms), f->failures);
}
