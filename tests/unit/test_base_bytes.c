/* SPDX-License-Identifier: BSD-2-Clause */
/* Cursors never leave their buffer and stay bad; numbers and Base64 are strict. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

static void read_numbers(void **state)
{
	static const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct cw_reader r = cw_reader_of(in, sizeof in);

	(void) state;
	assert_int_equal(cw_read_left(&r), 15);
	assert_int_equal(cw_read_u8(&r), 0x01);
	assert_int_equal(cw_read_u16(&r), 0x0203);
	assert_int_equal(cw_read_u32(&r), 0x04050607);
	assert_true(cw_read_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_false(r.bad);
	assert_true(r.pos == r.end);
	assert_int_equal(cw_read_u8(&r), 0);
	assert_true(r.bad);
}

/* For each length and each read: too short is bad, gives 0, and stays bad for smaller reads. */
static void read_short(void **state)
{
	static const uint8_t in[8] = {255, 255, 255, 255, 255, 255, 255, 255};

	(void) state;
	for (size_t n = 0; n < 8; n++) {
		struct cw_reader r = cw_reader_of(in, n);

		assert_true(cw_read_u64(&r) == 0);
		assert_true(r.bad);
		assert_int_equal(cw_read_left(&r), 0);
		assert_int_equal(cw_read_u8(&r), 0);
		assert_null(cw_read_take(&r, 0));
	}
	for (size_t n = 0; n < 4; n++) {
		struct cw_reader r = cw_reader_of(in, n);

		assert_int_equal(cw_read_u32(&r), 0);
		assert_true(r.bad);
	}
}

static void read_pieces(void **state)
{
	static const uint8_t in[] = "abcdef";
	struct cw_reader r = cw_reader_of(in, 6);
	struct cw_reader sub;
	uint8_t to[4] = {9, 9, 9, 9};

	(void) state;
	cw_read_bytes(&r, to, 2);
	assert_memory_equal(to, "ab", 2);
	assert_ptr_equal(cw_read_take(&r, 1), in + 2);
	sub = cw_read_sub(&r, 2);
	assert_int_equal(cw_read_left(&sub), 2);
	assert_int_equal(cw_read_left(&r), 1);
	assert_int_equal(cw_read_u16(&sub), 'd' << 8 | 'e');
	assert_int_equal(cw_read_u8(&sub), 0); /* not the parent's 'f' */
	assert_true(sub.bad);
	assert_false(r.bad);
	cw_read_skip(&r, 1);
	assert_false(r.bad);
	sub = cw_read_sub(&r, 0);
	assert_false(sub.bad);
	sub = cw_read_sub(&r, 1);
	assert_true(sub.bad);
	assert_true(r.bad);
	cw_read_bytes(&r, to, 4);
	assert_memory_equal(to, "\0\0\0\0", 4); /* nothing stale, nothing uninitialised */
	r = cw_reader_of(NULL, 0);
	cw_read_bytes(&r, NULL, 0);
	assert_false(r.bad);
	r = cw_reader_of(in, 6);
	cw_read_skip(&r, SIZE_MAX);
	assert_true(r.bad);
}

static void write_numbers(void **state)
{
	uint8_t out[15];
	struct cw_writer w = cw_writer_of(out, sizeof out);

	(void) state;
	cw_write_u8(&w, 1);
	cw_write_u16(&w, 0x0203);
	cw_write_u32(&w, 0x04050607);
	cw_write_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
	assert_false(w.bad);
	assert_int_equal(cw_write_len(&w), 15);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(out[i], i + 1);
	cw_write_u8(&w, 1);
	assert_true(w.bad);
	assert_int_equal(cw_write_len(&w), 15);
}

static void write_full(void **state)
{
	uint8_t out[4] = {0, 0, 0, 0x5a};
	struct cw_writer w = cw_writer_of(out, 3);

	(void) state;
	cw_write_u32(&w, UINT32_MAX);
	assert_true(w.bad);
	assert_int_equal(cw_write_len(&w), 0);
	cw_write_u8(&w, 1); /* would fit, but the message is broken already */
	assert_int_equal(cw_write_len(&w), 0);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[3], 0x5a);
	w = cw_writer_of(NULL, 0);
	cw_write_bytes(&w, NULL, 0);
	assert_false(w.bad);
	cw_write_str(&w, "x");
	assert_true(w.bad);
}

static void write_text(void **state)
{
	char out[8] = "zzzzzzz";
	struct cw_writer w = cw_writer_of(out, 7);

	(void) state;
	cw_write_str(&w, "ab");
	cw_write_fmt(&w, "%d%s", 123, "cd"); /* ends at the end: no room for a NUL, none needed */
	assert_false(w.bad);
	assert_int_equal(cw_write_len(&w), 7);
	assert_memory_equal(out, "ab123cd", 7);
	w = cw_writer_of(out, 7);
	cw_write_fmt(&w, "%s", "12345678");
	assert_true(w.bad);
	assert_int_equal(cw_write_len(&w), 0);
	cw_write_fmt(&w, "%s", "1");
	assert_int_equal(cw_write_len(&w), 0);
}

static void write_long_text(void **state)
{
	static char out[2000], in[1501];
	struct cw_writer w;

	(void) state;
	memset(in, 'x', sizeof in - 1);
	for (size_t room = 1498; room <= 1502; room++) {
		w = cw_writer_of(out, room);
		cw_write_fmt(&w, "%s", in);
		assert_true(w.bad == (room < 1500));
		assert_int_equal(cw_write_len(&w), room < 1500 ? 0 : 1500);
	}
	w = cw_writer_of(out, sizeof out);
	cw_mem_fail_at(1);
	cw_write_fmt(&w, "%s", in);
	cw_mem_fail_at(0);
	assert_true(w.bad);
}

