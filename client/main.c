/* SPDX-License-Identifier: BSD-2-Clause */
/* causeway: the command line of the dual-stack host's client. One table of commands, one of flags
 * (flags.def); the work is in client_io.c. In the background the program runs itself anew with
 * --foreground in a session of its own, and waits here until that one knows how it went. Thread:
 * one. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prog.h"
#include "client/client_io.h"
#include "client/conf.h"
#include "client/control_io.h"
#include "client/exit.h"
#include "client/secret.h"

#define READY_FD_ENV "CAUSEWAY_READY_FD" /* from the waiting process to the one in the background */

enum { OPTIONS_MAX = 256, ASK_TIMEOUT_S = 90, STATUS_TIMEOUT_S = 5, OPTION_BASE = 1000 };

static const struct flag {
	const char *name; /* with its dashes */
	char letter;
	const char *argument; /* NULL: none */
	const char *section, *option;
	const char *commands;
	const char *help;
} flags[] = {
#define CW_FLAG(name_, letter_, argument_, section_, option_, commands_, help_) \
	{.name = "--" name_,                                                    \
		.letter = (letter_),                                            \
		.argument = (argument_),                                        \
		.section = (section_),                                          \
		.option = (option_),                                            \
		.commands = (commands_),                                        \
		.help = (help_)},
#include "client/flags.def"
#undef CW_FLAG
};

/* What the command line says. */
struct line {
	char **argv;
	const char *config;
	struct cw_client_flag options[OPTIONS_MAX];
	size_t n_options;
	const char *print; /* the flag that said how */
	bool foreground, once, release, json, keep, check, help, version;
};

static int cmd_up(const struct line *l);
static int cmd_down(const struct line *l);
static int cmd_status(const struct line *l);
static int cmd_renew(const struct line *l);
static int cmd_version(const struct line *l);

static const struct command {
	const char *name;
	char letter; /* in flags.def */
	int (*run)(const struct line *l);
	const char *help;
} commands[] = {
	{"up", 'u', cmd_up, "get a lease, make the tunnel, keep both"},
	{"down", 'd', cmd_down, "take the tunnel down and give the lease back"},
	{"status", 's', cmd_status, "show lease, tunnel and counters of the running client"},
	{"renew", 'r', cmd_renew, "renew the lease now"},
	{"version", 'v', cmd_version, "print the version"},
};

/* ---- help ---- */

static void print_flags(char letter, FILE *to)
{
	char left[64];

	for (size_t i = 0; i < CW_ARRAY_LEN(flags); i++) {
		const struct flag *f = &flags[i];

		if (letter && !strchr(f->commands, letter))
			continue;
		(void) snprintf(left, sizeof left, "%c%c%s %s%s%s", f->letter ? '-' : ' ',
			f->letter ? f->letter : ' ', f->letter ? "," : " ", f->name,
			f->argument ? " " : "", f->argument ? f->argument : "");
		(void) fprintf(to, "  %-34s %s\n", left, f->help);
	}
}

static int help(const struct command *c)
{
	if (c) {
		(void) printf("Usage: causeway %s [FLAG]...\n%s.\n\nFlags:\n", c->name, c->help);
		print_flags(c->letter, stdout);
		return CW_EXIT_OK;
	}
	(void) printf(
		"Usage: causeway COMMAND [FLAG]...\nLease an IPv4 address from a tunnel broker.\n\nCommands:\n");
	for (size_t i = 0; i < CW_ARRAY_LEN(commands); i++)
		(void) printf("  %-10s %s\n", commands[i].name, commands[i].help);
	(void) printf("\nFlags:\n");
	print_flags(0, stdout);
	(void) printf(
		"\nExit status: 0 done, 1 failure, 2 usage, 3 no address left, 4 login failed,\n"
		"5 no broker reached, 6 refused, 7 broker busy, 8 not TSP, 9 no client is running.\n"
		"See causeway(1) and causeway.conf(5).\n");
	return CW_EXIT_OK;
}

/* ---- parsing ---- */

static int set_plain(struct line *l, const char *name, const char *value)
{
	if (strcmp(name, "--config") == 0)
		l->config = value;
	else if (strcmp(name, "--foreground") == 0)
		l->foreground = true;
	else if (strcmp(name, "--once") == 0)
		l->once = true;
	else if (strcmp(name, "--release") == 0)
		l->release = true;
	else if (strcmp(name, "--keep") == 0)
		l->keep = true;
	else if (strcmp(name, "--json") == 0) {
		l->print = "--json";
		l->json = true;
	} else if (strcmp(name, "--check-config") == 0)
		l->check = true;
	else if (strcmp(name, "--help") == 0)
		l->help = true;
	else if (strcmp(name, "--version") == 0)
		l->version = true;
	else if (strcmp(name, "--print") == 0) {
		l->print = "--print";
		l->json = strcmp(value, "json") == 0;
		if (!l->json && strcmp(value, "text") != 0)
			return cw_prog_usage(
				"causeway", "--print \"%.60s\"; it takes json or text", value);
	}
	return 0;
}

