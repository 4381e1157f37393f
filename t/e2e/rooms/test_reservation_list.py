"""GET /v1/reservations"""

import threading
import uuid

import pytest

from client import link_next, walk

STATUSES = ("RESERVED", "PENDING_APPROVAL", "CANCELLED", "REJECTED", "RELEASED")


@pytest.fixture(scope="module")
def guest(stack):
    """A user with one reservation of each status, two cancelled."""
    user, rich = stack.user(), stack.room(price=0, total=100)
    dear = stack.room(price=500)
    made = {}
    for status, room in (("RESERVED", rich), ("PENDING_APPROVAL", dear), ("CANCELLED", rich), ("REJECTED", dear),
                         ("RELEASED", rich), ("CANCELLED", dear)):
        id_ = stack.reserve(room, user).json["id"]
        if status == "CANCELLED":
            stack.cancel(id_)
        elif status in ("REJECTED", "RELEASED"):
            stack.set_status(id_, status)
        made.setdefault(status, []).append(id_)
    return user, made


def test_list_is_newest_first(stack, api, guest):
    user, made = guest
    items = api.get(f"/v1/reservations?user_id={user.id}").json
    assert [r["created_at"] for r in items] == sorted((r["created_at"] for r in items), reverse=True)
    assert len(items) == 6 and {r["user"]["id"] for r in items} == {user.id}


@pytest.mark.parametrize("key", ["public", "restricted"])
@pytest.mark.parametrize("status", STATUSES)
def test_status_filters(stack, api, guest, status, key):
    user, made = guest
    items = api.get(f"/v1/reservations?user_id={user.id}&status={status}", key=key).json
    assert {r["status"] for r in items} == {status}
    assert [r["id"] for r in items] == sorted(made[status], reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 200])
def test_sort_says_who_comes_first(stack, api, guest, limit):
    user, made = guest
    for filters in (f"user_id={user.id}&", f"user_id={user.id}&status=CANCELLED&", "status=REJECTED&", ""):
        how = {} if "user_id" in filters else {"key": "restricted"}
        if limit == 1 and not filters:
            continue
        newest, _ = walk(api, f"/v1/reservations?{filters}limit={limit}", **how)
        assert [r["id"] for r in newest] == sorted((r["id"] for r in newest), reverse=True) and len(newest) > 0
        assert walk(api, f"/v1/reservations?{filters}sort=-created_at&limit={limit}", **how)[0] == newest
        oldest, sizes = walk(api, f"/v1/reservations?{filters}sort=created_at&limit={limit}", **how)
        assert oldest == newest[::-1] and all(size == limit for size in sizes[:-1])


def test_pages_of_the_oldest_first_end_with_what_came_meanwhile(stack, api):
    user, room = stack.user(), stack.room(price=0, total=9)
    made = [stack.reserve(room, user).json["id"] for _ in range(3)]
    first = api.get(f"/v1/reservations?user_id={user.id}&sort=created_at&limit=2")
    made.append(stack.reserve(room, user).json["id"])
    assert [r["id"] for r in first.json + walk(api, link_next(first))[0]] == made
    for other in ("sort=-created_at&", ""):
        api.get(f"/v1/reservations?user_id={user.id}&{other}{link_next(first)[link_next(first).index('cursor='):]}").is_problem(400, "validation")


@pytest.mark.parametrize("sort", ["", "-", "--created_at", "created_at,id", "id", "-id", "updated_at", "CREATED_AT", "%2Bcreated_at", "created_at&sort=created_at"])
def test_sort_against_the_rules_is_400(api, sort):
    assert api.get(f"/v1/reservations?sort={sort}", key="restricted").is_problem(400, "validation").pointers == ["?sort"]


def test_items_equal_what_get_gives(stack, api, guest):
    for item in api.get(f"/v1/reservations?user_id={guest[0].id}").json:
        assert item == api.get(f"/v1/reservations/{item['id']}").json


