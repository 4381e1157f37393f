"""GET /v1/admin/users, GET and PUT /v1/admin/users/{id}"""

import threading
import time
import unicodedata
from urllib.parse import quote

import pytest

from client import link_next, walk
from staff import NAMES_BAD, NAMES_FINE, STAFF, new_id, refuses_broken_bodies, traces

USERS = "/v1/admin/users"


def put(api, id_, name="Jane Doe", role="USER", **how):
    return api.put(f"{USERS}/{id_}", {"name": name, "role": role}, **{**STAFF, **how})


# -- PUT ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("role", ["USER", "ADMIN"])
def test_put_makes_an_account_with_a_balance_of_0(stack, api, role):
    id_ = new_id()
    a = put(api, id_, role=role)
    assert a.status == 201 and a.json == {"user": {"id": id_, "name": "Jane Doe", "role": role}, "bonus_points": 0}
    assert api.get(f"{USERS}/{id_}", **STAFF).json == a.json == api.get(f"/v1/users/{id_}/points").json
    assert traces(stack, a.request_id) == (0, 0, 0, 0), "a new account is no change of a balance, and no mail"


def test_put_replaces_name_and_role_and_keeps_the_balance(stack, api):
    user = stack.user(points=1240)
    a = put(api, user.id, "Somebody Else", "ADMIN")
    assert a.status == 200
    assert a.json == {"user": {"id": user.id, "name": "Somebody Else", "role": "ADMIN"}, "bonus_points": 1240}
    assert api.get(f"/v1/users/{user.id}/points").json == a.json
    assert traces(stack, a.request_id) == (0, 0, 0, 0) and len(stack.points_history(user)) == 1


def test_put_of_what_is_there_already_changes_nothing(stack, api):
    user = stack.user(points=5)
    with stack.unchanged():
        for _ in range(3):
            assert put(api, user.id, user.name).status == 200


def test_account_that_was_put_can_reserve(stack, api):
    id_ = new_id()
    put(api, id_)
    room = stack.room(price=0)
    a = api.post("/v1/reservations", {"room_id": room.id, "user": {"id": id_}})
    assert a.status == 201 and a.json["status"] == "RESERVED" and a.json["user"]["name"] == "Jane Doe"
    put(api, id_, "Jane Roe")
    assert api.get(f"/v1/reservations/{a.json['id']}").json["user"]["name"] == "Jane Roe"


def test_E062_upper_case_id_is_taken_lower_case_comes_out(stack, api):
    id_ = new_id()
    assert put(api, id_.upper()).json["user"]["id"] == id_
    assert put(api, id_).status == 200
    assert api.get(f"{USERS}/{id_.upper()}", **STAFF).json["user"]["id"] == id_


@pytest.mark.parametrize("name", NAMES_FINE)
def test_E054_names_are_kept_as_they_are(stack, api, name):
    id_ = new_id()
    assert put(api, id_, name).json["user"]["name"] == name
    assert api.get(f"{USERS}/{id_}", **STAFF).json["user"]["name"] == name


def test_name_that_differs_by_a_blank_at_its_end_is_another(stack, api):
    id_ = new_id()
    put(api, id_, "Jane")
    assert put(api, id_, "Jane ").status == 200
    assert api.get(f"{USERS}/{id_}", **STAFF).json["user"]["name"] == "Jane "


@pytest.mark.parametrize("name", NAMES_BAD)
def test_E054_names_against_the_rules_are_422(stack, api, name):
    user = stack.user()
    with stack.unchanged():
        for id_ in (user.id, new_id()):
            a = put(api, id_, name)
            if name == "a\x00b":
                a.is_problem(400, "malformed-json")
            else:
                assert a.is_problem(422, "validation").pointers == ["/name"]


@pytest.mark.parametrize("role", ["", "user", "GUEST", "USER ", None, 0, True, [], {}, ["USER"]])
def test_E055_role_other_than_user_or_admin_is_422(stack, api, role):
    user = stack.user()
    with stack.unchanged():
        assert put(api, user.id, role=role).is_problem(422, "validation").pointers == ["/role"]


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/name", "/role"]), ({"name": "x"}, ["/role"]), ({"role": "USER"}, ["/name"]),
    ({"name": "", "role": "x", "bonus_points": 5, "id": "x"}, ["/bonus_points", "/id", "/name", "/role"]),
    ({"name": "x", "role": "USER", "user": {}}, ["/user"]), ([], [""]), (None, [""]), ("x", [""]), (5, [""])])
