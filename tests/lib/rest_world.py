# SPDX-License-Identifier: BSD-2-Clause
"""A request of each operation that succeeds, with what it needs made before: fit(name) gives one, again and again."""
import sqlite3

from rest_api import Answer
from tsp_wire import Stream, leased, login_anonymous, message

POOL = "default"
SPARES = 40  # tunnel end points that serve nothing


class Fit:
	"""Arguments for Api.call()."""

	def __init__(self, *path, query=(), body=None, headers=None):
		self.path, self.query, self.body, self.headers = path, list(query), body, dict(headers or {})

	def call(self, api, name, want=None, **more):
		"""With other query, body or headers in more."""
		args = {"query": self.query, "body": self.body, "headers": self.headers, **more}
		return api.call(name, *self.path, want=want, **args)


class World:
	"""Of a broker whose configuration has CONFIG. api: without limits, over the Unix socket."""

	CONFIG = """
tsp { listen = { "127.0.0.1:0" }  mechanisms = { "SCRAM-SHA-256", "ANONYMOUS" }  realm = "example.net" }
tep "tep-1" { plugin = "null"  ipv4 = "192.0.2.254"  ipv6 = "2001:db8::1" }
tep "tep-2" { plugin = "null"  ipv6 = "2001:db8::2" }
""" + "".join(f'tep "spare-{i}" {{ plugin = "null"  ipv6 = "2001:db8::1:{i + 1}" }}\n' for i in range(SPARES)) + """
pool "default" { range = { "10.0.0.0/20" }  tep = "tep-1"  lifetime = 3600  quarantine = 0 }
backup { directory = "copies"  keep = 3  every = 0 }
"""

	def __init__(self, broker, api):
		self.broker, self.api, self.n = broker, api, 0
		self.clients = []
		self.pool = self.new("createPool")["id"]
		made = self.made("createToken")
		self.secret = made["token"]
		self.at = {"pool": self.pool, "tep": "tep-1", "job": "samples", "token": made["info"]["id"],
			"lease": self.new("createLease")["id"], "range": self.new("createRange")["id"],
			"exclusion": self.new("createExclusion")["id"], "reservation": self.new("createReservation")["id"],
			"user": self.new("createUser")["id"], "run": self.new("runJob")["id"]}
		self.wait("samples")

		if "getClientSession" in api.ops:
			self.at["session"] = self.session()
		self.admin = api.call("createToken", body={"name": "admin", "scopes": ["admin"]}, want=201).json["token"]

	def one_more(self, name):
		"""Of what is listed."""
		make = {"listHistory": "createLease", "listEvents": "createPool", "listRuns": "runJob", "listAudit": "createPool",
			"listUsage": "createPool"}
		if name == "listSessions":
			self.session()
			return
		name = make.get(name) or "create" + name[4:-1]
		self.fit(name).call(self.api, name)

	def stream(self, fit):
		"""The head of live events, and the comment they begin with."""
		conn = self.api.connect()
		conn.request("GET", self.api.target("listEvents", fit.path, fit.query), headers={"Accept": "text/event-stream"})
		r = conn.getresponse()
		assert r.readline().startswith(b":")
		self.api.check("listEvents", Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, b""))
		conn.close()

	def next(self):
		self.n += 1
		return self.n

	def made(self, name):
		return self.fit(name).call(self.api, name).json

	def new(self, name):
		a = self.made(name)
		assert "id" in a, a
		return a

	def wait(self, job):
		"""Until it does not run."""
		where = f"/v1/jobs/{job}"
		assert self.broker.wait(lambda: self.broker.get(where).json["running"] is False), job

	def changed(self, name, *path, body=None):
		"""With the ETag of what it changes."""
		shown = {"updatePool": "getPool", "deletePool": "getPool", "deleteRange": "getRange", "deleteExclusion": "getExclusion",
			"updateReservation": "getReservation", "deleteReservation": "getReservation", "updateTep": "getTep", "deleteTep": "getTep"}
		etag = self.api.call(shown.get(name, "getUser"), *path, want=200).headers["etag"]
		return Fit(*path, body=body, headers={"If-Match": etag})

	def fit(self, name):
		make = getattr(self, "fit_" + name, None)
		if make:
			return make()
		op = self.api.ops[name]
		assert op["method"] == "GET", "no request of " + name
		return Fit(*[self.at[p["name"]] for p in self.api.params(op) if p["in"] == "path"])

	# ---- what is made ----

	def fit_login(self):
		return Fit(body={"token": self.secret})

	def fit_logout(self):
		return Fit()

	def fit_createPool(self):
		return Fit(body={"name": f"pool-{self.next()}", "tep": "tep-1"})

	def fit_createRange(self):
		n = self.next()
		return Fit(self.pool, body={"range": f"10.{64 + n // 256}.{n % 256}.0/28"})

	def fit_createExclusion(self):
		n = self.next()
		return Fit(self.pool, body={"range": f"10.{128 + n // 256}.{n % 256}.7"})

	def fit_createReservation(self):
		n = self.next()
		return Fit(body={"address": f"10.0.{8 + n // 256}.{n % 256}", "owner": f"user:kept-{n}"})

	def fit_createLease(self):
		n = self.next()
		return Fit(body={"pool": POOL, "owner": f"user:owner-{n}", "ipv6": f"2001:db8:1::{n:x}"})

	def fit_createUser(self):
		return Fit(body={"name": f"user-{self.next()}", "password": "not for the log"})

	def fit_createTep(self):
		name = f"spare-{self.next() % SPARES}"  # its section stays
		if self.api.call("getTep", name).status == 200:
			self.changed("deleteTep", name).call(self.api, "deleteTep", want=204)
		return Fit(body={"name": name, "ipv6": f"2001:db8::2:{self.n:x}"})

	def fit_createToken(self):
		return Fit(body={"name": f"token-{self.next()}", "scopes": ["viewer"]})

	def fit_apply(self):
		return Fit(body={"users": [{"name": f"applied-{self.next()}"}]})

	# ---- what is changed ----

	def fit_updatePool(self):
		return self.changed("updatePool", self.new("createPool")["id"], body={"order": 7})

	def fit_deletePool(self):
		return self.changed("deletePool", self.new("createPool")["id"])

	def fit_deleteRange(self):
		return self.changed("deleteRange", self.pool, self.new("createRange")["id"])

	def fit_deleteExclusion(self):
		return self.changed("deleteExclusion", self.pool, self.new("createExclusion")["id"])

	def fit_updateReservation(self):
		return self.changed("updateReservation", self.new("createReservation")["id"], body={"owner": "user:other"})

	def fit_deleteReservation(self):
		return self.changed("deleteReservation", self.new("createReservation")["id"])

	def fit_updateLease(self):
		return Fit(self.new("createLease")["id"], body={"lifetime_s": 600, "tags": {"ticket": "4711"}})

	def fit_revokeLease(self):
		return Fit(self.new("createLease")["id"])

	def fit_updateUser(self):
		return self.changed("updateUser", self.new("createUser")["id"], body={"disabled": True})

	def fit_deleteUser(self):
		return self.changed("deleteUser", self.new("createUser")["id"])

	def fit_setCredentials(self):
		return self.changed("setCredentials", self.new("createUser")["id"], body={"password": "nor this"})

	def fit_deleteCredentials(self):
		return self.changed("deleteCredentials", self.new("createUser")["id"])

	def fit_updateTep(self):
		return self.changed("updateTep", self.new("createTep")["id"], body={"ipv4": f"192.0.2.{self.n % 200 + 1}"})

	def fit_deleteTep(self):
		return self.changed("deleteTep", self.new("createTep")["id"])

	def fit_drainTep(self):
		return Fit(self.new("createTep")["id"])

	def fit_undrainTep(self):
		tep = self.new("createTep")["id"]
		self.api.call("drainTep", tep, want=200)
		return Fit(tep)

	def fit_resyncTep(self):
		assert self.broker.wait(lambda: self.api.call("getTep", "tep-2").json["state"] == "up")
		return Fit("tep-2")

	def fit_deleteToken(self):
		return Fit(self.made("createToken")["info"]["id"])

	# ---- clients ----

	def client(self):
		"""A TSP client that has logged in and holds a lease: its connection, and the lease."""
		s = Stream(("127.0.0.1", self.broker.tsp_port))
		s.hello(b"2.0.0")
		assert login_anonymous(s).startswith(b"200 "), "login"
		lease = leased(s.ask(message(b"create", b"2001:db8:3::%x" % self.next())))
		self.clients.append(s)
		return s, lease

	def session(self):
		"""The id of a live session."""
		before = {x["id"] for x in self.api.call("listSessions", want=200).json["items"]}
		self.client()
		return next(x["id"] for x in self.api.call("listSessions", want=200).json["items"] if x["id"] not in before)

	def fit_deleteSession(self):
		return Fit(self.session())

	# ---- what is done ----

	def fit_testConfig(self):
		return Fit()

	def fit_reloadConfig(self):
		return Fit()

	def fit_runJob(self):
		self.wait("samples")
		return Fit("samples")

	def fit_createBackup(self):
		self.wait("backup")
		return Fit()


class Locked:
	"""Another program keeps the broker's database locked."""

	def __init__(self, broker):
		self.db = sqlite3.connect(broker.dir + "/state/causeway.db", isolation_level=None, timeout=10)

	def __enter__(self):
		self.db.execute("BEGIN IMMEDIATE")
		return self

	def __exit__(self, *_):
		self.db.execute("ROLLBACK")
		self.db.close()
