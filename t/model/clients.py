"""Several clients at once: the answers have to be explained, object by object.

Each room, account, balance and reservation has a *chain* of versions, which the history rows tell: the server
gives their ids while it holds the lock on the object, so ids of one object are in the order of its
changes.  Each row names the request that made it.  From outside it is known of each request when it
was sent and when its answer was there; it took effect somewhere in between.  So version k of an object
*may have been current* for a request where the request that made k was sent before the answer to this
one came, and the one that made k + 1 was not answered yet when this one was sent.

What has to hold (each line is true of every correct system, so there are no false alarms):

1.  A chain has no gap: each row begins where the one before ended, and the last one ends at what the
    lists say at the end.  (A lost update breaks this, or one of the next.)
2.  For each request there is a choice of versions - of what it has changed exactly the version before
    its own, of what it has only read any that may have been current - from which model.py decides
    exactly this answer, byte for byte, and exactly these history rows and this mail: no more, no fewer.
    (Double effects have a row too many; a decision on stale data has no version that explains it, unless
    that version may have been current.)
3.  Of the requests under one Idempotency-Key at most one was decided; the others have its bytes, marked,
    or 422 with another body; none was decided anew once the first had been answered.
4.  There are instants, each between sending and answer, that put all changes into one order which
    agrees with every chain: with 1 and 2, one order explains everything that was changed.
    A request whose fate is unknown (no answer, or 503; sequences with faults have those) is sent again where
    that is safe, under its key, and belongs to the first time; where it is not, nobody will ever know: what
    it has left in the histories has to be what it would have done at some time after it was sent, and if it
    has left nothing, nothing may have come of it.
5.  A list has what stood throughout, and nothing that never stood while it was read; nothing twice.
    Rows of history never change.

Reads and refusals are judged object by object, not all in one order (4): the contract does not promise
that what one request reads without locks is of one instant with all the rest.

The clients share rooms, users, keys and reservations; few of each, so that they collide.  Now and then they
meet, and all do the same at the same instant, half of the times under the same key.  Setting up is
done by one client and compared exactly.  What is not repeatable here is the timing: a failing seed
gives the same plans again, not the same interleaving; replay it a few times.
"""

import threading
import time
from copy import copy
from itertools import product
from urllib.parse import quote

from model import DECISIONS, Given, Outcome, Reservation, Room, User, account_shape, history_rows, is_kept, mail_of, \
    reservation_shape, room_shape, admin_room_shape, text, user_state
from operations import STREAMS, Request, plan
from sequence import as_at_first, expect, fold, given_of, Mismatch, Player, problem_fits, success_fits


class Op:
    """A request and its answer, and what it has left in the histories."""

    def __init__(self, q, a):
        self.q, self.a = q, a
        self.began, self.ended = a.began, a.ended
        self.rows = {}
        self.mails = None  # where it was done more than once, this time's

    def __repr__(self):
        return f"{self.began:.6f} to {self.ended:.6f}: {self.q}\n        -> {self.a}\n        rows: {self.rows}"


