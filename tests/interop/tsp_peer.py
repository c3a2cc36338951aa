# SPDX-License-Identifier: BSD-2-Clause
"""The real causewayd on loopback against guide/tsp.md, over TCP, TLS, UDP and Unix sockets, by a client that
shares no code with it. Run by tsp.test; see tsp_house.py for the environment."""
import base64
import socket
import sys
import threading
import time

import tsp_rows
from tsp_house import POOL, TEP, Broker, Tap
from tsp_logins import (anonymous, capabilities, deployed_login, digest, external, plain, scram, second_login, timing)
from tsp_wire import (ACCEPT, REJECT, Broken, Lease, Stream, Udp, create, frame, leased, login_anonymous, login_digest,
    message, need, pushed)
from tsp_ways import (OK, WAYS, alice, closes, fresh6, give_back, m, make_certificates, served, session, tcp, tcp4, udp,
    unix)

SECRETS = ["pencil-0f", "pencil-1f", "pencil-2f", "caf\u00e9"]
tap = Tap()

# ---- section 12 ----


def one_row(way, version, row):
    number, stage, text, codes, closing = row
    want = codes[0 if version.startswith(b"1") else 1]
    s = way()
    if stage == "H" and isinstance(s, Udp) and not text.startswith(b"VERSION="):
        s.close()
        return
    if stage != "H":
        s.hello(version)
    if stage in "CB":
        need(login_anonymous(s) == OK, "login")
    s.say(frame(text) if stage == "B" else text)
    if want is None:
        if isinstance(s, Udp):
            need(s.answer == b"", "not empty: %r" % s.answer)
        need(s.ask(message(b"info", tsp_rows.ME))[0][:4] == b"308 ", "not silent")
    elif stage in "HA":
        line = s.line()
        need(line[:4] == want + b" " and line[4:5].isalpha(), "%r, wanted %r" % (line, want))
    else:
        got = s.reply()
        need(got[0][:4] == want + b" " and got[1] is None, "%r, wanted %r" % (got, want))
        if stage == "B":  # the connection survives
            if text.count(b"<") <= 64:
                need(s.ask(message(b"info", tsp_rows.ME))[0][:4] == b"308 ", "did not survive")
    if closing and want:
        if number == 8:  # what the cut leaves behind is no header
            need(s.reply()[0].startswith(b"500 "), "the rest")
        closes(s)
    s.close()


def rows_over(way, version):
    bad = []
    for row in tsp_rows.rows(exempt=True):
        if way is udp and (len(row[2]) > 1400 or row[0] == 8 or (row[1] != "H" and row[2].startswith(b"VERSION"))):
            continue  # a VERSION begins a new session there
        try:
            one_row(way, version, row)
        except (Broken, OSError) as e:
            bad.append("row %s %s %r: %s" % (row[0], row[1], row[2][:70], e))
    need(not bad, "%d rows:\n%s" % (len(bad), "\n".join(bad)))
    served()
    m.settled()


def hello_rows(way):
    for number, text, want in tsp_rows.hello_rows():
        s = way()
        s.send(text)
        line = s.line()
        need(line.startswith(want), "row %d %r: %r" % (number, text[:40], line))
        s.closed()
        s.close()
    served()


def udp_unknown_is_dropped():
    s = udp()
    for text in (b"GET / HTTP/1.1\r\n", b"AUTHENTICATE ANONYMOUS\r\n", frame(create(b"2001:db8:66::1")), b""):
        s.put(text)
    s.sock.send(b"\xf0\0\0\xf0\0\0\0")
    s.sock.send(b"")
    s.sock.send(b"\x70\0\0\xf0\0\0\0\1VERSION=2.0.0\r\n")
    s.silent(0.2)
    s.close()


