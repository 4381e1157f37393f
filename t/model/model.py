"""The contract as a program: what the API promises, and nothing of how it is done.

Pure functions over immutable states.  A *decision* takes the request and the states of the room, the
user and the reservation that it is about (None: there is none) and gives an Outcome: the answer, and
what these become.  History rows and mails follow from before and after alone: `history_rows`.

Two callers.  World (below) holds the one current state of everything and steps through a sequence:
each answer is determined.  clients.py knows several states that might have been current and asks
whether any of them explains the answer.

Ids and times that the server chooses come in as `given`: what it answered, once its form was checked.
"""

import json
import re
from collections import namedtuple

BALANCE_LIMIT = 2 ** 53 - 1
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")

Room = namedtuple("Room", "id name total available price archived")
User = namedtuple("User", "id name role balance erased", defaults=(False,))
Reservation = namedtuple("Reservation", "id room user status points created updated")
Mail = namedtuple("Mail", "event status attempts subject reservation room request_id")
Given = namedtuple("Given", "id at")

# status and problem: of the answer; problem may be a tuple: the contract leaves open which of them it is
# body: the JSON value, for a success; says: strings that the detail of a refusal has to contain
# room, user, reservation: what they become; None where they stay
Outcome = namedtuple("Outcome", "status problem body says pointers room user reservation location")


def done(status, body, room=None, user=None, reservation=None, location=None):
    return Outcome(status, None, body, (), (), room, user, reservation, location)


def refused(status, *problem, says=(), pointers=()):
    return Outcome(status, problem, None, tuple(str(s) for s in says), tuple(pointers), None, None, None, None)


# -- shapes: each entity has one, wherever it appears ------------------------------------------------


