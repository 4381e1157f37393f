"""mysql/schema/150_outbox_thin.sql: a database of version 2, whose outbox holds what each mail says, with mails of every status"""

import os
import shutil
import subprocess
import time
import uuid

import pytest

from stack import TOP
from test_migrate import migrate

VERSION_2 = TOP / "t" / "e2e" / "database" / "version_2"
ADDED = "ALTER TABLE loyalty_history.reservation_history ADD COLUMN points INT NULL AFTER to_status, ADD COLUMN reason VARCHAR(200) NULL AFTER points," \
        " ADD COLUMN mail_id BIGINT NULL AFTER reason"

STATUS = {None: "none", "PENDING_APPROVAL": "Waiting for approval (PENDING_APPROVAL)", "RESERVED": "Reserved (RESERVED)", "RELEASED": "Released (RELEASED)",
          "CANCELLED": "Cancelled (CANCELLED)", "REJECTED": "Rejected (REJECTED)"}


class Old:
    """A database of version 2 in the place of the stack's, and changes as its procedures made them."""

    def __init__(self, stack, folder):
        self.stack, files = stack, folder / "mysql"
        shutil.copytree(TOP / "mysql", files)
        for file in [*files.glob("schema/*.sql"), *files.glob("procs/*.sql")]:
            if file.name >= "130" and file.name != "schema_version.sql":
                file.unlink()
        for file in files.glob("triggers/*_folded.sql"):
            file.unlink()
        for file in VERSION_2.glob("*_history.sql"):
            shutil.copy(file, files / "triggers")
        shutil.copy(VERSION_2 / "accounts.sql", files)
        (files / "reads.sql").write_text("")
        (files / "COMPATIBILITY").write_text("2\n")
        for name in ("loyalty", "loyalty_history"):
            stack.sql(f"DROP DATABASE {name}")
        subprocess.run([str(files / "migrate")], env={"PATH": os.environ["PATH"], **stack.db_environment()}, check=True, timeout=60)
        assert stack.value("SELECT version FROM loyalty.schema_info") == 2
        self.requests = 0

    def change(self, reservation, room, user, was, is_, points, reason=None):
        """The rows of a change of status, in one transaction, as the procedures of version 2 wrote them."""
        self.requests += 1
        ids = {"id": uuid.UUID(reservation).bytes, "room": uuid.UUID(room.id).bytes, "user": uuid.UUID(user.id).bytes,
               "points": points, "is_": is_, "actor": f"Zoë {self.requests}", "request": f"old-{self.requests}", "reason": reason}
        units = (is_ == "RESERVED") - (was == "RESERVED")
        taken = points if is_ == "RESERVED" else -points if (was, is_) == ("RESERVED", "CANCELLED") else 0
        time.sleep(0.002)
        with self.stack.db(autocommit=False) as c, c.cursor() as cursor:
            cursor.execute("SET @loyalty_at = UTC_TIMESTAMP(6), @loyalty_actor = %(actor)s, @loyalty_request_id = %(request)s,"
                           " @loyalty_reservation = %(id)s, @loyalty_reason = NULL", ids)
            if taken:
                cursor.execute(f"UPDATE loyalty.user SET bonus_points = bonus_points - ({taken}) WHERE id = %(user)s", ids)
            if units:
                cursor.execute(f"UPDATE loyalty.room SET available_amount = available_amount - ({units}) WHERE id = %(room)s", ids)
            cursor.execute("SET @loyalty_reason = %(reason)s", ids)
            if was is None:
                cursor.execute("INSERT INTO loyalty.reservation (id, user_id, room_id, status, points, created_at, updated_at)"
                               " VALUES (%(id)s, %(user)s, %(room)s, %(is_)s, %(points)s, @loyalty_at, @loyalty_at)", ids)
            else:
                cursor.execute("UPDATE loyalty.reservation SET status = %(is_)s, points = %(points)s, updated_at = @loyalty_at WHERE id = %(id)s", ids)
            c.commit()

    def life(self, room, user, *changes):
        """A reservation; changes: (status, points) or (status, points, reason)."""
        id_, was = str(uuid.uuid4()), None
        for is_, points, *reason in changes:
            self.change(id_, room, user, was, is_, points, *reason)
            was = is_
        return id_

    def mail(self, reservation, to):
        return self.stack.value("SELECT id FROM loyalty.outbox WHERE reservation_id = %s AND to_status = %s", (uuid.UUID(reservation).bytes, to))

    def settle(self, status, *mails):
        """As outbox_settle left them, waking nothing: nobody runs meanwhile."""
        for id_ in mails:
            self.stack.sql("UPDATE loyalty.outbox SET status = %s, attempts = 1, due_at = NULL, next_attempt_at = NULL,"
                           " sent_at = IF(%s = 'SENT', UTC_TIMESTAMP(6), NULL), last_error = IF(%s = 'DEAD', '550 no such user', NULL) WHERE id = %s",
                           (status, status, status, id_))


@pytest.fixture
def own(make_stack):
    with make_stack() as stack:
        yield stack


def listed(row):
    """A wide row as GET /v1/admin/outbox shows it now."""
    subject = f"Room {row['room_name']}: {row['detail']}" if row["event"] == "room" else f"{row['room_name']} for {row['user_name']}"
    return {"id": row["id"], "event": row["event"], "status": row["status"], "attempts": row["attempts"], "subject": subject,
            "reservation_id": text(row["reservation_id"]), "room_id": text(row["room_id"]), "request_id": row["request_id"],
            "last_error": row["last_error"], **{k: row[k] and row[k].strftime("%Y-%m-%dT%H:%M:%S.%fZ") for k in ("created_at", "next_attempt_at", "sent_at")}}


