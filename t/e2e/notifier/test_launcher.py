"""What make up gives the notifier: plain text is for its own mailbox alone."""

from relay import Relay
from stack import environment, until


def given(stack):
    return environment(stack.pids("notifier")[0])


def test_only_the_own_mailbox_gets_mail_in_plain_text(stack):
    stack.drained()
    until(lambda: given(stack).get("LOYALTY_SMTP_TLS") == "off", 5, what="off, in the notifier's environment")
    relay = Relay().up()  # without STARTTLS
    try:
        stack.set_env(LOYALTY_SMTP_HOST=f"127.0.0.1:{relay.port}")
        stack.restart("notifier")
        assert "LOYALTY_SMTP_TLS" not in given(stack)
        stack.room()
        until(lambda: "the server offers no STARTTLS" in stack.log("notifier"), 15, what="the refusal in the log")
        assert "MAIL" not in relay.verbs() and relay.arrived == []
        stack.set_env(LOYALTY_SMTP_TLS="off", LOYALTY_MAIL_FROM="Front desk <desk@hotel.example>")  # whoever wants it says so
        stack.restart("notifier")
        until(lambda: relay.arrived, 15, what="a mail in plain text")
        assert relay.arrived[0].message["From"] == "Front desk <desk@hotel.example>"
    finally:
        stack.set_env(LOYALTY_SMTP_HOST=None, LOYALTY_SMTP_TLS=None, LOYALTY_MAIL_FROM=None)
        stack.restart("notifier")
        relay.close()
    stack.drained()
