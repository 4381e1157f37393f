"""Notifiers beside each other, stopped, started, misconfigured: E113, E114, E124, and the life cycle."""

import asyncio
import collections
import contextlib
import os
import signal
import subprocess
import threading
import time
import uuid

import pytest

from stack import TOP, until


def test_mail_goes_out_within_two_seconds_at_the_default_interval(bench, relay):
    r = relay()
    n = bench.notifier(r, NOTIFIER_POLL_MS=None)
    n.logged("started")
    for _ in range(3):
        time.sleep(0.4)
        began = time.monotonic()
        bench.reservation()
        until(lambda: len(r.arrived) == len(bench.outbox()), 2, 0.02, "the mail")
        assert time.monotonic() - began < 2


def test_E113_two_notifiers_send_each_mail_once(bench, relay):
    r = relay()
    bench.reservations_made(300)
    both = [bench.notifier(r, NOTIFIER_BATCH=7) for _ in range(2)]
    bench.sent(300, 30)
    counts = collections.Counter(r.ids())
    assert len(counts) == 300 and set(counts.values()) == {1}
    assert {row["attempts"] for row in bench.outbox()} == {1}
    # a notifier says so when it hears from the database, a moment later
    until(lambda: sum(n.log().count(": SENT") for n in both) == 300, 10, what="300 times SENT in the logs")
    assert min(n.log().count(": SENT") for n in both) > 0


def test_E113_claim_waits_for_nobody(bench, relay):
    """A row that another transaction holds is skipped, the rest goes out."""
    r = relay()
    held, free = bench.reservation(), bench.reservation()
    with contextlib.closing(bench.db(autocommit=False)) as keeper, keeper.cursor() as c:
        c.execute("SELECT id FROM loyalty.outbox WHERE id = %s FOR UPDATE", (bench.row(held)["id"],))
        bench.notifier(r)
        bench.sent(1, 5)
    assert bench.row(free)["status"] == "SENT"
    bench.sent(2)


def test_E113_mails_of_one_reservation_stay_in_order_with_two_notifiers(bench, relay):
    r = relay()
    ids = [bench.reservation(status="PENDING_APPROVAL") for _ in range(10)]
    for status in ("RESERVED", "RELEASED"):
        for id_ in ids:
            bench.change(id_, status)
    for _ in range(2):
        bench.notifier(r, NOTIFIER_BATCH=3)
    bench.sent(30, 20)
    for id_ in ids:
        mine = [m.code("New status") for m in r.arrived if m.field("Reservation") == id_]
        assert mine == ["PENDING_APPROVAL", "RESERVED", "RELEASED"], mine


def test_E114_stopped_past_its_lease_it_does_not_send(bench, relay):
    """SIGSTOP between claim and text; meanwhile another sends the mail.  It wakes up and must see that."""
    first = []

    def freeze(address):
        if len(r.verbs()) and not first[0].stopped() and not state["done"]:
            state["done"] = True
            first[0].signal(signal.SIGSTOP)
            until(first[0].stopped, 5)

    state = {"done": False}
    r = relay(rcpt=freeze)
    ids = [bench.reservation() for _ in range(2)]
    first.append(bench.notifier(r, NOTIFIER_LEASE_S=2))
    until(first[0].stopped, 10)
    second = bench.notifier(r, NOTIFIER_LEASE_S=2)
    bench.sent(2, 15)
    first[0].signal(signal.SIGCONT)
    first[0].logged("lease expired before its turn")
    later = bench.reservation()
    bench.sent(3)
    time.sleep(0.5)
    counts = collections.Counter(m.field("Reservation") for m in r.offered)
    assert counts == {id_: 1 for id_ in ids + [later]}
    assert second.process.poll() is None and first[0].process.poll() is None


def test_E114_stopped_past_its_lease_it_gives_back_what_nobody_took(bench, relay):
    first = []

    def freeze(address):
        if not state["done"]:
            state["done"] = True
            first[0].signal(signal.SIGSTOP)
            until(first[0].stopped, 5)

    state = {"done": False}
    r = relay(rcpt=freeze)
    for _ in range(3):
        bench.reservation()
    first.append(bench.notifier(r, NOTIFIER_LEASE_S=1))
    until(first[0].stopped, 10)
    time.sleep(1.3)
    first[0].signal(signal.SIGCONT)
    bench.sent(3, 10)
    assert len(r.offered) == 3


