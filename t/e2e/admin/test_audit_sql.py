"""The procedure audit: each kind of corruption, planted by hand in the tables, is found by its check, which
names the row; all other checks stay fine.  Nothing but the database is used, on a stack of its own."""

import threading
import time
import uuid
from contextlib import contextmanager

import pymysql
import pytest

from stack import ACCOUNTS, OUTS

CHECKS = ["room-stock", "room-bounds", "room-history-chain", "room-history-complete", "balance-sum", "balance-bounds",
          "points-history-chain", "points-history-complete", "user-history-chain", "user-erased", "reservation-history-chain", "reservation-references",
          "reservation-points", "outbox-reservations", "outbox-rooms", "outbox-pruned", "outbox-state", "outbox-order",
          "outbox-history", "actor-request"]
ROOM, RESERVATION, POINTS, USER, RETRY = (f"loyalty_history.{name}_history" for name in ("room", "reservation", "points", "user", "outbox"))
TABLES = ["loyalty.room", "loyalty.user", "loyalty.reservation", "loyalty.outbox", "loyalty.outbox_pruned", ROOM, RESERVATION, POINTS, USER, RETRY]
AGAIN = {1020, 1062, 1205, 1213}


def results(connection, most=100):
    """The result sets of audit: [(name, checked, [violation…])…]."""
    with connection.cursor() as c:
        c.execute("CALL loyalty.audit(%s)", (most,))
        found = []
        while c.description:
            assert [d[0] for d in c.description] == ["name", "checked", "violation"]
            (name, checked, none), *rest = c.fetchall()
            assert none is None and isinstance(checked, int) and checked >= 0
            assert all(row[:2] == (name, 0) and 0 < len(row[2]) <= 500 for row in rest)
            found.append((name, checked, [row[2] for row in rest]))
            if not c.nextset():
                break
    assert [name for name, _, _ in found] == CHECKS
    return found


REFUSED = ("invalid-transition-", "sold-out", "insufficient-points-", "points-above-price", "stock-below-reserved")


def call(connection, name, *args):
    """The last row of a procedure that writes; once more where the database says so."""
    outs = [f"@out_{i}" for i in range(OUTS.get(name, 0))]
    for left in range(20, -1, -1):
        try:
            with connection.cursor() as c:
                c.execute(f"CALL loyalty.{name}({', '.join(['%s'] * len(args) + outs)})", args)
                if outs and c.description is None:
                    c.execute(f"SELECT COALESCE(@out_0, 0), {', '.join(outs[1:])}")
                row = c.fetchall()
                while c.nextset():
                    pass
            return row
        except pymysql.err.MySQLError as e:
            if e.args[0] not in AGAIN or not left:
                raise


class World:
    """A small hotel that has seen everything that can happen, made by the procedures."""

    def __init__(self, stack):
        self.stack = stack
        self.links = {name: stack.service_db(name) for name in ACCOUNTS}
        self.requests = 0
        self.a, self.free, self.b = (self.id() for _ in range(3))
        self.rich, self.poor = self.id(), self.id()
        for room, total, price in ((self.a, 9, 100), (self.free, 3, 0), (self.b, 5, 40)):
            self.do("admin", "room_create", room, "A room", total, price)
        self.do("admin", "room_change", self.b, "B", None, None, None, *[None] * 5)
        self.do("admin", "room_change", self.b, None, 6, None, None, *[None] * 5)
        self.do("admin", "room_change", self.b, None, None, 50, None, *[None] * 5)
        for user in (self.rich, self.poor):
            self.do("admin", "user_put", user, "Somebody", "USER", *[None] * 3)
        self.do("points", "points_adjust", self.rich, 5000, "welcome")
        self.do("points", "points_adjust", self.poor, 60, "welcome")
        self.do("points", "points_adjust", self.rich, -7, "a correction")

        self.reserved = self.reserve(self.rich, self.a)
        self.cancelled = self.reserve(self.rich, self.a)
        self.do("rooms", "reservation_cancel", self.cancelled)
        self.released = self.reserve(self.rich, self.a)
        self.do("admin", "reservation_release", self.released)
        self.gratis = self.reserve(self.poor, self.free)
        self.send()
        self.pending = self.reserve(self.poor, self.a)
        self.approved = self.reserve(self.poor, self.a)
        self.do("admin", "reservation_approve", self.approved, 25)
        self.rejected = self.reserve(self.poor, self.a)
        self.do("admin", "reservation_reject", self.rejected, "no")
        self.withdrawn = self.reserve(self.poor, self.a)
        self.do("rooms", "reservation_cancel", self.withdrawn)
        self.returned = self.reserve(self.poor, self.a)
        self.do("admin", "reservation_approve", self.returned, 10)
        self.do("rooms", "reservation_cancel", self.returned)
        self.do("admin", "room_change", self.b, None, None, None, 1, *[None] * 5)
        self.erased = self.id()
        for name in ("Jane Doe", "Jane Roe"):
            self.do("admin", "user_put", self.erased, name, "ADMIN", *[None] * 3)
        self.do("points", "points_adjust", self.erased, 30, "welcome, Jane")
        self.refused, self.ended = self.reserve(self.erased, self.a), self.reserve(self.erased, self.a)
        self.do("admin", "reservation_reject", self.refused, "no, Jane")
        self.do("admin", "user_erase", self.erased, "a letter")

    def id(self):
        return uuid.uuid4().bytes

    def do(self, account, name, *args):
        self.requests += 1
        rows = call(self.links[account], name, "restricted", f"world-{self.requests}", None, None, *args)
        assert rows[0][0] == 0, (name, rows)  # done, not replayed

    def reserve(self, user, room):
        reservation = self.id()
        self.do("rooms", "reservation_create", reservation, room, user)
        return reservation

    def send(self):
        """All mails that are due go out."""
        owner = self.id()
        while True:
            rows = call(self.links["notifier"], "outbox_claim", owner, 100, 60)
            if not rows:
                return
            for row in rows:
                assert call(self.links["notifier"], "outbox_settle", row[0], owner, "SENT", None, 0, None) == ((1,),)

    def sql(self, *args, **how):
        return self.stack.sql(*args, **how)

    def mail(self, reservation, to):
        return self.stack.value(f"SELECT mail_id FROM {RESERVATION} WHERE reservation_id = %s AND to_status = %s", (reservation, to))

    def row(self, table, reservation, which):
        """The id of the first or last row of a reservation in a history."""
        return self.stack.value(f"SELECT {'MIN' if which == 'first' else 'MAX'}(id) FROM {table} WHERE reservation_id = %s", (reservation,))

    def audit(self, most=100):
        return results(self.links["admin"], most)

    def close(self):
        for link in self.links.values():
            link.close()