def big_things(way):
    # 64 KiB without a line end, in every state.
    for stage in range(3):
        s = way()
        if stage > 0:
            s.hello(b"2.0.0")
        if stage > 1:
            login_anonymous(s)
        s.send(b"x" * 65536)
        got = s.reply()[0] if stage > 1 else s.line()
        need(got.startswith(b"500 "), "%r" % got)
        s.closed()
        s.close()
    # a SASL line of more than 4 KiB
    s = way()
    s.hello(b"2.0.0")
    s.begin(b"SCRAM-SHA-256")
    s.send(b"A" * 70000 + b"\r\n")
    need(s.line().startswith(b"500 "), "a long SASL line")
    s.closed()
    s.close()
    # deep, wide and long XML
    for body in (b"<a>" * 2700, b'<tunnel action="create" type="v4v6">' + b"<a/>" * 1000 + b"</tunnel>",
            b"<a>" * 9 + b"</a>" * 9, b'<tunnel action="info">' + b"<a>" * 30 + b"</a>" * 30 + b"</tunnel>"):
        s = session(way)
        s.frame(body)
        need(s.reply()[0].startswith(b"500 "), "XML %r" % body[:30])
        s.closed()
        s.close()
    s = session(way)
    s.send(b"Content-length: 60007\r\n" + b"<a>" * 10000 + b"</a>" * 10000)
    need(s.reply()[0].startswith(b"500 "), "10,000 nested elements")
    s.closed()
    s.close()
    s = session(way)  # 8,000 attributes' worth of octets is content
    s.frame(b"<tunnel " + b"".join(b'a%d="" ' % i for i in range(800)) + b"/>")
    need(s.reply()[0].startswith(b"500 "), "many attributes")
    s.close()
    served()


def cut_frames(way):
    body = create(b"2001:db8:66::1")
    s = session(way)
    s.send(b"Content-length: 500\r\n" + body + b"\r\n")
    s.half_close()
    try:
        need(s.reply()[0].startswith(b"500 "), "N too long")
    except Broken as e:
        need("closed" in str(e), str(e))
    s.close()
    # what follows a frame whose N leaves its line end out
    s = session(way)
    s.send(b"Content-length: %d\r\n%s\r\n" % (len(body), body))
    lease = leased(s.reply())
    s.frame(ACCEPT)
    give_back(s, lease)
    s.close()
    # three times 500 for content, then the end
    s = session(way)
    for _ in range(3):
        need(s.ask(b"<a/>")[0].startswith(b"500 "), "content")
    need(s.ask(b"<a/>")[0].startswith(b"500 "), "content")
    s.closed()
    s.close()
    m.settled()


# ---- row 20, 21, 23 ----


def segments(way):
    """Octet by octet, and everything in one."""
    v6 = fresh6()
    text = b"VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\n" + frame(create(v6)) + frame(ACCEPT)
    s = way()
    for i in range(len(text)):
        s.send(text[i:i + 1])
    need(s.line().startswith(b"CAPABILITY ") and s.line() == OK, "login")
    give_back(s, leased(s.reply()))
    s.close()
    s = way()
    s.send(text + frame(message(b"info", v6)) + frame(create(v6)) * 3 + frame(b"<a/>") + frame(message(b"info", v6)))
    need(s.line().startswith(b"CAPABILITY ") and s.line() == OK, "login")
    lease = leased(s.reply())
    for _ in range(4):
        need(leased(s.reply()).v4 == lease.v4, "not the same lease")
    need(s.reply()[0].startswith(b"500 "), "bad content in the middle")
    need(leased(s.reply()).v4 == lease.v4, "after it")
    give_back(s, lease)
    s.close()
    # a whole SCRAM login does not fit, but the rest of a session does; a reject in the same segment
    s = way()
    s.send(b"VERSION=2.0.0\nAUTHENTICATE ANONYMOUS\n\0" + frame(create(v6)) + b"\0" + frame(REJECT)
        + frame(message(b"info", v6)))
    need(s.line().startswith(b"CAPABILITY ") and s.line() == OK, "login")
    leased(s.reply())
    need(s.reply()[0].startswith(b"308 "), "rejected, and yet there")
    s.close()
    m.settled()


def flood_one_segment():
    """Hundreds of requests before the first answer is read."""
    s = session(version=b"1.0")
    v6 = fresh6()
    n = 400
    threading.Thread(target=s.send, args=(frame(create(v6)) * n,), daemon=True).start()
    v4 = {leased(s.reply(30)).v4 for _ in range(n)}
    need(len(v4) == 1, "one client, %d leases" % len(v4))
    give_back(s, leased(s.ask(create(v6))))
    s.close()
    m.settled()


