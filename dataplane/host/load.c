/* SPDX-License-Identifier: BSD-2-Clause */
/* The only way code gets into a host: a file NAME.so in one directory, both owned by root (or by
 * the host's own user) and writable by nobody else; then abi, size and name are checked, in that
 * order, before any other field of the descriptor is looked at. The file's length is compared with
 * its ELF headers first: dlopen() maps what they promise, and touching what a cut file lacks is
 * SIGBUS. */
#include "config.h"

#include <ctype.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "dataplane/host/load.h"

enum { OPTIONS_MAX = 65536, NAME_MAX_OCTETS = 32, OPTION_COUNT_MAX = 256 };

/* The descriptor of ABI 1 as first released. A plugin may know more. */
#define DESCRIPTOR_MIN (offsetof(struct cw_dp_plugin, ops) + sizeof(const struct cw_dp_ops *))

/* One line about what went wrong, and its code. */
#define say(why, why_n, code, ...) ((void) snprintf(why, why_n, __VA_ARGS__), (code))

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > NAME_MAX_OCTETS || !islower((unsigned char) name[0]))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!islower((unsigned char) name[i]) && !isdigit((unsigned char) name[i]) &&
			name[i] != '_' && name[i] != '-')
			return false;
	}
	return true;
}

/* Nobody but root and us may have a hand in it. */
static int check_owner(const struct stat *st, const char *path, char *why, size_t why_n)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return say(why, why_n, -EPERM, "%s belongs to user %u, not to root", path,
			(unsigned) st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return say(why, why_n, -EPERM, "%s may be written by others (mode %04o)", path,
			(unsigned) st->st_mode & 07777);
	return 0;
}

/* Whether offset + n lies within size octets. */
static bool within(uint64_t size, uint64_t offset, uint64_t n)
{
	return offset <= size && n <= size - offset;
}

/* All that the headers of a shared object name is in the file. */
static int check_whole(int fd, uint64_t size, const char *path, char *why, size_t why_n)
{
	ElfW(Ehdr) e;
	ElfW(Phdr) p;
	bool whole;

	if (pread(fd, &e, sizeof e, 0) != (ssize_t) sizeof e ||
		memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
		e.e_ident[EI_CLASS] != (__ELF_NATIVE_CLASS == 64 ? ELFCLASS64 : ELFCLASS32) ||
		e.e_type != ET_DYN || e.e_phentsize != sizeof p)
		return say(why, why_n, -ENOEXEC, "plugin %s is not a shared object of this machine",
			path);
	whole = e.e_shoff == 0 || within(size, e.e_shoff, (uint64_t) e.e_shnum * e.e_shentsize);
	whole = whole && within(size, e.e_phoff, (uint64_t) e.e_phnum * sizeof p);
	for (unsigned i = 0; whole && i < e.e_phnum; i++) {
		whole = pread(fd, &p, sizeof p, (off_t) (e.e_phoff + i * sizeof p)) ==
				(ssize_t) sizeof p &&
			(p.p_type != PT_LOAD || within(size, p.p_offset, p.p_filesz));
	}
	if (!whole)
		return say(why, why_n, -ENOEXEC,
			"plugin %s is cut short: %llu octets, less than its headers say; install it again",
			path, (unsigned long long) size);
	return 0;
}

