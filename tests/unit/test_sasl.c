/* SPDX-License-Identifier: BSD-2-Clause */
/* The server side of SASL against Cyrus's own client in memory, every mechanism; what deployed
 * clients send; what must fail, and that a name nobody has fails as a wrong password does. */
#include "config.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <sasl/sasl.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "schema/sasl/common.h"
#include "schema/sasl/sasl.h"
#include "schema/sasl/verifier.h"
#include "tests/lib/cw-cmocka.h"

#define REALM "example.net"

/* ---- users ---- */

struct users {
	struct cw_sasl_verifier alice[3];
	size_t alice_n;
	int fail; /* what the lookup answers instead */
	_Atomic unsigned lookups;
};

static int lookup(void *arg, const char *user, struct cw_sasl_verifier *to, size_t max)
{
	struct users *u = arg;

	u->lookups++;
	if (u->fail)
		return u->fail;
	if (strcmp(user, "alice") != 0)
		return 0;
	for (size_t i = 0; i < u->alice_n && i < max; i++)
		to[i] = u->alice[i];
	return (int) u->alice_n;
}

static struct users users;

static int setup(void **state)
{
	static const char *const kinds[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5"};
	const struct cw_sasl_server_conf conf = {.realm = REALM};
	static const sasl_callback_t none[] = {{SASL_CB_LIST_END, NULL, NULL}};

	(void) state;
	for (unsigned i = 0; i < 3; i++)
		if (cw_sasl_make_verifier(kinds[i], "alice", REALM, "secret", 0, &users.alice[i]) <
			0)
			return -1;
	users.alice_n = 3;
	if (cw_sasl_server_init(&conf) < 0)
		return -1;
	return sasl_client_init(none) == SASL_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void) state;
	(void) sasl_client_done();
	cw_sasl_server_done();
	return 0;
}

static int reset(void **state)
{
	(void) state;
	users.alice_n = 3;
	users.fail = 0;
	users.lookups = 0;
	return 0;
}

/* ---- a client ---- */

struct client {
	const char *user, *as, *password;
	sasl_conn_t *conn;
	sasl_callback_t callbacks[5];
	char secret[sizeof(sasl_secret_t) + 256];
};

static int on_name(void *context, int id, const char **ret, unsigned *ret_n)
{
	const struct client *c = context;

	*ret = id == SASL_CB_USER ? c->as : c->user;
	if (ret_n)
		*ret_n = (unsigned) strlen(*ret);
	return SASL_OK;
}

static int on_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **ret)
{
	struct client *c = context;
	sasl_secret_t *s = (sasl_secret_t *) (void *) c->secret;

	(void) conn;
	(void) id;
	s->len = strlen(c->password);
	memcpy(s->data, c->password, s->len + 1);
	*ret = s;
	return SASL_OK;
}

static void client_new(struct client *c, const char *as, const char *user, const char *password)
{
	const sasl_security_properties_t none = {.max_ssf = 0};

	memset(c, 0, sizeof *c);
	c->as = as;
	c->user = user;
	c->password = password;
	c->callbacks[0] = (sasl_callback_t){SASL_CB_USER, CW_SASL_PROC(on_name), c};
	c->callbacks[1] = (sasl_callback_t){SASL_CB_AUTHNAME, CW_SASL_PROC(on_name), c};
	c->callbacks[2] = (sasl_callback_t){SASL_CB_PASS, CW_SASL_PROC(on_password), c};
	c->callbacks[3] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	assert_int_equal(sasl_client_new(CW_SASL_SERVICE, "tsp.example.net", NULL, NULL,
				 c->callbacks, SASL_SUCCESS_DATA, &c->conn),
		SASL_OK);
	assert_int_equal(sasl_setprop(c->conn, SASL_SEC_PROPS, &none), SASL_OK);
}

struct run {
	const char *mech;
	const char *as, *user, *password;
	const char *external;
	bool no_initial; /* the protocol carries no initial response */
	unsigned steps;  /* of the server, made */
	char name[64];   /* who got in, or was tried */
};

