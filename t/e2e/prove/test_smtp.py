"""A relay that refuses, stalls or breaks off, at every verb: each mail arrives once it behaves, and twice only where the protocol cannot know."""

import asyncio
import itertools

import pytest

from figures import Proof
from relay import Close, Drop
from stack import until

VERBS = ("ehlo", "mail", "rcpt", "data")
FAULTS = {"4xx": "451 4.3.0 not now", "channel 5xx": "530 5.7.0 authenticate first", "421": Close("421 4.3.2 going down"), "drop": Drop}


async def slow_bytes(reader, writer):
    """A byte every second or so, and nothing after the greeting."""
    for byte in b"220 slow\r\n":
        writer.write(bytes([byte]))
        await asyncio.sleep(1 if Proof.full else 0.1)


async def then_reset(reader, writer):
    """Takes the text, says 250, and is gone before anybody reads on."""
    writer.write(b"220 relay\r\n")
    while True:
        line = await reader.readline()
        if not line:
            return
        verb = line[:4].upper()
        if verb == b"DATA":
            writer.write(b"354 go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 taken\r\n")
            await writer.drain()
            writer.transport.abort()
            return
        writer.write(b"250 OK\r\n")


def arrive(bench, proof, r, made, repeats):
    """All of them are there, once the relay is well."""
    bench.sent(len(made), 30)
    ids = [m.id for m in r.arrived]
    wanted = {f"<reservation.{i}@hotel.example>" for i in made}
    repeated = len(r.offered) - len({m.id for m in r.offered})
    proof.add(acknowledged=len(made), lost=len(wanted - set(ids)), doubled=0 if repeats else repeated, mails_repeated=repeated, faults=1)
    assert set(ids) == wanted
    assert repeats or not repeated, "repeated, where it was known that it had not arrived"


def test_every_fault_at_every_verb(bench, relay, proof):
    every = list(itertools.product(VERBS, FAULTS.values()))
    for _ in range(proof.times(10)):
        for verb, answer in every if proof.full else proof.random.sample(every, 4):
            bench.clear()
            left = [proof.random.randrange(1, 4)]

            def planted(*_):
                if left[0]:
                    left[0] -= 1
                    return answer

            r = relay(**{verb: planted})
            made = [bench.reservation() for _ in range(4)]
            bench.notifier(r, NOTIFIER_RETRY_MIN_S=1, NOTIFIER_RETRY_MAX_S=1)
            # a text that was taken to its final dot may have arrived, whatever came after it
            arrive(bench, proof, r, made, verb == "data")
            bench.end_notifiers()
            proof.said_now(f"{proof.figures['faults']} faults of a relay")


@pytest.mark.parametrize("raw", [slow_bytes, then_reset])
def test_a_relay_that_stalls_or_resets(bench, relay, proof, raw):
    for _ in range(proof.times(10)):
        bench.clear()
        r = relay(raw=raw)
        made = [bench.reservation() for _ in range(3)]
        n = bench.notifier(r, NOTIFIER_RETRY_MIN_S=1, NOTIFIER_RETRY_MAX_S=1)
        until(lambda: r.connections >= 2, 30, 0.05, "two tries")
        assert n.process.poll() is None
        r.down()
        r.raw = None
        r.up()
        bench.sent(3, 30)
        arrived = {m.id for m in r.arrived}
        proof.add(faults=1, acknowledged=3)
        wanted = {f"<reservation.{i}@hotel.example>" for i in made}
        assert arrived <= wanted
        if raw is slow_bytes:
            proof.add(lost=len(wanted - arrived))
            assert arrived == wanted
        bench.end_notifiers()
