"""loyalty-backup and loyalty-restore on servers that are somebody else's: under load, to a time, encrypted, on a full disk, cut off, interrupted"""

import datetime
import gzip
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pytest

from mariadbd import Server
from stack import OUTS, TOP, until

ROOM, USERS = uuid.uuid4().bytes, [uuid.uuid4().bytes for _ in range(3)]


@pytest.fixture(scope="module")
def logged():
    """A server with a binary log and other people's database; a room, guests."""
    with Server(log=True) as s:
        s.migrate("--demo")
        for i, user in enumerate(USERS):
            call(s, "admin", "user_put", user, f"Guest {i} Doe", "USER", None, None, None)
            call(s, "points", "points_adjust", user, 1000, "a start")
        call(s, "admin", "room_create", ROOM, "Zimmer ß 🏨", 100000, 1)
        yield s


@pytest.fixture(scope="module")
def plain():
    """One without, and an old system in it."""
    with Server(log=False) as s:
        s.migrate()
        call(s, "admin", "room_create", uuid.uuid4().bytes, "an old room", 1, 1)
        yield s


def call(server, account, procedure, *args, request="r"):
    """Have a procedure do what it is for, as its service does."""
    connection = server.service(account)
    with connection, connection.cursor() as c:
        do(c, procedure, request, *args)


def do(c, procedure, request, *args):
    c.callproc(f"loyalty.{procedure}", ("test", request, None, None, *args, *[None] * OUTS.get(procedure, 0)))
    row = c.fetchone()
    assert row is None or not isinstance(row[0], str), row  # a refusal
    while c.nextset():
        pass


class Load:
    """Three clients that adjust and reserve; of each call when it began, when it was answered, and its request id."""

    def __init__(self, server):
        self.server, self.done, self.over = server, [], threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(3)]

    def work(self, i):
        connections = {name: self.server.service(name) for name in ("points", "rooms")}
        n = 0
        while not self.over.is_set():
            n += 1
            request, began = f"load-{i}-{n}", time.time()
            with connections["points" if n % 2 else "rooms"].cursor() as c:
                if n % 2:
                    do(c, "points_adjust", request, USERS[0], 2, None)
                else:
                    do(c, "reservation_create", request, uuid.uuid4().bytes, ROOM, USERS[0])
            with self.server.lock:
                self.done.append((began, time.time(), request))
            time.sleep(0.003)
        for connection in connections.values():
            connection.close()

    def __enter__(self):
        self.server.lock = threading.Lock()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        for thread in self.threads:
            thread.join()


def requests(server):
    return {r for r, in server.sql("SELECT request_id FROM loyalty_history.points_history UNION SELECT request_id FROM loyalty_history.reservation_history")}


def names(server):
    return {bytes(id_): name for id_, name in server.sql("SELECT id, name FROM loyalty.user")}


def second():
    """The next full second, waited for."""
    at = int(time.time()) + 1
    time.sleep(at + 0.01 - time.time())
    return at