/* The whole exchange. */
static enum cw_sasl_result run(struct run *r)
{
	const struct cw_sasl_params params = {
		.lookup = lookup, .arg = &users, .external = r->external};
	struct cw_sasl_server *s = NULL;
	struct cw_sasl_out out;
	enum cw_sasl_result result;
	const char *data = NULL, *mech;
	struct client c;
	unsigned n = 0;
	int cr;

	client_new(&c, r->as ? r->as : "", r->user ? r->user : "", r->password ? r->password : "");
	if (r->external)
		assert_int_equal(sasl_setprop(c.conn, SASL_AUTH_EXTERNAL, r->external), SASL_OK);
	cr = sasl_client_start(c.conn, r->mech, NULL, &data, &n, &mech);
	assert_true(cr == SASL_OK || cr == SASL_CONTINUE);
	r->steps = 1;
	if (r->no_initial && strcmp(r->mech, "DIGEST-MD5") != 0) {
		result = cw_sasl_server_start(&params, r->mech, NULL, 0, &s, &out);
		assert_int_equal(result, CW_SASL_CONTINUE);
		assert_int_equal(out.n, 0);
		result = cw_sasl_server_step(s, data, n, &out);
	} else {
		result = cw_sasl_server_start(&params, r->mech, data, n, &s, &out);
	}
	while (result == CW_SASL_CONTINUE && r->steps < 10) {
		cr = sasl_client_step(c.conn, out.data, (unsigned) out.n, NULL, &data, &n);
		if (cr != SASL_OK && cr != SASL_CONTINUE)
			break;
		r->steps++;
		result = cw_sasl_server_step(s, data, n, &out);
	}
	/* The final message satisfies the client (the server is who it says). */
	if (result == CW_SASL_DONE && out.n)
		assert_int_equal(
			sasl_client_step(c.conn, out.data, (unsigned) out.n, NULL, &data, &n),
			SASL_OK);
	(void) snprintf(r->name, sizeof r->name, "%s",
		cw_sasl_server_user(s) ? cw_sasl_server_user(s) : "");
	sasl_dispose(&c.conn);
	(void) cw_sasl_server_free(s);
	return result;
}

/* ---- every mechanism ---- */

static const char *const password_mechs[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "PLAIN"};

static void good(void **state)
{
	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(password_mechs); i++) {
		for (unsigned form = 0; form < 3; form++) {
			struct run r = {.mech = password_mechs[i],
				.as = form == 1 ? "alice" : "",
				.user = "alice",
				.password = "secret",
				.no_initial = form == 2};

			assert_true(cw_sasl_server_has(r.mech));
			assert_int_equal(run(&r), CW_SASL_DONE);
			assert_string_equal(r.name, "alice");
		}
	}
}

static void bad(void **state)
{
	static const struct {
		const char *as, *user, *password;
	} cases[] = {
		{"", "alice", "wrong"}, {"", "bob", "secret"}, {"", "alic", "secret"},
		{"", "ALICE", "secret"}, {"bob", "alice", "secret"}, /* for another */
	};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(password_mechs); i++) {
		for (unsigned k = 0; k < CW_ARRAY_LEN(cases); k++) {
			struct run r = {.mech = password_mechs[i],
				.as = cases[k].as,
				.user = cases[k].user,
				.password = cases[k].password};

			if (run(&r) != CW_SASL_FAILED)
				fail_msg("%s as '%s', '%s'", r.mech, r.as, r.user);
			assert_string_equal(r.name, cases[k].user);
		}
	}
}

/* Unknown users go through as many steps as known ones, and see challenges of the same form. */
static void unknown_users(void **state)
{
	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(password_mechs); i++) {
		struct run known = {
			.mech = password_mechs[i], .user = "alice", .password = "wrong"};
		struct run unknown = {
			.mech = password_mechs[i], .user = "bob", .password = "wrong"};
		struct run partly = known;

		assert_int_equal(run(&known), CW_SASL_FAILED);
		assert_int_equal(run(&unknown), CW_SASL_FAILED);
		assert_int_equal(known.steps, unknown.steps);
		users.alice_n = 0; /* there, but without any verifier */
		assert_int_equal(run(&partly), CW_SASL_FAILED);
		assert_int_equal(known.steps, partly.steps);
		users.alice_n = 3;
	}
}

