"""If-Match and If-None-Match (RFC 9110, 13): PATCH /v1/admin/rooms/{id}, PUT /v1/admin/users/{id}; refused with POST."""

import os
import threading

import pytest

from staff import STAFF, new_id

ROUNDS = int(os.environ.get("LOYALTY_ROUNDS", "1000"))  # 2 ms each
HISTORY = "SELECT COUNT(*) AS n FROM loyalty_history.room_history WHERE room_id = UNHEX(REPLACE(%s, '-', ''))"
FALSE = [[("If-Match", '"x"')], [("If-Match", 'W/{tag}')], [("If-Match", '"x", W/{tag}')], [("If-None-Match", "*")],
         [("If-None-Match", "{tag}")], [("If-None-Match", 'W/{tag}')], [("If-None-Match", '"x" , {tag}')],
         [("If-Match", "{tag}"), ("If-None-Match", "{tag}")], [("If-Match", '"x"'), ("If-None-Match", '"x"')]]
TRUE = [[("If-Match", "*")], [("If-Match", "{tag}")], [("If-Match", ' "x" ,, W/"y",{tag}')], [("If-None-Match", '"x"')],
        [("If-Match", "{tag}"), ("If-None-Match", '"x"')], []]
BROKEN = ["", " ", ",", "x", '"', '"a', 'a"', "'a'", '"a" "b"', '"a b"', "*, *", '*, "a"', '"a", *', "**", 'w/"a"', "W/*", 'W/ "a"', '"a";q=1']


def tag_of(api, target):
    return api.get(target, **STAFF).header("ETag")


def filled(headers, tag):
    return [(name, value.replace("{tag}", tag)) for name, value in headers]


def subjects(stack):
    """(method, target, a body that changes something) of both calls."""
    return (("PATCH", f"/v1/admin/rooms/{stack.room(total=5, price=100).id}", {"required_points": 7}),
            ("PUT", f"/v1/admin/users/{stack.user(500).id}", {"name": "Another", "role": "ADMIN"}))


@pytest.mark.parametrize("headers", FALSE)
def test_a_condition_that_does_not_hold_is_412_and_nothing_changes(stack, api, headers):
    for method, target, body in subjects(stack):
        tag = tag_of(api, target)
        with stack.unchanged():
            api.request(method, target, body, headers=filled(headers, tag), **STAFF).is_problem(412, "precondition-failed")
        assert tag_of(api, target) == tag
    room = stack.room()
    with stack.unchanged():
        api.patch(f"/v1/admin/rooms/{room.id}", {}, headers=[("If-Match", '"x"')], **STAFF).is_problem(412, "precondition-failed")


@pytest.mark.parametrize("headers", TRUE)
def test_a_condition_that_holds_refuses_nothing_and_the_answer_of_a_patch_has_the_new_tag(stack, api, headers):
    for method, target, body in subjects(stack):
        tag = tag_of(api, target)
        a = api.request(method, target, body, headers=filled(headers, tag), **STAFF)
        now = api.get(target, **STAFF)
        assert a.status == 200 and a.body == now.body, a
        assert a.header("ETag") == (now.header("ETag") if method == "PATCH" else None)  # RFC 9110, 9.3.4
        assert now.header("ETag") != tag
        # and so a client goes on from its own change
        assert api.request(method, target, body, headers=[("If-Match", now.header("ETag"))], **STAFF).status == 200


def test_what_is_not_there_has_no_tag(stack, api):
    body, target = {"name": "New", "role": "USER"}, f"/v1/admin/users/{new_id()}"
    with stack.unchanged():
        for value in ("*", '"x"'):
            api.put(target, body, headers=[("If-Match", value)], **STAFF).is_problem(412, "precondition-failed")
            room = f"/v1/admin/rooms/{new_id()}"
            api.patch(room, {"name": "x"}, headers=[("If-Match", value)], **STAFF).is_problem(404, "room-not-found")
            api.patch(room, {"name": "x"}, headers=[("If-None-Match", value)], **STAFF).is_problem(404, "room-not-found")
    a = api.put(target, body, headers=[("If-None-Match", "*")], **STAFF)
    assert a.status == 201 and a.header("ETag") is None
    with stack.unchanged():
        api.put(target, body, headers=[("If-None-Match", "*")], **STAFF).is_problem(412, "precondition-failed")
    assert api.put(f"/v1/admin/users/{new_id()}", body, headers=[("If-None-Match", '"x"')], **STAFF).status == 201


def test_what_would_be_refused_anyway_is_refused_before_the_condition_is_looked_at(stack, api):
    room = f"/v1/admin/rooms/{stack.room(total=5).id}"
    no = [("If-Match", '"x"')]
    with stack.unchanged():
        api.patch(room, {"name": "x"}, headers=no).is_problem(403, "forbidden")
        api.patch(room, {"name": ""}, headers=no, **STAFF).is_problem(422, "validation")
        api.patch(room, body=b"{", headers=no, **STAFF).is_problem(400, "malformed-json")
        api.patch(room, body=b"{}", content_type="text/plain", headers=no, **STAFF).is_problem(415, "unsupported-media-type")
        api.patch("/v1/admin/rooms/x", {"name": "x"}, headers=no, **STAFF).is_problem(404, "room-not-found")
        api.put("/v1/admin/users/x", {"name": "x", "role": "USER"}, headers=no, **STAFF).is_problem(404, "user-not-found")


