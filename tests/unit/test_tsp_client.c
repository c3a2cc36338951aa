/* SPDX-License-Identifier: BSD-2-Clause */
/* The client half of a TSP session against scripts: what it says, octet by octet, and what it makes
 * of everything a broker may answer: versions, capabilities, refusals, lists, pushed deletes,
 * nonsense of any length in pieces of any length, silence, datagrams that get lost. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/tsp/client.h"
#include "tests/lib/addr-of.h"
#include "tests/lib/cw-cmocka.h"

enum { EVENTS_MAX = 16, SENT_MAX = 16384 };

struct seen {
	enum cw_tsp_client_event_type type;
	enum cw_tsp_why why;
	uint64_t token;
	enum cw_tsp_event status;
	unsigned code;
	enum cw_tsp_action asked;
	enum cw_tsp_action action; /* of the message */
	unsigned n_brokers;
	char first_broker[64];
	struct cw_tsp_lease lease;
	bool has_lease;
};

struct rig {
	struct cw_tsp_client_conf conf;
	struct cw_tsp_client *c;
	int64_t now;
	char sent[SENT_MAX];
	size_t n_sent;
	unsigned sends;
	struct seen seen[EVENTS_MAX];
	unsigned n_seen;
};

static void on_send(void *arg, const void *p, size_t n)
{
	struct rig *r = arg;

	assert_true(r->n_sent + n < sizeof r->sent);
	memcpy(r->sent + r->n_sent, p, n);
	r->n_sent += n;
	r->sent[r->n_sent] = '\0';
	r->sends++;
}

static void on_event(void *arg, const struct cw_tsp_client_event *ev)
{
	struct rig *r = arg;
	struct seen *s = &r->seen[r->n_seen++];

	assert_true(r->n_seen <= EVENTS_MAX);
	s->type = ev->type;
	s->why = ev->why;
	s->token = ev->token;
	s->asked = ev->asked;
	s->status = ev->status;
	s->code = ev->code;
	if (!ev->msg)
		return;
	s->action = ev->msg->action;
	s->n_brokers = ev->msg->n_brokers;
	if (s->n_brokers)
		(void) snprintf(
			s->first_broker, sizeof s->first_broker, "%s", ev->msg->brokers[0].text);
	s->has_lease = cw_tsp_lease_of(ev->msg, false, &s->lease) == 0;
}

static const struct cw_tsp_client_ops ops = {.send = on_send, .event = on_event};

static struct rig *rig_of(const char *version, unsigned mechs)
{
	struct rig *r = cw_zalloc(1, sizeof *r);

	assert_non_null(r);
	r->conf = (struct cw_tsp_client_conf){.version = version,
		.mechs = mechs,
		.user = "alice",
		.password = "secret",
		.host = "tsp.example.net"};
	r->now = 1000;
	return r;
}

static void begin(struct rig *r)
{
	assert_int_equal(cw_tsp_client_new(&r->conf, &ops, r, &r->c), 0);
	cw_tsp_client_start(r->c, r->now);
}

static struct rig *started(const char *version, unsigned mechs)
{
	struct rig *r = rig_of(version, mechs);

	begin(r);
	return r;
}

static void done(struct rig *r)
{
	r->c = cw_tsp_client_free(r->c);
	(void) cw_free(r);
}

static void said(struct rig *r, const char *text)
{
	assert_string_equal(r->sent, text);
	r->n_sent = 0;
	r->sent[0] = '\0';
}

static void hear(struct rig *r, const char *text)
{
	cw_tsp_client_input(r->c, text, strlen(text), r->now);
}

static struct rig *ready(const char *version)
{
	struct rig *r = started(version, CW_MECH_BIT(CW_MECH_ANONYMOUS));

	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=ANONYMOUS\r\n200 Success\r\n");
	assert_int_equal(r->n_seen, 1);
	assert_int_equal(r->seen[0].type, CW_TSP_EV_READY);
	r->n_seen = 0;
	r->n_sent = 0;
	r->sent[0] = '\0';
	return r;
}

static int ask(struct rig *r, enum cw_tsp_action action, const char *v4, uint64_t token)
{
	const struct cw_addr6 a6 = six("2001:db8::1");
	struct cw_addr4 a4 = v4 ? four(v4) : (struct cw_addr4){0};
	struct cw_tsp_msg msg;

	cw_tsp_msg_about(&msg, action, &a6, v4 ? &a4 : NULL, NULL);
	return cw_tsp_client_request(r->c, &msg, token, r->now);
}

