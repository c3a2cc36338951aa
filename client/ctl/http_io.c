/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl behind our own interface, with what an operator wants to read when it fails. */
#include "config.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/http_io.h"

enum {
	ANSWER_MAX = 64 * 1024 * 1024,
	URL_MAX = 32768,
	CONNECT_S = 10,
	SILENCE_S = 45, /* a stream has a comment every 15 s */
	TRIES = 3,
	RETRY_MS = 200,
};

struct cw_ctl_http {
	CURL *curl;
	char base[512]; /* of URLs, without a slash at its end */
	char where[600];
	char *bearer; /* the header line */
	char why[1024];
	char curl_why[CURL_ERROR_SIZE];
	unsigned timeout_s;
	/* The request that runs. */
	const struct cw_ctl_request *q;
	struct cw_ctl_answer *a;
	const char *remedy;
	int sink_result;
	bool began; /* there was a status line */
	bool got;   /* the sink has had octets */
};

bool cw_ctl_wait(unsigned ms)
{
	return poll(NULL, 0, (int) ms) == 0;
}

/* ---- opening ---- */

static bool loopback(const char *url)
{
	CURLU *u = curl_url();
	char *host = NULL;
	struct cw_addr4 a4;
	struct cw_addr6 a6;
	bool yes = false;

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		size_t n = strlen(host);

		if (strcmp(host, "localhost") == 0)
			yes = true;
		else if (cw_addr4_parse(host, n, &a4) == 0)
			yes = a4.v >> 24 == 127;
		else if (n > 2 && host[0] == '[' && cw_addr6_parse(host + 1, n - 2, &a6) == 0)
			yes = cw_addr6_is_loopback(&a6);
	}
	curl_free(host);
	curl_url_cleanup(u);
	return yes;
}

static int set_url(struct cw_ctl_http *h, const struct cw_ctl_peer *p, char *why, size_t why_n)
{
	bool https = strncasecmp(p->url, "https://", 8) == 0;
	size_t n = strlen(p->url);

	if (!https && strncasecmp(p->url, "http://", 7) != 0) {
		(void) snprintf(why, why_n,
			"--url must begin with https:// (or http:// for a loopback address)");
		return CW_E_SYNTAX;
	}
	if (!https && !loopback(p->url)) {
		(void) snprintf(why, why_n, "--url %s would send everything in clear; use https://",
			p->url);
		return CW_E_SYNTAX;
	}
	while (n && p->url[n - 1] == '/')
		n--;
	if (n >= sizeof h->base || memchr(p->url + 8, '@', n > 8 ? n - 8 : 0) ||
		memchr(p->url, '?', n)) {
		(void) snprintf(
			why, why_n, "--url is too long, or has more than a host and a port");
		return CW_E_SYNTAX;
	}
	memcpy(h->base, p->url, n);
	(void) snprintf(h->where, sizeof h->where, "%s", h->base);
	return 0;
}

static CURLcode set_fixed(CURL *c)
{
	CURLcode rc = CURLE_OK;

#define SET(option, value) rc = rc ? rc : curl_easy_setopt(c, (option), (value))
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_CONNECTTIMEOUT, (long) CONNECT_S);
	SET(CURLOPT_USERAGENT, "causewayctl/" PACKAGE_VERSION);
	return rc;
}

static CURLcode set_peer(CURL *c, const struct cw_ctl_peer *p)
{
	CURLcode rc = CURLE_OK;

	if (!p->url) {
		SET(CURLOPT_UNIX_SOCKET_PATH, p->socket);
		return rc;
	}
	if (p->ca)
		SET(CURLOPT_CAINFO, p->ca);
	if (p->cert)
		SET(CURLOPT_SSLCERT, p->cert);
	if (p->key)
		SET(CURLOPT_SSLKEY, p->key);
	return rc;
}

