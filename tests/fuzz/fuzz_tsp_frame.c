/* SPDX-License-Identifier: BSD-2-Clause */
/* Where TSP's lines, frames and datagrams end: the pieces lie within what was given, and are the
 * same whether the octets come at once or one by one. The first octet chooses the language and the
 * limit. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "schema/tsp/tsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int split(bool framed, struct cw_tsp_split *s, const uint8_t *p, size_t n,
	struct cw_slice *ret, size_t *used)
{
	const int r = framed ? cw_tsp_split_frame(s, p, n, CW_TSP_PAYLOAD_MAX, ret, used)
			     : cw_tsp_split_line(s, p, n, CW_TSP_LINE_MAX, ret, used);

	if (r >= 0)
		check(*used <= n);
	if (r == 1) {
		check((const uint8_t *) ret->p >= p &&
			(const uint8_t *) ret->p + ret->n <= p + *used);
		check(s->nuls == 0 && s->blanks == 0);
	}
	return r;
}

/* FNV-1a over the pieces and the end. */
static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *) p)[i]) * UINT64_C(0x100000001b3);
	return h * 31 + n;
}

static uint64_t at_once(bool framed, const uint8_t *p, size_t n)
{
	struct cw_tsp_split s = {0};
	struct cw_slice piece;
	uint64_t h = 7;
	size_t used;

	for (;;) {
		const int r = split(framed, &s, p, n, &piece, &used);

		if (r <= 0)
			return h + (r < 0);
		h = mix(h, piece.p, piece.n);
		p += used;
		n -= used;
	}
}

static uint64_t one_by_one(bool framed, const uint8_t *p, size_t n)
{
	struct cw_tsp_split s = {0};
	struct cw_slice piece;
	uint64_t h = 7;
	size_t start = 0, used;

	for (size_t end = 1; end <= n; end++) {
		const int r = split(framed, &s, p + start, end - start, &piece, &used);

		if (r < 0)
			return h + 1;
		if (r == 1)
			h = mix(h, piece.p, piece.n);
		start += used;
	}
	return h;
}

static void lines(const uint8_t *data, size_t size)
{
	const struct cw_slice line = {(const char *) data, size};
	struct cw_slice a, b;
	enum cw_tsp_version v;
	unsigned code;

	if (cw_tsp_parse_version(line, &v) == 0)
		check(v == CW_TSP_V1 || v == CW_TSP_V2);
	if (cw_tsp_parse_authenticate(line, &a, &b) == 0)
		check(a.n > 0 && a.p >= line.p && a.p + a.n <= line.p + line.n &&
			(!b.p || (b.p >= line.p && b.p + b.n <= line.p + line.n)));
	if (cw_tsp_parse_reply(data, size, &code, &a, &b) == 0)
		check(code < 10000 && a.p >= line.p && a.p + a.n <= line.p + line.n &&
			(!b.n || (b.p >= line.p && b.p + b.n <= line.p + line.n)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_tsp_udp_header h;
	struct cw_slice payload;
	uint8_t header[CW_TSP_UDP_HEADER];
	bool framed;

	if (!size)
		return 0;
	framed = data[0] & 1;
	data++;
	size--;
	check(at_once(framed, data, size) == one_by_one(framed, data, size));
	lines(data, size);
	if (cw_tsp_udp_parse(data, size, &h, &payload) == 0) {
		cw_tsp_udp_render(&h, header);
		check(memcmp(header, data, sizeof header) == 0 &&
			payload.n == size - sizeof header);
	}
	return 0;
}
