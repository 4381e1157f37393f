"""Systems to play against, and what a mismatch is told as."""

import sys
import threading
import time
import uuid
from pathlib import Path

import pymysql

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from sequence import Mismatch, Universe, play  # noqa: E402
from operations import plan  # noqa: E402
from wire import Connection  # noqa: E402


class Notifier:
    """Plays the notifier's part: says what became of a mail.  And sets a balance that nobody can reach."""

    OWNER = uuid.UUID(int=0x6d6f64656c).bytes

    def __init__(self, connect):
        self.connect, self.db = connect, connect()
        self.lock = threading.Lock()  # whoever stops the database takes it: what became of a call would be unknown

    def again(self):
        """The server was another one."""
        self.db = self.connect()

    def settle(self, id_, outcome, error):
        """1, or 0: it isn't PENDING, or an earlier one of its reservation is."""
        while True:
            try:
                with self.lock:
                    return self._settle(id_, outcome, error)
            except pymysql.err.OperationalError as e:
                if e.args[0] not in (1205, 1213):
                    raise
                self.db.rollback()

    def _settle(self, id_, outcome, error):
        with self.db.cursor() as c:
            c.execute("BEGIN")
            c.execute("SELECT e.id FROM outbox m JOIN loyalty_history.reservation_history h ON h.reservation_id = m.reservation_id"
                      " JOIN outbox e ON e.id = h.mail_id WHERE m.id = %s AND e.id < m.id AND e.status = 'PENDING' FOR UPDATE", (id_,))
            waits = c.fetchall()
            if not waits:
                c.execute("UPDATE outbox SET lease_owner = %s WHERE id = %s AND status = 'PENDING'", (self.OWNER, id_))
            c.execute("COMMIT")
            if waits:
                return 0
            c.execute("CALL outbox_settle(%s, %s, %s, %s, 3600, NULL)", (id_, self.OWNER, outcome, error))
            return c.fetchone()[0]

    def set_balance(self, user, balance, actor, request_id):
        with self.lock, self.db.cursor() as c:
            c.execute("SET @loyalty_actor = %s, @loyalty_request_id = %s", (actor, request_id))
            c.execute("UPDATE user SET bonus_points = %s WHERE id = %s", (balance, uuid.UUID(user).bytes))
            c.execute("SET @loyalty_actor = NULL, @loyalty_request_id = NULL")

    def close(self):
        self.db.close()


class System:
    """One running stack, as one process of this test sees it."""

    def __init__(self, port, ca, keys, connect, process=0, processes=1, audit=True, patience=0):
        self.port, self.ca, self.keys = port, ca, keys
        self.notifier = Notifier(connect)
        self.process, self.processes, self.audit, self.patience = process, processes, audit, patience
        self.universes = 0
        self.requests = self.unknown = self.acknowledged = 0
        self.connections = []

    def connection(self, i=0):
        while len(self.connections) <= i:
            self.connections.append(Connection(self.port, self.ca))
        return self.connections[i]

    def universe(self, seed):
        n = self.universes * self.processes + self.process
        self.universes += 1
        return Universe(f"{0x00ffffff - n:08x}", f"m{n:x}-{seed}", self.keys, lambda: Connection(self.port, self.ca),
                        self.notifier, self.audit, self.patience)

    def play(self, seed, clients, ops, steps=None):
        u = self.universe(seed)
        try:
            if clients == 1:
                return play(u, seed, ops, steps, self.connection())
            import clients as several
            return several.play(u, seed, clients, ops, [self.connection(i) for i in range(clients)])
        except Mismatch as e:
            if "the audit" in str(e):
                self.audit = False  # it would find the same again
            raise
        finally:
            self.requests += u.requests
            self.unknown += u.unknown
            self.acknowledged += u.acknowledged

    def shrink(self, seed, ops, first, seconds=60):
        """A shorter list of steps that still fails, and its Mismatch: for sequences of one client."""
        setup, lists = plan(seed, ops)
        if "the audit" in str(first):
            return setup + lists[0], first
        steps = (setup + lists[0])[:first.at + 1]
        end = time.monotonic() + seconds
        best, size = (steps, first), max(1, len(steps) // 2)
        while size >= 1 and time.monotonic() < end:
            i = len(best[0]) - size
            while i >= 0 and time.monotonic() < end:
                less = best[0][:i] + best[0][i + size:]
                try:
                    self.play(seed, 1, ops, less)
                except Mismatch as e:
                    best = (less[:e.at + 1], e)
                i = min(i, len(best[0])) - size
            size //= 2
        return best


def system_of(stack, **how):
    return System(stack.port, stack.ca, stack.keys, lambda: stack.db(database="loyalty"), **how)


def settings():
    """Of a stack to play against: nothing may be refused because the machine is busy."""
    return {**{f"LOYALTY_{name}_DEADLINE_MS": "50000" for name in ("ROOMS", "POINTS", "ADMIN")}, "LOYALTY_NGINX_UPSTREAM_TIMEOUT_MS": "55000"}


def quiet(stack, durable=False):
    """Nobody but us sends mail; and what this tests isn't durability, mostly."""
    stack.stop("notifier")
    stack.stop("smtp")
    if not durable:
        stack.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
