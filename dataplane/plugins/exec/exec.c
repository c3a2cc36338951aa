/* SPDX-License-Identifier: BSD-2-Clause */
/* exec: tells foreign routers. Runs the operator's program once per batch, with fixed arguments, a
 * clean environment and the batch on standard input (lines.h; causeway-plugin(7) documents it).
 * Remembers what the program accepted, so that the broker can list it, and ends bindings whose time
 * is over by a removal of its own: while its host lives. So it does not declare CW_DP_CAP_EXPIRY
 * unless the operator says that the program does it (option guarantees).
 *
 * One program at a time, also across a death of the host: what it left running holds the lock
 * (lock.h), and neither jobs nor lists go on before that has ended. Jobs wait in order. A batch
 * goes into the table before the program runs and comes out again where it failed, so that items of
 * one batch are judged against each other. Thread: the host's. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "causeway-dataplane.h"

#include "dataplane/plugins/common/options.h"
#include "dataplane/plugins/common/table.h"
#include "dataplane/plugins/exec/child.h"
#include "dataplane/plugins/exec/lines.h"
#include "dataplane/plugins/exec/lock.h"
#include "dataplane/plugins/exec/settings.h"

enum {
	PAGE_MAX = 1024,
	LOG_LINES = 32,   /* of one run's standard error */
	NOTES = 16,       /* of one probe */
	EXPIRE_MAX = 256, /* removals of one run */
	EXPIRE_RETRY_MS = 5000,
	LOCK_TRY_MS = 50,
	OVERDUE_MS = 2000, /* beyond the deadline: grace of the old host's program, and some */
	EX_TEMPFAIL_ = 75, /* sysexits.h */
};

enum action { ACTION_APPLY, ACTION_REMOVE, ACTION_FLUSH, ACTION_PROBE, ACTION_LIST, ACTION_EXPIRE };
static const char *const action_names[] = {"apply", "remove", "flush", "probe", "list", "remove"};

/* One item of a batch. */
struct item {
	struct cw_dp_binding binding; /* apply */
	struct cw_dp_removal removal; /* remove */
	struct cw_dp_row before;      /* apply: what the key had, if had */
	bool had, sent, answered;
	enum cw_dp_status status;
};

struct job {
	struct job *next;
	enum action action;
	uint64_t token; /* 0: nobody waits */
	int64_t queued_ms;
	size_t n, sent;
	size_t *order; /* item number by index on the wire */
	struct item items[];
};

struct exec {
	const struct cw_dp_host *host;
	struct cw_dptab *table;
	char *program, *tep;
	char tep4[16], tep6[48];
	uint64_t deadline_ms;
	enum cw_dp_ranges ranges;
	struct cw_exec_child child;
	bool locked;
	int lock;
	int64_t lock_until;
	struct cw_dp_timer *lock_timer;
	struct job *running, *waiting, **waiting_end;
	struct cw_dp_timer *expiry_timer;
	int64_t expiry_at; /* of the timer */
	unsigned logged;
	bool pumping;
	uint64_t runs, failures, timeouts, expired, nonsense;
	struct cw_dp_row rows[PAGE_MAX];
};

static const struct cw_dp_option options[] = {
	{"program", NULL, "absolute path of the program to run"},
	{"deadline_ms", "5000", "how long one run may take; then SIGTERM, a second later SIGKILL"},
	{"batch", "256", "bindings told in one run"},
	{"ranges", "none", "port sets the program understands: none, aligned-pow2, psid"},
	{"guarantees", "",
		"what the program's router does by itself, with commas: anti-spoof, expiry, hairpin"},
	{"list", "memory",
		"where the state at start comes from: memory (empty), or program (asked once)"},
	{"max_bindings", "0", "refuse more bindings than this; 0 = bounded by memory only"},
	{NULL, NULL, NULL},
};

static void pump(struct exec *self);

#define say(self, level, ...)                                       \
	do {                                                        \
		char text_[640];                                    \
		(void) snprintf(text_, sizeof text_, __VA_ARGS__);  \
		(self)->host->log((self)->host->ctx, level, text_); \
	} while (0)

/* --- expiry --- */

static void job_put(struct exec *self, struct job *j)
{
	j->queued_ms = self->host->now_boot_ms(self->host->ctx);
	*self->waiting_end = j;
	self->waiting_end = &j->next;
	pump(self);
}

