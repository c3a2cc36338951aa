/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator's hook; see hook_io.h. A queue of prepared environments, one child at a time in a
 * session of its own, so that a child that takes too long is killed with all it started. Thread:
 * the loop's. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/hook_io.h"

enum {
	QUEUE_MAX = 16,
	ENV_MAX = 20,
	ENV_OCTETS = 2048,
	MARK_MAX = 4096,
	ORPHAN_MS = 50,
	MARK_FLAGS = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, /* who waits for a FIFO hangs */
};

/* A hook that a killed client left running. */
struct orphan {
	pid_t pid;        /* 0: none, or not known */
	uint64_t started; /* clock ticks after boot: a number given again is another process */
	int fd;           /* not known: of the mark, locked as long as it runs; else -1 */
};

struct job {
	struct cw_list in_queue;
	char event[16];
	char *env[ENV_MAX + 1];
	unsigned n_env;
	struct cw_writer text; /* over room */
	char room[ENV_OCTETS];
};

struct cw_hooks {
	struct cw_loop *loop;
	const char *program;
	char mark[MARK_MAX]; /* file that says which hook runs */
	struct orphan orphan;
	int64_t orphan_until; /* monotonic ms: then it is killed */
	uint64_t timeout_ms;
	void (*drained)(void *arg);
	void *arg;
	struct cw_list queue;
	unsigned n_queue;
	struct job *running;
	bool quiet;
	uv_process_t child;
	uv_timer_t timer;
	bool freed;
	unsigned alive; /* handles */
};

static void start(struct cw_hooks *h);

static int64_t now_ms(const struct cw_hooks *h)
{
	return cw_clock_now(cw_loop_clock(h->loop)).mono_us / 1000;
}

/* ---- the mark ---- */

