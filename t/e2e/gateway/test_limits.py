"""429 and slow clients, with limits low enough to meet them; keys and settings that are refused"""

import json
import os
import ssl
import subprocess
import threading
import time

import pytest

from client import Broken
from stack import TOP, until


@pytest.fixture(scope="module")
def low(make_stack):
    with make_stack({"LOYALTY_NGINX_RATE": "5", "LOYALTY_NGINX_BURST": "5", "LOYALTY_NGINX_KEYLESS_RATE": "5", "LOYALTY_NGINX_KEYLESS_BURST": "5",
                     "LOYALTY_NGINX_CONSOLE_RATE": "5", "LOYALTY_NGINX_CONSOLE_BURST": "5", "LOYALTY_NGINX_CONNS_PER_ADDRESS": "3", "LOYALTY_NGINX_HEADER_TIMEOUT_S": "1",
                     "LOYALTY_NGINX_BODY_TIMEOUT_S": "1"}) as s:
        yield s


def burst(low, n, **how):
    return [low.api.get("/v1/rooms?limit=1", **how) for _ in range(n)]


def settle(low):
    time.sleep(2.3)


def test_too_fast_is_429_with_retry_after(low):
    answers = burst(low, 20)
    refused = [a for a in answers if a.status == 429]
    assert refused and len(refused) < 20
    for a in refused:
        a.is_problem(429, "rate-limited")
    settle(low)
    assert burst(low, 1)[0].status == 200


def test_rate_is_per_key(low):
    settle(low)
    assert 429 in {a.status for a in burst(low, 20)}
    assert burst(low, 1, key="restricted")[0].status == 200


def test_guessing_keys_is_limited_too(low):
    settle(low)
    answers = burst(low, 25, key=b"wrong-key-wrong-key")
    assert {a.status for a in answers} == {401, 429}


@pytest.mark.parametrize("method, path", [("TRACE", "/v1/rooms"), ("CONNECT", "/v1/users/x/points"), ("TRACE", "/v1/admin/users"),
                                          ("GET", "/v1/users"), ("GET", "/v1/admin")])
@pytest.mark.parametrize("key", [None, "restricted"])
def test_no_way_leads_round_the_rate(low, method, path, key):
    settle(low)
    answers = [low.api.request(method, path, key=key) for _ in range(20)]
    refused = [a for a in answers if a.status == 429]
    assert refused and len(refused) < 20
    for a in refused:
        a.is_problem(429, "rate-limited")


def test_refused_request_does_nothing(low):
    settle(low)
    user = low.user(points=10)
    answers = [low.adjust(user, 1) for _ in range(20)]
    done = sum(a.status == 201 for a in answers)
    assert 0 < done < 20 and low.balance(user) == 10 + done


@pytest.mark.parametrize("method, path", [("GET", "/healthz"), ("GET", "/readyz"), ("PUT", "/healthz"), ("OPTIONS", "/readyz"), ("GET", "/"), ("GET", "/v1"),
                                          ("GET", "/nothing")])
def test_probes_and_what_is_not_there_count_too(low, method, path):
    settle(low)
    answers = [low.api.request(method, path, key=None) for _ in range(20)]
    refused = [a for a in answers if a.status == 429]
    assert refused and len(refused) < 20
    for a in refused:
        a.is_problem(429, "rate-limited")
    assert burst(low, 1)[0].status == 200, "who has a key is counted apart"


def test_the_way_to_the_console_counts_as_the_console(low):
    settle(low)
    answers = [low.api.request("GET", "/console", key=None, check=False) for _ in range(20)]
    assert answers[0].status == 303 and {a.status for a in answers} == {303, 429}


