"""mysql/migrate: safe to run at any time"""

import os
import subprocess
import threading

import pytest

from stack import TOP


def migrate(stack, *args, check=True, **env):
    done = subprocess.run([str(TOP / "mysql" / "migrate"), *args],
                          env={"PATH": os.environ["PATH"], **stack.db_environment(), **env},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    if check:
        assert done.returncode == 0, done.stdout
    return done


def routines(stack):
    return stack.sql("SELECT routine_name, SHA2(routine_definition, 256), definer, sql_mode FROM information_schema.routines WHERE routine_schema = 'loyalty' ORDER BY 1")


def rights(stack):
    return [stack.sql(f"SELECT * FROM mysql.{t} WHERE User LIKE 'loyalty%%' ORDER BY 1, 2, 3", ()) for t in ("db", "tables_priv", "procs_priv")]


def test_second_run_changes_nothing(stack):
    stack.reserve(stack.room(), stack.user(points=1000))
    before = routines(stack), [[r[:4] for r in t] for t in rights(stack)]
    with stack.unchanged():
        for args in ((), ("--demo",), ()):
            assert "nothing to do" in migrate(stack, *args).stdout
    assert (routines(stack), [[r[:4] for r in t] for t in rights(stack)]) == before
    assert stack.reserve(stack.room(price=0), stack.user()).status == 201


def test_every_step_is_recorded(stack):
    steps = {s for s, in stack.sql("SELECT step FROM loyalty.schema_migration")}
    files = {f"{d}/{f.name}" for d in ("schema", "triggers", "procs") for f in (TOP / "mysql" / d).glob("*.sql")}
    assert files <= steps and "demo.sql" in steps
    assert stack.value("SELECT version FROM loyalty.schema_info") == int((TOP / "mysql" / "VERSION").read_text())


def test_migration_under_load_and_beside_itself_is_harmless(stack):
    user, room = stack.user(points=100000), stack.room(total=100000, price=1)
    done = threading.Event()
    statuses = set()

    def load():
        while not done.is_set():
            statuses.add(stack.reserve(room, user).status)
            statuses.add(stack.adjust(user, 1).status)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        runs = [threading.Thread(target=migrate, args=(stack,)) for _ in range(3)]
        for t in runs:
            t.start()
        for t in runs:
            t.join()
    finally:
        done.set()
        for t in threads:
            t.join()
    assert statuses == {201}


def test_changed_schema_step_is_refused(stack):
    stack.sql("UPDATE loyalty.schema_migration SET checksum = REPEAT('0', 64) WHERE step = 'schema/020_room.sql'")
    try:
        done = migrate(stack, check=False)
        assert done.returncode != 0 and "020_room.sql" in done.stdout
    finally:
        import hashlib
        stack.sql("UPDATE loyalty.schema_migration SET checksum = %s WHERE step = 'schema/020_room.sql'",
                  (hashlib.sha256((TOP / "mysql" / "schema" / "020_room.sql").read_bytes()).hexdigest(),))
    assert "nothing to do" in migrate(stack).stdout


def test_changed_procedure_is_replaced_with_its_grants(stack):
    stack.sql("UPDATE loyalty.schema_migration SET checksum = REPEAT('0', 64) WHERE step IN ('procs/room_get.sql', 'triggers/room_history.sql')")
    before = routines(stack), [[r[:4] for r in t] for t in rights(stack)]
    assert "2 steps applied" in migrate(stack).stdout
    assert (routines(stack), [[r[:4] for r in t] for t in rights(stack)]) == before
    room = stack.room()
    assert stack.api.get(f"/v1/rooms/{room.id}").status == 200


@pytest.mark.parametrize("fault", ["missing", "empty", "quote"])
def test_bad_password_file_is_refused_before_anything_is_done(stack, tmp_path, fault):
    for file in (stack.var / "secrets").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    target = tmp_path / "db-points"
    if fault == "missing":
        target.unlink()
    else:
        target.chmod(0o600)
        target.write_text("" if fault == "empty" else "it's'; DROP USER root; --\n")
    with stack.unchanged():
        done = migrate(stack, check=False, LOYALTY_SECRETS=str(tmp_path))
        assert done.returncode != 0 and "db-points" in done.stdout
    assert stack.adjust(stack.user(), 1).status == 201


def test_new_password_takes_effect(stack, tmp_path):
    """Rotation: migrate with new files, then the services restart with them; the old ones are refused."""
    import pymysql
    for file in (stack.var / "secrets").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "db-prune").chmod(0o600)
    (tmp_path / "db-prune").write_text("another-password\n")
    try:
        migrate(stack, LOYALTY_SECRETS=str(tmp_path))
        with pytest.raises(pymysql.err.MySQLError):
            stack.service_db("prune")
        stack.log_in("loyalty_prune", "another-password").close()
    finally:
        migrate(stack)
    stack.service_db("prune").close()


def test_demo_data_is_as_described(stack):
    rooms = stack.sql("SELECT name, total_amount, required_points FROM loyalty.room WHERE id = X'd635c003fffc4beb87b8eaf3458cf772'")
    assert rooms == [("Economy Single Room", 10, 260)]
    assert stack.value("SELECT COUNT(*) FROM loyalty_history.room_history WHERE actor = 'demo' AND from_name IS NULL") >= 13
    assert stack.value("SELECT name FROM loyalty.user WHERE id = X'b9fa7d71548c47398e6a0931cc218cd1'") == "Jane Doe"
    cheapest = stack.value("SELECT MIN(required_points) FROM loyalty.room r JOIN loyalty_history.room_history h ON h.room_id = r.id AND h.actor = 'demo'")
    assert stack.value("SELECT COUNT(*) FROM loyalty.user u JOIN loyalty_history.points_history h ON h.user_id = u.id AND h.actor = 'demo'"
                       " WHERE h.to_points > 0 AND h.to_points < %s", (cheapest,)) >= 1, "one of them with too few"
