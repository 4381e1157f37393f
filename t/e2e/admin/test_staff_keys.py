"""Who may: the restricted key on every staff route, the public one on none; and which routes there are"""

import os
import subprocess
import uuid

import pytest

import fcgi
from staff import STAFF
from stack import TOP

ID = str(uuid.uuid4())

# (methods, path)
ROUTES = [
    ("GET", "/v1/admin/users"), ("GET PUT", f"/v1/admin/users/{ID}"), ("GET POST", "/v1/admin/rooms"), ("GET PATCH", f"/v1/admin/rooms/{ID}"),
    ("POST", f"/v1/admin/reservations/{ID}/approve"), ("POST", f"/v1/admin/reservations/{ID}/reject"),
    ("POST", f"/v1/admin/reservations/{ID}/release"), ("GET", "/v1/admin/history/rooms"), ("GET", "/v1/admin/history/reservations"),
    ("GET", "/v1/admin/history/points"), ("GET", "/v1/admin/history/users"), ("GET", "/v1/admin/events"),
    ("POST", f"/v1/admin/users/{ID}/erase"), ("GET", f"/v1/admin/users/{ID}/export"), ("GET", "/v1/admin/outbox"), ("GET", "/v1/admin/outbox/7"), ("POST", "/v1/admin/outbox/7/retry"),
    ("GET", "/v1/admin/summary"), ("GET", "/v1/admin/audit"),
    ("GET", "/v1/admin/metrics")]
PATHS = [path for _, path in ROUTES]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"]
NOWHERE = ["/v1/admin", "/v1/admin/", "/v1/admin/nothing", "/v1/admin/users/x/y", "/v1/admin/rooms/", f"/v1/admin/reservations/{ID}",
           f"/v1/admin/reservations/{ID}/cancel", "/v1/admin/history", "/v1/admin/outbox/7/x", "/v1/admin/Users", "/v1/admin/metrics/x"]


def served(methods):
    return set(methods.split()) | ({"HEAD"} if "GET" in methods.split() else set())


def test_description_and_routes_of_all_services_are_the_same(contract):
    build = os.environ.get("LOYALTY_BUILD", "build")
    printed = "".join(subprocess.run([TOP / name / build / name, "-r"], capture_output=True, text=True, check=True).stdout
                      for name in ("cgi-rooms", "cgi-points", "cgi-admin"))
    assert contract.spec.differences(printed) == []
    ours = {(line.split()[0], line.split()[1]) for line in printed.splitlines() if "/v1/admin/" in line}
    here = {(m, p.replace(ID, "{id}").replace("/outbox/7", "/outbox/{id}")) for methods, p in ROUTES for m in methods.split()}
    assert ours == here, "this list is to have every staff route"
    assert all(line.split()[2] == "RESTRICTED" for line in printed.splitlines() if "/v1/admin/" in line)


# -- the public key -----------------------------------------------------------------------------------

@pytest.mark.parametrize("path", PATHS + NOWHERE)
def test_E075_public_key_is_403_on_every_route_and_method(stack, api, path):
    with stack.unchanged():
        for method in METHODS:
            if method == "TRACE" and path in NOWHERE:
                continue  # nginx refuses it before the gate
            a = api.request(method, path, wire=api.wire())
            assert a.status == 403 and (method == "HEAD" or a.problem == "forbidden"), a


@pytest.mark.parametrize("path", PATHS)
def test_E075_public_key_is_403_before_anything_else_is_looked_at(stack, api, path):
    """Broken bodies, queries, headers; ids that are known, unknown, or none."""
    room, user = stack.room(), stack.user(points=1000)
    known = stack.reserve(room, user).json["id"]
    paths = [path, path + "?x=1&limit=0", path + "?cursor=%zz"] + [path.replace(ID, id_) for id_ in (room.id, user.id, known, "x", "%00")]
    hows = [{"body": b"{}"}, {"body": b"{broken"}, {"body": b""}, {"body": b"x", "content_type": "text/plain"}, {"body": b"{}", "idem": "a b"},
            {"body": b"{}", "actor": "%zz"}, {"body": b"\xff" * 100, "headers": [("Content-Encoding", "gzip")]},
            {"headers": [("If-None-Match", "*")]}]
    with stack.unchanged():
        for target in dict.fromkeys(paths):
            for method in ("POST", "PUT", "PATCH", "GET"):
                for how in hows if target == path else hows[:2]:
                    a = api.request(method, target, **how)
                    if "%00" in target and a.problem == "bad-request":
                        continue  # nginx knows no such path
                    a.is_problem(403, "forbidden")


@pytest.mark.parametrize("path", PATHS)
def test_E075_E049_public_key_is_403_whatever_the_size_of_the_body(stack, api, path):
    with stack.unchanged():
        for size in (16384, 16385, 1000000):
            api.request("POST", path, body=b" " * size, wire=api.wire()).is_problem(403, "forbidden")


def test_public_key_learns_nothing_by_guessing_an_idempotency_key(stack, api):
    a = api.post("/v1/admin/rooms", {"name": "Secret", "total_amount": 1, "required_points": 1}, idem="guess-me", **STAFF)
    assert a.status == 201
    with stack.unchanged():
        b = api.post("/v1/admin/rooms", {"name": "Secret", "total_amount": 1, "required_points": 1}, idem="guess-me").is_problem(403, "forbidden")
    assert not b.all("Idempotency-Replayed")


# -- no key, and several ------------------------------------------------------------------------------

