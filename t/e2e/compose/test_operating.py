"""What docs/operating/containers.md says an operator can do"""

import os
import shutil
import subprocess

import pytest

from client import link_next
from composed import docker
from stack import TOP, until


def restore(target, dump, *args):
    """compose/restore of these bytes: (exit status, what it told)."""
    done = subprocess.run([str(TOP / "compose" / "restore"), *args], cwd=TOP, env=target.environment(), input=dump, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=240)
    target.api.drop()
    target.close_db()
    return done.returncode, done.stdout.decode()


@pytest.fixture
def backup(stack):
    """(its bytes, what there was, a reservation that is in it, another one that is not)."""
    room, user = stack.room(total=3, price=10), stack.user(points=100)
    kept = stack.reserve(room, user).json["id"]
    stack.drained()
    dump = subprocess.run([str(TOP / "compose" / "backup")], cwd=TOP, env=stack.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          timeout=120).stdout
    before = {k: v for k, v in stack.snapshot(delivery=True).items() if not k.endswith(("schema_migration", ".feed"))}
    return dump, before, kept, stack.reserve(room, user).json["id"]


def is_as_before(target, before, kept, later):
    target.ready()
    assert {k: v for k, v in target.snapshot(delivery=True).items() if not k.endswith(("schema_migration", ".feed"))} == before
    assert target.api.get(f"/v1/reservations/{kept}").status == 200
    assert target.api.get(f"/v1/reservations/{later}").status == 404
    assert target.reserve(target.room(), target.user()).status == 201
    assert target.api.get("/v1/admin/audit", key="restricted").json["ok"] is True


def test_backup_is_restored(stack, backup):
    dump, before, kept, later = backup
    status, told = restore(stack, dump[:-1000])
    assert status == 1 and "nothing was changed" in told and stack.api.get(f"/v1/reservations/{later}").status == 200
    follower = link_next(stack.api.get("/v1/admin/events", key="restricted"))
    stack.journal.clear()  # what was told after the backup is gone, as it should be
    status, told = restore(stack, dump)
    assert status == 0, told
    is_as_before(stack, before, kept, later)
    assert stack.api.get(follower, key="restricted").is_problem(400, "validation").pointers == ["?cursor"], "it had followed what is gone"


def test_who_was_erased_after_the_backup_is_erased_after_the_restore(stack, tmp_path):
    room, users = stack.room(total=3, price=10), [stack.user(points=100, name=f"Guest {i} Doe") for i in range(3)]
    made = stack.reserve(room, users[0]).json["id"]
    stack.drained()
    dump = subprocess.run([str(TOP / "compose" / "backup")], cwd=TOP, env=stack.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          timeout=120).stdout
    stack.release(made)
    assert stack.api.post(f"/v1/admin/users/{users[0].id}/erase", {"reason": "x"}, key="restricted").status == 200
    given = tmp_path / "given"
    given.write_text(f"2026-11-29T10:00:00.000000Z {users[1].id} by-hand\n")
    status, told = restore(stack, dump[:-1000], "--erasures", str(given))
    assert status == 1 and "nothing was changed" in told and not (TOP / "restore.erasures").exists()
    stack.journal.clear()
    status, told = restore(stack, dump, "--erasures", str(given))
    assert status == 0 and "2 guests erased again" in told, told
    assert not (TOP / "restore.erasures").exists()
    stack.ready()
    names = [stack.api.get(f"/v1/admin/users/{u.id}", key="restricted").json["user"]["name"] for u in users]
    assert names == ["Erased", "Erased", users[2].name]
    assert stack.api.get(f"/v1/reservations/{made}").json["status"] == "RELEASED"


@pytest.mark.long
def test_backup_is_restored_into_a_fresh_project_after_a_restore_that_failed(backup, new_stack):
    dump, before, kept, later = backup
    other = new_stack()
    status, told = restore(other, dump.replace(b"CREATE TABLE `room`", b"CREATE TABEL `room`"))
    assert status != 0 and "syntax" in told, told
    other.compose("up", "--detach", "--no-build", "--wait", check=False)
    assert "a restore was interrupted" in other.log("migrate") and not other.containers("cgi-rooms", running=True)
    status, told = restore(other, dump)
    assert status == 0, told
    is_as_before(other, before, kept, later)


