/* SPDX-License-Identifier: BSD-2-Clause */
/* See lines.h. */
#include "dataplane/plugins/exec/lines.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[] = {
	[CW_DP_OK] = "ok",
	[CW_DP_TRANSIENT] = "transient",
	[CW_DP_INVALID] = "invalid",
	[CW_DP_FULL] = "full",
	[CW_DP_UNSUPPORTED] = "unsupported",
	[CW_DP_EXISTS] = "exists",
	[CW_DP_STALE] = "stale",
	[CW_DP_FAILED] = "failed",
};

/* "INDEX IPV4 A/K/PSID LO-HI IPV6", what all lines begin with. */
static int begin(
	char *to, size_t index, const uint8_t v4[4], struct cw_dp_ports p, const uint8_t *v6)
{
	char text[INET6_ADDRSTRLEN] = "::", range[16] = "-";

	if (v6)
		(void) inet_ntop(AF_INET6, v6, text, sizeof text);
	if (p.len == 0) {
		(void) snprintf(range, sizeof range, "0-65535");
	} else if (p.offset == 0) {
		unsigned size = 1u << (16 - p.len), lo = (p.psid * size) & 0xffff;

		(void) snprintf(range, sizeof range, "%u-%u", lo, (lo + size - 1) & 0xffff);
	}
	return snprintf(to, CW_EXEC_LINE_MAX, "%zu %u.%u.%u.%u %u/%u/%u %s %s", index, v4[0], v4[1],
		v4[2], v4[3], p.offset, p.len, p.psid, range, text);
}

size_t cw_exec_line_apply(char to[static CW_EXEC_LINE_MAX], size_t index,
	const struct cw_dp_binding *b, int64_t now_boot_ms)
{
	int n = begin(to, index, b->ipv4, b->ports, b->ipv6);
	char lifetime[24] = "never";
	int64_t left;

	if (b->expires_boot_ms != CW_DP_NO_EXPIRY) {
		left = b->expires_boot_ms > now_boot_ms
			       ? (b->expires_boot_ms - now_boot_ms + 999) / 1000
			       : 0;
		(void) snprintf(lifetime, sizeof lifetime, "%" PRId64, left);
	}
	n += snprintf(to + n, CW_EXEC_LINE_MAX - (size_t) n,
		" %" PRIu64 " %" PRIu64 " %s %" PRIu32 "\n", b->lease, b->generation, lifetime,
		b->mtu);
	return (size_t) n;
}

size_t cw_exec_line_remove(char to[static CW_EXEC_LINE_MAX], size_t index,
	const struct cw_dp_removal *r, const uint8_t *ipv6)
{
	int n = begin(to, index, r->ipv4, r->ports, ipv6);

	n += snprintf(to + n, CW_EXEC_LINE_MAX - (size_t) n, " %" PRIu64 " %" PRIu64 "\n", r->lease,
		r->generation);
	return (size_t) n;
}

/* The next word of a line, of at most n - 1 octets; false: none or longer. */
static bool word(const char **at, char *to, size_t n)
{
	const char *s = *at + strspn(*at, " \t");
	size_t len = strcspn(s, " \t");

	if (len == 0 || len >= n)
		return false;
	memcpy(to, s, len);
	to[len] = '\0';
	*at = s + len;
	return true;
}

static bool number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, (uint64_t) 10, &v) ||
			__builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
			return false;
	}
	*ret = v;
	return v <= max;
}

static bool at_end(const char *s)
{
	return s[strspn(s, " \t\r")] == '\0';
}

bool cw_exec_parse_result(
	const char *line, size_t n_items, size_t *ret_index, enum cw_dp_status *ret_status)
{
	char index[24], status[16];
	uint64_t v;

	if (n_items == 0 || !word(&line, index, sizeof index) ||
		!word(&line, status, sizeof status) || !at_end(line) ||
		!number(index, n_items - 1, &v))
		return false;
	for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++) {
		if (strcmp(status, status_names[i]) == 0) {
			*ret_index = (size_t) v;
			*ret_status = (enum cw_dp_status) i;
			return true;
		}
	}
	return false;
}

/* "A/K/PSID" */
static bool ports(char *s, struct cw_dp_ports *ret)
{
	char *k = strchr(s, '/'), *psid = k ? strchr(k + 1, '/') : NULL;
	uint64_t a, b, c;

	if (!psid)
		return false;
	*k++ = '\0';
	*psid++ = '\0';
	if (!number(s, 15, &a) || !number(k, 16, &b) || !number(psid, 65535, &c))
		return false;
	*ret = (struct cw_dp_ports){(uint8_t) a, (uint8_t) b, (uint16_t) c};
	return true;
}

bool cw_exec_parse_row(const char *line, int64_t now_boot_ms, struct cw_dp_binding *ret)
{
	char v4[24], ps[24], v6[64], lease[24], generation[24], lifetime[24];
	struct cw_dp_binding b = {.expires_boot_ms = CW_DP_NO_EXPIRY};
	uint64_t left;

	if (!word(&line, v4, sizeof v4) || !word(&line, ps, sizeof ps) ||
		!word(&line, v6, sizeof v6) || !word(&line, lease, sizeof lease) ||
		!word(&line, generation, sizeof generation) ||
		!word(&line, lifetime, sizeof lifetime) || !at_end(line))
		return false;
	if (inet_pton(AF_INET, v4, b.ipv4) != 1 || inet_pton(AF_INET6, v6, b.ipv6) != 1 ||
		!ports(ps, &b.ports) || !number(lease, UINT64_MAX, &b.lease) ||
		!number(generation, UINT64_MAX, &b.generation))
		return false;
	if (strcmp(lifetime, "never") != 0) {
		if (!number(lifetime, INT32_MAX, &left))
			return false;
		b.expires_boot_ms = now_boot_ms + (int64_t) left * 1000;
	}
	*ret = b;
	return true;
}
