/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the password; see secret.h. systemd.exec(5), CREDENTIALS. Thread: any. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/secret.h"

/* Octet by octet, so that what follows the line stays in a pipe. */
static int read_line(int fd, char *to)
{
	size_t n = 0;
	ssize_t r;
	char c;

	for (;;) {
		r = read(fd, &c, 1);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0 || c == '\n')
			break;
		if (c == '\0')
			return CW_E_SYNTAX;
		if (n == CW_SECRET_MAX - 1)
			return CW_E_LIMIT;
		to[n++] = c;
	}
	if (n && to[n - 1] == '\r')
		n--;
	to[n] = '\0';
	return n ? 0 : CW_E_SYNTAX;
}

/* Path of the credential, if systemd gave one. */
static const char *credential(char path[static 512])
{
	/* Before any thread: see main.c. */
	const char *dir = getenv("CREDENTIALS_DIRECTORY"); /* NOLINT(concurrency-mt-unsafe) */
	int n = dir && dir[0] == '/' ? snprintf(path, 512, "%s/password", dir) : -1;

	return n > 0 && n < 512 && access(path, R_OK) == 0 ? path : NULL;
}

int cw_secret_read(const char *file, char **ret, bool *ret_open)
{
	CW_CLEANUP(cw_closep) int own = -1;
	char path[512];
	struct stat st;
	char *secret;
	int fd = STDIN_FILENO;
	int r;

	*ret = NULL;
	*ret_open = false;
	if (!file) {
		file = credential(path);
		if (!file)
			return 0;
	}
	if (strcmp(file, "-") != 0) {
		own = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (own < 0 || fstat(own, &st) < 0)
			return -errno;
		if (S_ISDIR(st.st_mode))
			return -EISDIR;
		*ret_open = S_ISREG(st.st_mode) && (st.st_mode & (S_IRGRP | S_IROTH));
		fd = own;
	}
	secret = cw_zalloc(1, CW_SECRET_MAX);
	if (!secret)
		return -ENOMEM;
	r = read_line(fd, secret);
	if (r < 0) {
		(void) cw_secret_free(secret);
		return r;
	}
	*ret = secret;
	return 0;
}

const char *cw_secret_problem(int r)
{
	if (r == CW_E_SYNTAX)
		return "its first line is empty or has a NUL; write the password there";
	if (r == CW_E_LIMIT)
		return "its first line is longer than 255 octets; a password is shorter";
	return cw_strerror(r);
}

char *cw_secret_free(char *secret)
{
	return cw_free_secret(secret, secret ? CW_SECRET_MAX : 0);
}