@pytest.mark.parametrize("path", PATHS + NOWHERE)
def test_E074_no_key_and_a_wrong_one_are_401_on_every_route_and_method(stack, api, path):
    with stack.unchanged():
        for method in METHODS:
            for who in (None, b"wrong"):
                a = api.request(method, path, key=who, body=b"{broken" if method != "GET" else None, wire=api.wire())
                assert a.status == 401 and (method == "HEAD" or a.problem == "unauthorized"), a


def test_E074_two_keys_that_disagree_are_401_in_any_order(stack, api):
    keys = stack.keys
    with stack.unchanged():
        for one, two in (("public", "restricted"), ("restricted", "public")):
            for path in PATHS:
                api.get(path, key=one, headers=[("X-API-Key", keys[two])]).is_problem(401, "unauthorized")
                api.get(path, key=one, headers=[("Authorization", f"Bearer {keys[two]}")]).is_problem(401, "unauthorized")


def test_bearer_works_as_well(stack, api):
    for who, status in (("restricted", 200), ("public", 403)):
        a = api.get("/v1/admin/rooms?limit=1", key=None, headers=[("Authorization", f"Bearer {stack.keys[who]}")])
        assert a.status == status


# -- the restricted key -------------------------------------------------------------------------------

@pytest.mark.parametrize("methods, path", ROUTES)
def test_E059_other_methods_are_405_with_allow(stack, api, methods, path):
    want = served(methods) | {"OPTIONS"}
    with stack.unchanged():
        for method in METHODS:
            if method in want:
                continue
            a = api.request(method, path, body=b"{broken" if method in ("POST", "PUT", "PATCH") else None, wire=api.wire(), **STAFF)
            assert a.status == 405 and set(a.header("Allow").split(", ")) == want, a


@pytest.mark.parametrize("methods, path", ROUTES)
def test_E058_options_is_204_with_allow_and_needs_no_key(stack, api, methods, path):
    for who in (None, "public", "restricted"):
        a = api.options(path, key=who)
        assert a.status == 204 and set(a.header("Allow").split(", ")) == served(methods) | {"OPTIONS"}


@pytest.mark.parametrize("path", NOWHERE)
def test_what_is_nowhere_is_404_with_the_restricted_key(stack, api, path):
    with stack.unchanged():
        for method in ("GET", "POST", "DELETE"):
            api.request(method, path, **STAFF).is_problem(404, "not-found")


@pytest.mark.parametrize("methods, path", ROUTES)
def test_E057_head_is_get_without_its_body(stack, api, methods, path):
    if "GET" not in methods:
        assert api.head(path, **STAFF).status == 405
        return
    a, head = api.get(path, **STAFF), api.head(path, **STAFF)
    assert head.status == a.status and head.body == b"" and head.header("Content-Type") == a.header("Content-Type")


def test_E060_paths_are_normalised_by_nginx(stack, api):
    for path in ("/v1//admin/users?limit=1", "/v1/./admin/x/../users?limit=1", "/v1/%61dmin/users?limit=1"):
        assert api.get(path, **STAFF).status == 200
        api.get(path).is_problem(403, "forbidden")
        api.get(path, key=None).is_problem(401, "unauthorized")


def test_E067_answers_are_json_whatever_is_accepted(stack, api):
    for accept in ("text/html", "application/xml", "text/plain"):
        assert api.get("/v1/admin/rooms?limit=1", headers=[("Accept", accept)], **STAFF).header("Content-Type") == "application/json"
    assert api.get("/v1/admin/metrics", headers=[("Accept", "application/json")], **STAFF).header("Content-Type").startswith("text/plain")


# -- past nginx: the service checks for itself --------------------------------------------------------

def test_service_refuses_who_has_no_role_or_the_wrong_one(stack):
    admin = stack.fastcgi("admin")
    one = [("X-API-Key", "a")]
    with stack.unchanged():
        for methods, path in ROUTES:
            for method in methods.split() + ["DELETE"]:
                for role, status in (("", 401), ("Restricted", 401), ("public,restricted", 401), ("public", 403), ("forbidden", 403)):
                    a = fcgi.call(admin, method, path, role=role, headers=one, body=b"{broken")
                    assert a.status == status, (method, path, role, a)
                a = fcgi.call(admin, method, path, role="restricted", headers=one * 2)
                assert a.status == 401, a
    assert fcgi.call(admin, "GET", "/v1/admin/rooms", role="restricted", headers=one).status == 200


def test_keys_stand_in_no_log(stack, api):
    api.get("/v1/admin/rooms", **STAFF)
    api.get(f"/v1/admin/users?q={stack.keys['restricted']}", **STAFF)
    api.get(f"/v1/admin/users?key={stack.keys['restricted']}", key=None)
    for name, text in stack.all_logs().items():
        for role in ("public", "restricted"):
            assert stack.keys[role].encode() not in text, f"the {role} key is in {name}"


def test_readiness_waits_for_the_staff_service_too(stack, api):
    stack.stop("admin")
    try:
        a = api.get("/readyz", key=None).is_problem(503, "unavailable")
        assert "cgi-admin" in a.json["detail"] and a.header("Retry-After")
        api.get("/v1/admin/rooms", **STAFF).is_problem(503, "unavailable")
        assert api.get("/v1/rooms?limit=1").status == 200 and api.get("/healthz", key=None).status == 200
    finally:
        stack.start("admin")
        stack.ready()
    assert api.get("/v1/admin/rooms?limit=1", **STAFF).status == 200
