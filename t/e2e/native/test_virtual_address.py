"""Two gateways behind one address that keepalived moves: docs/operating/gateways.md, with its configuration (make check-root)

Each host is a network namespace with an nginx and a keepalived of its own; a third one has the clients, and the bridge between them."""

import ctypes
import os
import re
import signal
import socket
import ssl
import subprocess
import textwrap
import threading
import time
import uuid

import pytest

from netns import Namespace
from stack import TOP, until

pytestmark = pytest.mark.root

ADDRESS, PORT = "192.0.2.10", 8443
PAGE = (TOP / "docs" / "operating" / "gateways.md").read_text()


def configuration(peer=None):
    """keepalived.conf as the page has it, with the name and the port of here."""
    text = textwrap.dedent(re.search(r"^( +)global_defs \{\n(?:\1.*\n)+", PAGE, re.M)[0])
    assert f"\n        {ADDRESS}\n" in text and "interface eth0" in text
    return text.replace("https://loyalty.example.org/", f"https://localhost:{PORT}/").replace(
        "interface eth0", "interface eth0" + (f"\n    unicast_src_ip {peer[0]}\n    unicast_peer {{\n        {peer[1]}\n    }}" if peer else ""))


class Host(Namespace):
    """A machine with nginx and keepalived."""

    def __init__(self, stack, net, number, folder):
        super().__init__(f"gw{number}")
        self.own, self.other = f"192.0.2.{number}", f"192.0.2.{3 - number}"
        self.folder = folder
        self.nginx = self.keepalived = None
        folder.mkdir()
        self.plug_into(net, f"{net.name}{number}", f"{self.own}/24")
        services = {f"LOYALTY_NGINX_UPSTREAM_{name.upper()}": "unix:" + stack.fastcgi(name) for name in ("rooms", "points", "admin", "console")}
        self.environment = {"PATH": os.environ["PATH"], "HTTPS_PORT": str(PORT), "LOYALTY_NGINX_BIND": "0.0.0.0", "LOYALTY_NGINX_IPV6": "off",
                            "LOYALTY_SECRETS": str(stack.var / "secrets"), "LOYALTY_NGINX_ACCESS_LOG": "off", **services}
        self.log = open(folder / "log", "ab")

    def spawn(self, *command):
        return subprocess.Popen(["ip", "netns", "exec", self.name, *command], env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def start_nginx(self):
        subprocess.run([str(TOP / "nginx" / "render"), str(self.folder)], env=self.environment, check=True)
        self.nginx = self.spawn("nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"))

    def start_keepalived(self, unicast=False):
        (self.folder / "keepalived.conf").write_text(configuration((self.own, self.other) if unicast else None))
        self.keepalived = self.spawn("keepalived", "-n", "-l", "-D", "-f", str(self.folder / "keepalived.conf"),
                                     "-p", str(self.folder / "keepalived.pid"), "-r", str(self.folder / "vrrp.pid"))

    def has_address(self):
        return f" {ADDRESS}/" in self.ip("-4", "address", "show", "dev", "eth0")

    def signal_nginx(self, sig):
        os.killpg(self.nginx.pid, sig)

    def stop_keepalived(self):
        if self.keepalived:
            self.keepalived.terminate()
            self.keepalived.wait(10)

    def lose_everything(self):
        self.kill()
        for process in (self.nginx, self.keepalived):
            process.wait(10)

    def lose_power(self):
        self.ip("link", "set", "eth0", "down")
        self.lose_everything()

    def boot(self, unicast=False):
        """Start what is missing; whether anything was.  What a machine that was off forgets, the address, it forgets."""
        missing = [not process or process.poll() is not None for process in (self.nginx, self.keepalived)]
        if "state DOWN" in self.ip("link", "show", "dev", "eth0"):
            self.ip("address", "flush", "dev", "eth0", "to", ADDRESS)
            self.ip("link", "set", "eth0", "up")
        if missing[0]:
            self.start_nginx()
        if missing[1]:
            self.start_keepalived(unicast)
        return any(missing)


