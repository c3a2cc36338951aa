# SPDX-License-Identifier: BSD-2-Clause
"""What needs a configuration or a network of its own: redirects, refusing tunnel end points, limits per source
(in a network namespace without anything else: "net" as argument), mistakes in the configuration, the end under load.
Run by tsp.test."""
import os
import socket
import sys
import threading
import time

from tsp_house import POOL, TEP, Broker, Tap
from tsp_wire import (ACCEPT, Broken, Stream, Udp, create, frame, leased, login_anonymous, login_digest, login_scram,
    message, need)

OK = b"200 Success\r\n"
NO = b"300 Authentication failed\r\n"
LOCAL = 'tsp { listen = { "[::1]:0" } mechanisms = { "SCRAM-SHA-256", "DIGEST-MD5", "ANONYMOUS" } realm = "example.net" }\n'
USER = 'user "alice" { password = "pencil-0f" }\n'
OTHERS = 'redirect { broker = { "[2001:db8::53]:3653", "tsp2.example.net", "192.0.2.53", "192.0.2.54:99" } %s }\n'
LIST = (b'<tunnel action="list" type="broker">\r\n <broker>\r\n  <address type="ipv6">[2001:db8::53]:3653</address>\r\n'
    b' </broker>\r\n <broker>\r\n  <address type="dn">tsp2.example.net</address>\r\n </broker>\r\n <broker>\r\n'
    b'  <address type="ipv4">192.0.2.53</address>\r\n </broker>\r\n <broker>\r\n'
    b'  <address type="ipv4">192.0.2.54:99</address>\r\n </broker>\r\n</tunnel>\r\n')
tap = Tap()


def session(where, version=b"2.0.0", source=None):
    s = where if hasattr(where, "hello") else Stream(where, source=source)
    need(s.hello(version).startswith(b"CAPABILITY TUNNEL=V4V6 AUTH="), "capability")
    need(login_anonymous(s) == OK, "login")
    return s


def bare_list(s, line):
    """An unframed status with the list behind it, all in one read."""
    end = time.monotonic() + 5
    while s.more(end):
        pass
    need(s.buf == line + LIST, "%r" % s.buf)


# ---- redirects, section 11 ----


def redirect_full():
    b = Broker("full", LOCAL + TEP + 'pool "default" { range = { "198.51.100.9" } tep = "edge1" quarantine = 0 }\n'
        + OTHERS % "")
    b.start()
    s = session(b.tcp(), b"1.0")
    lease = leased(s.ask(create(b"2001:db8:1::1")))
    for version, code in ((b"1.0", b"1306 Address Pool Exhausted"), (b"2.0.0", b"1301 No more tunnels available")):
        for way in (lambda: Stream(b.tcp()), lambda: Udp(b.udp())):
            t = session(way(), version)
            need(t.ask(create(b"2001:db8:1::2")) == (code, LIST[:-2]), "full, %r" % version)
            need(t.ask(message(b"create", b"2001:db8:1::2", attributes=b' type="v6v4"'))[0].startswith(b"1303 "), "1303")
            # what others cannot help with has no list
            need(t.ask(create(b"zzz"))[0][:4] in (b"309 ", b"502 "), "no redirect")
            need(t.ask(create(b"2001:db8:1::2", lease.v4))[0].startswith(b"308 "), "no redirect")
            t.close()
    t = Stream(b.tcp())
    t.send(b"VERSION=9.9\r\n")
    bare_list(t, b"1302 Unsupported client version\r\n")
    t.close()
    t = Udp(b.udp())
    need(t.hello(b"9.9") == b"1302 Unsupported client version\r\n" + LIST, "1302 over UDP")
    t.close()
    t = Stream(b.tcp())
    t.hello(b"2.0.0")
    need(login_scram(t, "sha256", "alice", "x") == NO, "300: the others do not know better")
    t.close()
    # the holder renews; when it gives the address back, the next one gets it
    leased(s.ask(create(b"2001:db8:1::1", lease.v4)))
    need(s.ask(message(b"delete", b"2001:db8:1::1", lease.v4))[0] == b"200 Success", "delete")
    s.close()
    t = session(b.tcp(), b"1.0")
    leased(t.ask(create(b"2001:db8:1::2")))
    t.close()
    b.stop()


