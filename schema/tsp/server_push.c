/* SPDX-License-Identifier: BSD-2-Clause */
/* Deletes that a server sends unasked (DSTM 2.3, 4.3): one write each, never while an answer is
 * due, and remembered until the client's info acknowledges them. Thread: the session's owner. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/tsp/server_priv.h"

enum { PUSHES_MAX = 64 }; /* waiting, and sent without acknowledgement */

/* A delete that waits for a running request's answer. */
struct cw_tsp_push {
	struct cw_tsp_push *next;
	struct cw_addr6 v6;
	struct cw_addr4 v4;
	size_t n;
	char text[];
};

/* A delete that was sent and not acknowledged. */
struct cw_tsp_sent {
	struct cw_tsp_sent *next;
	struct cw_addr6 v6;
	struct cw_addr4 v4;
};

void cw_tsp_s_drop_pushes(struct cw_tsp_server *s)
{
	while (s->pushes) {
		struct cw_tsp_push *p = s->pushes;

		s->pushes = p->next;
		(void) cw_free(p);
	}
	while (s->sent) {
		struct cw_tsp_sent *p = s->sent;

		s->sent = p->next;
		(void) cw_free(p);
	}
	s->pushes_end = &s->pushes;
	s->sent_end = &s->sent;
	s->n_pushes = s->n_sent = 0;
}

/* Takes the record of a delete of that pair out; false: none was sent. */
bool cw_tsp_s_take_sent(struct cw_tsp_server *s, const struct cw_tsp_side *client)
{
	if (!client->has_v4 || !client->has_v6)
		return false;
	for (struct cw_tsp_sent **at = &s->sent; *at; at = &(*at)->next) {
		struct cw_tsp_sent *p = *at;

		if (p->v4.v != client->v4.v || !cw_addr6_eq(&p->v6, &client->v6))
			continue;
		*at = p->next;
		if (s->sent_end == &p->next)
			s->sent_end = at;
		s->n_sent--;
		(void) cw_free(p);
		return true;
	}
	return false;
}

/* Once the pair is leased anew, an info about it is a question again. */
void cw_tsp_s_forget_sent(struct cw_tsp_server *s, const struct cw_tsp_msg *msg)
{
	if (msg && msg->action == CW_TSP_INFO)
		while (cw_tsp_s_take_sent(s, &msg->client)) {
		}
}

static int remember_sent(struct cw_tsp_server *s, const struct cw_addr6 *v6, struct cw_addr4 v4)
{
	struct cw_tsp_sent *p = cw_zalloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->v6 = *v6;
	p->v4 = v4;
	*s->sent_end = p;
	s->sent_end = &p->next;
	if (++s->n_sent > PUSHES_MAX) { /* nobody acknowledges: the oldest is forgotten */
		struct cw_tsp_sent *oldest = s->sent;

		s->sent = oldest->next;
		s->n_sent--;
		(void) cw_free(oldest);
	}
	return 0;
}

void cw_tsp_s_flush_pushes(struct cw_tsp_server *s)
{
	while (s->pushes && !s->request_running && s->state != CW_TSP_S_CLOSED) {
		struct cw_tsp_push *p = s->pushes;

		s->pushes = p->next;
		if (!s->pushes)
			s->pushes_end = &s->pushes;
		s->n_pushes--;
		(void) remember_sent(s, &p->v6, p->v4); /* without: its ack gets an answer */
		cw_tsp_s_say(s, p->text, p->n);
		(void) cw_free(p);
	}
}

int cw_tsp_server_push_delete(struct cw_tsp_server *s, const struct cw_tsp_msg *msg)
{
	char out[CW_TSP_REPLY_MAX];
	struct cw_tsp_push *p;
	int n;

	if (s->conf->udp || !cw_tsp_s_is_framed(s) || s->state == CW_TSP_S_CLOSED)
		return -ENOTCONN;
	if (s->n_pushes >= PUSHES_MAX)
		return CW_E_LIMIT;
	n = cw_tsp_render(&CW_TSP_PUSH_STATUS, msg, out, sizeof out);
	if (n < 0)
		return n;
	p = cw_zalloc(1, sizeof *p + (size_t) n);
	if (!p)
		return -ENOMEM;
	p->v6 = msg->client.v6;
	p->v4 = msg->client.v4;
	p->n = (size_t) n;
	memcpy(p->text, out, p->n);
	*s->pushes_end = p;
	s->pushes_end = &p->next;
	s->n_pushes++;
	cw_tsp_s_flush_pushes(s);
	return 0;
}

size_t cw_tsp_s_pushes_memory(const struct cw_tsp_server *s)
{
	size_t n = s->n_sent * sizeof *s->sent;

	for (const struct cw_tsp_push *p = s->pushes; p; p = p->next)
		n += sizeof *p + p->n;
	return n;
}
