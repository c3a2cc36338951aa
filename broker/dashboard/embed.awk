# SPDX-License-Identifier: BSD-2-Clause
# The files of the dashboard, given by name, as a C table: what they are served as, their type, their text. Blank
# lines and the indentation stay: what an operator sees in the browser's inspector is what we wrote.
function type_of(name) {
	if (name ~ /\.html$/)
		return "text/html; charset=utf-8"
	if (name ~ /\.css$/)
		return "text/css; charset=utf-8"
	if (name ~ /\.js$/)
		return "text/javascript; charset=utf-8"
	if (name ~ /\.svg$/)
		return "image/svg+xml"
	print "embed.awk: no type is known for " name > "/dev/stderr"
	failed = 1
	exit 1
}
BEGIN { print "/* Made by broker/dashboard/embed.awk from the files beside it: change those. */" }
FNR == 1 {
	if (n++)
		print "\t)},"
	name = FILENAME
	sub(/^.*broker\/dashboard\//, "", name)
	path = name == "index.html" ? "/" : "/assets/" name
	print "\t{\"" path "\", \"" type_of(name) "\", TEXT("
}
{
	gsub(/\\/, "&&")
	gsub(/"/, "\\\"")
	gsub(/\t/, "\\t")
	gsub(/\?\?/, "?\\?") # no trigraph
	print "\t\t\"" $0 "\\n\""
}
END {
	if (failed)
		exit 1
	print "\t)},"
}
