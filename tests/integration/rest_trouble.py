# SPDX-License-Identifier: BSD-2-Clause
"""Problems that come of trouble only: what stands in each other's way, a full disk, a database that is locked or
damaged, no memory, tunnel end points that fail, clients that want too much, the end of the broker. For rest.test."""
import http.client
import itertools
import json
import os
import re
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from rest import Broker, Router
from rest_api import Answer, Api
from rest_world import Fit, Locked, World

FAR = "192.0.2.77"  # an address of this host that is no loopback address, where there are network namespaces
_lost = []


def impossible_here():
	"""What cannot be made to happen where this runs."""
	return _lost


def alone():
	"""Run again in a mount and a network namespace, for a small disk and an address of our own; or as it is."""
	if os.environ.get("CW_ALONE"):
		return
	unshare = ["unshare", "-m", "-n", "--propagation", "private"] + ([] if os.getuid() == 0 else ["-r"])
	test = ["sh", "-c", f"ip link set lo up && ip addr add {FAR}/32 dev lo && mount -t tmpfs -o size=1m none /mnt"]
	able = subprocess.run(unshare + test, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
	os.environ["CW_ALONE"] = "yes" if able else "no"
	if able:
		script = os.path.abspath(sys.argv[0])
		os.execvp("unshare", unshare + ["sh", "-c", f'ip link set lo up; ip addr add {FAR}/32 dev lo; exec "$0"', script])


def are_alone():
	return os.environ["CW_ALONE"] == "yes"


# ---- in each other's way ----


def exists(w):
	for name in ("createPool", "createUser", "createToken", "createReservation", "createTep"):
		fit = w.fit(name)
		fit.call(w.api, name, want=201)
		a = fit.call(w.api, name, want="exists")
		assert a.json["errors"][0]["pointer"] in ("/name", "/address"), a.raw
	fit = w.fit("updatePool")
	fit.call(w.api, "updatePool", body={"name": "default"}, want="exists")


def overlap(w):
	for name in ("createRange", "createExclusion"):
		fit = w.fit(name)
		fit.call(w.api, name, want=201)
		fit.call(w.api, name, want="overlap")
	w.api.call("createPool", body={"name": "over", "tep": "tep-1", "ranges": ["10.0.0.0/24"]}, want="overlap")
	w.api.call("apply", body={"pools": [{"name": "over", "tep": "tep-1", "ranges": ["10.0.0.0/24"]}]}, want="overlap")


def in_use(w):
	api = w.api
	name, user = f"used-{w.next()}", f"used-{w.next()}"
	api.call("createPool", body={"name": name, "tep": "tep-1", "quarantine_s": 0}, want=201)
	rng = api.call("createRange", name, body={"range": "10.250.0.0/28"}, want=201).json["id"]
	api.call("createUser", body={"name": user}, want=201)
	lease = api.call("createLease", body={"pool": name, "owner": "user:" + user, "ipv6": "2001:db8:9::1"}, want=201).json["id"]
	w.changed("deletePool", name).call(api, "deletePool", want="in-use")
	w.changed("updatePool", name, body={"tep": "tep-2"}).call(api, "updatePool", want="in-use")
	w.changed("deleteRange", name, rng).call(api, "deleteRange", want="in-use")
	w.changed("deleteUser", user).call(api, "deleteUser", want="in-use")
	w.changed("deleteTep", "tep-1").call(api, "deleteTep", want="in-use")
	w.changed("updateTep", "tep-1", body={"ipv6": "2001:db8::99"}).call(api, "updateTep", want="in-use")
	api.call("createExclusion", name, body={"range": "10.250.0.0/28"}, want="in-use")
	api.call("apply", body={"pools": [{"name": name, "tep": "tep-2"}]}, want="in-use")
	api.call("revokeLease", lease, want=204)
	w.changed("deletePool", name).call(api, "deletePool", want=204)


def not_there(w):
	"""What a body names."""
	api = w.api
	api.call("createPool", body={"name": "lost", "tep": "nowhere"}, want="not-found")
	w.changed("updatePool", w.pool, body={"tep": "nowhere"}).call(api, "updatePool", want="not-found")
	api.call("createLease", body={"pool": "nowhere", "owner": "user:x", "ipv6": "2001:db8:9::2"}, want="not-found")
	api.call("createReservation", body={"address": "192.0.2.1", "owner": "user:x"}, want="not-found")
	api.call("apply", body={"pools": [{"name": "lost", "tep": "nowhere"}]}, want="not-found")
	for name, fit in (("createTep", Fit(body={"name": "nowhere", "ipv6": "2001:db8::9"})),
		("apply", Fit(body={"teps": [{"name": "nowhere", "ipv6": "2001:db8::9"}]}))):
		fit.call(api, name, want="not-configured")


def leases(w):
	api = w.api
	name = f"few-{w.next()}"

	def lease(n, **more):
		return api.call("createLease", body={"pool": name, "owner": f"user:few-{n}", "ipv6": f"2001:db8:a::{n:x}", **more})

	pool = api.call("createPool", body={"name": name, "tep": "tep-1", "max_leases": 1, "quarantine_s": 60, "ranges": ["10.251.0.0/31"]}, want=201)
	one = lease(1)
	assert one.status == 201, one.raw
	assert lease(1, ipv6="2001:db8:a::77").code == "quota-exceeded"
	assert lease(2, address=one.json["address"]).code == "address-taken"
	assert lease(2, lifetime_s=90).status == 201
	a = lease(3)
	assert a.code == "pool-exhausted" and 1 <= int(a.headers["retry-after"]) <= 90, a.headers
	api.call("revokeLease", one.json["id"], want=204)
	api.call("updateLease", one.json["id"], body={"lifetime_s": 60}, want="lease-ended")
	a = lease(4)
	assert a.code == "pool-exhausted" and 1 <= int(a.headers["retry-after"]) <= 61, a.headers
	two = lease(2).json["id"]
	api.call("updatePool", name, body={"state": "disabled"}, headers={"If-Match": pool.headers["etag"]}, want=200)
	assert lease(5).code == "policy"
	api.call("updateLease", two, body={"lifetime_s": 60}, want=200)  # an operator may


def in_flight(w):
	"""While another program locks the database: the same key waits for the first request and has its answer, the job
	that runs is told so, and what waits for too long is told that it is too much; nothing of that happened twice."""
	api, lease = w.api, w.fit("createLease")
	wanted = [("createLease", lease.body, {"Idempotency-Key": "flight"})] * 8 + [("createBackup", None, {}), ("runJob", None, {})]
	w.wait("samples")
	w.wait("backup")
	with Locked(w.broker):
		sent = []
		for name, body, headers in wanted:
			conn = api.connect()
			conn.request("POST", api.target(name, ["samples"], ()), body=body and json.dumps(body), headers={"Content-Type": "application/json", **headers})
			sent.append(conn)
		time.sleep(0.3)
		api.call("createBackup", want="job-running")
		api.call("runJob", "samples", want="job-running")
	answers = []
	for conn, (name, _, _) in zip(sent, wanted):
		r = conn.getresponse()
		answers.append(Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()))
		api.check(name, answers[-1])
	assert [a.status for a in answers] == [201] * 8 + [202, 202], [(a.status, a.raw) for a in answers]
	assert len({a.raw for a in answers[:8]}) == 1 and sum("idempotency-replayed" in a.headers for a in answers[:8]) == 7
	w.wait("backup")


