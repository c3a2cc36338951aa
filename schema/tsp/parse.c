/* SPDX-License-Identifier: BSD-2-Clause */
/* What the XML of one payload says (RFC 5572 4.7; DSTM profile 3). Neither published DTD is usable,
 * so this is a whitelisting walk over libxml2's tree: known elements in any order, unknown ones and
 * unknown attributes skipped, every value checked once and kept as a number or an address.
 *
 * Before libxml2 sees a byte, scan() has refused what we never want it to work on: `<!` (DTD,
 * entities, CDATA, comments), processing instructions, other encodings, NULs, too many elements. So
 * there is nothing to expand or to fetch, and the tree is small. libxml2 says nothing on stderr:
 * errors go to a handler of ours, set for this thread. Thread: any. */
#include "config.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "schema/tsp/tsp.h"

enum {
	TEXT_MAX = CW_TSP_BROKER_TEXT_MAX, /* no value is longer */
};

struct walk {
	struct cw_tsp_msg *m;
	struct cw_arena *arena;
	struct cw_tsp_broker *brokers; /* the arena's, room for CW_TSP_BROKERS_MAX */
	bool from_server, loopback_ok;
	bool has_addresses;      /* of the client element */
	enum cw_tsp_event fault; /* the first one; CW_TSP_DONE: none */
	bool nomem;
};

static void fault(struct walk *w, enum cw_tsp_event ev)
{
	if (w->fault == CW_TSP_DONE)
		w->fault = ev;
}

/* ---- before libxml2 ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct cw_slice trim(struct cw_slice s)
{
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* `<?xml ...?>`: no other encoding than UTF-8; the rest of its grammar is libxml2's business. */
static bool declaration_ok(struct cw_slice decl)
{
	static const char word[] = "encoding";
	const char *at = memmem(decl.p, decl.n, word, sizeof word - 1);
	struct cw_slice s;

	if (!at)
		return true;
	s.p = at + sizeof word - 1;
	s.n = decl.n - (size_t) (s.p - decl.p);
	s = trim(s);
	if (!s.n || s.p[0] != '=')
		return false;
	s.p++;
	s.n--;
	s = trim(s);
	return s.n >= 7 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[6] == s.p[0] &&
	       strncasecmp(s.p + 1, "UTF-8", 5) == 0;
}

/* *s becomes what libxml2 gets. 0, CW_E_SYNTAX, CW_E_LIMIT. */
static int scan(struct cw_slice *s, unsigned max_elements)
{
	struct cw_slice in = *s;
	unsigned elements = 0;
	size_t i = 0;

	if (in.n >= 3 && memcmp(in.p, "\xef\xbb\xbf", 3) == 0) {
		in.p += 3;
		in.n -= 3;
	}
	in = trim(in);
	if (!in.n || in.p[0] != '<' || memchr(in.p, 0, in.n))
		return CW_E_SYNTAX;
	if (in.n > 6 && memcmp(in.p, "<?xml", 5) == 0 && is_space(in.p[5])) {
		const char *end = memmem(in.p, in.n, "?>", 2);

		if (!end || !declaration_ok((struct cw_slice){in.p, (size_t) (end - in.p)}))
			return CW_E_SYNTAX;
		i = (size_t) (end - in.p) + 2;
	}
	/* In a well-formed document without the refused things, every '<' begins a tag. */
	for (; i < in.n; i++) {
		if (in.p[i] != '<')
			continue;
		if (i + 1 == in.n || in.p[i + 1] == '!' || in.p[i + 1] == '?')
			return CW_E_SYNTAX;
		if (in.p[i + 1] != '/' && ++elements > max_elements)
			return CW_E_LIMIT;
	}
	*s = in;
	return 0;
}

/* Errors are told by result codes; libxml2 must not print them. Some of its functions go on without
 * what they could not allocate, so that is remembered. */
static void note_error(void *arg, xmlErrorPtr error)
{
	bool *nomem = arg;

	if (nomem && error && error->code == XML_ERR_NO_MEMORY)
		*nomem = true;
}

