"""A database of its own, and notifiers beside it: what the notifier needs, without gateway and services."""

import os
import secrets
import signal
import subprocess
import time
import uuid
from pathlib import Path

from mysqld import MySQLServer
from stack import TOP, Stack, until


class Bench(Stack):
    """Like Stack, with the database as its only part.  Rows come to be as in life: by the triggers."""

    def up(self):
        for name in ("secrets", "run", "log", "db-tmp"):
            (self.var / name).mkdir()
        for name in ("rooms", "points", "notifier", "admin", "prune"):
            (self.var / "secrets" / f"db-{name}").write_text(secrets.token_hex(16) + "\n")
        me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.server = None
        self.notifiers = []
        try:
            self._tool(["mariadb-install-db", "--no-defaults", f"--datadir={self.var}/db", f"--user={me}",
                        "--auth-root-authentication-method=socket", f"--auth-root-socket-user={me}", "--skip-test-db",
                        "--skip-name-resolve", f"--tmpdir={self.var}/db-tmp"])
            self.start_db()
            self._tool([str(TOP / "mysql" / "migrate")], LOYALTY_DB_SOCKET=self.db_socket, LOYALTY_DB_ADMIN=me,
                       LOYALTY_SECRETS=str(self.var / "secrets"))
        except BaseException:
            self.down()
            raise
        return self

    def __enter__(self):
        return self.up()

    def __exit__(self, *exc):
        self.down()

    def _tool(self, command, **env):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                              env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env})
        assert done.returncode == 0, done.stdout

    def start_db(self):
        me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        with open(self.var / "log" / "db", "ab") as log:
            self.server = subprocess.Popen(
                ["mariadbd", "--no-defaults", f"--datadir={self.var}/db", f"--tmpdir={self.var}/db-tmp",
                 f"--socket={self.db_socket}", f"--pid-file={self.var}/run/db.pid", "--skip-networking",
                 "--skip-name-resolve", "--skip-log-bin", "--character-set-server=utf8mb4", "--performance-schema=OFF",
                 "--innodb-flush-log-at-trx-commit=1", f"--user={me}"], stdout=log, stderr=log)

        def answers():
            assert self.server.poll() is None, (self.var / "log" / "db").read_text()[-2000:]
            try:
                return self.value("SELECT 1")
            except Exception:
                self.close_db()
                return None

        until(answers, 60, 0.1, "the database")

    def remove_server(self):
        if self.server and self.server.poll() is None:
            self.stop_db(signal.SIGKILL)

    def stop_db(self, sig=signal.SIGTERM):
        self.close_db()
        self.server.send_signal(sig)
        self.server.wait(60)

    def down(self):
        import shutil
        self.end_notifiers()
        self.remove_server()
        if not os.environ.get("LOYALTY_KEEP"):
            shutil.rmtree(self.var, ignore_errors=True)

    # -- notifiers

    def environment_for(self, relay, **settings):
        env = {
            "PATH": os.environ["PATH"],
            **self.db_settings(),
            "LOYALTY_DB_PASSWORD_FILE": str(self.var / "secrets" / "db-notifier"),
            "LOYALTY_SMTP_HOST": f"127.0.0.1:{relay if isinstance(relay, int) else relay.port}",
            "LOYALTY_SMTP_TLS": "off",
            "LOYALTY_MAIL_FROM": "loyalty@hotel.example",
            "LOYALTY_MAIL_TO": "owner@hotel.example",
            "LOYALTY_NOTIFIER_POLL_MS": "100",
            "LOYALTY_LOG_LEVEL": "debug",
            "ASAN_OPTIONS": f"log_path={self.var}/log/san:exitcode=99",
            "UBSAN_OPTIONS": f"log_path={self.var}/log/san:print_stacktrace=1:halt_on_error=1:exitcode=99",
        }
        for name, value in settings.items():
            env["LOYALTY_" + name] = str(value)
        return {k: v for k, v in env.items() if v != "None"}

    def notifier(self, relay, *args, **settings):
        """Start one.  settings: SMTP_TLS="starttls" for LOYALTY_SMTP_TLS, and so on; None takes one out."""
        n = Notifier(self, args, self.environment_for(relay, **settings))
        self.notifiers.append(n)
        return n

    def end_notifiers(self):
        for n in self.notifiers:
            try:
                n.end()
            finally:
                print(f"--- notifier {n.pid}, exit status {n.process.returncode}\n{n.log()}")  # shown where a test failed
        self.notifiers = []

    # -- the outbox

    def clear(self):
        for table in ("loyalty.outbox", "loyalty.reservation"):
            self.sql(f"DELETE FROM {table}")

    def quiet_room(self, **how):
        """A room of which no mail tells."""
        self.sql("START TRANSACTION")  # a notifier that runs never sees it
        try:
            room = self.room(**how)
            self.sql("DELETE FROM loyalty.outbox WHERE event = 'room'")
        finally:
            self.sql("COMMIT")
        return room

    def reservation(self, room=None, user=None, status="RESERVED", points=100, actor="public", request_id=None):
        """A reservation, as far as the outbox is concerned; its id.  One mail is due."""
        room = room or self.quiet_room()
        user = user or self.user(500)
        id_ = str(uuid.uuid4())
        with self.db() as c, c.cursor() as cursor:
            cursor.execute("SET @loyalty_actor = %s, @loyalty_request_id = %s", (actor, request_id or "r-" + id_[:8]))
            cursor.execute("INSERT INTO loyalty.reservation (id, user_id, room_id, status, points, created_at, updated_at)"
                           " SELECT UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')),"
                           " %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)", (id_, user.id, room.id, status, points))
        return id_

    def reservations_made(self, count):
        """So many reservations at once: so many mails."""
        room, user = self.quiet_room(), self.user(500)
        self.sql("INSERT INTO loyalty.reservation (id, user_id, room_id, status, points, created_at, updated_at)"
                 " SELECT UNHEX(REPLACE(UUID(), '-', '')), UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')), 'RESERVED',"
                 f" 100, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM (WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n"
                 f" WHERE i < {int(count)}) SELECT i FROM n) numbers", (user.id, room.id))

    def change(self, reservation, status, reason=None, actor="staff", request_id="s-1"):
        """Another status, another mail."""
        with self.db() as c, c.cursor() as cursor:
            cursor.execute("SET @loyalty_actor = %s, @loyalty_request_id = %s, @loyalty_reason = %s",
                           (actor, request_id, reason))
            cursor.execute("UPDATE loyalty.reservation SET status = %s, updated_at = UTC_TIMESTAMP(6)"
                           " WHERE id = UNHEX(REPLACE(%s, '-', ''))", (status, reservation))

    def forget(self, reservation, where="1"):
        """Take a history row away: the mail that was to be made of it can't be."""
        self.sql(f"UPDATE loyalty_history.reservation_history SET reservation_id = X'' WHERE reservation_id = UNHEX(REPLACE(%s, '-', '')) AND {where}",
                 (reservation,))

    def age(self, seconds, where="1"):
        """Make mails older than they are, and due."""
        self.sql(f"UPDATE loyalty.outbox SET created_at = created_at - INTERVAL %s SECOND WHERE {where}", (seconds,))

    def outbox(self, reservation=None):
        rows = self.sql("SELECT *, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), next_attempt_at) / 1e6 AS next_in"
                        " FROM loyalty.outbox ORDER BY id", dicts=True)
        if reservation:
            rows = [r for r in rows if r["reservation_id"] == uuid.UUID(reservation).bytes]
        return rows

    def row(self, reservation):
        """The one mail of a reservation."""
        rows = self.outbox(reservation)
        assert len(rows) == 1, rows
        return rows[0]

    def statuses(self):
        return dict(self.sql("SELECT status, COUNT(*) FROM loyalty.outbox GROUP BY status"))

    def sent(self, count, seconds=15):
        """Wait until so many rows are SENT."""
        until(lambda: self.statuses().get("SENT", 0) >= count, seconds, 0.05, f"{count} SENT, there are {self.statuses()}")