def until_option(at):
    return "--until", datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_backup_under_load_and_restore_to_a_time_here_and_elsewhere(logged, plain, tmp_path):
    """What was acknowledged before it is there, what began after it is not; who was erased, before or after, stays erased; others' data is not touched."""
    before, after = USERS[1], USERS[2]
    with Load(logged) as load:
        until(lambda: len(load.done) > 50)
        file, _ = logged.tool("loyalty-backup", "--to", tmp_path / "backups", "--keep", 2)
        backup_ended = time.time()
        logged.sql("INSERT INTO shop.sale (what) VALUES ('between')", "FLUSH BINARY LOGS", "CREATE TABLE shop.later (id INT)")
        # a migration is in the log, too: statements, accounts, rights
        logged.sql("UPDATE loyalty.schema_migration SET checksum = REPEAT('0', 64) WHERE step IN ('procs/ready.sql', 'triggers/room_history.sql')")
        assert "2 steps applied" in logged.tool("migrate")[1]
        n = len(load.done)
        until(lambda: len(load.done) > n + 50)
        call(logged, "admin", "user_erase", before, "by letter")
        at = second()
        time.sleep(0.5)
        call(logged, "admin", "user_erase", after, "by letter")
        logged.sql("INSERT INTO shop.sale (what) VALUES ('after')")
        n = len(load.done)
        until(lambda: len(load.done) > n + 50)
        end = second()
    shop = logged.sql("SELECT * FROM shop.sale")
    logged.sql("DROP TABLE loyalty.reservation")  # the accident
    copies = tmp_path / "log"
    copies.mkdir()
    for copy in logged.data.glob("here-bin.0*"):
        shutil.copy(copy, copies)
    early = {r for _, e, r in load.done if e < at}
    late = {r for b, _, r in load.done if b >= at + 0.001}
    assert len(early) > 100 and len(late) > 40 and {r for b, e, r in load.done if e < backup_ended} < early

    def holds(server):
        found = requests(server)
        assert early <= found and not late & found
        assert {names(server)[before], names(server)[after]} == {"Erased"} and names(server)[USERS[0]] == "Guest 0 Doe"
        assert server.value("SELECT COUNT(*) FROM loyalty.room WHERE name = 'an old room'") == 0
        assert server.value("SELECT COUNT(*) FROM loyalty_history.user_history WHERE to_name LIKE 'Guest 2%%' OR from_name LIKE 'Guest 2%%'", ()) == 0
        call(server, "points", "points_adjust", USERS[0], 1, "it works")

    # on another server, which has no log, from copies
    others = plain.sql("SELECT * FROM shop.sale")
    _, told = plain.tool("loyalty-restore", *until_option(at), "--log", copies, "--keep-in", tmp_path / "kept", file)
    assert "audit finds no fault" in told and "what was there is kept" in told, told
    holds(plain)
    assert plain.sql("SELECT * FROM shop.sale") == others
    assert plain.value("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'") == 1
    # to the end: before that all that was acknowledged
    _, told = plain.tool("loyalty-restore", *until_option(end), "--log", copies, "--keep-in", tmp_path / "kept", file)
    assert {r for _, e, r in load.done if e < end} <= requests(plain) and late & requests(plain), told
    # and on its own, from its own log, where a table is gone: there is nothing whole to keep
    code, told = logged.tool("loyalty-restore", *until_option(at), "--keep-in", tmp_path / "kept", file, check=False)
    assert code == 1 and "--no-copy" in told and "nothing was changed" in told, told
    logged.tool("loyalty-restore", *until_option(at), "--no-copy", "--keep-in", tmp_path / "kept", file)
    assert logged.sql("SELECT * FROM shop.sale") == shop
    holds(logged)


