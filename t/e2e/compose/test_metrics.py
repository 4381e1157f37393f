"""The listener for a scraper in containers: compose/metrics.yml"""

import hashlib
import subprocess
import time

import pytest

from client import METRICS, Api
from composed import docker
from stack import TOP, free_port, until


@pytest.fixture(scope="module")
def opened(stack):
    """(the environment of the project with compose/metrics.yml, a client of the port)"""
    port = free_port()
    env = {**stack.environment(), "LOYALTY_METRICS_PORT": str(port)}
    env["COMPOSE_FILE"] = env["COMPOSE_FILE"].replace(":", f":{TOP}/compose/metrics.yml:", 1)

    def run(*command):
        done = subprocess.run(command, cwd=TOP, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
        assert done.returncode == 0, done.stdout

    try:
        run("docker", "compose", "up", "--detach", "--no-build", "--wait")
        stack.api.drop()
        stack.ready()
        yield run, Api(port, stack.ca, stack.keys)
    finally:
        stack.compose("up", "--detach", "--no-build", "--wait")
        stack.api.drop()
        stack.close_db()
        stack.ready()


def used(stack):
    """When the public key was last used."""
    mark = hashlib.sha256(stack.keys["public"].encode()).hexdigest()[:8]
    line = f'loyalty_key_last_used_timestamp_seconds{{role="public",fingerprint="{mark}"}} '
    lines = stack.api.get(METRICS, key="restricted").body.decode().splitlines()
    return next((int(text[len(line):]) for text in lines if text.startswith(line)), 0)


def families(a):
    return [line for line in a.body.decode().splitlines() if line.startswith("#")]


def test_the_overlay_opens_it_on_loopback_and_it_outlives_a_new_nginx(stack, opened):
    run, scraper = opened
    published = {c: docker("port", id_) for c in ("door", "nginx") for id_ in stack.containers(c)}
    assert sorted(published["door"].splitlines()) == [f"8443/tcp -> 127.0.0.1:{stack.port}", f"9145/tcp -> 127.0.0.1:{scraper.port}"] and not published["nginx"]
    for _ in range(2):
        a = scraper.get("/metrics", key=None, check=False)
        assert a.status == 200 and families(a) == families(stack.api.get(METRICS, key="restricted"))
        assert scraper.get(METRICS, key="restricted", check=False).is_problem(404, "not-found")
        run(str(TOP / "compose" / "roll"), "nginx")
        scraper.drop()
        stack.api.drop()


def test_the_last_use_of_a_key_outlives_the_container(stack):
    started = int(time.time())
    assert stack.api.get("/v1/rooms?limit=1").status == 200
    at = until(lambda: used(stack) if used(stack) >= started else 0, 15, 0.5)
    stack.restart("nginx")
    assert until(lambda: used(stack), 15, 0.5) >= at
