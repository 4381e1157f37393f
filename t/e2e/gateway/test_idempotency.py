"""Idempotency-Key"""

import json
import uuid

import pytest


def fresh():
    return "k-" + uuid.uuid4().hex


def same_answer(first, again):
    assert (again.status, again.body) == (first.status, first.body), (first, again)
    for name in ("Content-Type", "Location"):
        assert again.header(name) == first.header(name)
    assert again.replayed and not first.all("Idempotency-Replayed")


def kept(stack):
    return stack.value("SELECT COUNT(*) FROM loyalty.idempotency")


@pytest.mark.parametrize("key", ["x", "x" * 128, "!", "~" * 128, "\"'\\;,=%00{}", "8f14e45f-ceea-4672-b9c2-1f3a2b4c5d6e", "0"])
def test_keys_of_1_to_128_visible_characters_are_honoured(stack, api, key):
    room, user = stack.room(), stack.user(points=1000)
    body = {"room_id": room.id, "user": {"id": user.id}}
    # a key has the scope of its path, so the tests share /v1/reservations: a body of our own makes ours known
    first = api.post("/v1/reservations", body, idem=key + fresh()[: 128 - len(key)])
    assert first.status == 201
    again = api.post("/v1/reservations", body, idem=first.idem)
    same_answer(first, again)


@pytest.mark.parametrize("key", ["", " ", "x" * 129, "a b", "a\tb", "é", "a\x7fb", "ключ", "x" * 1000, "a\x01"])
def test_other_keys_are_400(stack, api, key):
    room, user = stack.room(), stack.user(points=1000)
    key = key.encode("utf-8").decode("latin-1")
    reservation = stack.reserve(room, user).json["id"]
    with stack.unchanged():
        a = api.post("/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, idem=key, wire=api.wire())
        if key == "a\x01" and a.problem == "bad-request":
            return  # nginx refuses the header itself
        a.is_problem(400, "validation")
        api.post(f"/v1/reservations/{reservation}/cancel", {}, idem=key, wire=api.wire()).is_problem(400, "validation")
        api.post(f"/v1/users/{user.id}/points", {"amount": 5, "reason": "x"}, key="restricted", idem=key,
                 wire=api.wire()).is_problem(400, "validation")


def test_key_given_twice_is_400(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    with stack.unchanged():
        for second in ("two", "one"):
            api.post("/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, idem="one",
                     headers=[("Idempotency-Key", second)]).is_problem(400, "validation")


def test_fault_of_the_key_is_told_with_the_others(stack, api):
    a = api.post("/v1/reservations?x=1", body=b"{}", key="restricted", idem="a b", actor="%zz").is_problem(400, "validation")
    assert len(a.json["errors"]) == 3, a


def rows_of(stack):
    return {table: stack.value(f"SELECT COUNT(*) FROM {table}") for table in stack.snapshot()}


def test_E004_same_request_20_times_at_once(stack, api):
    for make in (lambda: ("/v1/reservations", {"room_id": stack.room(price=40).id, "user": {"id": stack.user(points=100).id}}, "public"),
                 lambda: (f"/v1/users/{stack.user(points=100).id}/points", {"amount": -60, "reason": "x"}, "restricted"),
                 lambda: (f"/v1/reservations/{stack.reserve(stack.room(price=40), stack.user(points=100)).json['id']}/cancel", {}, "public")):
        target, body, key = make()
        before = rows_of(stack)
        answers = api.at_once([("POST", target, body, {"key": key, "idem": "twenty"})] * 20)
        assert {a.status for a in answers} <= {200, 201}, answers
        assert len({(a.status, a.body) for a in answers}) == 1
        assert sorted(a.replayed for a in answers) == [False] + [True] * 19
        after = rows_of(stack)
        grown = {t: after[t] - before[t] for t in after if after[t] != before[t]}
        assert set(grown.values()) == {1}, grown


def test_E004_same_refused_request_20_times_at_once(stack, api):
    user = stack.user(points=10)
    answers = api.at_once([("POST", f"/v1/users/{user.id}/points", {"amount": -60, "reason": "x"}, {"key": "restricted", "idem": "r20"})] * 20)
    assert {a.status for a in answers} == {409} and len({a.body for a in answers}) == 1
    assert sorted(a.replayed for a in answers) == [False] + [True] * 19


def test_two_bodies_under_one_key_at_once(stack, api):
    """For two users, so that no lock but the key's own makes them queue: one is done, the other is 422."""
    for i in range(10):
        room, users = stack.room(price=10), [stack.user(points=100), stack.user(points=100)]
        answers = api.at_once([("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": u.id}}, {"idem": f"clash{i}"}) for u in users])
        assert sorted(a.status for a in answers) == [201, 422], answers
        assert {a.problem for a in answers} == {None, "idempotency-key-reused"}
        assert sorted(stack.balance(u) for u in users) == [90, 100] and stack.available(room) == 9


