"""GET /v1/admin/history/rooms, /reservations, /points, /users"""

import datetime
import threading
from urllib.parse import quote

import pytest

from client import TIME, link_next, walk
from staff import STAFF, in_status, new_id, pending

HISTORY = "/v1/admin/history"
STREAMS = {"rooms": "room_id", "reservations": "reservation_id", "points": "user_id", "users": "user_id"}
MOMENT = datetime.timedelta(microseconds=1)


def when(row):
    return datetime.datetime.strptime(row["changed_at"], "%Y-%m-%dT%H:%M:%S.%fZ")


def stamp(t):
    return t.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rows(api, stream, id_=None, **query):
    query = {**({STREAMS[stream]: id_} if id_ else {}), **query}
    a = api.get(f"{HISTORY}/{stream}?" + "&".join(f"{k}={quote(str(v), safe=':+')}" for k, v in query.items()), **STAFF)
    assert a.status == 200, a
    return a.json


@pytest.fixture(scope="module")
def life(stack):
    """A reservation that lived: pending, approved, released; its room was changed, its user's points were moved, its user
    was renamed and promoted.
    {stream: (id, rows it must have)}"""
    made, room, user = pending(stack, total=2)
    stack.adjust(user, 150, "welcome", actor="Anna")
    for name, role in (("Zoë ", "USER"), ("Zoë", "USER"), ("Zoë", "USER"), ("Zoë", "ADMIN")):
        stack.api.put(f"/v1/admin/users/{user.id}", {"name": name, "role": role}, actor="Bob", **STAFF)
    stack.approve(made["id"], {"points": 90})
    stack.api.patch(f"/v1/admin/rooms/{room.id}", {"name": "Renamed", "required_points": 7}, **STAFF)
    stack.release(made["id"])
    stack.api.patch(f"/v1/admin/rooms/{room.id}", {"archived": True}, **STAFF)
    return {"rooms": (room.id, 5), "reservations": (made["id"], 3), "points": (user.id, 2), "users": (user.id, 4)}


# -- what the rows are --------------------------------------------------------------------------------

def test_rows_of_a_room_tell_all_of_it_from_and_to(api, life):
    room_id, _ = life["rooms"]
    found = rows(api, "rooms", room_id)
    assert all(set(r) == {"id", "room_id", "reservation_id", "from", "to", "actor", "request_id", "changed_at"} for r in found)
    assert {r["room_id"] for r in found} == {room_id}
    assert found[-1]["from"] is None
    for newer, older in zip(found, found[1:]):
        assert newer["from"] == older["to"], "each row begins where the one before ended"
    assert found[0]["to"] == {"name": "Renamed", "total_amount": 2, "available_amount": 2, "required_points": 7, "archived": True}
    assert [r["reservation_id"] is not None for r in found] == [False, True, False, True, False]
    assert [r["to"]["available_amount"] for r in found] == [2, 2, 1, 1, 2]


def test_rows_of_a_reservation_tell_its_statuses(api, life):
    id_, _ = life["reservations"]
    found = rows(api, "reservations", id_)
    assert all(set(r) == {"id", "reservation_id", "room_id", "user_id", "from", "to", "points", "reason", "actor", "request_id", "changed_at"}
               for r in found)
    assert [(r["from"], r["to"], r["points"], r["reason"]) for r in found] == [
        ("RESERVED", "RELEASED", 90, None), ("PENDING_APPROVAL", "RESERVED", 90, None), (None, "PENDING_APPROVAL", 100, None)]
    assert {(r["room_id"], r["user_id"]) for r in found} == {(life["rooms"][0], life["points"][0])}
    assert [r["actor"] for r in found] == ["restricted", "restricted", "public"]


def test_rows_of_points_tell_balance_delta_and_why(api, life):
    id_, _ = life["points"]
    found = rows(api, "points", id_)
    assert all(set(r) == {"id", "user_id", "from", "to", "delta", "reason", "reservation_id", "actor", "request_id", "changed_at"}
               for r in found)
    assert [(r["from"], r["to"], r["delta"], r["reason"], r["reservation_id"], r["actor"]) for r in found] == [
        (150, 60, -90, None, life["reservations"][0], "restricted"), (0, 150, 150, "welcome", None, "Anna")]


