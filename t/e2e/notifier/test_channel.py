"""The relay misbehaves: E105 to E112."""

import asyncio
import collections
import signal
import socket
import time

import pytest

from relay import Close, Drop
from stack import until


def due_in(row):
    return float(row["next_in"])


def test_E105_smtp_down_is_an_attempt_at_growing_intervals(bench, relay):
    r = relay()
    r.down()
    id_ = bench.reservation()
    n = bench.notifier(r)
    waits = []
    for attempt in range(1, 5):
        until(lambda: bench.row(id_)["attempts"] == attempt, 20, 0.01, f"attempt {attempt}")
        waits.append(due_in(bench.row(id_)))
    row = bench.row(id_)
    assert row["status"] == "PENDING" and "connect to 127.0.0.1" in row["last_error"], row
    # 1, 2, 4, 8 s, less up to a quarter, rounded up
    for wait, most in zip(waits, (1, 2, 4, 8)):
        assert 0.7 * most - 0.3 < wait <= most, waits
    assert n.process.poll() is None
    r.up()
    bench.sent(1, 15)
    n.logged("batch of 1: 1 sent")


def test_E105_too_old_when_smtp_is_down_is_dead_with_the_reason(bench, relay):
    r = relay()
    r.down()
    young, old = bench.reservation(), bench.reservation()
    bench.age(388800 + 5, f"id = {bench.row(old)['id']}")
    bench.age(388800 - 600, f"id = {bench.row(young)['id']}")
    bench.notifier(r)
    until(lambda: bench.row(old)["status"] == "DEAD", 20)
    row = bench.row(old)
    assert row["attempts"] == 3  # not of one failure alone, however old
    assert "connect to" in row["last_error"] and "refused" in row["last_error"]
    until(lambda: bench.row(young)["attempts"] >= 3, 5)
    assert bench.row(young)["status"] == "PENDING"


def test_E105_recovers_within_the_pause_for_all_mails(bench, relay):
    r = relay()
    r.down()
    bench.reservations_made(250)
    n = bench.notifier(r)
    n.logged("mail server unavailable", count=2)
    r.up()
    bench.sent(250, 15)
    assert len(r.arrived) == len(set(r.ids())) == 250


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_E106_4xx_to_one_mail_delays_that_one_alone(bench, relay, stage):
    state = {"first": True}

    def once(*args):
        if state["first"]:
            state["first"] = False
            return "451 4.7.1 come back later"

    r = relay(**{stage: once})
    slow = bench.reservation(status="PENDING_APPROVAL")
    bench.change(slow, "RESERVED")
    others = [bench.reservation() for _ in range(3)]
    n = bench.notifier(r, NOTIFIER_RETRY_MIN_S=3)
    bench.sent(3)
    first, second = bench.outbox(slow)
    assert (first["status"], first["attempts"]) == ("PENDING", 1)
    assert "451" in first["last_error"] and "come back later" in first["last_error"]
    assert 0 < due_in(first) <= 3
    assert (second["status"], second["attempts"]) == ("PENDING", 0)  # waits behind it
    assert sorted(m.field("Reservation") for m in r.arrived) == sorted(others)
    assert r.connections == 1
    bench.sent(5)
    mine = [m for m in r.arrived if m.field("Reservation") == slow]
    assert [m.code("New status") for m in mine] == ["PENDING_APPROVAL", "RESERVED"]
    assert n.process.poll() is None


def test_E106_intervals_of_one_mail_grow(bench, relay):
    r = relay(data=lambda mail: "452 4.3.1 full")
    id_ = bench.reservation()
    bench.age(3600)
    bench.notifier(r, NOTIFIER_RETRY_MIN_S=1, NOTIFIER_RETRY_MAX_S=100)
    waits = []
    for attempt in range(1, 5):
        until(lambda: bench.row(id_)["attempts"] == attempt, 20, 0.01, f"attempt {attempt}")
        waits.append(due_in(bench.row(id_)))
    for wait, most in zip(waits, (1, 2, 4, 8)):
        assert 0.75 * most - 0.7 < wait <= most, waits


