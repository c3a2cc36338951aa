/* SPDX-License-Identifier: BSD-2-Clause */
/* What apply and import send: the body of POST /v1/apply from what people write. No I/O but apply's requests. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

struct cw_ctl;
struct json_t;

/* {"pool": {"default": {"range": ["198.51.100.0/24"], "lifetime": "1h"}}} as well as the API's own {"pools": [{"name": ..}]}:
 * sections and options may have their names of causewayd.conf(5), a section's title may be its key, durations may be texts.
 * What is unknown is left for the broker to refuse. file is borrowed; *ret is given. 0; CW_E_SYNTAX: *why tells; -ENOMEM. */
int cw_ctl_apply_body(
	struct json_t *file, struct json_t **ret, char *why, size_t why_n) CW_MUST_CHECK;
/* Shows the difference between the broker and a body, then makes it unless dry; the exit code. body: taken. */
int cw_ctl_apply(struct cw_ctl *c, struct json_t *body, bool dry, bool prune);