def test_rows_of_an_account_tell_names_and_roles(stack, api, life):
    id_, _ = life["users"]
    found = rows(api, "users", id_)
    assert all(set(r) == {"id", "user_id", "from", "to", "reason", "actor", "request_id", "changed_at"} for r in found)
    assert found[-1]["from"] is None and found[-1]["to"]["role"] == "USER"
    for newer, older in zip(found, found[1:]):
        assert newer["from"] == older["to"], "each row begins where the one before ended"
    assert [(r["to"]["name"], r["to"]["role"], r["reason"], r["actor"]) for r in found[:-1]] == [
        ("Zoë", "ADMIN", None, "Bob"), ("Zoë", "USER", None, "Bob"), ("Zoë ", "USER", None, "Bob")]


def test_ids_are_positive_and_unique_within_their_stream_and_times_have_microseconds(api, life):
    for stream in STREAMS:
        found = rows(api, stream, limit=200)
        assert len({r["id"] for r in found}) == len(found) and all(type(r["id"]) is int and r["id"] > 0 for r in found)
        assert all(TIME.match(r["changed_at"]) for r in found)


def test_one_row_for_each_change_and_none_where_nothing_changed(stack, api):
    free, user = stack.room(price=0), stack.user()
    made = stack.reserve(free, user).json
    stack.cancel(made["id"])
    assert rows(api, "points", user.id) == [], "a price of 0, and a new account, move no points"
    assert len(rows(api, "reservations", made["id"])) == 2 and len(rows(api, "rooms", free.id)) == 3
    for how in ({}, {"name": free.name}):
        api.patch(f"/v1/admin/rooms/{free.id}", how, **STAFF)
    stack.cancel(made["id"]).is_problem(409, "invalid-transition")
    stack.approve(made["id"]).is_problem(409, "invalid-transition")
    assert len(rows(api, "reservations", made["id"])) == 2 and len(rows(api, "rooms", free.id)) == 3


def test_refund_has_its_row_that_names_the_reservation(stack, api):
    made, _, user = in_status(stack, "CANCELLED")
    refund, taken = rows(api, "points", user.id, limit=2)
    assert (refund["delta"], taken["delta"]) == (100, -100)
    assert refund["reservation_id"] == taken["reservation_id"] == made["id"] and refund["reason"] is taken["reason"] is None


def test_request_id_and_actor_of_every_staff_call_are_there(stack, api):
    made, room, user = pending(stack)
    given = stack.adjust(user, 100, actor="Ann%20A.")
    approved = stack.approve(made["id"], actor="Bob%20B.", request_id="by-hand.1")
    released = stack.release(made["id"], actor="Cleo%20C.")
    patched = api.patch(f"/v1/admin/rooms/{room.id}", {"total_amount": 4}, actor="Dan%20D.", **STAFF)
    assert approved.request_id == "by-hand.1"
    assert [(r["actor"], r["request_id"]) for r in rows(api, "rooms", room.id, limit=3)] == [
        ("Dan D.", patched.request_id), ("Cleo C.", released.request_id), ("Bob B.", "by-hand.1")]
    assert [(r["actor"], r["request_id"]) for r in rows(api, "points", user.id)] == [
        ("Bob B.", "by-hand.1"), ("Ann A.", given.request_id)]
    assert [r["actor"] for r in rows(api, "reservations", made["id"])] == ["Cleo C.", "Bob B.", "public"]


# -- lists --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("stream", STREAMS)
def test_an_id_without_history_has_an_empty_list(stack, api, stream):
    other = stack.room() if STREAMS[stream] == "user_id" else stack.user()
    for id_ in (new_id(), other.id, *([stack.user().id] if stream != "users" else [])):
        a = api.get(f"{HISTORY}/{stream}?{STREAMS[stream]}={id_}", **STAFF)
        assert a.status == 200 and a.body == b"[]" and link_next(a) is None


@pytest.mark.parametrize("stream", STREAMS)
def test_list_is_newest_first(api, life, stream):
    id_, count = life[stream]
    one, all_ = rows(api, stream, id_), rows(api, stream, limit=200)
    assert len(one) == count
    for found in (one, all_):
        keys = [(r["changed_at"], r["id"]) for r in found]
        assert keys == sorted(keys, reverse=True)
    assert len(all_) > count


@pytest.mark.parametrize("stream", STREAMS)
def test_E062_upper_case_filter_is_taken(api, life, stream):
    id_, _ = life[stream]
    assert rows(api, stream, id_.upper()) == rows(api, stream, id_)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("limit", [1, 2, 200])