class Client(Player):
    """Plays steps, and only writes down what is answered."""

    def __init__(self, shared, number, connection):
        super().__init__(shared.u, connection)
        self.shared, self.number = shared, number
        self.known, self.maker = shared.known, shared.maker
        self.since = shared.since
        self.lists = []
        self.settled = []
        self.error = None

    def send(self, q):
        return super().send(q, f"{self.number}-")

    @staticmethod
    def needs_key(q):
        """What the judge has to know the answer of."""
        return q.kind in ("room_create", "outbox_retry")

    @staticmethod
    def may_repeat(q):
        return q.method in ("GET", "HEAD") or q.idem is not None or q.fixed is not None

    def judge(self, q, a):
        if a.status in (200, 201) and q.kind.startswith("reservation_") and q.method != "HEAD":
            body = a.json
            self.known.reservations[body["id"]] = body["status"]
        if q.kind == "room_create" and q.room is None and a.status == 201 and not a.replayed:
            self.known.made.append(a.json["room"]["id"])

    def one(self, q, s):
        if q.fixed is not None:
            return super().one(q, s)
        if q.idem is not None:
            self.known.keyed.append(q.copy())  # before the answer: the others may repeat it meanwhile
        self.judge(q, self.send(q))

    def settle(self, s):
        ids = [i for i, status in list(self.known.mails.items()) if status == "PENDING"]
        if not ids:
            return
        id_ = ids[-1 - int(s["dice"] ** 2 * len(ids))]
        with self.shared.lock:
            done = self.u.notifier.settle(id_, s["outcome"], "451 try again" if s["outcome"] != "SENT" else None)
        if done:
            self.settled.append((id_, s["outcome"]))
            if s["outcome"] != "RETRY":
                self.known.mails[id_] = s["outcome"]

    # -- lists: read now, judged when everything is known ---------------------------------------------

    def record(self, kind, s, target, end, key="restricted"):
        began = time.monotonic()
        items, complete, q = self.walk(target, s["limit"], s["pages"], s["actor"], key, end)
        self.lists.append((kind, s, q, items, complete, began, time.monotonic()))
        return items

    def by_prefix(self, item):
        return self.id_of(item)[:8] > self.u.prefix

    def room_list(self, s):
        query = ["available=true"] if s["filter"] < 0.5 else []
        self.record("room_list", s, "/v1/rooms" + self.asked(s, query), self.by_prefix, s["key"])

    def admin_room_list(self, s):
        self.record("admin_room_list", s, "/v1/admin/rooms" + self.asked(s, []), self.by_prefix)

    @staticmethod
    def asked(s, query):
        if s["style"] & 4:
            query.append("q=" + quote(s["part"], safe=""))
        if s["max_points"] is not None:
            query.append(f"max_points={s['max_points']}")
        return "?" * bool(query) + "&".join(query)

    def user_list(self, s):
        self.record("user_list", s, "/v1/admin/users", self.by_prefix)

    def reservation_list(self, s):
        query = []
        if s["key"] == "public" or s["filter"] < 0.7:
            s["user_id"] = self.maker.user_id(s["user"])
            query.append("user_id=" + s["user_id"])
        if s["style"] & 2:
            query.append("status=" + s["status"])
        for item in self.record("reservation_list", s, "/v1/reservations" + ("?" + "&".join(query) if query else ""),
                                self.old("created_at"), s["key"]):
            if item["room"]["id"].startswith(self.u.prefix):
                self.known.reservations[item["id"]] = item["status"]

    def history(self, s):
        query, name = "", STREAMS[s["stream"]]
        if s["filter"] < 0.6:
            s["only"] = {"room_id": lambda: self.maker.room_id(s["room"]), "user_id": lambda: self.maker.user_id(s["user"]),
                         "reservation_id": lambda: self.maker.reservation_id(s)}[name]()
            query = f"?{name}={s['only']}"
        self.record("history", s, f"/v1/admin/history/{s['stream']}{query}", self.old("changed_at"))

    def outbox_list(self, s):
        query = f"?status={s['mail']}" if s["filter"] < 0.5 else ""
        for item in self.record("outbox", s, "/v1/admin/outbox" + query, self.old("created_at")):
            if item["request_id"].startswith(self.u.tag + "."):
                self.known.mails[item["id"]] = item["status"]

    def run(self, steps):
        try:
            for s in steps:
                if "meet" in s:
                    self.shared.barrier.wait(120)
                self.step(s)
        except threading.BrokenBarrierError:
            pass  # another has failed
        except BaseException as e:
            self.error = e
        finally:
            if self.error is not None:
                self.shared.barrier.abort()


