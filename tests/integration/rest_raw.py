# SPDX-License-Identifier: BSD-2-Clause
"""The REST API's HTTP as octets: what two parsers could read in two ways is refused and the connection closed, over the Unix
socket and over TCP. usage: rest_raw.py SOCKET HOST PORT PID. Prints TAP."""
import os
import signal
import socket
import sys
import threading
import time

from rest import case, done

SOCKET, HOST, PORT, PID = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
WAYS = ("unix", "tcp")


def connect(way):
    s = socket.socket(socket.AF_UNIX) if way == "unix" else socket.socket(socket.AF_INET)
    s.settimeout(10)
    s.connect(SOCKET if way == "unix" else (HOST, PORT))
    return s


def answer(s):
    """Everything until the broker closes, or what one answer with a length is."""
    got = b""
    while True:
        head, sep, body = got.partition(b"\r\n\r\n")
        if sep:
            length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if length and len(body) >= int(length[0]):
                return got
        more = s.recv(65536)
        if not more:
            return got
        got += more


def closed(s):
    s.settimeout(5)
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def status(got):
    return int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/1.1 ") else 0


BODY = b'{"owner":"user:raw","ipv6":"2001:db8::c1"}'
JSON = b"Content-Type: application/json\r\n"
N = str(len(BODY)).encode()


def post(headers, body=BODY):
    return b"POST /v1/leases HTTP/1.1\r\n" + headers + b"\r\n" + body


