/* SPDX-License-Identifier: BSD-2-Clause */
/* TSP on the wire (RFC 5572 and the DSTM v4v6 profile, draft-blanchet-ngtrans-tsp-dstm-profile-01):
 * where a line or a frame ends, what its XML says, and the exact octets of what we say. Pure
 * functions: no sockets, no clock, no state but what the caller holds. Both halves of the protocol
 * (server.h, client.h) stand on it. Thread: any; cw_tsp_init() once before threads. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/defs.h"

/* Limits (guide: the deployed clients' buffers are 4096 octets). */
enum {
	CW_TSP_LINE_MAX = 1024, /* a line before COMMAND and a frame's header line, CRLF included */
	CW_TSP_SASL_LINE_MAX = 4096, /* a line within a SASL exchange */
	CW_TSP_PAYLOAD_MAX = 8192,   /* N of a frame */
	CW_TSP_REPLY_MAX = 4000,     /* all we ever send at once, header included */
	CW_TSP_DEPTH_MAX = 8,
	CW_TSP_ELEMENTS_MAX = 64,       /* in what a client sends */
	CW_TSP_LIST_ELEMENTS_MAX = 128, /* in what a server sends: 50 brokers fit */
	CW_TSP_BROKERS_MAX = 50,
	CW_TSP_BROKER_TEXT_MAX = 254, /* octets of one broker's address */
	CW_TSP_NULS_MAX = 4,          /* stripped before a line or a frame */
};

/* ---- what happened, as a status line ---- */

enum cw_tsp_version { CW_TSP_V1 = 1, CW_TSP_V2 = 2 }; /* what VERSION= of the session said */

/* Events that have a status code; which one depends on the session's version. */
enum cw_tsp_event {
	CW_TSP_DONE,        /* 200 */
	CW_TSP_AUTH,        /* 300 login failed */
	CW_TSP_POOL_EMPTY,  /* 306 / 301: pool empty or quota used up */
	CW_TSP_VERSION,     /* 302 */
	CW_TSP_TYPE,        /* 303 tunnel type */
	CW_TSP_TEP,         /* 307 the tunnel end point refused or is unreachable */
	CW_TSP_ADDRESS,     /* 308 the named address is not yours, or gone */
	CW_TSP_BAD_V6,      /* 309 / 502 */
	CW_TSP_BAD_V4,      /* 310 / 501 */
	CW_TSP_INTERNAL,    /* 530 / 310 store or other failure of ours */
	CW_TSP_FORMAT,      /* 500 format or length */
	CW_TSP_PREFIX,      /* 500 / 507 a prefix was asked for */
	CW_TSP_IN_PROGRESS, /* 521 */
	CW_TSP_OVERLOAD,    /* 530 overload, rate limit */
	CW_TSP_EVENTS
};

/* code 0: no status line (what a broker sends to a tunnel end point). */
struct cw_tsp_status {
	unsigned code;
	const char *text; /* static */
};

/* `list`: a list of brokers follows, so 1000 is added to the code (RFC 5572 app. B). */
struct cw_tsp_status cw_tsp_status(enum cw_tsp_event ev, enum cw_tsp_version v, bool list);
/* "200 OK", the first line of a delete that nobody asked for (DSTM 4.3). */
extern const struct cw_tsp_status CW_TSP_PUSH_STATUS;
/* The event behind a code of version v, 1000 ignored; for the asking side. CW_TSP_EVENTS: unknown
 * code. */
enum cw_tsp_event cw_tsp_event_of(unsigned code, enum cw_tsp_version v);

/* ---- messages ---- */

enum cw_tsp_action {
	CW_TSP_ACTION_NONE, /* a frame without XML */
	CW_TSP_CREATE,
	CW_TSP_DELETE,
	CW_TSP_INFO,
	CW_TSP_ACCEPT,
	CW_TSP_REJECT,
	CW_TSP_LIST,
};

enum cw_tsp_type { CW_TSP_TYPE_NONE, CW_TSP_V4V6, CW_TSP_TYPE_OTHER, CW_TSP_TYPE_BROKER };

/* A client or server element. */
struct cw_tsp_side {
	bool present;
	bool has_v4, has_v4_len, has_portset;
	bool has_v6, has_link_local;
	uint8_t v4_len;            /* attribute length of the IPv4 address, 0..32 */
	struct cw_portset portset; /* EXT=PORTSET, on the client's IPv4 address */
	struct cw_addr4 v4;
	struct cw_addr6 v6; /* the one usable address: the tunnel's end */
	struct cw_addr6
		link_local; /* DSTM clients send theirs as well; means nothing to a broker */
};

enum cw_tsp_broker_kind { CW_TSP_BROKER_V4, CW_TSP_BROKER_V6, CW_TSP_BROKER_DN };

/* text: "192.0.2.1", "192.0.2.1:3653", "[2001:db8::1]:3653", "tsp.example.net", ... */
struct cw_tsp_broker {
	enum cw_tsp_broker_kind kind;
	const char *text;
};

struct cw_tsp_msg {
	enum cw_tsp_action action;
	enum cw_tsp_type type;
	bool has_lifetime;
	bool ports_min;  /* ports="MIN": the asker can live with a port set */
	bool proxy_no;   /* proxy="no": deployed clients send it, it means nothing to v4v6 */
	bool has_router; /* a prefix is asked for */
	bool has_keepalive, keepalive_has_v4;
	uint32_t lifetime; /* seconds or minutes: the session's business */
	uint32_t keepalive_interval;
	struct cw_addr4 keepalive_v4;
	struct cw_tsp_side server, client;
	const struct cw_tsp_broker *brokers; /* borrowed: the parser's arena or the caller's */
	unsigned n_brokers;
};

