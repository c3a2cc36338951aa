/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds and checks a plugin file, and makes an operator's option lines into settings. Private to
 * host/. Thread: any. */
#pragma once

#include "causeway-dataplane.h"

#include "base/defs.h"

struct cw_dpsettings {
	struct cw_dp_setting *list; /* every option of the plugin once, in its order */
	size_t n;
	char *text; /* what the values point into */
};

/* Loads `name` from directory (NULL: the compiled-in one) after the checks of host.h. CW_E_SYNTAX:
 * not a plugin name; -ENOENT: no such file; -EPERM: owner or mode; -ENOEXEC: no plugin, wrong ABI
 * or name; one line in why. *ret_plugin borrows from *ret_handle, which goes to dlclose(). */
int cw_dpload(const char *name, const char *directory, char *why, size_t why_n, void **ret_handle,
	const struct cw_dp_plugin **ret_plugin) CW_MUST_CHECK;

/* "key=value" lines (NULL: none; blank lines are skipped, blanks around key and value are not part
 * of them) against the plugin's table. CW_E_SYNTAX: no such form, unknown, repeated or missing
 * option; CW_E_LIMIT: too long; -ENOMEM. */
int cw_dpsettings_parse(const struct cw_dp_plugin *plugin, const char *options, char *why,
	size_t why_n, struct cw_dpsettings *ret) CW_MUST_CHECK;
void cw_dpsettings_done(struct cw_dpsettings *s);
