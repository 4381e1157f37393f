"""A private, throw-away system below /tmp, run by native/stack: a port, keys and data of its own."""

import atexit
import email
import email.policy
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pymysql.cursors

import invariants
from client import Api

TOP = Path(__file__).resolve().parents[2]
# How many OUT parameters a procedure has, in which it answers where it does not refuse.
OUTS = {"points_adjust": 4, "reservation_create": 9}
NATIVE = TOP / "native" / "stack"

def _parts():
    """native/parts: {part: what it has, by column}."""
    columns = ("user", "program", "secrets", "settings", "after")
    rows = (line.split() for line in (TOP / "native" / "parts").read_text().splitlines() if line.strip() and line[0] != "#")
    return {name: dict(zip(columns, ([] if cell == "-" else cell.split(",") for cell in cells))) for name, *cells in rows}


PARTS = _parts()
# those with an account of the database
ACCOUNTS = [name for name, part in PARTS.items() if f"db-{name}" in part["secrets"]]

Room = namedtuple("Room", "id name total price")
User = namedtuple("User", "id name role points")

# What the notifier, the pruning job and the services' clocks may change at any time; a snapshot leaves it out.
METRICS = {"metric_request", "metric_retry", "service_ready", "outbox_clock"}
DELIVERY = {"status", "due_at", "attempts", "next_attempt_at", "lease_owner", "sent_at", "last_error"}

# All tests come from one address, many of them without a key: limits that they never meet, but for those that are about limits.
CALM = {"LOYALTY_NGINX_KEYLESS_RATE": "5000", "LOYALTY_NGINX_KEYLESS_BURST": "5000", "LOYALTY_NGINX_KEYLESS_CONNS_PER_ADDRESS": "1024",
        "LOYALTY_NGINX_CONSOLE_RATE": "500", "LOYALTY_NGINX_CONSOLE_BURST": "1000", "LOYALTY_NGINX_CONSOLE_CONNS_PER_ADDRESS": "256"}

_live = []


def _cleanup():
    for stack in list(_live):
        stack.down()


