"""native/parts: the one table of what there is, and what it says holds"""

import os
import re
import subprocess

import pytest

from stack import ACCOUNTS, PARTS, TOP

BUILD = os.environ.get("LOYALTY_BUILD", "build")


def test_each_part_has_its_service_and_starts_after_those_that_it_needs():
    names = list(PARTS)
    assert {f.parent.name for f in (TOP / "native" / "service").glob("*/run")} - {"log"} == set(names)
    for i, (name, part) in enumerate(PARTS.items()):
        assert set(part["after"]) <= set(names[:i]), name
    users = [user for part in PARTS.values() for user in part["user"]]
    assert len(users) == len(set(users)) == len(names)


def test_no_secret_is_given_twice():
    secrets = [secret for part in PARTS.values() for secret in part["secrets"]]
    assert len(secrets) == len(set(secrets))


def test_the_accounts_are_those_that_are_granted_something():
    granted = {name for file in [*(TOP / "mysql" / "procs").glob("*.sql"), TOP / "mysql" / "reads.sql"]
               for name in re.findall(r"^GRANT .*'loyalty_(\w+)'@'__HOST__'", file.read_text(), re.M)}
    assert granted == set(ACCOUNTS)


@pytest.mark.parametrize("name", [name for name, part in PARTS.items() if "LOG" in part["settings"]])
def test_a_program_is_given_the_families_that_it_knows(name):
    program = TOP / PARTS[name]["program"][0].replace("BUILD", BUILD)
    told = subprocess.run([program, "-h"], capture_output=True, text=True, timeout=30).stdout
    assert {setting.split("_")[1] for setting in re.findall(r"LOYALTY_[A-Z0-9_]+", told)} == set(PARTS[name]["settings"])
