/* SPDX-License-Identifier: BSD-2-Clause */
/* Structured log. A line is built on the stack and leaves in one write(2) of at most PIPE_BUF
 * octets, so that threads and processes sharing a pipe never mix their lines; no heap, so it works
 * when memory is out. journald is spoken to natively over its datagram socket
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL); if it is not there, the line goes to stderr as logfmt with
 * the <N> priority prefix journald understands.
 *
 * Strings may come from peers: cut at 256 octets, and whatever could end a line, forge a field or
 * steer a terminal is escaped. Static state: program, level, sink; set by cw_log_open() before
 * threads start. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define LINE_MAX_OCTETS 4096 /* PIPE_BUF on Linux */
#define VALUE_MAX       256  /* octets of one value, before escaping */
#define KEY_MAX         32
#define TAIL_RESERVE    24 /* for `,"truncated":true}` and the end of line */
#define JOURNAL_SOCKET  "/run/systemd/journal/socket"

static struct {
	const char *program;
	const char *journal_path;
	/* Atomic: a reload may change them. */
	enum cw_log_level level;
	enum cw_log_format format;
	bool under_journal; /* stderr is journald's stream: it stamps the time itself */
} sink = {"causeway", JOURNAL_SOCKET, CW_LOG_INFO, CW_LOG_LOGFMT, false};

static const char *const level_names[] = {"err", "warning", "notice", "info", "debug"};

/* systemd sets JOURNAL_STREAM to "DEVICE:INODE" of the stream it connected us to. */
static bool stderr_is_journal(void)
{
	const char *env = secure_getenv("JOURNAL_STREAM");
	const char *colon = env ? strchr(env, ':') : NULL;
	uint64_t dev, ino;
	struct stat st;

	return colon && cw_parse_u64(env, (size_t) (colon - env), 0, UINT64_MAX, &dev) == 0 &&
	       cw_parse_u64(colon + 1, strlen(colon + 1), 0, UINT64_MAX, &ino) == 0 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void cw_log_open(const char *program, enum cw_log_level level, enum cw_log_format format)
{
	sink.program = program;
	sink.under_journal = stderr_is_journal();
	cw_log_change(level, format);
}

void cw_log_change(enum cw_log_level level, enum cw_log_format format)
{
	if (format == CW_LOG_AUTO)
		format = sink.under_journal ? CW_LOG_JOURNAL : CW_LOG_LOGFMT;
	__atomic_store_n(&sink.format, format, __ATOMIC_RELAXED);
	cw_log_set_level(level);
}

void cw_log_set_level(enum cw_log_level level)
{
	__atomic_store_n(&sink.level, level, __ATOMIC_RELAXED);
}

void cw_log_set_journal_socket(const char *path)
{
	sink.journal_path = path ? path : JOURNAL_SOCKET;
}

bool cw_log_enabled(enum cw_log_level level)
{
	return level <= __atomic_load_n(&sink.level, __ATOMIC_RELAXED);
}

int cw_log_level_parse(const char *s, enum cw_log_level *ret)
{
	for (unsigned i = 0; i < CW_ARRAY_LEN(level_names); i++) {
		if (strcmp(s, level_names[i]) == 0) {
			*ret = (enum cw_log_level) i;
			return 0;
		}
	}
	return CW_E_SYNTAX;
}

bool cw_log_limit_ok(struct cw_log_limit *l, int64_t mono_us, unsigned burst, unsigned interval_ms)
{
	if (l->used == 0 || mono_us - l->window_start_us >= (int64_t) interval_ms * 1000) {
		l->window_start_us = mono_us;
		l->used = 0;
	}
	if (l->used >= burst)
		return false;
	l->used++;
	return true;
}

/* Octets of the UTF-8 character at p (n left) and its code point; 0 if it is not one. */
static size_t utf8_char(const uint8_t *p, size_t n, uint32_t *ret_cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const size_t len = p[0] < 0x80   ? 1
			   : p[0] < 0xc0 ? 0
			   : p[0] < 0xe0 ? 2
			   : p[0] < 0xf0 ? 3
			   : p[0] < 0xf8 ? 4
					 : 0;
	uint32_t cp;

	if (!len || len > n)
		return 0;
	cp = len == 1 ? p[0] : p[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3fU);
	}
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*ret_cp = cp;
	return len;
}

/* Characters that move the cursor or reorder what a reader sees (controls, line and paragraph
 * separators, bidirectional overrides and isolates, the byte order mark). */
