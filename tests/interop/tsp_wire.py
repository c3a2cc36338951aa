# SPDX-License-Identifier: BSD-2-Clause
"""A TSP client that shares no code with Causeway: connections over TCP, TLS, UDP and Unix sockets, and
the SASL mechanisms by hashlib alone (RFC 2831, 4422, 4505, 4616, 5802, 7677; TSP: RFC 5572). It
checks what every answer must be (exact lengths, one line end, one datagram per datagram) and raises
Broken where one is not. Only modules of Debian's python3-minimal."""
import base64
import hashlib
import os
import re
import socket
import ssl
import struct
import time

WAIT_S = 10.0


class Broken(Exception):
    """The peer did not do what it must."""


def need(ok, what):
    if not ok:
        raise Broken(what)


# ---- SASL ----


def hmac(kind, key, data):
    size = 64
    if len(key) > size:
        key = hashlib.new(kind, key).digest()
    key = key.ljust(size, b"\0")
    inner = hashlib.new(kind, bytes(k ^ 0x36 for k in key) + data).digest()
    return hashlib.new(kind, bytes(k ^ 0x5C for k in key) + inner).digest()


class Scram:
    """RFC 5802. gs2 is the header of the first message ("n,,", "y,,", "n,a=NAME,")."""

    def __init__(self, kind, user, password, gs2="n,,"):
        self.kind, self.password, self.gs2 = kind, password, gs2
        user = user.replace("=", "=3D").replace(",", "=2C")
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = "n=%s,r=%s" % (user, self.nonce)
        self.signature = None

    def first(self):
        return (self.gs2 + self.bare).encode()

    def final(self, challenge, nonce=None):
        server = challenge.decode()
        m = re.fullmatch(r"r=([!-+\--~]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]*)", server)
        need(m, "SCRAM challenge %r" % server)
        need(m[1].startswith(self.nonce) and len(m[1]) > len(self.nonce), "server nonce")
        need(int(m[3]) >= 4096, "iterations %s" % m[3])
        salted = hashlib.pbkdf2_hmac(
            self.kind, self.password.encode(), base64.b64decode(m[2]), int(m[3]))
        without = "c=%s,r=%s" % (base64.b64encode(self.gs2.encode()).decode(), nonce or m[1])
        message = (self.bare + "," + server + "," + without).encode()
        client = hmac(self.kind, salted, b"Client Key")
        proof = hmac(self.kind, hashlib.new(self.kind, client).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client, proof))
        self.signature = hmac(self.kind, hmac(self.kind, salted, b"Server Key"), message)
        return (without + ",p=" + base64.b64encode(proof).decode()).encode()

    def check(self, text):
        need(text == b"v=" + base64.b64encode(self.signature), "server signature %r" % text)


def latin1(text):
    try:
        return text.encode("iso-8859-1")
    except UnicodeEncodeError:
        return text.encode()


