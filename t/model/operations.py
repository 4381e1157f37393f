"""What clients do: a plan from a seed, and each of its steps as a request.

A step of a plan is plain data full of dice (`plan`), so that any part of a plan is a plan: what it
picks, and from what is there when its turn comes, is settled only then (`Maker.request`).
"""

import json
import random
from urllib.parse import quote

ROOMS, USERS = 6, 6  # ids that a universe has for each; some of them are never made
KINDS = {
    "reservation_create": 26, "reservation_cancel": 8, "reservation_approve": 9, "reservation_reject": 2,
    "reservation_release": 5, "points_adjust": 12, "user_put": 4, "user_erase": 1, "room_create": 2, "room_change": 8,
    "room_get": 3, "room_list": 2, "reservation_get": 3, "reservation_list": 3, "points_get": 4, "user_get": 1,
    "user_list": 1, "admin_room_get": 2, "admin_room_list": 1, "history": 4, "event_list": 3, "outbox_list": 2, "settle": 4, "outbox_retry": 3,
    "again": 9, "wrong": 7,
}
RESTRICTED = {"reservation_approve", "reservation_reject", "reservation_release", "points_adjust", "user_put", "user_erase",
              "room_create", "room_change", "user_get", "user_list", "admin_room_get", "admin_room_list", "history", "event_list",
              "outbox_list", "outbox_retry", "audit"}
POSTS = {"reservation_create", "reservation_cancel", "reservation_approve", "reservation_reject",
         "reservation_release", "points_adjust", "user_erase", "room_create", "outbox_retry"}
MEETINGS = POSTS - {"outbox_retry", "user_erase"} | {"user_put", "room_change"}
GETS = {"room_get", "reservation_get", "points_get", "user_get", "admin_room_get"}

NAMES = ["Ann Meier", "bob", "Zoë Ünal", "李小龍", "O'Brien \"Q\" \\ /", "x" * 200, "A", "A ", "Ann  MEIER", "🦊 fox 🎉",
         "Economy Single Room", "<b>&amp;</b>", "%s%n", "é" * 200, "null", "Dr. No; DROP TABLE room"]
PARTS = ["ann", "MEI", "bob", "BOB", "drop", "fox", "xx", "%", "_", "o'b", "&amp;", "\\", "nobody", "小"]
REASONS = ["a test", "two\nlines", "🎁", "r" * 200, "\"quoted\"\\", "ß", "-"]
ACTORS = ["alice", "Bob Smith", "Zoë", "李", "a" * 100]
PRICES = [0, 0, 1, 40, 50, 100, 100, 250, 1000, 10 ** 9]
TOTALS = [0, 1, 1, 2, 2, 3, 5, 10, 10 ** 6]
LIMITS = [None, 1, 2, 3, 5, 50, 200]
STATUSES = ["RESERVED", "PENDING_APPROVAL", "CANCELLED", "REJECTED", "RELEASED"]
CONDITIONS = [()] * 12 + [(("If-Match", "*"),), (("If-None-Match", '"x"'),), (("If-None-Match", "*"),), (("If-Match", '"x", W/"y"'),)]
STREAMS = {"rooms": "room_id", "reservations": "reservation_id", "points": "user_id", "users": "user_id"}

# No JSON text, or none that is taken: 400 malformed-json whatever the call
MALFORMED = [b"{", b"{} x", b"{}{}", b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b"\xef\xbb\xbf{}", b'{"a":"\\ud800"}',
             b'{"a":"\\u0000"}', b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}', b'{"a":01}', b'{"a":+1}', b'{"a":NaN}',
             b"{'a':1}", b"[" * 17 + b"]" * 17, b"[" * 3000, b'{"a":1,}', b"\x00", b'{"a":"\x01"}', b"nul", b" "]
BAD_NAMES = ["", "n" * 201, "a\u0007b", "a\u202eb", "a\u2066", "\u009f", 5, None, ["x"]]
BAD_REASONS = ["", "n" * 201, "a\u0001", "\u0085", 7, None]
BAD_AMOUNTS = ["0", "-0", '"100"', "true", "null", "[]", "1.5", "1e2", "1000000001", "-1000000001",
               "9007199254740993", "1" * 400, "1.0"]


