"""No account of a service can do anything but call its own procedures and read the columns that it shows"""

import os
import pwd
import re
import uuid

import pymysql
import pytest

from stack import ACCOUNTS, User

METRICS = {"metrics_add", "metrics_log", "metrics_retry", "ready", "group_primary", "writer_take"}
OWN = {
    "rooms": METRICS | {"reservation_create", "reservation_cancel", "reservation_find", "room_find", "schema_version"},
    "points": METRICS | {"points_adjust", "schema_version"},
    "admin": METRICS | {"audit", "event_list", "history_points", "history_reservations", "history_reservations_user", "history_rooms", "history_users", "metrics_get", "outbox_get", "outbox_list", "outbox_retry",
                        "reservation_approve", "reservation_reject", "reservation_release", "room_change", "room_create", "room_find",
                        "user_erase", "user_export", "user_find", "user_list", "user_put", "schema_version"},
    "notifier": {"metrics_log", "outbox_claim", "outbox_renew", "outbox_settle", "outbox_give_back", "schema_version", "ready", "group_primary", "writer_take"},
    "prune": {"prune", "prune_aged", "schema_version", "group_primary", "writer_take"},
}
# What each may SELECT, column by column: no reason, no history, no outbox; points nothing of reservations.
READS = {
    "rooms": {"room": {"id", "name", "available_amount", "required_points", "archived", "reservable"}, "user": {"id", "name", "role"},
              "reservation": {"id", "user_id", "room_id", "status", "points", "created_at", "updated_at"}},
    "points": {"user": {"id", "name", "role", "bonus_points"}},
    "admin": {"room": {"id", "name", "available_amount", "required_points", "total_amount", "archived"},
              "user": {"id", "name", "role", "bonus_points", "erased_at"}, "reservation": {"status"}, "outbox": {"status"}},
    "notifier": {},
    "prune": {},
}
DENIED = {1044, 1045, 1142, 1143, 1227, 1370, 1410, 1419, 1095, 1698, 4151}


def tables(stack):
    return [f"{s}.{t}" for s, t in stack.sql("SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
                                             " AND table_schema IN ('loyalty', 'loyalty_history') ORDER BY 1, 2")]


def procedures(stack):
    return [(name, params) for name, params in stack.sql(
        "SELECT r.routine_name, (SELECT COUNT(*) FROM information_schema.parameters p WHERE p.specific_schema = r.routine_schema"
        " AND p.specific_name = r.routine_name AND p.ordinal_position > 0) FROM information_schema.routines r"
        " WHERE r.routine_schema = 'loyalty' AND r.routine_type = 'PROCEDURE' ORDER BY 1")]


def denied(connection, statement):
    with connection.cursor() as c, pytest.raises(pymysql.err.MySQLError) as told:
        c.execute(statement)
    assert told.value.args[0] in DENIED, (statement, told.value)


@pytest.fixture(params=ACCOUNTS)
def account(stack, request):
    connection = stack.service_db(request.param)
    connection.name = request.param
    yield connection
    connection.close()


def test_account_reads_its_columns_and_no_others(stack, account):
    columns = {}
    for table, column in stack.sql("SELECT CONCAT(table_schema, '.', table_name), column_name FROM information_schema.columns"
                                   " WHERE table_schema IN ('loyalty', 'loyalty_history')"):
        columns.setdefault(table, set()).add(column)
    own = {f"loyalty.{table}": names for table, names in READS[account.name].items()}
    for table in tables(stack):
        for column in columns[table]:
            if column in own.get(table, ()):
                with account.cursor() as c:
                    c.execute(f"SELECT {column} FROM {table} LIMIT 1")
            else:
                denied(account, f"SELECT {column} FROM {table} LIMIT 1")
        if columns[table] != own.get(table):
            denied(account, f"SELECT * FROM {table}")


def test_locking_reads_are_refused_where_the_server_can(stack, account):
    """MySQL asks for more than SELECT where a row is locked for a change; for a shared lock, and on MariaDB for any, SELECT is enough."""
    mariadb = "MariaDB" in stack.value("SELECT VERSION()")
    for table, columns in READS[account.name].items():
        for lock in ("FOR UPDATE", "LOCK IN SHARE MODE"):
            statement = f"SELECT {min(columns)} FROM loyalty.{table} LIMIT 1 {lock}"
            if lock == "FOR UPDATE" and not mariadb:
                denied(account, statement)
            else:
                with account.cursor() as c:
                    c.execute(statement)


