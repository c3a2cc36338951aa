/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit codes of `causewayctl`, as causewayctl(1) documents them. 0, 1, 2 are base/prog.h's. */
#pragma once

enum {
	CW_CTL_NOT_FOUND = 3,
	CW_CTL_CONFLICT = 4,
	CW_CTL_NOT_ALLOWED = 5,
	CW_CTL_UNREACHABLE = 6,
};
