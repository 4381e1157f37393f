"""bench and relay, for the notifier's tests and for others that import them"""

import pytest

from bench import Bench, BenchOnMySQL
from relay import Relay


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
