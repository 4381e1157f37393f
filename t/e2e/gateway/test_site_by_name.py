"""Loyalty's site on another site's address and port, told apart by name: what is promised there holds, and what the other site's server
decides is what docs/operating/sites.md says"""

import subprocess
import time

import pytest

from neighbour import HOSTILE, Neighbour, exchange
# What is promised here, too.
from test_http import (test_E060_key_is_needed_however_the_path_is_spelled, test_E060_paths_are_normalised_and_never_redirected,  # noqa: F401
                       test_E060_paths_that_lead_out_or_are_broken_are_400, test_E060_restricted_path_is_restricted_however_it_is_spelled)
from test_keys import (test_E074_no_empty_or_wrong_key_is_401_with_the_same_body, test_E074_two_authorizations_are_401,  # noqa: F401
                       test_E074_two_keys_that_disagree_are_401_in_any_order, test_E079_basic_beside_a_valid_key_is_401,
                       test_E079_key_anywhere_else_is_401, test_E079_key_anywhere_else_is_401_beside_a_valid_one_too)


@pytest.fixture(scope="module")
def shared(make_stack):
    with make_stack() as s:
        s.stop("nginx")
        neighbour = Neighbour(s, HOSTILE.replace("\tssl_verify_client\toptional_no_ca;\n", ""), site="client_header_timeout 2s;")
        try:
            neighbour.start()
            neighbour.before = neighbour.shop_answers()
            neighbour.include()
            neighbour.run("apply", HTTPS_PORT=neighbour.tls, LOYALTY_NGINX_BY_NAME="on", LOYALTY_NGINX_SERVER_NAME="localhost loyalty.example")
            yield s, neighbour
        finally:
            neighbour.stop()


@pytest.fixture(scope="module")
def stack(shared):
    s, neighbour = shared
    s.port = neighbour.tls
    s.connect()
    s.answers()
    return s


def test_the_other_site_answers_as_before_byte_for_byte(shared, stack):
    _, neighbour = shared
    assert stack.api.get("/readyz", key=None).status == 200
    now = neighbour.shop_answers()
    assert now == neighbour.before, {k: (v, now[k]) for k, v in neighbour.before.items() if now[k] != v}


def ask(stack, name, head):
    """The first line and the body of the answer; name: in the TLS handshake, None without one."""
    got = exchange(stack.port, head.encode() + b"\r\nConnection: close\r\n\r\n", name)
    head, _, body = got.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body


OURS, THEIRS = b"/problems/", b"the shop"


ANSWERS = [
    ("no HTTP", "nonsense", 400, OURS, THEIRS),
    ("a long request line", "GET /" + "x" * 9000 + " HTTP/1.1\r\nHost: localhost", 414, OURS, None),
    ("a long header", "GET /v1/rooms HTTP/1.1\r\nHost: localhost\r\nX-Long: " + "y" * 9000, 431, OURS, None),
    ("a long header before Host", "GET /v1/rooms HTTP/1.1\r\nX-Long: " + "y" * 9000 + "\r\nHost: localhost", 431, OURS, None),
    ("no Host", "GET /v1/rooms HTTP/1.1", 400, THEIRS, THEIRS),
    ("a name that no site has", "GET /nothing HTTP/1.1\r\nHost: x.example", None, THEIRS, THEIRS),
    ("no key", "GET /v1/rooms HTTP/1.1\r\nHost: localhost", 401, OURS, OURS),
    ("a large body", "POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999", 401, OURS, OURS),
]


@pytest.mark.parametrize("what, head, status, with_name, without", ANSWERS, ids=[a[0] for a in ANSWERS])
def test_who_answers_what(stack, what, head, status, with_name, without):
    """As the table of docs/operating/sites.md has it; None: the other site's limits let it through, and Loyalty's answer with 401 or 404."""
    for name, who in (("localhost", with_name), (None, without)):
        line, body = ask(stack, name, head)
        if who is None:
            assert line.split()[1] in ("401", "404") and OURS in body, (name, line, body[:200])
        else:
            assert who in body and (status is None or line.split()[1] == str(status) or who is THEIRS), (name, line, body[:200])


def test_the_default_server_times_the_handshake_and_the_first_header(stack):
    """2 s of its own, where ours are 10."""
    began = time.monotonic()
    assert not exchange(stack.port, b"GET /v1/rooms HTTP/1.1\r\nHost: localhost\r\n", "localhost")
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("group, fine", [("X25519", True), ("P-384", False)])
def test_the_default_server_chooses_the_groups(stack, group, fine):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{stack.port}", "-servername", "localhost", "-tls1_3", "-groups", group],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    assert ("Cipher is TLS_" in done.stdout) == fine, done.stdout


def test_the_check_tells_what_is_unsafe_here(shared, stack):
    _, neighbour = shared
    told = neighbour.run("check", check=False)
    assert neighbour.status == 3
    for word in ("underscores_in_headers on", "ignore_invalid_headers off", "merge_slashes off", "large_client_header_buffers 8 64k", "ssl_early_data on"):
        assert word in told, (word, told)
    assert "BY_NAME" not in told and "is the default server" not in told, told
