"""native/stack backup and restore: everything is there again, in another system too, and the audit has the last word"""

import gzip
import os
import subprocess

from client import link_next
from stack import NATIVE, TOP, until


def run(stack, *args, stdin=None):
    """(exit status, standard output, standard error) of native/stack."""
    done = subprocess.run([str(NATIVE), *args], cwd=TOP, env=stack.environment(), input=stdin, capture_output=True, timeout=400)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def works(stack, room, user, made):
    """What was there is, and all kinds of calls do what they should."""
    a = stack.api.get(f"/v1/reservations/{made['id']}").json
    assert {**a, "room": made["room"]} == made and a["room"]["name"] == room.name
    assert stack.reserve(room, user).status == 201 and stack.adjust(user, 1).status == 201
    assert stack.api.get("/v1/admin/audit", key="restricted").json["ok"]


def test_a_backup_is_restored_into_another_system_and_into_its_own(stack, new_stack):
    room, user = stack.room(total=5, price=3, name="Zimmer ß 🏨"), stack.user(points=100, name="Zoë")
    made = stack.reserve(room, user).json
    stack.cancel(stack.reserve(room, user).json["id"])
    status, dump, told = run(stack, "backup")
    assert status == 0 and b"-- Dump completed" in dump[-200:], told
    other = new_stack()
    other.room(name="of the other system")

    # what can't be whole is refused before anything is touched
    version = int((TOP / "mysql" / "COMPATIBILITY").read_text())
    with other.unchanged():
        for bad in (dump[:len(dump) // 2], b"", dump.replace(b"USE `loyalty_history`;", b""), dump.replace(b"(1,%d)" % version, b"(1,1000)")):
            status, _, told = run(other, "restore", stdin=bad)
            assert status != 0 and "nothing was changed" in told, told
        assert other.api.get("/readyz", key=None).status == 200

    # what fails on the way leaves no half a database in use, and keeps what was there
    status, _, told = run(other, "restore", stdin=dump.replace(b"CREATE TABLE `room`", b"CREATE TABEL `room`"))
    assert status != 0 and "stay down" in told, told
    status, _, told = run(other, "up")
    assert status != 0 and "incomplete" in told, told
    other.close_db()
    kept, = other.var.glob("before-restore-*.sql")
    status, _, told = run(other, "restore", stdin=kept.read_bytes())
    assert status == 0 and [kept] == list(other.var.glob("before-restore-*.sql")), told
    assert other.value("SELECT COUNT(*) FROM loyalty.room WHERE name = 'of the other system'") == 1

    follower = link_next(other.api.get("/v1/admin/events", key="restricted"))
    status, _, told = run(other, "restore", stdin=dump)
    assert status == 0 and "no fault" in told, told
    assert other.api.get(follower, key="restricted").is_problem(400, "validation").pointers == ["?cursor"], "it had followed what is gone"
    follower = link_next(other.api.get("/v1/admin/events?limit=1", key="restricted"))
    assert other.api.get(follower, key="restricted").json[0]["reservation_id"]
    other.close_db()
    assert other.value("SELECT COUNT(*) FROM loyalty.room WHERE name = 'of the other system'") == 0
    works(other, room, user, made)

    # the form of a dump that drops procedures and so their grants, and no restore around it: the next `up` heals
    plain = subprocess.run(["mariadb-dump", "--no-defaults", f"--socket={other.db_socket}", f"--user={other.db_root()['user']}", "--single-transaction",
                            "--routines", "--triggers", "--databases", "loyalty", "loyalty_history"], capture_output=True, check=True).stdout
    other.native("sql", stdin=plain)
    assert other.value("SELECT COUNT(*) FROM mysql.procs_priv WHERE User LIKE 'loyalty%%'", ()) == 0
    until(lambda: "migrate the database" in other.api.get("/readyz", key=None).json.get("detail", ""), 10)
    until(lambda: "lacks the procedure" in other.log("rooms") or "does not let this program in" in other.log("rooms"), 5)
    other.native("up", timeout=300)
    works(other, room, user, made)

    # what was wrong is restored as it is, and told
    with other.db().cursor() as c, other.without_checks(c):
        c.execute("UPDATE loyalty_history.points_history SET to_points = to_points + 1, from_points = from_points + 1 LIMIT 1")
    _, wrong, _ = run(other, "backup")
    status, _, told = run(other, "restore", stdin=wrong)
    assert status != 0 and "audit" in told, told
    # and what a restore leaves that was interrupted, half of a backup, does not stop the next one
    half = dump[:dump.index(b"CREATE TABLE `user`")]
    other.native("sql", stdin=b"DROP DATABASE loyalty_history; CREATE DATABASE loyalty_history;\n" + half)
    status, _, told = run(other, "restore", stdin=dump)
    assert status == 0, told
    assert other.api.get(follower, key="restricted").is_problem(400, "validation"), "the event that it names is there again, and yet"
    other.journal.clear()
    other.close_db()
    works(other, room, user, made)


def erasures(stack, *args, stdin=None, check=True):
    """The lines of mysql/loyalty-erasures, or (exit status, what it told)."""
    done = subprocess.run([str(TOP / "mysql" / "loyalty-erasures"), *map(str, args)], input=stdin, capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], **stack.db_environment()})
    if check:
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
    return done.returncode, done.stderr


