"""GET /v1/rooms"""

import re
import threading
import time
import uuid

import pytest

from client import link_next, walk


def test_list_shows_a_room_in_its_canonical_shape(stack, api):
    room = stack.room(total=7, price=33, name="Room “with” <every>\\thing ☂ 🛏")
    found = [r for r in walk(api, "/v1/rooms?limit=200")[0] if r["id"] == room.id]
    assert found == [{"id": room.id, "name": room.name, "available_amount": 7, "required_points": 33}]


def test_list_is_a_bare_array_in_a_stable_order(stack, api):
    for _ in range(3):
        stack.room()
    first, second = walk(api, "/v1/rooms?limit=200")[0], walk(api, "/v1/rooms?limit=200", key="restricted")[0]
    assert isinstance(api.get("/v1/rooms").json, list)
    assert first == second and len({r["id"] for r in first}) == len(first)


def test_list_pages_have_50_rooms_by_default(stack, api):
    missing = 51 - stack.value("SELECT COUNT(*) FROM loyalty.room WHERE archived = 0")
    for _ in range(missing):
        stack.room()
    a = api.get("/v1/rooms")
    assert len(a.json) == 50 and link_next(a)


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_pages_of_any_size_make_up_the_same_list(stack, api, limit):
    for _ in range(3):
        stack.room()
    whole, _ = walk(api, "/v1/rooms?limit=200")
    items, sizes = walk(api, f"/v1/rooms?limit={limit}")
    assert items == whole
    assert all(size == limit for size in sizes[:-1]) and 0 < sizes[-1] <= limit


def test_last_page_that_is_just_full_has_no_link(stack, api):
    total = stack.value("SELECT COUNT(*) FROM loyalty.room WHERE archived = 0")
    while total % 4:
        stack.room()
        total += 1
    items, sizes = walk(api, "/v1/rooms?limit=4")
    assert len(items) == total and sizes == [4] * (total // 4)


def test_link_keeps_filters_and_limit(stack, api):
    for _ in range(3):
        stack.room()
    target = link_next(api.get("/v1/rooms?limit=2&available=true"))
    assert "available=true" in target and "limit=2" in target and target.startswith("/v1/rooms?")


def test_available_true_lists_only_what_can_be_reserved(stack, api):
    free, gone = stack.room(total=1, price=0), stack.room(total=1, price=0)
    none = stack.room(total=0)
    assert stack.reserve(gone, stack.user()).status == 201
    ids = {r["id"] for r in walk(api, "/v1/rooms?available=true&limit=200")[0]}
    assert free.id in ids and gone.id not in ids and none.id not in ids
    everything = {r["id"] for r in walk(api, "/v1/rooms?limit=200")[0]}
    assert {free.id, gone.id, none.id} <= everything


def test_room_comes_back_to_the_available_ones_with_a_cancellation(stack, api):
    room, user = stack.room(total=1, price=0), stack.user()
    made = stack.reserve(room, user).json
    assert stack.cancel(made["id"]).status == 200
    assert room.id in {r["id"] for r in walk(api, "/v1/rooms?available=true&limit=200")[0]}


@pytest.mark.parametrize("value", ["maybe", "", "TRUE", "2", "true,true", "%00", "%zz", "%C3"])
def test_available_that_is_no_truth_value_is_400(stack, api, value):
    api.get(f"/v1/rooms?available={value}").is_problem(400, "validation")


def test_E099_archived_room_is_not_listed(stack, api):
    room = stack.room(total=3)
    stack.archive(room)
    for target in ("/v1/rooms?limit=200", "/v1/rooms?limit=200&available=true"):
        assert room.id not in {r["id"] for r in walk(api, target)[0]}
    stack.archive(room, 0)
    assert room.id in {r["id"] for r in walk(api, "/v1/rooms?limit=200")[0]}


@pytest.mark.parametrize("query", [
    "limit=0", "limit=-1", "limit=abc", "limit=201", "limit=", "limit", "limit=1.5", "limit=1e1", "limit=0x10",
    "limit=%2B5", "limit=+5", "limit=99999999999999999999999", "limit=5&limit=5", "limit=5%00", "limit=٣",
    "limit=%D9%A3", "limit=5&limit=6", "available=true&available=true"])
def test_E065_limit_out_of_bounds_or_given_twice_is_400(stack, api, query):
    api.get(f"/v1/rooms?{query}").is_problem(400, "validation")


@pytest.mark.parametrize("query", [
    "x=1", "limit=5&x=1", "LIMIT=5", "available=true&q=", "user_id=b9fa7d71-548c-4739-8e6a-0931cc218cd1",
    "status=RESERVED", "%6Cimit=0", "=1", "limit%00=5", "[]=1", "cursor[]=1"])
def test_E064_unknown_query_parameter_is_400(stack, api, query):
    api.get(f"/v1/rooms?{query}").is_problem(400, "validation")


def test_all_faults_of_a_query_are_told_at_once(stack, api):
    a = api.get("/v1/rooms?limit=0&available=perhaps&x=1&cursor=zz").is_problem(400, "validation")
    assert len(a.json["errors"]) == 4, a


def test_E066_forged_cursor_is_400(stack, api):
    for _ in range(3):
        stack.room()
    target = link_next(api.get("/v1/rooms?limit=1"))
    cursor = re.search(r"cursor=([^&]+)", target)[1]
    assert api.get(f"/v1/rooms?limit=1&cursor={cursor}").status == 200
    swap = {c: d for c, d in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                                 "BADCFEHGJILKNMPORQTSVUXWZYbadcfehgjilknmporqtsvuxwzy1032547698_-")}
    forged = [cursor[:i] + swap[cursor[i]] + cursor[i + 1:] for i in range(len(cursor)) if cursor[i] in swap]
    assert len(forged) > 20
    for bad in forged + ["", "x", cursor[:-1], cursor + "A", cursor * 2, cursor.lower(), "A" * len(cursor), "0", "-1",
                         "%00", cursor + "%00", str(uuid.uuid4()), cursor + "=", "%2e%2e", "A" * 1500]:
        api.get(f"/v1/rooms?limit=1&cursor={bad}").is_problem(400, "validation")


