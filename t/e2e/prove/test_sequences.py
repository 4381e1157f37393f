"""Random sequences of requests, answered as the model of the contract says (t/model); then once more while programs die and connections break."""

import threading
import time

import pymysql
import pytest

import invariants
from harness import Mismatch, quiet, settings, system_of
from proxy import proxied

OPS = 200
PATIENCE = 60  # seconds until a request is answered that is sent again


def ends_well(stack):
    invariants.check(stack)
    audit = stack.api.get("/v1/admin/audit", key="restricted", check=False)
    assert audit.status == 200 and audit.json["ok"] is True, audit


@pytest.fixture(scope="module")
def calm(make_stack):
    with make_stack(settings()) as stack:
        quiet(stack)
        yield system_of(stack)
        ends_well(stack)


@pytest.fixture(scope="module")
def rough(make_stack):
    with proxied(lambda: make_stack(settings()), "rooms", "points", "admin") as stack:
        quiet(stack, durable=True)
        yield stack, system_of(stack, patience=PATIENCE)
        stack.ready(60)
        ends_well(stack)


def play(system, clients, proof):
    end, seed, before = time.monotonic() + proof.times(780, 5), proof.seed, (system.requests, system.acknowledged, system.unknown)
    while time.monotonic() < end:
        try:
            system.play(seed, clients, OPS)
        except Mismatch as e:
            pytest.fail(f"to replay it, {'faults apart' if system.patience else 'the same'}: t/model/run --seed {seed} --clients {clients} --ops {OPS}\n{e}", pytrace=False)
        seed += 1
        proof.add(sequences=1)
        proof.said_now(f"{clients} clients: {proof.figures['sequences']} sequences")
    proof.add(requests=system.requests - before[0], acknowledged=system.acknowledged - before[1], unknown=system.unknown - before[2])


@pytest.mark.parametrize("clients", [1, 4])
def test_sequences(calm, proof, clients):
    play(calm, clients, proof)


class Faults(threading.Thread):
    """One after the other, until it is stopped: kill -9 of a service or the database, all connections cut, an answer of the database lost."""

    def __init__(self, stack, system, proof):
        super().__init__()
        self.stack, self.system, self.proof = stack, system, proof
        self.over, self.error = threading.Event(), None

    def killed(self):
        self.stack.kill(self.proof.random.choice(("rooms", "points", "admin")))

    def cut(self):
        self.stack.proxy.cut_all()

    def lost(self):
        for name in "reservation_create", "reservation_cancel", "reservation_approve", "points_adjust", "room_create", "user_put":
            self.stack.proxy.on(name, self.proof.random.choice(("lose", "drop")))

    def database(self):
        notifier = self.system.notifier
        with notifier.lock:
            self.stack.kill("db")
            self.stack.close_db()
            for _ in range(600):
                try:
                    return notifier.again()
                except pymysql.err.OperationalError:  # not there yet
                    time.sleep(0.1)
            raise AssertionError("the database is not back after a minute")

    def run(self):
        try:
            while not self.over.wait(self.proof.random.uniform(0.1, 0.8)):
                self.stack.proxy.clear()
                self.proof.random.choices((self.killed, self.cut, self.lost, self.database), (4, 4, 4, 1))[0]()
                self.proof.add(faults=1)
        except BaseException as e:
            self.error = e


@pytest.mark.parametrize("clients", [1, 4])
def test_sequences_amid_faults(rough, proof, clients):
    faults = Faults(*rough, proof)
    faults.start()
    try:
        play(rough[1], clients, proof)
    finally:
        faults.over.set()
        faults.join()
    if faults.error:
        raise faults.error
    assert proof.figures["faults"] and (proof.figures["unknown"] or not proof.full)
