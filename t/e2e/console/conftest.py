"""Fixtures of the console's tests.

site      a system of the console's own, whose mails go to `relay`
relay     the mail relay: refuses every recipient while relay.refusing is set
visitor   a function (stack=site) that gives a browser without a script, not signed in; see visitor.py
browser   a Chromium, signed in as Mia Berg; see chromium.py
browsers  a function (name, **how) that gives another
axe       the accessibility checker's source
"""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "notifier"))

from chromium import Browser  # noqa: E402
import whole  # noqa: E402
from relay import Relay  # noqa: E402
from visitor import Visitor  # noqa: E402


@pytest.fixture(scope="session")
def relay():
    relay = Relay(rcpt=lambda address: "550 5.1.1 no such user" if relay.refusing else None)
    relay.refusing = False
    relay.up()
    yield relay
    relay.close()


@pytest.fixture(scope="session")
def site(make_stack, relay):
    with make_stack({"LOYALTY_SMTP_HOST": f"127.0.0.1:{relay.port}", "LOYALTY_SMTP_TLS": "off",
                     "LOYALTY_NGINX_CONSOLE_SIGNIN_BURST": 1000}) as stack:
        yield stack
        assert whole.told(stack) == [] and whole.died(stack) == []


@pytest.fixture
def visitor(site):
    return lambda stack=site: Visitor(stack)


@pytest.fixture
def browsers(site):
    made = []

    def start(name="Mia Berg", stack=site, **how):
        b = Browser(stack, **how)
        made.append(b)
        b.without_script = how.get("script") is False
        return b.sign_in(name) if name else b

    yield start
    for b in made:
        b.close()


@pytest.fixture(scope="session")
def one_browser(site):
    b = Browser(site).sign_in()
    yield b
    b.close()


@pytest.fixture
def browser(one_browser):
    one_browser.resize(1280)
    one_browser.complaints()
    yield one_browser
    assert not one_browser.complaints()


@pytest.fixture(scope="session")
def axe():
    """What package-lock.json pins, installed beside it where it is missing; no script of it is run by npm."""
    folder = HERE / "axe"
    mark, lock = folder / "node_modules" / ".installed-by", folder / "package-lock.json"
    if not mark.exists() or mark.read_bytes() != lock.read_bytes():
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"npm ci: {done.stdout}"
        mark.write_bytes(lock.read_bytes())
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()