def spaces(way):
    """RFC 5572 4.4.3: spaces can be inserted freely; NULs and bare LF."""
    v6 = fresh6()
    body = create(v6)
    s = way()
    s.send(b"\0\0VERSION=1.0\n")
    s.version = b"1.0"
    need(s.line().startswith(b"CAPABILITY "), "hello")
    s.send(b"\0AUTHENTICATE anonymous\n\0")
    need(s.line() == OK, "login")
    for head in (b"Content-length: %d\r\n", b"content-LENGTH:%d\n", b"CONTENT-LENGTH \t:\t %d \r\n", b"\0\0\0\0Content-length: %d\r\n",
            b"\r\n\r\nContent-length: %05d\r\n"):
        n = len(body) + 1
        s.send(head % n + body + b"\n")
        lease = leased(s.reply())
    for odd in (body.replace(b"\r\n", b"").replace(b'"', b"'"), b"\xef\xbb\xbf" + body, b'<?xml version="1.0"?>' + body,
            b"<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n" + body,
            body.replace(v6, b"\r\n   " + v6.upper() + b"\t\n"), body.replace(b"2001:", b"&#50;001:"),
            create(b"fe80::1", v6), create(v6, v6), create(v6, b"fe80::1", b"fe80::2"),
            create(v6, attributes=b' proxy="no" mtu="1280" vendor:x="1" xmlns:vendor="urn:v"'),
            body.replace(b" </client>", b"<keepalive interval=\"30\"><address type=\"ipv4\">127.0.0.1</address></keepalive>"
                b"<unknown a='b'><deep/></unknown></client>"),
            body.replace(b" <client>", b" <server><address type=\"ipv4\">9.9.9.9</address></server> <client>")):
        need(leased(s.ask(odd)).v4 == lease.v4, "%r" % odd)
    give_back(s, lease)
    s.close()


# ---- sections 5, 6, 8 ----


def exact(way):
    """Section 5 to the octet."""
    s = session(way, b"1.0")
    v6 = fresh6()
    s.frame(create(v6, attributes=b' lifetime="1440"'))
    status, xml = s.reply()
    v4 = Lease(xml).v4
    want = (b'<tunnel action="info" type="v4v6" lifetime="1440">\r\n <server>\r\n'
        b'  <address type="ipv4" length="30">192.0.2.1</address>\r\n  <address type="ipv6">2001:db8::1</address>\r\n'
        b' </server>\r\n <client>\r\n  <address type="ipv4" length="32">' + v4 + b"</address>\r\n"
        b'  <address type="ipv6">' + v6 + b"</address>\r\n </client>\r\n</tunnel>")
    need(status == b"200 Success" and xml == want, "%r" % xml)
    # renewals by the address alone, with a length, asking for another lifetime
    need(leased(s.ask(create(v6, v4, attributes=b' lifetime="100"'))).lifetime == 100, "shorter")
    need(leased(s.ask(create(v6, v4).replace(b'"ipv4"', b'"ipv4" length="32"'))).lifetime == 3600, "the default")
    need(leased(s.ask(create(v6, v4, attributes=b' lifetime="4000000000"'))).lifetime == 3600, "clamped")
    need(leased(s.ask(create(v6, v4, attributes=b' lifetime="0"'))).lifetime == 3600, "0 is the default")
    need(leased(s.ask(create(v6))).v4 == v4, "created again")
    need(leased(s.ask(message(b"info", v6))).v4 == v4 and leased(s.ask(message(b"info", v6, v4))).v4 == v4, "info")
    # upper case and the long form of the same address are the same client; output is RFC 5952
    long_form = b"2001:0DB8:0077:0:0:0:0:" + v6.split(b":")[-1]
    need(leased(s.ask(create(long_form))).v6 == v6, "RFC 5952")
    s.frame(message(b"delete", v6, v4))
    need(s.reply() == (b"200 Success", None), "delete")
    for action in (b"info", b"delete"):
        need(s.ask(message(action, v6, v4)) == (b"308 Requested Address Unavailable", None), "gone")
    need(s.ask(create(v6, v4))[0].startswith(b"308 "), "renewal of what is gone")
    s.close()


