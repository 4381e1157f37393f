"""POST /v1/admin/reservations/{id}/release"""

import pytest

from staff import (ROUNDS, STAFF, Racers, cancel_call, in_status, key, new_id, refuses_broken_bodies, release_call, same_answer, traces)


def reserved(stack, price=40, total=1):
    room, user = stack.room(total=total, price=price), stack.user(points=price)
    return stack.reserve(room, user).json, room, user


def test_release_gives_the_unit_back_and_keeps_the_points(stack, api):
    made, room, user = reserved(stack)
    a = stack.release(made["id"])
    assert a.status == 200
    assert a.json == {**made, "status": "RELEASED", "updated_at": a.json["updated_at"], "room": {**made["room"], "available_amount": 1}}
    assert a.json["updated_at"] > made["created_at"] and api.get(f"/v1/reservations/{made['id']}").json == a.json
    assert stack.balance(user) == 0 and stack.available(room) == 1
    assert stack.reserve(room, stack.user(points=40)).json["status"] == "RESERVED"


def test_release_leaves_a_row_of_room_and_reservation_none_of_points_and_one_mail(stack, api):
    made, room, user = reserved(stack)
    a = stack.release(made["id"], actor="Zo%C3%AB")
    assert traces(stack, a.request_id) == (1, 1, 0, 1)
    row = api.get(f"/v1/admin/history/reservations?reservation_id={made['id']}", **STAFF).json[0]
    assert (row["from"], row["to"], row["actor"], row["request_id"]) == ("RESERVED", "RELEASED", "Zoë", a.request_id)
    row = api.get(f"/v1/admin/history/rooms?room_id={room.id}", **STAFF).json[0]
    assert (row["from"]["available_amount"], row["to"]["available_amount"], row["reservation_id"]) == (0, 1, made["id"])


def test_mail_tells_of_the_release(stack, api):
    made, room, user = reserved(stack)
    a = stack.release(made["id"], actor="Anna")
    first, second = sorted(stack.mails_about(made["id"], 2), key=lambda m: m["References"] is not None)
    assert first["Message-ID"] == second["References"]
    for word in (room.name, "RESERVED", "RELEASED", "1 of 1", "Anna", a.request_id):
        assert word in second.get_content(), word


@pytest.mark.parametrize("status", ["PENDING_APPROVAL", "CANCELLED", "REJECTED", "RELEASED"])
def test_release_from_any_other_status_is_409_and_says_which(stack, api, status):
    made, _, _ = in_status(stack, status)
    with stack.unchanged():
        assert status in stack.release(made["id"]).is_problem(409, "invalid-transition").json["detail"]


def test_E099_release_in_an_archived_room_keeps_it_archived(stack, api):
    made, room, user = reserved(stack)
    stack.archive(room)
    assert stack.release(made["id"]).status == 200 and stack.available(room) == 1
    api.get(f"/v1/rooms/{room.id}").is_problem(404, "room-not-found")
    stack.reserve(room, user).is_problem(404, "room-not-found")


def test_no_body_and_empty_object_are_the_same(stack, api):
    for how in ({}, {"json_": {}}, {"body": b" {} "}, {"body": b""}):
        made, _, _ = reserved(stack)
        assert api.post(f"/v1/admin/reservations/{made['id']}/release", **how, **STAFF).status == 200, how


@pytest.mark.parametrize("body, pointers", [({"reason": "x"}, ["/reason"]), ({"points": 1, "x": 1}, ["/points", "/x"]), ([], [""]), (None, [""])])
def test_E041_members_are_refused(stack, api, body, pointers):
    made, _, _ = reserved(stack)
    with stack.unchanged():
        assert stack.staff(made["id"], "release", body).is_problem(422, "validation").pointers == pointers


def test_faults_of_query_headers_and_body_are_refused(stack, api):
    made, _, _ = reserved(stack)
    with stack.unchanged():
        a = api.post(f"/v1/admin/reservations/{made['id']}/release?x=1", actor="\xff", idem="a b", **STAFF).is_problem(400, "validation")
        assert a.pointers == ["?x", "Idempotency-Key", "X-Actor"]
    refuses_broken_bodies(stack, "POST", f"/v1/admin/reservations/{made['id']}/release")


def test_unknown_or_broken_id_is_404(stack, api):
    room = stack.room()
    with stack.unchanged():
        for id_ in (new_id(), "x", room.id):
            stack.release(id_).is_problem(404, "reservation-not-found")


def test_E062_upper_case_id_can_be_released(stack, api):
    made, _, _ = reserved(stack)
    assert stack.release(made["id"].upper()).json["id"] == made["id"]


def test_E005_E006_E009_release_under_a_key(stack, api):
    made, _, _ = reserved(stack)
    k, late = key(), key()
    first = stack.release(made["id"], idem=k)
    refused = stack.release(made["id"], idem=late).is_problem(409, "invalid-transition")
    with stack.unchanged():
        same_answer(first, stack.release(made["id"], idem=k))
        same_answer(refused, stack.release(made["id"], idem=late))
        stack.staff(made["id"], "release", {}, idem=k).is_problem(422, "idempotency-key-reused")


def test_E019_released_and_cancelled_twice_comes_back_once(stack, api):
    made, room, user = reserved(stack)
    assert stack.release(made["id"]).status == 200
    with stack.unchanged():
        stack.release(made["id"]).is_problem(409, "invalid-transition")
        stack.cancel(made["id"]).is_problem(409, "invalid-transition")
    assert stack.available(room) == 1 and stack.balance(user) == 0


def test_E019_two_releases_at_once(stack, api):
    room, user = stack.room(total=1, price=40), stack.user(points=40 * ROUNDS)
    with Racers(api, 2, "E019") as racers:
        for _ in range(ROUNDS):
            made = stack.reserve(room, user).json
            answers = racers.race(release_call(made["id"]), release_call(made["id"]))
            assert sorted(a.status for a in answers) == [200, 409]
            assert "RELEASED" in max(answers, key=lambda a: a.status).is_problem(409, "invalid-transition").json["detail"]
            assert stack.available(room) == 1
    assert stack.balance(user) == 0


def test_E019_release_races_with_cancel(stack, api):
    room, user = stack.room(total=1, price=40), stack.user(points=40 * ROUNDS)
    seen = {"RELEASED": 0, "CANCELLED": 0}
    with Racers(api, 2, "E019 cancel") as racers:
        for _ in range(ROUNDS):
            made = stack.reserve(room, user).json
            answers = racers.race(release_call(made["id"]), cancel_call(made["id"]))
            won, lost = sorted(answers, key=lambda a: a.status)
            assert (won.status, lost.status) == (200, 409)
            assert won.json["status"] in lost.is_problem(409, "invalid-transition").json["detail"]
            assert stack.available(room) == 1
            seen[won.json["status"]] += 1
    assert stack.balance(user) == 40 * seen["CANCELLED"]
    assert min(seen.values()) > 0 or ROUNDS < 100, f"no race: {seen}"
