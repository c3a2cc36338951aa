/* SPDX-License-Identifier: BSD-2-Clause */
/* What the client's half of SASL does to the host it runs on; the exchanges themselves are in
 * test_sasl.c and test_tsp_both.c. */
#include "config.h"

#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "schema/sasl/client.h"
#include "tests/lib/cw-cmocka.h"

static unsigned lookups;

/* Before the C library's, for Cyrus as well. */
__attribute__((visibility("default"))) int getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
	(void) host;
	(void) port;
	(void) hints;
	*ret = NULL;
	lookups++;
	return EAI_AGAIN;
}

static void no_name_is_looked_up(void **state)
{
	static const enum cw_mech mechs[] = {
		CW_MECH_SCRAM_SHA_256, CW_MECH_DIGEST_MD5, CW_MECH_PLAIN, CW_MECH_ANONYMOUS};

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(mechs); i++) {
		const struct cw_sasl_client_conf conf = {.mech = mechs[i],
			.user = "alice",
			.password = "secret",
			.host = "broker.example.net"};
		struct cw_sasl_client *c;
		struct cw_slice first;
		bool has;

		assert_int_equal(cw_sasl_client_new(&conf, &c), 0);
		assert_int_equal(cw_sasl_client_start(c, &has, &first), 0);
		(void) cw_sasl_client_free(c);
	}
	assert_int_equal(lookups, 0);
}

static void the_host_has_a_name(void **state)
{
	char name[256], small[2];

	(void) state;
	assert_int_equal(gethostname(name, sizeof name), 0);
	assert_non_null(strchr(name, '.'));
	assert_int_equal(gethostname(small, sizeof small), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_name_is_looked_up),
		cmocka_unit_test(the_host_has_a_name),
	};

	return cmocka_run_group_tests_name("sasl client", tests, NULL, NULL);
}