/* Before the first parse and before threads; safe to repeat. */
void cw_tsp_init(void);

enum {
	CW_TSP_PARSE_SERVER =
		1 << 0, /* the bytes came from a server: info, delete, list; longer lists */
	CW_TSP_PARSE_LOOPBACK =
		1 << 1, /* ::1 may be a tunnel end (peer is loopback or a Unix socket) */
};

/* The XML of one payload to *ret. arena: borrowed; takes the broker list; NULL: broker elements are
 * ignored. *ret_fault is set on failure: the status the peer gets. From a client: create, delete
 * and info have a client element with exactly one usable IPv6 address; a type other than v4v6 and a
 * router element are faults. From a server: info, delete and list; what must be in them is for the
 * asker to check.
 * 0. CW_E_SYNTAX: not TSP, or an unusable value; the session may go on. CW_E_LIMIT: too deep, too
 * many elements, too long: close after the answer. -ENOMEM (fault CW_TSP_INTERNAL). */
int cw_tsp_parse(const void *p, size_t n, unsigned flags, struct cw_arena *arena,
	struct cw_tsp_msg *ret, enum cw_tsp_event *ret_fault) CW_MUST_CHECK;

/* One frame ("Content-length: N", status line if st is not NULL and its code not 0, XML if msg is
 * not NULL and has an action) into to; borrowed all. Octets written, CW_E_LIMIT (beyond cap or
 * CW_TSP_REPLY_MAX), CW_E_SYNTAX (a broker's text holds what XML or the clients' parsers would not
 * survive). Nothing of a peer's text is ever rendered. */
int cw_tsp_render(const struct cw_tsp_status *st, const struct cw_tsp_msg *msg, char *to,
	size_t cap) CW_MUST_CHECK;
/* The same without the Content-length line: answers before COMMAND (RFC 5572 4.4.2 figures 8 and
 * 9). */
int cw_tsp_render_bare(const struct cw_tsp_status *st, const struct cw_tsp_msg *msg, char *to,
	size_t cap) CW_MUST_CHECK;
/* Can these n octets be a broker's address in a list? Configurations are checked with it too. */
bool cw_tsp_broker_text_ok(const char *s, size_t n) CW_PURE;
/* "CAPABILITY TUNNEL=V4V6 AUTH=.. EXT=.." CRLF from blank-separated names; ext may be NULL. Length,
 * CW_E_LIMIT, or CW_E_SYNTAX for names that are no SASL mechanism names. */
int cw_tsp_render_capability(
	const char *mechs, const char *ext, char *to, size_t cap) CW_MUST_CHECK;

/* ---- lines and frames ---- */

/* What was skipped before the piece that is being waited for. Zero it at the start of a connection.
 */
struct cw_tsp_split {
	uint8_t nuls, blanks;
};

/* Looks at the n unconsumed octets at p. 1: a line without its line end (CRLF or LF) in *ret_line,
 * a slice of p. 0: more is needed. *ret_used octets are consumed in either case (NULs before an
 * unfinished line go at once, so they are no started line). CW_E_LIMIT: no line end within max
 * octets. Up to four NULs in front are stripped. */
int cw_tsp_split_line(struct cw_tsp_split *s, const void *p, size_t n, size_t max,
	struct cw_slice *ret_line, size_t *ret_used) CW_MUST_CHECK;
/* The same for a frame; *ret_payload is its N octets. Blank octets and line ends between frames are
 * skipped (some count N without the last CRLF), at most 16. CW_E_SYNTAX: not a Content-length line,
 * or N is 0 or no number of 1 to 5 digits; CW_E_LIMIT: N > max, header line too long. */
int cw_tsp_split_frame(struct cw_tsp_split *s, const void *p, size_t n, size_t max,
	struct cw_slice *ret_payload, size_t *ret_used) CW_MUST_CHECK;

/* "VERSION=2.0.1": 1.0[.x], 2.0[.x]. 0, CW_E_SYNTAX (no VERSION line at all), CW_E_POLICY (a
 * version we do not speak). */
int cw_tsp_parse_version(struct cw_slice line, enum cw_tsp_version *ret) CW_MUST_CHECK;
/* "AUTHENTICATE mech [initial]": slices of the line; ret_initial->p is NULL without one. 0,
 * CW_E_SYNTAX. */
int cw_tsp_parse_authenticate(struct cw_slice line, struct cw_slice *ret_mech,
	struct cw_slice *ret_initial) CW_MUST_CHECK;

/* What a server sent in a frame, or bare before COMMAND: status line and XML. A payload that starts
 * with '<' has no status line: code 0. "OK text" (DSTM 4.1's sample) counts as 200. *ret_xml.n is 0
 * without XML. 0, CW_E_SYNTAX. */
int cw_tsp_parse_reply(const void *p, size_t n, unsigned *ret_code, struct cw_slice *ret_text,
	struct cw_slice *ret_xml) CW_MUST_CHECK;

/* ---- UDP (RFC 5572 4.4.1.2) ---- */

enum { CW_TSP_UDP_HEADER = 8, CW_TSP_UDP_PAYLOAD_MAX = 1232 - CW_TSP_UDP_HEADER };

struct cw_tsp_udp_header {
	uint32_t sequence; /* 28 bits */
	uint32_t timestamp;
};

/* 0; CW_E_SYNTAX: shorter than the header, or the marker is not 0xF. */
int cw_tsp_udp_parse(const void *p, size_t n, struct cw_tsp_udp_header *ret,
	struct cw_slice *ret_payload) CW_MUST_CHECK;
void cw_tsp_udp_render(const struct cw_tsp_udp_header *h, uint8_t to[static CW_TSP_UDP_HEADER]);
