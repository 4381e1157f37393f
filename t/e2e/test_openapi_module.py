"""Does openapi.py refuse what is not as docs/openapi.yaml says?  Wrong answers are planted; no system is needed."""

import copy
import json
import random
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))

import openapi  # noqa: E402
from openapi import Spec, SpecError  # noqa: E402

YAML = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"

ROOM = {"id": "d635c003-fffc-4beb-87b8-eaf3458cf772", "name": "Economy Single Room", "available_amount": 10,
        "required_points": 260}
JANE = {"id": "b9fa7d71-548c-4739-8e6a-0931cc218cd1", "name": "Jane Doe", "role": "USER"}
STAY = {"id": "01a20a3b-c99b-7c5a-9d53-2f8e4b7a1c60", "status": "RESERVED", "points": 260, "room": ROOM, "user": JANE,
        "created_at": "2026-11-23T21:07:00.123456Z", "updated_at": "2026-11-23T21:07:00.123456Z"}
EVERY = {"X-Request-Id": "t-1", "Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff"}
JSON = {**EVERY, "Content-Type": "application/json"}
READ = {**JSON, "ETag": '"9a0364b9e99bb480dd25e1f0284c8555"', "Cache-Control": "private, no-cache"}
WRITE = {**JSON, "Cache-Control": "no-store"}
CHANGED = {**WRITE, "ETag": READ["ETag"]}
CREATED = {**WRITE, "Location": "/v1/reservations/" + STAY["id"]}
FAULT = {**EVERY, "Content-Type": "application/problem+json"}
STAY_PATH = "/v1/reservations/" + STAY["id"]
POINTS_PATH = "/v1/users/" + JANE["id"] + "/points"
ACCOUNT = {"user": JANE, "bonus_points": 1240}
ACCOUNT_PATH = "/v1/admin/users/" + JANE["id"]
ADMIN_ROOM = {"room": ROOM, "total_amount": 10, "archived": False}
ADMIN_ROOM_PATH = "/v1/admin/rooms/" + ROOM["id"]
STAFF_PATH = "/v1/admin/reservations/" + STAY["id"]
STATE = {"name": "Suite", "total_amount": 2, "available_amount": 1, "required_points": 5, "archived": False}
TAIL = {"actor": "Zoë", "request_id": "t-1", "changed_at": STAY["created_at"]}
ROOM_CHANGE = {"id": 7, "room_id": ROOM["id"], "reservation_id": STAY["id"], "from": STATE, "to": STATE, **TAIL}
STAY_CHANGE = {"id": 7, "reservation_id": STAY["id"], "room_id": ROOM["id"], "user_id": JANE["id"], "from": None,
               "to": "RESERVED", "points": 260, "reason": None, **TAIL}
POINTS_CHANGE = {"id": 7, "user_id": JANE["id"], "from": 5, "to": 3, "delta": -2, "reason": None, "reservation_id": STAY["id"], **TAIL}
ACCOUNT_CHANGE = {"id": 7, "user_id": JANE["id"], "from": None, "to": {"name": "Jane Doe", "role": "USER"}, "reason": None, **TAIL}
MAIL = {"id": 7, "event": "room", "status": "SENT", "attempts": 1, "subject": "Room Suite: new room", "reservation_id": None,
        "room_id": ROOM["id"], "request_id": "t-1", "created_at": STAY["created_at"], "next_attempt_at": None,
        "sent_at": STAY["created_at"], "last_error": None}
AUDIT = {"ok": False, "checks": [{"name": "room-stock", "ok": False, "checked": 5, "violations": ["room x: 5 and 4"]}]}
TEXT = {**EVERY, "Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"}


TITLES = {schema["properties"]["type"]["const"]: schema["properties"]["title"]
          for name, schema in yaml.safe_load(YAML.read_text())["components"]["schemas"].items() if name.endswith("Problem") and "properties" in schema}


def problem(name, status, **more):
    title = TITLES["/problems/" + name]
    return {"type": f"/problems/{name}", "title": title.get("const") or title["enum"][0], "status": status, "detail": "D", "request_id": "t-1", **more}