AMBIGUOUS = {
    "Content-Length and Transfer-Encoding": post(b"Host: localhost\r\n" + JSON + b"Content-Length: " + N + b"\r\nTransfer-Encoding: chunked\r\n"),
    "Transfer-Encoding and Content-Length": post(b"Host: localhost\r\n" + JSON + b"Transfer-Encoding: chunked\r\nContent-Length: " + N + b"\r\n"),
    "two Content-Lengths": post(b"Host: localhost\r\n" + JSON + b"Content-Length: " + N + b"\r\nContent-Length: 3\r\n"),
    "the same Content-Length twice": post(b"Host: localhost\r\n" + JSON + (b"Content-Length: " + N + b"\r\n") * 2),
    "two Hosts": post(b"Host: localhost\r\nHost: y\r\n" + JSON + b"Content-Length: " + N + b"\r\n"),
    "two Idempotency-Keys": post(b"Host: localhost\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n" + JSON + b"Content-Length: " + N + b"\r\n"),
    "two Authorizations": post(b"Host: localhost\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\n" + JSON + b"Content-Length: " + N + b"\r\n"),
    "no Host": post(JSON + b"Content-Length: " + N + b"\r\n"),
    "an empty header name": post(b"Host: localhost\r\n: y\r\n" + JSON + b"Content-Length: " + N + b"\r\n"),
    "a blank before the colon": post(b"Host: localhost\r\nX-A : y\r\n" + JSON + b"Content-Length: " + N + b"\r\n"),
    "a Content-Length that is none": post(b"Host: localhost\r\n" + JSON + b"Content-Length: 0x10\r\n"),
    "a negative Content-Length": post(b"Host: localhost\r\n" + JSON + b"Content-Length: -1\r\n"),
    "a header line that is folded": post(b"Host: localhost\r\nX-A: y\r\n z\r\n" + JSON + b"Content-Length: " + N + b"\r\nContent-Length: 1\r\n"),
    "two transfer codings": post(b"Host: localhost\r\n" + JSON + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    "a transfer coding that is not known": post(b"Host: localhost\r\n" + JSON + b"Transfer-Encoding: xchunked\r\n"),
    "a transfer coding that is none": post(b"Host: localhost\r\n" + JSON + b"Transfer-Encoding: identity\r\n"),
    "a transfer coding before chunked": post(b"Host: localhost\r\n" + JSON + b"Transfer-Encoding: gzip, chunked\r\n"),
    "chunks in HTTP/1.0": post(b"Host: localhost\r\n" + JSON + b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a bare CR in a header": post(b"Host: localhost\r\nX-A: y\rContent-Length: 1\r\n" + JSON + b"Content-Length: " + N + b"\r\n"),
}


def leases():
    s = connect("unix")
    s.sendall(b"GET /v1/leases?owner=user:raw HTTP/1.1\r\nHost: localhost\r\n\r\n")
    got = answer(s)
    s.close()
    return got.count(b'"id":')


def ambiguous(text):
    def run():
        for way in WAYS:
            s = connect(way)
            s.sendall(text + b"GET /v1/leases HTTP/1.1\r\nHost: smuggled\r\n\r\n")
            got = answer(s)
            # A header without a name hides those behind it, the length of the body too: it is refused for that.
            assert status(got) in (400, 0, 401, 415), f"{way}: {got[:200]}"
            assert closed(s), f"{way}: left open after {got[:200]}"
            s.close()
        assert leases() == 0, "it was done all the same"
    return run


for name, text in AMBIGUOUS.items():
    case(name, ambiguous(text))


def long_heads():
    for way in WAYS:
        for head, want in ((b"X-%03d: y\r\n", (431, 400)), (b"X-%03d: " + b"y" * 1000 + b"\r\n", (431, 400, 413))):
            s = connect(way)
            try:
                s.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n" + b"".join(head % i for i in range(100)) + b"\r\n")
                got = answer(s)
            except (BrokenPipeError, ConnectionResetError):
                got = b""
            assert not got or status(got) in want, f"{way}: {got[:200]}"
            s.close()
        s = connect(way)
        s.sendall(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            got = answer(s)
        except ConnectionResetError:
            got = b""
        assert not got or status(got) in (414, 431, 404), f"{way}: {got[:200]}"
        s.close()


def pipelined():
    s = connect("unix")
    s.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
    got = b""
    while got.count(b"HTTP/1.1 200") < 20:
        more = s.recv(65536)
        assert more, got[-300:]
        got += more
    s.close()


def in_pieces():
    s = connect("unix")
    for i in (b"HEAD /version HT", b"TP/1.1\r\nHo", b"st: x\r\n", b"\r\n"):
        s.sendall(i)
        time.sleep(0.02)
    got = s.recv(65536)
    assert status(got) == 200 and got.endswith(b"\r\n\r\n"), got
    s.sendall(post(b"Host: localhost\r\nExpect: 100-continue\r\n" + JSON + b"Content-Length: " + N + b"\r\n", b""))
    assert s.recv(65536).startswith(b"HTTP/1.1 100"), "no 100"
    for i in range(0, len(BODY), 7):
        s.sendall(BODY[i:i + 7])
    assert status(answer(s)) == 201
    s.sendall(post(b"Host: localhost\r\n" + JSON + b"Transfer-Encoding: chunked\r\n",
                   b"5\r\n" + BODY[:5] + b"\r\n" + hex(len(BODY) - 5)[2:].encode() + b"\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"))
    assert status(answer(s)) == 200
    s.close()


def heads_of_streams():
    """HEAD has no body: not even the end of one, or the next answer begins with that."""
    for accept in (b"text/event-stream", b"application/x-ndjson", b"text/csv"):
        s = connect("unix")
        s.sendall(b"HEAD /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: " + accept + b"\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            got += more
        s.close()
        assert status(got) == 200 and got.partition(b"\r\n\r\n")[2] == b"", f"{accept}: {got}"


def many():
    """Connections that say nothing, or go away in the middle, are in nobody's way."""
    idle = [connect("unix") for _ in range(200)]
    for i, s in enumerate(idle):
        if i % 2:
            s.sendall(post(b"Host: localhost\r\n" + JSON + b"Content-Length: 1000\r\n", b"{"))
    begin = time.monotonic()
    pipelined()
    assert time.monotonic() - begin < 2
    for s in idle:
        s.close()
    pipelined()


def descriptors():
    before = len(os.listdir(f"/proc/{PID}/fd"))
    for _ in range(50):
        s = connect("unix")
        s.sendall(b"GET /v1/leases HTTP/1.1\r\nHost: localhost\r\n\r\n")
        s.close()
    for _ in range(100):
        if len(os.listdir(f"/proc/{PID}/fd")) <= before + 2:
            return
        time.sleep(0.05)
    raise AssertionError(f"{before} descriptors before, {len(os.listdir(f'/proc/{PID}/fd'))} after")


def terminated():
    """SIGTERM while requests come without end: each is answered or cut, and the broker ends well (its parent looks)."""
    stop = threading.Event()

    def ask(number):
        k = 0
        while not stop.is_set():
            k += 1
            body = b'{"owner":"user:t%d-%d","ipv6":"2001:db8::%x:%x"}' % (number, k, number + 1, k % 65535 + 1)
            try:
                s = connect("unix")
                s.sendall(post(b"Host: localhost\r\n" + JSON + b"Content-Length: %d\r\n" % len(body), body))
                answer(s)
                s.close()
            except OSError:
                pass

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    os.kill(PID, signal.SIGTERM)
    begin = time.monotonic()
    while os.path.exists(f"/proc/{PID}/fd/0") and time.monotonic() - begin < 10:
        time.sleep(0.02)
    took = time.monotonic() - begin
    stop.set()
    for t in threads:
        t.join()
    assert took < 5, f"it took {took:.1f} s"


case("heads that are too long, or too many", long_heads)
case("requests one behind the other", pipelined)
case("a request in pieces, Expect, HEAD, chunks", in_pieces)
case("HEAD of what comes as a stream", heads_of_streams)
case("200 connections that say nothing or half of it", many)
case("who goes away leaves nothing behind", descriptors)
case("SIGTERM under load: the end within 5 s", terminated)
done()
