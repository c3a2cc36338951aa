# SPDX-License-Identifier: BSD-2-Clause
# The JSON of openapi.yaml, one long line, as a C text in pieces that every compiler takes.
BEGIN { print "/* Made by schema/rest/embed.awk from openapi.yaml: change that file. */\nstatic const char openapi_text[] =" }
END { print "\t;" }
{
	for (at = 1; at <= length($0); at = to) {
		to = at + 96
		# No piece ends within an escape: the backslashes before its end come in pairs.
		while (to <= length($0)) {
			for (n = 0; substr($0, to - 1 - n, 1) == "\\"; n++)
				;
			if (n % 2 == 0)
				break
			to++
		}
		piece = substr($0, at, to - at)
		gsub(/\\/, "&&", piece)
		gsub(/"/, "\\\"", piece)
		print "\t\"" piece "\""
	}
}