def held_replayed(w):
	fit = w.fit("createLease")
	fit.call(w.api, "createLease", want=201)
	for replayed in (None, "true"):
		a = fit.call(w.api, "createLease", headers={"Idempotency-Key": "held"}, want=200)
		assert a.headers.get("idempotency-replayed") == replayed, a.headers


def heads(w):
	api = w.api
	for pairs in ([("Host", "x"), ("Host", "y")], [("Host", "x"), ("X y", "z")]):
		a = api.raw("GET", "/version", headers=pairs)
		api.check("getVersion", a)
		assert a.code == "malformed-request" and a.headers["connection"].lower() == "close", a.raw
	for pairs in ([(f"X-{i}", "y") for i in range(70)], [(f"X-{i}", "y" * 500) for i in range(40)]):
		a = api.raw("GET", "/version", headers=pairs)
		api.check("getVersion", a)
		assert a.code == "headers-too-large", a.raw
	api.call("listLeases", query=[("q", "y" * 8192)], want="uri-too-long")
	api.call("listLeases", query=[("q", "y" * 8000)], want="invalid-query")
	api.call("listEvents", headers={"Accept": "text/event-stream", "Last-Event-ID": "x"}, want="invalid-header")


def cases(w):
	for what, fn in (("names and addresses there are: 409", exists), ("overlaps: 409", overlap), ("what is in use: 409", in_use),
		("what a body names and is not there: 404, 409", not_there), ("leases that cannot be: 409", leases),
		("one key eight times at once, jobs that run", in_flight), ("a lease that is held, by a key", held_replayed),
		("heads: 400, 414, 431", heads)):
		yield what, lambda fn=fn: fn(w)


