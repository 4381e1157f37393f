"""From the packages of the first commit that builds them (t/packages/first) to these, while clients come."""

import os

import pytest

from machine import Machine, until
from test_packages import RUNNING, SETUP, call, failed, no_request_is_lost, pids_of, reserve


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
