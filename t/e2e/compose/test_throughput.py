"""The memory of each container when the machine has all it can do.  The last of its folder: it leaves thousands of mails."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import data  # noqa: E402
from composed import OURS  # noqa: E402
from mixed import Mixed, during  # noqa: E402

LASTING = [*OURS, "mysql"]
MIB = 1 << 20


def memory(stack):
    """Of each container: what the kernel says it has, without what it could give back at once (the page cache)."""
    lines = subprocess.run(["docker", "stats", "--no-stream", "--format", "{{.ID}} {{.MemUsage}}",
                            *[id_ for name in LASTING for id_ in stack.containers(name)]], capture_output=True, text=True, timeout=60).stdout
    units = {"B": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}
    used = {}
    for line in lines.splitlines():
        id_, amount = line.split()[:2]
        number = amount.rstrip("BKMGi")
        used[id_] = float(number) * units[amount[len(number):]]
    return {name: max(used[id_[:12]] for id_ in stack.containers(name)) for name in LASTING}


@contextmanager
def memory_within_bounds(stack):
    peak = {}
    done = threading.Event()

    def watch():
        while not done.is_set():
            for name, used in memory(stack).items():
                peak[name] = max(peak.get(name, 0), used)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join(60)
    print("\n" + "\n".join(f"memory {name}: {used / MIB:.1f} MiB" for name, used in peak.items()))
    assert set(peak) == set(LASTING)
    assert peak.pop("mysql") < 700 * MIB
    assert peak.pop("console") < 128 * MIB
    assert max(peak.values()) < 64 * MIB, peak


def test_memory_stays_within_bounds_under_mixed_load(stack):
    with memory_within_bounds(stack), Mixed(stack, n=24, seed=3, pause=0) as load:
        during(load, 8)


def wrk(stack, run, workload, key, path=""):
    """One of the workloads of make bench: 32 clients for 4 s; no answer of 400 or more, no connection that failed."""
    told = subprocess.run(["wrk", "-t2", "-c32", "-d4s", "--timeout", "10s", "-s", str(BENCH / "load.lua"), f"https://127.0.0.1:{stack.port}", "--", workload, path],
                          env={"PATH": os.environ["PATH"], "BENCH_RUN": run, "BENCH_KEY": stack.secret(f"api-key-{key}"), "BENCH_ETAG": ""},
                          capture_output=True, text=True, timeout=60, check=True).stdout
    counts, = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert counts["requests"] > 100 and counts["errors"] == 0 and counts["refused"] == 0, counts
    print(f"\n{workload}: {counts['requests'] / counts['seconds']:.0f}/s")


@pytest.mark.long
def test_memory_stays_within_bounds_under_the_load_of_make_bench(stack):
    """As fast as two cores go, and then the thousands of mails that came of it."""
    rows = data.script(data.rooms([data.room(i) for i in range(1, data.ROOMS + 1)] + [data.HOT_ROOM]), data.users([data.user(i) for i in range(1, data.USERS + 1)]))
    for statement in rows.split(";\n")[:-1]:
        stack.sql(statement)
    stack.close_db()
    run = os.urandom(8).hex()
    with memory_within_bounds(stack):
        wrk(stack, run + "1", "get", "public", "/v1/rooms?limit=20")
        wrk(stack, run + "2", "points", "public")
        wrk(stack, run + "3", "adjust", "restricted")
        wrk(stack, run + "4", "reserve", "public")
        wrk(stack, run + "5", "hot", "public")
        stack.drained(180)
    audit = stack.api.get("/v1/admin/audit", key="restricted")
    assert audit.status == 200 and audit.json["ok"] is True, audit.json