static size_t scram_challenge(const char *user, const char *mech, char *to, size_t cap)
{
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};
	struct cw_sasl_server *s;
	struct cw_sasl_out out;
	char first[64];
	const int n = snprintf(first, sizeof first, "n,,n=%s,r=abcdefghijkl", user);

	assert_int_equal(
		cw_sasl_server_start(&params, mech, first, (size_t) n, &s, &out), CW_SASL_CONTINUE);
	assert_true(out.n < cap);
	memcpy(to, out.data, out.n);
	to[out.n] = '\0';
	(void) cw_sasl_server_free(s);
	return strlen(to);
}

static void scram_challenges(void **state)
{
	char alice[256], bob[256], again[256], other[256];
	const char *salt;

	(void) state;
	assert_int_equal(scram_challenge("alice", "SCRAM-SHA-256", alice, sizeof alice),
		scram_challenge("bobby", "SCRAM-SHA-256", bob, sizeof bob));
	(void) scram_challenge("bobby", "SCRAM-SHA-256", again, sizeof again);
	salt = strstr(bob, ",s=");
	assert_non_null(salt);
	assert_string_equal(salt, strstr(again, ",s=")); /* the salt stays the same */
	assert_non_null(strstr(alice, ",i=4096"));
	(void) scram_challenge("bobbx", "SCRAM-SHA-256", other, sizeof other);
	assert_string_not_equal(salt, strstr(other, ",s="));
	(void) scram_challenge("bobby", "SCRAM-SHA-1", other, sizeof other);
	assert_string_not_equal(salt, strstr(other, ",s="));
}

/* The store cannot answer: "busy", whoever asks. */
static void lookup_fails(void **state)
{
	(void) state;
	users.fail = CW_E_STORE_IO;
	for (unsigned i = 0; i < CW_ARRAY_LEN(password_mechs); i++) {
		struct run r = {.mech = password_mechs[i], .user = "alice", .password = "secret"};

		assert_int_equal(run(&r), CW_SASL_BUSY);
	}
}

static void anonymous(void **state)
{
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};
	static const char *const traces[] = {NULL, "", "joe@example.net"};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(traces); i++) {
		struct cw_sasl_server *s;
		struct cw_sasl_out out;

		assert_int_equal(cw_sasl_server_start(&params, "ANONYMOUS", traces[i],
					 traces[i] ? strlen(traces[i]) : 0, &s, &out),
			CW_SASL_DONE);
		assert_int_equal(out.n, 0);
		assert_null(cw_sasl_server_user(s));
		assert_string_equal(cw_sasl_server_mech(s), "ANONYMOUS");
		(void) cw_sasl_server_free(s);
	}
	assert_int_equal(users.lookups, 0);
	assert_true(cw_sasl_mech_is_instant("ANONYMOUS"));
	assert_false(cw_sasl_mech_is_instant("PLAIN"));
}

static void external(void **state)
{
	struct run r = {.mech = "EXTERNAL", .external = "alice", .no_initial = true};
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users},
				    named = {.external = "alice"};
	struct cw_sasl_server *s;
	struct cw_sasl_out out;

	(void) state;
	assert_int_equal(run(&r), CW_SASL_DONE);
	assert_string_equal(r.name, "alice");
	/* Without a certificate; for another. */
	assert_int_equal(
		cw_sasl_server_start(&params, "EXTERNAL", "", 0, &s, &out), CW_SASL_FAILED);
	(void) cw_sasl_server_free(s);
	assert_int_equal(
		cw_sasl_server_start(&named, "EXTERNAL", "bob", 3, &s, &out), CW_SASL_FAILED);
	(void) cw_sasl_server_free(s);
	assert_int_equal(
		cw_sasl_server_start(&named, "EXTERNAL", "alice", 5, &s, &out), CW_SASL_DONE);
	(void) cw_sasl_server_free(s);
	assert_int_equal(
		cw_sasl_server_start(&named, "EXTERNAL", NULL, 0, &s, &out), CW_SASL_CONTINUE);
	assert_int_equal(cw_sasl_server_step(s, NULL, 0, &out), CW_SASL_DONE);
	assert_string_equal(cw_sasl_server_user(s), "alice");
	assert_int_equal(cw_sasl_server_step(s, NULL, 0, &out), CW_SASL_FAILED); /* it was over */
	(void) cw_sasl_server_free(s);
}

