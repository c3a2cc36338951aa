# SPDX-License-Identifier: BSD-2-Clause
"""NetBox as it was written down: answers exactly the exchanges of a recording, in their order, and remembers what was asked otherwise.

A recording is {name: {"netbox": version, "exchanges": [{"request": {method, path, query, body}, "answer": {status, headers, body}}]}}.
"raw" instead of "body" is text that is no JSON; "cut" is how many octets of it come before the connection is closed. {origin}
stands for the server's own address.

The recordings are written after NetBox's own sources (ipam/api/serializers, netbox/api/pagination.py, the models' clean(),
the tests of its authentication) at v4.6.8 and v3.7.8, for no NetBox runs where these tests do. So that they stay what NetBox
says, the members of every object in them are compared with the lists below, taken from those serializers.
"""
import http.server
import json
import threading
import urllib.parse

TOKEN = "Token 0123456789abcdef0123456789abcdef01234567"

_END = "tags custom_fields created last_updated"
# Members of answers, by version and path; in the order of the serializers.
SAID = {
	"4.6.8": {
		"/api/ipam/prefixes/": "id url display_url display family prefix vrf scope_type scope_id scope tenant vlan status role is_pool mark_utilized"
			f" description owner comments {_END} children _depth",
		"/api/ipam/ip-ranges/": "id url display_url display family start_address end_address size vrf tenant status role description owner comments"
			f" {_END} mark_populated mark_utilized",
		"/api/ipam/ip-addresses/": "id url display_url display family address vrf tenant status role assigned_object_type assigned_object_id"
			f" assigned_object nat_inside nat_outside dns_name description owner comments {_END}",
		"/api/ipam/vrfs/": f"id url display_url display name rd tenant enforce_unique description owner comments import_targets export_targets {_END}"
			" ipaddress_count prefix_count",
		"/api/extras/tags/": "id url display_url display name slug color description weight object_types tagged_items owner created last_updated",
		"tag": "id url display_url display name slug color",
	},
	"3.7.8": {
		"/api/ipam/prefixes/": "id url display family prefix site vrf tenant vlan status role is_pool mark_utilized description comments"
			f" {_END} children _depth",
		"/api/ipam/ip-ranges/": f"id url display family start_address end_address size vrf tenant status role description comments {_END} mark_utilized",
		"/api/ipam/ip-addresses/": "id url display family address vrf tenant status role assigned_object_type assigned_object_id assigned_object"
			f" nat_inside nat_outside dns_name description comments {_END}",
		"/api/extras/tags/": "id url display name slug color description object_types tagged_items created last_updated",
		"tag": "id url display name slug color",
	},
}
# What may be written; NetBox ignores other members without a word, so a mistake there would be seen by nobody.
HEARD = {
	"/api/ipam/ip-ranges/": "id start_address end_address vrf tenant status role description comments tags custom_fields mark_utilized",
	"/api/ipam/ip-addresses/": "id address vrf tenant status role assigned_object_type assigned_object_id nat_inside dns_name description comments tags custom_fields",
	"/api/extras/tags/": "name slug color description object_types",
}
FILTERS = {
	"/api/ipam/prefixes/": "family vrf_id tag role within limit offset",
	"/api/ipam/ip-ranges/": "family vrf_id tag role limit offset",
	"/api/ipam/ip-addresses/": "family vrf_id tag parent address limit offset",
	"/api/ipam/vrfs/": "name limit offset",
	"/api/extras/tags/": "slug limit offset",
}


def _objects(body):
	if isinstance(body, dict) and "results" in body:
		return body["results"]
	return body if isinstance(body, list) else [body]


def unlike(recording):
	"""What of a recording is not as NetBox has it."""
	bad = []
	said = SAID[recording["netbox"]]
	for e in recording["exchanges"]:
		path, answer, asked = e["request"]["path"], e["answer"], e["request"].get("body")
		for name, _ in e["request"].get("query", []):
			if name not in FILTERS[path].split():
				bad.append(f"{path} has no filter {name}")
		for row in _objects(asked) if asked is not None else []:
			bad += [f"{path} takes no {m}" for m in row if m not in HEARD[path].split()]
		if answer["status"] in (200, 201) and "raw" not in answer:
			if "results" in answer["body"] and list(answer["body"]) != ["count", "next", "previous", "results"]:
				bad.append(f"{path}: a page has other members")
			for row in _objects(answer["body"]):
				if sorted(row) != sorted(said[path].split()):
					bad.append(f"{path} {row.get('id')}: {set(row) ^ set(said[path].split())}")
				bad += [f"{path}: a tag has other members" for t in row.get("tags", []) if list(t) != said["tag"].split()]
	return bad


class _Handler(http.server.BaseHTTPRequestHandler):
	protocol_version = "HTTP/1.1"

	def log_message(self, *_):
		pass

	def handle_one(self):
		n = int(self.headers.get("Content-Length") or 0)
		body = self.rfile.read(n) if n else b""
		status, headers, octets, cut = self.server.replay.answer(self, body)
		self.send_response(status)
		for name, value in headers.items():
			self.send_header(name, value)
		self.send_header("Content-Length", str(len(octets)))
		self.end_headers()
		self.wfile.write(octets if cut is None else octets[:cut])
		if cut is not None:
			self.close_connection = True

	do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_OPTIONS = do_HEAD = handle_one


class Replay:
	def __init__(self, recording, token=TOKEN):
		self.exchanges, self.token = recording["exchanges"], token
		self.at, self.faults, self.headers = 0, [], []
		self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
		self.httpd.daemon_threads = True
		self.httpd.replay = self
		self.lock = threading.Lock()
		self.origin = f"http://127.0.0.1:{self.httpd.server_address[1]}"
		self.thread = threading.Thread(target=self.httpd.serve_forever, args=(0.05,), daemon=True)
		self.thread.start()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.httpd.shutdown()
		self.httpd.server_close()
		self.thread.join(10)

	def left(self):
		return len(self.exchanges) - self.at

	def fault(self, text):
		self.faults.append(text)
		return 418, {"Content-Type": "application/json"}, json.dumps({"detail": "not in the recording: " + text}).encode(), None

	def answer(self, h, octets):
		with self.lock:
			u = urllib.parse.urlsplit(h.path)
			got = {"method": h.command, "path": u.path}
			query = urllib.parse.parse_qsl(u.query, keep_blank_values=True)
			if query:
				got["query"] = [list(p) for p in query]
			if octets:
				if h.headers.get_content_type() != "application/json":
					return self.fault(f"a body of type {h.headers.get_content_type()}")
				got["body"] = json.loads(octets)
			if h.headers.get("Authorization") != self.token or h.headers.get("Accept") != "application/json":
				return self.fault(f"headers {dict(h.headers)}")
			if self.at >= len(self.exchanges):
				return self.fault("one more: " + json.dumps(got))
			e = self.exchanges[self.at]
			if got != e["request"]:
				return self.fault("got " + json.dumps(got) + " wanted " + json.dumps(e["request"]))
			self.at += 1
			a = e["answer"]
			text = a["raw"] if "raw" in a else json.dumps(a["body"]) if "body" in a else ""
			headers = dict(a.get("headers", {}))
			if text:
				headers.setdefault("Content-Type", "application/json")
			return a["status"], headers, text.replace("{origin}", self.origin).encode(), a.get("cut")