class Digest:
    """RFC 2831. Quirks: charset (None: not sent), quote: realm and qop in quotes or not, uri."""

    def __init__(self, user, password, realm=None, charset="utf-8", quote=True, uri="tsp/[::1]:3653",
            authzid=None, nonce=None):
        self.__dict__.update(user=user, password=password, realm=realm, charset=charset,
            quote=quote, uri=uri, authzid=authzid, nonce=nonce)
        self.rspauth = None

    @staticmethod
    def fields(text):
        found = {}
        for m in re.finditer(r'([a-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^,"]*))(?:,|$)', text):
            need(m[1] not in found, "%s twice in %r" % (m[1], text))
            found[m[1]] = m[2] if m[2] is not None else m[3]
        return found

    def respond(self, challenge):
        c = self.fields(challenge.decode())
        # Deployed clients dereference all five, and split the list at commas.
        for name in ("realm", "nonce", "qop", "algorithm", "charset"):
            need(name in c, "no %s in %r" % (name, challenge))
        need(c["qop"] == "auth" and c["algorithm"] == "md5-sess", "challenge %r" % challenge)
        realm = c["realm"] if self.realm is None else self.realm
        nonce = c["nonce"] if self.nonce is None else self.nonce
        cnonce = os.urandom(12).hex()
        md5 = lambda b: hashlib.md5(b).digest()
        # 2.1.2.1: what ISO 8859-1 can write is hashed as such
        a1 = md5(b":".join(latin1(x) for x in (self.user, realm, self.password)))
        a1 += (":%s:%s" % (nonce, cnonce)).encode()
        if self.authzid is not None:
            a1 += (":" + self.authzid).encode()
        middle = ":%s:00000001:%s:auth:" % (nonce, cnonce)
        answer = lambda a2: hashlib.md5(
            (md5(a1).hex() + middle + hashlib.md5(a2.encode()).hexdigest()).encode()).hexdigest()
        self.rspauth = answer(":" + self.uri)
        q = '"' if self.quote else ""
        out = ["charset=" + self.charset] if self.charset else []
        out += ['username="%s"' % self.user, "realm=%s%s%s" % (q, realm, q), 'nonce="%s"' % nonce,
            "nc=00000001", 'cnonce="%s"' % cnonce, 'digest-uri="%s"' % self.uri,
            "response=" + answer("AUTHENTICATE:" + self.uri), "qop=%sauth%s" % (q, q)]
        if self.authzid is not None:
            out.append('authzid="%s"' % self.authzid)
        return ",".join(out).encode()

    def check(self, text):
        need(text == b"rspauth=" + self.rspauth.encode(), "rspauth %r" % text)


def b64(data):
    return base64.b64encode(data)


def unb64(line):
    need(re.fullmatch(rb"[A-Za-z0-9+/]+={0,2}\r\n", line), "not base64: %r" % line)
    return base64.b64decode(line)


# ---- connections ----


class Stream:
    """TCP, TLS or Unix. Answers are read octet-exact."""

    def __init__(self, where, context=None, source=None):
        family = socket.AF_UNIX if isinstance(where, str) else (
            socket.AF_INET if "." in where[0] else socket.AF_INET6)
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(WAIT_S)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(where)
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.buf = b""
        self.eof = False
        self.version = None

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass  # what was answered can still be read

    def more(self, end):
        """One recv(); False at the end of the stream."""
        left = end - time.monotonic()
        need(left > 0, "silence after %r" % self.buf)
        self.sock.settimeout(left)
        try:
            got = self.sock.recv(65536)
        except (TimeoutError, socket.timeout):
            raise Broken("silence after %r" % self.buf) from None
        except ConnectionResetError:
            raise Broken("reset after %r" % self.buf) from None
        except ssl.SSLEOFError:
            got = b""
        self.buf += got
        self.eof = self.eof or not got
        return bool(got)

    def line(self, wait=WAIT_S):
        end = time.monotonic() + wait
        while b"\n" not in self.buf:
            need(self.more(end), "closed after %r" % self.buf)
        text, self.buf = self.buf.split(b"\n", 1)
        need(text.endswith(b"\r") and b"\0" not in text, "line %r" % text)
        return text + b"\n"

    def reply(self, wait=WAIT_S):
        """One frame: (status line without its end, XML without its end)."""
        end = time.monotonic() + wait
        m = re.fullmatch(rb"Content-length: ([1-9][0-9]{0,3})\r\n", self.line(wait))
        need(m, "no frame header")
        n = int(m[1])
        while len(self.buf) < n:
            need(self.more(end), "closed within a frame: %r" % self.buf)
        body, self.buf = self.buf[:n], self.buf[n:]
        return split_reply(body)

    def silent(self, seconds):
        """Nothing comes, and the connection stays."""
        need(self.buf == b"", "unasked: %r" % self.buf)
        self.sock.settimeout(seconds)
        try:
            got = self.sock.recv(1)
        except (TimeoutError, socket.timeout):
            return
        raise Broken("not silent: %r" % got)

    def closed(self, wait=WAIT_S):
        """Nothing more comes, and the peer closes without a reset."""
        end = time.monotonic() + wait
        while self.more(end):
            pass
        need(self.buf == b"", "before the end: %r" % self.buf)

    def half_close(self):
        socket.socket.shutdown(self.sock, socket.SHUT_WR)  # TLS's own would forget the keys

    def close(self):
        self.sock.close()

    # what one does with it

    def say(self, text):
        self.send(text)

    def hello(self, version):
        self.version = version
        self.send(b"VERSION=" + version + b"\r\n")
        return self.line()

    def frame(self, body):
        self.send(frame(body))

    def verdict(self):
        return self.line()

    def ask(self, body):
        self.frame(body)
        return self.reply()

    def initial(self, mech, data):
        self.send(b"AUTHENTICATE " + mech + b" " + (b64(data) or b"=") + b"\r\n")

    def begin(self, mech):
        """AUTHENTICATE alone; on a stream nothing comes for client-first mechanisms."""
        self.send(b"AUTHENTICATE " + mech + b"\r\n")

    def respond(self, data):
        self.send(b64(data) + b"\r\n")

    def challenge(self):
        return unb64(self.line())

    def final(self, check):
        """The server's last message, then the verdict, never in one read."""
        need(self.buf == b"", "early: %r" % self.buf)
        check(unb64(self.line()))
        need(self.buf == b"", "verdict in the same segment: %r" % self.buf)
        return self.line()