def test_E106_given_up_mail_lets_the_next_go(bench, relay):
    r = relay(data=lambda mail: "451 4.3.0 no" if mail.code("New status") == "PENDING_APPROVAL" else None)
    id_ = bench.reservation(status="PENDING_APPROVAL")
    bench.change(id_, "RESERVED")
    bench.age(400000, "due_at IS NOT NULL")
    bench.notifier(r)
    bench.sent(1)
    assert [row["status"] for row in bench.outbox(id_)] == ["DEAD", "SENT"]
    assert "451 4.3.0 no" in bench.outbox(id_)[0]["last_error"]


@pytest.mark.parametrize("stage", ["rcpt", "data"])
def test_E107_5xx_is_dead_at_once_with_the_reply(bench, relay, stage):
    state = {"first": True}

    def once(*args):
        if state["first"]:
            state["first"] = False
            return "550 5.1.1 no such user here"

    r = relay(**{stage: once})
    dead, well = bench.reservation(), bench.reservation()
    n = bench.notifier(r, "--once")
    assert n.wait() == 0
    row = bench.row(dead)
    assert (row["status"], row["attempts"]) == ("DEAD", 1)
    assert "550 5.1.1 no such user here" in row["last_error"]
    if stage == "rcpt":
        assert "owner@hotel.example" in row["last_error"]
    assert [m.field("Reservation") for m in r.arrived] == [well]
    assert "DEAD" in n.log() and "no such user here" in n.log()


THREE = "a@hotel.example,b@hotel.example,c@hotel.example"


def got(relay):
    """Who got how many mails."""
    return collections.Counter(address for mail in relay.arrived for address in mail.recipients)


def test_E107_one_refused_address_of_several_keeps_the_mail_from_nobody_else(bench, relay):
    r = relay(rcpt=lambda address: "550 5.1.1 gone" if address.startswith("b@") else None)
    ids = [bench.reservation(), bench.reservation()]
    n = bench.notifier(r, "--once", MAIL_TO=THREE)
    assert n.wait() == 0, n.log()
    assert [m.recipients for m in r.arrived] == [["a@hotel.example", "c@hotel.example"]] * 2
    for id_ in ids:
        row = bench.row(id_)
        assert (row["status"], row["attempts"]) == ("SENT", 1)
        assert row["last_error"] == "RCPT <b@hotel.example>: 550 5.1.1 gone"
    assert n.log().count("error notifier r-") == 2 and "SENT, but not to everyone: RCPT <b@hotel.example>: 550" in n.log()
    assert r.connections == 1


@pytest.mark.parametrize("pipelining", [True, False])
def test_E106_who_is_refused_for_now_is_tried_again_alone(bench, relay, pipelining):
    """a@ has it and never gets it twice; b@ gets the very same mail later; c@ is given up at the first try."""
    tries = collections.Counter()

    def rcpt(address):
        tries[address[0]] += 1
        if address.startswith("b@") and tries["b"] < 3:
            return "451 4.7.1 greylisted"
        if address.startswith("c@"):
            return "550 5.1.1 gone"

    def ehlo(responses):
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if pipelining else None

    r = relay(rcpt=rcpt, ehlo=ehlo)
    id_ = bench.reservation(status="PENDING_APPROVAL")
    n = bench.notifier(r, MAIL_TO=THREE, NOTIFIER_RETRY_MIN_S=1)
    until(lambda: bench.row(id_)["attempts"] == 1, 10)
    row = bench.row(id_)
    assert (row["status"], row["recipients"]) == ("PENDING", "+a@hotel.example -c@hotel.example")
    assert row["last_error"] == ("RCPT <b@hotel.example>: 451 4.7.1 greylisted; "
                                 "RCPT <c@hotel.example>: 550 5.1.1 gone")
    bench.change(id_, "RESERVED")  # waits behind it, for everybody
    n.kill()  # whoever goes on knows who has it
    bench.notifier(r, MAIL_TO=THREE, NOTIFIER_RETRY_MIN_S=1)
    bench.sent(2, 20)
    first, second = bench.outbox(id_)
    assert (first["status"], first["attempts"], first["recipients"]) == ("SENT", 3, None)
    mails = [[m for m in r.arrived if m.code("New status") == status] for status in ("PENDING_APPROVAL", "RESERVED")]
    assert [m.recipients for m in mails[0]] == [["a@hotel.example"], ["b@hotel.example"]]
    assert mails[0][0].id == mails[0][1].id and mails[0][0].raw == mails[0][1].raw
    assert [m.recipients for m in mails[1]] == [["a@hotel.example", "b@hotel.example"]]
    assert r.arrived.index(mails[1][0]) > r.arrived.index(mails[0][1])
    assert tries == {"a": 2, "b": 4, "c": 2}


