"""What a mail looks like when it arrives: E100, E115 to E119, E123."""

import email.header
import email.policy
import email.utils
import re

from stack import until


def arrive(bench, relay, count=1, **settings):
    n = bench.notifier(relay, "--once", **settings)
    assert n.wait() == 0, n.log()
    assert len(relay.arrived) == count, n.log()
    return relay.arrived


def test_mail_names_what_happened(bench, relay):
    room = bench.quiet_room(total=10, price=260, name="Economy Single Room")
    user = bench.user(1240, name="Jane Doe")
    id_ = bench.reservation(room, user, points=250, actor="Anna at the desk", request_id="req-77")
    mail, = arrive(bench, relay())
    row = bench.row(id_)
    assert mail.sender == "loyalty@hotel.example"
    assert mail.recipients == ["owner@hotel.example"]
    assert mail.subject == "Economy Single Room for Jane Doe"
    assert mail.text.startswith("A guest has reserved a room.\n\n")
    said = {label: mail.field(label) for label in (
        "Room", "Available now", "Price now", "Guest", "Balance now", "Old status", "New status", "Points", "Reservation", "Guest ID",
        "Room ID", "Time", "By", "Request ID")}
    assert said == {
        "Room": "Economy Single Room", "Available now": "10 of 10", "Price now": "260 points", "Guest": "Jane Doe",
        "Balance now": "1240 points", "Old status": "none", "New status": "Reserved (RESERVED)", "Points": "250 points", "Reservation": id_,
        "Guest ID": user.id, "Room ID": room.id, "Time": row["created_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "By": "Anna at the desk", "Request ID": "req-77"}


def test_room_mail_names_the_change(bench, relay):
    room = bench.room(total=3, name="Suite")
    bench.sql("UPDATE loyalty.room SET total_amount = 5, available_amount = 5 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    bench.archive(room)
    made, more, archived = arrive(bench, relay(), 3)
    assert (made.field("Change"), made.field("Available now")) == ("new room", "5 of 5, archived")
    assert (more.field("Change"), more.field("Available now")) == ("total 3 to 5", "5 of 5, archived")
    assert (archived.field("Change"), archived.field("Available now")) == ("archived", "5 of 5, archived")
    assert len({m.id for m in (made, more, archived)}) == 3
    assert all(m.message["References"] is None for m in (made, more, archived))


def test_mail_goes_to_every_address(bench, relay):
    bench.reservation()
    mail, = arrive(bench, relay(), MAIL_TO="a@hotel.example, b@hotel.example,c@hotel.example")
    assert mail.recipients == ["a@hotel.example", "b@hotel.example", "c@hotel.example"]
    assert [a for _, a in email.utils.getaddresses([mail.message["To"]])] == mail.recipients


def test_addresses_have_names(bench, relay):
    bench.reservation()
    mail, = arrive(bench, relay(), MAIL_FROM="Hôtel Loyalty <loyalty@hotel.example>",
                   MAIL_TO='"Desk, front" <a@hotel.example>, Zoë 語 <b@hotel.example>, c@hotel.example, a@hotel.example')
    assert mail.sender == "loyalty@hotel.example" and mail.id.endswith("@hotel.example>")
    assert mail.recipients == ["a@hotel.example", "b@hotel.example", "c@hotel.example"]
    given = [(a.display_name, a.addr_spec) for name in ("From", "To") for a in mail.message[name].addresses]
    assert given == [("Hôtel Loyalty", "loyalty@hotel.example"), ("Desk, front", "a@hotel.example"), ("Zoë 語", "b@hotel.example"),
                     ("", "c@hotel.example")]


def test_E100_mail_names_things_as_at_the_event_and_says_what_is_available_now(bench, relay):
    """Of each event the names, statuses, points, actor, time and request of its own, whatever came later."""
    room, user = bench.quiet_room(name="Old name", total=4, price=7), bench.user(500, name="Old guest")
    id_ = bench.reservation(room, user, status="PENDING_APPROVAL", points=250)
    bench.sql("UPDATE loyalty.room SET name = 'New name', name_folded = 'new name', available_amount = 1, required_points = 9 WHERE id = UNHEX(REPLACE(%s, '-', ''))",
              (room.id,))
    bench.sql("UPDATE loyalty.user SET name = 'New guest', name_folded = 'new guest', bonus_points = 12 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    bench.sql("UPDATE loyalty.reservation SET points = 90 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (id_,))
    bench.change(id_, "REJECTED", "full")
    first, second = arrive(bench, relay(), 2)
    assert (first.subject, second.subject) == ("Old name for Old guest",) * 2, "or mail programs begin a new thread"
    assert [[m.code(label) for label in ("Room", "Guest", "Old status", "New status", "Points", "By", "Request ID")]
            for m in (first, second)] == [
        ["Old name", "Old guest", "none", "PENDING_APPROVAL", "250 points", "public", "r-" + id_[:8]],
        ["New name", "New guest", "PENDING_APPROVAL", "REJECTED", "90 points", "staff", "s-1"]]
    assert second.field("Reason") == "full" and "Reason:" not in first.text
    assert first.field("Time") < second.field("Time")
    for m in (first, second):
        assert [m.field(label) for label in ("Available now", "Price now", "Balance now")] == ["1 of 4", "9 points", "12 points"]


def test_E115_mail_that_cannot_be_built_is_dead_at_once(bench, relay):
    broken = bench.reservation()
    whole = bench.reservation()
    bench.forget(broken)
    r = relay()
    mail, = arrive(bench, r)
    assert mail.field("Reservation") == whole
    row = bench.row(broken)
    assert (row["status"], row["attempts"]) == ("DEAD", 1)
    assert "can't be made into a mail: actor, request_id or created_at is missing" in row["last_error"]
    assert bench.row(whole)["status"] == "SENT"
    assert len(r.offered) == 1


def test_E115_a_dead_mail_lets_the_next_of_its_reservation_go(bench, relay):
    id_ = bench.reservation()
    bench.change(id_, "CANCELLED")
    bench.forget(id_, "from_status IS NULL")
    mail, = arrive(bench, relay())
    assert mail.code("New status") == "CANCELLED"
    assert [r["status"] for r in bench.outbox(id_)] == ["DEAD", "SENT"]


def test_E116_line_ends_in_names_are_harmless(bench, relay):
    evil = "x\r\nBcc: thief@example.net\r\n\r\n.\r\nQUIT\r\n"
    room = bench.quiet_room(name=evil)
    user = bench.user(500, name=evil)
    bench.reservation(room, user, actor="a\r\nX-Actor: b", request_id="r\r\nX-Request: c")
    after = bench.reservation()
    r = relay()
    mail, other = arrive(bench, r, 2)
    assert mail.recipients == ["owner@hotel.example"]
    names = [name for name, _ in mail.message.items()]
    assert sorted(names) == sorted(["Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Auto-Submitted",
                                    "X-Auto-Response-Suppress", "Content-Type", "Content-Transfer-Encoding"])
    assert "\nBcc" not in mail.text and "\n.\n" not in mail.text
    assert mail.subject.startswith("x  Bcc: thief@example.net")
    assert other.field("Reservation") == after
    assert mail.connection == other.connection
    assert "X-Actor" not in names and mail.field("By") == "a  X-Actor: b"


def words_of(raw):
    """The encoded words of the subject, as they stand in the message."""
    head = raw.split(b"\r\n\r\n")[0].decode("ascii")
    subject = re.search(r"^Subject: (.*?)\r\n(?! )", head + "\r\n", re.M | re.S).group(1)
    return subject.split("\r\n "), subject


def test_E117_subject_beyond_ascii_is_encoded_words(bench, relay):
    names = ["Zoë Müller-Østergård", "語" * 200, "😀" * 200, "é" * 199 + " ", "=?UTF-8?Q?no?=", "a_b=c?d é", "x" * 200]
    for name in names:
        bench.reservation(user=bench.user(500, name=name))
    mails = arrive(bench, relay(), len(names))
    for name, mail in zip(names, mails):
        words, subject = words_of(mail.raw)
        assert all(len(word) <= 75 for word in words), words
        assert all(re.fullmatch(r"=\?UTF-8\?Q\?[!-~]+\?=", word) for word in words), words
        # each word by itself is whole characters
        decoded = "".join(email.header.decode_header(word)[0][0].decode("utf-8", "strict") for word in words)
        assert decoded.endswith(f" for {name}"), decoded
        assert mail.subject.rstrip() == decoded.rstrip()


def test_E117_plain_subject_stays_readable(bench, relay):
    bench.reservation(bench.quiet_room(name="Twin Room"), bench.user(500, name="Mei Lin"))
    mail, = arrive(bench, relay())
    assert b"\r\nSubject: Twin Room for Mei Lin\r\n" in mail.raw


def test_E118_plain_body_is_7bit_and_crlf(bench, relay):
    bench.reservation()
    mail, = arrive(bench, relay())
    assert mail.message["Content-Type"] == 'text/plain; charset="utf-8"'
    assert mail.message["Content-Transfer-Encoding"] == "7bit"
    assert mail.raw.isascii()
    assert b"\n" not in mail.raw.replace(b"\r\n", b"") and b"\r" not in mail.raw.replace(b"\r\n", b"")


def test_E118_other_body_is_8bit_where_the_server_takes_it(bench, relay):
    name = "Zoë 語 😀"
    bench.reservation(user=bench.user(500, name=name))
    mail, = arrive(bench, relay())
    assert mail.message["Content-Transfer-Encoding"] == "8bit"
    assert "BODY=8BITMIME" in mail.options
    assert mail.field("Guest") == name
    assert f"Guest:         {name}\r\n".encode() in mail.raw


def test_E118_other_body_is_quoted_printable_elsewhere(bench, relay):
    names = ["Zoë 語 😀", "ä" + "." * 199, "ö" + " ." * 99 + " ", "é=3D=" * 40]
    for name in names:
        bench.reservation(user=bench.user(500, name=name))
    r = relay(ehlo=lambda responses: [line for line in responses if "8BITMIME" not in line])
    for name, mail in zip(names, arrive(bench, r, len(names))):
        assert mail.message["Content-Transfer-Encoding"] == "quoted-printable"
        assert mail.raw.isascii() and mail.options == []
        body = mail.raw.split(b"\r\n\r\n", 1)[1]
        assert max(map(len, body.split(b"\r\n"))) <= 76
        # dots at the start of a line came through the wire whole
        assert f"Guest:         {name}\n" in mail.text


def test_E118_no_line_is_longer_than_998(bench, relay):
    reason = "\n".join([".", "..", "From me", "😀" * 180])
    id_ = bench.reservation(bench.quiet_room(name="😀" * 200), bench.user(500, name="語" * 200), "PENDING_APPROVAL")
    bench.change(id_, "REJECTED", reason=reason, actor="é" * 100)
    for mail in arrive(bench, relay(), 2):
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
    lines = mail.text.split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("Reason:"))
    assert [line[15:] for line in lines[at:at + 4]] == reason.split("\n")


def test_E119_headers_and_thread(bench, relay):
    id_ = bench.reservation(status="PENDING_APPROVAL")
    bench.change(id_, "RESERVED")
    bench.change(id_, "RELEASED")
    mails = arrive(bench, relay(), 3, MAIL_DOMAIN="mail.hotel.example")
    rows = bench.outbox(id_)
    first = f"<reservation.{id_}@mail.hotel.example>"
    assert [m.id for m in mails][0] == first
    assert len({m.id for m in mails}) == 3
    for mail, row in zip(mails, rows):
        m = mail.message
        assert m["From"] == "loyalty@hotel.example" and m["To"] == "owner@hotel.example"
        assert m["MIME-Version"] == "1.0" and m["Auto-Submitted"] == "auto-generated"
        assert email.utils.parsedate_to_datetime(m["Date"]).replace(tzinfo=None) == row["created_at"].replace(microsecond=0)
        assert m["X-Auto-Response-Suppress"] == "All"
        for name in ("Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Auto-Submitted"):
            assert len(m.get_all(name)) == 1, name
    # Gmail and Outlook begin a new thread where the subject differs
    assert {m.subject for m in mails} == {mails[0].subject}
    assert [m.code("New status") for m in mails] == ["PENDING_APPROVAL", "RESERVED", "RELEASED"]
    assert mails[0].message["References"] is None
    assert [m.message["References"] for m in mails[1:]] == [first, first]
    assert re.fullmatch(rf"<outbox\.{rows[1]['id']}\.\d{{16}}@mail\.hotel\.example>", mails[1].id)


def test_E123_changes_while_smtp_was_down_all_arrive_in_order(bench, relay):
    r = relay()
    r.down()
    ids = [bench.reservation(status="PENDING_APPROVAL") for _ in range(3)]
    for status in ("RESERVED", "CANCELLED"):
        for id_ in ids:
            bench.change(id_, status)
    n = bench.notifier(r)
    n.logged("mail server unavailable")
    times = {id_: [row["created_at"] for row in bench.outbox(id_)] for id_ in ids}
    r.up()
    bench.sent(9, 20)
    for id_ in ids:
        mine = [m for m in r.arrived if m.field("Reservation") == id_]
        assert [m.code("New status") for m in mine] == ["PENDING_APPROVAL", "RESERVED", "CANCELLED"]
        assert [m.field("Time") for m in mine] == [t.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for t in times[id_]]
    until(lambda: len(r.arrived) == 9, 1)
