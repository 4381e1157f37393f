"""GET /v1/reservations?q="""

import threading
import uuid
from urllib.parse import quote

import pytest

from client import link_next, walk

STAFF = {"key": "restricted"}
STATUSES = ("RESERVED", "PENDING_APPROVAL", "CANCELLED")


@pytest.fixture
def mark():
    return "g" + uuid.uuid4().hex[:11]


def found(api, q, **query):
    more = "".join(f"&{k}={v}" for k, v in query.items())
    return walk(api, f"/v1/reservations?q={quote(q, safe='')}{more}", **STAFF)[0]


@pytest.fixture
def guests(stack, mark):
    """Three of one name in part, with reservations in turn; one of the name without any; one of another name."""
    users = [stack.user(name=f"{mark} {n}") for n in ("Zoë", "zoe", "Anna")]
    stack.user(name=f"{mark} nobody")
    other, free, dear = stack.user(name=f"other {mark[1:]}"), stack.room(price=0, total=1000), stack.room(price=500)
    made = []
    for i in range(21):
        user = users[i % 3]
        a = stack.reserve(dear if i % 4 == 1 else free, user).json
        if i % 4 == 2:
            stack.cancel(a["id"])
        made.append((a["id"], user, STATUSES[i % 4 if i % 4 < 3 else 0]))
        stack.reserve(free, other)
    return users, made[::-1]


@pytest.mark.parametrize("limit", [1, 4, 21, 200])
def test_reservations_of_all_guests_found_are_merged_newest_first(api, mark, guests, limit):
    users, made = guests
    assert [r["id"] for r in found(api, mark, limit=limit)] == [id_ for id_, _, _ in made]
    assert [r["id"] for r in found(api, f"{mark} ZOE", limit=limit)] == [id_ for id_, user, _ in made if user in users[:2]]
    for status in STATUSES:
        assert [r["id"] for r in found(api, mark, status=status, limit=limit)] == [id_ for id_, _, s in made if s == status]
    for item in found(api, f"{mark} ann", limit=limit):
        assert item == api.get(f"/v1/reservations/{item['id']}").json


def test_nobody_found_and_nothing_reserved_are_empty_lists(api, mark, guests):
    for q in (uuid.uuid4().hex, f"{mark} nobody", "%", "_", "\\"):
        if q in "%_\\":
            q = mark + q
        a = api.get(f"/v1/reservations?q={quote(q, safe='')}", **STAFF)
        assert a.status == 200 and a.json == [] and link_next(a) is None
    assert found(api, f"{mark} anna", status="REJECTED") == []


def test_public_key_is_403_whatever_else_is_wrong(stack, api, guests, mark):
    for query in (f"q={mark}", "q=", f"q={mark}&user_id={guests[0][0].id}", f"q={mark}&limit=0", f"q={mark}&status=x", "q=a&ids=x"):
        api.get("/v1/reservations?" + query).is_problem(403, "forbidden")


@pytest.mark.parametrize("query, pointers", [
    ("q=", ["?q"]), ("q=%00", ["?q"]), ("q=%E2%80%AE", ["?q"]), ("q=" + "x" * 201, ["?q"]), ("q=%CC%81", ["?q"]), ("q=%CC%81%CC%88&status=RESERVED", ["?q"]), ("q=a&q=b", ["?q"]), ("q=a&status=x", ["?status"]),
    ("q=a&user_id=b9fa7d71-548c-4739-8e6a-0931cc218cd1", ["?user_id"]), ("q=a&sort=created_at", ["?sort"]), ("q=a&sort=x", ["?sort"]), ("q=a&max_points=1", ["?max_points"]),
    ("q=&status=x&limit=0&cursor=zz&user_id=x", ["?cursor", "?limit", "?q", "?status", "?user_id"])])
def test_E064_E065_what_is_ill_formed_is_400_all_at_once(api, query, pointers):
    assert sorted(api.get(f"/v1/reservations?{query}", **STAFF).is_problem(400, "validation").pointers) == pointers


def test_more_than_200_guests_are_400_and_200_are_not(stack, api, mark):
    room = stack.room(price=0, total=1000)
    users = [stack.user(name=f"{mark} {i}") for i in range(200)]
    made = [stack.reserve(room, user).json["id"] for user in users[::40]]
    assert [r["id"] for r in found(api, mark, limit=2)] == made[::-1]
    stack.user(name=f"one more {mark}")
    a = api.get(f"/v1/reservations?q={mark}", **STAFF).is_problem(400, "validation")
    assert a.pointers == ["?q"] and "narrow the search" in a.json["errors"][0]["detail"]
    assert [r["id"] for r in found(api, f"{mark} 16")] == [made[4]]


def test_E066_cursor_holds_for_its_own_search(api, mark, guests):
    queries = [f"q={mark}", f"q={mark.upper()}", f"q={mark}&status=RESERVED", "status=RESERVED", f"user_id={guests[0][0].id}"]
    cursors = [link_next(api.get(f"/v1/reservations?limit=1&{q}", **STAFF)).split("cursor=")[1] for q in queries]
    for i, query in enumerate(queries):
        for j, cursor in enumerate(cursors):
            a = api.get(f"/v1/reservations?limit=1&{query}&cursor={cursor}", **STAFF)
            assert a.status == (200 if i == j else 400), (query, a)


def test_E103_pages_under_concurrent_reservations_neither_repeat_nor_skip(stack, api, mark, guests):
    users, made = guests
    room, done = stack.room(price=0, total=1000000), threading.Event()

    def write():
        while not done.is_set():
            stack.reserve(room, users[1])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            ids = [r["id"] for r in found(api, mark, limit=3)]
            assert len(ids) == len(set(ids)) and {id_ for id_, _, _ in made} <= set(ids) and ids == sorted(ids, reverse=True)
    finally:
        done.set()
        writer.join()


def test_answer_is_private_and_has_an_etag(stack, api, mark, guests):
    a = api.get(f"/v1/reservations?q={mark}", **STAFF)
    assert "private" in a.header("Cache-Control") or "no-store" in a.header("Cache-Control")
    assert api.get(f"/v1/reservations?q={mark}", headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 304
    assert api.head(f"/v1/reservations?q={mark}", **STAFF).header("ETag") == a.header("ETag")
    renamed = guests[0][2]
    api.put(f"/v1/admin/users/{renamed.id}", {"name": "somebody else", "role": "USER"}, **STAFF)
    assert renamed.id not in {r["user"]["id"] for r in found(api, mark)}
