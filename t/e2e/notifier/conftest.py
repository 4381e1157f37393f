"""Fixtures of the notifier's tests.

bench   a database with an empty outbox, and notifiers on demand; see bench.py
relay   a function (**faults) that starts a mail relay; see relay.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fixtures import bench, one_bench, relay  # noqa: E402, F401
