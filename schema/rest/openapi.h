/* SPDX-License-Identifier: BSD-2-Clause */
/* The description of the REST API as it is served: openapi.yaml as JSON, made at build time. Thread: constant. */
#pragma once

#include "base/bytes.h"

/* The whole document; static. */
struct cw_slice cw_rest_openapi(void);