static void frame(char *to, size_t cap, const char *payload)
{
	(void) snprintf(to, cap, "Content-length: %zu\r\n%s", strlen(payload), payload);
}

static void hear_frame(struct rig *r, const char *payload)
{
	char text[8192];

	frame(text, sizeof text, payload);
	hear(r, text);
}

#define INFO                                                                                       \
	"200 Success\r\n<tunnel action=\"info\" type=\"v4v6\" lifetime=\"1440\">\r\n <server>\r\n" \
	"  <address type=\"ipv4\" length=\"30\">192.0.2.1</address>\r\n"                           \
	"  <address type=\"ipv6\">2001:db8::2</address>\r\n </server>\r\n <client>\r\n"            \
	"  <address type=\"ipv4\" length=\"32\">192.0.2.10</address>\r\n"                          \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n </client>\r\n</tunnel>\r\n"

#define DELETE                                                                          \
	"200 OK\r\n<tunnel action=\"delete\" type=\"v4v6\">\r\n <server>\r\n"           \
	"  <address type=\"ipv4\" length=\"30\">192.0.2.1</address>\r\n"                \
	"  <address type=\"ipv6\">2001:db8::2</address>\r\n </server>\r\n <client>\r\n" \
	"  <address type=\"ipv4\" length=\"32\">192.0.2.10</address>\r\n"               \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n </client>\r\n</tunnel>\r\n"

#define LIST                                                                                    \
	"<tunnel action=\"list\" type=\"broker\">\r\n <broker>\r\n"                             \
	"  <address type=\"ipv6\">[2001:db8::53]:3653</address>\r\n </broker>\r\n <broker>\r\n" \
	"  <address type=\"dn\">tsp2.example.net</address>\r\n </broker>\r\n</tunnel>\r\n"

/* The guide's conversation, with its lengths. */
static void whole_session(void **state)
{
	struct rig *r = started("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));

	(void) state;
	said(r, "VERSION=2.0.0\r\n");
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=ANONYMOUS EXT=PORTSET\r\n");
	said(r, "AUTHENTICATE ANONYMOUS\r\n");
	assert_int_equal(
		cw_tsp_client_request(r->c, &(struct cw_tsp_msg){.action = CW_TSP_CREATE}, 0, 0),
		-ENOTCONN);
	hear(r, "200 Success\r\n");
	assert_int_equal(cw_tsp_client_state(r->c), CW_TSP_C_READY);
	assert_true(cw_tsp_client_has_ext(r->c, "PORTSET"));
	assert_false(cw_tsp_client_has_ext(r->c, "SYNC"));
	assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 7), 0);
	assert_memory_equal(r->sent, "Content-length: ", 16);
	assert_non_null(strstr(r->sent, "<tunnel action=\"create\" type=\"v4v6\">"));
	assert_non_null(strstr(r->sent, "<address type=\"ipv6\">2001:db8::1</address>"));
	assert_null(strstr(r->sent, "ipv4"));
	assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 8), -EBUSY);
	r->n_sent = 0;
	hear_frame(r, INFO);
	assert_int_equal(r->n_seen, 2);
	assert_int_equal(r->seen[1].type, CW_TSP_EV_REPLY);
	assert_int_equal(r->seen[1].token, 7);
	assert_int_equal(r->seen[1].status, CW_TSP_DONE);
	assert_true(r->seen[1].has_lease);
	assert_int_equal(r->seen[1].lease.ipv4.v, four("192.0.2.10").v);
	assert_int_equal(r->seen[1].lease.tep4.v, four("192.0.2.1").v);
	assert_int_equal(r->seen[1].lease.lifetime_s, 1440);
	assert_int_equal(cw_tsp_client_accept(r->c, true, r->now), 0);
	said(r, "Content-length: 35\r\n<tunnel action=\"accept\"></tunnel>\r\n");
	assert_int_equal(
		ask(r, CW_TSP_CREATE, "192.0.2.10", 9), 0); /* renewal, guide tsp.md 5: N=175 */
	assert_memory_equal(r->sent, "Content-length: 175\r\n", 21);
	hear_frame(r, INFO);
	assert_int_equal(r->seen[2].token, 9);
	r->n_sent = 0;
	assert_int_equal(ask(r, CW_TSP_DELETE, "192.0.2.10", 10), 0);
	hear_frame(r, "200 Success\r\n");
	assert_int_equal(r->seen[3].type, CW_TSP_EV_REPLY);
	assert_int_equal(r->seen[3].asked, CW_TSP_DELETE);
	cw_tsp_client_eof(r->c, r->now);
	assert_int_equal(r->seen[4].type, CW_TSP_EV_CLOSED);
	assert_int_equal(r->seen[4].why, CW_TSP_WHY_LOST);
	assert_int_equal(cw_tsp_client_deadline(r->c), INT64_MAX);
	done(r);
}

