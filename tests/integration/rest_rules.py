# SPDX-License-Identifier: BSD-2-Clause
"""What holds of every operation of openapi.yaml: for rest.test."""
import itertools
import json
import re

from rest_world import Fit

# Paths that lead to nothing, so that what gets so far changes nothing.
NOBODY = {"lease": "ls_999999999", "pool": "pl_999999999", "range": "rg_999999999", "exclusion": "ex_999999999",
	"reservation": "rs_999999999", "user": "us_999999999", "tep": "tp_999999999", "session": "se_999999999",
	"token": "tk_999999999", "run": "jr_999999999", "job": "nothing"}


def nowhere(api, name):
	return [NOBODY[p["name"]] for p in api.params(api.ops[name]) if p["in"] == "path"]


def has(api, name, param):
	return param in [p["name"] for p in api.params(api.ops[name])]


def succeeds(world, name):
	"""Each status of success it is described with, in each media type, and those headers that are not always there."""
	api = world.api

	def run():
		for status in [s for s in api.ops[name]["responses"] if s[0] == "2"]:
			media = api.ref(api.ops[name]["responses"][status]).get("content", {})
			for accept in media or [None]:
				special = (name, status) in SPECIAL
				fit = SPECIAL[name, status](world) if special else world.fit(name)
				if accept == "text/event-stream":
					world.stream(fit)
					continue
				fit.call(api, name, want=int(status), accept=accept if len(media) > 1 else None)
		if has(api, name, "cursor"):
			two_pages(world, name)
		if has(api, name, "If-None-Match"):
			fit = world.fit(name)
			tag = fit.call(api, name, want=200).headers["etag"]
			for value in (tag, f'"x", W/{tag}', "*"):
				assert fit.call(api, name, want=304, headers={"If-None-Match": value}).headers["etag"] == tag
			fit.call(api, name, want=200, headers={"If-None-Match": '"x"'})
		if has(api, name, "Idempotency-Key"):
			again(world, name)
	return run


def two_pages(world, name):
	api = world.api
	for _ in range(20):
		world_fit = world.fit(name)
		a = world_fit.call(api, name, want=200, query=[("limit", "1")])
		assert (a.json["next"] is None) == ("link" not in a.headers), a.headers
		if a.json["next"]:
			break
		world.one_more(name)
	target = re.fullmatch(r'<(/[^>]*)>; rel="next"', a.headers["link"])[1]
	b = api.raw("GET", target)
	api.check(name, b)
	c = world_fit.call(api, name, want=200, query=[("limit", "1"), ("cursor", a.json["next"])])
	assert b.json["items"] == c.json["items"] != a.json["items"], (a.raw, b.raw, c.raw)


def again(world, name):
	"""The same request with the same key is the same answer, with another body or for somebody else it is not."""
	api = world.api
	fit, other = world.fit(name), world.fit(name)
	key = {"Idempotency-Key": f'"walk-{name}"'}
	a = fit.call(api, name, headers=key)
	b = fit.call(api, name, headers={"Idempotency-Key": f"walk-{name}"})  # as many write it
	assert a.status in (200, 201) and (a.status, a.raw) == (b.status, b.raw), (a.raw, b.raw)
	assert [a.headers.get(h) for h in ("location", "etag")] == [b.headers.get(h) for h in ("location", "etag")]
	assert "idempotency-replayed" not in a.headers and b.headers["idempotency-replayed"] == "true"
	other.call(api, name, headers=key, want="key-reused")
	c = other.call(api, name, headers=key, token=world.admin)
	assert c.status in (200, 201) and "idempotency-replayed" not in c.headers, c.raw
	for bad in ('""', '"x', "x" * 256, "a\tb"):
		other.call(api, name, headers={"Idempotency-Key": bad}, want="invalid-header")


def _held(world):
	fit = world.fit("createLease")
	fit.call(world.api, "createLease", want=201)
	return fit


def _drained(world):
	name = world.new("createPool")["name"]
	world.api.call("createRange", name, body={"range": f"10.200.{world.next()}.0/28"}, want=201)
	world.api.call("createLease", body={"pool": name, "owner": "user:drained", "ipv6": f"2001:db8:2::{world.next():x}"}, want=201)
	fit = world.changed("deletePool", name)
	fit.query = [("drain", "true")]
	return fit


SPECIAL = {("createLease", "200"): _held, ("deletePool", "202"): _drained}

# ---- refusals ----