def test_E038_E041_all_faults_of_the_body_are_told_at_once(stack, api, body, pointers):
    with stack.unchanged():
        assert api.put(f"{USERS}/{new_id()}", body, **STAFF).is_problem(422, "validation").pointers == pointers


def test_E037_body_that_is_none_is_refused(stack, api):
    with stack.unchanged():
        for how in ({}, {"body": b""}):
            api.put(f"{USERS}/{new_id()}", **STAFF, **how).is_problem(400, "malformed-json")
    refuses_broken_bodies(stack, "PUT", f"{USERS}/{new_id()}")


@pytest.mark.parametrize("id_", ["x", "0", "{b9fa7d71-548c-4739-8e6a-0931cc218cd1}", "urn:uuid:b9fa7d71-548c-4739-8e6a-0931cc218cd1",
                                 "b9fa7d71548c47398e6a0931cc218cd1", "0" * 36])
def test_E062_id_that_is_no_uuid_is_404(stack, api, id_):
    with stack.unchanged():
        put(api, id_).is_problem(404, "user-not-found")
        api.get(f"{USERS}/{id_}", **STAFF).is_problem(404, "user-not-found")


def test_put_knows_no_query_and_no_actor_that_is_ill_formed(stack, api):
    with stack.unchanged():
        a = api.put(f"{USERS}/{new_id()}?x=1&q=2", {"name": "x", "role": "USER"}, actor="%zz", **STAFF).is_problem(400, "validation")
    assert a.pointers == ["?q", "?x", "X-Actor"]


def test_put_takes_no_notice_of_an_idempotency_key(stack, api):
    """It says what shall be, so a repetition does no harm; the header belongs to POST."""
    id_, kept = new_id(), stack.value("SELECT COUNT(*) FROM loyalty.idempotency")
    assert [put(api, id_, name, idem="put").status for name in ("One", "Two")] == [201, 200]
    assert not put(api, id_, "Two", idem="put").all("Idempotency-Replayed")
    assert put(api, id_, "Three", idem="a b").status == 200
    assert stack.value("SELECT COUNT(*) FROM loyalty.idempotency") == kept


def test_same_account_put_10_times_at_once_is_made_once(stack, api):
    for _ in range(3):
        id_ = new_id()
        answers = api.at_once([("PUT", f"{USERS}/{id_}", {"name": f"Name {i}", "role": "USER"}, STAFF) for i in range(10)])
        assert sorted(a.status for a in answers) == [200] * 9 + [201]
        assert {a.json["bonus_points"] for a in answers} == {0}
        assert api.get(f"{USERS}/{id_}", **STAFF).json in [a.json for a in answers]


def test_put_while_points_move_loses_none(stack, api):
    user = stack.user(points=10)
    calls = [("PUT", f"{USERS}/{user.id}", {"name": f"Name {i}", "role": "USER"}, STAFF) for i in range(10)]
    calls += [("POST", f"/v1/users/{user.id}/points", {"amount": 1, "reason": "x"}, STAFF)] * 10
    assert {a.status for a in api.at_once(calls)} == {200, 201}
    assert stack.balance(user) == 20


# -- GET one ------------------------------------------------------------------------------------------

def test_get_shows_user_and_balance(stack, api):
    user = stack.user(points=77, role="ADMIN")
    a = api.get(f"{USERS}/{user.id}", **STAFF)
    assert a.status == 200 and a.json == {"user": {"id": user.id, "name": user.name, "role": "ADMIN"}, "bonus_points": 77}


def test_unknown_user_is_404_and_E063_so_is_a_room(stack, api):
    unknown = api.get(f"{USERS}/{new_id()}", **STAFF).is_problem(404, "user-not-found")
    room = api.get(f"{USERS}/{stack.room().id}", **STAFF).is_problem(404, "user-not-found")
    assert unknown.json["detail"] == room.json["detail"]


