"""GET /v1/rooms and /v1/admin/rooms with max_points, q and sort"""

import base64
import hashlib
import threading
import unicodedata
import uuid
from urllib.parse import quote

import pytest

from client import link_next, walk

STAFF = {"key": "restricted"}
LISTS = [("/v1/rooms", {}, lambda item: item), ("/v1/admin/rooms", STAFF, lambda item: item["room"])]
SORTS = ["id", "-id", "name", "-name", "required_points", "-required_points"]


def fold(text):
    return "".join(c.lower() for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def in_order(rooms, sort):
    """What is equal is in the order of the ids, in either direction."""
    by_id = sorted(rooms, key=lambda r: r["id"], reverse=sort == "-id")
    by = {"name": lambda r: fold(r["name"]).encode(), "required_points": lambda r: r["required_points"]}.get(sort.lstrip("-"))
    return sorted(by_id, key=by, reverse=sort.startswith("-")) if by else by_id


def new_mark():
    return "f" + uuid.uuid4().hex[:11]


@pytest.fixture
def mark():
    return new_mark()


@pytest.fixture(scope="module")
def hotel(stack):
    """(mark, rooms, sold out, archived): equal names and equal prices among them."""
    mark = new_mark()
    rooms = [stack.room(name=f"{mark} {name}", price=price) for name, price in (
        ("Suite", 500), ("suite", 100), ("Zoë", 100), ("zoe", 100), ("Attic", 0), ("Ärger", 7), ("Ballroom", 1000000000), ("東京", 300),
        ("각하", 300), ("z" * 180, 300))]
    sold_out, archived = stack.room(name=f"{mark} sold out", total=0, price=50), stack.room(name=f"{mark} archived", price=50)
    stack.archive(archived)
    return mark, rooms, sold_out, archived


def found(api, target, how, **query):
    items, _ = walk(api, target + "?" + "&".join(f"{k}={quote(str(v), safe='')}" for k, v in query.items()), **how)
    return items


@pytest.mark.parametrize("target, how, room", LISTS)
@pytest.mark.parametrize("limit", [1, 3, 200])
@pytest.mark.parametrize("sort", SORTS)
def test_each_sort_gives_its_order_on_pages_of_any_size(api, hotel, target, how, room, sort, limit):
    mark, rooms, sold_out, archived = hotel
    items = [room(i) for i in found(api, target, how, q=mark, sort=sort, limit=limit)]
    assert items == in_order(items, sort)
    ids = {r.id for r in rooms} | {sold_out.id} | ({archived.id} if how else set())
    assert len(items) == len(ids) and {i["id"] for i in items} == ids


@pytest.mark.parametrize("sort", SORTS)
def test_whole_list_is_in_order_without_a_filter(stack, api, hotel, sort):
    items = found(api, "/v1/rooms", {}, sort=sort, limit=200)
    assert items == in_order(items, sort) and len(items) == stack.value("SELECT COUNT(*) FROM loyalty.room WHERE archived = 0")
    assert sorted(i["id"] for i in found(api, "/v1/rooms", {}, limit=200)) == sorted(i["id"] for i in items)


def test_sort_by_id_is_the_default(api, hotel):
    assert api.get("/v1/rooms?limit=200&sort=id").body == api.get("/v1/rooms?limit=200").body


@pytest.mark.parametrize("sort", SORTS)
def test_filters_hold_together(api, hotel, sort):
    mark, rooms, sold_out, _ = hotel
    for price in (0, 49, 50, 100, 999999999, 1000000000, 2 ** 53 - 1):
        for available in ("true", "false"):
            items = found(api, "/v1/rooms", {}, q=mark, max_points=price, available=available, sort=sort, limit=2)
            want = {r.id for r in rooms if r.price <= price} | ({sold_out.id} if available == "false" and price >= 50 else set())
            assert {i["id"] for i in items} == want and len(items) == len(want) and items == in_order(items, sort), (price, available)
    whole = found(api, "/v1/rooms", {}, max_points=7, sort=sort, limit=200)
    assert {i["required_points"] for i in whole} <= set(range(8)) and rooms[5].id in {i["id"] for i in whole}


def test_q_folds_case_and_accents_and_takes_the_rest_as_it_is(stack, api, mark):
    names = [f"{mark} {n}" for n in ("Zoë", "ZOE\u0308", "Weiß", "Weiss", "100%", "a_b", "a\\b", "🏨", "👍", "李小龍")]
    for name in names:
        stack.room(name=name)
    for target, how, room in LISTS:
        for q in ("zoe", "ZOË", "ss", "ß", "%", "_", "\\", "0%", "🏨", "小龍", "李小", "o\u0302t", "1%", "a.b", mark.upper()):
            got = sorted(room(i)["name"] for i in found(api, target, how, q=f"{mark} {q}" if q != mark.upper() else q, limit=200))
            want = sorted(n for n in names if fold(f"{mark} {q}" if q != mark.upper() else q) in fold(n))
            assert got == want, q


def test_a_name_that_changes_is_found_by_the_new_one(stack, api, mark):
    room = stack.room(name=f"{mark} old")
    api.patch(f"/v1/admin/rooms/{room.id}", {"name": f"{mark} NËW"}, **STAFF)
    assert found(api, "/v1/rooms", {}, q=f"{mark} old") == []
    assert [r["id"] for r in found(api, "/v1/rooms", {}, q=f"{mark} new")] == [room.id]
    made = api.post("/v1/admin/rooms", {"name": f"{mark} ÉTAGE", "total_amount": 1, "required_points": 1}, **STAFF).json["room"]
    assert [r["id"] for r in found(api, "/v1/rooms", {}, q=f"{mark} etage")] == [made["id"]]


@pytest.mark.parametrize("query, pointers", [
    ("q=", ["?q"]), ("q=%00", ["?q"]), ("q=%0A", ["?q"]), ("q=%E2%80%AE", ["?q"]), ("q=%C3", ["?q"]), ("q=" + "x" * 201, ["?q"]), ("q=%CC%81", ["?q"]), ("q=%CC%81%CC%88&sort=-name", ["?q"]), ("q=a&q=a", ["?q"]),
    ("sort=", ["?sort"]), ("sort=-", ["?sort"]), ("sort=--id", ["?sort"]), ("sort=ID", ["?sort"]), ("sort=id,name", ["?sort"]), ("sort=%2Bid", ["?sort"]),
    ("sort=bonus_points", ["?sort"]), ("sort=available_amount", ["?sort"]), ("sort=id&sort=id", ["?sort"]), ("sort=name%20", ["?sort"]),
    ("max_points=", ["?max_points"]), ("max_points=-1", ["?max_points"]), ("max_points=1.5", ["?max_points"]), ("max_points=1e3", ["?max_points"]),
    ("max_points=01", ["?max_points"]), ("max_points=%2B1", ["?max_points"]), ("max_points=9007199254740992", ["?max_points"]),
    ("max_points=99999999999999999999", ["?max_points"]), ("max_points=%D9%A3", ["?max_points"]), ("max_points=0x1", ["?max_points"]),
    ("q=&sort=x&max_points=x&limit=0&cursor=zz", ["?cursor", "?limit", "?max_points", "?q", "?sort"])])
def test_E064_E065_what_is_ill_formed_is_400_all_at_once(api, query, pointers):
    for target, how, _ in LISTS:
        assert sorted(api.get(f"{target}?{query}", **how).is_problem(400, "validation").pointers) == pointers


def test_E066_cursor_holds_for_its_own_filters_and_sort(stack, api, hotel):
    mark = hotel[0]
    queries = [f"q={mark}", f"q={mark}&sort=name", f"q={mark}&sort=-name", f"q={mark}&sort=required_points", f"q={mark}&sort=-required_points",
               f"q={mark}&sort=-id", f"q={mark}&sort=name&available=true", f"q={mark}&sort=name&max_points=1000", f"q={mark.upper()}&sort=name", "sort=name"]
    nexts = [link_next(api.get(f"/v1/rooms?limit=2&{q}")) for q in queries]
    cursors = [n.split("cursor=")[1] for n in nexts]
    for i, query in enumerate(queries):
        for j, cursor in enumerate(cursors):
            a = api.get(f"/v1/rooms?limit=2&{query}&cursor={cursor}")
            if i == j:
                assert a.status == 200, (query, a)
            else:
                a.is_problem(400, "validation")
        api.get(f"/v1/admin/rooms?limit=2&{query}&cursor={cursors[i]}".replace("&available=true", ""), **STAFF).is_problem(400, "validation")
    for cursor in (cursors[1][:-1], cursors[1] + "A", cursors[1][:-4], "A" * len(cursors[1]), cursors[1] * 2, "A" * 3400):
        api.get(f"/v1/rooms?limit=2&{queries[1]}&cursor={cursor}").is_problem(400, "validation")


@pytest.mark.parametrize("path,sort", [(path, "required_points") for path, _, _ in LISTS] + [("/v1/admin/users", "bonus_points")])
def test_a_cursor_made_by_hand_gets_to_a_position(api, path, sort):
    """Its check is no secret, see lib/page.h."""
    for way in ("", "-"):
        for key in (None, b"", b"abc", b"-5\0", b"9" * 30, b"\xff\xfe\xfd", b"\0" * 2400):
            at = bytes(16) + (b"" if key is None else bytes([-len(key) % 3]) + b"\xff" * 8 + key + bytes(-len(key) % 3))
            check = hashlib.sha256(f"{path}\0sort\0{way}{sort}\0".encode() + at).digest()[:8]
            a = api.get(f"{path}?sort={way}{sort}&cursor={base64.urlsafe_b64encode(at + check).decode()}", **STAFF)
            assert a.status == 200, (key, a)


def test_the_longest_names_are_paged_to_the_end(stack, api, mark):
    """200 syllables of Hangul fold to 1,800 bytes, which the cursor holds."""
    rooms = [stack.room(name=mark + "각" * 187 + c) for c in ("각", "가", "힣")]
    items, sizes = walk(api, f"/v1/rooms?q={mark}&sort=name&limit=1")
    assert sizes == [1, 1, 1] and items == in_order(items, "name") and {i["id"] for i in items} == {r.id for r in rooms}


@pytest.mark.parametrize("sort", SORTS)
def test_E103_pages_while_prices_and_names_change_neither_repeat_nor_skip(stack, api, mark, sort):
    stood = {stack.room(name=f"{mark} {i % 7}", price=i * 10 % 70).id for i in range(20)}
    moving = [stack.room(name=f"{mark} moving", price=0) for _ in range(4)]
    done = threading.Event()

    def write(part):
        n = 0
        while not done.is_set():
            for room in part:
                n += 1
                a = api.patch(f"/v1/admin/rooms/{room.id}", {"required_points": n * 37 % 90, "name": f"{mark} {n % 9} moving"}, **STAFF)
                assert a.status == 200

    writers = [threading.Thread(target=write, args=(part,)) for part in (moving[:2], moving[2:])]
    for writer in writers:
        writer.start()
    try:
        for _ in range(15):
            ids = [i["id"] for i in walk(api, f"/v1/rooms?q={mark}&sort={sort}&limit=2")[0]]
            assert len(ids) == len(set(ids)) and stood <= set(ids)
    finally:
        done.set()
        for writer in writers:
            writer.join()


@pytest.mark.parametrize("sort, change", [("required_points", {"required_points": 99}), ("name", {"name": "zz"})])
def test_who_moves_behind_the_page_is_not_there_twice(stack, api, mark, sort, change):
    rooms = [stack.room(name=f"{mark} {i}", price=i) for i in range(4)]
    change = {k: f"{mark} {v}" if k == "name" else v for k, v in change.items()}
    first = api.get(f"/v1/rooms?q={mark}&sort={sort}&limit=2")
    assert [r["id"] for r in first.json] == [rooms[0].id, rooms[1].id]
    api.patch(f"/v1/admin/rooms/{rooms[0].id}", change, **STAFF)
    rest, _ = walk(api, link_next(first))
    assert [r["id"] for r in rest] == [rooms[2].id, rooms[3].id]
    assert [r["id"] for r in found(api, "/v1/rooms", {}, q=mark, sort=sort)] == [rooms[i].id for i in (1, 2, 3, 0)]
    # what changes the other thing only, or neither, stands
    first = api.get(f"/v1/rooms?q={mark}&sort={sort}&limit=2")
    other = {"name": f"{mark} 0"} if sort == "required_points" else {"required_points": 98}
    for room, body in ((rooms[3], other), (rooms[0], {"total_amount": 11, **change})):
        assert api.patch(f"/v1/admin/rooms/{room.id}", body, **STAFF).status == 200
    rest, _ = walk(api, link_next(first))
    assert [r["id"] for r in rest] == [rooms[3].id, rooms[0].id]


def test_a_change_that_began_before_the_first_page_is_not_there_twice(stack, api, mark):
    """What a transaction has changed and not committed when the walk begins."""
    rooms = [stack.room(name=f"{mark} {i}", price=i) for i in range(4)]
    connection = stack.db(autocommit=False)
    try:
        with connection.cursor() as c:
            c.execute("UPDATE loyalty.list_move SET moves = LAST_INSERT_ID(moves + 1) WHERE list = 'room'")
            c.execute("UPDATE loyalty.room SET required_points = 99, repriced = LAST_INSERT_ID() WHERE id = UNHEX(REPLACE(%s, '-', ''))", (rooms[0].id,))
        first = api.get(f"/v1/rooms?q={mark}&sort=required_points&limit=2")
        connection.commit()
    finally:
        connection.close()
    assert [r["id"] for r in first.json + walk(api, link_next(first))[0]] == [r.id for r in rooms]


def test_etag_and_head_of_a_found_list(stack, api, hotel):
    mark, rooms, _, _ = hotel
    target = f"/v1/rooms?q={mark}&sort=-name&max_points=600"
    a, head = api.get(target), api.head(target)
    assert head.status == 200 and head.header("ETag") == a.header("ETag") and head.body == b""
    assert api.get(target, headers=[("If-None-Match", a.header("ETag"))]).status == 304
    stack.reserve(rooms[4], stack.user())
    assert api.get(target, headers=[("If-None-Match", a.header("ETag"))]).status == 200
