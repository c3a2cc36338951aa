/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept instead of passwords, against the documents' examples; and a server without the
 * library's plugins. */
#include "config.h"

#include <string.h>

#include "base/err.h"
#include "schema/sasl/sasl.h"
#include "tests/lib/cw-cmocka.h"

#define REALM "example.net"

static void verifiers(void **state)
{
	static const char *const kinds[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5"};
	struct cw_sasl_verifier v, again;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(kinds); i++) {
		assert_int_equal(
			cw_sasl_make_verifier(kinds[i], "alice", REALM, "secret", 5000, &v), 0);
		assert_string_equal(v.kind, kinds[i]);
		assert_null(strstr(v.text, "secret"));
		assert_int_equal(cw_sasl_check_password(&v, "alice", "secret"), 1);
		assert_int_equal(cw_sasl_check_password(&v, "alice", "Secret"), 0);
		assert_int_equal(cw_sasl_check_password(&v, "alice", ""), 0);
		assert_int_equal(
			cw_sasl_make_verifier(kinds[i], "alice", REALM, "secret", 5000, &again), 0);
		if (i < 2) { /* a salt of its own */
			assert_string_not_equal(v.text, again.text);
			assert_memory_equal(v.text, "5000:", 5);
		}
		/* Damage is told from a wrong password. */
		v.text[strlen(v.text) / 4] = '!';
		assert_int_equal(cw_sasl_check_password(&v, "alice", "secret"), CW_E_SYNTAX);
		assert_int_equal(
			cw_sasl_make_verifier(kinds[i], "", REALM, "secret", 0, &v), CW_E_SYNTAX);
		assert_int_equal(
			cw_sasl_make_verifier(kinds[i], "alice", REALM, "", 0, &v), CW_E_SYNTAX);
		assert_int_equal(cw_sasl_make_verifier(kinds[i], "alice", REALM, "a\nb", 0, &v),
			CW_E_SYNTAX);
	}
	assert_int_equal(cw_sasl_make_verifier("DIGEST-MD5", "a", NULL, "b", 0, &v), CW_E_SYNTAX);
	assert_int_equal(cw_sasl_make_verifier("LOGIN", "a", REALM, "b", 0, &v), CW_E_SYNTAX);
}

/* RFC 5802 5 and RFC 7677 3 print exchanges of user "user", password "pencil"; the keys follow from
 * salt and count. */
static void scram_vectors(void **state)
{
	struct cw_sasl_verifier sha1 = {"SCRAM-SHA-1",
		"4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE="};
	struct cw_sasl_verifier sha256 = {"SCRAM-SHA-256",
		"4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="};

	(void) state;
	assert_int_equal(cw_sasl_check_password(&sha1, "user", "pencil"), 1);
	assert_int_equal(cw_sasl_check_password(&sha256, "user", "pencil"), 1);
	assert_int_equal(cw_sasl_check_password(&sha256, "user", "Pencil"), 0);
}

/* Plugins that are not there are not offered. */
static void without_plugins(void **state)
{
	const struct cw_sasl_server_conf conf = {.realm = REALM, .plugin_path = "/nonexistent"};

	static const char *const kinds[] = {
		"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "PLAIN", "ANONYMOUS"};
	const struct cw_sasl_params params = {.lookup = NULL};
	struct cw_sasl_server *s;
	struct cw_sasl_out out;

	(void) state;
	assert_false(cw_sasl_server_has("EXTERNAL")); /* before init: nothing */
	assert_int_equal(
		cw_sasl_server_start(&params, "ANONYMOUS", NULL, 0, &s, &out), CW_SASL_FAILED);
	(void) cw_sasl_server_free(s);
	assert_int_equal(cw_sasl_server_init(&conf), 0);
	assert_true(cw_sasl_server_has("EXTERNAL"));
	for (unsigned i = 0; i < CW_ARRAY_LEN(kinds); i++)
		assert_false(cw_sasl_server_has(kinds[i]));
	cw_sasl_server_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verifiers),
		cmocka_unit_test(scram_vectors),
		cmocka_unit_test(without_plugins),
	};

	return cmocka_run_group_tests_name("sasl verifiers", tests, NULL, NULL);
}