def test_no_account_writes_any_table(stack, account):
    found = tables(stack)
    assert len(found) >= 9
    with stack.unchanged():
        for table in found:
            column = stack.value("SELECT column_name FROM information_schema.columns WHERE CONCAT(table_schema, '.', table_name) = %s"
                                 " ORDER BY ordinal_position DESC LIMIT 1", (table,))
            if table.removeprefix("loyalty.") not in READS[account.name]:
                denied(account, f"SELECT COUNT(*) FROM {table}")
                denied(account, f"SELECT 1 FROM {table} FOR UPDATE")
            for statement in (f"INSERT INTO {table} () VALUES ()",
                              f"REPLACE INTO {table} () VALUES ()", f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE TABLE {table}",
                              f"DROP TABLE {table}", f"ALTER TABLE {table} ADD x INT", f"LOCK TABLES {table} WRITE", f"CREATE INDEX x ON {table} ({column})",
                              f"CREATE TRIGGER {table.split('.')[0]}.t BEFORE INSERT ON {table} FOR EACH ROW SET @x = 1", f"CREATE TABLE {table}2 (x INT)",
                              f"RENAME TABLE {table} TO {table}2", f"CREATE VIEW {table.split('.')[0]}.v AS SELECT * FROM {table}"):
                denied(account, statement)


def test_account_calls_its_own_procedures_and_no_other(stack, account):
    all_ = procedures(stack)
    assert {name for name, _ in all_} >= set().union(*OWN.values())
    granted = {name for name, in stack.sql(
        "SELECT routine_name FROM mysql.procs_priv WHERE db = 'loyalty' AND user = %s AND proc_priv LIKE '%%Execute%%'", (f"loyalty_{account.name}",))}
    assert granted == OWN[account.name]
    with stack.unchanged():
        for name, params in all_:
            statement = f"CALL loyalty.{name}({', '.join(['NULL'] * params)})"
            if name not in OWN[account.name]:
                denied(account, statement)
    with account.cursor() as c:
        c.execute("CALL loyalty.schema_version()")
        assert c.fetchall()


def test_metrics_are_the_callers_own_and_never_negative(stack, account):
    """Neither another service's, nor less than was counted."""
    if account.name not in ("rooms", "points", "admin"):
        return
    before = stack.sql("SELECT service, retries FROM loyalty.metric_retry WHERE retries < 0 OR service NOT IN ('cgi-rooms', 'cgi-points', 'cgi-admin')")
    other = "points" if account.name != "points" else "rooms"
    own = f"'cgi-{account.name}', 'GET', '/test', 299"
    zeros = ", ".join(["0"] * 13)
    for statement in (f"metrics_retry('cgi-{other}', 1)", f"metrics_retry('cgi-{account.name}', -1)", f"metrics_retry('cgi-{account.name}', NULL)",
                      "metrics_retry('nobody', 1)", f"metrics_add('cgi-{other}', 'GET', '/test', 299, 1, {zeros})",
                      f"metrics_add({own}, -1, {zeros})", f"metrics_add({own}, 1, {zeros[:-1]}-1)", f"metrics_add({own}, NULL, {zeros})"):
        with account.cursor() as c, pytest.raises(pymysql.err.MySQLError) as told:
            c.execute(f"CALL loyalty.{statement}")
        assert told.value.args[0] == 1644, (statement, told.value)
    with account.cursor() as c:
        c.execute(f"CALL loyalty.metrics_retry('cgi-{account.name}', 0)")
    assert stack.value("SELECT COUNT(*) FROM loyalty.metric_request WHERE route = '/test'") == 0
    assert not before


def test_ready_writes_the_callers_row_and_tells_the_version(stack, account):
    if account.name == "prune":
        return denied(account, "CALL loyalty.ready()")
    at = "SELECT service, looked_at FROM loyalty.service_ready"
    before = dict(stack.sql(at))
    with account.cursor() as c:
        c.execute("CALL loyalty.ready()")
        assert c.fetchall() == ((stack.value("SELECT version FROM loyalty.schema_info"),),)
    after = dict(stack.sql(at))
    assert after[account.name] > before[account.name] and set(after) == {"rooms", "points", "admin", "notifier"}


