/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS between two sessions in memory: a server and a client whose bytes the test carries, all at
 * once or one by one, whole, cut or replaced. Certificates are made here, with OpenSSL, for each
 * flaw. */
#include "config.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/tls.h"
#include "tests/lib/cw-cmocka.h"

/* --- certificates --- */

static char dir[] = "/tmp/cw-tls-XXXXXX";
static char names[64][64];
static unsigned name_count;

static const char *path(const char *file)
{
	for (unsigned i = 0; i < name_count; i++)
		if (strcmp(names[i] + strlen(dir) + 1, file) == 0)
			return names[i];
	assert_true(name_count < CW_ARRAY_LEN(names));
	(void) snprintf(names[name_count], sizeof names[0], "%.40s/%.20s", dir, file);
	return names[name_count++];
}

static EVP_PKEY *new_key(const char *file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = fopen(path(file), "w");

	assert_non_null(key);
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	return key;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	assert_int_equal(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* A certificate for `key`, signed by issuer (NULL: itself), from now + from_s to now + to_s. */
static X509 *new_cert(const char *file, EVP_PKEY *key, const char *cn, const char *san,
	X509 *issuer, EVP_PKEY *issuer_key, long from_s, long to_s)
{
	static long serial;
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	FILE *f;

	assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), from_s));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), to_s));
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	if (cn)
		assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					 (const unsigned char *) cn, -1, -1, 0),
			1);
	assert_int_equal(
		X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name), 1);
	add_extension(cert, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
	if (san)
		add_extension(cert, NID_subject_alt_name, san);
	assert_true(X509_sign(cert, issuer ? issuer_key : key, EVP_sha256()) > 0);
	f = fopen(path(file), "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	assert_int_equal(fclose(f), 0);
	return cert;
}

enum { DAY = 86400 };

static int make_files(void **state)
{
	static const struct {
		const char *file, *cn, *san;
		long from_s, to_s;
	} leaves[] = {
		{"server.pem", "old.example", "DNS:broker.example,DNS:*.wild.example", -DAY, DAY},
		{"address.pem", "a", "IP:192.0.2.1,IP:2001:db8::1", -DAY, DAY},
		{"expired.pem", "broker.example", "DNS:broker.example", -2 * DAY, -DAY},
		{"early.pem", "broker.example", "DNS:broker.example", DAY, 2 * DAY},
		{"client.pem", "alice", NULL, -DAY, DAY},
		{"mail.pem", "ignored", "IP:192.0.2.9,email:bob@example.net,DNS:later", -DAY, DAY},
		{"gone.pem", "carol", NULL, -2 * DAY, -DAY}};
	EVP_PKEY *ca_key, *other_key, *key;
	X509 *ca, *other;
	FILE *f;

	(void) state;
	if (!mkdtemp(dir))
		return -1;
	ca_key = new_key("ca.key");
	ca = new_cert("ca.pem", ca_key, "Test CA", NULL, NULL, NULL, -DAY, DAY);
	other_key = new_key("other.key");
	other = new_cert("other.pem", other_key, "Other CA", NULL, NULL, NULL, -DAY, DAY);
	key = new_key("leaf.key");
	for (unsigned i = 0; i < CW_ARRAY_LEN(leaves); i++)
		X509_free(new_cert(leaves[i].file, key, leaves[i].cn, leaves[i].san, ca, ca_key,
			leaves[i].from_s, leaves[i].to_s));
	X509_free(new_cert(
		"stranger.pem", key, "mallory", "DNS:broker.example", other, other_key, -DAY, DAY));
	f = fopen(path("rubbish.pem"), "w");
	assert_non_null(f);
	assert_true(fputs("-----BEGIN CERTIFICATE-----\nrubbish\n", f) > 0);
	assert_int_equal(fclose(f), 0);
	f = fopen(path("locked.key"), "w");
	assert_non_null(f);
	assert_int_equal(
		PEM_write_PKCS8PrivateKey(f, key, EVP_aes_128_cbc(), "pw", 2, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	X509_free(ca);
	X509_free(other);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(key);
	return 0;
}

static int remove_files(void **state)
{
	(void) state;
	for (unsigned i = 0; i < name_count; i++)
		(void) unlink(names[i]);
	return rmdir(dir);
}

/* --- a client and a server --- */

struct pair {
	struct cw_tls_ctx *server_ctx, *client_ctx;
	struct cw_tls *server, *client;
	int server_r, client_r; /* first failure of each */
	size_t step;            /* most octets carried at once */
};

static void open_pair(
	struct pair *p, const struct cw_tls_config *server, const struct cw_tls_config *client)
{
	*p = (struct pair){.step = 100000};
	assert_int_equal(cw_tls_ctx_new(server, &p->server_ctx), 0);
	assert_int_equal(cw_tls_ctx_new(client, &p->client_ctx), 0);
	assert_int_equal(cw_tls_new(p->server_ctx, &p->server), 0);
	assert_int_equal(cw_tls_new(p->client_ctx, &p->client), 0);
	assert_int_equal(cw_tls_start(p->server), 0);
	assert_int_equal(cw_tls_output_pending(p->server), 0);
	assert_int_equal(cw_tls_start(p->client), 0);
	assert_true(cw_tls_output_pending(p->client) > 0);
}

static void close_pair(struct pair *p)
{
	assert_null(cw_tls_free(p->server));
	assert_null(cw_tls_free(p->client));
	assert_null(cw_tls_ctx_free(p->server_ctx));
	assert_null(cw_tls_ctx_free(p->client_ctx));
}

static bool carry(struct cw_tls *from, struct cw_tls *to, size_t step, int *ret_r)
{
	static uint8_t buf[100000];
	const size_t pending = cw_tls_output_pending(from);
	const size_t n = cw_tls_output(from, buf, step < sizeof buf ? step : sizeof buf);
	int r;

	assert_int_equal(n, pending < step ? pending : step);
	if (!n)
		return false;
	r = cw_tls_feed(to, buf, n);
	if (r < 0 && *ret_r == 0)
		*ret_r = r;
	return true;
}

/* Carries bytes both ways until both are silent. */
static void run(struct pair *p)
{
	bool busy = true;

	while (busy) {
		busy = carry(p->client, p->server, p->step, &p->server_r);
		busy = carry(p->server, p->client, p->step, &p->client_r) || busy;
	}
}

static struct cw_tls_config plain_server(void)
{
	return (struct cw_tls_config){
		.server = true, .cert_file = path("server.pem"), .key_file = path("leaf.key")};
}

static struct cw_tls_config plain_client(void)
{
	return (struct cw_tls_config){.ca_file = path("ca.pem"), .server_name = "broker.example"};
}

/* Everything one session has to read, as a string; the last result in *ret_r. */
static const char *read_all(struct cw_tls *t, int *ret_r)
{
	static char buf[65536];
	size_t n = 0;
	int r;

	while ((r = cw_tls_read(t, buf + n, sizeof buf - 1 - n)) > 0)
		n += (size_t) r;
	buf[n] = '\0';
	*ret_r = r;
	return buf;
}

static void check_talk(struct pair *p)
{
	int r;

	assert_int_equal(p->server_r, 0);
	assert_int_equal(p->client_r, 0);
	assert_true(cw_tls_ready(p->server));
	assert_true(cw_tls_ready(p->client));
	assert_int_equal(cw_tls_write(p->client, "hello", 5), 0);
	assert_int_equal(cw_tls_write(p->client, " server", 7), 0);
	assert_int_equal(cw_tls_write(p->server, "hello client", 12), 0);
	run(p);
	assert_string_equal(read_all(p->server, &r), "hello server");
	assert_int_equal(r, 0);
	assert_string_equal(read_all(p->client, &r), "hello client");
	assert_int_equal(r, 0);
}

/* --- cases --- */

static void talk(void **state)
{
	struct pair p;
	const struct cw_tls_config s = plain_server(), c = plain_client();
	char buf[10];
	int r;

	(void) state;
	open_pair(&p, &s, &c);
	assert_false(cw_tls_ready(p.client));
	assert_int_equal(cw_tls_write(p.client, "x", 1), -EAGAIN);
	assert_int_equal(cw_tls_read(p.client, buf, sizeof buf), 0);
	assert_null(cw_tls_peer_name(p.client)); /* not known yet, and asked again later */
	run(&p);
	check_talk(&p);
	assert_string_equal(cw_tls_peer_name(p.client), "broker.example");
	assert_null(cw_tls_peer_name(p.server)); /* did not ask for one */
	/* a small buffer gets it piece by piece */
	assert_int_equal(cw_tls_write(p.client, "abcdefghij", 10), 0);
	assert_int_equal(cw_tls_write(p.client, NULL, 0), 0);
	run(&p);
	for (char want = 'a'; want <= 'j'; want++) {
		assert_int_equal(cw_tls_read(p.server, buf, 1), 1);
		assert_int_equal(buf[0], want);
	}
	assert_int_equal(cw_tls_read(p.server, buf, 1), 0);
	assert_int_equal(cw_tls_read(p.server, buf, 0), 0);
	/* the client says good-bye, and still hears what the server sends */
	cw_tls_close(p.client);
	cw_tls_close(p.client);
	assert_int_equal(cw_tls_write(p.client, "x", 1), -EPIPE);
	run(&p);
	assert_string_equal(read_all(p.server, &r), "");
	assert_int_equal(r, -ENODATA);
	assert_int_equal(cw_tls_read(p.server, buf, 1), -ENODATA); /* and again */
	assert_int_equal(cw_tls_write(p.server, "bye", 3), 0);
	cw_tls_close(p.server);
	run(&p);
	assert_string_equal(read_all(p.client, &r), "bye");
	assert_int_equal(r, -ENODATA);
	close_pair(&p);
}

static void octet_by_octet(void **state)
{
	struct pair p;
	const struct cw_tls_config s = plain_server(), c = plain_client();

	(void) state;
	open_pair(&p, &s, &c);
	p.step = 1;
	run(&p);
	check_talk(&p);
	close_pair(&p);
}

/* Much more than a record, both ways at once, through small steps. */
static void large(void **state)
{
	static char data[300000], at_server[sizeof data], at_client[sizeof data];
	struct pair p;
	const struct cw_tls_config s = plain_server(), c = plain_client();
	size_t server_n = 0, client_n = 0;

	(void) state;
	assert_int_equal(cw_random(data, sizeof data), 0);
	open_pair(&p, &s, &c);
	run(&p);
	assert_int_equal(cw_tls_write(p.client, data, sizeof data), 0);
	assert_int_equal(cw_tls_write(p.server, data, sizeof data), 0);
	p.step = 7777;
	while (server_n < sizeof data || client_n < sizeof data) {
		const bool moved = carry(p.client, p.server, p.step, &p.server_r);
		int r;

		assert_true(carry(p.server, p.client, p.step, &p.client_r) || moved);
		r = cw_tls_read(p.server, at_server + server_n, sizeof data - server_n);
		assert_true(r >= 0);
		server_n += (size_t) r;
		r = cw_tls_read(p.client, at_client + client_n, sizeof data - client_n);
		assert_true(r >= 0);
		client_n += (size_t) r;
	}
	assert_memory_equal(at_server, data, sizeof data);
	assert_memory_equal(at_client, data, sizeof data);
	close_pair(&p);
}

/* The certificate against the name the client expects. */
static void server_names(void **state)
{
	static const struct {
		const char *cert, *name;
		bool good;
	} v[] = {{"server.pem", "broker.example", true}, {"server.pem", "BROKER.example.", true},
		{"server.pem", "old.example", false}, /* a CN counts for nothing beside names */
		{"server.pem", "other.example", false}, {"server.pem", "example", false},
		{"server.pem", "x.wild.example", true}, {"server.pem", "a.b.wild.example", false},
		{"server.pem", "192.0.2.1", false}, {"address.pem", "192.0.2.1", true},
		{"address.pem", "2001:db8::1", true}, {"address.pem", "2001:db8:0::1", true},
		{"address.pem", "192.0.2.2", false}, {"address.pem", "broker.example", false}};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(v); i++) {
		struct cw_tls_config s = plain_server(), c = plain_client();
		struct pair p;

		s.cert_file = path(v[i].cert);
		c.server_name = v[i].name;
		open_pair(&p, &s, &c);
		run(&p);
		if (v[i].good) {
			check_talk(&p);
		} else {
			assert_int_equal(p.client_r, CW_E_AUTH);
			assert_false(cw_tls_ready(p.client));
			assert_null(cw_tls_peer_name(p.client));
			assert_int_equal(cw_tls_write(p.client, "x", 1), CW_E_AUTH);
			/* the alert got there */
			assert_int_equal(p.server_r, CW_E_AUTH);
		}
		close_pair(&p);
	}
}

/* RFC 6066 3: the client says which name it wants, but never an address. */
static void server_name_indication(void **state)
{
	static const char *const v[] = {"broker.example", "192.0.2.1", "2001:db8::1"};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(v); i++) {
		struct cw_tls_config s = plain_server(), c = plain_client();
		struct pair p;
		uint8_t hello[2000];
		size_t n;

		c.server_name = v[i];
		open_pair(&p, &s, &c);
		n = cw_tls_output(p.client, hello, sizeof hello);
		assert_int_equal(memmem(hello, n, v[i], strlen(v[i])) != NULL, i == 0);
		close_pair(&p);
	}
}

/* Without a file of its own a client trusts the system's store: here an empty one, then one with
 * our CA. */
static void system_store(void **state)
{
	const struct cw_tls_config s = plain_server();
	const struct cw_tls_config c = {.server_name = "broker.example"};

	(void) state;
	assert_int_equal(setenv("SSL_CERT_DIR", "/nonexistent", 1), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct pair p;

		assert_int_equal(setenv("SSL_CERT_FILE", path(i ? "ca.pem" : "other.pem"), 1), 0);
		open_pair(&p, &s, &c);
		run(&p);
		if (i)
			check_talk(&p);
		else
			assert_int_equal(p.client_r, CW_E_AUTH);
		close_pair(&p);
	}
	(void) unsetenv("SSL_CERT_FILE");
	(void) unsetenv("SSL_CERT_DIR");
}

static void bad_server_certificates(void **state)
{
	static const struct {
		const char *cert, *error;
	} v[] = {{"expired.pem", "expired"}, {"early.pem", "not yet valid"},
		{"stranger.pem", "issuer"}};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(v); i++) {
		struct cw_tls_config s = plain_server(), c = plain_client();
		struct pair p;
		uint8_t buf[1000];
		size_t n;

		s.cert_file = path(v[i].cert);
		open_pair(&p, &s, &c);
		n = cw_tls_output(p.client, buf, sizeof buf);
		assert_int_equal(cw_tls_feed(p.server, buf, n), 0);
		while (p.client_r == 0 && carry(p.server, p.client, 500, &p.client_r))
			;
		assert_int_equal(p.client_r, CW_E_AUTH);
		assert_non_null(strstr(cw_tls_error(), v[i].error));
		assert_true(cw_tls_output_pending(p.client) > 0); /* the alert */
		assert_int_equal(cw_tls_feed(p.client, buf, 1), CW_E_AUTH);
		assert_int_equal(cw_tls_read(p.client, buf, sizeof buf), CW_E_AUTH);
		close_pair(&p);
	}
}

