"""POST /v1/reservations/{id}/cancel"""

import uuid

import pytest

from invariants import text


def test_cancel_gives_points_and_unit_back(stack, api):
    room, user = stack.room(total=2, price=40), stack.user(points=100)
    made = stack.reserve(room, user).json
    a = stack.cancel(made["id"])
    assert a.status == 200 and a.json["status"] == "CANCELLED"
    assert a.json == {**made, "status": "CANCELLED", "updated_at": a.json["updated_at"],
                      "room": {**made["room"], "available_amount": 2}}
    assert a.json["updated_at"] > made["created_at"]
    assert stack.balance(user) == 100 and stack.available(room) == 2
    row = stack.points_history(user)[-1]
    assert (row["delta"], row["request_id"], text(row["reservation_id"])) == (40, a.request_id, made["id"])
    assert api.get(f"/v1/reservations/{made['id']}").json == a.json


def test_cancel_of_a_pending_one_gives_nothing_back(stack, api):
    room, user = stack.room(total=2, price=400), stack.user(points=100)
    made = stack.reserve(room, user).json
    a = stack.cancel(made["id"])
    assert a.status == 200 and a.json["status"] == "CANCELLED" and a.json["points"] == 400
    assert stack.balance(user) == 100 and stack.available(room) == 2 and len(stack.points_history(user)) == 1


@pytest.mark.parametrize("status", ["CANCELLED", "REJECTED", "RELEASED"])
def test_E019_cancel_from_any_other_status_is_409(stack, api, status):
    room, user = stack.room(price=40), stack.user(points=100 if status != "REJECTED" else 0)
    made = stack.reserve(room, user).json
    if status == "CANCELLED":
        stack.cancel(made["id"])
    else:
        stack.set_status(made["id"], status)
    with stack.unchanged():
        a = stack.cancel(made["id"]).is_problem(409, "invalid-transition")
    assert status in a.json["detail"]


def test_refund_is_what_was_taken_not_todays_price(stack, api):
    room, user = stack.room(price=40), stack.user(points=100)
    made = stack.reserve(room, user).json
    stack.sql("UPDATE loyalty.room SET required_points = 90 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    a = stack.cancel(made["id"])
    assert a.json["points"] == 40 and a.json["room"]["required_points"] == 90 and stack.balance(user) == 100


def test_no_body_and_empty_object_are_the_same(stack, api):
    for how in ({}, {"json_": {}}, {"body": b"{}"}, {"body": b" {\r\n} "}, {"body": b""},
                {"headers": [("Transfer-Encoding", "chunked")], "body": b"0\r\n\r\n"}):
        made = stack.reserve(stack.room(price=0), stack.user()).json
        a = api.post(f"/v1/reservations/{made['id']}/cancel", **how)
        assert a.status == 200, (how, a)


def test_no_body_and_empty_object_are_the_same_with_a_length_left_out(stack, api):
    made = stack.reserve(stack.room(price=0), stack.user()).json
    a = api.raw((f"POST /v1/reservations/{made['id']}/cancel HTTP/1.1\r\nHost: x\r\nX-API-Key: {stack.keys['public']}\r\n"
                 "X-Request-Id: nolength\r\n\r\n").encode(), method="POST", target=f"/v1/reservations/{made['id']}/cancel")
    assert a.status == 200


@pytest.mark.parametrize("body, pointers", [({"reason": "x"}, ["/reason"]), ({"status": "CANCELLED", "x": 1}, ["/status", "/x"]),
                                            ([], [""]), (None, [""]), ("x", [""]), (5, [""]), (True, [""])])
def test_members_are_refused(stack, api, body, pointers):
    made = stack.reserve(stack.room(price=0), stack.user()).json
    with stack.unchanged():
        a = api.post(f"/v1/reservations/{made['id']}/cancel", body).is_problem(422, "validation")
    assert a.pointers == pointers


@pytest.mark.parametrize("id_", [str(uuid.uuid4()), "x", "0"])
def test_unknown_or_broken_id_is_404(stack, api, id_):
    with stack.unchanged():
        api.post(f"/v1/reservations/{id_}/cancel", {}).is_problem(404, "reservation-not-found")


def test_E062_upper_case_id_is_taken(stack, api):
    made = stack.reserve(stack.room(price=0), stack.user()).json
    assert stack.cancel(made["id"].upper()).json["id"] == made["id"]


def test_E019_20_cancellations_at_once_give_back_once(stack, api):
    for price in (40, 400):
        room, user = stack.room(total=1, price=price), stack.user(points=100)
        made = stack.reserve(room, user).json
        answers = api.at_once([("POST", f"/v1/reservations/{made['id']}/cancel", {}, {})] * 20)
        assert sorted(a.status for a in answers) == [200] + [409] * 19
        assert stack.balance(user) == 100 and stack.available(room) == 1


def test_reserve_and_cancel_at_once_keep_the_books(stack, api):
    """One room, few units, guests that come and go: the invariants at the end of the module judge."""
    room = stack.room(total=4, price=10)
    users = [stack.user(points=30) for _ in range(4)]
    for _ in range(5):
        ids = [r["id"] for u in users for r in api.get(f"/v1/reservations?user_id={u.id}&status=RESERVED").json]
        calls = [("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": u.id}}, {}) for u in users * 2]
        calls += [("POST", f"/v1/reservations/{id_}/cancel", {}, {}) for id_ in ids]
        for a in api.at_once(calls):
            assert a.status in (200, 201, 409), a
    stack.check_invariants()


def test_E099_reservation_of_an_archived_room_can_be_cancelled(stack, api):
    room, user = stack.room(total=1, price=40), stack.user(points=100)
    made = stack.reserve(room, user).json
    stack.archive(room)
    a = stack.cancel(made["id"])
    assert a.status == 200 and stack.available(room) == 1 and stack.balance(user) == 100
    stack.reserve(room, user).is_problem(404, "room-not-found")


def test_refund_past_the_balance_limit_is_409(stack, api):
    room, user = stack.room(total=1, price=40), stack.user(points=40)
    made = stack.reserve(room, user).json
    stack.sql("UPDATE loyalty.user SET bonus_points = 9007199254740991 - 39 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    with stack.unchanged():
        stack.cancel(made["id"]).is_problem(409, "balance-limit")
    stack.adjust(user, -1)
    assert stack.cancel(made["id"]).status == 200 and stack.balance(user) == 9007199254740991


def test_mails_of_one_reservation_come_in_order_and_form_a_thread(stack, api):
    made = stack.reserve(stack.room(price=0), stack.user()).json
    stack.cancel(made["id"])
    first, second = stack.mails_about(made["id"], 2)[:2]
    by_id = {m["Message-ID"].startswith("<reservation."): m for m in (first, second)}
    assert by_id[True]["Message-ID"] in by_id[False]["References"]
    assert "CANCELLED" in by_id[False].get_content() and "CANCELLED" not in by_id[True].get_content()
    arrived = sorted((stack.var / "mail" / "new").glob("*"), key=lambda f: (f.stat().st_mtime_ns, f.name))
    names = [stack._mails[f.name][0]["Message-ID"] for f in arrived if f.name in stack._mails]
    assert names.index(by_id[True]["Message-ID"]) < names.index(by_id[False]["Message-ID"])