def without_credentials(world, tcp):
	for name, op in sorted(tcp.ops.items()):
		if op["x-scope"] == "none" or op.get("x-open-locally"):
			a = world.fit(name).call(tcp, name)
			assert a.status < 300, f"{name}: {a.raw}"
		else:
			tcp.call(name, *nowhere(tcp, name), want="unauthenticated")


def wrong_tokens(world, tcp):
	"""A few are told what is wrong, more are told to wait; who needs none is not asked."""
	wrong = "cw_" + "A" * 43
	for name in [n for n, op in tcp.ops.items() if op.get("x-open-locally")]:
		a = tcp.call(name, token=wrong, want="unauthenticated")
		assert "invalid_token" in a.headers["www-authenticate"], a.headers
	tcp.call("login", body={"token": wrong}, want="unauthenticated")
	tcp.call("getOpenapi", token=wrong, want=200)
	world.fit("login").call(tcp, "login", token=wrong, want=201)
	for token in ("x", "cw_" + "A" * 42, "cw_" + "A" * 42 + "="):
		a = tcp.call("listLeases", headers={"Authorization": "Bearer " + token})
		assert a.code in ("unauthenticated", "rate-limited"), a.raw
	for _ in range(40):
		a = tcp.call("listLeases", token=wrong)
		assert a.code in ("unauthenticated", "rate-limited"), a.raw
		if a.code == "rate-limited":
			break
	assert a.code == "rate-limited" and a.headers["retry-after"] == "1", a.raw
	tcp.call("listLeases", token=world.admin, want=200)  # who has a good one does not wait for it
	tcp.call("listLeases", headers={"Authorization": "Basic YTpi"}, want="unauthenticated")


def scopes(world, _tcp):
	"""One token with nothing that this operation wants."""
	api = world.api
	tokens = {s: api.call("createToken", body={"name": "only-" + s.replace(":", "-"), "scopes": [s]}, want=201).json["token"]
		for s in ("history:read", "audit:read")}
	for name, op in sorted(api.ops.items()):
		if op["x-scope"] not in ("none", "any") and not op.get("x-open-locally"):
			a = api.call(name, *nowhere(api, name), token=tokens["audit:read" if name == "listHistory" else "history:read"], want="insufficient-scope")
			assert a.json["scope"] in op["x-scope"].split(), a.raw


def cookies(world, _tcp):
	api = world.api
	a = api.call("login", body={"token": world.admin}, want=201)
	cookie = {"Cookie": a.headers["set-cookie"].split(";", 1)[0]}
	for name, op in sorted(api.ops.items()):
		if op["method"] != "GET" and op["x-scope"] != "none":
			api.call(name, *nowhere(api, name), headers=cookie, want="csrf-required")


def strangers(world, tcp):
	"""A page of somebody else: by a name of its own, and from its own origin."""
	for name, op in sorted(tcp.ops.items()):
		tcp.call(name, *nowhere(tcp, name), headers={"Host": "evil.example"}, want="misdirected")
		if op["method"] != "GET":
			tcp.call(name, *nowhere(tcp, name), headers={"Origin": "http://evil.example"}, token=world.admin, want="foreign-origin")


def unknown_query(world, _tcp):
	for name in sorted(world.api.ops):
		a = world.fit(name).call(world.api, name, query=[("surprise", "1")], want="invalid-query")
		assert [e["pointer"] for e in a.json["errors"]] == ["/surprise"], f"{name}: {a.raw}"


def wrong_cursors(world, _tcp):
	api = world.api
	for name in [n for n in sorted(api.ops) if has(api, n, "cursor")]:
		good = world.fit(name).call(api, name, want=200, query=[("limit", "1")]).json["next"]
		other = api.call("listUsers" if name != "listUsers" else "listPools", query=[("limit", "1")]).json["next"]
		for wrong in ("x", good[:-2], good[::-1], good + "A", other):
			world.fit(name).call(api, name, query=[("limit", "1"), ("cursor", wrong)], want="invalid-cursor")
		for wrong in (("limit", "0"), ("limit", "1001"), ("limit", "1.0"), ("limit", "x"), ("limit", str(2 ** 63))):
			a = world.fit(name).call(api, name, query=[wrong], want="invalid-query")
			assert [e["pointer"] for e in a.json["errors"]] == ["/limit"], a.raw
		world.fit(name).call(api, name, query=[("limit", "1"), ("limit", "2")], want="invalid-query")
		world.fit(name).call(api, name, accept="image/png", want="not-acceptable")