void cw_tsp_init(void)
{
	xmlInitParser();
}

/* 0 and a tree with a root, CW_E_SYNTAX, -ENOMEM. */
static int read_tree(struct cw_slice in, xmlDocPtr *ret)
{
	xmlParserCtxtPtr ctxt;
	xmlDocPtr doc = NULL;
	bool nomem = false, well_formed = false;

	xmlSetStructuredErrorFunc(&nomem, note_error); /* of this thread */
	ctxt = xmlNewParserCtxt();
	if (ctxt) {
		doc = xmlCtxtReadMemory(ctxt, in.p, (int) in.n, NULL, NULL,
			XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
				XML_PARSE_COMPACT);
		well_formed = doc && ctxt->wellFormed && xmlDocGetRootElement(doc);
		nomem = nomem || ctxt->errNo == XML_ERR_NO_MEMORY;
		xmlFreeParserCtxt(ctxt);
	} else {
		nomem = true;
	}
	xmlSetStructuredErrorFunc(NULL, note_error);
	xmlResetLastError(); /* it keeps a copy of what it complained about */
	if (nomem || !well_formed) {
		xmlFreeDoc(doc);
		return nomem ? -ENOMEM : CW_E_SYNTAX;
	}
	*ret = doc;
	return 0;
}

/* ---- the tree ---- */

/* Names with a prefix are somebody else's. */
static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && (!node->ns || !node->ns->prefix) &&
	       strcmp((const char *) node->name, name) == 0;
}

/* The value of an attribute; NULL: not there. Borrowed. What is no plain text counts as "?", which
 * is no value of anything. */
static const char *attribute(const xmlNode *node, const char *name)
{
	for (const xmlAttr *a = node->properties; a; a = a->next) {
		if (a->ns || strcmp((const char *) a->name, name) != 0)
			continue;
		if (!a->children)
			return "";
		if (a->children->next || a->children->type != XML_TEXT_NODE ||
			!a->children->content)
			return "?";
		return (const char *) a->children->content;
	}
	return NULL;
}

/* The text of an element without blanks around. One that is too long or has elements in it is "?",
 * which is no value of anything. */
static struct cw_slice text_of(const xmlNode *node, char buf[static TEXT_MAX])
{
	size_t n = 0;

	for (const xmlNode *c = node->children; c; c = c->next) {
		const char *s = c->type == XML_TEXT_NODE ? (const char *) c->content : NULL;

		if (c->type == XML_ELEMENT_NODE)
			return (struct cw_slice){"?", 1};
		if (!s)
			continue;
		if (!n) /* leading blanks must not use up the room */
			while (is_space(*s))
				s++;
		for (; *s && n < TEXT_MAX; s++)
			buf[n++] = *s;
		if (*s && trim((struct cw_slice){s, strlen(s)}).n)
			return (struct cw_slice){"?", 1};
	}
	return trim((struct cw_slice){buf, n});
}

static unsigned depth_of(const xmlNode *root)
{
	unsigned depth = 1, deepest = 1;
	const xmlNode *n = root;

	for (;;) {
		if (n->type == XML_ELEMENT_NODE && depth > deepest)
			deepest = depth;
		if (n->type == XML_ELEMENT_NODE && n->children) {
			n = n->children;
			depth++;
			continue;
		}
		while (n != root && !n->next) {
			n = n->parent;
			depth--;
		}
		if (n == root)
			return deepest;
		n = n->next;
	}
}

static int parse_number(const char *s, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	const int r = cw_parse_u64(s, strlen(s), 0, max, &v);

	if (r < 0)
		return r;
	*ret = (uint32_t) v;
	return 0;
}

/* ---- values ---- */

/* Only what the reader asked for counts in a server element that a client sent (DSTM: the delete to
 * a tunnel end point): nothing there can be a fault. */
struct side_rules {
	bool lenient;
	bool is_client;
};