def test_what_cannot_be_restored_is_refused_before_anything_is_changed(logged, plain, tmp_path):
    file = Path(logged.tool("loyalty-backup", "--to", tmp_path)[0])
    whole = gzip.decompress(file.read_bytes())
    version = int((TOP / "mysql" / "COMPATIBILITY").read_text())
    newer = whole.replace(b"(1,%d)" % version, b"(1,1000)")
    bad = {
        "cut.gz": file.read_bytes()[:-1000], "half.sql": whole[:len(whole) // 2], "line.sql": whole[:whole.rindex(b"-- loyalty-backup:")], "empty": b"",
        "changed.sql": whole.replace(b"Zimmer", b"Timmer"), "hex.sql": whole.replace(b"a start", b"b start"), "noise": os.urandom(5000), "foreign.sql": b"-- a dump\nCREATE TABLE x (id INT);\n-- Dump completed\n",
        "newer.sql": newer, "format.sql": whole.replace(b"Loyalty backup 1", b"Loyalty backup 2"),
    }
    state = plain.everything()
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        for option in ("--check", "--no-services"):
            code, told = plain.tool("loyalty-restore", option, "--keep-in", tmp_path / "kept", tmp_path / name, check=False)
            assert code == 1 and "nothing was changed" in told and str(tmp_path) in told, (name, told)
    shown = plain.tool("loyalty-restore", "--check", file)[0]
    assert f"schema: {version}" in shown and "binary log: on" in shown and "db-rooms" in shown and "console" in shown
    # the log: of another server, missing, of a time before the backup
    for options, word in (((*until_option(time.time() + 9), file), "--log FOLDER"), (("--to-end", "--log", tmp_path, file), "has no here-bin"),
                          (("--until", "2001-01-01", file), "older one"), (("--until", "soon", file), "is no time")):
        code, told = plain.tool("loyalty-restore", "--keep-in", tmp_path / "kept", *options, check=False)
        assert code != 0 and word in told, told
    without = plain.tool("loyalty-backup", "--to", tmp_path / "plain")[0]
    code, told = plain.tool("loyalty-restore", "--to-end", "--keep-in", tmp_path / "kept", without, check=False)
    assert code == 1 and "had none" in told, told
    with plain.service("admin"):
        code, told = plain.tool("loyalty-restore", "--keep-in", tmp_path / "kept", file, check=False)
        assert code == 1 and "loyalty_admin" in told and "nothing was changed" in told, told
    assert plain.everything() == state


def test_a_session_that_holds_a_lock_is_named_and_nothing_is_changed(logged, plain, tmp_path):
    """A transaction somebody has left open: the restore would stop amid the way, or wait for as long as it lasts."""
    file = logged.tool("loyalty-backup", "--to", tmp_path)[0]
    rooms = plain.sql("SELECT * FROM loyalty.room")
    with plain.connect() as holder, holder.cursor() as c:
        c.execute("START TRANSACTION")
        c.execute("SELECT COUNT(*) FROM loyalty_history.points_history")
        code, told = plain.tool("loyalty-restore", "--no-services", "--keep-in", tmp_path / "kept", file, check=False)
        assert code == 1 and f"KILL {holder.thread_id()}" in told and told.strip().endswith("nothing was changed"), told
        assert plain.sql("SELECT * FROM loyalty.room") == rooms
        assert not plain.sql("SHOW DATABASES LIKE 'loyalty\\_restoring'")


def test_secrets_go_into_encrypted_backups_only_and_come_back(logged, plain, tmp_path):
    words = [f.read_text().split()[0] for f in logged.secrets.iterdir() if f.suffix not in (".crt", ".key")]
    open_, _ = logged.tool("loyalty-backup", "--to", tmp_path / "open")
    text = gzip.decompress(Path(open_).read_bytes()).decode("utf-8", "replace")
    assert not [w for w in words if w in text]
    code, told = logged.tool("loyalty-backup", "--to", tmp_path / "open", "--with-secrets", check=False)
    assert code == 2 and "encrypted" in told

    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--batch", "--quiet", "--homedir", str(home)]
    subprocess.run([*gpg, "--passphrase", "", "--quick-generate-key", "backup@example.org", "default", "default", "never"], check=True)
    (tmp_path / "public").write_bytes(subprocess.run([*gpg, "--export", "backup@example.org"], check=True, capture_output=True).stdout)
    (tmp_path / "secret").write_bytes(subprocess.run([*gpg, "--export-secret-keys", "backup@example.org"], check=True, capture_output=True).stdout)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    subprocess.run(["age-keygen", "-o", str(tmp_path / "identity")], check=True, capture_output=True)
    (tmp_path / "recipients").write_bytes(subprocess.run(["age-keygen", "-y", str(tmp_path / "identity")], check=True, capture_output=True).stdout)
    for option, key, identity in (("--gpg", "public", "secret"), ("--age", "recipients", "identity")):
        file, _ = logged.tool("loyalty-backup", "--to", tmp_path / "closed", option, tmp_path / key, "--with-secrets")
        data = Path(file).read_bytes()
        assert b"Loyalty backup" not in data and file.endswith(option.replace("--", "."))
        state = plain.everything()
        cut = tmp_path / "cut"
        cut.write_bytes(data[:-2000])
        code, told = plain.tool("loyalty-restore", "--identity", tmp_path / identity, "--keep-in", tmp_path / "kept", cut, check=False)
        assert code == 1 and "nothing was changed" in told, told
        assert plain.everything() == state
        to = tmp_path / f"secrets{option}"
        plain.tool("loyalty-restore", "--identity", tmp_path / identity, "--secrets-to", to, "--keep-in", tmp_path / "kept", file)
        assert {f.name: f.read_bytes() for f in to.iterdir()} == {f.name: f.read_bytes() for f in logged.secrets.iterdir()}
        assert names(plain) == names(logged)
        time.sleep(1)


def test_a_full_disk_and_a_kill_leave_the_old_backup(logged, tmp_path):
    """The folder is a small tmpfs, in a mount namespace of its own; in a container that may not mount, the small file system that is there already."""
    small = tmp_path / "small"
    small.mkdir()
    wrap = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-U", "--map-current-user", "--keep-caps", "-m"]
    mount = f'mount -t tmpfs -o size=3m tmpfs "{small}"'
    if subprocess.run([*wrap, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        assert shutil.disk_usage("/dev/shm").total <= 1 << 30, "no namespaces, and /dev/shm is too large to be filled"
        wrap, mount, small = [], "true", Path(tempfile.mkdtemp(prefix="ly-", dir="/dev/shm"))
    script = f'''{mount} && "$0" --to "{small}" --keep 1 && {{ cat /dev/zero >"{small}/filler" 2>/dev/null || :; }} &&
        ! "$0" --to "{small}" --keep 1 && rm "{small}/filler" && ls -A "{small}" && "$1" --check "{small}"/loyalty-*'''
    try:
        done = subprocess.run([*wrap, "bash", "-c", script, str(TOP / "mysql" / "loyalty-backup"), str(TOP / "mysql" / "loyalty-restore")],
                              env=logged.environment(), capture_output=True, text=True, timeout=60)
    finally:
        shutil.rmtree(small)
    assert done.returncode == 0 and "older ones are as they were" in done.stderr and "No space left" in done.stderr, done.stderr
    assert done.stdout.splitlines()[1] == ".lock" and len(done.stdout.splitlines()[2:]) > 1, done.stdout

    first = logged.tool("loyalty-backup", "--to", tmp_path / "kept")[0]
    process = subprocess.Popen([str(TOP / "mysql" / "loyalty-backup"), "--to", str(tmp_path / "kept"), "--keep", "1"], env=logged.environment(), start_new_session=True)
    until(lambda: list((tmp_path / "kept").glob(".loyalty-*/loyalty-*")), 20, 0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert [str(f) for f in (tmp_path / "kept").glob("loyalty-*")] == [first]
    second_ = logged.tool("loyalty-backup", "--to", tmp_path / "kept", "--keep", 1)[0]
    assert sorted(f.name for f in (tmp_path / "kept").iterdir()) == [".lock", Path(second_).name]


def test_an_interrupted_restore_is_completed_by_the_next(logged, plain, tmp_path):
    """Killed while the dump is loaded: programs and migration refuse what is there; who was erased is remembered."""
    file = logged.tool("loyalty-backup", "--to", tmp_path)[0]
    plain.tool("loyalty-restore", "--keep-in", tmp_path / "kept", file)
    gone = uuid.uuid4().bytes
    call(plain, "admin", "user_put", gone, "Guest gone Doe", "USER", None, None, None)
    mine = plain.tool("loyalty-backup", "--to", tmp_path / "mine")[0]
    call(plain, "admin", "user_erase", gone, "by letter")
    process = subprocess.Popen([str(TOP / "mysql" / "loyalty-restore"), "--keep-in", str(tmp_path / "kept"), mine], env=plain.environment(), start_new_session=True,
                               stderr=subprocess.DEVNULL)
    until(lambda: plain.sql("SHOW DATABASES LIKE 'loyalty_restoring'"), 60, 0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not plain.sql("SELECT 1 FROM information_schema.processlist WHERE info LIKE '%%loyalty%%' AND id <> CONNECTION_ID()"), 10)
    code, told = plain.tool("migrate", check=False)
    assert code == 3 and "restore was interrupted" in told, told
    copies = sorted((tmp_path / "kept").glob("before-restore-*.sql"))
    _, told = plain.tool("loyalty-restore", "--keep-in", tmp_path / "kept", mine)
    assert names(plain)[gone] == "Erased", told
    assert sorted((tmp_path / "kept").glob("before-restore-*.sql")) == copies and not list((tmp_path / "kept").glob(".restore-*.work"))
    assert not (tmp_path / "kept" / "restore.erasures").exists()


def test_a_damaged_table_does_not_keep_a_restore_off(logged, plain, tmp_path):
    """It cannot be locked, so nobody can be seen to hold it; it is about to be replaced."""
    file = logged.tool("loyalty-backup", "--to", tmp_path)[0]
    plain.sql("FLUSH TABLES")
    with open(plain.data / "loyalty" / "feed_seen.frm", "r+b") as f:
        f.write(b"x" * 2000)
    told = plain.tool("loyalty-restore", "--no-services", "--no-copy", "--keep-in", tmp_path / "kept", file)[1]
    assert "a table is damaged" in told and "no fault" in told, told
    assert names(plain) == names(logged)
