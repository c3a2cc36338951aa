# SPDX-License-Identifier: BSD-2-Clause
# House rules a compiler does not know, one file at a time: "FILE:LINE: what is wrong" per violation.
# clang-format has the layout, clang-tidy the rest.
function bad(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
}

FNR == 1 {
	c_file = FILENAME ~ /\.c$/
	header = FILENAME ~ /\.h$/
	ours = FILENAME !~ /^(tests|contrib)\// && FILENAME !~ /^dataplane\/plugins\//
	licensed = pragma = included = comment = 0
}

FNR <= 3 && /SPDX-License-Identifier: BSD-2-Clause/ { licensed = 1 }
FNR == 4 && !licensed { bad("no SPDX-License-Identifier in the first three lines") }
/^#pragma once$/ { pragma = 1 }
# A table of cases may be longer than code.
FNR == 801 && FILENAME !~ /^tests\/unit\// { bad("more than 800 lines") }
FNR == 1201 { bad("more than 1200 lines") }

# In brackets, so that this line passes its own test.
/(^|[^A-Za-z_])([T]ODO|[F]IXME|[X]XX|[H]ACK)([^A-Za-z_]|$)/ { bad("unfinished work is not left in the tree") }
/(^|[^A-Za-z.])\/work\/|\/tmp\/build-/ { bad("a path of somebody's machine") }

c_file && !included && /^[ \t]*#[ \t]*include/ {
	included = 1
	if (ours && $0 !~ /^#include "config.h"$/)
		bad("the first include is \"config.h\"")
}

# Code only: whole-line comments and what stands in quotes are taken out.
(c_file || header) {
	code = $0
	gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
	gsub(/\/\*([^*]|\*[^\/])*\*\//, "", code)
	if (comment) {
		if (code !~ /\*\//)
			next
		sub(/^.*\*\//, "", code)
		comment = 0
	}
	if (code ~ /\/\*/) {
		sub(/\/\*.*/, "", code)
		comment = 1
	}
	if (ours && FILENAME !~ /^base\/mem\.[ch]$/ && code ~ /(^|[^A-Za-z0-9_.>])(malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|vasprintf|free)[ ]*\(/)
		bad("heap memory goes through base/mem.h")
	if (code ~ /(^|[^A-Za-z0-9_.>])(gets|strtok|alloca|vfork|popen|tmpnam|mktemp)[ ]*\(/)
		bad("a function this house does not use")
	if (ours && code ~ /(^|[^A-Za-z0-9_.>])(strcpy|strcat|sprintf|vsprintf|system|atoi|atol)[ ]*\(/)
		bad("a function this house does not use")
	if (ours && code ~ /(^|[^A-Za-z0-9_.>])(sleep|usleep)[ ]*\(/)
		bad("nobody sleeps: timers, or polling for readiness")
	if (code ~ /^[ \t]*typedef[ \t]+(struct|union|enum)/)
		bad("no typedef for structs")
}
