"""A server and its replica: either dies, is replaced by hand as docs/operating/replica.md says, and nothing acknowledged is lost or doubled"""

import os
import time

import pytest

from load import TABLES, Load
from replica import Replicated

pytestmark = pytest.mark.cluster
ROUNDS = int(os.environ.get("LOYALTY_ROUNDS", 10))


@pytest.fixture(scope="module")
def pair():
    with Replicated() as s:
        yield s


def same_on_both(pair, written, other):
    """In the order of what was written."""
    pair.stop("notifier")
    try:
        assert other.value("SELECT MASTER_GTID_WAIT(%s, 60)", (written.value("SELECT @@gtid_binlog_pos"),)) == 0
        sums = [server.sql(f"CHECKSUM TABLE {TABLES}") for server in (written, other)]
        assert sums[0] == sums[1]
    finally:
        pair.start("notifier")


@pytest.mark.parametrize("lags", [False, True])
def test_the_replica_takes_over_and_the_other_comes_back_as_its_replica(pair, lags):
    """lags: for half a second before nothing reaches the replica, so nothing may be acknowledged."""
    written, other = pair.servers
    gone = []
    for _ in range(ROUNDS):
        with Load(pair, seed=5, pause=0.02) as load:
            load.progress()
            pair.close_db()
            if lags:
                other.sql("STOP SLAVE IO_THREAD")
                time.sleep(0.5)
            written.kill()
            since = len(load.successes)
            time.sleep(1)
            assert len(load.successes) <= since + load.n and other.value("SELECT @@read_only") == 1, "a replica takes no writes by itself"
            other.promote()
            load.progress(20, 40)
            gone.append(load.gap())
            written.start()
            assert written.value("SELECT @@read_only") == 1, "two take writes"
            written.follow(other)
            pair.safe(other)
            load.progress(20, 40)
        assert not [a for a in load.refused if a == 500], load.why
        same_on_both(pair, other, written)
        written, other = other, written
    print(f"seconds without an acknowledged write, of which one was waited: {[round(g, 2) for g in gone]}")
    pair.servers = [written, other]


def test_a_planned_switch_refuses_nothing(pair):
    written, other = pair.servers
    with Load(pair, seed=6, pause=0.02) as load:
        for _ in range(min(ROUNDS, 4)):
            load.progress()
            pair.close_db()
            written.sql("SET GLOBAL read_only = ON")
            assert other.value("SELECT MASTER_GTID_WAIT(%s, 10)", (written.value("SELECT @@gtid_binlog_pos"),)) == 0
            other.promote()
            written.follow(other)
            pair.safe(other)
            written, other = other, written
            load.progress(20, 40)
    pair.servers = [written, other]
    assert load.failures == 0, load.why
    same_on_both(pair, written, other)


def test_without_its_replica_the_other_goes_on(pair):
    written, other = pair.servers
    with Load(pair, seed=7, pause=0.02) as load:
        load.progress()
        other.kill()
        load.progress(20, 40)
        assert load.gap() < 3.5
        other.start()
        pair.safe(written)
        load.progress(20, 40)
    assert load.failures == 0, load.why
    same_on_both(pair, written, other)
