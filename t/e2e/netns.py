"""Machines of a test's own: network namespaces on a bridge, which is in one, too (needs root)"""

import os
import signal
import subprocess

from stack import until


def ip(*args):
    return subprocess.run(["ip", *args], check=True, stdout=subprocess.PIPE, text=True).stdout


class Namespace:
    def __init__(self, name):
        self.name = f"ly{os.getpid()}{name}"
        ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *args):
        return ip("-n", self.name, *args)

    def plug_into(self, net, end, address):
        """A cable to the bridge br0 of another one, where its end has that name."""
        ip("link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", end, "netns", net.name)
        net.ip("link", "set", end, "master", "br0", "up")
        self.ip("address", "add", address, "dev", "eth0")
        self.ip("link", "set", "eth0", "up")

    def pids(self):
        return [int(pid) for pid in ip("netns", "pids", self.name).split()]

    def kill(self, sig=signal.SIGKILL):
        for pid in self.pids():
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass

    def remove(self):
        self.kill()
        until(lambda: not self.pids(), what="nobody in the namespace")
        ip("netns", "del", self.name)
