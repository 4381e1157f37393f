"""GET /v1/admin/users/{id}/export: all that is known of a guest, one document, sent while it is read"""

import os
import threading
import uuid

import pytest

from client import Broken, walk
from staff import STAFF, in_status, new_id, pending
from stack import until

ROWS = 100000


def target(user):
    return f"/v1/admin/users/{user.id}/export"


def export(stack, user, **how):
    return stack.api.get(target(user), **{**STAFF, **how})


def memory(pid):
    """(now, highest) in kB."""
    with open(f"/proc/{pid}/status") as f:
        fields = dict(line.split(":", 1) for line in f)
    return tuple(int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))


def worked(pid):
    """Seconds of a processor that it has had."""
    with open(f"/proc/{pid}/stat") as f:
        user, system = f.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def heavy(stack):
    """A guest with 100,000 reservations, changes of them and mails, and as many changes of the balance."""
    user, room = stack.user(points=5, name="Heavy Guest"), stack.room(price=0)
    id_, room_ = uuid.UUID(user.id).bytes, uuid.UUID(room.id).bytes
    stack.stop("notifier")
    connection = stack.db(autocommit=False, read_timeout=300)
    with connection.cursor() as c:
        c.execute("SELECT COALESCE(MAX(id), 0) FROM loyalty.outbox")
        first = c.fetchone()[0] + 1
        c.execute("CREATE DATABASE IF NOT EXISTS export_made")
        c.execute("CREATE TABLE export_made.n (n INT PRIMARY KEY) AS SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n AS n FROM "
                  + ", ".join(f"(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7"
                              f" UNION SELECT 8 UNION SELECT 9) {t}" for t in "abcde"))
        triggers = []
        c.execute("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = 'loyalty' AND trigger_name LIKE 'reservation%'")
        for (name,) in c.fetchall():
            c.execute(f"SHOW CREATE TRIGGER loyalty.{name}")
            triggers.append((name, *c.fetchone()[1:3]))
            c.execute(f"DROP TRIGGER loyalty.{name}")
        made = "UNHEX(CONCAT('01a20a3bc99b7c5a9d53', LPAD(HEX(n), 12, '0')))"
        at = "'2026-01-01' + INTERVAL n SECOND"
        c.execute(f"INSERT INTO loyalty.reservation (id, user_id, room_id, status, points, created_at, updated_at)"
                  f" SELECT {made}, %s, %s, 'CANCELLED', 0, {at}, {at} FROM export_made.n", (id_, room_))
        c.execute(f"INSERT INTO loyalty.outbox (id, event, status, reservation_id, room_id, created_at, sent_at)"
                  f" SELECT {first} + n, 'reservation', 'SENT', {made}, %s, {at}, {at} FROM export_made.n", (room_,))
        c.execute(f"INSERT INTO loyalty_history.reservation_history (reservation_id, room_id, user_id, to_status, points, mail_id, actor, request_id, changed_at)"
                  f" SELECT {made}, %s, %s, 'CANCELLED', 0, {first} + n, 'x', 'export', {at} FROM export_made.n", (room_, id_))
        c.execute(f"INSERT INTO loyalty_history.points_history (user_id, from_points, to_points, delta, reason, actor, request_id, changed_at)"
                  f" SELECT %s, 5 + n %% 2, 6 - n %% 2, 1 - 2 * (n %% 2), 'a reason of some length that fills the line', 'x', 'export', {at} FROM export_made.n",
                  (id_,))
        connection.commit()
        c.execute("USE loyalty")
        for _, mode, statement in triggers:
            c.execute("SET SESSION sql_mode = %s", (mode,))
            c.execute(statement)
    yield user
    connection.close()
    connection = stack.db(autocommit=False, read_timeout=300)  # the other one may have died with its server
    with connection.cursor() as c:  # nothing of it is of the system's own making: the invariants don't hold for it
        c.execute("DELETE FROM loyalty.outbox WHERE id >= %s AND id < %s", (first, first + ROWS))
        c.execute("DELETE FROM loyalty.reservation WHERE user_id = %s", (id_,))
        c.execute("DELETE FROM loyalty_history.reservation_history WHERE request_id = 'export'")
        c.execute("DELETE FROM loyalty_history.points_history WHERE request_id = 'export'")
        c.execute("DROP DATABASE export_made")
    connection.commit()
    connection.close()
    stack.start("notifier")


def test_document_has_what_the_lists_have(stack, api):
    _, _, user = in_status(stack, "RELEASED")
    stack.adjust(user, 50, "two\nlines “ß”", actor="Anna")
    api.put(f"/v1/admin/users/{user.id}", {"name": "Zoë \"Q\"", "role": "ADMIN"}, **STAFF)
    made, _, _ = pending(stack, user=user, price=5000)
    stack.reject(made["id"], "no")
    other, _, _ = in_status(stack, "RESERVED")
    stack.drained()
    a = export(stack, user)
    assert a.status == 200 and a.header("Content-Type") == "application/json" and a.header("Cache-Control") == "no-store"
    assert a.header("ETag") is None
    doc = a.json
    assert list(doc) == ["account", "reservations", "history", "mails"] and list(doc["history"]) == ["users", "reservations", "points"]
    assert doc["account"] == api.get(f"/v1/admin/users/{user.id}", **STAFF).json
    reservations = walk(api, f"/v1/reservations?user_id={user.id}")[0]
    assert doc["reservations"] == reservations and len(reservations) == 2
    for stream in ("users", "points"):
        assert doc["history"][stream] == walk(api, f"/v1/admin/history/{stream}?user_id={user.id}", **STAFF)[0] != []
    assert doc["history"]["reservations"] == [row for v in reservations for row in
                                              walk(api, f"/v1/admin/history/reservations?reservation_id={v['id']}", **STAFF)[0]]
    own = {v["id"] for v in reservations}
    mails = [m for m in walk(api, "/v1/admin/outbox?limit=200", **STAFF)[0] if m["reservation_id"] in own]
    assert doc["mails"] == mails and len(mails) == 4 and other["id"] not in a.body.decode()


