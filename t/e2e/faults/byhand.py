"""Parts of a stack started by hand, in an environment that the supervised ones can't be given"""

import os
import pwd
import shutil
import signal
import subprocess

from stack import TOP, environment, until


def me():
    return pwd.getpwuid(os.getuid()).pw_name


class ByHand:
    """A process group of our own; ended on leaving."""

    def __init__(self, command, env=None, log=None):
        self.log = open(log, "ab") if log else subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)

    def end(self, seconds=30):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


def database(stack, wrap=(), env=None):
    """The stack's database, started by hand in place of the supervised one."""
    stack.stop("db")
    stack.close_db()
    part = ByHand([*wrap, shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin"), f"--defaults-file={stack.var}/db.cnf", f"--user={me()}"],
                  {"PATH": os.environ["PATH"], "TZ": "UTC", **(env or {})}, stack.var / "log" / "db-by-hand.log")

    def answers():
        try:
            stack.value("SELECT 1")
            return True
        except Exception:
            assert part.process.poll() is None, (stack.var / "log" / "db-by-hand.log").read_text()[-2000:]
            return False

    until(answers, 30, 0.1, "the database, started by hand")
    return part


def service(stack, name, env):
    """A service, started by hand in place of the supervised one, with its own environment and more."""
    pid = stack.pids(name)[0]
    own = environment(pid)
    stack.stop(name)
    sanitizer = own.get("ASAN_OPTIONS")
    if sanitizer is not None:
        env = {**env, "ASAN_OPTIONS": sanitizer + ":verify_asan_link_order=0"}
    binary = TOP / f"cgi-{name}" / os.environ.get("LOYALTY_BUILD", "build") / f"cgi-{name}"
    # the socket is made outside: what is preloaded is for the service alone
    run = ["/usr/bin/env", *(f"{k}={v}" for k, v in env.items()), str(binary)]
    sock = str(stack.var / "run" / f"{name}.sock")
    if os.path.lexists(sock):
        os.unlink(sock)
    return ByHand(["spawn-fcgi", "-n", "-s", sock, "-M", "0666", "--", *run], own, stack.var / "log" / f"{name}-by-hand.log")
