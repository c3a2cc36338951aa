# SPDX-License-Identifier: BSD-2-Clause
"""Logins: guide/tsp.md section 3, and as deployed clients do it (section 9)."""
import re
import ssl
import time

from tsp_wire import (ACCEPT, Broken, Digest, Lease, Scram, b64, create, frame, leased, login_digest, login_plain,
    login_scram, message, need, pushed, unb64)
from tsp_ways import NO, OK, alice, closes, fresh6, give_back, hello, session, tcp, tcp4, tls, udp, unix

# ---- section 3 ----


def refused(s, login, *args, **kw):
    line = login(s, *args, **kw)
    need(line == NO, "%r" % line)
    closes(s)
    s.close()


def capabilities():
    names = lambda s: re.fullmatch(rb"CAPABILITY TUNNEL=V4V6((?: AUTH=[A-Z0-9-]+)+)\r\n", s.hello(b"2.0.0"))[1]
    clear = b" AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=DIGEST-MD5 AUTH=ANONYMOUS"
    for way in (tcp, tcp4, udp, unix):
        need(names(way()) == clear, "offered in the clear")
    need(names(tls()) == b" AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=DIGEST-MD5 AUTH=PLAIN AUTH=EXTERNAL AUTH=ANONYMOUS",
        "offered on TLS")
    for way in (tcp, udp, unix):
        for mech in (b"PLAIN", b"EXTERNAL"):
            s = hello(way)
            s.say(b"AUTHENTICATE " + mech + b"\r\n")
            need(s.line() == NO, "%s in the clear" % mech)
            s.close()


def scram(way, kind):
    for initial in (True, False):
        for gs2 in ("n,,", "y,,", "n,a=alice,"):
            s = hello(way)
            need(login_scram(s, kind, "alice", "pencil-0f", initial, gs2) == OK, "login with %s" % gs2)
            need(s.ask(message(b"info", b"2001:db8:66::1"))[0].startswith(b"308 "), "in COMMAND")
            s.close()
    s = hello(way)
    need(login_scram(s, kind, "o.k@x-1_y", "pencil-1f") == OK, "an odd name")
    s.close()
    s = hello(way)
    need(login_scram(s, kind, "bob", "caf\u00e9,=\"x") == OK, "a password in UTF-8")
    s.close()
    for user, password, more in (("alice", "pencil-2f", {}), ("mallory", "pencil-0f", {}), ("alice", "", {}),
            ("Alice", "pencil-0f", {}), ("alice", "pencil-0f", {"gs2": "n,a=bob,"}),
            ("a,b=c", "pencil-1f", {}), ("alice", "pencil-0f", {"nonce": "rOprNGfwEbeRWgbNEkqO"}), ("alice@example.net", "pencil-0f", {})):
        refused(hello(way), login_scram, kind, user, password, **more)
    # nobody at all; channel binding that was not offered; an abort
    mech = b"SCRAM-SHA-1" if kind == "sha1" else b"SCRAM-SHA-256"
    for text in (b64(b"n,,n=,r=abcdefgh"), b"*", b"", b64(b"n,,n=al\0ice,r=abc")):
        s = hello(way)
        s.begin(mech)
        s.say(text + b"\r\n")
        need(s.line() == NO, "%r: %r" % (text, s))
        s.close()
    s = hello(way)
    s.initial(mech, Scram(kind, "alice", "x").first())
    s.challenge()
    s.say(b"*\r\n")
    need(s.line() == NO, "abort")
    closes(s)
    s.close()


def digest(way):
    for quirks in ({}, {"charset": "utf8"}, {"charset": "utf8", "quote": False}, {"charset": None}, {"quote": False},
            {"uri": "tsp/hexos"}, {"uri": "tsp/192.0.2.1:3653"}, {"authzid": "alice"}):
        s = hello(way)
        need(login_digest(s, "alice", "pencil-0f", **quirks) == OK, "%r" % quirks)
        s.close()
    for user, password, quirks in (("alice", "pencil-2f", {}), ("mallory", "pencil-0f", {}), ("", "pencil-0f", {}),
            ("a,b=c", "pencil-1f", {}), ("alice", "pencil-0f", {"nonce": "foreign"}), ("alice", "pencil-0f", {"authzid": "bob"}),
            ("alice", "pencil-0f", {"realm": "other.net"})):
        refused(hello(way), login_digest, user, password, **quirks)