/* When a process started (proc(5), stat, field 22); 0: there is none. */
static uint64_t start_of(pid_t pid)
{
	CW_CLEANUP(cw_closep) int fd = -1;
	char text[1024];
	uint64_t value = 0;
	const char *p;
	ssize_t n;

	(void) snprintf(text, sizeof text, "/proc/%d/stat", (int) pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name, field 2, may hold anything */
	for (unsigned field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || cw_parse_u64(p + 1, strcspn(p + 1, " "), 0, UINT64_MAX, &value) < 0)
		return 0;
	return value;
}

/* The mark is there before the hook is, and locked by the hook itself, which has it as its
 * descriptor 3: so a client that is killed before it can write down whose it is leaves a mark that
 * tells, too. */
static int open_mark(const struct cw_hooks *h)
{
	CW_CLEANUP(cw_closep)
	int fd = open(h->mark, MARK_FLAGS | O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int taken;

	/* Without it only a killed client's hook may overlap with the next one's. */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	taken = fd;
	fd = -1;
	return taken;
}

static void read_mark(struct cw_hooks *h)
{
	CW_CLEANUP(cw_closep) int fd = open(h->mark, MARK_FLAGS | O_RDONLY);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	const char *blank = n > 1 ? memchr(text, ' ', (size_t) n) : NULL;
	uint64_t pid;
	struct orphan o;

	if (n == 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		h->orphan.fd = fd;
		fd = -1;
		return;
	}
	if (!blank || cw_parse_u64(text, (size_t) (blank - text), 2, INT32_MAX, &pid) < 0 ||
		cw_parse_u64(blank + 1, (size_t) (text + n - 1 - (blank + 1)), 1, UINT64_MAX,
			&o.started) < 0)
		return;
	o.pid = (pid_t) pid;
	o.fd = -1;
	if (start_of(o.pid) == o.started)
		h->orphan = o;
}

static bool has_orphan(const struct cw_hooks *h)
{
	return h->orphan.pid || h->orphan.fd >= 0;
}

static bool orphan_runs(const struct orphan *o)
{
	if (o->fd >= 0)
		return flock(o->fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	return o->pid && start_of(o->pid) == o->started;
}

static void forget_orphan(struct orphan *o)
{
	cw_closep(&o->fd);
	*o = (struct orphan){.fd = -1};
}

static void on_orphan(uv_timer_t *t)
{
	struct cw_hooks *h = t->data;
	const bool runs = orphan_runs(&h->orphan);

	if (runs && now_ms(h) < h->orphan_until) {
		(void) uv_timer_start(t, on_orphan, ORPHAN_MS, 0);
		return;
	}
	if (runs && h->orphan.pid) {
		cw_log(CW_LOG_WARNING, CW_F(CW_F_EVENT("client.hook")),
			"the hook of a killed client takes too long and is killed");
		(void) kill(-h->orphan.pid, SIGKILL);
	} else if (runs) {
		cw_log(CW_LOG_WARNING, CW_F(CW_F_EVENT("client.hook")),
			"the hook of a killed client takes too long; it is not waited for any more");
	}
	forget_orphan(&h->orphan);
	if (!cw_list_empty(&h->queue))
		start(h);
}

/* ---- running ---- */

static void release(struct cw_hooks *h)
{
	if (--h->alive == 0 && h->freed)
		(void) cw_free(h);
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void on_child_closed(uv_handle_t *handle)
{
	struct cw_hooks *h = handle->data;

	h->running = cw_free(h->running);
	(void) unlink(h->mark);
	if (!h->freed) {
		if (!cw_list_empty(&h->queue))
			start(h);
		else
			h->drained(h->arg);
	}
	release(h);
}

static void on_exit_status(uv_process_t *child, int64_t status, int signum)
{
	struct cw_hooks *h = child->data;

	if (!h->freed)
		(void) uv_timer_stop(&h->timer);
	if (status || signum)
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("client.hook"), CW_F_STR("op", h->running->event),
				CW_F_INT("status", status), CW_F_INT("signal", signum)),
			"the hook failed");
	uv_close((uv_handle_t *) child, on_child_closed);
}

static void kill_child(struct cw_hooks *h)
{
	if (h->running && uv_is_active((uv_handle_t *) &h->child))
		(void) kill(-h->child.pid, SIGKILL);
}

static void on_timeout(uv_timer_t *t)
{
	struct cw_hooks *h = t->data;

	cw_log(CW_LOG_WARNING, CW_F(CW_F_EVENT("client.hook"), CW_F_STR("op", h->running->event)),
		"the hook takes too long and is killed");
	kill_child(h);
}

static void start(struct cw_hooks *h)
{
	struct job *j = cw_container_of(cw_list_pop(&h->queue), struct job, in_queue);
	char program[4096];
	char *args[] = {program, j->event, NULL};
	uv_stdio_container_t stdio[4] = {{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = 2}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
	uv_process_options_t options = {.exit_cb = on_exit_status,
		.file = h->program,
		.args = args,
		.env = j->env,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED, /* setsid: the group can be killed */
		.stdio_count = 3,
		.stdio = stdio};
	int mark, r;

	if (h->quiet) /* who waits for the end of our output shall not wait for the hook */
		stdio[1] = stdio[2] = stdio[0];
	h->n_queue--;
	(void) snprintf(program, sizeof program, "%s", h->program);
	h->running = j;
	h->child.data = h;
	h->alive++;
	mark = open_mark(h);
	if (mark >= 0) {
		stdio[3] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = mark};
		options.stdio_count = 4;
	}
	r = uv_spawn(cw_loop_uv(h->loop), &h->child, &options);
	if (r >= 0 && mark >= 0)
		(void) dprintf(mark, "%d %" PRIu64 "\n", h->child.pid, start_of(h->child.pid));
	cw_closep(&mark);
	if (r < 0) {
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("client.hook"), CW_F_STR("op", j->event), CW_F_ERR(r)),
			"the hook cannot be run");
		uv_close((uv_handle_t *) &h->child, on_child_closed);
		return;
	}
	(void) uv_timer_start(&h->timer, on_timeout, h->timeout_ms, 0);
}

int cw_hooks_new(struct cw_loop *loop, const char *program, const char *mark, unsigned timeout_s,
	bool quiet, void (*drained)(void *arg), void *arg, struct cw_hooks **ret)
{
	struct cw_hooks *h = cw_zalloc(1, sizeof *h);

	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->program = program;
	h->timeout_ms = (uint64_t) timeout_s * 1000;
	h->quiet = quiet;
	h->drained = drained;
	h->arg = arg;
	cw_list_init(&h->queue);
	(void) uv_timer_init(cw_loop_uv(loop), &h->timer);
	h->timer.data = h;
	h->alive = 1;
	h->orphan.fd = -1;
	(void) snprintf(h->mark, sizeof h->mark, "%s.hook", mark);
	if (program)
		read_mark(h);
	h->orphan_until = now_ms(h) + (int64_t) h->timeout_ms;
	if (has_orphan(h))
		(void) uv_timer_start(&h->timer, on_orphan, ORPHAN_MS, 0);
	*ret = h;
	return 0;
}

struct cw_hooks *cw_hooks_free(struct cw_hooks *h)
{
	struct cw_list *l;

