"""Whom the limits count, with the defaults of gateway.env: addresses, networks, and clients behind proxies"""

import socket
import subprocess
import uuid

import pytest

from stack import CALM, TOP, free_port

ROOMS = "/v1/rooms?limit=1"
PROXY = "127.0.0.1"
OTHER = "127.0.0.2"


@pytest.fixture(scope="module")
def fronted(make_stack):
    """Behind a proxy at 127.0.0.1, with the limits as they are by default."""
    with make_stack({**dict.fromkeys(CALM), "LOYALTY_NGINX_TRUSTED_PROXIES": f"{PROXY},192.0.2.0/24,2001:db8:ffff::/48"}) as s:
        yield s


def fresh():
    """An address that nobody has used yet."""
    number = uuid.uuid4().int
    return f"10.{number & 255}.{number >> 8 & 255}.{number >> 16 & 255}"


def ask(stack, path, address=None, n=1, key=None, source=PROXY, port=None, before="", method="GET"):
    """n requests on one connection from the address `source`; (statuses, the last one's id)."""
    with socket.create_connection(("127.0.0.1", port or stack.port), 20, source_address=(source, 0)) as raw:
        raw.sendall(before.encode())
        with stack.api.context.wrap_socket(raw, server_hostname="localhost") as s:
            id_ = uuid.uuid4().hex
            lines = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
            lines += f"X-Forwarded-For: {address}\r\n" if address else ""
            lines += f"X-API-Key: {stack.keys[key]}\r\n" if key else ""
            file = s.makefile("rb")
            statuses = []
            # All of them ahead, so that a slow machine is no slower client.
            s.sendall(f"{lines}\r\n".encode() * (n - 1) + f"{lines}X-Request-Id: {id_}\r\n\r\n".encode())
            for _ in range(n):
                statuses.append(int(file.readline().split()[1]))
                length, chunked = 0, False
                while (line := file.readline().strip().lower()):
                    if line.startswith(b"content-length:"):
                        length = int(line[15:])
                    chunked |= line == b"transfer-encoding: chunked"
                if method != "HEAD" and not chunked:
                    file.read(length)
                while chunked and (size := int(file.readline(), 16)) is not None:
                    file.read(size + 2)
                    chunked = size > 0
    return statuses, id_


def logged(stack, *args, **how):
    """The address of one such request in the access log."""
    _, id_ = ask(stack, *args, **how)
    entry, = stack.access_log(id_)
    return entry["address"]


@pytest.mark.parametrize("path, fine", [(ROOMS, 401), ("/healthz", 200), ("/readyz", 200), ("/nothing", 404)])
def test_without_a_key_an_address_has_a_burst_of_100_and_50_a_second(fronted, path, fine):
    address = fresh()
    statuses, id_ = ask(fronted, path, address, n=300)
    assert set(statuses) == {fine, 429}
    assert statuses[:100] == [fine] * 100 and statuses.count(429) >= 50, statuses
    # another address, and the same one with a key, are not those
    assert ask(fronted, path, fresh())[0] == [fine]
    assert ask(fronted, ROOMS, address, n=20, key="public")[0] == [200] * 20
    entry, = fronted.access_log(id_)
    assert (entry["address"], entry["status"]) == (address, statuses[-1])
    done = subprocess.run([str(TOP / "nginx" / "refusals"), str(fronted.var / "log" / "nginx" / "access.log")], check=True,
                          stdout=subprocess.PIPE, text=True)
    told = {tuple(line.split()[1:]): int(line.split()[0]) for line in done.stdout.splitlines()}
    assert told["429", address, "-"] == statuses.count(429)
    assert told.get(("401", address, "-"), 0) == statuses.count(401)


def test_a_valid_key_is_not_limited_by_that(fronted):
    assert set(ask(fronted, ROOMS, fresh(), n=400, key="restricted")[0]) == {200}


def test_an_ipv6_network_is_one_client(fronted):
    net = f"2001:db8:{uuid.uuid4().hex[:4]}"
    for address in (f"{net}:5::1", f"{net}:5:0:0:1:2", f"{net}:5:aaaa:bbbb:cccc:dddd"):
        first, _ = ask(fronted, ROOMS, address, n=150)
        assert 429 in first, address
    assert 429 in ask(fronted, ROOMS, f"{net}:5:0:1::9", n=20)[0]
    assert ask(fronted, ROOMS, f"{net}:6::1")[0] == [401]
    # An IPv4 address in IPv6's clothes is itself.
    assert 429 in ask(fronted, ROOMS, "::ffff:198.51.100.7", n=200)[0]
    assert ask(fronted, ROOMS, "::ffff:198.51.100.8")[0] == [401]


def test_the_console_has_limits_of_its_own(fronted):
    address = fresh()
    statuses, _ = ask(fronted, "/console/sign-in", address, n=120)
    assert set(statuses) == {200, 429} and statuses[:40] == [200] * 40, statuses
    assert ask(fronted, "/console/static/console.css", address)[0] == [200], "a page's style is counted apart"
    assert ask(fronted, "/console/sign-in", fresh())[0] == [200]
    assert ask(fronted, ROOMS, address)[0] == [401], "and the API too"


