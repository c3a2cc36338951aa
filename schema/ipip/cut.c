/* SPDX-License-Identifier: BSD-2-Clause */
/* See cut.h. */
#include "config.h"

#include <string.h>

#include "schema/ipip/cut.h"
#include "schema/ipip/octets.h"

enum { IP_MF = 0x2000, TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };

/* RFC 791: options without the copied bit are in the first fragment only; Linux puts no-operations
 * there. */
static void blank_options(uint8_t *header, size_t n)
{
	for (size_t i = 20; i < n;) {
		size_t len = 1;

		if (header[i] == 0)
			return;
		if (header[i] != 1) {
			len = i + 1 < n ? header[i + 1] : 0;
			if (len < 2 || len > n - i)
				len = n - i;
		}
		if (!(header[i] & 0x80))
			memset(header + i, 1, len);
		i += len;
	}
}

bool cw_ipip_fragment(const struct cw_ipip_packet *ip, size_t mtu,
	bool (*emit)(void *arg, const struct cw_ipip_piece *piece), void *arg)
{
	struct cw_ipip_piece piece = {.header_n = ip->ihl};
	size_t room = (mtu - ip->ihl) & ~(size_t) 7;

	memcpy(piece.header, ip->start, ip->ihl);
	for (size_t at = 0; at < ip->payload_n; at += room) {
		bool last = ip->payload_n - at <= room;
		size_t n = last ? ip->payload_n - at : room;

		cw_put16(piece.header + 2, (uint16_t) (ip->ihl + n));
		cw_put16(piece.header + 6,
			(uint16_t) ((ip->frag_at + at) / 8 | (!last || ip->more ? IP_MF : 0)));
		cw_ipip_finish_header(piece.header, ip->ihl);
		piece.payload = ip->payload + at;
		piece.payload_n = n;
		if (!emit(arg, &piece))
			return false;
		blank_options(piece.header, ip->ihl);
	}
	return true;
}

/* IPv4 and TCP header of a merged packet; 0: it has no such thing. */
static size_t headers_of(const struct cw_ipip_packet *ip)
{
	size_t thl;

	if (ip->proto != CW_IPIP_TCP || ip->more || ip->frag_at || ip->payload_n < 20)
		return 0;
	thl = (size_t) (ip->payload[12] >> 4) * 4;
	return thl < 20 || thl > ip->payload_n ? 0 : ip->ihl + thl;
}

size_t cw_ipip_segment_length(const struct cw_ipip_packet *ip, size_t gso_size)
{
	size_t headers = headers_of(ip);

	return gso_size && headers && headers + gso_size < ip->total ? headers + gso_size
								     : ip->total;
}

size_t cw_ipip_segment_count(const struct cw_ipip_packet *ip, size_t gso_size)
{
	size_t headers = headers_of(ip);

	if (!gso_size || !headers || ip->total <= headers)
		return 1;
	return (ip->total - headers + gso_size - 1) / gso_size;
}

bool cw_ipip_segment_tcp(const struct cw_ipip_packet *ip, size_t gso_size,
	bool (*emit)(void *arg, const struct cw_ipip_segment *segment), void *arg)
{
	struct cw_ipip_segment s;
	uint8_t *tcp = s.header + ip->ihl, flags;
	size_t thl, n;
	uint16_t id = ip->id;
	uint32_t seq;

	s.header_n = headers_of(ip);
	if (!s.header_n || !gso_size)
		return false;
	thl = s.header_n - ip->ihl;
	memcpy(s.header, ip->start, s.header_n);
	flags = tcp[13];
	seq = cw_get32(tcp + 4);
	n = ip->payload_n - thl;
	for (size_t at = 0; at < n || at == 0; at += gso_size) {
		size_t len = n - at < gso_size ? n - at : gso_size;
		uint64_t sum;

		s.payload = ip->payload + thl + at;
		s.payload_n = len;
		cw_put16(s.header + 2, (uint16_t) (s.header_n + len));
		cw_put16(s.header + 4, id++);
		cw_ipip_finish_header(s.header, ip->ihl);
		cw_put32(tcp + 4, seq + (uint32_t) at);
		tcp[13] = flags;
		if (at + len < n)
			tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH); /* on the last */
		if (at)
			tcp[13] &= (uint8_t) ~TCP_CWR; /* on the first (RFC 3168) */
		cw_put16(tcp + 16, 0);
		/* A header of whole words: the payload's words fall as they are. */
		sum = cw_ipip_sum(tcp, thl, cw_ipip_pseudo_sum(ip, thl + len));
		sum = cw_ipip_sum(s.payload, len, sum);
		cw_put16(tcp + 16, (uint16_t) ~cw_ipip_fold(sum));
		if (!emit(arg, &s))
			return false;
	}
	return true;
}