static void take_v4(struct walk *w, const xmlNode *node, struct cw_slice text,
	struct cw_tsp_side *side, struct side_rules rules)
{
	const char *length = attribute(node, "length"), *ports = attribute(node, "portset");
	struct cw_tsp_side got = {.has_v4 = true};
	uint32_t len = 0;

	if (cw_addr4_parse(text.p, text.n, &got.v4) < 0)
		goto bad;
	if (length && *length) {
		if (parse_number(length, 32, &len) < 0)
			goto bad;
		got.has_v4_len = true;
		got.v4_len = (uint8_t) len;
	}
	if (ports && rules.is_client) {
		if (cw_portset_parse(ports, strlen(ports), &got.portset) < 0)
			goto bad;
		got.has_portset = true;
	}
	if (side->has_v4 && side->v4.v != got.v4.v)
		goto bad;
	side->has_v4 = true;
	side->v4 = got.v4;
	side->has_v4_len = got.has_v4_len;
	side->v4_len = got.v4_len;
	side->has_portset = got.has_portset;
	side->portset = got.portset;
	return;
bad:
	if (!rules.lenient)
		fault(w, CW_TSP_BAD_V4);
}

static bool v6_usable(const struct walk *w, const struct cw_addr6 *a)
{
	if (w->from_server)
		return !cw_addr6_is_unspecified(a) && !cw_addr6_is_multicast(a) &&
		       !cw_addr6_is_v4mapped(a);
	return cw_addr6_is_tunnel_end(a) || (w->loopback_ok && cw_addr6_is_loopback(a));
}

static void take_v6(
	struct walk *w, struct cw_slice text, struct cw_tsp_side *side, struct side_rules rules)
{
	struct cw_addr6 a;

	if (cw_addr6_parse(text.p, text.n, &a) < 0)
		goto bad;
	if (cw_addr6_is_link_local(&a)) { /* DSTM 3.2 has clients send theirs */
		if (!side->has_link_local)
			side->link_local = a;
		side->has_link_local = true;
		return;
	}
	if (!v6_usable(w, &a) || (side->has_v6 && !cw_addr6_eq(&side->v6, &a)))
		goto bad;
	side->has_v6 = true;
	side->v6 = a;
	return;
bad:
	if (!rules.lenient)
		fault(w, CW_TSP_BAD_V6);
}

static void take_address(
	struct walk *w, const xmlNode *node, struct cw_tsp_side *side, struct side_rules rules)
{
	const char *type = attribute(node, "type");
	char buf[TEXT_MAX];
	const struct cw_slice text = text_of(node, buf);

	if (type && strcmp(type, "ipv4") == 0)
		take_v4(w, node, text, side, rules);
	else if (type && strcmp(type, "ipv6") == 0)
		take_v6(w, text, side, rules);
	else if ((!type || strcmp(type, "dn") != 0) && !rules.lenient)
		fault(w, CW_TSP_FORMAT);
}

/* RFC 5572 4.6. From a client the address is of no use to us, so a strange one is no fault. */
static void take_keepalive(struct walk *w, const xmlNode *node)
{
	const char *interval = attribute(node, "interval");

	if (!interval || parse_number(interval, UINT32_MAX, &w->m->keepalive_interval) < 0) {
		fault(w, CW_TSP_FORMAT);
		return;
	}
	w->m->has_keepalive = true;
	for (const xmlNode *c = node->children; c; c = c->next) {
		char buf[TEXT_MAX];
		const char *type;
		struct cw_slice text;

		if (!is_element(c, "address"))
			continue;
		type = attribute(c, "type");
		text = text_of(c, buf);
		if (type && strcmp(type, "ipv4") == 0 &&
			cw_addr4_parse(text.p, text.n, &w->m->keepalive_v4) == 0)
			w->m->keepalive_has_v4 = true;
	}
}