static void dstm_profile(void **state)
{
	struct rig *r = started("1.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));
	const struct cw_addr6 a6 = six("2001:db8::1");
	const struct cw_addr6 local = six("fe80::1");
	struct cw_tsp_msg msg;

	(void) state;
	said(r, "VERSION=1.0\r\n");
	/* The draft's sample says OK instead of 200, and puts blanks in. */
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=ANONYMOUS\r\nOK Authentication successful\r\n");
	assert_int_equal(cw_tsp_client_state(r->c), CW_TSP_C_READY);
	r->n_sent = 0;
	cw_tsp_msg_about(&msg, CW_TSP_CREATE, &a6, NULL, &local);
	assert_int_equal(cw_tsp_client_request(r->c, &msg, 1, r->now), 0);
	assert_memory_equal(r->sent, "Content-length: 160\r\n", 21);
	hear_frame(r, INFO);
	r->n_sent = 0;
	r->sent[0] = '\0';
	assert_int_equal(cw_tsp_client_accept(r->c, true, r->now), 0);
	said(r, ""); /* 1.x has no accept */
	assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 1), 0);
	hear_frame(r, "306 Address Pool Exhausted\r\n");
	assert_int_equal(r->seen[2].status, CW_TSP_POOL_EMPTY);
	assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 1), 0);
	hear_frame(r, "309 Invalid IPv6 address\r\n");
	assert_int_equal(r->seen[3].status, CW_TSP_BAD_V6);
	done(r);
}

static void codes_by_version(void **state)
{
	static const struct {
		const char *line;
		enum cw_tsp_event status;
	} cases[] = {
		{"301 No more tunnels available\r\n", CW_TSP_POOL_EMPTY},
		{"303 Unsupported tunnel type\r\n", CW_TSP_TYPE},
		{"307 Configuration Error at TEP\r\n", CW_TSP_TEP},
		{"308 Requested Address Unavailable\r\n", CW_TSP_ADDRESS},
		{"310 Server side error\r\n", CW_TSP_INTERNAL},
		{"500 Invalid request format\r\n", CW_TSP_FORMAT},
		{"501 Invalid IPv4 address\r\n", CW_TSP_BAD_V4},
		{"502 Invalid IPv6 address\r\n", CW_TSP_BAD_V6},
		{"521 Request already in progress\r\n", CW_TSP_IN_PROGRESS},
		{"530 Server too busy\r\n", CW_TSP_OVERLOAD},
		{"599 Something new\r\n", CW_TSP_EVENTS},
		{"301\r\n", CW_TSP_POOL_EMPTY},
	};
	struct rig *r = ready("2.0.0");

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		assert_int_equal(ask(r, CW_TSP_CREATE, NULL, i), 0);
		hear_frame(r, cases[i].line);
		assert_int_equal(r->seen[i].type, CW_TSP_EV_REPLY);
		assert_int_equal(r->seen[i].status, cases[i].status);
		assert_int_equal(r->seen[i].token, i);
	}
	done(r);
}