def text(id_):
    return str(uuid.UUID(bytes=bytes(id_)))


def fine(found):
    bad = [(name, violations[:5]) for name, _, violations in found if violations]
    assert not bad, bad


@pytest.fixture(scope="module")
def world(make_stack):
    with make_stack() as stack:
        stack.stop("notifier")
        w = World(stack)
        yield w
        w.close()


@contextmanager
def by_hand(world):
    """A connection that may do anything: no triggers, no CHECKs.  Afterwards all is as before."""
    connection = world.stack.db()
    try:
        with connection.cursor() as c, world.stack.without_checks(c):
            c.execute("CREATE DATABASE audit_kept")
            triggers = []
            c.execute("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = 'loyalty'")
            for (name,) in c.fetchall():
                c.execute(f"SHOW CREATE TRIGGER loyalty.{name}")
                triggers.append((name, *c.fetchone()[1:3]))
            assert len(triggers) >= 6
            for name, _, _ in triggers:
                c.execute(f"DROP TRIGGER loyalty.{name}")
            for table in TABLES:
                c.execute(f"CREATE TABLE audit_kept.{table.split('.')[1]} AS SELECT * FROM {table}")
            try:
                yield c
            finally:
                for table in TABLES:
                    c.execute(f"DELETE FROM {table}")
                    c.execute(f"INSERT INTO {table} SELECT * FROM audit_kept.{table.split('.')[1]}")
                c.execute("DROP DATABASE audit_kept")
                c.execute("USE loyalty")
                for _, mode, statement in triggers:
                    c.execute("SET SESSION sql_mode = %s", (mode,))
                    c.execute(statement)
    finally:
        connection.close()


def same_mail(c, id_, columns="", values=""):
    """A copy of an outbox row; its id."""
    names = "event, status, due_at, reservation_id, room_id, created_at, attempts, next_attempt_at, lease_owner, sent_at, last_error"
    c.execute(f"INSERT INTO loyalty.outbox ({names}) SELECT {names} FROM loyalty.outbox WHERE id = %s", (id_,))
    return c.lastrowid


# Each plants one corruption with the cursor c in the world w, and tells which checks find it, with words that a
# violation of each has.

def unit_lost(w, c):
    c.execute("UPDATE loyalty.room SET available_amount = available_amount - 1 WHERE id = %s", (w.a,))
    return {"room-stock": f"room {text(w.a)}: total 9", "room-history-chain": f"room {text(w.a)} is at"}


def status_without_its_unit(w, c):
    c.execute("UPDATE loyalty.reservation SET status = 'RESERVED' WHERE id = %s", (w.released,))
    return {"room-stock": text(w.a), "reservation-history-chain": f"reservation {text(w.released)} is RESERVED"}


def flag_wrong(w, c):
    c.execute("UPDATE loyalty.room SET reservable = 0 WHERE id = %s", (w.a,))
    return {"room-bounds": text(w.a)}


def amount_negative(w, c):
    c.execute("UPDATE loyalty.room SET available_amount = -1 WHERE id = %s", (w.free,))
    return {"room-bounds": f"room {text(w.free)}: total 3, available -1", "room-stock": text(w.free), "room-history-chain": text(w.free)}


def room_renamed_past_the_history(w, c):
    c.execute("UPDATE loyalty.room SET name = CONCAT(name, ' ') WHERE id = %s", (w.a,))
    return {"room-history-chain": f"room {text(w.a)} is at"}


def room_without_history(w, c):
    room = w.id()
    c.execute("INSERT INTO loyalty.room (id, name, total_amount, available_amount, required_points, archived, reservable) VALUES (%s, 'X', 1, 1, 1, 0, 1)", (room,))
    return {"room-history-chain": f"room {text(room)} has no room_history row"}


def room_row_begins_elsewhere(w, c):
    c.execute(f"SELECT id FROM {ROOM} WHERE room_id = %s ORDER BY id LIMIT 1, 1", (w.b,))
    id_, = c.fetchone()
    c.execute(f"UPDATE {ROOM} SET from_name = 'C' WHERE id = %s", (id_,))
    return {"room-history-chain": f"room_history row {id_} of room {text(w.b)}"}


def room_row_half_a_beginning(w, c):
    c.execute(f"SELECT MIN(id) FROM {ROOM} WHERE room_id = %s", (w.b,))
    id_, = c.fetchone()
    c.execute(f"UPDATE {ROOM} SET from_points = 40 WHERE id = %s", (id_,))
    return {"room-history-chain": f"room_history row {id_} of room {text(w.b)}"}


