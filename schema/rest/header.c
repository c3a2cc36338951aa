/* SPDX-License-Identifier: BSD-2-Clause */
/* Header fields, see header.h. Thread: any. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "schema/rest/header.h"

static const char blanks[] = " \t";

/* ---- versions ---- */

char *cw_etag_str(uint64_t version, char buf[static CW_ETAG_STRLEN])
{
	(void) snprintf(buf, CW_ETAG_STRLEN, "\"%llu\"", (unsigned long long) version);
	return buf;
}

/* The octets of the tag at s with its quotation marks, 0: there is none (RFC 9110 8.8.3 etagc). */
static size_t tag_len(const char *s)
{
	size_t n = 1;

	if (*s != '"')
		return 0;
	while ((uint8_t) s[n] > 0x20 && s[n] != '"' && s[n] != 0x7f)
		n++;
	return s[n] == '"' ? n + 1 : 0;
}

int cw_if_match(const char *value, uint64_t *ret_version)
{
	const size_t n = tag_len(value);
	uint64_t version;

	if (!n || value[n])
		return CW_E_SYNTAX;
	if (value[1] == '0' || cw_parse_u64(value + 1, n - 2, 1, INT64_MAX, &version) < 0)
		return CW_E_STALE;
	*ret_version = version;
	return 0;
}

bool cw_if_none_match(const char *value, uint64_t version)
{
	char own[CW_ETAG_STRLEN];
	const size_t own_n = strlen(cw_etag_str(version, own));
	bool found = false;

	if (strcmp(value, "*") == 0)
		return true;
	for (;;) {
		size_t n;

		value += strspn(value, blanks);
		if (strncmp(value, "W/", 2) == 0)
			value += 2;
		n = tag_len(value);
		if (!n)
			return false;
		found = found || (n == own_n && memcmp(value, own, n) == 0);
		value += n;
		value += strspn(value, blanks);
		if (!*value)
			return found;
		if (*value++ != ',')
			return false;
	}
}

/* ---- who asks ---- */

bool cw_bearer_ok(const char *s, size_t n)
{
	if (n != CW_BEARER_LEN || memcmp(s, "cw_", 3) != 0)
		return false;
	for (size_t i = 3; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			    (s[i] >= '0' && s[i] <= '9') || s[i] == '-' || s[i] == '_'))
			return false;
	return true;
}

int cw_bearer(const char *value, struct cw_slice *ret_token)
{
	size_t n;

	if (strncasecmp(value, "Bearer", 6) != 0 || (value[6] != ' ' && value[6]))
		return -ENOENT;
	value += 6;
	value += strspn(value, " ");
	n = strlen(value);
	if (!cw_bearer_ok(value, n))
		return CW_E_SYNTAX;
	*ret_token = (struct cw_slice){value, n};
	return 0;
}

int cw_cookie(const char *value, const char *name, struct cw_slice *ret)
{
	const size_t name_n = strlen(name);

	while (*value) {
		const size_t n = strcspn(value, ";");

		if (n > name_n && memcmp(value, name, name_n) == 0 && value[name_n] == '=') {
			*ret = (struct cw_slice){value + name_n + 1, n - name_n - 1};
			return 0;
		}
		value += n;
		value += strspn(value, "; ");
	}
	return -ENOENT;
}

/* ---- the request ---- */

int cw_idempotency_key(const char *value, char to[static CW_IDEMPOTENCY_KEY_MAX + 1])
{
	const bool quoted = *value == '"';
	size_t n = 0;

	if (quoted)
		value++;
	for (; *value && !(quoted && *value == '"'); value++) {
		/* RFC 8941 3.3.3: only these two are escaped. */
		if (quoted && *value == '\\' && *++value != '\\' && *value != '"')
			return CW_E_SYNTAX;
		if (*value < 0x20 || *value > 0x7e || n == CW_IDEMPOTENCY_KEY_MAX)
			return CW_E_SYNTAX;
		to[n++] = *value;
	}
	if (!n || (quoted && strcmp(value, "\"") != 0))
		return CW_E_SYNTAX;
	to[n] = '\0';
	return (int) n;
}

