"""E091: the clock of database and services jumps back an hour, and forth again"""

import struct
import subprocess
import time
import uuid
from pathlib import Path

import pytest

import byhand
from invariants import mails_went
from mysqld import MySQLServer
from stack import until

HOUR = 3600


class Clock:
    def __init__(self, folder):
        folder.mkdir()
        folder.chmod(0o755)  # for a server that is another user, in a container
        self.file = folder / "clock"
        self.file.write_bytes(struct.pack("q", 0))
        self.file.chmod(0o644)
        library = folder / "clock.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(Path(__file__).with_name("clock.c"))], check=True)
        library.chmod(0o755)
        self.env = {"LD_PRELOAD": str(library), "TEST_CLOCK": str(self.file)}

    def set(self, seconds):
        with open(self.file, "r+b") as f:
            f.write(struct.pack("q", seconds))
        return self


@pytest.fixture(scope="module")
def timed(make_stack):
    s = make_stack()
    clock = s.clock = Clock(s.var / "clock")
    s.issued = Clock(s.var / "issued").set(-48 * HOUR).env  # the database's certificate must be valid at all times that come
    s.more = ("--volume", f"{s.var}/clock:/clock:ro", "--env", "LD_PRELOAD=/clock/clock.so", "--env", "TEST_CLOCK=/clock/clock")
    with s:
        parts = [] if isinstance(s, MySQLServer) else [byhand.database(s, env=clock.env)]
        parts += [byhand.service(s, name, clock.env) for name in ("rooms", "points")]
        try:
            s.ready()
            yield s
        finally:
            clock.set(0)
            for part in reversed(parts):
                part.end()


@pytest.fixture(autouse=True)
def clock_goes_right_again(timed):
    yield
    timed.clock.set(0)


def test_the_clock_is_really_ours(timed):
    before = timed.value("SELECT UNIX_TIMESTAMP(SYSDATE(6))")
    timed.clock.set(-HOUR)
    assert -HOUR - 5 < timed.value("SELECT UNIX_TIMESTAMP(SYSDATE(6))") - before < -HOUR + 5
    made = timed.reserve(timed.room(price=0), timed.user()).json
    at = time.mktime(time.strptime(made["created_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert -HOUR - 5 < at - time.time() < -HOUR + 5


def test_E091_lists_histories_and_mails_keep_the_order_of_events(timed):
    room, user = timed.room(total=100, price=1), timed.user(points=100)
    first = timed.reserve(room, user).json["id"]
    second = timed.reserve(room, user).json["id"]
    timed.mails_about(second)
    timed.clock.set(-HOUR)
    third = timed.reserve(room, user).json["id"]
    assert timed.cancel(first).status == 200
    fourth = timed.reserve(room, user).json["id"]
    timed.clock.set(+HOUR)
    fifth = timed.reserve(room, user).json["id"]
    assert timed.cancel(fourth).status == 200
    time.sleep(2)  # a notifier that looks once a second has to have seen that clock
    timed.clock.set(0)
    sixth = timed.reserve(room, user).json["id"]
    order = [str(uuid.UUID(bytes=r)) for r, in timed.sql(
        "SELECT reservation_id FROM loyalty_history.reservation_history WHERE user_id = UNHEX(REPLACE(%s, '-', '')) AND from_status IS NULL ORDER BY id", (user.id,))]
    assert order == [first, second, third, fourth, fifth, sixth]
    listed = [r["id"] for r in timed.api.get(f"/v1/reservations?user_id={user.id}").json]
    assert listed == order[::-1], "newest first, whatever the clock said"
    for id_ in (first, fourth):
        mails = timed.mails_about(id_, 2, 20)
        arrived = [m["Message-ID"] for m in sorted(mails, key=lambda m: m["Message-ID"].startswith("<outbox."))]
        assert arrived[0].startswith("<reservation.")
    timed.check_invariants()


def test_E091_mails_waiting_at_the_jump_go_out_at_once(timed):
    timed.drained()
    timed.stop("notifier")
    waiting = timed.reserve(timed.room(price=0), timed.user()).json["id"]
    retried = timed.reserve(timed.room(price=0), timed.user()).json["id"]
    timed.sql("UPDATE loyalty.outbox SET attempts = 3, due_at = UTC_TIMESTAMP(6) + INTERVAL 8 SECOND, next_attempt_at = due_at"
              " WHERE reservation_id = UNHEX(REPLACE(%s, '-', ''))", (retried,))
    timed.clock.set(-HOUR)
    later = timed.reserve(timed.room(price=0), timed.user()).json["id"]
    timed.start("notifier")
    for one in (later, waiting):
        timed.mails_about(one, 1, 15)
    timed.mails_about(retried, 1, 40)
    timed.clock.set(0)
    mails_went(timed)


def test_E091_lease_is_measured_by_the_databases_clock(timed):
    """A notifier's claim: due again when the database says so, not before."""
    timed.drained()
    timed.stop("notifier")
    try:
        made = timed.reserve(timed.room(price=0), timed.user()).json["id"]

        def claim(owner, lease):
            connection = timed.service_db("notifier")
            with connection.cursor() as c:
                c.execute("CALL loyalty.outbox_claim(%s, 100, %s)", (owner * 16, lease))
                n = len(c.fetchall())
            connection.close()
            return n

        mine = claim(b"a", 60)
        assert mine >= 1
        assert claim(b"b", 60) == 0, "leased"
        timed.clock.set(-HOUR)
        assert claim(b"b", 60) == 0, "still leased"
        timed.clock.set(70 - HOUR)
        assert claim(b"b", 60) == mine, "the lease is over"
        with timed.service_db("notifier").cursor() as c:
            c.execute("CALL loyalty.outbox_give_back(%s)", (b"b" * 16,))
        timed.clock.set(0)
    finally:
        timed.start("notifier")
    timed.mails_about(made, 1, 15)


def test_E091_idempotency_outlives_the_jump(timed):
    room, user = timed.room(total=10, price=1), timed.user(points=100)
    first = timed.reserve(room, user, idem="jump")
    for off in (-HOUR, HOUR, -24 * HOUR):
        timed.clock.set(off)
        again = timed.reserve(room, user, idem="jump")
        assert again.replayed and again.body == first.body
    timed.clock.set(-HOUR)
    back = timed.adjust(user, 5, idem="jump")
    timed.clock.set(0)
    again = timed.adjust(user, 5, idem="jump")
    assert again.replayed and again.body == back.body


def test_E091_service_that_starts_after_the_jump_works(timed):
    """And the times of one reservation never run backwards where the clock did not."""
    room, user = timed.room(total=10, price=1), timed.user(points=100)
    timed.clock.set(-HOUR)
    made = timed.reserve(room, user)
    gone = timed.cancel(made.json["id"])
    assert gone.json["created_at"] <= gone.json["updated_at"]
    timed.ready()
    until(lambda: timed.api.get("/v1/rooms?limit=1").status == 200, 5)
