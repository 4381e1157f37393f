"""mysql/migrate: safe to run at any time"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager

import pytest

from stack import ACCOUNTS, TOP, until


def migrate(stack, *args, check=True, **env):
    done = subprocess.run([str(TOP / "mysql" / "migrate"), *args],
                          env={"PATH": os.environ["PATH"], **stack.db_environment(), **env},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if check:
        assert done.returncode == 0, done.stdout
    return done


def routines(stack):
    return stack.sql("SELECT routine_name, SHA2(routine_definition, 256), definer, sql_mode FROM information_schema.routines WHERE routine_schema = 'loyalty' ORDER BY 1")


def rights(stack):
    return [stack.sql(f"SELECT * FROM mysql.{t} WHERE User LIKE 'loyalty%%' ORDER BY 1, 2, 3, 4", ()) for t in ("db", "tables_priv", "procs_priv")]


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
    assert stack.value("SELECT version FROM loyalty.schema_info") == int((TOP / "mysql" / "COMPATIBILITY").read_text())


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


def test_no_trigger_is_ever_missing_where_one_statement_can_replace_it(stack):
    """Whoever is killed in between leaves the old one or the new one: MariaDB."""
    def dropped():
        return int(stack.sql("SHOW GLOBAL STATUS LIKE 'Com_drop_trigger'")[0][1])

    before = dropped()
    outdate(stack)
    assert "steps applied" in migrate(stack).stdout
    assert stack.value("SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = 'loyalty'") == 9
    if "MariaDB" in stack.value("SELECT VERSION()"):
        assert dropped() == before


def test_triggers_and_procedures_are_replaced_under_load(stack):
    """Each is dropped, made and granted; who calls it meanwhile waits, and no change escapes its history."""
    outdate(stack)
    with load(stack):
        assert "nothing to do" not in migrate(stack).stdout
    stack.check_invariants()


def test_account_with_the_rights_that_are_listed_can_migrate(stack):
    """Those of mysql/migrate-account.sql, for this server; and one right less is too few."""
    text = (TOP / "mysql" / "migrate-account.sql").read_text().replace("loyalty_migrate", "loyalty_tried").replace("__PASSWORD__", "a-password")
    if "MariaDB" in stack.value("SELECT VERSION()"):
        text = text.replace("SET_ANY_DEFINER", "SET USER")
    statements = [s for s in re.sub(r"^--.*", "", text, flags=re.M).split(";") if s.strip()]
    assert len(statements) == 7, statements
    try:
        for statement in statements:
            stack.sql(statement.replace("'%'", stack.db_account_host))
        stack.trust_migrations(True)
        (stack.var / "db-migrate").write_text("a-password\n")
        how = {"LOYALTY_DB_ADMIN": "loyalty_tried", "LOYALTY_DB_ADMIN_PASSWORD_FILE": str(stack.var / "db-migrate")}
        for _ in range(2):
            outdate(stack)
            assert "steps applied" in migrate(stack, "--demo", **how).stdout
        assert "nothing to do" in migrate(stack, **how).stdout
        stack.sql(f"REVOKE CREATE ROUTINE ON loyalty.* FROM 'loyalty_tried'@{stack.db_account_host}")
        outdate(stack)
        assert migrate(stack, check=False, **how).returncode != 0
    finally:
        stack.trust_migrations(False)
        stack.sql(f"DROP USER IF EXISTS 'loyalty_tried'@{stack.db_account_host}")
        migrate(stack)


class OfTheNext:
    """Files of the next version: one procedure takes another number of arguments, every step has to be made again."""

    def __init__(self, stack, folder):
        self.stack, self.files = stack, folder / "mysql"
        shutil.copytree(TOP / "mysql", self.files)
        self.version = int((TOP / "mysql" / "COMPATIBILITY").read_text()) + 1
        (self.files / "COMPATIBILITY").write_text(f"{self.version}\n")
        for file in [*self.files.glob("procs/*.sql"), *self.files.glob("triggers/*.sql")]:
            file.write_text(file.read_text() + "-- of the next version\n")
        adjust = self.files / "procs" / "points_adjust.sql"
        adjust.write_text(adjust.read_text().replace("p_actor VARCHAR(100),", "p_more INT, p_actor VARCHAR(100),", 1))
        # ends everything, as a power cut would, when the client is started for the Nth time
        self.bin = folder / "bin"
        self.bin.mkdir()
        real = shutil.which("mariadb")
        (self.bin / "mariadb").write_text(f"""#!/bin/bash
