"""API keys: who may come in"""

import base64
import time
import uuid

import pytest

import fcgi

ROUTES = [("GET", "/v1/rooms"), ("GET", "/v1/rooms/{id}"), ("POST", "/v1/reservations"), ("GET", "/v1/reservations"),
          ("GET", "/v1/reservations/{id}"), ("POST", "/v1/reservations/{id}/cancel"), ("GET", "/v1/users/{id}/points"),
          ("POST", "/v1/users/{id}/points")]


def wrong_keys(key):
    other = "B" if key[0] != "B" else "C"
    return ["", " ", "x", key[:-1], key + "x", other + key[1:], key[:-1] + ("A" if key[-1] != "A" else "B"), key.swapcase(),
            key.upper(), f'"{key}"', f"Bearer {key}", key + "," + key, key + " " + key, f"{key}\t{key}", "public", "restricted",
            "public-1", "%s", "*", ".*", "A" * 43, f"{key}:", f":{key}", f"{key};", "null", "undefined"]


@pytest.mark.parametrize("method, path", ROUTES)
def test_E074_no_empty_or_wrong_key_is_401_with_the_same_body(stack, api, method, path):
    target = path.replace("{id}", stack.user().id)
    body = b'{"amount":5,"reason":"x"}' if method == "POST" else None
    bodies = set()
    with stack.unchanged():
        for key in [None] + wrong_keys(stack.keys["public"]) + wrong_keys(stack.keys["restricted"]):
            a = api.request(method, target, key=key and key.encode(), request_id="e074", body=body)
            a.is_problem(401, "unauthorized")
            bodies.add((a.body, a.header("WWW-Authenticate")))
    assert len(bodies) == 1, bodies


def test_E074_two_keys_that_disagree_are_401_in_any_order(stack, api):
    pub, res = stack.keys["public"], stack.keys["restricted"]
    user = stack.user()
    with stack.unchanged():
        for first, second in ((pub, res), (res, pub), (pub, "x"), ("x", pub), (pub, ""), ("", res), (res, "wrong" * 8)):
            for method, target, body in (("GET", "/v1/rooms", None), ("GET", f"/v1/users/{user.id}/points", None),
                                         ("POST", f"/v1/users/{user.id}/points", b'{"amount":5,"reason":"x"}')):
                for header in (("X-API-Key", second), ("Authorization", f"Bearer {second}")):
                    if not first and header[0] == "Authorization":
                        continue  # an empty header names no key that could disagree
                    a = api.request(method, target, key=first.encode(), headers=[header], body=body)
                    assert a.status == 401, (first, header, a)
                    a.is_problem(401, "unauthorized")


def test_E074_two_authorizations_are_401(stack, api):
    res = stack.keys["restricted"]
    for values in ((f"Bearer {res}", "Bearer x"), ("Bearer x", f"Bearer {res}"), (f"Bearer {stack.keys['public']}", f"Bearer {res}")):
        a = api.get("/v1/rooms", key=None, headers=[("Authorization", v) for v in values])
        assert a.status in (400, 401), a  # nginx reads this header itself and may refuse the second


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("name", ["public", "restricted"])
def test_bearer_alone_and_beside_the_same_key_is_fine(stack, api, name, scheme):
    value = f"{scheme} {stack.keys[name]}"
    assert api.get("/v1/rooms?limit=1", key=None, headers=[("Authorization", value)]).status == 200
    assert api.get("/v1/rooms?limit=1", key=name, headers=[("Authorization", value)]).status == 200


def test_header_names_have_no_case(stack, api):
    for name in ("x-api-key", "X-Api-Key", "X-API-KEY"):
        assert api.get("/v1/rooms?limit=1", key=None, headers=[(name, stack.keys["public"])]).status == 200


def test_underscore_is_no_hyphen(stack, api):
    api.get("/v1/rooms?limit=1", key=None, headers=[("X_API_Key", stack.keys["public"])]).is_problem(401, "unauthorized")


