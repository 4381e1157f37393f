"""Fixtures of the end-to-end tests.

stack      one private system for the whole run; what a test does to it must leave it working
api        its REST client
new_stack  a function that starts another one, for tests that break things; gone at the end of the test
"""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import composed  # noqa: E402
import installed  # noqa: E402
from composed import Composed  # noqa: E402
from installed import Installed  # noqa: E402
from mysqld import OnMySQL  # noqa: E402
from stack import Stack, TOP, _cleanup  # noqa: E402

System = Composed if Composed.tag else Installed if Installed.there else OnMySQL if OnMySQL.image else Stack
NATIVE = {Composed: composed.NATIVE, Installed: installed.NATIVE}.get(System, {})

# A run that calls everything: only then can be told what was never exercised.
WHOLE = {"compose"} if System is Composed else {"rooms", "points", "admin", "gateway"}
LAST = ("faults", "compose", "test_contract.py")

# Of no run that does not ask for them.
MARKED = {"npm": "npm: needs a package from npm (make check-axe)", "root": "root: needs root (make check-root)",
          "long": "long: takes minutes (make check-all)", "cluster": "cluster: needs three database servers (make check-cluster)",
          "machines": "machines: needs root and three database servers (make check-cluster, as root)",
          "group": "group: needs three containers of MySQL (make check-mysql)", "prove": "prove: needs scanners and a fuzzer (make prove)"}


# Of containers, and for containers only.
collect_ignore = [] if System is Composed else ["compose"]


def _leave(number, frame):
    pytest.exit(f"signal {number}", returncode=128 + number)


def pytest_configure(config):
    for line in MARKED.values():
        config.addinivalue_line("markers", line)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)


def pytest_unconfigure(config):
    _cleanup()


def pytest_collection_modifyitems(config, items):
    here = Path(__file__).resolve().parent

    def rank(item):
        parts = Path(str(item.fspath)).resolve().relative_to(here).parts
        return max((i + 1 for i, name in enumerate(LAST) if name in parts), default=0)

    if not config.getoption("markexpr"):
        others = [i for i in items if any(i.get_closest_marker(name) for name in MARKED)]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = [i for i in items if i not in others]
    items.sort(key=rank)
    if NATIVE:
        idle = [name for name in NATIVE if (here / name.partition("::")[0]) in {Path(str(i.fspath)).resolve() for i in items}
                and not any(i.nodeid.startswith(name) for i in items)]
        if idle and not config.getoption("keyword") and not any("::" in a for a in config.args):
            raise pytest.UsageError(f"{System.__module__}.py names tests that are not there: {idle}")
        native = [i for i in items if any(i.nodeid.startswith(name) for name in NATIVE)
                  or System is Installed and "new_stack" in i.fixturenames]
        config.hook.pytest_deselected(items=native)
        items[:] = [i for i in items if i not in native]
    seen = {Path(str(i.fspath)).resolve().relative_to(here).parts[0] for i in items}
    if not WHOLE <= seen or config.getoption("keyword"):
        part = [i for i in items if i.get_closest_marker("whole_run")]
        if part:
            config.hook.pytest_deselected(items=part)
            items[:] = [i for i in items if i not in part]


class AtOnce:
    """A failure is told when it happens: a whole run takes minutes."""

    def __init__(self, reporter):
        self.reporter = reporter

    def pytest_runtest_logreport(self, report):
        if report.failed:
            reason = str(report.longrepr).rstrip().rpartition("\n")[2]
            self.reporter.write_line(f"\n{report.nodeid}: {report.when} failed: {reason[:300]}")


def pytest_sessionstart(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        session.config.pluginmanager.register(AtOnce(reporter))


def pytest_sessionfinish(session, exitstatus):
    """A test that was skipped, or expected to fail, proves nothing: the run fails."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    idle = sum(len(reporter.stats.get(kind, [])) for kind in ("skipped", "xfailed", "xpassed")) if reporter else 0
    if idle and session.exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line(f"{idle} skipped or expected to fail: that is a failure", red=True)


class Contract:
    """docs/openapi.yaml, held against every answer."""

    def __init__(self):
        self.spec = None
        if (TOP / "docs" / "openapi.yaml").exists() and (TOP / "t" / "e2e" / "openapi.py").exists():
            import openapi
            self.spec = openapi.Spec(TOP / "docs" / "openapi.yaml")

    def check(self, a):
        if self.spec:
            self.spec.check(a.method, a.target, a.status, a.headers, a.body)


@pytest.fixture(scope="session")
def contract():
    return Contract()


_started = []


@pytest.fixture(scope="session")
def make_stack(contract):
    """A function (settings, **how) that gives a stack which isn't up yet; `with` brings it up."""

    class Watched(System):
        def connect(self):
            super().connect()
            self.api.observers.append(contract.check)
            if self not in _started:  # it may have moved to another port
                _started.append(self)

        def down(self):
            if self in _started:
                _started.remove(self)
            super().down()

    return Watched


@pytest.fixture(scope="session")
def stack(make_stack):
    with make_stack() as s:
        yield s


@pytest.fixture
def api(stack):
    return stack.api


@pytest.fixture
def new_stack(make_stack):
    made = []

    def start(*args, **how):
        s = make_stack(*args, **how)
        made.append(s)
        return s.up()

    yield start
    for s in made:
        s.down()


@pytest.fixture(scope="module", autouse=True)
def invariants_hold_at_the_end_of_the_module():
    yield
    for s in list(_started):
        if s.used:
            s.check_invariants()