/* The client's certificate against a server that insists, and one that only asks. */
static void client_certificates(void **state)
{
	static const struct {
		const char *cert, *name; /* name: what the server makes of it, NULL: nothing */
	} v[] = {{NULL, NULL}, {"client.pem", "alice"}, {"mail.pem", "bob@example.net"},
		{"gone.pem", NULL}, {"stranger.pem", NULL}};

	(void) state;
	for (unsigned i = 0; i < 2 * CW_ARRAY_LEN(v); i++) {
		struct cw_tls_config s = plain_server(), c = plain_client();
		const char *cert = v[i / 2].cert, *name = v[i / 2].name;
		struct pair p;
		int r;

		s.ca_file = path("ca.pem");
		s.require_peer = i % 2;
		c.cert_file = cert ? path(cert) : NULL;
		c.key_file = cert ? path("leaf.key") : NULL;
		open_pair(&p, &s, &c);
		run(&p);
		if (name || !s.require_peer) {
			check_talk(&p);
			if (name)
				assert_string_equal(cw_tls_peer_name(p.server), name);
			else
				assert_null(cw_tls_peer_name(p.server));
		} else {
			assert_int_equal(p.server_r, CW_E_AUTH);
			assert_false(cw_tls_ready(p.server));
			assert_null(cw_tls_peer_name(p.server));
			/* TLS 1.3: the client was done before it is told */
			(void) read_all(p.client, &r);
			assert_int_equal(r, CW_E_AUTH);
		}
		close_pair(&p);
	}
}