def test_up_again_changes_nothing(stack):
    before = {name: stack.containers(name) for name in ("nginx", "cgi-rooms", "mysql", "notifier", "mail", "door")}
    secrets = {f.name: f.read_bytes() for f in (stack.var / "secrets").iterdir()}
    stack.compose("up", "--detach", "--no-build", "--wait")
    assert {name: stack.containers(name) for name in before} == before
    assert {f.name: f.read_bytes() for f in (stack.var / "secrets").iterdir()} == secrets


def test_secrets_are_their_owners_alone(stack):
    folder = stack.var / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    owner = (TOP.stat().st_uid, TOP.stat().st_gid)
    for file in [folder, *folder.iterdir()]:
        assert (file.stat().st_uid, file.stat().st_gid) == owner, file
        assert file.stat().st_mode & 0o077 == 0, file


def test_native_stack_and_containers_take_each_others_secrets(stack, tmp_path):
    """The same folder serves both ways to run: what one has made the other accepts."""
    mine = tmp_path / "secrets"
    done = subprocess.run([str(TOP / "native" / "secrets"), str(mine)], capture_output=True, text=True, check=True)
    assert "api-key-public" in done.stdout and not (mine / "db-root").exists()
    before = {f.name: f.read_bytes() for f in mine.iterdir()}
    env = {**stack.environment(), "LOYALTY_SECRETS": str(mine), "COMPOSE_PROJECT_NAME": stack.project + "s"}
    try:
        subprocess.run(["docker", "compose", "run", "--rm", "--no-deps", "--no-TTY", "secrets"], cwd=TOP, env=env, check=True, capture_output=True, timeout=120)
        after = {f.name: f.read_bytes() for f in mine.iterdir()}
        assert {k: after[k] for k in before} == before and {"db-root", "db-migrate", "db-ca.crt", "db.crt", "db.key"} == set(after) - set(before)
        # and nginx takes the key files as they are, natively
        subprocess.run([str(TOP / "nginx" / "keys"), "-m", str(mine)], check=True, capture_output=True)
        assert subprocess.run([str(TOP / "native" / "secrets"), str(mine), "db"], capture_output=True, text=True, check=True).stdout == ""
        # A fresh checkout beside the volumes of another: what it made would fit nothing, so nothing is made or handed out.
        docker("run", "--rm", "--volume", f"{stack.project}s_db:/db", "--entrypoint", "mkdir", f"loyalty-secrets:{stack.tag}", "/db/mysql")
        shutil.rmtree(mine)
        run = ["docker", "compose", "run", "--rm", "--no-deps", "--no-TTY", "secrets"]
        done = subprocess.run(run, cwd=TOP, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and "already holds a database, but secrets/db-root" in done.stderr and not list(mine.iterdir())
        subprocess.run([*run, "--new"], cwd=TOP, env=env, check=True, capture_output=True, timeout=120)
        assert (mine / "db-root").exists()
    finally:
        subprocess.run(["docker", "compose", "down", "--volumes"], cwd=TOP, env=env, capture_output=True, timeout=120)


def test_own_certificate_is_taken_over(stack):
    folder = stack.var / "secrets"
    was = {name: (folder / name).read_bytes() for name in ("tls.crt", "tls.key")}
    try:
        for name in was:
            (folder / name).unlink()
        subprocess.run([str(TOP / "native" / "secrets"), str(folder)], check=True, capture_output=True)
        stack.native("keys")
        shown = until(lambda: subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{stack.port}", "-CAfile", stack.ca, "-verify_return_error"],
                                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20))
        assert shown.returncode == 0 and "Verify return code: 0" in shown.stdout, shown.stdout
    finally:
        for name, data in was.items():
            (folder / name).unlink()
            (folder / name).write_bytes(data)
            os.chmod(folder / name, 0o600)
        stack.native("keys")
    stack.api.drop()
    assert stack.api.get("/healthz", key=None).status == 200


