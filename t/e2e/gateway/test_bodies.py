"""Bodies that are too large: no location takes in more than it may, and none of it ever meets the disk"""

import os
import time
import uuid

import pytest

from client import Broken

# One path of every location, and those an error or a rewrite leads to.
PATHS = ["/", "/v1", "/v1/", "/v1/rooms", "/v1/users", "/v1/users/{id}", "/v1/users/{id}/points", "/v1/admin", "/v1/admin/users",
         "/v1/admin/audit", "/v1/reservations", "/console", "/console/", "/console/sign-in", "/console/health/audit", "/healthz",
         "/readyz", "/.problem", "/.ready/points", "/.refused/forbidden", "/.console/error", "/%zz"]
METHODS = ["POST", "TRACE", "CONNECT", "OPTIONS"]
PART = b"x" * 200_000


def on_disk(stack):
    """The workers' open files that hold a body."""
    found = []
    for pid in stack.all_pids("nginx"):
        try:
            fds = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue  # a shell of its log's, gone by now
        for fd in fds:
            try:
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            if "/tmp/body/" in link:
                found.append(link)
    return found


@pytest.mark.parametrize("key", [None, "restricted"])
@pytest.mark.parametrize("method", METHODS)
def test_no_body_is_written_to_the_disk(stack, api, method, key):
    wires = []
    try:
        for path in PATHS:
            for length in ("Content-Length: 104857600\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n30d40\r\n"):
                wire = api.wire()
                wires.append(wire)
                sent = f"{method} {path.replace('{id}', str(uuid.uuid4()))} HTTP/1.1\r\nHost: x\r\n"
                if key:
                    sent += f"X-API-Key: {stack.keys[key]}\r\n"
                try:
                    wire.send((sent + length).encode() + PART)
                except OSError:
                    pass  # refused before it was sent: fine
        time.sleep(0.2)
        assert not on_disk(stack)
    finally:
        for wire in wires:
            wire.close()


def test_a_refused_method_with_a_huge_body_is_refused_at_once(stack, api):
    for method in ("TRACE", "CONNECT"):
        for path in ("/v1/rooms", f"/v1/users/{uuid.uuid4()}/points", "/v1/admin/users"):
            for key, statuses in ((None, {401}), ("restricted", {405})):
                wire = api.wire(timeout=4)
                head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n"
                head += f"X-API-Key: {stack.keys[key]}\r\n\r\n" if key else "\r\n"
                try:
                    wire.send(head.encode() + PART)
                    a = wire.answer(method, path)
                    assert a.status in statuses, a
                    a.is_problem(a.status, {401: "unauthorized", 405: "method-not-allowed"}[a.status])
                except (Broken, ConnectionError):
                    pytest.fail(f"{method} {path}: no answer")
                finally:
                    wire.close()