class Client(threading.Thread):
    """Writes by way of the virtual address without a pause, on a kept connection, and sends each again until it is answered."""

    def __init__(self, stack, net):
        super().__init__(daemon=True)
        self.stack, self.net = stack, net
        self.user = stack.user(points=0)
        self.context = ssl.create_default_context(cafile=stack.ca)
        self.done = threading.Event()
        self.answered, self.failures, self.error = [], [], None

    def run(self):
        try:
            with open(f"/run/netns/{self.net.name}") as namespace:
                assert ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000) == 0, os.strerror(ctypes.get_errno())
            self.connection = None
            while not self.done.is_set():
                self.write(uuid.uuid4().hex)
                time.sleep(0.005)
        except Exception as e:
            self.error = e

    def write(self, idem):
        body = b'{"amount": 1, "reason": "load"}'
        request = (f"POST /v1/users/{self.user.id}/points HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {self.stack.keys['restricted']}\r\n"
                   f"Idempotency-Key: {idem}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
        while not self.done.is_set():
            try:
                if self.connection is None:
                    self.connection = self.context.wrap_socket(socket.create_connection((ADDRESS, PORT), 0.5), server_hostname="localhost")
                self.connection.sendall(request)
                status = self.answer()
                assert status == 201, status
                self.answered.append(time.monotonic())
                return
            except OSError as e:
                self.failures.append((time.monotonic(), e))
                if self.connection:
                    self.connection.close()
                self.connection = None
                time.sleep(0.02)

    def answer(self):
        got = b""
        while b"\r\n\r\n" not in got:
            part = self.connection.recv(65536)
            if not part:
                raise ConnectionResetError("closed")
            got += part
        head, _, rest = got.partition(b"\r\n\r\n")
        missing = int(re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)[1]) - len(rest)
        while missing > 0:
            part = self.connection.recv(65536)
            if not part:
                raise ConnectionResetError("closed")
            missing -= len(part)
        if re.search(rb"\r\nconnection: *close", head, re.I):
            self.connection.close()
            self.connection = None
        return int(head.split()[1])

    def gap(self, since):
        """The longest time without an answer since then, in s."""
        times = [t for t in [since, *self.answered] if t >= since]
        return max(b - a for a, b in zip(times, times[1:]))

    def goes_on(self, seconds=10, more=20):
        assert not self.error, self.error
        goal = len(self.answered) + more
        until(lambda: self.error or len(self.answered) >= goal, seconds, 0.01, f"{more} more answers")
        assert not self.error, self.error


@pytest.fixture(scope="module")
def hosts(stack, tmp_path_factory):
    """(both machines, the client's namespace)"""
    made = []
    folder = tmp_path_factory.mktemp("hosts")
    try:
        net = Namespace("net")
        made.append(net)
        net.ip("link", "add", "br0", "type", "bridge")
        net.ip("address", "add", "192.0.2.100/24", "dev", "br0")
        net.ip("link", "set", "br0", "up")
        for number in (1, 2):
            made.append(Host(stack, net, number, folder / str(number)))
        yield made[1:], net
    finally:
        for host in made[1:]:
            host.log.flush()
            print((host.folder / "log").read_text()[-6000:])
        for namespace in reversed(made):
            namespace.remove()


def sole(pair):
    """Who has the address, if one of them has."""
    having = [host for host in pair if host.has_address()]
    return having[0] if len(having) == 1 else None


# What happens, and within how many seconds the address is served again.
EVENTS = {"planned": (Host.stop_keepalived, 3), "killed": (lambda host: host.signal_nginx(signal.SIGKILL), 5),
          "hangs": (lambda host: host.signal_nginx(signal.SIGSTOP), 6), "processes": (Host.lose_everything, 6), "off": (Host.lose_power, 6)}


@pytest.mark.parametrize("event, unicast", [*((event, False) for event in EVENTS), ("planned", True)])
def test_clients_go_on_with_the_same_address(stack, hosts, event, unicast):
    """And who comes back after nginx or the machine were down doesn't take it away again."""
    pair, net = hosts
    happen, most = EVENTS[event]
    if unicast:
        for host in pair:
            host.stop_keepalived()
    started = [host.boot(unicast) for host in pair]
    first = until(lambda: sole(pair), 15)
    other = pair[1 - pair.index(first)]
    if any(started):
        time.sleep(3)  # both have looked at their nginx twice
    client = Client(stack, net)
    client.start()
    try:
        client.goes_on()
        assert not client.failures, client.failures[:3]
        since = time.monotonic()
        happen(first)
        until(other.has_address, 15, 0.02)
        client.goes_on()
        gap, failures = client.gap(since), len(client.failures)
        if event == "hangs":
            first.signal_nginx(signal.SIGKILL)
            first.nginx.wait(10)
        if event in ("killed", "off"):
            first.boot(unicast)
            time.sleep(6)
            assert other.has_address() and not first.has_address()
            client.goes_on()
            assert len(client.failures) == failures, client.failures[failures:][:3]
    finally:
        client.done.set()
        client.join(10)
    print(f"\n{event}{', unicast' if unicast else ''}: {gap:.2f} s without an answer, {failures} attempts failed, {len(client.answered)} writes")
    assert gap < most
    assert stack.balance(client.user) == len(client.answered), "what was answered was done, once"
