"""The data set: SQL that the database's root runs; the product's triggers write history and outbox.

rawdb.c, clients.c and load.lua know the same ids.
"""

import uuid

ROOMS = USERS = 1000
UNITS = 1000000
POINTS = 10 ** 9
HOT_ROOM = "bbbbbbbb-0000-4000-8000-0000ffffffff"
DEAR_ROOM = "bbbbbbbb-0000-4000-8000-0000eeeeeeee"  # who asks for it waits for an approval
USER_OF_10 = "dddddddd-0000-4000-8000-000000000010"
USER_OF_MANY = "dddddddd-0000-4000-8000-000000100000"

SESSION = """SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00';
SET @loyalty_actor = 'bench', @loyalty_request_id = 'bench', @loyalty_reason = 'bench';
"""


def room(i):
    return f"bbbbbbbb-0000-4000-8000-{i:012x}"


def user(i):
    return f"cccccccc-0000-4000-8000-{i:012x}"


def sql_id(s):
    return "X'" + s.replace("-", "") + "'"


def insert(table, columns, rows, batch=500):
    for at in range(0, len(rows), batch):
        yield f"INSERT INTO loyalty.{table} ({columns}) VALUES\n" + ",\n".join(rows[at:at + batch]) + ";\n"


def rooms(ids, units=UNITS, price=1):
    rows = [f"({sql_id(i)}, 'Bench Room {i[-4:]}', {units}, {units}, {price}, 1)" for i in ids]
    return insert("room", "id, name, total_amount, available_amount, required_points, reservable", rows)


def users(ids, points=POINTS):
    rows = [f"({sql_id(i)}, 'Bench User {i[-4:]}', 'USER', {points})" for i in ids]
    return insert("user", "id, name, role, bonus_points", rows)


def pending(n, user_id, room_id, price):
    """n reservations that wait for an approval: nothing is taken."""
    rows = []
    for i in range(n):
        id_ = uuid.UUID(int=(0x01900000 << 96) | (int(user_id[-6:], 16) << 40) | i).bytes.hex()
        at = f"'2026-01-01 00:{i // 60000:02}:{i // 1000 % 60:02}.{i % 1000:03}000'"
        rows.append(f"(X'{id_}', {sql_id(user_id)}, {sql_id(room_id)}, 'PENDING_APPROVAL', {price}, {at}, {at})")
    return insert("reservation", "id, user_id, room_id, status, points, created_at, updated_at", rows, 1000)


def history(n):
    """A points_history of n rows, a few seconds apart and the users' in turn, in the place of the one that was there."""
    return f"""SET SESSION unique_checks = 0, time_zone = '+00:00';
USE loyalty_history;
DROP TABLE IF EXISTS points_history_made;
CREATE TABLE points_history_made LIKE points_history;
INSERT INTO points_history_made (id, user_id, from_points, to_points, delta, reason, actor, request_id, changed_at)
  SELECT seq, CONCAT(UNHEX('{user(0).replace("-", "")[:28]}'), UNHEX(LPAD(HEX(seq % {USERS} + 1), 4, '0'))), seq, seq + 1, 1, 'bench', 'bench', 'bench',
    '2001-01-01' + INTERVAL seq * 70 SECOND FROM seq_1_to_{n};
RENAME TABLE points_history TO points_history_was, points_history_made TO points_history;
DROP TABLE points_history_was;
"""


def script(*parts):
    return SESSION + "START TRANSACTION;\n" + "".join("".join(p) for p in parts) + "COMMIT;\n"