# ---- brokers of their own ----


def full_disk(api):
	"""507 for everything that writes, nothing of it done, and all of it when there is space."""
	if not are_alone():
		_lost.extend(["store-full"] + [f"{n} store-full" for n in api.ops])
		return
	b = Broker(World.CONFIG, small_disk=True)
	w = World(b, Api(b.sock, api))
	fits = {n: w.fit(n) for n, op in sorted(api.ops.items()) if "store-full" in op["x-problems"]}
	w.fits = fits
	ballast = b.dir + "/state/ballast"
	with open(ballast, "wb", buffering=0) as f:
		try:
			while f.write(bytes(4096)):
				pass
		except OSError:
			pass
	assert b.wait(lambda: w.fit("createReservation").call(w.api, "createReservation").code == "store-full", 20)
	wrong = [(n, a.status, a.raw[:200]) for n, a in ((n, f.call(w.api, n)) for n, f in fits.items()) if a.code != "store-full"]
	assert not wrong, wrong
	assert w.api.call("getLease", w.at["lease"]).status == 200  # reading goes on
	os.unlink(ballast)
	assert b.wait(lambda: w.fit("createReservation").call(w.api, "createReservation").status == 201)
	wrong = [(n, a.status, a.raw[:200]) for n, a in ((n, f.call(w.api, n)) for n, f in fits.items()) if a.status >= 300]
	assert not wrong, wrong
	assert b.stop() == 0


def locked(api):
	"""For longer than anybody waits."""
	b = Broker(World.CONFIG)
	w = World(b, Api(b.sock, api))
	with Locked(b):
		fit = w.fit("createLease")
		assert b.wait(lambda: fit.call(w.api, "createLease").code == "overloaded", 30)
	assert b.wait(lambda: fit.call(w.api, "createLease").status in (200, 201))
	b.close()


def damaged(api):
	b = Broker(World.CONFIG)
	w = World(b, Api(b.sock, api))
	w.fit("listUsers").call(w.api, "listUsers", want=200)
	b.execute("ALTER TABLE account RENAME TO somewhere_else")
	w.api.call("getUser", "anybody", want="store-unavailable")
	b.close()