static void job_free(struct job *j)
{
	if (j)
		free(j->order);
	free(j);
}

static struct job *job_new(enum action action, uint64_t token, size_t n)
{
	struct job *j = calloc(1, sizeof *j + n * sizeof *j->items);

	if (!j)
		return NULL;
	j->action = action;
	j->token = token;
	j->n = n;
	j->order = calloc(n ? n : 1, sizeof *j->order);
	if (!j->order) {
		free(j);
		return NULL;
	}
	return j;
}

static void take_expired(void *arg, const struct cw_dptab_entry *e)
{
	struct job *j = arg;
	struct cw_dp_removal *r = &j->items[j->n++].removal;

	for (int i = 0; i < 4; i++)
		r->ipv4[i] = (uint8_t) (e->ipv4 >> (24 - 8 * i));
	r->ports = (struct cw_dp_ports){.offset = e->offset, .len = e->len, .psid = e->psid};
	r->lease = e->lease;
	r->generation = e->generation;
}

static void on_expiry(void *arg);

static void expiry_arm(struct exec *self, int64_t at)
{
	int64_t now = self->host->now_boot_ms(self->host->ctx);

	if (at == CW_DP_NO_EXPIRY || (self->expiry_timer && self->expiry_at <= at))
		return;
	self->host->timer_cancel(self->host->ctx, self->expiry_timer);
	self->expiry_at = at;
	self->expiry_timer = self->host->timer_start(
		self->host->ctx, at > now ? (uint64_t) (at - now) : 0, on_expiry, self);
}

static void on_expiry(void *arg)
{
	struct exec *self = arg;
	int64_t now = self->host->now_boot_ms(self->host->ctx), next;
	struct job *j = job_new(ACTION_EXPIRE, 0, EXPIRE_MAX);

	self->expiry_timer = NULL;
	if (!j) {
		expiry_arm(self, now + EXPIRE_RETRY_MS);
		return;
	}
	j->n = 0;
	next = cw_dptab_expired(self->table, now, EXPIRE_MAX, take_expired, j);
	if (j->n) {
		job_put(self, j); /* whose end arms the timer again */
		return;
	}
	job_free(j);
	expiry_arm(self, next);
}

/* --- jobs: before the program --- */

static bool range_ok(const struct exec *self, struct cw_dp_ports p)
{
	switch (self->ranges) {
	case CW_DP_RANGES_NONE:
		return p.len == 0;
	case CW_DP_RANGES_ALIGNED_POW2:
		return p.offset == 0;
	case CW_DP_RANGES_PSID:
		break;
	}
	return true;
}

static void prepare_apply(struct exec *self, struct item *i)
{
	i->status = range_ok(self, i->binding.ports)
			    ? cw_dptab_would_apply(self->table, &i->binding)
			    : CW_DP_UNSUPPORTED;
	if (i->status != CW_DP_OK)
		return;
	i->had = cw_dptab_get(self->table, i->binding.ipv4, i->binding.ports, &i->before);
	i->status = cw_dptab_apply(self->table, &i->binding);
	i->sent = i->status == CW_DP_OK;
}

/* *ret_row is what the key has; false: nothing. */
static bool prepare_remove(
	struct exec *self, struct item *i, bool expire, int64_t now, struct cw_dp_row *ret_row)
{
	bool there = cw_dptab_get(self->table, i->removal.ipv4, i->removal.ports, ret_row);

	i->status = cw_dptab_would_remove(self->table, &i->removal);
	/* What this plugin never heard of may still be in the router; what was renewed meanwhile
	 * stays. */
	i->sent = i->status == CW_DP_OK &&
		  (!expire || (there && ret_row->binding.expires_boot_ms <= now));
	return there;
}

