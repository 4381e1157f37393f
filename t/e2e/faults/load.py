"""Clients that go on whatever dies: each write has its Idempotency-Key and is sent until it is answered."""

import collections
import random
import threading
import time
import uuid

# What has to be the same on all servers that hold the same data.
TABLES = ", ".join(f"loyalty.{t}" for t in ("user", "room", "reservation", "outbox", "idempotency")) + ", " + ", ".join(
    f"loyalty_history.{t}_history" for t in ("room", "reservation", "points", "user", "outbox"))


class Load:
    """n clients that reserve, cancel and adjust; `with` runs them, the end checks what they were told."""

    def __init__(self, stack, n=8, seed=1, pause=0.0):
        self.stack, self.n, self.pause = stack, n, pause
        self.room = stack.room(total=100000, price=3)
        self.scarce = stack.room(total=5, price=0)
        self.users = [stack.user(points=1000000) for _ in range(n)]
        self.seed = seed
        self.done = threading.Event()
        self.told = []  # (kind, user's number, key, answer)
        self.lock = threading.Lock()
        self.successes = []  # when
        self.failures = 0  # sent again
        self.refused = []  # with what status,
        self.waited = []  # and after how many seconds
        self.why = collections.Counter()  # what was sent again, and why
        self.errors = []

    def __enter__(self):
        self.threads = [threading.Thread(target=self._client, args=(i,), daemon=True) for i in range(self.n)]
        for t in self.threads:
            t.start()
        self.progress()
        return self

    def __exit__(self, kind, value, trace):
        self.done.set()
        for t in self.threads:
            t.join(60)
        assert not any(t.is_alive() for t in self.threads), "a client hangs"
        assert not self.errors, self.errors[:3]
        if kind is None:
            self.check()

    def progress(self, seconds=15, more=20):
        """Wait until so many further writes were acknowledged; how long it took."""
        start = time.monotonic()
        goal = len(self.successes) + more
        while len(self.successes) < goal:
            assert not self.errors, self.errors[:3]
            assert time.monotonic() - start < seconds, f"no progress within {seconds} s"
            time.sleep(0.01)
        return time.monotonic() - start

    def gap(self, since=0):
        """The longest time without an acknowledged write, after so many of them."""
        times = sorted(self.successes)[since:]
        return max(b - a for a, b in zip(times, times[1:]))

    def _client(self, i):
        try:
            rng, user, mine = random.Random(self.seed * 1000 + i), self.users[i], []
            while not self.done.is_set():
                kind = rng.choice(("reserve", "reserve", "adjust", "scarce", "cancel"))
                if kind == "cancel" and not mine:
                    kind = "reserve"
                if kind == "adjust":
                    amount = rng.choice((5, 7, -2))
                    a = self._send(kind, i, f"/v1/users/{user.id}/points", {"amount": amount, "reason": "load"}, "restricted")
                elif kind == "cancel":
                    a = self._send(kind, i, f"/v1/reservations/{mine.pop(rng.randrange(len(mine)))}/cancel", {}, "public")
                else:
                    room = self.room if kind == "reserve" else self.scarce
                    a = self._send(kind, i, "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, "public")
                    if a.status == 201:
                        mine.append(a.json["id"])
                if self.pause:
                    time.sleep(self.pause)
        except Exception as e:
            self.errors.append(f"client {i}: {e!r}")
        finally:
            self.stack.api.drop()

    def _send(self, kind, i, target, body, key):
        idem = uuid.uuid4().hex
        until, last = time.monotonic() + 50, None
        while True:
            sent = time.monotonic()
            try:
                a = self.stack.api.post(target, body, key=key, idem=idem)
                if a.status < 500 and a.status != 429:
                    assert a.status in (200, 201, 409), a
                    with self.lock:
                        self.told.append((kind, i, idem, a))
                        self.successes.append(time.monotonic())
                    return a
                last = a
                self.refused.append(a.status)
                self.waited.append(time.monotonic() - sent)
                self.why[f"{kind}: {a.status} {a.body[-200:]}"] += 1
            except AssertionError:
                raise
            except Exception as e:
                last = e  # refused, reset: whatever a dying server does to a connection
                self.why[f"{kind}: {e!r}"] += 1
            self.failures += 1
            assert time.monotonic() < until, f"{kind} {idem}: no answer for 50 s, but {last!r}"
            time.sleep(0.05)

    def found(self):
        """What check() has found, as figures: acknowledged, lost, and done without anybody being told, which is once too often."""
        return {"acknowledged": len(self.told), "lost": len(self.lost), "doubled": len(self.unknown)}

    def check(self):
        """What was acknowledged is there, once; nothing else is."""
        made, cancelled = set(), set()
        sums = [0] * self.n
        for kind, i, idem, a in self.told:
            if kind in ("reserve", "scarce") and a.status == 201:
                assert a.json["id"] not in made, "two wishes, one reservation"
                made.add(a.json["id"])
            elif kind == "cancel" and a.status == 200:
                cancelled.add(a.json["id"])
            elif kind == "adjust" and a.status == 201:
                sums[i] += a.json["amount"]
        there = {}
        for user in self.users:
            for row in self.stack.reservations(user=user):
                there[str(uuid.UUID(bytes=row["id"]))] = row["status"]
        self.lost, self.unknown = made - set(there), set(there) - made
        assert not self.lost and not self.unknown, f"{len(self.unknown)} that nobody was told of, {len(self.lost)} lost"
        assert {i for i, status in there.items() if status == "CANCELLED"} == cancelled
        for i, user in enumerate(self.users):
            spent = sum(3 for row in self.stack.reservations(user=user, room=self.room) if row["status"] == "RESERVED")
            assert self.stack.balance(user) == 1000000 + sums[i] - spent
        self.stack.check_invariants()
