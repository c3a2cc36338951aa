/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks that wait for one that hangs: what is left out of a full queue, and what never is. The hook
 * is a script that writes down its argument as soon as a file is there. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/hook_io.h"
#include "tests/lib/cw-cmocka.h"

struct rig {
	char folder[64];
	char program[96], go[96], out[96], mark[96];
	struct cw_loop *loop;
	struct cw_hooks *hooks;
};

static void on_drained(void *arg)
{
	cw_loop_stop(((struct rig *) arg)->loop);
}

static int set_up(void **state)
{
	static struct rig r;
	FILE *f;

	r = (struct rig){.folder = "/tmp/cw-hooks-XXXXXX"};
	assert_non_null(mkdtemp(r.folder));
	(void) snprintf(r.program, sizeof r.program, "%s/hook", r.folder);
	(void) snprintf(r.go, sizeof r.go, "%s/go", r.folder);
	(void) snprintf(r.out, sizeof r.out, "%s/out", r.folder);
	(void) snprintf(r.mark, sizeof r.mark, "%s/lease", r.folder);
	f = fopen(r.program, "we");
	assert_non_null(f);
	(void) fprintf(f,
		"#!/bin/sh\nwhile [ ! -e %s ]; do sleep 0.05; done\n"
		"echo $1 $CAUSEWAY_MTU >>%s\n",
		r.go, r.out);
	assert_int_equal(fchmod(fileno(f), 0700), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(cw_loop_new(&cw_system_clock, &r.loop), 0);
	assert_int_equal(
		cw_hooks_new(r.loop, r.program, r.mark, 30, true, on_drained, &r, &r.hooks), 0);
	*state = &r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	r->hooks = cw_hooks_free(r->hooks);
	(void) unlink(r->program);
	(void) unlink(r->go);
	(void) unlink(r->out);
	(void) rmdir(r->folder);
	return cw_loop_free(r->loop);
}

static void happens(struct rig *r, const char *event, unsigned mtu)
{
	static const struct cw_keeper_lease lease;
	const struct cw_hook_facts f = {
		.event = event, .device = "dti0", .kind = "tun", .mtu = mtu, .lease = &lease};

	cw_hooks_run(r->hooks, &f);
}

/* Lets the first one go on; what ran in the end. */
static FILE *ran(struct rig *r)
{
	int fd = open(r->go, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	FILE *f;

	assert_true(fd >= 0 && close(fd) == 0);
	assert_int_equal(cw_loop_run(r->loop), 0);
	f = fopen(r->out, "re");
	assert_non_null(f);
	return f;
}

static void renewals_give_way(void **state)
{
	struct rig *r = *state;
	char event[16];
	unsigned mtu;
	unsigned last = 0;
	unsigned n = 0;
	FILE *f;

	happens(r, "up", 0);
	for (unsigned i = 1; i <= 40; i++)
		happens(r, "renew", i);
	happens(r, "down", 41);
	f = ran(r);
	while (fscanf(f, "%15s %u", event, &mtu) == 2) { /* NOLINT(cert-err34-c) */
		assert_true(n == 0 || mtu > last);
		last = mtu;
		n++;
	}
	(void) fclose(f);
	assert_int_equal(last, 41);
	assert_string_equal(event, "down");
	assert_int_equal(n, 17); /* the one that ran, and a full queue */
}

static void every_up_has_its_down(void **state)
{
	struct rig *r = *state;
	char event[16];
	unsigned mtu;
	unsigned n = 0;
	FILE *f;

	for (unsigned i = 0; i < 40; i++) {
		happens(r, "up", i);
		happens(r, "down", i);
	}
	f = ran(r);
	for (unsigned up = 0; fscanf(f, "%15s %u", event, &mtu) == 2;
		n++) { /* NOLINT(cert-err34-c) */
		assert_string_equal(event, n % 2 ? "down" : "up");
		assert_true(n % 2 == 0 || mtu == up);
		up = mtu;
	}
	(void) fclose(f);
	assert_true(n % 2 == 0 && n > 2 && n <= 18);
	assert_int_equal(mtu, 39);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(renewals_give_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_up_has_its_down, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("client hooks", tests, NULL, NULL);
}