static bool must_escape(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x200e && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

static void write_escape(struct cw_writer *w, uint32_t cp)
{
	switch (cp) {
	case '\n':
		cw_write_str(w, "\\n");
		break;
	case '\r':
		cw_write_str(w, "\\r");
		break;
	case '\t':
		cw_write_str(w, "\\t");
		break;
	default:
		cw_write_fmt(w, "\\u%04x", (unsigned) cp);
	}
}

/* Inside quotes, for logfmt and JSON alike. An octet that is no UTF-8 becomes U+FFFD. */
static void write_quoted(struct cw_writer *w, struct cw_slice s, bool cut)
{
	const uint8_t *p = (const uint8_t *) s.p;

	cw_write_u8(w, '"');
	for (size_t i = 0; i < s.n;) {
		uint32_t cp;
		const size_t len = utf8_char(p + i, s.n - i, &cp);

		if (len == 0) {
			/* the cut may have gone through a character: that one is not the peer's
			 * error */
			if (cut && s.n - i < 4 && p[i] >= 0xc0)
				break;
			cw_write_str(w, "\\ufffd");
			i++;
			continue;
		}
		if (must_escape(cp)) {
			write_escape(w, cp);
		} else {
			if (cp == '"' || cp == '\\')
				cw_write_u8(w, '\\');
			cw_write_bytes(w, p + i, len);
		}
		i += len;
	}
	if (cut)
		cw_write_str(w, "...");
	cw_write_u8(w, '"');
}

/* The whole value is of characters that need no quotes in logfmt. */
static bool is_bare(struct cw_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		const uint8_t c = (uint8_t) s.p[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return s.n > 0;
}

static void write_string(struct cw_writer *w, struct cw_slice s, bool json)
{
	const bool cut = s.n > VALUE_MAX;

	if (cut)
		s.n = VALUE_MAX;
	if (!json && !cut && is_bare(s))
		cw_write_bytes(w, s.p, s.n);
	else
		write_quoted(w, s, cut);
}

static struct cw_slice slice_of(const char *s)
{
	/* one octet beyond the limit tells that there is more, without reading all of it */
	return s ? (struct cw_slice){s, strnlen(s, VALUE_MAX + 1)} : (struct cw_slice){"", 0};
}

/* The value as text: in buf, or where the field points. */
static struct cw_slice field_text(const struct cw_field *f, char buf[static CW_ENDPOINT_STRLEN])
{
	switch (f->type) {
	case CW_FT_SLICE:
		return f->v.slice.p ? f->v.slice : (struct cw_slice){"", 0};
	case CW_FT_STR:
		return slice_of(f->v.s);
	case CW_FT_INT:
		(void) snprintf(buf, CW_ENDPOINT_STRLEN, "%lld", (long long) f->v.i);
		break;
	case CW_FT_UINT:
		(void) snprintf(buf, CW_ENDPOINT_STRLEN, "%llu", (unsigned long long) f->v.u);
		break;
	case CW_FT_ADDR4:
		(void) cw_addr4_str(f->v.a4, buf);
		break;
	case CW_FT_ADDR6:
		(void) cw_addr6_str(f->v.a6, buf);
		break;
	case CW_FT_PORTSET:
		(void) cw_portset_str(f->v.ps, buf);
		break;
	case CW_FT_ERR:
		return slice_of(cw_err_name((int) f->v.i));
	case CW_FT_SOCKADDR:
		(void) cw_sockaddr_str(f->v.sa, buf);
		break;
	case CW_FT_END:
		buf[0] = '\0';
		break;
	}
	return (struct cw_slice){buf, strlen(buf)};
}

static void write_value(struct cw_writer *w, const struct cw_field *f, bool json)
{
	char buf[CW_ENDPOINT_STRLEN];
	const struct cw_slice text = field_text(f, buf);

	if (f->type == CW_FT_INT || f->type == CW_FT_UINT)
		cw_write_bytes(w, text.p, text.n);
	else
		write_string(w, text, json);
}

/* All fields, each whole or not at all; false if some did not fit. */
static bool write_fields(struct cw_writer *w, const struct cw_field *fields, bool json)
{
	for (const struct cw_field *f = fields; f->type != CW_FT_END; f++) {
		uint8_t *before = w->pos;

		cw_write_fmt(w, json ? ",\"%.*s\":" : " %.*s=", KEY_MAX, f->key);
		write_value(w, f, json);
		if (w->bad) {
			w->bad = false;
			w->pos = before;
			return false;
		}
	}
	return true;
}

static void write_time(struct cw_writer *w)
{
	struct timespec ts = {0};
	char buf[CW_TIME_STRLEN];

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	(void) cw_time_str(ts.tv_sec, buf);
	/* RFC 3339, with milliseconds in place of the final Z */
	cw_write_fmt(w, "%.19s.%03ldZ", buf, ts.tv_nsec / 1000000);
}

static int priority(enum cw_log_level level)
{
	return (int) level + 3; /* syslog: err 3 ... debug 7 */
}

static void write_line(const uint8_t *p, size_t n)
{
	ssize_t r;

	do
		r = write(STDERR_FILENO, p, n);
	while (r < 0 && errno == EINTR);
	/* Nobody is left to tell if this fails. */
}

static void log_stream(
	enum cw_log_level level, const struct cw_field *fields, const char *text, bool json)
{
	uint8_t line[LINE_MAX_OCTETS];
	struct cw_writer w = cw_writer_of(line, sizeof line - TAIL_RESERVE);
	bool whole;

	if (sink.under_journal)
		cw_write_fmt(&w, "<%d>", priority(level));
	if (json)
		cw_write_u8(&w, '{');
	if (!sink.under_journal) {
		cw_write_str(&w, json ? "\"ts\":\"" : "ts=");
		write_time(&w);
		cw_write_str(&w, json ? "\"," : " ");
	}
	cw_write_fmt(
		&w, json ? "\"level\":\"%s\",\"prog\":" : "level=%s prog=", level_names[level]);
	write_string(&w, slice_of(sink.program), json);
	cw_write_str(&w, json ? ",\"msg\":" : " msg=");
	write_string(&w, slice_of(text), json);
	whole = write_fields(&w, fields, json);
	w.end = line + sizeof line;
	if (!whole)
		cw_write_str(&w, json ? ",\"truncated\":true" : " truncated=true");
	cw_write_str(&w, json ? "}\n" : "\n");
	write_line(line, cw_write_len(&w));
}

/* KEY=value with our prefix and a plain upper-case key. A value with a line feed would need the
 * binary form; ours never has one, because peers' strings are written escaped. */
static void write_journal_field(struct cw_writer *w, const struct cw_field *f)
{
	cw_write_str(w, "CW_");
	for (unsigned i = 0; i < KEY_MAX && f->key[i]; i++) {
		const char c = f->key[i];

		if (c >= 'a' && c <= 'z')
			cw_write_u8(w, (uint8_t) (c - 'a' + 'A'));
		else
			cw_write_u8(w, c >= '0' && c <= '9' ? (uint8_t) c : '_');
	}
	cw_write_u8(w, '=');
	write_value(w, f, false);
	cw_write_u8(w, '\n');
}

static int log_journal(enum cw_log_level level, const struct cw_field *fields, const char *text)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	uint8_t record[2 * LINE_MAX_OCTETS];
	struct cw_writer w = cw_writer_of(record, sizeof record);
	CW_CLEANUP(cw_closep) int fd = -1;

	if (strlen(sink.journal_path) >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	memcpy(to.sun_path, sink.journal_path, strlen(sink.journal_path));
	cw_write_fmt(&w, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.64s\nMESSAGE=", priority(level),
		sink.program);
	/* journalctl shows MESSAGE alone: so the fields are in it too, for people */
	for (const char *p = text; *p && p < text + VALUE_MAX; p++)
		cw_write_u8(&w, (uint8_t) *p < ' ' ? ' ' : (uint8_t) *p);
	w.end = record + LINE_MAX_OCTETS - 1;
	(void) write_fields(&w, fields, false);
	w.end = record + sizeof record;
	cw_write_u8(&w, '\n');
	for (const struct cw_field *f = fields; f->type != CW_FT_END && !w.bad; f++) {
		uint8_t *before = w.pos;

		write_journal_field(&w, f);
		if (w.bad)
			w.pos = before;
	}
	/* A socket per record: a journald that restarts is found again, and a fork shares nothing.
	 */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* never wait for a journald that hangs: then the line takes the other way */
	if (sendto(fd, record, cw_write_len(&w), MSG_NOSIGNAL | MSG_DONTWAIT,
		    (struct sockaddr *) &to, sizeof to) < 0)
		return -errno;
	return 0;
}

void cw_log(enum cw_log_level level, const struct cw_field *fields, const char *text)
{
	const enum cw_log_format format = __atomic_load_n(&sink.format, __ATOMIC_RELAXED);
	const int saved = errno;

	if (cw_log_enabled(level) &&
		(format != CW_LOG_JOURNAL || log_journal(level, fields, text) < 0))
		log_stream(level, fields, text, format == CW_LOG_JSON);
	errno = saved;
}
