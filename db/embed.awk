# SPDX-License-Identifier: BSD-2-Clause
# Turns db/migrations/NNNN-*.sql, given in order, into a C header with one string per file. Whole-line
# comments and blank lines are left out of the program: the database keeps the text of its schema.
function finish() {
	if (n > 0)
		print "\t},"
}
BEGIN {
	print "/* Made by db/embed.awk from db/migrations: change those files. */"
	print "static const struct cw_migration cw_migrations[] = {"
}
FNR == 1 {
	finish()
	n++
	file = FILENAME
	sub(/.*\//, "", file)
	number = substr(file, 1, 4)
	if (number !~ /^[0-9][0-9][0-9][0-9]$/ || number + 0 != n) {
		print "embed.awk: " file " is not migration number " n > "/dev/stderr"
		failed = 1
		exit 1
	}
	print "\t{"
	print "\t\t\"" file "\","
}
/^[ \t]*--/ || /^[ \t]*$/ { next }
{
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	gsub(/\t/, "\\t")
	print "\t\t\"" $0 "\\n\""
}
END {
	if (failed)
		exit 1
	finish()
	print "};"
}