def nothing_there(world, _tcp):
	api = world.api
	for name, op in sorted(api.ops.items()):
		at = nowhere(api, name)
		if at:
			fit = world.fit(name)
			api.call(name, *at, body=fit.body, headers=fit.headers, want="not-found")
			for wrong in ("ls_0", "ls_01", "ls_", "tk_9223372036854775808", "%C3%A9"):
				a = api.raw(op["method"], re.sub(r"\{[^}]*\}", wrong, op["path"]), body=None if fit.body is None else json.dumps(fit.body), headers={"Content-Type": "application/json", "If-Match": '"1"'})
				api.check(name, a)
				assert a.code == "not-found", f"{name}: {a.raw}"


# What is no JSON, and where that is seen.
NO_JSON = ["", "{", "[]x", '{"a":1,"a":2}', b'{"a":"\xff"}', '{"a":"\\u0000"}', '{"a":1,}', "{'a':1}", '{"a":01}', "[" * 33 + "]" * 33, '{"a":' * 40 + "1" + "}" * 40, "\ufeff{}", "nul", "1", '"x"', "null"]


# A15: nothing here takes a file, a library or a command.
NO_BUSINESS = ["path", "file", "filename", "directory", "folder", "plugin", "library", "module", "program", "command", "exec", "script", "options",
	"socket", "config", "url", "include"]


def no_business(world, _tcp):
	"""No member or parameter of a request is called so, and sent all the same it is refused: bodies() sends them."""
	api = world.api
	for name, op in api.ops.items():
		words = {p["name"] for p in api.params(op)}
		todo = [op["requestBody"]["content"]["application/json"]["schema"]] if "requestBody" in op else []
		while todo:
			schema = api.ref(todo.pop())
			words |= set(schema.get("properties", {}))
			todo += [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else []), *schema.get("oneOf", [])]
		fit = world.fit(name)
		assert not words & set(NO_BUSINESS), (name, words & set(NO_BUSINESS))
		for word in NO_BUSINESS:
			fit.call(api, name, query=[(word, "/etc/passwd")], want="invalid-query")


def bodies(world, _tcp):
	"""A7: what is no body for any operation; nothing is changed by it."""
	api = world.api
	for name, op in sorted(api.ops.items()):
		if "requestBody" not in op:
			continue
		fit = world.fit(name)
		fit.call(api, name, body="{}", headers={**fit.headers, "Content-Type": "text/plain"}, want="unsupported-media-type")
		for bad in NO_JSON:
			a = fit.call(api, name, body=bad, want="malformed-json")
			assert a.json["errors"][0]["in"] == "body" and a.json["errors"][0]["detail"], f"{name}: {a.raw}"
		a = fit.call(api, name, body={**fit.body, "surprise": 1}, want="invalid-body")
		assert [e["pointer"] for e in a.json["errors"]] == ["/surprise"], f"{name}: {a.raw}"
		for member in NO_BUSINESS:
			a = fit.call(api, name, body={**fit.body, member: "/etc/passwd"}, want="invalid-body")
			assert [e["pointer"] for e in a.json["errors"]] == ["/" + member], f"{name}: {a.raw}"
		a = fit.call(api, name, body=[], want="invalid-body")
		assert [e["pointer"] for e in a.json["errors"]] == [""], f"{name}: {a.raw}"
		a = fit.call(api, name, body='{"a":9223372036854775808}', want="invalid-body")
		assert [e["pointer"] for e in a.json["errors"]] == ["/a"], f"{name}: {a.raw}"
		for wrong in wrong_members(api, fit.body, op["requestBody"]["content"]["application/json"]["schema"]):
			a = fit.call(api, name, body=wrong[1], want="invalid-body")
			assert any(e["pointer"].startswith("/" + wrong[0]) for e in a.json["errors"]), f"{name} {wrong}: {a.raw}"
		fit.call(api, name, body=b" " * (1048576 + 1), want="body-too-large")
		a = fit.call(api, name)
		assert a.status < 300, f"{name}: after all that it is done: {a.raw}"


def wrong_members(api, body, schema):
	"""(member, body) of other types than described: 1.0 and 2^63 for an integer, and so on."""
	for member, of in sorted(api.ref(schema)["properties"].items()):
		of = api.ref(of)
		kind = of.get("type")
		bad = {"integer": [1.0, -1, "1", None, True], "string": [1, {}, True], "boolean": [0, "true", None], "array": [{}, "x", 1],
			"object": [[], "x", 1]}.get(kind if isinstance(kind, str) else None, [1.5])
		for value in bad:
			yield member, {**body, member: value}
		if kind == "integer" and of["maximum"] < 2 ** 63 - 1:
			yield member, {**body, member: of["maximum"] + 1}