static void refusals_before_command(void **state)
{
	static const struct {
		const char *input;
		enum cw_tsp_why why;
		unsigned code, brokers;
	} cases[] = {
		{"302 Unsupported client version\r\n", CW_TSP_WHY_VERSION, 302, 0},
		{"1302 Unsupported client version\r\n" LIST, CW_TSP_WHY_VERSION, 1302, 2},
		{"530 Server too busy\r\n", CW_TSP_WHY_STATUS, 530, 0},
		{"500 Invalid\r\n", CW_TSP_WHY_STATUS, 500, 0},
		{"200 Success\r\n", CW_TSP_WHY_PROTOCOL, 0, 0},
		{"CAPABILITY TUNNEL=V6V4 AUTH=ANONYMOUS\r\n", CW_TSP_WHY_TYPE, 0, 0},
		{"CAPABILITY AUTH=ANONYMOUS\r\n", CW_TSP_WHY_TYPE, 0, 0},
		{"CAPABILITY\r\n", CW_TSP_WHY_TYPE, 0, 0},
		{"CAPABILITY TUNNEL=V4V6 AUTH=PASSDSS-3DES-1\r\n", CW_TSP_WHY_MECHANISM, 0, 0},
		{"CAPABILITY TUNNEL=V4V6\r\n", CW_TSP_WHY_MECHANISM, 0, 0},
		{"CAPABILITIES TUNNEL=V4V6 AUTH=ANONYMOUS\r\n", CW_TSP_WHY_PROTOCOL, 0, 0},
		{"SSH-2.0-OpenSSH_9.2\r\n", CW_TSP_WHY_PROTOCOL, 0, 0},
		{"HTTP/1.1 400 Bad Request\r\n", CW_TSP_WHY_PROTOCOL, 0, 0},
		{"\r\n", CW_TSP_WHY_PROTOCOL, 0, 0},
		{"CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n300 Authentication failed\r\n",
			CW_TSP_WHY_AUTH, 300, 0},
		{"CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n1300 Authentication failed\r\n" LIST,
			CW_TSP_WHY_AUTH, 1300, 2},
		{"CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\ncmVhbG0=\r\n", CW_TSP_WHY_PROOF, 0, 0},
		{"CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n!!!!\r\n", CW_TSP_WHY_PROTOCOL, 0, 0},
	};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++)
		for (int bytewise = 0; bytewise < 2; bytewise++) {
			struct rig *r = started("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));

			for (size_t at = 0; bytewise && at < strlen(cases[i].input); at++)
				cw_tsp_client_input(r->c, cases[i].input + at, 1, r->now);
			if (!bytewise)
				hear(r, cases[i].input);
			assert_int_equal(r->n_seen, 1);
			assert_int_equal(r->seen[0].type, CW_TSP_EV_CLOSED);
			assert_int_equal(r->seen[0].why, cases[i].why);
			assert_int_equal(r->seen[0].code, cases[i].code);
			assert_int_equal(r->seen[0].n_brokers, cases[i].brokers);
			if (cases[i].brokers)
				assert_string_equal(r->seen[0].first_broker, "[2001:db8::53]:3653");
			/* Nothing wakes it again. */
			hear(r, "200 Success\r\n");
			cw_tsp_client_eof(r->c, r->now);
			cw_tsp_client_tick(r->c, INT64_MAX);
			assert_int_equal(r->n_seen, 1);
			done(r);
		}
}

/* A list that never ends properly still tells its code: at the end of the connection, or of
 * patience. */
static void list_cut_short(void **state)
{
	struct rig *r = started("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));

	(void) state;
	hear(r, "1302 Unsupported client version\r\n<tunnel action=\"list\" type=\"broker\">\r\n <bro");
	assert_int_equal(r->n_seen, 0);
	cw_tsp_client_eof(r->c, r->now);
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_VERSION);
	assert_int_equal(r->seen[0].n_brokers, 0);
	done(r);
	r = started("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));
	hear(r, "1302 Unsupported client version\r\n");
	assert_int_equal(r->n_seen, 0);
	r->now = cw_tsp_client_deadline(r->c);
	cw_tsp_client_tick(r->c, r->now);
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_VERSION);
	assert_int_equal(r->seen[0].code, 1302);
	done(r);
}

static void redirect_in_command(void **state)
{
	struct rig *r = ready("2.0.0");

	(void) state;
	assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 3), 0);
	hear_frame(r, "1301 No more tunnels available\r\n" LIST);
	assert_int_equal(r->seen[0].type, CW_TSP_EV_REPLY);
	assert_int_equal(r->seen[0].status, CW_TSP_POOL_EMPTY);
	assert_int_equal(r->seen[0].code, 1301);
	assert_int_equal(r->seen[0].n_brokers, 2);
	done(r);
}

static void pushed_delete(void **state)
{
	struct rig *r = ready("2.0.0");
	const struct cw_addr6 a6 = six("2001:db8::1");
	const struct cw_addr4 a4 = four("192.0.2.10");
	struct cw_tsp_msg deleted;

	(void) state;
	hear_frame(r, DELETE);
	assert_int_equal(r->seen[0].type, CW_TSP_EV_DELETED);
	assert_int_equal(r->seen[0].action, CW_TSP_DELETE);
	cw_tsp_msg_about(&deleted, CW_TSP_DELETE, &a6, &a4, NULL);
	assert_int_equal(cw_tsp_client_ack(r->c, &deleted, r->now), 0);
	assert_non_null(strstr(r->sent, "action=\"info\""));
	assert_non_null(strstr(r->sent, "192.0.2.10"));
	/* It crosses a request: the request's own answer comes after it and is matched to it. */
	assert_int_equal(ask(r, CW_TSP_CREATE, "192.0.2.10", 5), 0);
	hear_frame(r, DELETE);
	assert_int_equal(r->seen[1].type, CW_TSP_EV_DELETED);
	hear_frame(r, "308 Requested Address Unavailable\r\n");
	assert_int_equal(r->seen[2].type, CW_TSP_EV_REPLY);
	assert_int_equal(r->seen[2].token, 5);
	assert_int_equal(r->seen[2].status, CW_TSP_ADDRESS);
	/* As the broker of a TEP writes it: no status line (guide tsp.md 7). */
	hear_frame(r, &DELETE[8]);
	assert_int_equal(r->seen[3].type, CW_TSP_EV_DELETED);
	done(r);
}

