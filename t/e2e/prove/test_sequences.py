"""Random sequences of requests, answered as the model of the contract says (t/model)."""

import time

import pytest

import invariants
from harness import Mismatch, quiet, settings, system_of

OPS = 200


@pytest.fixture(scope="module")
def system(make_stack):
    with make_stack(settings()) as stack:
        quiet(stack)
        yield system_of(stack)
        invariants.check(stack)
        audit = stack.api.get("/v1/admin/audit", key="restricted", check=False)
        assert audit.status == 200 and audit.json["ok"] is True, audit


@pytest.mark.parametrize("clients", [1, 4])
def test_sequences(system, proof, clients):
    end, seed, before = time.monotonic() + proof.times(1500, 5), proof.seed, system.requests
    while time.monotonic() < end:
        try:
            system.play(seed, clients, OPS)
        except Mismatch as e:
            pytest.fail(f"to replay it: t/model/run --seed {seed} --clients {clients} --ops {OPS}\n{e}", pytrace=False)
        seed += 1
        proof.add(sequences=1)
        proof.said_now(f"{clients} clients: {proof.figures['sequences']} sequences")
    proof.add(requests=system.requests - before)
