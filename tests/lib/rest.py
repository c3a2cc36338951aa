# SPDX-License-Identifier: BSD-2-Clause
"""A causewayd of one's own and its API, for tests in Python (standard library only), with the Test Anything Protocol.

	with Broker(config) as b:
		r = b.get("/v1/pools")
		is_(r.status, 200, "pools are listed")
	done()
"""
import atexit
import http.client
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

SRC = os.environ["CW_SRCDIR"]
BUILD = os.environ["CW_BUILDDIR"]

_count = _failed = 0


def ok(good, what, more=None):
	global _count, _failed
	_count += 1
	print(("ok" if good else "not ok"), _count, "-", what)
	if not good:
		_failed += 1
		if more is not None:
			for line in str(more).splitlines():
				print("#", line)
	sys.stdout.flush()
	return good


def is_(got, wanted, what):
	return ok(got == wanted, what, f"got:    {got!r}\nwanted: {wanted!r}")


def case(what, fn):
	"""One line for all that fn() looks at; a fault ends the case, not the test."""
	try:
		fn()
	except Exception as e:  # pylint: disable=broad-except
		where = traceback.extract_tb(e.__traceback__)[-1]
		return ok(False, what, f"{type(e).__name__}: {str(e)[:700]} ({where.filename.rsplit('/', 1)[-1]}:{where.lineno})")
	return ok(True, what)


def done():
	print(f"1..{_count}")
	sys.exit(1 if _failed else 0)


class Answer:
	def __init__(self, status, headers, body):
		self.status, self.headers, self.text = status, headers, body
		self.json = None
		if body and "json" in headers.get("Content-Type", "") and "ndjson" not in headers.get("Content-Type", ""):
			self.json = json.loads(body)

	@property
	def etag(self):
		return self.headers.get("ETag")

	@property
	def code(self):
		return self.json.get("code") if isinstance(self.json, dict) else None

	@property
	def pointers(self):
		return [e["pointer"] for e in self.json.get("errors", [])] if isinstance(self.json, dict) else []

	def __repr__(self):
		return f"{self.status} {dict(self.headers)} {self.text[:600]}"


class _Unix(http.client.HTTPConnection):
	def __init__(self, path, timeout):
		super().__init__("localhost", timeout=timeout)
		self.path = path

	def connect(self):
		self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
		self.sock.settimeout(self.timeout)
		self.sock.connect(self.path)


CONFIG = """
tsp { listen = { "127.0.0.1:0" }  mechanisms = { "SCRAM-SHA-256", "ANONYMOUS" }  realm = "example.net" }
tep "tep-1" { plugin = "null"  ipv4 = "192.0.2.254"  ipv6 = "2001:db8::1" }
"""


