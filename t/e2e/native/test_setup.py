"""loyalty-setup on servers that have other databases: twice, dry, over TLS, interrupted, and what it refuses"""

import os
import re
import signal
import subprocess
import time

import pymysql
import pytest

from mariadbd import ME, Server
from stack import TOP, until

SETUP = str(TOP / "setup" / "loyalty-setup")
COMMENTED = "# Where the database is\n#LOYALTY_DB_HOSTS=/run/mysqld/mysqld.sock\n# the end\n"


@pytest.fixture
def etc(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "database.conf").write_text(COMMENTED)
    return folder


def set_up(etc, *args, check=True, **env):
    """(exit status, what it tells)"""
    done = subprocess.run([SETUP, "--parts", "db", *map(str, args)], env={"PATH": os.environ["PATH"], "LOYALTY_ETC": str(etc), **env}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
    assert not check or done.returncode == 0, done.stdout
    return done.returncode, done.stdout


def local(server):
    return "--database", server.socket, "--admin", ME


def tree(folder):
    return {str(f.relative_to(folder)): (f.stat().st_mode, f.stat().st_mtime_ns, f.read_bytes() if f.is_file() else b"") for f in sorted(folder.rglob("*"))}


def state(server):
    """All of the server, but for the times at which passwords and rights were given."""
    return re.sub(rb"password_last_changed\\*\":\d+|'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d'", b"", server.everything())


def same(one, other):
    """Two of (state, tree): nothing was changed."""
    lines = [set(x[0].splitlines()) for x in (one, other)]
    assert not lines[0] ^ lines[1], [line[:2000] for line in lines[0] ^ lines[1]]
    assert one[1] == other[1]


def works(server, etc):
    server.secrets = etc / "secrets"
    for name in ("rooms", "points", "admin", "notifier", "prune"):
        with server.service(name) as connection, connection.cursor() as c:
            c.execute("SELECT 1" if name != "admin" else "CALL loyalty.audit(1)")
            assert c.fetchall()
    assert server.value("SELECT version FROM loyalty.schema_info") == int((TOP / "mysql" / "COMPATIBILITY").read_text())


def test_set_up_twice_beside_another_database_and_dry_before(etc):
    with Server(log=True) as server:
        shop, accounts = server.sql("SELECT * FROM shop.sale"), server.sql("SELECT Host, User, Priv FROM mysql.global_priv")
        before = state(server), tree(etc)
        _, told = set_up(etc, *local(server), "--demo", "--dry-run")
        assert "would make the databases" in told and "would set LOYALTY_DB_HOSTS" in told and "nothing was changed" in told, told
        same((state(server), tree(etc)), before)
        _, told = set_up(etc, *local(server), "--demo")
        assert "steps applied" in told and "done" in told, told
        works(server, etc)
        assert server.value("SELECT COUNT(*) FROM loyalty.room") >= 13
        assert (etc / "database.conf").read_text() == COMMENTED.replace("\n# the end", f"\nLOYALTY_DB_HOSTS={server.socket}\n# the end")
        assert (etc / "secrets").stat().st_mode & 0o777 == 0o700 and (etc / "administrator.conf").stat().st_mode & 0o777 == 0o600
        after = state(server), tree(etc)
        for args in (("--dry-run",), (), (*local(server), "--demo")):
            _, told = set_up(etc, *args)
            assert "nothing to do" in told, told
            same((state(server), tree(etc)), after)
        assert server.sql("SELECT * FROM shop.sale") == shop and set(accounts) <= set(server.sql("SELECT Host, User, Priv FROM mysql.global_priv"))

        # an older set of programs, and a newer schema
        version = server.value("SELECT version FROM loyalty.schema_info")
        server.sql("UPDATE loyalty.schema_info SET version = 1000")
        code, told = set_up(etc, check=False)
        assert code == 1 and "schema version 1000" in told and "install newer ones, or restore a backup of before" in told, told
        server.sql(f"UPDATE loyalty.schema_info SET version = {version}")


def test_another_host_over_tls_with_an_administrators_password(etc, tmp_path):
    with Server(log=False, tls=True) as server, Server(log=False, tls=True) as other:
        server.sql("CREATE USER 'dba'@'127.0.0.1' IDENTIFIED BY 'a-long-Word-1' REQUIRE SSL", "GRANT ALL ON *.* TO 'dba'@'127.0.0.1' WITH GRANT OPTION")
        password = tmp_path / "password"
        password.write_text("a-long-Word-1\n")
        password.chmod(0o644)
        where = ("--database", f"127.0.0.1:{server.port}", "--admin", "dba", "--admin-password-file", password)
        before = state(server), tree(etc)
        code, told = set_up(etc, *where, "--database-ca", server.ca, check=False)
        assert code == 1 and "chmod 600" in told
        password.chmod(0o600)
        code, told = set_up(etc, *where, "--database-ca", other.ca, check=False)
        assert code == 1 and "certificate" in told.lower() and "--database-ca" in told, told
        code, told = set_up(etc, *where[:2], "--admin", "nobody", "--admin-password-file", password, "--database-ca", server.ca, check=False)
        assert code == 1 and "Access denied" in told and "--admin" in told, told
        same((state(server), tree(etc)), before)
        set_up(etc, *where, "--database-ca", server.ca)
        secret = (etc / "secrets" / "db-points").read_text().strip()
        connection = pymysql.connect(host="127.0.0.1", port=server.port, ssl={"ca": server.ca}, user="loyalty_points", password=secret)
        with connection, connection.cursor() as c:
            c.execute("SELECT CURRENT_USER()")
            assert c.fetchone() == ("loyalty_points@%",)
        assert "nothing to do" in set_up(etc)[1]


def test_whatever_it_was_killed_at_the_next_run_completes_it(etc, tmp_path):
    with Server(log=False) as server:
        started = time.monotonic()
        set_up(etc, *local(server), "--demo")
        whole = time.monotonic() - started
        reference = {name: mode for name, (mode, *_) in tree(etc).items()}
        for i in range(4):
            server.sql("DROP DATABASE loyalty", "DROP DATABASE loyalty_history", *(f"DROP USER '{u}'@'{h}'" for u, h in server.sql("SELECT User, Host FROM mysql.global_priv WHERE User LIKE 'loyalty%%'", args=())))
            again = tmp_path / f"etc-{i}"
            again.mkdir()
            (again / "database.conf").write_text(COMMENTED)
            process = subprocess.Popen([SETUP, "--parts", "db", *local(server), "--demo"], env={"PATH": os.environ["PATH"], "LOYALTY_ETC": str(again)}, start_new_session=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(whole * (i + 0.5) / 4)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            until(lambda: server.value("SELECT IS_FREE_LOCK('loyalty_migrate')") == 1, 10)
            set_up(again, *local(server), "--demo")
            assert {name: mode for name, (mode, *_) in tree(again).items() if not name.startswith("secrets/.")} == reference, i
            works(server, again)
            assert server.value("SELECT COUNT(*) FROM loyalty.room") == 13, i
            assert "nothing to do" in set_up(again)[1]


def test_refusals_name_the_cause_and_the_way_out(etc, tmp_path):
    with Server(log=False) as server:
        server.sql("CREATE DATABASE loyalty", "CREATE TABLE loyalty.cards (id INT)")
        before = state(server), tree(etc)
        for args, words in (
                ((*local(server),), ("has a database loyalty already", "another server")), (("--database", tmp_path / "none", "--admin", ME), ("none", "--database")),
                ((*local(server), "--certificate", "x"), ("belong together",)), ((*local(server), "--nome", "x"), ("--nome", "--help")),
                ((*local(server), "--secrets", tmp_path / "none"), ("no such folder",)), ((*local(server), "--port", "x"), ("--port x",)),
                ((*local(server), "--parts", "rooms"), ("loyalty-rooms",)), ((*local(server), "--parts", "bar"), ("db rooms points",))):
            code, told = set_up(etc, *args, check=False)
            assert code in (1, 2) and all(w in told for w in words) and "Traceback" not in told, told
        same((state(server), tree(etc)), before)
        assert "loyalty-common" in set_up(tmp_path / "missing", check=False)[1]

        # secrets of an older system are taken over, and stay
        server.sql("DROP DATABASE loyalty")
        old = tmp_path / "old"
        subprocess.run([str(TOP / "native" / "secrets"), str(old)], check=True, capture_output=True)
        (old / "db-rooms").chmod(0o600)
        (old / "db-rooms").write_text("as-it-Was-1\n")
        (old / "api-key-public").write_text("first-key-of-before\nsecond-key-of-before\n")
        (old / "db-prune").unlink()
        set_up(etc, *local(server), "--secrets", old)
        for file in old.iterdir():
            assert (etc / "secrets" / file.name).read_bytes() == file.read_bytes()
        works(server, etc)


def test_a_self_signed_certificate_has_the_name(tmp_path):
    """And keeps it when it is renewed."""
    for expected in ("made", "renewed"):
        told = subprocess.run([str(TOP / "native" / "secrets"), str(tmp_path / "s")], check=True, capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"], **({"LOYALTY_TLS_NAME": "loyalty.example.org"} if expected == "made" else {})}).stdout
        assert "tls.crt" in told, expected
        names = subprocess.run(["openssl", "x509", "-in", str(tmp_path / "s" / "tls.crt"), "-noout", "-ext", "subjectAltName", "-enddate"], check=True, capture_output=True, text=True).stdout
        assert "DNS:loyalty.example.org" in names and "DNS:localhost" in names and "127.0.0.1" in names and "0:0:0:0:0:0:0:1" in names
        if expected == "made":  # one that ends soon
            key, crt = tmp_path / "s" / "tls.key", tmp_path / "s" / "tls.crt"
            subprocess.run(["openssl", "req", "-x509", "-new", "-key", str(key), "-days", "9", "-out", str(crt), "-subj", "/CN=localhost/O=Loyalty, self-signed by native\\/secrets",
                            "-addext", "subjectAltName=DNS:localhost,DNS:nginx,DNS:loyalty.example.org,IP:127.0.0.1,IP:::1"], check=True, capture_output=True)
