# SPDX-License-Identifier: BSD-2-Clause
# The tables of causeway-api(7): awk -f api.awk OPERATIONS.DEF PROBLEM.DEF PAGE.in
FILENAME ~ /operations\.def$/ {
	if (match($0, /^CW_OPERATION\(/)) {
		split($0, part, "\"")
		split(part[1], word, /[(,] */)
		operations = operations sprintf(".It %s Ta %s Ta %s\n", word[3], part[2], part[4])
	}
	next
}
FILENAME ~ /problem\.def$/ {
	if (match($0, /^CW_PROBLEM\(/)) {
		split($0, part, "\"")
		split(part[3], word, /, */)
		problems = problems sprintf(".It %s Ta %s Ta \\&%s\n", part[2], word[2], part[4])
	}
	next
}
/^@OPERATIONS@$/ { printf "%s", operations; next }
/^@PROBLEMS@$/ { printf "%s", problems; next }
{ print }