def room_rows_in_another_order(w, c):
    one, two = w.row(ROOM, w.cancelled, "first"), w.row(ROOM, w.cancelled, "last")
    for was, is_ in ((one, 10 ** 9), (two, one), (10 ** 9, two)):
        c.execute(f"UPDATE {ROOM} SET id = %s WHERE id = %s", (is_, was))
    return {"room-history-chain": f"room_history row {one} of room {text(w.a)}"}


def room_row_lost(w, c):
    row = w.row(RESERVATION, w.cancelled, "first")
    c.execute(f"DELETE FROM {ROOM} WHERE id = %s", (w.row(ROOM, w.cancelled, "first"),))
    return {"room-history-chain": text(w.a), "room-history-complete": f"reservation_history row {row} of reservation {text(w.cancelled)} takes a unit"}


def room_row_twice(w, c):
    row = w.row(ROOM, w.reserved, "first")
    c.execute(f"CREATE TEMPORARY TABLE loyalty.twice AS SELECT * FROM {ROOM} WHERE id = %s", (row,))
    c.execute("UPDATE loyalty.twice SET id = 10000")
    c.execute(f"INSERT INTO {ROOM} SELECT * FROM loyalty.twice")
    c.execute("DROP TEMPORARY TABLE loyalty.twice")
    return {"room-history-chain": "room_history row 10000 ", "room-history-complete":
            f"room_history row 10000 of reservation {text(w.reserved)} takes 1 unit a second time"}


def room_row_of_two_units(w, c):
    row = w.row(ROOM, w.released, "last")
    c.execute(f"UPDATE {ROOM} SET to_available = to_available + 1 WHERE id = %s", (row,))
    return {"room-history-chain": f"row {row} before it ended", "room-history-complete": f"room_history row {row} of reservation {text(w.released)} gives back 2 units"}


def room_row_of_no_reservation(w, c):
    row = w.row(ROOM, w.released, "last")
    c.execute(f"UPDATE {ROOM} SET reservation_id = NULL WHERE id = %s", (row,))
    return {"room-history-complete": f"room_history row {row} of room {text(w.a)} changes what is available by 1 and the total by 0"}


def room_row_of_another_request(w, c):
    row = w.row(ROOM, w.released, "last")
    c.execute(f"UPDATE {ROOM} SET request_id = 'other' WHERE id = %s", (row,))
    return {"room-history-complete": f"room_history row {row} of reservation {text(w.released)}"}


def balance_raised(w, c):
    c.execute("UPDATE loyalty.user SET bonus_points = bonus_points + 1 WHERE id = %s", (w.rich,))
    return {"balance-sum": f"user {text(w.rich)} has", "points-history-chain": f"user {text(w.rich)} has"}


def balance_negative(w, c):
    c.execute("UPDATE loyalty.user SET bonus_points = -5 WHERE id = %s", (w.poor,))
    return {"balance-bounds": f"user {text(w.poor)} has -5 points", "balance-sum": text(w.poor), "points-history-chain": text(w.poor)}


def account_with_points_from_nowhere(w, c):
    user = w.id()
    c.execute("INSERT INTO loyalty.user (id, name, role, bonus_points) VALUES (%s, 'X', 'USER', 12)", (user,))
    return {"balance-sum": text(user), "points-history-chain": f"user {text(user)} has 12 points, but no points_history row",
            "user-history-chain": f"user {text(user)} is USER X, but has no user_history row"}


def account_renamed_past_the_history(w, c):
    c.execute("UPDATE loyalty.user SET name = CONCAT(name, ' ') WHERE id = %s", (w.rich,))
    return {"user-history-chain": f"user {text(w.rich)} is USER Somebody , but the last"}


def user_row_begins_elsewhere(w, c):
    c.execute(f"UPDATE {USER} SET from_name = 'Nobody', from_role = 'USER' WHERE user_id = %s", (w.poor,))
    return {"user-history-chain": f"of user {text(w.poor)} goes from USER Nobody to USER Somebody, and is the first"}


def erased_account_with_a_name(w, c):
    c.execute("UPDATE loyalty.user SET name = 'Jane Doe' WHERE id = %s", (w.erased,))
    return {"user-erased": f"user {text(w.erased)} is erased, but has a name", "user-history-chain": text(w.erased)}


def erased_account_with_a_role_and_points(w, c):
    c.execute("UPDATE loyalty.user SET role = 'ADMIN', bonus_points = 5 WHERE id = %s", (w.erased,))
    return {"user-erased": f"user {text(w.erased)} is erased, but has the role ADMIN, 5 points", "user-history-chain": text(w.erased),
            "balance-sum": text(w.erased), "points-history-chain": text(w.erased)}


def erased_account_with_a_name_in_its_history(w, c):
    c.execute(f"UPDATE {USER} SET to_name = 'Jane Roe' WHERE user_id = %s ORDER BY id LIMIT 1", (w.erased,))
    return {"user-erased": f"user {text(w.erased)} is erased, but user_history row", "user-history-chain": text(w.erased)}


def erased_account_with_reasons(w, c):
    c.execute(f"UPDATE {POINTS} SET reason = 'welcome, Jane' WHERE user_id = %s AND reason IS NULL", (w.erased,))
    return {"user-erased": f"user {text(w.erased)} is erased, but points_history row"}