@pytest.mark.parametrize("path, key, most", [("/console/rooms", None, 16), ("/v1/reservations", "restricted", 100)])
def test_requests_at_once_from_one_address(fronted, path, key, most):
    """So many that wait for their bodies, and then one more: the console takes 16, the API far more with a key."""
    address, wires = fresh(), []
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: %s\r\nContent-Length: 10\r\nContent-Type: application/json\r\n"
    head += f"X-API-Key: {fronted.keys[key]}\r\n\r\n" if key else "\r\n"
    try:
        for _ in range(most):
            wire = fronted.api.wire()
            wires.append(wire)
            wire.send((head % address).encode())
        assert wires[-1].silent(0.3)
        for other, refused in ((address, most == 16), (fresh(), False)):
            wire = fronted.api.wire()
            wires.append(wire)
            wire.send((head % other).encode())
            if refused:
                assert wire.answer("POST", path).status == 429
            else:
                assert wire.silent(0.3)
    finally:
        for wire in wires:
            wire.close()


# -- the address itself ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sent, address", [("203.0.113.9", "203.0.113.9"), ("2001:db8::9", "2001:db8::9"),
                                           # what the client wrote itself stands to the left of what the proxy added
                                           ("6.6.6.6, 203.0.113.9", "203.0.113.9"), ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
                                           # a chain of proxies, all of them trusted
                                           ("6.6.6.6, 203.0.113.9, 192.0.2.7", "203.0.113.9"), ("203.0.113.9, 2001:db8:ffff::1", "203.0.113.9"),
                                           ("203.0.113.9, unknown", PROXY), ("", PROXY), (None, PROXY)])
@pytest.mark.parametrize("path, method", [(ROOMS, "GET"), ("/v1/rooms", "TRACE"), ("/healthz", "GET")])
def test_a_trusted_proxy_is_believed(fronted, sent, address, path, method):
    assert logged(fronted, path, sent, key="public", method=method) == address


def test_nobody_else_is_believed(fronted):
    """A header that a client forged neither shows in the log nor gets it a share of its own."""
    assert logged(fronted, ROOMS, "203.0.113.9", source=OTHER, key="public") == OTHER
    assert 429 in ask(fronted, ROOMS, fresh(), source=OTHER, n=200)[0]
    for _ in range(3):
        assert 429 in ask(fronted, ROOMS, fresh(), source=OTHER, n=10)[0]
    assert ask(fronted, ROOMS, fresh())[0] == [401]


def test_nobody_is_believed_by_default(stack):
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        a = stack.api.get(ROOMS, headers=[(header, "203.0.113.9" if header != "Forwarded" else "for=203.0.113.9")])
        entry, = stack.access_log(a.request_id)
        assert entry["address"] == PROXY


def test_one_client_cannot_lock_all_out_of_the_console(fronted):
    """Sign-ins count by the client's address, not by the proxy's."""
    def sign_in(address):
        return ask(fronted, "/console/sign-in", address, method="POST")[0][0]

    attacker = fresh()
    assert [sign_in(attacker) for _ in range(24)].count(429) >= 10
    assert 429 not in [sign_in(fresh()) for _ in range(24)]


def test_the_proxy_protocol_on_a_port_of_its_own(fronted):
    port = free_port()
    fronted.set_env(LOYALTY_NGINX_PROXY_PROTOCOL_PORT=str(port))
    fronted.native("up")
    fronted.api.drop()
    line = "PROXY TCP4 203.0.113.77 127.0.0.1 5555 443\r\n"
    assert logged(fronted, ROOMS, key="public", port=port, before=line) == "203.0.113.77"
    assert logged(fronted, ROOMS, "6.6.6.6", key="public", port=port, before=line) == "203.0.113.77"
    assert logged(fronted, ROOMS, key="public", port=port, before=line, source=OTHER) == OTHER
    assert logged(fronted, ROOMS, "6.6.6.6", key="public") == PROXY
    with pytest.raises(OSError):  # it must begin so
        ask(fronted, ROOMS, key="public", port=port)


@pytest.mark.parametrize("setting", ["LOYALTY_NGINX_TRUSTED_PROXIES=example.org", "LOYALTY_NGINX_TRUSTED_PROXIES=10.0.0.1;", "LOYALTY_NGINX_TRUSTED_PROXIES=10.0.0.1/99",
                                     "LOYALTY_NGINX_BIND=everything", "LOYALTY_NGINX_BIND=300.1.1.1", "LOYALTY_NGINX_PROXY_PROTOCOL_PORT=99999",
                                     "LOYALTY_NGINX_TYPO=1"])
def test_ill_formed_addresses_are_refused(fronted, setting, tmp_path):
    name, _, value = setting.partition("=")
    env = {**fronted.environment(), "LOYALTY_SECRETS": str(fronted.var / "secrets"), "LOYALTY_NGINX_ACCESS_LOG": "off", name: value}
    done = subprocess.run([str(TOP / "nginx" / "render"), str(tmp_path / "elsewhere")], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1 and (name in done.stdout or value in done.stdout), done.stdout
    assert not (tmp_path / "elsewhere" / "nginx.conf").exists()