def text(id_):
    return id_ and str(uuid.UUID(bytes=id_))


def test_mails_of_before_are_listed_and_sent_as_they_were(own, tmp_path):
    own.stop("notifier")
    old = Old(own, tmp_path)
    room, user = own.room(total=9, price=100, name="Old name"), own.user(points=1000, name="Old guest")
    sent = old.life(room, user, ("RESERVED", 100))
    waits = old.life(room, user, ("RESERVED", 100), ("CANCELLED", 100))
    refused = old.life(room, user, ("PENDING_APPROVAL", 100), ("REJECTED", 100, "full\nof guests"))
    approved = old.life(room, user, ("PENDING_APPROVAL", 100), ("RESERVED", 60))
    pruned = old.life(room, user, ("RESERVED", 100), ("RELEASED", 100))
    unknown = old.life(room, user, ("PENDING_APPROVAL", 100), ("RESERVED", 70))
    own.sql("UPDATE loyalty.room SET name = 'New name' WHERE name = 'Old name'")
    own.sql("UPDATE loyalty.user SET name = 'New guest' WHERE name = 'Old guest'")
    later = old.life(room, user, ("RESERVED", 100))
    own.sql("UPDATE loyalty.room SET total_amount = total_amount - 1, available_amount = available_amount - 1, archived = 1, reservable = 0")
    old.settle("SENT", old.mail(sent, "RESERVED"), old.mail(refused, "PENDING_APPROVAL"))
    old.settle("DEAD", old.mail(refused, "REJECTED"))
    gone = [old.mail(pruned, "RESERVED"), old.mail(pruned, "RELEASED"), old.mail(unknown, "PENDING_APPROVAL")]
    own.sql("DELETE FROM loyalty.outbox WHERE id IN (%s, %s, %s)", gone)
    own.sql("INSERT INTO loyalty.outbox_pruned VALUES (1, %s, 3, UTC_TIMESTAMP(6))", (max(gone),))
    own.sql("UPDATE loyalty.outbox SET due_at = next_attempt_at WHERE id = %s", (old.mail(unknown, "RESERVED"),))
    wide = own.sql("SELECT * FROM loyalty.outbox ORDER BY id DESC", dicts=True)
    assert {row["status"] for row in wide} == {"PENDING", "SENT", "DEAD"} and len(wide) > 10
    own.sql(ADDED)  # as a run that was interrupted leaves it

    assert "from schema compatibility number 2" in migrate(own).stdout
    own.ready()
    api, staff = own.api, {"key": "restricted"}
    assert api.get("/v1/admin/outbox?limit=200", **staff).json == [listed(row) for row in wide]
    points = {id_: [(r["to"], r["points"], r["reason"]) for r in api.get(f"/v1/admin/history/reservations?reservation_id={id_}", **staff).json]
              for id_ in (sent, waits, refused, approved, pruned, unknown)}
    assert points == {
        sent: [("RESERVED", 100, None)], waits: [("CANCELLED", 100, None), ("RESERVED", 100, None)],
        refused: [("REJECTED", 100, "full\nof guests"), ("PENDING_APPROVAL", 100, None)],
        approved: [("RESERVED", 60, None), ("PENDING_APPROVAL", 100, None)],
        pruned: [("RELEASED", 100, None), ("RESERVED", 100, None)],
        unknown: [("RESERVED", 70, None), ("PENDING_APPROVAL", None, None)]}
    audit = api.get("/v1/admin/audit", **staff).json
    assert audit["ok"], [c for c in audit["checks"] if not c["ok"]]

    dead = own.value("SELECT id FROM loyalty.outbox WHERE status = 'DEAD'")
    assert api.post(f"/v1/admin/outbox/{dead}/retry", {}, **staff).json["subject"] == "Old name for Old guest"
    own.start("notifier")
    own.drained()
    mails = {field(m, "Request ID"): m for m in own.mails()}
    for row in wide:
        if row["status"] == "SENT":
            continue
        mail = mails[row["request_id"]] if row["event"] == "reservation" else next(
            m for m in own.mails() if m["Subject"] == listed(row)["subject"] and field(m, "Time") == listed(row)["created_at"])
        said = {"Room": row["room_name"], "Room ID": text(row["room_id"]), "Time": listed(row)["created_at"], "By": {"public": "Booking site (public)", "restricted": "Staff (restricted)"}.get(row["actor"], row["actor"]),
                "Request ID": row["request_id"]}
        if row["event"] == "reservation":
            said |= {"Guest": row["user_name"], "Guest ID": text(row["user_id"]), "Old status": STATUS[row["from_status"]], "New status": STATUS[row["to_status"]],
                     "Points": f"{row['points']} points", "Reservation": text(row["reservation_id"])}
            assert ("Reason:" in mail.get_content()) == (row["detail"] is not None)
        assert {label: field(mail, label) for label in said} == said
        assert mail["Subject"] == listed(row)["subject"]
    assert [field(m, "Points") for m in own.mails() if field(m, "Reservation") == later] == ["100 points"]
    assert api.get("/v1/admin/audit", **staff).json["ok"]


def field(mail, label):
    return next((line[len(label) + 1:].strip() for line in mail.get_content().splitlines() if line.startswith(label + ":")), None)
