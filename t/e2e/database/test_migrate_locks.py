"""mysql/migrate beside a session that holds a lock: clients don't notice, the session is named, nothing is half done"""

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager

from stack import TOP
from test_migrate import OfTheNext, migrate, what_is_there


@contextmanager
def forgotten(stack, *statements):
    """A session of the root's with an open transaction; its number."""
    connection = stack.db()
    with connection.cursor() as c:
        for statement in ("START TRANSACTION", *statements):
            c.execute(statement)
            c.fetchall()
    time.sleep(1.1)  # that it is older than what programs do
    try:
        yield connection.thread_id()
    finally:
        connection.close()


@contextmanager
def clients(stack):
    """Two clients that reserve and ask, one after the other: a list of (status, seconds it took)."""
    user, room = stack.user(points=100000), stack.room(total=100000, price=1)
    answers, over = [], threading.Event()

    def work():
        while not over.is_set():
            begun = time.monotonic()
            a = stack.reserve(room, user)
            answers.append((a.status, time.monotonic() - begun))
            begun = time.monotonic()
            a = stack.api.get(f"/v1/reservations/{a.json['id']}") if a.status == 201 else a
            answers.append((a.status, time.monotonic() - begun))
            time.sleep(0.02)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        yield answers
    finally:
        over.set()
        for t in threads:
            t.join()
        print({s: (sum(a[0] == s for a in answers), round(max(a[1] for a in answers if a[0] == s), 2)) for s in {a[0] for a in answers}})


def run(stack, program=None, wait=5, waiting=lambda: None):
    """mysql/migrate, whatever it does ended after 60 s: (exit status, what it told, seconds).  waiting: called when it says that it waits."""
    begun = time.monotonic()
    done = subprocess.Popen([str(program or TOP / "mysql" / "migrate"), "--wait", str(wait)], env={"PATH": os.environ["PATH"], **stack.db_environment()},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    end = threading.Timer(60, os.killpg, (done.pid, signal.SIGKILL))
    end.start()
    told = ""
    for line in done.stdout:
        told += line
        if "waiting" in line:
            waiting()
    end.cancel()
    print(told)
    return done.wait(), told, time.monotonic() - begun


def outdate(stack, *steps):
    for step in steps:
        stack.sql("UPDATE loyalty.schema_migration SET checksum = REPEAT('0', 64) WHERE step = %s", (step,))


def names(stack, told, number):
    """The sentence tells which session it is, whose, for how long, and what to do."""
    line = told.strip().splitlines()[-1]
    assert line.startswith("migrate: error: ") and f"session {number} ({stack.db_root()['user']} from " in line and "transaction open for " in line, told
    assert f"KILL {number}" in line, told


def unhurt(answers):
    assert len(answers) > 30 and {s for s, _ in answers} <= {200, 201}, {s for s, _ in answers}
    assert max(t for _, t in answers) < 4, max(t for _, t in answers)


def test_forgotten_transaction_is_named_and_clients_go_on(stack):
    before = what_is_there(stack)
    outdate(stack, "triggers/reservation_history.sql")
    try:
        with forgotten(stack, "SELECT COUNT(*) FROM loyalty.reservation") as number, clients(stack) as answers:
            status, told, took = run(stack)
        assert status == 4 and 5 <= took < 20, (status, told, took)
        names(stack, told, number)
        unhurt(answers)
        assert what_is_there(stack) == before
    finally:
        after = migrate(stack)
    assert "1 steps applied" in after.stdout
    assert what_is_there(stack) == before
    stack.check_invariants()


def test_migration_goes_on_when_the_lock_is_free(stack):
    outdate(stack, "triggers/reservation_history.sql", "procs/fold.sql")
    connection = stack.db()
    with connection.cursor() as c:
        c.execute("START TRANSACTION")
        c.execute("SELECT loyalty.fold('a'), (SELECT COUNT(*) FROM loyalty.reservation)")
    number = connection.thread_id()
    with clients(stack) as answers:
        status, told, _ = run(stack, wait=50, waiting=connection.close)
    assert status == 0 and "2 steps applied" in told, (status, told)
    assert f"session {number} ({stack.db_root()['user']} from " in told, told
    unhurt(answers)
    stack.check_invariants()


def test_programs_are_not_sent_away_for_a_migration_that_cannot_begin(stack, tmp_path):
    """A raised compatibility number: looked at before the programs are told to refuse."""
    new = OfTheNext(stack, tmp_path)
    version = stack.value("SELECT version FROM loyalty.schema_info")
    try:
        with forgotten(stack, "SELECT COUNT(*) FROM loyalty.room") as number, clients(stack) as answers:
            status, told, _ = run(stack, new.files / "migrate")
            assert status == 4, (status, told)
            names(stack, told, number)
            assert stack.value("SELECT version FROM loyalty.schema_info") == version
        unhurt(answers)
    finally:
        migrate(stack)
    assert "nothing to do" in migrate(stack).stdout


def test_forgotten_row_lock_is_named(stack):
    """Schema steps change rows, too."""
    user = stack.user()
    stack.sql("DELETE FROM loyalty.schema_migration WHERE step = 'schema/190_user_history.sql'")
    try:
        with forgotten(stack, f"SELECT * FROM loyalty.user WHERE id = X'{user.id.replace('-', '')}' FOR UPDATE") as number, clients(stack) as answers:
            status, told, _ = run(stack)
        assert status == 4, (status, told)
        names(stack, told, number)
        unhurt(answers)
    finally:
        after = migrate(stack)
    assert "1 steps applied" in after.stdout
