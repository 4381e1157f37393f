"""Hostile bytes: coverage-guided fuzzing of what reads requests, and requests and FastCGI streams that are no such thing."""

import os
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import fcgi
from client import Broken
from stack import TOP

pytestmark = pytest.mark.prove

# libfcgi (2.4.2) loses 48 bytes where it fails to answer a management record (FastCGI 1.0, section 4); nginx sends none.
KNOWN = "leak:libfcgi.so\n"


@pytest.fixture(scope="module")
def stack(make_stack):
    with pytest.MonkeyPatch.context() as environment, tempfile.NamedTemporaryFile("w", dir="/tmp", prefix="ly-known-") as known:
        known.write(KNOWN)
        known.flush()
        os.chmod(known.name, 0o644)  # the services may be other users
        environment.setenv("LSAN_OPTIONS", f"suppressions={known.name}:print_suppressions=0")
        with make_stack() as s:
            yield s


FUZZERS = [(file.parents[1].name, file.stem) for folder in ("lib", "notifier") for file in sorted((TOP / folder / "t").glob("fuzz_*.c"))
           if file.stem not in ("fuzz_driver", "fuzz_fail")]


@pytest.mark.parametrize("folder, name", FUZZERS)
def test_fuzzing_finds_nothing(proof, folder, name):
    make = ("make", "-C", str(TOP / folder), "OUT=build-fuzz", "SAN=1", "CC=clang", "CFLAGS=-g -fsanitize=fuzzer-no-link")
    subprocess.run([*make, f"build-fuzz/t/{name}", f"build-fuzz/t/{name}.libfuzzer"], check=True, stdout=subprocess.DEVNULL)
    built = TOP / folder / "build-fuzz"
    corpus = built / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(built / "t" / name), "-w", str(corpus)], check=True, stdout=subprocess.DEVNULL, cwd=TOP / folder)
    done = subprocess.run([str(built / "t" / f"{name}.libfuzzer"), f"-runs={proof.times(10 ** 6)}", "-max_len=20000", "-timeout=10", f"-seed={proof.seed % 2 ** 31}",
                           "-print_final_stats=1", f"-artifact_prefix={built}/{name}-", str(corpus)],
                          cwd=TOP / folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
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

    def hostile(data):
        try:
            a = stack.api.raw(data, timeout=15, check=False)
        except (Broken, OSError, ValueError):
            return "closed"
        assert a.status not in (500, 502, 504), (data, a)  # 501 and 505 are answers to what was asked
        return "answered"

    t = threading.Thread(target=normal)
    t.start()
    try:
        with ThreadPoolExecutor(8) as pool:  # many wait for the rest of what they have announced
            for n, came in enumerate(pool.map(hostile, [mutated(proof.random, proof.random.choice(models)) for _ in range(proof.times(10000))])):
                proof.add(**{came: 1})
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


def hello():
    """The first message of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def recorded(stack):
    """All that a client sent, as whoever has listened would have it: a handshake and a request that changes something."""
    user = stack.user(points=10)
    body = b'{"amount":1,"reason":"replayed"}'
    request = (f"POST /v1/users/{user.id}/points HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {stack.keys['restricted']}\r\nIdempotency-Key: {os.urandom(8).hex()}\r\n"
               f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode() + body
    incoming, outgoing, sent, answer = ssl.MemoryBIO(), ssl.MemoryBIO(), b"", b""
    context = ssl.create_default_context(cafile=stack.ca)
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", stack.port), 10) as s:
        steps = [tls.do_handshake, lambda: tls.write(request), lambda: tls.read(65536)]
        while steps:
            try:
                answer = steps[0]() or b""
                steps.pop(0)
            except ssl.SSLWantReadError:
                out = outgoing.read()
                sent += out
                s.sendall(out)
                incoming.write(s.recv(65536))
    assert answer.startswith(b"HTTP/1.1 201"), answer
    return user, sent


@pytest.mark.parametrize("kind", ["half", "slow", "replayed"])
def test_handshakes_by_the_hundred(stack, proof, kind):
    """Halves that never go on, a byte now and then, and recorded ones once more: normal traffic doesn't wait for them, and nothing comes of them."""
    def p99():
        waits = []
        for n in range(300):
            begun = time.monotonic()
            assert stack.api.get("/v1/rooms?limit=1").status == 200
            waits.append(time.monotonic() - begun)
            if kind == "slow":
                for at, s in enumerate(held):
                    if (n + at) % 30 == 0:
                        s.sendall(whole[n // 30 + 1:n // 30 + 2])
        return 1000 * sorted(waits)[296]

    held, ended = [], 0
    before = p99()
    if kind == "replayed":
        user, whole = recorded(stack)
        balance = stack.balance(user)
    else:
        whole = hello()
    try:
        for n in range(proof.times(500, 50)):
            s = socket.create_connection(("127.0.0.1", stack.port), 10)
            held.append(s)
            s.sendall(whole if kind == "replayed" else whole[:1] if kind == "slow" else whole[:1 + n % (len(whole) - 1)])
        beside = p99()
        if kind == "replayed":
            for s in held:
                try:
                    while s.recv(65536):  # what it says to it, and the end
                        pass
                except ConnectionResetError:
                    pass
                ended += 1
            assert stack.balance(user) == balance == 11
    finally:
        for s in held:
            s.close()
    proof.add(handshakes=len(held), refused=ended)
    proof.most(normal_p99_ms_before=before, normal_p99_ms=beside)
    assert beside < 5 * before + 20, (before, beside)
