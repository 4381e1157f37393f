"""A log that nobody takes down stops nothing"""

import os
import pathlib
import re
import signal

from stack import as_user_of, until

SERVICES = {"rooms": "cgi-rooms", "points": "cgi-points", "admin": "cgi-admin", "notifier": "notifier"}
METRIC = re.compile(r'loyalty_log_lines_dropped_total\{service="([a-z-]+)"\} (\d+)')


def dropped(api):
    text = api.get("/v1/admin/metrics", key="restricted").body.decode()
    return {service: int(n) for service, n in METRIC.findall(text)}


def logger_of(pid):
    """The process that reads what this one writes to standard error."""
    with as_user_of(pid):
        pipe = os.readlink(f"/proc/{pid}/fd/2")
    for other in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (other / "comm").read_text() != "svlogd\n":
                continue
            with as_user_of(other.name):
                if os.readlink(other / "fd/0") == pipe:
                    return int(other.name)
        except OSError:
            continue
    raise AssertionError(f"nobody reads {pipe}")


def fill(pid):
    """Write to the pipe until it takes nothing more, through a descriptor of our own."""
    with as_user_of(pid):
        fd = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    try:
        for size in (4096, 1):
            try:
                while True:
                    os.write(fd, b"." * (size - 1) + b"\n")
            except BlockingIOError:
                pass
    finally:
        os.close(fd)


def test_full_log_stops_nothing_and_what_was_dropped_is_counted(stack, api):
    room, user = stack.room(total=100, price=1), stack.user(points=100)
    before = dropped(api)
    pids = {name: stack.pids(name)[0] for name in SERVICES}
    loggers = [logger_of(pid) for pid in pids.values()]
    try:
        for logger in loggers:
            os.kill(logger, signal.SIGSTOP)
        for pid in pids.values():
            fill(pid)
        # each connection that is found closed is worth a line
        for _ in range(3):
            for id_, in stack.sql("SELECT id FROM information_schema.processlist WHERE user LIKE 'loyalty%%'"):
                stack.sql(f"KILL {id_}")
            for _ in range(20):
                assert api.get(f"/v1/rooms/{room.id}").status == 200
                assert api.get(f"/v1/users/{user.id}/points").status == 200
                assert api.get(f"/v1/admin/rooms/{room.id}", key="restricted").status == 200
        made = stack.reserve(room, user).json["id"]
        stack.mails_about(made)

        def counted():
            now = dropped(api)
            return all(now.get(label, 0) > before.get(label, 0) for label in SERVICES.values())

        until(counted, 20, 0.5, "every service counts what it dropped")
        assert {name: stack.pids(name)[0] for name in SERVICES} == pids, "none was started again"
    finally:
        for logger in loggers:
            os.kill(logger, signal.SIGCONT)
    for name in SERVICES:
        until(lambda: re.search(r" dropped \d+ log lines: ", stack.log(name)), 15, 0.3, f"{name} tells of it")
