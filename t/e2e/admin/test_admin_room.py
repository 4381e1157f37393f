"""GET and POST /v1/admin/rooms, GET and PATCH /v1/admin/rooms/{id}"""

import threading

import pytest

from client import link_next, walk
from invariants import text
from staff import (NAMES_BAD, NAMES_FINE, NO_INTEGERS, NO_NUMBERS, STAFF, history, in_status, key, new_id, pending,
                   refuses_broken_bodies, same_answer, traces)
from stack import until

ROOMS = "/v1/admin/rooms"


def create(api, name="Suite", total=3, price=50, id_=None, **how):
    body = {"name": name, "total_amount": total, "required_points": price, **({"id": id_} if id_ else {})}
    return api.post(ROOMS, body, **{**STAFF, **how})


def patch(api, room, *body, **how):
    return api.patch(f"{ROOMS}/{getattr(room, 'id', room)}", *body, **{**STAFF, **how})


def listed(api, room_id):
    return room_id in {r["id"] for r in walk(api, "/v1/rooms?limit=200")[0]}


def mail_of(stack, request_id):
    """The text of the mail that a request led to."""
    return until(lambda: next((m.get_content() for m in stack.mails() if request_id in m.get_content()), None), 15, 0.1,
                 f"a mail about {request_id}")


# -- POST ---------------------------------------------------------------------------------------------

def test_create_makes_a_room_that_can_be_reserved_at_once(stack, api):
    a = create(api)
    id_ = a.json["room"]["id"]
    assert a.status == 201 and a.header("Location") == f"{ROOMS}/{id_}"
    room = {"id": id_, "name": "Suite", "available_amount": 3, "required_points": 50}
    assert a.json == {"room": room, "total_amount": 3, "archived": False}
    assert api.get(a.header("Location"), **STAFF).json == a.json
    assert api.get(f"/v1/rooms/{id_}").json == room and listed(api, id_)
    b = api.post("/v1/reservations", {"room_id": id_, "user": {"id": stack.user(points=50).id}})
    assert b.json["status"] == "RESERVED" and b.json["room"]["available_amount"] == 2


def test_create_leaves_one_history_row_and_one_mail(stack, api):
    a = create(api, actor="Zo%C3%AB")
    assert traces(stack, a.request_id) == (1, 0, 0, 1)
    row, = api.get(f"/v1/admin/history/rooms?room_id={a.json['room']['id']}", **STAFF).json
    assert row["from"] is None and row["reservation_id"] is None and (row["actor"], row["request_id"]) == ("Zoë", a.request_id)
    assert row["to"] == {"name": "Suite", "total_amount": 3, "available_amount": 3, "required_points": 50, "archived": False}
    said = mail_of(stack, a.request_id)
    assert "new room" in said and "3 of 3" in said and "Zoë" in said and a.json["room"]["id"] in said


def test_create_takes_an_id_of_the_callers_own_E062_in_any_case(stack, api):
    id_ = new_id()
    a = create(api, id_=id_.upper())
    assert a.status == 201 and a.json["room"]["id"] == id_ and a.header("Location") == f"{ROOMS}/{id_}"


def test_id_in_use_is_409_room_exists(stack, api):
    used, archived = stack.room(), stack.room(archived=1)
    with stack.unchanged():
        for id_ in (used.id, used.id.upper(), archived.id):
            create(api, id_=id_).is_problem(409, "room-exists")


def test_id_of_a_user_is_free_for_a_room(stack, api):
    assert create(api, id_=stack.user().id).status == 201


def test_same_id_10_times_at_once_makes_one_room(stack, api):
    for _ in range(3):
        id_ = new_id()
        answers = api.at_once([("POST", ROOMS, {"id": id_, "name": f"Room {i}", "total_amount": i, "required_points": 5}, STAFF)
                               for i in range(10)])
        assert sorted(a.status for a in answers) == [201] + [409] * 9
        assert {a.problem for a in answers if a.status == 409} == {"room-exists"}
        won, = [a for a in answers if a.status == 201]
        assert api.get(f"{ROOMS}/{id_}", **STAFF).json == won.json


