/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: exact lines in each format, hostile values, cutting, journald's datagrams, threads. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"

static int real_stderr = -1;
static int caught = -1; /* a file in memory that stands for stderr */
static char line[16384];

static void catch_stderr(void)
{
	caught = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(caught >= 0);
	real_stderr = dup(STDERR_FILENO);
	assert_true(real_stderr >= 0);
	assert_int_equal(dup2(caught, STDERR_FILENO), STDERR_FILENO);
}

/* What was written since, as a string. */
static const char *release_stderr(void)
{
	ssize_t n;

	assert_int_equal(dup2(real_stderr, STDERR_FILENO), STDERR_FILENO);
	n = pread(caught, line, sizeof line - 1, 0);
	assert_true(n >= 0);
	line[n] = '\0';
	cw_closep(&real_stderr);
	cw_closep(&caught);
	return line;
}

/* One line at level info in the given format, without its time. */
static const char *logged(
	enum cw_log_format format, const struct cw_field *fields, const char *text)
{
	const char *s, *at;

	cw_log_open("test", CW_LOG_INFO, format);
	catch_stderr();
	cw_log(CW_LOG_INFO, fields, text);
	s = release_stderr();
	at = strstr(s, format == CW_LOG_JSON ? "\"level\":" : "level=");
	assert_non_null(at);
	return at;
}

static void all_types(void **state)
{
	const struct cw_addr6 a6 = {{0x20, 1, 0x0d, 0xb8, [15] = 1}};
	const struct cw_addr4 a4 = {0xc0000201};
	const struct cw_portset ps = {6, 8, 52};
	const struct sockaddr_in peer = {.sin_family = AF_INET,
		.sin_port = htons(4000),
		.sin_addr.s_addr = htonl(0xc0000202)};
	const struct cw_field *f = CW_F(CW_F_EVENT("lease.grant"), CW_F_INT("delta", INT64_MIN),
		CW_F_UINT("lease", UINT64_MAX), CW_F_ADDR4("addr4", a4), CW_F_ADDR6("addr6", &a6),
		CW_F_PORTSET("ports", ps), CW_F_ERR(CW_E_POOL_EMPTY),
		CW_F_PEER((const struct sockaddr *) &peer),
		CW_F_SLICE("principal", ((struct cw_slice){"alice!", 5})), CW_F_STR("none", NULL));

	(void) state;
	assert_string_equal(logged(CW_LOG_LOGFMT, f, "lease granted"),
		"level=info prog=test msg=\"lease granted\" event=lease.grant "
		"delta=-9223372036854775808 lease=18446744073709551615 addr4=192.0.2.1 "
		"addr6=2001:db8::1 ports=6/8/52 err=pool-empty peer=192.0.2.2:4000 principal=alice "
		"none=\"\"\n");
	assert_string_equal(logged(CW_LOG_JSON, f, "lease granted"),
		"\"level\":\"info\",\"prog\":\"test\",\"msg\":\"lease granted\",\"event\":\"lease.grant\","
		"\"delta\":-9223372036854775808,\"lease\":18446744073709551615,\"addr4\":\"192.0.2.1\","
		"\"addr6\":\"2001:db8::1\",\"ports\":\"6/8/52\",\"err\":\"pool-empty\","
		"\"peer\":\"192.0.2.2:4000\",\"principal\":\"alice\",\"none\":\"\"}\n");
	assert_string_equal(logged(CW_LOG_LOGFMT, CW_F_NONE, "x"), "level=info prog=test msg=x\n");
}

/* A time of the form 2026-03-01T10:00:00.123Z that is now. */
static void time_stamp(void **state)
{
	const char *s;
	char whole[21];
	int64_t t;

	(void) state;
	cw_log_open("test", CW_LOG_INFO, CW_LOG_LOGFMT);
	catch_stderr();
	cw_log(CW_LOG_INFO, CW_F_NONE, "x");
	s = release_stderr();
	assert_memory_equal(s, "ts=", 3);
	assert_int_equal(s[22], '.');
	assert_int_equal(s[26], 'Z');
	assert_int_equal(s[27], ' ');
	memcpy(whole, s + 3, 19);
	memcpy(whole + 19, "Z", 2);
	assert_int_equal(cw_time_parse(whole, &t), 0);
	assert_in_range(cw_clock_now(&cw_system_clock).wall_s - t, 0, 10);
}

