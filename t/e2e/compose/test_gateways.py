"""Two gateways in front of the same services: compose/gateways.yml"""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "console"))

from client import METRICS, Api, Broken  # noqa: E402
from composed import docker  # noqa: E402
from mixed import Mixed, during  # noqa: E402
from stack import TOP, free_port, until  # noqa: E402
from visitor import Visitor  # noqa: E402

pytestmark = pytest.mark.long

GATEWAYS = ["nginx", "nginx-2"]
NEW = "a-new-key-for-the-front-end"


@pytest.fixture(scope="module")
def second(stack):
    """A client of the second gateway; all commands are for the project with both."""
    port = free_port()
    env = {**stack.environment(), "LOYALTY_GATEWAY_2_PORT": str(port)}
    env["COMPOSE_FILE"] = env["COMPOSE_FILE"].replace(":", f":{TOP}/compose/gateways.yml:", 1)
    stack.environment = lambda: env
    try:
        stack.compose("up", "--detach", "--no-build", "--wait")
        api = Api(port, stack.ca, stack.keys)
        api.observers += stack.api.observers
        yield api
    finally:
        stack.compose("rm", "--stop", "--force", "nginx-2", "door-2")
        del stack.environment
        stack.compose("up", "--detach", "--no-build", "--wait")
        docker("volume", "rm", f"{stack.project}_door-2")
        stack.api.drop()
        stack.ready()


def statuses(stack, second, key):
    """What each gateway answers to this key, on new connections."""
    found = []
    for api in (stack.api, second):
        api.drop()
        found.append(api.get("/v1/rooms?limit=1", key=key.encode()).status)
    return found


def counted(api, name):
    """The value of this line of the metrics."""
    lines = api.get(METRICS, key="restricted").body.decode().splitlines()
    return next((int(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " ")), 0)


def answers(api):
    api.drop()
    try:
        return api.get("/healthz", key=None).status == 200
    except (OSError, Broken):
        return False


def test_compose_finds_every_gateway(stack, second):
    assert stack.run(str(TOP / "compose" / "gateways")).split() == GATEWAYS
    assert docker("port", *stack.containers("door-2")) == f"8443/tcp -> 127.0.0.1:{second.port}" and not docker("port", *stack.containers("nginx-2"))


def test_keys_are_in_force_at_both_or_it_is_said_where_not(stack, second):
    file = stack.var / "secrets" / "api-key-public"
    old = file.read_text()
    container, = stack.containers("nginx-2")
    try:
        docker("pause", container)
        file.write_text(old + NEW + "\n")
        told = stack.run(str(TOP / "compose" / "keys"), check=False)
        assert f"stays in force at nginx-2 ({container[:12]})" in told.splitlines()[-1], told
        with pytest.raises(AssertionError, match="exit status 1"):
            stack.native("keys")
        docker("unpause", container)
        assert statuses(stack, second, NEW) == [200, 401]
        stack.native("keys")
        assert statuses(stack, second, NEW) == [200, 200]
        # One scrape tells of both: who was only ever asked by way of the second.
        mark = hashlib.sha256(NEW.encode()).hexdigest()[:8]
        count = f'loyalty_gateway_requests_total{{status="404",fingerprint="{mark}"}}'
        assert second.get("/v1/nothing", key=NEW.encode()).status == 404
        until(lambda: counted(stack.api, count) == 1, 15, 0.5)
    finally:
        if stack.inspect("nginx-2")[0]["State"]["Paused"]:
            docker("unpause", container)
        file.write_text(old)
        stack.native("keys")
    assert statuses(stack, second, NEW) == [401, 401]
    docker("stop", container)
    told = stack.native("keys")
    docker("start", container)
    stack.healthy("nginx-2")
    assert "nginx-2 does not run" in told


