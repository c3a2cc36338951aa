/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of values that stand in more than one table, NULL-ended. Private to schema/rest. Thread: constant. */
#pragma once

extern const char *const cw_rest_pool_kinds[];
extern const char *const cw_rest_pool_states[];
extern const char *const cw_rest_accesses[];
extern const char *const cw_rest_lease_states[];
extern const char *const cw_rest_tep_states[];
extern const char *const cw_rest_session_states[];
extern const char *const cw_rest_results[];