def test_account_has_no_other_right(stack, account):
    with account.cursor() as c:
        c.execute("SHOW GRANTS")
        grants = [row[0] for row in c.fetchall()]
    for grant in grants:
        assert grant.startswith(("GRANT USAGE ON *.* ", "GRANT EXECUTE ON PROCEDURE `loyalty`.", "GRANT SELECT (")), grant
        assert "WITH GRANT OPTION" not in grant
    with account.cursor() as c:
        c.execute("SHOW DATABASES")
        assert {row[0] for row in c.fetchall()} <= {"loyalty", "information_schema", "performance_schema"}
    # its own password anyone may change, on both servers
    other, host = next(n for n in ACCOUNTS if n != account.name), stack.db_account_host
    for statement in ("CREATE DATABASE x", "DROP DATABASE loyalty", "CREATE USER x", "SET GLOBAL max_connections = 5", "FLUSH TABLES", "SHUTDOWN",
                      "SELECT * FROM mysql.global_priv", "SELECT * FROM mysql.user", "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/ly-outfile'",
                      "CREATE PROCEDURE loyalty.x() SELECT 1", "DROP PROCEDURE loyalty.ready", f"ALTER USER 'loyalty_{other}'@{host} IDENTIFIED BY 'x'",
                      "CREATE EVENT loyalty.e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "SHOW CREATE TABLE loyalty.user",
                      f"GRANT SELECT ON loyalty.user TO 'loyalty_{other}'@{host}", "SET ROLE loyalty_definer"):
        with account.cursor() as c, pytest.raises(pymysql.err.MySQLError):
            c.execute(statement)
    with account.cursor() as c:
        c.execute("SHOW PROCESSLIST")
        assert {row[1] for row in c.fetchall()} == {f"loyalty_{account.name}"}


def test_account_needs_its_password(stack):
    for name in ACCOUNTS:
        for password in ("", "x", stack.secret("db-" + ACCOUNTS[ACCOUNTS.index(name) - 1])):
            with pytest.raises(pymysql.err.MySQLError):
                stack.log_in(f"loyalty_{name}", password)


def test_definers_cannot_log_in_and_nobody_else_exists(stack):
    for name in ("loyalty_definer", "loyalty_trigger", "loyalty_eraser"):
        for password in ("", name):
            with pytest.raises(pymysql.err.MySQLError):
                stack.log_in(name, password)
    users = {u for u, in stack.sql("SELECT User FROM mysql.user")}
    me = pwd.getpwuid(os.getuid()).pw_name
    assert users <= {f"loyalty_{n}" for n in ACCOUNTS + ["definer", "trigger", "eraser", "admin", "migrate", "probe"]} | {me, "root", "mysql", "mariadb.sys"} | {f"mysql.{n}" for n in ("infoschema", "session", "sys")}, users
    assert "" not in users
    with pytest.raises(pymysql.err.MySQLError):
        stack.log_in("anonymous")


# The one account that may change a history: these columns, in the procedure user_erase.  And what else that procedure changes.
ERASER = {"user_history": {"from_name", "to_name"}, "points_history": {"reason"}, "reservation_history": {"reason"},
          "user": {"name", "role", "bonus_points", "erased_at", "name_folded", "renamed"}, "list_move": {"moves"}, "reservation": {"status", "updated_at"}, "outbox": {"last_error"}}


def test_only_the_eraser_may_change_a_history_and_there_names_and_reasons(stack):
    changed = {}
    for table, column, rights in stack.sql("SELECT Table_name, Column_name, LOWER(Column_priv) FROM mysql.columns_priv WHERE User = 'loyalty_eraser'"):
        assert set(rights.split(",")) <= {"select", "update"}, (table, column, rights)
        if "update" in rights:
            changed.setdefault(table, set()).add(column)
    assert changed == ERASER
    for db, table, rights in stack.sql("SELECT Db, Table_name, LOWER(Table_priv) FROM mysql.tables_priv WHERE User = 'loyalty_eraser'"):
        assert set(rights.replace(",", " ").split()) <= ({"select", "insert"} if table == "idempotency" else {"select"}), (db, table, rights)
    assert stack.sql("SELECT Routine_name FROM mysql.procs_priv WHERE User = 'loyalty_eraser'") == [("user_erase",)]
    for user, db, table, rights in stack.sql("SELECT User, Db, Table_name, LOWER(CONCAT(Table_priv, ',', Column_priv)) FROM mysql.tables_priv"
                                             " WHERE Db = 'loyalty_history' AND User NOT IN ('loyalty_migrate', 'loyalty_eraser')"):
        assert not {"update", "delete"} & set(rights.replace(",", " ").split()), (user, table, rights)
    for table, rights in stack.sql("SELECT Table_name, LOWER(Table_priv) FROM mysql.tables_priv WHERE Db = 'loyalty_history'"
                                   " AND User NOT IN ('loyalty_migrate')"):
        assert "delete" not in rights and "drop" not in rights, (table, rights)


