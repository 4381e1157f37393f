"""kill -9, at named points of a write and of a mail, and at random under load: after each, everything is up again and nothing acknowledged is lost."""

import os
import signal
import threading
import time
import uuid

import pytest

from invariants import mails_went
from load import Load
from proxy import proxied
from stack import until

# Where a write is when it stops, by the table that it has just written to, and what makes it stop there: a trigger that waits for a named
# lock, which the test holds.
WRITTEN = {"user": "AFTER UPDATE ON loyalty.user", "room": "AFTER UPDATE ON loyalty.room", "reservation": "AFTER INSERT ON loyalty.reservation",
           "idempotency": "AFTER INSERT ON loyalty.idempotency", "outbox": "AFTER INSERT ON loyalty.outbox",
           "room_history": "AFTER INSERT ON loyalty_history.room_history", "points_history": "AFTER INSERT ON loyalty_history.points_history",
           "reservation_history": "AFTER INSERT ON loyalty_history.reservation_history"}
POINTS = ("before the CALL", *WRITTEN, "after the COMMIT")


@pytest.fixture(scope="module")
def victim(make_stack):
    with proxied(make_stack, "rooms", "points", "admin") as s:
        yield s


class Stop:
    """with Stop(stack, point) as stop: the next reservation stops at this point; stop.reached(), then it goes on at the end."""

    def __init__(self, stack, point):
        self.stack, self.point = stack, point

    def __enter__(self):
        if self.point in WRITTEN:
            self.holder = self.stack.db()
            with self.holder.cursor() as c:
                c.execute("SELECT GET_LOCK('prove', 5)")
                schema = "loyalty_history" if self.point.endswith("_history") else "loyalty"
                c.execute(f"CREATE TRIGGER {schema}.prove_stop {WRITTEN[self.point]} FOR EACH ROW DO GET_LOCK('prove', 20) + RELEASE_LOCK('prove')")
            self.drop = f"DROP TRIGGER IF EXISTS {schema}.prove_stop"
        else:
            self.stack.proxy.on("reservation_create", "hold" if self.point == POINTS[0] else "keep")
        return self

    def reached(self):
        if self.point in WRITTEN:
            with self.holder.cursor() as c:
                def stands():
                    c.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'")
                    return c.fetchone()[0]
                until(stands, 10, 0.005, f"a call that stops at {self.point}")
        else:
            assert self.stack.proxy.reached.wait(10)

    def __exit__(self, *why):
        self.stack.proxy.clear()
        if self.point in WRITTEN:
            self.holder.close()

            def dropped():  # the server may have to be up again first
                try:
                    self.stack.sql(self.drop)
                    return True
                except Exception:
                    self.stack.close_db()
                    return False
            until(dropped, 30, 0.1, "the trigger is gone")


@pytest.mark.parametrize("name", ["rooms", "db"])
def test_at_every_point_of_a_reservation(victim, proof, name):
    for point in POINTS:
        for _ in range(proof.times(25)):
            room, user = victim.room(price=10), victim.user(points=100)
            key, answers = f"{proof.seed}-{uuid.uuid4().hex}", []
            with Stop(victim, point) as stop:
                t = threading.Thread(target=lambda: answers.append(victim.reserve(room, user, idem=key)))
                t.start()
                stop.reached()
                begun = time.monotonic()
                victim.kill(name)
            t.join(30)
            assert answers and answers[0].status in (201, 503), answers
            victim.close_db()
            again = until(lambda: (lambda a: a if a.status == 201 else None)(victim.reserve(room, user, idem=key)), 20, 0.1, "an answer")
            proof.most(seconds_until_answered=time.monotonic() - begun)
            there = victim.reservations(user=user)
            proof.add(faults=1, acknowledged=1, lost=int(not there), doubled=max(0, len(there) - 1))
            assert [uuid.UUID(bytes=r["id"]) for r in there] == [uuid.UUID(again.json["id"])] and victim.balance(user) == 90, (point, there)
            if answers[0].status == 201:
                assert again.body == answers[0].body
            victim.ready()
            proof.said_now(f"{name} killed {proof.figures['faults']} times")
    victim.check_invariants()


def locked(bench, mail):
    """A connection that holds the mail's row."""
    connection = bench.db(autocommit=False)
    with connection.cursor() as c:
        c.execute("SELECT id FROM loyalty.outbox WHERE reservation_id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (mail.field("Reservation"),))
    return connection


@pytest.mark.parametrize("point", ["after the claim", "after the 250", "before the mark"])
def test_at_every_point_of_a_mail(bench, relay, proof, point):
    for _ in range(proof.times(25)):
        bench.clear()
        r = relay()
        file = bench.var / "run" / f"owner-{time.monotonic_ns()}"
        made = [bench.reservation() for _ in range(3)]
        running, held = [], []

        def stop(*_):
            if running and running[0].process.poll() is None:
                running[0].signal(signal.SIGSTOP)
                until(running[0].stopped, 5)
                r.hooks.clear()

        if point == "after the claim":
            r.hooks["ehlo"] = lambda responses: stop()
        elif point == "after the 250":
            r.hooks["data"] = stop
        running.append(bench.notifier(r, NOTIFIER_OWNER_FILE=file))
        if point == "before the mark":  # the row is locked, so the mark waits
            r.hooks["data"] = lambda mail: held.append(locked(bench, mail)) if not held else None
            until(lambda: held and len(r.arrived) >= 1, 10)
            time.sleep(0.05)
            running[0].kill()
            held[0].close()
        else:
            until(lambda: running[0].stopped(), 10)
            running[0].kill()
        bench.notifier(r, NOTIFIER_OWNER_FILE=file)
        bench.sent(3, 15)
        ids = [m.id for m in r.arrived]
        wanted, repeated = {f"<reservation.{i}@hotel.example>" for i in made}, len(ids) - len(set(ids))
        allowed = 0 if point == "after the claim" else 1  # the relay has it, and nobody knows
        proof.add(faults=1, acknowledged=3, lost=len(wanted - set(ids)), doubled=max(0, repeated - allowed), mails_repeated=repeated)
        assert wanted == set(ids) and repeated <= allowed, ids
        bench.end_notifiers()
        proof.said_now(f"notifier killed {proof.figures['faults']} times")


def test_at_random_under_load(victim, proof):
    """Programs, their supervisors, what writes their logs, and what restarts them."""
    parts = ("rooms", "points", "admin", "nginx", "db", "notifier", "console", "smtp", "prune")

    def settled():
        before = {name: victim.pids(name) for name in parts}
        time.sleep(3)
        return before == {name: victim.pids(name) for name in parts}

    with Load(victim, seed=proof.seed % 1000, pause=0.01) as load:
        for n in range(proof.times(500, 6)):
            name = proof.random.choice(parts)
            there = victim.all_pids(name)
            if not there:
                continue
            pid = proof.random.choice(sorted(there))
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            proof.add(faults=1)
            proof.most(seconds_until_served=load.progress(30, 20))
            proof.said_now(f"{n + 1} kills, {len(load.told)} acknowledged; the last was {there[pid]} of {name}")
        # A program whose supervisor was killed is started anew by the next one, a while later.
        until(settled, 60, what="nothing restarts any more")
        victim.ready(30)
        victim.close_db()
        load.progress()
    proof.add(**load.found())
    proof.most(seconds_without_an_acknowledged_write=load.gap())
    victim.close_db()
    mails_went(victim, 90)