def erased_account_with_the_reason_of_a_rejection(w, c):
    c.execute(f"UPDATE {RESERVATION} SET reason = 'no, Jane' WHERE reservation_id = %s AND to_status = 'REJECTED'", (w.refused,))
    return {"user-erased": f"user {text(w.erased)} is erased, but reservation_history row {w.row(RESERVATION, w.refused, 'last')} has a reason"}


def erased_account_with_an_open_request(w, c):
    c.execute("UPDATE loyalty.reservation SET status = 'PENDING_APPROVAL' WHERE id = %s", (w.ended,))
    return {"user-erased": f"reservation {text(w.ended)} is PENDING_APPROVAL", "reservation-history-chain": text(w.ended)}


def erased_by_nobody(w, c):
    c.execute("UPDATE loyalty.user SET erased_at = erased_at + INTERVAL 1 SECOND WHERE id = %s", (w.erased,))
    return {"user-erased": f"user {text(w.erased)} is erased since"}


def mail_queued_again_by_nobody(w, c):
    mail = w.mail(w.rejected, "REJECTED")
    c.execute("UPDATE loyalty.outbox SET queued_at = UTC_TIMESTAMP(6) WHERE id = %s", (mail,))
    return {"outbox-history": f"outbox row {mail} was queued again at"}


def retry_of_what_was_not_queued_again(w, c):
    mail = w.mail(w.rejected, "REJECTED")
    c.execute(f"INSERT INTO {RETRY} VALUES (1000, %s, 'DEAD', 'PENDING', 'x', '', UTC_TIMESTAMP(6))", (mail,))
    return {"outbox-history": f"outbox_history row 1000 says that outbox row {mail}", "actor-request": "outbox_history row 1000 "}


def points_row_moved(w, c):
    c.execute(f"SELECT MAX(id) FROM {POINTS} WHERE user_id = %s AND delta = -7", (w.rich,))
    row, = c.fetchone()
    c.execute(f"UPDATE {POINTS} SET from_points = from_points + 3, to_points = to_points + 3 WHERE id = %s", (row,))
    return {"points-history-chain": f"points_history row {row} of user {text(w.rich)} goes from 5003 by -7"}


def points_row_with_a_wrong_delta(w, c):
    c.execute(f"SELECT MAX(id) FROM {POINTS} WHERE user_id = %s AND delta = -7", (w.rich,))
    row, = c.fetchone()
    c.execute(f"UPDATE {POINTS} SET delta = -8 WHERE id = %s", (row,))
    return {"points-history-chain": f"points_history row {row} of user {text(w.rich)} goes from 5000 by -8 to 4993", "balance-sum": text(w.rich)}


def points_row_lost(w, c):
    row = w.row(RESERVATION, w.cancelled, "last")
    c.execute(f"DELETE FROM {POINTS} WHERE id = %s", (w.row(POINTS, w.cancelled, "last"),))
    return {"points-history-chain": text(w.rich), "balance-sum": text(w.rich),
            "points-history-complete": f"reservation_history row {row} of reservation {text(w.cancelled)} refunds 100 points"}


def refunded_twice(w, c):
    c.execute(f"INSERT INTO {POINTS} (user_id, from_points, to_points, delta, reservation_id, actor, request_id, changed_at)"
              f" SELECT p.user_id, u.bonus_points, u.bonus_points + p.delta, p.delta, p.reservation_id, p.actor, p.request_id, p.changed_at"
              f" FROM {POINTS} p JOIN loyalty.user u ON u.id = p.user_id WHERE p.id = %s", (w.row(POINTS, w.cancelled, "last"),))
    row = c.lastrowid
    c.execute("UPDATE loyalty.user SET bonus_points = bonus_points + 100 WHERE id = %s", (w.rich,))
    return {"points-history-complete": f"points_history row {row} of reservation {text(w.cancelled)} refunds 100 points a second time"}


def points_taken_for_what_is_pending(w, c):
    c.execute(f"INSERT INTO {POINTS} (user_id, from_points, to_points, delta, reservation_id, actor, request_id, changed_at)"
              " SELECT id, bonus_points, bonus_points - 9, -9, %s, 'restricted', 'x', UTC_TIMESTAMP(6) FROM loyalty.user WHERE id = %s",
              (w.pending, w.poor))
    row = c.lastrowid
    c.execute("UPDATE loyalty.user SET bonus_points = bonus_points - 9 WHERE id = %s", (w.poor,))
    return {"points-history-complete": f"points_history row {row} of reservation {text(w.pending)} takes 9 points"}


def points_row_of_no_reservation(w, c):
    row = w.row(RESERVATION, w.approved, "last")
    c.execute(f"UPDATE {POINTS} SET reservation_id = NULL WHERE id = %s", (w.row(POINTS, w.approved, "first"),))
    return {"points-history-complete": f"reservation_history row {row} of reservation {text(w.approved)} takes 25 points"}


def status_past_the_history(w, c):
    c.execute("UPDATE loyalty.reservation SET status = 'CANCELLED' WHERE id = %s", (w.pending,))
    return {"reservation-history-chain": f"reservation {text(w.pending)} is CANCELLED"}


def step_illegal(w, c):
    row = w.row(RESERVATION, w.rejected, "last")
    c.execute(f"UPDATE {RESERVATION} SET to_status = 'RELEASED' WHERE id = %s", (row,))
    c.execute("UPDATE loyalty.reservation SET status = 'RELEASED' WHERE id = %s", (w.rejected,))
    return {"reservation-history-chain": f"reservation {text(w.rejected)} is RELEASED, its reservation_history rows {row - 1} to {row} say"}