def test_pages_make_up_the_list(api, life, stream, limit):
    id_, count = life[stream]
    whole = rows(api, stream, id_)
    target = f"{HISTORY}/{stream}?{STREAMS[stream]}={id_}&limit={limit}"
    items, sizes = walk(api, target, **STAFF)
    assert items == whole and all(size == limit for size in sizes[:-1])
    items, _ = walk(api, f"{HISTORY}/{stream}?limit=40&until={when(whole[0]).isoformat()}Z", **STAFF)
    assert [(r["changed_at"], r["id"]) for r in items] == sorted({(r["changed_at"], r["id"]) for r in items}, reverse=True)


@pytest.mark.parametrize("stream", STREAMS)
def test_pages_do_not_stumble_over_rows_of_one_instant(stack, api, stream):
    """Rows with the same time are told apart by their id."""
    room, user = stack.room(total=50, price=1), stack.user(points=50)
    made = [stack.user().id if stream == "users" else stack.reserve(room, user).json["id"] for _ in range(9)]
    table = stream.rstrip("s") if stream != "points" else "points"
    name = "user_id" if stream == "users" else "reservation_id"
    at = "2001-02-03 04:05:06.000007"
    # Nobody may write a history but the triggers; its time alone is changed here.
    stack.sql(f"UPDATE loyalty_history.{table}_history SET changed_at = %s WHERE {name} IN ({', '.join(['UNHEX(%s)'] * 9)})",
              (at, *(m.replace("-", "") for m in made)))
    try:
        target = f"{HISTORY}/{stream}?since=2001-02-03T04:05:06.000007Z&until=2001-02-03T04:05:06.000008Z"
        whole = api.get(target, **STAFF).json
        assert len(whole) == 9 and [r["id"] for r in whole] == sorted((r["id"] for r in whole), reverse=True)
        for limit in (1, 2, 4):
            items, sizes = walk(api, f"{target}&limit={limit}", **STAFF)
            assert items == whole and sizes[0] == limit
    finally:
        stack.sql(f"UPDATE loyalty_history.{table}_history h LEFT JOIN loyalty.reservation r ON r.id = h.{name}"
                  " SET h.changed_at = COALESCE(r.created_at, UTC_TIMESTAMP(6)) WHERE h.changed_at = %s", (at,))


# -- since and until ----------------------------------------------------------------------------------

@pytest.mark.parametrize("stream", STREAMS)
def test_since_is_inclusive_and_until_is_not(api, life, stream):
    id_, count = life[stream]
    whole = rows(api, stream, id_)
    for i, row in enumerate(whole):
        at = when(row)
        assert rows(api, stream, id_, since=stamp(at)) == whole[:i + 1]
        assert rows(api, stream, id_, since=stamp(at + MOMENT)) == whole[:i]
        assert rows(api, stream, id_, until=stamp(at)) == whole[i + 1:]
        assert rows(api, stream, id_, until=stamp(at + MOMENT)) == whole[i:]
        assert rows(api, stream, id_, since=stamp(at), until=stamp(at + MOMENT)) == [row]
        assert rows(api, stream, id_, since=stamp(at), until=stamp(at)) == []
        assert row in rows(api, stream, since=stamp(at), until=stamp(at + MOMENT))
    assert rows(api, stream, id_, since=stamp(when(whole[0]) + MOMENT), until=stamp(when(whole[-1]))) == []


def test_any_time_as_of_rfc_3339_is_taken(api, life):
    id_, _ = life["reservations"]
    whole = rows(api, "reservations", id_)
    at = when(whole[1])
    base = at.replace(microsecond=0)
    for hours, offset in ((0, "Z"), (0, "z"), (0, "+00:00"), (0, "-00:00"), (2, "+02:00"), (-5.5, "-05:30"), (23.75, "+23:45"), (14, "+14:00")):
        local = at + datetime.timedelta(hours=hours)
        for text in (local.strftime("%Y-%m-%dT%H:%M:%S.%f"), local.strftime("%Y-%m-%dt%H:%M:%S.%f")):
            assert rows(api, "reservations", id_, since=text + offset) == whole[:2], text + offset
            assert rows(api, "reservations", id_, until=text + offset) == whole[2:], text + offset
            assert rows(api, "reservations", id_, since=text + "000" + offset) == whole[:2]
            assert rows(api, "reservations", id_, since=text + "001" + offset) == whole[:1], "finer than microseconds, and later"
            assert rows(api, "reservations", id_, until=text + "0000000001" + offset) == whole[1:]
    assert rows(api, "reservations", id_, since=base.strftime("%Y-%m-%dT%H:%M:%SZ"))[:2] == whole[:2]
    assert rows(api, "reservations", id_, since=quote(stamp(at)).replace("Z", "%2B00:00").replace("%3A", ":").replace("%2B", "+")) == whole[:2]