static void garbage(void **state)
{
	static const char *const v[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"VERSION=2.0.0 \r\n\r\n", "\x16\x03\x01\xff\xff\x01",
		"\x15\x03\x01\x00\x02\x02\x28", "\x17\x03\x03\x00\x01\x00",
		"\x16\x03\x01\x00\x04\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"};

	(void) state;
	for (unsigned i = 0; i < 2 * CW_ARRAY_LEN(v); i++) {
		struct cw_tls_config s = plain_server(), c = plain_client();
		char in[400] = {0}; /* some zeros behind, so that short records are complete */
		struct pair p;
		struct cw_tls *victim;

		open_pair(&p, &s, &c);
		victim = i % 2 ? p.server : p.client;
		memcpy(in, v[i / 2], strlen(v[i / 2]));
		assert_int_equal(cw_tls_feed(victim, in, sizeof in), CW_E_SYNTAX);
		assert_string_not_equal(cw_tls_error(), "no error");
		assert_int_equal(cw_tls_feed(victim, in, sizeof in), CW_E_SYNTAX);
		assert_false(cw_tls_ready(victim));
		close_pair(&p);
	}
}

/* Each octet of the handshake in turn is broken: nobody crashes, and nobody thinks all is well with
 * what was not said. (A broken octet may be harmless only where TLS does not protect it.) */