class Udp:
    """One datagram per datagram (RFC 5572 4.4.1.2), numbered as deployed clients do."""

    def __init__(self, where, source=None, first=0x0F0):
        self.sock = socket.socket(socket.AF_INET if "." in where[0] else socket.AF_INET6,
            socket.SOCK_DGRAM)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(where)
        self.sequence = first
        self.version = None
        self.answer = None

    def put(self, payload, sequence=None, stamp=None):
        stamp = int(time.monotonic() * 1000) & 0xFFFFFFFF if stamp is None else stamp
        sequence = self.sequence if sequence is None else sequence
        self.sock.send(struct.pack("!II", 0xF0000000 | sequence, stamp) + payload)
        return sequence, stamp

    def get(self, key, wait=WAIT_S):
        self.sock.settimeout(wait)
        try:
            got = self.sock.recv(65536)
        except (TimeoutError, socket.timeout):
            raise Broken("no datagram") from None
        need(len(got) >= 8 and len(got) <= 1232, "%d octets" % len(got))
        need(struct.unpack("!II", got[:8]) == (0xF0000000 | key[0], key[1]), "header %r" % got[:8])
        return got[8:]

    def exchange(self, payload):
        self.answer = self.get(self.put(payload))
        self.sequence += 1
        return self.answer

    def silent(self, seconds):
        self.sock.settimeout(seconds)
        try:
            got = self.sock.recv(65536)
        except (TimeoutError, socket.timeout):
            return
        raise Broken("not silent: %r" % got)

    def close(self):
        self.sock.close()

    def closed(self):
        """Said by the next VERSION being a new session; nothing to see here."""

    def say(self, text):
        self.exchange(text)

    def hello(self, version):
        self.version = version
        return self.exchange(b"VERSION=" + version + b"\r\n")

    def verdict(self):
        return self.answer

    def line(self):
        return self.answer

    def frame(self, body):
        self.exchange(frame(body))

    def reply(self):
        m = re.match(rb"Content-length: ([1-9][0-9]{0,3})\r\n", self.answer)
        need(m and len(self.answer) == m.end() + int(m[1]), "datagram %r" % self.answer)
        return split_reply(self.answer[m.end():])

    def ask(self, body):
        self.frame(body)
        return self.reply()

    def initial(self, mech, data):
        self.exchange(b"AUTHENTICATE " + mech + b" " + (b64(data) or b"=") + b"\r\n")

    def begin(self, mech):
        self.exchange(b"AUTHENTICATE " + mech + b"\r\n")
        if mech not in (b"DIGEST-MD5", b"ANONYMOUS"):
            need(self.answer == b"", "answer to nothing: %r" % self.answer)

    def respond(self, data):
        self.exchange(b64(data) + b"\r\n")

    def challenge(self):
        return unb64(self.answer)

    def final(self, check):
        check(unb64(self.answer))
        return self.exchange(b"")  # the empty "fetch"


# ---- messages ----


def frame(body):
    body += b"\r\n"
    return b"Content-length: %d\r\n" % len(body) + body