def plain():
    for form in ("initial", "base64", "raw"):
        for authzid in ("", "alice"):
            s = hello(tls)
            need(login_plain(s, "alice", "pencil-0f", form, authzid) == OK, "%s %r" % (form, authzid))
            s.close()
        for user, password, authzid in (("alice", "pencil-2f", ""), ("mallory", "pencil-0f", ""),
                ("alice", "pencil-0f", "bob"), ("", "pencil-0f", ""), ("alice", "", "")):
            refused(hello(tls), login_plain, user, password, form, authzid)
    s = hello(tls)
    need(login_plain(s, "bob", "caf\u00e9,=\"x", "raw") == OK, "UTF-8, raw")
    s.close()
    # the NUL of deployed clients after it, and theirs before the next message
    s = hello(tls)
    s.send(b"AUTHENTICATE PLAIN\r\n\0")
    s.send(b"\0alice\0pencil-0f\r\n\0")
    need(s.line() == OK, "raw with NULs around")
    s.close()
    for text in (b"AAAA", b64(b"alice"), b64(b"\0alice"), b64(b"\0alice\0pencil-0f\0x"), b"\0alice", b"a\0b\0c\0d"):
        s = hello(tls)
        s.begin(b"PLAIN")
        s.send(text + b"\r\n")
        need(s.line() == NO, "PLAIN %r" % text)
        s.close()


def external():
    for form in (b"AUTHENTICATE EXTERNAL =\r\n", b"AUTHENTICATE EXTERNAL " + b64(b"alice") + b"\r\n"):
        s = tls("alice")
        s.hello(b"2.0.0")
        s.send(form)
        need(s.line() == OK, "certificate")
        s.close()
    s = tls("alice")
    s.hello(b"2.0.0")
    s.begin(b"EXTERNAL")
    s.silent(0.1)
    s.send(b"\r\n")
    need(s.line() == OK, "with an empty response")
    # the certificate's alice is the password's alice
    v6 = fresh6()
    lease = leased(s.ask(create(v6)))
    s.frame(ACCEPT)
    other = alice()
    need(leased(other.ask(message(b"info", v6, lease.v4))).v4 == lease.v4, "not the same user")
    give_back(other, lease)
    pushed(s.reply())
    other.close()
    s.close()
    for cert, text in ((None, b"="), ("rogue", b"="), ("old", b"="), ("alice", b64(b"bob"))):
        try:
            s = tls(cert)
            s.hello(b"2.0.0")
            s.send(b"AUTHENTICATE EXTERNAL " + text + b"\r\n")
            need(s.line() == NO, "%s %s" % (cert, text))
        except (ssl.SSLError, ConnectionError, Broken) as e:
            need(cert in ("rogue", "old") and "300" not in str(e), "%s: %s" % (cert, e))
        s.close()


def anonymous(way):
    for text in (b"AUTHENTICATE ANONYMOUS\r\n", b"AUTHENTICATE ANONYMOUS =\r\n", b"authenticate anonymous\r\n\0",
            b"AUTHENTICATE ANONYMOUS " + b64(b"me@example.net") + b"\r\n", b"AUTHENTICATE  ANONYMOUS \r\n"):
        s = hello(way)
        s.say(text)
        need(s.line() == OK, "%r" % text)
        s.close()


def deployed_login():
    """gogoc 1.2: a NUL behind AUTHENTICATE, one recv() for each answer."""
    for _ in range(5):
        s = tcp()
        s.send(b"VERSION=2.0.2\r\n")
        need(s.sock.recv(4096).endswith(b"\r\n"), "capability in one read")
        s.send(b"AUTHENTICATE DIGEST-MD5\r\n\0")
        s.buf = s.sock.recv(4096)
        x = Digest("alice", "pencil-0f", charset="utf8", quote=False, uri="tsp/[::1]:3653")
        challenge = s.challenge()
        s.send(b64(x.respond(challenge)) + b"\r\n")
        first = s.sock.recv(4096)
        t = time.monotonic()
        x.check(unb64(first))
        need(s.sock.recv(4096) == OK, "the verdict by itself")
        need(0.02 <= time.monotonic() - t <= 1.0, "%.3f s between them" % (time.monotonic() - t))
        v6 = fresh6()
        s.send(frame(b'<tunnel action="create" type="v4v6" proxy="no">\r\n <client>\r\n  <address type="ipv6">' + v6
            + b"</address>\r\n </client>\r\n</tunnel>"))
        got = s.sock.recv(4096)
        head, body = got.split(b"\r\n", 1)
        need(head == b"Content-length: %d" % len(body), "offer in one read: %r" % got)
        s.send(frame(ACCEPT))
        lease = Lease(body[len(OK):-2])
        give_back(s, lease)
        s.close()


def second_login():
    for way in (tcp, udp):
        s = session(way)
        s.say(b"AUTHENTICATE ANONYMOUS\r\n")
        need(s.reply()[0].startswith(b"500 "), "a second AUTHENTICATE")
        closes(s)
        s.close()


def timing():
    """An unknown user and a wrong password take the same time."""
    def take(user):
        all_ = []
        for _ in range(7):
            s = hello(tcp)
            t = time.monotonic()
            need(login_scram(s, "sha256", user, "pencil-2f") == NO, "refused")
            all_.append(time.monotonic() - t)
            s.close()
        return sorted(all_)[3]

    known, unknown = take("alice"), take("mallory")
    need(0.3 < known / unknown < 3.3, "%.4f s and %.4f s" % (known, unknown))
