"""GET /v1/admin/events: each change of a reservation once, and nothing is overtaken"""

import datetime
import random
import threading
import time
import uuid
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from client import link_next
from staff import STAFF, pending
from stack import until

EVENTS = "/v1/admin/events"
MEMBERS = {"id", "reservation_id", "room_id", "user_id", "from", "to", "points", "actor", "request_id", "changed_at"}


class Follower:
    """Reads on from where it was.  It begins at the end of what is there, unless told otherwise."""

    def __init__(self, api, target=None):
        self.api, self.target = api, target
        if target is None:
            now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=60)
            self.target = f"{EVENTS}?limit=200&since={quote(now.isoformat())}"
            self.more()

    def page(self):
        a = self.api.get(self.target, **STAFF)
        assert a.status == 200, a
        self.target = link_next(a)
        assert self.target, "every page has a next one"
        return a.json

    def more(self):
        """All that is new."""
        found = []
        while page := self.page():
            found += page
        return found

    def sees(self, id_, seconds=1):
        """More, up to the first change of this reservation, which has to be there in so many seconds."""
        found = []
        until(lambda: found.extend(self.more()) or any(e["reservation_id"] == id_ for e in found), seconds, 0.02, f"the event of {id_}")
        return found


@pytest.fixture(scope="module")
def place(stack):
    """A room and a user of whom changes are made by hand."""
    return stack.room(price=1000), stack.user()


@contextmanager
def by_hand(stack, place, n=1, **session):
    """with by_hand(…) as (ids, connection): a transaction that has made n reservations and is open still; then it is committed."""
    room, user = place
    connection = stack.db(autocommit=False)
    ids = []
    try:
        with connection.cursor() as c:
            for name, value in session.items():
                c.execute(f"SET SESSION {name} = %s", (value,))
            for _ in range(n):
                ids.append(str(uuid.uuid4()))
                c.execute("INSERT INTO loyalty.reservation (id, user_id, room_id, status, points, created_at, updated_at)"
                          " SELECT UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')), 'PENDING_APPROVAL',"
                          " 1000, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)", (ids[-1], user.id, room.id))
        yield ids, connection
        connection.commit()
    finally:
        connection.close()


def age(stack, seconds=11):
    """As if the feed had moved on that long ago."""
    stack.sql("UPDATE loyalty.feed SET mid_at = mid_at - INTERVAL %s SECOND", (seconds,))


def settle(stack, follower):
    """Two rounds: all that was given so far is settled."""
    for _ in range(2):
        age(stack)
        follower.more()
        follower.more()
    assert stack.value("SELECT low FROM loyalty.feed") == stack.value("SELECT mid FROM loyalty.feed")


def about(events, *ids):
    return [e["reservation_id"] for e in events if e["reservation_id"] in ids]


# -- what it is --------------------------------------------------------------------------------------

def test_the_life_of_a_reservation_oldest_first(stack, api):
    follower = Follower(api)
    made, room, user = pending(stack, price=100)
    stack.adjust(user, 100)
    stack.approve(made["id"], {"points": 90}, actor="Anna")
    stack.release(made["id"])
    events = follower.sees(made["id"])
    assert all(set(e) == MEMBERS for e in events)
    mine = [e for e in events if e["reservation_id"] == made["id"]]
    assert [(e["from"], e["to"], e["points"], e["actor"]) for e in mine] == [
        (None, "PENDING_APPROVAL", 100, "public"), ("PENDING_APPROVAL", "RESERVED", 90, "Anna"), ("RESERVED", "RELEASED", 90, "restricted")]
    assert {(e["room_id"], e["user_id"]) for e in mine} == {(room.id, user.id)}
    history = api.get(f"/v1/admin/history/reservations?reservation_id={made['id']}", **STAFF).json
    assert mine == [{name: value for name, value in row.items() if name != "reason"} for row in history[::-1]]


def test_the_whole_feed_is_the_whole_history(stack, api):
    follower = Follower(api)
    follower.sees(pending(stack)[0]["id"])
    ids = [e["id"] for e in Follower(api, f"{EVENTS}?limit=200").more()]
    assert len(ids) == len(set(ids)) and set(ids) == {i for i, in stack.sql("SELECT id FROM loyalty_history.reservation_history")}


