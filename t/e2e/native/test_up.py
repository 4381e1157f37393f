"""native/stack up, status, keys and down, when something is wrong around them."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from stack import TOP, until

sys.path.insert(0, str(TOP / "t" / "e2e" / "console"))

from visitor import Visitor  # noqa: E402


@pytest.fixture(scope="module")
def own(make_stack):
    with make_stack() as s:
        yield s


def fails(own, *args, **how):
    """native/stack refuses; what it says."""
    with pytest.raises(AssertionError) as e:
        own.native(*args, **how)
    return str(e.value)


def parts(own):
    return {name: own.pids(name) for name in ("db", "rooms", "console", "nginx")}


def console_reaches_the_gateway(own):
    """A person can sign in; fails with the page where not."""
    Visitor(own).sign_in()
    return True


def test_after_a_killed_runsvdir_up_clears_up_by_itself(own):
    before = parts(own)
    os.kill(int((own.var / "runsvdir.pid").read_text()), signal.SIGKILL)
    assert "ready" in own.native("up")
    own.close_db()
    own.ready()
    after = parts(own)
    assert not {p for pids in before.values() for p in pids} & {p for pids in after.values() for p in pids}
    # and so it does where nginx's workers are all that is left of the gateway
    os.kill(int((own.var / "runsvdir.pid").read_text()), signal.SIGKILL)
    master = own.pids("nginx")
    for pid, comm in own.all_pids("nginx").items():
        if comm == "runsv":
            os.kill(pid, signal.SIGKILL)
    os.kill(master[0], signal.SIGKILL)
    assert "ready" in own.native("up")
    own.close_db()


def test_another_port_that_is_taken_is_refused_before_anything_changes(own):
    before, settings = parts(own), (own.var / "settings").read_text()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = taken.getsockname()[1]
        assert f"port {other} is in use by another program" in fails(own, "up", env={"HTTPS_PORT": str(other)})
    assert parts(own) == before and (own.var / "settings").read_text() == settings
    assert console_reaches_the_gateway(own)


def certificate(own, kind, days=90):
    """A new certificate with a new key, as somebody else makes them."""
    folder = own.var / "secrets"
    (folder / "tls.key").unlink()  # which its owner may not write to
    subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", str(days), "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")],
                   check=True, stderr=subprocess.DEVNULL)


def test_keys_takes_over_a_certificate_with_a_new_key_the_console_too(own):
    nginx = own.pids("nginx")
    certificate(own, ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
    assert "native/stack keys" in fails(own, "status")
    own.native("keys")
    own.connect()
    own.ready()
    assert console_reaches_the_gateway(own) and own.pids("nginx") == nginx
    assert "native/stack keys" not in own.native("status")


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_key_that_is_not_the_certificates_is_refused_and_all_stays(own, kind):
    key = own.var / "secrets" / "tls.key"
    good, before = key.read_bytes(), parts(own)
    more = ["-algorithm", "RSA"] if kind == "rsa" else ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    key.unlink()
    subprocess.run(["openssl", "genpkey", *more, "-out", str(key)], check=True, stderr=subprocess.DEVNULL)
    try:
        for command in (["up"], ["keys"], ["restart", "nginx"]):
            assert "tls.key" in fails(own, *command)
            own.api.drop()
            own.ready(2)
            assert console_reaches_the_gateway(own)
        assert parts(own) == before
    finally:
        key.unlink()
        key.write_bytes(good)
        key.chmod(0o400)
    own.native("up")
    assert parts(own) == before


def test_what_could_not_be_looked_for_is_not_taken_for_gone(own):
    """What nginx's start script has started is killed while it looks for left-over workers: for some seconds nothing can be
    looked at.  Then it looks again, ends them and starts; until then the status says that it keeps restarting."""
    [master] = own.pids("nginx")
    workers = [int(p) for p in subprocess.run(["pgrep", "-P", str(master)], stdout=subprocess.PIPE, text=True).stdout.split()]
    assert workers
    stop, killed = threading.Event(), []

    def kill():
        # whatever the script has started, sub-shells and programs, until it is nginx
        while not stop.is_set():
            try:
                main = int((own.var / "service" / "nginx" / "supervise" / "pid").read_text())
                with open(f"/proc/{main}/task/{main}/children") as f:
                    for pid in f.read().split():
                        with open(f"/proc/{pid}/cmdline", "rb") as c:
                            if b"nginx: " not in c.read():
                                os.kill(int(pid), signal.SIGKILL)
                                killed.append(pid)
            except (OSError, ValueError):
                pass

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        os.kill(master, signal.SIGKILL)
        until(lambda: len(killed) > 5, 20, what="a look that was killed")
        time.sleep(1)
    finally:
        stop.set()
        thread.join()
    own.api.drop()
    until(lambda: not any(os.path.exists(f"/proc/{w}") for w in workers), 30, what="the left-over workers are ended")
    own.answers(20)
    own.ready()


@pytest.mark.parametrize("name", ["rooms", "nginx", "console"])
def test_what_a_killed_runsv_left_is_ended_and_started_again(own, name):
    old = own.all_pids(name)
    assert "runsv" in old.values()
    for pid, program in old.items():
        if program == "runsv":
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid, program in old.items() if program != "svlogd"), 30, what="the end of all that it left")
    until(lambda: own.native("pid", name, check=False).strip().isdigit(), 30, 0.2)
    own.api.drop()
    own.answers(20)
    own.ready()
    own.native("restart", name)  # and counts as asked for


def test_a_part_that_keeps_restarting_is_told(own):
    """By status, and by its exit status; until it is asked to start again."""
    assert "RESTARTING" not in own.native("status")
    for _ in range(3):
        old = own.kill("smtp")
        until(lambda: own.native("pid", "smtp", check=False).strip().isdigit() and own.pids("smtp") != old, 15, 0.2)
    told = fails(own, "status")
    assert "exit status 1" in told and "smtp      RESTARTING: 3 times in the last minute" in told
    own.native("restart", "smtp")
    assert "RESTARTING" not in own.native("status")


def test_the_callers_environment_reaches_nothing_inside(own, tmp_path):
    """Proxies, clients' settings and shells' hooks: all as without."""
    (tmp_path / ".curlrc").write_text("proxy = http://127.0.0.1:9\n")
    (tmp_path / ".my.cnf").write_text("[client]\nhost = 127.0.0.1\nport = 9\nprotocol = tcp\n")
    (tmp_path / "hook").write_text("echo hooked; exit 7\n")
    for name in ("native", "nginx", "mysql"):
        (tmp_path / "cd" / name).mkdir(parents=True)
    (tmp_path / "openssl.cnf").write_text("openssl_conf = x\n[x]\nssl_conf = y\nproviders = z\n[z]\nnone = w\n[w]\nactivate = 1\n")
    hostile = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9", "all_proxy": "socks5://127.0.0.1:9",
               "HOME": str(tmp_path), "MYSQL_HOST": "127.0.0.1", "MYSQL_TCP_PORT": "9", "MYSQL_UNIX_PORT": "/nonexistent", "MYSQL_PWD": "wrong",
               "MARIADB_HOST": "127.0.0.1", "OPENSSL_CONF": str(tmp_path / "openssl.cnf"), "OPENSSL_MODULES": "/nonexistent", "GREP_OPTIONS": "-v",
               "CDPATH": str(tmp_path / "cd"), "BASH_ENV": str(tmp_path / "hook"), "ENV": str(tmp_path / "hook"), "TMPDIR": "/nonexistent",
               "POSIXLY_CORRECT": "1", "SHELLOPTS": "noexec", "BASH_FUNC_cat%%": "() { echo hooked; }", "LD_BIND_NOW": "1", "LC_ALL": "tr_TR.UTF-8",
               "AWKPATH": "/nonexistent", "TZ": "Asia/Kathmandu"}
    before = parts(own)
    told = own.native("up", env=hostile)
    assert "ready" in told and "hooked" not in told and "changed" not in told
    assert parts(own) == before
    assert own.native("sql", "-N", "-e", "SELECT @@port, 42", env=hostile).split()[-1] == "42"
    assert "in force" in own.native("keys", env=hostile)
    own.native("status", env=hostile)
    secrets = tmp_path / "secrets"
    for command in ([str(TOP / "native" / "secrets"), str(secrets), "db"],
                    [str(TOP / "mysql" / "migrate")],
                    ["nginx/keys", str(own.var / "nginx")], ["nginx/certificate", str(own.var / "nginx")]):
        done = subprocess.run(command, cwd=TOP, env={"PATH": os.environ["PATH"] + ":/usr/sbin", **hostile, **own.db_environment()}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        assert done.returncode == 0 and "hooked" not in done.stdout, (command, done.stdout)


def test_a_certificate_near_its_end_or_past_it_is_told(own):
    """By up and by status; what clients refuse by the exit status, too."""
    certificate(own, ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], days=20)
    assert "expires on" in own.native("up")
    own.connect()
    assert "expires on" in own.native("status")
    cert, key = own.var / "secrets" / "tls.crt", own.var / "secrets" / "tls.key"
    # a day ago: by its date, or where OpenSSL has no such option, by a length that newer ones refuse
    assert any(subprocess.run(["openssl", "x509", "-in", str(cert), "-signkey", str(key), *ended, "-out", str(cert) + ".new"],
                              stderr=subprocess.DEVNULL).returncode == 0
               for ended in (["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"], ["-days", "-1"]))
    os.rename(str(cert) + ".new", cert)
    assert "expired on" in own.native("up")
    assert "expired on" in fails(own, "status")
    certificate(own, ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
    assert "expire" not in own.native("up")
    own.connect()
    assert "expire" not in own.native("status")


def test_logs_go_by_age_and_settings_of_prune_reach_it(new_stack):
    """LOYALTY_NGINX_ACCESS_LOG_KEEP_DAYS is of the programs' logs, too, also of one that logs nothing more."""
    def old_files(stack):
        folder = stack.var / "log" / "admin"
        folder.mkdir(parents=True)
        for name, days in (("@old.s", 3), ("@young.s", 1)):
            (folder / name).write_text("2026-11-20T00:00:00.000000Z info cgi-admin - a line\n")
            os.utime(folder / name, (time.time() - days * 86400, time.time() - days * 86400))

    stack = new_stack({"LOYALTY_NGINX_ACCESS_LOG_KEEP_DAYS": "2", "LOYALTY_PRUNE_SENT_D": "5"}, before=old_files)
    folder = stack.var / "log" / "admin"
    until(lambda: not (folder / "@old.s").exists(), 20)
    assert (folder / "@young.s").exists()
    assert (folder / "config").read_text().split() == ["s10000000", "n31", "t86400"]
    stack.drained()
    stack.stop("notifier")
    assert stack.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = 'SENT'") > 0
    stack.sql("UPDATE loyalty.outbox SET sent_at = sent_at - INTERVAL 6 DAY")
    stack.restart("prune")
    until(lambda: stack.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = 'SENT'") == 0, 20)
    assert "LOYALTY_PRUNE_SENT_D=x" in subprocess.run(
        ["env", "LOYALTY_PRUNE_SENT_D=x", str(TOP / "mysql" / "prune")], env={"PATH": os.environ["PATH"], **stack.db_environment()},
        capture_output=True, text=True).stderr
