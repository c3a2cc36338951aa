# SPDX-License-Identifier: BSD-2-Clause
# The dependency rule of the house over the #include lines of C files: one line of output per violation,
# "FILE:LINE: what is wrong". Files are given relative to the top of the tree; plugins that may use our
# own code are named in -v own="tsp tun".
#
#	base <- schema <- { db, dataplane, client, broker }
#	broker -> db/store.h, causeway-dataplane.h, dataplane/host/
#	plugins -> causeway-dataplane.h, dataplane/plugins/common/
BEGIN {
	split(own, list, " ")
	for (i in list)
		named[list[i]] = 1
	sees["base"] = " base "
	sees["schema"] = " base schema "
	sees["db"] = " base schema db "
	sees["dataplane"] = " base schema dataplane "
	sees["client"] = " base schema client "
	sees["broker"] = " base schema broker "
}

function bad(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
}

FNR == 1 {
	room = FILENAME
	sub(/\/.*/, "", room)
	file = FILENAME
	sub(/.*\//, "", file)
	plugin = ""
	if (FILENAME ~ /^dataplane\/plugins\/[^\/]+\//) {
		plugin = FILENAME
		sub(/^dataplane\/plugins\//, "", plugin)
		sub(/\/.*/, "", plugin)
	}
}

function quoted(path,	to) {
	if (path == "config.h" || path == "causeway-dataplane.h") {
		if (path == "causeway-dataplane.h" && (room == "base" || room == "schema" || room == "db" || room == "client"))
			bad(room " includes the data plane's " path)
		return
	}
	if (path ~ /(^|\/)\.\.?\//) {
		bad("\"" path "\" is not written from the top of the tree")
		return
	}
	to = path
	sub(/\/.*/, "", to)
	if (!(to in sees) && to != "tests") {
		bad("\"" path "\" is not written from the top of the tree")
		return
	}
	if (room == "tests")
		return
	if (plugin != "" && index(path, "dataplane/plugins/" plugin "/") == 1)
		return
	# What in-tree plugins share stands on the ABI header alone, like a plugin.
	if (plugin != "" && index(path, "dataplane/plugins/common/") == 1)
		return
	if (plugin != "" && !(plugin in named && (to == "base" || to == "schema"))) {
		bad("plugin " plugin " includes \"" path "\": it may only include causeway-dataplane.h")
		return
	}
	if (plugin == "" && to == "dataplane" && path ~ /^dataplane\/plugins\//) {
		bad("\"" path "\" is private to its plugin")
		return
	}
	if (room == "broker" && (path == "db/store.h" || index(path, "dataplane/host/") == 1))
		return
	if (index(sees[room], " " to " ") == 0)
		bad(room " includes \"" path "\"")
}

function system_header(path) {
	if (room == "tests")
		return
	if (path ~ /^uv(\.h$|\/)/ && FILENAME !~ /^base\/loop[^\/]*$/ && file !~ /_io\.[ch]$/ && file != "main.c")
		bad("<" path "> belongs to base/loop*, *_io.[ch] and main.c")
	if (path ~ /^(sqlite3|sqlite3ext|libpq-fe|libpq\/.*)(\.h)?$/ && room != "db")
		bad("<" path ">: only db/ knows SQL")
	if (path ~ /^(linux\/(netlink|rtnetlink|genetlink|if_link|if_addr|if_tun|if_tunnel|ip6_tunnel|bpf|bpf_common|filter|fib_rules|lwtunnel|nexthop|neighbour)\.h|linux\/netfilter.*|libmnl\/.*|libnftnl\/.*|bpf\/.*|xdp\/.*)$/ &&
	    room != "dataplane" && FILENAME !~ /^client\/dti\//)
		bad("<" path ">: only dataplane/ and client/dti/ touch the kernel's network")
	if (path ~ /^libxml\// && room != "schema")
		bad("<" path ">: XML stays in schema/")
	if (path ~ /^sasl\// && room != "schema" && FILENAME !~ /^broker\/auth\//)
		bad("<" path ">: SASL stays in schema/ and broker/auth/")
	if (path ~ /^curl\// && FILENAME !~ /^client\/ctl\/[^\/]*_io\.c$/)
		bad("<" path ">: HTTP is asked by client/ctl/*_io.c")
	if (path ~ /^confuse\.h$/ && FILENAME !~ /^base\/conf[^\/]*$/)
		bad("<" path ">: the configuration file is read by base/conf")
	if (path ~ /^systemd\// && room != "base")
		bad("<" path ">: systemd is reached through base/")
	if (path ~ /^jansson\.h$/ && room != "schema" && FILENAME !~ /^client\/ctl\//)
		bad("<" path ">: JSON is read in schema/ and client/ctl/")
	if (path ~ /^microhttpd\.h$/ && room != "broker")
		bad("<" path ">: REST is served by broker/")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	match($0, /"[^"]*"/)
	quoted(substr($0, RSTART + 1, RLENGTH - 2))
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	match($0, /<[^>]*>/)
	system_header(substr($0, RSTART + 1, RLENGTH - 2))
}

# SQL in a string outside db/.
room != "db" && room != "tests" && /"[ \t]*(SELECT |INSERT INTO |INSERT OR |REPLACE INTO |UPDATE [a-z_]+ SET|DELETE FROM |CREATE (TABLE|INDEX|UNIQUE)|PRAGMA |BEGIN IMMEDIATE)/ {
	bad("SQL outside db/")
}
