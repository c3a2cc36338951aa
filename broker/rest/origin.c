/* SPDX-License-Identifier: BSD-2-Clause */
/* See origin.h. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "broker/rest/origin.h"

/* ":PORT", or nothing. */
static bool is_port(const char *s)
{
	if (!*s)
		return true;
	return *s == ':' && strspn(s + 1, "0123456789") == strlen(s + 1) && strlen(s) <= 6;
}

static bool is_listed(const char *names, const char *name, size_t n)
{
	while (names && *names) {
		size_t len = strcspn(names, " ");

		if (len == n && strncasecmp(names, name, n) == 0)
			return true;
		names += len + (names[len] == ' ');
	}
	return false;
}

bool cw_rest_host_is_ours(const char *host, const char *names)
{
	struct cw_addr4 a4;
	struct cw_addr6 a6;
	size_t n;

	if (host[0] == '[') { /* RFC 3986 3.2.2 */
		n = strcspn(host, "]");
		return host[n] && is_port(host + n + 1) &&
		       cw_addr6_parse(host + 1, n - 1, &a6) == 0;
	}
	n = strcspn(host, ":");
	if (!is_port(host + n))
		return false;
	return cw_addr4_parse(host, n, &a4) == 0 || is_listed("localhost", host, n) ||
	       is_listed(names, host, n);
}

bool cw_rest_origin_is_ours(const char *origin, const char *host)
{
	size_t scheme = strncasecmp(origin, "https://", 8) == 0  ? 8
			: strncasecmp(origin, "http://", 7) == 0 ? 7
								 : 0;

	return scheme && strcasecmp(origin + scheme, host) == 0;
}