def less(headers, name):
    return {n: v for n, v in headers.items() if n != name}


def changed(value, path, new):
    """A copy with the member at path (names and indexes, by dots) set, or removed where new is ... ."""
    value = copy.deepcopy(value)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    node = value
    for step in way:
        node = node[step]
    if new is ...:
        del node[last]
    else:
        node[last] = new
    return value


# (method, path, status, headers, body): as it should be
RIGHT = {
    "rooms": ("GET", "/v1/rooms", 200, READ, [ROOM]),
    "rooms_by_query": ("GET", "/v1/rooms?available=true&limit=1", 200,
                       {**READ, "Link": '</v1/rooms?available=true&limit=1&cursor=abc>; rel="next"'}, [ROOM]),
    "no_rooms": ("GET", "/v1/rooms", 200, READ, []),
    "room": ("GET", "/v1/rooms/" + ROOM["id"].upper(), 200, READ, ROOM),
    "room_unchanged": ("GET", "/v1/rooms/" + ROOM["id"], 304, less(READ, "Content-Type"), None),
    "room_head": ("HEAD", "/v1/rooms/" + ROOM["id"], 200, READ, None),
    "room_unknown": ("GET", "/v1/rooms/nonsense", 404, FAULT, problem("room-not-found", 404)),
    "room_unknown_head": ("HEAD", "/v1/rooms/nonsense", 404, FAULT, None),
    "stay": ("GET", STAY_PATH, 200, READ, STAY),
    "stays": ("GET", "/v1/reservations?user_id=x", 200, READ, [STAY, {**STAY, "status": "RELEASED"}]),
    "created": ("POST", "/v1/reservations", 201, CREATED, STAY),
    "created_again": ("POST", "/v1/reservations", 201, {**CREATED, "Idempotency-Replayed": "true"}, STAY),
    "sold_out": ("POST", "/v1/reservations", 409, FAULT, problem("sold-out", 409)),
    "cancelled": ("POST", STAY_PATH + "/cancel", 200, WRITE, {**STAY, "status": "CANCELLED"}),
    "balance": ("GET", POINTS_PATH, 200, READ, {"user": JANE, "bonus_points": 2**53 - 1}),
    "adjusted": ("POST", POINTS_PATH, 201, WRITE, {"user": JANE, "amount": -250, "bonus_points": 0}),
    "forbidden": ("POST", POINTS_PATH, 403, FAULT, problem("forbidden", 403)),
    "too_few": ("POST", POINTS_PATH, 409, FAULT, problem("insufficient-points", 409)),
    "invalid_body": ("POST", POINTS_PATH, 422, FAULT,
                     problem("validation", 422, errors=[{"pointer": "/amount", "detail": "is missing"},
                                                        {"pointer": "", "detail": "must be an object"}])),
    "invalid_query": ("GET", "/v1/rooms?limit=0", 400, FAULT,
                      problem("validation", 400, errors=[{"parameter": "limit", "detail": "must be from 1"}])),
    "invalid_header": ("POST", POINTS_PATH, 400, FAULT,
                       problem("validation", 400, errors=[{"header": "Idempotency-Key", "detail": "is too long"}])),
    "accounts": ("GET", "/v1/admin/users?q=doe", 200, READ, [ACCOUNT]),
    "account": ("GET", ACCOUNT_PATH, 200, READ, ACCOUNT),
    "account_made": ("PUT", ACCOUNT_PATH, 201, WRITE, ACCOUNT),
    "account_replaced": ("PUT", ACCOUNT_PATH, 200, WRITE, ACCOUNT),
    "account_erased": ("POST", ACCOUNT_PATH + "/erase", 200, WRITE, {"user": {**JANE, "name": "Erased"}, "bonus_points": 0}),
    "account_exported": ("GET", ACCOUNT_PATH + "/export", 200, {**JSON, "Cache-Control": "no-store"},
                         {"account": ACCOUNT, "reservations": [STAY], "history": {"users": [ACCOUNT_CHANGE], "reservations": [STAY_CHANGE],
                                                                                  "points": [POINTS_CHANGE]}, "mails": [MAIL]}),
    "account_held": ("POST", ACCOUNT_PATH + "/erase", 409, FAULT, problem("user-has-reservations", 409)),
    "admin_rooms": ("GET", "/v1/admin/rooms", 200, READ, [ADMIN_ROOM]),
    "admin_room": ("GET", ADMIN_ROOM_PATH, 200, READ, ADMIN_ROOM),
    "room_made": ("POST", "/v1/admin/rooms", 201, {**WRITE, "Location": ADMIN_ROOM_PATH}, ADMIN_ROOM),
    "room_there": ("POST", "/v1/admin/rooms", 409, FAULT, problem("room-exists", 409)),
    "room_changed": ("PATCH", ADMIN_ROOM_PATH, 200, CHANGED, ADMIN_ROOM),
    "condition_failed": ("PATCH", ADMIN_ROOM_PATH, 412, FAULT, problem("precondition-failed", 412)),
    "stock_too_low": ("PATCH", ADMIN_ROOM_PATH, 409, FAULT, problem("stock-below-reserved", 409)),
    "approved": ("POST", STAFF_PATH + "/approve", 200, WRITE, STAY),
    "rejected": ("POST", STAFF_PATH + "/reject", 200, WRITE, {**STAY, "status": "REJECTED"}),
    "released": ("POST", STAFF_PATH + "/release", 200, WRITE, {**STAY, "status": "RELEASED"}),
    "too_late": ("POST", STAFF_PATH + "/reject", 409, FAULT, problem("invalid-transition", 409)),
    "room_changes": ("GET", "/v1/admin/history/rooms", 200, READ, [ROOM_CHANGE, {**ROOM_CHANGE, "reservation_id": None, "from": None}]),
    "stay_changes": ("GET", "/v1/admin/history/reservations", 200, READ, [{**STAY_CHANGE, "from": "RESERVED"}, STAY_CHANGE]),
    "points_changes": ("GET", "/v1/admin/history/points", 200, READ,
                       [POINTS_CHANGE, {**POINTS_CHANGE, "reservation_id": None, "reason": "gift"}]),
    "account_changes": ("GET", "/v1/admin/history/users", 200, READ, [{**ACCOUNT_CHANGE, "from": {"name": "Jane", "role": "ADMIN"}}, ACCOUNT_CHANGE]),
    "mail": ("GET", "/v1/admin/outbox/4711", 200, READ, {**MAIL, "text": "RESERVED: …\n"}),
    "summary": ("GET", "/v1/admin/summary", 200, READ, {"pending_approval": 0, "dead_mails": 1, "queued_mails": 2}),
    "events": ("GET", "/v1/admin/events", 200, {**READ, "Link": '</v1/admin/events?cursor=x>; rel="next"'},
               [{name: value for name, value in STAY_CHANGE.items() if name != "reason"}]),
    "mails": ("GET", "/v1/admin/outbox?status=SENT", 200, READ, [MAIL]),
    "mail_again": ("POST", "/v1/admin/outbox/7/retry", 200, WRITE,
                   {**MAIL, "status": "PENDING", "next_attempt_at": STAY["created_at"], "sent_at": None, "last_error": "550 no"}),
    "mail_unknown": ("POST", "/v1/admin/outbox/x/retry", 404, FAULT, problem("not-found", 404)),
    "audit": ("GET", "/v1/admin/audit", 200, {**JSON, "Cache-Control": "no-store"}, AUDIT),
    "metrics": ("GET", "/v1/admin/metrics", 200, TEXT, "loyalty_outbox_dead 0"),
    "forbidden_method": ("DELETE", "/v1/admin/audit", 403, FAULT, problem("forbidden", 403)),
    "forbidden_nowhere": ("GET", "/v1/admin/nope", 403, FAULT, problem("forbidden", 403)),
    "forbidden_root": ("GET", "/v1/admin", 403, FAULT, problem("forbidden", 403)),
    "no_key": ("GET", "/v1/rooms", 401, {**FAULT, "WWW-Authenticate": 'Bearer realm="loyalty"'},
               problem("unauthorized", 401)),
    "no_key_and_no_method": ("PUT", "/v1/rooms", 401, {**FAULT, "WWW-Authenticate": 'Bearer realm="loyalty"'},
                             problem("unauthorized", 401)),
    "no_method": ("PUT", "/v1/reservations", 405, {**FAULT, "Allow": "POST, GET, HEAD, OPTIONS"},
                  problem("method-not-allowed", 405)),
    "no_head": ("HEAD", STAY_PATH + "/cancel", 405, {**FAULT, "Allow": "POST, OPTIONS"}, None),
    "options": ("OPTIONS", "/v1/rooms", 204, {**EVERY, "Allow": "GET, HEAD, OPTIONS"}, None),
    "down": ("GET", "/v1/rooms", 503, {**FAULT, "Retry-After": "2"}, problem("unavailable", 503)),
    "too_fast": ("OPTIONS", "/v1/rooms", 429, {**FAULT, "Retry-After": "1"}, problem("rate-limited", 429)),
    "alive": ("GET", "/healthz", 200, {**JSON, "Cache-Control": "no-store"}, {"status": "ok"}),
    "ready": ("GET", "/readyz", 200, JSON, {"status": "ready"}),
    "not_ready": ("GET", "/readyz", 503, {**FAULT, "Retry-After": "2"}, problem("unavailable", 503)),
    "nowhere": ("GET", "/nope", 404, FAULT, problem("not-found", 404)),
    "nowhere_head": ("HEAD", "/v1/nope", 404, FAULT, None),
    "nowhere_with_slash": ("GET", "/v1/rooms/", 404, FAULT, problem("not-found", 404)),
    "nowhere_too_long": ("GET", "/" + "x" * 9000, 414, FAULT, problem("bad-request", 414)),
    "untold": ("GET", "?", 415, FAULT, problem("unsupported-media-type", 415)),
    "untold_success": ("GET", "?", 201, CREATED, STAY),
}

