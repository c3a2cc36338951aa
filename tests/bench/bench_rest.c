/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the REST API's texts take, without sockets and database: a page of 1000 leases written by our writer and by
 * jansson (which has to build its tree first), the body of an allocation read, a query, a cursor and a route. */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "schema/rest/cursor.h"
#include "schema/rest/id.h"
#include "schema/rest/queries.h"
#include "schema/rest/query.h"
#include "schema/rest/read.h"
#include "schema/rest/render.h"
#include "schema/rest/resources.h"
#include "schema/rest/rfc3339.h"
#include "schema/rest/route.h"

enum { ROWS = 1000, PAGE_MAX = 4 << 20 };

static struct cw_rest_lease leases[ROWS];
static char names[ROWS][32];
static char page[PAGE_MAX];

static int64_t now_us(void)
{
	return cw_clock_now(&cw_system_clock).mono_us;
}

static void fill(unsigned offset, unsigned len)
{
	for (unsigned i = 0; i < ROWS; i++) {
		(void) snprintf(names[i], sizeof names[i], "user:client-%u", i);
		leases[i] = (struct cw_rest_lease){
			.id = 1000000 + i,
			.pool = "pool-a",
			.address = {0xc0000200 + i},
			.ports = {(uint8_t) offset, (uint8_t) len,
				(uint16_t) (len ? i % (1u << len) : 0)},
			.ipv6 = {{0x20, 0x01, 0x0d,
				0xb8, [8] = 1, [14] = (uint8_t) (i >> 8), [15] = (uint8_t) i}},
			.owner = names[i],
			.access = 1,
			.state = 1,
			.confirmed = true,
			.tep = "tep-1",
			.granted_at = 1772359200 + i,
			.expires_at = 1772362800 + i,
			.lifetime_s = 3600,
		};
	}
}

static size_t write_own(void)
{
	struct cw_json_out o;

	cw_json_out_init(&o, page, sizeof page);
	cw_rest_list_begin(&o);
	for (unsigned i = 0; i < ROWS; i++)
		cw_rest_render(&o, &cw_rest_lease_object, &leases[i]);
	cw_rest_list_end(&o, NULL, NULL);
	if (o.err)
		abort();
	return o.len;
}

static json_t *ports_tree(struct cw_portset ps)
{
	json_t *ranges = json_array();
	uint16_t lo, hi;

	for (unsigned i = 0; i < CW_REST_RANGES_MAX && cw_portset_range(ps, i, &lo, &hi); i++)
		json_array_append_new(ranges, json_pack("[i,i]", lo, hi));
	return json_pack("{s:i,s:i,s:i,s:o}", "offset", ps.offset, "length", ps.len, "psid",
		ps.psid, "ranges", ranges);
}

static json_t *lease_tree(const struct cw_rest_lease *l)
{
	char id[CW_ID_STRLEN], v4[CW_ADDR4_STRLEN], v6[CW_ADDR6_STRLEN];
	char from[CW_RFC3339_STRLEN], to[CW_RFC3339_STRLEN];
	json_t *j = json_object();

	json_object_set_new(j, "id", json_string(cw_id_str(CW_ID_LEASE, l->id, id)));
	json_object_set_new(j, "pool", json_string(l->pool));
	json_object_set_new(j, "address", json_string(cw_addr4_str(l->address, v4)));
	json_object_set_new(
		j, "ports", cw_portset_is_whole(l->ports) ? json_null() : ports_tree(l->ports));
	json_object_set_new(j, "ipv6", json_string(cw_addr6_str(&l->ipv6, v6)));
	json_object_set_new(j, "owner", json_string(l->owner));
	json_object_set_new(j, "access", json_string("tsp"));
	json_object_set_new(j, "state", json_string("active"));
	json_object_set_new(j, "confirmed", json_boolean(l->confirmed));
	json_object_set_new(j, "tep", json_string(l->tep));
	json_object_set_new(j, "granted_at", json_string(cw_rfc3339_str(l->granted_at, from)));
	json_object_set_new(j, "expires_at", json_string(cw_rfc3339_str(l->expires_at, to)));
	json_object_set_new(j, "lifetime_s", json_integer(l->lifetime_s));
	json_object_set_new(j, "end_reason", json_null());
	json_object_set_new(j, "tags", json_object());
	return j;
}

