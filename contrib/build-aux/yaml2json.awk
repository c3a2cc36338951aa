# SPDX-License-Identifier: BSD-2-Clause
# The part of YAML 1.2 that our own files use, as JSON on one line: block mappings and lists indented by two, [] and {} on one
# line, plain and "double-quoted" text, >- and | texts, whole-line comments. Anything else is an error, never a guess: a file
# that passes means the same to every YAML reader (tests/openapi.test compares where python3-yaml is there).
function die(text) {
	if (!failed)
		printf "%s:%d: %s\n", FILENAME, line_no[at] ? line_no[at] : FNR, text > "/dev/stderr"
	failed = 1
	exit 1
}

function quote(s) {
	gsub(/\\/, "&&", s)
	gsub(/"/, "\\\"", s)
	gsub(/\n/, "\\n", s)
	return "\"" s "\""
}

# A plain scalar: words that YAML 1.1 and 1.2 read alike become what they are.
function plain(s) {
	if (s ~ /^(true|false|null)$/ || s ~ /^(0|-?[1-9][0-9]*)$/)
		return s
	if (s ~ /^([Yy]es|[Nn]o|[Oo]n|[Oo]ff|YES|NO|ON|OFF|[yYnN~]|True|False|Null|TRUE|FALSE|NULL)$/ || s ~ /^[-+.]?[0-9][0-9.eE_:+-]*$/ ||
	    s ~ /^[][?:,{}#&*!|>'"%@`=<-]/ || s ~ /: / || s ~ /:$/ || s ~ / #/ || s == "")
		die("quote this text: " s)
	return quote(s)
}

# The end of a double-quoted text that starts at i: escapes are those of JSON, so it is copied.
function quoted_end(s, i,	c) {
	for (i++; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "\"")
			return i
		if (c == "\\") {
			i++
			if (substr(s, i, 1) !~ /["\\\/bfnrtu]/)
				die("this escape is not JSON's")
		}
	}
	die("a quoted text without its end")
}

function blanks() {
	while (substr(flow_text, flow_at, 1) == " ")
		flow_at++
}

function flow_scalar(	start, i, c) {
	if (substr(flow_text, flow_at, 1) == "\"") {
		start = flow_at
		flow_at = quoted_end(flow_text, start) + 1
		return substr(flow_text, start, flow_at - start)
	}
	for (i = flow_at; i <= length(flow_text); i++) {
		c = substr(flow_text, i, 1)
		if (c == "," || c == "]" || c == "}" || c == "[" || c == "{" || (c == ":" && substr(flow_text, i + 1, 1) ~ /^[ ]?$/))
			break
	}
	start = flow_at
	flow_at = i
	c = substr(flow_text, start, i - start)
	sub(/ +$/, "", c)
	return plain(c)
}

function flow_value(	out, key, first, open) {
	if (++depth > 16)
		die("too deep")
	blanks()
	open = substr(flow_text, flow_at, 1)
	if (open != "[" && open != "{") {
		depth--
		return flow_scalar()
	}
	flow_at++
	out = open
	first = 1
	for (;;) {
		blanks()
		if (substr(flow_text, flow_at, 1) == (open == "[" ? "]" : "}"))
			break
		if (!first) {
			if (substr(flow_text, flow_at, 1) != ",")
				die("a comma is missing")
			flow_at++
			out = out ","
			blanks()
		}
		first = 0
		if (open == "{") {
			key = flow_scalar()
			if (substr(flow_text, flow_at, 1) != ":")
				die("a colon is missing")
			flow_at++
			out = out (key ~ /^"/ ? key : "\"" key "\"") ":"
		}
		out = out flow_value()
	}
	flow_at++
	depth--
	return out (open == "[" ? "]" : "}")
}

# What stands behind "key:" or "- " on its own line.
function inline(s,	end, out) {
	if (s ~ /^[[{]/) {
		flow_text = s
		flow_at = 1
		depth = 0
		out = flow_value()
		if (flow_at <= length(s))
			die("more than one value")
		return out
	}
	if (s ~ /^"/) {
		end = quoted_end(s, 1)
		if (end != length(s))
			die("more than one value")
		return s
	}
	return plain(s)
}

# A ">-" (folded, no line end) or "|" (literal) text deeper than n.
function text(n, folded,	out, l, own) {
	own = n + 2
	while (at <= lines && (line[at] == "" || indent(at) >= own)) {
		l = substr(line[at], own + 1)
		if (folded && (l == "" || l ~ /^ /))
			die("empty and indented lines are not for >-")
		out = out (folded && out != "" ? " " : "") l (folded ? "" : "\n")
		at++
	}
	if (!folded)
		sub(/\n+$/, "\n", out)
	return quote(out)
}

function indent(i) {
	match(line[i], /^ */)
	return RLENGTH
}

function skip_empty() {
	while (at <= lines && (line[at] == "" || line[at] ~ /^ *#/))
		at++
}

# The value of a key at indent n whose line ends behind the colon, or has rest.
function value(n, rest) {
	if (rest == ">-" || rest == "|")
		return text(n, rest == ">-")
	if (rest != "")
		return inline(rest)
	skip_empty()
	if (at > lines || indent(at) <= n)
		die("a value is missing")
	return block(n + 2)
}

function block(n) {
	skip_empty()
	if (indent(at) != n)
		die("indented by " indent(at) ", not " n)
	return substr(line[at], n + 1) ~ /^- / ? sequence(n) : mapping(n)
}

function sequence(n,	out, rest) {
	out = "["
	for (;;) {
		skip_empty()
		if (at > lines || indent(at) < n)
			break
		rest = substr(line[at], n + 1)
		if (indent(at) != n || rest !~ /^- /)
			die("not an item of this list")
		rest = substr(rest, 3)
		out = out (out == "[" ? "" : ",")
		if (rest !~ /^["[{]/ && rest ~ /^[^ ]+:( |$)/) {
			# "- key: value": a mapping whose first line is this one.
			line[at] = sprintf("%" (n + 2) "s", "") rest
			out = out mapping(n + 2)
		} else {
			at++
			out = out inline(rest)
		}
	}
	return out "]"
}

function mapping(n,	out, l, key, rest, end, seen) {
	out = "{"
	for (;;) {
		skip_empty()
		if (at > lines || indent(at) < n)
			break
		if (indent(at) != n)
			die("indented by " indent(at) ", not " n)
		l = substr(line[at], n + 1)
		if (l ~ /^"/) {
			end = quoted_end(l, 1)
			key = substr(l, 1, end)
			rest = substr(l, end + 1)
			if (rest !~ /^:/)
				die("not a key")
			rest = substr(rest, 2)
		} else {
			if (!match(l, /^[^ "[{#&*!|>%@`-][^ ]*:( |$)/))
				die("not a key")
			end = RLENGTH - (substr(l, RLENGTH, 1) == " " ? 1 : 0)
			key = plain(substr(l, 1, end - 1))
			if (key !~ /^"/)
				die("quote this key")
			rest = substr(l, end + 1)
		}
		sub(/^ /, "", rest)
		if (key in seen)
			die("the key " key " again")
		seen[key] = 1
		at++
		out = out (out == "{" ? "" : ",") key ":" value(n, rest)
	}
	return out "}"
}

/\t/ { die("a tabulator") }
/[ ]$/ { die("blanks at the end") }
/\r/ { die("a carriage return") }
{
	line[++lines] = $0
	line_no[lines] = FNR
}

END {
	if (failed)
		exit 1
	at = 1
	skip_empty()
	if (at > lines)
		die("nothing there")
	result = block(0)
	if (failed)
		exit 1
	if (at <= lines)
		die("something is left")
	print result
}