def test_E057_head_and_etag_of_an_account(stack, api):
    user = stack.user()
    target = f"{USERS}/{user.id}"
    a, head = api.get(target, **STAFF), api.head(target, **STAFF)
    assert head.status == 200 and head.header("ETag") == a.header("ETag") and head.body == b""
    assert api.get(target, headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 304
    stack.adjust(user, 1)
    assert api.get(target, headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 200


def test_get_knows_no_query(api, stack):
    api.get(f"{USERS}/{stack.user().id}?limit=5", **STAFF).is_problem(400, "validation")


# -- the list -----------------------------------------------------------------------------------------

def test_list_has_every_account_in_a_stable_order(stack, api):
    users = [stack.user(points=i) for i in range(5)]
    items, _ = walk(api, f"{USERS}?limit=200", **STAFF)
    ids = [i["user"]["id"] for i in items]
    assert ids == sorted(set(ids)) and len(ids) == stack.value("SELECT COUNT(*) FROM loyalty.user")
    for user in users:
        assert items[ids.index(user.id)] == {"user": {"id": user.id, "name": user.name, "role": "USER"}, "bonus_points": user.points}


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_pages_make_up_the_list(stack, api, limit):
    mark = new_id()
    for i in range(7):
        stack.user(name=f"{mark} {i}")
    whole = api.get(f"{USERS}?q={mark}", **STAFF)
    items, sizes = walk(api, f"{USERS}?q={mark}&limit={limit}", **STAFF)
    assert len(whole.json) == 7 and items == whole.json and link_next(whole) is None
    assert all(size == limit for size in sizes[:-1])


def test_q_finds_a_part_of_the_name_in_any_case(stack, api):
    mark = new_id()[:13]
    names = [f"{mark} Jane Doe", f"{mark} jANE", f"Mr {mark} Joan", f"{mark} John", f"{mark} MÜLLER", f"{mark} 100% a_b\\c", f"{mark} 李小龍", f"{mark}+b"]
    for name in names:
        stack.user(name=name)

    def found(q):
        return sorted(i["user"]["name"] for i in api.get(f"{USERS}?q={quote(q)}", **STAFF).json)

    assert found(mark) == sorted(names)
    assert set(found(f"{mark} JANE")) == set(names[:2])
    assert found(f"{mark} müller") == [names[4]] == found(f"{mark} MüLLER")
    assert found(f"{mark} 100%") == found(f"{mark} 100% A_B\\C") == [names[5]]
    assert found(f"{mark} 1%") == found(f"{mark} 100% a.b") == found(f"{mark}_") == found(f"{mark}%") == []
    assert found(f"{mark} 小龍") == [] and found(f"{mark} 李小") == [names[6]]
    assert [i["user"]["name"] for i in api.get(f"{USERS}?q={mark}%2Bb", **STAFF).json] == [names[7]]
    a = api.get(f"{USERS}?q={mark}+Jane+D&limit=1", **STAFF)
    assert [i["user"]["name"] for i in a.json] == [names[0]], "a plus is a blank"
    items, _ = walk(api, f"{USERS}?q={mark}+jane&limit=1", **STAFF)
    assert sorted(i["user"]["name"] for i in items) == sorted(names[:2]), "and cursors and links keep it"
    assert found(new_id()) == []


@pytest.mark.parametrize("q", ["", "%00", "%0A", "%1F", "%7F", "%C2%85", "%E2%80%AE", "%C3", "%zz", "%ED%A0%80", "x" * 201, "%CC%81", "%CC%81%CC%88%F3%A0%84%80"])
@pytest.mark.parametrize("sort", ["", "&sort=-id", "&sort=name", "&sort=-bonus_points"])
def test_q_against_the_rules_is_400(api, q, sort):
    """Also one of which nothing is left when it is folded: it would find everybody."""
    assert api.get(f"{USERS}?q={q}{sort}", **STAFF).is_problem(400, "validation").pointers == ["?q"]


def test_E064_E065_all_faults_of_the_query_are_told_at_once(api):
    a = api.get(f"{USERS}?q=&limit=201&cursor=zz&x=1&status=2", actor="%zz", **STAFF).is_problem(400, "validation")
    assert a.pointers == ["?cursor", "?limit", "?q", "?status", "?x", "X-Actor"]
    for query in ("limit=0", "limit=-1", "limit=abc", "limit=5&limit=5", "q=a&q=a", "limit=", "Q=a", "user_id=" + new_id()):
        api.get(f"{USERS}?{query}", **STAFF).is_problem(400, "validation")


def test_E066_cursor_of_another_search_is_400(stack, api):
    mark = new_id()
    for i in range(3):
        stack.user(name=f"{mark} {i}")
    searched, all_ = link_next(api.get(f"{USERS}?q={mark}&limit=1", **STAFF)), link_next(api.get(f"{USERS}?limit=1", **STAFF))
    cursor, other = searched.split("cursor=")[1], all_.split("cursor=")[1]
    assert api.get(f"{USERS}?cursor={cursor}&q={mark}&limit=2", **STAFF).status == 200
    for target in (f"{USERS}?cursor={cursor}", f"{USERS}?q={mark.upper()}&cursor={cursor}", f"{USERS}?q={mark}&cursor={other}",
                   f"/v1/admin/rooms?cursor={other}", f"/v1/rooms?cursor={other}"):
        api.get(target, **STAFF).is_problem(400, "validation")


def test_E103_pages_under_concurrent_writes_neither_repeat_nor_skip(stack, api):
    mark = new_id()
    stood = {stack.user(name=f"{mark} {i}").id for i in range(10)}
    done, made = threading.Event(), []

    def write():
        while not done.is_set():
            made.append(new_id())
            put(api, made[-1], f"{mark} new")
            put(api, made[-1], f"{mark} newer")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            ids = [i["user"]["id"] for i in walk(api, f"{USERS}?q={mark}&limit=3", **STAFF)[0]]
            assert len(ids) == len(set(ids)) and stood <= set(ids)
    finally:
        done.set()
        writer.join()
    assert made


# -- sort ---------------------------------------------------------------------------------------------

SORTS = ["id", "-id", "name", "-name", "bonus_points", "-bonus_points"]


def fold(text):
    return "".join(c.lower() for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def in_order(items, sort):
    """What is equal is in the order of the ids, in either direction."""
    by_id = sorted(items, key=lambda i: i["user"]["id"], reverse=sort == "-id")
    by = {"name": lambda i: fold(i["user"]["name"]).encode(), "bonus_points": lambda i: i["bonus_points"]}.get(sort.lstrip("-"))
    return sorted(by_id, key=by, reverse=sort.startswith("-")) if by else by_id


@pytest.mark.parametrize("limit", [1, 3, 200])
@pytest.mark.parametrize("sort", SORTS)
def test_each_sort_gives_its_order_on_pages_of_any_size(stack, api, sort, limit):
    mark = new_id()[:13]
    users = [stack.user(name=f"{mark} {name}", points=points) for name, points in (
        ("Zoë", 5), ("zoe", 5), ("Anna", 0), ("ärger", 2 ** 53 - 1), ("東京", 70), ("각하", 7), ("b", 0), ("B", 0))]
    items, sizes = walk(api, f"{USERS}?q={mark}&sort={sort}&limit={limit}", **STAFF)
    assert {i["user"]["id"] for i in items} == {u.id for u in users} and len(items) == len(users) and items == in_order(items, sort)
    assert all(size == limit for size in sizes[:-1])


@pytest.mark.parametrize("sort", SORTS)
def test_whole_list_is_in_order_without_a_search(stack, api, sort):
    items, _ = walk(api, f"{USERS}?sort={sort}&limit=200", **STAFF)
    assert items == in_order(items, sort) and len(items) == stack.value("SELECT COUNT(*) FROM loyalty.user")


@pytest.mark.parametrize("sort", SORTS)
def test_E103_pages_while_names_and_balances_change_neither_repeat_nor_skip(stack, api, sort):
    mark = new_id()[:13]
    stood = {stack.user(name=f"{mark} {i % 7}", points=i * 10 % 70).id for i in range(20)}
    moving, done = [stack.user(name=f"{mark} moving", points=30) for _ in range(3)], threading.Event()

    def write():
        n = 0
        while not done.is_set():
            for user in moving:
                n += 1
                assert put(api, user.id, f"{mark} {n % 9} moving").status == 200
                assert stack.adjust(user, 60 if n // 3 % 2 else -60, "x").status in (201, 409)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            ids = [i["user"]["id"] for i in walk(api, f"{USERS}?q={mark}&sort={sort}&limit=2", **STAFF)[0]]
            assert len(ids) == len(set(ids)) and stood <= set(ids)
    finally:
        done.set()
        writer.join()


@pytest.mark.parametrize("sort", ["name", "bonus_points"])
def test_who_moves_behind_the_page_is_not_there_twice(stack, api, sort):
    mark = new_id()[:13]
    users = [stack.user(name=f"{mark} {i}", points=i) for i in range(4)]
    first = api.get(f"{USERS}?q={mark}&sort={sort}&limit=2", **STAFF)
    put(api, users[0].id, f"{mark} zz")
    stack.adjust(users[0], 99)
    put(api, users[2].id, f"{mark} 2", "ADMIN")
    rest, _ = walk(api, link_next(first), **STAFF)
    assert [i["user"]["id"] for i in first.json + rest] == [u.id for u in users]


@pytest.mark.parametrize("sort", ["bonus_points", "-bonus_points"])
def test_who_commits_late_with_a_smaller_id_is_not_there_twice(stack, api, sort):
    """A balance is changed, another one as well and that is committed, the first page is read, the first change is committed."""
    mark, down = new_id()[:13], sort.startswith("-")
    users = [stack.user(name=f"{mark} {i}", points=100 + i) for i in range(5)]
    late = users[4 if down else 0]
    connection = stack.db(autocommit=False)
    try:
        with connection.cursor() as c:
            c.execute("UPDATE loyalty.user SET bonus_points = bonus_points + %s WHERE id = UNHEX(REPLACE(%s, '-', ''))", (-50 if down else 50, late.id))
        assert stack.adjust(users[2], 1).status == 201 and stack.adjust(users[2], -1).status == 201
        commit = threading.Timer(0.5, connection.commit)
        commit.start()
        first = api.get(f"{USERS}?q={mark}&sort={sort}&limit=2", **STAFF)
        commit.join()
        rest, _ = walk(api, link_next(first), **STAFF)
    finally:
        connection.close()
    order = [u.id for u in (users[::-1] if down else users) if u is not late] + [late.id]
    assert [i["user"]["id"] for i in first.json + rest] == order


def test_who_is_in_the_middle_of_a_change_is_waited_for_no_longer_than_any_lock(stack, api):
    """And those who write never wait for a reader: see E103 above."""
    mark = new_id()[:13]
    user, other = stack.user(name=f"{mark} a", points=5), stack.user(name=f"{mark} b", points=6)
    connection = stack.db(autocommit=False)
    try:
        with connection.cursor() as c:
            c.execute("UPDATE loyalty.user SET bonus_points = 7 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
        assert stack.adjust(other, 1).status == 201
        started = time.monotonic()
        a = api.get(f"{USERS}?q={mark}&sort=bonus_points", **STAFF).is_problem(503, "unavailable")
        assert a.header("Retry-After") and time.monotonic() - started < 5.5
        for sort in ("id", "name"):
            assert len(api.get(f"{USERS}?q={mark}&sort={sort}", **STAFF).json) == 2
        connection.rollback()
    finally:
        connection.close()
    assert [i["user"]["id"] for i in api.get(f"{USERS}?q={mark}&sort=bonus_points", **STAFF).json] == [user.id, other.id]


@pytest.mark.parametrize("sort", ["", "-", "--id", "NAME", "role", "required_points", "name,id", "%2Bname"])
def test_sort_against_the_rules_is_400(api, sort):
    assert api.get(f"{USERS}?sort={sort}", **STAFF).is_problem(400, "validation").pointers == ["?sort"]


def test_E066_cursor_holds_for_its_own_sort(stack, api):
    mark = new_id()
    for i in range(3):
        stack.user(name=f"{mark} {i}")
    cursors = [link_next(api.get(f"{USERS}?q={mark}&limit=1&sort={sort}", **STAFF)).split("cursor=")[1] for sort in SORTS]
    for i, sort in enumerate(SORTS):
        for j, cursor in enumerate(cursors):
            a = api.get(f"{USERS}?q={mark}&limit=1&sort={sort}&cursor={cursor}", **STAFF)
            assert a.status == (200 if i == j else 400), (sort, a)


# -- ids ----------------------------------------------------------------------------------------------

def test_ids_list_these_in_the_order_given(stack, api):
    users = [stack.user(points=i) for i in range(7)]
    for order in (users, users[::-1], users[2:3]):
        a = api.get(f"{USERS}?ids=" + ",".join(u.id for u in order), **STAFF)
        assert a.status == 200 and link_next(a) is None
        assert a.json == [{"user": {"id": u.id, "name": u.name, "role": "USER"}, "bonus_points": u.points} for u in order]
    assert [i["user"]["id"] for i in api.get(f"{USERS}?ids={new_id()},{users[1].id.upper()},{stack.room().id}", **STAFF).json] == [users[1].id]
    assert api.get(f"{USERS}?ids={new_id()}", **STAFF).body == b"[]"
    assert api.get(f"{USERS}?ids={users[0].id}").is_problem(403, "forbidden")


def test_ids_may_be_a_hundred_and_stand_alone(stack, api):
    users = [stack.user() for _ in range(100)]
    a = api.get(f"{USERS}?ids=" + ",".join(u.id for u in users), **STAFF)
    assert [i["user"]["id"] for i in a.json] == [u.id for u in users]
    for query, pointers in ((",".join(u.id for u in users) + "," + new_id(), ["?ids"]), ("", ["?ids"]), ("x", ["?ids"]), (users[0].id + ",", ["?ids"]),
                            (f"{users[0].id},{users[0].id}", ["?ids"]), (f"{users[0].id}&q=a", ["?q"]), (f"{users[0].id}&sort=id", ["?sort"]),
                            (f"{users[0].id}&limit=5&cursor=x", ["?cursor", "?limit"])):
        assert sorted(api.get(f"{USERS}?ids={query}", **STAFF).is_problem(400, "validation").pointers) == pointers