static void not_offered(void **state)
{
	static const char *const mechs[] = {"CRAM-MD5", "LOGIN", "GSSAPI", "NTLM", "PASSDSS-3DES-1",
		"SCRAM-SHA-256-PLUS", "scram-sha-256", "",
		"A-NAME-LONGER-THAN-ANY-MECHANISM-MAY-HAVE"};
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(mechs); i++) {
		struct cw_sasl_server *s;
		struct cw_sasl_out out;

		assert_false(cw_sasl_server_has(mechs[i]));
		assert_int_equal(
			cw_sasl_server_start(&params, mechs[i], "x", 1, &s, &out), CW_SASL_FAILED);
		assert_int_equal(cw_sasl_server_step(s, "x", 1, &out), CW_SASL_FAILED);
		(void) cw_sasl_server_free(s);
	}
}

/* ---- DIGEST-MD5 as deployed clients have it ---- */

/* The value of a name in a challenge, quotes taken off; NULL: not there. */
static char *value_of(const char *challenge, const char *name, char *to, size_t cap)
{
	char key[32];
	const char *at;
	size_t n;

	(void) snprintf(key, sizeof key, "%s=", name);
	at = strstr(challenge, key);
	if (!at)
		return NULL;
	at += strlen(key);
	at += *at == '"';
	n = strcspn(at, "\",");
	assert_true(n < cap);
	memcpy(to, at, n);
	to[n] = '\0';
	return to;
}

static void hex_md5(const void *p, size_t n, char *to)
{
	unsigned char md[16];

	/* H() of RFC 2831 2.1.2.1; the server's verifier is made of it too, but checked against
	 * Cyrus above. */
	assert_int_equal(EVP_Digest(p, n, md, NULL, EVP_md5(), NULL), 1);
	for (size_t i = 0; i < 16; i++)
		(void) snprintf(to + 2 * i, 3, "%02x", md[i]);
}

/* The form with %r, %n, %u and %h filled in: realm, nonce, URI, response. */
static int fill(const char *form, const char *const values[4], char *to, size_t cap)
{
	static const char keys[] = "rnuh";
	struct cw_writer w = cw_writer_of(to, cap);

	for (; *form; form++) {
		const char *at = *form == '%' ? strchr(keys, form[1]) : NULL;

		if (at) {
			cw_write_str(&w, values[at - keys]);
			form++;
		} else {
			cw_write_u8(&w, (uint8_t) *form);
		}
	}
	assert_false(w.bad);
	return (int) cw_write_len(&w);
}

/* A response for the challenge, written in that form. */
static int respond(const char *challenge, const char *form, const char *uri, char *to, size_t cap)
{
	char realm[64], nonce[128], text[512], ha1[33], ha2[33], response[33];
	unsigned char a1[256];
	size_t n;

	assert_non_null(value_of(challenge, "realm", realm, sizeof realm));
	assert_non_null(value_of(challenge, "nonce", nonce, sizeof nonce));
	n = (size_t) snprintf(text, sizeof text, "alice:%s:secret", realm);
	assert_int_equal(EVP_Digest(text, n, a1, NULL, EVP_md5(), NULL), 1);
	if (strstr(form, "\"bob\"")) /* what a forgotten secret would be */
		memset(a1, 0, 16);
	n = 16 + (size_t) snprintf((char *) a1 + 16, sizeof a1 - 16, ":%s:abc", nonce);
	hex_md5(a1, n, ha1);
	n = (size_t) snprintf(text, sizeof text, "AUTHENTICATE:%s", uri);
	hex_md5(text, n, ha2);
	n = (size_t) snprintf(text, sizeof text, "%s:%s:00000001:abc:auth:%s", ha1, nonce, ha2);
	hex_md5(text, n, response);
	return fill(form, (const char *const[]){realm, nonce, uri, response}, to, cap);
}

