"""What a server does to the services' connections: it ends them, it can't write, it makes them wait"""

import threading
import time

import pymysql
import pytest

from stack import until


@pytest.fixture(autouse=True)
def sound_afterwards(stack):
    yield
    stack.check_invariants()


def end_connections(stack, account):
    """And see them gone: a call that KILL overtakes is one in doubt, which is another matter."""

    def ids():
        return {id_ for id_, in stack.sql("SELECT id FROM information_schema.processlist WHERE user = %s", (f"loyalty_{account}",))}

    old = ids()
    for id_ in old:
        try:
            stack.sql(f"KILL {id_}")
        except pymysql.err.MySQLError as e:
            assert e.args[0] == 1094, e  # it went by itself
    until(lambda: not old & ids(), 10, what="the end of all connections")


def refused(stack, user):
    """An adjustment that the database can't do; how long that took."""
    begun = time.monotonic()
    with stack.unchanged():
        a = stack.adjust(user, 1)
    assert a.status == 503 and "Nothing was changed" in a.json["detail"], a.body
    return time.monotonic() - begun


def test_E087_connection_that_idled_too_long_is_made_again_unseen(stack):
    """MariaDB closes it, MySQL says 4031 first: neither is seen outside."""
    user, was = stack.user(), stack.value("SELECT @@GLOBAL.wait_timeout")
    stack.sql("SET GLOBAL wait_timeout = 1")
    try:
        end_connections(stack, "points")
        assert {stack.adjust(user, 1).status for _ in range(12)} == {201}
        time.sleep(2.5)
        assert {stack.adjust(user, 1).status for _ in range(12)} == {201}
    finally:
        stack.sql(f"SET GLOBAL wait_timeout = {was}")
        end_connections(stack, "points")
    assert stack.adjust(user, 1).status == 201 and stack.balance(user) == 25


def test_E086_server_that_became_read_only_is_unavailable_and_reads_go_on(stack):
    user = stack.user()
    assert stack.adjust(user, 1).status == 201
    stack.sql("SET GLOBAL read_only = 1")
    try:
        assert refused(stack, user) < 2
        assert stack.api.get(f"/v1/users/{user.id}/points").json["bonus_points"] == 1
    finally:
        stack.sql("SET GLOBAL read_only = 0")
    assert stack.adjust(user, 1).status == 201


def test_wait_for_a_table_ends_in_time_and_nothing_was_done(stack):
    """As while a trigger is replaced; on MySQL nothing but lock_wait_timeout ends that wait."""
    user = stack.user()
    told = []
    connection = stack.db()
    try:
        with connection.cursor() as c:
            c.execute("LOCK TABLES loyalty.user WRITE")
            thread = threading.Thread(target=lambda: told.append(stack.adjust(user, 1)))
            thread.start()
            thread.join(8)
            c.execute("UNLOCK TABLES")
    finally:
        connection.close()
    thread.join()
    a, = told
    assert a.status == 503 and "Nothing was changed" in a.json["detail"], a.body
    assert stack.adjust(user, 1).status == 201 and stack.balance(user) == 1


def test_row_that_another_holds_is_waited_for_in_time(stack):
    user = stack.user()
    with stack.held("user", user):
        a = stack.adjust(user, 1)
    assert a.status == 503 and "Nothing was changed" in a.json["detail"], a.body
    assert stack.adjust(user, 1).status == 201 and stack.balance(user) == 1