def redirect_always():
    b = Broker("always", LOCAL + TEP + POOL + USER)
    b.start()
    s = session(b.tcp(), b"1.0")
    lease = leased(s.ask(create(b"2001:db8:1::1")))
    s.close()
    b.stop()
    with open(b.conf, "a", encoding="ascii") as f:
        f.write(OTHERS % 'when = "always"')
    b.start()
    s = session(b.tcp(), b"1.0")
    need(s.ask(create(b"2001:db8:1::2")) == (b"1306 Address Pool Exhausted", LIST[:-2]), "1306")
    need(leased(s.ask(create(b"2001:db8:1::1", lease.v4))).v4 == lease.v4, "holders renew")
    need(leased(s.ask(create(b"2001:db8:1::1"))).v4 == lease.v4, "or create anew")
    s.close()
    s = Stream(b.tcp())
    s.hello(b"2.0.0")
    s.send(b"AUTHENTICATE GSSAPI\r\n")
    bare_list(s, b"1300 Authentication failed\r\n")
    s.close()
    b.stop()


# ---- codes, section 6 ----


def refusing_tep():
    b = Broker("refusing", LOCAL + TEP.replace('"null"', '"test"').replace(" }", '  options = { "mode=fail" } }') + POOL)
    b.start()
    for version in (b"1.0", b"2.0.0"):
        s = session(b.tcp(), version)
        for _ in range(3):
            need(s.ask(create(b"2001:db8:1::1")) == (b"307 Configuration Error at TEP", None), "307")
        need(s.ask(message(b"info", b"2001:db8:1::1"))[0].startswith(b"308 "), "rolled back")
        s.close()
    b.wait_leases(0)
    b.stop()


def slow_tep():
    """A tunnel end point that takes its time: answers in order, nobody else waits, closing gives back."""
    b = Broker("slow-tep", LOCAL + TEP.replace('"null"', '"test"').replace(" }", '  options = { "mode=ok", "delay_ms=120" } }')
        + POOL)
    b.start()
    s, t = session(b.tcp()), session(b.tcp())
    s.send(frame(create(b"2001:db8:1::1")) + frame(ACCEPT) + frame(message(b"info", b"2001:db8:1::1")))
    begin = time.monotonic()
    need(t.ask(message(b"info", b"2001:db8:1::9"))[0].startswith(b"308 "), "others")
    need(time.monotonic() - begin < 0.1, "others wait")
    need(leased(s.reply()).v4 == leased(s.reply()).v4, "in order")
    s.close()
    # closed while the tunnel end point works: 2.x gives it back, also with the same client asking elsewhere
    s, u = session(b.tcp()), session(b.tcp(), b"1.0")
    s.send(frame(create(b"2001:db8:1::2")))
    u.send(frame(create(b"2001:db8:1::2")))
    s.close()
    kept = leased(u.reply())
    need(leased(u.ask(message(b"info", b"2001:db8:1::2"))).v4 == kept.v4, "the one who stayed")
    need(u.ask(message(b"delete", b"2001:db8:1::2", kept.v4))[0] == b"200 Success", "delete")
    # UDP: repetitions while it works get the one answer
    d = session(Udp(b.udp()), b"1.0")
    for stamp in (5, 6, 7):
        d.put(frame(create(b"2001:db8:1::3")), stamp=stamp)
    first = d.sock.recv(4096)
    need(b"200 Success" in first, "%r" % first)
    d.silent(0.2)
    d.close()
    t.close()
    u.close()
    b.wait_leases(2)
    b.stop()


def quota():
    b = Broker("quota", LOCAL + TEP + POOL + USER + "limits { leases-per-principal = 2 }\n")
    b.start()
    s = Stream(b.tcp())
    s.hello(b"1.0")
    need(login_scram(s, "sha256", "alice", "pencil-0f") == OK, "login")
    for n in (1, 2):
        leased(s.ask(create(b"2001:db8:1::%x" % n)))
    need(s.ask(create(b"2001:db8:1::3")) == (b"306 Address Pool Exhausted", None), "306")
    leased(s.ask(create(b"2001:db8:1::2")))
    t = Stream(b.tcp())
    t.hello(b"2.0.0")
    need(login_digest(t, "alice", "pencil-0f") == OK, "login")
    need(t.ask(create(b"2001:db8:1::3")) == (b"301 No more tunnels available", None), "301")
    s.close()
    t.close()
    b.stop()