def setup(rng):
    """Something to work with."""
    steps = [{"kind": "user_put", "user": i, "name": rng.choice(NAMES), "role": rng.choice(["USER", "ADMIN"])}
             for i in range(rng.randint(2, 4))]
    steps += [{"kind": "room_create", "room": i, "name": rng.choice(NAMES), "total": rng.choice(TOTALS),
               "price": rng.choice(PRICES)} for i in range(rng.randint(2, 4))]
    steps += [{"kind": "points_adjust", "user": i, "amount": rng.choice([50, 100, 260, 500, 1000]), "reason": "start"}
              for i in range(rng.randint(0, 4))]
    if rng.random() < 0.15:
        steps.append({"kind": "rich", "user": 0, "short": rng.choice([0, 1, 99, 1000])})
    return [{**step, "key": "restricted", "style": 0, "idem": None, "actor": None, "dice": 0.5} for step in steps]


def step(rng, kind=None):
    """One step, all dice thrown."""
    kind = kind or rng.choices(list(KINDS), list(KINDS.values()))[0]
    s = {"kind": kind, "key": "restricted" if kind in RESTRICTED or rng.random() < 0.4 else "public",
         "room": rng.choice([0] * 8 + [1] * 5 + [2, 2, 3, "made", rng.choice([rng.randrange(ROOMS), "none"])]),
         "user": rng.choice([0] * 8 + [1] * 5 + [2, 2, 3, rng.choice([rng.randrange(USERS), "none"])]),
         "dice": rng.random(), "aim": rng.random(), "style": rng.randrange(1 << 16),
         "idem": rng.randrange(1 << 30) if kind in POSTS and rng.random() < 0.4 else None,
         "actor": rng.choice(ACTORS) if rng.random() < 0.3 else None}
    if kind == "points_adjust":
        s["amount"] = rng.choice([1, -1, 50, 100, 250, -50, -100, rng.randint(1, 400), -rng.randint(1, 400), 10 ** 9,
                                  -10 ** 9])
        s["reason"] = rng.choice(REASONS)
    elif kind in ("reservation_reject", "user_erase"):
        s["reason"] = rng.choice(REASONS)
    elif kind == "reservation_approve":
        s["points"] = rng.choice([None, None, None, 0, 0, 1, 40, 100, 10 ** 9])
    elif kind == "user_put":
        s["condition"] = rng.choice(CONDITIONS)
        s["user"] = rng.randrange(USERS)
        s["name"], s["role"] = rng.choice(NAMES), rng.choice(["USER", "ADMIN"])
    elif kind == "room_create":
        s["room"] = rng.choice([rng.randrange(ROOMS), "new"])
        s["name"], s["total"], s["price"] = rng.choice(NAMES), rng.choice(TOTALS), rng.choice(PRICES)
    elif kind == "room_change":
        s["condition"] = rng.choice(CONDITIONS)
        s["change"] = {}
        if rng.random() < 0.35:
            s["change"]["name"] = rng.choice(NAMES)
        if rng.random() < 0.5:
            s["change"]["total_amount"] = rng.choice([0, 1, 1, 2, 3, 4, 10])
        if rng.random() < 0.35:
            s["change"]["required_points"] = rng.choice(PRICES)
        if rng.random() < 0.3:
            s["change"]["archived"] = rng.random() < 0.35
    elif kind in ("room_list", "admin_room_list", "user_list", "reservation_list", "history", "event_list", "outbox_list"):
        s["limit"] = rng.choice(LIMITS)
        s["pages"] = rng.choice([1, 1, 2, 4])
        s["filter"] = rng.random()
        s["part"] = rng.choice(PARTS)
        s["max_points"] = rng.choice([None, None, *PRICES])
        s["sort"] = rng.choice([None, None, None, "id", "-id", "name", "-name", "number", "-number"])
        s["status"] = rng.choice(STATUSES)
        s["mail"] = rng.choice(["PENDING", "SENT", "DEAD"])
        s["stream"] = rng.choice(list(STREAMS))
        s["times"] = (rng.random(), rng.random(), rng.random())
    elif kind == "settle":
        s["outcome"] = rng.choice(["DEAD", "DEAD", "SENT", "RETRY"])
    elif kind == "again":
        s["twist"] = rng.choice([None, None, None, "body", "role"])
    elif kind == "wrong":
        s["which"] = rng.choice(["malformed", "semantic", "semantic", "semantic", "query", "query", "header", "auth", "forbidden",
                                 "path", "method", "type", "large" if rng.random() < 0.2 else "id"])
        s["of"] = rng.choice(sorted(POSTS | {"user_put", "room_change"}))
        s["seed"] = rng.randrange(1 << 30)
    elif kind in GETS:
        s["twist"] = rng.choice([None, "HEAD", "match", "match"])
    return s


