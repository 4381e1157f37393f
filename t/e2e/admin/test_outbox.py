"""GET /v1/admin/outbox, POST /v1/admin/outbox/{id}/retry"""

import sys
import uuid
from pathlib import Path

import pytest

from client import TIME, link_next, walk
from staff import STAFF, key, new_id, outbox, pending, refuses_broken_bodies, same_answer
from stack import until

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notifier"))

from relay import Relay  # noqa: E402

OUTBOX = "/v1/admin/outbox"


def reserve(stack):
    """A new reservation's (answer, outbox row)."""
    a = stack.reserve(stack.room(price=0), stack.user())
    row, = outbox(stack, a.request_id)
    return a, row


def find(api, id_, **query):
    """The mail as the list shows it, or None."""
    more = "".join(f"&{k}={v}" for k, v in query.items())
    return next((m for m in walk(api, f"{OUTBOX}?limit=200{more}", **STAFF)[0] if m["id"] == id_), None)


def is_(stack, id_, status):
    return until(lambda: stack.value("SELECT status FROM loyalty.outbox WHERE id = %s", (id_,)) == status, 15, 0.05, f"mail {id_} {status}")


def sent(stack):
    a, row = reserve(stack)
    is_(stack, row["id"], "SENT")
    return a, row["id"]


def dead(stack):
    """A mail that was given up, as outbox_settle leaves it."""
    a, id_ = sent(stack)
    stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', sent_at = NULL, last_error = '550 5.1.1 no such user' WHERE id = %s", (id_,))
    return a, id_


def retry(api, id_, *body, **how):
    return api.post(f"{OUTBOX}/{id_}/retry", *body, **{**STAFF, **how})


@pytest.fixture(scope="module", autouse=True)
def prompt(stack):
    """A notifier that looks every 100 ms."""
    stack.set_env(LOYALTY_NOTIFIER_POLL_MS="100")
    stack.restart("notifier")
    yield
    stack.set_env(LOYALTY_NOTIFIER_POLL_MS=None)
    stack.restart("notifier")


@pytest.fixture
def quiet(stack):
    """No notifier, for as long as the test lasts."""
    stack.stop("notifier")
    yield
    stack.start("notifier")


# -- the list -----------------------------------------------------------------------------------------

def test_mail_of_a_reservation_that_was_sent(stack, api):
    a, id_ = sent(stack)
    mail = find(api, id_)
    room, user = a.json["room"], a.json["user"]
    assert {k: v for k, v in mail.items() if k not in ("created_at", "sent_at")} == {
        "id": id_, "event": "reservation", "status": "SENT", "attempts": 1, "subject": f"{room['name']} for {user['name']}",
        "reservation_id": a.json["id"], "room_id": room["id"], "request_id": a.request_id, "next_attempt_at": None, "last_error": None}
    assert mail["created_at"] == a.json["created_at"] and TIME.match(mail["sent_at"]) and mail["sent_at"] > mail["created_at"]
    assert stack.mails_about(a.json["id"])[0]["Subject"] == mail["subject"]


def test_mail_of_a_room(stack, api):
    a = api.post("/v1/admin/rooms", {"name": "Zoë’s 🛏", "total_amount": 1, "required_points": 1}, **STAFF)
    b = api.patch(f"/v1/admin/rooms/{a.json['room']['id']}", {"total_amount": 3, "archived": True}, **STAFF)
    for answer, subject in ((a, "Room Zoë’s 🛏: new room"), (b, "Room Zoë’s 🛏: archived, total 1 to 3")):
        row, = outbox(stack, answer.request_id)
        is_(stack, row["id"], "SENT")
        mail = find(api, row["id"])
        assert (mail["event"], mail["subject"], mail["reservation_id"], mail["room_id"]) == ("room", subject, None, a.json["room"]["id"])
        assert subject in {m["Subject"] for m in stack.mails()}