def test_E106_given_up_for_one_is_sent_to_the_others(bench, relay):
    r = relay(rcpt=lambda address: "452 4.2.2 full" if address.startswith("b@") else None)
    id_ = bench.reservation()
    bench.age(400000)
    n = bench.notifier(r, "--once", MAIL_TO=THREE)
    assert n.wait() == 0, n.log()
    row = bench.row(id_)
    assert row["status"] == "SENT" and "b@hotel.example>: 452 4.2.2 full" in row["last_error"]
    assert got(r) == {"a@hotel.example": 1, "c@hotel.example": 1}


def test_E107_text_refused_for_those_who_were_accepted_is_retried_for_all(bench, relay):
    """4xx to the text counts for a@ and c@; b@, refused before, is not asked again."""
    state = []

    def data(mail):
        state.append(mail)
        return "451 4.3.0 later" if len(state) == 1 else None

    r = relay(data=data, rcpt=lambda address: "550 no such user" if address.startswith("b@") else None)
    id_ = bench.reservation()
    bench.notifier(r, MAIL_TO=THREE, NOTIFIER_RETRY_MIN_S=1)
    bench.sent(1, 15)
    assert [m.recipients for m in r.offered] == [["a@hotel.example", "c@hotel.example"]] * 2
    assert sum(line.startswith("RCPT b@") for _, line in r.commands) == 1
    assert bench.row(id_)["attempts"] == 2


def test_recipient_taken_out_of_the_configuration_holds_nothing_up(bench, relay):
    r = relay(rcpt=lambda address: "451 4.2.1 not now" if address.startswith("b@") else None)
    id_ = bench.reservation()
    n = bench.notifier(r, MAIL_TO="a@hotel.example,b@hotel.example", NOTIFIER_RETRY_MIN_S=1)
    until(lambda: bench.row(id_)["attempts"] == 1, 10)
    n.kill()
    bench.notifier(r, MAIL_TO="a@hotel.example")
    bench.sent(1, 10)
    assert got(r) == {"a@hotel.example": 1}


# At RCPT, all refused: what is about us and not about the address
CHANNEL = ["504 5.5.2 <hotel>: Helo command rejected: need fully-qualified hostname", "550 5.7.1 Relaying denied",
           "554 Relay access denied", "504 need a full name", "550 5.1.8 sender unknown"]
# ... and what is about the address
ADDRESS = ["550 5.1.1 no such user", "550 no such user", "553 5.1.2 no such domain", "550 5.2.1 disabled"]


@pytest.mark.parametrize("reply", CHANNEL)
def test_E108_refusal_of_all_recipients_that_names_none_keeps_every_mail(bench, relay, reply):
    r = relay(rcpt=lambda address: reply)
    ids = [bench.reservation() for _ in range(2)]
    bench.age(400000)
    n = bench.notifier(r, "--once", MAIL_TO=THREE)
    assert n.wait() == 1, n.log()
    assert " error notifier - mail delivery suspended until this is fixed" in n.log() and reply in n.log()
    for id_ in ids:
        row = bench.row(id_)
        assert (row["status"], row["attempts"], row["lease_owner"]) == ("PENDING", 0, None), row
    assert r.offered == []
    r.hooks.clear()
    assert bench.notifier(r, "--once", MAIL_TO=THREE).wait() == 0
    assert bench.statuses() == {"SENT": 2}