static int set_flag(
	struct line *l, const struct flag *f, const char *value, const struct command *c)
{
	if (c && !strchr(f->commands, c->letter))
		return cw_prog_usage("causeway",
			"%s does not belong to '%s'; 'causeway %s --help' names what does", f->name,
			c->name, c->name);
	if (!f->option)
		return set_plain(l, f->name, value);
	if (l->n_options == OPTIONS_MAX)
		return cw_prog_usage("causeway", "more than %d flags", OPTIONS_MAX);
	l->options[l->n_options++] = (struct cw_client_flag){f->name, f->section, f->option, value};
	return 0;
}

static int no_such_command(const char *word)
{
	const char *names[CW_ARRAY_LEN(commands) + 1] = {NULL};
	const char *near;

	for (size_t i = 0; i < CW_ARRAY_LEN(commands); i++)
		names[i] = commands[i].name;
	near = cw_conf_nearest(word, names);
	if (near)
		return cw_prog_usage(
			"causeway", "no command \"%.60s\"; did you mean %s?", word, near);
	return cw_prog_usage("causeway",
		"no command \"%.60s\"; there are up, down, status, renew and version", word);
}

/* The flag of a value that getopt_long() gives. */
static const struct flag *flag_of(int got)
{
	for (size_t i = 0; got < OPTION_BASE && i < CW_ARRAY_LEN(flags); i++)
		if (flags[i].letter == got)
			return &flags[i];
	return &flags[got - OPTION_BASE];
}

static int parse(struct line *l, int argc, char **argv, const struct command *c)
{
	struct option longs[CW_ARRAY_LEN(flags) + 1] = {0};
	char shorts[2 * CW_ARRAY_LEN(flags) + 2] = "";
	size_t n = 0;
	int got;
	int r = 0;

	for (size_t i = 0; i < CW_ARRAY_LEN(flags); i++) {
		longs[i] = (struct option){flags[i].name + 2,
			flags[i].argument ? required_argument : no_argument, NULL,
			flags[i].letter ? flags[i].letter : OPTION_BASE + (int) i};
		if (!flags[i].letter)
			continue;
		shorts[n++] = flags[i].letter;
		if (flags[i].argument)
			shorts[n++] = ':';
	}
	opterr = 0; /* it would not know our name, nor what was meant */
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread */
	while (r == 0 && (got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (got == '?')
			return cw_prog_bad_flag("causeway", argv[optind - 1], longs);
		r = set_flag(l, flag_of(got), optarg, c);
	}
	if (r == 0 && optind < argc)
		r = c ? cw_prog_usage("causeway",
				"unexpected \"%.60s\"; '%s' takes flags only, a value stands right behind its flag",
				argv[optind], c->name)
		      : no_such_command(argv[optind]);
	return r;
}

/* ---- up ---- */

/* In the background process: what the waiting one is told, and then farewell to its terminal. */
static void verdict(void *arg, int code, const char *text)
{
	int *fd = arg;
	int null;

	if (*fd < 0) {
		if (code)
			(void) fprintf(stderr, "causeway: %s\n", text);
		return;
	}
	(void) dprintf(*fd, "%d\n%s", code, text);
	cw_closep(fd);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; null >= 0 && i < 3; i++)
		(void) dup2(null, i);
	cw_closep(&null);
}