def test_renaming_changes_no_subject_of_a_reservation_that_was_made_before(stack, api):
    """Nor that of the mails that follow: mail programs would begin a new thread.  Their texts have the new names."""
    for price in (0, 100):  # reserved at once, and requested
        room, user = stack.room(price=price, name=f"Old {price}"), stack.user(name=f"Guest {price}")
        made = stack.reserve(room, user).json
        api.patch(f"/v1/admin/rooms/{room.id}", {"name": f"New {price}"}, **STAFF)
        api.put(f"/v1/admin/users/{user.id}", {"name": f"Renamed {price}", "role": "USER"}, **STAFF)
        a = stack.cancel(made["id"])
        subject = f"Old {price} for Guest {price}"
        assert [m["Subject"] for m in stack.mails_about(made["id"], 2)] == [subject] * 2
        row, = outbox(stack, a.request_id)
        mail = api.get(f"{OUTBOX}/{row['id']}", **STAFF).json
        assert mail["subject"] == find(api, row["id"])["subject"] == subject
        assert f"New {price}" in mail["text"] and f"Renamed {price}" in mail["text"] and "Old" not in mail["text"].replace("Old status", "")
        subjects = [m["subject"] for m in api.get(f"/v1/admin/users/{user.id}/export", **STAFF).json["mails"]]
        assert subjects == [subject] * 2


def test_mail_that_waits(stack, api, quiet):
    a, row = reserve(stack)
    mail = find(api, row["id"])
    assert (mail["status"], mail["attempts"], mail["sent_at"], mail["last_error"]) == ("PENDING", 0, None, None)
    assert mail["next_attempt_at"] == mail["created_at"] == a.json["created_at"]
    stack.cancel(a.json["id"])
    behind = api.get(f"{OUTBOX}?limit=1", **STAFF).json[0]
    assert (behind["status"], behind["reservation_id"]) == ("PENDING", a.json["id"]) and TIME.match(behind["next_attempt_at"])


# -- one, with its text -------------------------------------------------------------------------------

def one(api, id_):
    a = api.get(f"{OUTBOX}/{id_}", **STAFF)
    assert a.status == 200, a
    return a.json


def body(mail):
    return mail.get_content().replace("\r\n", "\n")


def test_text_is_that_of_the_mail_that_was_sent(stack, api):
    """Also where room, price and balance are others by now, and names."""
    room, user = stack.room(total=3, price=40, name="Zoë’s 🛏"), stack.user(points=100, name="李小龍 \\ \"x\"")
    stack.drained()
    a = stack.reserve(room, user)
    stack.drained()
    reserved, = outbox(stack, a.request_id)
    rejected = pending(stack, room=stack.room(price=9), user=stack.user())[0]["id"]
    b = stack.reject(rejected, "two\nlines")
    stack.drained()
    refused, = outbox(stack, b.request_id)
    mails = {row["id"]: next(m for m in stack.mails_about(r, n) if row["request_id"] in body(m))
             for row, r, n in ((reserved, a.json["id"], 1), (refused, rejected, 2))}
    api.patch(f"/v1/admin/rooms/{room.id}", {"name": "Renamed", "total_amount": 7, "required_points": 5, "archived": True}, **STAFF)
    stack.adjust(user, 900)
    stack.cancel(a.json["id"])
    stack.drained()
    for id_, mail in mails.items():
        item = one(api, id_)
        assert item["text"] == body(mail), item["text"]
        assert item.pop("text") and item == find(api, id_)
    assert "Available now: 2 of 3\n" in body(mails[reserved["id"]]) and "Balance now:   60 points\n" in body(mails[reserved["id"]])


def test_text_of_a_mail_about_a_room(stack, api):
    a = api.post("/v1/admin/rooms", {"name": "Cabin", "total_amount": 2, "required_points": 1}, **STAFF)
    row, = outbox(stack, a.request_id)
    is_(stack, row["id"], "SENT")
    mail = until(lambda: next((m for m in stack.mails() if row["request_id"] in body(m)), None))
    assert one(api, row["id"])["text"] == body(mail) and "Change:        new room\n" in body(mail)


def test_text_of_a_mail_that_waits_or_was_given_up_is_what_it_would_be(stack, api, quiet):
    a, row = reserve(stack)
    assert f"Price now:     0 points\n" in one(api, row["id"])["text"]
    api.patch(f"/v1/admin/rooms/{a.json['room']['id']}", {"required_points": 77}, **STAFF)
    stack.adjust(stack.user()._replace(id=a.json["user"]["id"]), 5)
    for status in ("PENDING", "DEAD"):
        stack.sql("UPDATE loyalty.outbox SET status = %s WHERE id = %s", (status, row["id"]))
        text = one(api, row["id"])["text"]
        assert "Price now:     77 points\n" in text and "Balance now:   5 points\n" in text and "\r" not in text
    assert retry(api, row["id"]).status == 200