@pytest.mark.parametrize("reply", ADDRESS)
def test_E107_refusal_of_the_address_is_dead(bench, relay, reply):
    r = relay(rcpt=lambda address: reply)
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", MAIL_TO=THREE)
    assert n.wait() == 0, n.log()
    row = bench.row(id_)
    assert row["status"] == "DEAD" and row["last_error"].count(reply) == 3


def test_E108_one_address_refused_as_ours_while_others_get_theirs(bench, relay):
    r = relay(rcpt=lambda address: "550 5.7.1 relaying denied" if address.startswith("b@") else None)
    id_ = bench.reservation(status="PENDING_APPROVAL")
    bench.change(id_, "RESERVED")
    n = bench.notifier(r, "--once", MAIL_TO=THREE)
    assert n.wait() == 0, n.log()
    assert bench.statuses() == {"SENT": 2}
    assert all("relaying denied" in row["last_error"] for row in bench.outbox(id_))
    assert got(r) == {"a@hotel.example": 2, "c@hotel.example": 2}


def test_DATA_refused_before_any_text_is_not_held_against_the_mail(bench, relay):
    async def strict(reader, writer):
        writer.write(b"220 strict\r\n")
        while line := await reader.readline():
            refused = line.startswith(b"DATA")
            writer.write(b"503 5.5.1 polite people say HELO\r\n" if refused else b"250 OK\r\n")

    id_ = bench.reservation()
    n = bench.notifier(relay(raw=strict), "--once")
    assert n.wait() == 1
    assert "DATA: 503 5.5.1 polite people" in n.log() and bench.row(id_)["status"] == "PENDING"


# -- the name we give


def ehlo_of(bench, r, **settings):
    bench.clear()
    bench.reservation()
    n = bench.notifier(r, "--once", **settings)
    assert n.wait() == 0, n.log()
    return [line.split()[1] for _, line in r.commands if line.startswith("EHLO")][-1]


def test_name_in_EHLO_is_a_full_one(bench, relay):
    """By default what RFC 5321, 4.1.4 asks for: the machine's full name, else the address literal."""
    r = relay()
    full = socket.getfqdn()
    name = ehlo_of(bench, r)
    assert name in (full, socket.gethostname(), "[127.0.0.1]") and ("." in name), name
    assert ehlo_of(bench, r, SMTP_HELO="mail.hotel.example") == "mail.hotel.example"
    assert ehlo_of(bench, r, SMTP_HELO="[IPv6:2001:db8::1]") == "[IPv6:2001:db8::1]"


@pytest.mark.parametrize("name", ["a b", "x\r\nRCPT", "[1.2.3]", "[IPv6:x]", "-a.b", "ho_st"])
def test_name_that_is_none_stops_the_start(bench, relay, name):
    r = relay()
    n = bench.notifier(r, "--once", SMTP_HELO=name)
    assert n.wait() == 2
    assert "LOYALTY_SMTP_HELO is" in n.log() and r.connections == 0


def test_E107_reply_that_is_no_ascii_is_kept(bench, relay):
    async def odd(reader, writer):
        writer.write(b"220 odd\r\n")
        while True:
            verb = (await reader.readline())[:4].upper()
            if not verb:
                return
            if verb == b"EHLO":
                writer.write(b"250-odd\r\n250 PIPELINING\r\n")
            elif verb == b"RCPT":
                writer.write(b"550-5.1.1 first\r\n550 5.1.1 \xff\xe9\xc3 \x07 last " + b"x" * 700 + b"\r\n")
            else:
                writer.write(b"250 OK\r\n")
            if verb == b"QUIT":
                return

    r = relay(raw=odd)
    id_ = bench.reservation()
    n = bench.notifier(r, "--once")
    assert n.wait() == 0, n.log()
    row = bench.row(id_)
    assert row["status"] == "DEAD", (row, n.log())
    assert row["last_error"].startswith("RCPT <owner@hotel.example>: 550 5.1.1 first") and "last" in row["last_error"]


async def greets_with(reader, writer, greeting):
    writer.write(greeting)
    await reader.read(100)