static void broken_octets(void **state)
{
	const struct cw_tls_config s = plain_server(), c = plain_client();
	unsigned survived = 0, rounds = 0;

	(void) state;
	for (size_t at = 0;; at += 7) {
		struct pair p;
		uint8_t buf[4000];
		size_t n;

		open_pair(&p, &s, &c);
		n = cw_tls_output(p.client, buf, sizeof buf);
		assert_int_equal(cw_tls_feed(p.server, buf, n), 0);
		n = cw_tls_output(p.server, buf, sizeof buf);
		if (at >= n) {
			close_pair(&p);
			break;
		}
		buf[at] ^= 0x40;
		p.client_r = cw_tls_feed(p.client, buf, n);
		run(&p);
		survived += cw_tls_ready(p.client) && cw_tls_ready(p.server);
		rounds++;
		close_pair(&p);
	}
	assert_true(rounds > 80);
	assert_in_range(survived, 0, 1);
}

/* A stream that ends without close_notify never reads as a clean end. */
static void truncated(void **state)
{
	const struct cw_tls_config s = plain_server(), c = plain_client();
	struct pair p;
	uint8_t buf[1000];
	size_t n;
	int r;

	(void) state;
	open_pair(&p, &s, &c);
	run(&p);
	assert_int_equal(cw_tls_write(p.client, "half of this is lost", 20), 0);
	n = cw_tls_output(p.client, buf, sizeof buf);
	for (size_t i = 0; i < n - 1; i++) {
		assert_int_equal(cw_tls_feed(p.server, buf + i, 1), 0);
		assert_string_equal(
			read_all(p.server, &r), ""); /* no octet before its record is proven */
		assert_int_equal(r, 0);
	}
	close_pair(&p);
	/* a broken record kills the session, after what came before it was read */
	open_pair(&p, &s, &c);
	run(&p);
	assert_int_equal(cw_tls_write(p.client, "good", 4), 0);
	n = cw_tls_output(p.client, buf, sizeof buf);
	assert_int_equal(cw_tls_feed(p.server, buf, n), 0);
	assert_int_equal(cw_tls_write(p.client, "bad", 3), 0);
	n = cw_tls_output(p.client, buf, sizeof buf);
	buf[n - 1] ^= 1;
	assert_int_equal(cw_tls_feed(p.server, buf, n), 0);
	assert_string_equal(read_all(p.server, &r), "good");
	assert_int_equal(r, CW_E_SYNTAX);
	assert_false(cw_tls_ready(p.server));
	cw_tls_close(p.server); /* nothing to say any more but the alert */
	run(&p);
	(void) read_all(p.client, &r);
	assert_int_equal(r, CW_E_SYNTAX);
	close_pair(&p);
}

