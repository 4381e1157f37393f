"""Settings in families: all programs can share one environment, and each tells a slip of the pen in what is its own."""

import os
import re
import subprocess

import pytest

from stack import TOP

BUILD = os.environ.get("LOYALTY_BUILD", "build")
PROGRAMS = {name: TOP / folder / BUILD / folder for name, folder in
            {"ROOMS": "cgi-rooms", "POINTS": "cgi-points", "ADMIN": "cgi-admin", "NOTIFIER": "notifier"}.items()}
PROGRAMS["CONSOLE"] = TOP / "console" / "console"
REFUSED = re.compile(r"(LOYALTY_\w*): (?:no such setting|there is no such setting)")


def run(name, option, **settings):
    done = subprocess.run([PROGRAMS[name], option], env={"PATH": os.environ["PATH"], **settings}, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def shared():
    """An environment that has every setting of every program."""
    names = {n for name in PROGRAMS for n in re.findall(r"LOYALTY_[A-Z0-9_]+", run(name, "-h"))}
    names.update(re.findall(r"LOYALTY_PRUNE_[A-Z_]+", (TOP / "mysql" / "prune").read_text()))
    assert {f"LOYALTY_{name}" for name in ("ROOMS_THREADS", "POINTS_SOCKET", "ADMIN_DEADLINE_MS", "NOTIFIER_BATCH", "CONSOLE_API_URL", "DB_PASSWORD",
                                           "MAIL_LANGUAGE", "SMTP_HOST", "LOG_LEVEL", "PRUNE_SENT_D")} <= names
    return dict.fromkeys(names, "")


@pytest.mark.parametrize("name", PROGRAMS)
def test_all_programs_share_an_environment(shared, name):
    assert not REFUSED.findall(run(name, "-t", **shared))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_names_what_is_misspelt(shared, name):
    wrong = {f"LOYALTY_{name}_NONSENSE", "LOYALTY_LOG_LEVLE", "LOYALTY_THREADS", f"LOYALTY_{name}"}
    others = {f"LOYALTY_{other}_NONSENSE" for other in (*PROGRAMS, "NGINX", "PRUNE") if other != name}
    assert set(REFUSED.findall(run(name, "-t", **dict.fromkeys(wrong | others, ""), **shared))) == wrong