static void take_side(
	struct walk *w, const xmlNode *node, struct cw_tsp_side *side, struct side_rules rules)
{
	if (side->present) {
		fault(w, CW_TSP_FORMAT);
		return;
	}
	side->present = true;
	for (const xmlNode *c = node->children; c; c = c->next) {
		if (is_element(c, "address")) {
			take_address(w, c, side, rules);
			w->has_addresses = w->has_addresses || rules.is_client;
		} else if (rules.is_client && is_element(c, "keepalive")) {
			take_keepalive(w, c);
		} else if (rules.is_client && is_element(c, "router")) {
			w->m->has_router = true;
		}
	}
}

static bool broker_kind(const char *type, enum cw_tsp_broker_kind *ret)
{
	static const char *const names[] = {
		[CW_TSP_BROKER_V4] = "ipv4",
		[CW_TSP_BROKER_V6] = "ipv6",
		[CW_TSP_BROKER_DN] = "dn",
	};

	for (unsigned i = 0; type && i < CW_ARRAY_LEN(names); i++) {
		if (strcmp(type, names[i]) == 0) {
			*ret = (enum cw_tsp_broker_kind) i;
			return true;
		}
	}
	return false;
}

/* An entry we cannot use is skipped: the others may serve. */
static void take_broker_address(struct walk *w, const xmlNode *node)
{
	char buf[TEXT_MAX];
	const struct cw_slice text = text_of(node, buf);
	struct cw_tsp_broker b;

	if (!broker_kind(attribute(node, "type"), &b.kind) ||
		!cw_tsp_broker_text_ok(text.p, text.n) || w->m->n_brokers == CW_TSP_BROKERS_MAX)
		return;
	if (!w->brokers) {
		w->brokers = cw_arena_alloc(w->arena, CW_TSP_BROKERS_MAX, sizeof *w->brokers);
		w->m->brokers = w->brokers;
	}
	b.text = w->brokers ? cw_arena_strndup(w->arena, text.p, text.n) : NULL;
	if (!b.text) {
		w->nomem = true;
		return;
	}
	w->brokers[w->m->n_brokers++] = b;
}

static void take_broker(struct walk *w, const xmlNode *node)
{
	for (const xmlNode *c = node->children; w->arena && c; c = c->next)
		if (is_element(c, "address"))
			take_broker_address(w, c);
}

/* ---- the tunnel element ---- */

static enum cw_tsp_action action_of(const char *s)
{
	static const char *const names[] = {
		[CW_TSP_CREATE] = "create",
		[CW_TSP_DELETE] = "delete",
		[CW_TSP_INFO] = "info",
		[CW_TSP_ACCEPT] = "accept",
		[CW_TSP_REJECT] = "reject",
		[CW_TSP_LIST] = "list",
	};

	for (unsigned i = CW_TSP_CREATE; s && i < CW_ARRAY_LEN(names); i++)
		if (strcmp(s, names[i]) == 0)
			return (enum cw_tsp_action) i;
	return CW_TSP_ACTION_NONE;
}

static bool action_allowed(const struct walk *w, enum cw_tsp_action a)
{
	if (w->from_server)
		return a == CW_TSP_INFO || a == CW_TSP_DELETE || a == CW_TSP_LIST;
	return a != CW_TSP_ACTION_NONE && a != CW_TSP_LIST;
}

static void take_type(struct walk *w, const char *type)
{
	struct cw_tsp_msg *m = w->m;

	if (!type) {
		m->type = CW_TSP_TYPE_NONE;
		if (m->action == CW_TSP_CREATE) /* deployed clients omit it in accept alone */
			fault(w, CW_TSP_FORMAT);
	} else if (!*type) {
		fault(w, CW_TSP_FORMAT);
	} else if (strcmp(type, "v4v6") == 0) {
		m->type = CW_TSP_V4V6;
	} else if (strcmp(type, "broker") == 0 && w->from_server) {
		m->type = CW_TSP_TYPE_BROKER;
	} else {
		m->type = CW_TSP_TYPE_OTHER;
		fault(w, CW_TSP_TYPE);
	}
}