def minutes():
    b = Broker("minutes", LOCAL.replace("realm", 'lifetime-unit = "minutes" realm') + TEP + POOL)
    b.start()
    for version, life in ((b"1.0", 3600), (b"2.0.0", 60)):
        s = session(b.tcp(), version)
        need(leased(s.ask(create(b"2001:db8:1::1"))).lifetime == life, "lifetime in %r" % version)
        s.close()
        time.sleep(0.1)
    b.stop()


# ---- configuration ----

MISTAKES = """state-dir = "/tmp"
colour = "red"
store { backend = "sqlite" path = "" cache-kib = "x" }
tsp {
    listen = { "[::]:65536", "unix:", "[::1]:0" }
    mechanisms = { "SCRAM-SHA-256", "GSSAPI" }
    realms = "x"
    udp = maybe
}
limits { connections = 0 }
tep "edge1" { plugin = "null"  ipv4 = "192.0.2.300"  ipv6 = "2001:db8::1" }
pool "a" { range = { "198.51.100.0/24" }  tep = "edge1" }
pool "b" { range = { "198.51.100.128-198.51.100.200" }  tep = "edge2" lifetime = "long" }
user "al ice" { password = "pencil-0f" }
"""
WANTED = {2: "colour", 3: "cache-kib", 5: "65536", 6: "GSSAPI", 7: "realms", 8: "udp", 10: "connections", 11: "192.0.2.300",
    13: "", 14: "title"}


def mistakes():
    b = Broker("mistakes", "")
    with open(b.conf, "w", encoding="ascii") as f:
        f.write(MISTAKES)
    for option in ("--check-config", "--foreground"):
        status, out = b.check(option)
        need(status == 1, "status %d" % status)
        for line, what in WANTED.items():
            need(any(l.startswith("%s:%d: " % (b.conf, line)) and what in l for l in out.splitlines()),
                "line %d (%s) is not in:\n%s" % (line, what, out))
        need("pencil-0f" not in out, "a password is shown")
    for text, line in (('tsp {\n listen = { "[::1]:0" }\n', None), ('pool "x" {\n', None), ("}\n", 1),
            ('state-dir = "/tmp\n', None), ("state-dir\n", None), ("\0\0\0", None), ("\xff\xfe{{{{", None)):
        with open(b.conf, "w", encoding="latin-1") as f:
            f.write(text)
        status, out = b.check("--check-config")
        need(status == 1 and out.startswith(b.conf + ":") and out.split(":")[1].isdigit(), "%r: %d %r" % (text, status, out))
        need(line is None or out.startswith("%s:%d:" % (b.conf, line)), "%r: %r" % (text, out))
    os.unlink(b.conf)
    need(b.check("--check-config")[0] == 1, "no file")


# ---- the end ----


def stop_under_load():
    b = Broker("load", LOCAL + TEP + POOL.replace("198.51.100.0/24", "198.51.100.0/24\", \"10.0.0.0/16") + USER)
    b.start()
    going = True

    def load(n):
        i = 0
        while going:
            i += 1
            try:
                s = session(b.tcp(), b"1.0")
                for _ in range(20):
                    s.frame(create(b"2001:db8:%x::%x" % (n, i)))
                    s.reply()
                s.close()
            except (Broken, OSError):
                time.sleep(0.01)

    threads = [threading.Thread(target=load, args=(n,), daemon=True) for n in range(1, 7)]
    for t in threads:
        t.start()
    # besides: one who never reads, one in the middle of a frame, one in the middle of a login, one idle, UDP
    deaf = session(b.tcp(), b"1.0")
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.sock.setblocking(False)
    try:
        for _ in range(3000):
            deaf.sock.send(frame(create(b"2001:db8:ff::1")))
    except BlockingIOError:
        pass
    half = session(b.tcp())
    half.send(b"Content-length: 100\r\n<tun")
    login = Stream(b.tcp())
    login.hello(b"2.0.0")
    login.begin(b"DIGEST-MD5")
    idle, d = session(b.tcp(), b"1.0"), session(Udp(b.udp()))
    leased(idle.ask(create(b"2001:db8:fe::1")))
    time.sleep(0.7)
    try:
        b.stop(5.0)
    finally:
        going = False
    for t in threads:
        t.join(5)
    for x in (deaf, half, login, idle, d):
        x.close()
    status, out = b.check("--check-db")
    need(status == 0 and "; 0 faults" in out, out)
    b.start()
    s = session(b.tcp(), b"1.0")
    leased(s.ask(message(b"info", b"2001:db8:fe::1")))
    s.close()
    b.stop()


