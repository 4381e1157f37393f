"""Loyalty's site in an nginx of somebody else, whose http level does what it can: on a port of its own the whole contract holds"""

import os
import subprocess
import time
from pathlib import Path

import pytest

from neighbour import HOSTILE, Neighbour
from stack import TOP, until
# The whole contract: these, against the site.
from test_http import *  # noqa: F401,F403
from test_keys import *  # noqa: F401,F403
from test_gateway_tls import (test_alpn_offers_http2_first, test_certificate_is_verified_by_name_and_by_address,  # noqa: F401
                              test_key_exchange_is_by_curves_that_cost_little, test_older_tls_is_refused, test_tls_1_2_and_1_3_work,
                              test_tls_1_2_ciphers_are_forward_secret_and_authenticated)


@pytest.fixture(scope="module")
def beside(make_stack):
    """(the system, whose own nginx is down; the nginx with the other site, in which Loyalty's is not yet)"""
    with make_stack() as s:
        s.stop("nginx")
        neighbour = Neighbour(s, HOSTILE)
        try:
            yield s, neighbour.start()
        finally:
            neighbour.stop()


@pytest.fixture(scope="module")
def before(beside):
    return beside[1].shop_answers()


@pytest.fixture(scope="module")
def stack(beside, before):
    """The system behind the other nginx."""
    s, neighbour = beside
    neighbour.include()
    assert neighbour.shop_answers() == before, "files without anything to include change nothing"
    neighbour.run("apply")
    s.port = neighbour.port
    s.connect()
    s.answers()
    return s


def same(neighbour, before):
    now = neighbour.shop_answers()
    different = {what: (before[what], now[what]) for what in before if before[what] != now[what]}
    assert not different, different


def test_the_other_site_answers_as_before_byte_for_byte(beside, before, stack):
    assert stack.api.get("/readyz", key=None).status == 200
    same(beside[1], before)


def test_what_is_refused_changes_nothing(beside, before, stack):
    """A setting, a key file, a port that another site has: what is in force stays, in memory and on the disk."""
    _, neighbour = beside
    folder = neighbour.dir / "loyalty"
    kept = {f.name: f.read_bytes() for f in folder.iterdir() if f.is_file() and f.suffix in (".conf", ".map", ".env")}
    workers = neighbour.workers()
    for setting, word in (({"LOYALTY_NGINX_RATE": "0"}, "LOYALTY_NGINX_RATE"), ({"LOYALTY_NGINX_TYPO": "1"}, "LOYALTY_NGINX_TYPO"),
                          ({"LOYALTY_NGINX_TLS_CERT": "/nowhere"}, "/nowhere"), ({"HTTPS_PORT": neighbour.tls}, "default"),
                          ({"LOYALTY_NGINX_BY_NAME": "on"}, "LOYALTY_NGINX_SERVER_NAME")):
        was = {name: neighbour.settings.get(name) for name in setting}
        told = neighbour.run("apply", check=False, **setting)
        neighbour.settings.update(was)
        assert neighbour.status == 1 and word in told, (setting, told)
        assert {name: (folder / name).read_bytes() for name in kept} == kept, setting
        assert not (folder / "undo").exists() and neighbour.workers() == workers
    assert stack.api.get("/v1/rooms?limit=1").status == 200
    same(neighbour, before)
    neighbour.run("apply")