static void digest_spellings(void **state)
{
	/* The example of RFC 5572, what Cyrus and gogoc send, and what RFC 2831 prints. */
	static const char *const forms[] = {
		"charset=utf8,username=\"alice\",realm=\"%r\",nonce=\"%n\",nc=00000001,cnonce=\"abc\","
		"digest-uri=\"%u\",response=%h,qop=auth",
		"username=\"alice\",realm=\"%r\",nonce=\"%n\",nc=00000001,cnonce=\"abc\",digest-uri=\"%u\","
		"response=%h,qop=\"auth\",charset=utf8",
		"charset=utf-8,username=alice,realm=%r,nonce=\"%n\",nc=00000001,cnonce=abc,digest-uri=\"%u\","
		"response=%h,qop=auth",
		"username=\"alice\",realm=\"%r\",nonce=\"%n\",nc=00000001,cnonce=\"abc\",digest-uri=\"%u\","
		"response=%h",
	};
	static const char *const uris[] = {"tsp/hexos", "tsp/[::1]:3653", "tsp/tsp.example.net"};
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(forms) * CW_ARRAY_LEN(uris); i++) {
		struct cw_sasl_server *s;
		struct cw_sasl_out out;
		char challenge[512], response[1024];
		int n;

		assert_int_equal(cw_sasl_server_start(&params, "DIGEST-MD5", NULL, 0, &s, &out),
			CW_SASL_CONTINUE);
		assert_true(out.n < sizeof challenge);
		memcpy(challenge, out.data, out.n);
		challenge[out.n] = '\0';
		n = respond(challenge, forms[i % CW_ARRAY_LEN(forms)],
			uris[i / CW_ARRAY_LEN(forms)], response, sizeof response);
		assert_true(n > 0 && (size_t) n < sizeof response);
		if (cw_sasl_server_step(s, response, (size_t) n, &out) != CW_SASL_DONE)
			fail_msg("%.*s", n, response);
		assert_true(out.n > 8 && memcmp(out.data, "rspauth=", 8) == 0);
		assert_string_equal(cw_sasl_server_user(s), "alice");
		(void) cw_sasl_server_free(s);
	}
}

/* What stands twice is refused before the library sees it: it would lose the memory of the first, whatever that is
 * for and however it is written. */
static void digest_repeated(void **state)
{
	static const char *const more[] = {"username=\"alice\"", "USERNAME = \"alice\"",
		"x=\"a\\\",\" , username(=alice", ",,nonce=\"%n\"", "x=y\",cnonce=\"abc\"",
		"x=\"y\"z,response=%h", "qop=auth", "realm=\"%r\"", "nc=00000001",
		"digest-uri=\"%u\"", "maxbuf=1024,maxbuf=1024"};
	static const char *const fine[] = {
		"x=\",username=a\"", "x=\"a\\\",username=b\"", "x=1,x=2"};
	static const char rest[] =
		"username=\"alice\",realm=\"%r\",nonce=\"%n\",nc=00000001,cnonce=\"abc\","
		"digest-uri=\"%u\",response=%h,qop=auth";
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(more) + CW_ARRAY_LEN(fine); i++) {
		bool is_more = i < CW_ARRAY_LEN(more);
		struct cw_sasl_server *s;
		struct cw_sasl_out out;
		char challenge[512], response[1024], form[512];
		int n;

		(void) snprintf(form, sizeof form, "%s,%s",
			is_more ? more[i] : fine[i - CW_ARRAY_LEN(more)], rest);
		assert_int_equal(cw_sasl_server_start(&params, "DIGEST-MD5", NULL, 0, &s, &out),
			CW_SASL_CONTINUE);
		assert_true(out.n < sizeof challenge);
		memcpy(challenge, out.data, out.n);
		challenge[out.n] = '\0';
		n = respond(challenge, form, "tsp/x", response, sizeof response);
		if (cw_sasl_server_step(s, response, (size_t) n, &out) !=
			(is_more ? CW_SASL_FAILED : CW_SASL_DONE))
			fail_msg("%.*s", n, response);
		(void) cw_sasl_server_free(s);
	}
}