def test_requests_at_once_from_one_address_are_limited(low):
    settle(low)
    user = low.user(points=10)
    connection = low.db(autocommit=False)
    try:
        with connection.cursor() as c:
            c.execute("SELECT id FROM loyalty.user WHERE id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (user.id,))
        results = []
        threads = [threading.Thread(target=lambda k=k: results.append(low.adjust(user, 1, key="restricted") if k == "r" else low.reserve(low_room, user)))
                   for k in "rrrrppppp"]
        low_room = low.room(price=0)
        for t in threads:
            t.start()
            time.sleep(0.05)
        time.sleep(0.3)
    finally:
        connection.rollback()
        connection.close()
    for t in threads:
        t.join()
    statuses = [a.status for a in results]
    assert 429 in statuses and 201 in statuses, statuses


def test_client_that_dawdles_over_its_header_is_shown_the_door(low):
    wire = low.api.wire(timeout=8)
    wire.send(b"GET /v1/rooms HTTP/1.1\r\nHost: x\r\n")
    started = time.monotonic()
    with pytest.raises((Broken, ConnectionError, ssl.SSLError)):
        wire.answer()
    assert time.monotonic() - started < 4


def test_client_that_dawdles_over_its_body_is_shown_the_door(low):
    settle(low)
    wire = low.api.wire(timeout=8)
    wire.send(f"POST /v1/reservations HTTP/1.1\r\nHost: x\r\nX-API-Key: {low.keys['public']}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
    started = time.monotonic()
    with low.unchanged():
        try:
            a = wire.answer("POST", "/v1/reservations")
            assert a.status in (400, 408)
        except (Broken, ConnectionError, ssl.SSLError):
            pass
    assert time.monotonic() - started < 4


def test_connection_that_never_says_hello_is_shown_the_door(low):
    import socket
    with socket.create_connection(("127.0.0.1", low.port), 8) as s:
        started = time.monotonic()
        try:
            assert s.recv(10) == b""
        except ConnectionError:
            pass
        assert time.monotonic() - started < 4


# -- keys, from here on without those limits ----------------------------------------------------------------

@pytest.fixture(scope="module")
def calm(low):
    low.set_env(LOYALTY_NGINX_RATE=None, LOYALTY_NGINX_BURST=None, LOYALTY_NGINX_KEYLESS_RATE=None, LOYALTY_NGINX_KEYLESS_BURST=None, LOYALTY_NGINX_CONNS_PER_ADDRESS=None, LOYALTY_NGINX_HEADER_TIMEOUT_S=None, LOYALTY_NGINX_BODY_TIMEOUT_S=None)
    low.native("restart", "nginx")
    low.api.drop()
    low.ready()
    return low


def put(file, text, mode=0o600):
    file.write_text(text)
    os.chmod(file, mode)


def status(stack, key):
    stack.api.drop()  # a reload takes over new connections
    return stack.api.get("/v1/rooms?limit=1", key=key).status


def test_E080_removed_key_is_refused_after_the_reload_and_requests_under_way_finish(calm):
    file = calm.var / "secrets" / "api-key-public"
    old, new = calm.secret("api-key-public"), "N3w-key_" + "x" * 40
    user, room = calm.user(points=100), calm.room(price=10)
    try:
        put(file, f"{old}\n{new}\n")
        calm.native("keys")
        until(lambda: status(calm, new.encode()) == 200, 10)
        assert status(calm, old.encode()) == 200
        # one scope for both keys of a role
        first = calm.reserve(room, user, key=old.encode(), idem="rotated")
        again = calm.reserve(room, user, key=new.encode(), idem="rotated")
        assert first.status == 201 and again.body == first.body and again.replayed
        entry, = calm.access_log(again.request_id)
        assert entry["key"] == "public-2"
        # under way while its key goes: nginx has its header, and waits for the body
        body = json.dumps({"room_id": room.id, "user": {"id": user.id}}).encode()
        wire = calm.api.wire()
        wire.send(f"POST /v1/reservations HTTP/1.1\r\nHost: x\r\nX-API-Key: {old}\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert wire._line() == b"HTTP/1.1 100 Continue" and wire._line() == b""
        put(file, f"{new}\n")
        calm.native("keys")
        until(lambda: status(calm, old.encode()) == 401, 10)
        wire.send(body)
        assert wire.answer("POST", "/v1/reservations").status == 201
        wire.close()
        assert status(calm, new.encode()) == 200
    finally:
        put(file, f"{old}\n")
        calm.native("keys")
    until(lambda: status(calm, old.encode()) == 200 and status(calm, new.encode()) == 401, 10)


BAD = {
    "missing": lambda f: f.unlink(),
    "empty": lambda f: put(f, ""),
    "blank": lambda f: put(f, "\n \n\n"),
    "only_a_comment": lambda f: put(f, "# nothing\n"),
    "readable_by_the_group": lambda f: os.chmod(f, 0o640),
    "readable_by_others": lambda f: os.chmod(f, 0o604),
    "writable_by_others": lambda f: os.chmod(f, 0o602),
    "a_folder": lambda f: (f.unlink(), f.mkdir()),
    "quotes": lambda f: put(f, 'abc"; return 200; #aaaaaaaaaaaaaaaaaaa\n'),
    "short": lambda f: put(f, "x\n"),
    "spaces": lambda f: put(f, "two words that are long enough for a key\n"),
    "dollar": lambda f: put(f, "$http_x_api_key$http_x_api_key\n"),
}


@pytest.mark.parametrize("name", ["api-key-public", "api-key-restricted"])
@pytest.mark.parametrize("fault", BAD)
def test_E082_bad_key_file_is_refused_with_the_reason_and_the_old_keys_stay(calm, name, fault):
    file = calm.var / "secrets" / name
    text = file.read_text()
    try:
        BAD[fault](file)
        told = calm.native("keys", check=False)
        assert name in told, told
        done = subprocess.run([str(TOP / "native" / "stack"), "keys"], env=calm.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert done.returncode != 0
        assert status(calm, "public") == status(calm, "restricted") == 200
        # and a gateway that isn't running yet does not start
        env = {**calm.environment(), "LOYALTY_SECRETS": str(calm.var / "secrets"), "LOYALTY_NGINX_ACCESS_LOG": "off"}
        started = subprocess.run([str(TOP / "nginx" / "render"), str(calm.var / "elsewhere")], env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        assert started.returncode != 0 and name in started.stdout, started.stdout
        assert not (calm.var / "elsewhere" / "nginx.conf").exists()
    finally:
        if file.is_dir():
            file.rmdir()
        put(file, text)
    assert status(calm, "public") == status(calm, "restricted") == 200


def test_E082_one_key_for_both_roles_is_refused(calm):
    file = calm.var / "secrets" / "api-key-public"
    text = file.read_text()
    try:
        put(file, text + calm.secret("api-key-restricted") + "\n")
        assert "api-key" in calm.native("keys", check=False)
        assert calm.api.post(f"/v1/users/{calm.user().id}/points", {"amount": 1, "reason": "x"}, key="public").status == 403
    finally:
        put(file, text)


def test_E082_restart_with_a_bad_key_file_leaves_the_gateway_running(calm):
    file = calm.var / "secrets" / "api-key-public"
    text = file.read_text()
    try:
        os.chmod(file, 0o644)
        assert "api-key-public" in calm.native("restart", "nginx", check=False)
        assert status(calm, "public") == 200
        assert "api-key-public" in calm.native("up", check=False)
        assert status(calm, "public") == 200
    finally:
        put(file, text)


@pytest.mark.parametrize("setting", ["LOYALTY_NGINX_RATE=0", "LOYALTY_NGINX_RATE=5;", "LOYALTY_TYPO=1", "LOYALTY_NGINX_MAX_BODY=many", "LOYALTY_THREADS=4",
                                     "LOYALTY_ROOMS_THREADS=0", "LOYALTY_ADMIN_THREADS=65", "LOYALTY_ROOMS_PROCESSES=0", "LOYALTY_POINTS_DEADLINE_MS=x",
                                     "LOYALTY_LOG_LEVEL=loud", "LOYALTY_NGINX_WORKERS=$(id)", "LOYALTY_POINTS_DEADLINE_MS=99999999999999999999"])
def test_bad_settings_are_refused_with_their_name(calm, setting):
    name, _, value = setting.partition("=")
    try:
        calm.set_env(**{name: value})
        told = calm.native("up", check=False)
        assert name in told and "ready:" not in told, told
        assert status(calm, "public") == 200, "what runs goes on"
    finally:
        calm.set_env(**{name: None})