def test_a_fault_of_the_other_site_is_told_as_such(beside, before, stack):
    _, neighbour = beside
    text = neighbour.shop.read_text()
    file = stack.var / "secrets" / "api-key-public"
    old = file.read_text()
    kept = (neighbour.dir / "loyalty" / "keys.map").read_bytes()
    try:
        neighbour.shop.write_text(text + "nonsense;\n")
        told = neighbour.run("apply", check=False)
        assert neighbour.status == 1 and "not in Loyalty's" in told and str(neighbour.shop) in told, told
        file.write_text(old + "N3w-key_" + "y" * 40 + "\n")
        done = subprocess.run([str(TOP / "nginx" / "keys"), str(neighbour.dir / "loyalty")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 1 and "not in Loyalty's" in done.stdout, done.stdout
        assert (neighbour.dir / "loyalty" / "keys.map").read_bytes() == kept
        done = subprocess.run([str(TOP / "nginx" / "reload"), str(neighbour.dir / "loyalty")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 1 and str(neighbour.shop) in done.stdout, done.stdout
        same(neighbour, before)
    finally:
        file.write_text(old)
        neighbour.shop.write_text(text)


def test_a_change_that_was_ended_half_way_does_not_last(beside, stack):
    """Killed between its new files and nginx's word on them: the next command puts back what was in force."""
    _, neighbour = beside
    folder = neighbour.dir / "loyalty"
    site = (folder / "site.conf").read_text()
    (folder / "undo").mkdir()
    for name in ("gateway.env", "keys.map", "http.conf", "site.conf", "nginx.conf"):
        (folder / "undo" / name).write_bytes((folder / name).read_bytes())
    (folder / "site.conf").write_text("nonsense;\n")
    subprocess.run([str(TOP / "nginx" / "keys"), str(folder)], check=True, stdout=subprocess.DEVNULL)
    assert (folder / "site.conf").read_text() == site and not (folder / "undo").exists()


def test_new_keys_are_taken_over(beside, stack):
    _, neighbour = beside
    file = stack.var / "secrets" / "api-key-public"
    old, new = file.read_text(), "N3w-key_" + "x" * 40
    try:
        file.write_text(old + new + "\n")
        subprocess.run([str(TOP / "nginx" / "keys"), str(neighbour.dir / "loyalty")], check=True, stdout=subprocess.DEVNULL)
        stack.api.drop()
        assert stack.api.get("/v1/rooms?limit=1", key=new.encode()).status == 200
    finally:
        file.write_text(old)
        subprocess.run([str(TOP / "nginx" / "keys"), str(neighbour.dir / "loyalty")], check=True, stdout=subprocess.DEVNULL)
    stack.api.drop()
    assert stack.api.get("/v1/rooms?limit=1", key=new.encode()).status == 401


def test_certbots_renewal_is_taken_over_and_the_consoles_pin_follows(beside, stack, tmp_path):
    """live/NAME/*.pem are links into archive/; the deploy hook has nginx read them again, for this certificate alone."""
    _, neighbour = beside
    folder = neighbour.dir / "loyalty"
    live, archive = tmp_path / "live" / "loyalty.example", tmp_path / "archive" / "loyalty.example"
    live.mkdir(parents=True)
    archive.mkdir(parents=True)

    def renew(number):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "80",
                        "-keyout", str(archive / f"privkey{number}.pem"), "-out", str(archive / f"fullchain{number}.pem"), "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in ("privkey", "fullchain"):
            link = live / f"{name}.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../archive/loyalty.example/{name}{number}.pem")
        return subprocess.run(["openssl", "x509", "-in", str(live / "fullchain.pem"), "-noout", "-pubkey"], check=True, stdout=subprocess.PIPE).stdout

    def shown():
        done = subprocess.run(f"openssl s_client -connect 127.0.0.1:{neighbour.port} </dev/null 2>/dev/null | openssl x509 -noout -pubkey", shell=True,
                              check=True, stdout=subprocess.PIPE)
        return done.stdout

    def hook(lineage):
        script = TOP / "nginx" / "etc" / "letsencrypt" / "renewal-hooks" / "deploy" / "loyalty-nginx"
        return subprocess.run([str(script), str(folder), str(TOP / "nginx")], env={**os.environ, "RENEWED_LINEAGE": str(lineage)}).returncode

    own = {name: neighbour.settings.get(name) for name in ("LOYALTY_NGINX_TLS_CERT", "LOYALTY_NGINX_TLS_KEY")}
    try:
        first = renew(1)
        neighbour.run("apply", LOYALTY_NGINX_TLS_CERT=live / "fullchain.pem", LOYALTY_NGINX_TLS_KEY=live / "privkey.pem")
        assert shown() == first == (folder / "public-key.pem").read_bytes()
        second = renew(2)
        assert second != first and hook(tmp_path / "live" / "other.example") == 0
        assert shown() == first, "another certificate's renewal is no reason to reload"
        assert hook(live) == 0
        assert shown() == second == (folder / "public-key.pem").read_bytes()
        assert (folder / "public-key.pem").stat().st_mode & 0o777 == 0o644
        # a key that is not the certificate's is refused, and what is in force stays
        (archive / "privkey2.pem").write_bytes((archive / "privkey1.pem").read_bytes())
        assert hook(live) == 1
        assert shown() == second
    finally:
        neighbour.settings.update(own)
        neighbour.run("apply")


def test_requests_are_counted_and_logs_opened_again(beside, stack):
    """nginx/count as a service looks every few seconds; logrotate moves a log aside and signals nginx."""
    _, neighbour = beside
    folder = neighbour.dir / "loyalty"
    stack.api.get("/v1/rooms?limit=1")
    time.sleep(1.2)
    looking = subprocess.Popen([str(TOP / "nginx" / "count"), str(folder), "1"])
    try:
        until(lambda: 'status="200"' in (folder / "counts" / "metrics").read_text(), 5)
        assert "loyalty_certificate_expiry_timestamp_seconds" in stack.api.get("/v1/admin/metrics", key="restricted").body.decode()
    finally:
        looking.terminate()
        looking.wait()
    log = stack.var / "log" / "nginx" / "access.log"
    aside = log.with_name("access.log.1")
    log.rename(aside)
    os.kill(neighbour.pid, 10)  # SIGUSR1, as in nginx/etc/logrotate.d
    until(log.exists, 5)
    assert stack.access_log(stack.api.get("/v1/rooms?limit=1").request_id)
    aside.unlink()


def test_nothing_of_ours_is_in_the_others_log(beside, stack):
    _, neighbour = beside
    stack.api.get("/v1/rooms?limit=1", key=b"never-to-be-logged-anywhere")
    stack.api.get("/never-in-their-log?key=" + stack.keys["public"], key=None)
    time.sleep(0.2)
    for name in ("other.log", "other-error.log", "error.log"):
        text = (neighbour.dir / name).read_text()
        assert "never-" not in text and stack.keys["public"] not in text, name


def test_the_check_warns_of_what_cannot_be_overridden(beside, stack):
    _, neighbour = beside
    told = neighbour.run("check", check=False)
    assert neighbour.status == 3 and "pcre_jit" in told and "worker_connections 512" in told, told
    assert not [line for line in told.splitlines() if "http level" in line], told
    text = neighbour.conf.read_text()
    try:
        neighbour.conf.write_text(text.replace("\tinclude conf.d", "\tsub_filter a b;\n\tinclude conf.d"))
        told = neighbour.run("check", check=False)
        line, = [line for line in told.splitlines() if "http level" in line]
        number = neighbour.conf.read_text().split("sub_filter")[0].count("\n") + 1
        assert line.startswith(f"{neighbour.conf}:{number}: sub_filter ")
    finally:
        neighbour.conf.write_text(text)


def test_removed_it_leaves_no_trace(beside, before, stack):
    _, neighbour = beside
    told = neighbour.run("remove")
    assert not told
    same(neighbour, before)
    with pytest.raises(OSError):
        stack.api.drop()
        stack.api.get("/healthz", key=None, check=False)
    assert not Path(neighbour.dir / "loyalty" / "site.conf").exists()
    neighbour.run("apply")
    stack.answers()