int cw_ctl_http_open(
	const struct cw_ctl_peer *peer, struct cw_ctl_http **ret, char *why, size_t why_n)
{
	static bool started;
	struct cw_ctl_http *h = cw_zalloc(1, sizeof *h);
	size_t n;
	int r = 0;

	if (!h)
		return -ENOMEM;
	if (!started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		r = -ENOMEM;
	started = true;
	h->timeout_s = peer->timeout_s;
	if (r == 0 && peer->url)
		r = set_url(h, peer, why, why_n);
	else {
		(void) snprintf(h->base, sizeof h->base, "http://localhost");
		(void) snprintf(h->where, sizeof h->where, "%s", peer->socket);
	}
	if (r == 0 && peer->token) {
		n = strlen(peer->token) + sizeof "Authorization: Bearer ";
		h->bearer = cw_zalloc(n, 1);
		if (h->bearer)
			(void) snprintf(h->bearer, n, "Authorization: Bearer %s", peer->token);
	}
	if (r == 0 && (!(h->curl = curl_easy_init()) || (peer->token && !h->bearer)))
		r = -ENOMEM;
	if (r == 0 && (set_fixed(h->curl) != CURLE_OK || set_peer(h->curl, peer) != CURLE_OK)) {
		(void) snprintf(why, why_n, "libcurl does not take %s", h->where);
		r = CW_E_SYNTAX;
	}
	if (r < 0) {
		(void) cw_ctl_http_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

struct cw_ctl_http *cw_ctl_http_close(struct cw_ctl_http *h)
{
	if (!h)
		return NULL;
	curl_easy_cleanup(h->curl);
	if (h->bearer)
		h->bearer = cw_free_secret(h->bearer, strlen(h->bearer));
	return cw_free(h);
}

const char *cw_ctl_http_why(const struct cw_ctl_http *h)
{
	return h->why;
}

const char *cw_ctl_http_remedy(const struct cw_ctl_http *h)
{
	return h->remedy;
}

bool cw_ctl_http_began(const struct cw_ctl_http *h)
{
	return h->began;
}

void cw_ctl_answer_done(struct cw_ctl_answer *a)
{
	/* A new token may be in it. */
	if (a->body)
		a->body = cw_free_secret(a->body, a->n);
	a->n = a->cap = 0;
}

/* ---- the answer as it comes ---- */

/* NAME: VALUE of a header line to a text of ours. */
static void header_text(const char *p, size_t n, const char *name, char *to, size_t cap)
{
	size_t k = strlen(name);

	if (n <= k || strncasecmp(p, name, k) != 0 || p[k] != ':')
		return;
	for (p += k + 1, n -= k + 1; n && (*p == ' ' || *p == '\t'); p++)
		n--;
	while (n && (p[n - 1] == '\r' || p[n - 1] == '\n' || p[n - 1] == ' '))
		n--;
	if (n < cap) {
		memcpy(to, p, n);
		to[n] = '\0';
	}
}

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
	struct cw_ctl_http *h = arg;
	struct cw_ctl_answer *a = h->a;
	size_t n = size * count;
	char text[64] = "";

	if (n > 5 && memcmp(p, "HTTP/", 5) == 0) { /* after a 100, the real one begins */
		h->began = true;
		a->type[0] = a->etag[0] = a->request_id[0] = '\0';
		return n;
	}
	header_text(p, n, "Content-Type", a->type, sizeof a->type);
	header_text(p, n, "ETag", a->etag, sizeof a->etag);
	header_text(p, n, "X-Request-Id", a->request_id, sizeof a->request_id);
	header_text(p, n, "Retry-After", text, sizeof text);
	if (text[0] && cw_parse_u64(text, strlen(text), 0, UINT32_MAX, &a->retry_after_s) < 0)
		a->retry_after_s = UINT64_MAX;
	text[0] = '\0';
	header_text(p, n, "Date", text, sizeof text);
	if (text[0])
		a->date_s = curl_getdate(text, NULL);
	return n;
}

static int keep(struct cw_ctl_answer *a, const char *p, size_t n)
{
	char *grown;

	if (n > ANSWER_MAX - a->n)
		return CW_E_LIMIT;
	if (a->n + n + 1 > a->cap) {
		size_t cap = a->cap ? a->cap : 4096;

		while (cap < a->n + n + 1)
			cap *= 2;
		grown = cw_realloc(a->body, cap, 1);
		if (!grown)
			return -ENOMEM;
		a->body = grown;
		a->cap = cap;
	}
	memcpy(a->body + a->n, p, n);
	a->n += n;
	a->body[a->n] = '\0';
	return 0;
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
	struct cw_ctl_http *h = arg;
	size_t n = size * count;
	long status = 0;

	(void) curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	if (!h->q->sink || status < 200 || status >= 300)
		h->sink_result = keep(h->a, p, n);
	else if (strncasecmp(h->a->type, h->q->accept, strlen(h->q->accept)) != 0)
		h->sink_result = CW_E_SYNTAX;
	else {
		h->got = true;
		h->sink_result = h->q->sink(h->q->arg, p, n);
	}
	return h->sink_result ? CURL_WRITEFUNC_ERROR : n;
}

/* ---- asking ---- */

static int header(struct curl_slist **list, const char *name, const char *value)
{
	char line[512];
	struct curl_slist *more;

	if (!value)
		return 0;
	if ((size_t) snprintf(line, sizeof line, "%s: %s", name, value) >= sizeof line ||
		strpbrk(value, "\r\n"))
		return CW_E_LIMIT;
	more = curl_slist_append(*list, line);
	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

static int headers(
	const struct cw_ctl_http *h, const struct cw_ctl_request *q, struct curl_slist **ret)
{
	int r = header(ret, "Accept", q->accept ? q->accept : "application/json");
	struct curl_slist *more;

	if (r == 0 && q->body)
		r = header(ret, "Content-Type", "application/json");
	if (r == 0)
		r = header(ret, "If-Match", q->if_match);
	if (r == 0)
		r = header(ret, "Idempotency-Key", q->key);
	if (r == 0)
		r = header(ret, "Last-Event-ID", q->last_event);
	if (r == 0 && h->bearer) {
		more = curl_slist_append(*ret, h->bearer);
		if (!more)
			return -ENOMEM;
		*ret = more;
	}
	/* No waiting for 100 Continue: the body is short. */
	return r < 0 ? r : header(ret, "Expect", "");
}

/* Why a TLS connection was not made, as what to do about it (the results are OpenSSL's, X509_STORE_CTX_get_error(3)). */
static const char *tls_remedy(const struct cw_ctl_http *h, CURLcode rc)
{
	enum {
		NOT_YET = 9,
		EXPIRED = 10,
		SELF = 18,
		SELF_CHAIN = 19,
		NO_ISSUER = 20,
		NO_FIRST = 21
	};
	long verified = 0;

	(void) curl_easy_getinfo(h->curl, CURLINFO_SSL_VERIFYRESULT, &verified);
	switch (verified) {
	case NOT_YET:
	case EXPIRED:
		return "the broker's certificate is not valid now: renew it (or set this host's clock)";
	case SELF:
	case SELF_CHAIN:
	case NO_ISSUER:
	case NO_FIRST:
		return "--ca names the authorities that sign the broker's certificate";
	default:
		return rc == CURLE_PEER_FAILED_VERIFICATION
			       ? "--url must have a name or address that the broker's certificate is for"
			       : "does the broker speak TLS there (cert and key of its section rest)?";
	}
}

/* The code of a failure; *h->why says it. */
static int failed(struct cw_ctl_http *h, CURLcode rc)
{
	const char *what = h->curl_why[0] ? h->curl_why : curl_easy_strerror(rc);
	int r = -ECONNRESET;
	long e = 0;

	(void) curl_easy_getinfo(h->curl, CURLINFO_OS_ERRNO, &e);
	switch (rc) {
	case CURLE_WRITE_ERROR:
		r = h->sink_result < 0 ? h->sink_result : -EIO;
		what = r == CW_E_SYNTAX
			       ? "the answer is of another media type: is this the API of causewayd?"
			       : cw_strerror(r);
		break;
	case CURLE_COULDNT_CONNECT:
		r = e ? (int) -e : -ECONNREFUSED;
		what = e ? cw_strerror(r) : what;
		break;
	case CURLE_OPERATION_TIMEDOUT:
		r = -ETIMEDOUT;
		what = h->began ? "nothing more came in time" : "no answer in time";
		break;
	case CURLE_OUT_OF_MEMORY:
		r = -ENOMEM;
		break;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		r = CW_E_AUTH;
		h->remedy = tls_remedy(h, rc);
		break;
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		r = -EINVAL;
		h->remedy =
			"--cert, --key and --ca name files in PEM, the key without a passphrase";
		break;
	default:
		what = h->began ? "the answer broke off" : what;
		break;
	}
	(void) snprintf(h->why, sizeof h->why, "%s: %s",
		h->got && h->sink_result < 0 ? "output" : h->where, what);
	return r;
}

static int once(struct cw_ctl_http *h, const char *url, struct curl_slist *list)
{
	const struct cw_ctl_request *q = h->q;
	CURL *c = h->curl;
	CURLcode rc = CURLE_OK;

	h->curl_why[0] = h->why[0] = '\0';
	h->sink_result = 0;
	h->began = h->got = false;
	h->remedy = NULL;
	cw_ctl_answer_done(h->a);
	*h->a = (struct cw_ctl_answer){.retry_after_s = UINT64_MAX, .date_s = -1};
	SET(CURLOPT_ERRORBUFFER, h->curl_why);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_HTTPHEADER, list);
	SET(CURLOPT_HTTPGET, 1L);
	if (q->body || q->method == CW_REST_POST) {
		SET(CURLOPT_POSTFIELDSIZE, (long) (q->body ? q->body_n : 0));
		SET(CURLOPT_POSTFIELDS, q->body ? q->body : ""); /* borrowed */
		SET(CURLOPT_POST, 1L);
	}
	SET(CURLOPT_CUSTOMREQUEST, cw_rest_method_name(q->method));
	SET(CURLOPT_TIMEOUT, (long) (q->stream || q->sink ? 0 : h->timeout_s));
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long) (q->stream ? SILENCE_S : q->sink ? h->timeout_s : 0));
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, h);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, h);
	if (rc == CURLE_OK)
		rc = curl_easy_perform(c);
	if (rc != CURLE_OK && !(rc == CURLE_WRITE_ERROR && h->sink_result > 0))
		return failed(h, rc);
	(void) curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &h->a->status);
	return 0;
}
#undef SET

