"""POST /v1/admin/users/{id}/erase: a guest is forgotten, the account closed; ids, numbers and the names of staff stay"""

import threading
import time
import uuid

import pytest

from client import walk
from staff import REASONS_BAD, ROUNDS, STAFF, Racers, approve_call, cancel_call, history, key, new_id, outbox, refuses_broken_bodies, \
    release_call, same_answer
from stack import User, until

USERS = "/v1/admin/users"


def erase(stack, user, reason="by letter", **how):
    return stack.api.post(f"{USERS}/{getattr(user, 'id', user)}/erase", {"reason": reason}, **{**STAFF, **how})


def gone(user):
    return {"user": {"id": user.id, "name": "Erased", "role": "USER"}, "bonus_points": 0}


def is_clean(stack):
    audit = stack.api.get("/v1/admin/audit", **STAFF).json
    assert audit["ok"], [c for c in audit["checks"] if not c["ok"]]


def found(stack, *words):
    """Tables, all but the records of Idempotency-Keys, that have one of these words anywhere: {column}."""
    out = set()
    for schema, table, column in stack.sql(
            "SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name) WHERE c.table_schema IN ('loyalty', 'loyalty_history') AND t.table_type = 'BASE TABLE'"
            " AND c.table_name <> 'idempotency' AND c.data_type IN ('varchar', 'char', 'varbinary', 'text', 'longtext')"):
        for word in words:
            if stack.value(f"SELECT COUNT(*) FROM {schema}.{table} WHERE LOCATE(%s, {column}) > 0", (word,)):
                out.add(f"{table}.{column}")
    return out


@pytest.fixture
def life(stack, api):
    """(user, words that must vanish, reservations by status): a guest with a past, one request open."""
    mark = uuid.uuid4().hex[:12]
    user = stack.user(points=0, name=f"First {mark}")
    for name, role in ((f"Second {mark}", "USER"), (f"Third {mark}", "ADMIN")):
        assert api.put(f"{USERS}/{user.id}", {"name": name, "role": role}, actor="Anna", **STAFF).status == 200
    stack.adjust(user, 500, f"gift {mark}", actor="Anna")
    room = stack.room(total=3, price=100)
    released, cancelled = (stack.reserve(room, user).json["id"] for _ in range(2))
    assert stack.release(released, actor="Bob").status == stack.cancel(cancelled).status == 200
    dear = stack.room(total=3, price=10000)
    rejected, open_ = (stack.reserve(dear, user).json["id"] for _ in range(2))
    assert stack.reject(rejected, f"no {mark}", actor="Bob").status == 200
    return user, mark, {"RELEASED": released, "CANCELLED": cancelled, "REJECTED": rejected, "open": open_}


