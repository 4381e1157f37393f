"""The five invariants of the contract, recomputed from tables and histories."""

import re
import uuid
from collections import Counter, defaultdict

BALANCE_LIMIT = 2 ** 53 - 1


def text(id_):
    return str(uuid.UUID(bytes=bytes(id_)))


def check(stack):
    # one snapshot of all tables
    connection = stack.db(autocommit=False)
    try:
        with connection.cursor() as c:
            def rows(statement):
                c.execute(statement)
                return list(c.fetchall())

            c.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            c.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            faults = []
            rooms_hold(rows, faults)
            balances_hold(rows, faults)
            reservations_hold(rows, faults)
            outbox_holds(rows, faults)
            answers_hold(stack.journal, rows, faults)
            connection.rollback()
    finally:
        connection.close()
    assert not faults, "\n".join(faults[:40])


def rooms_hold(rows, faults):
    reserved = Counter(dict(rows("SELECT room_id, COUNT(*) FROM loyalty.reservation WHERE status = 'RESERVED' GROUP BY room_id")))
    current = {}
    for id_, name, total, available, price, archived, reservable in rows(
            "SELECT id, CAST(name AS BINARY), total_amount, available_amount, required_points, archived, reservable FROM loyalty.room"):
        if total != available + reserved.pop(id_, 0) or total < 0 or available < 0 or price < 0:
            faults.append(f"1: room {text(id_)}: total {total}, available {available}")
        if reservable != (not archived and available > 0):
            faults.append(f"1: room {text(id_)}: reservable {reservable}")
        current[id_] = (name, total, available, price, archived)
    for id_ in reserved:
        faults.append(f"1: reservations of no room {text(id_)}")
    for table in ("room", "user"):  # what they are found by
        for id_, name, folded in rows(f"SELECT id, name, name_folded FROM loyalty.{table} WHERE NOT name_folded <=> loyalty.fold(name)"):
            faults.append(f"{table} {text(id_)}: {name!r} is folded as {folded!r}")
    # Each row begins where the one before ended, and the last one at what is now: so no change lacks its
    # row, and none has two.
    last = {}
    for (id_, room, fn, ft, fa, fp, fz, tn, tt, ta, tp, tz, actor, request) in rows(
            "SELECT id, room_id, CAST(from_name AS BINARY), from_total, from_available, from_points, from_archived,"
            " CAST(to_name AS BINARY), to_total, to_available, to_points, to_archived, actor, request_id"
            " FROM loyalty_history.room_history ORDER BY id"):
        was = None if fn is None else (fn, ft, fa, fp, fz)
        if last.get(room) != was:
            faults.append(f"3: room_history {id_} of {text(room)} begins at {was}, not at {last.get(room)}")
        if was == (tn, tt, ta, tp, tz):
            faults.append(f"3: room_history {id_} changes nothing")
        if not actor or not request:
            faults.append(f"3: room_history {id_} names nobody")
        last[room] = (tn, tt, ta, tp, tz)
    for room in current.keys() | last.keys():
        if current.get(room) != last.get(room):
            faults.append(f"3: room {text(room)} is {current.get(room)}, its history ends at {last.get(room)}")


def balances_hold(rows, faults):
    balances = dict(rows("SELECT id, bonus_points FROM loyalty.user"))
    sums, last, by_reservation = Counter(), {}, Counter()
    for id_, user, was, is_, delta, reservation, actor, request in rows(
            "SELECT id, user_id, from_points, to_points, delta, reservation_id, actor, request_id"
            " FROM loyalty_history.points_history ORDER BY id"):
        if was + delta != is_ or delta == 0 or not 0 <= is_ <= BALANCE_LIMIT:
            faults.append(f"2: points_history {id_}: {was} {delta:+} = {is_}")
        if last.get(user, 0) != was:
            faults.append(f"3: points_history {id_} of {text(user)} begins at {was}, not at {last.get(user, 0)}")
        if not actor or not request:
            faults.append(f"3: points_history {id_} names nobody")
        last[user] = is_
        sums[user] += delta
        if reservation:
            by_reservation[reservation] += delta
    for user in balances.keys() | sums.keys():
        if balances.get(user) != sums[user] or not 0 <= balances.get(user, -1) <= BALANCE_LIMIT:
            faults.append(f"2: user {text(user)} has {balances.get(user)}, the history says {sums[user]}")
    # what a reservation took and gave back
    for id_, status, points in rows("SELECT id, status, points FROM loyalty.reservation"):
        want = -points if status in ("RESERVED", "RELEASED") else 0
        if by_reservation.pop(id_, 0) != want:
            faults.append(f"2: reservation {text(id_)} is {status} at {points} points, but the history moved otherwise")
    for id_ in by_reservation:
        faults.append(f"2: points moved for no reservation {text(id_)}")


STEPS = {(None, "RESERVED"), (None, "PENDING_APPROVAL"), ("RESERVED", "CANCELLED"), ("PENDING_APPROVAL", "CANCELLED"),
         ("PENDING_APPROVAL", "RESERVED"), ("PENDING_APPROVAL", "REJECTED"), ("RESERVED", "RELEASED")}


