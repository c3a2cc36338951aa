/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses, prefixes, ranges and endpoints: what is refused, what comes out, what is what. */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

static struct cw_addr6 a6(const char *s)
{
	struct cw_addr6 a;

	assert_int_equal(cw_addr6_parse(s, strlen(s), &a), 0);
	return a;
}

static struct cw_addr4 a4(const char *s)
{
	struct cw_addr4 a;

	assert_int_equal(cw_addr4_parse(s, strlen(s), &a), 0);
	return a;
}

static void addr4_text(void **state)
{
	static const char *const good[] = {"0.0.0.0", "1.2.3.4", "255.255.255.255", "10.0.0.1"};
	static const char *const bad[] = {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4",
		"1.2.3.04", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", "0x1.2.3.4", "1.2.3.", ".1.2.3",
		"1..2.3", "1.2.3.4/32", "::1.2.3.4", "1.2.3.4\n", "1111.2.3.4"};
	char buf[CW_ADDR4_STRLEN];
	struct cw_addr4 a = {42};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(good); i++)
		assert_string_equal(cw_addr4_str(a4(good[i]), buf), good[i]);
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad); i++)
		assert_int_equal(cw_addr4_parse(bad[i], strlen(bad[i]), &a), CW_E_SYNTAX);
	assert_int_equal(cw_addr4_parse("1.2.3.4\0", 8, &a), CW_E_SYNTAX);
	assert_int_equal(a.v, 42);
	assert_int_equal(cw_addr4_parse("1.2.3.45", 7, &a), 0); /* n bounds it */
	assert_int_equal(a.v, 0x01020304);
}

/* RFC 5952 section 4 and 5, and what RFC 4291 2.2 allows in. */
static void addr6_text(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {{"::", "::"}, {"::1", "::1"}, {"1::", "1::"}, {"0:0:0:0:0:0:0:0", "::"},
		{"2001:DB8::A", "2001:db8::a"},
		{"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* no "::" for one group */
		{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},       /* the longest run */
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"}, /* the first of equal ones */
		{"1:0:0:0:0:0:0:0", "1::"}, {"0:0:0:0:0:0:0:1", "::1"},
		{"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"}, {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
		{"0:2:3:4:5:6:7:0", "0:2:3:4:5:6:7:0"}, {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"::ffff:c000:201", "::ffff:192.0.2.1"}, {"::192.0.2.1", "::c000:201"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"fe80::1", "fe80::1"}};
	static const char *const bad[] = {"", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"1::2::3", "12345::", "g::", "::1%eth0", "::1%1", "fe80::1%lo", "::1/128", "[::1]",
		" ::1", "::1 ", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:", "::1.2.3", "::1.2.3.256",
		"1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4", "::ffff:01.2.3.4"};
	char buf[CW_ADDR6_STRLEN], longest[64];
	struct cw_addr6 a, b;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(t); i++) {
		a = a6(t[i].in);
		assert_string_equal(cw_addr6_str(&a, buf), t[i].out);
		b = a6(buf);
		assert_true(cw_addr6_eq(&a, &b));
	}
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad); i++)
		assert_int_equal(cw_addr6_parse(bad[i], strlen(bad[i]), &a), CW_E_SYNTAX);
	assert_int_equal(cw_addr6_parse("::1\0", 4, &a), CW_E_SYNTAX);
	assert_int_equal(cw_addr6_parse("::12", 3, &a), 0);
	assert_true(cw_addr6_is_loopback(&a));
	memset(longest, '1', sizeof longest);
	assert_int_equal(cw_addr6_parse(longest, sizeof longest, &a), CW_E_SYNTAX);
}