def offers(way):
    """2.x: reject, a lost connection, accept."""
    v6 = fresh6()
    s = session(way)
    lease = leased(s.ask(create(v6)))
    s.frame(REJECT)
    need(s.ask(message(b"info", v6, lease.v4))[0].startswith(b"308 "), "rejected")
    leased(s.ask(create(v6)))
    s.close()
    if way is udp:
        s = Udp(m.udp())
        s.sock.close()
    else:
        m.settled()
    s = session(way)
    lease = leased(s.ask(create(v6)))
    s.frame(ACCEPT)
    s.close()
    t = session(version=b"1.0")
    need(leased(t.ask(message(b"info", v6))).v4 == lease.v4, "accepted, so it stays")
    give_back(t, lease)
    t.close()
    # 1.x: the lease is there with the info, and stays when the connection goes
    s = session(way, b"1.0")
    lease = leased(s.ask(create(v6)))
    s.close()
    t = session(version=b"2.0.0")
    need(leased(t.ask(create(v6))).v4 == lease.v4, "1.x has no accept")
    t.close()  # no accept of a lease that was there
    t = session(version=b"2.0.0")
    need(leased(t.ask(create(v6, lease.v4))).v4 == lease.v4, "renewals are no offers")
    give_back(t, lease)
    t.close()


def push_and_ack():
    v6, other6 = fresh6(), fresh6()
    s, t = session(version=b"1.0"), session(version=b"2.0.0")
    lease = leased(s.ask(create(v6, attributes=b' lifetime="1"')))
    need(lease.lifetime == 1, "one second")
    leased(t.ask(message(b"info", v6)))
    for x in (s, t):
        status, xml = x.reply(6)
        gone = pushed((status, xml))
        need((gone.v4, gone.v6) == (lease.v4, v6), "%r" % xml)
        x.frame(message(b"info", v6, lease.v4))  # the acknowledgement: no answer
        need(x.ask(message(b"info", other6))[0].startswith(b"308 "), "silence")
        need(x.ask(message(b"info", v6, lease.v4))[0].startswith(b"308 "), "the second is a question")
    need(s.ask(create(v6, lease.v4))[0].startswith(b"308 "), "renewal after the end")
    s.close()
    t.close()


def users():
    v6, moved6 = fresh6(), fresh6()
    s, t = alice(), alice(version=b"1.0")
    lease = leased(s.ask(create(v6)))
    s.frame(ACCEPT)
    need(leased(t.ask(create(v6))).v4 == lease.v4, "one lease per user and address")
    # moved by its user, from another connection: the old end hears of it
    need(leased(t.ask(create(moved6, lease.v4))).v4 == lease.v4, "moved")
    gone = pushed(s.reply())
    need((gone.v4, gone.v6) == (lease.v4, v6), "the old end")
    s.frame(message(b"info", v6, lease.v4))
    # not by others
    u = session(version=b"1.0")
    need(u.ask(create(fresh6(), lease.v4))[0].startswith(b"308 "), "moved by ANONYMOUS")
    need(u.ask(message(b"delete", moved6, lease.v4))[0].startswith(b"308 "), "deleted by ANONYMOUS")
    need(u.ask(create(moved6, lease.v4))[0].startswith(b"308 "), "taken by ANONYMOUS")
    b = tcp()
    b.hello(b"1.0")
    need(login_digest(b, "bob", "caf\u00e9,=\"x") == OK, "bob")
    for x in (create(moved6, lease.v4), create(fresh6(), lease.v4), message(b"delete", moved6, lease.v4),
            message(b"info", moved6, lease.v4)):
        need(b.ask(x)[0].startswith(b"308 "), "bob and alice's lease: %r" % x)
    # the same end with two identities: two leases, each its own
    bobs = leased(b.ask(create(moved6)))
    need(bobs.v4 != lease.v4, "two users, one address")
    give_back(b, bobs)
    lease = leased(t.ask(message(b"info", moved6, lease.v4)))  # untouched
    give_back(t, lease)
    for x in (s, t, u, b):
        x.close()
    m.settled()


