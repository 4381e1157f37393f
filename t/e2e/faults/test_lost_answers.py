"""Connections to the database that break at the worst moment; errors that it answers with"""

import os
import socket
import threading
import time
import uuid

import pytest

import fcgi
from client import request_bytes
from invariants import mails_went
from proxy import Proxy, proxied
from stack import until


@pytest.fixture(scope="module")
def faulty(make_stack):
    with proxied(make_stack, "rooms", "points") as s:
        yield s


@pytest.fixture(autouse=True)
def no_rule_outlives_its_test(faulty):
    yield
    faulty.proxy.clear()
    faulty.proxy.refusing = False
    until(lambda: faulty.api.get("/readyz", key=None).status == 200, 15, what="/readyz after the test")


class Write:
    """One write of each kind, that can be sent again word by word."""

    def __init__(self, stack, kind):
        self.stack = stack
        self.user = stack.user(points=100)
        self.room = stack.room(price=10)
        if kind == "cancel":
            id_ = stack.reserve(self.room, self.user).json["id"]
        self.procedure = {"reserve": "reservation_create", "adjust": "points_adjust", "cancel": "reservation_cancel"}[kind]
        self.target = {"reserve": "/v1/reservations", "adjust": f"/v1/users/{self.user.id}/points",
                       "cancel": f"/v1/reservations/{id_}/cancel" if kind == "cancel" else ""}[kind]
        self.body = {"reserve": {"room_id": self.room.id, "user": {"id": self.user.id}}, "adjust": {"amount": -10, "reason": "x"}, "cancel": {}}[kind]
        self.key = "restricted" if kind == "adjust" else "public"
        self.fine = 200 if kind == "cancel" else 201
        self.step = 10 if kind == "cancel" else -10
        self.before = stack.balance(self.user)

    def send(self, idem=None, **how):
        return self.stack.api.post(self.target, self.body, key=self.key, idem=idem and f"{idem}-{self.user.id}", **how)

    def effects(self):
        moved = self.stack.balance(self.user) - self.before
        assert moved % self.step == 0
        return moved // self.step


KINDS = pytest.mark.parametrize("kind", ["reserve", "adjust", "cancel"])


def unknown(a):
    a.is_problem(503, "unavailable")
    detail = a.json["detail"].lower()
    assert "outcome is unknown" in detail, a
    assert "retry with the same idempotency-key" in detail or a.idem is None, a


@KINDS
def test_E085_with_a_key_the_lost_answer_is_looked_up(faulty, kind):
    w = Write(faulty, kind)
    faulty.proxy.on(w.procedure, "lose")
    a = w.send(idem="e085")
    assert faulty.proxy.reached.is_set()
    assert a.status == w.fine and w.effects() == 1
    again = w.send(idem="e085")
    assert again.body == a.body and again.replayed and w.effects() == 1


@KINDS
def test_E085_with_a_key_the_lost_call_is_sent_again(faulty, kind):
    w = Write(faulty, kind)
    faulty.proxy.on(w.procedure, "drop")
    a = w.send(idem="e085")
    assert faulty.proxy.reached.is_set()
    assert a.status == w.fine and w.effects() == 1


@KINDS
def test_E085_without_a_key_the_outcome_is_unknown_and_nothing_is_repeated(faulty, kind):
    for action, done in (("lose", 1), ("drop", 0)):
        w = Write(faulty, kind)
        id_ = "once-" + uuid.uuid4().hex
        faulty.proxy.on(w.procedure, action)
        started = time.monotonic()
        unknown(w.send(request_id=id_))
        assert time.monotonic() - started < 5
        time.sleep(0.2)
        assert w.effects() == done
        assert faulty.proxy.seen(w.procedure, id_) == 1