def preconditions(world, _tcp):
	"""A5: without If-Match 428, with an old one 412, with one that is none 400; of two with the same one is first."""
	api = world.api
	for name in [n for n in sorted(api.ops) if has(api, n, "If-Match")]:
		fit = world.fit(name)
		tag = fit.headers["If-Match"]
		fit.call(api, name, headers={}, want="precondition-required")
		fit.call(api, name, headers={"If-Match": '"999"'}, want="stale")
		for bad in ("1", '"', f"{tag}, {tag}", "x", "W/" + tag):
			fit.call(api, name, headers={"If-Match": bad}, want="invalid-header")
		fit.call(api, name, headers={"If-Match": '"x"'}, want="stale")
		a = fit.call(api, name)
		assert a.status < 300, f"{name}: {a.raw}"
		a = fit.call(api, name)
		assert a.code in ("stale", "not-found"), f"{name}: {a.raw}"


# ---- what is not described is not there ----


def methods(world, _tcp):
	api = world.api
	for path in sorted({op["path"] for op in api.ops.values()}):
		ops = {op["method"]: n for n, op in api.ops.items() if op["path"] == path}
		name = next(iter(ops.values()))
		target = api.target(name, world.fit(name).path, ())
		for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
			if method in ops:
				continue
			a = api.raw(method, target)
			assert a.status in (405, 501) and a.code == "method-not-allowed", f"{method} {target}: {a.status}"
			api.check(name, a)
			assert set(a.headers["allow"].split(", ")) == set(ops), f"{method} {target}: {a.headers}"


WORDS = ["admin", "api", "debug", "stats", "status", "metrics", "login", "logout", "restore", "backup", "plugins", "files", "exec", "shell", "env",
	"v2", "db", "sql", "reset", "shutdown", "stop", "lease", "pool", "import", "export", "search", "docs", "openapi.yaml", "swagger"]


def paths(world, _tcp):
	"""Each path made of the words of the description and of some that others have, up to three deep, and each verb
	behind a colon: what is not described is 404."""
	api = world.api
	conn = api.connect()
	known = [re.compile(re.sub(r"\{[^}]*\}", r"[^/:]+", op["path"])) for op in api.ops.values()]
	words = set(WORDS) | {w for op in api.ops.values() for w in re.findall(r"[a-z]+(?:\.json)?", re.sub(r"\{[^}]*\}", "", op["path"]))}
	verbs = {w for op in api.ops.values() for w in re.findall(r":([a-z]+)", op["path"])} | {"stop", "delete", "exec"}
	targets = {"/" + w for w in words} | {f"/{p}/{w}" for w in words for p in ("v1", "v2", "assets")}
	targets |= {f"/v1/{w}/x" for w in words} | {f"/v1/{w}/x/{s}" for w, s in itertools.product(words, words)}
	targets |= {f"/v1/{w}:{v}" for w, v in itertools.product(words, verbs)} | {f"/v1/{w}/x:{v}" for w, v in itertools.product(words, verbs)}
	targets |= {op["path"].replace("{", "").replace("}", "") + end for op in api.ops.values() for end in ("/", "/x/y/z", "%2f", ";a", ".json", ":")}
	targets |= {"//", "/v1", "/v1/", "/v1/leases/%00", "/v1/leases/ls_%zz", "/v1/../v1/leases", "/v1//leases", "/v1/leases/" + "a" * 500, "/V1/leases"}
	assert len(targets) > 2000
	for target in sorted(targets):
		if any(k.fullmatch(target) for k in known):
			continue
		a = api.raw("GET", target, connection=conn)
		assert a.status == 404 and a.code == "not-found", f"{target}: {a.status}"
		api.problem(target, a)
	conn.close()


def cases(world, tcp):
	for what, fn in (("without credentials: 401, or what needs none", without_credentials), ("wrong tokens: 401, then 429", wrong_tokens),
		("another scope: 403", scopes), ("a cookie alone: 403", cookies), ("pages of strangers: 403, 421", strangers), ("an unknown key of a query: 400", unknown_query),
		("wrong cursors and limits: 400", wrong_cursors), ("what is not there: 404", nothing_there), ("what is no body: 400, 413, 415", bodies), ("no file, library or command", no_business),
		("preconditions: 428, 412, 400", preconditions), ("an unknown method: 405 and Allow", methods), ("an unknown path: 404", paths)):
		yield what, lambda fn=fn: fn(world, tcp)
