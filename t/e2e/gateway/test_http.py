"""Methods, paths, sizes, ids: HTTP as the contract has it"""

import json
import re
import socket
import time
import uuid

import pytest


ALLOW = {
    "/v1/rooms": "GET HEAD OPTIONS",
    "/v1/rooms/{id}": "GET HEAD OPTIONS",
    "/v1/reservations": "GET HEAD POST OPTIONS",
    "/v1/reservations/{id}": "GET HEAD OPTIONS",
    "/v1/reservations/{id}/cancel": "POST OPTIONS",
    "/v1/users/{id}/points": "GET HEAD POST OPTIONS",
    "/healthz": "GET HEAD OPTIONS",
    "/readyz": "GET HEAD OPTIONS",
}


def allowed(a):
    return {m.strip() for m in a.header("Allow").split(",")}


@pytest.mark.parametrize("path", ALLOW)
@pytest.mark.parametrize("key", [None, "public", "restricted", "wrong"])
def test_E058_options_is_204_with_allow_and_needs_no_key(stack, api, path, key):
    for id_ in (stack.room().id, str(uuid.uuid4())):
        a = api.options(path.replace("{id}", id_), key=key)
        assert a.status == 204 and allowed(a) == set(ALLOW[path].split()), a


@pytest.mark.parametrize("path", ALLOW)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO", "PROPFIND", "LOCK", "MKCOL", "COPY",
                                    "M-SEARCH", "AVERYLONGMETHODNAMETHATNOBODYKNOWS"])
def test_E059_unknown_methods_are_405_with_allow(stack, api, path, method):
    target = path.replace("{id}", str(uuid.uuid4()))
    if method in ALLOW[path].split():
        return
    with stack.unchanged():
        for body in (None, b"{}"):
            a = api.request(method, target, key="restricted", body=body, wire=api.wire())
            if method == "M-SEARCH" and a.status == 400:
                a.is_problem(400, "bad-request")  # nginx takes letters and _ only
                continue
            a.is_problem(405, "method-not-allowed")
            assert allowed(a) == set(ALLOW[path].split()), a


def test_E059_public_key_learns_405_on_the_restricted_path_too(api):
    a = api.request("DELETE", f"/v1/users/{uuid.uuid4()}/points").is_problem(405, "method-not-allowed")
    assert "GET" in allowed(a)


def test_methods_have_case(api):
    for method in ("get", "Get", "pOST"):
        a = api.raw(f"{method} /v1/rooms HTTP/1.1\r\nHost: x\r\nX-API-Key: {api.keys['public']}\r\n\r\n".encode())
        assert a.status in (400, 405), a


@pytest.mark.parametrize("target, status", [
    ("/v1/rooms/", 404), ("/v1//rooms", 200), ("//v1///rooms", 200), ("/v1/./rooms", 200), ("/v1/x/../rooms", 200),
    ("/v1/%2e/rooms", 200), ("/v1/x/%2e%2e/rooms", 200), ("/v1/%72ooms", 200), ("/v1/rooms/.", 404), ("/v1/rooms/..", 404),
    ("/v1/rooms/../../v1/rooms", 200), ("/v1/rooms/../nothing", 404), ("/v1/rooms;x=1", 404), ("/v1/rooms%3Flimit=1", 404),
    ("/v1/rooms%20", 404), ("/v1/rooms%0A", 404), ("/v1/rooms%2Fx%2Fy", 404), ("/V1/rooms", 404), ("/v1\\rooms", 404), ("/x/../v1/rooms", 200),
    ("/v1/../healthz", 200), ("/healthz/", 404), ("/healthz/../healthz", 200), ("/v1/rooms/%ff", 404), ("/v1/rooms?", 200),
    ("/v1/rooms#frag", 200)])
def test_E060_paths_are_normalised_and_never_redirected(api, target, status):
    a = api.get(target)
    assert a.status == status, a
    assert not a.all("Location")