def test_lease_is_renewed_as_each_mail_starts(bench, relay):
    """Claimed at 0 s for 2 s; the second mail is under way from 1.5 to 3 s, and nobody else gets it meanwhile."""
    async def slow(mail):
        await asyncio.sleep(1.5)

    r = relay(data=slow)
    for _ in range(2):
        bench.reservation()
    first = bench.notifier(r, NOTIFIER_LEASE_S=2)
    until(lambda: r.offered, 10)
    bench.notifier(r, NOTIFIER_LEASE_S=2)
    bench.sent(2, 15)
    assert len(r.offered) == 2
    first.logged(": SENT", count=2)


def test_settle_of_somebody_elses_mail_changes_nothing(bench, relay):
    id_ = bench.reservation()
    other = uuid.uuid4().bytes

    def steal(mail):
        bench.sql("UPDATE loyalty.outbox SET lease_owner = %s WHERE reservation_id = %s", (other, uuid.UUID(id_).bytes))

    n = bench.notifier(relay(data=steal), "--once")
    assert n.wait() == 0
    row = bench.row(id_)
    assert (row["status"], row["lease_owner"], row["attempts"]) == ("PENDING", other, 0)
    assert "another notifier holds its lease; not recorded" in n.log()


def test_sigterm_finishes_the_mail_at_hand_and_releases_the_rest(bench, relay):
    gate = asyncio.Event()

    async def wait(mail):
        await gate.wait()

    r = relay(data=wait)
    bench.reservations_made(20)
    n = bench.notifier(r)
    until(lambda: r.offered, 10)
    n.signal(signal.SIGTERM)
    threading.Timer(1.5, lambda: r.loop.call_soon_threadsafe(gate.set)).start()
    began = time.monotonic()
    assert n.wait() == 0
    assert 1 < time.monotonic() - began < 5
    assert len(r.arrived) == r.verbs().count("MAIL") == 1
    assert bench.statuses() == {"SENT": 1, "PENDING": 19}
    assert {(row["lease_owner"], row["attempts"]) for row in bench.outbox() if row["status"] == "PENDING"} == {(None, 0)}
    again = bench.notifier(r, "--once")
    assert again.wait() == 0
    assert len(r.ids()) == len(set(r.ids())) == 20


def test_sigterm_leaves_within_ten_seconds_whatever_hangs(bench, relay):
    async def for_ever(mail):
        await asyncio.sleep(60)

    r = relay(data=for_ever)
    bench.reservations_made(5)
    n = bench.notifier(r)
    until(lambda: r.offered, 10)
    status, took = n.term()
    assert (status, took < 10) == (0, True), took
    rows = bench.outbox()
    assert [row["lease_owner"] for row in rows] == [None] * 5
    assert sorted(row["attempts"] for row in rows) == [0, 0, 0, 0, 1]  # of one it can't know


def test_sigterm_leaves_at_once_when_idle(bench, relay):
    n = bench.notifier(relay(), NOTIFIER_POLL_MS=3600000)
    n.logged("started")
    time.sleep(0.3)
    status, took = n.term()
    assert status == 0 and took < 2
    assert "stopped" in n.log()


def test_sigterm_leaves_at_once_while_the_relay_is_down(bench, relay):
    r = relay()
    r.down()
    bench.reservation()
    n = bench.notifier(r)
    n.logged("mail server unavailable", count=3)
    status, took = n.term()
    assert status == 0 and took < 2
    assert bench.outbox()[0]["lease_owner"] is None


def test_once_drains_all_that_is_due(bench, relay):
    r = relay()
    bench.reservations_made(35)
    id_ = bench.reservation(status="PENDING_APPROVAL")
    bench.change(id_, "RESERVED")
    n = bench.notifier(r, "--once", NOTIFIER_BATCH=10)
    assert n.wait() == 0
    assert bench.statuses() == {"SENT": 37} and len(r.arrived) == 37


def test_once_with_an_empty_outbox_asks_no_relay(bench, relay):
    r = relay()
    n = bench.notifier(r, "--once")
    assert n.wait() == 0 and r.connections == 0


def test_batch_goes_over_one_connection(bench, relay):
    r = relay()
    bench.reservations_made(100)
    n = bench.notifier(r, "--once", NOTIFIER_BATCH=100)
    assert n.wait() == 0
    assert r.connections == 1 and len(r.arrived) == 100


def test_once_without_a_database_fails(bench, relay):
    n = bench.notifier(relay(), "--once", DB_HOSTS="/nonexistent/db.sock")
    assert n.wait(40) == 1
    assert n.log().count("database unavailable, retrying") == 1