/* TLS 1.1 is refused; 1.2 is spoken, with the same checks, and does not renegotiate. */
static void versions(void **state)
{
	const struct cw_tls_config s = plain_server();

	(void) state;
	for (int version = TLS1_1_VERSION; version <= TLS1_3_VERSION; version++) {
		struct cw_tls_ctx *server_ctx;
		struct cw_tls *server;
		SSL_CTX *c = SSL_CTX_new(TLS_client_method());
		SSL *client = SSL_new(c);
		BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
		uint8_t buf[8000];
		int r = 0;

		assert_int_equal(cw_tls_ctx_new(&s, &server_ctx), 0);
		assert_int_equal(cw_tls_new(server_ctx, &server), 0);
		SSL_set_security_level(client, 0);
		assert_int_equal(SSL_set_min_proto_version(client, version), 1);
		assert_int_equal(SSL_set_max_proto_version(client, version), 1);
		SSL_set_bio(client, in, out);
		SSL_set_connect_state(client);
		for (unsigned i = 0; i < 10; i++) {
			int n;

			if (SSL_do_handshake(client) == 1 && i == 5 && version == TLS1_2_VERSION)
				assert_int_equal(SSL_renegotiate(client), 1);
			n = BIO_read(out, buf, sizeof buf);
			if (n > 0 && r == 0)
				r = cw_tls_feed(server, buf, (size_t) n);
			n = (int) cw_tls_output(server, buf, sizeof buf);
			if (n > 0)
				assert_int_equal(BIO_write(in, buf, n), n);
		}
		assert_int_equal(r, version == TLS1_1_VERSION ? CW_E_SYNTAX : 0);
		assert_int_equal(cw_tls_ready(server), version != TLS1_1_VERSION);
		if (version == TLS1_2_VERSION) { /* asked for a new handshake, it was told no */
			r = SSL_read(client, buf, sizeof buf);
			assert_int_equal(r, -1);
		}
		SSL_free(client);
		SSL_CTX_free(c);
		assert_null(cw_tls_free(server));
		assert_null(cw_tls_ctx_free(server_ctx));
	}
}