/* A broken connection tells nothing of what the broker did; asking again is safe where the first answer is kept, and
 * where nothing changes. */
static bool again(const struct cw_ctl_http *h, int r)
{
	return (r == -ECONNRESET || r == -EPIPE) && !h->got &&
	       (h->q->key || h->q->method == CW_REST_GET) && !h->q->stream;
}

int cw_ctl_http_do(struct cw_ctl_http *h, const struct cw_ctl_request *q, struct cw_ctl_answer *ret)
{
	CW_CLEANUP(cw_freep) char *url = cw_zalloc(URL_MAX, 1);
	struct curl_slist *list = NULL;
	int r;

	*ret = (struct cw_ctl_answer){.retry_after_s = UINT64_MAX, .date_s = -1};
	if (!url)
		return -ENOMEM;
	h->q = q;
	h->a = ret;
	if (snprintf(url, URL_MAX, "%s%s%s%s", h->base, q->path, q->query && *q->query ? "?" : "",
		    q->query ? q->query : "") >= URL_MAX) {
		(void) snprintf(h->why, sizeof h->why, "the request is too long");
		return CW_E_LIMIT;
	}
	r = headers(h, q, &list);
	if (r < 0)
		(void) snprintf(
			h->why, sizeof h->why, "a header cannot be sent: %s", cw_strerror(r));
	else {
		r = once(h, url, list);
		for (unsigned i = 1; i < TRIES && r < 0 && again(h, r) && cw_ctl_wait(RETRY_MS * i);
			i++)
			r = once(h, url, list);
	}
	curl_slist_free_all(list);
	h->q = NULL;
	h->a = NULL;
	if (r < 0)
		cw_ctl_answer_done(ret);
	return r;
}