# the same with one thing wrong: (which of the above, what to change, how)
WRONG = {
    "member_missing": ("room", "body.name", ...),
    "member_unknown": ("room", "body.colour", "red"),
    "member_unknown_deep": ("stays", "body.1.room.total_amount", 10),
    "shape_deep": ("stays", "body.1.user.role", "GUEST"),
    "id_upper_case": ("room", "body.id", ROOM["id"].upper()),
    "id_no_uuid": ("stay", "body.id", "urn:uuid:" + STAY["id"]),
    "id_with_line_feed": ("room", "body.id", ROOM["id"] + "\n"),
    "number_as_text": ("room", "body.available_amount", "10"),
    "number_is_true": ("room", "body.available_amount", True),
    "number_has_fraction": ("room", "body.available_amount", 10.0),
    "number_negative": ("room", "body.available_amount", -1),
    "number_too_large": ("room", "body.available_amount", 1000001),
    "price_too_large": ("room", "body.required_points", 10**9 + 1),
    "balance_too_large": ("balance", "body.bonus_points", 2**53),
    "amount_of_zero": ("adjusted", "body.amount", 0),
    "null": ("stay", "body.room", None),
    "name_empty": ("room", "body.name", ""),
    "name_too_long": ("room", "body.name", "x" * 201),
    "name_with_control": ("room", "body.name", "a\u0085"),
    "name_with_bidi": ("room", "body.name", "a\u202e"),
    "state_unknown": ("stay", "body.status", "APPROVED"),
    "time_without_fraction": ("stay", "body.created_at", "2026-11-23T21:07:00Z"),
    "time_with_offset": ("stay", "body.created_at", "2026-11-23T21:07:00.123456+00:00"),
    "time_impossible": ("stay", "body.created_at", "2026-02-30T21:07:00.123456Z"),
    "time_in_other_digits": ("stay", "body.created_at", "２026-11-23T21:07:00.123456Z"),
    "object_for_list": ("rooms", "body", ROOM),
    "list_for_object": ("room", "body", [ROOM]),
    "list_too_long": ("rooms", "body", [ROOM] * 201),
    "no_body": ("room", "body", None),
    "body_on_304": ("room_unchanged", "body", ROOM),
    "body_on_head": ("room_head", "body", ROOM),
    "body_on_204": ("options", "body", {}),
    "body_on_head_nowhere": ("nowhere_head", "body", problem("not-found", 404)),
    "status_unknown": ("room", "status", 206),
    "status_of_another": ("rooms", "status", 201),
    "success_without_key": ("forbidden", "status", 200),
    "type_missing": ("room", "headers.Content-Type", ...),
    "type_html": ("room", "headers.Content-Type", "text/html"),
    "type_of_a_problem": ("room", "headers.Content-Type", "application/problem+json"),
    "problem_as_json": ("room_unknown", "headers.Content-Type", "application/json"),
    "problem_as_json_head": ("room_unknown_head", "headers.Content-Type", "application/json"),
    "problem_as_json_nowhere": ("nowhere", "headers.Content-Type", "application/json"),
    "request_id_missing": ("room", "headers.X-Request-Id", ...),
    "request_id_ill_formed": ("room", "headers.X-Request-Id", "a b"),
    "request_id_missing_nowhere": ("nowhere", "headers.X-Request-Id", ...),
    "etag_missing": ("room", "headers.ETag", ...),
    "etag_weak": ("room", "headers.ETag", 'W/"1"'),
    "etag_missing_on_304": ("room_unchanged", "headers.ETag", ...),
    "etag_missing_on_head": ("room_head", "headers.ETag", ...),
    "sniffing": ("room", "headers.X-Content-Type-Options", "sniff"),
    "transport_off": ("room", "headers.Strict-Transport-Security", "max-age=0"),
    "transport_missing_on_204": ("options", "headers.Strict-Transport-Security", ...),
    "person_cached": ("stay", "headers.Cache-Control", ...),
    "person_cached_by_all": ("balance", "headers.Cache-Control", "public, max-age=60"),
    "room_public": ("room", "headers.Cache-Control", "public"),
    "location_missing": ("created", "headers.Location", ...),
    "location_elsewhere": ("created", "headers.Location", "/v1/rooms/" + STAY["id"]),
    "link_to_one_thing": ("room", "headers.Link", '</v1/rooms?cursor=abc>; rel="next"'),
    "link_ill_formed": ("rooms_by_query", "headers.Link", "/v1/rooms?cursor=abc"),
    "replayed_false": ("created_again", "headers.Idempotency-Replayed", "false"),
    "challenge_missing": ("no_key", "headers.WWW-Authenticate", ...),
    "retry_missing": ("down", "headers.Retry-After", ...),
    "retry_at_once": ("down", "headers.Retry-After", "0"),
    "retry_at_a_date": ("down", "headers.Retry-After", "Mon, 23 Nov 2026 21:07:00 GMT"),
    "retry_missing_on_429": ("too_fast", "headers.Retry-After", ...),
    "allow_missing": ("no_method", "headers.Allow", ...),
    "allow_too_little": ("no_method", "headers.Allow", "GET, HEAD, OPTIONS"),
    "allow_too_much": ("options", "headers.Allow", "GET, HEAD, POST, OPTIONS"),
    "known_method_refused": ("no_method", "method", "POST"),
    "head_refused": ("no_head", "path", "/v1/rooms"),
    "problem_of_another": ("room_unknown", "body.type", "/problems/user-not-found"),
    "problem_unknown": ("room_unknown", "body.type", "/problems/oops"),
    "problem_of_another_path": ("nowhere", "body.type", "/problems/room-not-found"),
    "problem_without_detail": ("room_unknown", "body.detail", ...),
    "problem_with_more": ("room_unknown", "body.instance", "/x"),
    "problem_of_other_status": ("room_unknown", "body.status", 400),
    "problem_of_other_status_nowhere": ("nowhere_too_long", "body.status", 400),
    "problem_errors_missing": ("invalid_body", "body.errors", ...),
    "problem_errors_empty": ("invalid_body", "body.errors", []),
    "problem_errors_elsewhere": ("sold_out", "body.errors", [{"pointer": "", "detail": "x"}]),
    "pointer_ill_formed": ("invalid_body", "body.errors.0.pointer", "amount x"),
    "pointer_and_parameter": ("invalid_body", "body.errors.0.parameter", "amount"),
    "query_as_pointer": ("invalid_query", "body.errors", [{"pointer": "?limit", "detail": "x"}]),
    "condition_on_a_post": ("condition_failed", "method", "POST"),
    "condition_of_another_kind": ("condition_failed", "body.type", "/problems/bad-request"),
    "changed_without_a_tag": ("room_changed", "headers.ETag", ...),
    "error_nowhere": ("invalid_query", "body.errors", [{"detail": "x"}]),
    "header_ill_formed": ("invalid_header", "body.errors.0.header", "?limit"),
    "pointer_unexplained": ("invalid_body", "body.errors.0.detail", ...),
    "restricted_409": ("too_few", "body.type", "/problems/sold-out"),
    "read_with_409": ("sold_out", "method", "GET"),
    "forbidden_to_any": ("forbidden", "path", "/v1/reservations"),
    "forbidden_method_of_any": ("forbidden_method", "path", "/v1/rooms"),
    "forbidden_nowhere_else": ("forbidden_nowhere", "path", "/v1/adminx"),
    "forbidden_for_another_reason": ("forbidden_nowhere", "body.type", "/problems/not-found"),
    "admin_room_as_room": ("admin_room", "body", ROOM),
    "admin_room_of_a_number": ("admin_room", "body.archived", 0),
    "room_made_elsewhere": ("room_made", "headers.Location", "/v1/rooms/" + ROOM["id"]),
    "change_without_actor": ("room_changes", "body.0.actor", ...),
    "change_to_nothing": ("room_changes", "body.0.to", None),
    "change_by_nobody": ("stay_changes", "body.0.actor", ""),
    "change_of_zero": ("points_changes", "body.0.delta", 0),
    "change_of_no_number": ("points_changes", "body.0.id", "7"),
    "mail_id_of_zero": ("mails", "body.0.id", 0),
    "mail_of_no_event": ("mails", "body.0.event", "user"),
    "mail_error_empty": ("mails", "body.0.last_error", ""),
    "audit_of_nothing": ("audit", "body.checks", []),
    "metrics_as_json": ("metrics", "headers.Content-Type", "application/json"),
    "nowhere_but_fine": ("room", "path", "/v1/suites/" + ROOM["id"]),
    "untold_but_wrong": ("untold", "body.type", "/problems/oops"),
    "key_for_a_probe": ("no_key", "path", "/healthz"),
}