def test_guest_vanishes_and_ids_numbers_and_staff_stay(stack, api, life):
    user, mark, made = life
    stack.sql("UPDATE loyalty.outbox SET last_error = %s WHERE reservation_id = UNHEX(REPLACE(%s, '-', ''))",
              (f"550 your subject 'Room for Third {mark}'", made["RELEASED"]))
    assert found(stack, mark) == {"user.name", "user.name_folded", "user_history.from_name", "user_history.to_name", "points_history.reason",
                                  "reservation_history.reason", "outbox.last_error"}
    streams = [("points", user.id), ("users", user.id)] + [("reservations", id_) for id_ in made.values()]
    before = {id_: api.get(f"/v1/admin/history/{stream}?{'user_id' if stream != 'reservations' else 'reservation_id'}={id_}", **STAFF).json
              for stream, id_ in streams[1:]}
    points = api.get(f"/v1/admin/history/points?user_id={user.id}", **STAFF).json
    a = erase(stack, user, "asked on 24 November", actor="Cleo")
    assert a.status == 200 and a.json == gone(user) and a.header("Cache-Control") == "no-store"
    assert found(stack, mark) == set()
    assert api.get(f"{USERS}/{user.id}", **STAFF).json == api.get(f"/v1/users/{user.id}/points").json == gone(user)
    for q, found_ in ((mark, False), ("erase", True)):
        listed = walk(api, f"{USERS}?q={q}&sort=name&limit=200", **STAFF)[0]
        assert (gone(user) in listed) == found_ and (found_ or not listed)
    assert api.get(f"/v1/reservations?q={mark}", **STAFF).json == []

    closed, *rest = api.get(f"/v1/admin/history/points?user_id={user.id}", **STAFF).json
    assert (closed["from"], closed["to"], closed["delta"], closed["reason"], closed["reservation_id"], closed["actor"], closed["request_id"]) == \
        (400, 0, -400, "Erased", None, "Cleo", a.request_id)
    assert rest == [{**row, "reason": None} for row in points]
    last, *rest = api.get(f"/v1/admin/history/users?user_id={user.id}", **STAFF).json
    erased = {"name": "Erased", "role": "USER"}
    assert (last["from"], last["to"], last["reason"], last["actor"], last["request_id"]) == (
        {"name": "Erased", "role": "ADMIN"}, erased, "asked on 24 November", "Cleo", a.request_id)
    assert rest == [{**row, "from": row["from"] and {**row["from"], "name": "Erased"}, "to": {**row["to"], "name": "Erased"}}
                    for row in before[user.id]]
    for status, id_ in made.items():
        now = api.get(f"/v1/admin/history/reservations?reservation_id={id_}", **STAFF).json
        if status == "open":
            new = now.pop(0)
            assert (new["from"], new["to"], new["reason"], new["actor"], new["request_id"]) == \
                ("PENDING_APPROVAL", "CANCELLED", None, "Cleo", a.request_id)
        assert now == [{**row, "reason": None} for row in before[id_]]
        assert api.get(f"/v1/reservations/{id_}").json["user"] == {"id": user.id, **erased}
    is_clean(stack)


def test_open_requests_are_cancelled_and_no_mail_tells_the_name(stack, api):
    """Also none that waited: what it says is read when it goes out."""
    stack.stop("notifier")
    try:
        mark = uuid.uuid4().hex[:12]
        user, dear = stack.user(name=f"Jane {mark}"), stack.room(price=700, total=1)
        made = [stack.reserve(dear, user).json["id"] for _ in range(3)]
        a = erase(stack, user)
        assert a.status == 200 and stack.available(dear) == 1
        assert [r["status"] for r in walk(api, f"/v1/reservations?user_id={user.id}")[0]] == ["CANCELLED"] * 3
        assert len(outbox(stack, a.request_id)) == len(history(stack, "reservation", a.request_id)) == 3
        assert len({(r["from_status"], r["to_status"]) for r in outbox(stack, a.request_id)}) == 1
        page = api.get("/v1/admin/outbox?limit=6", **STAFF)
        assert len(page.json) == 6 and all("for Erased" in m["subject"] for m in page.json) and mark not in page.body.decode()
        for mail in page.json:
            text = api.get(f"/v1/admin/outbox/{mail['id']}", **STAFF).json["text"]
            assert mark not in text and "Erased" in text
    finally:
        stack.start("notifier")
    for id_ in made:
        told = stack.mails_about(id_, 2)
        assert all(mark not in m["Subject"] + m.get_content() for m in told) and any("Erased" in m["Subject"] for m in told)


def test_account_without_points_and_with_nothing_to_forget_leaves_one_row(stack, api):
    for name in ("Jane", "Erased"):
        user = stack.user(name=name)
        a = erase(stack, user)
        assert a.json == gone(user)
        assert len(history(stack, "points", a.request_id)) == 0 and len(history(stack, "user", a.request_id)) == 1
    is_clean(stack)


def test_while_one_is_reserved_it_is_refused(stack, api):
    room, user = stack.room(total=3, price=10), stack.user(points=30)
    made = [stack.reserve(room, user).json["id"] for _ in range(3)]
    dear = stack.reserve(stack.room(price=5000), user).json["id"]
    k = key()
    with stack.unchanged():
        assert "RESERVED: 3." in erase(stack, user).is_problem(409, "user-has-reservations").json["detail"]
    first = erase(stack, user, idem=k).is_problem(409, "user-has-reservations")
    stack.release(made[0])
    stack.cancel(made[1])
    same_answer(first, erase(stack, user, idem=k))
    assert "RESERVED: 1." in erase(stack, user).is_problem(409, "user-has-reservations").json["detail"]
    assert api.get(f"/v1/reservations/{dear}").json["status"] == "PENDING_APPROVAL"
    stack.cancel(made[2])
    assert erase(stack, user).json == gone(user)
    assert api.get(f"/v1/reservations/{dear}").json["status"] == "CANCELLED"


