"""GET /v1/admin/audit: the answer.  What it finds is in test_audit_sql.py"""

import threading

import pytest

from staff import STAFF, pending

AUDIT = "/v1/admin/audit"


@pytest.fixture(scope="module")
def fresh(make_stack):
    """A system in which nothing was ever done by hand but the making of rooms and users."""
    with make_stack() as s:
        yield s


def live(stack):
    """Something of everything: all ways that a reservation can go."""
    room, user = stack.room(total=6, price=100), stack.user(points=300)
    kept, gone, over = (stack.reserve(room, user).json["id"] for _ in range(3))
    stack.cancel(gone)
    stack.release(over)
    for how in ("cancel", "reject", "approve"):
        made, _, poor = pending(stack, room=room)
        stack.adjust(poor, 70)
        (stack.approve(made["id"], {"points": 70}) if how == "approve" else getattr(stack, how)(made["id"]))
    pending(stack, room=room)
    stack.api.patch(f"/v1/admin/rooms/{room.id}", {"name": "Renamed", "total_amount": 9, "required_points": 5}, **STAFF)
    stack.api.patch(f"/v1/admin/rooms/{room.id}", {"archived": True}, **STAFF)
    return room, user, kept


def audit(stack):
    a = stack.api.get(AUDIT, **STAFF)
    assert a.status == 200, a
    answer = a.json
    assert set(answer) == {"ok", "checks"} and answer["checks"]
    for check in answer["checks"]:
        assert set(check) == {"name", "ok", "checked", "violations"} and check["ok"] == (not check["violations"])
        assert all(isinstance(v, str) and v for v in check["violations"]) and len(check["violations"]) <= 100
    assert answer["ok"] == all(check["ok"] for check in answer["checks"])
    assert len({check["name"] for check in answer["checks"]}) == len(answer["checks"])
    return answer


def test_audit_of_a_system_in_order_is_ok(fresh):
    live(fresh)
    answer = audit(fresh)
    assert answer["ok"], [check for check in answer["checks"] if not check["ok"]]
    assert sum(check["checked"] for check in answer["checks"]) > 50


def test_audit_changes_nothing_and_may_not_be_kept(fresh):
    with fresh.unchanged():
        a, head = fresh.api.get(AUDIT, **STAFF), fresh.api.head(AUDIT, **STAFF)
    assert a.header("Cache-Control") == "no-store" and not a.all("ETag")
    assert head.status == 200 and head.body == b""
    assert fresh.api.get(AUDIT, headers=[("If-None-Match", "*")], **STAFF).status == 200


def test_audit_knows_no_query_and_no_ill_formed_actor(fresh):
    assert fresh.api.get(f"{AUDIT}?limit=5", actor="%zz", **STAFF).is_problem(400, "validation").pointers == ["?limit", "X-Actor"]


def test_audit_is_200_and_names_what_is_wrong(fresh):
    room, user, kept = live(fresh)
    where = "WHERE id = UNHEX(REPLACE(%s, '-', ''))"
    fresh.sql(f"UPDATE loyalty.user SET bonus_points = bonus_points + 7 {where}", (user.id,))
    last = fresh.value("SELECT MAX(id) FROM loyalty_history.points_history")
    fresh.sql("DELETE FROM loyalty_history.points_history WHERE id = %s", (last,))
    try:
        answer = audit(fresh)
        assert answer["ok"] is False
        assert any(user.id in v for check in answer["checks"] for v in check["violations"]), answer
    finally:
        # the way back, without a trace either
        fresh.sql(f"UPDATE loyalty.user SET bonus_points = bonus_points - 7 {where}", (user.id,))
        fresh.sql("DELETE FROM loyalty_history.points_history WHERE id > %s", (last,))
    assert audit(fresh)["ok"]


def test_audit_finds_nothing_wrong_while_the_system_runs(fresh):
    """On one snapshot: what is changed meanwhile is in it wholly or not at all."""
    done, wrong = threading.Event(), []

    def run():
        try:
            while not done.is_set():
                live(fresh)
        except Exception as e:
            wrong.append(e)

    writers = [threading.Thread(target=run) for _ in range(3)]
    for w in writers:
        w.start()
    try:
        for _ in range(6):
            answer = audit(fresh)
            assert answer["ok"], [check for check in answer["checks"] if not check["ok"]]
    finally:
        done.set()
        for w in writers:
            w.join()
    assert not wrong, wrong
    assert audit(fresh)["ok"]