/* The signals that end a program, less those that whoever started us had us ignore (nohup). */
static sigset_t ending_signals(void)
{
	static const int all[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction now;
	sigset_t set;

	(void) sigemptyset(&set);
	for (size_t i = 0; i < CW_ARRAY_LEN(all); i++)
		if (sigaction(all[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			(void) sigaddset(&set, all[i]);
	return set;
}

/* Reads all that is written to `from`, for the process `pid`, into to[cap], with a NUL. A signal to
 * us is one to it. The signal, or 0. */
static int hear(int from, pid_t pid, const sigset_t *signals, char *to, size_t cap)
{
	struct pollfd p[2] = {{.fd = from, .events = POLLIN},
		{.fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN}};
	struct signalfd_siginfo info;
	int got_signal = 0;
	ssize_t got = 1;
	size_t n = 0;

	while (n < cap - 1 && got > 0) {
		if (poll(p, 2, -1) < 0) {
			if (errno != EINTR) /* stopped, and goes on */
				break;
			continue;
		}
		if (p[1].revents && read(p[1].fd, &info, sizeof info) == (ssize_t) sizeof info) {
			got_signal = (int) info.ssi_signo;
			(void) kill(pid, got_signal);
		}
		if (!p[0].revents)
			continue;
		got = read(from, to + n, cap - 1 - n);
		n += got > 0 ? (size_t) got : 0;
	}
	to[n] = '\0';
	cw_closep(&p[1].fd);
	return got_signal;
}

/* Runs this program again and waits for its verdict. */
static int go_to_background(const struct line *l)
{
	char ready[32];
	char foreground[] = "--foreground";
	CW_CLEANUP(cw_freep) char **argv = NULL;
	char text[4096];
	posix_spawnattr_t attr;
	char *nl;
	const sigset_t signals = ending_signals();
	sigset_t before;
	size_t n = 0;
	pid_t pid;
	int fds[2];
	int signal;
	int status;
	int r;

	while (l->argv[n])
		n++;
	argv = cw_zalloc(n + 2, sizeof *argv);
	if (!argv || pipe(fds) < 0) {
		(void) fprintf(stderr, "causeway: cannot start the background process: %s\n",
			cw_strerror(-errno));
		return CW_EXIT_FAILURE;
	}
	memcpy(argv, l->argv, n * sizeof *argv);
	argv[n] = foreground;
	(void) fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	(void) snprintf(ready, sizeof ready, "%d", fds[1]);
	(void) setenv(READY_FD_ENV, ready, 1); /* NOLINT(concurrency-mt-unsafe) */
	(void) posix_spawnattr_init(&attr);
	(void) posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	(void) sigprocmask(SIG_BLOCK, &signals, &before);
	(void) posix_spawnattr_setsigmask(&attr, &before);
	r = posix_spawn(&pid, "/proc/self/exe", NULL, &attr, argv, environ);
	(void) posix_spawnattr_destroy(&attr);
	(void) close(fds[1]);
	if (r) {
		(void) fprintf(stderr, "causeway: cannot start the background process: %s\n",
			cw_strerror(-r));
		return CW_EXIT_FAILURE;
	}
	signal = hear(fds[0], pid, &signals, text, sizeof text);
	(void) close(fds[0]);
	(void) sigprocmask(SIG_SETMASK, &before, NULL);
	if (signal)
		(void) raise(signal); /* to whoever waits for us it looks like what it is */
	nl = strchr(text, '\n');
	if (!nl) {
		/* It ended before it knew: its exit code tells, and it has said why. */
		r = waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									 : CW_EXIT_FAILURE;
		return r ? r : CW_EXIT_FAILURE;
	}
	*nl = '\0';
	r = (int) strtol(text, NULL, 10);
	if (r)
		(void) fprintf(stderr, "causeway: %s\n", nl + 1);
	else
		(void) fputs(nl + 1, stdout);
	return r;
}

static int read_secret(const struct cw_client_conf *conf, char **ret)
{
	char buf[CW_CLIENT_PLACE];
	const char *place = cw_client_conf_place(conf, NULL, "password-file", 0, buf);
	bool open_to_others;
	int r = cw_secret_read(conf->password_file, ret, &open_to_others);

	if (r < 0) {
		(void) fprintf(stderr, "%s: the password cannot be read from %s: %s\n",
			place ? place : "causeway",
			conf->password_file ? conf->password_file : "systemd's credential",
			cw_secret_problem(r));
		return CW_EXIT_FAILURE;
	}
	if (open_to_others)
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("client.password"), CW_F_STR("path", conf->password_file)),
			"others can read the password file: chmod 600");
	return 0;
}

static void open_log(const struct cw_client_conf *conf, const struct line *l, bool background)
{
	bool journal = background && access("/run/systemd/journal/socket", W_OK) == 0;
	enum cw_log_level level = conf->log_level;

	/* What --once prints is its output, and a log that ends with the terminal is of little use:
	 * only what is wrong. */
	if ((l->once || (background && !journal)) && level > CW_LOG_WARNING &&
		level != CW_LOG_DEBUG)
		level = CW_LOG_WARNING;
	cw_log_open("causeway", level, journal ? CW_LOG_JOURNAL : CW_LOG_AUTO);
}

static int run_up(const struct line *l, const struct cw_client_conf *conf)
{
	const char *ready = getenv(READY_FD_ENV); /* NOLINT(concurrency-mt-unsafe) */
	int ready_fd = ready ? (int) strtol(ready, NULL, 10) : -1;
	struct cw_client_opts opts = {.conf = conf,
		.once = l->once,
		.release = l->release,
		.json = l->json,
		.background = ready_fd >= 0,
		.verdict = verdict,
		.arg = &ready_fd};
	char *secret = NULL;
	int r;

	if (ready_fd >= 0) {
		(void) fcntl(ready_fd, F_SETFD, FD_CLOEXEC);
		/* Started as /proc/self/exe it would be "exe" in ps and to killall. */
		(void) prctl(PR_SET_NAME, "causeway");
	}
	(void) unsetenv(READY_FD_ENV); /* NOLINT(concurrency-mt-unsafe) */
	open_log(conf, l, ready_fd >= 0);
	r = read_secret(conf, &secret);
	if (r)
		return r;
	opts.password = secret;
	r = cw_client_run(&opts);
	(void) cw_secret_free(secret);
	return r;
}

static int load(const struct line *l, bool for_up, struct cw_client_conf *conf)
{
	int r = cw_client_conf_load(conf, l->config, l->options, l->n_options, for_up, stderr);

	return r == 0 ? 0 : CW_EXIT_FAILURE;
}

static int cmd_up(const struct line *l)
{
	struct cw_client_conf conf;
	int r;

	if ((l->release || l->print) && !l->once)
		return cw_prog_usage(
			"causeway", "%s needs --once", l->release ? "--release" : l->print);
	r = load(l, true, &conf);
	if (r == 0 && l->check)
		(void) printf("the configuration is fine\n");
	else if (r == 0 && !l->once && !l->foreground)
		r = go_to_background(l);
	else if (r == 0)
		r = run_up(l, &conf);
	cw_client_conf_free(&conf);
	return r;
}

/* ---- the other commands ---- */

static int ask(const struct line *l, const char *command)
{
	struct cw_client_conf conf;
	char text[CW_CONTROL_TEXT_MAX];
	char request[64];
	int r = load(l, false, &conf);

	if (r)
		goto out;
	(void) snprintf(request, sizeof request, "%s %s%s", command, l->json ? "json" : "text",
		l->keep ? " keep" : "");
	/* status is answered at once, the others when it is done. */
	r = cw_control_ask(conf.control, request,
		strcmp(command, "status") == 0 ? STATUS_TIMEOUT_S : ASK_TIMEOUT_S, text);
	if (r >= 0) {
		(void) fputs(text, r == 0 || l->json ? stdout : stderr);
	} else if (r == -ENOENT || r == -ECONNREFUSED) {
		(void) fprintf(stderr,
			"causeway: no client is running (%s); 'causeway up' starts one\n",
			conf.control);
		r = CW_EXIT_NOT_RUNNING;
	} else if (r == -ETIMEDOUT) {
		(void) fprintf(
			stderr, "causeway: the client at %s does not answer\n", conf.control);
		r = CW_EXIT_FAILURE;
	} else if (r == -EPERM || r == -EACCES) {
		(void) fprintf(stderr,
			"causeway: %s: %s; only root and the client's own user may ask\n",
			conf.control, cw_strerror(r));
		r = CW_EXIT_FAILURE;
	} else {
		(void) fprintf(stderr, "causeway: %s: %s\n", conf.control, cw_strerror(r));
		r = CW_EXIT_FAILURE;
	}
out:
	cw_client_conf_free(&conf);
	return r;
}

static int cmd_down(const struct line *l)
{
	return ask(l, "down");
}

static int cmd_status(const struct line *l)
{
	return ask(l, "status");
}

static int cmd_renew(const struct line *l)
{
	return ask(l, "renew");
}

static int cmd_version(const struct line *l)
{
	(void) l;
	cw_prog_version("causeway");
	return CW_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct line l = {.argv = argv};
	const struct command *c = NULL;
	int r;

	for (size_t i = 0; argc > 1 && i < CW_ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			c = &commands[i];
	r = parse(&l, c ? argc - 1 : argc, c ? argv + 1 : argv, c);
	if (r)
		return r;
	if (l.version)
		return cw_prog_end("causeway", cmd_version(&l));
	if (l.help)
		return cw_prog_end("causeway", help(c));
	if (!c)
		return cw_prog_usage("causeway",
			"a command is missing; the first word is up, down, status, renew or version");
	r = c->run(&l);
	/* What `up` is for without --once is the tunnel, which is there. */
	return c->run == cmd_up && !l.once && !l.check ? r : cw_prog_end("causeway", r);
}
