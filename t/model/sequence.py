"""One client: every answer is determined, and compared byte for byte.

What the server chooses (ids, times) is taken over the first time that it is told, once its form is
checked: an id must be new, a time lie between sending and answer, history ids grow.  From then on it
has to come again exactly.

Other universes share the system (earlier sequences, other processes), and lists show them too.  A
universe has ids that begin with a prefix of its own, smaller than those of all universes before it, so
that its rooms and users come first; rows of others are left out of the comparison.
"""

import re
import time
import unicodedata
from copy import copy
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from model import TIME, UUID, Given, Outcome, World, account_shape, history_rows, reservation_shape, room_shape, \
    admin_room_shape, text
from operations import GETS, STREAMS, Known, Maker, Request, plan
from wire import Answer, Broken

SLACK = 1.0  # seconds that the wall clock may be set back meanwhile


class Mismatch(Exception):
    """The system and the model differ."""


def expect(condition, what, *more):
    if not condition:
        raise Mismatch(what + "".join(f"\n    {m}" for m in more))


def fold(text):
    """How a search compares: case and accents folded, all else exact."""
    return "".join(c.lower() for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def stamp(at):
    """Seconds since the epoch of an answer's time."""
    return datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


def ground_rules(q, a):
    """What holds for every answer."""
    expect(a.header("x-request-id") == q.request_id, f"X-Request-Id is {a.header('x-request-id')}", q, a)
    expect(a.header("x-content-type-options") == "nosniff" and a.header("strict-transport-security"), "headers are missing", q,
           a.headers)
    if a.status in (304, 204):
        return
    if a.status >= 400:
        expect(a.header("content-type") == "application/problem+json", "not a problem document", q, a)
        if a.status == 401:
            expect(a.header("www-authenticate"), "401 without WWW-Authenticate", q)
        if a.status == 405:
            expect(a.header("allow"), "405 without Allow", q)
    else:
        expect(a.header("content-type") == "application/json", "not JSON", q, a.headers)
        if q.method in ("GET", "HEAD", "PATCH") and q.kind not in ("audit",):
            expect(re.match(r'"[!#-~]+"\Z', a.header("etag") or ""), "no strong ETag", q, a.headers)
        if q.target.startswith(("/v1/users", "/v1/reservations", "/v1/admin/users", "/v1/admin/history")):
            cache = a.header("cache-control") or ""
            expect("private" in cache or "no-store" in cache, f"Cache-Control: {cache}", q)


def problem_fits(q, a, outcome, request_id=None):
    """A refusal: status, problem, pointers, and what the detail has to name."""
    expect(a.status == outcome.status, f"{a.status}, not {outcome.status} {outcome.problem}", q, a)
    if q.method == "HEAD":
        return
    p = a.json
    expect(p["type"].rpartition("/problems/")[2] in outcome.problem, f"not {outcome.problem}", q, a)
    expect(p["status"] == a.status and p["title"] and p["request_id"] == (request_id or q.request_id), "problem document", q, a)
    if outcome.pointers:
        found = sorted(e["pointer"] if "pointer" in e else "?" + e["parameter"] if "parameter" in e else e["header"] for e in p["errors"])
        expect(found == sorted(outcome.pointers), f"not {sorted(outcome.pointers)}", q, a)
    for says in outcome.says:
        expect(says in p["detail"], f"the detail does not say {says}", q, a)


def given_of(q, a):
    """What the server chose: (id, at), from a success whose form fits."""
    if a.status not in (200, 201) or q.method == "HEAD":
        return Given(None, None)
    if q.kind == "reservation_create":
        body = a.json
        id_, at = body.get("id"), body.get("created_at")
    elif q.kind == "room_create":
        body = a.json
        id_, at = body.get("room", {}).get("id"), None
        if q.room is not None:
            id_ = q.room
    elif q.kind.startswith("reservation_") and q.method == "POST":
        id_, at = None, a.json.get("updated_at")
    else:
        return Given(None, None)
    expect(id_ is None or UUID.match(str(id_)), f"id {id_}", q, a)
    expect(at is None or TIME.match(str(at)), f"time {at}", q, a)
    return Given(id_, at)


def success_fits(q, a, outcome):
    """The bytes of a success, and its Location."""
    expect(a.status == outcome.status, f"{a.status}, not {outcome.status}", q, a)
    want = text(outcome.body).encode()
    if q.method == "HEAD":
        expect(int(a.header("content-length") or -1) == len(want), f"HEAD: Content-Length is not {len(want)}", q, a.headers)
    else:
        expect(a.body == want, "another body, not " + want.decode(), q, a)
    if outcome.location:
        expect(a.header("location") == outcome.location, f"Location {a.header('location')}", q)
    expect(not a.replayed, "marked as replayed", q)


def as_at_first(q, a, outcome=None):
    """What would have been answered if nothing had been lost: where something was, a client or a service may have asked again what was done."""
    a = copy(a)
    a.headers = {name: value for name, value in a.headers.items() if name != "idempotency-replayed"}
    if q.kind == "user_put" and outcome is not None and outcome.status == 201 and a.status in (200, 412):
        a.status, a.body = 201, a.body if a.status == 200 else text(outcome.body).encode()
    return a


class Universe:
    """What all clients of one sequence share: ids, keys, connection settings.  patience: seconds in which a request whose fate is unknown
    (no answer, or 503) has to be answered when it is sent again; 0: there is no such request."""

    def __init__(self, prefix, tag, keys, connect, notifier, audit, patience=0):
        self.prefix, self.tag, self.keys, self.connect, self.notifier = prefix, tag, keys, connect, notifier
        self.audit, self.patience = audit, patience
        self.requests = self.unknown = self.acknowledged = 0


class Player:
    def __init__(self, universe, connection=None):
        self.u = universe
        self.connection = connection or universe.connect()
        self.known = Known()
        self.maker = Maker(universe.prefix, self.known)
        self.world = World()
        self.count = 0
        self.etags = {}
        self.highest = {}  # of each stream: the last row's id
        self.since = None
        self.feed, self.events = None, []  # where the feed goes on, and what it gave
        self.log = []  # what was sent and answered
        self.rich_request = None

    # -- sending -------------------------------------------------------------------------------------

    def send(self, q, client=""):
        self.count += 1
        q.request_id = f"{self.u.tag}.{client}{self.count}"
        if self.u.patience and q.method == "POST" and q.idem is None and self.needs_key(q):
            q.idem = f"{self.u.prefix}!u{client}{self.count}"
        start, began = time.time(), time.monotonic()
        a = self.answer(q, began + self.u.patience)
        a.start, a.end, a.began, a.ended = start, time.time(), began, time.monotonic() if a.status else float("inf")
        if self.since is None:
            self.since = start
        if a.status:
            ground_rules(q, a)
        if a.status in (200, 201) and q.method not in ("GET", "HEAD"):
            self.u.acknowledged += 1
        self.log.append((q, a))
        return a

    def answer(self, q, end):
        """What a client gets that asks again, under the same key, until it knows; status 0: it must not ask, and will never know."""
        while True:
            self.u.requests += 1
            try:
                a = self.connection.send(q.method, q.target, q.headers(self.u.keys), q.body)
                if not self.u.patience or a.status != 503:
                    return a
                ground_rules(q, a)
                expect(a.header("retry-after"), "503 without Retry-After", q, a)
            except (Broken, OSError) as e:
                if not self.u.patience:
                    raise
                a = e
            self.u.unknown += 1
            if not self.may_repeat(q):
                return Answer(0, {}, b"")
            expect(time.monotonic() < end, f"not served for {self.u.patience} s", q, a)
            time.sleep(0.05)

    @staticmethod
    def needs_key(q):
        """Alone, a client asks again whatever it asked: nothing has changed meanwhile but by itself."""
        return q.fixed is None

    @staticmethod
    def may_repeat(q):
        return True

    # -- steps ---------------------------------------------------------------------------------------

    def step(self, s):
        kind = s["kind"]
        if kind in ("settle", "outbox_retry") and s["aim"] < 0.9 and not self.known.mails:
            self.outbox_list({**s, "limit": 50, "pages": 1, "filter": 1, "mail": None})
        if kind == "rich":
            self.rich(s)
        elif kind == "settle":
            self.settle(s)
        elif kind in ("room_list", "admin_room_list", "user_list", "reservation_list", "history", "event_list", "outbox_list"):
            getattr(self, kind)(s)
        else:
            q = self.maker.request(s)
            if q is not None:
                self.one(q, s)

    def one(self, q, s):
        if q.fixed is not None:
            status, problems, pointers = q.fixed
            a = self.send(q)
            problem_fits(q, a, Outcome(status, problems, None, (), pointers or (), None, None, None, None))
            if q.right is not None:
                self.known.keyed.append(q.right)  # its key is free
        elif q.kind == "outbox_retry":
            self.retry(q)
        elif q.kind == "audit":
            a = self.send(q)
            while a.status == 503 and time.time() - a.start < 60:  # another process asks for it: one at a time
                time.sleep(1)
                again = self.send(q)
                again.start = a.start
                a = again
            expect(a.status == 200, f"{a.status}, not 200", q, a)
            bad = [c for c in a.json["checks"] if not c["ok"]]
            expect(a.json["ok"] is True and not bad and a.json["checks"], "the audit of the whole system (so not of this "
                   "sequence alone) finds faults", q, *bad)
        else:
            if q.kind in GETS and s.get("twist") == "match" and q.target in self.etags:
                q.match = self.etags[q.target][0]
            self.judge(q, self.send(q))

    def judge(self, q, a):
        w = self.world
        if q.idem is not None:
            self.known.keyed.append(q.copy())
        given = given_of(q, a)
        if q.kind == "user_erase" and a.status == 200 and (self.u.patience or not a.replayed):
            last = Request("history", "restricted", "GET", f"/v1/admin/history/users?user_id={q.user}&limit=1")
            q.at = self.send(last).json[0]["changed_at"]  # the answer has no time
            for v in w.reservations.values():
                if v.user == q.user and v.status == "PENDING_APPROVAL":
                    self.known.reservations[v.id] = "CANCELLED"
        outcome = w.outcome(q, given)
        if not isinstance(outcome, Outcome):
            return self.replay_fits(q, a, outcome)
        if self.u.patience:
            a = as_at_first(q, a, outcome)
        if outcome.problem:
            problem_fits(q, a, outcome)
            expect(not a.replayed, "marked as replayed", q)
        elif a.status == 304 and q.match:
            expect(self.etags[q.target][1] == text(outcome.body), "304, but it has changed", q)
            return
        else:
            success_fits(q, a, outcome)
            if q.kind in GETS:
                same = q.target in self.etags and self.etags[q.target][1] == text(outcome.body)
                expect(not (q.match and same), "200, but nothing has changed", q)
                if q.target in self.etags:
                    expect((self.etags[q.target][0] == a.header("etag")) == same, "the ETag does not tell", q, a.headers)
                self.etags[q.target] = (a.header("etag"), text(outcome.body))
        if given.at is not None:
            expect(a.start - SLACK <= stamp(given.at) <= a.end + SLACK, f"{given.at} is not now", q)
        if q.kind == "reservation_create" and a.status == 201:
            expect(given.id not in w.reservations, "an id twice", q, a)
        if q.kind == "room_create" and a.status == 201:
            expect(given.id not in w.rooms, "an id twice", q, a)
            if q.room is None:
                self.known.made.append(given.id)
        w.apply(q, outcome, a)
        if outcome.reservation is not None:
            self.known.reservations[outcome.reservation.id] = outcome.reservation.status

    def replay_fits(self, q, a, record):
        _, status, body, location = record
        expect((a.status, a.body, a.header("location")) == (status, body, location), "not the first answer again", q, a,
               f"first: {status} {body.decode()}")
        expect(a.replayed, "not marked as replayed", q, a)

    # -- the notifier's part, and what only a database can do -------------------------------------------

    def rich(self, s):
        """An account at the limit: no client can get there in a lifetime."""
        user = self.world.users.get(self.maker.user_id(s["user"]))
        if user is None:
            return
        q = Request("rich", "restricted", "SQL", "", user=user.id)
        q.actor, q.request_id = "setup", self.u.tag + ".rich"
        new = user._replace(balance=2 ** 53 - 1 - s["short"])
        q.began = time.monotonic()
        self.u.notifier.set_balance(user.id, new.balance, q.actor, q.request_id)
        q.ended = time.monotonic()
        rows = history_rows(q, (None, user, None), (None, new, None))
        for stream, row in rows.items():
            self.world.history[stream].append({"id": None, **row, "changed_at": None})
        self.world.users[user.id] = new
        self.rich_request = q

    def settle(self, s):
        entries = [e for e in self.world.mails if e["id"] is not None and e["mail"].status == "PENDING"]
        if not entries:
            return
        e = entries[-1 - int(s["dice"] ** 2 * len(entries))]
        error = f"550 no such user ({s['style']})" if s["outcome"] != "SENT" else None
        earlier = self.world.mails[:self.world.mails.index(e)]
        waits = any(m["mail"].status == "PENDING" and m["mail"].reservation == e["mail"].reservation for m in earlier
                    if e["mail"].reservation)
        expect(self.u.notifier.settle(e["id"], s["outcome"], error) == (not waits), f"mail {e['id']}: waits {waits}")
        if waits:
            return
        e["mail"] = e["mail"]._replace(status="PENDING" if s["outcome"] == "RETRY" else s["outcome"],
                                       attempts=e["mail"].attempts + 1)
        e["error"] = error or e["error"]
        self.known.mails[e["id"]] = e["mail"].status

    def retry(self, q):
        e = next((e for e in self.world.mails if e["id"] is not None and e["id"] == q.args["mail"]), None)
        a = self.send(q)
        if self.u.patience and q.scope not in self.world.kept:
            a = as_at_first(q, a)
        if q.idem is not None:
            self.known.keyed.append(q.copy())
            if q.scope in self.world.kept:
                record = self.world.kept[q.scope]
                if record[0] == (q.body or b""):
                    return self.replay_fits(q, a, record)
                return problem_fits(q, a, Outcome(422, ["idempotency-key-reused"], None, (), (), None, None, None, None))
        if e is None:
            return problem_fits(q, a, Outcome(404, ["not-found"], None, (), (), None, None, None, None))
        if e["mail"].status != "DEAD":
            problem_fits(q, a, Outcome(409, ["invalid-transition"], None, (e["mail"].status,), (), None, None, None, None))
        else:
            expect(a.status == 200 and not a.replayed, f"{a.status}, not 200", q, a)
            e["mail"] = e["mail"]._replace(status="PENDING")
            self.known.mails[e["id"]] = "PENDING"
            self.mail_fits(q, a.json, e)
            expect(text(a.json).encode() == a.body, "not the agreed form", q, a)
        if q.idem is not None:
            self.world.kept[q.scope] = (q.body or b"", a.status, a.body, None)

    # -- lists ------------------------------------------------------------------------------------------

    def walk(self, target, limit, pages, actor, key="restricted", end=None):
        """(items, complete) of a list: page after page, until the last, or until `end` says so of an item."""
        items, seen = [], set()
        if limit is not None:
            target += ("&" if "?" in target else "?") + f"limit={limit}"
        for _ in range(pages):
            q = Request("list", key, "GET", target, actor=actor)
            a = self.send(q)
            expect(a.status == 200, f"{a.status}, not 200", q, a)
            page = a.json
            expect(isinstance(page, list) and text(page).encode() == a.body, "not the agreed form of a list", q, a)
            link = a.header("link")
            expect(len(page) == (limit or 50) if link else len(page) <= (limit or 50), f"{len(page)} items in a page", q, a)
            for item in page:
                id_ = str(self.id_of(item))
                expect(id_ not in seen, f"{id_} twice in a list", q, a)
                seen.add(id_)
            items += page
            if not link or (page and end is not None and end(page[-1])):
                return items, True, q
            match = re.match(r'<(/v1/[^>]*)>; rel="next"\Z', link)
            expect(match, f"Link: {link}", q)
            target = match[1]
        return items, False, q

    @staticmethod
    def id_of(item):
        for inner in ("user", "room"):
            if "id" not in item and inner in item:
                return item[inner]["id"]
        return item["id"]

    def same(self, q, got, want, complete):
        """Own items against what they have to be; where the walk was cut short, against as many of them."""
        got, want = [text(g) for g in got], [text(w) for w in want]
        if not complete:
            want = want[:len(got)]
        if got != want:
            extra, missing = [g for g in got if g not in want], [w for w in want if w not in got]
            raise Mismatch(f"another list: {len(got)} items, not {len(want)}\n    {q}" + "".join(
                f"\n    not expected: {g}" for g in extra[:3]) + "".join(f"\n    missing: {w}" for w in missing[:3])
                + ("" if extra or missing else "\n    in another order"))

    def by_id(self, s, target, shape, things, all_pages=False):
        things = [things[i] for i in sorted(things) if i.startswith(self.u.prefix)]
        got, complete, q = self.walk(target, s["limit"], 1000 if all_pages else s["pages"], s["actor"], s["key"],
                                     end=lambda item: self.id_of(item)[:8] > self.u.prefix)
        ids = [self.id_of(item) for item in got]
        expect(ids == sorted(ids), "not in order of id", q, ids)
        self.same(q, [g for g in got if self.id_of(g).startswith(self.u.prefix)], [shape(t) for t in things], complete)

    def in_order(self, s, target, shape, things, number):
        """As by_id, in the order s["sort"]; what is equal in it by id."""
        sort, reverse = s["sort"].lstrip("-"), s["sort"].startswith("-")
        ids = sorted((i for i in things if i.startswith(self.u.prefix)), reverse=reverse and sort == "id")
        if sort != "id":
            ids.sort(key=lambda i: fold(things[i].name).encode() if sort == "name" else number(things[i]), reverse=reverse)
        got, complete, q = self.walk(target, 200, 1000, s["actor"], s["key"])
        self.same(q, [g for g in got if self.id_of(g).startswith(self.u.prefix)], [shape(things[i]) for i in ids], complete)

    def rooms_found(self, s, target, query, shape, rooms, all_pages):
        if s.get("part") and s["style"] & 4:
            query.append("q=" + quote(s["part"], safe=""))
            rooms = {i: r for i, r in rooms.items() if fold(s["part"]) in fold(r.name)}
        if s.get("max_points") is not None:
            query.append(f"max_points={s['max_points']}")
            rooms = {i: r for i, r in rooms.items() if r.price <= s["max_points"]}
        if s.get("sort"):
            query.append("sort=" + s["sort"].replace("number", "required_points"))
        target += "?" * bool(query) + "&".join(query)
        if s.get("sort"):
            self.in_order(s, target, shape, rooms, lambda r: r.price)
        else:
            self.by_id(s, target, shape, rooms, all_pages)

    def room_list(self, s, all_pages=False):
        dice = s["filter"]
        rooms = {i: r for i, r in self.world.rooms.items() if not r.archived and (r.available > 0 or dice >= 0.5)}
        query = ["available=true"] if dice < 0.5 else ["available=false"] if dice < 0.6 else []
        self.rooms_found(s, "/v1/rooms", query, room_shape, rooms, all_pages)

    def admin_room_list(self, s, all_pages=False):
        self.rooms_found(s, "/v1/admin/rooms", [], admin_room_shape, self.world.rooms, all_pages)

    def user_list(self, s, all_pages=False):
        users, query = self.world.users, []
        if s["filter"] < 0.3:
            query.append("q=" + quote(s["part"], safe=""))
            users = {i: u for i, u in users.items() if fold(s["part"]) in fold(u.name)}
        if s["filter"] > 0.9 and s.get("sort") and users:
            ids = sorted(users, key=lambda i: (i[::-1], s["dice"]))[:100]
            got, complete, q = self.walk("/v1/admin/users?ids=" + ",".join(ids), None, 1, s["actor"], s["key"])
            self.same(q, got, [account_shape(users[i]) for i in ids], complete)
        elif s.get("sort"):
            query.append("sort=" + s["sort"].replace("number", "bonus_points"))
            self.in_order(s, "/v1/admin/users?" + "&".join(query), account_shape, users, lambda u: u.balance)
        else:
            self.by_id(s, "/v1/admin/users" + "?" * bool(query) + "&".join(query), account_shape, users, all_pages)

    def reservation_list(self, s):
        w, query, user, part = self.world, [], None, None
        if s["style"] & 28 == 28:  # these, in another order than they were made in, and one that is not there
            ids = sorted(list(w.reservations)[-40:], key=lambda id_: id_[::-1]) + [self.maker.room_id("none")]
            got, complete, q = self.walk("/v1/reservations?ids=" + ",".join(i.upper() if s["style"] & 1 else i for i in ids), None, 1,
                                         s["actor"], s["key"])
            self.same(q, got, [reservation_shape(v, w.rooms[v.room], w.users[v.user]) for i in ids if (v := w.reservations.get(i))], complete)
            return
        if s["key"] == "restricted" and s["filter"] > 0.85 and s.get("part"):
            part = fold(s["part"])
            query.append("q=" + quote(s["part"], safe=""))
            q = Request("list", s["key"], "GET", "/v1/reservations?" + query[0], actor=s["actor"])
            a = self.send(q)
            if a.status == 400:  # all universes together have too many guests of that name
                expect("/problems/validation" in text(a.json) and "narrow the search" in text(a.json), "400 of a search", q, a)
                return
        elif s["key"] == "public" or s["filter"] < 0.7:
            user = self.maker.user_id(s["user"])
            query.append(f"user_id={user.upper() if s['style'] & 1 else user}")
        if s["style"] & 2:
            query.append(f"status={s['status']}")
        want = [reservation_shape(v, w.rooms[v.room], w.users[v.user]) for v in reversed(list(w.reservations.values()))
                if (user is None or v.user == user) and (part is None or part in fold(w.users[v.user].name)) and (not s["style"] & 2 or v.status == s["status"])]
        got, complete, q = self.walk("/v1/reservations" + ("?" + "&".join(query) if query else ""), s["limit"], s["pages"],
                                     s["actor"], s["key"], end=self.old("created_at"))
        self.same(q, [g for g in got if g["room"]["id"] in w.rooms], want, complete)

    def old(self, name):
        """Does an item, newest first, say that the rest is older than this sequence?"""
        return lambda item: stamp(item[name]) < self.since - SLACK

    def history(self, s):
        stream, dice = s["stream"], s["filter"]
        rows, query = self.world.history[stream], []
        want = list(rows)
        if dice < 0.6:
            name = "user_id" if stream == "reservations" and s["style"] & 8 else STREAMS[stream]
            id_ = {"room_id": lambda: self.maker.room_id(s["room"]), "user_id": lambda: self.maker.user_id(s["user"]),
                   "reservation_id": lambda: self.maker.reservation_id(s)}[name]()
            query.append(f"{name}={id_}")
            want = [r for r in want if r[name] == id_]
        if dice > 0.4 and rows:
            self.bind(stream)
            times = sorted({r["changed_at"] for r in rows})
            since, until = (times[int(d * len(times))] for d in s["times"][:2])
            if s["times"][2] < 0.7:
                query.append("since=" + self.spell(since, s["times"][2]))
                want = [r for r in want if r["changed_at"] >= since]
            if s["times"][2] > 0.3:
                query.append("until=" + self.spell(until, s["times"][2]))
                want = [r for r in want if r["changed_at"] < until]
        self.history_fits(stream, want, query, s["limit"], s["pages"], s["actor"])

    @staticmethod
    def spell(at, dice):
        """The same instant in one of several spellings of RFC 3339."""
        if dice < 0.5:
            return at
        moment = datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ")
        minutes = int(dice * 1000) - 700
        sign = "-" if minutes < 0 else "%2B"
        moment += timedelta(minutes=minutes)
        return moment.strftime("%Y-%m-%dt%H:%M:%S.%f") + f"0{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"

    def bind(self, stream):
        """Read a whole stream, so that all its times are known."""
        if any(r["id"] is None or r["changed_at"] is None for r in self.world.history[stream]):
            self.history_fits(stream, self.world.history[stream], [f"since={self.start_text()}"], 200, 1000, None)

    def start_text(self):
        return datetime.fromtimestamp(self.since - SLACK, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def is_own(self, stream, row):
        return row["user_id"] in self.world.users if stream in ("points", "users") else row["room_id"] in self.world.rooms

    def history_fits(self, stream, want, query, limit, pages, actor):
        target = f"/v1/admin/history/{stream}" + ("?" + "&".join(query) if query else "")
        got, complete, q = self.walk(target, limit, pages, actor, end=self.old("changed_at"))
        for newer, older in zip(got, got[1:]):
            expect((newer["changed_at"], newer["id"]) > (older["changed_at"], older["id"]), "not newest first", q, newer, older)
        got = [g for g in got if self.is_own(stream, g)]
        expect(len(got) == len(want) if complete else len(got) <= len(want), f"{len(got)} rows, not {len(want)}", q,
               *[text(g) for g in got[:3]], "expected:", *[text(r) for r in want[::-1][:3]])
        for row, known in zip(got, reversed(want)):
            expect(type(row["id"]) is int and row["id"] > 0 and TIME.match(row["changed_at"]), "no id or no time", q, row)
            expect(self.since - SLACK <= stamp(row["changed_at"]) <= time.time() + SLACK, "not of this sequence", q, row)
            if known["id"] is None:
                known["id"] = row["id"]
            if known["changed_at"] is None:
                known["changed_at"] = row["changed_at"]
            expect(text(row) == text(known), "another row, not " + text(known), q, text(row))
        ids = [r["id"] for r in self.world.history[stream] if r["id"] is not None]
        expect(ids == sorted(set(ids)), "ids do not grow with time", q, ids)

    def event_list(self, s):
        """Read on from where the feed was; whether it had an end."""
        if self.feed is None:
            self.feed = f"/v1/admin/events?since={self.start_text()}" + (f"&limit={s['limit']}" if s["limit"] else "")
        for _ in range(s["pages"]):
            q = Request("list", "restricted", "GET", self.feed, actor=s["actor"])
            a = self.send(q)
            expect(a.status == 200 and text(a.json).encode() == a.body, "not the agreed form of a list", q, a)
            match = re.match(r'<(/v1/admin/events[^>]*)>; rel="next"\Z', a.header("link") or "")
            expect(match, f"Link: {a.header('link')}", q)
            self.feed = match[1]
            self.events += a.json
            if not a.json:
                return True
        return False

    def all_events(self):
        """After a second, what is there is there."""
        time.sleep(1)
        while not self.event_list({"limit": 200, "pages": 1000, "actor": None}):
            pass
        ids = [e["id"] for e in self.events]
        expect(len(ids) == len(set(ids)), "an event twice", ids)
        return self.events

    def outbox_list(self, s, pages=None):
        query = f"?status={s['mail']}" if s["filter"] < 0.5 else ""
        w = self.world
        want = [e for e in reversed(w.mails) if not query or e["mail"].status == s["mail"]]
        got, complete, q = self.walk("/v1/admin/outbox" + query, s["limit"], pages or s["pages"], s["actor"],
                                     end=self.old("created_at"))
        ids = [g["id"] for g in got]
        expect(ids == sorted(ids, reverse=True), "not newest first", q, ids)
        got = [g for g in got if g["room_id"] in w.rooms]
        expect(len(got) == len(want) if complete else len(got) <= len(want), f"{len(got)} mails, not {len(want)}", q,
               *[text(g) for g in got[:3]], "expected:", *[e["mail"] for e in want[:3]])
        for item, e in zip(got, want):
            self.mail_fits(q, item, e)
            self.known.mails[e["id"]] = e["mail"].status

    def mail_fits(self, q, item, e):
        m = e["mail"]
        expect(list(item) == ["id", "event", "status", "attempts", "subject", "reservation_id", "room_id", "request_id",
                              "created_at", "next_attempt_at", "sent_at", "last_error"], "not the agreed members", q, item)
        if e["id"] is None:
            expect(type(item["id"]) is int and item["id"] > 0, "no id", q, item)
            e["id"] = item["id"]
        if e["at"] is None:
            expect(TIME.match(item["created_at"]), "no time", q, item)
            e["at"] = item["created_at"]
        got = (item["id"], item["event"], item["status"], item["attempts"], item["reservation_id"], item["room_id"],
               item["request_id"], item["created_at"], item["last_error"])
        want = (e["id"], m.event, m.status, m.attempts, m.reservation, m.room, m.request_id, e["at"], e["error"])
        expect(got == want, f"another mail, not {want}", q, text(item))
        expect(all(part in item["subject"] for part in m.subject), f"the subject does not name {m.subject}", q, text(item))
        expect(bool(item["next_attempt_at"]) == (m.status == "PENDING") and bool(item["sent_at"]) == (m.status == "SENT"),
               "times of a mail", q, text(item))

    # -- the end -------------------------------------------------------------------------------------------

    def final(self):
        """Everything there is, once more."""
        w = self.world
        everything = {"limit": 200, "pages": 1000, "actor": None, "key": "restricted", "filter": 0.9, "mail": None}
        if w.rooms:
            self.admin_room_list(everything, True)
            self.room_list(everything, True)
            self.room_list({**everything, "filter": 0.1}, True)
        if w.users:
            self.user_list(everything, True)
        for room in self.known.made:
            q = Request("admin_room_get", "restricted", "GET", f"/v1/admin/rooms/{room}", room=room)
            self.judge(q, self.send(q))
        for slot in range(2):
            self.reservation_list({**everything, "key": "public", "user": slot, "style": 0})
        self.reservation_list({**everything, "style": 0})
        for stream in STREAMS:
            self.history_fits(stream, w.history[stream], [f"since={self.start_text()}"], 200, 1000, None)
        got = [e for e in self.all_events() if self.is_own("reservations", e)]
        want = [{name: value for name, value in row.items() if name != "reason"} for row in w.history["reservations"]]
        expect(got == want, f"{len(got)} events, not the {len(want)} changes in their order", got[:3], want[:3])
        self.outbox_list(everything)
        for known in list(self.known.keyed)[-40::8]:
            q = known.copy()
            if q.kind == "outbox_retry":
                self.retry(q)
            else:
                self.judge(q, self.send(q))
        for room in w.rooms.values():
            reserved = sum(v.room == room.id and v.status == "RESERVED" for v in w.reservations.values())
            assert room.total == room.available + reserved, "the model itself is wrong"


def play(universe, seed, ops, steps=None, connection=None):
    """Play a sequence (or these steps of it); raises Mismatch.  The step that failed is in its `at`."""
    player = Player(universe, connection)
    if steps is None:
        first, lists = plan(seed, ops)
        steps = first + lists[0]
        if seed % 100 == 0 and universe.audit:
            steps.append({"kind": "audit", "key": "restricted", "actor": None, "idem": None, "style": 0})
    at = 0
    try:
        for at, s in enumerate(steps):
            player.step(s)
        at = len(steps)
        player.final()
    except Mismatch as e:
        e.at = at
        raise
    return player