def test_every_page_has_a_next_one(stack, api):
    follower = Follower(api)
    made, _, _ = pending(stack)
    follower.sees(made["id"])
    a = api.get(follower.target, **STAFF)
    assert a.body == b"[]" and link_next(a) == follower.target, "an empty page leads to itself"
    stack.cancel(made["id"])
    assert about(follower.sees(made["id"]), made["id"]) == [made["id"]]
    nothing = api.get(f"{EVENTS}?since=2999-01-01T00:00:00Z", **STAFF)
    assert nothing.body == b"[]"
    assert api.get(link_next(nothing), **STAFF).body == b"[]"


def test_limit_is_the_size_of_a_page(stack, api):
    made, _, _ = pending(stack)
    stack.cancel(made["id"])
    assert len(api.get(f"{EVENTS}?limit=1", **STAFF).json) == 1
    items = walk_some(api, f"{EVENTS}?limit=3", 4)
    assert [e["id"] for e in items] == [e["id"] for e in api.get(f"{EVENTS}?limit=12", **STAFF).json][:len(items)]


def walk_some(api, target, pages):
    items = []
    for _ in range(pages):
        a = api.get(target, **STAFF)
        items, target = items + a.json, link_next(a)
    return items


def test_since_says_where_to_begin(stack, api):
    follower = Follower(api)
    made = [pending(stack)[0] for _ in range(3)]
    row = next(e for e in follower.sees(made[2]["id"]) if e["reservation_id"] == made[1]["id"])
    at = row["changed_at"]
    follower = Follower(api, f"{EVENTS}?limit=1&since={at}")
    first = follower.page()
    assert first == [row] and f"since={quote(at, safe='')}" in follower.target
    ids = [m["id"] for m in made]
    assert about(first + follower.more(), *ids) == ids[1:]
    later = (datetime.datetime.fromisoformat(at[:-1]) + datetime.timedelta(microseconds=1)).isoformat() + "Z"
    assert about(Follower(api, f"{EVENTS}?since={later}").more(), *ids) == ids[2:]
    assert about(Follower(api, f"{EVENTS}?since={quote(at[:-1] + '+00:00')}").more(), *ids) == ids[1:]


def test_a_database_that_is_read_only_gives_what_has_its_place(stack, api):
    """And what was committed before, but had no place yet, afterwards."""
    follower = Follower(api)
    made, _, _ = pending(stack)
    given = follower.sees(made["id"])
    begin = Follower(api, f"{EVENTS}?limit=200&since={given[-1]['changed_at']}")
    settle(stack, follower)
    last, _, _ = pending(stack)
    stack.sql("SET GLOBAL read_only = 1")
    try:
        age(stack)
        for _ in range(3):
            assert follower.page() == []
            assert about(begin.more(), made["id"], last["id"]) == [made["id"]]
            begin = Follower(api, f"{EVENTS}?limit=200&since={given[-1]['changed_at']}")
    finally:
        stack.sql("SET GLOBAL read_only = 0")
    assert about(follower.sees(last["id"]), last["id"]) == [last["id"]]
    assert about(begin.more(), made["id"], last["id"]) == [made["id"], last["id"]]


def test_has_an_etag(stack, api):
    follower = Follower(api)
    follower.sees(pending(stack)[0]["id"])
    made, _, _ = pending(stack)
    until(lambda: api.get(follower.target, **STAFF).json, 1)
    a = api.get(follower.target, **STAFF)
    unchanged = api.get(follower.target, headers=[("If-None-Match", a.header("etag"))], **STAFF)
    assert unchanged.status == 304
    assert link_next(api.head(follower.target, **STAFF)) == link_next(a)
    stack.cancel(made["id"])
    until(lambda: api.get(follower.target, headers=[("If-None-Match", a.header("etag"))], **STAFF).status == 200, 1)


