# SPDX-License-Identifier: BSD-2-Clause
"""Malformed input: guide/tsp.md section 12, row by row. (number, stage, octets, codes of 1.x and 2.x, closes).
Stage H: before VERSION; A: before AUTHENTICATE; C: sent as it is after the login; B: body of a frame after it."""
from tsp_wire import create, frame, message

OTHERS = b"198.51.100.4"  # leased to somebody else
ME = b"2001:db8:66::1"


def rows(exempt):
    def h(number, text, code=b"302"):
        return (number, "H", text, (code, code), True)

    def a(number, text):
        return (number, "A", text, (b"300", b"300"), True)

    def c(number, text, code=b"500", closes=True):
        return (number, "C", text, (code, code), closes)

    def b(number, text, one=b"500", two=None):
        return (number, "B", text, (one, two or one), False)

    out = [
        h(1, b"VERSION=0.1\r\n"), h(1, b"VERSION=1.1\r\n"), h(1, b"VERSION=3.0\r\n"),
        h(1, b"VERSION=\r\n"), h(1, b"VERSION=2\r\n"), h(1, b"VERSION=2.0.\r\n"),
        h(1, b"VERSION=2.0.0.0\r\n"), h(1, b"VERSION=2.00\r\n"), h(1, b"VERSION=02.0\r\n"),
        h(1, b"VERSION=2.1.0\r\n"), h(1, b"VERSION=4294967298.0\r\n"), h(1, b"VERSION=-2.0\r\n"),
        h(1, b"VERSION=2.0.0 x\r\n"), h(1, b"VERSION=1.0a\r\n"),
        a(4, b"AUTHENTICATE GSSAPI\r\n"), a(4, b"AUTHENTICATE PASSDSS-3DES-1\r\n"),
        a(4, b"AUTHENTICATE\r\n"), a(4, b"AUTHENTICATE \r\n"), a(4, b"AUTHENTICATE " + b"X" * 900 + b"\r\n"),
        a(4, b"AUTHENTICATE ANONYMOUS x y\r\n"), a(4, b"AUTHENTICATE ANONYMOUS-X\r\n"),
        a(4, b"AUTHENTICATE SCRAM-SHA-256-PLUS\r\n"), a(4, b"AUTHENTICATE LOGIN\r\n"), a(4, b"\r\n"),
        a(4, b"VERSION=2.0.0\r\n"), a(4, b"QUIT\r\n"),
        a(5, frame(create(ME))), a(5, frame(b'<tunnel action="accept"></tunnel>')),
        a(6, b"AUTHENTICATE SCRAM-SHA-256 !!!!\r\n"), a(6, b"AUTHENTICATE SCRAM-SHA-256 YQ=\r\n"),
        a(6, b"AUTHENTICATE SCRAM-SHA-256 bj0scj0=\r\n"),
    ]
    out += [c(7, b"Content-length: " + n + b"\r\n") for n in (b"abc", b"-5", b"+10", b"0x40", b"", b"10 10",
        b"4294967296", b"18446744073709551626", b"1" + b"0" * 22, b"0", b"00000", b"1e2", b"10,", b"8193", b"99999")]
    out += [
        c(7, b"Content-length 10\r\n"), c(7, b"Content-size: 10\r\n"), c(7, b"<tunnel>\r\n"),
        c(7, b"AUTHENTICATE ANONYMOUS\r\n"), c(7, b"VERSION=2.0.0\r\n"), c(7, b"x" * 1100 + b"\r\n"),
        c(8, b"Content-length: 20\r\n" + create(ME) + b"\r\n"),
        b(9, b'<tunnel action="create" type="v4v6"><client>'),
        b(9, create(ME) + create(ME)), b(9, b"<a/>"), b(9, b"<tunnel/>"), b(9, b"<tunnel"), b(9, b"x"), b(9, b""),
        b(9, b'<tunnel action="info" action="info"/>'), b(9, b"\0" * 12), b(9, b"\0\0\0\0" + create(ME)),
        b(9, create(ME) + b"\0"), b(9, create(ME) + b"trailing"), b(9, b"<x:tunnel action='info' type='v4v6'/>"),
        b(9, b'<tunnel xmlns="urn:x" xmlns:y="urn:y" y:action="create" type="v4v6"/>'),
        b(10, b'<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + create(b"&x;")),
        b(10, b'<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa">' + b"".join(
            b'<!ENTITY %c "%s">' % (n, b"&%c;" % (n - 1) * 10) for n in range(ord("b"), ord("k"))) + b"]>"
            + create(b"&j;")),
        b(10, b'<!DOCTYPE t SYSTEM "http://192.0.2.1/x.dtd">' + create(ME)),
        b(10, b'<!DOCTYPE t [<!ENTITY % p SYSTEM "http://192.0.2.1/x"> %p;]>' + create(ME)),
        b(10, create(b"&unknown;")), b(10, create(b"<![CDATA[2001:db8:66::1]]>")),
        b(10, b'<?xml version="1.0"?><?xml-stylesheet href="file:///etc/passwd"?>' + create(ME)),
        b(10, b'<tunnel action="create" type="v4v6" xmlns:xi="http://www.w3.org/2001/XInclude"><client>'
            b'<xi:include href="file:///etc/passwd" parse="text"/></client></tunnel>'),
        b(11, message(b"create", ME, attributes=b' type="v6v4"'), b"303"),
        b(11, message(b"create", ME, attributes=b' type="v6gre"'), b"303"),
        b(11, message(b"create", ME, attributes=b' type="V4V6"'), b"303"),
        b(11, message(b"create", ME, attributes=b' type="broker"'), b"303"),
        b(11, message(b"create", ME, attributes=b' type=""')), b(11, message(b"create", ME, attributes=b"")),
        b(12, message(b"destroy", ME)), b(12, message(b"", ME)), b(12, message(b"CREATE", ME)),
        b(12, message(b"list", ME)), b(12, message(b"create ", ME)),
        b(12, b'<tunnel action="list" type="broker"/>'),
        b(13, b'<tunnel action="accept"></tunnel>', None), b(13, b'<tunnel action="reject"></tunnel>', None),
        b(13, b'<tunnel action="accept" type="v4v6"><client><address type="ipv6">x</address></client></tunnel>',
            None),
        b(15, create(ME, b"999.1.1.1"), b"310", b"501"),
        b(17, b'<tunnel action="create" type="v4v6"></tunnel>'), b(17, message(b"create")),
        b(17, b'<tunnel action="create" type="v4v6"><server><address type="ipv6">2001:db8:66::1</address></server>'
            b"</tunnel>"),
        b(17, b'<tunnel action="create" type="v4v6"><client><address>2001:db8:66::1</address></client></tunnel>'),
        b(17, b'<tunnel action="create" type="v4v6"><client><address type="ipv7">2001:db8:66::1</address></client>'
            b"</tunnel>"),
        b(17, b'<tunnel action="create" type="v4v6"><client><address type="ipv6">2001:db8:66::1</address></client>'
            b'<client><address type="ipv6">2001:db8:66::1</address></client></tunnel>'),
        b(17, create(ME, attributes=b' lifetime="abc"')), b(17, create(ME, attributes=b' lifetime="-1"')),
        b(17, create(ME, attributes=b' lifetime="4294967296"')),
        b(17, create(ME).replace(b" </client>", b'  <router><prefix length="48"/></router> </client>'),
            b"500", b"507"),
        c(18, b"Content-length: 1048576\r\n"),
        b(22, create(ME).decode().encode("utf-16")), b(22, b'<?xml version="1.0" encoding="UTF-16"?>' + create(ME)),
        b(22, b'<?xml version="1.0" encoding="martian"?>' + create(ME)),
        b(22, b'<?xml version="1.0" encoding="ISO-8859-1"?>' + create(ME)), b(22, b"<?php x ?>" + create(ME)),
        b(22, create(b"2001:db8::\xff\xfe")), b(22, create(b"2001:db8:66::1\xed\xa0\x80")),
    ]
    for text in (b"zzz", b"1.2.3.4", b"", b"::", b"ff02::1", b"fe80::1", b"2001:db8:66::1%eth0", b"2001:db8:66::/64",
            b":::", b"::ffff:192.0.2.1", b"2001:db8::1", b"1" * 500, b"2001:db8:66::1&#60;x&#62;",
            b"2001:db8:c18:ffff::0000:0000:0000:0001", b"2001:db8:66::12345", b"2001:db8:66:::1", b"[2001:db8:66::1]",
            b"2001:db8:66::1 2001:db8:66::2", b"2001:db8:66::g", b"::192.0.2.1x", b"fec0", b"2001:db8:66::1&#0;"):
        want = (b"500", b"500") if b"&#0;" in text else (b"309", b"502")
        body = message(b"create").replace(b" </client>", b' <address type="ipv6">' + text + b"</address> </client>")
        out.append((14, "B", body, want, False))
    out.append(b(14, create(b"2001:db8:66::1", b"2001:db8:66::2"), b"309", b"502"))
    if not exempt:
        out.append(b(14, create(b"::1"), b"309", b"502"))
    for text in (b"1.2.3", b"0x7f.1", b"", b"::1", b"1.2.3.4.5", b"01.2.3.4", b"1.2.3.4 5", b"1.2.3.256", b"+1.2.3.4"):
        out.append(b(15, message(b"create", ME).replace(b" </client>",
            b' <address type="ipv4">' + text + b"</address> </client>"), b"310", b"501"))
    for action in (b"create", b"delete", b"info"):
        for v4 in (OTHERS, b"198.51.100.77", b"203.0.113.1", b"0.0.0.0", b"255.255.255.255", b"198.51.100.1"):
            out.append(b(16, message(action, ME, v4), b"308"))
    return out


# Two addresses in one frame that need the header's own way in.
def hello_rows():
    return [
        (2, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"302 "), (2, b"AUTHENTICATE ANONYMOUS\r\n", b"302 "),
        (2, b"\r\n", b"302 "), (2, b"HELO\r\n", b"302 "), (2, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n", b"302 "),
        (5, frame(create(ME)), b"300 "),
        (3, b"x" * 65536, b"500 "), (3, b"\0" * 65536, b"500 "),
    ]