/* Against the C library, which differs only for v4-compatible addresses. */
static void addr6_random(void **state)
{
	char buf[CW_ADDR6_STRLEN], libc[INET6_ADDRSTRLEN];
	struct cw_addr6 a, back;
	uint16_t zero_mask;

	(void) state;
	for (unsigned i = 0; i < 20000; i++) {
		assert_int_equal(cw_random(&a, sizeof a), 0);
		assert_int_equal(cw_random(&zero_mask, sizeof zero_mask), 0);
		for (unsigned g = 0; g < 8; g++)
			if (zero_mask >> g & 1)
				a.b[2 * g] = a.b[2 * g + 1] = 0;
		(void) cw_addr6_str(&a, buf);
		back = a6(buf);
		assert_true(cw_addr6_eq(&a, &back));
		assert_non_null(inet_ntop(AF_INET6, a.b, libc, sizeof libc));
		if (!strchr(libc, '.'))
			assert_string_equal(buf, libc);
	}
}

static void prefixes(void **state)
{
	static const char *const bad4[] = {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/08", "10.0.0.1/31", "10.0.0.0/8/8", "10.0.0.0 /8", "10.0.0.0/ 8",
		"10.0.0.0/8 ", "1.0.0.0/0", "10.0.0.0/4294967304", "::/0"};
	static const char *const bad6[] = {"", "/", "::/129", "::1/127", "2001:db8::/",
		"2001:db8::/031", "2001:db8:1::/32", "::/-1", "8000::/0", "10.0.0.0/8",
		"::1%lo/128"};
	struct cw_prefix4 p = {{7}, 7};
	struct cw_prefix6 q;
	struct cw_addr6 a;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad4); i++)
		assert_int_equal(cw_prefix4_parse(bad4[i], strlen(bad4[i]), &p), CW_E_SYNTAX);
	assert_int_equal(p.len, 7);
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad6); i++)
		assert_int_equal(cw_prefix6_parse(bad6[i], strlen(bad6[i]), &q), CW_E_SYNTAX);
	assert_int_equal(cw_prefix4_parse("0.0.0.0/0", 9, &p), 0);
	assert_true(cw_prefix4_has(&p, a4("255.255.255.255")));
	assert_int_equal(cw_prefix4_parse("192.0.2.1", 9, &p), 0);
	assert_int_equal(p.len, 32);
	assert_true(cw_prefix4_has(&p, a4("192.0.2.1")));
	assert_false(cw_prefix4_has(&p, a4("192.0.2.0")));
	assert_int_equal(cw_prefix4_parse("198.51.100.128/25", 17, &p), 0);
	assert_false(cw_prefix4_has(&p, a4("198.51.100.127")));
	assert_true(cw_prefix4_has(&p, a4("198.51.100.128")));
	assert_true(cw_prefix4_has(&p, a4("198.51.100.255")));
	assert_false(cw_prefix4_has(&p, a4("198.51.101.128")));
	/* every length, one bit inside and one outside */
	for (unsigned len = 0; len <= 128; len++) {
		q = (struct cw_prefix6){.len = (uint8_t) len};
		for (unsigned bit = 0; bit < 128; bit++) {
			memset(&a, 0, sizeof a);
			a.b[bit / 8] = (uint8_t) (0x80 >> bit % 8);
			assert_int_equal(cw_prefix6_has(&q, &a), bit >= len);
		}
	}
	assert_int_equal(cw_prefix6_parse("2001:db8::/32", 13, &q), 0);
	a = a6("2001:db8:ffff::1");
	assert_true(cw_prefix6_has(&q, &a));
	assert_int_equal(cw_prefix6_parse("::1", 3, &q), 0);
	assert_int_equal(q.len, 128);
}

static void ranges(void **state)
{
	static const struct {
		const char *s, *lo, *hi;
	} good[] = {{"10.0.0.0/8", "10.0.0.0", "10.255.255.255"},
		{"10.0.0.5", "10.0.0.5", "10.0.0.5"}, {"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
		{"10.0.0.5-10.0.0.9", "10.0.0.5", "10.0.0.9"},
		{"10.0.0.5-10.0.0.5", "10.0.0.5", "10.0.0.5"}};
	static const char *const bad[] = {"", "-", "10.0.0.5-", "-10.0.0.5", "10.0.0.5-10.0.0.4",
		"10.0.0.5 - 10.0.0.9", "10.0.0.0/8-10.0.0.1", "1.1.1.1-2.2.2.2-3.3.3.3",
		"10.0.0.1/8"};
	struct cw_addr4 lo, hi;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(good); i++) {
		assert_int_equal(cw_range4_parse(good[i].s, strlen(good[i].s), &lo, &hi), 0);
		assert_int_equal(lo.v, a4(good[i].lo).v);
		assert_int_equal(hi.v, a4(good[i].hi).v);
	}
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad); i++)
		assert_int_equal(cw_range4_parse(bad[i], strlen(bad[i]), &lo, &hi), CW_E_SYNTAX);
}

