/* SPDX-License-Identifier: BSD-2-Clause */
/* Which verifiers a user needs for the mechanisms that are offered. A password itself is never
 * stored; DIGEST-MD5's verifier is as good as one for its realm and is made only when that
 * mechanism is listed. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/auth/auth.h"

static bool offered(const char *mechanisms, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = mechanisms; *p; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		if (strncmp(p, name, n) == 0 && (p[n] == ' ' || p[n] == 0))
			return true;
	}
	return false;
}

static int add(const char *kind, const char *user, const char *realm, const char *password,
	struct cw_credential *to)
{
	struct cw_sasl_verifier v;
	int r = cw_sasl_make_verifier(kind, user, realm, password, 0, &v);

	if (r < 0)
		return r;
	(void) snprintf(to->kind, sizeof to->kind, "%s", v.kind);
	(void) snprintf(to->verifier, sizeof to->verifier, "%s", v.text);
	explicit_bzero(&v, sizeof v);
	return 1;
}

int cw_auth_verifiers(const char *mechanisms, const char *user, const char *realm,
	const char *password, struct cw_credential to[static CW_AUTH_KINDS])
{
	bool sha1 = offered(mechanisms, "SCRAM-SHA-1"), digest = offered(mechanisms, "DIGEST-MD5");
	/* Of the two, the better one serves PLAIN and those who are offered nothing that needs a
	 * verifier today. */
	bool sha256 = offered(mechanisms, "SCRAM-SHA-256") ||
		      (!sha1 && (!digest || offered(mechanisms, "PLAIN")));
	int n = 0, r = 0;

	if (sha256)
		r = add("SCRAM-SHA-256", user, NULL, password, &to[n]);
	if (r < 0)
		return r;
	n += r;
	r = sha1 ? add("SCRAM-SHA-1", user, NULL, password, &to[n]) : 0;
	if (r < 0)
		return r;
	n += r;
	r = digest ? add("DIGEST-MD5", user, realm, password, &to[n]) : 0;
	return r < 0 ? r : n + r;
}