def alone(s):
    """The step, but none that erases: what it takes from the histories is what explains the answers of several clients."""
    if s["kind"] == "user_erase":
        s = {**s, "kind": "user_get", "twist": None}
    if s.get("of") == "user_erase":
        s["of"] = "points_adjust"
    return s


def plan(seed, ops, clients=1):
    """(setup, one list of steps for each client): up to ops steps in all."""
    rng = random.Random(f"loyalty {seed} {clients}")
    first = setup(rng)[:ops]
    left = rng.randint(0, ops - len(first)) if clients == 1 else max(0, ops - len(first))
    if clients == 1:
        return first, [[step(rng) for _ in range(left)]]
    lists = [[] for _ in range(clients)]
    while len(lists[0]) < max(1, left // clients):
        if rng.random() < 0.12:  # all of them at once, the same thing
            same = {**step(rng, rng.choice(sorted(MEETINGS))), "meet": True, "aim": 0.5}
            key = rng.randrange(1 << 30) if same["kind"] in POSTS and rng.random() < 0.5 else None
            for steps in lists:
                idem = step(rng, same["kind"])["idem"] if key is None else key
                other = step(rng, "user_put") if same["kind"] == "user_put" else {}
                steps.append({**same, **other, "idem": idem, "user": same["user"], "meet": True})
        else:
            for steps in lists:
                steps.append(alone(step(rng)))
    return first, lists


class Request:
    """One request.  role: as the gateway sees it.  fixed: (status, problems, pointers) where the state of
    things doesn't matter: the answer to what is wrong."""

    def __init__(self, kind, role, method, target, body=None, idem=None, actor=None, room=None, user=None,
                 reservation=None, args=None, fixed=None, headers=()):
        self.kind, self.role, self.method, self.target, self.body, self.idem = kind, role, method, target, body, idem
        self.actor_given, self.actor = actor, actor if actor and role == "restricted" else role
        self.room, self.user, self.reservation = room, user, reservation
        self.args, self.fixed, self.extra = args or {}, fixed, list(headers)
        self.request_id = None
        self.match = None
        self.right = None  # of a wrong one: the same without the fault, under the same key

    @property
    def scope(self):
        return self.role, self.method, self.target, self.idem

    def copy(self):
        new = Request.__new__(Request)
        new.__dict__.update(self.__dict__, extra=list(self.extra))
        return new

    def headers(self, keys):
        out = [("X-Request-Id", self.request_id)]
        if self.role in keys:
            out.append(("X-API-Key", keys[self.role]))
        if self.idem is not None:
            out.append(("Idempotency-Key", self.idem))
        if self.actor_given is not None:
            out.append(("X-Actor", quote(self.actor_given, safe="")))
        if self.match is not None:
            out.append(("If-None-Match", self.match))
        if self.body is not None and not any(n == "Content-Type" for n, _ in self.extra):
            out.append(("Content-Type", "application/json"))
        return out + [h for h in self.extra if h[1] is not None]

    def __repr__(self):
        body = "" if self.body is None else " " + repr(self.body[:400])
        idem = "" if self.idem is None else f" [{self.idem}]"
        return f"{self.request_id} {self.role} {self.method} {self.target}{idem}{body}"


class Known:
    """What clients of one universe have learned; shared between them."""

    def __init__(self):
        self.reservations = {}  # id: the last status that was seen
        self.made = []  # ids of rooms that the server chose
        self.keyed = []  # requests that were sent with an Idempotency-Key
        self.mails = {}  # id: the last status that was seen


class Maker:
    """Turns steps into requests, in one universe: ids with a prefix of its own."""

    def __init__(self, prefix, known):
        self.prefix, self.known = prefix, known

    def room_id(self, slot):
        if slot == "none":
            return f"{self.prefix}-0009-4000-8000-{0xffffff:012x}"
        if slot in ("made", "new"):
            return self.known.made[-1] if self.known.made else self.room_id(ROOMS - 1)
        return f"{self.prefix}-0001-4000-8000-{slot:012x}"

    def user_id(self, slot):
        return self.room_id("none") if slot == "none" else f"{self.prefix}-0002-4000-8000-{slot:012x}"

    def reservation_id(self, s, *wanted):
        """Most times one whose status is wanted, most times a late one."""
        ids = [i for i, status in list(self.known.reservations.items()) if status in wanted]
        if not ids or s["aim"] < 0.25:
            ids = list(self.known.reservations)
        if not ids or s["aim"] > 0.97:
            return self.room_id("none")
        return ids[-1 - int(s["dice"] ** 2 * len(ids))]

    def json(self, s, value):
        """One of many texts for the same value."""
        style = s["style"]
        return json.dumps(value, ensure_ascii=bool(style & 1), indent=1 if style & 6 == 6 else None,
                          separators=(",", ":") if style & 6 == 2 else None).encode()

    def request(self, s):
        """The request of a step; None where there is nothing to do."""
        kind, restricted = s["kind"], s["key"]
        how = {"actor": s["actor"]}
        if s["idem"] is not None:
            how["idem"] = f"{self.prefix}!~{s['idem']:x}"
        upper = s["style"] & 24 == 24 and s["idem"] is None

        def path(template, id_):
            return template.format(id_.upper() if upper else id_)

        if kind == "reservation_create":
            room, user = self.room_id(s["room"]), self.user_id(s["user"])
            who = {"id": user.upper() if upper else user}
            if s["style"] & 32:
                who.update(name=NAMES[s["style"] % len(NAMES)], role="USER")
            return Request(kind, restricted, "POST", "/v1/reservations", self.json(s, {"room_id": room, "user": who}),
                           room=room, user=user, **how)
        if kind in ("reservation_cancel", "reservation_release", "reservation_approve", "reservation_reject"):
            wanted = {"reservation_cancel": ("RESERVED", "PENDING_APPROVAL"), "reservation_release": ("RESERVED",)}
            id_ = self.reservation_id(s, *wanted.get(kind, ("PENDING_APPROVAL",)))
            verb = kind.partition("_")[2]
            where = path("/v1/reservations/{}/" if verb == "cancel" else "/v1/admin/reservations/{}/", id_) + verb
            args, body = {}, None if s["style"] & 64 else b"{}"
            if verb == "approve":
                args = {"points": s["points"]}
                body = body if s["points"] is None else self.json(s, args)
            elif verb == "reject":
                args = {"reason": s["reason"]}
                body = self.json(s, args)
            return Request(kind, restricted, "POST", where, body, reservation=id_, args=args, **how)
        if kind == "points_adjust":
            user, args = self.user_id(s["user"]), {"amount": s["amount"], "reason": s["reason"]}
            return Request(kind, restricted, "POST", path("/v1/users/{}/points", user), self.json(s, args), user=user,
                           args=args, **how)
        if kind == "user_put":
            user, args = self.user_id(s["user"]), {"name": s["name"], "role": s["role"]}
            return Request(kind, restricted, "PUT", path("/v1/admin/users/{}", user), self.json(s, args), user=user,
                           args=args, headers=s.get("condition", ()), **how)
        if kind == "user_erase":
            user, args = self.user_id(s["user"]), {"reason": s["reason"]}
            return Request(kind, restricted, "POST", path("/v1/admin/users/{}/erase", user), self.json(s, args), user=user, args=args, **how)
        if kind == "room_create":
            args = {"name": s["name"], "total_amount": s["total"], "required_points": s["price"]}
            room = None if s["room"] == "new" else self.room_id(s["room"])
            if room is not None:
                args["id"] = room.upper() if upper else room
            return Request(kind, restricted, "POST", "/v1/admin/rooms", self.json(s, args), room=room, args=args, **how)
        if kind == "room_change":
            room, change = self.room_id(s["room"]), s["change"]
            body = None if not change and s["style"] & 64 else self.json(s, change)
            return Request(kind, restricted, "PATCH", path("/v1/admin/rooms/{}", room), body, room=room, args=change,
                           headers=s.get("condition", ()), **how)
        if kind in GETS:
            room = user = reservation = None
            if kind in ("room_get", "admin_room_get"):
                room = self.room_id(s["room"])
                where = path("/v1/rooms/{}" if kind == "room_get" else "/v1/admin/rooms/{}", room)
            elif kind == "reservation_get":
                reservation = self.reservation_id(s, *STATUSES)
                where = path("/v1/reservations/{}", reservation)
            else:
                user = self.user_id(s["user"])
                where = path("/v1/users/{}/points" if kind == "points_get" else "/v1/admin/users/{}", user)
            method = "HEAD" if s.get("twist") == "HEAD" else "GET"
            return Request(kind, restricted, method, where, room=room, user=user, reservation=reservation, **how)
        if kind == "outbox_retry":
            ids = [i for i, status in list(self.known.mails.items()) if status == "DEAD" or s["aim"] < 0.3]
            id_ = ids[int(s["dice"] * len(ids))] if ids and s["aim"] < 0.95 else 10 ** 17
            return Request(kind, restricted, "POST", f"/v1/admin/outbox/{id_}/retry", b"{}" if s["style"] & 64 else None,
                           args={"mail": id_}, **how)
        if kind == "audit":
            return Request(kind, restricted, "GET", "/v1/admin/audit")
        if kind == "again":
            return self.again(s)
        if kind == "wrong":
            return self.wrong(s)
        raise ValueError(kind)

    def again(self, s):
        """An earlier request with its key: as it was, with another body, or with the other API key."""
        keyed = self.known.keyed
        if not keyed:
            return None
        q = keyed[-1 - int(s["dice"] ** 2 * len(keyed))].copy()
        if s["twist"] == "body":
            q.body = (q.body or b"{}") + b" "  # the same value, other bytes
        elif s["twist"] == "role" and q.kind not in RESTRICTED:
            q.role = "public" if q.role == "restricted" else "restricted"
        q.actor_given, q.actor = s["actor"], s["actor"] if s["actor"] and q.role == "restricted" else q.role
        return q

    def wrong(self, s):
        """What is refused whatever the state of things, and changes nothing."""
        rng = random.Random(s["seed"])
        which, kind = s["which"], s["of"]
        base = step(rng, kind)
        q = self.request(base)
        q.idem = None if rng.random() < 0.5 else f"{self.prefix}!w{s['seed']:x}"
        if q.method == "POST" and q.idem is not None and which in ("malformed", "semantic", "type", "large"):
            q.right = q.copy()
        if q.reservation == self.room_id("none") or q.args.get("mail") == 10 ** 17:
            which = "malformed" if which == "semantic" else which  # which fault is told first is open
        q.kind, q.args = "wrong", {}
        if which == "malformed":
            q.body, q.fixed = rng.choice(MALFORMED), (400, ["malformed-json"], None)
            if q.body == b" " and kind not in ("reservation_create", "points_adjust", "user_put", "room_create",
                                               "reservation_reject", "user_erase"):
                q.body = b"{"
            elif q.body == b" ":
                q.body = rng.choice([b"", None, b" "])
        elif which == "semantic":
            q.body, pointers = self.bad_body(rng, kind)
            q.fixed = (422, ["validation"], pointers)
        elif which == "query":
            q = self.bad_query(rng)
        elif which == "header":
            q.idem = None
            header = rng.choice(["X-Actor", "Idempotency-Key"])
            if header == "X-Actor" or q.method != "POST":
                q.role, q.actor_given = "restricted", None
                q.extra.append(("X-Actor", rng.choice(["", "%", "%zz", "%ff", "a" * 101, "%00", "a%0ab", "%E2%80%AE"])))
            else:
                q.extra.append(("Idempotency-Key", rng.choice(["", "a b", "k" * 129, "\xe9", "a\tb"])))
            q.fixed = (400, ["validation"], None)
        elif which == "auth":
            q.role = rng.choice(["nobody", "wrong"])
            if q.role == "wrong":
                q.extra.append(("X-API-Key", "k" + "0" * rng.randrange(60)))
            q.fixed = (401, ["unauthorized"], None)
        elif which == "forbidden":
            q = self.request(step(rng, rng.choice(sorted(RESTRICTED & (POSTS | GETS | {"user_put", "room_change"})))))
            q.kind, q.role, q.args = "wrong", "public", {}
            if rng.random() < 0.3:
                q.body = b"{"
            if q.method == "HEAD":
                q.method = "GET"
            q.fixed = (403, ["forbidden"], None)
        elif which == "path":
            q.target = rng.choice(["/v1/nothing", "/v1/admin/nothing", "/v1/rooms/a/b", "/v1/reservations/x/y/z", "/v1",
                                   "/v1/users/x/point", "/v2/rooms", "/v1/admin/history", "/v1/admin/history/people"])
            q.role, q.fixed = "restricted", (404, ["not-found"], None)
        elif which == "method":
            q.method = rng.choice(["DELETE", "FOO", "PUT", "PATCH"])
            q.target = rng.choice(["/v1/rooms", "/v1/reservations", "/v1/admin/users", "/v1/admin/outbox",
                                   f"/v1/reservations/{self.room_id(0)}/cancel", f"/v1/users/{self.user_id(0)}/points"])
            q.role, q.fixed = "restricted", (405, ["method-not-allowed"], None)
        elif which == "type":
            q.body = q.body or b"{}"
            q.extra.append(("Content-Type", rng.choice(["text/plain", "application/x-www-form-urlencoded", None,
                                                        "application/jsonx", "application/json; charset=latin1"])))
            q.fixed = (415, ["unsupported-media-type"], None)
        elif which == "large":
            q.body, q.fixed = b'{"a":"' + b"x" * 16384 + b'"}', (413, ["payload-too-large"], None)
        else:  # a broken id in the path
            bad = rng.choice(["x", "{" + self.room_id(0) + "}", self.room_id(0)[:-1], self.room_id(0) + "0", "urn:uuid:" +
                              self.room_id(0), self.room_id(0).replace("-", ""), "%20", "0"])
            bad = quote(bad, safe=":%")
            q.method, q.body, q.role, q.actor_given, q.idem = "GET", None, "restricted", None, None
            q.target, name = rng.choice([("/v1/rooms/", "room-not-found"), ("/v1/admin/rooms/", "room-not-found"),
                                         ("/v1/admin/users/", "user-not-found"),
                                         ("/v1/reservations/", "reservation-not-found")])
            q.target += bad
            q.fixed = (404, [name], None)
        return q

    def bad_body(self, rng, kind):
        """(body, pointers): well-formed, but it breaks rules, and all of them are told."""
        room, user = self.room_id(0), self.user_id(0)
        if rng.random() < 0.08:
            return rng.choice([b"[]", b'"x"', b"5", b"true", b"null", b"[{}]"]), [""]
        extra, extra_pointer = rng.choice([({}, []), ({"x": 1}, ["/x"]), ({"a/b~c": None}, ["/a~1b~0c"])])

        def bad(name, values, good, required=True):
            """A member that is wrong, missing, or fine: (JSON text or None, pointers)."""
            dice = rng.random()
            if dice < 0.5:
                return json.dumps(rng.choice(values)), ["/" + name]
            if dice < 0.65 and required:
                return None, ["/" + name]
            return json.dumps(good), []

        def integer(name, low, high, required=True):
            value, where = bad(name, [None, "1", 1.5, True, [], {}], 1, required)
            if where and value is not None and rng.random() < 0.5:
                value = rng.choice([str(low - 1), str(high + 1), "9" * 30, "-" + "9" * 30, "1e1", "1.0"])
            return value, where

        ids = ["x", "", 5, None, room + "0", "{" + room + "}", room.replace("-", "")]
        if kind == "reservation_create":
            members = {"room_id": bad("room_id", ids, room)}
            dice = rng.random()
            if dice < 0.3:
                members["user"] = bad("user", ["x", 5, None, []], {"id": user})
            else:
                inner, where = {}, []
                for name, values, good, required in (("id", ids, user, True), ("name", BAD_NAMES, "fine", False),
                                                     ("role", ["user", "", None, 1, "ROOT"], "USER", False)):
                    value, at = bad(name, values, good, required)
                    if value is not None:
                        inner[name] = json.loads(value)
                    where += ["/user" + p for p in at]
                if rng.random() < 0.3:
                    inner["bonus_points"] = 5
                    where.append("/user/bonus_points")
                members["user"] = (json.dumps(inner), where)
        elif kind == "points_adjust":
            members = {"amount": (rng.choice(BAD_AMOUNTS), ["/amount"]) if rng.random() < 0.6 else
                       integer("amount", -10 ** 9, 10 ** 9), "reason": bad("reason", BAD_REASONS, "fine")}
        elif kind == "user_put":
            members = {"name": bad("name", BAD_NAMES, "fine"), "role": bad("role", ["user", "", None, 1], "USER")}
        elif kind == "room_create":
            members = {"name": bad("name", BAD_NAMES, "fine"), "total_amount": integer("total_amount", 0, 10 ** 6),
                       "required_points": integer("required_points", 0, 10 ** 9), "id": bad("id", ids, room, False)}
        elif kind == "room_change":
            members = {"name": bad("name", BAD_NAMES, "fine", False),
                       "total_amount": integer("total_amount", 0, 10 ** 6, False),
                       "required_points": integer("required_points", 0, 10 ** 9, False),
                       "archived": bad("archived", [0, 1, "true", None], True, False)}
        elif kind == "reservation_approve":
            members = {"points": integer("points", 0, 10 ** 9, False)}
        elif kind in ("reservation_reject", "user_erase"):
            members = {"reason": bad("reason", BAD_REASONS, "fine")}
        else:  # calls that need no member
            members = {}
        pointers = [p for _, where in members.values() for p in where] + extra_pointer
        if not pointers:
            extra, pointers = {"unknown": []}, ["/unknown"]
        parts = [f"{json.dumps(name)}:{value}" for name, (value, _) in members.items() if value is not None]
        parts += [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in extra.items()]
        rng.shuffle(parts)
        return ("{" + ",".join(parts) + "}").encode(), sorted(pointers)

    def bad_query(self, rng):
        target, names = rng.choice([
            ("/v1/rooms", ["available", "q", "sort", "max_points"]), ("/v1/reservations", ["user_id", "status"]), ("/v1/reservations", ["q", "status"]), ("/v1/reservations", ["ids"]), ("/v1/admin/users", ["q", "sort"]),
            ("/v1/admin/rooms", ["q", "sort", "max_points"]), ("/v1/admin/history/rooms", ["room_id", "since", "until"]),
            ("/v1/admin/history/points", ["user_id", "since"]), ("/v1/admin/history/users", ["user_id", "until"]), ("/v1/admin/history/reservations", ["reservation_id"]), ("/v1/admin/history/reservations", ["user_id", "since"]),
            ("/v1/admin/events", ["since"]),
            ("/v1/admin/outbox", ["status"])])
        values = {"limit": ["0", "-1", "abc", "201", "", "1.5", "01", "99999999999999999999", "%31%00"],
                  "cursor": ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "MTIz", "0"],
                  "available": ["yes", "", "TRUE", "1"], "status": ["pending", "", "RESERVED2"],
                  "q": ["", "n" * 201, "%01", "%ff", "%zz"], "sort": ["", "-", "NAME", "--id", "status", "id,name"],
                  "max_points": ["", "-1", "1.5", "01", "9007199254740992", "1e3", "%2B1"],
                  "since": ["yesterday", "2026-13-01T00:00:00Z", "2026-11-23", "2026-11-23T10:00:00", "", "0",
                            "2026-02-29T00:00:00Z", "2026-11-23T24:00:00Z"]}
        values["until"] = values["since"]
        for name in ("ids", "user_id", "room_id", "reservation_id"):
            values[name] = ["x", "", self.room_id(0)[1:], "{" + self.room_id(0) + "}"]
        faults = set()
        query = []
        for name in rng.sample(["limit", "cursor", *names], rng.randint(1, min(3, 2 + len(names)))):
            query.append(f"{name}={rng.choice(values[name])}")
            faults.add("?" + name)
        if rng.random() < 0.3:
            query.append("nothing=1")
            faults.add("?nothing")
        if "ids" not in names and rng.random() < 0.2:
            query = ["limit=5", "limit=5"] + [part for part in query if not part.startswith("limit")]
            faults.add("?limit")
        return Request("wrong", "restricted", "GET", target + "?" + "&".join(query),
                       fixed=(400, ["validation"], sorted(faults)))