def two_at_once():
    """The same client on many connections at once: one lease."""
    v6 = fresh6()
    all_ = [session(version=b"1.0") for _ in range(16)]
    for s in all_:
        s.send(frame(create(v6)))
    v4 = {leased(s.reply()).v4 for s in all_}
    need(len(v4) == 1, "%d leases" % len(v4))
    m.wait_leases(m.base + 1)
    for s in all_[1:]:
        s.close()
    lease = leased(all_[0].ask(create(v6)))
    give_back(all_[0], lease)
    all_[0].close()
    m.settled()


def offer_taken_over():
    """A connection with an offer goes while another one of the same client asks: what that one is told holds."""
    for n in range(40):
        v6 = fresh6()
        a, b = session(), session(version=b"1.0")
        leased(a.ask(create(v6)))
        b.send(frame(create(v6)))
        if n % 2:
            a.frame(REJECT)
        a.close()
        give_back(b, leased(b.reply()))
        b.close()
        # and when it is lost on the way
        a, b = session(), session(version=b"1.0")
        a.send(frame(create(v6)))
        b.send(frame(create(v6)))
        a.close()
        give_back(b, leased(b.reply()))
        b.close()
    m.settled()


def told_then_ended():
    """Who was told of a lease hears of its end, though both happened at the same moment."""
    for _ in range(60):
        v6 = fresh6()
        a, b = session(version=b"1.0"), session(version=b"1.0")
        lease = leased(a.ask(create(v6)))
        b.send(frame(create(v6)))
        a.send(frame(message(b"delete", v6, lease.v4)))
        again = leased(b.reply())
        # before it was the same lease, and its end follows; after it a new one, which stays
        try:
            status, xml = b.reply(0.3)
        except Broken:
            give_back(b, again)
        else:
            need(pushed((status, xml)).v4 == again.v4, "%r" % xml)
        a.close()
        b.close()
    m.settled()


def rejected_in_flight():
    """A connection dies while its create is being worked on: nothing is left."""
    for _ in range(30):
        s = session()
        s.send(frame(create(fresh6())))
        s.close()
    m.settled()


def half_closed():
    """Everything, then FIN: every answer comes, then the end."""
    for version, stays in ((b"2.0.0", False), (b"1.0", True)):
        v6 = fresh6()
        for way in (tcp, unix):
            s = way()
            s.send(b"VERSION=" + version + b"\r\nAUTHENTICATE ANONYMOUS\r\n" + frame(create(v6)))
            s.half_close()
            need(s.line().startswith(b"CAPABILITY ") and s.line() == OK, "login")
            lease = leased(s.reply())
            s.closed()
            s.close()
            if stays:
                t = session(version=b"1.0")
                give_back(t, lease)
                t.close()
        m.settled()


# ---- section 10 ----


def udp_duplicates():
    s = udp()
    key = s.put(b"VERSION=1.0\r\n", stamp=1)
    capability = s.get(key)
    for n in range(3):
        need(s.get(s.put(b"VERSION=1.0\r\n", stamp=2 + n)) == capability, "repeated")
    s.sequence += 1
    need(login_anonymous(s) == OK, "login")
    v6 = fresh6()
    text = frame(create(v6))
    first = s.get(s.put(text, stamp=7))
    lease = Lease(first.split(b"\r\n", 2)[2][:-2])
    s.put(text, stamp=8)
    need(s.get((s.sequence, 8)) == first, "repeated create")
    # the same number with another payload is another request (every client process starts at 240)
    need(Lease(s.get(s.put(frame(message(b"info", v6)), stamp=9)).split(b"\r\n", 2)[2][:-2]).v4 == lease.v4, "info")
    # three at once: one answer or three equal ones
    s.sequence += 1
    for n in range(3):
        s.put(frame(create(v6)), stamp=20)
    got = s.get((s.sequence, 20))
    s.sock.settimeout(0.2)
    try:
        while True:
            need(s.sock.recv(4096)[8:] == got, "another answer")
    except (TimeoutError, socket.timeout):
        pass
    s.sequence += 1
    give_back(s, lease)
    # a new process on the same port: VERSION starts anew whatever the number
    need(s.get(s.put(b"VERSION=2.0.0\r\n", sequence=0xF0, stamp=30)).startswith(b"CAPABILITY "), "restart")
    s.sequence = 0xF1
    need(s.exchange(b"AUTHENTICATE ANONYMOUS\r\n\0") == OK, "login after it")
    s.close()


