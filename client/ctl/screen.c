/* SPDX-License-Identifier: BSD-2-Clause */
/* Terminals, as XTerm's control sequences have them. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/ctl/screen.h"
#include "client/ctl/table.h"
#include "schema/rest/json_out.h"

#define ENTER "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

enum { CTRL_C = 3, SLICE_MS = 1000 };

/* For the handlers of signals. */
static struct termios before;
static int tty_fd = -1, tty_in = -1;
static volatile sig_atomic_t resized;

static void put_octets(int fd, const char *s, size_t n)
{
	(void) !write(fd, s, n);
}

static void restore(void)
{
	if (tty_fd < 0)
		return;
	put_octets(tty_fd, LEAVE, sizeof LEAVE - 1);
	if (tty_in >= 0)
		(void) tcsetattr(tty_in, TCSANOW, &before);
}

static void enter(void)
{
	struct termios t = before;

	t.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (tty_in >= 0)
		(void) tcsetattr(tty_in, TCSANOW, &t);
	put_octets(tty_fd, ENTER, sizeof ENTER - 1);
}

static void on_size(int sig)
{
	(void) sig;
	resized = 1;
}

/* The handler is gone by then (SA_RESETHAND), so the signal does what it does to others. */
static void on_end(int sig)
{
	restore();
	(void) raise(sig);
}

static void handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction a = {.sa_handler = fn, .sa_flags = flags}, old;

	(void) sigemptyset(&a.sa_mask);
	if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return; /* nohup's */
	(void) sigaction(sig, &a, NULL);
}

static void on_stop(int sig);

static void on_continue(int sig)
{
	int e = errno;

	(void) sig;
	handle(SIGTSTP, on_stop, (int) SA_RESETHAND);
	enter();
	resized = 1;
	errno = e;
}

static void on_stop(int sig)
{
	int e = errno;
	sigset_t set;

	restore();
	(void) kill(getpid(), sig);
	(void) sigemptyset(&set);
	(void) sigaddset(&set, sig);
	(void) sigprocmask(SIG_UNBLOCK, &set, NULL); /* stops here */
	errno = e;
}

/* How big it is now. */
static void look(struct cw_ctl_screen *s)
{
	struct winsize w;

	resized = 0;
	s->width = 80;
	s->height = 24;
	if (ioctl(s->fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0) {
		s->width = w.ws_col;
		s->height = w.ws_row;
	}
}

void cw_ctl_screen_open(struct cw_ctl_screen *s, FILE *f)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	*s = (struct cw_ctl_screen){.fd = fileno(f), .f = f};
	(void) fflush(f);
	tty_fd = s->fd;
	tty_in = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0 ? STDIN_FILENO : -1;
	for (unsigned i = 0; i < CW_ARRAY_LEN(ends); i++)
		handle(ends[i], on_end, (int) SA_RESETHAND);
	handle(SIGWINCH, on_size, 0);
	handle(SIGTSTP, on_stop, (int) SA_RESETHAND);
	handle(SIGCONT, on_continue, 0);
	enter();
	look(s);
}

void cw_ctl_screen_close(struct cw_ctl_screen *s)
{
	(void) fflush(s->f);
	restore();
	tty_fd = tty_in = -1;
}

/* ---- painting ---- */

const char *cw_ctl_screen_line(FILE *f, const char *text, unsigned width, unsigned *ret_columns)
{
	size_t n = strcspn(text, "\n");
	unsigned column = 0;

	for (size_t i = 0, k; i < n; i += k) {
		if (text[i] == '\033') { /* ours, complete: what others say has none */
			k = strcspn(text + i, "m") + 1;
			k = k < n - i ? k : n - i;
			(void) fwrite(text + i, 1, k, f);
			continue;
		}
		k = cw_utf8_len(text + i, n - i);
		k = k ? k : 1;
		if (column == width)
			continue;
		(void) fwrite(text + i, 1, k, f);
		column++;
	}
	*ret_columns = column;
	return text + n + (text[n] == '\n');
}

void cw_ctl_screen_paint(struct cw_ctl_screen *s, const char *text)
{
	bool full = false;

	(void) fputs("\033[H", s->f);
	for (unsigned row = 0; row < s->height && *text; row++) {
		unsigned columns;

		(void) fputs(row ? "\r\n" : "", s->f);
		text = cw_ctl_screen_line(s->f, text, s->width, &columns);
		/* Behind the last column there is nothing to erase: terminals would take that one. */
		(void) fputs(columns < s->width ? "\033[0m\033[K" : "\033[0m", s->f);
		full = columns == s->width && row + 1 == s->height;
	}
	(void) fputs(full ? "" : "\033[J", s->f);
	(void) fflush(s->f);
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
	return cw_clock_now(&cw_system_clock).mono_us / 1000;
}

bool cw_ctl_screen_wait(struct cw_ctl_screen *s, unsigned ms)
{
	struct pollfd p = {.fd = tty_in, .events = POLLIN};
	int64_t end = now_ms() + ms, left;

	while ((left = end - now_ms()) > 0) {
		char key;
		int r;

		if (resized) {
			look(s);
			return true;
		}
		/* In slices: a signal may come between the look and the wait. */
		r = poll(&p, 1, (int) (left < SLICE_MS ? left : SLICE_MS));
		if (r <= 0)
			continue;
		if (read(tty_in, &key, 1) <= 0 || key == 'q' || key == 'Q' || key == CTRL_C)
			return false;
	}
	return true;
}
