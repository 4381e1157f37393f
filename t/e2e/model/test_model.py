"""A short share of t/model: random sequences of requests, compared with a model of the contract.

Each run takes other seeds; a failure tells how to replay its own.  t/model/run plays as many as one
likes, t/model/mutants shows that faults are found."""

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "model"))

import invariants  # noqa: E402
from harness import Mismatch, quiet, settings, system_of  # noqa: E402

SECONDS = 7  # for each number of clients
OPS = 120


@pytest.fixture(scope="module")
def system(make_stack):
    with make_stack(settings()) as stack:
        quiet(stack)
        yield stack, system_of(stack)
        invariants.check(stack)
        audit = stack.api.get("/v1/admin/audit", key="restricted", check=False)
        assert audit.status == 200 and audit.json["ok"] is True, audit


@pytest.mark.parametrize("clients", [1, 4])
def test_random_sequences_are_answered_as_the_model_says(system, clients):
    _, system = system
    first = seed = int(time.time()) // 100 * 100  # the first one asks for the audit
    end = time.monotonic() + SECONDS
    while seed == first or time.monotonic() < end:
        try:
            system.play(seed, clients, OPS)
        except Mismatch as e:
            if clients == 1:
                steps, e = system.shrink(seed, OPS, e, seconds=20)
                e = f"{e}\nafter {len(steps)} steps: {steps}"
            pytest.fail(f"to replay it: t/model/run --seed {seed} --clients {clients} --ops {OPS}\n{e}", pytrace=False)
        seed += 1
