# SPDX-License-Identifier: BSD-2-Clause
# The operations of openapi.yaml as a table for C, one line each:
#	CW_OPERATION(listPools, GET, "/v1/pools", "pools:read", CW_SCOPE_POOLS_READ, safe, false, false)
# name, method, path, scopes as text and as bits, how it repeats, whether local callers need no credentials, and whether
# it takes a body.
function bits(scopes) {
	if (scopes == "any" || scopes == "none")
		return "0"
	scopes = toupper(scopes)
	gsub(/:/, "_", scopes)
	gsub(/ /, " | CW_SCOPE_", scopes)
	return "CW_SCOPE_" scopes
}
function finish() {
	if (!id)
		return
	if (scope == "" || repeats == "") {
		print "operations.awk: " id " has no x-scope or x-idempotent" > "/dev/stderr"
		exit 1
	}
	printf "CW_OPERATION(%s, %s, \"%s\", \"%s\", %s, %s, %s, %s)\n", id, method, path, scope, bits(scope), repeats, locally, body
	id = scope = repeats = ""
}
BEGIN { print "/* Made by schema/rest/operations.awk from openapi.yaml: change that file. */" }
/^[^ #]/ {
	finish()
	inside = $0 == "paths:"
}
!inside { next }
/^  \// {
	finish()
	path = $1
	sub(/:$/, "", path)
}
/^    (get|post|put|patch|delete):$/ {
	finish()
	method = toupper($1)
	sub(/:$/, "", method)
	locally = body = "false"
}
/^      operationId: / { id = $2 }
/^      x-scope: / {
	scope = $0
	sub(/^ *x-scope: /, "", scope)
	gsub(/"/, "", scope)
}
/^      x-idempotent: / { repeats = $2 }
/^      x-open-locally: true$/ { locally = "true" }
/^      requestBody:/ { body = "true" }
