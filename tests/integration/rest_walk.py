# SPDX-License-Identifier: BSD-2-Clause
"""Every operation of openapi.yaml against a running broker: what is documented happens, and nothing else does.
usage: rest_walk.py SOCKET HOST PORT. Prints TAP."""
import sys
import traceback

from rest_api import Api

SOCKET, HOST, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
api = Api(SOCKET)
tcp = Api((HOST, PORT))
count = failed = 0


def case(name, fn):
    """One line of TAP; a fault ends the case, not the program."""
    global count, failed
    count += 1
    try:
        fn()
        print(f"ok {count} - {name}", flush=True)
    except Exception as e:  # pylint: disable=broad-except
        failed += 1
        where = traceback.extract_tb(e.__traceback__)[-1]
        print(f"not ok {count} - {name}", flush=True)
        print(f"# {type(e).__name__}: {str(e)[:700]} ({where.filename.rsplit('/', 1)[-1]}:{where.lineno})", flush=True)


# ---- what holds of every operation ----

# A path that leads to nothing, so that what gets so far changes nothing.
NOBODY = {"lease": "ls_999999999", "pool": "pl_999999999", "range": "rg_999999999", "exclusion": "ex_999999999",
          "reservation": "rs_999999999", "user": "us_999999999", "tep": "tp_999999999", "session": "se_999999999",
          "token": "tk_999999999", "run": "jr_999999999", "job": "nothing"}


def nowhere(name):
    """Parameters of the operation's path that name nothing."""
    return [NOBODY[p["name"]] for p in api.params(api.ops[name]) if p["in"] == "path"]


def there(name):
    """Is there a handler? (broker/rest/missing.c)"""
    a = api.raw(api.ops[name]["method"], api.target(name, nowhere(name), ()))
    return a.code != "internal" or "is not there yet" not in a.json["detail"]


MISSING = sorted(n for n in api.ops if n != "listEvents" and not there(n))


def is_open(op):
    return op.get("x-scope") == "none"


def credentials():
    for name, op in sorted(tcp.ops.items()):
        if is_open(op) or op.get("x-open-locally"):
            continue
        a = tcp.call(name, *nowhere(name), want="unauthenticated")
        assert a.headers.get("www-authenticate", "").startswith("Bearer"), name


def wrong_tokens():
    """A few are told what is wrong, more are told to wait."""
    codes = []
    for _ in range(40):
        a = tcp.call("listLeases", token="cw_" + "A" * 43)
        codes.append(a.code)
        assert a.code == "rate-limited" or "invalid_token" in a.headers["www-authenticate"], a.raw
    assert codes[0] == "unauthenticated" and codes[-1] == "rate-limited", codes
    for token in ("x", "cw_" + "A" * 42, "cw_" + "A" * 42 + "="):
        a = tcp.call("listLeases", headers={"Authorization": "Bearer " + token})
        assert a.code in ("unauthenticated", "rate-limited"), a.raw
    tcp.call("listLeases", headers={"Authorization": "Basic YTpi"}, want="unauthenticated")


def unknown_query():
    for name, op in sorted(api.ops.items()):
        if op["method"] != "GET" or name in ["getMetrics", "listEvents"] + MISSING:
            continue
        a = api.call(name, *nowhere(name), query=[("surprise", "1")])
        assert a.code in ("invalid-query", "not-found"), f"{name}: {a.raw[:200]}"


def unknown_method():
    for path in sorted({op["path"] for op in api.ops.values()}):
        ops = {op["method"]: n for n, op in api.ops.items() if op["path"] == path}
        target = api.target(next(iter(ops.values())), nowhere(next(iter(ops.values()))), ())
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            if method in ops:
                continue
            a = api.raw(method, target)
            assert a.status == 405 and a.code == "method-not-allowed", f"{method} {target}: {a.status}"
            allow = set(a.headers["allow"].split(", "))
            assert allow == set(ops), f"{method} {target}: {allow}"