def send(spec, method, path, status, headers, body):
    raw = b"" if body is None else json.dumps(body).encode()
    return spec.check(method, path, status, headers, raw)


@pytest.fixture(scope="module")
def loaded():
    return Spec(YAML)


@pytest.fixture
def spec(loaded):
    loaded.covered.clear()  # all that a Spec remembers
    return loaded


@pytest.mark.parametrize("name", RIGHT)
def test_takes_what_is_described(spec, name):
    send(spec, *RIGHT[name])


@pytest.mark.parametrize("name", WRONG)
def test_refuses_what_is_not(spec, name):
    which, what, new = WRONG[name]
    answer = dict(zip(("method", "path", "status", "headers", "body"), RIGHT[which]))
    planted = changed(answer, what, new)
    assert repr(planted) != repr(answer)
    with pytest.raises(SpecError) as refusal:
        send(spec, *planted.values())
    assert str(refusal.value).startswith(planted["method"])
    assert not spec.covered


@pytest.mark.parametrize("body", [
    b"", b"{", b'{"status":"ok"} x', b'{"status":"ok","status":"ok"}', b"\xef\xbb\xbf{}", b'{"status":"\xff"}', b"NaN"])
def test_refuses_what_is_not_strict_json(spec, body):
    with pytest.raises(SpecError):
        spec.check("GET", "/healthz", 200, JSON, body)