def reservations_hold(rows, faults):
    current = {id_: rest for id_, *rest in rows("SELECT id, room_id, user_id, status FROM loyalty.reservation")}
    last = {}
    for id_, reservation, room, user, was, is_, actor, request in rows(
            "SELECT id, reservation_id, room_id, user_id, from_status, to_status, actor, request_id"
            " FROM loyalty_history.reservation_history ORDER BY id"):
        before = last.get(reservation, [None, None, None])[2]
        if before != was or (was, is_) not in STEPS:
            faults.append(f"3: reservation_history {id_}: {was} to {is_}, after {before}")
        if not actor or not request:
            faults.append(f"3: reservation_history {id_} names nobody")
        last[reservation] = [room, user, is_]
    for id_ in current.keys() | last.keys():
        if current.get(id_) != last.get(id_):
            faults.append(f"3: reservation {text(id_)} is {current.get(id_)}, its history ends at {last.get(id_)}")
    # the unit that came and went has its row, in the same request
    units = Counter(rows("SELECT reservation_id, request_id, from_available - to_available FROM loyalty_history.room_history"
                         " WHERE reservation_id IS NOT NULL"))
    want = Counter()
    for reservation, request, was, is_ in rows(
            "SELECT reservation_id, request_id, from_status, to_status FROM loyalty_history.reservation_history"):
        step = (is_ == "RESERVED") - (was == "RESERVED")
        if step:
            want[reservation, request, step] += 1
    for key in (units - want) + (want - units):
        faults.append(f"3: unit and status went apart: {text(key[0])} {key[1:]}")


def outbox_holds(rows, faults):
    pruned = rows("SELECT COALESCE(MAX(highest), 0) FROM loyalty.outbox_pruned")[0][0]
    have = Counter(rows("SELECT id, reservation_id, room_id, created_at FROM loyalty.outbox WHERE event = 'reservation'"))
    want = Counter(rows("SELECT mail_id, reservation_id, room_id, changed_at FROM loyalty_history.reservation_history"))
    for key in have - want:
        faults.append(f"4: a mail without its change: {text(key[1])}, mail {key[0]}")
    if not pruned:
        for key in want - have:
            faults.append(f"4: a change without its mail: {text(key[1])}, mail {key[0]}")
    have = Counter(rows("SELECT id, room_id, created_at FROM loyalty.outbox WHERE event = 'room'"))
    want = Counter(rows("SELECT mail_id, room_id, changed_at FROM loyalty_history.room_history"
                        " WHERE from_total IS NULL OR from_total <> to_total OR from_archived <> to_archived"))
    for key in have - want:
        faults.append(f"4: a mail without its change: room {text(key[1])}, mail {key[0]}")
    if not pruned:
        for key in want - have:
            faults.append(f"4: a change without its mail: room {text(key[1])}, mail {key[0]}")


def answers_hold(journal, rows, faults):
    """5: what was answered 2xx is there, once; nothing was done twice under one Idempotency-Key."""
    created = defaultdict(list)
    for request, reservation, was, is_ in rows(
            "SELECT request_id, reservation_id, from_status, to_status FROM loyalty_history.reservation_history"):
        created[request].append((text(reservation), was, is_))
    made = defaultdict(list)
    for request, room in rows("SELECT request_id, room_id FROM loyalty_history.room_history WHERE from_total IS NULL"):
        made[request].append(text(room))
    adjusted = defaultdict(list)
    for request, user, delta, balance, reservation in rows(
            "SELECT request_id, user_id, delta, to_points, reservation_id FROM loyalty_history.points_history"):
        adjusted[request].append((text(user), delta, balance, reservation))
    bodies = {}
    for a in list(journal):
        if not a.body:
            continue
        answer, path = a.json, a.target.split("?")[0]
        if a.idem is not None:
            scope = (a.key_name, path.lower(), a.idem, a.request_body or b"")
            first = bodies.setdefault(scope, [a.body, 0])
            if first[0] != a.body:
                faults.append(f"5: one key, two answers: {scope}")
            first[1] += not a.replayed
            if first[1] > 1:
                faults.append(f"5: done twice under one key: {scope}")
        if a.replayed:
            continue
        if path == "/v1/reservations":
            if created[a.request_id] != [(answer["id"], None, answer["status"])]:
                faults.append(f"5: {a.request_id} made {answer['id']}, the history has {created[a.request_id]}")
        elif re.match(r"/v1/(admin/)?reservations/[^/]+/(cancel|approve|reject|release)\Z", path):
            hits = [(i, t) for i, _, t in created[a.request_id]]
            if hits != [(answer["id"], answer["status"])]:
                faults.append(f"5: {a.request_id} made {answer['id']} {answer['status']}, the history has {hits}")
        elif path == "/v1/admin/rooms":
            if made[a.request_id] != [answer["room"]["id"]]:
                faults.append(f"5: {a.request_id} made the room {answer['room']['id']}, the history has {made[a.request_id]}")
        elif re.match(r"/v1/users/[^/]+/points\Z", path):
            if [h[:3] for h in adjusted[a.request_id]] != [(answer["user"]["id"], answer["amount"], answer["bonus_points"])]:
                faults.append(f"5: {a.request_id} moved {answer['amount']}, the history has {adjusted[a.request_id]}")


def mails_went(stack, seconds=30):
    """4: every event led to a mail, with the Message-ID that is its own."""
    stack.drained(seconds)
    have = Counter(m["Message-ID"].strip("<> \r\n").split("@")[0] for m in stack.mails())
    first = {}
    for id_, reservation, created in stack.sql(
            "SELECT id, reservation_id, DATE_FORMAT(created_at, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f') FROM loyalty.outbox ORDER BY id", ()):
        if reservation and reservation not in first:
            first[reservation] = id_
            want = f"reservation.{text(reservation)}"
        else:
            from datetime import datetime, timezone
            at = datetime.strptime(created, "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)
            micros = round((at - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1000000)
            want = f"outbox.{id_}.{micros}"
        assert have[want] >= 1, f"no mail {want} (outbox {id_}); {len(have)} others, e.g. {list(have)[:3]}"
    return have
