# SPDX-License-Identifier: BSD-2-Clause
"""A client of the REST API that believes nothing: every answer is compared with the description the broker serves.
Status, media type, headers and body must be documented for the operation, and what was seen is remembered: unseen() names
what is documented and never happened."""
import http.client
import json
import re
import socket
import urllib.parse

import jsonschema


class Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=20):
        super().__init__("x", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


PLAIN = {"date", "content-length", "content-type", "connection", "transfer-encoding"}  # of HTTP itself
SOMETIMES = {"link", "idempotency-replayed", "retry-after", "allow", "cache-control"}  # documented, and not in each answer


class Seen:
    """What happened, over all connections of a test."""

    def __init__(self):
        self.answers = set()  # (operation, status)
        self.types = set()  # (operation, status, media type)
        self.headers = set()  # (operation or shared response, status, header)
        self.codes = set()  # (operation, code of a problem)


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        self.type = (headers.get("content-type") or "").split(";")[0]
        self.json = json.loads(raw) if self.type in ("application/json", "application/problem+json") else None
        self.code = self.json.get("code") if self.type == "application/problem+json" else None


class Api:
    """where: the path of a Unix socket, or (host, port). like: another one, to go on with."""

    def __init__(self, where, like=None):
        self.where = where
        if like:
            self.doc, self.ops, self.seen = like.doc, like.ops, like.seen
            return
        self.seen = Seen()
        self.doc = json.loads(self.raw("GET", "/v1/openapi.json", connection=None).raw)
        self.ops = {}
        for path, item in self.doc["paths"].items():
            for method, op in item.items():
                if method in ("get", "post", "put", "patch", "delete"):
                    self.ops[op["operationId"]] = dict(op, path=path, method=method.upper())

    def connect(self):
        if isinstance(self.where, str):
            return Unix(self.where)
        return http.client.HTTPConnection(*self.where, timeout=20)

    def raw(self, method, target, headers=None, body=None, connection=None):
        """headers: a mapping, or pairs where a name comes twice."""
        conn = connection or self.connect()
        pairs = list((headers or {}).items()) if not isinstance(headers, list) else headers
        try:
            conn.putrequest(method, target, skip_host=any(k == "Host" for k, _ in pairs), skip_accept_encoding=True)
            for k, v in pairs:
                conn.putheader(k, v)
            if body is not None or method in ("POST", "PUT", "PATCH"):
                body = body.encode() if isinstance(body, str) else body or b""
                conn.putheader("Content-Length", str(len(body)))
            conn.endheaders(body)
        except BrokenPipeError:
            pass  # refused before all of it was read: the answer is there
        r = conn.getresponse()
        raw = r.read()
        got = {}
        for k, v in r.getheaders():
            assert k.lower() not in got, f"{method} {target}: {k} twice"
            got[k.lower()] = v
        if connection is None:
            conn.close()
        return Answer(r.status, got, raw)

    def ref(self, node):
        while isinstance(node, dict) and "$ref" in node:
            at = self.doc
            for part in node["$ref"][2:].split("/"):
                at = at[part]
            node = at
        return node

    def params(self, op):
        return [self.ref(p) for p in op.get("parameters", [])]

    def target(self, name, path, query):
        target = self.ops[name]["path"]
        for value in path:
            target = re.sub(r"\{[^}]*\}", lambda _: urllib.parse.quote(str(value)),
                            target, count=1)
        if query:
            target += "?" + "&".join(f"{k}={urllib.parse.quote(str(v))}" for k, v in query)
        return target

    def call(self, name, *path, want=None, query=(), body=None, headers=None, token=None, accept=None):
        """Calls an operation and checks the answer. want: a status, or the code of a problem."""
        op = self.ops[name]
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        if token:
            headers["Authorization"] = "Bearer " + token
        if accept:
            headers["Accept"] = accept
        a = self.raw(op["method"], self.target(name, path, query), headers, body)
        self.check(name, a)
        if want is not None and want not in (a.status, a.code):
            raise AssertionError(f"{name} {path}: wanted {want}, got {a.status} {a.raw[:400]!r}")
        return a

    def check(self, name, a):
        """Is this answer documented for the operation?"""
        op = self.ops[name]
        what = f"{name}: {a.status} {a.raw[:300]!r}"
        problem = a.type == "application/problem+json"
        assert problem or str(a.status) in op["responses"], what + ": this status is not documented here"
        documented = op["responses"].get(str(a.status)) or op["responses"]["default"]
        self.check_headers(what, (documented.get("$ref", name), a.status), self.ref(documented), a)
        if problem:
            codes = op["x-problems"] + self.doc["x-problems-any"]
            assert a.code in codes, what + ": this code is not documented here"
            self.problem(what, a)
            self.seen.codes.add((name, a.code))
            return
        self.seen.answers.add((name, a.status))
        content = self.ref(documented).get("content", {})
        if not content:
            assert not a.raw, what + ": a body that is not documented"
            return
        assert a.type in content, what + f": {a.type} is not documented here"
        self.seen.types.add((name, a.status, a.type))
        schema = content[a.type].get("schema", {})
        if a.type == "application/json":
            self.validate(what, schema, a.json)
        elif a.type == "application/x-ndjson":
            for line in a.raw.decode().splitlines():
                self.validate(what, schema, json.loads(line))
        elif a.type == "text/csv":
            assert a.raw.decode().splitlines()[0] == content[a.type]["example"], what + ": another header line"

    def check_headers(self, what, where, documented, a):
        names = {k.lower(): self.ref(v) for k, v in documented.get("headers", {}).items()}
        undocumented = set(a.headers) - PLAIN - set(names)
        assert not undocumented, f"{what}: undocumented headers: {undocumented}"
        for k in set(names) - set(a.headers):
            assert k in SOMETIMES, f"{what}: no {k}"
        for k in set(names) & set(a.headers):
            schema = names[k]["schema"]
            self.validate(f"{what}: {k}", schema, int(a.headers[k]) if schema["type"] == "integer" else a.headers[k])
            self.seen.headers.add(where + (k,))
        if a.status == 401:
            assert a.headers["www-authenticate"].startswith('Bearer realm="causeway"'), what

    def problem(self, what, a):
        """Of any answer, also where there is no operation."""
        self.validate(what, {"$ref": "#/components/schemas/Problem"}, a.json)
        assert a.type == "application/problem+json" and a.json["status"] == a.status, what
        assert a.json["instance"] == "/requests/" + a.headers["x-request-id"], what
        assert a.json["type"] == "/problems/" + a.code, what
        self.seen.codes.add((None, a.code))

    def unseen(self):
        """What is documented and did not happen."""
        lost, shared = [], set()
        for name, op in sorted(self.ops.items()):
            for status, r in op["responses"].items():
                if "$ref" in r:
                    shared.add(r["$ref"])
                if status[0] not in "23":
                    continue
                status = int(status)
                if (name, status) not in self.seen.answers:
                    lost.append(f"{name} {status}")
                    continue
                lost += [f"{name} {status} {t}" for t in self.ref(r).get("content", {}) if (name, status, t) not in self.seen.types]
                if "$ref" not in r:
                    lost += [f"{name} {status} {h}" for h in r.get("headers", {}) if (name, status, h.lower()) not in self.seen.headers]
            lost += [f"{name} {code}" for code in op["x-problems"] if (name, code) not in self.seen.codes]
        seen = {(where, h) for where, _, h in self.seen.headers}
        for r in sorted(shared):
            lost += [f"{r.rpartition('/')[2]} {h}" for h in self.ref({"$ref": r}).get("headers", {}) if (r, h.lower()) not in seen]
        codes = {code for _, code in self.seen.codes}
        lost += [c for c in self.doc["components"]["schemas"]["ProblemCode"]["enum"] if c not in codes]
        return lost

    def validate(self, what, schema, value):
        for fault in jsonschema.Draft202012Validator(dict(schema, components=self.doc["components"])).iter_errors(value):
            raise AssertionError(f"{what}: {'/'.join(map(str, fault.path))}: {fault.message[:300]}")