@pytest.mark.parametrize("target", ["/..", "/../etc/passwd", "/v1/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v1/rooms/%00",
                                    "/v1/%zz", "/v1/%", "/v1/rooms%", "rooms", "*"])
def test_E060_paths_that_lead_out_or_are_broken_are_400(api, target):
    api.get(target, wire=api.wire()).is_problem(400, "bad-request")


def test_E060_key_is_needed_however_the_path_is_spelled(api):
    for target in ("//v1/rooms", "/v1//rooms", "/%76%31/rooms", "/x/../v1/rooms", "/v1/./rooms", "/healthz/../v1/rooms", "/v1/%72ooms"):
        api.get(target, key=None).is_problem(401, "unauthorized")


def test_E060_restricted_path_is_restricted_however_it_is_spelled(stack, api):
    user = stack.user()
    with stack.unchanged():
        for target in (f"//v1/users/{user.id}/points", f"/v1/users/{user.id}//points", f"/v1/users/{user.id}/%70oints",
                       f"/v1/users/{user.id}/./points", f"/v1/x/../users/{user.id}/points", f"/v1/users/{user.id.upper()}/points"):
            api.post(target, {"amount": 5, "reason": "x"}).is_problem(403, "forbidden")


@pytest.mark.parametrize("accept", ["text/html", "image/png", "*/*", "", "application/xml;q=1, text/plain", "application/json;q=0", "x"])
def test_E067_json_whatever_is_accepted(stack, api, accept):
    a = api.get("/v1/rooms?limit=1", headers=[("Accept", accept)])
    assert a.status == 200 and a.header("Content-Type") == "application/json"
    api.get("/v1/nothing", headers=[("Accept", accept)]).is_problem(404, "not-found")
    api.get("/nothing", headers=[("Accept", accept)]).is_problem(404, "not-found")


def test_answers_are_not_compressed_below_v1(api):
    a = api.get("/v1/rooms", headers=[("Accept-Encoding", "gzip, br, deflate")])
    assert a.header("Content-Encoding") is None and a.json


def test_ranges_are_ignored(api):
    a = api.get("/v1/rooms?limit=2", headers=[("Range", "bytes=0-3")])
    assert a.status in (200, 416) and (a.status == 416 or a.json)
    assert a.status == 200, a


# -- ids ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("id_", ["a", "x" * 64, "A.b_c-9", "0", "....", "-", "_"])
def test_request_id_of_the_client_is_kept(stack, api, id_):
    for target, key in (("/v1/rooms?limit=1", "public"), ("/v1/rooms", None), ("/nothing", None), ("/healthz", None), ("/readyz", None),
                        ("/v1/nothing", "public")):
        a = api.get(target, key=key, request_id=id_)
        assert a.request_id == id_
        if a.status >= 400:
            assert a.json["request_id"] == id_


@pytest.mark.parametrize("id_", ["", "x" * 65, "a b", "a/b", "é", "a\tb", 'a"b', "a,b", "<x>", "a%0d%0ab", "x" * 1900, "\\", "a\x01b"])
def test_E072_ill_formed_request_id_is_replaced_and_never_echoed(stack, api, id_):
    seen = set()
    for target in ("/v1/rooms?limit=1", "/v1/nothing", "/nothing", "/healthz"):
        a = api.get(target, request_id=id_, wire=api.wire())
        assert a.request_id != id_ and re.match(r"[A-Za-z0-9._-]{1,64}\Z", a.request_id)
        seen.add(a.request_id)
        if id_ and len(id_) > 3:
            assert id_.encode("latin-1", "replace") not in a.body
    assert len(seen) == 4, "a fresh one each time"


