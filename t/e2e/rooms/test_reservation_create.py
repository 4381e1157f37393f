"""POST /v1/reservations"""

import threading
import time
import uuid

import pytest

from invariants import mails_went, text

BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
CONTROLS = [*range(0, 0x20), *range(0x7F, 0xA0)]


def test_reserve_takes_points_and_a_unit(stack, api):
    room, user = stack.room(total=10, price=260), stack.user(points=1500)
    a = stack.reserve(room, user)
    r = a.json
    assert a.status == 201 and a.header("Location") == f"/v1/reservations/{r['id']}"
    assert r == {"id": r["id"], "status": "RESERVED", "points": 260,
                 "room": {"id": room.id, "name": room.name, "available_amount": 9, "required_points": 260},
                 "user": {"id": user.id, "name": user.name, "role": "USER"},
                 "created_at": r["created_at"], "updated_at": r["created_at"]}
    assert stack.balance(user) == 1240 and stack.available(room) == 9
    row = stack.points_history(user)[-1]
    assert (row["from_points"], row["to_points"], row["delta"], row["actor"], row["request_id"]) == \
        (1500, 1240, -260, "public", a.request_id)
    assert text(row["reservation_id"]) == r["id"]


def test_reservation_is_told_by_one_mail(stack, api):
    room, user = stack.room(total=10, price=260, name="Mail Room"), stack.user(points=1500, name="Zoë 🛎")
    a = stack.reserve(room, user)
    id_ = a.json["id"]
    mail = stack.mails_about(id_)[0]
    content = mail.get_content()
    assert mail["Message-ID"].strip("<>").startswith(f"reservation.{id_}@")
    for word in (room.name, user.name, "RESERVED", "260", "9", id_, a.request_id, "public"):
        assert word in content, (word, content)
    stack.drained()
    assert len(stack.mails_about(id_)) == 1


def test_last_points_are_enough(stack, api):
    room, user = stack.room(price=100), stack.user(points=100)
    assert stack.reserve(room, user).json["status"] == "RESERVED"
    assert stack.balance(user) == 0


def test_one_point_too_few_waits_for_approval_and_takes_nothing(stack, api):
    room, user = stack.room(total=4, price=100), stack.user(points=99)
    a = stack.reserve(room, user)
    assert a.status == 201 and a.json["status"] == "PENDING_APPROVAL" and a.json["points"] == 100
    assert a.json["room"]["available_amount"] == 4
    assert stack.balance(user) == 99 and stack.available(room) == 4
    assert len(stack.points_history(user)) == 1
    assert "PENDING_APPROVAL" in stack.mails_about(a.json["id"])[0].get_content()


def test_sold_out_whatever_the_balance(stack, api):
    room = stack.room(total=1, price=100)
    assert stack.reserve(room, stack.user(points=100)).status == 201
    for points in (0, 99, 100, 10**9):
        user = stack.user(points=points)
        with stack.unchanged():
            stack.reserve(room, user).is_problem(409, "sold-out")


def test_room_without_units_is_sold_out(stack, api):
    room, user = stack.room(total=0, price=0), stack.user()
    with stack.unchanged():
        stack.reserve(room, user).is_problem(409, "sold-out")


def test_E035_price_zero_is_reserved_without_a_points_row(stack, api):
    room, user = stack.room(total=2, price=0), stack.user(points=0)
    a = stack.reserve(room, user)
    assert a.status == 201 and a.json["status"] == "RESERVED" and a.json["points"] == 0
    assert stack.points_history(user) == [] and stack.available(room) == 1
    assert stack.cancel(a.json["id"]).status == 200
    assert stack.points_history(user) == [] and stack.available(room) == 2


def test_E097_unknown_user_is_never_created(stack, api):
    room = stack.room()
    with stack.unchanged():
        a = api.post("/v1/reservations", {"room_id": room.id, "user": {"id": str(uuid.uuid4()), "name": "New", "role": "USER"}})
        a.is_problem(404, "user-not-found")


def test_unknown_room_is_404(stack, api):
    user = stack.user(points=1000)
    for id_ in (str(uuid.uuid4()), user.id):
        with stack.unchanged():
            api.post("/v1/reservations", {"room_id": id_, "user": {"id": user.id}}).is_problem(404, "room-not-found")