def test_refuses_a_header_twice(spec):
    pairs = list(READ.items())
    body = json.dumps(ROOM).encode()
    spec.check("GET", "/v1/rooms/x", 200, pairs, body)
    with pytest.raises(SpecError, match="twice"):
        spec.check("GET", "/v1/rooms/x", 200, pairs + [("etag", '"2"')], body)


def test_tells_what_is_wrong(spec):
    with pytest.raises(SpecError, match=r"\$\[0\]\.room.*'colour' was unexpected"):
        send(spec, "GET", "/v1/reservations", 200, READ, [changed(STAY, "room.colour", "red")])


@pytest.mark.parametrize("target, template", [
    ("/v1/rooms", "/v1/rooms"), ("/v1//rooms", "/v1/rooms"), ("/v1/./x/../rooms?a=/b", "/v1/rooms"),
    ("/%76%31/rooms", "/v1/rooms"), ("https://localhost:8443/v1/rooms", "/v1/rooms"), ("/v1/rooms/x", "/v1/rooms/{id}"),
    ("/v1/reservations/x/cancel", "/v1/reservations/{id}/cancel"), ("/v1/users/x/points", "/v1/users/{id}/points"),
    ("/v1/rooms/a%2Fb", None), ("/v1/rooms/", None), ("/v1/rooms/x/", None), ("/v1/rooms/x/..", None), ("/V1/rooms", None),
    ("/v1/roomsx", None), ("/", None), ("*", None), ("", None), ("/v1/users/x", None), ("/v1/users//points", None)])