def test_who_was_erased_after_the_backup_is_erased_after_the_restore(new_stack, tmp_path):
    """Of the same system without asking; in another one, by a list from the database or from the logs."""
    stack = new_stack()
    room = stack.room(total=3, price=10)
    before, plain, held, staying = (stack.user(points=100, name=f"Guest {name} Doe") for name in ("before", "plain", "held", "staying"))
    stack.adjust(plain, 5, "for Guest plain Doe")
    made = stack.reserve(room, held).json["id"]

    def erase(user):
        a = stack.api.post(f"/v1/admin/users/{user.id}/erase", {"reason": "by letter"}, key="restricted")
        assert a.status == 200, a
        return a.request_id

    first = erase(before)
    stack.drained()
    status, dump, told = run(stack, "backup")
    assert status == 0, told
    assert stack.release(made).status == 200
    later = stack.user(points=3, name="Guest later Doe")
    requests = [first, *(erase(user) for user in (plain, held, later))]

    listed = erasures(stack)
    assert [line.split()[1:] for line in listed] == [[u.id, r] for u, r in zip((before, plain, held, later), requests)]
    assert listed == erasures(stack, "--check", write(tmp_path / "list", listed)) and "Doe" not in "".join(listed)
    log = until(lambda: (text := stack.log("admin")).count(" erased user ") == 4 and text, 5)
    packed = tmp_path / "old.gz"
    packed.write_bytes(gzip.compress(log.encode()))
    half = write(tmp_path / "new", ["cgi-admin-1  | " + line for line in log.splitlines()[1:]] + [f"erased user {staying.id}", f"x erased user {staying.id} y"])
    from_logs = erasures(stack, packed, half)
    assert [line.split()[1:] for line in from_logs] == [line.split()[1:] for line in listed] == [
        line.split()[1:] for line in erasures(stack, "-", stdin=log)]
    for bad in ("x", listed[0] + " y", f"2026 {plain.id} r", listed[0].replace("-", "")):
        status, told = erasures(stack, "--check", write(tmp_path / "bad", [listed[0], bad]), check=False)
        assert status == 1 and "TIME ID REQUEST" in told
        with stack.unchanged():
            status, _, told = run(stack, "restore", "--erasures", str(tmp_path / "bad"), stdin=dump)
            assert status != 0 and "nothing was changed" in told, told
            assert erasures(stack, "--repeat", stdin=bad, check=False)[0] == 1

    def is_gone(target):
        target.close_db()
        names = {bytes(id_).hex(): (name, erased is not None) for id_, name, erased in target.sql("SELECT id, name, erased_at FROM loyalty.user")}
        for user in (before, plain, held):
            assert names[user.id.replace("-", "")] == ("Erased", True)
        assert later.id.replace("-", "") not in names and names[staying.id.replace("-", "")] == (staying.name, False)
        assert target.value("SELECT COUNT(*) FROM loyalty_history.user_history WHERE from_name LIKE '%%plain%%' OR to_name LIKE '%%plain%%'", ()) == 0
        assert target.value("SELECT COUNT(*) FROM loyalty_history.points_history WHERE reason LIKE '%%plain%%'", ()) == 0
        assert target.api.get(f"/v1/reservations/{made}").json["status"] == "RELEASED"
        assert target.available(room) == 3
        row = target.api.get(f"/v1/admin/history/users?user_id={held.id}&limit=1", key="restricted").json[0]
        assert (row["actor"], row["request_id"], row["reason"]) == ("restore", requests[2], "repeated after a restore")
        row = target.api.get(f"/v1/admin/history/users?user_id={before.id}&limit=1", key="restricted").json[0]
        assert (row["actor"], row["request_id"]) == ("restricted", first), "what the backup knows stays as it was"
        assert target.api.get("/v1/admin/audit", key="restricted").json["ok"]

    stack.journal.clear()
    status, _, told = run(stack, "restore", stdin=dump)
    assert status == 0 and "3 guests erased again; 1 of the list are not in the database" in told, told
    is_gone(stack)
    status, _, told = run(stack, "restore", stdin=dump)
    assert status == 0, "and once more: who was erased by the first restore"
    is_gone(stack)
    other = new_stack()
    status, _, told = run(other, "restore", "--erasures", write(tmp_path / "logs", from_logs), stdin=dump)
    assert status == 0 and "3 guests erased again" in told, told
    is_gone(other)


def write(file, lines):
    file.write_text("".join(line + "\n" for line in lines))
    return str(file)