static void unexpected_in_command(void **state)
{
	static const char *const inputs[] = {
		"Content-length: 13\r\n200 Success\r\n", /* nobody asked */
		"Content-length: 0\r\n",
		"Content-length: -1\r\n",
		"Content-length: 99999\r\n",
		"Content-length: 4097\r\n",
		"Content-length: abc\r\n",
		"HTTP/1.1 200 OK\r\n",
		"Content-length: 9\r\n\r\n\r\n\r\n\r\nx",
		"Content-length: 5\r\nhello",
	};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(inputs); i++) {
		struct rig *r = ready("2.0.0");

		hear(r, inputs[i]);
		assert_int_equal(r->n_seen, 1);
		assert_int_equal(r->seen[0].type, CW_TSP_EV_CLOSED);
		assert_int_equal(r->seen[0].why, CW_TSP_WHY_PROTOCOL);
		done(r);
	}
}

/* 200 to a create must bring the tunnel; broken XML is no tunnel. */
static void answers_without_a_tunnel(void **state)
{
	static const char *const answers[] = {
		"200 Success\r\n",
		"200 Success\r\n<tunnel action=\"list\" type=\"broker\"></tunnel>\r\n",
		"200 Success\r\n<tunnel action=\"info\" type=\"v4v6\"><client></tunnel>\r\n",
		"200 Success\r\n<!DOCTYPE x [<!ENTITY a \"b\">]><tunnel action=\"info\">&a;</tunnel>\r\n",
	};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(answers); i++) {
		struct rig *r = ready("2.0.0");

		assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 1), 0);
		hear_frame(r, answers[i]);
		assert_int_equal(r->seen[0].type, CW_TSP_EV_CLOSED);
		assert_int_equal(r->seen[0].why, CW_TSP_WHY_PROTOCOL);
		done(r);
	}
}

static void lines_without_end(void **state)
{
	struct rig *r = started("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));
	char junk[700];

	(void) state;
	memset(junk, 'A', sizeof junk);
	for (int i = 0; i < 100 && r->n_seen == 0; i++)
		cw_tsp_client_input(r->c, junk, sizeof junk, r->now);
	assert_int_equal(r->n_seen, 1);
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_PROTOCOL);
	done(r);
	/* A list beyond what a broker may send. */
	r = started("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));
	hear(r, "1302 Unsupported\r\n");
	for (int i = 0; i < 100 && r->n_seen == 0; i++)
		cw_tsp_client_input(r->c, junk, sizeof junk, r->now);
	assert_int_equal(r->n_seen, 1);
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_PROTOCOL);
	done(r);
}

static void silence(void **state)
{
	struct rig *r = started("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));

	(void) state;
	assert_int_equal(cw_tsp_client_deadline(r->c), 1000 + 20000);
	cw_tsp_client_tick(r->c, 20999);
	assert_int_equal(r->n_seen, 0);
	/* One octet a second does not help: the login has an end. */
	hear(r, "CAPABILITY TUNNEL=V4V6 ");
	cw_tsp_client_tick(r->c, 21000);
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_TIMEOUT);
	done(r);
	r = ready("2.0.0");
	assert_int_equal(cw_tsp_client_deadline(r->c), INT64_MAX);
	assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 1), 0);
	assert_int_equal(cw_tsp_client_deadline(r->c), 1000 + 30000);
	cw_tsp_client_tick(r->c, 31000);
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_TIMEOUT);
	done(r);
}

