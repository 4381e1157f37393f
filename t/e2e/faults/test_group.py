"""Three servers of a MySQL group, of which any may die: its primary is written to, no server that is in no group, and nothing acknowledged is lost or doubled"""

import os
import subprocess
import time

import pytest

from group import Grouped
from load import TABLES, Load
from mysqld import tool
from stack import TOP, until

pytestmark = pytest.mark.group
ROUNDS = int(os.environ.get("LOYALTY_ROUNDS", 2))


@pytest.fixture(scope="module")
def group():
    with Grouped() as s:
        yield s


def kill(node):
    node.docker("kill")


def pause(node):
    node.docker("pause")


def cut_off(node):
    """From the others; the programs still reach it."""
    node.leave_network()


def back(node, how):
    """As it would be when the machine is back, when the network is; and put into the group again by hand."""
    if how is kill:
        node.docker("start")
        until(node.answers, 90, 0.3, "a killed server")
        assert node.sql("SELECT @@super_read_only") == [(1,)], "it came back and takes writes"
    elif how is pause:
        node.docker("unpause")
    else:
        node.connect_group()
    until(lambda: set(node.members().values()) != {("ONLINE", "PRIMARY")}, 30, what="it knows that it was away")
    node.sql("STOP GROUP_REPLICATION")
    node.join()


def same_everywhere(group):
    """In all three, in the order of what was written."""
    group.stop("notifier")
    try:
        done = group.at.sql("SELECT @@gtid_executed")[0][0]
        for node in group.nodes:
            assert node.sql(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{done}', 60)") == [(0,)]
        sums = [node.sql(f"CHECKSUM TABLE {TABLES}") for node in group.nodes]
        assert sums[0] == sums[1] == sums[2]
    finally:
        group.start("notifier")


def wait_for_primary(group, old):
    """As a server that is not the old one sees it."""
    witness = next(n for n in group.nodes if n is not old)
    new = until(lambda: (p := group.primary(witness)) is not old and p, 30, what="another primary")
    group.look_at(new)
    return new


@pytest.mark.parametrize("fault", [kill, pause, cut_off])
def test_the_primary_goes_and_comes_back(group, fault):
    """Most of the time the group takes, five seconds of it in any case: the rest is the programs'."""
    elected, gone, returned, refused = [], [], [], []
    for _ in range(ROUNDS):
        with Load(group, seed=3, pause=0.02) as load:
            old = group.primary(group.at)
            load.progress()
            start = time.monotonic()
            fault(old)
            wait_for_primary(group, old)
            elected.append(time.monotonic() - start)
            load.progress(20, 40)
            time.sleep(1.5)  # all programs have gone where the last of them went
            gone.append(load.gap())
            refused.append(load.failures)
            since = len(load.successes)
            back(old, fault)
            group.whole()
            load.progress()
            returned.append(load.gap(since))
        print(f"{fault.__name__}: {len(load.told)} acknowledged, {load.failures} refused with {sorted(set(load.refused))}")
        assert not [a for a in load.refused if a == 500], load.refused
        same_everywhere(group)
    print(f"{fault.__name__}: seconds until the group had another primary {[round(g, 2) for g in elected]}, without an acknowledged write {[round(g, 2) for g in gone]},"
          f" when it came back {[round(g, 2) for g in returned]}; refused till then {refused}")
    assert max(gone) <= 10 and max(g - e for g, e in zip(gone, elected)) <= 2
    assert max(returned) <= 2


def test_a_planned_switch_refuses_nothing(group):
    gaps = []
    with Load(group, n=4, seed=4, pause=0.02) as load:
        for _ in range(ROUNDS):
            old, since = group.primary(group.at), len(load.successes)
            new = group.nodes[(old.number + 1) % 3]
            old.sql(f"SELECT group_replication_set_as_primary('{new.sql('SELECT @@server_uuid')[0][0]}')")
            assert wait_for_primary(group, old) is new
            load.progress()
            time.sleep(1.5)
            gaps.append(load.gap(since))
            until(lambda: group.api.get("/readyz", key=None).json == {"status": "ready", "database_host": new.number + 1}, 5)
        print(f"a switch: {len(load.told)} acknowledged, {load.failures} refused, seconds without an acknowledged write {[round(g, 2) for g in gaps]}")
    assert load.failures == 0 and max(gaps) <= 2
    same_everywhere(group)


def reservations(node):
    return node.sql("SELECT COUNT(*) FROM loyalty.reservation")


def test_a_server_that_came_back_alone_is_never_taken(group):
    """Though it is the first of the list and takes writes; by programs that begin then neither, nor by the tools."""
    first = group.nodes[0]
    if group.primary(group.at) is not first:
        group.at.sql(f"SELECT group_replication_set_as_primary('{first.sql('SELECT @@server_uuid')[0][0]}')")
        until(lambda: group.primary(first) is first, 30)
        group.look_at(first)
    with Load(group, seed=5, pause=0.02) as load:
        load.progress()
        kill(first)
        new = wait_for_primary(group, first)
        load.progress(20, 40)
        first.docker("start")
        until(first.answers, 90, 0.3, "a killed server")
        first.sql("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
        before = reservations(first)
        for name in ("rooms", "points", "admin", "notifier"):
            group.restart(name)
        load.progress(20, 100)
        env = {k: v for k, v in group.db_environment().items() if k not in ("LOYALTY_DB_HOST", "LOYALTY_DB_PORT")}
        env |= {"PATH": os.environ["PATH"], **group.db_settings()}
        for account, password in (("root", "$LOYALTY_DB_ADMIN_PASSWORD_FILE"), ("loyalty_prune", "$LOYALTY_SECRETS/db-prune")):
            shell = f". {TOP}/mysql/client.bash; db_client {account} {password}; printf '%s\\n' \"${{where[@]}}\""
            assert f"--port={new.port}" in tool("bash", "-euc", shell, **env).splitlines()
        assert reservations(first) == before
        assert first.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE user LIKE 'loyalty%' AND db = 'loyalty' AND time > 2") == [(0,)]
        assert any(b"is not the primary of its group" in text for name, text in group.all_logs().items() if "rooms" in name)
        first.sql("SET GLOBAL super_read_only = ON")
        first.join()
        group.whole()
    same_everywhere(group)


def test_who_may_not_give_the_right_is_told(group):
    """An account that migrates servers in no group, where it needs one right less."""
    text = (TOP / "mysql" / "migrate-account.sql").read_text().replace("__PASSWORD__", "a-password")
    for statement in [s for s in text.split(";\n") if s.strip()]:
        group.sql(statement)
    (group.var / "db-migrate").write_text("a-password\n")
    (group.var / "db-migrate").chmod(0o400)
    env = {"PATH": os.environ["PATH"], **group.db_environment(), "LOYALTY_DB_ADMIN": "loyalty_migrate", "LOYALTY_DB_ADMIN_PASSWORD_FILE": str(group.var / "db-migrate")}

    def migrate():
        return subprocess.run([TOP / "mysql" / "migrate"], env=env, capture_output=True, text=True, timeout=120)

    done = migrate()
    assert done.returncode == 0 and "nothing to do" in done.stderr, done.stderr
    group.sql("REVOKE SELECT, GRANT OPTION ON performance_schema.replication_group_members FROM loyalty_migrate@'%'")
    done = migrate()
    assert done.returncode == 1 and "this server is one of a group" in done.stderr and "GRANT SELECT ON performance_schema.replication_group_members" in done.stderr, done.stderr
    group.sql("DROP USER loyalty_migrate@'%'")
