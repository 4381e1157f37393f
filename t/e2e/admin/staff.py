"""What the tests of the staff API share."""

import os
import random
import uuid

from client import request_bytes

# How often a race is run.  make check keeps it short; LOYALTY_ROUNDS=1000 is the whole of it.
ROUNDS = int(os.environ.get("LOYALTY_ROUNDS", "30"))

STAFF = {"key": "restricted"}

NAMES_FINE = ["x", "x" * 200, "🛏" * 200, "Zoë “ü” <b>\\\"", "李小龍", "a ", "O'Brien; --", "%_\\", "\ufffe\U0010ffff", "e\u0301"]
NAMES_BAD = ["", " ", "\u00a0", "\u200b\ufeff", "x" * 201, "🛏" * 201, None, 5, True, [], {}, "a\nb", "a\tb", "a\x00b", "a\x7fb", "a\x85b",
             "a\x9fb", "a\x1bb", "a\u202eb", "a\u202a", "\u2066", "a\u2069b"]
REASONS_BAD = ["", "x" * 201, "🛏" * 201, None, 5, True, [], {}, "a\rb", "a\tb", "a\x7fb", "a\x85b", "a\x1bb", "\x01", "a\x9fb", "a\r\nb"]

# Texts that are no JSON integer of 0 or more, and what comes of them in its place.
NO_INTEGERS = ['"5"', "true", "false", "null", "[]", "[5]", "{}", "1.5", "1.0", "1e3", "-0.0", '""', "-1", "9007199254740993", "1" * 400,
               "18446744073709551617", "-9223372036854775809", "4294967296", "1e400"]
NO_NUMBERS = ["01", "+1", "0x10", "NaN", "Infinity", "-", "1.", ".5", "1e", "1_000", ""]

# Bodies that no call takes, (body, content type), and their problem.
BROKEN = [(b"{", "application/json", 400, "malformed-json"), (b"{} x", "application/json", 400, "malformed-json"),
          (b'{"a":1,"a":2}', "application/json", 400, "malformed-json"), (b'{"a":"\xff"}', "application/json", 400, "malformed-json"),
          (b"\xef\xbb\xbf{}", "application/json", 400, "malformed-json"), (b"[" * 17 + b"]" * 17, "application/json", 400, "malformed-json"),
          (b'{"a":"\\u0000"}', "application/json", 400, "malformed-json"), (b"{}", "text/plain", 415, "unsupported-media-type"),
          (b"{}", None, 415, "unsupported-media-type"), (b"{}", "application/merge-patch+json", 415, "unsupported-media-type"),
          (b" " * 17000, "application/json", 413, "payload-too-large")]


def new_id():
    return str(uuid.uuid4())


def key():
    return "k-" + uuid.uuid4().hex


def refuses_broken_bodies(stack, method, target):
    with stack.unchanged():
        for body, kind, status, problem in BROKEN:
            a = stack.api.request(method, target, body=body, content_type=kind, key="restricted", wire=stack.api.wire())
            assert (a.status, a.problem) == (status, problem), (body[:20], kind, a)


def same_answer(first, again):
    assert (again.status, again.body) == (first.status, first.body), (first, again)
    for name in ("Content-Type", "Location"):
        assert again.header(name) == first.header(name)
    assert again.replayed and not first.all("Idempotency-Replayed")


def pending(stack, price=100, total=1, room=None, user=None, **how):
    """(reservation, room, user): PENDING_APPROVAL, of a user without points unless one is given."""
    room = room or stack.room(total=total, price=price)
    user = user or stack.user()
    a = stack.reserve(room, user, **how)
    assert (a.status, a.json["status"]) == (201, "PENDING_APPROVAL"), a
    return a.json, room, user


def in_status(stack, status, price=100):
    """(reservation, room, user) in this status; the user has as many points as the price."""
    room = stack.room(total=2, price=price)
    user = stack.user(points=price if status in ("RESERVED", "RELEASED", "CANCELLED") else 0)
    made = stack.reserve(room, user).json
    if status == "CANCELLED":
        assert stack.cancel(made["id"]).status == 200
    elif status == "RELEASED":
        assert stack.release(made["id"]).status == 200
    elif status == "REJECTED":
        assert stack.reject(made["id"]).status == 200
    now = stack.balance(user)
    if now != price:
        assert stack.adjust(user, price - now).status == 201
    return stack.api.get(f"/v1/reservations/{made['id']}").json, room, user


def history(stack, stream, request_id):
    """The rows of one request, oldest first."""
    return stack.sql(f"SELECT * FROM loyalty_history.{stream}_history WHERE request_id = %s ORDER BY id", (request_id,), dicts=True)


def outbox(stack, request_id):
    return stack.sql("SELECT * FROM loyalty.outbox_mail WHERE request_id = %s ORDER BY id", (request_id,), dicts=True)


def traces(stack, request_id):
    """How many rows a request has left: rooms, reservations, points, outbox."""
    return tuple(len(history(stack, s, request_id)) for s in ("room", "reservation", "points")) + (len(outbox(stack, request_id)),)


class Racers:
    """Connections that stand.  race() sends a request on each, in a chance order and within some 2 ms, then reads the answers."""

    def __init__(self, api, n, seed):
        self.api, self.chance = api, random.Random(seed)
        self.wires = [api.wire() for _ in range(n)]

    def race(self, *calls):
        """calls: (target, json or UNSET left out, key); POST.  Answers in the order of the calls."""
        ready = []
        for wire, (target, json_, who) in zip(self.wires, calls):
            headers, body = self.api.prepare("POST", target, json_, key=who)
            ready.append((wire, target, headers, body, who, request_bytes("POST", target, headers, body)))
        order = list(range(len(ready)))
        self.chance.shuffle(order)
        for i in order:
            ready[i][0].send(ready[i][5])
            for _ in range(self.chance.choice((0, 0, 0, 500, 5000, 20000))):
                pass
        answers = []
        for wire, target, headers, body, who, _ in ready:
            a = wire.answer("POST", target, headers)
            a.request_body, a.key_name = body, who
            self.api.observe(a)
            answers.append(a)
        return answers

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for wire in self.wires:
            wire.close()


def approve_call(id_, body=None):
    return f"/v1/admin/reservations/{id_}/approve", body or {}, "restricted"


def reject_call(id_):
    return f"/v1/admin/reservations/{id_}/reject", {"reason": "a race"}, "restricted"


def release_call(id_):
    return f"/v1/admin/reservations/{id_}/release", {}, "restricted"


def cancel_call(id_):
    return f"/v1/reservations/{id_}/cancel", {}, "public"