def test_finds_paths_as_nginx_does(spec, target, template):
    found = spec.find(target)
    assert (found and found.template) == template


def test_names_the_operation(spec):
    assert send(spec, *RIGHT["rooms_by_query"]) == "room_list"
    assert send(spec, *RIGHT["adjusted"]) == "points_adjust"
    assert send(spec, *RIGHT["nowhere"]) is None
    assert spec.covered == {("room_list", 200), ("points_adjust", 201)}


def test_tells_what_was_never_exercised(spec):
    every = {"room_list", "room_get", "reservation_create", "reservation_list", "reservation_get", "reservation_cancel",
             "points_get", "points_adjust", "user_list", "user_get", "user_put", "user_erase", "user_export", "admin_room_list", "admin_room_get", "room_create",
             "room_change", "reservation_approve", "reservation_reject", "reservation_release", "history_rooms",
             "history_reservations", "history_points", "history_users", "event_list", "outbox_list", "outbox_get", "outbox_retry", "summary_get", "audit_get", "metrics_get", "healthz", "readyz"}
    assert set(spec.uncovered()) == every
    send(spec, *RIGHT["room_head"])
    send(spec, *RIGHT["options"])
    assert set(spec.uncovered()) == every
    send(spec, *RIGHT["room"])
    assert set(spec.uncovered()) == every - {"room_get"}
    for right in RIGHT.values():
        send(spec, *right)
    assert spec.uncovered() == []