static void endpoints(void **state)
{
	static const struct {
		const char *s;
		uint16_t def;
		const char *out;
	} good[] = {{"1.2.3.4:80", 0, "1.2.3.4:80"}, {"1.2.3.4:0", 99, "1.2.3.4:0"},
		{"1.2.3.4", 3653, "1.2.3.4:3653"}, {"[::]:3653", 0, "[::]:3653"},
		{"[::1]", 5, "[::1]:5"}, {"[::1]:65535", 0, "[::1]:65535"},
		{"[2001:DB8::1]:1", 0, "[2001:db8::1]:1"},
		{"[::ffff:1.2.3.4]:1", 0, "[::ffff:1.2.3.4]:1"}, {"unix:/run/x", 0, "unix:/run/x"},
		{"unix:relative", 5, "unix:relative"}};
	static const struct {
		const char *s;
		uint16_t def;
	} bad[] = {{"", 1}, {"1.2.3.4", 0}, {"[::1]", 0}, {"1.2.3.4:", 1}, {"[::1]:", 1},
		{":80", 1}, {"1.2.3.4:65536", 1}, {"1.2.3.4:080", 1}, {"1.2.3.4:-1", 1},
		{"1.2.3.4:80 ", 1}, {"1.2.3.4: 80", 1}, {"[::1", 1}, {"::1", 1}, {"::1:80", 1},
		{"[::1]80", 1}, {"[::1]x:80", 1}, {"[]:80", 1}, {"[1.2.3.4]:80", 1},
		{"[fe80::1%1]:80", 1}, {"localhost:80", 1}, {"*:80", 1}, {"unix:", 1}, {"unix", 1}};
	char buf[CW_ENDPOINT_STRLEN], path[5 + 108];
	struct cw_endpoint ep;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(good); i++) {
		assert_int_equal(
			cw_endpoint_parse(good[i].s, strlen(good[i].s), good[i].def, &ep), 0);
		assert_string_equal(cw_endpoint_str(&ep, buf), good[i].out);
	}
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad); i++)
		assert_int_equal(cw_endpoint_parse(bad[i].s, strlen(bad[i].s), bad[i].def, &ep),
			CW_E_SYNTAX);
	memset(path, 'p', sizeof path);
	memcpy(path, "unix:", 5);
	assert_int_equal(
		cw_endpoint_parse(path, 5 + 108, 0, &ep), CW_E_SYNTAX); /* no room for NUL */
	assert_int_equal(cw_endpoint_parse(path, 5 + 107, 0, &ep), 0);
	assert_int_equal(strlen(ep.u.path), 107);
	assert_int_equal(strlen(cw_endpoint_str(&ep, buf)), 112);
	assert_int_equal(cw_endpoint_parse("unix:a\0b", 8, 0, &ep), CW_E_SYNTAX);
	assert_int_equal(cw_endpoint_parse("1.2.3.4:8080", 10, 0, &ep), 0); /* n bounds it */
	assert_string_equal(cw_endpoint_str(&ep, buf), "1.2.3.4:80");
}