def text(value):
    """The bytes that stand for this value; members in the order of the contract."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def room_shape(r):
    return {"id": r.id, "name": r.name, "available_amount": r.available, "required_points": r.price}


def user_shape(u):
    return {"id": u.id, "name": u.name, "role": u.role}


def reservation_shape(v, room, user):
    return {"id": v.id, "status": v.status, "points": v.points, "room": room_shape(room), "user": user_shape(user),
            "created_at": v.created, "updated_at": v.updated}


def account_shape(u):
    return {"user": user_shape(u), "bonus_points": u.balance}


def admin_room_shape(r):
    return {"room": room_shape(r), "total_amount": r.total, "archived": r.archived}


def user_state(u):
    return {"name": u.name, "role": u.role}


def room_state(r):
    return {"name": r.name, "total_amount": r.total, "available_amount": r.available, "required_points": r.price,
            "archived": r.archived}


# -- decisions: rooms, reservations, points ------------------------------------------------------------


def room_get(q, room, user, reservation, given):
    if room is None or room.archived:
        return refused(404, "room-not-found")
    return done(200, room_shape(room))


def reservation_create(q, room, user, reservation, given):
    gone = room is None or room.archived
    if user is None or user.erased:
        return refused(404, "user-not-found", *(["room-not-found"] if gone else []))
    if gone:
        return refused(404, "room-not-found")
    if room.available == 0:
        return refused(409, "sold-out")
    if user.balance >= room.price:
        room = room._replace(available=room.available - 1)
        user = user._replace(balance=user.balance - room.price)
        status = "RESERVED"
    else:
        status = "PENDING_APPROVAL"
    new = Reservation(given.id, room.id, user.id, status, room.price, given.at, given.at)
    return done(201, reservation_shape(new, room, user), room, user, new, f"/v1/reservations/{new.id}")


def reservation_get(q, room, user, reservation, given):
    if reservation is None:
        return refused(404, "reservation-not-found")
    return done(200, reservation_shape(reservation, room, user))


def transition(reservation, room, user, given, status, **change):
    new = reservation._replace(status=status, updated=given.at, **change)
    return done(200, reservation_shape(new, room, user), room, user, new)


def reservation_cancel(q, room, user, reservation, given):
    if reservation is None:
        return refused(404, "reservation-not-found")
    if reservation.status == "RESERVED":
        if user.balance + reservation.points > BALANCE_LIMIT:
            return refused(409, "balance-limit")
        room = room._replace(available=room.available + 1)
        user = user._replace(balance=user.balance + reservation.points)
    elif reservation.status != "PENDING_APPROVAL":
        return refused(409, "invalid-transition", says=[reservation.status])
    return transition(reservation, room, user, given, "CANCELLED")


def reservation_approve(q, room, user, reservation, given):
    if reservation is None:
        return refused(404, "reservation-not-found")
    if reservation.status != "PENDING_APPROVAL":
        return refused(409, "invalid-transition", says=[reservation.status])
    take = q.args["points"] if q.args["points"] is not None else reservation.points
    if take > reservation.points:
        return refused(422, "validation", pointers=["/points"])
    if room.archived or room.available == 0:
        return refused(409, "sold-out")
    if user.balance < take:
        return refused(409, "insufficient-points", says=[take - user.balance])
    room = room._replace(available=room.available - 1)
    user = user._replace(balance=user.balance - take)
    return transition(reservation, room, user, given, "RESERVED", points=take)


def reservation_reject(q, room, user, reservation, given):
    if reservation is None:
        return refused(404, "reservation-not-found")
    if reservation.status != "PENDING_APPROVAL":
        return refused(409, "invalid-transition", says=[reservation.status])
    return transition(reservation, room, user, given, "REJECTED")


def reservation_release(q, room, user, reservation, given):
    if reservation is None:
        return refused(404, "reservation-not-found")
    if reservation.status != "RESERVED":
        return refused(409, "invalid-transition", says=[reservation.status])
    return transition(reservation, room._replace(available=room.available + 1), user, given, "RELEASED")


def points_get(q, room, user, reservation, given):
    if user is None:
        return refused(404, "user-not-found")
    return done(200, account_shape(user))


def points_adjust(q, room, user, reservation, given):
    if user is None or user.erased:
        return refused(404, "user-not-found")
    amount = q.args["amount"]
    balance = user.balance + amount
    if balance < 0:
        return refused(409, "insufficient-points", says=[-balance])
    if balance > BALANCE_LIMIT:
        return refused(409, "balance-limit")
    return done(201, {"user": user_shape(user), "amount": amount, "bonus_points": balance},
                user=user._replace(balance=balance))


# -- decisions: staff ------------------------------------------------------------------------------------


def condition_fails(q, there):
    """Of If-Match and If-None-Match (conditions of "*", or of tags that nothing has)."""
    for name, value in q.extra:
        if name == "If-Match" and not (value == "*" and there) or name == "If-None-Match" and value == "*" and there:
            return True
    return False


def user_put(q, room, user, reservation, given):
    if user is not None and user.erased:
        return refused(404, "user-not-found")
    if condition_fails(q, user is not None):
        return refused(412, "precondition-failed")
    name, role = q.args["name"], q.args["role"]
    new = User(q.user, name, role, 0) if user is None else user._replace(name=name, role=role)
    return done(201 if user is None else 200, account_shape(new), user=new)


def user_erase(q, room, user, reservation, given):
    """World.outcome has looked for what is RESERVED; World.erase does the rest."""
    if user is None:
        return refused(404, "user-not-found")
    erased = User(user.id, "Erased", "USER", 0, True)
    return done(200, account_shape(erased), user=erased)


def admin_room_get(q, room, user, reservation, given):
    if room is None:
        return refused(404, "room-not-found")
    return done(200, admin_room_shape(room))


def room_create(q, room, user, reservation, given):
    if room is not None:
        return refused(409, "room-exists")
    a = q.args
    new = Room(given.id, a["name"], a["total_amount"], a["total_amount"], a["required_points"], False)
    return done(201, admin_room_shape(new), room=new, location=f"/v1/admin/rooms/{new.id}")


def room_change(q, room, user, reservation, given):
    if room is None:
        return refused(404, "room-not-found")
    if condition_fails(q, True):
        return refused(412, "precondition-failed")
    a = q.args
    reserved = room.total - room.available
    total = a.get("total_amount", room.total)
    if total < reserved:
        return refused(409, "stock-below-reserved", says=[total, reserved])
    new = Room(room.id, a.get("name", room.name), total, total - reserved, a.get("required_points", room.price),
               a.get("archived", room.archived))
    return done(200, admin_room_shape(new), room=new)


DECISIONS = {f.__name__: f for f in (
    room_get, reservation_create, reservation_get, reservation_cancel, reservation_approve, reservation_reject,
    reservation_release, points_get, points_adjust, user_put, user_erase, admin_room_get, room_create, room_change)}
ACCOUNT_GET = {"user_get": points_get}  # the same answer, at another path
DECISIONS.update(ACCOUNT_GET)


def is_kept(status):
    """Is an answer kept under its Idempotency-Key?"""
    return 200 <= status < 300 or status == 409


# -- what follows from a change -----------------------------------------------------------------------------


def history_rows(q, before, after):
    """{stream: row} of one change; without id and changed_at, which the server chooses.

    before, after: (room, user, reservation)."""
    rows = {}
    (room, user, reservation), (room_, user_, reservation_) = before, after
    tail = {"actor": q.actor, "request_id": q.request_id}
    about = reservation_.id if reservation_ is not None else None
    if room_ is not None and room_ != room:
        rows["rooms"] = {"room_id": room_.id, "reservation_id": about, "from": room and room_state(room),
                         "to": room_state(room_), **tail}
    if reservation_ is not None and reservation_ != reservation:
        rows["reservations"] = {"reservation_id": about, "room_id": reservation_.room, "user_id": reservation_.user,
                                "from": reservation and reservation.status, "to": reservation_.status, "points": reservation_.points,
                                "reason": q.args.get("reason") if q.kind == "reservation_reject" else None, **tail}
    if user_ is not None and (user is None or user_state(user_) != user_state(user)):
        rows["users"] = {"user_id": user_.id, "from": user and user_state(user), "to": user_state(user_), "reason": None, **tail}
    if user_ is not None and user_.balance != (user.balance if user else 0):
        was = user.balance if user else 0
        rows["points"] = {"user_id": user_.id, "from": was, "to": user_.balance, "delta": user_.balance - was,
                          "reason": q.args.get("reason") if q.kind == "points_adjust" else None,
                          "reservation_id": about, **tail}
    return rows


def mail_of(q, rows, room, user, begun=None):
    """The mail that this change leads to, or None.  subject: what its text has to name; begun: what the subject of the reservation's first
    mail names, if this one is not it."""
    if "reservations" in rows:
        row = rows["reservations"]
        return Mail("reservation", "PENDING", 0, begun or (room.name, user.name), row["reservation_id"], room.id,
                    q.request_id)
    if "rooms" in rows:
        was, is_ = rows["rooms"]["from"], rows["rooms"]["to"]
        if was is None or (was["total_amount"], was["archived"]) != (is_["total_amount"], is_["archived"]):
            return Mail("room", "PENDING", 0, (room.name,), None, room.id, q.request_id)
    return None


# -- the one current state, for sequences ---------------------------------------------------------------------


class World:
    def __init__(self):
        self.rooms, self.users, self.reservations = {}, {}, {}
        self.kept = {}  # scope of an Idempotency-Key: (body of the request, status, body of the answer, location)
        self.history = {"rooms": [], "reservations": [], "points": [], "users": []}  # oldest first
        self.mails = []  # oldest first

    def states(self, q):
        reservation = self.reservations.get(q.reservation)
        room = self.rooms.get(reservation.room if reservation else q.room)
        user = self.users.get(reservation.user if reservation else q.user)
        return room, user, reservation

    def outcome(self, q, given):
        """What has to be answered to q; "replay", with the record, or an Outcome.  Changes nothing."""
        if q.idem is not None and q.scope in self.kept:
            record = self.kept[q.scope]
            return record if record[0] == (q.body or b"") else refused(422, "idempotency-key-reused")
        held = sum(v.user == q.user and v.status == "RESERVED" for v in self.reservations.values()) if q.kind == "user_erase" else 0
        if held:
            return refused(409, "user-has-reservations", says=[held])
        return DECISIONS[q.kind](q, *self.states(q), given)

    def begun(self, reservation):
        """What the subject of a reservation's first mail names, and with it that of all its mails; None: there is none yet."""
        return next((e["mail"].subject for e in self.mails if e["mail"].reservation == reservation), None)

    def erase(self, q, erased, at):
        """What an erasure does to everything else; at: when."""
        user, tail = self.users[q.user], {"actor": q.actor, "request_id": q.request_id, "changed_at": at}
        own = [v for _, v in sorted(self.reservations.items()) if v.user == user.id]
        for v in own:
            if v.status != "PENDING_APPROVAL":
                continue
            self.reservations[v.id] = v._replace(status="CANCELLED", updated=at)
            self.history["reservations"].append({"id": None, "reservation_id": v.id, "room_id": v.room, "user_id": user.id,
                                                 "from": v.status, "to": "CANCELLED", "points": v.points, "reason": None, **tail})
            self.mails.append({"id": None, "mail": Mail("reservation", "PENDING", 0, self.begun(v.id), v.id, v.room, q.request_id), "at": at,
                               "error": None, "sent": False})
        for row in self.history["reservations"] + self.history["points"]:
            if row["user_id"] == user.id:
                row["reason"] = None
        for e in self.mails:
            if e["mail"].reservation in {v.id for v in own}:
                e["mail"], e["error"] = e["mail"]._replace(subject=(e["mail"].subject[0], "Erased")), None
        if user.balance:
            self.history["points"].append({"id": None, "user_id": user.id, "from": user.balance, "to": 0, "delta": -user.balance,
                                           "reason": "Erased", "reservation_id": None, **tail})
        self.history["users"].append({"id": None, "user_id": user.id, "from": user_state(user), "to": user_state(erased),
                                      "reason": q.args["reason"], **tail})
        for row in self.history["users"]:
            if row["user_id"] == user.id:
                row["from"], row["to"] = row["from"] and {**row["from"], "name": "Erased"}, {**row["to"], "name": "Erased"}
        self.users[user.id] = erased

    def apply(self, q, outcome, answer):
        """Take over what was answered; the history rows that it makes, with what is known of them."""
        if q.kind == "user_erase" and outcome.user is not None and not self.users[q.user].erased:
            self.erase(q, outcome.user, q.at)
        before = self.states(q)
        after = tuple(new if new is not None else old
                      for new, old in zip((outcome.room, outcome.user, outcome.reservation), before))
        rows = history_rows(q, before, after)
        mail = mail_of(q, rows, after[0], after[1], after[2] and self.begun(after[2].id))
        for stream, row in rows.items():
            at = outcome.reservation.updated if outcome.reservation else None
            self.history[stream].append({"id": None, **row, "changed_at": at})
        if mail:
            self.mails.append({"id": None, "mail": mail, "at": outcome.reservation.updated if outcome.reservation else None,
                               "error": None, "sent": False})
        if outcome.room is not None:
            self.rooms[outcome.room.id] = outcome.room
        if outcome.user is not None:
            self.users[outcome.user.id] = outcome.user
        if outcome.reservation is not None:
            self.reservations[outcome.reservation.id] = outcome.reservation
        if q.idem is not None and q.method == "POST" and is_kept(outcome.status):
            self.kept[q.scope] = (q.body or b"", answer.status, answer.body, answer.header("location"))