static void length_fields(void **state)
{
	static uint8_t out[70000];
	struct cw_writer w = cw_writer_of(out, sizeof out);
	uint8_t *outer = cw_write_begin16(&w);
	uint8_t *inner;

	(void) state;
	cw_write_u8(&w, 0xaa);
	inner = cw_write_begin16(&w);
	cw_write_end16(&w, inner);
	cw_write_u8(&w, 0xbb);
	cw_write_end16(&w, outer);
	assert_memory_equal(out, "\0\4\xaa\0\0\xbb", 6);
	for (unsigned n = 65535; n <= 65536; n++) {
		w = cw_writer_of(out, sizeof out);
		outer = cw_write_begin16(&w);
		for (unsigned i = 0; i < n; i++)
			cw_write_u8(&w, 1);
		cw_write_end16(&w, outer);
		assert_true(w.bad == (n > 65535));
	}
	w = cw_writer_of(out, 1);
	outer = cw_write_begin16(&w);
	assert_null(outer);
	cw_write_end16(&w, outer);
	assert_true(w.bad);
}

static int number(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	return cw_parse_u64(s, strlen(s), min, max, ret);
}

static void numbers(void **state)
{
	static const char *const wrong[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.", "1e3", "a"};
	uint64_t v = 77;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(wrong); i++)
		assert_int_equal(number(wrong[i], 0, UINT64_MAX, &v), CW_E_SYNTAX);
	assert_int_equal(cw_parse_u64("1\0", 2, 0, 9, &v), CW_E_SYNTAX);
	assert_int_equal(number("18446744073709551616", 0, UINT64_MAX, &v), CW_E_LIMIT);
	assert_int_equal(number("99999999999999999999999999", 0, UINT64_MAX, &v), CW_E_LIMIT);
	/* beyond the limit and no number: the text is wrong first of all */
	assert_int_equal(number("18446744073709551616x", 0, UINT64_MAX, &v), CW_E_SYNTAX);
	assert_int_equal(number("9", 10, 20, &v), CW_E_LIMIT);
	assert_int_equal(number("21", 10, 20, &v), CW_E_LIMIT);
	assert_int_equal(v, 77);
	assert_int_equal(number("10", 10, 20, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(number("20", 10, 20, &v), 0);
	assert_int_equal(number("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(cw_parse_u64("1234", 2, 0, 99, &v), 0); /* n bounds it */
	assert_int_equal(v, 12);
}

/* RFC 4648 section 10 */
static void base64_vectors(void **state)
{
	static const struct {
		const char *plain, *text;
	} v[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	char to[16];

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(v); i++) {
		const size_t plain_n = strlen(v[i].plain), text_n = strlen(v[i].text);

		memset(to, 'x', sizeof to);
		assert_int_equal(cw_base64_encode(v[i].plain, plain_n, to, sizeof to), text_n);
		assert_string_equal(to, v[i].text);
		assert_int_equal(cw_base64_encode(v[i].plain, plain_n, to, text_n + 1), text_n);
		assert_int_equal(cw_base64_encode(v[i].plain, plain_n, to, text_n), CW_E_LIMIT);
		assert_int_equal(cw_base64_decode(v[i].text, text_n, to, plain_n), plain_n);
		assert_memory_equal(to, v[i].plain, plain_n);
		if (plain_n)
			assert_int_equal(
				cw_base64_decode(v[i].text, text_n, to, plain_n - 1), CW_E_LIMIT);
	}
}

static void base64_wrong(void **state)
{
	static const char *const wrong[] = {"Z", "Zg",
		"Zg=", "Zg===", "====", "=Zg=", "Z===", "Zm9v=", "Zm=v", "Zm8=Zm8=", "Zm 9",
		"Zm9\n", "Zm9-", "Zm9_", "Zh==", "Zm9=", "Zm9v Zg=="};
	char to[16];

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(wrong); i++)
		assert_int_equal(
			cw_base64_decode(wrong[i], strlen(wrong[i]), to, sizeof to), CW_E_SYNTAX);
}

static void base64_round_trip(void **state)
{
	uint8_t in[300], back[300];
	char text[404];

	(void) state;
	assert_int_equal(cw_random(in, sizeof in), 0);
	for (size_t n = 0; n <= sizeof in; n++) {
		const int len = cw_base64_encode(in, n, text, sizeof text);

		assert_int_equal(len, (n + 2) / 3 * 4);
		assert_int_equal(cw_base64_decode(text, (size_t) len, back, sizeof back), n);
		assert_memory_equal(back, in, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_numbers),
		cmocka_unit_test(read_short),
		cmocka_unit_test(read_pieces),
		cmocka_unit_test(write_numbers),
		cmocka_unit_test(write_full),
		cmocka_unit_test(write_text),
		cmocka_unit_test(write_long_text),
		cmocka_unit_test(length_fields),
		cmocka_unit_test(numbers),
		cmocka_unit_test(base64_vectors),
		cmocka_unit_test(base64_wrong),
		cmocka_unit_test(base64_round_trip),
	};

	return cmocka_run_group_tests_name("base/bytes", tests, NULL, NULL);
}
