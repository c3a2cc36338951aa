/* SPDX-License-Identifier: BSD-2-Clause */
/* See assets.h. A page may load from here alone and holds no script or style of its own (Content
 * Security Policy level 3), so that a name an operator reads can never become a program; nobody may
 * frame it, so that no click is stolen. The ETag is a hash of the text: after an upgrade of the
 * broker no browser mixes old files with new. */
#include "config.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "broker/rest/assets.h"

static const struct asset {
	const char *path, *type, *text;
	size_t n;
} assets[] = {
#define TEXT(s) (s), sizeof(s) - 1
#include "broker/dashboard/assets.inc"
#undef TEXT
};

static const struct asset *find(const char *path)
{
	for (size_t i = 0; i < CW_ARRAY_LEN(assets); i++)
		if (strcmp(assets[i].path, path) == 0)
			return &assets[i];
	return NULL;
}

/* Strong: a quoted part of the SHA-256. */
static void tag_of(const struct asset *a, char to[static 19])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];

	(void) SHA256((const unsigned char *) a->text, a->n, hash);
	*to++ = '"';
	for (unsigned i = 0; i < 8; i++, to += 2)
		(void) snprintf(to, 3, "%02x", hash[i]);
	to[0] = '"';
	to[1] = '\0';
}

bool cw_rest_is_asset(const struct cw_rest_request *q)
{
	return find(q->path) != NULL;
}

void cw_rest_asset(struct cw_rest_request *q)
{
	const struct asset *a = find(q->path);
	const char *seen;
	char tag[19];

	if (!a) {
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, NULL);
		return;
	}
	tag_of(a, tag);
	cw_rest_add_header(q, "ETag", tag);
	cw_rest_add_header(q, "Cache-Control", "no-cache"); /* asks each time, with the ETag */
	cw_rest_add_header(q, "Content-Security-Policy",
		"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
		"object-src 'none'");
	cw_rest_add_header(q, "X-Content-Type-Options", "nosniff");
	cw_rest_add_header(q, "X-Frame-Options", "DENY"); /* for what does not know the policy */
	cw_rest_add_header(q, "Referrer-Policy", "no-referrer");
	cw_rest_add_header(q, "Cross-Origin-Opener-Policy", "same-origin");
	seen = cw_rest_header(q, "If-None-Match");
	if (seen && (strstr(seen, tag) || strcmp(seen, "*") == 0)) {
		cw_rest_answer(q, 304, NULL);
		return;
	}
	cw_json_put_raw(&q->out, a->text, a->n);
	cw_rest_answer(q, 200, a->type);
}