class Judge:
    """All that was answered, and all that there is at the end."""

    def __init__(self, player, clients):
        self.player, self.clients = player, clients
        self.u = player.u
        self.ops = [Op(q, a) for c in [player, *clients] for q, a in c.log
                    if q.fixed is None and q.kind not in ("list", "rich", "audit")]
        if player.rich_request is not None:
            self.ops.append(Op(player.rich_request, player.rich_request))
        self.by_request = {op.q.request_id: op for op in self.ops}

    # -- what there is at the end ----------------------------------------------------------------------

    def read(self):
        """Everything, by one client, with nobody else about."""
        p = self.player

        def walk(target, end):
            return p.walk(target, 200, 1000, None, end=end)[0]

        def by_prefix(item):
            return p.id_of(item)[:8] > self.u.prefix

        since = p.start_text()
        self.rows = {stream: walk(f"/v1/admin/history/{stream}?since={since}", None) for stream in STREAMS}
        made = {op.a.json["room"]["id"] for op in self.ops
                if op.q.kind == "room_create" and op.a.status == 201 and (self.u.patience or not op.a.replayed)}
        self.own_rooms = made
        self.rooms = {r["room"]["id"]: r for r in walk("/v1/admin/rooms", by_prefix) if r["room"]["id"].startswith(self.u.prefix)}
        for id_ in made - set(self.rooms):
            q = Request("admin_room_get", "restricted", "GET", f"/v1/admin/rooms/{id_}")
            a = p.send(q)
            expect(a.status == 200, "a room is gone", q, a)
            self.rooms[id_] = a.json
        self.users = {u["user"]["id"]: u for u in walk("/v1/admin/users", by_prefix) if u["user"]["id"].startswith(self.u.prefix)}
        self.reservations = {v["id"]: v for v in walk("/v1/reservations", p.old("created_at")) if v["room"]["id"] in made}
        self.mails = {m["id"]: m for m in walk("/v1/admin/outbox", p.old("created_at")) if m["room_id"] in made}
        self.rows["rooms"] = [r for r in self.rows["rooms"] if r["room_id"] in made]
        self.rows["reservations"] = [r for r in self.rows["reservations"] if r["room_id"] in made]
        for stream in ("points", "users"):
            self.rows[stream] = [r for r in self.rows[stream] if r["user_id"].startswith(self.u.prefix)]
        expect(set(self.rooms) == made, "rooms that nobody made, or that are gone", set(self.rooms) ^ made)

    # -- 1: chains ---------------------------------------------------------------------------------------

    def chains(self):
        self.room, self.balance, self.reservation = {}, {}, {}
        self.register = {}  # of a user: (name, role, op) of every PUT
        self.before = {}  # (stream, id of a row): who made it, where the request made others later
        for stream, rows in self.rows.items():
            rows.sort(key=lambda row: row["id"])
            for row in rows:
                op = self.by_request.get(row["request_id"])
                expect(op is not None, "a row of no request", row)
                if stream in op.rows:
                    expect(self.u.patience and op.q.method in ("PUT", "PATCH"), "two rows of one request", op, row)
                    self.done_before(stream, op)
                op.rows[stream] = row
        for op in self.ops:
            row = op.rows.get("users")
            if op.q.kind == "user_put" and (op.a.status in (200, 201) or self.u.patience and row):
                self.register.setdefault(op.q.user, []).append((op.q.args["name"], op.q.args["role"], op))
                if op.a.status == 201 or self.u.patience and row and row["from"] is None:
                    expect(op.q.user not in self.balance, "one account made twice", op, self.balance.get(op.q.user))
                    self.balance[op.q.user] = [(0, op)]
        for row in self.rows["rooms"]:
            to = row["to"]
            chain = self.room.setdefault(row["room_id"], [])
            was = chain[-1][0] if chain else None
            new = Room(row["room_id"], to["name"], to["total_amount"], to["available_amount"], to["required_points"], to["archived"])
            expect(row["from"] == (was and {"name": was.name, "total_amount": was.total, "available_amount": was.available,
                                            "required_points": was.price, "archived": was.archived}),
                   f"a row that does not begin where the room was: {was}", row)
            chain.append((new, self.before.get(("rooms", row["id"])) or self.by_request[row["request_id"]]))
        for row in self.rows["points"]:
            chain = self.balance.get(row["user_id"])
            expect(chain and chain[-1][0] == row["from"], f"a row that does not begin where the balance was", row, chain and chain[-1])
            chain.append((row["to"], self.by_request[row["request_id"]]))
        state = {}
        for row in self.rows["users"]:
            expect(row["from"] == state.get(row["user_id"]), "a row that does not begin where the account was", row)
            state[row["user_id"]] = row["to"]
        for id_, r in self.rooms.items():
            want = self.room.get(id_, [(None, None)])[-1][0]
            expect(want is not None and text(r) == text(admin_room_shape(want)), f"room {id_} is not where its history ends", r, want)
        expect(set(self.users) == set(self.balance), "accounts that nobody made, or that are gone",
               set(self.users) ^ set(self.balance))
        for id_, u in self.users.items():
            expect(u["bonus_points"] == self.balance[id_][-1][0], f"balance of {id_} is not where its history ends", u,
                   self.balance[id_][-1])
            expect(user_state(User(**u["user"], balance=0)) == state.get(id_), f"account {id_} is not where its history ends", u, state.get(id_))

    def done_before(self, stream, op):
        """A service that lost the database's answer asks again what says what shall be, and another may have changed it in between: what was done
        the first time was a request of its own, whose answer nobody had."""
        lost = copy(op.a)
        lost.status = 0
        earlier = Op(op.q, lost)
        earlier.rows, op.rows = op.rows, {}
        self.before[stream, earlier.rows[stream]["id"]] = earlier
        self.ops.append(earlier)

    # -- what may have been current ------------------------------------------------------------------------

    @staticmethod
    def loose(chain, began, ended):
        """Versions that may have been current at some time from began to ended; None: not there yet."""
        if not chain:
            return [None]
        out = [None] if chain[0][1].ended > began else []
        for k, (state, op) in enumerate(chain):
            if op.began < ended and (k + 1 == len(chain) or chain[k + 1][1].ended > began):
                out.append(state)
        return out

    def names(self, user, began, ended):
        """(name, role) that may have been the account's."""
        puts = self.register.get(user, [])
        return {(n, r) for n, r, op in puts if op.began < ended
                and not any(op.ended < other.began and other.ended < began for _, _, other in puts)}

    def user_states(self, id_, op):
        """Users as op may have found them."""
        chain = self.balance.get(id_, [])
        row = op.rows.get("points")
        balances = [row["from"]] if row else self.loose(chain, op.began, op.ended)
        out = [None] if None in balances else []
        return out + [User(id_, n, r, b) for b in balances if b is not None for n, r in self.names(id_, op.began, op.ended)]

    def room_states(self, id_, op):
        chain = self.room.get(id_, [])
        if "rooms" in op.rows:
            return [next(((chain[k - 1][0] if k else None) for k, (_, by) in enumerate(chain) if by is op), None)]
        return self.loose(chain, op.began, op.ended)

    def first_mail(self, op, reservation):
        """Of a reservation that was made before op: its first mail, whose subject all have; else None."""
        mails = self.mails_of_reservation.get(reservation.id, []) if reservation is not None else []
        return mails[0] if mails and mails[0]["request_id"] != op.q.request_id else None

    # -- 2: each answer ----------------------------------------------------------------------------------------

    def explain(self, op, reservations):
        """The reservation as op left it; fails where no choice of versions explains op."""
        q, a = op.q, op.a
        last = next((v for v in reservations if v is not None), None)
        room, user = (last.room, last.user) if last else (q.room, q.user)
        given = given_of(q, a)
        if a.status == 0 and "reservations" in op.rows:
            given = Given(op.rows["reservations"]["reservation_id"], op.rows["reservations"]["changed_at"])
        if q.kind == "room_create" and room is None:
            room = given.id
        rows = {stream: {k: v for k, v in row.items() if k not in ("id", "changed_at")} for stream, row in op.rows.items()}
        why = None
        rooms, users = self.room_states(room, op), self.user_states(user, op)
        for state in product(rooms, users, reservations):
            if state[2] is not None and (state[0] is None or state[1] is None):
                continue
            try:
                outcome = DECISIONS[q.kind](q, *state, given)
                was = as_at_first(q, a, outcome) if self.u.patience else a
                if a.status == 0:
                    pass
                elif outcome.problem:
                    problem_fits(q, was, outcome)
                    expect(not was.replayed, "marked as replayed", q)
                else:
                    success_fits(q, was, outcome)
                after = tuple(new if new is not None else old for new, old in
                              zip((outcome.room, outcome.user, outcome.reservation), state))
                want = history_rows(q, state, after)
                expect(rows == want, "other history rows", rows, want)
                first = self.first_mail(op, after[2])
                mail = mail_of(q, want, after[0], after[1], first and (first["subject"],))
                mails = self.mails_of.get(q.request_id, []) if op.mails is None else op.mails
                expect(len(mails) == (mail is not None), f"{len(mails)} mails", q, mails)
                if mail:
                    m = mails[0]
                    # a room that wasn't changed wasn't locked: the mail may have read another version than the answer
                    names = {mail.subject[0]} | {r.name for r in rooms if r is not None and first is None and "rooms" not in want}
                    expect((m["event"], m["reservation_id"], m["room_id"]) == (mail.event, mail.reservation, mail.room)
                           and all(part in m["subject"] for part in mail.subject[1:])
                           and any(name in m["subject"] for name in names), "another mail", m, mail)
                return outcome.reservation
            except Mismatch as e:
                why = e
        raise Mismatch(f"no state of things explains this\n    {op}" + "".join(
            f"\n    {what}: {states}" for what, states in (("room", rooms), ("user", users), ("reservation", reservations)))
            + f"\n    e.g. {why}")

    def answers(self):
        self.mails_of, self.mails_of_reservation = {}, {}
        for _, m in sorted(self.mails.items()):
            self.mails_of.setdefault(m["request_id"], []).append(m)
            self.mails_of_reservation.setdefault(m["reservation_id"], []).append(m)
        for earlier in self.before.values():  # in the order of their rows
            left = self.mails_of.get(earlier.q.request_id, [])
            earlier.mails, left[:1] = left[:1], []
        decided = self.keys()
        explained = set()
        for row in self.rows["reservations"]:
            op = self.by_request[row["request_id"]]
            chain = self.reservation.setdefault(row["reservation_id"], [])
            was = chain[-1][0] if chain else None
            expect(op in decided, "a replay with an effect", op)
            new = self.explain(op, [was])
            expect(isinstance(new, Reservation) and new.id == row["reservation_id"], "a row of another reservation", op, row)
            chain.append((new, op))
            explained.add(op)
        for op in self.ops:
            if op.q.kind == "rich" or op in explained or op.q.kind == "outbox_retry" or op.a.status == 0 and not op.rows:
                continue
            if op not in decided:
                expect(not op.rows and op.q.request_id not in self.mails_of, "a replay with an effect", op)
                continue
            chain = self.reservation.get(op.q.reservation, [])
            self.explain(op, self.loose(chain, op.began, op.ended))
        for id_ in set(self.reservation) | set(self.reservations):
            chain, v = self.reservation.get(id_), self.reservations.get(id_)
            expect(chain and v, "a reservation without history, or that is gone", id_, v)
            now = time.monotonic()
            room = self.room[chain[-1][0].room][-1][0]
            want = [text(reservation_shape(chain[-1][0], room, User(chain[-1][0].user, n, r, 0)))
                    for n, r in self.names(chain[-1][0].user, now, now)]
            expect(text(v) in want, "a reservation is not where its history ends", text(v), *want)
        for request_id in self.mails_of:
            expect(request_id in self.by_request, "a mail of no request", request_id)
        for id_, chain in self.room.items():
            reserved = sum(c[-1][0].room == id_ and c[-1][0].status == "RESERVED" for c in self.reservation.values())
            expect(chain[-1][0].total == chain[-1][0].available + reserved, "room-stock", chain[-1][0], reserved)

    # -- 3: keys ----------------------------------------------------------------------------------------------------

    def keys(self):
        """The requests that were decided: that are neither replays nor refused for their key."""
        decided, groups = set(self.ops), {}
        for op in self.ops:
            if op.q.idem is not None and op.q.method == "POST":
                groups.setdefault(op.q.scope, []).append(op)
        for scope, ops in groups.items():
            self.learn(ops)
            first = [op for op in ops if is_kept(op.a.status) and not op.a.replayed or op.a.status == 0 and op.rows]
            expect(len(first) <= 1, "decided twice under one key", *first)
            first = first[0] if first else None
            for op in ops:
                if op is first or op.a.status == 0:
                    continue
                again = (op.q.body or b"") == (first.q.body or b"") if first else None
                reused = op.a.status == 422 and op.a.problem == "idempotency-key-reused"
                if op.a.replayed or reused:
                    expect(any(other.began < op.ended for other in ops if other is first or other.a.status == 0), "a replay of nothing", op)
                    decided.discard(op)
                if op.a.replayed:
                    expect(again and (op.a.status, op.a.body, op.a.header("location")) ==
                           (first.a.status, first.a.body, first.a.header("location")), "not the first answer again", op, first)
                elif reused:
                    expect(not again, "refused for its key, but it is the same request", op, first)
                else:
                    expect(first is None or first.ended >= op.began, "decided anew, though its key was used", op, first)
        return decided

    def learn(self, ops):
        """If all that is known of a decision under a key is its replays, one of these, or one that was never answered, was it."""
        replays = [op for op in ops if op.a.replayed]
        if not self.u.patience or not replays or any(is_kept(op.a.status) and not op.a.replayed for op in ops):
            return
        maybe = [op for op in ops if (op.a.replayed or op.a.status == 0) and op.q.body == replays[0].q.body]
        told = replays[0].a.json.get("request_id")  # of a problem
        maybe.sort(key=lambda op: (op.q.request_id != told, not op.rows, op.began))
        maybe[0].a = as_at_first(maybe[0].q, replays[0].a)

    # -- 4: one order --------------------------------------------------------------------------------------------

    def one_order(self):
        after, count = {}, {}
        for chain in [*self.room.values(), *self.balance.values(), *self.reservation.values()]:
            for (_, a), (_, b) in zip(chain, chain[1:]):
                after.setdefault(a, []).append(b)
                count[b] = count.get(b, 0) + 1
                count.setdefault(a, 0)
        ready = [op for op, n in count.items() if n == 0]
        at = {op: op.began for op in count}
        done = 0
        while ready:
            op = ready.pop()
            done += 1
            expect(at[op] <= op.ended, "took effect after its answer", op)
            for later in after.get(op, ()):
                at[later] = max(at[later], at[op])
                count[later] -= 1
                if count[later] == 0:
                    ready.append(later)
        expect(done == len(count), "no order of changes agrees with all histories",
               *[op for op, n in count.items() if n > 0][:4])

    # -- 5: lists -------------------------------------------------------------------------------------------------

    def judge_lists(self):
        for client in self.clients:
            for kind, s, q, items, complete, began, ended in client.lists:
                getattr(self, "judge_" + kind)(s, q, items, complete, began, ended)

    def judge_things(self, q, items, complete, began, ended, chains, fits, shape):
        """A list in order of id.  fits: does a state belong there?"""
        got = {self.player.id_of(item): item for item in items}
        ids = list(got)
        expect(ids == sorted(ids), "not in order of id", q, ids)
        for id_ in sorted(set(chains) | {i for i in ids if i.startswith(self.u.prefix)}):
            if not id_.startswith(self.u.prefix):
                continue
            states = self.loose(chains.get(id_, []), began, ended)
            right = [v for v in states if v is not None and fits(v)]
            if id_ in got:
                shapes = [text(x) for v in right for x in shape(id_, v)]
                expect(text(got[id_]) in shapes, "an item that never was so meanwhile", q, text(got[id_]), *shapes)
            elif complete or (ids and id_ < ids[-1]):
                expect(len(right) < len(states), "skipped, though it stood throughout", q, id_, *states)

    @staticmethod
    def found(s, room):
        return (not s["style"] & 4 or fold(s["part"]) in fold(room.name)) and (s["max_points"] is None or room.price <= s["max_points"])

    def judge_room_list(self, s, q, items, complete, began, ended):
        self.judge_things(q, items, complete, began, ended, self.room,
                          lambda r: not r.archived and (r.available > 0 or s["filter"] >= 0.5) and self.found(s, r), lambda i, r: [room_shape(r)])

    def judge_admin_room_list(self, s, q, items, complete, began, ended):
        self.judge_things(q, items, complete, began, ended, self.room, lambda r: self.found(s, r), lambda i, r: [admin_room_shape(r)])

    def judge_user_list(self, s, q, items, complete, began, ended):
        self.judge_things(q, items, complete, began, ended, self.balance, lambda b: True,
                          lambda i, b: [account_shape(User(i, n, r, b)) for n, r in self.names(i, began, ended)])

    def judge_reservation_list(self, s, q, items, complete, began, ended):
        got = {v["id"]: v for v in items}

        def fits(v):
            return (v.user == s.get("user_id", v.user)) and (not s["style"] & 2 or v.status == s["status"])

        for id_, chain in self.reservation.items():
            states = self.loose(chain, began, ended)
            right = [v for v in states if v is not None and fits(v)]
            if id_ in got:
                item = got[id_]
                room_id, user_id = chain[0][0].room, chain[0][0].user
                shapes = {text(reservation_shape(v, room, User(user_id, n, r, 0))) for v in right
                          for room in self.loose(self.room[room_id], began, ended) if room is not None
                          for n, r in self.names(user_id, began, ended)}
                expect(text(item) in shapes, "an item that never was so meanwhile", q, text(item), *list(shapes)[:5])
            elif complete:
                expect(len(right) < len(states), "skipped, though it stood throughout", q, id_, *states)
        for v in items:
            expect(v["id"] in self.reservation or v["room"]["id"] not in self.room, "a reservation of no request", q, v)

    def judge_history(self, s, q, items, complete, began, ended):
        stream, name = s["stream"], STREAMS[s["stream"]]
        for newer, older in zip(items, items[1:]):
            expect((newer["changed_at"], newer["id"]) > (older["changed_at"], older["id"]), "not newest first", q, newer, older)
        final = {row["id"]: row for row in self.rows[stream]}
        got = {row["id"] for row in items}
        for row in items:
            if row["request_id"].startswith(self.u.tag + "."):
                expect(text(row) == text(final.get(row["id"])), "a row that has changed since", q, row, final.get(row["id"]))
                expect("only" not in s or row[name] == s["only"], "a row of something else", q, row)
                expect(self.by_request[row["request_id"]].began < ended, "a row before its request", q, row)
        for row in self.rows[stream] if complete else ():
            if row["id"] not in got and ("only" not in s or row[name] == s["only"]):
                expect(self.by_request[row["request_id"]].ended >= began, "a row is skipped", q, row)

    def judge_outbox(self, s, q, items, complete, began, ended):
        ids = [m["id"] for m in items]
        expect(ids == sorted(ids, reverse=True), "not newest first", q, ids)
        for m in items:
            if m["room_id"] in self.own_rooms:
                last = self.mails.get(m["id"])
                same = ("event", "subject", "reservation_id", "room_id", "request_id", "created_at")
                expect(last and [m[k] for k in same] == [last[k] for k in same], "a mail that has changed", q, m, last,
                       *self.about(m))
                expect(s["filter"] >= 0.5 or m["status"] == s["mail"], "a mail of another status", q, m)
        if complete and s["filter"] >= 0.5:
            for m in self.mails.values():
                expect(m["id"] in ids or self.by_request[m["request_id"]].ended >= began, "a mail is skipped", q, m)

    def about(self, mail):
        """What its subject is made of."""
        made = [row for row in self.rows["reservations"] if row["reservation_id"] == mail["reservation_id"]]
        return made + [row for row in self.rows["users"] if made and row["user_id"] == made[0]["user_id"]] + [
            row for row in self.rows["rooms"] if row["room_id"] == mail["room_id"]]

    def events(self):
        """All have followed the same feed from the same time: each sees each change once, in one order."""
        want = {row["id"]: {name: value for name, value in row.items() if name != "reason"} for row in self.rows["reservations"]}
        order = None
        for client in self.clients:
            got = [e for e in client.all_events() if e["room_id"] in self.own_rooms]
            expect({e["id"]: e for e in got} == want, f"{len(got)} events, not the {len(want)} changes", got[:3])
            ids = [e["id"] for e in got]
            expect(order is None or ids == order, "another order of events", ids, order)
            order = ids

    # -- mails ------------------------------------------------------------------------------------------------------

    def outbox(self):
        settled, retried = {}, {}
        for client in self.clients:
            for id_, outcome in client.settled:
                settled.setdefault(id_, []).append(outcome)
        decided = self.keys()
        for op in self.ops:
            if op.q.kind != "outbox_retry" or op not in decided:
                continue
            id_ = op.q.args["mail"]
            if id_ not in self.mails:
                problem_fits(op.q, op.a, Outcome(404, ["not-found"], None, (), (), None, None, None, None))
            elif op.a.status == 200:
                item, last = op.a.json, self.mails[id_]
                expect(item["status"] == "PENDING" and item["next_attempt_at"] and not item["sent_at"], "not due again", op)
                same = ("id", "event", "subject", "reservation_id", "room_id", "request_id", "created_at")
                expect([item[k] for k in same] == [last[k] for k in same], "another mail", op, last)
                retried[id_] = retried.get(id_, 0) + 1
            else:
                problem_fits(op.q, op.a, Outcome(409, ["invalid-transition"], None, (), (), None, None, None, None))
        for id_, m in self.mails.items():
            outcomes = settled.get(id_, [])
            left = outcomes.count("DEAD") - retried.get(id_, 0)
            status = "SENT" if "SENT" in outcomes else "DEAD" if left else "PENDING"
            expect(left in (0, 1) and not (left and status == "SENT"), "retried more often than it died", m, outcomes, retried.get(id_))
            expect((m["status"], m["attempts"]) == (status, len(outcomes)), f"not {status} after {len(outcomes)} attempts", m)


def play(universe, seed, clients, ops, connections):
    """Play one sequence with several clients; raises Mismatch."""
    first, lists = plan(seed, ops, clients)
    player = Player(universe, connections[0])
    try:
        for s in first:
            player.step(s)
        player.lock, player.barrier = threading.Lock(), threading.Barrier(clients)
        others = [Client(player, i, connections[i]) for i in range(clients)]
        threads = [threading.Thread(target=c.run, args=(steps,), daemon=True) for c, steps in zip(others, lists)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for c in others:
            if c.error is not None:
                raise c.error
        judge = Judge(player, others)
        judge.read()
        judge.chains()
        judge.answers()
        judge.one_order()
        judge.judge_lists()
        judge.events()
        judge.outbox()
    except Mismatch as e:
        e.at = 0
        raise