/* An unknown user's secret is not one that can be guessed. */
static void digest_no_secret(void **state)
{
	static const char form[] =
		"username=\"bob\",realm=\"%r\",nonce=\"%n\",nc=00000001,cnonce=\"abc\","
		"digest-uri=\"%u\",response=%h,qop=auth";
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};
	struct cw_sasl_server *s;
	struct cw_sasl_out out;
	char challenge[512], response[1024];
	int n;

	(void) state;
	assert_int_equal(
		cw_sasl_server_start(&params, "DIGEST-MD5", NULL, 0, &s, &out), CW_SASL_CONTINUE);
	assert_true(out.n < sizeof challenge);
	memcpy(challenge, out.data, out.n);
	challenge[out.n] = '\0';
	n = respond(challenge, form, "tsp/x", response, sizeof response);
	assert_int_equal(cw_sasl_server_step(s, response, (size_t) n, &out), CW_SASL_FAILED);
	(void) cw_sasl_server_free(s);
}

static void digest_challenge(void **state)
{
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};
	struct cw_sasl_server *s;
	struct cw_sasl_out out;
	char text[512], v[128], other[128];

	(void) state;
	assert_int_equal(
		cw_sasl_server_start(&params, "DIGEST-MD5", NULL, 0, &s, &out), CW_SASL_CONTINUE);
	memcpy(text, out.data, out.n);
	text[out.n] = '\0';
	(void) cw_sasl_server_free(s);
	assert_string_equal(value_of(text, "realm", v, sizeof v), REALM);
	assert_string_equal(value_of(text, "qop", v, sizeof v), "auth");
	assert_string_equal(value_of(text, "algorithm", v, sizeof v), "md5-sess");
	assert_string_equal(value_of(text, "charset", v, sizeof v), "utf-8");
	assert_true(strlen(value_of(text, "nonce", v, sizeof v)) >= 16);
	assert_null(value_of(text, "maxbuf", other, sizeof other));
	assert_null(value_of(text, "cipher", other, sizeof other));
	assert_int_equal(
		cw_sasl_server_start(&params, "DIGEST-MD5", NULL, 0, &s, &out), CW_SASL_CONTINUE);
	memcpy(text, out.data, out.n);
	text[out.n] = '\0';
	assert_string_not_equal(value_of(text, "nonce", other, sizeof other), v);
	(void) cw_sasl_server_free(s);
	/* Cyrus's clients try what they know from the last time (RFC 2831 2.2): they get a new
	 * challenge. */
	assert_int_equal(
		cw_sasl_server_start(&params, "DIGEST-MD5", "x", 1, &s, &out), CW_SASL_CONTINUE);
	assert_true(out.n > 0);
	(void) cw_sasl_server_free(s);
}

