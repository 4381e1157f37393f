"""POST /v1/admin/reservations/{id}/reject"""

import pytest

from staff import REASONS_BAD, STAFF, history, in_status, key, new_id, outbox, pending, refuses_broken_bodies, same_answer, traces


def test_reject_takes_and_gives_nothing(stack, api):
    made, room, user = pending(stack, user=stack.user(points=60))
    a = stack.reject(made["id"], "The house is closed.")
    assert a.status == 200 and a.json == {**made, "status": "REJECTED", "updated_at": a.json["updated_at"]}
    assert a.json["updated_at"] > made["created_at"] and api.get(f"/v1/reservations/{made['id']}").json == a.json
    assert stack.balance(user) == 60 and stack.available(room) == 1


def test_reject_leaves_one_row_and_one_mail(stack, api):
    made, room, user = pending(stack)
    a = stack.reject(made["id"], actor="Zo%C3%AB")
    assert traces(stack, a.request_id) == (0, 1, 0, 1)
    row = api.get(f"/v1/admin/history/reservations?reservation_id={made['id']}", **STAFF).json[0]
    assert (row["from"], row["to"], row["actor"], row["request_id"]) == ("PENDING_APPROVAL", "REJECTED", "Zoë", a.request_id)
    assert (row["room_id"], row["user_id"], row["changed_at"]) == (room.id, user.id, a.json["updated_at"])


def test_mail_tells_the_reason(stack, api):
    made, room, user = pending(stack)
    a = stack.reject(made["id"], "Closed for works:\nsee you in spring, Zoë 🛏", actor="Anna")
    first, second = sorted(stack.mails_about(made["id"], 2), key=lambda m: m["References"] is not None)
    assert first["Message-ID"] == second["References"]
    said = second.get_content()
    for word in (room.name, user.name, "PENDING_APPROVAL", "REJECTED", "Closed for works:", "see you in spring, Zoë 🛏", "Anna", a.request_id):
        assert word in said, word
    assert "Reason" not in first.get_content()


@pytest.mark.parametrize("status", ["RESERVED", "CANCELLED", "REJECTED", "RELEASED"])
def test_reject_from_any_other_status_is_409_and_says_which(stack, api, status):
    made, _, _ = in_status(stack, status)
    with stack.unchanged():
        assert status in stack.reject(made["id"]).is_problem(409, "invalid-transition").json["detail"]


def test_reject_frees_nothing_that_was_not_taken_though_the_room_is_sold_out_or_archived(stack, api):
    made, room, _ = pending(stack)
    stack.reserve(room, stack.user(points=100))
    assert stack.reject(made["id"]).status == 200 and stack.available(room) == 0
    made, room, _ = pending(stack)
    stack.archive(room)
    assert stack.reject(made["id"]).status == 200 and stack.available(room) == 1


@pytest.mark.parametrize("reason", ["x", "x" * 200, "🛏" * 200, "two\nlines", "\n", "Ünïcödé 中文", "'; DROP TABLE user; --", " ", "\ufffe\U0010ffff"])
def test_reasons_are_kept_as_they_are(stack, api, reason):
    made, _, _ = pending(stack)
    a = stack.reject(made["id"], reason)
    assert a.status == 200 and outbox(stack, a.request_id)[0]["reason"] == reason


@pytest.mark.parametrize("reason", REASONS_BAD)
def test_reasons_against_the_rules_are_422(stack, api, reason):
    made, _, _ = pending(stack)
    with stack.unchanged():
        assert stack.reject(made["id"], reason).is_problem(422, "validation").pointers == ["/reason"]


@pytest.mark.parametrize("body, pointers", [({}, ["/reason"]), ({"reason": "", "points": 5, "x": 1}, ["/points", "/reason", "/x"]),
                                            ([], [""]), (None, [""]), ("x", [""])])
def test_E038_E041_all_faults_are_told_at_once(stack, api, body, pointers):
    made, _, _ = pending(stack)
    with stack.unchanged():
        assert stack.staff(made["id"], "reject", body).is_problem(422, "validation").pointers == pointers


def test_E037_reject_without_a_body_is_400(stack, api):
    made, _, _ = pending(stack)
    with stack.unchanged():
        stack.staff(made["id"], "reject").is_problem(400, "malformed-json")
        a = api.post(f"/v1/admin/reservations/{made['id']}/reject?reason=x", {"reason": "x"}, actor="%", idem=" ", **STAFF)
        assert a.is_problem(400, "validation").pointers == ["?reason", "Idempotency-Key", "X-Actor"]
    refuses_broken_bodies(stack, "POST", f"/v1/admin/reservations/{made['id']}/reject")


def test_unknown_or_broken_id_is_404(stack, api):
    room = stack.room()
    with stack.unchanged():
        for id_ in (new_id(), "x", room.id):
            stack.reject(id_).is_problem(404, "reservation-not-found")


def test_E062_upper_case_id_can_be_rejected(stack, api):
    made, _, _ = pending(stack)
    assert stack.reject(made["id"].upper()).json["id"] == made["id"]


def test_E019_20_rejections_at_once_are_one(stack, api):
    made, _, _ = pending(stack)
    answers = api.at_once([("POST", f"/v1/admin/reservations/{made['id']}/reject", {"reason": f"Nr. {i}"}, STAFF) for i in range(20)])
    assert sorted(a.status for a in answers) == [200] + [409] * 19
    assert {a.problem for a in answers} == {None, "invalid-transition"}


def test_E005_E006_E009_rejection_under_a_key(stack, api):
    made, _, _ = pending(stack)
    k, late = key(), key()
    first = stack.reject(made["id"], "one", idem=k)
    refused = stack.reject(made["id"], "one", idem=late).is_problem(409, "invalid-transition")
    with stack.unchanged():
        same_answer(first, stack.reject(made["id"], "one", idem=k))
        same_answer(refused, stack.reject(made["id"], "one", idem=late))
        stack.reject(made["id"], "two", idem=k).is_problem(422, "idempotency-key-reused")
        stack.reject(new_id(), "one", idem=k).is_problem(404, "reservation-not-found")


def test_reason_leaves_no_trace_in_the_next_requests(stack, api):
    users = [stack.user() for _ in range(8)]
    calls = []
    for user in users:
        made, _, _ = pending(stack, user=user)
        calls.append(("POST", f"/v1/admin/reservations/{made['id']}/reject", {"reason": "never again"}, STAFF))
    assert {a.status for a in api.at_once(calls)} == {200}
    for user in users:
        a = stack.reserve(stack.room(price=0), user)
        assert outbox(stack, a.request_id)[0]["reason"] is None
        b = stack.adjust(user, 5, "fine")
        assert [r["reason"] for r in history(stack, "points", b.request_id)] == ["fine"]
