# SPDX-License-Identifier: BSD-2-Clause
"""A client of the REST API that believes nothing: every answer is compared with the description the broker serves.
Status, media type, headers and body must be documented for the operation, and what was seen is remembered."""
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


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        self.type = (headers.get("content-type") or "").split(";")[0]
        self.json = json.loads(raw) if self.type in ("application/json", "application/problem+json") else None
        self.code = self.json.get("code") if self.type == "application/problem+json" else None


class Api:
    """where: the path of a Unix socket, or (host, port)."""

    def __init__(self, where):
        self.where = where
        self.doc = json.loads(self.raw("GET", "/v1/openapi.json", connection=None).raw)
        self.ops = {}
        self.seen = {}  # operationId -> {status or code}
        for path, item in self.doc["paths"].items():
            for method, op in item.items():
                if method in ("get", "post", "put", "patch", "delete"):
                    self.ops[op["operationId"]] = dict(op, path=path, method=method.upper())

    def connect(self):
        if isinstance(self.where, str):
            return Unix(self.where)
        return http.client.HTTPConnection(*self.where, timeout=20)

    def raw(self, method, target, headers=None, body=None, connection=None):
        conn = connection or self.connect()
        conn.request(method, target, body=body, headers=headers or {})
        r = conn.getresponse()
        raw = r.read()
        got = {}
        for k, v in r.getheaders():
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
        self.seen.setdefault(name, set()).update({a.status} | ({a.code} if a.code else set()))
        assert "x-request-id" in a.headers, what + ": no X-Request-Id"
        if a.type == "application/problem+json":
            codes = op.get("x-problems", []) + self.doc.get("x-problems-any", [])
            assert a.code in codes, what + ": this code is not documented here"
            self.validate(what, {"$ref": "#/components/schemas/Problem"}, a.json)
            assert a.json["status"] == a.status, what
            return
        documented = op["responses"].get(str(a.status))
        assert documented, what + ": this status is not documented here"
        documented = self.ref(documented)
        content = documented.get("content", {})
        if not content:
            assert not a.raw, what + ": a body that is not documented"
            return
        assert a.type in content, what + f": {a.type} is not documented here"
        schema = content[a.type].get("schema", {})
        if a.type == "application/json":
            self.validate(what, schema, a.json)
        elif a.type == "application/x-ndjson":
            for line in a.raw.decode().splitlines():
                self.validate(what, schema, json.loads(line))

    def validate(self, what, schema, value):
        whole = dict(schema, components=self.doc["components"])
        for fault in jsonschema.Draft202012Validator(whole).iter_errors(value):
            raise AssertionError(f"{what}: {'/'.join(map(str, fault.path))}: {fault.message[:300]}")