def reservation_row_lost(w, c):
    mail = w.mail(w.withdrawn, "PENDING_APPROVAL")
    c.execute(f"DELETE FROM {RESERVATION} WHERE id = %s", (w.row(RESERVATION, w.withdrawn, "first"),))
    return {"reservation-history-chain": text(w.withdrawn), "outbox-reservations": f"outbox row {mail} of reservation {text(w.withdrawn)}",
            "outbox-order": f"of reservation {text(w.withdrawn)} is PENDING and never due"}


def reservation_row_twice(w, c):
    c.execute(f"INSERT INTO {RESERVATION} (reservation_id, room_id, user_id, from_status, to_status, actor, request_id, changed_at)"
              f" SELECT reservation_id, room_id, user_id, from_status, to_status, actor, request_id, changed_at FROM {RESERVATION} WHERE id = %s",
              (w.row(RESERVATION, w.withdrawn, "last"),))
    return {"reservation-history-chain": text(w.withdrawn), "outbox-reservations": f"reservation_history row {c.lastrowid} "}


def reservation_rows_in_another_order(w, c):
    one, two = w.row(RESERVATION, w.returned, "first"), w.row(RESERVATION, w.returned, "last")
    for was, is_ in ((one, 10 ** 9), (two, one), (10 ** 9, two)):
        c.execute(f"UPDATE {RESERVATION} SET id = %s WHERE id = %s", (is_, was))
    return {"reservation-history-chain": f"rows {one} to {two} say RESERVED>CANCELLED"}


def reservation_without_history(w, c):
    new = w.id()
    c.execute("INSERT INTO loyalty.reservation SELECT %s, user_id, room_id, status, points, created_at, updated_at"
              " FROM loyalty.reservation WHERE id = %s", (new, w.pending))
    return {"reservation-history-chain": f"reservation {text(new)} is PENDING_APPROVAL, but has no reservation_history row"}


def reservation_lost(w, c):
    c.execute("DELETE FROM loyalty.reservation WHERE id = %s", (w.rejected,))
    return {"reservation-history-chain": f"reservation {text(w.rejected)} is not there"}


def reservation_of_nobody(w, c):
    nobody = w.id()
    c.execute(f"UPDATE {RESERVATION} SET user_id = %s WHERE reservation_id = %s", (nobody, w.rejected))
    c.execute("UPDATE loyalty.reservation SET user_id = %s WHERE id = %s", (nobody, w.rejected))
    return {"reservation-references": f"reservation {text(w.rejected)}: user {text(nobody)} is not there"}


def reservation_of_no_room(w, c):
    c.execute("DELETE FROM loyalty.room WHERE id = %s", (w.free,))
    return {"reservation-references": f"reservation {text(w.gratis)}: room {text(w.free)} is not there",
            "room-history-chain": f"room {text(w.free)} is not there"}


def account_lost(w, c):
    c.execute("DELETE FROM loyalty.user WHERE id = %s", (w.rich,))
    return {"reservation-references": f"user {text(w.rich)} is not there", "points-history-chain": f"user {text(w.rich)} is not there",
            "user-history-chain": f"user {text(w.rich)} is not there"}


def price_that_never_was(w, c):
    c.execute("UPDATE loyalty.reservation SET points = 77 WHERE id = %s", (w.pending,))
    return {"reservation-points": f"reservation {text(w.pending)} is PENDING_APPROVAL at 77 points, which room {text(w.a)} has never cost"}


def price_not_paid(w, c):
    c.execute("UPDATE loyalty.reservation SET points = 99 WHERE id = %s", (w.reserved,))
    return {"reservation-points": f"reservation {text(w.reserved)} is RESERVED at 99 points, but room_history row {w.row(ROOM, w.reserved, 'first')}",
            "points-history-complete": text(w.reserved)}


def price_above_the_quoted(w, c):
    c.execute("UPDATE loyalty.reservation SET points = 101 WHERE id = %s", (w.approved,))
    return {"reservation-points": f"reservation {text(w.approved)} is RESERVED at 101 points", "points-history-complete": text(w.approved)}


def mail_lost(w, c):
    row = w.row(RESERVATION, w.reserved, "first")
    c.execute("DELETE FROM loyalty.outbox WHERE id = %s", (w.mail(w.reserved, "RESERVED"),))
    return {"outbox-reservations": f"reservation_history row {row} of reservation {text(w.reserved)} has no outbox row"}


def mail_twice(w, c):
    copy = same_mail(c, w.mail(w.reserved, "RESERVED"))
    return {"outbox-reservations": f"outbox row {copy} of reservation {text(w.reserved)} is of a change that has one already"}


def mail_of_another_request(w, c):
    """The row of one request names the mail of another reservation's."""
    mail, row = w.mail(w.gratis, "RESERVED"), w.row(RESERVATION, w.gratis, "first")
    c.execute(f"UPDATE {RESERVATION} SET mail_id = %s WHERE id = %s", (w.mail(w.reserved, "RESERVED"), row))
    return {"outbox-reservations": f"outbox row {mail} of reservation {text(w.gratis)} has no reservation_history row"}


def mail_of_another_step(w, c):
    mail, row = w.mail(w.rejected, "PENDING_APPROVAL"), w.row(RESERVATION, w.rejected, "last")
    c.execute(f"UPDATE {RESERVATION} SET mail_id = %s WHERE id = %s", (mail, row))
    return {"outbox-reservations": f"outbox row {mail} is of another reservation, room or time than reservation_history row {row} "}