def test_again_is_the_same_answer_and_changes_nothing(stack, api, life):
    user, _, _ = life
    k, body = key(), {"reason": "by letter"}
    first = erase(stack, user, idem=k)
    with stack.unchanged():
        assert erase(stack, user, "another reason").body == first.body
        same_answer(first, erase(stack, user, idem=k))
        erase(stack, user, "another", idem=k).is_problem(422, "idempotency-key-reused")
    assert erase(stack, user.id.upper(), idem=key()).body == first.body


def test_afterwards_the_id_takes_nothing_more(stack, api):
    user, room = stack.user(points=70), stack.room(price=0)
    etag = api.get(f"{USERS}/{user.id}", **STAFF).header("ETag")
    erase(stack, user)
    now = api.get(f"{USERS}/{user.id}", **STAFF).header("ETag")
    with stack.unchanged():
        stack.reserve(room, user).is_problem(404, "user-not-found")
        stack.adjust(user, 5).is_problem(404, "user-not-found")
        for headers in ((), (("If-Match", etag),), (("If-Match", now),), (("If-Match", "*"),), (("If-None-Match", "*"),), (("If-None-Match", etag),)):
            api.put(f"{USERS}/{user.id}", {"name": "Back", "role": "USER"}, headers=headers, **STAFF).is_problem(404, "user-not-found")
        assert api.get(f"{USERS}/{user.id}", **STAFF).json == gone(user)
        a = api.post("/v1/reservations", {"room_id": new_id(), "user": {"id": user.id}})
        assert a.is_problem(404, "user-not-found") or a.is_problem(404, "room-not-found")


def test_a_record_of_a_key_keeps_its_answer(stack, api):
    """Its age takes it, not the erasure."""
    user, room, k = stack.user(points=7, name="Jane"), stack.room(price=700), key()
    first = stack.reserve(room, user, idem=k)
    erase(stack, user)
    again = stack.reserve(room, user, idem=k)
    same_answer(first, again)
    assert again.json["user"]["name"] == "Jane"


def test_reasons_against_the_rules_and_unknown_ids(stack, api):
    user = stack.user(points=3)
    with stack.unchanged():
        for reason in REASONS_BAD:
            a = erase(stack, user, reason)
            if not (isinstance(reason, str) and "\x00" in reason):
                assert a.is_problem(422, "validation").pointers == ["/reason"]
        for body, pointers in (({}, ["/reason"]), ({"reason": "x", "name": "y"}, ["/name"]), ([], [""])):
            assert api.post(f"{USERS}/{user.id}/erase", body, **STAFF).is_problem(422, "validation").pointers == pointers
        for id_ in (new_id(), "x", new_id().upper()):
            erase(stack, id_).is_problem(404, "user-not-found")
        a = api.post(f"{USERS}/{user.id}/erase?x=1", {"reason": "x"}, idem="a b", actor="\xff", **STAFF).is_problem(400, "validation")
        assert a.pointers == ["?x", "Idempotency-Key", "X-Actor"]
        for name in ("If-Match", "If-None-Match"):
            erase(stack, user, headers=[(name, "*")]).is_problem(400, "validation")
    refuses_broken_bodies(stack, "POST", f"{USERS}/{user.id}/erase")


def test_log_has_a_line_of_a_fixed_form_for_each(stack, api):
    user = stack.user(points=3)
    refused = stack.user(points=3)
    stack.reserve(stack.room(price=0), refused)
    a = erase(stack, user)
    erase(stack, refused).is_problem(409, "user-has-reservations")
    line = until(lambda: [l for l in stack.log("admin").splitlines() if f" info cgi-admin {a.request_id} erased user {user.id}" in l], 5)
    assert len(line) == 1 and line[0].endswith(user.id)
    assert f"erased user {refused.id}" not in stack.log("admin")