def no_memory(api):
	"""More than there is: that request fails, the broker goes on."""
	b = Broker(World.CONFIG)
	w = World(b, Api(b.sock, api))
	w.fit("createToken").call(w.api, "createToken")
	with open(f"/proc/{b.process.pid}/status", encoding="ascii") as f:
		used = next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmData"))
	if used > 1 << 36:  # a sanitizer's; and it ends the program
		_lost.append("internal")
		b.close()
		return
	resource.prlimit(b.process.pid, resource.RLIMIT_DATA, (used + (4 << 20), resource.RLIM_INFINITY))
	a = w.api.call("createToken", body='{"name":"x","scopes":[' + ",".join(["[]"] * 340000) + "]}", want="internal")
	assert "memory" in a.json["detail"].lower(), a.raw
	resource.prlimit(b.process.pid, resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
	w.fit("createToken").call(w.api, "createToken", want=201)
	assert b.stop() == 0


def tep_fails(api):
	"""A tunnel end point that does not answer: 502; the lease is not granted, and one that is revoked has ended all the same."""
	router = Router()
	b = Broker(router.section("router") + """
tsp { listen = { "127.0.0.1:0" }  mechanisms = { "ANONYMOUS" }  realm = "example.net" }
tep "wreck" { plugin = "test"  ipv6 = "2001:db8::2"  options = { "mode=fail", "ops=list" } }
pool "default" { range = { "10.0.0.0/24" }  tep = "router"  lifetime = 3600  quarantine = 0 }
""")
	mine = Api(b.sock, api)
	lease = {"owner": "user:a", "ipv6": "2001:db8:1::1"}
	assert b.wait(lambda: mine.call("getTep", "router").json["state"] == "up")
	held = mine.call("createLease", body=lease, want=201).json["id"]
	router.behave("sleep 5; exit 1")
	a = mine.call("createLease", body={"owner": "user:b", "ipv6": "2001:db8:1::2"}, want="tep-failed")
	mine.call("revokeLease", held, want="tep-failed")
	a = mine.call("getLease", held, want=200).json
	assert (a["state"], a["end_reason"]) == ("ending", "revoke"), a
	assert b.wait(lambda: mine.call("getTep", "wreck").json["state"] == "down")
	mine.call("resyncTep", "wreck", want="tep-failed")
	router.behave("")
	assert b.wait(lambda: mine.call("getLease", held).json["state"] == "free", 30), mine.call("getLease", held).raw
	b.close()


def too_much(api):
	b = Broker(World.CONFIG.replace('directory = "copies"', 'directory = "causeway.db"') +
		'rest { event-streams = 1  requests-per-token = 5  listen = { "127.0.0.1:0" } }\n')
	mine = Api(b.sock, api)
	token = mine.call("createToken", body={"name": "t", "scopes": ["viewer"]}, want=201).json["token"]
	codes = [mine.call("listPools", token=token).code for _ in range(20)]
	assert codes[0] is None and codes[-1] == "rate-limited", codes
	conn = mine.connect()
	conn.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
	assert conn.getresponse().status == 200
	a = mine.call("listEvents", accept="text/event-stream", want="too-many-streams")
	assert a.headers["retry-after"] == "10", a.headers
	conn.close()
	mine.call("createBackup", want=202)
	assert b.wait(lambda: mine.call("getReady").code == "not-ready")
	b.close()


def not_configured(api):
	b = Broker(World.CONFIG.replace('backup {', '# {'))
	mine = Api(b.sock, api)
	mine.call("createBackup", want="not-configured")
	b.configure("tsp { listen = 5 }\nnonsense = 7\nrest { connections = 0 }\n")
	a = mine.call("testConfig", want=200).json
	assert not a["ok"] and len(a["faults"]) == 3, a  # all of them, not the first
	a = mine.call("reloadConfig", want="config-invalid")
	assert len(a.json["errors"]) == 3, a.raw
	mine.call("listPools", want=200)
	b.close()


def late(api):
	"""A body that dribbles in, and connections that never get to their point while others do."""
	b, begun = Broker(World.CONFIG + "rest { receive-timeout = 1 }\n"), time.monotonic()
	mine = Api(b.sock, api)
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(20)
	s.connect(b.sock)
	s.sendall(b"POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n")
	for c in b'{"name":"x"}':
		s.sendall(bytes([c]))
		time.sleep(0.2)
	r = http.client.HTTPResponse(s)
	r.begin()
	a = Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
	mine.check("createUser", a)
	assert a.code == "request-timeout" and a.status == 408, a.raw
	assert mine.call("listUsers", want=200).json["items"] == [], "nothing was done"
	s = socket.socket(socket.AF_UNIX)
	s.connect(b.sock)
	try:
		for c in itertools.cycle(b"GET /v1/pools?name="):
			s.sendall(bytes([c]))
			time.sleep(0.1)
			assert time.monotonic() < begun + 30, "a head that never ends"
	except OSError:
		pass
	b.close()


def stopping(api):
	"""Who is connected is told, while somebody else does not read its stream and so keeps it from its end for a while."""
	b = Broker(World.CONFIG)
	w = World(b, Api(b.sock, api))
	kept, slow = w.api.connect(), socket.socket(socket.AF_UNIX)
	w.api.raw("GET", "/version", connection=kept)
	slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
	slow.connect(b.sock)
	slow.sendall(b"GET /v1/leases HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n")
	slow.sendall(b"GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
	for _ in range(300):
		w.fit("createUser").call(w.api, "createUser", want=201)
	time.sleep(0.3)
	b.process.terminate()
	assert b.wait(lambda: "event=stop" in b.logged(), 2), b.logged()[-500:]
	a = w.api.raw("GET", "/v1/pools", connection=kept)
	w.api.check("listPools", a)
	assert a.code == "shutting-down" and a.headers["connection"].lower() == "close", a.raw
	assert b.stop() == 0
	slow.close()


class Tls(http.client.HTTPSConnection):
	def __init__(self, host, port):
		context = ssl.create_default_context()
		context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
		super().__init__(host, port, timeout=20, context=context)


def from_afar(api):
	"""What is open on this host is not for others."""
	if not are_alone():
		_lost.extend(["getMetrics insufficient-scope"])
		return
	b = Broker("")
	b.stop()
	subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", b.dir + "/key",
		"-out", b.dir + "/cert", "-days", "2", "-subj", "/CN=x"], stderr=subprocess.DEVNULL, check=True)
	b.configure(World.CONFIG + f'rest {{ listen = {{ "{FAR}:0" }}  cert = "{b.dir}/cert"  key = "{b.dir}/key" }}\n')
	b.start()
	near, far = Api(b.sock, api), Api(b.sock, api)
	port = int(re.findall(FAR.replace(".", "[.]") + r":(\d+)", b.logged())[-1])
	far.connect = lambda: Tls(FAR, port)
	token = near.call("createToken", body={"name": "t", "scopes": ["users:read"]}, want=201).json["token"]
	for name, op in sorted(far.ops.items()):
		if op.get("x-open-locally"):
			far.call(name, want="unauthenticated")
			far.call(name, token=token, want="insufficient-scope" if op["x-scope"] != "any" else 200)
	far.call("getOpenapi", want=200)
	a = far.call("login", body={"token": token}, want=201)
	assert "Secure" in a.headers["set-cookie"] and a.headers["set-cookie"].startswith("__Host-causeway="), a.headers
	b.close()


