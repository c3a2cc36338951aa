/* SPDX-License-Identifier: BSD-2-Clause */
/* The lease on disk; see state.h. Thread: the owner's. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/lock.h"
#include "client/state.h"

#define FIRST_LINE "causeway-lease 1\n"

enum {
	STATE_MAX = 1024,
	PATH_ROOM = 4096,
	LOCK_MS = 1000, /* for a killed client to be gone */
	STATE_FLAGS =
		O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, /* who waits for a FIFO hangs */
};

int cw_state_render(const struct cw_state *state, char *to, size_t cap)
{
	const struct cw_keeper_lease *l = &state->lease;
	struct cw_writer w = cw_writer_of(to, cap);
	char a4[CW_ADDR4_STRLEN];
	char a6[CW_ADDR6_STRLEN];
	char broker[CW_BROKER_STRLEN];
	char when[CW_TIME_STRLEN];
	char ports[24];

	cw_write_str(&w, FIRST_LINE);
	if (state->device[0])
		cw_write_fmt(&w, "device %s\n", state->device);
	if (l->tsp.tep4.v)
		cw_write_fmt(&w, "tep4 %s\n", cw_addr4_str(l->tsp.tep4, a4));
	if (!cw_portset_is_whole(l->tsp.ports))
		cw_write_fmt(&w, "ports %s\n", cw_portset_str(l->tsp.ports, ports));
	cw_write_fmt(&w, "lifetime %u\n", l->tsp.lifetime_s);
	cw_write_fmt(&w, "ipv4 %s\n", cw_addr4_str(l->tsp.ipv4, a4));
	cw_write_fmt(&w, "client6 %s\n", cw_addr6_str(&l->tsp.client6, a6));
	cw_write_fmt(&w, "tep6 %s\n", cw_addr6_str(&l->tsp.tep6, a6));
	cw_write_fmt(&w, "expires %s\n", cw_time_str(l->expires_wall_s, when));
	cw_write_fmt(&w, "broker %s\n", cw_broker_str(&l->broker, broker));
	return w.bad ? CW_E_LIMIT : (int) cw_write_len(&w);
}

/* One "key value" line; unknown keys are a later version's and skipped. */
static int parse_line(const char *key, const char *value, struct cw_state *state, unsigned *seen)
{
	struct cw_keeper_lease *l = &state->lease;
	size_t n = strlen(value);
	uint64_t number;
	int r = 0;

	if (strcmp(key, "ipv4") == 0) {
		r = cw_addr4_parse(value, n, &l->tsp.ipv4);
		*seen |= 1;
	} else if (strcmp(key, "client6") == 0) {
		r = cw_addr6_parse(value, n, &l->tsp.client6);
		*seen |= 2;
	} else if (strcmp(key, "tep6") == 0) {
		r = cw_addr6_parse(value, n, &l->tsp.tep6);
		*seen |= 4;
	} else if (strcmp(key, "expires") == 0) {
		r = cw_time_parse(value, &l->expires_wall_s);
		*seen |= 8;
	} else if (strcmp(key, "device") == 0) {
		r = n && n < sizeof state->device ? 0 : CW_E_SYNTAX;
		if (r == 0)
			memcpy(state->device, value, n + 1);
	} else if (strcmp(key, "tep4") == 0) {
		r = cw_addr4_parse(value, n, &l->tsp.tep4);
	} else if (strcmp(key, "ports") == 0) {
		r = cw_portset_parse(value, n, &l->tsp.ports);
	} else if (strcmp(key, "lifetime") == 0) {
		r = cw_parse_u64(value, n, 0, UINT32_MAX, &number);
		if (r == 0)
			l->tsp.lifetime_s = (uint32_t) number;
	} else if (strcmp(key, "broker") == 0) {
		r = cw_broker_parse(value, CW_BROKER_PORT, &l->broker);
	}
	return r < 0 ? CW_E_SYNTAX : 0;
}

int cw_state_parse(const char *text, size_t n, struct cw_state *ret)
{
	char line[CW_BROKER_STRLEN + 32];
	struct cw_state state = {0};
	const char *end = text + n;
	const char *nl;
	unsigned seen = 0;
	char *blank;

	if (n < sizeof FIRST_LINE - 1 || memcmp(text, FIRST_LINE, sizeof FIRST_LINE - 1) != 0)
		return CW_E_SYNTAX;
	for (text += sizeof FIRST_LINE - 1; text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t) (end - text));
		if (!nl || (size_t) (nl - text) >= sizeof line ||
			memchr(text, '\0', (size_t) (nl - text)))
			return CW_E_SYNTAX;
		memcpy(line, text, (size_t) (nl - text));
		line[nl - text] = '\0';
		blank = strchr(line, ' ');
		if (!blank)
			return CW_E_SYNTAX;
		*blank = '\0';
		if (parse_line(line, blank + 1, &state, &seen) < 0)
			return CW_E_SYNTAX;
	}
	if (seen != 15 || !cw_addr4_is_unicast(state.lease.tsp.ipv4))
		return CW_E_SYNTAX;
	*ret = state;
	return 0;
}

int cw_state_load(const char *path, struct cw_state *ret)
{
	CW_CLEANUP(cw_closep) int fd = open(path, STATE_FLAGS | O_RDONLY);
	char text[STATE_MAX];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof text);
	if (n < 0)
		return -errno;
	return cw_state_parse(text, (size_t) n, ret);
}

void cw_state_make_folders(const char *path)
{
	char copy[PATH_ROOM];

	if (strlen(path) >= sizeof copy)
		return;
	memcpy(copy, path, strlen(path) + 1);
	/* Those that are there already say so; whether all are now, open() will tell. */
	for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		(void) mkdir(copy, 0755);
		*slash = '/';
	}
}

static int write_synced(const char *path, const char *text, size_t n)
{
	CW_CLEANUP(cw_closep)
	int fd = open(path, STATE_FLAGS | O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t r;

	if (fd < 0)
		return -errno;
	r = write(fd, text, n);
	if (r < 0)
		return -errno;
	if ((size_t) r != n)
		return -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

int cw_state_save(const char *path, const struct cw_state *state)
{
	char text[STATE_MAX];
	char temporary[PATH_ROOM];
	int n = cw_state_render(state, text, sizeof text);
	int r = snprintf(temporary, sizeof temporary, "%s.new", path);

	if (n < 0)
		return n;
	if (r < 0 || (size_t) r >= sizeof temporary)
		return -ENAMETOOLONG;
	r = write_synced(temporary, text, (size_t) n);
	if (r == -ENOENT) {
		cw_state_make_folders(path);
		r = write_synced(temporary, text, (size_t) n);
	}
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		(void) unlink(temporary);
	return r;
}

int cw_state_forget(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int cw_state_lock(const char *path, int *ret_fd, pid_t *ret_owner)
{
	char lock[PATH_ROOM];

	if ((size_t) snprintf(lock, sizeof lock, "%s.lock", path) >= sizeof lock)
		return -ENAMETOOLONG;
	cw_state_make_folders(lock);
	return cw_lock_take(lock, LOCK_MS, ret_fd, ret_owner);
}

void cw_state_unlock(const char *path, int *fd)
{
	char lock[PATH_ROOM];

	if ((size_t) snprintf(lock, sizeof lock, "%s.lock", path) < sizeof lock)
		cw_lock_release(lock, fd);
}
