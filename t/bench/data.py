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


def many(table, columns, values, n):
    """This table with n rows and nothing else; values has SQL with seq, 1 to n."""
    return f"""SET SESSION unique_checks = 0, time_zone = '+00:00';
DROP TABLE IF EXISTS {table}_made;
CREATE TABLE {table}_made LIKE {table};
INSERT INTO {table}_made ({columns}) SELECT {values} FROM loyalty.seq_1_to_{n};
RENAME TABLE {table} TO {table}_was, {table}_made TO {table};
DROP TABLE {table}_was;
"""


def one_of(id_, n):
    """SQL of an id like this one, of n whose last digits count from 1."""
    return f"CONCAT(UNHEX('{id_.replace('-', '')[:28]}'), UNHEX(LPAD(HEX(seq % {n} + 1), 4, '0')))"


RESERVATION = "01900000-0000-7000-8000-"  # and seq


def history(n):
    """A points_history of n rows, a few seconds apart and the users' in turn."""
    return many("loyalty_history.points_history", "id, user_id, from_points, to_points, delta, reason, actor, request_id, changed_at",
                f"seq, {one_of(user(0), USERS)}, seq, seq + 1, 1, 'bench', 'bench', 'bench', '2001-01-01' + INTERVAL seq * 70 SECOND", n)


def reservations(n):
    """n reservations that were cancelled at once."""
    return many("loyalty.reservation", "id, user_id, room_id, status, points, created_at, updated_at",
                f"UNHEX(CONCAT('{RESERVATION.replace('-', '')}', LPAD(HEX(seq), 12, '0'))), {one_of(user(0), USERS)}, {one_of(room(0), ROOMS)}, 'CANCELLED', 1,"
                " '2001-01-01' + INTERVAL seq * 70 SECOND, '2001-01-01' + INTERVAL seq * 70 SECOND", n)


def changes(n):
    """A reservation_history of n rows, and nobody has followed the events yet."""
    return many("loyalty_history.reservation_history",
                "id, reservation_id, room_id, user_id, from_status, to_status, points, actor, request_id, changed_at",
                f"seq, UNHEX(CONCAT('{RESERVATION.replace('-', '')}', LPAD(HEX(seq), 12, '0'))), {one_of(room(0), ROOMS)}, {one_of(user(0), USERS)},"
                " 'RESERVED', 'CANCELLED', 1, 'bench', 'bench', '2001-01-01' + INTERVAL seq * 70 SECOND", n) + FOLLOWED.format(0, 0)


# The events as they are when all that is older than a minute was given.
FOLLOWED = "DELETE FROM loyalty.feed_seen; DELETE FROM loyalty.feed_late; UPDATE loyalty.feed SET low = {0}, mid = {0}, high = {1};\n"


def script(*parts):
    return SESSION + "START TRANSACTION;\n" + "".join("".join(p) for p in parts) + "COMMIT;\n"