static char *render(struct exec *self, struct job *j, size_t *ret_n)
{
	char *text = malloc(j->n * CW_EXEC_LINE_MAX + 1), *at = text;
	int64_t now = self->host->now_boot_ms(self->host->ctx);

	if (!text)
		return NULL;
	for (size_t i = 0; i < j->n; i++) {
		struct item *it = &j->items[i];
		struct cw_dp_row row;
		bool there;

		if (j->action == ACTION_APPLY) {
			prepare_apply(self, it);
			if (it->sent)
				at += cw_exec_line_apply(at, j->sent, &it->binding, now);
		} else {
			there = prepare_remove(self, it, j->action == ACTION_EXPIRE, now, &row);
			if (it->sent)
				at += cw_exec_line_remove(
					at, j->sent, &it->removal, there ? row.binding.ipv6 : NULL);
		}
		if (it->sent)
			j->order[j->sent++] = i;
	}
	*ret_n = (size_t) (at - text);
	return text;
}

static int run(struct exec *self, struct job *j, const char *input, size_t n)
{
	char action[40], tep[96], tep4[48], tep6[80], count[40];
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	     lang[] = "LC_ALL=C", version[] = "CAUSEWAY_PROTOCOL=1";
	char *env[] = {path, lang, version, action, tep, tep4, tep6, count, NULL};
	char verb[16];
	char *argv[] = {self->program, verb, NULL};

	(void) snprintf(verb, sizeof verb, "%s", action_names[j->action]);
	(void) snprintf(action, sizeof action, "CAUSEWAY_ACTION=%s", verb);
	(void) snprintf(tep, sizeof tep, "CAUSEWAY_TEP=%s", self->tep);
	(void) snprintf(tep4, sizeof tep4, "CAUSEWAY_TEP_IPV4=%s", self->tep4);
	(void) snprintf(tep6, sizeof tep6, "CAUSEWAY_TEP_IPV6=%s", self->tep6);
	(void) snprintf(count, sizeof count, "CAUSEWAY_COUNT=%zu", j->sent);
	self->logged = 0;
	self->runs++;
	return cw_exec_child_start(&self->child, argv, env, input, n, self->deadline_ms);
}

/* --- jobs: after the program --- */

static void undo_apply(struct exec *self, const struct item *i)
{
	struct cw_dp_removal r = {.ports = i->binding.ports, .generation = UINT64_MAX};

	memcpy(r.ipv4, i->binding.ipv4, 4);
	(void) cw_dptab_remove(self->table, &r, NULL);
	if (i->had)
		(void) cw_dptab_apply(self->table, &i->before.binding);
}

/* What happens to the table, once it is known what the program made of an item. Backwards, for
 * undoing. */
static void settle(struct exec *self, struct job *j)
{
	for (size_t k = j->n; k > 0; k--) {
		struct item *i = &j->items[k - 1];

		if (!i->sent)
			continue;
		if (j->action == ACTION_APPLY) {
			if (i->status != CW_DP_OK)
				undo_apply(self, i);
			else
				expiry_arm(self, i->binding.expires_boot_ms);
		} else if (i->status == CW_DP_OK) {
			(void) cw_dptab_remove(self->table, &i->removal, NULL);
			self->expired += j->action == ACTION_EXPIRE;
		}
	}
}

static void tell_items(struct exec *self, const struct job *j)
{
	struct cw_dp_result *results = calloc(j->n ? j->n : 1, sizeof *results);

	if (!results) {
		self->host->complete(self->host->ctx, j->token, CW_DP_TRANSIENT, NULL, 0);
		return;
	}
	for (size_t i = 0; i < j->n; i++)
		results[i].status = j->items[i].status;
	self->host->complete(self->host->ctx, j->token, CW_DP_OK, results, j->n);
	free(results);
}

/* The job is over; `all` is the fate of items that the program did not name. */
static void finish(struct exec *self, struct job *j, enum cw_dp_status all)
{
	bool done = true;

	for (size_t i = 0; i < j->n; i++) {
		struct item *it = &j->items[i];

		if (it->sent && !it->answered)
			it->status = all;
		done = done && (!it->sent || it->status == CW_DP_OK);
	}
	switch (j->action) {
	case ACTION_APPLY:
	case ACTION_REMOVE:
		settle(self, j);
		tell_items(self, j);
		break;
	case ACTION_EXPIRE:
		settle(self, j);
		expiry_arm(self,
			self->host->now_boot_ms(self->host->ctx) + (done ? 0 : EXPIRE_RETRY_MS));
		break;
	case ACTION_FLUSH:
		if (all == CW_DP_OK)
			cw_dptab_flush(self->table);
		self->host->complete(self->host->ctx, j->token, all, NULL, 0);
		break;
	case ACTION_PROBE:
		self->host->complete(self->host->ctx, j->token, all, NULL, 0);
		break;
	case ACTION_LIST:
		if (all != CW_DP_OK) {
			say(self, CW_DP_LOG_WARNING,
				"the program did not list its bindings; starting with none");
			cw_dptab_flush(self->table);
		}
		expiry_arm(self, self->host->now_boot_ms(self->host->ctx));
		break;
	}
	job_free(j);
}

