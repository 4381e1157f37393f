"""A file system of its own is full, of bytes or of inodes: that of the logs, of sockets and pids, of nginx's and of the database's temporary files"""

import os
import signal
import time

import pytest

from filler import MB, fill_bytes, fill_inodes
from invariants import mails_went
from stack import until

pytestmark = pytest.mark.root

INODES = 3000
FOLDERS = {"log": 24 * MB, "run": 8 * MB, "nginx/tmp": 8 * MB, "db-tmp": 8 * MB}


@pytest.fixture(scope="module")
def parted(make_stack):
    """Each of the folders is a small tmpfs, seen by the programs alone: they live in a mount namespace of their own, which goes with them."""
    class Parted(make_stack):
        def seen(self, name):
            """The folder as the programs see it."""
            return f"/proc/{self.pids('nginx')[0]}/root{self.var}/{name}"

        @property
        def db_socket(self):
            return self.seen("run/db.sock") if self.prefix[0] == "nsenter" else super().db_socket

    s = Parted()
    mounts = " && ".join(f'mkdir -p "{s.var}/{name}" && mount -t tmpfs -o size={size},nr_inodes={INODES},mode=711 tmpfs "{s.var}/{name}"'
                         for name, size in FOLDERS.items())
    s.prefix = ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    with s:
        s.prefix = ["nsenter", f"--mount=/proc/{s.pids('nginx')[0]}/ns/mnt"]
        yield s
        s.ready(60)
        s.check_invariants()


def free(folder):
    for n in os.listdir(f"{folder}/filler.d") if os.path.exists(f"{folder}/filler.d") else ():
        os.unlink(f"{folder}/filler.d/{n}")
    for remove, name in (os.rmdir, "filler.d"), (os.unlink, "filler"):
        if os.path.exists(f"{folder}/{name}"):
            remove(f"{folder}/{name}")


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("what", ["bytes", "inodes"])
def test_clients_do_not_notice_a_full_file_system(parted, name, what):
    """Nor does whoever is killed meanwhile stay away when there is room again."""
    room, user = parted.room(total=1000, price=1), parted.user(points=1000)
    folder = parted.seen(name)
    if what == "bytes":
        fill_bytes(folder)
    else:
        fill_inodes(folder, INODES + 1)
    try:
        for n in range(30):
            a = parted.reserve(room, user, idem=f"{name}{what}{n}")
            assert a.status == 201, a
            assert parted.api.get("/v1/rooms?limit=200").status == 200
            assert parted.api.get("/v1/admin/users?sort=-bonus_points", key="restricted").status == 200
        assert parted.api.get("/v1/admin/metrics", key="restricted").status == 200
        for program in "rooms", "notifier":
            for pid in parted.all_pids(program):  # what makes the socket and writes the log, too
                os.kill(pid, signal.SIGKILL)
        time.sleep(2)
        if (name, what) == ("run", "inodes"):
            assert "rooms is not running" in parted.native("pid", "rooms", check=False), "a socket was made where there is no inode"
    finally:
        free(folder)
    parted.ready(30)
    until(lambda: "not running" not in parted.native("pid", "notifier", check=False), 30)
    assert parted.available(room) == 970 and parted.balance(user) == 970
    assert parted.reserve(room, user).status == 201
    mails_went(parted, 60)