def as_nobody(path, text):
	"""What the broker answers to another user."""
	reading, writing = os.pipe()
	child = os.fork()
	if child == 0:
		try:
			os.setgroups([])
			os.setgid(65534)
			os.setuid(65534)
			s = socket.socket(socket.AF_UNIX)
			s.connect(path)
			s.sendall(text)
			for some in iter(lambda: s.recv(65536), b""):
				os.write(writing, some)
		finally:
			os._exit(0)
	os.close(writing)
	with os.fdopen(reading, "rb") as f:
		got = f.read()
	os.waitpid(child, 0)
	return got


def without_role(api):
	"""Somebody of this host whom the configuration does not name: told to bring a token, and then who that is."""
	with open("/proc/self/uid_map", encoding="ascii") as f:
		if os.getuid() != 0 or int(f.read().split()[2]) < 65535:
			return  # there is nobody else here
	with tempfile.TemporaryDirectory(prefix="causeway.") as folder:
		os.chmod(folder, 0o755)
		b = Broker(World.CONFIG + f'rest {{ socket = "{folder}/api.sock" }}\n', sock=folder + "/api.sock")
		mine = Api(b.sock, api)
		token = mine.call("createToken", body={"name": "t", "scopes": ["users:read"]}, want=201).json["token"]
		for name, head, status in (("getSession", "", 401), ("logout", "", 401), ("listUsers", "", 401), ("getVersion", "", 200),
			("getSession", token, 200), ("listUsers", token, 200), ("listPools", token, 403)):
			text = f"{mine.ops[name]['method']} {mine.ops[name]['path']} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			text += f"Authorization: Bearer {head}\r\n" * bool(head) + "\r\n"
			got = as_nobody(b.sock, text.encode())
			assert int(got.split(b" ")[1]) == status, (name, head, got)
			assert (b"WWW-Authenticate: Bearer" in got) == (status == 401), got
		b.close()


def brokers(api):
	for what, fn in (("a full disk: 507", full_disk), ("a database that is locked: 503", locked), ("one that is damaged: 503", damaged),
		("no memory: 500", no_memory), ("a TEP that does not answer: 502", tep_fails), ("too much of it: 429, 503", too_much),
		("what has no section: 409; a file that is wrong: 422", not_configured), ("late: 408", late), ("at the end: 503", stopping), ("from afar: 401, 403", from_afar),
		("by somebody without a role: 401", without_role)):
		yield what, lambda fn=fn: fn(api)
