"""X-Actor: who did it, for the history"""

from urllib.parse import quote

import pytest


def actors(stack, request_id):
    """What history and outbox have for a request."""
    found = set()
    for table in ("loyalty_history.room_history", "loyalty_history.reservation_history", "loyalty_history.points_history", "loyalty.outbox_mail"):
        found |= {(table.split(".")[1], r[0]) for r in stack.sql(f"SELECT actor FROM {table} WHERE request_id = %s", (request_id,))}
    return found


@pytest.mark.parametrize("actor", ["maria", "Jane Doe", "Jürgen Müller", "李小龍", "🧑‍💼", "x" * 100, "🛏" * 100, "a%b", "o'Brien; --", "a,b", "%41", "é" * 100])
def test_actor_of_the_restricted_key_is_kept_decoded(stack, api, actor):
    room, user = stack.room(price=10), stack.user(points=100)
    a = stack.reserve(room, user, key="restricted", actor=quote(actor, safe=""))
    assert a.status == 201
    assert actors(stack, a.request_id) == {(t, actor) for t in ("room_history", "reservation_history", "points_history", "outbox_mail")}
    b = stack.adjust(user, 5, actor=quote(actor, safe=""))
    assert actors(stack, b.request_id) == {("points_history", actor)}
    c = stack.cancel(a.json["id"], key="restricted", actor=quote(actor, safe=""))
    assert {name for _, name in actors(stack, c.request_id)} == {actor}


def test_actor_is_named_in_the_mail(stack, api):
    a = stack.reserve(stack.room(), stack.user(points=1000), key="restricted", actor=quote("Zoë from the desk"))
    assert "Zoë from the desk" in stack.mails_about(a.json["id"])[0].get_content()


def test_actor_is_the_role_where_nobody_is_named(stack, api):
    for key in ("public", "restricted"):
        a = stack.reserve(stack.room(), stack.user(points=1000), key=key)
        assert {name for _, name in actors(stack, a.request_id)} == {key}


@pytest.mark.parametrize("actor", ["maria", "%zz", "", "x" * 500, "%00", "restricted"])
def test_actor_is_ignored_with_the_public_key(stack, api, actor):
    a = stack.reserve(stack.room(), stack.user(points=1000), actor=actor)
    assert a.status == 201
    assert {name for _, name in actors(stack, a.request_id)} == {"public"}


@pytest.mark.parametrize("actor", ["", "%zz", "%", "%4", "%C3", "%C3%28", "%ED%A0%80", "%C0%80", "%F5%80%80%80", "x" * 101, "%F0%9F%9B%8F" * 101, "%00",
                                   "a%00b", "%0A", "a%0D%0Ab", "%1B", "%7F", "%C2%85", "%E2%80%AE", "é", "\xff", "a%2", "%C3%A9%"])
def test_ill_formed_actor_is_400(stack, api, actor):
    room, user = stack.room(), stack.user(points=1000)
    reservation = stack.reserve(room, user).json["id"]
    with stack.unchanged():
        stack.reserve(room, user, key="restricted", actor=actor).is_problem(400, "validation")
        stack.adjust(user, 5, actor=actor).is_problem(400, "validation")
        stack.cancel(reservation, key="restricted", actor=actor).is_problem(400, "validation")


def test_actor_given_twice_is_400(stack, api):
    user = stack.user()
    with stack.unchanged():
        for second in ("maria", "other"):
            stack.adjust(user, 5, actor="maria", headers=[("X-Actor", second)]).is_problem(400, "validation")


def test_actor_leaves_no_trace_in_the_next_request(stack, api):
    """A service's thread and its connection serve many: nothing of one may stick to the next."""
    users = [stack.user(points=100) for _ in range(10)]
    room = stack.room(total=100, price=1)
    calls = []
    for i, user in enumerate(users):
        calls.append(("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, {"key": "restricted", "actor": f"person-{i}"}))
        calls.append(("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, {}))
        calls.append(("POST", f"/v1/users/{user.id}/points", {"amount": 1, "reason": f"r{i}"}, {"key": "restricted"}))
    answers = api.at_once(calls)
    for (_, _, _, how), a in zip(calls, answers):
        assert a.status == 201
        want = how.get("actor") or how.get("key", "public")
        assert {name for _, name in actors(stack, a.request_id)} == {want}
    # the reason of an adjustment stays with it
    for user in users:
        reasons = [(r["delta"], r["reason"], r["reservation_id"] is None) for r in stack.points_history(user)[1:]]
        assert sorted(reasons, key=str) == sorted([(-1, None, False), (-1, None, False), (1, f"r{users.index(user)}", True)], key=str)
