"""The database's volume is full: the container says so, and says it is healthy no sooner than a write works"""

import json
import subprocess
import time

import pytest

from composed import docker
from stack import _live, until


@pytest.fixture
def small(make_stack):
    """The database alone, its volume a small tmpfs."""
    s = make_stack()
    (s.var / "override.json").write_text(json.dumps({"volumes": {"db": {"driver_opts": {
        "type": "tmpfs", "device": "tmpfs", "o": "size=320m,uid=999,gid=999,mode=0750"}}}}))
    _live.append(s)
    try:
        s.compose("up", "--detach", "--no-build", "--wait", "mysql")
        yield s
    finally:
        s.down()


@pytest.mark.long
def test_full_volume_is_unhealthy_until_a_write_works(small):
    id_, = small.containers("mysql")

    def sql(statement):
        return ["docker", "exec", id_, "sh", "-c", f'MYSQL_PWD=$(cat /run/secrets/db-root) exec mysql --user=root --execute "{statement}"']

    subprocess.run(sql("CREATE TABLE loyalty_probe.large (a VARCHAR(6000)); INSERT INTO loyalty_probe.large VALUES (REPEAT('x', 6000))"), check=True)
    docker("exec", id_, "sh", "-c", "! dd if=/dev/zero of=/var/lib/mysql/filler bs=4k 2>/dev/null")
    # In place, so it waits for space in the binary log.
    write = subprocess.Popen(sql("UPDATE loyalty_probe.large SET a = REPEAT('y', 6000)"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    until(lambda: small.health("mysql") == ["unhealthy"], 30, 0.3, "unhealthy")
    assert write.poll() is None
    docker("exec", id_, "rm", "/var/lib/mysql/filler")
    # MySQL looks for space once a minute; not all of that is waited for here.
    for _ in range(8):
        waits = write.poll() is None
        assert small.health("mysql") == ["unhealthy"] or not waits
        time.sleep(1)
    write.kill()
    write.wait()