/* What a peer sends can neither end the line nor pass for a field, in both formats. */
static void hostile_values(void **state)
{
	static const struct {
		const char *in, *out;
		size_t n;
	} v[] = {{"a b", "\"a b\"", 3}, {"a=b", "\"a=b\"", 3}, {"a\"b", "\"a\\\"b\"", 3},
		{"a\\b", "\"a\\\\b\"", 3}, {"a\nb", "\"a\\nb\"", 3}, {"\r\t", "\"\\r\\t\"", 2},
		{"\0\x1b[2J", "\"\\u0000\\u001b[2J\"", 5}, {"\x7f", "\"\\u007f\"", 1},
		{"\xc3\xa4", "\"\xc3\xa4\"", 2},    /* UTF-8 stays */
		{"\xc2\x9b", "\"\\u009b\"", 2},     /* C1 control */
		{"\xe2\x80\xae", "\"\\u202e\"", 3}, /* right-to-left override */
		{"\xef\xbb\xbf", "\"\\ufeff\"", 3}, {"\xff", "\"\\ufffd\"", 1},
		{"\xc3", "\"\\ufffd\"", 1}, {"\xc0\xaf", "\"\\ufffd\\ufffd\"", 2}, /* overlong */
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", 3},                  /* surrogate */
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", 4}, /* beyond Unicode */
		{"\xf0\x9f\x8c\x89", "\"\xf0\x9f\x8c\x89\"", 4}, {"", "\"\"", 0}};
	char want[200];

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(v); i++) {
		const struct cw_field *f =
			CW_F(CW_F_SLICE("user", ((struct cw_slice){v[i].in, v[i].n})));

		(void) snprintf(
			want, sizeof want, "level=info prog=test msg=x user=%s\n", v[i].out);
		assert_string_equal(logged(CW_LOG_LOGFMT, f, "x"), want);
		(void) snprintf(want, sizeof want,
			"\"level\":\"info\",\"prog\":\"test\",\"msg\":\"x\",\"user\":%s}\n",
			v[i].out);
		assert_string_equal(logged(CW_LOG_JSON, f, "x"), want);
	}
}

static void long_values(void **state)
{
	char in[300], want[400];

	(void) state;
	memset(in, 'a', sizeof in);
	in[256] = '\0';
	(void) snprintf(want, sizeof want, "level=info prog=test msg=x user=%s\n", in);
	assert_string_equal(logged(CW_LOG_LOGFMT, CW_F(CW_F_STR("user", in)), "x"), want);
	in[256] = 'a';
	in[257] = '\0';
	(void) snprintf(want, sizeof want, "level=info prog=test msg=x user=\"%.256s...\"\n", in);
	assert_string_equal(logged(CW_LOG_LOGFMT, CW_F(CW_F_STR("user", in)), "x"), want);
	/* the cut goes through a character: it is left out, and not called an error */
	memcpy(in + 255, "\xc3\xa4z", 4);
	(void) snprintf(want, sizeof want, "level=info prog=test msg=x user=\"%.255s...\"\n", in);
	assert_string_equal(logged(CW_LOG_LOGFMT, CW_F(CW_F_STR("user", in)), "x"), want);
}

/* More than a line holds: whole fields until it is full, a mark, and still a line (and JSON). */
static void full_line(void **state)
{
	static const char *const ends[] = {" truncated=true\n", ",\"truncated\":true}\n"};
	char in[256];
	struct cw_field f[31] = {{.type = CW_FT_END}};

	(void) state;
	memset(in, '\n', sizeof in - 1); /* two octets each when escaped */
	in[sizeof in - 1] = '\0';
	for (unsigned i = 0; i < 30; i++)
		f[i] = (struct cw_field) CW_F_STR("key", in);
	f[30].type = CW_FT_END;
	for (unsigned i = 0; i < 2; i++) {
		const char *s = logged(i ? CW_LOG_JSON : CW_LOG_LOGFMT, f, "x");
		const size_t n = strlen(line), end = strlen(ends[i]);

		assert_in_range(n, 3500, 4096);
		assert_string_equal(line + n - end, ends[i]);
		assert_ptr_equal(strchr(s, '\n'), line + n - 1);
		assert_int_equal(line[n - end - 1], '"'); /* the last field is whole */
	}
}