def test_create_with_no_unit_and_no_price_and_with_the_most_of_both(stack, api):
    none, most = create(api, total=0, price=0), create(api, total=1000000, price=1000000000)
    assert none.status == most.status == 201 and none.json["room"]["available_amount"] == 0
    assert none.json["room"]["id"] not in {r["id"] for r in walk(api, "/v1/rooms?limit=200&available=true")[0]}
    api.post("/v1/reservations", {"room_id": none.json["room"]["id"], "user": {"id": stack.user().id}}).is_problem(409, "sold-out")


@pytest.mark.parametrize("name", NAMES_FINE)
def test_E054_names_of_rooms_are_kept_as_they_are(stack, api, name):
    a = create(api, name)
    assert a.json["room"]["name"] == name == api.get(a.header("Location"), **STAFF).json["room"]["name"]
    assert patch(api, a.json["room"]["id"], {"name": name + "!" if len(name) < 200 else "y"}).status == 200


@pytest.mark.parametrize("name", NAMES_BAD)
def test_E054_names_of_rooms_against_the_rules_are_422(stack, api, name):
    room = stack.room()
    with stack.unchanged():
        for a in (create(api, name), patch(api, room, {"name": name})):
            if name == "a\x00b":
                a.is_problem(400, "malformed-json")
            else:
                assert a.is_problem(422, "validation").pointers == ["/name"]


@pytest.mark.parametrize("member", ["total_amount", "required_points"])
def test_E027_E029_E030_numbers_against_the_rules_are_422(stack, api, member):
    room = stack.room()
    other = "required_points" if member == "total_amount" else "total_amount"
    most = {"total_amount": 1000001, "required_points": 1000000001}[member]
    with stack.unchanged():
        for number in NO_INTEGERS + [str(most)]:
            a = api.post(ROOMS, body=f'{{"name":"x","{other}":5,"{member}":{number}}}'.encode(), **STAFF)
            assert a.is_problem(422, "validation").pointers == ["/" + member], number
            a = patch(api, room, body=f'{{"{member}":{number}}}'.encode())
            assert a.is_problem(422, "validation").pointers == ["/" + member], number
        for number in NO_NUMBERS:
            patch(api, room, body=f'{{"{member}":{number}}}'.encode()).is_problem(400, "malformed-json")


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/name", "/required_points", "/total_amount"]),
    ({"name": "", "total_amount": -1, "required_points": None, "id": "x", "archived": False, "room": {}},
     ["/archived", "/id", "/name", "/required_points", "/room", "/total_amount"]),
    ({"name": "x", "total_amount": 1, "required_points": 1, "id": None}, ["/id"]),
    ({"name": "x", "total_amount": 1, "required_points": 1, "id": "{b9fa7d71-548c-4739-8e6a-0931cc218cd1}"}, ["/id"]),
    ({"name": "x", "total_amount": 1, "required_points": 1, "available_amount": 1}, ["/available_amount"]),
    ([], [""]), (None, [""]), (5, [""])])
def test_E038_E041_all_faults_of_a_new_room_are_told_at_once(stack, api, body, pointers):
    with stack.unchanged():
        assert api.post(ROOMS, body, **STAFF).is_problem(422, "validation").pointers == pointers


def test_E037_new_room_without_a_body_is_400(stack, api):
    with stack.unchanged():
        api.post(ROOMS, **STAFF).is_problem(400, "malformed-json")
        a = api.post(f"{ROOMS}?x=1", {}, actor="", idem="a b", **STAFF).is_problem(400, "validation")
        assert a.pointers == ["?x", "Idempotency-Key", "X-Actor"]
    refuses_broken_bodies(stack, "POST", ROOMS)


def test_E005_E006_create_is_done_once_under_one_key(stack, api):
    k = key()
    first = create(api, idem=k)
    with stack.unchanged():
        same_answer(first, create(api, idem=k))
        create(api, name="Another", idem=k).is_problem(422, "idempotency-key-reused")
    patch(api, first.json["room"]["id"], {"name": "Renamed", "archived": True})
    with stack.unchanged():
        same_answer(first, create(api, idem=k))


def test_E009_refusal_of_a_new_room_is_kept(stack, api):
    k, room = key(), stack.room()
    first = create(api, id_=room.id, idem=k).is_problem(409, "room-exists")
    same_answer(first, create(api, id_=room.id, idem=k))


