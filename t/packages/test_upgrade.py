"""From the packages of the first commit that builds them (t/packages/first) to these, while clients come."""

import os

import pytest

from machine import Machine, until
from test_packages import RUNNING, SETUP, call, failed, no_request_is_lost, pids_of, reserve, under_load


@pytest.fixture(scope="module")
def machine():
    m = Machine(os.environ["LOYALTY_MACHINE"], os.environ["LOYALTY_PACKAGES"])
    m.sh("apt-get install -y -q --no-install-recommends /packages/first/loyalty*.deb </dev/null")
    m.sh(f"{SETUP} </dev/null")
    yield m
    m.close()


def test_an_upgrade_loses_no_request_and_keeps_what_was_configured(machine):
    made = reserve(machine, "before")
    machine.sh("echo LOYALTY_LOG_LEVEL=debug >>/etc/loyalty/rooms.conf")
    # newer than any before
    machine.sh("""mkdir /tmp/next && cd /tmp/next && for deb in /packages/loyalty*.deb; do
        rm -rf x && dpkg-deb -R $deb x && sed -i "s/^Version: .*/&+next/; s/(= \\([^)]*\\))/(= \\1+next)/g" x/DEBIAN/control && dpkg-deb -b -Znone x . >/dev/null; done""")
    pids = pids_of(machine, RUNNING)
    # all that docs/operating/upgrade.md asks for
    no_request_is_lost(machine, "apt-get install -y -q --no-install-recommends /tmp/next/*.deb </dev/null")
    assert "+next" in machine.sh("dpkg-query -W loyalty-rooms")
    until(lambda: all(pid not in (0, pids[unit]) for unit, pid in pids_of(machine, RUNNING).items()), 60,
          lambda: f"was {pids}, is {pids_of(machine, RUNNING)}")
    assert "LOYALTY_LOG_LEVEL=debug" in machine.sh("cat /etc/loyalty/rooms.conf")
    assert reserve(machine, "before")["id"] == made["id"]
    assert call(machine, "/v1/admin/audit", role="restricted")["ok"]
    assert not failed(machine)


def test_the_way_back_loses_no_request(machine):
    """Both have the same compatibility number: the older programs work with the database as it is."""
    made = reserve(machine, "after")
    no_request_is_lost(machine, "apt-get install -y -q --no-install-recommends --allow-downgrades /packages/first/loyalty*.deb </dev/null")
    assert "+next" not in machine.sh("dpkg-query -W 'loyalty*'")
    assert "LOYALTY_LOG_LEVEL=debug" in machine.sh("cat /etc/loyalty/rooms.conf")
    assert reserve(machine, "after")["id"] == made["id"]
    assert call(machine, "/v1/admin/audit", role="restricted")["ok"]
    assert not failed(machine)


# In place of the packages of these sources, the same with an earlier version.
BEFORE = """systemctl mask --now apt-daily.timer apt-daily-upgrade.timer
apt-get update -q && apt-get install -y -q --no-install-recommends unattended-upgrades </dev/null
mkdir /tmp/before && cd /tmp/before && chmod 777 .
apt-get download -q $(dpkg-query -W -f '${source:Package} ${Package}\\n' | sed -En 's/^(mariadb|nginx) //p')
for deb in *.deb; do
    rm -rf x && dpkg-deb -R $deb x && rm $deb && version=$(sed -n 's/^Version: //p' x/DEBIAN/control)
    sed -i "s/^Version: .*/&~before/; s/\\([<=]\\) $version)/\\1 $version~before)/g" x/DEBIAN/control && dpkg-deb -b -Znone x . >/dev/null
done
rm -r x && apt-get install -y -q --no-install-recommends --allow-downgrades ./*.deb </dev/null
"""
VERSIONS = "dpkg-query -W mariadb-server mariadb-server-core nginx"


def test_an_unattended_upgrade_of_database_and_nginx(machine):
    machine.sh(BEFORE)
    assert machine.sh(VERSIONS).count("~before") == 3
    made = reserve(machine, "unattended")
    of_others = pids_of(machine, ["mariadb", "nginx"])
    ours = pids_of(machine, RUNNING)
    under_load(machine, "unattended-upgrade -v")
    assert "~before" not in machine.sh(VERSIONS)
    assert all(pid not in (0, of_others[unit]) for unit, pid in pids_of(machine, ["mariadb", "nginx"]).items())
    assert pids_of(machine, RUNNING) == ours
    # what a new libc takes
    no_request_is_lost(machine, "systemctl try-restart 'loyalty-*.service'")
    assert all(pid not in (0, ours[unit]) for unit, pid in pids_of(machine, RUNNING).items())
    assert reserve(machine, "unattended")["id"] == made["id"]
    assert call(machine, "/v1/admin/audit", role="restricted")["ok"]
    assert not failed(machine)
