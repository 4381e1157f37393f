"""Fixtures of the parts of `make prove`.

proof   counts for this test: how often, from what seed, and what came of it; see Proof
"""

import json
import sys
import time
from pathlib import Path

import pytest

for folder in "prove", "faults", "notifier", "../model":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / folder))

from fixtures import bench, one_bench, relay  # noqa: E402, F401

from figures import OUT, SCALE, Proof  # noqa: E402


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
