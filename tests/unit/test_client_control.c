/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket with more callers than it has places for: who asks is answered, whoever sits
 * there in silence. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/control_io.h"
#include "client/exit.h"
#include "tests/lib/cw-cmocka.h"

enum { CALLERS = 16 };

struct rig {
	char folder[64];
	char path[CW_CONTROL_PATH_MAX];
	struct cw_loop *loop;
	struct cw_control *control;
	struct cw_loop_task stop;
	int fds[CALLERS];
};

static void on_status(void *arg, bool json, struct cw_writer *w)
{
	(void) arg;
	(void) json;
	cw_write_str(w, "fine\n");
}

static void on_command(void *arg, enum cw_control_command command, bool keep)
{
	(void) arg;
	(void) command;
	(void) keep; /* never done: who asks waits */
}

static const struct cw_control_ops ops = {.status = on_status, .command = on_command};

static void on_stop(struct cw_loop_task *task)
{
	cw_loop_stop(cw_container_of(task, struct rig, stop)->loop);
}

static void *serve(void *arg)
{
	(void) !cw_loop_run(((struct rig *) arg)->loop);
	return NULL;
}

/* 16 callers that say `words`, then one that asks; what that one gets. */
static int ask_after(const char *words, const char *request, char *text)
{
	struct rig r = {.folder = "/tmp/cw-control-XXXXXX", .stop = {.fn = on_stop}};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char lock[CW_CONTROL_PATH_MAX + 8];
	pthread_t thread;
	pid_t owner;
	int code;

	assert_non_null(mkdtemp(r.folder));
	(void) snprintf(r.path, sizeof r.path, "%s/sock", r.folder);
	(void) snprintf(to.sun_path, sizeof to.sun_path, "%s/sock", r.folder);
	(void) snprintf(lock, sizeof lock, "%s.lock", r.path);
	assert_int_equal(cw_loop_new(&cw_system_clock, &r.loop), 0);
	assert_int_equal(cw_control_new(r.loop, r.path, &ops, &r, &r.control, &owner), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, &r), 0);
	for (int i = 0; i < CALLERS; i++) {
		r.fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(r.fds[i], (struct sockaddr *) &to, sizeof to), 0);
		assert_int_equal(write(r.fds[i], words, strlen(words)), strlen(words));
	}
	/* Connections are taken in turn, and what they say is read in turn, too. */
	code = cw_control_ask(r.path, "status text", 10, text);
	if (strcmp(request, "status text") != 0)
		code = cw_control_ask(r.path, request, 10, text);
	cw_loop_post(r.loop, &r.stop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (int i = 0; i < CALLERS; i++)
		(void) close(r.fds[i]);
	r.control = cw_control_free(r.control);
	assert_int_equal(cw_loop_free(r.loop), 0);
	(void) unlink(r.path);
	(void) unlink(lock);
	(void) rmdir(r.folder);
	return code;
}

static void the_silent_give_way(void **state)
{
	char text[CW_CONTROL_TEXT_MAX];

	(void) state;
	assert_int_equal(ask_after("", "status text", text), 0);
	assert_string_equal(text, "fine\n");
}

static void the_waiting_do_not(void **state)
{
	char text[CW_CONTROL_TEXT_MAX];

	(void) state;
	assert_int_equal(ask_after("renew text\n", "renew text", text), CW_EXIT_BUSY);
	assert_non_null(strstr(text, "busy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_silent_give_way),
		cmocka_unit_test(the_waiting_do_not),
	};

	return cmocka_run_group_tests_name("client control", tests, NULL, NULL);
}