/* Somebody else's nonce, and bytes that are nothing. */
static void garbage(void **state)
{
	static const struct {
		const char *mech, *data;
		size_t n;
	} cases[] = {
#define DATA(mech, text) {mech, text, sizeof(text) - 1}
		DATA("PLAIN", ""),
		DATA("PLAIN", "alice"),
		DATA("PLAIN", "\0alice"),
		DATA("PLAIN", "\0\0secret"),
		DATA("PLAIN", "\0alice\0"),
		DATA("PLAIN", "\0alice\0secret\0"),
		DATA("PLAIN", "\0alice\0sec\0ret"),
		DATA("SCRAM-SHA-256", ""),
		DATA("SCRAM-SHA-256", "n,,n=alice"),
		DATA("SCRAM-SHA-256", "n,,n=,r=abcdefgh"),
		DATA("SCRAM-SHA-256", "n,,n=ali\0ce,r=abcdefgh"),
		DATA("SCRAM-SHA-256", "p=tls-unique,,n=alice,r=abcdefgh"),
		DATA("SCRAM-SHA-256", "n,,m=x,n=alice,r=abcdefgh"),
		DATA("SCRAM-SHA-1", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
	};
	static const char foreign_nonce[] =
		"username=\"alice\",realm=\"" REALM "\",nonce=\"AAAA\",nc=00000001,cnonce=\"abc\","
		"digest-uri=\"tsp/x\",response=00000000000000000000000000000000,qop=auth";
	static const char *const digests[] = {"", ",,,,", "username=\"alice\"", "charset=utf8",
		"charset=utf8,nonce=\"x\"", "a=\"\\", foreign_nonce};
	const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};
	struct cw_sasl_server *s;
	struct cw_sasl_out out;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(cases); i++) {
		enum cw_sasl_result r = cw_sasl_server_start(
			&params, cases[i].mech, cases[i].data, cases[i].n, &s, &out);

		for (unsigned k = 0; k < 3 && r == CW_SASL_CONTINUE; k++)
			r = cw_sasl_server_step(s, cases[i].data, cases[i].n, &out);
		assert_int_equal(r, CW_SASL_FAILED);
		(void) cw_sasl_server_free(s);
	}
	for (unsigned i = 0; i < CW_ARRAY_LEN(digests); i++) {
		assert_int_equal(cw_sasl_server_start(&params, "DIGEST-MD5", NULL, 0, &s, &out),
			CW_SASL_CONTINUE);
		assert_int_equal(cw_sasl_server_step(s, digests[i], strlen(digests[i]), &out),
			CW_SASL_FAILED);
		(void) cw_sasl_server_free(s);
	}
}

/* ---- verifiers ---- */

static void damaged_verifiers(void **state)
{
	static const char *const texts[] = {"", "4096", "4096:", "4096:AAAA", "4096:AAAA$",
		"4096:AAAA$AAAA:AAAA",
		"4096:AAAA$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:AAAA",
		"4096:AAAA$AAAA:WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=", "0:AAAA$AAAA:AAAA",
		"99999999999:AAAA$AAAA:AAAA", "x:AAAA$AAAA:AAAA",
		"4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="};
	unsigned char ha1[CW_SASL_HA1_LEN];
	struct cw_sasl_verifier v;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(texts); i++) {
		v = (struct cw_sasl_verifier){"SCRAM-SHA-256", {0}};
		(void) snprintf(v.text, sizeof v.text, "%s", texts[i]);
		assert_int_equal(cw_sasl_check_password(&v, "alice", "secret"), CW_E_SYNTAX);
		/* In the store: nobody gets in, nothing breaks. */
		users.alice[0] = v;
		users.alice_n = 1;
		for (unsigned k = 0; k < CW_ARRAY_LEN(password_mechs); k++) {
			struct run r = {
				.mech = password_mechs[k], .user = "alice", .password = "secret"};

			assert_int_equal(run(&r), CW_SASL_FAILED);
		}
	}
	assert_int_equal(cw_sasl_make_verifier(
				 "SCRAM-SHA-256", "alice", REALM, "secret", 0, &users.alice[0]),
		0);
	/* A DIGEST-MD5 verifier is good for its own realm alone. */
	assert_int_equal(cw_sasl_make_verifier("DIGEST-MD5", "alice", "other", "secret", 0, &v), 0);
	assert_int_equal(cw_sasl_verifier_ha1(&v, REALM, ha1), CW_E_SYNTAX);
	assert_int_equal(cw_sasl_verifier_ha1(&v, "other", ha1), 0);
}

/* Text of ISO 8859-1 goes into DIGEST-MD5 as such (RFC 2831 2.1.2.1): the client agrees with our
 * verifier. */
