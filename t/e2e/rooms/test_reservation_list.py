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
    "user_id={U}&limit=-1", "user_id={U}&cursor=x", "user_id={U}&room_id={U}", "user_id={U}&q=1"])
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
