"""An idempotency record of before schema/140, values joined with U+001F and a sentence, is replayed to the byte"""

import uuid

from stack import TOP
from test_migrate import migrate

ROOM = 'Zimmer 🛏 "1" is left; the reservation stays PENDING_APPROVAL.'


def hexed(id_):
    return id_.replace("-", "").upper()


def room_fields(r):
    return [hexed(r["id"]), r["name"], r["available_amount"], r["required_points"]]


def user_fields(u):
    return [hexed(u["id"]), u["name"], u["role"]]


def fields(j):
    """What a procedure kept of this answer."""
    if "event" in j:
        return [j["id"], j["event"], j["status"], j["attempts"], j["subject"], hexed(j["reservation_id"] or ""), hexed(j["room_id"]), j["request_id"],
                j["created_at"], j["next_attempt_at"], j["sent_at"] or "", j["last_error"] or ""]
    if "archived" in j:
        return [*room_fields(j["room"]), j["total_amount"], int(j["archived"])]
    if "amount" in j:
        return [*user_fields(j["user"]), j["amount"], j["bonus_points"]]
    return [hexed(j["id"]), j["status"], j["points"], *room_fields(j["room"]), *user_fields(j["user"]), j["created_at"], j["updated_at"]]


def requests(stack):
    """All that is kept, each as a function that asks again with the same key and body."""
    api, rich, poor, full = stack.api, stack.user(points=1000, name="Zoë “Å” Müller"), stack.user(points=10), stack.user(points=9007199254740991)
    room, one = stack.room(price=100, name=ROOM), stack.room(total=1, price=50, name=ROOM)
    key = "old-" + uuid.uuid4().hex

    def pending(room_, user):
        made = stack.reserve(room_, user)
        assert made.json["status"] == "PENDING_APPROVAL"
        return made.json["id"]

    def reserved(room_, user):
        made = stack.reserve(room_, user)
        assert made.json["status"] == "RESERVED"
        return made.json["id"]

    taken, waiting = reserved(room, rich), [pending(room, poor) for _ in range(4)]
    of_one = pending(one, poor)
    yield lambda: stack.reserve(room, rich, idem=key)
    yield lambda: stack.reserve(room, poor, idem=key + "p")
    yield lambda: stack.cancel(taken, idem=key)
    yield lambda: stack.cancel(waiting[0], idem=key)
    yield lambda: stack.cancel(taken, idem=key + "2")
    yield lambda: stack.adjust(poor, 5, idem=key)
    yield lambda: stack.adjust(poor, -600, idem=key + "2", request_id="the-first")
    yield lambda: stack.adjust(full, 1, idem=key)
    yield lambda: stack.approve(waiting[1], {"points": 3}, idem=key)
    yield lambda: stack.approve(waiting[1], idem=key + "2")
    yield lambda: stack.approve(waiting[2], idem=key)
    yield lambda: stack.reject(waiting[3], idem=key)
    yield lambda: stack.reject(waiting[3], idem=key + "2")
    yield lambda: stack.release(waiting[1], idem=key)
    yield lambda: stack.release(waiting[1], idem=key + "2")
    refunded = reserved(stack.room(price=7), full)
    stack.adjust(full, 7)
    yield lambda: stack.cancel(refunded, idem=key)
    reserved(one, rich)
    yield lambda: stack.reserve(one, rich, idem=key + "s")
    yield lambda: stack.approve(of_one, idem=key)
    body = {"name": ROOM, "total_amount": 3, "required_points": 0}
    yield lambda: api.post("/v1/admin/rooms", body, key="restricted", idem=key)
    again = {**body, "id": room.id}
    yield lambda: api.post("/v1/admin/rooms", again, key="restricted", idem=key + "2")
    stack.drained()
    for error in None, "550 5.1.1 niemand da – “nobody”":
        id_ = stack.value("SELECT MAX(id) FROM loyalty.outbox WHERE reservation_id IS " + ("NULL" if error is None else "NOT NULL"))
        stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', sent_at = NULL, attempts = 7, last_error = %s WHERE id = %s", (error, id_))
        yield lambda id_=id_: api.post(f"/v1/admin/outbox/{id_}/retry", key="restricted", idem=key)
    stack.drained()
    yield lambda: api.post(f"/v1/admin/outbox/{id_}/retry", key="restricted", idem=key + "2")


def test_records_of_the_old_form_are_replayed_to_the_byte(stack):
    seen, done, old = set(), [], []
    stack.snapshot()  # from here on stack knows the tables: not that one of ours
    for ask in requests(stack):
        known = {i for i, in stack.sql("SELECT id FROM loyalty.idempotency")}
        first = ask()
        assert first.status in (200, 201, 409) and not first.replayed, first
        new = stack.sql("SELECT id, body, created_at FROM loyalty.idempotency", dicts=True)
        row, = [r for r in new if r["id"] not in known]
        kept = [first.json["request_id"], first.json["detail"]] if first.status == 409 else fields(first.json)
        old.append((row["id"], row["body"], first.status, first.problem or "", "\x1f".join(map(str, kept)).encode(), row["created_at"]))
        seen.add((first.status, first.problem))
        done.append((ask, first, row["id"]))
    assert len(done) == 23 and len(seen) == 7, seen
    stack.sql("RENAME TABLE loyalty.idempotency TO loyalty.idempotency_kept")
    try:
        stack.sql("USE loyalty")
        stack.sql((TOP / "mysql/schema/050_idempotency.sql").read_text().rpartition(";")[0])
        for row in old:
            stack.sql("INSERT INTO loyalty.idempotency VALUES (%s, %s, %s, %s, %s, %s)", row)
        stack.sql("DELETE FROM loyalty.schema_migration WHERE step = 'schema/140_idempotency_typed.sql'")
        assert "1 steps applied" in migrate(stack).stdout
        assert stack.value("SELECT COUNT(*) FROM loyalty.idempotency") == len(old)
        for ask, first, id_ in done:
            with stack.unchanged():
                again = ask()
            assert (again.status, again.body, again.header("Location")) == (first.status, first.body, first.header("Location")), (first, again)
            assert again.replayed, again
            of = "SELECT {} FROM loyalty.idempotency{} WHERE id = %s"
            columns = ", ".join(c for c, in stack.sql("SELECT column_name FROM information_schema.columns WHERE table_schema = 'loyalty'"
                                                      " AND table_name = 'idempotency' ORDER BY ordinal_position"))
            converted, made = (dict(stack.sql(of.format(columns, t), (id_,), dicts=True)[0]) for t in ("", "_kept"))
            if converted["request_id"] is None:
                converted["request_id"] = made["request_id"]  # of a success nobody had kept it
            if converted["problem"] is None and first.json.get("status") in ("CANCELLED", "RESERVED", "REJECTED", "RELEASED"):
                converted["entity"] = made["entity"]
            told = set(made) - ({"subject", "room_name", "user_name"} if "subject" in first.json else set()) if first.status != 409 else {"body", "problem", "request_id", "text", "n", "m", "created_at"}
            if first.status == 201 and "status" in first.json:
                told -= {"required_points"}  # of a reservation that was made these are its points
            differ = {c: (converted[c], made[c]) for c in told if converted[c] != made[c]}
            assert not differ, (differ, first)
        assert "nothing to do" in migrate(stack).stdout
    finally:
        stack.sql("DROP TABLE IF EXISTS loyalty.idempotency")
        stack.sql("RENAME TABLE loyalty.idempotency_kept TO loyalty.idempotency")
        stack.close_db()