def test_no_definer_can_change_or_delete_history_nor_insert_into_the_outbox(stack):
    rights = stack.sql("SELECT User, Db, Table_name, Table_priv FROM mysql.tables_priv WHERE User IN ('loyalty_definer', 'loyalty_trigger')")
    assert rights
    for user, db, table, privileges in rights:
        privileges = {p.strip().lower() for p in privileges.split(",")}
        if db == "loyalty_history":
            assert privileges <= ({"insert"} if user == "loyalty_trigger" else {"select"}), (user, table, privileges)
        elif table == "outbox":
            assert ("insert" in privileges) == (user == "loyalty_trigger"), (user, privileges)
            assert user != "loyalty_trigger" or not privileges & {"update", "delete"}
        elif user == "loyalty_trigger":
            assert privileges <= {"select"}, (table, privileges)
        assert not privileges & {"drop", "alter", "create", "index", "grant"}, (user, table, privileges)
    mysql = "MariaDB" not in stack.value("SELECT VERSION()")
    others = [tuple(row) for row in rights if row[1] not in ("loyalty", "loyalty_history")]
    assert others == [("loyalty_definer", "performance_schema", "replication_group_members", "Select")] * mysql, others
    columns = stack.sql("SELECT User, Table_name, Column_name, LOWER(Column_priv) FROM mysql.columns_priv WHERE User IN ('loyalty_definer', 'loyalty_trigger') ORDER BY 3")
    assert sorted(columns) == [("loyalty_trigger", "reservation_history", "mail_id", "select"), ("loyalty_trigger", "reservation_history", "reservation_id", "select"),
                               ("loyalty_trigger", "room", "name_folded", "update"), ("loyalty_trigger", "user", "name_folded", "update")], columns
    for user, db, *rest in stack.sql("SELECT User, Db, Select_priv, Insert_priv, Update_priv, Delete_priv, Drop_priv, Alter_priv FROM mysql.db"
                                     " WHERE User LIKE 'loyalty%%' AND User <> 'loyalty_migrate'", ()):
        assert set(rest) == {"N"}, (user, db, rest)
    for user, *rest in stack.sql("SELECT User, Select_priv, Insert_priv, Update_priv, Delete_priv, Super_priv, File_priv, Process_priv FROM mysql.user"
                                 " WHERE User LIKE 'loyalty%%'", ()):
        # who migrates in containers names the sessions that hold a lock
        assert set(rest[:-1]) == {"N"} and (rest[-1] == "N" or user == "loyalty_migrate"), (user, rest)


def test_history_and_outbox_are_written_by_triggers_alone(stack):
    """No procedure but user_erase names a history table, none inserts into the outbox."""
    for name, body in stack.sql("SELECT routine_name, routine_definition FROM information_schema.routines WHERE routine_schema = 'loyalty'"):
        if name == "user_erase":
            continue  # whose account may change just what ERASER says
        text = " ".join(body.lower().replace("`", "").split())
        text = re.sub(r"\binsert into feed_(seen|open|late) \([a-z_, ]+\) select\b", "select", text)  # from the history
        assert not re.search(r"\b(insert|replace|update|delete)\b[^;]*\b(loyalty_history\.|\w+_history\b)", text.replace("for update", "")), name
        assert not re.search(r"\b(insert|replace)( ignore)? into (loyalty\.)?outbox\b", text), name
    for name, definer in stack.sql("SELECT trigger_name, definer FROM information_schema.triggers WHERE trigger_schema = 'loyalty'"):
        assert definer.startswith("loyalty_trigger@"), (name, definer)
    for name, definer, kind in stack.sql("SELECT routine_name, definer, security_type FROM information_schema.routines WHERE routine_schema = 'loyalty'"):
        owner = "loyalty_eraser" if name == "user_erase" else "loyalty_definer"
        assert definer.startswith(owner + "@") and kind == "DEFINER", (name, definer)


