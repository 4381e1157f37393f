"""Fixtures of the parts of `make prove`.

proof   counts for this test: how often, from what seed, and what came of it; see Proof
"""

import json
import os
import random
import sys
import time
from pathlib import Path

import pytest

for folder in "faults", "notifier", "model", "../model":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / folder))

from fixtures import bench, one_bench, relay  # noqa: E402, F401

SCALE = float(os.environ.get("LOYALTY_SCALE") or 0.01)  # of the full numbers; make check has the default
SEED = int(os.environ.get("LOYALTY_SEED") or time.time())
OUT = os.environ.get("LOYALTY_PROOF")  # a file to which each test adds a line of JSON


class Proof:
    """figures: acknowledged, lost, doubled, and whatever else a part counts or measures."""

    full = SCALE >= 1

    def __init__(self):
        self.seed = SEED
        self.random = random.Random(SEED)
        self.figures = {}
        self.begun = time.monotonic()
        self.said = self.begun

    def times(self, full, least=1):
        """How often, of so many at the full length."""
        return max(least, round(full * SCALE))

    def add(self, **figures):
        for name, n in figures.items():
            self.figures[name] = self.figures.get(name, 0) + n

    def most(self, **figures):
        """Of measurements the highest."""
        for name, n in figures.items():
            self.figures[name] = max(self.figures.get(name, 0), round(n, 3))

    def said_now(self, what):
        """Progress, twice a minute, for whoever watches."""
        if time.monotonic() - self.said > 30:
            self.said = time.monotonic()
            print(f"{time.monotonic() - self.begun:6.0f} s: {what}", file=sys.__stderr__, flush=True)


@pytest.fixture
def proof(request):
    p = Proof()
    yield p
    failed = [r for r in getattr(request.node, "reports", ()) if r.failed]
    if OUT:
        with open(OUT, "a", encoding="utf-8") as file:
            print(json.dumps({"test": request.node.nodeid.split("::")[-1], "ok": not failed, "seed": p.seed, "scale": SCALE,
                              "seconds": round(time.monotonic() - p.begun, 1), "figures": p.figures,
                              "why": str(failed[0].longrepr)[-2000:] if failed else None}), file=file)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    item.reports = [*getattr(item, "reports", ()), outcome.get_result()]