def test_document_of_a_guest_without_a_past_and_of_one_who_was_erased(stack, api):
    user = stack.user(name="Jane")
    assert export(stack, user).json == {"account": {"user": {"id": user.id, "name": "Jane", "role": "USER"}, "bonus_points": 0}, "reservations": [],
                                        "history": {"users": api.get(f"/v1/admin/history/users?user_id={user.id}", **STAFF).json,
                                                    "reservations": [], "points": []}, "mails": []}
    api.post(f"/v1/admin/users/{user.id}/erase", {"reason": "x"}, **STAFF)
    doc = export(stack, user)
    assert doc.json["account"]["user"]["name"] == "Erased" and len(doc.json["history"]["users"]) == 2 and b"Jane" not in doc.body


def test_unknown_ids_queries_and_methods(stack, api):
    user = stack.user()
    for id_ in (new_id(), "x"):
        api.get(f"/v1/admin/users/{id_}/export", **STAFF).is_problem(404, "user-not-found")
        assert api.head(f"/v1/admin/users/{id_}/export", **STAFF).status == 404
    assert api.get(target(user) + "?limit=5", **STAFF).is_problem(400, "validation").pointers == ["?limit"]
    head = api.head(target(user), **STAFF)
    assert (head.status, head.body, head.header("Content-Type"), head.header("Cache-Control")) == (200, b"", "application/json", "no-store")
    assert api.post(target(user), **STAFF).is_problem(405, "method-not-allowed").header("Allow") == "GET, HEAD, OPTIONS"
    assert export(stack, type(user)(user.id.upper(), user.name, "USER", 0)).json["account"]["user"]["id"] == user.id


def test_a_hundred_thousand_rows_are_whole_and_take_no_memory(stack, heavy):
    """Seconds are of a processor, of the service's and the database's: the machine may be busy."""
    pid, = stack.pids("admin")
    both = [pid, *stack.pids("db")]
    export(stack, stack.user())
    before, _ = memory(pid)
    begin = sum(map(worked, both))
    a = export(stack, heavy, check=False)  # what each row has to be is looked at where they are few
    took = sum(map(worked, both)) - begin
    doc = a.json
    assert [len(doc["reservations"]), len(doc["history"]["reservations"]), len(doc["mails"])] == [ROWS] * 3
    assert len(doc["history"]["points"]) == ROWS + 1 and a.header("Content-Length") is None
    now, highest = memory(pid)
    print(f"export: {len(a.body)} bytes in {took:.1f} s; {before} kB before, {now} after, {highest} at most")
    if "san" not in os.environ.get("LOYALTY_BUILD", ""):  # a sanitizer keeps for a while what was freed
        assert highest - before < 8 * 1024, (before, now, highest)
    assert took < 60


def test_document_is_of_one_instant(stack, api, heavy):
    """While it is read a guest gets points and reservations: sums fit all the same."""
    done, room = threading.Event(), stack.room(total=1000000, price=1)
    user = stack.user(points=100000)
    for _ in range(30):
        stack.reserve(room, user)

    def write():
        while not done.is_set():
            stack.reserve(room, user)
            stack.adjust(user, 3)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for w in writers:
        w.start()
    try:
        for _ in range(40):
            doc = until(lambda: (a := export(stack, user)).status == 200 and a, 20).json  # a machine that is busy answers 503 now and then
            points = doc["history"]["points"]
            assert doc["account"]["bonus_points"] == points[0]["to"] == sum(row["delta"] for row in points)
            ids = {v["id"] for v in doc["reservations"]}
            assert ids == {row["reservation_id"] for row in doc["history"]["reservations"]} == {m["reservation_id"] for m in doc["mails"]} == {
                row["reservation_id"] for row in points if row["reservation_id"]}
    finally:
        done.set()
        for w in writers:
            w.join()


def begun(stack, user):
    """A connection on which the document has begun, and is stuck: nobody reads it."""
    wire = stack.api.wire()
    headers, _ = stack.api.prepare("GET", target(user), **STAFF)
    wire.send(("GET " + target(user) + " HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n").encode())
    wire._fill()
    return wire


def test_half_a_document_does_not_pass_for_one(stack, heavy):
    """The service dies, or the database does, in the middle."""
    light = stack.user()
    for victim in ("admin", "db"):
        wire = begun(stack, heavy)
        stack.kill(victim)
        with pytest.raises((Broken, OSError)):
            wire.answer("GET", target(heavy))
        wire.close()
        stack.close_db()
        until(lambda: export(stack, light, check=False).status == 200, 60)
    assert len(export(stack, heavy, check=False).json["mails"]) == ROWS


def test_one_at_a_time_and_a_client_that_stalls_is_given_up(stack, heavy):
    wire = begun(stack, heavy)
    user = stack.user()
    a = export(stack, user)
    assert a.is_problem(503, "unavailable").header("Retry-After") and "export" in a.json["detail"]
    assert stack.adjust(user, 5).status == 201 and stack.api.get(f"/v1/admin/users/{user.id}", **STAFF).status == 200
    until(lambda: stack.api.get(target(user), **STAFF).status == 200, 20)
    with pytest.raises((Broken, OSError)):
        wire.answer("GET", target(heavy))
    wire.reset()
    assert "internal error" not in stack.log("admin")