def test_who_made_renamed_or_promoted_an_account_is_kept(stack):
    user = str(uuid.uuid4())
    how = {"key": "restricted", "actor": "Mel"}
    made = stack.api.put(f"/v1/admin/users/{user}", {"name": "Zoë", "role": "USER"}, **how)
    renamed = stack.api.put(f"/v1/admin/users/{user}", {"name": "Zoe", "role": "USER"}, **how)
    assert stack.api.put(f"/v1/admin/users/{user}", {"name": "Zoe", "role": "USER"}, **how).status == 200
    promoted = stack.api.put(f"/v1/admin/users/{user}", {"name": "Zoe", "role": "ADMIN"}, **how)
    stack.adjust(User(user, "Zoe", "ADMIN", 0), 5)
    assert [made.status, renamed.status, promoted.status] == [201, 200, 200]
    rows = stack.sql("SELECT from_name, from_role, to_name, to_role, actor, request_id FROM loyalty_history.user_history"
                     " WHERE user_id = UNHEX(REPLACE(%s, '-', '')) ORDER BY id", (user,))
    ids = [a.header("X-Request-Id") for a in (made, renamed, promoted)]
    assert [r[:4] for r in rows] == [(None, None, "Zoë", "USER"), ("Zoë", "USER", "Zoe", "USER"), ("Zoe", "USER", "Zoe", "ADMIN")]
    assert [r[5] for r in rows] == ids and all("Mel" in r[4] for r in rows)