/* The program is not run for this job, and nothing of it is done. */
static void reject(struct exec *self, struct job *j)
{
	if (j->token)
		self->host->complete(self->host->ctx, j->token, CW_DP_TRANSIENT, NULL, 0);
	if (j->action == ACTION_EXPIRE)
		expiry_arm(self, self->host->now_boot_ms(self->host->ctx) + EXPIRE_RETRY_MS);
	job_free(j);
}

/* Starts the next job; a job that needs no program ends at once. */
static void start(struct exec *self, struct job *j)
{
	bool batch = j->action == ACTION_APPLY || j->action == ACTION_REMOVE ||
		     j->action == ACTION_EXPIRE;
	char *input = NULL;
	size_t n = 0;
	int r;

	if (j->token && self->host->now_boot_ms(self->host->ctx) - j->queued_ms >
				(int64_t) self->deadline_ms) {
		reject(self, j); /* its host gives up on it soon */
		return;
	}
	if (batch) {
		input = render(self, j, &n);
		if (!input) {
			reject(self, j);
			return;
		}
		if (j->sent == 0) {
			free(input);
			finish(self, j, CW_DP_OK);
			return;
		}
	}
	self->running = j;
	r = run(self, j, input, n);
	free(input);
	if (r < 0) {
		say(self, CW_DP_LOG_ERR, "cannot run %s: %s", self->program, cw_dpopt_errno(-r));
		self->failures++;
		self->running = NULL;
		finish(self, j,
			r == -ENOMEM || r == -EAGAIN || r == -EMFILE ? CW_DP_TRANSIENT
								     : CW_DP_FAILED);
	}
}

static void pump(struct exec *self)
{
	if (self->pumping || !self->locked)
		return;
	self->pumping = true;
	while (!self->running && self->waiting) {
		struct job *j = self->waiting;

		self->waiting = j->next;
		if (!self->waiting)
			self->waiting_end = &self->waiting;
		start(self, j);
	}
	self->pumping = false;
}

static void on_line(void *arg, int which, const char *text)
{
	struct exec *self = arg;
	struct job *j = self->running;
	struct cw_dp_binding b;
	enum cw_dp_status status;
	size_t index;

	if (which == CW_EXEC_ERR) {
		if (self->logged++ < LOG_LINES)
			say(self, CW_DP_LOG_NOTICE, "%s: %.400s", action_names[j->action], text);
		else if (self->logged == LOG_LINES + 1)
			say(self, CW_DP_LOG_NOTICE, "%s: more output is not logged",
				action_names[j->action]);
		return;
	}
	switch (j->action) {
	case ACTION_PROBE:
		if (self->logged++ < NOTES)
			self->host->probe_note(self->host->ctx, j->token, text);
		return;
	case ACTION_LIST:
		if (cw_exec_parse_row(text, self->host->now_boot_ms(self->host->ctx), &b) &&
			cw_dptab_apply(self->table, &b) == CW_DP_OK)
			return;
		break;
	default:
		if (cw_exec_parse_result(text, j->sent, &index, &status)) {
			j->items[j->order[index]].status = status;
			j->items[j->order[index]].answered = true;
			return;
		}
		break;
	}
	self->nonsense++;
	if (self->logged++ < LOG_LINES)
		say(self, CW_DP_LOG_WARNING,
			"%s: the program said \"%.200s\", which is not understood",
			action_names[j->action], text);
}

/* The program did not come to its own end: what it said before is no answer, for nobody knows what
 * it would have said or undone next. A lease is answered only if it was programmed for sure. */
static void forget_answers(struct job *j)
{
	for (size_t i = 0; i < j->n; i++)
		j->items[i].answered = false;
}