def test_user_id_is_required_with_the_public_key(stack, api):
    for target in ("/v1/reservations", "/v1/reservations?limit=3", "/v1/reservations?status=RESERVED", "/v1/reservations?user_id="):
        a = api.get(target).is_problem(400, "validation")
        assert a.pointers == ["?user_id"], a


def test_restricted_key_lists_everyone(stack, api, guest):
    for _ in range(3):
        stack.reserve(stack.room(price=0), stack.user())
    items, _ = walk(api, "/v1/reservations?limit=200", key="restricted")
    total = stack.value("SELECT COUNT(*) FROM loyalty.reservation")
    assert len({r["id"] for r in items}) == len(items) == total
    assert len({r["user"]["id"] for r in items}) > 2
    pending, _ = walk(api, "/v1/reservations?status=PENDING_APPROVAL&limit=3", key="restricted")
    assert {r["status"] for r in pending} == {"PENDING_APPROVAL"}
    assert {r["id"] for r in pending} == {r["id"] for r in items if r["status"] == "PENDING_APPROVAL"}


def test_unknown_user_has_an_empty_list(api):
    a = api.get(f"/v1/reservations?user_id={uuid.uuid4()}")
    assert a.status == 200 and a.json == [] and a.body == b"[]" and link_next(a) is None


def test_E062_upper_case_user_id_is_taken(stack, api, guest):
    user, _ = guest
    assert len(api.get(f"/v1/reservations?user_id={user.id.upper()}").json) == 6


@pytest.mark.parametrize("query", [
    "user_id=x", "user_id={U}x", "user_id={U}&user_id={U}", "user_id=urn:uuid:{U}", "user_id={{{U}}}",
    "user_id={U}&status=", "user_id={U}&status=reserved", "user_id={U}&status=FOO",
    "user_id={U}&status=RESERVED&status=RESERVED", "user_id={U}&status=RESERVED,CANCELLED",
    "user_id={U}&status=RESERVED%00", "user_id={U}&limit=0", "user_id={U}&limit=201", "user_id={U}&limit=abc",
    "user_id={U}&limit=-1", "user_id={U}&cursor=x", "user_id={U}&room_id={U}", "user_id={U}&sort=id"])
@pytest.mark.parametrize("key", ["public", "restricted"])
def test_E064_bad_parameters_are_400(api, guest, query, key):
    api.get("/v1/reservations?" + query.replace("{U}", guest[0].id).replace("{{", "{").replace("}}", "}"),
            key=key).is_problem(400, "validation")


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 200])
def test_pages_make_up_the_list(api, guest, limit):
    target = f"/v1/reservations?user_id={guest[0].id}"
    whole = api.get(target).json
    items, sizes = walk(api, f"{target}&limit={limit}")
    assert items == whole and all(size == limit for size in sizes[:-1])


def test_filters_are_kept_in_the_link_in_any_order(api, guest):
    user, made = guest
    for target in (f"/v1/reservations?status=CANCELLED&limit=1&user_id={user.id}",
                   f"/v1/reservations?limit=1&user_id={user.id.upper()}&status=CANCELLED"):
        items, sizes = walk(api, target)
        assert [r["id"] for r in items] == sorted(made["CANCELLED"], reverse=True) and sizes == [1, 1]


def test_E103_pages_under_concurrent_writes_neither_repeat_nor_skip(stack, api):
    user, room = stack.user(), stack.room(total=100000, price=0)
    ids = [stack.reserve(room, user).json["id"] for _ in range(15)]
    done = threading.Event()
    made = []

    def write():
        while not done.is_set():
            r = stack.reserve(room, user)
            made.append(r.json["id"])
            if len(made) % 3 == 0:
                stack.cancel(made[-1])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(4):
            items, _ = walk(api, f"/v1/reservations?user_id={user.id}&limit=2")
            got = [r["id"] for r in items]
            assert len(got) == len(set(got)) and set(ids) <= set(got)
            assert got == sorted(got, reverse=True)
    finally:
        done.set()
        writer.join()
    assert made