class Broker:
	"""Everything below a folder of its own, which goes with it."""

	def __init__(self, config=CONFIG, small_disk=False, sock=None):
		"""small_disk: its state folder is a file system of 8 MiB; wants a mount namespace. sock: what config says."""
		self.dir = tempfile.mkdtemp(prefix="causeway.")
		atexit.register(self.close)
		self.plugins = self.dir + "/plugins"
		os.makedirs(self.plugins, mode=0o700)
		os.makedirs(self.dir + "/state", mode=0o700)
		if small_disk:
			subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "causeway-test", self.dir + "/state"], check=True)
		for name in ("null", "exec", "test"):
			built = f"{BUILD}/dataplane/plugins/{name}/.libs/{name}.so"
			if name == "null" or os.path.exists(built):  # test is of "make check" only
				shutil.copy(built, self.plugins)
		self.sock = sock or self.dir + "/state/api.sock"
		self.log = self.dir + "/log"
		self.process = None
		self.configure(config)
		self.start()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()

	def configure(self, config):
		with open(self.dir + "/causewayd.conf", "w", encoding="utf-8") as f:
			f.write(f'state-dir = "{self.dir}/state"\nrun-dir = "{self.dir}/state"\nplugin-dir = "{self.plugins}"\n')
			f.write('store { backend = "sqlite"  path = "causeway.db" }\n' + config)

	def start(self):
		before = self.logged().count("event=ready") if os.path.exists(self.log) else 0
		with open(self.log, "ab") as log:
			self.process = subprocess.Popen(
				[BUILD + "/causewayd", "--config", self.dir + "/causewayd.conf", "--foreground"],
				stdin=subprocess.DEVNULL, stdout=log, stderr=log)
		for _ in range(200):
			try:
				if self.get("/healthz").status == 200 and self.logged().count("event=ready") > before:
					return
			except OSError:
				pass
			if self.process.poll() is not None:
				break
			time.sleep(0.05)
		print("Bail out! causewayd does not start:", self.logged()[-2000:])
		sys.exit(1)

	def stop(self, kill=False):
		if self.process is None:
			return 0
		if self.process.poll() is None:
			if kill:
				self.process.kill()
			else:
				self.process.terminate()
		try:
			status = self.process.wait(20)
		except subprocess.TimeoutExpired:
			self.process.kill()
			status = self.process.wait()
		self.process = None
		return status

	def close(self):
		self.stop()
		if os.path.ismount(self.dir + "/state"):
			subprocess.run(["umount", self.dir + "/state"], check=False)
		shutil.rmtree(self.dir, ignore_errors=True)

	def logged(self):
		with open(self.log, encoding="utf-8", errors="replace") as f:
			return f.read()

	@property
	def port(self):
		"""Of rest { listen = { "127.0.0.1:0" } }."""
		return int(re.findall(r"event=ready.*unix:\S+ 127\.0\.0\.1:(\d+)", self.logged())[-1])

	@property
	def tsp_port(self):
		"""Of tsp { listen = { "127.0.0.1:0" } }."""
		return int(re.findall(r'event=ready.*tsp="?127\.0\.0\.1:(\d+)', self.logged())[-1])

	# ---- requests ----

	def call(self, method, path, body=None, token=None, key=None, match=None, headers=None, tcp=False):
		h = dict(headers or {})
		if body is not None and not isinstance(body, (bytes, str)):
			body = json.dumps(body)
		if body is not None:
			h.setdefault("Content-Type", "application/json")
		if token:
			h["Authorization"] = "Bearer " + token
		if key:
			h["Idempotency-Key"] = key
		if match:
			h["If-Match"] = match
		c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30) if tcp else _Unix(self.sock, 30)
		try:
			try:
				c.request(method, path, body=body, headers=h)
			except BrokenPipeError:
				pass  # refused before the body was read: the answer is there
			r = c.getresponse()
			return Answer(r.status, r.headers, r.read().decode())
		finally:
			c.close()

	def get(self, path, **kw):
		return self.call("GET", path, **kw)

	def post(self, path, body=None, **kw):
		return self.call("POST", path, body, **kw)

	def patch(self, path, body, match=None, **kw):
		return self.call("PATCH", path, body, match=match, **kw)

	def put(self, path, body, match=None, **kw):
		return self.call("PUT", path, body, match=match, **kw)

	def delete(self, path, match=None, **kw):
		return self.call("DELETE", path, match=match, **kw)

	def walk(self, path, limit=2, **kw):
		"""All items of a list, a few at a time."""
		items, cursor = [], ""
		while True:
			sep = "&" if "?" in path else "?"
			r = self.get(f"{path}{sep}limit={limit}" + (f"&cursor={cursor}" if cursor else ""), **kw)
			assert r.status == 200, r
			items += r.json["items"]
			cursor = r.json["next"]
			if not cursor:
				return items

	def token(self, name, *scopes, **more):
		r = self.post("/v1/tokens", dict(name=name, scopes=list(scopes), **more))
		assert r.status == 201, r
		return r.json["token"]

	# ---- what is on disk ----

	def rows(self, sql, *args):
		db = sqlite3.connect(f"file:{self.dir}/state/causeway.db?mode=ro", uri=True, timeout=10)
		try:
			return db.execute(sql, args).fetchall()
		finally:
			db.close()

	def execute(self, sql):
		"""What only time or an accident does otherwise."""
		db = sqlite3.connect(self.dir + "/state/causeway.db", timeout=10)
		db.execute(sql)
		db.commit()
		db.close()

	def audited(self, verb):
		"""(actor, object, detail) of each, oldest first."""
		return [(a, o, json.loads(d)) for a, o, d in self.rows(
			"SELECT actor, object, detail FROM audit WHERE verb = ? ORDER BY id", verb)]

	def events(self, kind):
		return self.rows("SELECT object FROM event WHERE type = ? ORDER BY id", kind)

	def wait(self, what, seconds=10):
		end = time.monotonic() + seconds
		while time.monotonic() < end:
			if what():
				return True
			time.sleep(0.05)
		return False


class Router:
	"""A tunnel end point that is a program (tests/lib/exec-router), in a folder of its own."""

	def __init__(self):
		self.dir = tempfile.mkdtemp(prefix="causeway.")
		atexit.register(shutil.rmtree, self.dir, True)
		shutil.copy(SRC + "/tests/lib/exec-router", self.dir + "/program")
		self._write("program.dir", self.dir)

	def _write(self, name, text):
		with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
			f.write(text)

	def section(self, name, deadline_ms=500):
		"""For the configuration."""
		return (f'tep "{name}" {{ plugin = "exec"  ipv4 = "192.0.2.1"  ipv6 = "2001:db8::1"  '
			f'options = {{ "program={self.dir}/program", "deadline_ms={deadline_ms}" }} }}\n')

	def behave(self, text):
		"""What it does first, each time; "$1" is apply, remove .."""
		self._write("behave", text)

	def forwards(self):
		"""IPv4 addresses."""
		try:
			with open(self.dir + "/state", encoding="utf-8") as f:
				return [line.split()[0] for line in f]
		except FileNotFoundError:
			return []