static void on_end(void *arg, int status, bool timed_out)
{
	struct exec *self = arg;
	struct job *j = self->running;
	enum cw_dp_status all = CW_DP_FAILED;

	self->running = NULL;
	if (timed_out || !WIFEXITED(status))
		forget_answers(j);
	if (timed_out) {
		self->timeouts++;
		say(self, CW_DP_LOG_ERR, "%s: no end within %llu ms: killed",
			action_names[j->action], (unsigned long long) self->deadline_ms);
		all = CW_DP_TRANSIENT;
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		all = CW_DP_OK;
	} else {
		self->failures++;
		if (WIFEXITED(status))
			say(self, CW_DP_LOG_ERR, "%s: exit status %d", action_names[j->action],
				WEXITSTATUS(status));
		else
			say(self, CW_DP_LOG_ERR, "%s: ended by signal %d", action_names[j->action],
				WTERMSIG(status));
		if (WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL_)
			all = CW_DP_TRANSIENT;
	}
	finish(self, j, all);
	pump(self);
}

static const struct cw_exec_child_ops child_ops = {.line = on_line, .end = on_end};

/* --- what a host that died has left running --- */

static void on_lock(void *arg)
{
	struct exec *self = arg;
	int64_t now = self->host->now_boot_ms(self->host->ctx);
	int r = cw_exec_lock(self->tep, self->program, &self->lock);

	self->lock_timer = NULL;
	if (r == -EAGAIN && now < self->lock_until) {
		self->lock_timer =
			self->host->timer_start(self->host->ctx, LOCK_TRY_MS, on_lock, self);
		if (self->lock_timer)
			return;
	}
	if (r < 0)
		say(self, CW_DP_LOG_ERR,
			"what runs may not be alone: %s; going on, and the next list may be wrong",
			r == -EAGAIN ? "a program of an earlier host does not end"
				     : cw_dpopt_errno(-r));
	self->child.keep = self->lock;
	self->locked = true;
	pump(self);
}

/* --- the plugin --- */

static void exec_close(void *p)
{
	struct exec *self = p;
	struct job *j;

	cw_exec_child_stop(&self->child);
	if (self->lock >= 0)
		(void) close(self->lock);
	self->host->timer_cancel(self->host->ctx, self->lock_timer);
	self->host->timer_cancel(self->host->ctx, self->expiry_timer);
	job_free(self->running);
	while ((j = self->waiting)) {
		self->waiting = j->next;
		job_free(j);
	}
	self->table = cw_dptab_free(self->table);
	free(self->program);
	free(self->tep);
	free(self);
}

static bool fill(struct exec *self, const struct cw_dp_open *open, uint64_t max)
{
	static const uint8_t none[4];

	self->waiting_end = &self->waiting;
	self->table = cw_dptab_new((uint32_t) max, 0);
	self->program = strdup(cw_dpopt_get(open, "program"));
	self->tep = strdup(open->tep);
	if (memcmp(open->ipv4, none, 4) != 0)
		(void) snprintf(self->tep4, sizeof self->tep4, "%u.%u.%u.%u", open->ipv4[0],
			open->ipv4[1], open->ipv4[2], open->ipv4[3]);
	(void) inet_ntop(AF_INET6, open->ipv6, self->tep6, sizeof self->tep6);
	return self->table && self->program && self->tep;
}

static int exec_check(const struct cw_dp_open *open, char *why, size_t why_n)
{
	struct cw_exec_settings s;

	return cw_exec_settings_parse(open, &s, why, why_n) ? 0 : -EINVAL;
}

static int exec_open(const struct cw_dp_host *host, const struct cw_dp_open *open,
	struct cw_dp_caps *ret_caps, void **ret_self, char *why, size_t why_n)
{
	struct cw_exec_settings s;
	struct exec *self;
	struct job *first;