static json_t *page_tree(void)
{
	json_t *items = json_array();

	for (unsigned i = 0; i < ROWS; i++)
		json_array_append_new(items, lease_tree(&leases[i]));
	return json_pack("{s:o,s:n}", "items", items, "next");
}

static void pages(const char *what, unsigned rounds)
{
	int64_t own_us, build_us = 0, dump_us = 0, at;
	size_t n = 0;

	at = now_us();
	for (unsigned i = 0; i < rounds; i++)
		n = write_own();
	own_us = now_us() - at;
	for (unsigned i = 0; i < rounds; i++) {
		size_t other;
		json_t *j;

		at = now_us();
		j = page_tree();
		build_us += now_us() - at;
		at = now_us();
		other = json_dumpb(j, page, sizeof page, JSON_COMPACT);
		dump_us += now_us() - at;
		json_decref(j);
		if (other != n)
			abort(); /* they write the same */
	}
	printf("%-28s %7.0f kB  own %6.2f ms (%.0f rows/s)  jansson: tree %6.2f ms, dump %6.2f ms  x%.1f of the dump, x%.1f "
	       "of both\n",
		what, (double) n / 1000, (double) own_us / rounds / 1000,
		1e6 * ROWS * rounds / (double) own_us, (double) build_us / rounds / 1000,
		(double) dump_us / rounds / 1000, (double) dump_us / (double) own_us,
		(double) (build_us + dump_us) / (double) own_us);
}

static void each(const char *what, bool (*fn)(struct cw_arena *), unsigned rounds)
{
	struct cw_arena *arena = cw_arena_new(1 << 20);
	const int64_t at = now_us();

	for (unsigned i = 0; i < rounds; i++) {
		if (!arena || !fn(arena))
			abort();
		cw_arena_reset(arena);
	}
	printf("%-28s %7.2f us\n", what, (double) (now_us() - at) / rounds);
	(void) cw_arena_free(arena);
}

static bool body(struct cw_arena *arena)
{
	static const char text[] =
		"{\"pool\":\"pool-a\",\"owner\":\"user:alice\",\"ipv6\":\"2001:db8::9\",\"lifetime_s\":3600,"
		"\"tags\":{\"ticket\":\"4711\"}}";
	static struct cw_rest_errors errs;
	struct cw_rest_lease_create l;
	enum cw_problem p;

	return cw_rest_read_body(&cw_rest_lease_create_object, text, sizeof text - 1, arena, &l,
		       &errs, &p) == 0;
}

static bool query(struct cw_arena *arena)
{
	static const char text[] =
		"state=active&pool=pool-a&expires_before=2026-03-01T10%3A00%3A00Z&limit=1000";
	static struct cw_rest_errors errs;
	struct cw_rest_query_list_leases q;

	return cw_rest_query(&cw_rest_query_list_leases_object, text, sizeof text - 1, arena, &q,
		       &errs) == 0;
}

static bool cursor(struct cw_arena *arena)
{
	static const struct cw_cursor_key key = {{1}};
	const struct cw_slice filter = {"{}", 2};
	char text[CW_CURSOR_STRLEN];
	struct cw_cursor got;

	(void) arena;
	return cw_cursor_make(&key, "listLeases", filter, (struct cw_cursor){1, 2}, text) == 0 &&
	       cw_cursor_open(&key, "listLeases", filter, text, strlen(text), &got) == 0;
}

static bool route(struct cw_arena *arena)
{
	static const char path[] = "/v1/leases/ls_1000000";
	struct cw_route r;

	(void) arena;
	return cw_route_find(CW_REST_GET, path, sizeof path - 1, &r) == 0;
}

static bool one_lease(struct cw_arena *arena)
{
	struct cw_json_out o;
	char text[1024];

	(void) arena;
	cw_json_out_init(&o, text, sizeof text);
	cw_rest_render(&o, &cw_rest_lease_object, &leases[7]);
	return !o.err;
}

int main(void)
{
	cw_json_init();
	fill(0, 0);
	pages("1000 leases, addresses", 200);
	each("one lease", one_lease, 200000);
	fill(6, 4);
	pages("1000 leases, 63 port ranges", 50);
	fill(0, 8);
	pages("1000 leases, 1 port range", 200);
	each("body of an allocation", body, 200000);
	each("query of a list", query, 200000);
	each("cursor, made and opened", cursor, 50000);
	each("route", route, 200000);
	return 0;
}