def test_E066_cursor_of_other_filters_or_another_list_is_400(stack, api):
    user = stack.user()
    for _ in range(3):
        stack.reserve(stack.room(price=0), user)

    def cursor(target):
        return re.search(r"cursor=([^&]+)", link_next(api.get(target, key="restricted")))[1]

    lists = ["/v1/rooms?limit=1", "/v1/rooms?limit=1&available=true", f"/v1/reservations?limit=1&user_id={user.id}",
             f"/v1/reservations?limit=1&user_id={user.id}&status=RESERVED", "/v1/reservations?limit=1",
             "/v1/reservations?limit=1&status=RESERVED"]
    cursors = [cursor(target) for target in lists]
    for i, target in enumerate(lists):
        for j, c in enumerate(cursors):
            a = api.get(f"{target}&cursor={c}", key="restricted")
            if i == j:
                assert a.status == 200, a
            else:
                a.is_problem(400, "validation")


def test_E103_pages_under_concurrent_writes_neither_repeat_nor_skip(stack, api):
    for _ in range(12):
        stack.room()
    before = {r["id"] for r in walk(api, "/v1/rooms?limit=200")[0]}
    done = threading.Event()
    made = []

    def write():
        while not done.is_set():
            made.append(stack.room(total=1, price=0))
            stack.reserve(made[-1], guest)

    guest = stack.user()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            items, _ = walk(api, "/v1/rooms?limit=3")
            ids = [r["id"] for r in items]
            assert len(ids) == len(set(ids)) and before <= set(ids)
    finally:
        done.set()
        writer.join()
    assert made


def test_etag_of_the_list_changes_with_it(stack, api):
    room, user = stack.room(price=0, id_="00000000-" + str(uuid.uuid4())[9:]), stack.user()  # on the first page
    first = api.get("/v1/rooms?limit=200")
    assert room.id in {r["id"] for r in first.json}
    assert api.get("/v1/rooms?limit=200").header("ETag") == first.header("ETag")
    again = api.get("/v1/rooms?limit=200", headers=[("If-None-Match", first.header("ETag"))])
    assert again.status == 304 and again.header("ETag") == first.header("ETag")
    stack.reserve(room, user)
    a = api.get("/v1/rooms?limit=200", headers=[("If-None-Match", first.header("ETag"))])
    assert a.status == 200 and a.header("ETag") != first.header("ETag")


def test_etag_tells_pages_apart_that_differ_in_their_link_alone(stack, api):
    """The last page, and the same rooms once another one follows: the bytes are the same, the answers are not."""
    for _ in range(3):
        stack.room()
    target = "/v1/rooms?limit=3"
    while True:
        a = api.get(target)
        if link_next(a) is None:
            break
        target = link_next(a)
    target = re.sub(r"limit=3", f"limit={len(a.json)}", target)
    a = api.get(target)
    assert link_next(a) is None and a.json
    stack.room(id_="ffffffff-ffff-4fff-bfff-" + f"{time.time_ns():x}"[-12:])
    b = api.get(target, headers=[("If-None-Match", a.header("ETag"))])
    assert b.status == 200 and b.json == a.json and link_next(b), "the page has a next one now"


def test_list_answers_with_the_bearer_key_alone(stack, api):
    a = api.get("/v1/rooms?limit=1", key=None, headers=[("Authorization", f"Bearer {stack.keys['public']}")])
    assert a.status == 200
