"""Load for a long time at 70 % of what the system holds, then twice as much: it sheds, recovers by itself, and its memory stays."""

import time
from pathlib import Path

import pytest

from load import Load
from stack import as_user_of, until

SERVICES = ("rooms", "points", "notifier")


@pytest.fixture(scope="module")
def soaked(make_stack):
    with make_stack() as s:
        yield s


def memory(stack):
    """MiB that each program holds by itself."""
    found = {}
    for name in SERVICES:
        for pid in stack.pids(name):
            with as_user_of(pid):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found[name] = found.get(name, 0) + sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")) / 1024
    return found


def rate(load, seconds):
    before = len(load.successes)
    time.sleep(seconds)
    return (len(load.successes) - before) / seconds


def test_soak(soaked, proof):
    with Load(soaked, n=8, seed=proof.seed % 1000) as load:
        full = rate(load, 3)
    proof.add(**load.found())
    with Load(soaked, n=8, seed=proof.seed % 1000 + 1, pause=8 / (0.7 * full)) as load:
        time.sleep(max(3, proof.times(120)))
        early = memory(soaked)
        end = time.monotonic() + proof.times(1800, 5)
        while time.monotonic() < end:
            time.sleep(1)
            proof.said_now(f"{len(load.told)} acknowledged")
        late = memory(soaked)
    proof.add(**load.found())
    proof.most(writes_a_second=full, **{f"mib_{name}": mib for name, mib in late.items()})
    grown = {name: late[name] / early[name] for name in SERVICES}
    assert not [n for n in SERVICES if grown[n] > 1.05 and late[n] - early[n] > 1], (early, late)
    with Load(soaked, n=64, seed=proof.seed % 1000 + 2) as load:
        time.sleep(proof.times(300, 4))
    proof.add(shed=len(load.refused), **load.found())
    assert set(load.refused) <= {429, 503}, set(load.refused)
    begun = time.monotonic()
    with Load(soaked, n=8, seed=proof.seed % 1000 + 3) as load:
        load.progress(15, 50)
    proof.add(**load.found())
    proof.most(seconds_until_recovered=time.monotonic() - begun)
    until(lambda: soaked.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = 'PENDING'") == 0, max(60, proof.times(1200)), 1, "an empty outbox")