static void not_ascii(void **state)
{
	static const char *const passwords[] = {
		"geh\xc3\xa4im\xc3\x9f", "\xe2\x82\xac uro", "\xc3\xa4\xe2\x82\xac"};

	(void) state;
	for (unsigned p = 0; p < CW_ARRAY_LEN(passwords); p++) {
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(cw_sasl_make_verifier(password_mechs[i], "alice", REALM,
						 passwords[p], 0, &users.alice[i]),
				0);
		for (unsigned i = 0; i < CW_ARRAY_LEN(password_mechs); i++) {
			struct run r = {.mech = password_mechs[i],
				.user = "alice",
				.password = passwords[p]};

			assert_int_equal(run(&r), CW_SASL_DONE);
		}
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(cw_sasl_make_verifier(password_mechs[i], "alice", REALM, "secret",
					 0, &users.alice[i]),
			0);
}

/* ---- threads and memory ---- */

static void *log_in_and_out(void *arg)
{
	const unsigned times = cw_test_cases(40, 8);
	uintptr_t wrong = 0;

	for (unsigned i = 0; i < times; i++) {
		struct run r = {
			.mech = password_mechs[i % CW_ARRAY_LEN(password_mechs)], .user = "alice"};

		r.password = (i / 4 + (unsigned) (uintptr_t) arg) & 1 ? "wrong" : "secret";
		wrong += run(&r) != (*r.password == 's' ? CW_SASL_DONE : CW_SASL_FAILED);
	}
	return (void *) wrong; /* NOLINT(performance-no-int-to-ptr): a count */
}

/* Sessions of their own in several threads. */
static void threads(void **state)
{
	pthread_t all[4];
	void *wrong;

	(void) state;
	for (uintptr_t i = 0; i < CW_ARRAY_LEN(all); i++)
		assert_int_equal(pthread_create(&all[i], NULL, log_in_and_out,
					 (void *) i), /* NOLINT(performance-no-int-to-ptr) */
			0);
	for (unsigned i = 0; i < CW_ARRAY_LEN(all); i++) {
		assert_int_equal(pthread_join(all[i], &wrong), 0);
		assert_null(wrong);
	}
}

/* Each allocation of ours fails once: never let in who must not be, never a crash. */
static void out_of_memory(void **state)
{
	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(password_mechs); i++) {
		for (unsigned long k = 1; k < 20; k++) {
			const struct cw_sasl_params params = {.lookup = lookup, .arg = &users};
			static const char data[] = "\0alice\0wrong";
			struct cw_sasl_server *s;
			struct cw_sasl_out out;
			enum cw_sasl_result r;

			cw_mem_fail_at(k);
			r = cw_sasl_server_start(
				&params, password_mechs[i], data, sizeof data - 1, &s, &out);
			if (s && r == CW_SASL_CONTINUE)
				r = cw_sasl_server_step(s, "charset=utf8", 12, &out);
			cw_mem_fail_at(0);
			assert_true(r == CW_SASL_FAILED || r == CW_SASL_BUSY);
			if (!s)
				assert_int_equal(r, CW_SASL_BUSY);
			(void) cw_sasl_server_free(s);
		}
	}
}

static void bad_init(void **state)
{
	static const char *const realms[] = {NULL, "", "a\"b", "a\r\nb"};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(realms); i++) {
		const struct cw_sasl_server_conf conf = {.realm = realms[i]};

		assert_int_equal(cw_sasl_server_init(&conf), CW_E_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(good, reset),
		cmocka_unit_test_setup(bad, reset),
		cmocka_unit_test_setup(unknown_users, reset),
		cmocka_unit_test_setup(scram_challenges, reset),
		cmocka_unit_test_setup(lookup_fails, reset),
		cmocka_unit_test_setup(anonymous, reset),
		cmocka_unit_test_setup(external, reset),
		cmocka_unit_test_setup(not_offered, reset),
		cmocka_unit_test_setup(digest_challenge, reset),
		cmocka_unit_test_setup(digest_spellings, reset),
		cmocka_unit_test_setup(digest_no_secret, reset),
		cmocka_unit_test_setup(digest_repeated, reset),
		cmocka_unit_test_setup(garbage, reset),
		cmocka_unit_test_setup(damaged_verifiers, reset),
		cmocka_unit_test_setup(not_ascii, reset),
		cmocka_unit_test_setup(threads, reset),
		cmocka_unit_test_setup(out_of_memory, reset),
		cmocka_unit_test_setup(bad_init, reset),
	};

	return cmocka_run_group_tests_name("sasl", tests, setup, teardown);
}
