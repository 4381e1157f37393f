"""E089: the database's disk is full"""

import os
import shutil
import subprocess
import tempfile
import time

import pytest

import byhand
from filler import MB, fill_bytes
from invariants import mails_went
from mysqld import MySQLServer
from stack import until


@pytest.fixture(scope="module")
def small(make_stack):
    """The database's files on a small tmpfs, seen by the database alone: it lives in a mount namespace of its own, which goes with it."""
    s = make_stack()
    s.data = ("--tmpfs", f"/var/lib/mysql:size={320 * MB},uid=999,gid=999,mode=0750")
    with s:
        if isinstance(s, MySQLServer):
            s.disk = f"/proc/{s.pids('db')[0]}/root/var/lib/mysql"
            yield s
            return
        s.stop("db")
        used = sum(max(f.stat().st_blocks * 512, f.stat().st_size) for f in (s.var / "db").rglob("*") if f.is_file())
        size = used + 24 * MB
        wrap = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-U", "--map-current-user", "--keep-caps", "-m"]
        if subprocess.run([*wrap, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            script = (f'mkdir -p "{s.var}/small" && mount -t tmpfs -o size={size},mode=700 tmpfs "{s.var}/small" && cp -a --sparse=never "{s.var}/db/." "{s.var}/small/"'
                      f' && mount --bind "{s.var}/small" "{s.var}/db" && exec "$@"')
            part = byhand.database(s, [*wrap, "sh", "-c", script, "sh"])
            s.disk = f"/proc/{part.process.pid}/root{s.var}/small"
            assert os.path.isdir(s.disk + "/loyalty") and not os.path.exists(f"{s.var}/small/loyalty")
        else:
            # In a container that may not mount: a small file system that is there already.
            assert shutil.disk_usage("/dev/shm").total <= 1024 * MB, "no namespaces, and /dev/shm is too large to be filled"
            s.disk = tempfile.mkdtemp(prefix="ly-", dir="/dev/shm")
            script = (f'cp -a --sparse=never "{s.var}/db/." "{s.disk}/" && mv "{s.var}/db" "{s.var}/db.away" && ln -s "{s.disk}" "{s.var}/db"'
                      f' && exec "$@"')
            part = byhand.database(s, ["sh", "-c", script, "sh"])
        try:
            s.ready()
            yield s
        finally:
            part.end()
            if s.disk.startswith("/dev/shm/"):
                shutil.rmtree(s.disk)


def test_E089_disk_full_is_503_nothing_is_half_written_and_it_heals(small):
    room, user = small.room(total=1000000, price=1), small.user(points=1000000)
    fill_bytes(small.disk)
    refused = {}
    started = time.monotonic()

    def write(i):  # long reasons fill pages soon
        return small.adjust(user, 1, reason="🛏" * 200, idem=f"full{i}") if i % 4 else small.reserve(room, user, idem=f"full{i}")

    for i in range(6000):
        a = write(i)
        if a.status == 503:
            a.is_problem(503, "unavailable")
            refused[i] = a
            if len(refused) == 10:
                break
        else:
            assert a.status == 201, a
        assert time.monotonic() - started < 100
    assert refused, f"never full: {i} writes"
    # reads go on, or say so; nothing hangs
    began = time.monotonic()
    assert small.api.get(f"/v1/users/{user.id}/points").status in (200, 503)
    assert small.api.get("/healthz", key=None).status == 200
    assert time.monotonic() - began < 10
    os.unlink(small.disk + "/filler")
    small.ready(90)  # MySQL looks once a minute whether its binary log may go on
    # What was refused was not done, or the client was told that nobody knows: a retry does it, and it is done once.
    for n, first in refused.items():
        a = until(lambda: (lambda a: a if a.status == 201 else None)(write(n)), 90, 0.5)
        assert not a.replayed or "outcome is unknown" in first.json["detail"].lower(), first
    reserved = i // 4 + 1
    adjusted = i + 1 - reserved
    assert small.balance(user) == 1000000 + adjusted - reserved
    assert len(small.reservations(user=user)) == reserved and small.available(room) == 1000000 - reserved
    small.check_invariants()
    mails_went(small, 60)