def test_renewed_certificate_is_shown_by_both(stack, second):
    folder = stack.var / "secrets"
    was = {name: (folder / name).read_bytes() for name in ("tls.crt", "tls.key")}

    def shown():
        return [subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", stack.ca, "-verify_return_error"], stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=20).returncode for port in (stack.port, second.port)]

    try:
        for name in was:
            (folder / name).unlink()
        subprocess.run([str(TOP / "native" / "secrets"), str(folder)], check=True, capture_output=True)
        assert shown() == [1, 1]
        stack.native("keys")
        assert shown() == [0, 0]
    finally:
        for name, data in was.items():
            (folder / name).write_bytes(data)
        stack.native("keys")
    assert shown() == [0, 0]


def test_rolling_both_loses_no_request_at_either(stack, second):
    before = {name: stack.containers(name) for name in GATEWAYS}
    with Mixed(stack, seed=71, may_cut=8, others=[second]) as load:
        during(load, 1)
        stack.run(str(TOP / "compose" / "roll"), *stack.run(str(TOP / "compose" / "gateways")).split())
        during(load, 2)
    for name, old in before.items():
        assert len(stack.containers(name)) == 1 and stack.containers(name) != old, name
    assert "door-2 cannot be doubled" in stack.run(str(TOP / "compose" / "roll"), "door-2", check=False)


@pytest.mark.long
def test_new_version_reaches_every_gateway(stack, second):
    """compose/roll --build without a list: the same images here, in new containers."""
    before = {name: stack.containers(name) for name in GATEWAYS}
    with Mixed(stack, seed=72, may_cut=8, others=[second]) as load:
        during(load, 1)
        stack.run(str(TOP / "compose" / "roll"), "--build", timeout=600)
        during(load, 2)
    for name, old in before.items():
        assert len(stack.containers(name)) == 1 and stack.containers(name) != old, name


@pytest.mark.long
def test_counts_of_both_are_whole_when_their_file_is_moved_aside(stack, second):
    """By the nginx/count of one; the other's nginx writes on into the old file until its own looks."""
    count = 'loyalty_gateway_requests_total{status="401",fingerprint="unknown"}'
    container, = stack.containers("nginx")
    inode = docker("exec", container, "stat", "-c", "%i", "/var/lib/loyalty/requests")
    before = counted(stack.api, count)
    docker("exec", container, "sh", "-c", "yes '200 none' | head -n 500000 >>/var/lib/loyalty/requests")
    sent = 0

    def moved():
        nonlocal sent
        # Not every moment: nginx has its second to write, and a file that nobody writes into is the one that is removed too early.
        for api in (stack.api, second):
            assert api.get("/v1/rooms?limit=1", key=b"wrong-key-wrong-key").status == 401
            sent += 1
        files = docker("exec", container, "sh", "-c", "cd /var/lib/loyalty; stat -c '%n %i' requests*", check=False)
        return files.startswith("requests ") and inode not in files.split()

    until(moved, 90, 4, "the file that was moved aside is gone")
    for api in (stack.api, second):
        for _ in range(5):
            api.get("/v1/rooms?limit=1", key=b"wrong-key-wrong-key")
    until(lambda: counted(second, count) - before == sent + 10, 20, 0.5, f"{sent + 10} refusals")


@pytest.mark.long
def test_one_goes_on_without_the_other(stack, second):
    """The first and its door are killed: API and console go on at the second, and compose/keep brings the first back."""
    staff = Visitor(stack).sign_in("Mia Berg")
    docker("kill", *stack.containers("nginx"), *stack.containers("door"))
    staff.stack = SimpleNamespace(base=f"https://localhost:{second.port}", ca=stack.ca, keys=stack.keys)
    for _ in range(4):
        page = staff.get("/console/rooms")
        assert page.status_code == 200 and "Sign out" in page.text
        assert second.get("/v1/rooms?limit=1").status == 200
    docker("kill", *stack.containers("nginx-2"))
    log = stack.var / "keep-gateways.log"
    with open(log, "wb") as out:
        keep = subprocess.Popen([str(TOP / "compose" / "keep")], cwd=TOP, env=stack.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                start_new_session=True)
    try:
        for name in ("door", *GATEWAYS):
            stack.healthy(name)
    finally:
        os.killpg(keep.pid, signal.SIGTERM)
        keep.wait(10)
    for api in (stack.api, second):
        api.drop()
        assert api.get("/v1/rooms?limit=1").status == 200
    staff.get("/console/rooms")
    staff.submit("/console/sign-out")
    staff.stack = stack
    assert "Sign out" not in staff.get("/console/rooms").text, "signed out at one is signed out"
    before = [stack.containers(name) for name in ("door", "nginx")]
    with Mixed(stack, seed=73) as load:
        stack.compose("up", "-d", "--wait", "--no-deps", "--force-recreate", "door-2", "nginx-2")
        during(load, 3)
    assert [stack.containers(name) for name in ("door", "nginx")] == before
    assert statuses(stack, second, stack.keys["public"]) == [200, 200]
    docker("restart", *stack.containers("door-2"))
    until(lambda: stack.health("nginx-2") == ["healthy"] and answers(second), 60, 0.5, "nginx-2 has come after its door")


@pytest.mark.long
def test_restore_stops_all_and_starts_as_many(stack, second):
    """Nobody writes by way of any of them while the databases are replaced."""
    kept = stack.reserve(stack.room(total=3, price=0), stack.user()).json["id"]
    stack.drained()
    stack.compose("up", "--detach", "--no-build", "--wait", "--scale", "nginx-2=2")
    dump = subprocess.run([str(TOP / "compose" / "backup")], cwd=TOP, env=stack.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          timeout=120).stdout
    before = {name: {c["Id"]: c["State"]["StartedAt"] for c in stack.inspect(name)} for name in GATEWAYS}
    stack.run(str(TOP / "compose" / "restore"), stdin=dump)
    stack.close_db()
    after = {name: {c["Id"]: c["State"]["StartedAt"] for c in stack.inspect(name)} for name in GATEWAYS}
    assert [len(after[name]) for name in GATEWAYS] == [1, 2] and not any(set(before[name].items()) & set(after[name].items()) for name in GATEWAYS)
    for api in (stack.api, second):
        api.drop()
        assert api.get(f"/v1/reservations/{kept}").status == 200
    stack.compose("up", "--detach", "--no-build", "--wait")
