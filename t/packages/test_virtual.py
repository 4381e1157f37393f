"""What takes a kernel of one's own: limits that act, a reboot, a power cut.  Run in this order."""

import os
import re
import subprocess
import time

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
    return f"/sys/fs/cgroup{machine.sh(f'systemctl show -P ControlGroup {unit}').strip()}"


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
    loops = "for i in 1 2; do timeout 4 sh -c 'while :; do :; done' & done; wait"
    spent = "TIMEFORMAT='%U %S %R'; time {"
    def processors(where):
        out = machine.sh(f"{where}{spent} {loops}; }} 2>&1")
        user, system, real = map(float, out.split()[-3:])
        return (user + system) / real
    free, limited = processors(""), processors(f"echo $$ >{group(machine, 'loyalty-points@1')}/cgroup.procs; ")
    print("processors:", free, limited)
    assert limited < 1.1 and free > 1.4


def test_after_a_reboot_everything_is_back(machine):
    made = reserve(machine, "reboot")
    machine.reboot()
    ready(machine)
    assert reserve(machine, "reboot")["id"] == made["id"]
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
    with subprocess.Popen(machine.command(write), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as client:
        time.sleep(8)
        machine.off()
        out = client.communicate(timeout=120)[0]
    answered = [int(n) for n in re.findall(r"^(\d+) 201$", out, re.M)]
    assert len(answered) > 20, out
    machine.on()
    ready(machine)
    there = machine.sh("mariadb -N -e \"SELECT reason FROM loyalty_history.points_history WHERE reason LIKE 'power %'\"").split("\n")
    found = {int(line.split()[1]) for line in there if line}
    print(len(answered), "acknowledged,", len(found), "there")
    assert found >= set(answered) and len(found) <= len(answered) + 1
    machine.sh("systemctl start loyalty-audit")
    assert call(machine, "/v1/rooms?limit=1") and not failed(machine)
