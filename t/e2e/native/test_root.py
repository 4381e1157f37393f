"""Started by root, each part runs as a user of its own (make check-root)."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from stack import NATIVE, PARTS as TABLE, until

pytestmark = pytest.mark.root

PARTS = [name for name in TABLE if name != "nginx"]


def uid(pid):
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid:")).split()[2])


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_every_part_runs_as_a_user_of_its_own(stack):
    users = {name: {uid(p) for p in stack.pids(name)} for name in PARTS}
    [master] = stack.pids("nginx")
    users["nginx"] = {uid(p) for p in children(master)}
    for name in PARTS:
        users[name] |= {uid(p) for p, comm in stack.all_pids(name).items() if comm not in ("runsv", "svlogd")}
    logs = {uid(p) for name in (*PARTS, "nginx") for p, comm in stack.all_pids(name).items() if comm == "svlogd"}
    assert all(len(found) == 1 and 0 not in found for found in [*users.values(), logs]), (users, logs)
    assert len(set().union(*users.values())) == len(users) and not logs & set().union(*users.values()), users


def as_user_of(stack, name, *command):
    """Run a command as a part's own user."""
    number = uid(stack.pids(name)[0])

    def become():
        os.setgroups([])
        os.setgid(number)
        os.setuid(number)

    return subprocess.run(command, preexec_fn=become, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)


def test_secrets_are_read_by_their_own_part_alone(stack):
    """Nobody else of this machine may read any; no part reads another's, or writes where its programs are."""
    for folder in (stack.var / "secrets", stack.var / "private"):
        for file in folder.rglob("*") if folder.exists() else []:
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 or file.suffix == ".crt" or file.is_dir(), file
    mine = {name: [f for f in (stack.var / "private" / name).glob("*")] for name in PARTS if (stack.var / "private" / name).exists()}
    assert mine
    for name in mine:
        for other, files in mine.items():
            for file in files:
                assert (as_user_of(stack, name, "cat", str(file)).returncode == 0) == (name == other), (name, file)
        for closed in ("secrets/api-key-restricted", "secrets/tls.key", "secrets/db-admin", "nginx/keys.map", "db/ibdata1", "env", "settings",
                       "log/rooms/current", "log/nginx/access.log"):
            assert "ermission denied" in as_user_of(stack, name, "cat", str(stack.var / closed)).stdout, (name, closed)
        for kept in ("programs/cgi-rooms", "db.cnf", "run/rooms.sock", "service/rooms/run"):
            assert as_user_of(stack, name, "test", "-w", str(stack.var / kept)).returncode != 0 or (kept == "run/rooms.sock" and name == "rooms"), (name, kept)


def test_nginx_writes_on_in_a_new_access_log(stack):
    """Its workers too, once the log was moved aside; also where who moved it could not tell them any more."""
    log = stack.var / "log/nginx/access.log"
    a = stack.api.get("/v1/rooms?limit=1")
    stack.access_log(a.request_id)
    log.rename(f"{log}.aside")
    until(log.exists, 15)
    a = stack.api.get("/v1/rooms?limit=1")
    until(lambda: a.request_id in log.read_text(), 5)
    assert "ermission denied" not in stack.log("nginx")


def test_a_link_in_the_logs_leads_root_nowhere(stack, tmp_path):
    """Whoever has svlogd's user has these folders, and nothing else."""
    aim = tmp_path / "aim"
    aim.write_text("mine")
    config = stack.var / "log/rooms/config"
    assert config.stat().st_uid == (stack.var / "log/rooms").stat().st_uid != 0
    config.unlink()
    config.symlink_to(aim)
    stack.native("up", timeout=300)
    assert aim.read_text() == "mine"
    config.unlink()


def places():
    return set(Path("/var/lib").glob("loyalty.??????"))


def test_a_folder_below_one_that_is_closed_to_others_works(make_stack, tmp_path):
    """As root's home is: the system starts, and what was written down there beforehand is taken along; once, by two `up` too."""
    before = places()
    second = []
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    def move(s):
        os.rename(s.var, closed / "var")
        s.var = closed / "var"
        second.append(subprocess.Popen([str(NATIVE), "up"], env=s.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    with make_stack({"LOYALTY_CONSOLE_WORKERS": "3"}, before=move) as s:
        assert second[0].wait(200) == 0
        assert s.api.get("/v1/rooms").status == 200
        s.native("status")
        assert "up" in s.native("status")
        assert "LOYALTY_CONSOLE_WORKERS=3" in (s.var / "env").read_text()
        assert s.var.is_symlink()
        place = s.var.resolve()
        assert places() - before == {place}
        # the move's last step was missing: it is made up for, and no other system is begun in the same place
        s.close_db()
        s.native("down")
        s.var.rename(closed / "var.link")
        s.native("up")
        assert s.var.resolve() == place and not (closed / "var.link").exists()
        s.close_db()
        assert s.native("down") == ""
    assert place != closed / "var"
    subprocess.run(["rm", "-rf", str(place)], check=True)