@KINDS
def test_E085_not_to_be_found_out_is_said_and_the_retry_finds_it(faulty, kind):
    w = Write(faulty, kind)
    faulty.proxy.on(w.procedure, "lose")
    stop = threading.Thread(target=lambda: (faulty.proxy.reached.wait(10), setattr(faulty.proxy, "refusing", True), faulty.proxy.cut_all()))
    faulty.proxy.reached.clear()
    stop.start()
    started = time.monotonic()
    faulty.proxy.on(w.procedure, "lose", 100)
    a = w.send(idem="e085x")
    assert time.monotonic() - started < 5
    stop.join()
    unknown(a)
    assert w.effects() == 1
    faulty.proxy.clear()
    faulty.proxy.refusing = False
    faulty.ready()
    again = w.send(idem="e085x")
    assert again.status == w.fine and again.replayed and w.effects() == 1


@KINDS
def test_E010_first_try_died_before_the_commit_and_the_retry_works(faulty, kind):
    w = Write(faulty, kind)
    faulty.proxy.refusing = True
    faulty.proxy.cut_all()
    with faulty.unchanged():
        w.send(idem="e010").is_problem(503, "unavailable")
    faulty.proxy.refusing = False
    faulty.ready()
    a = w.send(idem="e010")
    assert a.status == w.fine and not a.replayed and w.effects() == 1


@KINDS
def test_E011_answer_lost_on_the_way_to_the_client_is_replayed(faulty, kind):
    w = Write(faulty, kind)
    faulty.proxy.on(w.procedure, "keep")
    headers, body = faulty.api.prepare("POST", w.target, w.body, key=w.key, idem=f"e011-{w.user.id}")
    wire = faulty.api.wire()
    wire.send(request_bytes("POST", w.target, headers, body))
    assert faulty.proxy.reached.wait(5)
    assert w.effects() == 1, "committed"
    wire.reset()
    faulty.proxy.release()
    again = w.send(idem="e011")
    assert again.status == w.fine and again.replayed and w.effects() == 1
    assert w.send(idem="e011").body == again.body


@pytest.mark.parametrize("name, kind", [("rooms", "reserve"), ("rooms", "cancel"), ("points", "adjust")])
def test_E011_service_killed_between_commit_and_answer(faulty, name, kind):
    w = Write(faulty, kind)
    id_ = "killed-" + uuid.uuid4().hex
    faulty.proxy.on(w.procedure, "keep")
    result = []
    t = threading.Thread(target=lambda: result.append(w.send(idem="e011k", request_id=id_)))
    t.start()
    assert faulty.proxy.reached.wait(5)
    faulty.kill(name)
    t.join(20)
    faulty.proxy.clear()
    result[0].is_problem(503, "unavailable")
    faulty.ready()
    again = w.send(idem="e011k")
    assert again.status == w.fine and again.replayed and w.effects() == 1
    assert faulty.proxy.seen(w.procedure, id_) == 1, "nginx sent it once (E071)"


@pytest.mark.parametrize("name, kind", [("rooms", "reserve"), ("points", "adjust")])
def test_E071_nginx_resends_no_post_when_the_service_is_killed(faulty, name, kind):
    w = Write(faulty, kind)
    id_ = "e071-" + uuid.uuid4().hex
    faulty.proxy.on(w.procedure, "hold")
    result = []
    t = threading.Thread(target=lambda: result.append(w.send(request_id=id_)))
    t.start()
    assert faulty.proxy.reached.wait(5)
    old = faulty.kill(name)
    t.join(20)
    result[0].is_problem(503, "unavailable")
    until(lambda: faulty.native("pid", name, check=False).split() not in ([], [str(p) for p in old]), 10)
    faulty.ready()
    time.sleep(0.5)
    assert faulty.proxy.seen(w.procedure, id_) == 1
    faulty.proxy.clear()
    until(lambda: w.effects() <= 1, 2)