static int check_file(const char *dir, const char *path, const char *file, char *why, size_t why_n)
{
	CW_CLEANUP(cw_closep) int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CW_CLEANUP(cw_closep) int fd = -1;
	struct stat st;
	int r;

	if (dirfd < 0)
		return say(why, why_n, -errno, "plugin directory %s: %s", dir, cw_strerror(-errno));
	if (fstat(dirfd, &st) < 0)
		return say(why, why_n, -errno, "plugin directory %s: %s", dir, cw_strerror(-errno));
	r = check_owner(&st, dir, why, why_n);
	if (r < 0)
		return r;
	if (fstatat(dirfd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return say(why, why_n, -errno, "plugin %s: %s", path, cw_strerror(-errno));
	if (!S_ISREG(st.st_mode))
		return say(why, why_n, -EPERM, "plugin %s is not a regular file", path);
	r = check_owner(&st, path, why, why_n);
	if (r < 0)
		return r;
	fd = openat(dirfd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return say(why, why_n, -errno, "plugin %s: %s", path, cw_strerror(-errno));
	return check_whole(fd, (uint64_t) st.st_size, path, why, why_n);
}

static int check_options(const struct cw_dp_plugin *p, const char *path, char *why, size_t why_n)
{
	size_t n = 0;

	for (const struct cw_dp_option *o = p->options; o && o->name; o++, n++) {
		if (n == OPTION_COUNT_MAX || !o->name[0])
			return say(why, why_n, -ENOEXEC, "plugin %s: broken option table", path);
		for (const struct cw_dp_option *q = p->options; q != o; q++) {
			if (strcmp(q->name, o->name) == 0)
				return say(why, why_n, -ENOEXEC, "plugin %s: option %s twice", path,
					o->name);
		}
	}
	return 0;
}

static int check_descriptor(
	const struct cw_dp_plugin *p, const char *name, const char *path, char *why, size_t why_n)
{
	if (p->abi != CW_DP_ABI)
		return say(why, why_n, -ENOEXEC, "plugin %s has ABI %u, this program has %u", path,
			p->abi, (unsigned) CW_DP_ABI);
	if (p->size < DESCRIPTOR_MIN)
		return say(why, why_n, -ENOEXEC, "plugin %s: descriptor of %u octets is too short",
			path, p->size);
	if (!p->name || strcmp(p->name, name) != 0)
		return say(why, why_n, -ENOEXEC,
			"plugin %s: the file holds a plugin of another name", path);
	if (!p->version || !p->help || !p->needs || !p->ops)
		return say(why, why_n, -ENOEXEC, "plugin %s: incomplete descriptor", path);
	if (!p->ops->open || !p->ops->close || !p->ops->probe || !p->ops->apply ||
		!p->ops->remove || !p->ops->list || !p->ops->stats || !p->ops->flush)
		return say(why, why_n, -ENOEXEC, "plugin %s: an operation is missing", path);
	return check_options(p, path, why, why_n);
}

int cw_dpload(const char *name, const char *directory, char *why, size_t why_n, void **ret_handle,
	const struct cw_dp_plugin **ret_plugin)
{
	const char *dir = directory ? directory : CW_PLUGINDIR;
	const struct cw_dp_plugin *plugin;
	char path[PATH_MAX], file[NAME_MAX_OCTETS + 4];
	void *handle;
	int r;

	if (!name_ok(name))
		return say(why, why_n, CW_E_SYNTAX, "\"%.40s\" is not the name of a plugin", name);
	(void) snprintf(file, sizeof file, "%s.so", name);
	if ((size_t) snprintf(path, sizeof path, "%s/%s", dir, file) >= sizeof path ||
		dir[0] != '/')
		return say(why, why_n, CW_E_SYNTAX, "plugin directory %.100s: not an absolute path",
			dir);
	r = check_file(dir, path, file, why, why_n);
	if (r < 0)
		return r;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is per thread */
		return say(why, why_n, -ENOEXEC, "%s", dlerror());
	plugin = dlsym(handle, CW_DP_PLUGIN_SYMBOL);
	r = plugin ? check_descriptor(plugin, name, path, why, why_n)
		   : say(why, why_n, -ENOEXEC, "plugin %s: no symbol %s", path,
			     CW_DP_PLUGIN_SYMBOL);
	if (r < 0) {
		(void) dlclose(handle);
		return r;
	}
	*ret_handle = handle;
	*ret_plugin = plugin;
	return 0;
}

/* --- settings --- */

static size_t option_count(const struct cw_dp_plugin *plugin)
{
	size_t n = 0;

	while (plugin->options && plugin->options[n].name)
		n++;
	return n;
}

static char *trim(char *s)
{
	char *end;

	while (*s == ' ' || *s == '\t')
		s++;
	for (end = s + strlen(s); end > s && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	return s;
}

static int parse_line(const struct cw_dp_plugin *plugin, char *line, char *why, size_t why_n,
	struct cw_dpsettings *s)
{
	char *value = strchr(line, '='), *key;

	for (const char *c = line; *c; c++) {
		if ((unsigned char) *c < 0x20 && *c != '\t')
			return say(why, why_n, CW_E_SYNTAX, "an option holds a control character");
	}
	if (!value)
		return trim(line)[0]
			       ? say(why, why_n, CW_E_SYNTAX, "option \"%.60s\" has no \"=\"", line)
			       : 0;
	*value++ = '\0';
	value = trim(value);
	key = trim(line);
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(plugin->options[i].name, key) != 0)
			continue;
		if (s->list[i].value)
			return say(why, why_n, CW_E_SYNTAX, "option %s is given twice", key);
		s->list[i].value = value;
		return 0;
	}
	return say(why, why_n, CW_E_SYNTAX, "plugin %s has no option \"%.60s\"", plugin->name, key);
}

static int fill(const struct cw_dp_plugin *plugin, char *why, size_t why_n, struct cw_dpsettings *s)
{
	char *next = s->text, *line;

	for (size_t i = 0; i < s->n; i++)
		s->list[i].name = plugin->options[i].name;
	while ((line = strsep(&next, "\n")) != NULL) {
		int r = parse_line(plugin, line, why, why_n, s);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (!s->list[i].value)
			s->list[i].value = plugin->options[i].def;
		if (!s->list[i].value)
			return say(why, why_n, CW_E_SYNTAX, "plugin %s needs the option %s (%s)",
				plugin->name, s->list[i].name,
				plugin->options[i].help ? plugin->options[i].help : "");
	}
	return 0;
}

int cw_dpsettings_parse(const struct cw_dp_plugin *plugin, const char *options, char *why,
	size_t why_n, struct cw_dpsettings *ret)
{
	struct cw_dpsettings s = {.n = option_count(plugin)};
	int r;

	if (options && strlen(options) > OPTIONS_MAX)
		return say(why, why_n, CW_E_LIMIT, "more than %d octets of options", OPTIONS_MAX);
	s.text = cw_strdup(options ? options : "");
	s.list = cw_zalloc(s.n + 1, sizeof *s.list);
	r = s.text && s.list ? fill(plugin, why, why_n, &s)
			     : say(why, why_n, -ENOMEM, "out of memory");
	if (r < 0) {
		cw_dpsettings_done(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void cw_dpsettings_done(struct cw_dpsettings *s)
{
	s->list = cw_free(s->list);
	s->text = cw_free(s->text);
	s->n = 0;
}