# ---- limits, in a namespace of our own ----

NET = ('tsp { listen = { "[::]:0" } mechanisms = { "SCRAM-SHA-256", "ANONYMOUS" } }\n'
    'limits { connections-per-source = 8 connections-per-network = 12 requests-per-source = 20 leases-per-network = 3'
    ' udp-sessions = 16 login-backoff-ms = 400 login-backoff-max-ms = 1600 }\n')
A, B_, C, D = "2001:db8:1::a", "2001:db8:1::b", "2001:db8:1::c", "2001:db8:2::d"


def connections(b):
    where = (A, b.port("tsp", "[::]"))
    took = [Stream(where, source=A) for _ in range(8)]
    for s in took:
        s.hello(b"2.0.0")
    s = Stream(where, source=A)
    need(s.line().startswith(b"530 "), "the ninth of a source")
    s.closed()
    s.close()
    others = [Stream(where, source=B_) for _ in range(4)]
    for s in others:
        s.hello(b"2.0.0")
    s = Stream(where, source=C)
    need(s.line().startswith(b"530 "), "the thirteenth of a /64")
    s.close()
    s = session(where, source=D)
    s.close()
    for s in took + others:
        s.close()
    end = time.monotonic() + 5
    while True:  # their ends are noticed soon
        s = Stream(where, source=A)
        s.send(b"VERSION=2.0.0\r\n")
        if s.line().startswith(b"CAPABILITY "):
            break
        need(time.monotonic() < end, "still counted")
        s.close()
        time.sleep(0.05)
    s.close()


def sources(b):
    """ANONYMOUS may name its own address only; a user any, also over IPv4."""
    where = (A, b.port("tsp", "[::]"))
    for version, code in ((b"1.0", b"309 "), (b"2.0.0", b"502 ")):
        s = session(where, version, source=A)
        for other in (B_.encode(), b"::1", b"2001:db8:9::9"):
            need(s.ask(create(other))[0].startswith(code), "%r named by A" % other)
        for action in (b"info", b"delete", b"create"):
            need(s.ask(message(action, B_.encode(), b"198.51.100.4"))[0].startswith(b"308 "), "308")
        s.close()
    s = session(("192.0.2.77", where[1]), b"1.0", source="192.0.2.77")
    need(s.ask(create(A.encode()))[0].startswith(b"309 "), "ANONYMOUS over IPv4")
    s.close()
    s = Stream(("192.0.2.77", where[1]), source="192.0.2.77")
    s.hello(b"1.0")
    need(login_scram(s, "sha256", "alice", "pencil-0f") == OK, "login over IPv4")
    lease = leased(s.ask(create(b"2001:db8:9::9")))
    need(s.ask(create(b"::1"))[0].startswith(b"309 "), "loopback named from afar")
    need(s.ask(message(b"delete", b"2001:db8:9::9", lease.v4))[0] == b"200 Success", "delete")
    s.close()


def networks(b):
    """Three ANONYMOUS leases of a /64, however often they are renewed, given back and taken again."""
    port = b.port("tsp", "[::]")
    took = []
    for n in range(1, 4):
        a = "2001:db8:3::%x" % n
        s = session((A, port), b"1.0", source=a)
        for _ in range(5):
            lease = leased(s.ask(create(a.encode())))
            need(s.ask(message(b"delete", a.encode(), lease.v4))[0] == b"200 Success", "delete")
            lease = leased(s.ask(create(a.encode())))
            leased(s.ask(create(a.encode(), lease.v4)))
        took.append((s, a, lease))
    need(leased(s.ask(create(a.encode()))).v4 == lease.v4, "at the limit, holders may create anew")
    s = session((A, port), b"1.0", source="2001:db8:3::4")
    need(s.ask(create(b"2001:db8:3::4"))[0].startswith(b"306 "), "the fourth of a /64")
    other = session((A, port), b"1.0", source=D)
    lease = leased(other.ask(create(D.encode())))
    need(other.ask(message(b"delete", D.encode(), lease.v4))[0] == b"200 Success", "delete")
    other.close()
    t, a, lease = took[0]
    need(t.ask(message(b"delete", a.encode(), lease.v4))[0] == b"200 Success", "delete")
    lease = leased(s.ask(create(b"2001:db8:3::4")))
    need(s.ask(message(b"delete", b"2001:db8:3::4", lease.v4))[0] == b"200 Success", "delete")
    for t, a, lease in took[1:]:
        need(t.ask(message(b"delete", a.encode(), lease.v4))[0] == b"200 Success", "delete")
    for t, a, lease in took:
        t.close()
    s.close()