def test_database_lost_while_idle_is_said_once_and_found_again(bench, relay):
    r = relay()
    n = bench.notifier(r)
    n.logged("started")
    bench.stop_db(signal.SIGKILL)
    n.logged("database unavailable, retrying")
    time.sleep(2.5)
    bench.start_db()
    bench.reservation()
    bench.sent(1, 15)
    assert n.log().count("database unavailable, retrying") == 1
    n.logged("database available again")


def run(bench, *args, **settings):
    """A notifier that ends by itself: status, output."""
    env = bench.environment_for(9, **settings)
    done = subprocess.run([str(TOP / "notifier" / os.environ.get("LOYALTY_BUILD", "build") / "notifier"), *args], env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    return done.returncode, done.stdout


def test_t_tests_configuration_and_database(bench):
    assert run(bench, "-t") == (0, "configuration and database are fine\n")
    status, out = run(bench, "-t", DB_HOSTS="/nonexistent/db.sock")
    assert status == 1 and "database" in out
    status, out = run(bench, "-t", DB_USER="loyalty_rooms", DB_PASSWORD_FILE=bench.var / "secrets" / "db-rooms")
    assert status == 1 and "outbox_give_back" in out  # a right account, but not this one's


def test_h_prints_every_setting(bench):
    status, out = run(bench, "-h", MAIL_FROM=None, NONSENSE=1)
    assert status == 0
    for name in ("SMTP_HOST", "SMTP_TLS", "SMTP_HELO", "SMTP_CA", "SMTP_USER", "SMTP_PASSWORD", "MAIL_FROM", "MAIL_TO", "MAIL_DOMAIN",
                 *(f"NOTIFIER_{name}" for name in ("POLL_MS", "BATCH", "LEASE_S", "OWNER_FILE", "RETRY_MIN_S", "RETRY_MAX_S", "GIVE_UP_S")),
                 "DB_HOSTS", "DB_USER", "DB_PASSWORD", "DB_NAME", "DB_TLS_CA", "LOG_LEVEL"):
        assert f"LOYALTY_{name}" in out, name
    assert "388800" in out and "14400" in out


@pytest.mark.parametrize("settings, says", [
    (dict(SMTP_HOST=None), "LOYALTY_SMTP_HOST is not set"),
    (dict(MAIL_FROM=None), "LOYALTY_MAIL_FROM is not set"),
    (dict(MAIL_TO=None), "LOYALTY_MAIL_TO is not set"),
    (dict(MAIL_TO=" , "), "LOYALTY_MAIL_TO has no address"),
    (dict(MAIL_TO="a@b,broken"), "'broken' is not an address"),
    (dict(MAIL_TO="a@b>\r\nRCPT TO:<c@d"), "LOYALTY_MAIL_TO: 'a@b>"),
    (dict(MAIL_TO="a@b\r\nRCPT TO:c@d"), "is not an address"),
    (dict(MAIL_TO=",".join(f"a{i}@b" for i in range(21))), "more than 20"),
    (dict(MAIL_FROM="Loyalty <a@b"), "has a < without a >"),
    (dict(MAIL_FROM="Desk, front <a@b>"), "'Desk, front <a@b>' is not an address"),
    (dict(MAIL_FROM="a@b, c@d"), "is more than one address"),
    (dict(MAIL_FROM="x\r\nBcc: c@d <a@b>"), "LOYALTY_MAIL_FROM: "),
    (dict(MAIL_TO='a@b,"Desk <c@d>'), """'"Desk <c@d>' has a quote that is not closed"""),
    (dict(MAIL_DOMAIN="no domain"), "LOYALTY_MAIL_DOMAIN"),
    (dict(SMTP_HOST="relay:0"), "not host[:port]"),
    (dict(SMTP_HOST="relay:70000"), "not host[:port]"),
    (dict(SMTP_HOST="::1"), "not host[:port]"),
    (dict(SMTP_HOST="relay:25x"), "not host[:port]"),
    (dict(SMTP_TLS="maybe"), "LOYALTY_SMTP_TLS"),
    (dict(SMTP_TLS="starttls", SMTP_CA="/nonexistent/ca"), "/nonexistent/ca"),
    (dict(SMTP_TLS="starttls", SMTP_USER="u"), "one is missing"),
    (dict(NOTIFIER_BATCH="0"), "LOYALTY_NOTIFIER_BATCH"),
    (dict(NOTIFIER_BATCH="1001"), "LOYALTY_NOTIFIER_BATCH"),
    (dict(NOTIFIER_POLL_MS="99"), "LOYALTY_NOTIFIER_POLL_MS"),
    (dict(NOTIFIER_RETRY_MIN_S="10", NOTIFIER_RETRY_MAX_S="9"), "LOYALTY_NOTIFIER_RETRY_MIN_S is more"),
    (dict(SMPT_HOST="x"), "LOYALTY_SMPT_HOST"),
    (dict(BATCH="7"), "LOYALTY_BATCH: no such setting"),
    (dict(NOTIFIER_BATHC="7"), "LOYALTY_NOTIFIER_BATHC: no such setting"),
    (dict(NOTIFIER_OWNER_FILE="/nonexistent/owner"), "/nonexistent/owner"),
], ids=lambda v: "-".join(v) if isinstance(v, dict) else "")
def test_bad_configuration_stops_the_start(bench, settings, says):
    status, out = run(bench, **settings)
    assert status == (1 if "NOTIFIER_OWNER_FILE" in settings else 2) and says in out, out


def test_unknown_argument_is_refused(bench):
    status, out = run(bench, "--twice")
    assert status == 2 and "usage" in out


def test_owner_file_in_use_is_left_alone(bench, relay):
    r = relay()
    file = bench.var / "run" / f"owner-{time.monotonic_ns()}"
    first = bench.notifier(r, NOTIFIER_OWNER_FILE=file)
    first.logged("started")
    owner = file.read_text()
    second = bench.notifier(r, NOTIFIER_OWNER_FILE=file)
    second.logged("another notifier uses LOYALTY_NOTIFIER_OWNER_FILE")
    assert file.read_text() == owner and uuid.UUID(owner.strip())
    bench.reservations_made(20)
    bench.sent(20)
    assert len(set(r.ids())) == len(r.ids()) == 20


def test_E124_polling_costs_the_same_at_any_size(bench):
    """Rows that the server reads for a claim that finds nothing, and for one that finds ten."""

    def reads():
        owner = uuid.uuid4().bytes
        with bench.db(database="loyalty") as c, c.cursor() as cursor:
            counts = []
            for _ in range(2):
                cursor.execute("FLUSH STATUS")
                cursor.execute("CALL outbox_claim(%s, 10, 60)", (owner,))
                claimed = len(cursor.fetchall())
                while cursor.nextset():
                    pass
                cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
                counts.append((claimed, sum(int(v) for _, v in cursor.fetchall())))
            cursor.execute("CALL outbox_give_back(%s)", (owner,))
        return counts

    bench.reservations_made(10)
    few = reads()
    assert [claimed for claimed, _ in few] == [10, 0]
    # a hundred thousand sent, dead and not yet due
    columns = [name for name, in bench.sql("SELECT column_name FROM information_schema.columns WHERE table_schema = 'loyalty'"
                                           " AND table_name = 'outbox' AND column_name NOT IN ('id', 'status', 'due_at',"
                                           " 'next_attempt_at', 'reservation_id') ORDER BY ordinal_position")]
    listed = ", ".join(columns)
    bench.sql("SET @n = 0")
    for status, due in (("SENT", "NULL"), ("DEAD", "NULL"), ("PENDING", "UTC_TIMESTAMP(6) + INTERVAL 1 DAY")):
        bench.sql(f"INSERT INTO loyalty.outbox (status, due_at, next_attempt_at, reservation_id, {listed})"
                  f" SELECT '{status}', {due}, {due}, UNHEX(REPLACE(UUID(), '-', '')), {listed} FROM (SELECT * FROM loyalty.outbox"
                  " WHERE status = 'PENDING' AND due_at <= UTC_TIMESTAMP(6) LIMIT 10) few,"
                  " (WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT a.i FROM n a, n b) many")
    assert bench.value("SELECT COUNT(*) FROM loyalty.outbox") > 100000
    many = reads()
    assert [claimed for claimed, _ in many] == [10, 0]
    for (_, before), (_, after) in zip(few, many):
        assert after <= before + 5, (few, many)


def memory_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_memory_does_not_grow(bench, relay):
    if "san" in os.environ.get("LOYALTY_BUILD", ""):
        rounds, allowed = 3, 100000  # the sanitizer keeps what is freed for a while; leaks it reports itself
    else:
        rounds, allowed = 8, 300
    r = relay()
    n = bench.notifier(r, LOG_LEVEL="warn")
    sizes = []
    for i in range(rounds):
        bench.reservations_made(200)
        bench.sent(200 * (i + 1), 60)
        sizes.append(memory_kb(n.pid))
    assert sizes[-1] - sizes[1] < allowed, sizes
    assert sizes[-1] < 16 * 1024 or allowed > 300, sizes