def split_reply(body):
    m = re.fullmatch(rb"([0-9]{3,4} [!-~ ]*[!-~])\r\n(?:(<tunnel .*</tunnel>)\r\n)?", body, re.S)
    need(m, "reply %r" % body)
    return m[1], m[2]


def message(action, *addresses, attributes=b' type="v4v6"'):
    """A request as DSTM writes it; an address with a dot is IPv4's."""
    out = [b'<tunnel action="%s"%s>' % (action, attributes), b" <client>"]
    for a in addresses:
        kind = b"4" if b"." in a and b":" not in a else b"6"
        out.append(b'  <address type="ipv%s">%s</address>' % (kind, a))
    return b"\r\n".join(out + [b" </client>", b"</tunnel>"])


def create(*addresses, attributes=b""):
    return message(b"create", *addresses, attributes=b' type="v4v6"' + attributes)


ACCEPT = b'<tunnel action="accept"></tunnel>'
REJECT = b'<tunnel action="reject"></tunnel>'


class Lease:
    """What an info or a pushed delete says; its text must be what guide section 5 prints."""

    def __init__(self, xml, action=b"info"):
        m = re.fullmatch(
            rb'<tunnel action="%s" type="v4v6"(?: lifetime="([1-9][0-9]*)")?>\r\n'
            rb" <server>\r\n"
            rb'  <address type="ipv4" length="30">([0-9.]+)</address>\r\n'
            rb'  <address type="ipv6">([0-9a-f:]+)</address>\r\n'
            rb" </server>\r\n"
            rb" <client>\r\n"
            rb'  <address type="ipv4" length="32">([0-9.]+)</address>\r\n'
            rb'  <address type="ipv6">([0-9a-f:]+)</address>\r\n'
            rb" </client>\r\n"
            rb"</tunnel>" % action, xml or b"")
        need(m, "%s: %r" % (action.decode(), xml))
        need((m[1] is not None) == (action == b"info"), "lifetime in %r" % xml)
        self.lifetime = int(m[1]) if m[1] else None
        self.tep4, self.tep6, self.v4, self.v6 = m[2], m[3], m[4], m[5]


def leased(reply):
    need(reply[0] == b"200 Success", "no lease: %r" % (reply[0],))
    return Lease(reply[1])


def pushed(reply):
    need(reply[0] == b"200 OK", "no push: %r" % (reply[0],))
    return Lease(reply[1], b"delete")


# ---- logins; each returns the verdict line ----


def login_anonymous(s):
    s.begin(b"ANONYMOUS")
    return s.verdict()


def login_plain(s, user, password, form="initial", authzid=""):
    text = ("%s\0%s\0%s" % (authzid, user, password)).encode()
    if form == "initial":
        s.initial(b"PLAIN", text)
        return s.verdict()
    s.begin(b"PLAIN")
    if form == "base64":
        s.respond(text)
    else:  # raw, as deployed clients write it
        s.say(text + b"\r\n")
    return s.verdict()


def login_scram(s, kind, user, password, initial=True, gs2="n,,", nonce=None):
    x = Scram(kind, user, password, gs2)
    mech = {"sha1": b"SCRAM-SHA-1", "sha256": b"SCRAM-SHA-256"}[kind]
    if initial:
        s.initial(mech, x.first())
    else:
        s.begin(mech)
        s.respond(x.first())
    s.respond(x.final(s.challenge(), nonce))
    return failed_or_final(s, x.check)


def login_digest(s, user, password, **quirks):
    x = Digest(user, password, **quirks)
    s.begin(b"DIGEST-MD5")
    s.respond(x.respond(s.challenge()))
    return failed_or_final(s, x.check)


def failed_or_final(s, check):
    """A status line where the final message would be is a refusal."""
    if isinstance(s, Udp):
        return s.answer if s.answer[:1] in b"35" and s.answer[3:4] == b" " else s.final(check)
    line = s.line()
    if line[3:4] == b" ":
        return line
    s.buf = line + s.buf
    need(s.buf == line, "verdict in the same segment: %r" % s.buf)
    check(unb64(s.line()))
    return s.line()