def test_E004_create_20_times_at_once_under_one_key_makes_one_room(stack, api):
    k = key()
    before = stack.value("SELECT COUNT(*) FROM loyalty.room")
    answers = api.at_once([("POST", ROOMS, {"name": "Twenty", "total_amount": 1, "required_points": 1}, {"idem": k, **STAFF})] * 20)
    assert {a.status for a in answers} == {201} and len({a.body for a in answers}) == 1
    assert sorted(a.replayed for a in answers) == [False] + [True] * 19
    assert stack.value("SELECT COUNT(*) FROM loyalty.room") == before + 1


# -- PATCH --------------------------------------------------------------------------------------------

def test_each_member_changes_alone_and_leaves_one_row(stack, api):
    room = stack.room(total=5, price=10, name="Old")
    state = {"name": "Old", "total_amount": 5, "available_amount": 5, "required_points": 10, "archived": False}
    for change, more in (({"name": "New"}, {}), ({"total_amount": 7}, {"available_amount": 7}), ({"required_points": 11}, {}),
                         ({"archived": True}, {}), ({"archived": False}, {}), ({"total_amount": 0}, {"available_amount": 0})):
        a = patch(api, room, change)
        was, state = state, {**state, **change, **more}
        assert a.status == 200 and a.json == {
            "room": {"id": room.id, "name": state["name"], "available_amount": state["available_amount"],
                     "required_points": state["required_points"]},
            "total_amount": state["total_amount"], "archived": state["archived"]}
        assert api.get(f"{ROOMS}/{room.id}", **STAFF).json == a.json
        row = api.get(f"/v1/admin/history/rooms?room_id={room.id}&limit=1", **STAFF).json[0]
        assert (row["from"], row["to"], row["request_id"]) == (was, state, a.request_id)
        mails = 1 if {"total_amount", "archived"} & set(change) else 0
        assert traces(stack, a.request_id) == (1, 0, 0, mails), change


def test_all_members_at_once_are_one_change_one_row_and_one_mail(stack, api):
    room = stack.room(total=5, price=10)
    a = patch(api, room, {"name": "New", "total_amount": 2, "required_points": 3, "archived": True}, actor="Ann")
    assert traces(stack, a.request_id) == (1, 0, 0, 1)
    said = mail_of(stack, a.request_id)
    assert "Change:        archived, total 5 to 2\n" in said.replace("\r", "") and "Ann" in said and "New" in said


def test_patch_of_nothing_leaves_no_row(stack, api):
    room = stack.room()
    want = api.get(f"{ROOMS}/{room.id}", **STAFF).json
    with stack.unchanged():
        for how in ({}, {"json_": {}}, {"body": b" { } "}, {"body": b""}, {"json_": {"name": room.name}},
                    {"json_": {"total_amount": room.total, "required_points": room.price, "archived": False}}):
            a = patch(api, room, **how)
            assert a.status == 200 and a.json == want, how


def test_name_of_a_room_that_differs_by_a_blank_at_its_end_is_a_change(stack, api):
    room = stack.room(name="Suite")
    a = patch(api, room, {"name": "Suite "})
    assert traces(stack, a.request_id) == (1, 0, 0, 0) and a.json["room"]["name"] == "Suite "


def test_E098_total_below_what_is_reserved_is_409_with_the_numbers(stack, api):
    room = stack.room(total=5, price=0)
    for _ in range(3):
        stack.reserve(room, stack.user())
    with stack.unchanged():
        for total in (2, 0):
            a = patch(api, room, {"name": "Not this either", "total_amount": total}).is_problem(409, "stock-below-reserved")
            assert str(total) in a.json["detail"] and "3" in a.json["detail"]
    a = patch(api, room, {"total_amount": 3})
    assert a.status == 200 and a.json["room"]["available_amount"] == 0
    stack.reserve(room, stack.user()).is_problem(409, "sold-out")
    a = patch(api, room, {"total_amount": 4})
    assert a.json["room"]["available_amount"] == 1 and stack.reserve(room, stack.user()).status == 201


def test_E098_what_waits_for_approval_is_not_reserved(stack, api):
    _, room, _ = pending(stack)
    a = patch(api, room, {"total_amount": 0})
    assert a.status == 200 and a.json["room"]["available_amount"] == 0