static void pipeline(void **state)
{
	struct rig *r = rig_of("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));
	char text[4096];
	size_t n;

	(void) state;
	r->conf.pipeline = 3;
	begin(r);
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n200 Success\r\n");
	assert_int_equal(ask(r, CW_TSP_CREATE, "192.0.2.10", 1), 0);
	assert_int_equal(ask(r, CW_TSP_DELETE, "192.0.2.11", 2), 0);
	assert_int_equal(ask(r, CW_TSP_CREATE, "192.0.2.12", 3), 0);
	assert_int_equal(ask(r, CW_TSP_CREATE, "192.0.2.13", 4), -EBUSY);
	assert_int_equal(cw_tsp_client_outstanding(r->c), 3);
	r->n_seen = 0;
	/* In their order, whatever the pieces. */
	frame(text, sizeof text, INFO);
	n = strlen(text);
	frame(text + n, sizeof text - n, "200 Success\r\n");
	n = strlen(text);
	frame(text + n, sizeof text - n, "307 Configuration Error at TEP\r\n");
	for (size_t i = 0; i < strlen(text); i += 7)
		cw_tsp_client_input(
			r->c, text + i, strlen(text) - i < 7 ? strlen(text) - i : 7, r->now);
	assert_int_equal(r->n_seen, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(r->seen[i].token, i + 1);
	assert_int_equal(r->seen[2].status, CW_TSP_TEP);
	assert_int_equal(cw_tsp_client_outstanding(r->c), 0);
	done(r);
}

static void stray_octets(void **state)
{
	struct rig *r = started("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));

	(void) state;
	/* NULs before lines, bare LF, more blanks, unknown words, lower case (guide tsp.md 2 and
	 * 9). */
	cw_tsp_client_input(
		r->c, "\0\0CAPABILITY  TUNNEL=v4v6 X Y=Z AUTH=anonymous \n", 48, r->now);
	assert_non_null(strstr(r->sent, "AUTHENTICATE ANONYMOUS\r\n"));
	cw_tsp_client_input(r->c,
		"\0"
		"200 Success\n",
		13, r->now);
	assert_int_equal(r->n_seen, 1);
	assert_int_equal(r->seen[0].type, CW_TSP_EV_READY);
	assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 1), 0);
	hear(r, "\r\ncontent-LENGTH :  35\r\n308 Requested Address Unavailable\r\n");
	assert_int_equal(r->n_seen, 2);
	assert_int_equal(r->seen[1].status, CW_TSP_ADDRESS);
	done(r);
}

static void mechanism_choice(void **state)
{
	struct rig *r;

	(void) state;
	/* The best that both have. */
	r = started("2.0.0", CW_MECH_PASSWORDS);
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=PLAIN AUTH=DIGEST-MD5 AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256 AUTH=ANONYMOUS\r\n");
	assert_non_null(strstr(r->sent, "AUTHENTICATE SCRAM-SHA-256 biws")); /* "n,," */
	assert_int_equal(cw_tsp_client_mech(r->c), CW_MECH_SCRAM_SHA_256);
	/* A broker that says success without having proved anything. */
	hear(r, "200 Success\r\n");
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_PROOF);
	done(r);
	/* No PLAIN unless allowed, never ANONYMOUS instead of a login. */
	r = started("2.0.0", CW_MECH_PASSWORDS & ~CW_MECH_BIT(CW_MECH_PLAIN));
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=PLAIN AUTH=ANONYMOUS\r\n");
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_MECHANISM);
	assert_null(strstr(r->sent, "AUTHENTICATE"));
	done(r);
	r = started("2.0.0", CW_MECH_PASSWORDS);
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=PLAIN\r\n");
	assert_non_null(strstr(
		r->sent, "AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n")); /* \0alice\0secret */
	hear(r, "200 Success\r\n");
	assert_int_equal(r->seen[0].type, CW_TSP_EV_READY);
	done(r);
	r = started("2.0.0", CW_MECH_BIT(CW_MECH_EXTERNAL) | CW_MECH_PASSWORDS);
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=PLAIN AUTH=EXTERNAL\r\n");
	assert_non_null(strstr(r->sent, "AUTHENTICATE EXTERNAL =\r\n"));
	done(r);
	/* A password mechanism without a password is passed over. */
	r = rig_of("2.0.0", CW_MECH_PASSWORDS | CW_MECH_BIT(CW_MECH_ANONYMOUS));
	r->conf.password = NULL;
	begin(r);
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=ANONYMOUS\r\n");
	assert_non_null(strstr(r->sent, "AUTHENTICATE ANONYMOUS\r\n"));
	done(r);
}

/* RFC 5572 figure 12's challenge, as deployed brokers send it, gets an answer; a proof that is
 * wrong does not pass. */
