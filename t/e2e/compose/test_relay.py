"""Which mail server the notifier gets, and how."""

import json

from composed import docker


def settings(stack):
    return json.loads(stack.compose("config", "--format", "json"))["services"]["notifier"]["environment"]


def test_only_the_own_mailbox_gets_mail_in_plain_text(stack):
    id_, = stack.containers("notifier", running=True)
    running = docker("exec", id_, "cat", "/proc/1/environ").split("\0")
    assert "LOYALTY_SMTP_HOST=mail" in running and "LOYALTY_SMTP_TLS=off" in running
    assert settings(stack)["LOYALTY_SMTP_TLS"] == ""
    # a relay: the program's default, starttls, as notifier/container leaves it
    given = docker("run", "--rm", "--network", "none", "--env", "LOYALTY_SMTP_HOST=relay.example.org", "--env", "LOYALTY_SMTP_TLS=",
                   "--env", "LOYALTY_MAIL_FROM=a@example.org", "--env", "LOYALTY_MAIL_TO=b@example.org", "--entrypoint", "sh",
                   json.loads(docker("inspect", id_))[0]["Image"], "-c",
                   "container >/tmp/log 2>&1 & sleep 1; cat /tmp/log", check=False)
    assert "relay.example.org:25, with STARTTLS" in given, given