# -- at the same time -----------------------------------------------------------------------------------


def erase_call(user):
    return f"{USERS}/{user.id}/erase", {"reason": "a race"}, "restricted"


def is_whole(stack, user, erased):
    """Either all of the erasure is there or nothing."""
    row, = stack.sql("SELECT name, role, bonus_points, erased_at FROM loyalty.user WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    rows = stack.value("SELECT COUNT(*) FROM loyalty_history.user_history WHERE user_id = UNHEX(REPLACE(%s, '-', '')) AND changed_at = %s",
                       (user.id, row[3]))
    open_ = [v for v in stack.reservations(user) if v["status"] in ("RESERVED", "PENDING_APPROVAL")]
    if erased:
        assert row[:3] == ("Erased", "USER", 0) and row[3] and rows == 1 and not open_, row
    else:
        assert row[0] == user.name and row[3] is None, row


def test_race_with_a_reservation(stack, api):
    seen = set()
    with Racers(api, 2, "erase reserve") as racers:
        for i in range(ROUNDS):
            room, user = stack.room(total=1, price=10), stack.user(points=10 * (i % 2))
            body = {"room_id": room.id, "user": {"id": user.id}}
            erased, made = racers.race(erase_call(user), ("/v1/reservations", body, "public"))
            if made.status == 404:
                assert made.problem == "user-not-found" and erased.status == 200 and stack.available(room) == 1
            elif made.json["status"] == "RESERVED":
                erased.is_problem(409, "user-has-reservations")
                assert stack.available(room) == 0
            else:
                assert erased.status == 200 and stack.api.get(f"/v1/reservations/{made.json['id']}").json["status"] == "CANCELLED"
            is_whole(stack, user, erased.status == 200)
            seen.add((made.status, erased.status))
    assert len(seen) == 3 or ROUNDS < 100, seen
    is_clean(stack)


@pytest.mark.parametrize("what", ["approve", "cancel", "release", "cancel a stay", "adjust"])
def test_race_with_what_changes_the_account(stack, api, what):
    seen = set()
    with Racers(api, 2, "erase " + what) as racers:
        for _ in range(ROUNDS):
            room = stack.room(total=1, price=10)
            if what in ("release", "cancel a stay"):
                user = stack.user(points=15)
                made = stack.reserve(room, user).json["id"]
            else:
                user = stack.user(points=5)
                made = stack.reserve(room, user).json["id"]
                stack.adjust(user, 10)
            call = {"approve": lambda: approve_call(made), "cancel": lambda: cancel_call(made), "release": lambda: release_call(made),
                    "cancel a stay": lambda: cancel_call(made),
                    "adjust": lambda: (f"/v1/users/{user.id}/points", {"amount": 7, "reason": f"for {user.name}"}, "restricted")}[what]()
            erased, other = racers.race(erase_call(user), call)
            statuses = (erased.status, other.status)
            seen.add(statuses)
            if what == "approve":
                assert statuses in {(200, 409), (409, 200)}
                assert other.status == 200 or "CANCELLED" in other.is_problem(409, "invalid-transition").json["detail"]
            elif what == "cancel":
                assert statuses in {(200, 200), (200, 409)}
            elif what == "adjust":
                assert statuses in {(200, 201), (200, 404)}
            else:
                assert statuses in {(200, 200), (409, 200)}
            assert stack.available(room) == (0 if statuses == (409, 200) and what == "approve" else 1)
            is_whole(stack, user, erased.status == 200)
        assert erased.status != 200 or not found(stack, user.name)
    assert len(seen) == 2 or ROUNDS < 100, seen
    is_clean(stack)