atexit.register(_cleanup)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(condition, seconds=10, step=0.05, what=None):
    """The condition's first true value; fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(step)


@contextmanager
def as_user_of(pid):
    """As the user of this process: root of a container may not look into what others run."""
    ids = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    if os.geteuid() == 0:
        os.setegid(int(ids["Gid"].split()[0]))
        os.seteuid(int(ids["Uid"].split()[0]))
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
            os.setegid(0)


def environment(pid):
    """What a process was started with."""
    with as_user_of(pid):
        data = Path(f"/proc/{pid}/environ").read_bytes()
    return dict(item.split("=", 1) for item in data.decode().split("\0") if item)


class Stack:
    """native/stack up in a folder of its own.

    settings: NAME=value lines of $LOYALTY_VAR/env, beside those of CALM; None: the default.  prefix: a command to run native/stack under."""

    def __init__(self, settings=None, prefix=(), before=None):
        self.var = Path(tempfile.mkdtemp(prefix="ly-", dir="/tmp"))
        self.prefix = list(prefix)
        self.port = free_port()
        self.settings = {name: value for name, value in {**CALM, **(settings or {})}.items() if value is not None}
        self.api = None
        self.used = False
        self.journal = []
        self._journal_lock = threading.Lock()
        self._db = None
        self._db_lock = threading.RLock()
        self._mails = {}
        self._columns = None
        self._write_settings()
        if before:
            before(self)

    # -- life -----------------------------------------------------------------------------------

    def environment(self):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("LOYALTY_", "MAKE", "MFLAGS", "PYTEST")) and k != "HTTPS_PORT"}
        if os.environ.get("LOYALTY_BUILD"):
            env["LOYALTY_BUILD"] = os.environ["LOYALTY_BUILD"]
        env.update(LOYALTY_VAR=str(self.var), HTTPS_PORT=str(self.port))
        return env

    def native(self, *args, check=True, timeout=300, stdin=None, env=None):
        """Run native/stack; its output, an error where it failed."""
        with tempfile.TemporaryFile() as out:
            # a file, not a pipe: what it leaves running may hold the other end for ever
            done = subprocess.run([*self.prefix, str(NATIVE), *args], cwd=TOP, env={**self.environment(), **(env or {})},
                                  stdin=subprocess.DEVNULL if stdin is None else None, input=stdin,
                                  stdout=out, stderr=subprocess.STDOUT, timeout=timeout)
            out.seek(0)
            text = out.read().decode("utf-8", "replace")
        if check and done.returncode:
            raise AssertionError(f"native/stack {' '.join(args)}: exit status {done.returncode}\n{text}\n{self.tail()}")
        return text

    def up(self):
        _live.append(self)
        try:
            template = os.environ.get("LOYALTY_TEST_DATABASE")
            if template and not (self.var / "db").exists():
                for part in ("db", "mail"):
                    subprocess.run(["cp", "-a", "--sparse=always", f"{template}/{part}", str(self.var / part)], check=True)
            self.native("up")
        except BaseException:
            self.down()
            raise
        self.connect()
        return self

    def connect(self):
        keys = {name: self.secret(f"api-key-{name}").split()[0] for name in ("public", "restricted")}
        self.keys = keys
        self.ca = str(self.var / "secrets" / "tls.crt")
        self.api = Api(self.port, self.ca, keys)
        self.api.observers.append(self._write_down)
        self.base = f"https://localhost:{self.port}"

    def down(self):
        if self not in _live:
            return
        _live.remove(self)
        keep = os.environ.get("LOYALTY_KEEP")
        try:
            if self.api:
                self.api.drop()
            self.close_db()
            self.native("down", check=False, timeout=100)
            reports = self.sanitizer_reports()
        finally:
            # whatever still has its folder open, should down have failed
            for pid in self._strays():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            if keep:
                print(f"kept: {self.var}")
            else:
                for _ in range(20):
                    shutil.rmtree(self.var, ignore_errors=True)
                    if not self.var.exists():
                        break
                    time.sleep(0.1)
        assert not reports, reports

    def sanitizer_reports(self):
        """What the sanitizers of a build-san found."""
        return "\n".join(f.read_text("utf-8", "replace")[:6000] for f in sorted((self.var / "log").glob("san*")))

    def _strays(self):
        mark = str(self.var).encode()
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                environ = Path(f"/proc/{entry}/environ").read_bytes()
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
                cwd = os.readlink(f"/proc/{entry}/cwd").encode()
            except OSError:
                continue
            if (b"LOYALTY_VAR=" + mark) in environ.split(b"\0") or mark + b"/" in line or cwd.startswith(mark + b"/"):
                found.append(int(entry))
        return found

    def __enter__(self):
        return self.up()

    def __exit__(self, *exc):
        self.down()

    # -- files ----------------------------------------------------------------------------------

    def secret(self, name):
        return (self.var / "secrets" / name).read_text().strip()

    def _write_settings(self):
        (self.var / "env").write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))

    def set_env(self, **settings):
        """Change lines of $LOYALTY_VAR/env; None takes one out.  Read at the next restart."""
        for name, value in settings.items():
            if value is None:
                self.settings.pop(name, None)
            else:
                self.settings[name] = value
        self._write_settings()

    def log(self, name):
        """All that a service has logged."""
        folder = self.var / "log" / name
        text = ""
        for file in sorted(folder.glob("@*")) + [folder / "current"]:
            if file.exists():
                text += file.read_text("utf-8", "replace")
        return text

    def all_logs(self):
        """Every byte below log/."""
        return {str(f.relative_to(self.var)): f.read_bytes() for f in (self.var / "log").rglob("*") if f.is_file()}

    def access_log(self, request_id=None, wait=3):
        """Entries of nginx's access log; with a request id those of that request (at least one)."""
        file = self.access_file

        def read():
            text = file.read_text("utf-8", "replace") if file.exists() else ""
            # the last line may be half written
            entries = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines() if line.strip()]
            return [e for e in entries if request_id is None or e.get("request_id") == request_id]

        if request_id is None:
            return read()
        return until(read, wait, what=f"{request_id} in the access log")

    def access_log_text(self):
        """All of it; fails where it isn't UTF-8."""
        return self.access_file.read_text("utf-8")

    @property
    def access_file(self):
        return self.var / "log" / "nginx" / "access.log"

    def tail(self):
        return "\n".join(f"--- {name}\n{data[-1500:].decode('utf-8', 'replace')}"
                         for name, data in sorted(self.all_logs().items()) if data)

    # -- processes ------------------------------------------------------------------------------

    def pids(self, name):
        """The processes of a service's program (of nginx: the master)."""
        return [int(line) for line in self.native("pid", name).split()]

    def all_pids(self, name):
        """{pid: program} of everything that belongs to a service."""
        lines = self.native("pid", "-a", name).split("\n")
        return {int(pid): comm for pid, _, comm in (line.partition(" ") for line in lines if line)}

    def kill(self, name, sig=signal.SIGKILL):
        """Signal the processes of a service's program."""
        pids = self.pids(name)
        assert pids, f"{name}: nothing to kill"
        for pid in pids:
            os.kill(pid, sig)
        return pids

    def sv(self, what, name, check=True):
        done = subprocess.run(["sv", "-w", "20", what, str(self.var / "service" / name)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=40)
        if check and done.returncode:
            raise AssertionError(f"sv {what} {name}: {done.stdout}")
        return done.stdout

    def stop(self, name):
        self.sv("down", name)

    def start(self, name):
        self.sv("up", name)

    def restart(self, name):
        self.native("restart", name)
        if name == "db":
            self.close_db()
        if name == "nginx":
            self.api.drop()
            self.answers()

    def answers(self, seconds=15):
        """Wait until the gateway itself answers."""

        def fine():
            try:
                return self.api.get("/healthz", key=None, check=False).status == 200
            except Exception:
                return False

        until(fine, seconds, what="/healthz 200")

    def ready(self, seconds=20):
        """Wait until /readyz is fine."""

        def fine():
            try:
                return self.api.get("/readyz", key=None, check=False).status == 200
            except Exception:
                return False

        until(fine, seconds, what="/readyz 200")

    def fastcgi(self, name):
        """Where a service listens: a socket's path, here."""
        return str(self.var / "run" / f"{name}.sock")

    # -- database -------------------------------------------------------------------------------

    @property
    def db_socket(self):
        return str(self.var / "run" / "db.sock")

    # Where the database is: for the programs, for mysql/migrate, and for pymysql; and who is its root.

    def db_settings(self):
        return {"LOYALTY_DB_HOSTS": self.db_socket}

    def db_environment(self):
        return {"LOYALTY_DB_SOCKET": self.db_socket, "LOYALTY_DB_ADMIN": self.db_root()["user"],
                "LOYALTY_SECRETS": str(self.var / "secrets")}

    def use_servers(self, hosts):
        """Migrate, where db_environment says, and let the programs use these servers in place of native/stack's own."""
        done = subprocess.run([str(TOP / "mysql" / "migrate")], env={"PATH": os.environ["PATH"], **self.db_environment()}, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        self.set_env(LOYALTY_DB_HOSTS=",".join(hosts))
        for name in ("rooms", "points", "admin", "notifier"):
            self.restart(name)
        self.ready()

    def db_options(self):
        return {"unix_socket": self.db_socket}

    db_account_host = "'localhost'"

    def trust_migrations(self, on):
        """For a migrating account that is not the server's root, where the binary log is on: here it is off."""

    def db_root(self):
        return {"user": pwd.getpwuid(os.getuid()).pw_name}

    def db(self, **how):
        """A new connection as the server's root."""
        options = dict(self.db_options(), **self.db_root(), charset="utf8mb4", autocommit=True, connect_timeout=10, read_timeout=60)
        options.update(how)
        connection = pymysql.connect(**options)
        with connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES', collation_connection = 'utf8mb4_bin'")
        return connection

    def service_db(self, account):
        """A new connection as loyalty_ACCOUNT."""
        return self.log_in(f"loyalty_{account}", self.secret(f"db-{account}").split("\n")[0])

    def log_in(self, user, password=""):
        return pymysql.connect(**self.db_options(), user=user, password=password, charset="utf8mb4",
                               autocommit=True, connect_timeout=10, read_timeout=30)

    @contextmanager
    def without_checks(self, cursor):
        """For a connection that may do anything: no CHECK is looked at."""
        cursor.execute("SET SESSION check_constraint_checks = 0")
        yield
        cursor.execute("SET SESSION check_constraint_checks = 1")

    isolation_variable = "tx_isolation"

    def session(self, connection):
        """Of a connection: is a transaction open, the isolation level, is it read-only."""
        with connection.cursor() as c:
            c.execute("SELECT @@in_transaction, @@tx_isolation, IF(@@tx_read_only, 'ON', 'OFF')")
            return c.fetchone()

    def sql(self, statement, args=None, dicts=False):
        """Rows of a statement, run as the server's root."""
        with self._db_lock:
            for attempt in (0, 1):
                if self._db is None:
                    self._db = self.db()
                try:
                    kind = pymysql.cursors.DictCursor if dicts else pymysql.cursors.Cursor
                    with self._db.cursor(kind) as cursor:
                        cursor.execute(statement, args)
                        return list(cursor.fetchall())
                except (pymysql.err.OperationalError, pymysql.err.InterfaceError) as e:
                    if attempt or e.args[0] not in (0, 2006, 2013, 1927, 4031):
                        raise
                    self.close_db()

    def value(self, statement, args=None):
        rows = self.sql(statement, args)
        return rows[0][0] if rows else None

    def close_db(self):
        with self._db_lock:
            if self._db is not None:
                try:
                    self._db.close()
                except Exception:
                    pass
                self._db = None

    # -- things to test with --------------------------------------------------------------------

    def room(self, total=10, price=100, name=None, id_=None, archived=0):
        """A new room, all of it available."""
        id_ = id_ or str(uuid.uuid4())
        name = name or f"Room {id_[:8]}"
        self.sql("INSERT INTO loyalty.room (id, name, total_amount, available_amount, required_points, archived, reservable)"
                 " VALUES (UNHEX(REPLACE(%s, '-', '')), %s, %s, %s, %s, %s, %s)",
                 (id_, name, total, total, price, archived, int(total > 0 and not archived)))
        return Room(id_, name, total, price)

    def user(self, points=0, name=None, role="USER", id_=None):
        """A new user with so many points, of which the history tells."""
        id_ = id_ or str(uuid.uuid4())
        name = name or f"User {id_[:8]}"
        self.sql("INSERT INTO loyalty.user (id, name, role, bonus_points) VALUES (UNHEX(REPLACE(%s, '-', '')), %s, %s, %s)",
                 (id_, name, role, points))
        return User(id_, name, role, points)

    def archive(self, room, archived=1):
        self.sql("UPDATE loyalty.room SET archived = %s, reservable = (archived = 0 AND available_amount > 0)"
                 " WHERE id = UNHEX(REPLACE(%s, '-', ''))", (archived, room.id))

    def set_status(self, reservation_id, status):
        """What staff do, done by hand: RELEASED or REJECTED."""
        connection = self.db(autocommit=False)
        try:
            with connection.cursor() as c:
                rid = uuid.UUID(reservation_id).bytes
                c.execute("SELECT status, room_id FROM loyalty.reservation WHERE id = %s FOR UPDATE", (rid,))
                was, room = c.fetchone()
                c.execute("SET @loyalty_actor = 'staff', @loyalty_request_id = %s, @loyalty_reservation = %s",
                          ("s-" + uuid.uuid4().hex[:12], rid))
                if was == "RESERVED":
                    c.execute("UPDATE loyalty.room SET available_amount = available_amount + 1, reservable = (archived = 0)"
                              " WHERE id = %s", (room,))
                c.execute("UPDATE loyalty.reservation SET status = %s, updated_at = UTC_TIMESTAMP(6) WHERE id = %s",
                          (status, rid))
            connection.commit()
        finally:
            connection.close()

    @contextmanager
    def held(self, table, thing):
        """with stack.held("user", user): its row is locked, whoever wants it waits."""
        connection = self.db(autocommit=False)
        try:
            with connection.cursor() as c:
                c.execute(f"SELECT id FROM loyalty.{table} WHERE id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (thing.id,))
            yield connection
        finally:
            connection.rollback()
            connection.close()

    def at_once_after(self, table, thing, calls):
        """api.at_once, while a row is held that they all need: they queue up and are let go together."""
        answers = []
        t = threading.Thread(target=lambda: answers.extend(self.api.at_once(calls)))
        with self.held(table, thing):
            t.start()
            time.sleep(0.5)
            assert not answers
        t.join()
        return answers

    def balance(self, user):
        return self.value("SELECT bonus_points FROM loyalty.user WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))

    def available(self, room):
        return self.value("SELECT available_amount FROM loyalty.room WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))

    def reserve(self, room, user, **how):
        """POST /v1/reservations; the answer."""
        return self.api.post("/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, **how)

    def adjust(self, user, amount, reason="a test", **how):
        """POST /v1/users/{id}/points; the answer."""
        how.setdefault("key", "restricted")
        return self.api.post(f"/v1/users/{user.id}/points", {"amount": amount, "reason": reason}, **how)

    def cancel(self, reservation_id, **how):
        return self.api.post(f"/v1/reservations/{reservation_id}/cancel", **how)

    def staff(self, reservation_id, what, *body, **how):
        """POST /v1/admin/reservations/{id}/approve, reject or release; the answer."""
        how.setdefault("key", "restricted")
        return self.api.post(f"/v1/admin/reservations/{reservation_id}/{what}", *body, **how)

    def approve(self, reservation_id, *body, **how):
        return self.staff(reservation_id, "approve", *body, **how)

    def reject(self, reservation_id, reason="a test", **how):
        return self.staff(reservation_id, "reject", {"reason": reason}, **how)

    def release(self, reservation_id, **how):
        return self.staff(reservation_id, "release", **how)

    def reservations(self, user=None, room=None):
        where, args = "1", []
        if user:
            where, args = where + " AND user_id = UNHEX(REPLACE(%s, '-', ''))", args + [user.id]
        if room:
            where, args = where + " AND room_id = UNHEX(REPLACE(%s, '-', ''))", args + [room.id]
        return self.sql(f"SELECT * FROM loyalty.reservation WHERE {where} ORDER BY id", args, dicts=True)

    def points_history(self, user):
        return self.sql("SELECT * FROM loyalty_history.points_history WHERE user_id = UNHEX(REPLACE(%s, '-', ''))"
                        " ORDER BY id", (user.id,), dicts=True)

    # -- what is so -----------------------------------------------------------------------------

    def snapshot(self, delivery=False):
        """A sum over every table, byte for byte: {table: sum}.  What the notifier writes into the outbox
        is left out unless `delivery`."""
        if self._columns is None:
            self._columns = {}
            for schema, table, column in self.sql(
                    "SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c"
                    " JOIN information_schema.tables t USING (table_schema, table_name)"
                    " WHERE t.table_type = 'BASE TABLE' AND c.table_schema IN ('loyalty', 'loyalty_history')"
                    " ORDER BY c.table_schema, c.table_name, c.ordinal_position"):
                if table not in METRICS:
                    self._columns.setdefault((schema, table), []).append(column)
            assert len(self._columns) >= 9, self._columns
        # What the notifier never writes into, by the server's own sum over all rows; of the outbox, columns.
        whole = [f"`{schema}`.`{table}`" for schema, table in self._columns if table != "outbox" or delivery]
        found = {name: sum_ for name, sum_ in self.sql(f"CHECKSUM TABLE {', '.join(whole)} EXTENDED")}
        assert len(found) == len(whole) and None not in found.values(), found
        if not delivery:
            parts = ", ".join(f"COALESCE(CONCAT('+', HEX(`{c}`)), '-')" for c in self._columns["loyalty", "outbox"] if c not in DELIVERY)
            found["loyalty.outbox"] = self.sql(
                f"SELECT COUNT(*), COALESCE(BIT_XOR(CAST(CONV(LEFT(SHA2(CONCAT_WS(',', {parts}), 256), 16), 16, 10)"
                " AS UNSIGNED)), 0) FROM loyalty.outbox")[0]
        return found

    def unchanged(self):
        """with stack.unchanged(): … fails where a byte of any table has changed meanwhile."""
        return Unchanged(self)

    def _write_down(self, a):
        self.used = True
        if a.method == "POST" and 200 <= a.status < 300:
            with self._journal_lock:
                self.journal.append(a)

    def check_invariants(self):
        """The five of the contract, recomputed from tables and histories, and what clients were told."""
        invariants.check(self)
        assert not self.sanitizer_reports(), self.sanitizer_reports()
        self.used = False

    def drained(self, seconds=30):
        """Wait until no mail is PENDING, as long as one goes every so many seconds; all were SENT."""
        least = end = None
        while pending := self.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = 'PENDING'"):
            if least is None or pending < least:
                least, end = pending, time.monotonic() + seconds
            assert time.monotonic() < end, f"{pending} mails are PENDING, and none has gone for {seconds} s"
            time.sleep(0.1)
        dead = self.sql("SELECT id, last_error FROM loyalty.outbox WHERE status = 'DEAD'")
        assert not dead, dead

    # -- mail -----------------------------------------------------------------------------------

    def _read_mails(self):
        """{its name: (message, its text)} of what has arrived; each is read once."""
        for name, read in self._arrived():
            if name not in self._mails:
                message = email.message_from_bytes(read(), policy=email.policy.SMTP)
                self._mails[name] = (message, message.get_content())
        return self._mails

    def _arrived(self):
        """(name, a function that gives its bytes) of each mail."""
        for folder in ("new", "cur"):
            for file in (self.var / "mail" / folder).glob("*"):
                yield file.name, file.read_bytes

    def mails(self):
        """All mails that have arrived."""
        return [message for message, _ in self._read_mails().values()]

    def mails_with(self, word):
        """Those whose text has the word."""
        return [message for message, text in self._read_mails().values() if word in text]

    def mails_about(self, reservation_id, count=1, seconds=15):
        """At least so many different mails whose text names this reservation."""

        def found():
            hits = self.mails_with(reservation_id)
            return hits if len({m["Message-ID"] for m in hits}) >= count else None

        return until(found, seconds, 0.1, f"{count} mails about {reservation_id}")


def keep_database(folder):
    """A copy of what a first start makes, with the demo hotel and the mails about it: for LOYALTY_TEST_DATABASE, with which later systems
    begin."""
    os.mkdir(folder)
    with Stack() as stack:
        stack.drained()
        stack.native("down")
        for part in ("db", "mail"):
            subprocess.run(["cp", "-a", "--sparse=always", str(stack.var / part), folder], check=True)


class Unchanged:
    def __init__(self, stack):
        self.stack = stack

    def __enter__(self):
        self.before = self.stack.snapshot()

    def __exit__(self, kind, value, trace):
        if kind is None:
            after = self.stack.snapshot()
            changed = {name: (self.before.get(name), after.get(name)) for name in after
                       if self.before.get(name) != after.get(name)}
            assert not changed, f"changed (sums before and after): {changed}"