def test_a_condition_in_two_lines_is_one_list_or_refused(stack, api):
    """nginx takes If-Match once only; what it passes on is one list."""
    for method, target, body in subjects(stack):
        tag = tag_of(api, target)
        with stack.unchanged():
            a = api.request(method, target, body, headers=[("If-None-Match", '"x"'), ("If-None-Match", tag)], wire=api.wire(), **STAFF)
            assert (a.status, a.problem) in ((400, "bad-request"), (412, "precondition-failed")), a


@pytest.mark.parametrize("value", BROKEN)
def test_ill_formed_conditions_are_400(stack, api, value):
    for method, target, body in subjects(stack):
        with stack.unchanged():
            for name in ("If-Match", "If-None-Match"):
                a = api.request(method, target, body, headers=[(name, value)], **STAFF)
                assert a.is_problem(400, "validation").pointers == [name]


def test_a_condition_with_post_is_400_and_names_the_header(stack, api):
    room, user = stack.room(total=1, price=0), stack.user(10)
    made = stack.reserve(room, user).json["id"]
    posts = [("/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}), (f"/v1/reservations/{made}/cancel", {}),
             (f"/v1/users/{user.id}/points", {"amount": 1, "reason": "x"}), (f"/v1/admin/reservations/{made}/release", {}),
             ("/v1/admin/rooms", {"name": "x", "total_amount": 1, "required_points": 1})]
    with stack.unchanged():
        for target, body in posts:
            for headers in ([("If-Match", "*")], [("If-None-Match", "*")], [("If-Match", "rubbish"), ("If-None-Match", '"x"')]):
                a = api.post(target, body, headers=headers, **STAFF)
                assert a.is_problem(400, "validation").pointers == sorted(name for name, _ in headers), a


def race(api, rounds, requests_of):
    """Each round two requests at once, over two connections that are kept; yields their answers."""
    wires, barrier, out = [api.wire(), api.wire()], threading.Barrier(3), [None, None]
    todo, stop = [None, None], []

    def client(i):
        while True:
            barrier.wait(30)
            if stop:
                return
            method, target, body, headers = todo[i]
            out[i] = api.request(method, target, body, headers=headers, wire=wires[i], **STAFF)
            barrier.wait(30)

    threads = [threading.Thread(target=client, args=(i,), daemon=True) for i in range(2)]
    for thread in threads:
        thread.start()
    try:
        for n in range(rounds):
            todo[:] = requests_of(n)
            barrier.wait(30)
            barrier.wait(30)
            yield n, list(out)
    finally:
        stop.append(True)
        barrier.wait(30)
        for thread in threads:
            thread.join(30)
        for wire in wires:
            wire.close()


def test_of_two_patches_at_once_with_one_tag_one_is_done_and_one_is_412(stack, api):
    room = stack.room(total=5, price=1)
    target, before = f"/v1/admin/rooms/{room.id}", stack.value(HISTORY, room.id)
    tag = [tag_of(api, target)]

    def two(n):
        return [("PATCH", target, {"required_points": 10 + 2 * n + i}, [("If-Match", tag[0])]) for i in range(2)]

    for n, answers in race(api, ROUNDS, two):
        assert sorted(a.status for a in answers) == [200, 412], (n, answers)
        tag[0] = next(a for a in answers if a.status == 200).header("ETag")
        assert stack.value(HISTORY, room.id) == before + n + 1
    assert tag[0] == tag_of(api, target)


def test_of_two_puts_at_once_with_one_condition_one_is_done_and_one_is_412(stack, api):
    made = [new_id() for _ in range(ROUNDS // 10)]

    def two(n):
        return [("PUT", f"/v1/admin/users/{made[n]}", {"name": f"User {i}", "role": "USER"}, [("If-None-Match", "*")]) for i in range(2)]

    for n, answers in race(api, len(made), two):
        assert sorted(a.status for a in answers) == [201, 412], (n, answers)
    user = f"/v1/admin/users/{made[0]}"
    tag = [tag_of(api, user)]

    def again(n):
        return [("PUT", user, {"name": f"User {n} {i}", "role": "USER"}, [("If-Match", tag[0])]) for i in range(2)]

    for n, answers in race(api, len(made), again):
        assert sorted(a.status for a in answers) == [200, 412], (n, answers)
        tag[0] = tag_of(api, user)


def test_conditions_that_still_hold_survive_changes_at_once(stack, api):
    """If-Match: * and a tag that If-None-Match does not name: both of two are done, whoever comes first."""
    target = f"/v1/admin/rooms/{stack.room(total=5, price=1).id}"

    def two(n):
        return [("PATCH", target, {"required_points": 10 + 2 * n}, [("If-Match", "*")]),
                ("PATCH", target, {"total_amount": 10 + n}, [("If-None-Match", '"x"')])]

    for n, answers in race(api, ROUNDS // 10, two):
        assert [a.status for a in answers] == [200, 200], (n, answers)