def test_mail_whose_change_is_not_known_has_no_text(stack, api, quiet):
    _, row = reserve(stack)
    stack.sql("UPDATE loyalty_history.reservation_history SET mail_id = NULL WHERE mail_id = %s", (row["id"],))
    try:
        # what the list says of it is another matter
        a = api.get(f"{OUTBOX}/{row['id']}", check=False, **STAFF)
        assert a.status in (200, 500) and (a.status == 500 or a.json["text"] is None), a
    finally:
        stack.sql("UPDATE loyalty_history.reservation_history SET mail_id = %s WHERE reservation_id = (SELECT reservation_id FROM loyalty.outbox WHERE id = %s)",
                  (row["id"], row["id"]))


def test_E057_head_etag_and_404_of_a_mail(stack, api):
    _, id_ = sent(stack)
    a, head = api.get(f"{OUTBOX}/{id_}", **STAFF), api.head(f"{OUTBOX}/{id_}", **STAFF)
    assert head.status == 200 and head.header("ETag") == a.header("ETag") and head.body == b""
    assert api.get(f"{OUTBOX}/{id_}", headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 304
    for bad in (id_ + 10 ** 9, 0, "x", "-1", new_id()):
        api.get(f"{OUTBOX}/{bad}", **STAFF).is_problem(404, "not-found")
    api.get(f"{OUTBOX}/{id_}?limit=5", **STAFF).is_problem(400, "validation")
    api.get(f"{OUTBOX}/{id_}").is_problem(403, "forbidden")


# -- what waits ---------------------------------------------------------------------------------------

def test_summary_counts_what_waits(stack, api, quiet):
    before = api.get("/v1/admin/summary", **STAFF)
    assert list(before.json) == ["pending_approval", "dead_mails", "queued_mails"]
    made, _, _ = pending(stack)
    after = api.get("/v1/admin/summary", headers=[("If-None-Match", before.header("ETag"))], **STAFF)
    assert after.status == 200
    # a room made by hand has a mail, too
    assert after.json == {"pending_approval": before.json["pending_approval"] + 1, "dead_mails": before.json["dead_mails"],
                          "queued_mails": before.json["queued_mails"] + 2}
    stack.reject(made["id"])
    mail = stack.value("SELECT MAX(id) FROM loyalty.outbox")
    stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', due_at = NULL, next_attempt_at = NULL WHERE id = %s", (mail,))
    now = api.get("/v1/admin/summary", **STAFF).json
    assert now == {"pending_approval": before.json["pending_approval"], "dead_mails": before.json["dead_mails"] + 1,
                   "queued_mails": before.json["queued_mails"] + 2}
    assert now["pending_approval"] == stack.value("SELECT COUNT(*) FROM loyalty.reservation WHERE status = 'PENDING_APPROVAL'")
    assert retry(api, mail).status == 200
    assert api.head("/v1/admin/summary", **STAFF).status == 200
    api.get("/v1/admin/summary?x=1", **STAFF).is_problem(400, "validation")
    api.get("/v1/admin/summary").is_problem(403, "forbidden")


# -- the list, its pages and filters ------------------------------------------------------------------

def test_list_is_newest_first_and_pages_make_it_up(stack, api):
    for _ in range(5):
        stack.room()
    items, _ = walk(api, f"{OUTBOX}?limit=200", **STAFF)
    ids = [m["id"] for m in items]
    assert ids == sorted(set(ids), reverse=True) and len(ids) == stack.value("SELECT COUNT(*) FROM loyalty.outbox")
    assert [m["id"] for m in walk(api, f"{OUTBOX}?limit=37", **STAFF)[0]] == ids


def test_status_filters(stack, api, quiet):
    ids = {"SENT": None, "DEAD": None, "PENDING": reserve(stack)[1]["id"]}
    stack.start("notifier")
    ids["SENT"], ids["DEAD"] = sent(stack)[1], dead(stack)[1]
    stack.stop("notifier")
    ids["PENDING"] = reserve(stack)[1]["id"]
    for status, id_ in ids.items():
        found, _ = walk(api, f"{OUTBOX}?status={status}&limit=50", **STAFF)
        assert {m["status"] for m in found} == {status} and id_ in {m["id"] for m in found}
        assert len(found) == stack.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = %s", (status,))
    retry(api, ids["DEAD"])


def test_E064_E065_E066_queries_against_the_rules_are_400(stack, api):
    stack.room()
    stack.room()
    for query in ("status=", "status=sent", "status=RESERVED", "status=SENT&status=SENT", "status=SENT,DEAD", "status=SENT%00"):
        assert api.get(f"{OUTBOX}?{query}", **STAFF).is_problem(400, "validation").pointers == ["?status"]
    a = api.get(f"{OUTBOX}?status=x&limit=0&cursor=x&room_id={new_id()}&q=x", actor="%", **STAFF).is_problem(400, "validation")
    assert a.pointers == ["?cursor", "?limit", "?q", "?room_id", "?status", "X-Actor"]
    cursor = link_next(api.get(f"{OUTBOX}?limit=1", **STAFF)).split("cursor=")[1]
    assert api.get(f"{OUTBOX}?limit=2&cursor={cursor}", **STAFF).status == 200
    for target in (f"{OUTBOX}?status=SENT&cursor={cursor}", f"/v1/admin/history/rooms?cursor={cursor}"):
        api.get(target, **STAFF).is_problem(400, "validation")


def test_E057_head_and_etag_of_the_outbox(stack, api):
    stack.drained()
    a, head = api.get(f"{OUTBOX}?limit=1", **STAFF), api.head(f"{OUTBOX}?limit=1", **STAFF)
    assert head.header("ETag") == a.header("ETag") and head.body == b""
    assert api.get(f"{OUTBOX}?limit=1", headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 304
    stack.room()
    assert api.get(f"{OUTBOX}?limit=1", headers=[("If-None-Match", a.header("ETag"))], **STAFF).status == 200


# -- retry --------------------------------------------------------------------------------------------

def test_retry_of_a_dead_mail_sends_it_again_with_the_same_message_id(stack, api):
    a, id_ = dead(stack)
    want = find(api, id_)
    assert (want["status"], want["last_error"], want["next_attempt_at"], want["sent_at"]) == ("DEAD", "550 5.1.1 no such user", None, None)
    b = retry(api, id_)
    assert b.status == 200 and b.json == {**want, "status": "PENDING", "next_attempt_at": b.json["next_attempt_at"]}
    assert TIME.match(b.json["next_attempt_at"]) and b.json["next_attempt_at"] > want["created_at"]
    is_(stack, id_, "SENT")
    mail = find(api, id_)
    assert mail["attempts"] == 2 and mail["sent_at"] > b.json["next_attempt_at"] and mail["next_attempt_at"] is None
    both = until(lambda: len(found := [m for m in stack.mails() if a.json["id"] in m.get_content()]) == 2 and found, 10)
    assert len({m["Message-ID"] for m in both}) == 1 and len({m.get_content() for m in both}) == 1


def test_retry_gives_a_mail_a_new_lifetime(stack, api, quiet):
    """One that was given up for its age does not die again at its next failure."""
    stack.start("notifier")
    _, id_ = dead(stack)
    stack.stop("notifier")
    stack.sql("UPDATE loyalty.outbox SET attempts = 50 WHERE id = %s", (id_,))
    before = retry(api, id_).json
    claimed = stack.sql("CALL loyalty.outbox_claim(%s, 1000, 1)", (uuid.uuid4().bytes,), dicts=True)
    row, = [r for r in claimed if r["id"] == id_]
    assert row["age_s"] < 60 and row["attempts"] == before["attempts"] == 50
    stack.sql("UPDATE loyalty.outbox SET lease_owner = NULL, due_at = next_attempt_at WHERE status = 'PENDING' AND lease_owner IS NOT NULL")


def test_retry_changes_nothing_but_the_mail_and_writes_down_who_asked(stack, api, quiet):
    stack.start("notifier")
    _, id_ = dead(stack)
    stack.stop("notifier")
    statement = "SELECT * FROM loyalty.outbox WHERE id = %s"
    tables, (mail,) = stack.snapshot(delivery=True), stack.sql(statement, (id_,), dicts=True)
    a = retry(api, id_, actor="Mel")
    assert a.status == 200
    now, (then,) = stack.snapshot(delivery=True), stack.sql(statement, (id_,), dicts=True)
    assert {t for t in now if now[t] != tables[t]} == {"loyalty.outbox", "loyalty_history.outbox_history"}
    (actor, request, at), = stack.sql("SELECT actor, request_id, changed_at FROM loyalty_history.outbox_history WHERE outbox_id = %s", (id_,))
    assert "Mel" in actor and request == a.header("X-Request-Id") and at == then["queued_at"]
    assert {c for c in mail if mail[c] != then[c]} == {"status", "due_at", "next_attempt_at", "queued_at"}


def test_retry_of_any_other_mail_is_409_and_says_which(stack, api, quiet):
    _, waiting = reserve(stack)
    with stack.unchanged():
        assert "PENDING" in retry(api, waiting["id"]).is_problem(409, "invalid-transition").json["detail"]
    stack.start("notifier")
    is_(stack, waiting["id"], "SENT")
    before = stack.snapshot(delivery=True)
    assert "SENT" in retry(api, waiting["id"], {}).is_problem(409, "invalid-transition").json["detail"]
    assert stack.snapshot(delivery=True) == before


@pytest.mark.parametrize("id_", ["0", "x", "-1", "+1", "1.5", "00", "01", "%31x", "999999999999999999", "9" * 18, "9" * 19, "9" * 400, new_id(),
                                 "1e3", "0x1", "%20", "٣"])
def test_unknown_or_broken_id_is_404(stack, api, id_):
    with stack.unchanged():
        retry(api, id_.encode().decode("latin-1") if id_.isascii() else "%D9%A3").is_problem(404, "not-found")


def test_no_body_and_empty_object_are_the_same(stack, api):
    for how in ({}, {"json_": {}}, {"body": b" {} "}, {"body": b""}):
        _, id_ = dead(stack)
        assert api.post(f"{OUTBOX}/{id_}/retry", **how, **STAFF).status == 200
        is_(stack, id_, "SENT")


@pytest.mark.parametrize("body, pointers", [({"status": "PENDING", "x": 1}, ["/status", "/x"]), ([], [""]), (None, [""]), (1, [""])])
def test_E041_members_are_refused(stack, api, body, pointers):
    _, id_ = dead(stack)
    before = stack.snapshot(delivery=True)
    assert retry(api, id_, body).is_problem(422, "validation").pointers == pointers
    assert stack.snapshot(delivery=True) == before
    retry(api, id_)


def test_faults_of_query_headers_and_body_are_refused(stack, api):
    _, id_ = dead(stack)
    with stack.unchanged():
        a = api.post(f"{OUTBOX}/{id_}/retry?x=1", {}, actor="%zz", idem="", **STAFF).is_problem(400, "validation")
        assert a.pointers == ["?x", "Idempotency-Key", "X-Actor"]
    refuses_broken_bodies(stack, "POST", f"{OUTBOX}/{id_}/retry")
    assert find(api, id_)["status"] == "DEAD"
    retry(api, id_)


def test_E005_E006_E009_retry_under_a_key(stack, api):
    _, id_ = dead(stack)
    k, late = key(), key()
    first = retry(api, id_, idem=k)
    is_(stack, id_, "SENT")
    refused = retry(api, id_, idem=late).is_problem(409, "invalid-transition")
    before = stack.snapshot(delivery=True)
    same_answer(first, retry(api, id_, idem=k))
    same_answer(refused, retry(api, id_, idem=late))
    retry(api, id_, {}, idem=k).is_problem(422, "idempotency-key-reused")
    assert stack.snapshot(delivery=True) == before


def test_20_retries_at_once_are_one(stack, api, quiet):
    stack.start("notifier")
    _, id_ = dead(stack)
    stack.stop("notifier")
    answers = api.at_once([("POST", f"{OUTBOX}/{id_}/retry", {}, STAFF)] * 20)
    assert sorted(a.status for a in answers) == [200] + [409] * 19
    assert {a.problem for a in answers} == {None, "invalid-transition"}


def test_same_retry_20_times_at_once_under_one_key(stack, api, quiet):
    stack.start("notifier")
    _, id_ = dead(stack)
    stack.stop("notifier")
    answers = api.at_once([("POST", f"{OUTBOX}/{id_}/retry", {}, {"idem": "twenty", **STAFF})] * 20)
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1
    assert sorted(a.replayed for a in answers) == [False] + [True] * 19


def test_retried_mail_goes_before_the_later_ones_of_its_reservation(stack, api, quiet):
    """Once it is PENDING again, what is still to be sent of its reservation waits behind it."""
    made, _, _ = pending(stack)
    stack.cancel(made["id"])
    first, second = (r["id"] for r in stack.sql(
        "SELECT id FROM loyalty.outbox WHERE reservation_id = UNHEX(REPLACE(%s, '-', '')) ORDER BY id", (made["id"],), dicts=True))
    # as outbox_settle leaves them: the first given up, the second let go
    stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', due_at = NULL, next_attempt_at = NULL, attempts = 1, last_error = '550 no'"
              " WHERE id = %s", (first,))
    stack.sql("UPDATE loyalty.outbox SET due_at = next_attempt_at WHERE id = %s", (second,))
    assert retry(api, first).status == 200
    claimed = [r["id"] for r in stack.sql("CALL loyalty.outbox_claim(%s, 1000, 1)", (uuid.uuid4().bytes,), dicts=True)]
    stack.sql("UPDATE loyalty.outbox SET lease_owner = NULL, due_at = next_attempt_at WHERE status = 'PENDING' AND lease_owner IS NOT NULL")
    assert first in claimed and second not in claimed, "both of one reservation at once"


def test_E107_mail_that_a_relay_refuses_is_dead_with_its_reply_and_a_retry_delivers_it(stack, api):
    room, user = stack.room(price=0), stack.user()
    stack.drained()  # whatever else is to be mailed is none of this relay's
    refusing = True
    relay = Relay(rcpt=lambda address: "550 5.1.1 nobody here of that name" if refusing else None).up()
    try:
        stack.set_env(LOYALTY_SMTP_HOST=f"127.0.0.1:{relay.port}", LOYALTY_SMTP_TLS="off")
        stack.restart("notifier")
        a = stack.reserve(room, user)
        row, = outbox(stack, a.request_id)
        is_(stack, row["id"], "DEAD")
        mail = find(api, row["id"], status="DEAD")
        assert "550" in mail["last_error"] and "nobody here of that name" in mail["last_error"]
        assert (mail["attempts"], mail["next_attempt_at"], mail["sent_at"]) == (1, None, None)
        refusing = False
        assert retry(api, row["id"]).json["last_error"] == mail["last_error"]
        is_(stack, row["id"], "SENT")
        arrived, = [m for m in relay.arrived if a.json["id"] in m.text]
        assert arrived.id.startswith(f"<reservation.{a.json['id']}@")
    finally:
        stack.set_env(LOYALTY_SMTP_HOST=None, LOYALTY_SMTP_TLS=None)
        stack.restart("notifier")
        relay.close()
    # once more, by the real one: the whole run's mails are counted in its mailbox
    stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', sent_at = NULL WHERE id = %s", (row["id"],))
    assert retry(api, row["id"]).status == 200
    is_(stack, row["id"], "SENT")
    until(lambda: any(m["Message-ID"].strip() == arrived.id for m in stack.mails()), 10, what=arrived.id)


def test_an_old_mail_costs_the_same_however_often_its_room_has_changed_since(stack, api):
    """Rows that the server reads for a page of a reservation that took a unit, one that waits, and their ends."""
    room = stack.room(price=5)
    a, b = stack.reserve(room, stack.user(points=5)), stack.reserve(room, stack.user())
    for reservation in (a, b):
        assert stack.cancel(reservation.json["id"]).status == 200
    mails = [m["id"] for m in api.get(f"{OUTBOX}?limit=4", **STAFF).json]

    def reads():
        with stack.db(database="loyalty") as c, c.cursor() as cursor:
            cursor.execute("FLUSH STATUS")
            cursor.execute("CALL outbox_list(NULL, %s, 4)", (mails[0] + 1,))
            rows = cursor.fetchall()
            while cursor.nextset():
                pass
            cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
            return [(row[0], row[4]) for row in rows], sum(int(v) for _, v in cursor.fetchall())

    rows, few = reads()
    assert [id_ for id_, _ in rows] == mails
    for price in range(100, 300):
        assert api.patch(f"/v1/admin/rooms/{room.id}", {"required_points": price, "name": f"Renamed {price}"}, **STAFF).status == 200
    again, many = reads()
    assert again == rows
    assert many <= few + 20, (few, many)
