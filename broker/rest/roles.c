/* SPDX-License-Identifier: BSD-2-Clause */
/* See roles.h. The groups of a peer are asked of its socket (SO_PEERGROUPS), not of the user
 * database, which may be slow and of another mind than the kernel. */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "broker/rest/roles.h"
#include "schema/rest/scope.h"

#define ENTRIES_MAX 256
#define GROUPS_MAX  256

struct entry {
	enum { USER, GROUP, CERT } kind;
	id_t id;
	char name[CW_NAME_MAX];
	uint32_t scopes;
};

struct cw_rest_roles {
	uid_t own;
	size_t n;
	struct entry entry[ENTRIES_MAX];
};

/* At the start, before other threads. */
/* NOLINTBEGIN(concurrency-mt-unsafe) */
static int look_up(struct entry *e, char *why, size_t why_n)
{
	const struct passwd *pw = e->kind == USER ? getpwnam(e->name) : NULL;
	const struct group *gr = e->kind == GROUP ? getgrnam(e->name) : NULL;

	if (pw)
		e->id = pw->pw_uid;
	else if (gr)
		e->id = gr->gr_gid;
	else if (e->kind != CERT) {
		(void) snprintf(why, why_n,
			"section \"rest\" names the %s \"%s\", which is not there",
			e->kind == USER ? "user" : "group", e->name);
		return -ENOENT;
	}
	return 0;
}
/* NOLINTEND(concurrency-mt-unsafe) */

static int add_list(
	struct cw_rest_roles *r, const char *list, uint32_t scopes, char *why, size_t why_n)
{
	while (list && *list) {
		size_t n = strcspn(list, " ");
		struct entry *e = &r->entry[r->n];
		size_t skip = 0;
		int ret;

		if (r->n == ENTRIES_MAX) {
			(void) snprintf(why, why_n,
				"section \"rest\" names more than %d users and groups",
				ENTRIES_MAX);
			return -E2BIG;
		}
		e->kind = USER;
		if (list[0] == '@') {
			e->kind = GROUP;
			skip = 1;
		} else if (strncmp(list, "cert:", 5) == 0) {
			e->kind = CERT;
			skip = 5;
		}
		(void) snprintf(e->name, sizeof e->name, "%.*s", (int) (n - skip), list + skip);
		e->scopes = scopes;
		ret = look_up(e, why, why_n);
		if (ret < 0)
			return ret;
		r->n++;
		list += n + (list[n] == ' ');
	}
	return 0;
}

int cw_rest_roles_new(
	const struct cw_config_rest *conf, char *why, size_t why_n, struct cw_rest_roles **ret)
{
	struct cw_rest_roles *r = cw_zalloc(1, sizeof *r);
	int e;

	if (!r)
		return -ENOMEM;
	r->own = geteuid();
	e = add_list(r, conf->admins, CW_SCOPES_ADMIN, why, why_n);
	if (e == 0)
		e = add_list(r, conf->operators, CW_SCOPES_OPERATOR, why, why_n);
	if (e == 0)
		e = add_list(r, conf->viewers, CW_SCOPES_VIEWER, why, why_n);
	if (e < 0) {
		(void) cw_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

struct cw_rest_roles *cw_rest_roles_free(struct cw_rest_roles *r)
{
	return cw_free(r);
}

static uint32_t scopes_of(const struct cw_rest_roles *r, int kind, id_t id)
{
	uint32_t scopes = 0;

	for (size_t i = 0; i < r->n; i++)
		if ((int) r->entry[i].kind == kind && r->entry[i].id == id)
			scopes |= r->entry[i].scopes;
	return scopes;
}

uint32_t cw_rest_roles_unix(const struct cw_rest_roles *r, int fd, uid_t *ret_uid)
{
	struct ucred cred;
	socklen_t n = sizeof cred;
	gid_t groups[GROUPS_MAX];
	uint32_t scopes;

	*ret_uid = (uid_t) -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return 0;
	*ret_uid = cred.uid;
	if (cred.uid == 0 || cred.uid == r->own)
		return CW_SCOPES_ADMIN;
	scopes = scopes_of(r, USER, cred.uid) | scopes_of(r, GROUP, cred.gid);
	n = sizeof groups;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
		return scopes; /* more than GROUPS_MAX: what is known counts */
	for (size_t i = 0; i < n / sizeof groups[0]; i++)
		scopes |= scopes_of(r, GROUP, groups[i]);
	return scopes;
}

uint32_t cw_rest_roles_cert(const struct cw_rest_roles *r, const char *name)
{
	uint32_t scopes = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->entry[i].kind == CERT && strcmp(r->entry[i].name, name) == 0)
			scopes |= r->entry[i].scopes;
	return scopes;
}