static void take_tunnel_attributes(struct walk *w, const xmlNode *root)
{
	const char *lifetime = attribute(root, "lifetime");
	const char *ports = attribute(root, "ports"), *proxy = attribute(root, "proxy");
	struct cw_tsp_msg *m = w->m;

	m->action = action_of(attribute(root, "action"));
	if (!action_allowed(w, m->action))
		fault(w, CW_TSP_FORMAT);
	take_type(w, attribute(root, "type"));
	if (lifetime && *lifetime) {
		if (parse_number(lifetime, UINT32_MAX, &m->lifetime) < 0)
			fault(w, CW_TSP_FORMAT);
		else
			m->has_lifetime = true;
	}
	m->ports_min = ports && strcmp(ports, "MIN") == 0;
	m->proxy_no = proxy && strcmp(proxy, "no") == 0;
}

/* What a client's message must hold to be worked on. */
static void check_request(struct walk *w)
{
	const struct cw_tsp_msg *m = w->m;

	if (w->from_server || m->action == CW_TSP_ACCEPT || m->action == CW_TSP_REJECT)
		return;
	if (!m->client.present || !w->has_addresses)
		fault(w, CW_TSP_FORMAT);
	if (m->has_router)
		fault(w, CW_TSP_PREFIX);
	if (!m->client.has_v6)
		fault(w, CW_TSP_BAD_V6);
}

static void walk_tree(struct walk *w, const xmlNode *root)
{
	const struct side_rules server = {.lenient = !w->from_server};
	const struct side_rules client = {.is_client = true};

	take_tunnel_attributes(w, root);
	if (w->m->action == CW_TSP_ACCEPT || w->m->action == CW_TSP_REJECT)
		return; /* what else they may hold means nothing */
	for (const xmlNode *c = root->children; c; c = c->next) {
		if (is_element(c, "server"))
			take_side(w, c, &w->m->server, server);
		else if (is_element(c, "client"))
			take_side(w, c, &w->m->client, client);
		else if (is_element(c, "broker"))
			take_broker(w, c);
	}
	check_request(w);
}

int cw_tsp_parse(const void *p, size_t n, unsigned flags, struct cw_arena *arena,
	struct cw_tsp_msg *ret, enum cw_tsp_event *ret_fault)
{
	struct cw_slice in = {p, n};
	struct cw_tsp_msg m = {.action = CW_TSP_ACTION_NONE};
	struct walk w = {
		.m = &m,
		.arena = arena,
		.from_server = flags & CW_TSP_PARSE_SERVER,
		.loopback_ok = flags & CW_TSP_PARSE_LOOPBACK,
		.fault = CW_TSP_DONE,
	};
	xmlDocPtr doc = NULL;
	const xmlNode *root;
	int r;

	*ret_fault = CW_TSP_FORMAT;
	if (n > CW_TSP_PAYLOAD_MAX)
		return CW_E_LIMIT;
	r = scan(&in, w.from_server ? CW_TSP_LIST_ELEMENTS_MAX : CW_TSP_ELEMENTS_MAX);
	if (r == 0)
		r = read_tree(in, &doc);
	if (r < 0) {
		if (r == -ENOMEM)
			*ret_fault = CW_TSP_INTERNAL;
		return r;
	}
	root = xmlDocGetRootElement(doc);
	if (depth_of(root) > CW_TSP_DEPTH_MAX)
		r = CW_E_LIMIT;
	else if (!is_element(root, "tunnel"))
		r = CW_E_SYNTAX;
	else
		walk_tree(&w, root);
	xmlFreeDoc(doc);
	if (r < 0)
		return r;
	if (w.nomem) {
		*ret_fault = CW_TSP_INTERNAL;
		return -ENOMEM;
	}
	if (w.fault != CW_TSP_DONE) {
		*ret_fault = w.fault;
		return CW_E_SYNTAX;
	}
	*ret = m;
	return 0;
}