WRONG = {
    "greeting": dict(raw=lambda reader, writer: greets_with(reader, writer, b"554 go away\r\n")),
    "ehlo": dict(ehlo=lambda responses: "550 5.7.1 who are you"),
    "mail": dict(mail=lambda address: "530 5.7.0 authenticate first"),
    "rcpt": dict(rcpt=lambda address: "530 5.7.0 authenticate first"),
    "data": dict(data=lambda mail: "530 5.7.0 authenticate first"),
}


@pytest.mark.parametrize("stage", WRONG)
def test_E108_refused_channel_keeps_every_mail_and_says_so(bench, relay, stage):
    r = relay(**WRONG[stage])
    ids = [bench.reservation() for _ in range(3)]
    bench.age(400000)  # however old
    n = bench.notifier(r)
    n.logged("mail delivery suspended", count=2)
    assert " error notifier - mail delivery suspended" in n.log()
    for reply in ("go away", "who are you", "authenticate first"):
        if reply in n.log():
            break
    else:
        raise AssertionError(n.log())
    # it says so first, then lets go of them, for the two seconds until its next try
    until(lambda: all(bench.row(id_)["lease_owner"] is None for id_ in ids), 5, 0.02, what="released")
    for id_ in ids:
        row = bench.row(id_)
        assert (row["status"], row["attempts"], row["lease_owner"]) == ("PENDING", 0, None), row
    assert r.connections <= 4  # no hammering: pauses of 1, 2, 4 s
    r.hooks.clear()
    r.raw = None
    r.down()
    r.up()
    bench.sent(3, 20)


def test_E109_421_backs_off_and_loses_nothing(bench, relay):
    seen = []

    def busy(mail):
        seen.append(mail)
        if len(seen) == 3:
            return Close("421 4.3.2 shutting down")

    r = relay(data=busy)
    for _ in range(5):
        bench.reservation()
    began = time.monotonic()
    n = bench.notifier(r, NOTIFIER_RETRY_MIN_S=2)
    n.logged("421 4.3.2 shutting down")
    bench.sent(4, 10)
    assert time.monotonic() - began > 0.7  # a pause before the next connection
    bench.sent(5, 10)
    assert r.connections >= 2
    assert len(set(r.ids())) == 5
    assert max(row["attempts"] for row in bench.outbox()) == 2  # of the one that was at hand
    assert sorted(row["attempts"] for row in bench.outbox()) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("stage", ["ehlo", "mail", "rcpt"])
def test_E109_421_before_a_mail_is_at_hand_is_held_against_none(bench, relay, stage):
    state = {"first": True}

    def busy(*args):
        if state["first"]:
            state["first"] = False
            return "421 4.7.0 too busy" if stage == "ehlo" else Close("421 4.7.0 too busy")

    r = relay(**{stage: busy})
    ids = [bench.reservation() for _ in range(2)]
    n = bench.notifier(r)
    n.logged("421 4.7.0 too busy")
    bench.sent(2)
    # EHLO refused means that the server could not be had at all: one attempt of each (E105)
    assert [bench.row(id_)["attempts"] for id_ in ids] == ([2, 2] if stage == "ehlo" else [1, 1])


def test_E110_nothing_is_locked_while_a_slow_server_thinks(bench, relay):
    gate = asyncio.Event()

    async def slow(mail):
        await gate.wait()

    r = relay(data=slow)
    bench.reservation()
    bench.notifier(r)
    until(lambda: r.offered, 10)
    time.sleep(1.5)
    assert bench.value("SELECT COUNT(*) FROM information_schema.innodb_trx") == 0
    row, = bench.outbox()
    assert row["status"] == "PENDING" and row["lease_owner"]
    # the outbox can be written to, and is
    with bench.db() as c, c.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 1")
        cursor.execute("SELECT id FROM loyalty.outbox WHERE id = %s FOR UPDATE NOWAIT", (row["id"],))
    bench.reservation()
    r.loop.call_soon_threadsafe(gate.set)
    bench.sent(2)
    assert len(r.offered) == 2


def test_E110_server_may_take_its_ten_minutes(bench, relay):
    """No timeout of ours is shorter than RFC 5321 says: libesmtp's own are those, and we set none."""
    import subprocess
    from stack import TOP
    found = subprocess.run(["grep", "-rlE", "smtp_set_timeout", str(TOP / "notifier"), "--include=*.c"],
                           capture_output=True, text=True)
    assert found.stdout == ""