static void levels(void **state)
{
	static const char *const names[] = {"err", "warning", "notice", "info", "debug"};
	enum cw_log_level level = CW_LOG_DEBUG;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(names); i++) {
		assert_int_equal(cw_log_level_parse(names[i], &level), 0);
		assert_int_equal(level, i);
		cw_log_open("test", level, CW_LOG_LOGFMT);
		for (unsigned k = 0; k < CW_ARRAY_LEN(names); k++) {
			assert_int_equal(cw_log_enabled((enum cw_log_level) k), k <= i);
			catch_stderr();
			cw_log((enum cw_log_level) k, CW_F_NONE, "x");
			assert_int_equal(release_stderr()[0] != '\0', k <= i);
			if (k <= i)
				assert_non_null(strstr(line, names[k]));
		}
	}
	level = CW_LOG_NOTICE;
	assert_int_equal(cw_log_level_parse("", &level), CW_E_SYNTAX);
	assert_int_equal(cw_log_level_parse("INFO", &level), CW_E_SYNTAX);
	assert_int_equal(cw_log_level_parse("errr", &level), CW_E_SYNTAX);
	assert_int_equal(level, CW_LOG_NOTICE);
	cw_log_set_level(CW_LOG_ERR);
	assert_false(cw_log_enabled(CW_LOG_WARNING));
}

static void keeps_errno(void **state)
{
	(void) state;
	catch_stderr();
	cw_log_open("test", CW_LOG_INFO, CW_LOG_LOGFMT);
	(void) close(STDERR_FILENO); /* the write fails */
	errno = 77;
	cw_log(CW_LOG_INFO, CW_F_NONE, "x");
	assert_int_equal(errno, 77);
	(void) release_stderr();
}

static char journal_dir[] = "/tmp/cw-log-XXXXXX";
static struct sockaddr_un journal = {.sun_family = AF_UNIX};
static int journal_fd = -1;

static int open_journal(void **state)
{
	(void) state;
	if (!mkdtemp(journal_dir))
		return -1;
	(void) snprintf(journal.sun_path, sizeof journal.sun_path, "%.60s/socket", journal_dir);
	journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (journal_fd < 0 || bind(journal_fd, (struct sockaddr *) &journal, sizeof journal) < 0)
		return -1;
	cw_log_set_journal_socket(journal.sun_path);
	return 0;
}

static int close_journal(void **state)
{
	(void) state;
	cw_closep(&journal_fd);
	(void) unlink(journal.sun_path);
	(void) rmdir(journal_dir);
	cw_log_set_journal_socket(NULL);
	cw_log_open("test", CW_LOG_INFO, CW_LOG_LOGFMT);
	return 0;
}

static const char *received(void)
{
	const ssize_t n = recv(journal_fd, line, sizeof line - 1, 0);

	assert_true(n >= 0);
	line[n] = '\0';
	return line;
}

static void to_journal(void **state)
{
	char long_value[257];

	(void) state;
	cw_log_open("test", CW_LOG_DEBUG, CW_LOG_JOURNAL);
	cw_log(CW_LOG_ERR,
		CW_F(CW_F_EVENT("x.y"), CW_F_UINT("dur_us", 5), CW_F_STR("user", "a\nPRIORITY=0")),
		"it broke");
	assert_string_equal(received(),
		"PRIORITY=3\nSYSLOG_IDENTIFIER=test\n"
		"MESSAGE=it broke event=x.y dur_us=5 user=\"a\\nPRIORITY=0\"\n"
		"CW_EVENT=x.y\nCW_DUR_US=5\nCW_USER=\"a\\nPRIORITY=0\"\n");
	cw_log(CW_LOG_DEBUG, CW_F_NONE, "x");
	assert_string_equal(received(), "PRIORITY=7\nSYSLOG_IDENTIFIER=test\nMESSAGE=x\n");
	memset(long_value, '\n', sizeof long_value - 1);
	long_value[sizeof long_value - 1] = '\0';
	{
		struct cw_field f[31];

		for (unsigned i = 0; i < 30; i++)
			f[i] = (struct cw_field) CW_F_STR("key", long_value);
		f[30].type = CW_FT_END;
		cw_log(CW_LOG_INFO, f, "much");
	}
	(void) received();
	assert_in_range(strlen(line), 4000, 8192);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

/* journald is away: the line goes to stderr, with the priority where journald's stream looks for
 * it. */
static void journal_away(void **state)
{
	struct stat st;
	char stream[64];

	(void) state;
	catch_stderr();
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void) snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long) st.st_dev,
		(unsigned long long) st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	cw_log_open("test", CW_LOG_INFO, CW_LOG_AUTO); /* stderr is the journal's stream: native */
	cw_log(CW_LOG_WARNING, CW_F_NONE, "one");
	cw_log_set_journal_socket("/nonexistent/socket");
	cw_log(CW_LOG_WARNING, CW_F_NONE, "two");
	(void) unsetenv("JOURNAL_STREAM");
	assert_string_equal(release_stderr(), "<4>level=warning prog=test msg=two\n");
	cw_log_set_journal_socket(journal.sun_path);
	assert_string_equal(received(), "PRIORITY=4\nSYSLOG_IDENTIFIER=test\nMESSAGE=one\n");
}

