"""More, fewer and other containers, and no request that fails"""

import os

import pytest

from composed import FASTCGI, docker
from invariants import mails_went
from mixed import Mixed, during
from stack import TOP, until

ROLL = str(TOP / "compose" / "roll")


@pytest.fixture
def one_of_each_again(stack):
    yield
    stack.compose("up", "--detach", "--no-build", "--wait")
    stack.ready()


def served(stack, name):
    """Who has answered a request, by address: of nginx's access log."""
    return {e["upstream"] for e in stack.access_log() if e["status"] in (200, 201) and e["path"].startswith(name)}


def test_scaling_up_and_down_loses_no_request(stack):
    with Mixed(stack, seed=1) as load:
        during(load, 3)
        stack.compose("up", "--detach", "--no-build", "--wait", "--scale", "cgi-rooms=3", "--scale", "cgi-points=2", "--scale", "cgi-admin=2",
                      "--scale", "notifier=2")
        assert [len(stack.containers(name)) for name in ("cgi-rooms", "cgi-points", "cgi-admin", "notifier")] == [3, 2, 2, 2]
        during(load, 4)
        assert len({address for address in served(stack, "/v1/rooms") if "," not in address}) >= 3, "the new ones have work"
        stack.compose("up", "--detach", "--no-build", "--wait")
        assert [len(stack.containers(name)) for name in ("cgi-rooms", "cgi-points", "cgi-admin", "notifier")] == [1, 1, 1, 1]
        during(load, 2)
    mails_went(stack, 60)


@pytest.mark.long
def test_rolling_restart_of_every_service_loses_no_request(stack, one_of_each_again):
    """Two of cgi-rooms and the notifier; of the others one, as at the start."""
    names = (*FASTCGI, "console", "notifier", "mail", "prune")
    stack.compose("up", "--detach", "--no-build", "--wait", "--scale", "cgi-rooms=2", "--scale", "notifier=2")
    before = {name: stack.containers(name) for name in names}
    with Mixed(stack, seed=2) as load:
        during(load, 2)
        for name in names:
            stack.run(ROLL, name)
            during(load, 1)
    for name, old in before.items():
        assert not set(old) & set(stack.containers(name)) and len(stack.containers(name)) == len(old), name
        assert set(stack.health(name)) == {"healthy"}, name


def test_rolling_one_service_loses_no_request(stack):
    before = stack.containers("cgi-rooms")
    with Mixed(stack, seed=98) as load:
        during(load, 1)
        stack.run(ROLL, "cgi-rooms")
        during(load, 2)
    assert not set(before) & set(stack.containers("cgi-rooms"))


def test_rolling_the_gateway_loses_no_request(stack):
    before = stack.containers("nginx")
    with Mixed(stack, seed=99, may_cut=8) as load:
        during(load, 2)
        stack.run(ROLL, "nginx")
        during(load, 3)
    assert not set(before) & set(stack.containers("nginx"))


def test_keys_and_certificate_are_taken_over_without_a_lost_request(stack):
    file = stack.var / "secrets" / "api-key-public"
    old = file.read_text()
    try:
        with Mixed(stack, seed=5, may_cut=8) as load:
            during(load, 1)
            file.write_text(old + "a-new-key-for-the-front-end\n")
            stack.native("keys")
            during(load, 1)
            stack.api.drop()
            assert stack.api.get("/v1/rooms?limit=1", key=b"a-new-key-for-the-front-end").status == 200
            file.write_text("a-new-key-for-the-front-end\n" + old)
            stack.native("keys")
            during(load, 1)
    finally:
        file.write_text(old)
        stack.native("keys")
    stack.api.drop()
    assert stack.api.get("/v1/rooms?limit=1", key=b"a-new-key-for-the-front-end").status == 401


def test_new_image_that_does_not_work_is_not_rolled_out(stack, tmp_path):
    """The image is broken; the old containers go on, the command fails and says why."""
    before = stack.containers("cgi-points")
    image = f"loyalty-cgi-points:{stack.tag}"
    good = docker("image", "inspect", "--format", "{{.Id}}", image)
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nENV LOYALTY_DB_HOSTS=nowhere\nENTRYPOINT [\"sh\", \"-c\", \"echo a bad day >&2; exit 1\"]\n")
    try:
        docker("build", "--tag", image, str(tmp_path))
        with Mixed(stack, seed=7) as load:
            during(load, 1)
            told = stack.run(ROLL, "cgi-points", check=False)
            during(load, 1)
        assert "the old ones run on" in told and "a bad day" in told, told
        assert stack.containers("cgi-points") == before
    finally:
        bad = docker("image", "inspect", "--format", "{{.Id}}", image)
        docker("tag", good, image)
        docker("rmi", bad, check=False)


@pytest.mark.parametrize("name, setting", [("nginx", "LOYALTY_NGINX_RATE=0"), ("nginx", "LOYALTY_NGINX_WORKERS=$$(id)"), ("cgi-rooms", "LOYALTY_ROOMS_THREADS=65"),
                                           ("cgi-admin", "LOYALTY_TYPO=1"), ("notifier", "LOYALTY_SMTP_TLS=perhaps")])
def test_bad_setting_is_refused_with_its_name_and_what_runs_goes_on(stack, name, setting):
    before = stack.containers(name)
    override = stack.var / "override.json"
    was = override.read_text()
    key, _, value = setting.partition("=")
    try:
        override.write_text('{"services": {"%s": {"environment": {"%s": "%s"}}}}' % (name, key, value))
        told = stack.run(ROLL, name, check=False)
        assert key in told and "the old ones run on" in told, told
    finally:
        override.write_text(was)
    assert stack.containers(name) == before and stack.health(name) == ["healthy"]
    stack.ready()


def test_roll_refuses_when_something_is_wrong_already(stack):
    stack.stop("points")
    try:
        assert "see to that first" in stack.run(ROLL, "cgi-points", check=False)
        assert len(stack.containers("cgi-points")) == 1
    finally:
        stack.start("points")
        stack.healthy("points")


@pytest.mark.long
def test_new_version_of_every_own_service_is_deployed_without_a_lost_request(stack):
    """compose/roll --build: all images anew (a label makes each another one), one after the other."""
    images = {name: docker("image", "inspect", "--format", "{{.Id}}", f"loyalty-{name}:{stack.tag}") for name in (*FASTCGI, "console", "nginx", "notifier")}
    override = stack.var / "override.json"
    was = override.read_text()
    override.write_text('{"services": {%s}}' % ", ".join(f'"{name}": {{"build": {{"labels": {{"deployed": "{os.getpid()}"}}}}}}' for name in images))
    try:
        with Mixed(stack, seed=11, may_cut=8) as load:
            during(load, 1)
            stack.run(ROLL, "--build", timeout=600)
            during(load, 2)
        for name, old in images.items():
            now, = {c["Image"] for c in stack.inspect(name)}
            assert now != old and now == docker("image", "inspect", "--format", "{{.Id}}", f"loyalty-{name}:{stack.tag}")
    finally:
        override.write_text(was)
        for name, old in images.items():
            docker("tag", old, f"loyalty-{name}:{stack.tag}")
    until(lambda: stack.api.get("/readyz", key=None).status == 200, 10)
