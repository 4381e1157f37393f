"""What a database server does to its clients, ten times each under load: 503 with Retry-After within the deadline while it lasts, and recovery by itself."""

import os
import signal
import threading
import time

import pytest

from invariants import mails_went
from load import Load
from proxy import proxied


@pytest.fixture(scope="module")
def served(make_stack):
    with proxied(make_stack, "rooms", "points") as s:
        yield s


def setting(stack, name, value):
    old = stack.value(f"SELECT @@GLOBAL.{name}")
    stack.sql(f"SET GLOBAL {name} = {value}")
    return old


def killed(stack, proof, load):
    stack.kill("db")
    stack.close_db()


def stopped(stack, proof, load):
    """Longer than any deadline: as a machine that swaps."""
    pid, = stack.pids("db")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(30 if proof.full else 6)
    os.kill(pid, signal.SIGCONT)


def restarted(stack, proof, load):
    stack.restart("db")


def read_only(stack, proof, load):
    old = setting(stack, "read_only", 1)
    time.sleep(3)
    setting(stack, "read_only", old)


def full_of_connections(stack, proof, load):
    """Others have all of them when ours are cut."""
    old, held = stack.value("SELECT @@GLOBAL.max_connections"), []
    most = stack.value("SELECT COUNT(*) FROM information_schema.processlist") + 40
    setting(stack, "max_connections", most)
    try:
        stack.proxy.cut_all()
        for _ in range(200):
            try:
                held.append(stack.service_db("notifier"))
            except Exception:
                break
        time.sleep(3)
    finally:
        for connection in held:
            connection.close()
        setting(stack, "max_connections", old)


def deadlocks(stack, proof, load):
    """Somebody locks the rows that the clients need, in the wrong order."""
    end = time.monotonic() + 3
    users = [u.id for u in load.users]

    def wrong():
        connection = stack.db(autocommit=False)
        while time.monotonic() < end:
            try:
                with connection.cursor() as c:
                    for table, id_ in (("room", load.room.id), ("user", proof.random.choice(users)), ("user", proof.random.choice(users))):
                        c.execute(f"SELECT id FROM loyalty.{table} WHERE id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (id_,))
                        time.sleep(0.01)
                connection.rollback()
            except Exception:
                connection.rollback()
        connection.close()

    threads = [threading.Thread(target=wrong) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def cut(stack, proof, load):
    """All connections, whatever is under way: twenty times in two seconds."""
    for _ in range(20):
        stack.proxy.cut_all()
        time.sleep(0.1)


def answers_lost(stack, proof, load):
    """The work is done, the answer never comes."""
    for name in "reservation_create", "reservation_cancel", "points_adjust":
        stack.proxy.on(name, "lose", 10)
    time.sleep(2)
    stack.proxy.clear()


def slow(stack, proof, load):
    """Calls wait two seconds each on their way."""
    stack.proxy.delay = 2
    time.sleep(6)
    stack.proxy.delay = 0


@pytest.mark.parametrize("fault", [killed, stopped, restarted, read_only, full_of_connections, deadlocks, cut, answers_lost, slow])
def test_fault_under_load(served, proof, fault):
    with Load(served, seed=proof.seed % 1000, pause=0.01) as load:
        for n in range(proof.times(10)):
            load.progress(20, 30)
            fault(served, proof, load)
            proof.add(faults=1)
            proof.most(seconds_until_served_again=load.progress(30, 20))
            proof.said_now(f"{fault.__name__}: {n + 1}")
        served.ready()
    proof.add(refused=len(load.refused), **load.found())
    proof.most(seconds_until_refused=max(load.waited, default=0))
    assert set(load.refused) <= {503}, load.refused
    assert max(load.waited, default=0) < 6.5, "a client was kept longer than the deadline of 5 s"
    served.close_db()
    mails_went(served, 60)
