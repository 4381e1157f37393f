"""What is killed in a container comes back, and nothing acknowledged is lost or doubled"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from composed import OURS, docker  # noqa: E402
from invariants import mails_went  # noqa: E402
from load import Load  # noqa: E402
from stack import TOP, until  # noqa: E402

EVERY = [*OURS, "mysql"]


def books_are_in_order(stack):
    stack.close_db()
    stack.ready(60)
    audit = stack.api.get("/v1/admin/audit", key="restricted")
    assert audit.status == 200 and audit.json["ok"] is True, audit.json
    mails_went(stack, 90)


@pytest.fixture(scope="module")
def kept(stack):
    """compose/keep at work, as an operator would have it."""
    with open(stack.var / "keep.log", "wb") as log:
        keep = subprocess.Popen([str(TOP / "compose" / "keep")], cwd=TOP, env=stack.environment(), stdin=subprocess.DEVNULL, stdout=log,
                                stderr=subprocess.STDOUT, start_new_session=True)
    try:
        until(lambda: b"watching" in (stack.var / "keep.log").read_bytes(), 20)
        time.sleep(1)
        yield stack
    finally:
        os.killpg(keep.pid, signal.SIGTERM)
        keep.wait(10)


def started(stack, name):
    return [c["State"]["StartedAt"] for c in stack.inspect(name)]


def each_in_turn(stack, kill, seed):
    """One load; every container dies once, and must be back, with writes that are acknowledged again, before the next one dies."""
    told = []
    with Load(stack, seed=seed, pause=0.02) as load:
        for name in EVERY:
            before, failures, at = started(stack, name), load.failures, len(load.successes)
            kill(name)
            load.progress(60, 40)
            until(lambda: started(stack, name) != before, 20, 0.2, f"another {name}")
            stack.healthy(name)
            load.progress()
            times = sorted(load.successes[at:])
            told.append(f"{name}: {load.failures - failures} attempts refused, {max(b - a for a, b in zip(times, times[1:])):.1f} s without an answer")
    print("\n" + "\n".join(told))
    books_are_in_order(stack)


@pytest.mark.long
def test_every_crash_under_load_is_mended_by_the_engine(stack):
    """The first process of a container dies of SIGKILL, as it would of too much memory."""
    each_in_turn(stack, stack.kill, 1)


@pytest.mark.long
def test_every_docker_kill_under_load_is_mended_by_compose_keep(kept):
    each_in_turn(kept, lambda name: docker("kill", kept.containers(name)[0]), 2)


def test_what_was_stopped_stays_stopped(kept):
    """compose/keep must not undo what the operator does."""
    kept.stop("notifier")
    time.sleep(3)
    assert kept.inspect("notifier")[0]["State"]["Status"] == "exited"
    kept.start("notifier")
    kept.healthy("notifier")


def test_compose_keep_survives_what_dies_while_it_starts_and_a_docker_that_fails(stack):
    """The door and nginx, which cannot start without it, are down; docker fails at first; then its own `docker events` is killed."""
    docker("kill", *stack.containers("nginx"), *stack.containers("door"), *stack.containers("prune"))
    fails = stack.var / "bin"
    fails.mkdir()
    # As an engine that is being restarted: the first starts fail.
    (fails / "docker").write_text(f"""#!/bin/bash
case $* in
*start*) echo >>{fails}/starts; [ "$(wc -l <{fails}/starts)" -gt 4 ] || {{ echo "no engine" >&2; exit 1; }} ;;
esac
PATH=${{PATH#*:}} exec docker "$@"
""")
    (fails / "docker").chmod(0o755)
    log = stack.var / "keep.log"
    with open(log, "ab") as out:
        keep = subprocess.Popen([str(TOP / "compose" / "keep")], cwd=TOP, env={**stack.environment(), "PATH": f"{fails}:{os.environ['PATH']}"},
                                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        for name in ("door", "nginx", "prune"):
            stack.healthy(name)
        assert (fails / "starts").read_text().count("\n") > 4 and b"trying again" in log.read_bytes()
        watcher = subprocess.run(["pgrep", "-g", str(keep.pid), "-f", "docker events"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        os.kill(int(watcher[0]), signal.SIGKILL)
        before = started(stack, "prune")
        docker("kill", stack.containers("prune")[0])
        until(lambda: started(stack, "prune") != before, 20, 0.2, "another prune")
        assert keep.poll() is None
    finally:
        os.killpg(keep.pid, signal.SIGTERM)
        keep.wait(10)
    stack.healthy("prune")


def test_docker_kill_without_it_is_mended_by_docker_compose_up(stack):
    docker("kill", *stack.containers("cgi-points"), *stack.containers("mysql"))
    stack.compose("up", "--detach", "--no-build", "--wait")
    books_are_in_order(stack)


def test_all_at_once(stack):
    """The machine loses its power, nearly: everything dies within a moment."""
    with Load(stack, seed=42, pause=0.02) as load:
        load.progress()
        for name in EVERY:
            if name != "door":
                stack.kill(name)
        load.progress(90, 40)
    for name in EVERY:
        stack.healthy(name)
    books_are_in_order(stack)
