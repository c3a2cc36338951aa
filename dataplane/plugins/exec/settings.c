/* SPDX-License-Identifier: BSD-2-Clause */
/* See settings.h. */
#include "dataplane/plugins/exec/settings.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/plugins/common/options.h"
#include "dataplane/plugins/common/table.h"

static bool check_program(const char *path, char *why, size_t why_n)
{
	struct stat st;

	if (path[0] != '/') {
		(void) snprintf(
			why, why_n, "option program: \"%.100s\" is not an absolute path", path);
		return false;
	}
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0) {
		(void) snprintf(why, why_n, "option program: %.100s cannot be executed", path);
		return false;
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		(void) snprintf(why, why_n,
			"option program: %.100s belongs to, or may be written by, others", path);
		return false;
	}
	return true;
}

/* The name goes into the environment of the program. */
static bool check_name(const char *s, char *why, size_t why_n)
{
	static const char ok[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (*s && strlen(s) <= 64 && s[strspn(s, ok)] == '\0')
		return true;
	(void) snprintf(
		why, why_n, "the TEP's name may hold letters, digits, '.', '_' and '-' only");
	return false;
}

static bool parse_guarantees(const char *s, uint32_t *flags, char *why, size_t why_n)
{
	static const struct {
		const char *word;
		uint32_t flag;
	} words[] = {{"anti-spoof", CW_DP_CAP_ANTI_SPOOF}, {"expiry", CW_DP_CAP_EXPIRY},
		{"hairpin", CW_DP_CAP_HAIRPIN}};

	while (*s) {
		size_t n = strcspn(s, ","), i;

		for (i = 0; i < sizeof words / sizeof *words; i++) {
			if (strlen(words[i].word) == n && strncmp(words[i].word, s, n) == 0)
				break;
		}
		if (i == sizeof words / sizeof *words) {
			(void) snprintf(why, why_n,
				"option guarantees: \"%.40s\" is none of anti-spoof, expiry, hairpin",
				s);
			return false;
		}
		*flags |= words[i].flag;
		s += n + (s[n] == ',');
	}
	return true;
}

bool cw_exec_settings_parse(
	const struct cw_dp_open *open, struct cw_exec_settings *ret, char *why, size_t why_n)
{
	static const char *const range_words[] = {"none", "aligned-pow2", "psid", NULL};
	static const char *const list_words[] = {"memory", "program", NULL};

	ret->flags = 0;
	return check_program(cw_dpopt_get(open, "program"), why, why_n) &&
	       check_name(open->tep, why, why_n) &&
	       cw_dpopt_u64(open, "deadline_ms", 10, 300000, &ret->deadline_ms, why, why_n) &&
	       cw_dpopt_u64(open, "batch", 1, 4096, &ret->batch, why, why_n) &&
	       cw_dpopt_word(open, "ranges", range_words, &ret->ranges, why, why_n) &&
	       cw_dpopt_word(open, "list", list_words, &ret->list, why, why_n) &&
	       parse_guarantees(cw_dpopt_get(open, "guarantees"), &ret->flags, why, why_n) &&
	       cw_dpopt_u64(open, "max_bindings", 0, CW_DPTAB_MAX, &ret->max, why, why_n);
}
