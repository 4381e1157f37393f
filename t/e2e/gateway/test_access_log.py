"""How much of the access log is written, and kept"""

import os
import subprocess
import time
import uuid

import pytest

from stack import TOP, until


def line(seconds_ago):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - seconds_ago))
    return '{"time":"%s","request_id":"x"}\n' % stamp


@pytest.fixture
def rotate(tmp_path):
    """A gateway's folder without an nginx, and a function that runs nginx/rotate on it; the names of the logs then."""
    (tmp_path / "gateway.env").write_text(f"LOYALTY_NGINX_ACCESS_LOG={tmp_path}/log/access.log\nLOYALTY_NGINX_ACCESS_LOG_KEEP_MB=8\nLOYALTY_NGINX_ACCESS_LOG_KEEP_DAYS=3\n")
    (tmp_path / "log").mkdir()

    def run():
        subprocess.run([str(TOP / "nginx" / "rotate"), str(tmp_path)], check=True, timeout=20)
        return sorted(f.name for f in (tmp_path / "log").iterdir())

    return tmp_path / "log", run


def test_access_log_is_moved_aside_by_size(rotate):
    folder, run = rotate
    assert run() == []
    (folder / "access.log").write_text(line(10) * 10)
    assert run() == ["access.log"]
    (folder / "access.log").write_text(line(10) + "x" * 1_000_000)
    name, = run()
    assert name.startswith("access.log.2") and (folder / name).stat().st_size > 1_000_000


def test_access_log_is_moved_aside_by_age(rotate):
    folder, run = rotate
    (folder / "access.log").write_text(line(86_300))
    assert run() == ["access.log"]
    (folder / "access.log").write_text(line(86_500))
    name, = run()
    assert name.startswith("access.log.2")


def test_old_access_logs_go_by_age_and_by_their_sum(rotate):
    folder, run = rotate
    for days, size in ((0.1, 3_000_000), (1, 3_000_000), (2, 900_000), (2.5, 900_000), (2.9, 10)):
        file = folder / f"access.log.{days}"
        file.write_bytes(b"x" * size)
        os.utime(file, (time.time() - days * 86400,) * 2)
    (folder / "other.log.1").write_bytes(b"x" * 9_000_000)
    (folder / "access.log").write_text(line(10))
    assert run() == ["access.log", "access.log.0.1", "access.log.1", "access.log.2", "other.log.1"]
    os.utime(folder / "access.log.1", (time.time() - 3.1 * 86400,) * 2)
    assert run() == ["access.log", "access.log.0.1", "access.log.2", "other.log.1"]


def test_a_log_that_was_moved_aside_without_nginx_being_told_is_opened_again(stack, api):
    log = stack.var / "log/nginx/access.log"
    stack.access_log(api.get("/v1/rooms?limit=1").request_id)
    log.rename(f"{log}.aside")
    until(log.exists, 15)
    stack.access_log(api.get("/v1/rooms?limit=1").request_id)


def test_what_succeeds_may_be_left_out_and_nothing_else(stack, api):
    """A share of the reads, and all probes."""
    def written(*calls):
        """Which of these calls stand in the log."""
        ids = [api.request(method, path, key=key, **({"body": b"{}"} if method == "POST" else {})).request_id for method, path, key in calls]
        end = stack.reserve(stack.room(), stack.user(points=1000))
        stack.access_log(end.request_id)
        there = {e["request_id"] for e in stack.access_log()}
        return [id_ in there for id_ in ids]

    loud = [("GET", f"/v1/rooms/{uuid.uuid4()}", "public"), ("POST", "/v1/reservations", "public"), ("GET", "/v1/rooms", None), ("GET", "/nothing", None),
            ("POST", "/healthz", None)]
    quiet = [("GET", "/healthz", None), ("GET", "/readyz", None), ("HEAD", "/healthz", None), ("GET", "/v1/rooms?limit=1", "public"),
             ("HEAD", "/v1/rooms?limit=1", "restricted")]
    assert written(*loud, *quiet) == [True] * 10
    try:
        stack.set_env(LOYALTY_NGINX_ACCESS_LOG_PROBES="off", LOYALTY_NGINX_ACCESS_LOG_SAMPLE="0")
        stack.restart("nginx")
        assert written(*loud, *quiet) == [True] * 5 + [False] * 5
        stack.set_env(LOYALTY_NGINX_ACCESS_LOG_SAMPLE="20")
        stack.restart("nginx")
        assert 10 < sum(written(*[("GET", "/v1/rooms?limit=1", "public")] * 200)) < 90
    finally:
        stack.set_env(LOYALTY_NGINX_ACCESS_LOG_PROBES=None, LOYALTY_NGINX_ACCESS_LOG_SAMPLE=None)
        stack.restart("nginx")
