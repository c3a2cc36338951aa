# SPDX-License-Identifier: BSD-2-Clause
"""The broker that most cases speak to, the ways in, and sessions on them."""
import itertools
import ssl
import subprocess

from tsp_house import POOL, TEP, Broker
from tsp_wire import Stream, Udp, create, leased, login_anonymous, login_scram, message, need

OK = b"200 Success\r\n"
NO = b"300 Authentication failed\r\n"
ALL = '"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "PLAIN", "EXTERNAL", "ANONYMOUS"'
USERS = ('user "alice" { password = "pencil-0f" }\nuser "bob" { password = "caf\u00e9,=\\"x" }\n'
         'user "o.k@x-1_y" { password = "pencil-1f" }\n')
m = Broker("main", 'tsp { listen = { "[::1]:0", "127.0.0.1:0", "unix:tsp.sock" }\n mechanisms = { %s }\n'
    ' realm = "example.net" }\ntls { listen = { "[::1]:0" } cert = "server.pem" key = "server.key" ca = "ca.pem" }\n'
    'log { level = debug  format = logfmt }\n%s%s%s' % (ALL, TEP, POOL, USERS))
numbers = itertools.count(1)


def fresh6():
    return b"2001:db8:77::%x" % next(numbers)


# ---- ways in ----


def make_certificates(folder):
    def run(*args):
        subprocess.run(("openssl",) + args, check=True, capture_output=True, cwd=folder, timeout=60)

    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
        "ca.pem", "-subj", "/CN=Test CA", "-days", "2")
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "rogue-ca.key",
        "-out", "rogue-ca.pem", "-subj", "/CN=Test CA", "-days", "2")
    for name, cn, ca in (("server", "localhost", "ca"), ("alice", "alice", "ca"), ("rogue", "alice", "rogue-ca"),
            ("nobody", "nobody", "ca"), ("old", "alice", "ca")):
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out",
            name + ".csr", "-subj", "/CN=" + cn)
        ext = folder + "/" + name + ".ext"
        with open(ext, "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:localhost\n" if name == "server" else "basicConstraints=CA:FALSE\n")
        run("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-out",
            name + ".pem", "-days", "-1" if name == "old" else "2", "-extfile", ext)


def tls_context(cert=None):
    c = ssl.create_default_context(cafile=m.dir + "/state/ca.pem")
    if cert:
        c.load_cert_chain("%s/state/%s.pem" % (m.dir, cert), "%s/state/%s.key" % (m.dir, cert))
    return c


def tcp():
    return Stream(m.tcp())


def tcp4():
    return Stream(m.tcp("127.0.0.1"))


def tls(cert=None):
    return Stream(("::1", m.port("tsps")), tls_context(cert))


def unix():
    return Stream(m.dir + "/tsp.sock")


def udp():
    return Udp(m.udp())


WAYS = {"TCP": tcp, "TCP over IPv4": tcp4, "TLS": tls, "UDP": udp, "a Unix socket": unix}


def session(way=tcp, version=b"2.0.0"):
    s = way()
    need(s.hello(version).startswith(b"CAPABILITY TUNNEL=V4V6 AUTH="), "capability")
    need(login_anonymous(s) == OK, "anonymous login")
    return s


def alice(way=tcp, version=b"2.0.0"):
    s = way()
    s.hello(version)
    need(login_scram(s, "sha256", "alice", "pencil-0f") == OK, "alice's login")
    return s


def give_back(s, lease):
    need(s.ask(message(b"delete", lease.v6, lease.v4)) == (b"200 Success", None), "delete")


def served():
    """Somebody new is served, and nothing is left of it."""
    s = session(version=b"1.0")
    give_back(s, leased(s.ask(create(fresh6()))))
    s.close()


def closes(s):
    if isinstance(s, Udp):
        s.exchange(b"VERSION=2.0.0\r\n")  # a session of UDP has no end to see
        return
    s.closed()


def hello(way):
    s = way()
    s.hello(b"2.0.1")
    return s
