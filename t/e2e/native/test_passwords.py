"""Password files: their first line, whatever its end; and their owner's alone.  The same for all who read them."""

import os
import subprocess

import pytest

from stack import ACCOUNTS, TOP

BUILD = os.environ.get("LOYALTY_BUILD", "build")


@pytest.fixture
def secrets(stack, tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in ACCOUNTS:
        (folder / f"db-{name}").write_text(stack.secret(f"db-{name}") + "\r\n", newline="")
        (folder / f"db-{name}").chmod(0o600)
    return folder


def run(stack, secrets, what, **more):
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}
    if what in ("migrate", "prune"):
        command = [str(TOP / "mysql" / what)]
        env.update(stack.db_environment(), LOYALTY_SECRETS=str(secrets))
        if what == "prune":
            env.pop("LOYALTY_DB_ADMIN", None)
    else:
        command = [str(TOP / (what if what == "notifier" else f"cgi-{what}") / BUILD / (what if what == "notifier" else f"cgi-{what}")), "-t"]
        env.update(stack.db_settings(), LOYALTY_DB_PASSWORD_FILE=str(secrets / f"db-{what}"))
        if what == "notifier":
            env.update(LOYALTY_SMTP_HOST="127.0.0.1:9", LOYALTY_SMTP_TLS="off", LOYALTY_MAIL_FROM="a@localhost", LOYALTY_MAIL_TO="b@localhost",
                       LOYALTY_NOTIFIER_OWNER_FILE=str(secrets / "owner"))
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=90)
    return done.returncode, done.stdout


@pytest.mark.parametrize("what", ["migrate", *ACCOUNTS])
def test_crlf_is_no_part_of_a_password_and_others_may_not_read_it(stack, secrets, what):
    status, out = run(stack, secrets, what)
    assert status == 0, out
    for name in ACCOUNTS:
        (secrets / f"db-{name}").chmod(0o644)
    status, out = run(stack, secrets, what)
    assert status != 0 and f"chmod 600 {secrets}/db-" in out, out
    stack.ready()