	if (!cw_exec_settings_parse(open, &s, why, why_n))
		return -EINVAL;
	(void) snprintf(why, why_n, "out of memory");
	self = calloc(1, sizeof *self);
	if (!self)
		return -ENOMEM;
	self->host = host;
	self->lock = -1;
	self->deadline_ms = s.deadline_ms;
	self->ranges = (enum cw_dp_ranges) s.ranges;
	cw_exec_child_init(&self->child, host, &child_ops, self);
	first = s.list ? job_new(ACTION_LIST, 0, 0) : NULL;
	if (!fill(self, open, s.max) || (s.list && !first)) {
		job_free(first);
		exec_close(self);
		return -ENOMEM;
	}
	ret_caps->flags = s.flags;
	ret_caps->ranges = self->ranges;
	ret_caps->max_bindings = s.max;
	ret_caps->batch_max = (uint32_t) s.batch;
	/* A batch may wait for one before it, and a program that is killed has its second of grace.
	 */
	ret_caps->deadline_ms = (uint32_t) (2 * s.deadline_ms + 3000);
	*ret_self = self;
	if (first)
		job_put(self, first);
	self->lock_until = host->now_boot_ms(host->ctx) + (int64_t) s.deadline_ms + OVERDUE_MS;
	on_lock(self);
	return 0;
}

static void exec_apply(void *p, uint64_t token, const struct cw_dp_binding *items, size_t n)
{
	struct exec *self = p;
	struct job *j = job_new(ACTION_APPLY, token, n);

	if (!j) {
		self->host->complete(self->host->ctx, token, CW_DP_TRANSIENT, NULL, 0);
		return;
	}
	for (size_t i = 0; i < n; i++)
		j->items[i].binding = items[i];
	job_put(self, j);
}

static void exec_remove(void *p, uint64_t token, const struct cw_dp_removal *items, size_t n)
{
	struct exec *self = p;
	struct job *j = job_new(ACTION_REMOVE, token, n);

	if (!j) {
		self->host->complete(self->host->ctx, token, CW_DP_TRANSIENT, NULL, 0);
		return;
	}
	for (size_t i = 0; i < n; i++)
		j->items[i].removal = items[i];
	job_put(self, j);
}

static void plain(struct exec *self, enum action action, uint64_t token)
{
	struct job *j = job_new(action, token, 0);

	if (j)
		job_put(self, j);
	else
		self->host->complete(self->host->ctx, token, CW_DP_TRANSIENT, NULL, 0);
}

static void exec_probe(void *p, uint64_t token)
{
	plain(p, ACTION_PROBE, token);
}

static void exec_flush(void *p, uint64_t token)
{
	plain(p, ACTION_FLUSH, token);
}

static void exec_list(void *p, uint64_t token, struct cw_dp_cursor after, size_t max)
{
	struct exec *self = p;
	const struct cw_dp_host *h = self->host;
	struct cw_dp_cursor next;
	bool more, unknown = !self->locked ||
			     (self->running && self->running->action == ACTION_LIST) ||
			     (self->waiting && self->waiting->action == ACTION_LIST);
	long n;

	/* Before the program has listed, "nothing" would be a lie; so is anything while another
	 * one still writes. */
	n = unknown ? -1
		    : cw_dptab_list(self->table, after, max < PAGE_MAX ? max : PAGE_MAX, self->rows,
			      &more, &next);
	if (n < 0)
		h->complete_list(h->ctx, token, CW_DP_TRANSIENT, NULL, 0, NULL);
	else
		h->complete_list(
			h->ctx, token, CW_DP_OK, self->rows, (size_t) n, more ? &next : NULL);
}

static void exec_stats(void *p, uint64_t token)
{
	struct exec *self = p;
	const struct cw_dp_stat stats[] = {
		{"bindings", cw_dptab_count(self->table)},
		{"runs", self->runs},
		{"failures", self->failures},
		{"timeouts", self->timeouts},
		{"expired", self->expired},
		{"nonsense", self->nonsense},
	};

	self->host->complete_stats(self->host->ctx, token, stats, sizeof stats / sizeof *stats);
}

static const struct cw_dp_ops ops = {
	.open = exec_open,
	.close = exec_close,
	.probe = exec_probe,
	.apply = exec_apply,
	.remove = exec_remove,
	.list = exec_list,
	.stats = exec_stats,
	.flush = exec_flush,
};

const struct cw_dp_plugin cw_dataplane_plugin = {
	.abi = CW_DP_ABI,
	.size = sizeof cw_dataplane_plugin,
	.name = "exec",
	.version = "1",
	.help = "Runs a program of the operator for each batch of bindings.",
	.needs = "",
	.options = options,
	.ops = &ops,
	.check = exec_check,
};