def test_E099_archived_room_is_neither_listed_nor_reservable_and_its_reservations_resolve(stack, api):
    kept, room, user = in_status(stack, "RESERVED")
    a = patch(api, room, {"archived": True})
    assert a.status == 200 and a.json["archived"] is True and not listed(api, room.id)
    api.get(f"/v1/rooms/{room.id}").is_problem(404, "room-not-found")
    with stack.unchanged():
        stack.reserve(room, user).is_problem(404, "room-not-found")
    assert api.get(f"/v1/reservations/{kept['id']}").json["status"] == "RESERVED"
    assert [r["id"] for r in api.get(f"/v1/reservations?user_id={user.id}").json] == [kept["id"]]
    assert api.get(f"{ROOMS}/{room.id}", **STAFF).json["archived"] is True
    assert stack.cancel(kept["id"]).status == 200 and not listed(api, room.id)
    patch(api, room, {"archived": False})
    assert listed(api, room.id) and stack.reserve(room, user).status == 201


@pytest.mark.parametrize("how, allowed", [("cancel", True), ("reject", True), ("approve", False)])
def test_E099_pending_in_an_archived_room_can_only_be_cancelled_or_rejected(stack, api, how, allowed):
    made, room, user = pending(stack, total=5)
    stack.adjust(user, 100)
    patch(api, room, {"archived": True})
    if allowed:
        assert getattr(stack, how)(made["id"]).status == 200
    else:
        with stack.unchanged():
            stack.approve(made["id"]).is_problem(409, "sold-out")
        patch(api, room, {"archived": False})
        assert stack.approve(made["id"]).status == 200


def test_archived_room_that_comes_back_is_told_by_mail(stack, api):
    room = stack.room(total=4)
    for archived, word in ((True, "archived"), (False, "no longer archived")):
        a = patch(api, room, {"archived": archived})
        assert f"Change:        {word}\n" in mail_of(stack, a.request_id).replace("\r", "")
        with stack.unchanged():
            assert patch(api, room, {"archived": archived}).status == 200


def test_E034_price_that_changes_leaves_older_reservations_alone(stack, api):
    reserved, room, user = in_status(stack, "RESERVED", price=40)
    waiting, _, poor = pending(stack, room=room)
    patch(api, room, {"required_points": 90})
    assert stack.cancel(reserved["id"]).json["points"] == 40 and stack.balance(user) == 40 + 40
    stack.adjust(poor, 40)
    a = stack.approve(waiting["id"])
    assert a.status == 200 and a.json["points"] == 40 and a.json["room"]["required_points"] == 90 and stack.balance(poor) == 0


def test_E100_mail_has_the_name_at_the_event_and_what_is_available_now(stack, api):
    room, user = stack.room(name="Old name", price=0, total=4), stack.user()
    stack.stop("notifier")
    try:
        made = stack.reserve(room, user).json
        patch(api, room, {"name": "New name", "total_amount": 9})
    finally:
        stack.start("notifier")
    said = stack.mails_about(made["id"])[0].get_content()
    assert "Old name" in said and "Available now: 8 of 9\n" in said and "New name" not in said


@pytest.mark.parametrize("body, pointers", [
    ({"name": "", "total_amount": "5", "required_points": -1, "archived": 1, "id": "x", "available_amount": 5},
     ["/archived", "/available_amount", "/id", "/name", "/required_points", "/total_amount"]),
    ({"archived": "true"}, ["/archived"]), ({"archived": None}, ["/archived"]), ({"archived": 0}, ["/archived"]),
    ({"name": None}, ["/name"]), ({"name": "fine", "x": 1}, ["/x"]), ([], [""]), (None, [""]), ("x", [""])])
def test_E041_all_faults_of_a_change_are_told_at_once(stack, api, body, pointers):
    room = stack.room()
    with stack.unchanged():
        assert patch(api, room, body).is_problem(422, "validation").pointers == pointers


def test_change_of_an_unknown_or_broken_id_is_404(stack, api):
    user = stack.user()
    with stack.unchanged():
        for id_ in (new_id(), "x", "0", user.id, new_id() + "0"):
            patch(api, id_, {"name": "x"}).is_problem(404, "room-not-found")
            patch(api, id_, {}).is_problem(404, "room-not-found")


def test_change_with_a_broken_body_or_query_is_refused(stack, api):
    room = stack.room()
    with stack.unchanged():
        a = api.patch(f"{ROOMS}/{room.id}?archived=true", {"name": "x"}, actor="%", **STAFF).is_problem(400, "validation")
        assert a.pointers == ["?archived", "X-Actor"]
    refuses_broken_bodies(stack, "PATCH", f"{ROOMS}/{room.id}")