def test_E079_key_anywhere_else_is_401(stack, api):
    key = stack.keys["restricted"]
    user = stack.user()
    basic = base64.b64encode(f"{key}:".encode()).decode()
    basic2 = base64.b64encode(f"user:{key}".encode()).decode()
    with stack.unchanged():
        for target in (f"/v1/rooms?api_key={key}", f"/v1/rooms?X-API-Key={key}", f"/v1/rooms?key={key}&limit=1", f"/v1/rooms/{key}",
                       f"/v1/rooms?access_token={key}"):
            api.get(target, key=None).is_problem(401, "unauthorized")
        for headers in ([("Cookie", f"X-API-Key={key}")], [("Cookie", f"key={key}; session=1")], [("Authorization", f"Basic {basic}")],
                        [("Authorization", f"Basic {basic2}")], [("Authorization", key)], [("Authorization", f"Token {key}")],
                        [("Authorization", f"Digest {key}")], [("Proxy-Authorization", f"Bearer {key}")], [("X-Auth-Token", key)],
                        [("Api-Key", key)], [("Referer", f"https://x/?k={key}")], [("User-Agent", key)],
                        [("Authorization", f"Bearer{key}")], [("Authorization", f"Bearer {key} {key}")],
                        [("Authorization", f"Bearer {key},Basic x")]):
            api.get("/v1/rooms", key=None, headers=headers).is_problem(401, "unauthorized")
        api.post(f"/v1/users/{user.id}/points", {"amount": 5, "reason": "x", "api_key": key}, key=None).is_problem(401, "unauthorized")


def test_E079_basic_beside_a_valid_key_is_401(stack, api):
    basic = base64.b64encode(b"user:pass").decode()
    for value in (f"Basic {basic}", "Basic", "", "x", stack.keys["public"]):
        a = api.get("/v1/rooms", headers=[("Authorization", value)])
        a.is_problem(401, "unauthorized")


def forms(key):
    """The key as it is, and percent-encoded: all of it in either case, and here and there."""
    return [key, "".join(f"%{ord(c):02x}" for c in key), "".join(f"%{ord(c):02X}" for c in key),
            "".join(f"%{ord(c):02X}" if i % 3 else c for i, c in enumerate(key))]


@pytest.mark.parametrize("valid", ["public", "restricted"])
@pytest.mark.parametrize("strayed", ["public", "restricted"])
def test_E079_key_anywhere_else_is_401_beside_a_valid_one_too(stack, api, strayed, valid):
    """Else it would stand in histories, mails and logs for ever."""
    room, user = stack.room(), stack.user(points=1000)
    body = {"room_id": room.id, "user": {"id": user.id}}
    ids = []
    with stack.unchanged():
        for key in forms(stack.keys[strayed]):
            for how in ({"actor": key}, {"actor": f"Jane+{key}+Doe"}, {"idem": key}, {"headers": [("Cookie", f"a=b; k={key}")]},
                        {"headers": [("Referer", f"https://x/?{key}")]}, {"headers": [("User-Agent", f"curl {key}")]}, {"request_id": key, "check": False}):
                a = api.request("POST", "/v1/reservations", body, key=valid, **how).is_problem(401, "unauthorized")
                assert "in a place other than" in a.json["detail"]
                ids.append(a.request_id)
            for target in (f"/v1/rooms?q={key}", f"/v1/rooms/{key}", f"/v1/users/{key}/points", f"/v1/rooms?limit=1&{key}"):
                ids.append(api.get(target, key=valid).is_problem(401, "unauthorized").request_id)
            for target in (f"/console/?q={key}", f"/console/guests/{key}"):
                a = api.request("GET", target, key=None, check=False)
                assert a.status == 400 and b"only on the sign-in page" in a.body and a.header("Content-Type").startswith("text/html"), a
                ids.append(a.request_id)
    time.sleep(1.3)  # nginx writes its log once a second
    for file, data in stack.all_logs().items():
        for key in forms(stack.keys[strayed]):
            assert key.encode() not in data, f"{file} has a key"
    for id_ in ids:
        assert id_ not in forms(stack.keys[strayed]) and not id_.startswith(stack.keys[strayed])