class FirstByte:
    """An upstream that answers GETs, keeps its connections, and dies after the first byte of everything else."""

    def __init__(self, path):
        self.begun = 0  # requests of which a byte came
        self.kept = 0  # those that came on a connection that had been used before
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)  # nginx's workers may be another user
        self.listener.listen(50)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        used = False
        try:
            while True:
                first = peer.recv(1)
                if not first:
                    return
                self.begun += 1
                self.kept += used
                data, body = first, b""
                while True:  # records, until the empty one that ends the body
                    while len(data) < 8 or len(data) < 8 + (data[4] << 8 | data[5]) + data[6]:
                        more = peer.recv(65536)
                        if not more:
                            return
                        data += more
                        if b"POST" in data:
                            return
                    kind, size, padding = data[1], data[4] << 8 | data[5], data[6]
                    data = data[8 + size + padding:]
                    if kind == fcgi.STDIN and size == 0:
                        break
                out = b"Status: 200\r\nContent-Type: application/json\r\n\r\n{}"
                peer.sendall(fcgi.record(fcgi.STDOUT, out) + fcgi.record(fcgi.STDOUT) + fcgi.record(fcgi.END, bytes(8)))
                used = True
        except OSError:
            pass
        finally:
            peer.close()


def test_E071_nginx_resends_no_post_after_the_first_byte(faulty):
    path = str(faulty.var / "run" / "first.sock")
    upstream = FirstByte(path)
    faulty.set_env(LOYALTY_NGINX_UPSTREAM_POINTS="unix:" + path, LOYALTY_NGINX_WORKERS="1")
    try:
        faulty.restart("nginx")
        user = faulty.user()
        with faulty.unchanged():
            for i in range(6):
                if i % 2:  # let nginx have a connection that it keeps
                    assert faulty.api.get(f"/v1/users/{user.id}/points", check=False).status == 200
                before, kept = upstream.begun, upstream.kept
                faulty.adjust(user, 5, idem="e071").is_problem(503, "unavailable")
                time.sleep(0.2)
                assert upstream.begun - before == 1, "sent again"
                assert upstream.kept - kept == i % 2
    finally:
        upstream.listener.close()
        faulty.set_env(LOYALTY_NGINX_UPSTREAM_POINTS=None, LOYALTY_NGINX_WORKERS=None)
        faulty.restart("nginx")
        faulty.ready()


def test_E087_connections_found_stale_are_replaced_in_silence(faulty):
    w = [Write(faulty, kind) for kind in ("reserve", "adjust", "cancel") for _ in range(4)]
    for _ in range(3):
        for item in w:
            item.before = faulty.balance(item.user)
        faulty.api.at_once([("GET", "/v1/rooms?limit=1", {}, {})] * 16 + [("GET", f"/v1/users/{w[0].user.id}/points", {}, {})] * 16)
        assert faulty.proxy.cut_all() > 0
        time.sleep(0.1)
        reads = faulty.api.at_once([("GET", "/v1/rooms?limit=1", {}, {})] * 8)
        assert [a.status for a in reads] == [200] * 8
        faulty.proxy.cut_all()
        time.sleep(0.1)
        writes = [x for x in w if x.procedure != "reservation_cancel"]
        answers = faulty.api.at_once([("POST", x.target, x.body, {"key": x.key}) for x in writes])
        assert [a.status for a in answers] == [201] * len(writes)
        assert [x.effects() for x in writes] == [1] * len(writes)


def test_E087_connections_killed_by_the_server_are_replaced_in_silence(faulty):
    faulty.api.at_once([("GET", "/v1/rooms?limit=1", {}, {})] * 16)
    ids = faulty.sql("SELECT id FROM information_schema.processlist WHERE user IN ('loyalty_rooms', 'loyalty_points')")
    assert len(ids) >= 2
    for (id_,) in ids:
        faulty.sql(f"KILL CONNECTION {id_}")
    time.sleep(0.1)
    user = faulty.user()
    answers = [faulty.adjust(user, 1) for _ in range(10)] + [faulty.reserve(faulty.room(price=0), user) for _ in range(10)]
    assert {a.status for a in answers} == {201} and faulty.balance(user) == 10


def test_lost_answer_of_a_read_is_asked_for_again(faulty):
    room = faulty.room()
    for action in ("lose", "drop", (1615, "Prepared statement needs to be re-prepared"), (1243, "Unknown prepared statement handler")):
        faulty.proxy.on("SELECT", action)
        assert faulty.api.get(f"/v1/rooms/{room.id}").status == 200, action
        assert not any(rule[2] for rule in faulty.proxy.rules), "nobody came by"