def mail_of_two_steps_at_once(w, c):
    """Nothing but the number is wrong: two rows of one time name one mail."""
    first, last = w.row(RESERVATION, w.rejected, "first"), w.row(RESERVATION, w.rejected, "last")
    c.execute(f"UPDATE {RESERVATION} l JOIN {RESERVATION} f ON f.id = %s SET l.mail_id = f.mail_id, l.changed_at = f.changed_at WHERE l.id = %s", (first, last))
    return {"outbox-reservations": f"reservation_history rows {first} and {last} name the same outbox row"}


def mail_of_another_reservation(w, c):
    mail = w.mail(w.rejected, "REJECTED")
    c.execute("UPDATE loyalty.outbox SET reservation_id = %s WHERE id = %s", (w.withdrawn, mail))
    return {"outbox-reservations": f"outbox row {mail} of reservation {text(w.withdrawn)} has no reservation_history row",
            "outbox-order": f"outbox row {mail} of reservation {text(w.withdrawn)}"}


def mail_of_another_room_or_time(w, c):
    mail = w.mail(w.gratis, "RESERVED")
    c.execute("UPDATE loyalty.outbox SET room_id = %s, created_at = created_at - INTERVAL 1 SECOND WHERE id = %s", (w.a, mail))
    return {"outbox-reservations": f"outbox row {mail} is of another reservation, room or time"}


def points_not_in_the_history(w, c):
    row = w.row(RESERVATION, w.reserved, "first")
    c.execute(f"UPDATE {RESERVATION} SET points = NULL WHERE id = %s", (row,))
    return {"reservation-points": f"but reservation_history row {row} of its change to RESERVED says nothing"}


def points_other_than_in_the_history(w, c):
    row = w.row(RESERVATION, w.approved, "last")
    c.execute(f"UPDATE {RESERVATION} SET points = 26 WHERE id = %s", (row,))
    return {"reservation-points": f"is RESERVED at 25 points, but reservation_history row {row} of its change to RESERVED says 26"}


def room_mail_lost(w, c):
    c.execute(f"SELECT MAX(id) FROM {ROOM} WHERE room_id = %s AND from_archived <> to_archived", (w.b,))
    row, = c.fetchone()
    c.execute(f"DELETE FROM loyalty.outbox WHERE id = (SELECT mail_id FROM {ROOM} WHERE id = %s)", (row,))
    return {"outbox-rooms": f"room_history row {row} of room {text(w.b)} has no outbox row"}


def room_mail_of_another_room(w, c):
    mail = w.stack.value(f"SELECT MIN(mail_id) FROM {ROOM} WHERE room_id = %s", (w.free,))
    c.execute("UPDATE loyalty.outbox SET room_id = %s WHERE id = %s", (w.a, mail))
    return {"outbox-rooms": f"names outbox row {mail}, which is of another room or time"}


def room_mail_of_a_taking(w, c):
    row = w.row(ROOM, w.reserved, "first")
    c.execute(f"UPDATE {ROOM} SET mail_id = 1000000 WHERE id = %s", (row,))
    return {"outbox-rooms": f"room_history row {row} of room {text(w.a)} names outbox row 1000000, but changes nothing"}


def room_mail_twice(w, c):
    mail = w.stack.value(f"SELECT MIN(mail_id) FROM {ROOM} WHERE room_id = %s", (w.free,))
    return {"outbox-rooms": f"outbox row {same_mail(c, mail)} of room {text(w.free)} is of a change that has one already"}


def room_mail_of_nothing(w, c):
    c.execute("SELECT MAX(id) FROM loyalty.outbox WHERE event = 'room' AND room_id = %s", (w.b,))
    mail, = c.fetchone()
    copy = same_mail(c, mail)
    c.execute("UPDATE loyalty.outbox SET created_at = created_at + INTERVAL 1 SECOND WHERE id = %s", (copy,))
    return {"outbox-rooms": f"outbox row {copy} of room {text(w.b)} has no room_history row"}


def pruned_more_than_is_missing(w, c):
    c.execute("REPLACE INTO loyalty.outbox_pruned VALUES (1, 1000000, 3, UTC_TIMESTAMP(6))")
    return {"outbox-pruned": "prune has counted 3 mails, but only 0 changes lack theirs"}


def mail_sent_at_no_time(w, c):
    mail = w.mail(w.reserved, "RESERVED")
    c.execute("UPDATE loyalty.outbox SET sent_at = NULL WHERE id = %s", (mail,))
    return {"outbox-state": f"outbox row {mail} is SENT"}


def mail_without_a_next_attempt(w, c):
    mail = w.mail(w.returned, "RESERVED")
    c.execute("UPDATE loyalty.outbox SET next_attempt_at = NULL WHERE id = %s", (mail,))
    return {"outbox-state": f"outbox row {mail} is PENDING"}


def mail_that_waits_for_nothing(w, c):
    mail = w.mail(w.pending, "PENDING_APPROVAL")
    c.execute("UPDATE loyalty.outbox SET due_at = NULL WHERE id = %s", (mail,))
    return {"outbox-order": f"outbox row {mail} of reservation {text(w.pending)} is PENDING and never due"}


def mail_that_does_not_wait(w, c):
    mail = w.mail(w.returned, "RESERVED")
    c.execute("UPDATE loyalty.outbox SET due_at = next_attempt_at WHERE id = %s", (mail,))
    return {"outbox-order": f"outbox row {mail} of reservation {text(w.returned)} is due"}


def mails_sent_the_wrong_way_round(w, c):
    first, last = w.mail(w.cancelled, "RESERVED"), w.mail(w.cancelled, "CANCELLED")
    c.execute("UPDATE loyalty.outbox SET sent_at = sent_at + INTERVAL 1 HOUR WHERE id = %s", (first,))
    return {"outbox-order": f"outbox row {last} of reservation {text(w.cancelled)} was sent"}