static void digest_md5(void **state)
{
	struct rig *r = started("2.0.0", CW_MECH_BIT(CW_MECH_DIGEST_MD5));

	(void) state;
	hear(r, "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5\r\n");
	assert_non_null(strstr(r->sent, "AUTHENTICATE DIGEST-MD5\r\n"));
	r->n_sent = 0;
	hear(r, "cmVhbG09ImhleG9zIixub25jZT0iMTExMzkwODk2OCIscW9wPSJhdXRoIixhbGdvcml0aG09bWQ1LXNlc3MsY2hhcnNldD11dGYtOA==\r\n");
	assert_true(r->n_sent > 100);
	assert_int_equal(r->n_seen, 0);
	hear(r, "cnNwYXV0aD03MGQ1Y2FiYzkyMzU1NjhiZTM4MGJhMmM5MDczODFmZQ==\r\n");
	assert_int_equal(r->seen[0].why, CW_TSP_WHY_PROOF);
	done(r);
}

static void datagram(struct rig *r, const char *payload)
{
	uint8_t p[2048];
	struct cw_tsp_udp_header h;
	struct cw_slice ignored;

	/* With the header of what was sent last. */
	assert_int_equal(cw_tsp_udp_parse(r->sent, r->n_sent, &h, &ignored), 0);
	cw_tsp_udp_render(&h, p);
	memcpy(p + 8, payload, strlen(payload));
	r->n_sent = 0;
	cw_tsp_client_input(r->c, p, 8 + strlen(payload), r->now);
}

static void over_udp(void **state)
{
	struct rig *r = rig_of("2.0.0", CW_MECH_BIT(CW_MECH_ANONYMOUS));
	struct cw_tsp_udp_header first;
	struct cw_tsp_udp_header again;
	struct cw_slice payload;
	char info[1024];
	char late[1024];

	(void) state;
	r->conf.udp = true;
	begin(r);
	assert_int_equal(cw_tsp_udp_parse(r->sent, r->n_sent, &first, &payload), 0);
	assert_memory_equal(payload.p, "VERSION=2.0.0\r\n", 15);
	/* Lost: the same sequence again with a new timestamp, less and less often. */
	r->n_sent = 0;
	r->now = cw_tsp_client_deadline(r->c);
	assert_int_equal(r->now, 2000);
	cw_tsp_client_tick(r->c, r->now);
	assert_int_equal(cw_tsp_udp_parse(r->sent, r->n_sent, &again, &payload), 0);
	assert_int_equal(again.sequence, first.sequence);
	assert_int_not_equal(again.timestamp, first.timestamp);
	assert_int_equal(cw_tsp_client_deadline(r->c), 2000 + 2000);
	datagram(r, "CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n");
	assert_int_equal(cw_tsp_udp_parse(r->sent, r->n_sent, &again, &payload), 0);
	assert_int_equal(again.sequence, (first.sequence + 1) & 0xfffffff);
	datagram(r, "200 Success\r\n");
	assert_int_equal(r->seen[0].type, CW_TSP_EV_READY);
	assert_int_equal(ask(r, CW_TSP_CREATE, NULL, 1), 0);
	frame(info, sizeof info, INFO);
	datagram(r, info);
	assert_int_equal(r->seen[1].type, CW_TSP_EV_REPLY);
	assert_true(r->seen[1].has_lease);
	/* An accept is answered with nothing but a header; until then nothing else goes out. */
	assert_int_equal(cw_tsp_client_accept(r->c, true, r->now), 0);
	assert_int_equal(ask(r, CW_TSP_CREATE, "192.0.2.10", 2), -EBUSY);
	datagram(r, "");
	assert_int_equal(cw_tsp_client_deadline(r->c), INT64_MAX);
	/* Old answers and strangers' datagrams change nothing. */
	cw_tsp_client_input(r->c,
		"\xf0\0\0\0\0\0\0\0"
		"200 x\r\n",
		15, r->now);
	cw_tsp_client_input(r->c, "short", 5, r->now);
	assert_int_equal(r->n_seen, 2);
	assert_int_equal(ask(r, CW_TSP_CREATE, "192.0.2.10", 3), 0);
	/* An answer to an earlier datagram that comes twice is not this one's. */
	assert_int_equal(cw_tsp_udp_parse(r->sent, r->n_sent, &again, &payload), 0);
	again.sequence = (again.sequence - 1) & 0xfffffff;
	cw_tsp_udp_render(&again, (uint8_t *) late);
	frame(late + 8, sizeof late - 8, INFO);
	cw_tsp_client_input(r->c, late, 8 + strlen(late + 8), r->now);
	assert_int_equal(r->n_seen, 2);
	for (int i = 0; i < 10 && r->n_seen == 2; i++)
		cw_tsp_client_tick(r->c, r->now = cw_tsp_client_deadline(r->c));
	assert_int_equal(r->seen[2].why, CW_TSP_WHY_TIMEOUT);
	done(r);
}