@pytest.mark.parametrize("fault", ["of another type", "of another certificate", "a link out of the folder"])
def test_bad_private_key_is_refused_and_the_old_one_stays(stack, fault):
    file = stack.var / "secrets" / "tls.key"
    old = file.read_bytes()
    try:
        file.unlink()
        if fault == "of another type":
            subprocess.run(["openssl", "genrsa", "-out", str(file), "2048"], check=True, capture_output=True)
        elif fault == "of another certificate":
            subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(file)], check=True, capture_output=True)
        else:
            file.symlink_to("/etc/letsencrypt/live/example.org/privkey.pem")
        for told in (stack.native("keys", check=False), stack.compose("run", "--rm", "--no-deps", "--no-TTY", "secrets", check=False)):
            assert "secrets/tls.key is " + ("a symbolic link to /etc/letsencrypt/" if "link" in fault else "not the private key of the certificate") in told
        assert file.is_symlink() == ("link" in fault)
        stack.api.drop()
        assert stack.api.get("/v1/rooms?limit=1").status == 200
    finally:
        file.unlink()
        file.write_bytes(old)
        file.chmod(0o600)
        stack.native("keys")


@pytest.mark.long
def test_changed_password_of_the_databases_root_is_in_force_after_a_restart(stack):
    file = stack.var / "secrets" / "db-root"
    old = file.read_bytes()
    file.unlink()
    try:
        file.write_bytes(b"it's\\another'\r\n")
        stack.native("keys")
        stack.compose("restart", "mysql")
        stack.healthy("mysql")
        stack.close_db()
        assert stack.value("SELECT CURRENT_USER()") == "root@%"
        subprocess.run([str(TOP / "compose" / "backup")], cwd=TOP, env=stack.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=120)
    finally:
        file.write_bytes(old)
        stack.native("keys")
        stack.compose("restart", "mysql")
        stack.healthy("mysql")
        stack.close_db()
    stack.ready(60)


@pytest.mark.parametrize("fault", [pytest.param("short", marks=pytest.mark.long), "missing", "open"])
def test_bad_key_file_is_refused_and_the_old_ones_stay(stack, fault):
    file = stack.var / "secrets" / "api-key-public"
    old = file.read_text()
    try:
        if fault == "short":
            file.write_text("short\n")
        elif fault == "missing":
            file.unlink()
        else:
            file.chmod(0o644)
        assert "api-key-public" in stack.native("keys", check=False)
        stack.api.drop()
        assert stack.api.get("/v1/rooms?limit=1").status == 200
        if fault != "missing":  # up makes what is missing
            before = stack.containers("nginx")
            assert "exit 1" in stack.compose("up", "--detach", "--no-build", "--wait", check=False)
            assert "api-key-public" in stack.log("secrets")
            assert stack.containers("nginx") == before and stack.api.get("/v1/rooms?limit=1").status == 200
    finally:
        file.write_text(old)
        file.chmod(0o600)
        stack.native("keys")
        stack.compose("up", "--detach", "--no-build", "--wait")


def test_mail_is_read_as_the_readme_says(stack):
    made = stack.reserve(stack.room(price=0), stack.user()).json["id"]
    stack.mails_about(made)
    assert made in stack.compose("exec", "-T", "mail", "sh", "-c", "cat /mail/new/*")


@pytest.mark.parametrize("name", ["cgi-rooms", "cgi-points", "cgi-admin", "notifier"])
def test_program_is_not_first_to_die_of_a_signal(stack, name):
    """SIGTERM ends it with 0, well within its grace: it is the container's first process."""
    stack.stop(name)
    state = stack.inspect(name)[0]["State"]
    stack.start(name)
    stack.healthy(name)
    assert state["ExitCode"] == 0 and not state["OOMKilled"], state