@pytest.mark.parametrize("query, named", [
    ("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("since=yesterday", "since"), ("since=2026-11-23", "since"),
    ("since=", "since"), ("until=2026-11-23T00:00:00Z", "until"), ("cursor=", "cursor"), ("cursor=x", "cursor"),
    ("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor"), ("reservation_id=x", "reservation_id"), ("limit=5&limit=5", "limit")])
def test_E064_bad_parameters_are_400(api, query, named):
    assert api.get(f"{EVENTS}?{query}", **STAFF).is_problem(400, "validation").pointers == ["?" + named]


def test_E066_a_foreign_cursor_is_400(stack, api):
    for _ in range(2):
        pending(stack)
    for target in (link_next(api.get("/v1/admin/history/reservations?limit=1", **STAFF)), link_next(api.get("/v1/admin/outbox?limit=1", **STAFF))):
        api.get(f"{EVENTS}?{target[target.index('cursor='):]}", **STAFF).is_problem(400, "validation")
    mine = link_next(api.get(f"{EVENTS}?limit=1", **STAFF))
    cursor = mine[mine.index("cursor="):]
    api.get(f"/v1/admin/history/reservations?{cursor}", **STAFF).is_problem(400, "validation")
    api.get(f"{EVENTS}?since=2026-01-01T00:00:00Z&{cursor}", **STAFF).is_problem(400, "validation")


# -- nothing is overtaken ----------------------------------------------------------------------------

def test_who_commits_late_comes_after_what_was_given(stack, api, place):
    """A smaller id than one that was given: a feed by id would have passed it."""
    follower = Follower(api)
    with by_hand(stack, place) as ([late], _):
        made, _, _ = pending(stack)
        given = follower.sees(made["id"])
        assert about(given, late, made["id"]) == [made["id"]]
    after = follower.sees(late)
    assert about(after, late) == [late] and after[-1]["id"] < given[-1]["id"]
    again = [e["id"] for e in Follower(api, f"{EVENTS}?limit=200").more()]
    assert again.index(after[-1]["id"]) > again.index(given[-1]["id"]), "the order is the same for all"


@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_a_transaction_may_be_open_for_as_long_as_it_likes(stack, api, place, how):
    """Past the time at which the ids around it are settled: neither missed nor waited for."""
    follower = Follower(api)
    with by_hand(stack, place, 2) as (late, connection):
        for _ in range(3):
            made, _, _ = pending(stack)
            assert about(follower.sees(made["id"]), made["id"], *late) == [made["id"]]
            settle(stack, follower)
        assert stack.value("SELECT COUNT(*) FROM loyalty.feed_open") == 2
        if how == "rollback":
            connection.rollback()
    if how == "commit":
        assert about(follower.sees(late[1]), *late) == late
    else:
        assert about(follower.more(), *late) == []
        for _ in range(3):
            pending(stack)
            settle(stack, follower)
    assert stack.value("SELECT COUNT(*) FROM loyalty.feed_open") == 0
    ids = [e["id"] for e in Follower(api, f"{EVENTS}?limit=200").more()]
    assert len(ids) == len(set(ids)) == stack.value("SELECT COUNT(*) FROM loyalty_history.reservation_history")


def test_late_ones_keep_their_order_and_have_it_for_all(stack, api, place):
    follower = Follower(api)
    with by_hand(stack, place) as ([first], _):
        with by_hand(stack, place) as ([second], _):
            made, _, _ = pending(stack)
            follower.sees(made["id"])
        assert about(follower.sees(second), first, second) == [second]
    assert about(follower.sees(first), first, second) == [first]
    order = about(Follower(api, f"{EVENTS}?limit=3").more(), first, second, made["id"])
    assert order == [made["id"], second, first]


def test_what_follows_a_late_one_does_not_come_before_it(stack, api, place):
    """Its cancellation has a new id, and is there at the same time."""
    follower = Follower(api)
    with by_hand(stack, place) as ([late], _):
        made, _, _ = pending(stack)
        follower.sees(made["id"])
    assert stack.cancel(late).status == 200
    mine = [e for e in follower.sees(late) + follower.more() if e["reservation_id"] == late]
    assert [(e["from"], e["to"]) for e in mine] == [(None, "PENDING_APPROVAL"), ("PENDING_APPROVAL", "CANCELLED")]


def test_holes_of_a_rollback_stall_nothing(stack, api, place):
    follower = Follower(api)
    for n in (1, 5, 50):
        with by_hand(stack, place, n) as (gone, connection):
            connection.rollback()
        began = time.monotonic()
        made, _, _ = pending(stack)
        assert about(follower.sees(made["id"]), made["id"], *gone) == [made["id"]] and time.monotonic() - began < 1


def test_writers_with_an_increment_of_three(stack, api, place):
    """Two of three ids are never used, or used by a writer that comes later with a smaller one."""
    follower = Follower(api)
    made = []
    for offset in (1, 3, 2, 1):
        with by_hand(stack, place, 3, auto_increment_increment=3, auto_increment_offset=offset) as (ids, _):
            with by_hand(stack, place, 2, auto_increment_increment=3, auto_increment_offset=offset % 3 + 1) as (others, _):
                pass
            assert about(follower.sees(others[1]), *others, *ids) == others
        assert about(follower.sees(ids[2]), *others, *ids) == ids
        made += others + ids
    # a new writer that has not applied the last rows takes ids below what was given
    top = stack.value("SELECT MAX(id) FROM loyalty_history.reservation_history")
    with by_hand(stack, place, 1, auto_increment_increment=3, auto_increment_offset=1) as ([given], _):
        pass
    follower.sees(given)
    room, user = place
    stack.sql("INSERT INTO loyalty_history.reservation_history (id, reservation_id, room_id, user_id, from_status, to_status, points, actor, request_id,"
              " changed_at) SELECT %s, reservation_id, room_id, user_id, from_status, to_status, points, 'other', request_id, changed_at"
              " FROM loyalty_history.reservation_history WHERE reservation_id = UNHEX(REPLACE(%s, '-', '')) AND id > %s",
              (unused(stack, top), given, top))
    try:
        assert [e["actor"] for e in follower.sees(given)] == ["other"]
    finally:
        stack.sql("DELETE FROM loyalty_history.reservation_history WHERE actor = 'other'")
        stack.sql("DELETE FROM loyalty.feed_late WHERE id NOT IN (SELECT id FROM loyalty_history.reservation_history)")


def unused(stack, top):
    ids = {i for i, in stack.sql("SELECT id FROM loyalty_history.reservation_history WHERE id > %s", (top - 20,))}
    return max(set(range(top - 20, max(ids))) - ids)


def test_followers_under_load_see_each_event_once_and_in_one_order(stack, api, place):
    """Commits out of order, rollbacks, transactions that dawdle; every follower sees what a later reader finds."""
    begin = Follower(api).target
    done = threading.Event()
    faults, seen = [], [[], [], []]

    def write(seed):
        chance = random.Random(seed)
        while not done.is_set():
            if seed % 2:
                made, _, _ = pending(stack, room=place[0])
                if chance.random() < 0.5:
                    stack.cancel(made["id"])
                continue
            with by_hand(stack, place, chance.choice((1, 1, 3)), auto_increment_increment=chance.choice((1, 1, 3))) as (_, connection):
                time.sleep(chance.choice((0, 0, 0.002, 0.02, 0.3)))
                if chance.random() < 0.3:
                    connection.rollback()

    def follow(n):
        follower = Follower(api, begin)
        chance = random.Random(n)
        while not done.is_set():
            seen[n] += follower.page()
            if n == 0 and chance.random() < 0.2:
                age(stack)
            time.sleep(chance.choice((0, 0.01, 0.1)))
        time.sleep(1)
        seen[n] += follower.more()

    def guarded(what, n):
        try:
            what(n)
        except BaseException as e:
            faults.append(e)
            done.set()

    threads = [threading.Thread(target=guarded, args=(write, n)) for n in range(8)] + \
        [threading.Thread(target=guarded, args=(follow, n)) for n in range(3)]
    top = stack.value("SELECT MAX(id) FROM loyalty_history.reservation_history")
    for t in threads:
        t.start()
    time.sleep(8)
    done.set()
    for t in threads:
        t.join()
    assert not faults, faults
    late = Follower(api, begin).more()
    ids = [e["id"] for e in late]
    assert len(ids) > 100 and len(ids) == len(set(ids))
    assert set(ids) == {i for i, in stack.sql("SELECT id FROM loyalty_history.reservation_history WHERE id > %s", (top,))}
    assert all(events == late for events in seen), [len(events) for events in seen]
    for id_ in {e["reservation_id"] for e in late}:
        mine = [e for e in late if e["reservation_id"] == id_]
        assert mine == sorted(mine, key=lambda e: e["id"]), "the changes of one reservation are in their order"


def test_reservations_do_not_wait_for_the_feed(stack, api, place):
    """Not even while its lock is held."""
    connection = stack.db(autocommit=False)
    try:
        with connection.cursor() as c:
            c.execute("SELECT * FROM loyalty.feed FOR UPDATE")
            began = time.monotonic()
            made, _, _ = pending(stack)
            assert stack.cancel(made["id"]).status == 200 and time.monotonic() - began < 1
    finally:
        connection.close()


def test_the_feed_does_not_wait_for_reservations(stack, api, place):
    """It reads beside a transaction that is open, whatever it does about it."""
    follower = Follower(api)
    with by_hand(stack, place):
        for _ in range(3):
            age(stack)
            pending(stack)
            began = time.monotonic()
            follower.more()
            assert time.monotonic() - began < 1


# -- what is gone, and what was never read -----------------------------------------------------------

def test_a_cursor_of_what_is_gone_is_400(stack, api, place):
    """As after a restore to an earlier time: the event is not there, or another has its id."""
    follower = Follower(api)
    with by_hand(stack, place) as ([id_], _):
        pass
    follower.sees(id_)
    assert api.get(follower.target, **STAFF).status == 200
    change = "UPDATE loyalty_history.reservation_history SET request_id = %s WHERE reservation_id = UNHEX(REPLACE(%s, '-', ''))"
    was = stack.value("SELECT request_id FROM loyalty_history.reservation_history WHERE reservation_id = UNHEX(REPLACE(%s, '-', ''))", (id_,))
    stack.sql(change, ("another", id_))
    try:
        a = api.get(follower.target, **STAFF).is_problem(400, "validation")
        assert a.pointers == ["?cursor"] and "restore" in a.json["errors"][0]["detail"], a
    finally:
        stack.sql(change, (was, id_))
    assert api.get(follower.target, **STAFF).status == 200


@pytest.fixture(scope="module")
def own(make_stack):
    with make_stack() as s:
        s.stop("notifier")
        yield s


def test_a_long_unread_feed_is_followed_at_once(own):
    """Nobody has read any of 12,000 changes; who follows from now on sees the next one as fast as ever."""
    place = own.room(price=1000), own.user()
    room, user = place
    connection = own.db(autocommit=False)
    with connection.cursor() as c:
        c.executemany("INSERT INTO loyalty.reservation (id, user_id, room_id, status, points, created_at, updated_at)"
                      " VALUES (UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')), 'PENDING_APPROVAL', 1000,"
                      " UTC_TIMESTAMP(6) - INTERVAL %s SECOND, UTC_TIMESTAMP(6) - INTERVAL %s SECOND)",
                      [(str(uuid.uuid4()), user.id, room.id, s, s) for s in [200] * 11000 + [20] * 1000])
    with by_hand(own, place) as ([late], _):
        connection.commit()
        connection.close()
        follower = Follower(own.api)
        made = own.reserve(room, user).json
        assert about(follower.sees(made["id"]), late, made["id"]) == [made["id"]]
    assert about(follower.sees(late), late) == [late]
    ids = [e["id"] for e in Follower(own.api, f"{EVENTS}?limit=200").more()]
    assert len(ids) == len(set(ids)) == own.value("SELECT COUNT(*) FROM loyalty_history.reservation_history") == 12002


def test_follows_over_a_restart_of_the_database(own):
    """What was open is gone with it; what was given stays given."""
    place = own.room(price=1000), own.user()
    follower = Follower(own.api)
    made = own.reserve(*place).json
    given = follower.sees(made["id"])
    with pytest.raises(Exception):
        with by_hand(own, place, 3):
            own.restart("db")
            own.close_db()
            until(lambda: own.api.get("/readyz", key=None).status == 200, 60)
    again = own.reserve(*place).json
    assert about(follower.sees(again["id"]), made["id"], again["id"]) == [again["id"]]
    order = [e["id"] for e in Follower(own.api, f"{EVENTS}?limit=200").more()]
    assert order.index(given[-1]["id"]) < len(order) - 1 and len(order) == len(set(order))
