"""Hostile bytes: coverage-guided fuzzing of what reads requests, and requests and FastCGI streams that are no such thing."""

import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

import fcgi
from client import Broken
from stack import TOP

pytestmark = pytest.mark.prove

FUZZERS = [file.stem for file in sorted((TOP / "lib" / "t").glob("fuzz_*.c")) if file.stem not in ("fuzz_driver", "fuzz_fail")]
FUZZ = ("make", "-C", str(TOP / "lib"), "OUT=build-fuzz", "SAN=1", "CC=clang", "CFLAGS=-g -fsanitize=fuzzer-no-link")


@pytest.mark.parametrize("name", FUZZERS)
def test_fuzzing_finds_nothing(proof, name):
    folder = TOP / "lib" / "build-fuzz"
    subprocess.run([*FUZZ, f"build-fuzz/t/{name}", f"build-fuzz/t/{name}.libfuzzer"], check=True, stdout=subprocess.DEVNULL)
    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(folder / "t" / name), "-w", str(corpus)], check=True, stdout=subprocess.DEVNULL, cwd=TOP / "lib")
    done = subprocess.run([str(folder / "t" / f"{name}.libfuzzer"), f"-runs={proof.times(10 ** 6)}", "-max_len=20000", "-timeout=10", f"-seed={proof.seed % 2 ** 31}",
                           "-print_final_stats=1", f"-artifact_prefix={folder}/{name}-", str(corpus)],
                          cwd=TOP / "lib", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    proof.add(executions=int(re.search(r"number_of_executed_units: *(\d+)", done.stderr)[1]), edges=int(re.findall(r"cov: (\d+)", done.stderr)[-1]))


def mutated(rng, data):
    """Some bytes changed, taken out, doubled, put elsewhere."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data))
        what = rng.randrange(5)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at:at + rng.randrange(1, 20)]
        elif what == 2:
            data[at:at] = data[at:at + rng.randrange(1, 200)]
        elif what == 3:
            data[at:at] = rng.choice((b"\r\n", b"\0", b"%00", b"\xff", b"../", b"{", b"Transfer-Encoding: chunked\r\n", b"9" * 40, b"\xc0\xaf"))
        else:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 30)))
        if not data:
            data = bytearray(b"\r\n\r\n")
    return bytes(data)


def requests(stack, room, user):
    """A request of each kind, as bytes."""
    key = stack.keys["restricted"]
    for line, body in ((f"GET /v1/rooms?limit=2&max_points=10 HTTP/1.1", b""), (f"GET /v1/reservations?user_id={user.id} HTTP/1.1", b""),
                       ("POST /v1/reservations HTTP/1.1", b'{"room_id":"%s","user":{"id":"%s"}}' % (room.id.encode(), user.id.encode())),
                       (f"POST /v1/users/{user.id}/points HTTP/1.1", b'{"amount":5,"reason":"hostile \\u00e9"}'),
                       (f"PATCH /v1/admin/rooms/{room.id} HTTP/1.1", b'{"name":"A room"}'), ("GET /v1/admin/history/points?since=2026-01-01T00:00:00Z HTTP/1.1", b"")):
        head = f"{line}\r\nHost: localhost\r\nX-API-Key: {key}\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nConnection: close\r\n"
        yield head.encode() + (b"Content-Length: %d\r\n" % len(body) if body else b"") + b"\r\n" + body


def test_requests_that_are_none(stack, proof):
    """Each gets an answer of the contract or a closed connection, never a 500; normal traffic goes on beside them."""
    room, user = stack.room(total=10 ** 6, price=0), stack.user(points=10 ** 6)
    models, waits, over = list(requests(stack, room, user)), [], threading.Event()

    def normal():
        while not over.is_set():
            begun = time.monotonic()
            assert stack.api.get("/v1/rooms?limit=1").status == 200
            waits.append(time.monotonic() - begun)
            time.sleep(0.005)
        stack.api.drop()

    t = threading.Thread(target=normal)
    t.start()
    try:
        for n in range(proof.times(10000)):
            data = mutated(proof.random, proof.random.choice(models))
            try:
                a = stack.api.raw(data, timeout=15, check=False)
                proof.add(answered=1)
                assert a.status != 500 and a.status < 504, (data, a)
            except (Broken, OSError, ValueError):
                proof.add(closed=1)
            proof.said_now(f"{n + 1} requests")
    finally:
        over.set()
        t.join()
    waits.sort()
    proof.most(normal_p99_ms=1000 * waits[int(len(waits) * 0.99)])
    stack.ready()
    stack.check_invariants()


def test_fastcgi_streams_that_are_none(stack, proof):
    """Whoever has got to a service's socket and says what nginx never would."""
    room, user = stack.room(total=10 ** 6, price=0), stack.user(points=10 ** 6)
    params = [("REQUEST_METHOD", "POST"), ("REQUEST_PATH", "/v1/reservations"), ("QUERY_STRING", ""), ("CONTENT_LENGTH", "98"),
              ("CONTENT_TYPE", "application/json"), ("LOYALTY_ROLE", "public")]
    body = b'{"room_id":"%s","user":{"id":"%s"}}' % (room.id.encode(), user.id.encode())
    whole = (fcgi.record(fcgi.BEGIN, struct.pack(">HB5x", 1, 0)) + fcgi.record(fcgi.PARAMS, fcgi.pairs(params)) + fcgi.record(fcgi.PARAMS)
             + fcgi.record(fcgi.STDIN, body) + fcgi.record(fcgi.STDIN))
    for n in range(proof.times(2000)):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(stack.fastcgi(proof.random.choice(("rooms", "points", "admin"))))
            try:
                s.sendall(mutated(proof.random, whole))
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
                proof.add(ended=1)
            except TimeoutError:
                proof.add(waited=1)  # for the rest of a record that was announced
            except OSError:
                proof.add(closed=1)
        proof.said_now(f"{n + 1} streams")
    stack.ready(30)
    stack.check_invariants()


def test_handshakes_that_never_end(stack, proof):
    """Half of a handshake by the hundred: nginx gives them up, and normal traffic doesn't wait."""
    def p99():
        waits = []
        for _ in range(300):
            begun = time.monotonic()
            assert stack.api.get("/v1/rooms?limit=1").status == 200
            waits.append(time.monotonic() - begun)
        return 1000 * sorted(waits)[296]

    before = p99()
    held = []
    try:
        for i in range(proof.times(500, 50)):
            s = socket.create_connection(("127.0.0.1", stack.port), 10)
            s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[:1 + i % 11])
            held.append(s)
        beside = p99()
    finally:
        for s in held:
            s.close()
    proof.add(handshakes=len(held))
    proof.most(normal_p99_ms_before=before, normal_p99_ms=beside)
    assert beside < 5 * before + 20, (before, beside)
