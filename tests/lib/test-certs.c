/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>

#include "tests/lib/cw-cmocka.h"
#include "tests/lib/test-certs.h"

static FILE *create(const char *dir, const char *file, const char *suffix)
{
	char path[512];
	FILE *f;

	(void) snprintf(path, sizeof path, "%s/%s.%s", dir, file, suffix);
	f = fopen(path, "w");
	assert_non_null(f);
	return f;
}

static EVP_PKEY *make_key(const char *dir, const char *file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = create(dir, file, "key");

	assert_non_null(key);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	return key;
}

static X509 *make_cert(const char *dir, const char *file, EVP_PKEY *key, const char *san,
	X509 *issuer, EVP_PKEY *issuer_key)
{
	static int serial;
	X509 *cert = X509_new();
	X509_EXTENSION *ext;
	FILE *f;

	assert_non_null(cert);
	assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
				 MBSTRING_UTF8, (const unsigned char *) file, -1, -1, 0),
		1);
	assert_int_equal(
		X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)), 1);
	ext = issuer ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san)
		     : X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	assert_int_equal(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
	assert_true(X509_sign(cert, issuer ? issuer_key : key, EVP_sha256()) > 0);
	f = create(dir, file, "pem");
	assert_int_equal(PEM_write_X509(f, cert), 1);
	assert_int_equal(fclose(f), 0);
	return cert;
}

void test_certs_make(const char *dir)
{
	static const struct {
		const char *file, *san;
		bool stranger;
	} leaves[] = {
		{"server", "DNS:localhost,IP:::1,IP:127.0.0.1", false},
		{"client", "DNS:host1.example.net", false},
		{"stranger", "DNS:host1.example.net", true},
	};
	EVP_PKEY *ca_key = make_key(dir, "ca"), *other_key = make_key(dir, "other");
	X509 *ca = make_cert(dir, "ca", ca_key, NULL, NULL, NULL);
	X509 *other = make_cert(dir, "other", other_key, NULL, NULL, NULL);

	for (unsigned i = 0; i < sizeof leaves / sizeof *leaves; i++) {
		EVP_PKEY *key = make_key(dir, leaves[i].file);

		X509_free(make_cert(dir, leaves[i].file, key, leaves[i].san,
			leaves[i].stranger ? other : ca, leaves[i].stranger ? other_key : ca_key));
		EVP_PKEY_free(key);
	}
	X509_free(ca);
	X509_free(other);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
}
