"""What takes a kernel of one's own: limits that act, a reboot, a power cut.  Run in this order."""

import os
import shlex
import subprocess

import pytest

from machine import NAME, Virtual, until
from test_packages import RESERVATION, RUNNING, SETUP, call, failed, pids_of, reserve

GIB = 1 << 30


@pytest.fixture(scope="module")
def machine():
    m = Virtual(os.environ["LOYALTY_MACHINE"], os.environ["LOYALTY_PACKAGES"])
    m.sh("apt-get install -y -q --no-install-recommends /packages/loyalty*.deb </dev/null")
    m.sh(f"{SETUP} </dev/null")
    yield m
    m.close()


def ready(machine):
    until(lambda: machine.run(f"curl -fsS --cacert /etc/loyalty/secrets/tls.crt https://{NAME}/readyz")[0] == 0, 120,
          lambda: machine.run("systemctl status 'loyalty*'")[1])


def group(machine, unit):
    return shlex.quote(f"/sys/fs/cgroup{machine.sh(f'systemctl show -P ControlGroup {unit}').strip()}")


def patiently(machine, key):
    """A reservation; without KVM everything is slow, and may be 503 at first."""
    return until(lambda: (lambda a: a if "id" in a else None)(reserve(machine, key, status="201|503")), 120, "no reservation")


def test_one_that_takes_more_than_a_gigabyte_is_ended_and_begun_again(machine):
    for unit in RUNNING:
        assert machine.sh(f"cat {group(machine, unit)}/memory.max {group(machine, unit)}/cpu.max") == f"{GIB}\n100000 100000\n", unit
    was = pids_of(machine, ["loyalty-rooms@1"])
    took = "python3 -c 'held = bytearray(1100 << 20); held[::4096] = bytes(len(held[::4096])); print(len(held))'"
    assert machine.run(took)[1] == f"{1100 << 20}\n"  # anybody else may
    status, out = machine.run(f"echo $$ >{group(machine, 'loyalty-rooms@1')}/cgroup.procs; {took}")
    assert status != 0 and str(1100 << 20) not in out, out
    until(lambda: pids_of(machine, ["loyalty-rooms@1"]) not in (was, {"loyalty-rooms@1": 0}), 60, lambda: machine.run("systemctl status loyalty-rooms@1")[1])
    ready(machine)
    assert not failed(machine)


def test_one_that_computes_gets_one_processor(machine):
    """Two loops, for which there are two processors."""
    where = group(machine, "loyalty-points@1")
    held_back = f"sed -n 's/^nr_throttled //p' {where}/cpu.stat"
    before = int(machine.sh(held_back))
    machine.sh(f"echo $$ >{where}/cgroup.procs; for i in 1 2; do timeout 5 sh -c 'while :; do :; done' & done; wait")
    assert int(machine.sh(held_back)) > before + 3


def test_after_a_reboot_everything_is_back(machine):
    made = patiently(machine, "reboot")
    machine.reboot()
    ready(machine)
    assert patiently(machine, "reboot")["id"] == made["id"]
    assert 0 not in pids_of(machine, RUNNING).values()
    assert not failed(machine)


def test_a_power_cut_loses_nothing_that_was_acknowledged(machine):
    """Points of one guest are adjusted until the machine is off; each answer that came is in the history when it is on again."""
    guest = RESERVATION["user"]["id"]
    write = f"""key=$(cat /etc/loyalty/secrets/api-key-restricted)
for ((i = 0; ; i++)); do
    curl -sS --cacert /etc/loyalty/secrets/tls.crt -H "X-API-Key: $key" -H 'Content-Type: application/json' -o /dev/null -w "$i %{{http_code}}\\n" \\
        https://{NAME}/v1/users/{guest}/points -d "{{\\"amount\\":1,\\"reason\\":\\"power $i\\"}}"
done"""
    answered = []
    with subprocess.Popen(machine.command(write), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as client:
        for line in client.stdout:
            if line.endswith(" 201\n"):
                answered.append(int(line.split()[0]))
                if len(answered) == 50:
                    machine.off()
    machine.on()
    ready(machine)
    there = machine.sh("mariadb -N -e \"SELECT reason FROM loyalty_history.points_history WHERE reason LIKE 'power %'\"").split("\n")
    found = {int(line.split()[1]) for line in there if line}
    print(len(answered), "acknowledged,", len(found), "there")
    assert len(answered) >= 50 and found >= set(answered)
    assert len(there) - 1 == len(found), "one was done twice"
    machine.sh("systemctl start loyalty-audit")
    assert call(machine, "/v1/rooms?limit=1") and not failed(machine)