def nobody_changed_points(w, c):
    c.execute(f"SELECT MAX(id) FROM {POINTS} WHERE delta = -7")
    row, = c.fetchone()
    c.execute(f"UPDATE {POINTS} SET actor = '' WHERE id = %s", (row,))
    return {"actor-request": f"points_history row {row} of user {text(w.rich)}"}


def no_request_changed_a_room(w, c):
    c.execute(f"SELECT id FROM {ROOM} WHERE room_id = %s ORDER BY id LIMIT 1, 1", (w.b,))
    row, = c.fetchone()
    c.execute(f"UPDATE {ROOM} SET request_id = ' ' WHERE id = %s", (row,))
    return {"actor-request": f"room_history row {row} of room {text(w.b)}"}


def nobody_is_in_a_mail(w, c):
    row = w.row(RESERVATION, w.pending, "first")
    c.execute(f"UPDATE {RESERVATION} SET actor = '' WHERE id = %s", (row,))
    return {"actor-request": f"reservation_history row {row} of reservation {text(w.pending)}"}


PLANTS = [unit_lost, status_without_its_unit, flag_wrong, amount_negative, room_renamed_past_the_history, room_without_history,
          room_row_begins_elsewhere, room_row_half_a_beginning, room_rows_in_another_order, room_row_lost, room_row_twice,
          room_row_of_two_units, room_row_of_no_reservation, room_row_of_another_request, balance_raised, balance_negative,
          account_with_points_from_nowhere, account_renamed_past_the_history, user_row_begins_elsewhere, erased_account_with_a_name,
          erased_account_with_a_role_and_points, erased_account_with_a_name_in_its_history, erased_account_with_reasons,
          erased_account_with_the_reason_of_a_rejection, erased_account_with_an_open_request, erased_by_nobody, mail_queued_again_by_nobody,
          retry_of_what_was_not_queued_again, points_row_moved, points_row_with_a_wrong_delta, points_row_lost, refunded_twice,
          points_taken_for_what_is_pending, points_row_of_no_reservation, status_past_the_history, step_illegal,
          reservation_row_lost, reservation_row_twice, reservation_rows_in_another_order, reservation_without_history,
          reservation_lost, reservation_of_nobody, reservation_of_no_room, account_lost, price_that_never_was, price_not_paid,
          price_above_the_quoted, mail_lost, mail_twice, mail_of_another_request, mail_of_another_step,
          mail_of_two_steps_at_once, mail_of_another_reservation, mail_of_another_room_or_time, points_not_in_the_history,
          points_other_than_in_the_history, room_mail_lost, room_mail_of_another_room, room_mail_of_a_taking, room_mail_twice, room_mail_of_nothing, pruned_more_than_is_missing, mail_sent_at_no_time, mail_without_a_next_attempt,
          mail_that_waits_for_nothing, mail_that_does_not_wait, mails_sent_the_wrong_way_round, nobody_changed_points,
          no_request_changed_a_room, nobody_is_in_a_mail]


def test_a_sound_system_is_fine(world):
    found = world.audit()
    fine(found)
    checked = {name: n for name, n, _ in found}
    for name, table in (("room-stock", "loyalty.room"), ("balance-sum", "loyalty.user"), ("reservation-points", "loyalty.reservation"),
                        ("room-history-chain", ROOM), ("points-history-chain", POINTS), ("reservation-history-chain", RESERVATION),
                        ("outbox-reservations", RESERVATION), ("outbox-state", "loyalty.outbox")):
        assert checked[name] == world.stack.value(f"SELECT COUNT(*) FROM {table}") > 0, name
    assert checked["outbox-rooms"] >= 5 and checked["outbox-pruned"] == 0


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_each_corruption_is_found(world, plant):
    with by_hand(world) as c:
        expected = plant(world, c)
        found = {name: violations for name, _, violations in world.audit() if violations}
    assert set(found) == set(expected), found
    for name, words in expected.items():
        assert any(words in violation for violation in found[name]), (words, found[name])
    fine(world.audit())


def test_as_many_violations_as_asked_for(world):
    with by_hand(world) as c:
        c.execute("UPDATE loyalty.user SET bonus_points = bonus_points + 1")
        c.execute("UPDATE loyalty.room SET name = 'other', reservable = 1 - reservable")
        c.execute("DELETE FROM loyalty.outbox")
        for most, names in ((1, 1), (2, 2), (0, 0), (-3, 0)):
            found = {name: violations for name, _, violations in world.audit(most)}
            assert all(len(v) <= names for v in found.values()), found
            for name in ("balance-sum", "points-history-chain", "room-bounds", "outbox-reservations", "outbox-rooms"):
                assert len(found[name]) == names, (most, name, found)
        assert all(len(set(v)) == len(v) for _, _, v in world.audit(1000))
        assert world.audit(None)[4][2]


