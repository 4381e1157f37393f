"""How often the parts of `make prove` do what they do, and what came of it"""

import os
import random
import sys
import time

SCALE = float(os.environ.get("LOYALTY_SCALE") or 0.004)  # of the full numbers; make check has the default
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