def udp_octets():
    """Datagrams of every length and kind never get more than one answer, nor a large one."""
    s = udp()
    for n in (8, 9, 100, 1232, 1400, 2047, 2048, 2049, 8000):
        s.put(b"VERSION=2.0.0\r\n".ljust(max(n - 8, 15), b"\0"))
        s.sequence += 1
    s.sock.settimeout(0.3)
    n = 0
    try:
        while True:
            need(len(s.sock.recv(65536)) <= 1232, "large")
            n += 1
    except (TimeoutError, socket.timeout):
        pass
    need(n <= 9, "%d answers" % n)
    s.close()
    s = session(udp)
    # several pieces in one datagram, an empty one, a cut frame
    for text in (frame(ACCEPT) + frame(ACCEPT), b"", frame(ACCEPT)[:-9]):
        s.exchange(text)
        if s.answer:
            break
    s.close()
    # offers end with the 30 s, or when the same port begins anew
    s = session(udp)
    leased(s.ask(create(fresh6())))
    s.hello(b"2.0.0")
    m.settled()
    s.close()


# ---- slow ones, begun first ----


class Slow:
    """An octet per second, silence, an offer nobody answers: looked at again after 30 s. With a broker of their
    own, so that the leases of the others can be counted."""

    def __init__(self):
        self.broker = Broker("slow", 'tsp { listen = { "[::1]:0" } mechanisms = { "ANONYMOUS" } }\n'
            'tls { listen = { "[::1]:0" } cert = "%s/state/server.pem" key = "%s/state/server.key" }\n%s%s' % (
                m.dir, m.dir, TEP, POOL)).start()
        self.drops, self.mute, self.frame = self.tcp(), self.tcp(), session(self.tcp)
        self.tls_mute = socket.create_connection(("::1", self.broker.port("tsps")))
        self.offer, self.udp_offer = session(self.tcp), session(lambda: Udp(self.broker.udp()))
        self.offered6, self.udp6 = b"2001:db8:78::1", b"2001:db8:78::2"
        leased(self.offer.ask(create(self.offered6)))
        leased(self.udp_offer.ask(create(self.udp6)))
        self.begin = time.monotonic()
        self.took = self.frame_took = None
        self.frame.send(b"Content-length: 160\r\n<tunnel")
        for fn in (self.drip, self.wait_for_frame):
            threading.Thread(target=fn, daemon=True).start()

    def tcp(self):
        return Stream(self.broker.tcp())

    def drip(self):
        text = b"VERSION=" + b"2" * 1000
        for i in range(40):
            try:
                self.drops.sock.sendall(text[i:i + 1])
                self.drops.sock.settimeout(1)
                if not self.drops.sock.recv(1):
                    break
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                break
        self.took = time.monotonic() - self.begin

    def wait_for_frame(self):
        if self.frame.reply(15)[0].startswith(b"500 "):
            self.frame_took = time.monotonic() - self.begin
        self.frame.closed()

    def deadlines(self):
        end = self.begin + 38
        left = lambda: max(end - time.monotonic(), 1)
        while self.took is None and time.monotonic() < end:
            time.sleep(0.1)
        need(self.took and 28 < self.took < 34, "an octet per second: %r s" % self.took)
        need(self.frame_took and 9 < self.frame_took < 14, "an unfinished frame: %r s" % self.frame_took)
        self.mute.closed(left())
        self.tls_mute.settimeout(left())
        need(self.tls_mute.recv(1) == b"", "silence on TLS")
        # The offers are gone, the connection that had one is not.
        self.broker.wait_leases(0, 4)
        need(self.offer.ask(message(b"info", self.offered6))[0].startswith(b"308 "), "an offer of 30 s")
        t = session(self.tcp)
        need(t.ask(message(b"info", self.udp6))[0].startswith(b"308 "), "an offer of 30 s over UDP")
        t.close()
        self.broker.stop()