def test_E072_request_id_of_10_kb_is_neither_echoed_nor_logged(stack, api):
    marker = "tenkilobytes" + uuid.uuid4().hex
    a = api.get("/v1/rooms?limit=1", request_id=marker + "x" * 10000, wire=api.wire())
    assert a.status in (200, 431) and marker.encode() not in a.body and marker not in str(a.headers)
    time.sleep(1.2)
    for file, data in stack.all_logs().items():
        assert marker.encode() not in data, file


def test_E072_request_id_with_cr_or_lf_splits_nothing(stack, api):
    key = stack.keys["public"]
    for tail in (b"abc\rX-Injected: 1", b"abc\nX-Injected: 1", b"abc\r\n X-Injected: 1", b"abc\x00X-Injected", b"abc%0d%0aX-Injected: 1"):
        a = api.raw(b"GET /v1/rooms?limit=1 HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key.encode() + b"\r\nX-Request-Id: " + tail + b"\r\n\r\n")
        assert a.status in (200, 400), a
        assert not a.all("X-Injected") and b"Injected" not in a.body and "Injected" not in a.request_id


def test_two_request_ids_make_one(api):
    a = api.get("/v1/rooms?limit=1", request_id="first", headers=[("X-Request-Id", "second")])
    assert re.match(r"[A-Za-z0-9._-]{1,64}\Z", a.request_id)


def test_same_request_id_in_answer_log_history_and_mail(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    id_ = "trace-" + uuid.uuid4().hex[:8]
    a = stack.reserve(room, user, request_id=id_)
    assert stack.access_log(id_)[0]["status"] == 201
    for table in ("room_history", "reservation_history", "points_history"):
        assert stack.value(f"SELECT COUNT(*) FROM loyalty_history.{table} WHERE request_id = %s", (id_,)) == 1
    assert id_ in stack.mails_about(a.json["id"])[0].get_content()


def test_fresh_request_id_where_the_client_sends_none(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    a = stack.reserve(room, user, request_id=None)
    assert stack.value("SELECT COUNT(*) FROM loyalty_history.reservation_history WHERE request_id = %s", (a.request_id,)) == 1


# -- nginx's own refusals ---------------------------------------------------------------------------------

def lines(*parts):
    return "\r\n".join(parts).encode("latin-1") + b"\r\n\r\n"


@pytest.mark.parametrize("name, status, data", [
    ("http2_in_http1", 505, lines("GET /v1/rooms HTTP/2.0", "Host: x")),
    ("http9", 505, lines("GET /v1/rooms HTTP/9.9", "Host: x")),
    ("no_version", 400, lines("GET /v1/rooms HTPP/1.1", "Host: x")),
    ("no_host", 400, lines("GET /v1/rooms HTTP/1.1", "X: x")),
    ("two_hosts", 400, lines("GET /v1/rooms HTTP/1.1", "Host: x", "Host: y")),
    ("garbage", 400, b"\x16\x03\x01 garbage\r\n\r\n"),
    ("bad_length", 400, lines("POST /v1/reservations HTTP/1.1", "Host: x", "Content-Length: x")),
    ("negative_length", 400, lines("POST /v1/reservations HTTP/1.1", "Host: x", "Content-Length: -1")),
    ("two_lengths", 400, lines("POST /v1/reservations HTTP/1.1", "Host: x", "Content-Length: 2", "Content-Length: 3") + b"{}"),
    ("length_and_chunked", 400, lines("POST /v1/reservations HTTP/1.1", "Host: x", "Content-Length: 2", "Transfer-Encoding: chunked") + b"{}"),
    ("bad_chunk", 400, lines("POST /v1/reservations HTTP/1.1", "Host: x", "X-API-Key: {K}", "Content-Type: application/json",
                             "Transfer-Encoding: chunked") + b"zz\r\n"),
    ("long_line", 414, lines("GET /v1/rooms?" + "x" * 9000 + " HTTP/1.1", "Host: x")),
    ("long_path", 414, lines("GET /v1/" + "x" * 9000 + " HTTP/1.1", "Host: x")),
    ("long_header", 431, lines("GET /v1/rooms HTTP/1.1", "Host: x", "X-Long: " + "x" * 9000)),
    ("many_headers", 431, lines("GET /v1/rooms HTTP/1.1", "Host: x", *["X-A: " + "x" * 4000] * 20)),
    ("transfer_encoding", 501, lines("POST /v1/reservations HTTP/1.1", "Host: x", "Transfer-Encoding: gzip")),
    ("two_codings", 501, lines("POST /v1/reservations HTTP/1.1", "Host: x", "Transfer-Encoding: gzip, chunked")),
])
def test_errors_of_nginx_itself_are_problems(stack, api, name, status, data):
    data = data.replace(b"{K}", stack.keys["public"].encode())
    with stack.unchanged():
        a = api.raw(data, method="GET", target="/v1/rooms")
    a.is_problem(status, "bad-request")
    assert api.get("/healthz", key=None).status == 200


def test_plain_http_on_the_port_is_a_problem_too(stack, api):
    with socket.create_connection(("127.0.0.1", stack.port), 10) as s:
        s.sendall(b"GET /v1/rooms HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400") and b"application/problem+json" in head and b"X-Request-Id" in head
    assert json.loads(body)["type"] == "/problems/bad-request"


def test_http_1_0_works(stack, api):
    a = api.raw(f"GET /v1/rooms?limit=1 HTTP/1.0\r\nX-API-Key: {stack.keys['public']}\r\n\r\n".encode(), target="/v1/rooms")
    assert a.status == 200 and a.json


def test_pipelined_requests_are_answered_in_order(stack, api):
    key, wire = stack.keys["public"], api.wire()
    wire.send("".join(f"GET {t} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nX-Request-Id: p{i}\r\n\r\n"
                      for i, t in enumerate(["/v1/rooms?limit=1", "/v1/nothing", "/healthz", "/v1/rooms?limit=2"])).encode())
    got = [wire.answer() for _ in range(4)]
    assert [(a.status, a.request_id) for a in got] == [(200, "p0"), (404, "p1"), (200, "p2"), (200, "p3")]
    wire.close()


def test_probes_need_no_key_and_say_nothing_secret(stack, api):
    a, b = api.get("/healthz", key=None), api.get("/readyz", key=None)
    assert (a.status, b.status) == (200, 200) and a.json and b.json == {"status": "ready"}
    for target in ("/healthz?x=1", "/readyz?x=1"):
        assert api.get(target, key=None).status in (200, 400)


# -- clients that leave ----------------------------------------------------------------------------------

def test_E070_client_that_leaves_in_mid_request_gets_all_or_nothing(stack, api):
    """The room is held by hand, so that the client is gone before its request is decided."""
    room, user = stack.room(price=10), stack.user(points=100)
    connection = stack.db(autocommit=False)
    ids = []
    try:
        with connection.cursor() as c:
            c.execute("SELECT id FROM loyalty.user WHERE id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (user.id,))
        for i in range(4):
            wire = api.wire()
            id_ = f"leaves-{i}-" + uuid.uuid4().hex[:8]
            headers, body = api.prepare("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, request_id=id_)
            from client import request_bytes
            wire.send(request_bytes("POST", "/v1/reservations", headers, body))
            ids.append(id_)
            time.sleep(0.15)
            wire.reset()
        time.sleep(0.3)
    finally:
        connection.rollback()
        connection.close()
    for id_ in ids:
        assert stack.access_log(id_)[0]["status"] in (201, 499, 503)
    stack.used = True
    stack.check_invariants()
    made = stack.value("SELECT COUNT(*) FROM loyalty_history.reservation_history WHERE request_id LIKE 'leaves-%%'", ())
    assert len(stack.reservations(user=user)) == made and stack.balance(user) == 100 - 10 * made
    assert made >= 1, "nginx goes on for a client that has left"


def test_E070_client_that_leaves_in_mid_body_has_sent_nothing(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    headers, body = api.prepare("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}})
    from client import request_bytes
    with stack.unchanged():
        for cut in (1, len(body) // 2, len(body) - 1):
            wire = api.wire()
            wire.send(request_bytes("POST", "/v1/reservations", headers, body[:cut]))
            wire.reset()
        time.sleep(0.3)


def test_E050_body_shorter_than_promised_never_reaches_the_service(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    body = json.dumps({"room_id": room.id, "user": {"id": user.id}}).encode()
    with stack.unchanged():
        wire = api.wire()
        wire.send(f"POST /v1/reservations HTTP/1.1\r\nHost: x\r\nX-API-Key: {stack.keys['public']}\r\n"
                  f"Content-Type: application/json\r\nContent-Length: {len(body) + 40}\r\n\r\n".encode() + body)
        assert wire.silent(0.4), "answered before the body was there"
        wire.close()
        time.sleep(0.3)


def test_body_longer_than_promised_smuggles_nothing(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    inner = json.dumps({"room_id": room.id, "user": {"id": user.id}})
    key = stack.keys["public"]
    smuggled = (f"POST /v1/reservations HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(inner)}\r\n\r\n{inner}")
    wire = api.wire()
    with stack.unchanged():
        wire.send((f"POST /v1/reservations HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
                   f"Content-Length: 2\r\n\r\n{{}}{smuggled}").encode())
        first, second = wire.answer("POST"), wire.answer("POST")
        assert first.status == 422 and second.status == 401 and second.request_id == "smuggled"
    wire.close()


def test_connection_survives_refusals(stack, api):
    """Keep-alive: a refused request leaves the connection in step for the next one."""
    wire = api.wire()
    for _ in range(2):
        api.post("/v1/reservations", body=b"{broken", wire=wire).is_problem(400, "malformed-json")
        api.post("/v1/reservations", body=b'{"x":1}', key=None, wire=wire).is_problem(401, "unauthorized")
        api.post(f"/v1/users/{uuid.uuid4()}/points", {"amount": 1, "reason": "x"}, wire=wire).is_problem(403, "forbidden")
        api.request("PUT", "/v1/rooms", body=b"{}", wire=wire).is_problem(405, "method-not-allowed")
        assert api.get("/v1/rooms?limit=1", wire=wire).status == 200
    wire.close()


def plain(stack, request):
    """An answer to plain HTTP on the port for HTTPS: (status, headers, body)."""
    with socket.create_connection(("127.0.0.1", stack.port), 10) as s:
        s.sendall(request.encode())
        data = b""
        while (part := s.recv(65536)):
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return int(lines[0].split()[1]), {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}, body


def test_plain_http_is_told_that_the_port_speaks_https(stack):
    for line in ("GET /v1/rooms", "POST /v1/reservations", "GET /", "GET /healthz", "POST /console/sign-in", "GET /consolex", "TRACE /v1/rooms"):
        status, headers, body = plain(stack, f"{line} HTTP/1.1\r\nHost: localhost:{stack.port}\r\nConnection: close\r\n\r\n")
        told = json.loads(body)
        assert (status, told["type"], told["status"]) == (400, "/problems/bad-request", 400) and "HTTPS" in told["detail"], (line, told)
        assert headers["content-type"] == "application/problem+json" and headers["x-request-id"] == told["request_id"]


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/guests?q=a%20b"])
def test_browser_on_its_way_to_the_console_is_sent_on_to_https(stack, path):
    for method in ("GET", "HEAD"):
        status, headers, _ = plain(stack, f"{method} {path} HTTP/1.1\r\nHost: localhost:{stack.port}\r\nConnection: close\r\n\r\n")
        assert (status, headers["location"]) == (308, f"https://localhost:{stack.port}{path}"), headers
    assert plain(stack, f"GET {path} HTTP/1.0\r\n\r\n")[0] == 400, "it did not say by what name it called us"