/* Some other program's JOURNAL_STREAM, inherited: not our stderr. */
static void journal_of_others(void **state)
{
	(void) state;
	assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0);
	catch_stderr();
	cw_log_open("test", CW_LOG_INFO, CW_LOG_AUTO);
	cw_log(CW_LOG_INFO, CW_F_NONE, "x");
	assert_memory_equal(release_stderr(), "ts=", 3);
	assert_int_equal(setenv("JOURNAL_STREAM", "rubbish", 1), 0);
	cw_log_open("test", CW_LOG_INFO, CW_LOG_AUTO);
	(void) unsetenv("JOURNAL_STREAM");
}

enum { THREADS = 4, LINES = 500 };

static void *log_lines(void *arg)
{
	char value[200];

	memset(value, 'a' + *(int *) arg, sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (unsigned i = 0; i < LINES; i++)
		cw_log(CW_LOG_INFO, CW_F(CW_F_STR("v", value)), "x");
	return NULL;
}

struct reader {
	int fd;
	unsigned good, bad;
};

/* Counts the lines of a pipe that are whole. */
static void *read_lines(void *arg)
{
	struct reader *r = arg;
	FILE *f = fdopen(r->fd, "r");
	char *s = NULL;
	size_t room = 0;
	ssize_t n;

	while (f && (n = getline(&s, &room, f)) > 0) {
		const char *v = strstr(s, " v=");
		const size_t same = v ? strspn(v + 3, (char[]){v[3], '\0'}) : 0;

		if (strncmp(s, "ts=", 3) == 0 && same == 199 && v[3 + same] == '\n')
			r->good++;
		else
			r->bad++;
	}
	free(s);
	if (f)
		(void) fclose(f);
	return NULL;
}

static void threads(void **state)
{
	pthread_t writers[THREADS], reader;
	int numbers[THREADS], fds[2];
	struct reader r = {0};

	(void) state;
	assert_int_equal(pipe(fds), 0);
	r.fd = fds[0];
	cw_log_open("test", CW_LOG_INFO, CW_LOG_LOGFMT);
	catch_stderr();
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	cw_closep(&fds[1]);
	assert_int_equal(pthread_create(&reader, NULL, read_lines, &r), 0);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&writers[i], NULL, log_lines, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(writers[i], NULL), 0);
	(void) release_stderr(); /* closes the writing end */
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(r.good, THREADS * LINES);
	assert_int_equal(r.bad, 0);
}

static void rate_limit(void **state)
{
	struct cw_log_limit l = {0};

	(void) state;
	assert_true(cw_log_limit_ok(&l, 5000000, 2, 1000));
	assert_true(cw_log_limit_ok(&l, 5999999, 2, 1000));
	assert_false(cw_log_limit_ok(&l, 5999999, 2, 1000));
	assert_true(cw_log_limit_ok(&l, 6000000, 2, 1000)); /* a new window */
	assert_true(cw_log_limit_ok(&l, 6000001, 2, 1000));
	assert_false(cw_log_limit_ok(&l, 6999999, 2, 1000));
	assert_false(cw_log_limit_ok(&l, 9000000, 0, 1000)); /* a burst of none */
}

/* The log needs no heap, so it can say that there is none left. */
static void without_memory(void **state)
{
	unsigned long before;

	(void) state;
	cw_log_open("test", CW_LOG_INFO, CW_LOG_JSON);
	catch_stderr();
	before = cw_mem_count();
	cw_log(CW_LOG_INFO, CW_F(CW_F_ERR(-ENOMEM), CW_F_STR("s", "a\nb")), "x");
	assert_int_equal(cw_mem_count(), before);
	assert_non_null(strstr(release_stderr(), "\"err\":\"enomem\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_types),
		cmocka_unit_test(time_stamp),
		cmocka_unit_test(hostile_values),
		cmocka_unit_test(long_values),
		cmocka_unit_test(full_line),
		cmocka_unit_test(levels),
		cmocka_unit_test(keeps_errno),
		cmocka_unit_test_setup_teardown(to_journal, open_journal, NULL),
		cmocka_unit_test(journal_away),
		cmocka_unit_test_setup_teardown(journal_of_others, NULL, close_journal),
		cmocka_unit_test(threads),
		cmocka_unit_test(rate_limit),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