@pytest.mark.parametrize("text, all_of_it", [
    ("0000-01-01T00:00:00Z", True), ("0001-01-01T00:00:00+23:59", True), ("1000-01-01T00:00:00Z", True), ("1969-12-31T23:59:59.999999Z", True),
    ("2000-02-29T00:00:00Z", True), ("2016-12-31T23:59:60Z", True), ("2024-02-29T12:00:00.5-08:00", True),
    ("9999-12-31T23:59:59.999999Z", False), ("9999-12-31T23:59:59.9999999-23:59", False)])
def test_ends_of_time_are_times(api, life, text, all_of_it):
    for stream, (id_, count) in life.items():
        assert len(rows(api, stream, id_, since=text)) == (count if all_of_it else 0)
        assert len(rows(api, stream, id_, until=text)) == (0 if all_of_it else count)


@pytest.mark.parametrize("text", [
    "", "x", "2026", "2026-11-23", "2026-11-23T21:07:00", "2026-11-23 21:07:00Z", "2026-11-23T21:07Z", "2026-11-23T21:07:00.Z",
    "2026-11-23T21:07:00,5Z", "2026-11-23T24:00:00Z", "2026-11-23T21:60:00Z", "2026-11-23T21:07:61Z", "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z",
    "2026-01-32T00:00:00Z", "2026-11-23T21:07:00+24:00", "2026-11-23T21:07:00+01:60", "2026-11-23T21:07:00+0100", "2026-11-23T21:07:00+1",
    "2026-11-23T21:07:00ZZ", "2026-11-23T21:07:00Z%20", "%202026-11-23T21:07:00Z", "+2026-11-23T21:07:00Z",
    "-2026-11-23T21:07:00Z", "12026-11-23T21:07:00Z", "2026-1-1T00:00:00Z", "2026-11-23T21:07:00.5", "1763932020", "now", "2026-11-23T21:07:00Z%00",
    "２026-11-23T21:07:00Z".encode().decode("latin-1"), "2026-W48-1T00:00:00Z", "2026-327T00:00:00Z", "20261123T210700Z", "2026-11-23T21:07:00UTC",
    "2026-11-23T21:07:00." + "1" * 500])
def test_times_against_the_rules_are_400(api, text):
    text = quote(text.encode("latin-1"), safe="%:+-")
    for stream in STREAMS:
        for name in ("since", "until"):
            assert api.get(f"{HISTORY}/{stream}?{name}={text}", **STAFF).is_problem(400, "validation").pointers == [f"?{name}"]


# -- queries against the rules ------------------------------------------------------------------------

@pytest.mark.parametrize("stream", STREAMS)
def test_all_faults_of_the_query_are_told_at_once(api, stream):
    name = STREAMS[stream]
    other = next(n for n in STREAMS.values() if n != name)
    a = api.get(f"{HISTORY}/{stream}?{name}=x&since=x&until=x&limit=0&cursor=x&{other}={new_id()}&status=x", actor="%", **STAFF)
    assert a.is_problem(400, "validation").pointers == sorted(
        [f"?{name}", "?since", "?until", "?limit", "?cursor", f"?{other}", "?status", "X-Actor"])


@pytest.mark.parametrize("stream", STREAMS)
def test_E064_E065_queries_against_the_rules_are_400(api, stream):
    name, id_ = STREAMS[stream], new_id()
    for query in ("limit=201", "limit=-1", "limit=abc", "limit=5&limit=5", f"{name}={id_}&{name}={id_}", f"{name}=", f"{name}=%7B{id_}%7D",
                  f"{name}=urn:uuid:{id_}", f"{name}={id_}%00", "since", "q=x", "since=2026-11-23T00:00:00Z&since=2026-11-23T00:00:00Z"):
        api.get(f"{HISTORY}/{stream}?{query}", **STAFF).is_problem(400, "validation")


def test_E066_cursors_of_other_streams_and_filters_are_refused(api, life):
    targets = []
    for stream, (id_, _) in life.items():
        targets += [f"{HISTORY}/{stream}?limit=1", f"{HISTORY}/{stream}?limit=1&{STREAMS[stream]}={id_}",
                    f"{HISTORY}/{stream}?limit=1&since=2020-01-01T00:00:00Z", f"{HISTORY}/{stream}?limit=1&until=9000-01-01T00:00:00Z"]
    targets += ["/v1/admin/outbox?limit=1", "/v1/reservations?limit=1", "/v1/admin/users?limit=1"]
    cursors = [link_next(api.get(t, **STAFF)).split("cursor=")[1] for t in targets]
    assert len(set(cursors)) == len(cursors)
    for i, target in enumerate(targets):
        for j, cursor in enumerate(cursors):
            a = api.get(f"{target}&cursor={cursor}", **STAFF)
            assert a.status == 200 if i == j else a.is_problem(400, "validation"), (target, targets[j])


