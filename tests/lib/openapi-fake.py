# SPDX-License-Identifier: BSD-2-Clause
# Answers every operation of openapi.json with the example of its schema, over a Unix socket: python3 openapi-fake.py
# OPENAPI.JSON SOCKET COMPLAINTS. What a request has that the description does not (a path, a query key, a member), or lacks
# (If-Match, a required member), becomes a line of COMPLAINTS, and 400.
import http.server
import json
import re
import socketserver
import sys
import urllib.parse

api = json.load(open(sys.argv[1], encoding="utf-8"))
complaints = open(sys.argv[3], "a", encoding="utf-8", buffering=1)
METRICS = 'causeway_leases_total{event="grant",access="rest"} 12\ncauseway_leases_total{event="grant",access="tsp"} 30\n' \
    'causeway_sessions{access="tsp"} 4\n# EOF\n'


def follow(node):
    while "$ref" in node:
        target = api
        for part in node["$ref"].split("/")[1:]:
            target = target[part]
        node = target
    return node


def routes():
    for template, methods in api["paths"].items():
        pattern = re.compile(re.sub(r"\{[a-z]+\}", "[^/:]+", template) + "$")
        for method, operation in methods.items():
            yield method.upper(), pattern, operation


ROUTES = list(routes())


def wrong(operation, headers, query, body):
    parameters = [follow(p) for p in operation.get("parameters", [])]
    for key in urllib.parse.parse_qs(query, keep_blank_values=True):
        if not any(p["in"] == "query" and p["name"] == key for p in parameters):
            yield "query key " + key
    if any(p["name"] == "If-Match" for p in parameters) and headers.get("If-Match") != '"3"':
        yield "If-Match is " + str(headers.get("If-Match"))
    if any(p["name"] == "Idempotency-Key" for p in parameters) and not headers.get("Idempotency-Key"):
        yield "no Idempotency-Key"
    if "requestBody" not in operation:
        if body:
            yield "a body"
        return
    schema = follow(operation["requestBody"]["content"]["application/json"]["schema"])
    try:
        members = json.loads(body)
    except ValueError:
        yield "no JSON: " + repr(body)
        return
    for name in members:
        if name not in schema["properties"]:
            yield "member " + name
    for name in schema.get("required", []):
        if name not in members:
            yield "without " + name


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("ETag", '"3"')
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for method, pattern, operation in ROUTES:
            if method != self.command or not pattern.match(path):
                continue
            faults = list(wrong(operation, self.headers, query, body))
            for fault in faults:
                complaints.write(operation["operationId"] + ": " + fault + "\n")
            if faults:
                self.answer(400, "application/problem+json", b'{"title":"wrong"}')
                return
            status, response = next((int(s), follow(r)) for s, r in operation["responses"].items() if s[0] == "2")
            content = response.get("content", {})
            kind = self.headers.get("Accept", "application/json")
            if not content:
                self.answer(204, "text/plain", b"")
            elif "application/openmetrics-text" in content:
                self.answer(status, "application/openmetrics-text", METRICS.encode())
            else:
                schema = follow(content["application/json"]["schema"])
                example = schema["examples"][0] if "examples" in schema else {}
                lines = [example]
                if kind == "application/x-ndjson" and kind in content:
                    lines = example["items"]
                self.answer(status, kind, "".join(json.dumps(line) + "\n" for line in lines).encode())
            return
        complaints.write("no such operation: %s %s\n" % (self.command, path))
        self.answer(404, "application/problem+json", b'{"title":"nothing there"}')

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


Server(sys.argv[2], Handler).serve_forever()