static void bad_configurations(void **state)
{
	const char *server = path("server.pem"), *key = path("leaf.key"), *ca = path("ca.pem");
	const char *rubbish = path("rubbish.pem"), *missing = path("missing.pem");
	const struct {
		struct cw_tls_config conf;
		int r;
	} v[] = {{{.server = true, .cert_file = missing, .key_file = key}, -ENOENT},
		{{.server = true, .cert_file = server, .key_file = missing}, -ENOENT},
		{{.server = true, .cert_file = server, .key_file = key, .ca_file = missing},
			-ENOENT},
		{{.server = true, .cert_file = rubbish, .key_file = key}, CW_E_SYNTAX},
		{{.server = true, .cert_file = server, .key_file = rubbish}, CW_E_SYNTAX},
		{{.server = true, .cert_file = server, .key_file = path("ca.key")}, CW_E_SYNTAX},
		{{.server = true, .cert_file = server, .key_file = path("locked.key")},
			CW_E_SYNTAX},
		{{.server = true, .cert_file = server, .key_file = key, .ca_file = rubbish},
			CW_E_SYNTAX},
		{{.server = true, .cert_file = server, .key_file = key, .require_peer = true},
			-EINVAL},
		{{.server = true}, -EINVAL}, {{.server = true, .cert_file = server}, -EINVAL},
		{{.cert_file = server, .ca_file = ca, .server_name = "x"}, -EINVAL},
		{{.ca_file = ca}, -EINVAL}, {{.ca_file = ca, .server_name = ""}, -EINVAL},
		{{.ca_file = ca, .server_name = "."}, -EINVAL}};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(v); i++) {
		struct cw_tls_ctx *ctx = NULL;

		assert_int_equal(cw_tls_ctx_new(&v[i].conf, &ctx), v[i].r);
		assert_null(ctx);
		assert_true(strlen(cw_tls_error()) > 0);
	}
}