static const char *const media_types[CW_MEDIAS] = {
	[CW_MEDIA_JSON] = "application/json",
	[CW_MEDIA_NDJSON] = "application/x-ndjson",
	[CW_MEDIA_CSV] = "text/csv",
	[CW_MEDIA_EVENTS] = "text/event-stream",
	[CW_MEDIA_OPENMETRICS] = "application/openmetrics-text",
	[CW_MEDIA_PLAIN] = "text/plain",
};

const char *cw_media_name(enum cw_media m)
{
	return media_types[m];
}

/* How exactly n octets of a range name the media: 3 itself, 2 its kind, 1 anything, 0 not. */
static unsigned names(const char *range, size_t n, const char *media)
{
	const size_t kind = (size_t) (strchr(media, '/') - media);

	if (strlen(media) == n && strncasecmp(range, media, n) == 0)
		return 3;
	if (n == kind + 2 && strncasecmp(range, media, kind) == 0 &&
		memcmp(range + kind, "/*", 2) == 0)
		return 2;
	return n == 3 && memcmp(range, "*/*", 3) == 0 ? 1 : 0;
}

/* The weight in thousandths among the parameters of a range (";q=0.5"); -1: malformed. Other parameters are passed over:
 * none of ours has any that matters. */
static int weight(const char *s, size_t n)
{
	static const unsigned tens[] = {1000, 100, 10, 1};

	for (size_t i = 0; i < n; i++) {
		const size_t at = i + 1 + strspn(s + i + 1, blanks);
		unsigned q = 0, place = 0;

		if (s[i] != ';' || at + 2 >= n || (s[at] | 0x20) != 'q' || s[at + 1] != '=')
			continue;
		for (size_t k = at + 2; k < n && s[k] != ';' && s[k] != ' ' && s[k] != '\t'; k++) {
			if (k == at + 3 && s[k] == '.')
				continue;
			if (s[k] < '0' || s[k] > '9' || place == CW_ARRAY_LEN(tens))
				return -1;
			q += (unsigned) (s[k] - '0') * tens[place++];
		}
		return place && q <= 1000 ? (int) q : -1;
	}
	return 1000;
}

/* How much a media is wanted: the most exact range decides (RFC 9110 12.5.1). */
static int wanted(const char *value, const char *media)
{
	unsigned best = 0;
	int q = 0;

	while (*value) {
		const size_t n = strcspn(value, ",");
		size_t range = strcspn(value, ",;");
		const size_t all = range;

		while (range && strchr(blanks, value[range - 1]))
			range--;
		if (names(value, range, media) > best) {
			best = names(value, range, media);
			q = weight(value + all, n - all);
		}
		value += n;
		value += strspn(value, ", \t");
	}
	return q;
}

int cw_accept(const char *value, unsigned offered, enum cw_media *ret)
{
	int best = 0;

	if (value)
		value += strspn(value, ", \t");
	if (!value || !*value)
		value = "*/*";
	for (unsigned m = 0; m < CW_MEDIAS; m++) {
		const int q = offered >> m & 1 ? wanted(value, media_types[m]) : 0;

		if (q > best) {
			best = q;
			*ret = (enum cw_media) m;
		}
	}
	return best > 0 ? 0 : CW_E_POLICY;
}

bool cw_content_is_json(const char *value)
{
	static const char type[] = "application/json";

	if (!value || strncasecmp(value, type, sizeof type - 1) != 0)
		return false;
	value += sizeof type - 1;
	value += strspn(value, blanks);
	if (!*value)
		return true;
	if (*value++ != ';')
		return false;
	value += strspn(value, blanks);
	return strcasecmp(value, "charset=utf-8") == 0 ||
	       strcasecmp(value, "charset=\"utf-8\"") == 0;
}