static void sockaddrs(void **state)
{
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6, .sin6_port = htons(7), .sin6_scope_id = 3};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct cw_endpoint ep;
	const struct sockaddr *sa = (const struct sockaddr *) &ep.u.ss;
	struct cw_addr6 a;
	char buf[CW_ENDPOINT_STRLEN];

	(void) state;
	six.sin6_addr.s6_addr[0] = 0xfe;
	six.sin6_addr.s6_addr[1] = 0x80;
	assert_string_equal(cw_sockaddr_str((struct sockaddr *) &six, buf), "[fe80::%3]:7");
	assert_string_equal(cw_sockaddr_str((struct sockaddr *) &un, buf), "unix");
	assert_string_equal(cw_sockaddr_str(NULL, buf), "unknown");
	assert_int_equal(cw_sockaddr_port((struct sockaddr *) &un), 0);
	assert_false(cw_sockaddr_is_loopback((struct sockaddr *) &un));
	assert_false(cw_sockaddr_addr6((struct sockaddr *) &un, &a));

	assert_int_equal(cw_endpoint_parse("127.9.9.9:80", 12, 0, &ep), 0);
	assert_true(cw_sockaddr_is_loopback(sa));
	assert_int_equal(cw_sockaddr_port(sa), 80);
	assert_false(cw_sockaddr_addr6(sa, &a));
	assert_int_equal(cw_endpoint_parse("128.0.0.1:80", 12, 0, &ep), 0);
	assert_false(cw_sockaddr_is_loopback(sa));
	assert_int_equal(cw_endpoint_parse("[::1]:443", 9, 0, &ep), 0);
	assert_true(cw_sockaddr_is_loopback(sa));
	assert_int_equal(cw_sockaddr_port(sa), 443);
	assert_int_equal(cw_endpoint_parse("[::ffff:127.0.0.1]:1", 20, 0, &ep), 0);
	assert_true(cw_sockaddr_is_loopback(sa));
	assert_true(cw_sockaddr_addr6(sa, &a));
	assert_true(cw_addr6_is_v4mapped(&a));
	assert_int_equal(cw_endpoint_parse("[::2]:1", 7, 0, &ep), 0);
	assert_false(cw_sockaddr_is_loopback(sa));
}

static void kinds(void **state)
{
	enum { UNSPEC = 1, LOOP = 2, MCAST = 4, LINK = 8, MAPPED = 16, OTHER = 32 };
	static const struct {
		const char *s;
		unsigned is;
	} t[] = {{"::", UNSPEC}, {"::1", LOOP}, {"::2", OTHER}, {"::1.2.3.4", OTHER},
		{"64:ff9b::1.2.3.4", OTHER}, {"64:ff9b:1::1", 0}, {"100::1", OTHER},
		{"100:0:0:1::1", 0}, {"ff02::1", MCAST}, {"ff00::", MCAST}, {"fe80::1", LINK},
		{"febf::1", LINK}, {"fec0::1", 0}, {"fe7f::1", 0}, {"::ffff:1.2.3.4", MAPPED},
		{"::fffe:1.2.3.4", 0}, {"2001:db8::1", 0}, {"fc00::1", 0},
		{"100::ffff:1.2.3.4", OTHER}};
	static const struct {
		const char *s;
		bool unicast;
	} four[] = {{"0.0.0.0", false}, {"0.255.255.255", false}, {"1.0.0.0", true},
		{"126.255.255.255", true}, {"127.0.0.0", false}, {"127.255.255.255", false},
		{"128.0.0.0", true}, {"223.255.255.255", true}, {"224.0.0.0", false},
		{"255.255.255.255", false}};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(t); i++) {
		const struct cw_addr6 a = a6(t[i].s);

		assert_int_equal(cw_addr6_is_unspecified(&a), (t[i].is & UNSPEC) != 0);
		assert_int_equal(cw_addr6_is_loopback(&a), (t[i].is & LOOP) != 0);
		assert_int_equal(cw_addr6_is_multicast(&a), (t[i].is & MCAST) != 0);
		assert_int_equal(cw_addr6_is_link_local(&a), (t[i].is & LINK) != 0);
		assert_int_equal(cw_addr6_is_v4mapped(&a), (t[i].is & MAPPED) != 0);
		assert_int_equal(cw_addr6_is_tunnel_end(&a), t[i].is == 0);
	}
	for (unsigned i = 0; i < CW_ARRAY_LEN(four); i++)
		assert_int_equal(cw_addr4_is_unicast(a4(four[i].s)), four[i].unicast);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr4_text),
		cmocka_unit_test(addr6_text),
		cmocka_unit_test(addr6_random),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(ranges),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(sockaddrs),
		cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests_name("base/addr", tests, NULL, NULL);
}