class BenchOnMySQL(MySQLServer, Bench):
    """The same, with a container of LOYALTY_MYSQL as its database."""

    def up(self):
        for name in ("run", "log"):
            (self.var / name).mkdir()
        self.notifiers = []
        try:
            self.start_server()
        except BaseException:
            self.down()
            raise
        return self

    def start_db(self):
        self.start_stopped_server()

    def stop_db(self, sig=signal.SIGTERM):
        self.stop_server(sig.name)


class Notifier:
    def __init__(self, bench, args, env):
        self.file = bench.var / "log" / f"notifier-{uuid.uuid4().hex[:8]}"
        binary = TOP / "notifier" / os.environ.get("LOYALTY_BUILD", "build") / "notifier"
        with open(self.file, "wb") as out:
            self.process = subprocess.Popen([str(binary), *args], env=env, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, cwd="/")
        self.pid = self.process.pid

    def log(self):
        return self.file.read_text("utf-8", "replace")

    def logged(self, text, seconds=10, count=1):
        until(lambda: self.log().count(text) >= count, seconds, 0.05, f"{text!r} {count} times in the log")

    def signal(self, sig):
        self.process.send_signal(sig)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def wait(self, seconds=20):
        """Its exit status."""
        return self.process.wait(seconds)

    def stopped(self):
        """Whether it stands still (SIGSTOP)."""
        return Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

    def term(self):
        """Ask it to stop; its exit status and how long that took."""
        began = time.monotonic()
        self.process.terminate()
        return self.wait(), time.monotonic() - began

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                raise AssertionError(f"SIGTERM did not end it:\n{self.log()[-3000:]}") from None
