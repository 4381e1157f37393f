"""The samples of /docs/, taken from the page as it is served, and run: each prints the answer that openapi.yaml describes"""

import html
import json
import re
import subprocess

import pytest

from openapi import Spec
from stack import TOP

SPEC = Spec(TOP / "docs" / "openapi.yaml")
OPERATIONS = {op.name: op for op in SPEC.operations()}
RUN = {"curl": ("sh", ["bash", "-eu"]), "typescript": ("mjs", ["node"]), "python": ("py", ["/usr/bin/python3"])}

# The ids of the page's examples: a room, a guest, a reservation and a mail.
ROOM, GUEST, STAY, MAIL = ("d635c003-fffc-4beb-87b8-eaf3458cf772", "b9fa7d71-548c-4739-8e6a-0931cc218cd1",
                           "01a20a3b-c99b-7c5a-9d53-2f8e4b7a1c60", "outbox/4711")
# What has to stand before the call: a reservation that waits for staff, not one that is RESERVED.
PENDING = {"reservation_approve", "reservation_reject", "user_erase"}


@pytest.fixture(scope="module")
def page(stack):
    return stack.api.get("/docs/", key=None, check=False).body.decode()


def things(stack, name):
    """{id on the page: one that is there, in a state that the call needs}"""
    room, guest = stack.room(price=260), stack.user(0 if name in PENDING else 1500)
    stay = stack.reserve(room, guest).json
    assert stay["status"] == ("PENDING_APPROVAL" if name in PENDING else "RESERVED")
    if name == "reservation_approve":
        stack.adjust(guest, 1500)
    found = {ROOM: room.id, GUEST: guest.id, STAY: stay["id"]}
    if name in ("outbox_get", "outbox_retry"):
        stack.drained()
        mail = stack.value("SELECT MAX(id) FROM loyalty.outbox")
        if name == "outbox_retry":
            stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', sent_at = NULL, last_error = '550 no' WHERE id = %s", (mail,))
        found[MAIL] = f"outbox/{mail}"
    return found


@pytest.mark.parametrize("language", RUN)
@pytest.mark.parametrize("name", OPERATIONS)
def test_sample_works(stack, page, tmp_path, name, language):
    article = re.search(rf'<article id="{name}".*?</article>', page, re.S)[0]
    [text] = re.findall(rf'data-language="{language}">(.*?)</code>', article, re.S)
    [key] = re.findall(r'data-key="(\w+)"', article)
    text = html.unescape(text)
    for told, real in things(stack, name).items():
        text = text.replace(told, real)
    suffix, command = RUN[language]
    file = tmp_path / f"sample.{suffix}"
    file.write_text(text)
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LOYALTY_URL": stack.base, "CURL_CA_BUNDLE": stack.ca, "NODE_EXTRA_CA_CERTS": stack.ca,
           "SSL_CERT_FILE": stack.ca}
    if key != "none":
        env["LOYALTY_KEY"] = stack.keys["restricted" if key == "restricted" else "public"]
    done = subprocess.run([*command, str(file)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), f"{text}\n{done.stdout}{done.stderr}"
    kind, schema = next(kind for status, answer in OPERATIONS[name].responses.items() if status < 300 for kind in answer.content.items())
    if kind == "application/json":
        schema.check(json.loads(done.stdout), name)
    else:
        assert "loyalty_" in done.stdout, done.stdout
    stack.used = True


def test_sample_tells_the_problem_of_a_refusal(stack, page, tmp_path):
    """Without a key: each fails, and says why."""
    for language, (suffix, command) in RUN.items():
        article = re.search(r'<article id="reservation_create".*?</article>', page, re.S)[0]
        text = html.unescape(re.search(rf'data-language="{language}">(.*?)</code>', article, re.S)[1])
        file = tmp_path / f"refused.{suffix}"
        file.write_text(text)
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LOYALTY_URL": stack.base, "LOYALTY_KEY": "x" * 20, "CURL_CA_BUNDLE": stack.ca,
               "NODE_EXTRA_CA_CERTS": stack.ca, "SSL_CERT_FILE": stack.ca}
        done = subprocess.run([*command, str(file)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "nauthorized" in done.stdout + done.stderr, done