def test_lists_the_routes(spec):
    routes = spec.routes()
    assert len(routes) == len(set(routes)) == 33
    assert ("GET", "/v1/rooms", "ANY") in routes
    assert ("POST", "/v1/users/{id}/points", "RESTRICTED") in routes
    assert ("GET", "/healthz", "NONE") in routes


def test_compares_routes_both_ways(spec):
    printed = "\n".join(f"{op.method} {op.path} {op.scope} {op.name}" for op in spec.operations() if op.scope != "NONE")
    assert spec.differences(printed + "\n") == []
    assert spec.differences(printed.replace("RESTRICTED points_adjust", "ANY points_adjust")) == [
        "described, but not there: POST /v1/users/{id}/points RESTRICTED points_adjust",
        "not described: POST /v1/users/{id}/points ANY points_adjust"]
    assert spec.differences(printed + "\nGET /v1/suites ANY suite_list") == ["not described: GET /v1/suites ANY suite_list"]
    assert spec.differences("\n".join(printed.split("\n")[1:])) == ["described, but not there: GET /v1/rooms ANY room_list"]


# -- the schemas ----------------------------------------------------------------------------------

def media(spec):
    """Every (schema, examples) of a body, of requests and answers; what many operations share, once."""
    seen = set()

    def walk(node, where):
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, dict):
            if "schema" in node and ("example" in node or "examples" in node):
                values = [one["value"] for one in node.get("examples", {}).values()] + (
                    [node["example"]] if "example" in node else [])
                yield where, node["schema"], values
            for name, inner in node.items():
                yield from walk(inner, f"{where}/{name}")
        elif isinstance(node, list):
            for i, inner in enumerate(node):
                yield from walk(inner, f"{where}/{i}")

    return list(walk(spec.document, ""))


