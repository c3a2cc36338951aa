/* SPDX-License-Identifier: BSD-2-Clause */
/* See words.h: in the order of the enums that they are for. Thread: constant. */
#include "config.h"

#include <stddef.h>

#include "schema/rest/words.h"

const char *const cw_rest_pool_kinds[] = {"ipv4", "ipv4-port", NULL};
const char *const cw_rest_pool_states[] = {"active", "draining", "disabled", NULL};
const char *const cw_rest_accesses[] = {"tsp", "dhcp6", "rest", "gateway", NULL};
const char *const cw_rest_lease_states[] = {"free", "active", "ending", "quarantined", NULL};
const char *const cw_rest_tep_states[] = {"starting", "up", "syncing", "down", NULL};
const char *const cw_rest_session_states[] = {"login", "ready", "busy", "closing", NULL};
const char *const cw_rest_results[] = {"running", "ok", "failed", "lost", NULL};