def test_direct_changes_by_the_root_still_leave_their_history(stack):
    """Whoever changes a row, the triggers see it."""
    room, user = stack.room(total=3, price=5), stack.user(points=5)
    stack.sql("UPDATE loyalty.room SET required_points = 6 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    stack.sql("UPDATE loyalty.room SET name = CONCAT(name, ' '), name_folded = loyalty.fold(name) WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    stack.sql("UPDATE loyalty.room SET total_amount = 4, available_amount = 4 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    stack.sql("UPDATE loyalty.user SET bonus_points = 7 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    rows = stack.value("SELECT COUNT(*) FROM loyalty_history.room_history WHERE room_id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    assert rows == 4 and len(stack.points_history(user)) == 2
    stack.sql("UPDATE loyalty.room SET name = name, total_amount = 4 WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    stack.sql("UPDATE loyalty.user SET name = 'other', name_folded = 'other' WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    stack.sql("UPDATE loyalty.user SET name = 'other ', name_folded = 'other ' WHERE id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    assert stack.value("SELECT COUNT(*) FROM loyalty_history.user_history WHERE user_id = UNHEX(REPLACE(%s, '-', ''))", (user.id,)) == 3
    assert stack.value("SELECT COUNT(*) FROM loyalty_history.room_history WHERE room_id = UNHEX(REPLACE(%s, '-', ''))", (room.id,)) == 4
    assert len(stack.points_history(user)) == 2
    stack.check_invariants()


CHECKS = [
    "UPDATE loyalty.room SET available_amount = -1 WHERE id = {room}",
    "UPDATE loyalty.room SET available_amount = total_amount + 1 WHERE id = {room}",
    "UPDATE loyalty.room SET total_amount = 1000001 WHERE id = {room}",
    "UPDATE loyalty.room SET total_amount = -1, available_amount = -1 WHERE id = {room}",
    "UPDATE loyalty.room SET required_points = -1 WHERE id = {room}",
    "UPDATE loyalty.room SET required_points = 1000000001 WHERE id = {room}",
    "UPDATE loyalty.room SET reservable = 0 WHERE id = {room}",
    "UPDATE loyalty.room SET archived = 2 WHERE id = {room}",
    "UPDATE loyalty.room SET name = REPEAT('x', 201) WHERE id = {room}",
    "UPDATE loyalty.room SET name = NULL WHERE id = {room}",
    "UPDATE loyalty.user SET bonus_points = -1 WHERE id = {user}",
    "UPDATE loyalty.user SET bonus_points = 9007199254740992 WHERE id = {user}",
    "UPDATE loyalty.user SET role = 'GOD' WHERE id = {user}",
    "UPDATE loyalty.reservation SET status = 'LOST'",
    "UPDATE loyalty.reservation SET points = -1",
    "UPDATE loyalty.reservation SET points = 1000000001",
    "INSERT INTO loyalty_history.points_history (user_id, from_points, to_points, delta, actor, request_id, changed_at)"
    " VALUES ({user}, 5, 7, 3, 'x', 'x', UTC_TIMESTAMP(6))",
    "INSERT INTO loyalty.schema_info VALUES (2, 1)",
]


@pytest.mark.parametrize("statement", CHECKS)
def test_a_check_stands_behind_every_bound(stack, statement):
    room, user = stack.room(), stack.user()
    stack.reserve(room, stack.user(points=1000))
    with stack.unchanged(), pytest.raises(pymysql.err.MySQLError):
        stack.sql(statement.format(room=f"X'{room.id.replace('-', '')}'", user=f"X'{user.id.replace('-', '')}'"))


@pytest.mark.parametrize("statement", [
    "CALL loyalty.outbox_settle(%s, X'00000000000000000000000000000001', 'SENT', NULL, 0, NULL)",
    "CALL loyalty.outbox_renew(%s, X'00000000000000000000000000000001', 60)",
])
def test_who_holds_no_lease_settles_nothing(stack, statement):
    stack.drained()
    id_ = stack.value("SELECT MAX(id) FROM loyalty.outbox")
    before = stack.snapshot(delivery=True)
    with stack.service_db("notifier").cursor() as c:
        c.execute(statement, (id_,))
        assert c.fetchall()[0][0] == 0
    assert stack.snapshot(delivery=True) == before


def test_procedure_refuses_what_is_out_of_bounds_even_when_called_by_hand(stack):
    """A service with a bug can't break an invariant."""
    user = stack.user(points=5)
    connection = stack.service_db("points")
    with connection.cursor() as c, stack.unchanged():
        for amount in (-6, -1000000000):
            c.execute("CALL loyalty.points_adjust('a', 'r', NULL, NULL, UNHEX(REPLACE(%s, '-', '')), %s, 'x', @a, @b, @c, @d)", (user.id, amount))
            assert c.fetchall()[0][0] == "insufficient-points"
    connection.close()


def test_a_claim_that_fails_while_a_migration_replaces_a_view_takes_no_mail(stack):
    """Its caller tries again at once; what it had taken would wait for the end of the lease."""
    stack.drained()
    stack.stop("notifier")
    made = stack.sql("SHOW CREATE VIEW loyalty.outbox_mail")[0][1]
    try:
        stack.room()
        stack.sql("DROP VIEW loyalty.outbox_mail")
        before = stack.snapshot(delivery=True)
        try:
            with stack.service_db("notifier").cursor() as c, pytest.raises(pymysql.err.MySQLError):
                c.execute("CALL loyalty.outbox_claim(%s, 10, 60)", (b"0123456789abcdef",))
            assert stack.snapshot(delivery=True) == before
        finally:
            stack.sql("USE loyalty")
            stack.sql(made)
            stack.close_db()
    finally:
        stack.start("notifier")
    stack.drained()


def test_failed_call_leaves_no_transaction_and_no_context_behind(stack):
    """A signal in mid-procedure: rolled back, and @loyalty_* cleared."""
    user, room = stack.user(points=100), stack.room(price=10)
    made = stack.reserve(room, user).json["id"]
    connection = stack.service_db("rooms")
    with connection.cursor() as c, stack.unchanged():
        with pytest.raises(pymysql.err.MySQLError):
            # the id is taken: a duplicate key after points and unit were taken
            c.execute("CALL loyalty.reservation_create('somebody', 'req', NULL, NULL, UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')), UNHEX(REPLACE(%s, '-', '')), @a, @b, @c, @d, @e, @f, @g, @h, @i)",
                      (made, room.id, user.id))
        assert stack.session(connection)[0] == 0
        c.execute("SELECT @loyalty_actor, @loyalty_request_id, @loyalty_at, @loyalty_reservation, @loyalty_reason")
        assert c.fetchall() == ((None, None, None, None, None),)
    with connection.cursor() as c:
        c.execute("SELECT name FROM loyalty.room WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
        assert c.fetchall() == ((room.name,),)
    connection.close()


def test_tables_are_innodb_with_primary_keys_and_one_collation(stack):
    for schema, table, engine, collation in stack.sql(
            "SELECT table_schema, table_name, engine, table_collation FROM information_schema.tables WHERE table_schema IN ('loyalty', 'loyalty_history')"
            " AND table_type = 'BASE TABLE'"):
        assert engine == "InnoDB" and collation == "utf8mb4_bin", (schema, table, engine, collation)
        assert stack.value("SELECT COUNT(*) FROM information_schema.table_constraints WHERE table_schema = %s AND table_name = %s"
                           " AND constraint_type = 'PRIMARY KEY'", (schema, table)) == 1, table
    assert {c for c, in stack.sql("SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema IN ('loyalty', 'loyalty_history')"
                                  " AND collation_name IS NOT NULL AND column_name <> 'recipients'")} == {"utf8mb4_bin"}