	if (!h)
		return NULL;
	h->freed = true;
	cw_closep(&h->orphan.fd);
	while ((l = cw_list_pop(&h->queue)))
		(void) cw_free(cw_container_of(l, struct job, in_queue));
	kill_child(h);
	uv_close((uv_handle_t *) &h->timer, on_timer_closed);
	return NULL;
}

bool cw_hooks_busy(const struct cw_hooks *h)
{
	return h->running || !cw_list_empty(&h->queue);
}

static void env(struct job *j, const char *name, const char *value)
{
	char *start = (char *) j->text.pos;

	cw_write_fmt(&j->text, "%s=%s", name, value);
	cw_write_u8(&j->text, 0);
	if (!j->text.bad && j->n_env < ENV_MAX)
		j->env[j->n_env++] = start;
}

static void env_number(struct job *j, const char *name, unsigned value)
{
	char text[16];

	(void) snprintf(text, sizeof text, "%u", value);
	env(j, name, text);
}

static void describe(struct job *j, const struct cw_hook_facts *f)
{
	const struct cw_keeper_lease *l = f->lease;
	char a4[CW_ADDR4_STRLEN];
	char a6[CW_ADDR6_STRLEN];
	char ports[24];
	char when[CW_TIME_STRLEN];
	char broker[CW_BROKER_STRLEN];

	env(j, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env(j, "CAUSEWAY_EVENT", f->event);
	env(j, "CAUSEWAY_REASON", f->reason ? f->reason : "");
	env(j, "CAUSEWAY_DEVICE", f->device);
	env(j, "CAUSEWAY_KIND", f->kind);
	env_number(j, "CAUSEWAY_MTU", f->mtu);
	env(j, "CAUSEWAY_IPV4", cw_addr4_str(l->tsp.ipv4, a4));
	env(j, "CAUSEWAY_PORTS",
		cw_portset_is_whole(l->tsp.ports) ? "" : cw_portset_str(l->tsp.ports, ports));
	env(j, "CAUSEWAY_IPV6", cw_addr6_str(&l->tsp.client6, a6));
	env(j, "CAUSEWAY_TEP_IPV4", l->tsp.tep4.v ? cw_addr4_str(l->tsp.tep4, a4) : "");
	env(j, "CAUSEWAY_TEP_IPV6", cw_addr6_str(&l->tsp.tep6, a6));
	env_number(j, "CAUSEWAY_LIFETIME", l->tsp.lifetime_s);
	env(j, "CAUSEWAY_EXPIRES", cw_time_str(l->expires_wall_s, when));
	env(j, "CAUSEWAY_BROKER", cw_broker_str(&l->broker, broker));
}

static void leave_out(struct cw_hooks *h, struct job *j)
{
	cw_log(CW_LOG_WARNING, CW_F(CW_F_EVENT("client.hook"), CW_F_STR("op", j->event)),
		"too many hooks wait, an old one is left out");
	cw_list_remove(&j->in_queue);
	h->n_queue--;
	(void) cw_free(j);
}

/* Without renewals ups and downs take turns, so there is a pair: the queue stays bounded. */
static void make_room(struct cw_hooks *h)
{
	struct job *up = NULL;

	cw_list_for_each_safe (it, tmp, &h->queue) {
		struct job *j = cw_container_of(it, struct job, in_queue);

		if (strcmp(j->event, "renew") == 0) {
			leave_out(h, j);
			return;
		}
	}
	cw_list_for_each_safe (it, tmp, &h->queue) {
		struct job *j = cw_container_of(it, struct job, in_queue);

		if (up) {
			leave_out(h, up);
			leave_out(h, j);
			return;
		}
		up = strcmp(j->event, "up") == 0 ? j : NULL;
	}
}

void cw_hooks_run(struct cw_hooks *h, const struct cw_hook_facts *facts)
{
	struct job *j;

	if (!h->program)
		return;
	if (h->n_queue >= QUEUE_MAX)
		make_room(h);
	j = cw_zalloc(1, sizeof *j);
	if (!j) {
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("client.hook"), CW_F_STR("op", facts->event)),
			"no memory for a hook, it is left out");
		return;
	}
	(void) snprintf(j->event, sizeof j->event, "%s", facts->event);
	j->text = cw_writer_of(j->room, sizeof j->room);
	describe(j, facts);
	cw_list_append(&h->queue, &j->in_queue);
	h->n_queue++;
	if (!h->running && !has_orphan(h))
		start(h);
}