def main():
    make_certificates(m.dir + "/state")
    m.start()
    holder = session(version=b"1.0")
    need(leased(holder.ask(create(b"2001:db8:5::5"))).v4 == tsp_rows.OTHERS, "the first lease")
    slow = Slow()
    m_base = lambda: (m.rss_kib(), m.files())
    for name, way in WAYS.items():
        if way is not tcp4:
            for version in (b"1.0", b"2.0.0"):
                tap.case("malformed input over %s, VERSION=%s" % (name, version.decode()), rows_over, way, version)
        if way is not udp:
            tap.case("malformed first lines over " + name, hello_rows, way)
            tap.case("too long, deep, wide over " + name, big_things, way)
            tap.case("cut and miscounted frames over " + name, cut_frames, way)
            tap.case("segments over " + name, segments, way)
            tap.case("blanks, NULs and odd XML over " + name, spaces, way)
        tap.case("SCRAM-SHA-256 over " + name, scram, way, "sha256")
        tap.case("SCRAM-SHA-1 over " + name, scram, way, "sha1")
        tap.case("DIGEST-MD5 over " + name, digest, way)
        tap.case("ANONYMOUS over " + name, anonymous, way)
        tap.case("messages to the octet over " + name, exact, way)
        tap.case("offers over " + name, offers, way)
    tap.case("mechanisms by transport", capabilities)
    tap.case("PLAIN in its three forms on TLS", plain)
    tap.case("EXTERNAL with certificates", external)
    tap.case("as deployed clients log in", deployed_login)
    tap.case("one authentication per connection", second_login)
    tap.case("an unknown user takes as long", timing)
    tap.case("a pushed delete and its acknowledgement", push_and_ack)
    tap.case("users: move, others' leases", users)
    tap.case("one client, many connections, one lease", two_at_once)
    tap.case("an offer taken over by another connection", offer_taken_over)
    tap.case("told of a lease, told of its end", told_then_ended)
    tap.case("a create whose connection dies", rejected_in_flight)
    tap.case("half-closed connections get all answers", half_closed)
    tap.case("hundreds of requests in a segment", flood_one_segment)
    tap.case("UDP: what has no session is dropped", udp_unknown_is_dropped)
    tap.case("UDP: repetitions and restarts", udp_duplicates)
    tap.case("UDP: one answer per datagram", udp_octets)
    tap.case("10 s for a frame, 30 s to log in, 30 s to accept", slow.deadlines)
    tap.case("memory and descriptors", flat, m_base)
    tap.case("the first lease is still held", lambda: need(
        leased(holder.ask(create(b"2001:db8:5::5", tsp_rows.OTHERS))).v4 == tsp_rows.OTHERS, "renewed"))
    tap.case("it ends in time, with status 0", m.stop)
    tap.case("no secret in its log", no_secrets)
    tap.case("the database is sound: one lease", lambda: need(
        m.check("--check-db")[0] == 0 and ": 1 active, 0 ending" in m.check("--check-db")[1], "%r" % (m.check("--check-db"),)))
    return tap.done()


def flat(now):
    def load():
        for version in (b"1.0", b"2.0.0"):
            for row in tsp_rows.rows(exempt=True):
                try:
                    one_row(tcp, version, row)
                except Broken:
                    pass

    load()
    before = now()
    for _ in range(3):
        load()
    end = time.monotonic() + 5
    while now()[1] > before[1] and time.monotonic() < end:
        time.sleep(0.05)
    after = now()
    need(after[0] < before[0] + 4096, "%d KiB, then %d KiB" % (before[0], after[0]))
    need(after[1] <= before[1] + 2, "%d files, then %d" % (before[1], after[1]))


def no_secrets():
    text = m.log()
    for s in SECRETS:
        need(s not in text, s + " is in the log")
        for shift in range(3):  # as base64 shows it at any place
            core = base64.b64encode(b"x" * shift + s.encode())[2 + shift:-4].decode()
            need(len(core) < 6 or core not in text, "%s as base64 in the log" % s)


if __name__ == "__main__":
    sys.exit(main())