def test_changes_reservations_and_totals_at_once_keep_the_books(stack, api):
    room = stack.room(total=5, price=0)
    user = stack.user()
    for i in range(4):
        calls = [("PATCH", f"{ROOMS}/{room.id}", {"total_amount": 3 + n}, STAFF) for n in range(6)]
        calls += [("PATCH", f"{ROOMS}/{room.id}", {"archived": bool(n % 2)}, STAFF) for n in range(3)]
        calls += [("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, {})] * 8
        answers = api.at_once(calls)
        assert {a.status for a in answers} <= {200, 201, 404, 409}, answers
        assert {a.problem for a in answers} <= {None, "sold-out", "room-not-found", "stock-below-reserved"}
    stack.check_invariants()


# -- GET ----------------------------------------------------------------------------------------------

def test_list_has_archived_rooms_too_in_a_stable_order(stack, api):
    shown, hidden = stack.room(total=2, price=7), stack.room(archived=1)
    items, _ = walk(api, f"{ROOMS}?limit=200", **STAFF)
    ids = [i["room"]["id"] for i in items]
    assert ids == sorted(set(ids)) and len(ids) == stack.value("SELECT COUNT(*) FROM loyalty.room")
    assert items[ids.index(shown.id)] == {
        "room": {"id": shown.id, "name": shown.name, "available_amount": 2, "required_points": 7}, "total_amount": 2, "archived": False}
    assert items[ids.index(hidden.id)]["archived"] is True


def test_pages_make_up_the_list_of_rooms(stack, api):
    for _ in range(5):
        stack.room()
    whole, _ = walk(api, f"{ROOMS}?limit=200", **STAFF)
    items, sizes = walk(api, f"{ROOMS}?limit=4", **STAFF)
    assert items == whole and all(size == 4 for size in sizes[:-1])


def test_E064_E065_E066_queries_against_the_rules_are_400(stack, api):
    stack.room()
    stack.room()
    assert api.get(f"{ROOMS}?limit=0&cursor=zz&available=true&page=x", **STAFF).is_problem(400, "validation").pointers == [
        "?available", "?cursor", "?limit", "?page"]
    cursor = link_next(api.get("/v1/rooms?limit=1")).split("cursor=")[1]
    api.get(f"{ROOMS}?cursor={cursor}", **STAFF).is_problem(400, "validation")
    api.get(f"{ROOMS}/{stack.room().id}?limit=1", **STAFF).is_problem(400, "validation")


def test_unknown_or_broken_room_is_404(stack, api):
    for id_ in (new_id(), "x", stack.user().id, "0" * 36):
        api.get(f"{ROOMS}/{id_}", **STAFF).is_problem(404, "room-not-found")
    room = stack.room()
    assert api.get(f"{ROOMS}/{room.id.upper()}", **STAFF).json["room"]["id"] == room.id


def test_E057_head_and_etag_of_a_room(stack, api):
    room = stack.room(price=0)
    target = f"{ROOMS}/{room.id}"
    a, head = api.get(target, **STAFF), api.head(target, **STAFF)
    assert head.header("ETag") == a.header("ETag") and head.body == b""
    assert api.get(target, headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 304
    stack.reserve(room, stack.user())
    assert api.get(target, headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 200


def test_E103_pages_of_rooms_under_concurrent_writes_neither_repeat_nor_skip(stack, api):
    stood = {stack.room().id for _ in range(8)}
    done, made = threading.Event(), []

    def write():
        while not done.is_set():
            made.append(create(api, total=1, price=0).json["room"]["id"])
            patch(api, made[-1], {"archived": True})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            ids = [i["room"]["id"] for i in walk(api, f"{ROOMS}?limit=20", **STAFF)[0]]
            assert len(ids) == len(set(ids)) and stood <= set(ids)
    finally:
        done.set()
        writer.join()
    assert made


def test_actor_of_a_change_reaches_the_history(stack, api):
    room = stack.room()
    for actor, want in (("Zo%C3%AB", "Zoë"), (None, "restricted")):
        a = patch(api, room, {"name": want}, **({"actor": actor} if actor else {}))
        row, = history(stack, "room", a.request_id)
        assert row["actor"] == want and text(row["room_id"]) == room.id and row["reservation_id"] is None