def test_E079_what_only_resembles_a_key_is_fine(stack, api):
    key = stack.keys["restricted"]
    a = stack.reserve(stack.room(), stack.user(points=1000), key="restricted", actor=key[:-1], idem=key[1:])
    assert a.status == 201
    assert api.get("/v1/rooms?limit=1", headers=[("Cookie", f"k={key.swapcase()}"), ("User-Agent", key[::-1])]).status == 200


def test_E079_no_key_is_ever_logged(stack, api):
    """A last walk over all places where a client may have put a key by mistake, then every log byte."""
    for name, key in stack.keys.items():
        for target in (f"/v1/rooms?api_key={key}", f"/v1/rooms/{key}", f"/v1/{key}/x", f"/{key}", f"/healthz?{key}",
                       f"/v1/reservations?user_id={key}", f"/v1/rooms?cursor={key}", f"/v1/users/{key}/points"):
            for with_key in (None, "public"):
                api.get(target, key=with_key, headers=[("Referer", f"https://x/?{key}"), ("User-Agent", key), ("Cookie", f"k={key}")])
        api.post("/v1/reservations", {"room_id": key, "user": {"id": key}, key: 1})
        api.post(f"/v1/users/{stack.user().id}/points", {"amount": 5, "reason": f"see {key}"}, key="restricted")
        api.post("/v1/reservations", body=b"{}", idem=key)
        api.get("/v1/rooms", headers=[("X-Actor", key)], key="restricted")
        api.raw(f"GET /v1/rooms?{key} HTTP/9.9\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
        api.raw(f"GET /v1/rooms HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nX-Long: {'y' * 9000}\r\n\r\n".encode())
        api.raw(f"GET /v1/rooms?{key}{'y' * 9000} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
        api.raw(f"G{{T /{key} HTTP/1.1\r\nX-API-Key: {key}\r\n\r\n".encode())
    time.sleep(1.3)  # nginx writes its log once a second
    for name, key in stack.keys.items():
        for file, data in stack.all_logs().items():
            at = data.find(key.encode())
            assert at < 0, f"{file} has the {name} key: …{data[max(0, at - 300):at + 20]!r}"


def test_access_log_names_the_key_the_time_and_the_id(stack, api):
    cases = (("public", "public-1", "public"), ("restricted", "restricted-1", "restricted"), (None, "", ""), (b"x", "", ""))
    answers = [api.get("/v1/rooms?limit=1", key=key) for key, _, _ in cases]
    for a, (key, name, role) in zip(answers, cases):
        entry, = stack.access_log(a.request_id)
        assert (entry["key"], entry["role"], entry["status"], entry["method"], entry["path"]) == (name, role, a.status, "GET", "/v1/rooms")
        if a.status == 200:
            assert float(entry["upstream_time"]) >= 0 and entry["upstream_status"] == "200"


def test_401_comes_before_404_405_413_415_and_400(stack, api):
    user = stack.user()
    with stack.unchanged():
        for method, target, how in (("GET", "/v1/nothing", {}), ("GET", "/v1/", {}), ("GET", "/v1/admin/users", {}),
                                    ("PUT", "/v1/rooms", {"body": b"{}"}), ("DELETE", f"/v1/rooms/{user.id}", {}),
                                    ("FOO", "/v1/rooms", {}), ("TRACE", "/v1/rooms", {}), ("PATCH", "/v1/nothing", {"body": b"{}"}),
                                    ("GET", "/v1/rooms?x=1", {}), ("GET", f"/v1/rooms/{uuid.uuid4()}", {}),
                                    ("POST", "/v1/reservations", {"body": b"{broken"}),
                                    ("POST", "/v1/reservations", {"body": b"x", "content_type": "text/plain"}),
                                    ("POST", f"/v1/users/{user.id}/points", {"body": b"{}", "idem": "a b"})):
            api.request(method, target, key=None, **how).is_problem(401, "unauthorized")
        a = api.request("POST", "/v1/reservations", key=None, body=b" " * 20000, wire=api.wire())
        assert a.status in (401, 413), a


def test_outside_v1_there_is_nothing_with_or_without_a_key(api):
    for target in ("/", "/v1", "/v2/rooms", "/index.html", "/.git/config", "/nginx_status", "/.problem", "/.problem/method",
                   "/.refused/unauthorized", "/.ready/points", "/.probe-options", "/problems/nothing", "/admin", "/v1x/rooms"):
        for key in (None, "public", "restricted"):
            api.get(target, key=key).is_problem(404, "not-found")


def test_unknown_paths_below_v1_are_404_with_a_key(api):
    for target in ("/v1/", "/v1/nothing", "/v1/users", "/v1/rooms/x/y", "/v1/reservations/x/approve", "/v1/Rooms", "/v1/rooms.json",
                   "/v1/room", "/v1/roomsx", "/v1/%72ooms/x/y"):
        for key in ("public", "restricted"):
            api.get(target, key=key).is_problem(404, "not-found")


# -- past nginx: the services count and check for themselves -------------------------------------------

def both(stack):
    return stack.fastcgi("rooms"), stack.fastcgi("points")


def test_E074_services_count_the_keys_themselves(stack):
    rooms, points = both(stack)
    target = f"/v1/users/{stack.user().id}/points"
    for sock, path in ((rooms, "/v1/rooms"), (points, target)):
        assert fcgi.call(sock, "GET", path, headers=[("X-API-Key", "a")]).status == 200
        for headers in ([("X-API-Key", "a"), ("X-API-Key", "a")], [("X-API-Key", "a"), ("X-API-Key", "b")], [],
                        [("Authorization", "Bearer a"), ("Authorization", "Bearer a")], [("Authorization", "Basic a")],
                        [("X-API-Key", "a"), ("Authorization", "Basic a")]):
            a = fcgi.call(sock, "GET", path, headers=headers)
            assert (a.status, a.problem) == (401, "unauthorized") and a.header("WWW-Authenticate"), (headers, a)


def test_services_refuse_who_has_no_role_or_the_wrong_one(stack):
    rooms, points = both(stack)
    user = stack.user(points=10)
    target = f"/v1/users/{user.id}/points"
    with stack.unchanged():
        for role in ("", "admin", "Public", "PUBLIC", "restricted2", "public,restricted"):
            for sock, path in ((rooms, "/v1/rooms"), (points, target)):
                assert fcgi.call(sock, "GET", path, role=role, headers=[("X-API-Key", "a")]).status == 401
        a = fcgi.call(points, "POST", target, role="public", headers=[("X-API-Key", "a")], body=b'{"amount":5,"reason":"x"}')
        assert (a.status, a.problem) == (403, "forbidden")
    a = fcgi.call(points, "POST", target, role="restricted", headers=[("X-API-Key", "a")], body=b'{"amount":5,"reason":"x"}')
    assert a.status == 201, a


def test_request_that_waited_past_its_deadline_is_refused_unexecuted(stack):
    _, points = both(stack)
    user = stack.user(points=10)
    target = f"/v1/users/{user.id}/points"
    now = time.time()
    with stack.unchanged():
        a = fcgi.call(points, "POST", target, role="restricted", headers=[("X-API-Key", "a")], body=b'{"amount":5,"reason":"x"}',
                      params=[("LOYALTY_MSEC", f"{now - 6:.3f}")])
        assert (a.status, a.problem) == (503, "unavailable") and a.header("Retry-After")
    a = fcgi.call(points, "POST", target, role="restricted", headers=[("X-API-Key", "a")], body=b'{"amount":5,"reason":"x"}',
                  params=[("LOYALTY_MSEC", f"{now - 1:.3f}")])
    assert a.status == 201


def test_service_makes_a_request_id_where_it_gets_none_or_a_broken_one(stack):
    rooms, _ = both(stack)
    seen = set()
    for value in (None, "", "a b", "x" * 65, "a\nb", "é"):
        params = [("LOYALTY_REQUEST_ID", value)] if value is not None else []
        a = fcgi.call(rooms, "GET", "/v1/nothing", headers=[("X-API-Key", "a")], params=params)
        assert a.status == 404 and a.json["request_id"] not in ("", value)
        seen.add(a.json["request_id"])
    assert len(seen) == 6
    a = fcgi.call(rooms, "GET", "/v1/nothing", headers=[("X-API-Key", "a")], params=[("LOYALTY_REQUEST_ID", "fine.one_-9")])
    assert a.json["request_id"] == "fine.one_-9"
