/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the database lost what was answered? After a crash the newest leases are in the WAL alone,
 * and SQLite takes a database without one, or with an older one, for whole. So the number of the
 * last commit is also kept beside it, in PATH.commits, while a broker uses it: 8 octets, big-endian,
 * the same inverted, and 8 that say how the last run ended. It is written after the commit and never synced: after a crash of the
 * process it is exact, after a power cut it may be old or unreadable, and in no case is it ahead of
 * what the database must hold. A clean end removes it. */
#include "config.h"

#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "db/sqlite/sqlite.h"

struct seen {
	uint64_t commits, inverted;
	uint64_t doubt; /* not 0: the last run ended because the database contradicts itself */
};

static bool name_of(const struct cw_backend *b, char *to, size_t n)
{
	int r = snprintf(to, n, "%s.commits", b->path);

	return r > 0 && (size_t) r < n;
}

/* All zero if there is none, or none of ours. */
static struct seen read_seen(const struct cw_backend *b)
{
	char name[PATH_MAX];
	CW_CLEANUP(cw_closep) int fd = -1;
	struct seen s;

	/* O_NONBLOCK: whatever has this name, nobody waits for it. */
	if (name_of(b, name, sizeof name))
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || pread(fd, &s, sizeof s, 0) != sizeof s || s.inverted != ~s.commits)
		return (struct seen){0};
	return s;
}

uint64_t cw_sq_seen_more(const struct cw_backend *b, uint64_t commits)
{
	struct seen s = read_seen(b);

	return be64toh(s.commits) > commits ? be64toh(s.commits) - commits : 0;
}

bool cw_sq_seen_doubt(const struct cw_backend *b)
{
	return read_seen(b).doubt != 0;
}

static void write_seen(struct cw_backend *b, bool doubt)
{
	const struct seen s = {.commits = htobe64(b->commits),
		.inverted = ~htobe64(b->commits),
		.doubt = htobe64(doubt)};

	/* One that cannot be written stays older than the database: nothing is refused for it. */
	if (b->seen_fd >= 0)
		(void) !pwrite(b->seen_fd, &s, sizeof s, 0);
}

void cw_sq_seen(struct cw_backend *b)
{
	write_seen(b, false);
}

void cw_sq_seen_broken(struct cw_backend *b)
{
	write_seen(b, true);
}

void cw_sq_seen_begin(struct cw_backend *b)
{
	char name[PATH_MAX];

	/* Without it, as on a full disk, leases are lent all the same. */
	if (name_of(b, name, sizeof name))
		b->seen_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	cw_sq_seen(b);
}

void cw_sq_seen_end(struct cw_backend *b)
{
	char name[PATH_MAX];

	if (name_of(b, name, sizeof name))
		(void) unlink(name);
}