def unknown_path():
    for target in ("/nothing", "/v1", "/v1/", "/v1/leases/", "/v1/leases/ls_1/x", "/v1/leases/%00", "/v1/leases/ls_%zz", "//", "/v1/../v1/leases",
                   "/v1/leases/" + "a" * 500):
        a = api.raw("GET", target)
        assert a.status == 404 and a.code == "not-found", f"{target}: {a.status}"


def bodies():
    """What is no body for any operation."""
    for name, op in sorted(api.ops.items()):
        if "requestBody" not in op or name in MISSING:
            continue
        at = nowhere(name)
        etag = {"If-Match": '"1"'}

        def send(body, want, headers=None, name=name, at=at):
            a = api.call(name, *at, body=body, headers=dict(etag, **(headers or {})))
            assert a.code in (want, "not-found"), f"{name}: wanted {want}: {a.status} {a.raw[:300]}"
            return a

        send("{}", "unsupported-media-type", {"Content-Type": "text/plain"})
        for bad in ("", "{", "[]x", '{"a":1,"a":2}', '{"a":"\xff"}'.encode("latin-1"), '{"a":"\\u0000"}', "[" * 33 + "]" * 33):
            send(bad, "malformed-json")
        a = send('{"surprise":1}', "invalid-body")
        if a.code == "invalid-body":
            assert any(e["pointer"] == "/surprise" for e in a.json["errors"]), f"{name}: {a.raw}"
        send(" " * (1048576 + 1), "body-too-large")


case("without credentials: 401", credentials)
case("wrong tokens: 401, then 429", wrong_tokens)
case("an unknown key of a query: 400", unknown_query)
case("an unknown method: 405 and Allow", unknown_method)
case("an unknown path: 404", unknown_path)
case("what is no body: 400, 413, 415", bodies)

# ---- leases ----

HOST6 = "2001:db8::a%d"
kept = {}


def lease_grant():
    a = api.call("createLease", want=201, body={"pool": "default", "owner": "user:walk", "ipv6": HOST6 % 1, "tags": {"ticket": "4711"}})
    assert a.headers["location"] == "/v1/leases/" + a.json["id"] and a.json["tags"] == {"ticket": "4711"}
    kept["lease"] = a.json
    again = api.call("createLease", want=200, body={"pool": "default", "owner": "user:walk", "ipv6": HOST6 % 1})
    assert again.json["id"] == a.json["id"] and again.json["address"] == a.json["address"]


def lease_key():
    body = {"pool": "default", "owner": "user:keyed", "ipv6": HOST6 % 2}
    key = {"Idempotency-Key": '"walk-1"'}
    a = api.call("createLease", want=201, body=body, headers=key)
    b = api.call("createLease", want=201, body=body, headers={"Idempotency-Key": "walk-1"})
    assert a.raw == b.raw and b.headers.get("idempotency-replayed") == "true"
    api.call("createLease", want="key-reused", body=dict(body, lifetime_s=90), headers=key)
    api.call("createLease", want="invalid-header", body=body, headers={"Idempotency-Key": '""'})


def lease_refusals():
    body = {"pool": "default", "owner": "user:other", "ipv6": HOST6 % 3}
    api.call("createLease", want="address-taken", body=dict(body, address=kept["lease"]["address"]))
    api.call("createLease", want="not-found", body=dict(body, pool="nothing"))
    for wrong in ({"lifetime_s": 1.0}, {"lifetime_s": 2 ** 63}, {"lifetime_s": -1}, {"ipv6": "fe80::1"}, {"ipv6": 1}, {"owner": ""},
                  {"address": "198.51.100"}, {"tags": {"a": 1}}, {"psid": 1}):
        a = api.call("createLease", want="invalid-body", body=dict(body, **wrong))
        assert "errors" not in a.json or a.json["errors"], a.raw


def lease_show():
    at = kept["lease"]["id"]
    a = api.call("getLease", at, want=200)
    tag = a.headers["etag"]
    assert api.call("getLease", at, want=304, headers={"If-None-Match": tag}).headers["etag"] == tag
    api.call("getLease", at, want=304, headers={"If-None-Match": f'"x", W/{tag}'})
    b = api.call("updateLease", at, want=200, body={"lifetime_s": 600, "tags": {"ticket": "4712"}})
    assert b.json["tags"] == {"ticket": "4712"} and b.json["lifetime_s"] == 600 and b.headers["etag"] != tag
    api.call("updateLease", at, want=200, body={"tags": {}})
    assert api.call("getLease", at, want=200).json["tags"] == {}
    for wrong in ("ls_0", "ls_01", "ls_", "pl_1", "1", "ls_9223372036854775808"):
        api.call("getLease", wrong, want="not-found")