def test_what_was_pruned_is_not_missing(world):
    """E124: the watermark tells what is gone; what is missing beyond it is found."""
    with by_hand(world) as c:
        c.execute("UPDATE loyalty.outbox SET sent_at = sent_at - INTERVAL 31 DAY WHERE status = 'SENT'")
        sent = c.rowcount
        assert sent > 5
        assert call(world.links["prune"], "prune", 4)[0][0] >= 4
        fine(world.audit())
        while call(world.links["prune"], "prune", 4)[0][0]:
            pass
        found = world.audit()
        fine(found)
        assert dict((name, n) for name, n, _ in found)["outbox-pruned"] == sent
        # a mail that nobody has sent, later than all that was pruned
        c.execute("DELETE FROM loyalty.outbox WHERE reservation_id = %s", (world.pending,))
        c.execute(f"UPDATE {RESERVATION} SET changed_at = changed_at + INTERVAL 1 SECOND WHERE reservation_id = %s", (world.pending,))
        found = {name: violations for name, _, violations in world.audit() if violations}
        row = world.row(RESERVATION, world.pending, "first")
        assert set(found) == {"outbox-reservations"} and len(found["outbox-reservations"]) == 1, found
        assert f"reservation_history row {row} of reservation {text(world.pending)} has no outbox row" in found["outbox-reservations"][0]
        assert f"({sent + 1} changes have none, {sent} were pruned)" in found["outbox-reservations"][0]
    fine(world.audit())


def test_staff_may_send_a_dead_mail_out_of_order(world):
    owner, link = world.id(), world.links["notifier"]
    reservation = world.reserve(world.rich, world.a)
    world.do("rooms", "reservation_cancel", reservation)
    claimed = {row[2]: row[0] for row in call(link, "outbox_claim", owner, 100, 60)}
    first = claimed[reservation]
    call(link, "outbox_settle", first, owner, "DEAD", "550 no", 0, None)
    call(link, "outbox_give_back", owner)
    fine(world.audit())
    world.send()
    world.do("admin", "outbox_retry", first)
    fine(world.audit())
    assert world.sql(f"SELECT outbox_id, from_status, to_status, actor, request_id FROM {RETRY} ORDER BY id DESC LIMIT 1") == [
        (first, "DEAD", "PENDING", "restricted", f"world-{world.requests}")]
    world.send()
    rows = world.sql("SELECT status, sent_at FROM loyalty.outbox WHERE reservation_id = %s ORDER BY id", (reservation,))
    assert [row[0] for row in rows] == ["SENT", "SENT"] and rows[0][1] > rows[1][1]
    fine(world.audit())


def test_audits_while_the_system_runs(world):
    """20 audits in a row, each of one instant, while all kinds of changes are made."""
    stop, errors, done = threading.Event(), [], [0] * 5

    def client(n):
        links = {name: world.stack.service_db(name) for name in ("rooms", "points", "admin", "notifier")}
        user = [world.rich, world.poor][n % 2]
        try:
            while not stop.is_set():
                def do(account, name, *args):
                    rows = call(links[account], name, "public", f"w-{n}-{done[n]}", None, None, *args)
                    assert rows[0][0] == 0 or rows[0][0].startswith(REFUSED), rows
                    done[n] += 1
                if n == 4:
                    owner = world.id()
                    for row in call(links["notifier"], "outbox_claim", owner, 5, 60):
                        call(links["notifier"], "outbox_settle", row[0], owner, "SENT", None, 0, None)
                    do("admin", "room_change", world.a, None, 9 + done[n] % 5, None, None, *[None] * 5)
                    continue
                reservation = world.id()
                do("points", "points_adjust", user, 1 + n, "more")
                do("rooms", "reservation_create", reservation, world.a, user)
                do("admin", "reservation_approve", reservation, 5)
                do("rooms" if n < 2 else "admin", "reservation_cancel" if n < 2 else "reservation_release", reservation)
                do("rooms", "reservation_cancel", reservation)
        except Exception as e:
            errors.append(e)
        finally:
            for link in links.values():
                link.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(5)]
    for t in threads:
        t.start()
    try:
        seen = []
        for _ in range(20):
            found = world.audit()
            fine(found)
            seen.append(dict((name, n) for name, n, _ in found)["room-history-chain"])
            time.sleep(0.05)
    finally:
        stop.set()
        for t in threads:
            t.join(30)
    assert not errors, errors
    assert all(done), done
    assert seen == sorted(seen) and len(set(seen)) > 10, seen
    fine(world.audit())


def test_it_waits_for_no_lock(world):
    holder = world.stack.db(autocommit=False)
    try:
        with holder.cursor() as c:
            for table in TABLES:
                c.execute(f"SELECT COUNT(*) FROM {table} FOR UPDATE")
            begun = time.monotonic()
            fine(world.audit())
            assert time.monotonic() - begun < 10
        holder.rollback()
    finally:
        holder.close()


def test_it_leaves_the_session_as_it_was(world):
    link = world.links["admin"]
    with link.cursor() as c:
        c.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        fine(results(link))
        assert world.stack.session(link) == (0, "READ-COMMITTED", "OFF")
        # and so after an error
        world.sql("RENAME TABLE loyalty.outbox_pruned TO loyalty.outbox_away")
        try:
            with pytest.raises(pymysql.err.MySQLError) as e:
                results(link)
            assert e.value.args[0] == 1146
        finally:
            world.sql("RENAME TABLE loyalty.outbox_away TO loyalty.outbox_pruned")
        assert world.stack.session(link) == (0, "READ-COMMITTED", "OFF")
    fine(results(link))


def test_only_the_admin_service_may_audit(world):
    for account in ("rooms", "points", "notifier", "prune"):
        with pytest.raises(pymysql.err.MySQLError) as e, world.links[account].cursor() as c:
            c.execute("CALL loyalty.audit(1)")
        assert e.value.args[0] in (1044, 1142, 1370)
    with pytest.raises(pymysql.err.MySQLError), world.links["admin"].cursor() as c:
        c.execute("SELECT COUNT(*) FROM loyalty.outbox_mail")