def test_filters_are_kept_in_the_link_in_any_order(api, life):
    id_, count = life["rooms"]
    since = "2020-01-01T00:00:00+02:00"
    items, sizes = walk(api, f"{HISTORY}/rooms?until=9000-01-01T00:00:00%2B01:00&since={since}&limit=1&room_id={id_.upper()}", **STAFF)
    assert len(items) == count and sizes == [1] * count


def test_E057_head_and_etag(api, stack, life):
    id_, _ = life["points"]
    user = stack.user()
    target = f"{HISTORY}/points?user_id={user.id}"
    a, head = api.get(target, **STAFF), api.head(target, **STAFF)
    assert head.header("ETag") == a.header("ETag") and head.body == b""
    assert api.get(target, headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 304
    stack.adjust(user, 5)
    assert api.get(target, headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 200


def test_E103_pages_under_concurrent_writes_neither_repeat_nor_skip(stack, api):
    room, user = stack.room(total=100000, price=0), stack.user()
    done, made = threading.Event(), []

    def write():
        while not done.is_set():
            made.append(stack.reserve(room, user).json["id"])
            stack.adjust(user, 1)
            if len(made) % 3 == 0:
                stack.cancel(made[-1])

    for _ in range(12):
        stack.adjust(user, 1)
        stack.reserve(room, user)
    filters = {"rooms": room.id, "points": user.id}
    stood = {stream: {r["id"] for r in rows(api, stream, id_, limit=200)} for stream, id_ in filters.items()}
    writers = [threading.Thread(target=write) for _ in range(2)]
    for w in writers:
        w.start()
    try:
        for _ in range(3):
            for stream, id_ in filters.items():
                items, _ = walk(api, f"{HISTORY}/{stream}?{STREAMS[stream]}={id_}&limit=5", **STAFF)
                keys = [(r["changed_at"], r["id"]) for r in items]
                assert keys == sorted(set(keys), reverse=True) and stood[stream] <= {r["id"] for r in items}
    finally:
        done.set()
        for w in writers:
            w.join()
    assert made


# -- of one guest's reservations -----------------------------------------------------------------------

def test_user_id_gives_the_history_of_all_reservations_of_one_guest(stack, api):
    user, room = stack.user(), stack.room(price=100, total=100)
    made = []
    for i in range(4):
        pending(stack, room=room)
        made.append(pending(stack, room=room, user=user)[0]["id"])
    for i in (2, 0):
        stack.reject(made[i])
    stack.cancel(made[3])
    want = sorted((r for id_ in made for r in rows(api, "reservations", id_)), key=lambda r: (r["changed_at"], r["id"]), reverse=True)
    assert len(want) == 7
    target = f"{HISTORY}/reservations?user_id={user.id}"
    for limit in (1, 3, 7, 200):
        assert walk(api, f"{target}&limit={limit}", **STAFF)[0] == want
    at = want[3]["changed_at"]
    assert walk(api, f"{target}&since={at}&limit=2", **STAFF)[0] == [r for r in want if r["changed_at"] >= at]
    assert walk(api, f"{target}&until={at}&limit=2", **STAFF)[0] == [r for r in want if r["changed_at"] < at]
    assert rows(api, "reservations", user_id=new_id()) == rows(api, "reservations", user_id=room.id) == []
    assert rows(api, "reservations", user_id=user.id.upper()) == want


def test_user_id_and_reservation_id_are_not_given_together(api):
    a = api.get(f"{HISTORY}/reservations?user_id={new_id()}&reservation_id={new_id()}", **STAFF).is_problem(400, "validation")
    assert a.pointers == ["?reservation_id"]
    assert api.get(f"{HISTORY}/reservations?user_id=x", **STAFF).is_problem(400, "validation").pointers == ["?user_id"]
    cursor = link_next(api.get(f"{HISTORY}/reservations?limit=1", **STAFF)).split("cursor=")[1]
    api.get(f"{HISTORY}/reservations?user_id={new_id()}&cursor={cursor}", **STAFF).is_problem(400, "validation")