def test_every_example_fits_its_schema(spec):
    found = media(spec)
    assert len(found) > 50
    for where, schema, values in found:
        for value in values:
            openapi.Schema(schema).check(value, where)


def test_every_schema_is_one(spec):
    for _, schema, _ in media(spec):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_answer_but_a_304_has_an_example(spec):
    for op in spec.operations():
        answers = spec.document["paths"][op.path][op.method.lower()]["responses"]
        for status, answer in answers.items():
            assert status == "304" or all("example" in m or "examples" in m for m in answer["content"].values())


def mutate(chance, value):
    """Something like the value."""
    junk = [None, True, 0, -1, 2**60, "", "x", "a\n", [], {}, "\u202e", ROOM["id"], ROOM["id"] + "\n"]
    roll = chance.random()
    if roll < 0.1:
        return chance.choice(junk)
    if isinstance(value, dict):
        out = {name: mutate(chance, member) if chance.random() < 0.5 else member for name, member in value.items()}
        if out and chance.random() < 0.1:
            del out[chance.choice(list(out))]
        if chance.random() < 0.05:
            out["more"] = chance.choice(junk)
        return out
    if isinstance(value, list):
        return [mutate(chance, item) for item in value for _ in range(chance.choice((0, 1, 1, 1, 2)))]
    if isinstance(value, str) and value:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(("", "0", "Z", "\u0000", "é", "\n", value[at] * 2, value[at])) + value[at + 1:]
    if type(value) is int:
        return value + chance.choice((-1, 0, 1, 10**10))
    return value


def test_agrees_with_jsonschema(spec):
    chance = random.Random(7)
    verdicts = {True: 0, False: 0}
    for _, schema, values in media(spec):
        fast = openapi.Schema(schema)
        for value in values:
            for _ in range(60):
                planted = mutate(chance, value)
                verdict = fast.slow.is_valid(planted)
                assert fast.holds(planted) == verdict, (planted, schema)
                verdicts[verdict] += 1
    assert min(verdicts.values()) > 500, verdicts


@pytest.mark.parametrize("old, new", [
    ("maxLength: 200", "maxLenght: 200"), ("format: uuid", "format: uid"), ("type: array", "type: arrray"),
    ("#/components/schemas/Role'", "#/components/schemas/Roll'"),
    ("{type: string, const: /problems/sold-out,", "{type: string, const: /problems/soldout,"),
    ("required: [type, title, status, detail, request_id, errors]", "required: [title, status, detail, request_id, errors]"),
    ("    head:\n      operationId: room_list_head\n", "    trace:\n      operationId: room_list_head\n"),
    ("items: {$ref: '#/components/schemas/Fault'}", "items: {$ref: '#/components/schemas/Problem'}")])
def test_does_not_load_what_it_cannot_check(tmp_path, old, new):
    text = YAML.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "planted.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises((ValueError, KeyError)):
        Spec(tmp_path / "planted.yaml")


def test_patterns_hold_to_the_very_end():
    holds = openapi.Schema(openapi._flat(yaml.safe_load(r"{type: string, pattern: '^(a|\d)$'}"))).holds
    assert holds("a") and holds("1") and not holds("a\n") and not holds("１")


def test_is_fast(spec):
    body = json.dumps([STAY] * 50).encode()
    best = 1
    for _ in range(20):
        start = time.perf_counter()
        spec.check("GET", "/v1/reservations?user_id=x", 200, READ, body)
        best = min(best, time.perf_counter() - start)
    assert best < 0.005, best