def rate(b):
    s = session((A, b.port("tsp", "[::]")), b"1.0", source="2001:db8:4::1")
    s.send(frame(message(b"info", b"2001:db8:4::1")) * 60)
    got = [s.reply()[0][:4] for _ in range(60)]
    need(got[:30] == [b"308 "] * 30 and got[-1] == b"530 ", "%r" % got)
    time.sleep(0.3)
    need(s.ask(message(b"info", b"2001:db8:4::1"))[0].startswith(b"308 "), "later")
    s.close()


def backoff(b):
    where = (A, b.port("tsp", "[::]"))
    times = []

    def login(password, source="2001:db8:5::1"):
        s = Stream(where, source=source)
        s.hello(b"2.0.0")
        t = time.monotonic()
        verdict = login_scram(s, "sha256", "alice", password)
        s.close()
        return verdict, time.monotonic() - t

    for want in (0, 0.4, 0.8, 1.6, 1.6):
        verdict, took = login("x")
        times.append(took)
        need(verdict == NO and want <= took < want + 0.35, "failed logins: %r" % times)
    verdict, took = login("pencil-0f")
    need(verdict == OK and took < 0.35, "a good login waited %.2f s" % took)
    verdict, took = login("x", "2001:db8:5::2")
    need(verdict == NO and took < 0.35, "another source waited %.2f s" % took)
    # a good login while a bad one waits
    t = threading.Thread(target=login, args=("x",))
    t.start()
    time.sleep(0.1)
    verdict, took = login("pencil-0f")
    need(verdict == OK and took < 0.35, "a good login beside it: %.2f s" % took)
    t.join()


def half_open(b):
    """At the cap newcomers over UDP are not answered; who is in a session goes on; loopback's cap is the same."""
    where = (A, b.port("tsp-udp", "[::]"))
    inside = session(Udp(where, source="2001:db8:6::1"), b"1.0")
    all_ = []
    for n in range(20):
        s = Udp(where, source="2001:db8:7::%x" % (n + 1))
        key = s.put(b"VERSION=2.0.0\r\n")
        try:
            s.get(key, 0.5 if n < 16 else 0.1)
            all_.append(s)
        except Broken:
            s.close()
    need(len(all_) == 16, "%d half-open sessions" % len(all_))
    need(inside.ask(message(b"info", b"2001:db8:6::1"))[0].startswith(b"308 "), "who is inside")
    # answers come from the address that was asked
    for s in all_:
        s.sequence += 1
        need(login_anonymous(s) == OK, "login")
        s.close()
    s = session(Udp(where, source="2001:db8:8::1"))
    s.close()
    inside.close()


def main_net():
    b = Broker("net", NET + TEP + POOL + USER).start()
    for what, fn in (("connections per source and network", connections), ("what a source may name", sources),
            ("ANONYMOUS leases per network", networks), ("requests per source", rate),
            ("failed logins are answered late, good ones never", backoff), ("half-open sessions over UDP", half_open)):
        tap.case(what, fn, b)
    tap.case("it ends in time, with status 0", b.stop)
    return tap.done()


def main():
    tap.case("redirects when the pool is full", redirect_full)
    tap.case("redirects by configuration", redirect_always)
    tap.case("a tunnel end point that refuses: 307", refusing_tep)
    tap.case("a slow tunnel end point", slow_tep)
    tap.case("a user's quota: 306, 301", quota)
    tap.case("lifetimes in minutes", minutes)
    tap.case("mistakes in the configuration, all with file and line", mistakes)
    tap.case("SIGTERM under load", stop_under_load)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main_net() if sys.argv[1:] == ["net"] else main())