def lease_list():
    for i in range(20):
        api.call("createLease", want=201, body={"owner": f"user:many{i}", "ipv6": f"2001:db8::b{i:x}"})
    seen, query = [], [("limit", "7"), ("state", "active")]
    cursor = None
    while True:
        a = api.call("listLeases", want=200, query=query + ([("cursor", cursor)] if cursor else []))
        seen += [x["id"] for x in a.json["items"]]
        assert len(a.json["items"]) <= 7
        cursor = a.json["next"]
        assert (cursor is None) == ("link" not in a.headers)
        if cursor:  # the link is the same request, a page on
            target = a.headers["link"].split(">")[0][1:]
            linked = api.raw("GET", target)
            assert linked.status == 200 and linked.json["items"], f"{target}: {linked.raw[:200]}"
        if cursor is None:
            break
        kept["cursor"] = cursor
    assert len(seen) == len(set(seen)) == 22, seen
    lines = api.call("listLeases", want=200, accept="application/x-ndjson").raw.decode().splitlines()
    assert len(lines) >= 22
    csv = api.call("listLeases", want=200, accept="text/csv").raw.decode().splitlines()
    assert len(csv) == len(lines) + 1 and csv[0].startswith("id,pool,")
    assert api.call("listLeases", query=[("count", "exact"), ("state", "active"), ("limit", "1")], want=200).json["count"] == 22
    for query, n in (([("owner", "user:walk")], 1), ([("user", "walk")], 1), ([("q", "many1")], 11), ([("ip", kept["lease"]["address"])], 1),
                     ([("access", "tsp")], 0), ([("state", "ending"), ("state", "quarantined")], 0)):
        got = api.call("listLeases", query=query, want=200).json["items"]
        assert len(got) == n, f"{query}: {len(got)}"
    api.call("listLeases", query=[("cursor", kept["cursor"])], want="invalid-cursor")  # of another filter
    for wrong in ("x", kept["cursor"][:-2], kept["cursor"][::-1]):
        api.call("listLeases", query=[("limit", "7"), ("state", "active"), ("cursor", wrong)], want="invalid-cursor")
    for query in ([("limit", "0")], [("limit", "1001")], [("limit", "1"), ("limit", "2")], [("state", "gone")], [("ip", "1.2.3")], [("expires_before", "now")]):
        api.call("listLeases", query=query, want="invalid-query")
    api.call("listLeases", want="not-acceptable", accept="image/png")


def lease_revoke():
    at = kept["lease"]["id"]
    api.call("revokeLease", at, want=204)
    api.call("revokeLease", at, want=204)
    a = api.call("getLease", at, want=200).json
    assert a["state"] == "quarantined" and a["end_reason"] == "revoke", a
    api.call("updateLease", at, want="lease-ended", body={"lifetime_s": 60})
    b = api.call("createLease", want=409, body={"pool": "default", "owner": "user:late", "ipv6": HOST6 % 9, "address": a["address"]})
    assert b.code == "address-taken"  # it rests
    api.call("revokeLease", "ls_999999", want="not-found")


case("a lease is granted, and asked for again is the same", lease_grant)
case("an Idempotency-Key gives the same answer, another request is refused", lease_key)
case("what cannot be leased is refused with the reason", lease_refusals)
case("a lease is shown, extended, tagged; ETags hold", lease_show)
case("lists: cursors, filters, counts, NDJSON, CSV", lease_list)
case("a revoked lease has stopped, twice is as good, its address rests", lease_revoke)

if MISSING:
    count += 1
    print(f"ok {count} - every operation is there # SKIP {len(MISSING)} are not: {' '.join(MISSING)}")
print(f"1..{count}")
sys.exit(failed > 0)