static void leases(void **state)
{
	struct cw_tsp_msg m = {.action = CW_TSP_INFO,
		.type = CW_TSP_V4V6,
		.has_lifetime = true,
		.lifetime = 2,
		.server = {.present = true, .has_v6 = true, .v6 = six("2001:db8::2")},
		.client = {.present = true,
			.has_v6 = true,
			.v6 = six("2001:db8::1"),
			.has_v4 = true,
			.v4 = four("192.0.2.10")}};
	struct cw_tsp_lease l;
	struct cw_tsp_msg bad;

	(void) state;
	assert_int_equal(cw_tsp_lease_of(&m, false, &l), 0);
	assert_int_equal(l.lifetime_s, 2);
	assert_int_equal(l.tep4.v, 0);
	assert_true(cw_portset_is_whole(l.ports));
	assert_int_equal(cw_tsp_lease_of(&m, true, &l), 0);
	assert_int_equal(l.lifetime_s, 120);
	m.lifetime = UINT32_MAX;
	assert_int_equal(cw_tsp_lease_of(&m, true, &l), 0);
	assert_int_equal(l.lifetime_s, UINT32_MAX);
	m.has_lifetime = false;
	assert_int_equal(cw_tsp_lease_of(&m, false, &l), 0);
	assert_int_equal(l.lifetime_s, 1440);
	bad = m;
	bad.client.has_v4 = false;
	assert_int_equal(cw_tsp_lease_of(&bad, false, &l), CW_E_SYNTAX);
	bad = m;
	bad.client.v4 = four("127.0.0.1");
	assert_int_equal(cw_tsp_lease_of(&bad, false, &l), CW_E_SYNTAX);
	bad = m;
	bad.server.has_v6 = false;
	assert_int_equal(cw_tsp_lease_of(&bad, false, &l), CW_E_SYNTAX);
	bad = m;
	bad.server.v6 = bad.client.v6;
	assert_int_equal(cw_tsp_lease_of(&bad, false, &l), CW_E_SYNTAX);
	bad = m;
	bad.has_lifetime = true;
	bad.lifetime = 0;
	assert_int_equal(cw_tsp_lease_of(&bad, false, &l), CW_E_SYNTAX);
	bad = m;
	bad.action = CW_TSP_DELETE;
	assert_int_equal(cw_tsp_lease_of(&bad, false, &l), CW_E_SYNTAX);
	assert_string_equal(cw_tsp_version_next("2.0.0"), "1.0");
	assert_null(cw_tsp_version_next("1.0"));
}

static void unusable_configurations(void **state)
{
	struct rig *r = rig_of("3.0", CW_MECH_PASSWORDS);

	(void) state;
	assert_int_equal(cw_tsp_client_new(&r->conf, &ops, r, &r->c), -EINVAL);
	r->conf.version = NULL;
	assert_int_equal(cw_tsp_client_new(&r->conf, &ops, r, &r->c), -EINVAL);
	r->conf.version = "2.0.0";
	r->conf.mechs = 0;
	assert_int_equal(cw_tsp_client_new(&r->conf, &ops, r, &r->c), -EINVAL);
	done(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_session),
		cmocka_unit_test(dstm_profile),
		cmocka_unit_test(codes_by_version),
		cmocka_unit_test(refusals_before_command),
		cmocka_unit_test(list_cut_short),
		cmocka_unit_test(redirect_in_command),
		cmocka_unit_test(pushed_delete),
		cmocka_unit_test(unexpected_in_command),
		cmocka_unit_test(answers_without_a_tunnel),
		cmocka_unit_test(lines_without_end),
		cmocka_unit_test(silence),
		cmocka_unit_test(pipeline),
		cmocka_unit_test(stray_octets),
		cmocka_unit_test(mechanism_choice),
		cmocka_unit_test(digest_md5),
		cmocka_unit_test(over_udp),
		cmocka_unit_test(leases),
		cmocka_unit_test(unusable_configurations),
	};

	cw_tsp_init();
	return cmocka_run_group_tests_name("tsp client", tests, NULL, NULL);
}
