"""native/stack backup and restore: everything is there again, in another system too, and the audit has the last word"""

import subprocess

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
    version = int((TOP / "mysql" / "VERSION").read_text())
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

    status, _, told = run(other, "restore", stdin=dump)
    assert status == 0 and "no fault" in told, told
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
    other.journal.clear()
    other.close_db()
    works(other, room, user, made)
