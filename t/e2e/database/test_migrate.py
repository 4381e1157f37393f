"""mysql/migrate: safe to run at any time"""

import os
import re
import subprocess
import threading
from collections import Counter
from contextlib import contextmanager

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


@contextmanager
def load(stack):
    """Meanwhile three clients reserve and adjust; none is refused."""
    user, room = stack.user(points=100000), stack.room(total=100000, price=1)
    done = threading.Event()
    statuses = Counter()

    def work():
        while not done.is_set():
            statuses[stack.reserve(room, user).status] += 1
            statuses[stack.adjust(user, 1).status] += 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        done.set()
        for t in threads:
            t.join()
    assert set(statuses) == {201}, statuses


def outdate(stack):
    """All triggers and procedures are to be made again."""
    stack.sql("UPDATE loyalty.schema_migration SET checksum = REPEAT('0', 64) WHERE step LIKE 'procs/%%' OR step LIKE 'triggers/%%'", ())


def test_migration_under_load_and_beside_itself_is_harmless(stack):
    with load(stack):
        runs = [threading.Thread(target=migrate, args=(stack,)) for _ in range(3)]
        for t in runs:
            t.start()
        for t in runs:
            t.join()


def test_triggers_and_procedures_are_replaced_under_load(stack):
    """Each is dropped, made and granted; who calls it meanwhile waits, and no change escapes its history."""
    outdate(stack)
    with load(stack):
        assert "nothing to do" not in migrate(stack).stdout
    stack.check_invariants()


def test_account_with_the_rights_of_the_readme_can_migrate(stack):
    """The statements of mysql/README.md, as they stand there for this server; and one right less is too few."""
    text = (TOP / "mysql" / "README.md").read_text()
    kind = "MariaDB" if "MariaDB" in stack.value("SELECT VERSION()") else "MySQL"
    block = re.search(rf"The migrating account.*?\n\n(    .*?)\n\n", text, re.S)[1]
    lines = [line.strip() for line in re.sub(r"SET_ANY_DEFINER", "SET USER" if kind == "MariaDB" else "SET_ANY_DEFINER", block).splitlines()]
    statements = [s for s in " ".join(lines).split(";") if s.strip()]
    assert statements[0].startswith("CREATE USER 'loyalty_migrate'@'%'") and len(statements) == 4, statements
    try:
        for statement in statements:
            stack.sql(statement.replace("'%'", stack.db_account_host))
        stack.trust_migrations(True)
        (stack.var / "db-migrate").write_text("a-password\n")
        how = {"LOYALTY_DB_ADMIN": "loyalty_migrate", "LOYALTY_DB_ADMIN_PASSWORD_FILE": str(stack.var / "db-migrate")}
        for _ in range(2):
            outdate(stack)
            assert "steps applied" in migrate(stack, "--demo", **how).stdout
        assert "nothing to do" in migrate(stack, **how).stdout
        stack.sql(f"REVOKE CREATE ROUTINE ON loyalty.* FROM 'loyalty_migrate'@{stack.db_account_host}")
        outdate(stack)
        assert migrate(stack, check=False, **how).returncode != 0
    finally:
        stack.trust_migrations(False)
        stack.sql(f"DROP USER IF EXISTS 'loyalty_migrate'@{stack.db_account_host}")
        migrate(stack)


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
