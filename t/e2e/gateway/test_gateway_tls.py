"""TLS, and which versions of it"""

import shutil
import socket
import ssl
import subprocess
import threading
import warnings

import pytest


def shake(port, ca, version, alpn=()):
    """Shake hands with just this version; (version, cipher, ALPN protocol)."""
    context = ssl.create_default_context(cafile=ca)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.minimum_version = version
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    with socket.create_connection(("127.0.0.1", port), 10) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as s:
            return s.version(), s.cipher()[0], s.selected_alpn_protocol()


@pytest.mark.parametrize("version, name", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_tls_1_2_and_1_3_work(stack, version, name):
    assert shake(stack.port, stack.ca, version)[0] == name


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_refused(stack, version, tmp_path):
    with pytest.raises(ssl.SSLError) as told:
        shake(stack.port, stack.ca, version)
    assert "ALERT" in (told.value.reason or "").upper(), f"not the server's refusal: {told.value}"
    # This very client does speak it, to a server that does.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(stack.ca, str(stack.var / "secrets" / "tls.key"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            peer, _ = listener.accept()
            try:
                context.wrap_socket(peer, server_side=True).close()
            except OSError:
                pass
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        assert shake(listener.getsockname()[1], stack.ca, version)[0] in ("TLSv1", "TLSv1.1")
        server.join(10)


def test_tls_1_2_ciphers_are_forward_secret_and_authenticated(stack):
    for cipher, fine in (("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-CHACHA20-POLY1305", True), ("ECDHE-ECDSA-AES128-SHA", False),
                         ("ECDHE-ECDSA-AES256-SHA384", False)):
        context = ssl.create_default_context(cafile=stack.ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher + ":@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", stack.port), 10) as raw:
            if fine:
                context.wrap_socket(raw, server_hostname="localhost").close()
            else:
                with pytest.raises(ssl.SSLError):
                    context.wrap_socket(raw, server_hostname="localhost")


@pytest.mark.parametrize("group, fine", [("X25519", True), ("P-256", True), ("P-384", True), ("ffdhe2048", False), ("ffdhe8192", False), ("P-521", False)])
def test_key_exchange_is_by_curves_that_cost_little(stack, group, fine):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{stack.port}", "-tls1_3", "-groups", group], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    assert (done.returncode == 0 and "Cipher is TLS_" in done.stdout) == fine, done.stdout
    if not fine:
        assert "alert handshake failure" in done.stdout, done.stdout


@pytest.mark.parametrize("offer, chosen", [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), (("http/1.1", "h2"), "h2"), ((), None)])
def test_alpn_offers_http2_first(stack, offer, chosen):
    assert shake(stack.port, stack.ca, ssl.TLSVersion.TLSv1_3, offer)[2] == chosen


def test_certificate_is_verified_by_name_and_by_address(stack):
    for name in ("localhost", "127.0.0.1"):
        context = ssl.create_default_context(cafile=stack.ca)
        with socket.create_connection(("127.0.0.1", stack.port), 10) as raw:
            context.wrap_socket(raw, server_hostname=name).close()
    context = ssl.create_default_context(cafile=stack.ca)
    with socket.create_connection(("127.0.0.1", stack.port), 10) as raw, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(raw, server_hostname="example.org")


def test_curl_with_the_certificate_and_key_from_the_folder_works(stack):
    assert shutil.which("curl")
    done = subprocess.run(["curl", "-sS", "--fail", "--cacert", stack.ca, "--http2", "-H", f"X-API-Key: {stack.keys['public']}", "-w", "\n%{http_version}",
                           f"{stack.base}/v1/rooms?limit=1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    body, _, version = done.stdout.rpartition("\n")
    assert version == "2" and body.startswith("[{")


def test_two_starts_have_different_secrets_and_files_are_the_owners_alone(stack):
    for file in (stack.var / "secrets").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
    for name in ("api-key-public", "api-key-restricted"):
        assert len(stack.secret(name)) >= 32
    assert len({stack.secret(f.name) for f in (stack.var / "secrets").iterdir()}) == len(list((stack.var / "secrets").iterdir()))


def test_the_gateways_port_is_the_only_one_open(stack):
    """Everything else listens on unix sockets, or on loopback (the SMTP catcher)."""
    pids = set()
    for name in ("db", "rooms", "points", "nginx", "notifier", "smtp"):
        pids |= set(stack.all_pids(name))
    assert len(pids) > 6
    inodes = set()
    import os
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
                if link.startswith("socket:["):
                    inodes.add(link[8:-1])
        except OSError:
            continue
    ports = {}
    for file in ("tcp", "tcp6", "udp", "udp6"):
        try:
            with open(f"/proc/net/{file}") as f:
                rows = [line.split() for line in f][1:]
        except OSError:
            continue
        for row in rows:
            if row[9] in inodes and (row[3] == "0A" or file.startswith("udp")):
                address, port = row[1].rsplit(":", 1)
                ports.setdefault(int(port, 16), set()).add((file, address))
    assert stack.port in ports
    for port, where in ports.items():
        if port != stack.port:
            assert all(address in ("0100007F", "00000000000000000000000001000000") for _, address in where), (port, where)
    assert len(ports) <= 2, ports