static void out_of_memory(void **state)
{
	const struct cw_tls_config c = plain_client();
	struct cw_tls_ctx *ctx = NULL;
	struct cw_tls *t = NULL;

	(void) state;
	for (unsigned k = 1; k <= 2; k++) {
		cw_mem_fail_at(k);
		assert_int_equal(cw_tls_ctx_new(&c, &ctx), -ENOMEM);
		assert_null(ctx);
	}
	cw_mem_fail_at(0);
	assert_int_equal(cw_tls_ctx_new(&c, &ctx), 0);
	cw_mem_fail_at(1);
	assert_int_equal(cw_tls_new(ctx, &t), -ENOMEM);
	assert_null(t);
	cw_mem_fail_at(0);
	assert_null(cw_tls_ctx_free(ctx));
	assert_null(cw_tls_ctx_free(NULL));
	assert_null(cw_tls_free(NULL));
}

static void expiry(void **state)
{
	static const char *const parts[] = {"leaf.key", "server.pem", "expired.pem", "ca.pem"};
	int64_t end = -1, now = time(NULL);
	char text[8192];
	FILE *from, *to = fopen(path("chain.pem"), "w");
	size_t n;

	(void) state;
	assert_int_equal(cw_tls_expiry(path("server.pem"), &end), 0);
	assert_in_range(end, now + DAY - 100, now + DAY + 1);
	/* The first end counts, wherever it stands, and what is no certificate does not. */
	assert_non_null(to);
	for (unsigned i = 0; i < CW_ARRAY_LEN(parts); i++) {
		from = fopen(path(parts[i]), "r");
		assert_non_null(from);
		n = fread(text, 1, sizeof text, from);
		assert_int_equal(fwrite(text, 1, n, to), n);
		assert_int_equal(fclose(from), 0);
	}
	assert_int_equal(fclose(to), 0);
	assert_int_equal(cw_tls_expiry(path("chain.pem"), &end), 0);
	assert_in_range(end, now - DAY - 100, now - DAY + 1);
	end = 5;
	assert_int_equal(cw_tls_expiry(path("leaf.key"), &end), CW_E_SYNTAX);
	assert_int_equal(cw_tls_expiry(path("rubbish.pem"), &end), CW_E_SYNTAX);
	assert_int_equal(cw_tls_expiry(path("missing.pem"), &end), -ENOENT);
	assert_int_equal(end, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talk),
		cmocka_unit_test(octet_by_octet),
		cmocka_unit_test(large),
		cmocka_unit_test(server_names),
		cmocka_unit_test(server_name_indication),
		cmocka_unit_test(system_store),
		cmocka_unit_test(bad_server_certificates),
		cmocka_unit_test(client_certificates),
		cmocka_unit_test(garbage),
		cmocka_unit_test(broken_octets),
		cmocka_unit_test(truncated),
		cmocka_unit_test(versions),
		cmocka_unit_test(bad_configurations),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(expiry),
	};

	return cmocka_run_group_tests_name("base/tls", tests, make_files, remove_files);
}
