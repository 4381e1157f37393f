"""Fixtures of the notifier's tests.

bench   a database with an empty outbox, and notifiers on demand; see bench.py
relay   a function (**faults) that starts a mail relay; see relay.py
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import Bench, BenchOnMySQL  # noqa: E402
from relay import Relay  # noqa: E402


@pytest.fixture(scope="session")
def one_bench():
    with (BenchOnMySQL if BenchOnMySQL.image else Bench)() as b:
        yield b
        assert not b.sanitizer_reports(), b.sanitizer_reports()


@pytest.fixture
def bench(one_bench):
    one_bench.clear()
    yield one_bench
    one_bench.end_notifiers()
    assert not one_bench.sanitizer_reports(), one_bench.sanitizer_reports()


@pytest.fixture
def relay():
    made = []

    def start(**how):
        r = Relay(**how)
        made.append(r)
        return r.up()

    yield start
    for r in made:
        r.close()