echo >>"$COUNT"
[ "$(wc -l <"$COUNT")" -lt "$AT" ] || kill -9 -- "-$(ps -o pgid= $$ | tr -d ' ')"
exec {real} "$@"
""")
        (self.bin / "mariadb").chmod(0o755)

    def migrate(self, at=10000):
        """How often the client was started; at: never so often."""
        count = self.files.parent / "count"
        count.write_text("")
        done = subprocess.run([str(self.files / "migrate")], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90,
                              env={"PATH": f"{self.bin}:{os.environ['PATH']}", **self.stack.db_environment(), "COUNT": str(count), "AT": str(at)})
        assert done.returncode == (0 if at == 10000 else -signal.SIGKILL), done.stdout
        return len(count.read_text())

    def back(self):
        self.stack.sql("UPDATE loyalty.schema_info SET version = %s", (self.version - 1,))
        migrate(self.stack)
        self.stack.ready()


def test_old_programs_answer_503_from_before_the_first_change_and_an_interrupted_migration_is_completed(stack, tmp_path):
    """Killed at one step and another, the next run goes on; clients of the old programs never hear a 500."""
    new, user = OfTheNext(stack, tmp_path), stack.user()
    over, answers = threading.Event(), []

    def work():
        while not over.is_set():
            answers.append(stack.adjust(user, 1))
            time.sleep(0.01)

    def version():
        return stack.value("SELECT version FROM loyalty.schema_info")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for at in (14, 31, 40):
            new.migrate(at)
            assert version() == 0, at
        assert new.migrate() > 20
        assert version() == new.version
        time.sleep(0.2)
    finally:
        over.set()
        thread.join()
        new.back()
    assert {a.status for a in answers} == {201, 503}
    refused = [a for a in answers if a.status == 503]
    assert all(a.header("Retry-After") for a in refused)
    assert any("is being migrated" in a.json["detail"] for a in refused) and str(new.version) in refused[-1].json["detail"]
    assert stack.balance(user) == sum(a.status == 201 for a in answers)
    assert stack.adjust(user, 1).status == 201
    assert "nothing to do" in migrate(stack).stdout


def test_account_without_a_history_gets_the_row_of_its_creation(stack):
    """Made while schema/100_who.sql had been applied and its trigger had not."""
    lost, kept = stack.user(name="Zoë"), stack.user()
    of = "SELECT from_name, to_name, to_role, reason, actor FROM loyalty_history.user_history WHERE user_id = UNHEX(REPLACE(%s, '-', ''))"
    stack.sql("DELETE FROM loyalty_history.user_history WHERE user_id = UNHEX(REPLACE(%s, '-', ''))", (lost.id,))
    assert not stack.api.get("/v1/admin/audit", key="restricted").json["ok"]
    before = stack.sql(of, (kept.id,))
    stack.sql("DELETE FROM loyalty.schema_migration WHERE step = 'schema/190_user_history.sql'")
    assert "1 steps applied" in migrate(stack).stdout
    assert stack.sql(of, (lost.id,)) == [(None, "Zoë", "USER", "found by the migration", "migration")]
    assert stack.sql(of, (kept.id,)) == before
    assert stack.api.get("/v1/admin/audit", key="restricted").json["ok"]


def test_names_from_before_they_were_folded_are_filled(stack):
    """Of a database without the columns: they come, are filled, and what is made or renamed next is found, too."""
    names = ["Zoë", "ZOE", "Weiß", "각하", "🏨 東京", "a"]
    users, rooms = [stack.user(name=n) for n in names], [stack.room(name=n) for n in names]
    stack.sql("DROP TRIGGER loyalty.room_folded")
    stack.sql("DROP TRIGGER loyalty.user_folded")
    stack.sql("ALTER TABLE loyalty.room DROP KEY room_name, DROP KEY room_name_down, DROP KEY room_price, DROP KEY room_price_down,"
              " DROP COLUMN name_folded, DROP COLUMN renamed, DROP COLUMN repriced")
    stack.sql("ALTER TABLE loyalty.user DROP KEY user_name, DROP KEY user_name_down, DROP COLUMN name_folded, DROP COLUMN renamed")
    stack.sql("DELETE FROM loyalty.schema_migration WHERE step IN ('schema/180_search.sql', 'procs/z_names_folded.sql')")
    history = stack.value("SELECT COUNT(*) FROM loyalty_history.room_history"), stack.value("SELECT COUNT(*) FROM loyalty_history.user_history")
    migrate(stack)
    for table, things in (("room", rooms), ("user", users)):
        folded = dict(stack.sql(f"SELECT id, name_folded FROM loyalty.{table}"))
        assert [folded[uuid.UUID(t.id).bytes].decode() for t in things] == ["zoe", "zoe", "weiß", "\u1100\u1161\u11a8\u1112\u1161", "🏨 東京", "a"]
        assert None not in folded.values()
    assert history == (stack.value("SELECT COUNT(*) FROM loyalty_history.room_history"), stack.value("SELECT COUNT(*) FROM loyalty_history.user_history"))
    stack.room(name="After")
    stack.check_invariants()


def test_newer_schema_is_refused(stack):
    """An old tree must not take a database back."""
    version = stack.value("SELECT version FROM loyalty.schema_info")
    stack.sql("UPDATE loyalty.schema_info SET version = 1000")
    try:
        done = migrate(stack, check=False)
        assert done.returncode != 0 and "1000" in done.stdout
        assert stack.value("SELECT version FROM loyalty.schema_info") == 1000
    finally:
        stack.sql("UPDATE loyalty.schema_info SET version = %s", (version,))
        stack.ready()


def accounts(stack):
    return [f"'loyalty_{n}'@'localhost'" for n in ("definer", "trigger", "eraser")] + [f"'loyalty_{n}'@{stack.db_account_host}" for n in ACCOUNTS]


def what_is_there(stack):
    return routines(stack), [[r[:4] for r in t] for t in rights(stack)], stack.sql(
        "SELECT trigger_name, event_object_table, action_statement, definer, sql_mode FROM information_schema.triggers WHERE trigger_schema = 'loyalty' ORDER BY 1")


@pytest.mark.parametrize("loss", ["grants", "routines", "triggers", "older routines", "accounts"])
def test_what_is_recorded_but_gone_is_made_again(stack, loss):
    """As after a restore: a checksum is no proof that its effect is there."""
    room, user, before = stack.room(price=1), stack.user(points=10), what_is_there(stack)
    assert before[0] and all(before[1][1:]) and before[2]
    if loss == "grants":
        for account in accounts(stack):
            stack.sql(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account}")
    elif loss == "routines":
        for name, kind in stack.sql("SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = 'loyalty'"):
            stack.sql(f"DROP {kind} loyalty.{name}")
    elif loss == "triggers":
        for name, in stack.sql("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = 'loyalty'"):
            stack.sql(f"DROP TRIGGER loyalty.{name}")
    elif loss == "older routines":
        stack.sql("DROP PROCEDURE loyalty.ready")
        stack.sql("CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE loyalty.ready() SELECT 1")
        stack.sql("UPDATE loyalty.schema_migration SET applied_at = applied_at - INTERVAL 1 DAY WHERE step = 'procs/ready.sql'")
    else:
        for account in accounts(stack)[3:]:
            stack.sql(f"DROP USER {account}")
    if loss == "grants":
        # what is said of readiness is kept for a second
        a = until(lambda: (a := stack.api.get("/readyz", key=None)).status == 503 and a, 3, 0.2)
        assert "out of reach" not in a.json["detail"] and "migrate" in a.json["detail"], a.body
    migrate(stack)
    assert what_is_there(stack) == before
    stack.ready()
    assert stack.reserve(room, user).status == 201
    stack.check_invariants()
    assert "nothing to do" in migrate(stack).stdout


def test_table_that_is_gone_is_not_made_anew(stack):
    """An empty history in its place would hide the loss."""
    stack.sql("RENAME TABLE loyalty_history.points_history TO loyalty_history.elsewhere")
    try:
        done = migrate(stack, check=False)
        assert done.returncode != 0 and "070_history.sql" in done.stdout and "restore" in done.stdout
    finally:
        stack.sql("RENAME TABLE loyalty_history.elsewhere TO loyalty_history.points_history")
    assert "nothing to do" in migrate(stack).stdout


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
    stack.sql("UPDATE loyalty.schema_migration SET checksum = REPEAT('0', 64) WHERE step IN ('procs/ready.sql', 'triggers/room_history.sql')")
    before = routines(stack), [[r[:4] for r in t] for t in rights(stack)]
    assert "2 steps applied" in migrate(stack).stdout
    assert (routines(stack), [[r[:4] for r in t] for t in rights(stack)]) == before
    stack.ready()


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


def test_a_servers_policy_for_passwords_is_met_and_what_does_not_meet_it_is_not_printed(stack, tmp_path):
    """The locked definers have a password too, with every class of characters: servers with a policy refuse an account without one."""
    for file in (stack.var / "secrets").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    mysql = "MariaDB" not in stack.value("SELECT VERSION()")
    column, table = ("authentication_string", "mysql.user") if mysql else ("JSON_VALUE(Priv, '$.authentication_string')", "mysql.global_priv")
    kept = dict(stack.sql(f"SELECT User, {column} FROM {table} WHERE User IN ('loyalty_definer', 'loyalty_trigger')"))
    assert len(kept) == 2 and all(len(hash_) > 20 for hash_ in kept.values()), kept
    if mysql:  # its plugin is in the image
        stack.sql("INSTALL COMPONENT 'file://component_validate_password'")
    try:
        if mysql:
            stack.sql("SET GLOBAL validate_password.policy = MEDIUM")
            for name in kept:
                stack.sql(f"DROP USER '{name}'@'localhost'")
        for name in ACCOUNTS:
            (tmp_path / f"db-{name}").chmod(0o600)
            (tmp_path / f"db-{name}").write_text(f"Strong-1-{stack.secret('db-' + name)}\n")
        migrate(stack, LOYALTY_SECRETS=str(tmp_path))
        stack.log_in("loyalty_prune", f"Strong-1-{stack.secret('db-prune')}").close()
        if mysql:
            (tmp_path / "db-prune").write_text("weakling\n")
            done = migrate(stack, check=False, LOYALTY_SECRETS=str(tmp_path))
            assert done.returncode != 0 and "1819" in done.stdout and "db-prune" in done.stdout and "weakling" not in done.stdout, done.stdout
    finally:
        if mysql:
            stack.sql("UNINSTALL COMPONENT 'file://component_validate_password'")
        migrate(stack)
    stack.ready()


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
