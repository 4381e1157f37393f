"""The certificate and its key: what nginx cannot serve with is refused, what is about to expire is told"""

import shutil
import socket
import ssl
import subprocess

import pytest

from stack import TOP

CERTIFICATE = TOP / "nginx" / "certificate"


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


def check(*args):
    """nginx/certificate; (exit status, what it printed on stdout, on stderr)."""
    done = subprocess.run([str(CERTIFICATE), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Keys of several types, a certificate for each: good for 400 days, 22, 20, none; and one of a chain."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, how in (("ec", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")), ("ec2", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")),
                      ("rsa", ("rsa", "-pkeyopt", "rsa_keygen_bits:2048")), ("ed", ("ed25519",))):
        openssl("genpkey", "-algorithm", *how, "-out", folder / f"{name}.key")
        openssl("req", "-x509", "-key", folder / f"{name}.key", "-subj", "/CN=localhost", "-days", 400, "-out", folder / f"{name}-400.crt")
        for days in (22, 20, 0):
            openssl("x509", "-in", folder / f"{name}-400.crt", "-signkey", folder / f"{name}.key", "-days", days, "-out", folder / f"{name}-{days}.crt")
    openssl("ec", "-in", folder / "ec.key", "-aes128", "-passout", "pass:x", "-out", folder / "locked.key")
    (folder / "link.key").symlink_to(folder / "nowhere" / "privkey.pem")
    (folder / "chain.crt").write_text((folder / "ec-400.crt").read_text() + (folder / "rsa-400.crt").read_text())
    return folder


@pytest.mark.parametrize("cert, key", [("ec-400", "ec"), ("rsa-400", "rsa"), ("ed-400", "ed"), ("ec-22", "ec"), ("chain", "ec")])
def test_a_pair_that_is_fine_is_no_news(made, cert, key):
    assert check(made / f"{cert}.crt", made / f"{key}.key") == (0, "", "")


@pytest.mark.parametrize("cert, key", [("ec-400", "rsa"), ("rsa-400", "ec"), ("ec-400", "ed"), ("ed-400", "rsa"), ("ec-400", "ec2"), ("chain", "rsa"),
                                       ("ec-0", "rsa"), ("ec-400", "locked"), ("ec-400", "link"), ("ec-400", "none"), ("none", "ec")])
def test_a_pair_that_nginx_cannot_serve_with_is_refused_by_name(made, cert, key):
    status, out, err = check(made / f"{cert}.crt", made / f"{key}.key")
    assert (status, out) == (1, "")
    assert f"{key if cert != 'none' else cert}." in err and err.count("\n") == 1, err


@pytest.mark.parametrize("days, word", [(20, "within 21 days"), (0, "expired")])
def test_what_expires_soon_is_told_and_served(made, days, word):
    status, out, err = check(made / f"ec-{days}.crt", made / "ec.key")
    assert (status, err) == (3, "") and word in out and out.count("\n") == 1


def served(stack):
    """The certificate that clients get."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", stack.port), 10) as raw, context.wrap_socket(raw) as s:
        return ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).strip()


def put(file, source):
    file.unlink()
    shutil.copyfile(source, file)
    file.chmod(0o600)


def test_a_key_of_another_type_is_refused_and_what_is_in_force_stays(stack, api, made, tmp_path):
    """By up, keys, restart, and by a reload alone; and a folder without a gateway gets none."""
    key, nginx = stack.var / "secrets" / "tls.key", stack.var / "nginx"
    shutil.copyfile(key, tmp_path / "tls.key")
    before = served(stack)
    try:
        put(key, made / "rsa.key")
        for args in (("up",), ("keys",), ("restart", "nginx")):
            told = stack.native(*args, check=False)
            assert "tls.key is not the private key" in told and "ready:" not in told, told
        done = subprocess.run([str(TOP / "nginx" / "reload"), str(nginx)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 1 and "tls.key is not the private key" in done.stdout, done.stdout
        api.drop()
        assert served(stack) == before and api.get("/v1/rooms?limit=1").status == 200
    finally:
        put(key, tmp_path / "tls.key")
    stack.native("keys")
    assert served(stack) == before


def test_an_expired_certificate_is_served_and_told(stack, made):
    env = {**stack.environment(), "LOYALTY_SECRETS": str(stack.var / "secrets"), "LOYALTY_NGINX_ACCESS_LOG": "off",
           "LOYALTY_NGINX_TLS_CERT": str(made / "ec-0.crt"), "LOYALTY_NGINX_TLS_KEY": str(made / "ec.key")}
    done = subprocess.run([str(TOP / "nginx" / "render"), str(made / "elsewhere")], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 and "expired" in done.stdout, done.stdout
    assert check(made / "elsewhere")[0] == 3