def by_ids(ids):
    return "/v1/reservations?ids=" + ",".join(ids)


@pytest.mark.parametrize("key", ["public", "restricted"])
def test_ids_list_these_in_the_order_given(api, guest, key):
    ids = [id_ for some in guest[1].values() for id_ in some]
    for order in (ids, ids[::-1], sorted(ids, key=lambda i: i[::-1]), ids[2:3]):
        a = api.get(by_ids(order), key=key)
        assert [r["id"] for r in a.json] == order and link_next(a) is None
        assert a.json == [api.get(f"/v1/reservations/{id_}").json for id_ in order]


def test_ids_that_do_not_exist_are_left_out(stack, api, guest):
    [mine] = guest[1]["RELEASED"]
    assert [r["id"] for r in api.get(by_ids([str(uuid.uuid4()), mine, stack.room().id, guest[0].id])).json] == [mine]
    assert api.get(by_ids([str(uuid.uuid4())])).body == b"[]"


def test_ids_may_be_a_hundred_however_encoded(stack, api):
    """More than a page holds by default, on one page."""
    user, room = stack.user(), stack.room(price=0, total=1000)
    ids = [stack.reserve(room, user).json["id"] for _ in range(100)]
    for told in (",".join(ids), "%2C".join(ids).upper(), ",".join(ids).replace("-", "%2d").replace(",", "%2c")):
        assert [r["id"] for r in api.get("/v1/reservations?ids=" + told).json] == ids


def test_ids_have_one_etag(stack, api):
    user, room = stack.user(), stack.room(price=0, total=9)
    ids = [stack.reserve(room, user).json["id"] for _ in range(3)]
    etag = api.get(by_ids(ids)).header("etag")
    assert etag.startswith('"')
    assert api.get(by_ids(ids), headers=[("If-None-Match", etag)]).status == 304
    assert api.head(by_ids(ids)).header("etag") == etag
    stack.cancel(ids[1])
    changed = api.get(by_ids(ids), headers=[("If-None-Match", etag)])
    assert changed.status == 200 and changed.header("etag") != etag and changed.json[1]["status"] == "CANCELLED"


@pytest.mark.parametrize("query, named", [
    ("ids=", ["ids"]), ("ids=x", ["ids"]), ("ids={U},", ["ids"]), ("ids=,{U}", ["ids"]), ("ids={U},,{R}", ["ids"]), ("ids={U}+{R}", ["ids"]),
    ("ids={U},{V}", ["ids"]), ("ids={U}&ids={R}", ["ids"]), ("ids={U};{R}", ["ids"]), ("ids={U},urn:uuid:{R}", ["ids"]),
    ("ids={U}&limit=5", ["limit"]), ("ids={U}&user_id={R}", ["user_id"]), ("ids={U}&status=RESERVED", ["status"]),
    ("ids={U}&cursor=x", ["cursor"]), ("limit=5&ids=x&status=RESERVED", ["ids", "limit", "status"]), ("ids={U}&nothing=1", ["nothing"])])
@pytest.mark.parametrize("key", ["public", "restricted"])
def test_E064_ids_stand_alone_and_are_well_formed(api, guest, query, named, key):
    mine, room = guest[1]["RESERVED"][0], str(uuid.uuid4())
    a = api.get("/v1/reservations?" + query.replace("{U}", mine).replace("{V}", mine.upper()).replace("{R}", room), key=key)
    assert sorted(a.is_problem(400, "validation").pointers) == ["?" + name for name in named], a


def test_more_than_a_hundred_ids_are_400(api):
    assert api.get(by_ids(str(uuid.uuid4()) for _ in range(101))).is_problem(400, "validation").pointers == ["?ids"]
