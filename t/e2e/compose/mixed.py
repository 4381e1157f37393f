"""A mixed load that forgives nothing: each request is answered as it should be, the first time it is sent."""

import random
import sys
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from client import Broken, request_bytes  # noqa: E402
from load import Load  # noqa: E402

STAFF = "restricted"


class Mixed(Load):
    """n clients on kept connections: half of what they do is reading.  `with` runs them, the end demands that nothing failed
    and that all that was acknowledged is there, once.

    A kept connection may be closed by the server at any time between two requests, and a client that is just sending the next
    one cannot know.  HTTP (RFC 9112, 9.3.1) has it send once more what is safe to send twice, and with an Idempotency-Key here
    everything is: that is `cut`, told apart from `lost`, and only forgiven `may_cut` times."""

    def __init__(self, stack, n=4, seed=1, pause=0.02, may_cut=0, others=()):
        super().__init__(stack, n, seed, pause)
        self.may_cut = may_cut
        self.apis = [stack.api, *others]  # of each gateway: clients take turns
        self.sent = 0
        self.cut = []
        self.lost = []
        self.slowest = 0

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace)
        print(f"\n{self.sent} requests, {len(self.lost)} lost, {len(self.cut)} cut, slowest {self.slowest:.2f} s")
        if kind is None:
            assert not self.lost, self.lost[:5]
            assert len(self.cut) <= self.may_cut, self.cut[:5]
            assert self.sent > 300

    def _client(self, i):
        try:
            rng, user, mine = random.Random(self.seed * 1000 + i), self.users[i], []
            while not self.done.is_set():
                kind = rng.choice(("rooms", "balance", "admin_room", "room", "history", "reserve", "adjust", "cancel", "reserve", "adjust"))
                if kind == "cancel" and not mine:
                    kind = "reserve"
                if kind == "adjust":
                    self._call(kind, i, "POST", f"/v1/users/{user.id}/points", {"amount": rng.choice((5, 7, -2)), "reason": "load"}, STAFF, 201)
                elif kind == "reserve":
                    a = self._call(kind, i, "POST", "/v1/reservations", {"room_id": self.room.id, "user": {"id": user.id}}, "public", 201)
                    if a:
                        mine.append(a.json["id"])
                elif kind == "cancel":
                    self._call(kind, i, "POST", f"/v1/reservations/{mine.pop(rng.randrange(len(mine)))}/cancel", {}, "public", 200)
                else:
                    target, key = {"rooms": ("/v1/rooms?limit=20", "public"), "room": (f"/v1/rooms/{self.room.id}", "public"),
                                   "balance": (f"/v1/users/{user.id}/points", "public"), "admin_room": ("/v1/admin/rooms?limit=5", STAFF),
                                   "history": (f"/v1/admin/history/points?user_id={user.id}&limit=5", STAFF)}[kind]
                    self._call(kind, i, "GET", target, None, key, 200)
                if self.pause:
                    time.sleep(self.pause)
        except Exception as e:
            self.errors.append(f"client {i}: {e!r}")
        finally:
            self.apis[i % len(self.apis)].drop()

    def _call(self, kind, i, method, target, body, key, want):
        """The answer; None where there was none as there should have been."""
        api, idem = self.apis[i % len(self.apis)], uuid.uuid4().hex if method == "POST" else None
        headers, data = api.prepare(method, target, **({} if body is None else {"json_": body}), key=key, idem=idem)
        with self.lock:
            self.sent += 1
        started, again = time.monotonic(), False
        while True:
            kept, wire = False, None
            try:
                kept = getattr(api._local, "wire", None) is not None and not api._local.wire.stale()
                wire = api._own_wire()
                wire.send(request_bytes(method, target, headers, data))
                a = wire.answer(method, target, headers)
            except (OSError, Broken) as e:
                untouched = wire is not None and not wire.buffer
                api.drop()
                what = f"{time.strftime('%X')} {kind} {method} {target}: {e!r} after {time.monotonic() - started:.2f} s"
                if kept and untouched and not again:
                    with self.lock:
                        self.cut.append(what)
                    again = True
                    continue
                with self.lock:
                    self.lost.append(what)
                return None
            break
        if (a.header("Connection") or "").lower() == "close":
            api.drop()
        with self.lock:
            self.slowest = max(self.slowest, time.monotonic() - started)
            if a.status != want:
                self.lost.append(f"{time.strftime('%X')} {kind}: {a.status} {a.body[:200]!r}")
                return None
            if method == "POST":
                self.told.append((kind, i, idem, a))
                self.successes.append(time.monotonic())
        return a


def during(load, seconds):
    """Let it run for so long."""
    time.sleep(seconds)
    assert not load.errors, load.errors[:3]