def test_read_that_is_never_answered_is_503_at_the_deadline(faulty):
    room = faulty.room()
    faulty.proxy.on("SELECT", "keep", 100)
    started = time.monotonic()
    faulty.api.get(f"/v1/rooms/{room.id}").is_problem(503, "unavailable")
    assert time.monotonic() - started < 5.2
    faulty.proxy.clear()
    faulty.ready()
    assert faulty.api.get(f"/v1/rooms/{room.id}").status == 200


def test_answer_that_never_comes_is_503_at_the_deadline(faulty):
    room, user = faulty.room(price=10), faulty.user(points=100)
    for key in (None, "never"):
        faulty.proxy.on("reservation_create", "keep", 100)
        faulty.proxy.on("reservation_create", "keep", 100)
        started = time.monotonic()
        a = faulty.reserve(room, user, idem=key)
        assert time.monotonic() - started < 5.2
        unknown(a)
        faulty.proxy.clear()
        faulty.ready()
    a = faulty.reserve(room, user, idem="never")
    assert a.status == 201 and a.replayed


# -- errors of the server -----------------------------------------------------------------------------

CODES = [(1213, "Deadlock found"), (1205, "Lock wait timeout exceeded"), (1020, "Record has changed since last read"),
         (3101, "Plugin instructed the server to rollback"), (1180, "Got error during COMMIT")]


@KINDS
@pytest.mark.parametrize("code", CODES, ids=[str(c) for c, _ in CODES])
def test_E021_collision_is_tried_again_as_a_whole(faulty, kind, code):
    w = Write(faulty, kind)
    id_ = "again-" + uuid.uuid4().hex
    faulty.proxy.on(w.procedure, code, 2)
    a = w.send(request_id=id_)
    assert a.status == w.fine and w.effects() == 1
    assert faulty.proxy.seen(w.procedure, id_) == 3


@pytest.mark.parametrize("code", CODES, ids=[str(c) for c, _ in CODES])
def test_E021_collision_without_end_is_503_after_a_bounded_number_of_tries(faulty, code):
    w = Write(faulty, "reserve")
    id_ = "bounded-" + uuid.uuid4().hex
    faulty.proxy.on(w.procedure, code, 100000)
    started = time.monotonic()
    with faulty.unchanged():
        w.send(request_id=id_, idem="bounded").is_problem(503, "unavailable")
    assert time.monotonic() - started < 5
    assert 2 <= faulty.proxy.seen(w.procedure, id_) <= 50
    faulty.proxy.clear()
    a = w.send(idem="bounded")
    assert a.status == 201 and not a.replayed and w.effects() == 1