def test_E099_archived_room_is_not_reservable(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    stack.archive(room)
    with stack.unchanged():
        stack.reserve(room, user).is_problem(404, "room-not-found")


@pytest.mark.parametrize("key", ["public", "restricted"])
def test_E076_both_keys_reserve(stack, api, key):
    room, user = stack.room(), stack.user(points=1000)
    a = stack.reserve(room, user, key=key)
    assert a.status == 201
    assert stack.points_history(user)[-1]["actor"] == key


def test_E104_same_user_reserves_the_same_room_twice(stack, api):
    room, user = stack.room(total=5, price=10), stack.user(points=100)
    ids = {stack.reserve(room, user).json["id"] for _ in range(2)}
    ids |= {stack.reserve(room, user, idem=f"k{i}").json["id"] for i in range(2)}
    assert len(ids) == 4 and stack.balance(user) == 60 and stack.available(room) == 1


def test_E062_upper_case_ids_in_the_body_come_out_lower_case(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    a = api.post("/v1/reservations", {"room_id": room.id.upper(), "user": {"id": user.id.upper()}})
    assert a.status == 201 and a.json["room"]["id"] == room.id and a.json["user"]["id"] == user.id


def test_id_is_a_time_ordered_uuid(stack, api):
    ids = [stack.reserve(stack.room(price=0), stack.user()).json["id"] for _ in range(5)]
    assert ids == sorted(ids) and {uuid.UUID(i).version for i in ids} == {7}


def test_E056_name_of_the_account_stands_whatever_the_request_says(stack, api):
    room, user = stack.room(), stack.user(points=1000, name="Jane Doe the First", role="ADMIN")
    a = api.post("/v1/reservations", {"room_id": room.id, "user": {"id": user.id, "name": "Somebody Else", "role": "USER"}})
    assert a.status == 201 and a.json["user"] == {"id": user.id, "name": user.name, "role": "ADMIN"}
    assert stack.value("SELECT name FROM loyalty.user WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,)) == user.name
    assert "Somebody Else" not in stack.mails_about(a.json["id"])[0].get_content()


def refused(stack, api, body, pointers):
    with stack.unchanged():
        a = api.post("/v1/reservations", body).is_problem(422, "validation")
    assert a.pointers == sorted(pointers), a


def test_E038_empty_object_names_every_missing_member(stack, api):
    refused(stack, api, {}, ["/room_id", "/user"])
    refused(stack, api, {"room_id": str(uuid.uuid4()), "user": {}}, ["/user/id"])


def test_all_faults_are_told_at_once(stack, api):
    refused(stack, api, {"room_id": 5, "user": {"id": "zz", "role": "BOSS", "name": "", "x": 1}, "y": 2},
            ["/room_id", "/user/id", "/user/role", "/user/name", "/user/x", "/y"])


def test_E041_unknown_member_is_named_by_its_pointer(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    good = {"room_id": room.id, "user": {"id": user.id}}
    for name, pointer in (("status", "/status"), ("a/b~c", "/a~1b~0c"), ("", "/"), ("ключ", "/ключ"), ("Room_id", "/Room_id"),
                          ("room_id ", "/room_id "), ("'\"<", "/'\"<")):
        refused(stack, api, {**good, name: 1}, [pointer])
    refused(stack, api, {**good, "amount": None, "price": 1}, ["/amount", "/price"])


@pytest.mark.parametrize("room_id", ["", "x", None, 5, True, [], {}, 1.5, "0" * 36, "urn:uuid:d635c003-fffc-4beb-87b8-eaf3458cf772",
                                     "{d635c003-fffc-4beb-87b8-eaf3458cf772}", "d635c003fffc4beb87b8eaf3458cf772",
                                     "d635c003-fffc-4beb-87b8-eaf3458cf772 ", " d635c003-fffc-4beb-87b8-eaf3458cf772",
                                     "d635c003-fffc-4beb-87b8-eaf3458cf77g", "d635c003-fffc-4beb-87b8-eaf3458cf7722"])
def test_room_id_that_is_no_uuid_is_422(stack, api, room_id):
    refused(stack, api, {"room_id": room_id, "user": {"id": str(uuid.uuid4())}}, ["/room_id"])


@pytest.mark.parametrize("user", [None, 5, "x", [], True, str(uuid.uuid4()), [{"id": str(uuid.uuid4())}]])
def test_user_that_is_no_object_is_422(stack, api, user):
    refused(stack, api, {"room_id": str(uuid.uuid4()), "user": user}, ["/user"])


@pytest.mark.parametrize("role", ["GUEST", "user", "", None, 1, ["USER"], "USER ", "USER\n", {}])
def test_E055_role_other_than_user_or_admin_is_422(stack, api, role):
    refused(stack, api, {"room_id": str(uuid.uuid4()), "user": {"id": str(uuid.uuid4()), "role": role}}, ["/user/role"])


@pytest.mark.parametrize("extra", ["bonus_points", "email", "ID", "Name", "role "])
def test_E055_extra_members_in_user_are_422(stack, api, extra):
    refused(stack, api, {"room_id": str(uuid.uuid4()), "user": {"id": str(uuid.uuid4()), extra: 1}}, [f"/user/{extra}"])


def test_E054_names_with_controls_or_bidi_overrides_are_422(stack, api):
    for code in CONTROLS + BIDI:
        name = f"a{chr(code)}b"
        if code == 0:
            a = api.post("/v1/reservations", {"room_id": str(uuid.uuid4()), "user": {"id": str(uuid.uuid4()), "name": name}})
            a.is_problem(400, "malformed-json")
            continue
        a = api.post("/v1/reservations", {"room_id": str(uuid.uuid4()), "user": {"id": str(uuid.uuid4()), "name": name}})
        a.is_problem(422, "validation")
        assert a.pointers == ["/user/name"], (hex(code), a)


@pytest.mark.parametrize("name", ["", "x" * 201, "🛏" * 201, None, 5, [], True])
def test_E054_names_of_a_wrong_length_or_type_are_422(stack, api, name):
    refused(stack, api, {"room_id": str(uuid.uuid4()), "user": {"id": str(uuid.uuid4()), "name": name}}, ["/user/name"])


@pytest.mark.parametrize("name", ["x", "x" * 200, "🛏" * 200, "é" * 200, "Zoë 🧳 中文 \u0301\u200d", "\u2069"[:0] + "\u200e\u2065\u206a",
                                  "\u202f\u2029", "\ufffe", "\U0010ffff", "'; DROP TABLE user; --", "\"<script>&amp;%s%n\\"])
def test_E054_emoji_and_all_of_utf8_are_fine(stack, api, name):
    room = stack.room(total=1, price=0, name=name)
    user = stack.user(name=name)
    a = api.post("/v1/reservations", {"room_id": room.id, "user": {"id": user.id, "name": name}})
    assert a.status == 201 and a.json["user"]["name"] == name and a.json["room"]["name"] == name
    assert api.get(f"/v1/reservations/{a.json['id']}").json == a.json
    assert stack.cancel(a.json["id"], idem="n").json["room"]["name"] == name


def test_query_parameters_are_refused_on_a_post_too(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    with stack.unchanged():
        for query in ("x=1", "limit=5", "room_id=" + room.id):
            api.post(f"/v1/reservations?{query}", {"room_id": room.id, "user": {"id": user.id}}).is_problem(400, "validation")


# -- at once ------------------------------------------------------------------------------------------

def test_E001_last_unit_200_at_once(stack, api):
    room = stack.room(total=1, price=10)
    users = [stack.user(points=10) for _ in range(200)]
    answers = api.at_once([("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": u.id}}, {}) for u in users])
    won = [a for a in answers if a.status == 201]
    assert len(won) == 1 and won[0].json["status"] == "RESERVED"
    assert all(a.is_problem(409, "sold-out") for a in answers if a.status != 201)
    assert stack.available(room) == 0 and len(stack.reservations(room=room)) == 1
    assert sorted(stack.balance(u) for u in users) == [0] + [10] * 199
    id_ = won[0].json["id"]
    stack.drained()
    assert len(stack.mails_about(id_)) == 1
    assert stack.value("SELECT COUNT(*) FROM loyalty.outbox WHERE room_id = UNHEX(REPLACE(%s, '-', '')) AND event = 'reservation'",
                       (room.id,)) == 1


def test_E002_two_rooms_at_once_with_points_for_one(stack, api):
    for _ in range(8):
        rooms, user = [stack.room(price=100), stack.room(price=100)], stack.user(points=150)
        answers = api.at_once([("POST", "/v1/reservations", {"room_id": r.id, "user": {"id": user.id}}, {}) for r in rooms])
        assert [a.status for a in answers] == [201, 201]
        assert sorted(a.json["status"] for a in answers) == ["PENDING_APPROVAL", "RESERVED"]
        assert stack.balance(user) == 50 and len(stack.points_history(user)) == 2
        assert sorted(stack.available(r) for r in rooms) == [9, 10]


def test_E002_two_rooms_for_one_account_that_both_wait_for(stack, api):
    rooms, user = [stack.room(price=100), stack.room(price=100)], stack.user(points=150)
    answers = stack.at_once_after("user", user, [("POST", "/v1/reservations", {"room_id": r.id, "user": {"id": user.id}}, {}) for r in rooms])
    assert sorted((a.status, a.json.get("status")) for a in answers) == [(201, "PENDING_APPROVAL"), (201, "RESERVED")], answers
    assert stack.balance(user) == 50 and sorted(stack.available(r) for r in rooms) == [9, 10]


def test_E001_last_unit_that_all_wait_for(stack, api):
    room, users = stack.room(total=1, price=10), [stack.user(points=10) for _ in range(6)]
    answers = stack.at_once_after("room", room, [("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": u.id}}, {}) for u in users])
    assert sorted(a.status for a in answers) == [201] + [409] * 5, answers
    assert sorted(stack.balance(u) for u in users) == [0] + [10] * 5 and stack.available(room) == 0


def test_price_that_changes_while_the_request_waits_is_the_one_that_counts(stack, api):
    room, user = stack.room(total=5, price=10), stack.user(points=100)
    answers = []
    t = threading.Thread(target=lambda: answers.append(stack.reserve(room, user)))
    with stack.held("room", room) as connection:
        t.start()
        time.sleep(0.4)
        with connection.cursor() as c:
            c.execute("UPDATE loyalty.room SET required_points = 30 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
        connection.commit()
    t.join()
    assert answers[0].status == 201 and answers[0].json["points"] == 30 == answers[0].json["room"]["required_points"]
    assert stack.balance(user) == 70


def test_room_counts_as_it_is_once_the_account_is_ours(stack, api):
    """It is read in the statement that waits for the account, behind it."""
    room, user = stack.room(price=30), stack.user(points=10)
    answers = []
    t = threading.Thread(target=lambda: answers.append(stack.reserve(room, user)))
    with stack.held("user", user):
        t.start()
        time.sleep(0.4)
        stack.sql("UPDATE loyalty.room SET required_points = 10, name = 'Anders ', name_folded = 'anders ' WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    t.join()
    assert (answers[0].json["status"], answers[0].json["points"], answers[0].json["room"]["name"]) == ("RESERVED", 10, "Anders ")


def test_only_who_takes_a_unit_waits_for_the_room(stack, api):
    room, none, user = stack.room(price=30), stack.room(total=0), stack.user(points=10)
    with stack.held("room", room), stack.held("room", none):
        begun = time.monotonic()
        assert stack.reserve(room, user).json["status"] == "PENDING_APPROVAL"
        stack.reserve(none, user).is_problem(409, "sold-out")
        assert time.monotonic() - begun < 0.9


@pytest.mark.parametrize("name", ["Anders", "{} "])
def test_name_that_changes_while_the_request_waits_is_answered(stack, api, name):
    room, user = stack.room(price=10), stack.user(points=100)
    answers = []
    t = threading.Thread(target=lambda: answers.append(stack.reserve(room, user)))
    with stack.held("room", room) as connection:
        t.start()
        time.sleep(0.4)
        with connection.cursor() as c:
            c.execute("UPDATE loyalty.room SET name = %s, name_folded = loyalty.fold(name) WHERE id = UNHEX(REPLACE(%s, '-', ''))", (name.format(room.name), room.id))
        connection.commit()
    t.join()
    assert answers[0].json["room"]["name"] == name.format(room.name) and stack.balance(user) == 90


def test_more_guests_than_units_get_just_the_units(stack, api):
    room = stack.room(total=7, price=5)
    users = [stack.user(points=20) for _ in range(10)]
    calls = [("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": users[i % 10].id}}, {}) for i in range(40)]
    answers = api.at_once(calls)
    assert sorted(a.status for a in answers) == [201] * 7 + [409] * 33
    assert {a.json["room"]["available_amount"] for a in answers if a.status == 201} == set(range(7))
    assert stack.available(room) == 0


def test_every_event_of_this_module_was_mailed(stack):
    mails_went(stack)