def test_race_with_put_and_with_itself(stack, api):
    for _ in range(ROUNDS):
        user = stack.user(points=5)
        name = f"Renamed {uuid.uuid4().hex[:8]}"
        first, put, second = api.at_once([("POST", *erase_call(user)[:2], dict(STAFF)), ("PUT", f"{USERS}/{user.id}", {"name": name, "role": "ADMIN"}, dict(STAFF)),
                                          ("POST", *erase_call(user)[:2], dict(STAFF))])
        assert first.status == second.status == 200 and first.body == second.body and put.status in (200, 404)
        is_whole(stack, user, True)
        assert len(stack.points_history(user)) == 2
    assert not found(stack, name)
    is_clean(stack)


def test_deadlocks_with_the_outbox_are_tried_again(stack, api):
    """The notifier settles, and staff queue dead mails again, while guests are erased."""
    dear, errors = stack.room(price=10 ** 6), []
    users = [stack.user(name=f"Guest {i}") for i in range(ROUNDS)]
    stack.stop("notifier")
    for user in users:
        for _ in range(3):
            stack.reject(stack.reserve(dear, user).json["id"], "no")
        stack.reserve(dear, user)
    stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', due_at = NULL, next_attempt_at = NULL, last_error = 'x' WHERE status = 'PENDING'"
              " AND due_at IS NOT NULL AND lease_owner IS NULL")
    dead = [i for i, in stack.sql("SELECT id FROM loyalty.outbox WHERE status = 'DEAD'")]
    stack.start("notifier")

    def retry():
        for id_ in dead:
            a = stack.api.post(f"/v1/admin/outbox/{id_}/retry", **STAFF)
            if a.status != 200:
                errors.append(a)

    other = threading.Thread(target=retry)
    other.start()
    for user in users:
        assert erase(stack, user).status == 200
    other.join()
    assert not errors
    stack.drained()
    is_clean(stack)


# -- killed in the middle ---------------------------------------------------------------------------------


def test_service_or_database_that_is_killed_leaves_all_or_nothing(new_stack):
    """It waits in the middle, behind its first changes and before its last, for a row that another holds."""
    stack = new_stack()
    outcomes = set()
    for i in range(6):
        victim = (None, "admin", "db")[i % 3]
        user, dear = stack.user(points=50, name=f"Guest {i}"), stack.room(price=900)
        for _ in range(5):
            stack.adjust(user, 1, "a gift")
        made = stack.reserve(dear, user).json["id"]
        before = len(stack.points_history(user)), stack.value("SELECT COUNT(*) FROM loyalty.outbox")
        lock = stack.db(autocommit=False)
        with lock.cursor() as c:
            c.execute("SELECT id FROM loyalty_history.points_history WHERE user_id = UNHEX(REPLACE(%s, '-', '')) ORDER BY id LIMIT 1 FOR UPDATE", (user.id,))
        k, got = key(), []

        def ask():
            try:
                got.append(stack.api.post(*erase_call(user)[:2], key="restricted", idem=k, wire=stack.api.wire(), check=False))
            except Exception as e:
                got.append(e)

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.4)
        if victim:
            stack.kill(victim)
        if victim == "admin" and i > 2:
            time.sleep(2.5)  # until the database gives up to wait
        if victim == "db":
            stack.close_db()
        else:
            lock.rollback()
        lock.close()
        asking.join()
        until(lambda: stack.api.get("/readyz", key=None, check=False).status == 200, 30)
        time.sleep(0.5)
        erased = stack.value("SELECT erased_at IS NOT NULL FROM loyalty.user WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
        is_whole(stack, User(user.id, user.name, "USER", 0), erased)
        if not erased:
            assert stack.api.get(f"/v1/reservations/{made}").json["status"] == "PENDING_APPROVAL"
            assert (len(stack.points_history(user)), stack.value("SELECT COUNT(*) FROM loyalty.outbox")) == before
            assert [row["reason"] for row in stack.points_history(user)].count("a gift") == 5
        outcomes.add((victim, erased))
        a = stack.api.post(*erase_call(user)[:2], key="restricted", idem=k)
        assert a.status == 200 and a.json == gone(user)
        is_whole(stack, user, True)
        is_clean(stack)
    assert {(None, 1), ("admin", 0)} <= outcomes, outcomes  # with the key, the service does it once the database is back