def test_E021_real_deadlock_is_survived(faulty):
    """We hold the room and have done more; the service holds the user and wants the room; then we want the user."""
    room, user = faulty.room(price=10), faulty.user(points=100)
    heavy = [faulty.user() for _ in range(30)]
    connection = faulty.db(autocommit=False)
    result = []
    before = faulty.log("rooms").count("1213")
    try:
        with connection.cursor() as c:
            for u in heavy:
                c.execute("UPDATE loyalty.user SET name = 'heavy', name_folded = 'heavy' WHERE id = UNHEX(REPLACE(%s, '-', ''))", (u.id,))
            c.execute("SELECT id FROM loyalty.room WHERE id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (room.id,))
            t = threading.Thread(target=lambda: result.append(faulty.reserve(room, user)))
            t.start()
            until(lambda: faulty.value("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"),
                  1.8, 0.2)  # innodb_trx is refreshed for who looks seldom
            c.execute("SELECT id FROM loyalty.user WHERE id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (user.id,))
            time.sleep(0.1)
        connection.rollback()
    finally:
        connection.close()
    t.join(10)
    assert result[0].status == 201 and faulty.balance(user) == 90 and len(faulty.points_history(user)) == 2
    assert faulty.log("rooms").count("1213") > before, "there was a deadlock at all"


@KINDS
def test_E021_lock_that_is_held_too_long_is_503_and_nothing_is_half_done(faulty, kind):
    """The user is held: 1205 rolls the statement back alone, unless the procedure rolls all back."""
    w = Write(faulty, kind)
    table, id_ = ("room", w.room.id) if kind != "adjust" else ("user", w.user.id)
    connection = faulty.db(autocommit=False)
    try:
        with connection.cursor() as c:
            c.execute(f"SELECT id FROM loyalty.{table} WHERE id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (id_,))
            with faulty.unchanged():
                started = time.monotonic()
                w.send(idem="held").is_problem(503, "unavailable")
                assert time.monotonic() - started < 5.2
                # no lock is left behind by the one who gave up
                until(lambda: faulty.value("SELECT COUNT(*) FROM information_schema.innodb_trx") <= 1, 3, 0.2)
    finally:
        connection.rollback()
        connection.close()
    a = w.send(idem="held")
    assert a.status == w.fine and w.effects() == 1


@pytest.mark.parametrize("code", [(1290, "The MariaDB server is running with the --read-only option"), (1836, "Running in read-only mode")],
                         ids=["1290", "1836"])
def test_E086_read_only_server_is_503_and_a_new_connection(faulty, code):
    w = Write(faulty, "adjust")
    faulty.proxy.on(w.procedure, code, 1)
    before = faulty.proxy.connections
    with faulty.unchanged():
        w.send(idem="ro").is_problem(503, "unavailable")
    until(lambda: w.send(idem="ro").status == 201, 5)
    answers = faulty.api.at_once([("GET", f"/v1/users/{w.user.id}/points", {}, {})] * 16)
    assert {a.status for a in answers} == {200}
    assert faulty.proxy.connections > before and w.effects() == 1


def test_E086_real_read_only_server(faulty):
    writes = [Write(faulty, kind) for kind in ("reserve", "adjust", "cancel")]
    faulty.sql("SET GLOBAL read_only = 1")
    try:
        with faulty.unchanged():
            for w in writes:
                for _ in range(3):
                    w.send(idem="ro2").is_problem(503, "unavailable")
        assert faulty.api.get("/v1/rooms?limit=1").status == 200
    finally:
        faulty.sql("SET GLOBAL read_only = 0")
    for w in writes:
        until(lambda: w.send(idem="ro2").status == w.fine, 5)
        assert w.effects() == 1


def test_E086_second_host_takes_over(faulty):
    second = Proxy(str(faulty.var / "run" / "second.sock"), faulty.db_socket)
    try:
        faulty.set_env(LOYALTY_DB_HOSTS=f"{faulty.proxy.path},{second.path}")
        faulty.restart("points")
        faulty.ready()
        w = Write(faulty, "adjust")
        # the first one turns read-only for ever
        faulty.proxy.on(w.procedure, (1290, "read-only"), 100000)
        until(lambda: w.send(idem="takeover").status == 201, 5)
        assert w.effects() == 1 and second.seen("points_adjust") >= 1
        # and then is gone altogether
        faulty.proxy.refusing = True
        faulty.proxy.cut_all()
        assert {faulty.adjust(w.user, 1).status for _ in range(10)} == {201}
    finally:
        faulty.proxy.clear()
        faulty.proxy.refusing = False
        faulty.set_env(LOYALTY_DB_HOSTS=faulty.proxy.path)
        faulty.restart("points")
        second.close()
        faulty.ready()


def test_unexpected_error_of_the_database_is_500_and_nothing_more_is_told(faulty):
    w = Write(faulty, "adjust")
    faulty.proxy.on(w.procedure, (1064, "You have an error in your SQL syntax near secret_table"), 1)
    with faulty.unchanged():
        a = w.send()
    assert a.status in (500, 503) and b"secret_table" not in a.body and b"SQL" not in a.body
    assert w.send().status == 201


# -- settings of the server -------------------------------------------------------------------------------

def test_E088_E092_services_set_their_session_whatever_the_servers_settings(faulty):
    import datetime
    names = {"sql_mode": "", "time_zone": "-08:00", "autocommit": "0", faulty.isolation_variable: "SERIALIZABLE", "innodb_lock_wait_timeout": "50",
             "collation_connection": "latin1_swedish_ci", "character_set_client": "latin1"}
    old = {name: faulty.value(f"SELECT @@GLOBAL.{name}") for name in names}
    try:
        for name, value in names.items():
            faulty.sql(f"SET GLOBAL {name} = %s", (value if not value.isdigit() else int(value),))
        faulty.proxy.statements.clear()
        faulty.proxy.cut_all()
        room, user = faulty.room(price=10, name="Zoë 🛏"), faulty.user(points=100, name="Ünïcode 🧳")
        made = faulty.reserve(room, user)
        assert made.status == 201 and made.json["room"]["name"] == "Zoë 🛏" and made.json["user"]["name"] == "Ünïcode 🧳"
        for a in (faulty.adjust(user, 5, reason="ü🧳"), faulty.cancel(made.json["id"]), faulty.adjust(user, 10**9)):
            assert a.status in (200, 201)
        at = datetime.datetime.strptime(made.json["created_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
        assert abs((datetime.datetime.now(datetime.timezone.utc) - at).total_seconds()) < 5
        for (changed,) in faulty.sql("SELECT changed_at FROM loyalty_history.points_history WHERE user_id = UNHEX(REPLACE(%s, '-', ''))"
                                     " AND actor IN ('public', 'restricted')", (user.id,)):
            now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
            assert abs((now - changed).total_seconds()) < 5
        sessions = b"\n".join(faulty.proxy.statements)
        assert b"STRICT_ALL_TABLES" in sessions and b"'+00:00'" in sessions and b"READ COMMITTED" in sessions
        id_ = made.json["id"]
        assert "CANCELLED" in "".join(m.get_content() for m in faulty.mails_about(id_, 2, 20))
    finally:
        for name, value in old.items():
            faulty.sql(f"SET GLOBAL {name} = %s", (value,))
        faulty.close_db()
        faulty.proxy.cut_all()


@pytest.mark.parametrize("version", [0, 2, 1000])
def test_E094_schema_of_another_version_fails_readyz_naming_both_and_nothing_is_written(faulty, version):
    ours = faulty.value("SELECT version FROM loyalty.schema_info")
    writes = [Write(faulty, kind) for kind in ("reserve", "adjust", "cancel")]
    version = version if version != ours else ours + 1
    faulty.sql("UPDATE loyalty.schema_info SET version = %s", (version,))
    try:
        faulty.proxy.cut_all()  # as after a migration, all come anew
        a = until(lambda: (lambda a: a if a.status == 503 else None)(faulty.api.get("/readyz", key=None)), 10)
        a.is_problem(503, "unavailable")
        assert str(version) in a.json["detail"] and str(ours) in a.json["detail"], a
        assert faulty.api.get("/healthz", key=None).status == 200
        with faulty.unchanged():
            for w in writes:
                w.send(idem="schema").is_problem(503, "unavailable")
    finally:
        faulty.sql("UPDATE loyalty.schema_info SET version = %s", (ours,))
    faulty.ready()
    for w in writes:
        assert w.send(idem="schema").status == w.fine and w.effects() == 1


def test_E094_migration_under_a_running_service_is_noticed(faulty):
    """Without a new connection: within seconds."""
    ours = faulty.value("SELECT version FROM loyalty.schema_info")
    user = faulty.user()
    assert faulty.adjust(user, 1).status == 201
    faulty.sql("UPDATE loyalty.schema_info SET version = version + 1")
    try:
        until(lambda: faulty.adjust(user, 1).status == 503, 10)
    finally:
        faulty.sql("UPDATE loyalty.schema_info SET version = %s", (ours,))
    faulty.ready()
    assert faulty.adjust(user, 1).status == 201


def test_services_start_again_when_the_database_comes_later(faulty):
    """A service that starts before its database answers 503 until it is there."""
    faulty.proxy.refusing = True
    faulty.proxy.cut_all()
    faulty.kill("rooms")
    faulty.kill("points")
    until(lambda: faulty.api.get("/v1/rooms").status == 503, 10)
    faulty.proxy.refusing = False
    faulty.ready()
    assert faulty.api.get("/v1/rooms?limit=1").status == 200


def test_every_event_of_this_module_was_mailed(faulty):
    mails_went(faulty)