def test_E005_replay_is_the_first_answer_byte_for_byte_whatever_has_happened(stack, api):
    room, user = stack.room(price=40, name="Zoë’s 🛏 \"room\" \\"), stack.user(points=100, name="Ünïcode “ü”")
    first = stack.reserve(room, user, idem="e005")
    id_ = first.json["id"]
    same_answer(first, stack.reserve(room, user, idem="e005"))
    stack.reserve(room, user)
    stack.sql("UPDATE loyalty.room SET required_points = 41, name = 'Other', name_folded = 'other' WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    stack.sql("UPDATE loyalty.user SET name = 'Other', name_folded = 'other' WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    stack.set_status(id_, "RELEASED")
    stack.archive(room)
    with stack.unchanged():
        again = stack.reserve(room, user, idem="e005")
    same_answer(first, again)
    assert again.json["status"] == "RESERVED"
    assert api.get(f"/v1/reservations/{id_}").json["status"] == "RELEASED"


def test_E005_replay_of_a_cancellation_and_an_adjustment(stack, api):
    room, user = stack.room(price=40), stack.user(points=100)
    id_ = stack.reserve(room, user).json["id"]
    first = stack.cancel(id_, idem="c", json_={})
    with stack.unchanged():
        same_answer(first, stack.cancel(id_, idem="c", json_={}))
    first = stack.adjust(user, 5, idem="a")
    stack.adjust(user, 6)
    with stack.unchanged():
        same_answer(first, stack.adjust(user, 5, idem="a"))
    assert stack.balance(user) == 111


def test_E006_same_key_with_another_body_is_422(stack, api):
    room, user, other = stack.room(price=1), stack.user(points=100), stack.user(points=100)
    good = {"room_id": room.id, "user": {"id": user.id}}
    first = api.post("/v1/reservations", good, idem="e006")
    assert first.status == 201
    raw = json.dumps(good).encode()
    with stack.unchanged():
        for body in (raw + b" ", raw.replace(b": ", b":"), raw.replace(user.id.encode(), user.id.upper().encode()),
                     json.dumps({"user": {"id": user.id}, "room_id": room.id}).encode(),
                     json.dumps({"room_id": room.id, "user": {"id": other.id}}).encode(),
                     json.dumps({"room_id": stack.value("SELECT '" + str(uuid.uuid4()) + "'"), "user": {"id": user.id}}).encode()):
            a = api.post("/v1/reservations", body=body, idem="e006")
            a.is_problem(422, "idempotency-key-reused")
            assert not a.all("Idempotency-Replayed") and a.json["request_id"] == a.request_id
    same_answer(first, api.post("/v1/reservations", good, idem="e006"))


def test_E006_for_every_post(stack, api):
    user = stack.user(points=100)
    id_ = stack.reserve(stack.room(price=1), user).json["id"]
    assert stack.cancel(id_, idem="e006").status == 200
    assert stack.adjust(user, 5, idem="e006").status == 201
    with stack.unchanged():
        stack.cancel(id_, idem="e006", json_={}).is_problem(422, "idempotency-key-reused")
        stack.adjust(user, 6, idem="e006").is_problem(422, "idempotency-key-reused")


def test_E008_same_key_elsewhere_is_another(stack, api):
    room, user, other = stack.room(price=1), stack.user(points=100), stack.user(points=100)
    ids = [stack.reserve(room, user).json["id"] for _ in range(2)]
    key = fresh()
    answers = [stack.reserve(room, user, idem=key), stack.reserve(room, user, idem=key, key="restricted"), stack.cancel(ids[0], idem=key),
               stack.cancel(ids[1], idem=key), stack.adjust(user, 5, idem=key), stack.adjust(other, 5, idem=key)]
    assert [a.status for a in answers] == [201, 201, 200, 200, 201, 201]
    assert not any(a.replayed for a in answers)
    assert answers[0].json["id"] != answers[1].json["id"]


def test_E008_nobody_reads_a_restricted_answer_by_guessing_keys(stack, api):
    room, user = stack.room(price=1), stack.user(points=100)
    key = fresh()
    secret = stack.reserve(room, user, idem=key, key="restricted")
    a = stack.reserve(room, user, idem=key, key="public")
    assert a.status == 201 and not a.replayed and a.json["id"] != secret.json["id"]
    stack.adjust(user, 5, idem=key)
    api.post(f"/v1/users/{user.id}/points", {"amount": 5, "reason": "a test"}, idem=key).is_problem(403, "forbidden")


def test_E009_first_409_stays_when_its_cause_has_gone(stack, api):
    room, user = stack.room(total=1, price=40), stack.user(points=100)
    blocker = stack.reserve(room, stack.user(points=40)).json["id"]
    first = stack.reserve(room, user, idem="e009").is_problem(409, "sold-out")
    stack.cancel(blocker)
    with stack.unchanged():
        again = stack.reserve(room, user, idem="e009")
    same_answer(first, again)
    assert stack.reserve(room, user, idem="e009-new").status == 201


def test_E009_for_points_and_cancellations(stack, api):
    user = stack.user(points=10)
    first = stack.adjust(user, -60, idem="e009").is_problem(409, "insufficient-points")
    stack.adjust(user, 100)
    same_answer(first, stack.adjust(user, -60, idem="e009"))
    assert stack.balance(user) == 110
    id_ = stack.reserve(stack.room(price=0), user).json["id"]
    stack.cancel(id_)
    first = stack.cancel(id_, idem="e009").is_problem(409, "invalid-transition")
    same_answer(first, stack.cancel(id_, idem="e009"))
    rich = stack.user(points=9007199254740991)
    first = stack.adjust(rich, 1, idem="e009").is_problem(409, "balance-limit")
    stack.adjust(rich, -5)
    same_answer(first, stack.adjust(rich, 1, idem="e009"))


def test_replayed_body_keeps_its_request_id_and_the_header_has_its_own(stack, api):
    user = stack.user(points=10)
    first = stack.adjust(user, -60, idem="rid", request_id="first-id")
    again = stack.adjust(user, -60, idem="rid", request_id="second-id")
    assert first.json["request_id"] == again.json["request_id"] == "first-id"
    assert (first.request_id, again.request_id) == ("first-id", "second-id")
    same_answer(first, again)


def test_404_leaves_the_key_free(stack, api):
    room, id_ = stack.room(price=0), str(uuid.uuid4())
    body = {"room_id": room.id, "user": {"id": id_}}
    with stack.unchanged():
        api.post("/v1/reservations", body, idem="free404").is_problem(404, "user-not-found")
    stack.user(id_=id_)
    a = api.post("/v1/reservations", body, idem="free404")
    assert a.status == 201 and not a.replayed


def test_404_of_a_room_and_a_reservation_leaves_the_key_free(stack, api):
    user, id_ = stack.user(), str(uuid.uuid4())
    body = {"room_id": id_, "user": {"id": user.id}}
    with stack.unchanged():
        api.post("/v1/reservations", body, idem="freeroom").is_problem(404, "room-not-found")
        api.post(f"/v1/reservations/{id_}/cancel", {}, idem="freeroom").is_problem(404, "reservation-not-found")
        api.post(f"/v1/users/{id_}/points", {"amount": 5, "reason": "x"}, idem="freeroom", key="restricted").is_problem(404, "user-not-found")
    stack.room(id_=id_, price=0)
    assert api.post("/v1/reservations", body, idem="freeroom").status == 201
    stack.user(id_=id_)
    assert api.post(f"/v1/users/{id_}/points", {"amount": 5, "reason": "x"}, idem="freeroom", key="restricted").status == 201


def test_other_refusals_leave_the_key_free(stack, api):
    user = stack.user(points=10)
    target = f"/v1/users/{user.id}/points"
    good = {"amount": 5, "reason": "x"}
    with stack.unchanged():
        api.post(target, {"amount": 0, "reason": "x"}, key="restricted", idem="free").is_problem(422, "validation")
        api.post(target, body=b"{", key="restricted", idem="free").is_problem(400, "malformed-json")
        api.post(target, good, key="restricted", idem="free", content_type="text/plain").is_problem(415, "unsupported-media-type")
        api.post(target, good, key=None, idem="free").is_problem(401, "unauthorized")
        api.post(target, good, key="public", idem="free").is_problem(403, "forbidden")
        api.post(target + "?x=1", good, key="restricted", idem="free").is_problem(400, "validation")
        api.post(target, good, key="restricted", idem="free", actor="%zz").is_problem(400, "validation")
        api.post(target, body=b" " * 17000, key="restricted", idem="free", wire=api.wire()).is_problem(413, "payload-too-large")
    a = api.post(target, good, key="restricted", idem="free")
    assert a.status == 201 and not a.replayed
    # and what is kept is not looked at before these checks
    with stack.unchanged():
        api.post(target, {"amount": 0, "reason": "x"}, key="restricted", idem="free").is_problem(422, "validation")


def test_request_without_a_key_is_done_every_time(stack, api):
    user = stack.user()
    before = kept(stack)
    for i in range(3):
        a = stack.adjust(user, 5)
        assert not a.all("Idempotency-Replayed") and a.json["bonus_points"] == 5 * (i + 1)
    assert kept(stack) == before


def test_key_itself_is_not_stored(stack, api):
    user, key, before = stack.user(), fresh(), kept(stack)
    stack.adjust(user, 5, idem=key)
    assert kept(stack) == before + 1
    columns = [c for c, in stack.sql("SELECT column_name FROM information_schema.columns WHERE table_schema = 'loyalty' AND table_name = 'idempotency'")]
    assert {"id", "body", "problem", "user_name"} <= set(columns)
    found = "SELECT COUNT(*) FROM loyalty.idempotency WHERE " + " OR ".join(f"INSTR(CAST({c} AS CHAR), %s)" for c in columns if c not in ("id", "body", "entity"))
    assert stack.value(found, (key,) * (len(columns) - 3)) == 0
    assert stack.value(found, (user.name,) * (len(columns) - 3)) >= 1


def test_record_is_kept_for_more_than_24_hours(stack, api):
    user = stack.user()
    first = stack.adjust(user, 5, idem="oldie")
    stack.sql("UPDATE loyalty.idempotency SET created_at = UTC_TIMESTAMP(6) - INTERVAL 25 HOUR ORDER BY created_at DESC LIMIT 1")
    with stack.service_db("prune").cursor() as c:
        c.execute("CALL loyalty.prune(1000)")
    same_answer(first, stack.adjust(user, 5, idem="oldie"))


def test_record_is_pruned_after_48_hours(stack, api):
    user = stack.user()
    stack.adjust(user, 5, idem="oldie")
    stack.sql("UPDATE loyalty.idempotency SET created_at = UTC_TIMESTAMP(6) - INTERVAL 49 HOUR ORDER BY created_at DESC LIMIT 1")
    with stack.service_db("prune").cursor() as c:
        c.execute("CALL loyalty.prune(1000)")
    a = stack.adjust(user, 5, idem="oldie")
    assert a.status == 201 and not a.replayed and a.json["bonus_points"] == 10
    stack.journal = [j for j in stack.journal if j.idem != "oldie"]  # done twice, as it should be