def test_E111_connection_dies_after_the_final_dot(bench, relay):
    state = {"first": True}

    def dies(mail):
        if state["first"]:
            state["first"] = False
            return Drop

    r = relay(data=dies)
    first, second = bench.reservation(), bench.reservation()
    n = bench.notifier(r, NOTIFIER_RETRY_MIN_S=1)
    bench.sent(2)
    assert len(r.offered) == 3
    again = [m for m in r.offered if m.field("Reservation") == first]
    assert len(again) == 2
    assert again[0].id == again[1].id == f"<reservation.{first}@hotel.example>"
    assert again[0].raw == again[1].raw
    assert bench.row(first)["attempts"] == 2 and bench.row(second)["attempts"] == 1
    n.logged("connection lost")


def test_E111_mail_that_kills_the_connection_starves_no_other(bench, relay):
    poison = bench.reservation()
    r = relay(data=lambda mail: Drop if mail.field("Reservation") == poison else None)
    others = [bench.reservation() for _ in range(5)]
    bench.notifier(r, NOTIFIER_RETRY_MIN_S=1)
    bench.sent(5, 10)
    assert sorted(m.field("Reservation") for m in r.arrived) == sorted(others)
    assert bench.row(poison)["status"] == "PENDING"


def killed_between_250_and_mark(bench, r, **settings):
    """One mail arrived, its notifier dead before it could read the 250; the reservation."""
    id_ = bench.reservation()
    running = []

    def freeze(mail):
        running[0].signal(signal.SIGSTOP)
        until(running[0].stopped, 5)

    r.hooks["data"] = freeze
    running.append(bench.notifier(r, **settings))
    until(lambda: r.arrived, 10)
    time.sleep(0.2)
    running[0].kill()
    r.hooks.clear()
    assert bench.row(id_)["status"] == "PENDING"
    return id_


def test_E112_killed_between_250_and_mark_sends_the_same_mail_again(bench, relay):
    r = relay()
    id_ = killed_between_250_and_mark(bench, r, NOTIFIER_LEASE_S=2)
    n = bench.notifier(r, NOTIFIER_LEASE_S=2)
    bench.sent(1, 10)
    assert [m.id for m in r.arrived] == [f"<reservation.{id_}@hotel.example>"] * 2
    assert r.arrived[0].raw == r.arrived[1].raw
    assert n.process.poll() is None


def test_E112_owner_file_takes_up_at_once_what_a_killed_one_had(bench, relay):
    r = relay()
    file = bench.var / "run" / f"owner-{time.monotonic_ns()}"
    id_ = killed_between_250_and_mark(bench, r, NOTIFIER_OWNER_FILE=file)
    began = time.monotonic()
    bench.notifier(r, NOTIFIER_OWNER_FILE=file)
    bench.sent(1, 5)
    assert time.monotonic() - began < 4
    assert [m.id for m in r.arrived] == [f"<reservation.{id_}@hotel.example>"] * 2


def test_E112_without_owner_file_the_lease_must_run_out_first(bench, relay):
    r = relay()
    killed_between_250_and_mark(bench, r)
    n = bench.notifier(r, "--once")
    assert n.wait() == 0
    assert len(r.arrived) == 1 and bench.statuses() == {"PENDING": 1}


def test_database_lost_after_the_250_is_marked_when_it_is_back(bench, relay):
    state = {"first": True}

    def cut(mail):
        if state["first"]:
            state["first"] = False
            bench.stop_db(signal.SIGKILL)

    r = relay(data=cut)
    bench.reservation()
    bench.reservation()
    n = bench.notifier(r)
    n.logged("database unavailable, retrying")
    time.sleep(1)
    assert len(r.arrived) == 1  # no other goes out while this one is not recorded: a crash would repeat both
    bench.start_db()
    bench.sent(2, 20)
    n.logged("database available again")
    assert len(r.arrived) == 2  # it knew what it had sent: nothing was doubled
    assert n.log().count("database unavailable") == 1
