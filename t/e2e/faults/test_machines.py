"""Three database machines, as docs/operating/machines.md has them: network namespaces, TLS between them and to the programs (make check-cluster, as root)"""

import re
import shutil
import signal
import textwrap

import pytest

from galera import Clustered, Node
from load import Load
from mysqld import authority
from netns import Namespace, ip
from stack import TOP
from test_galera import goes_and_comes_back, same_everywhere

pytestmark = pytest.mark.machines

PAGE = (TOP / "docs" / "operating" / "machines.md").read_text()
GALERA = re.search(r'^wsrep_provider_options *= *"(.*)"$', (TOP / "mysql" / "galera.cnf").read_text(), re.M)[1]


def address(number):
    """Of a machine; not the page's, which somebody's own network may have."""
    return f"198.51.100.{number + 1}"


class Machine(Node):
    def __init__(self, number, addresses, data, net, tls):
        self.net = net
        self.namespace = Namespace(f"db{number}")
        self.namespace.plug_into(net, f"{net.name}{number}", f"{address(number)}/24")
        self.command = ("ip", "netns", "exec", self.namespace.name)
        # What the page has for the first machine, with the names of here; the options without what is of this machine's size.
        own = textwrap.dedent(re.search(r"^( +)\[mysqld\]\n(?:\1.*\n)+", PAGE, re.M)[0])
        assert "= 192.0.2.1\n" in own and "/etc/mysql/tls/" in own
        for was, now in {"= 192.0.2.1\n": f"= {address(number)}\n", "192.0.2.": "198.51.100.", "= db1\n": f"= db{number + 1}\n", "…": GALERA, "/etc/mysql/tls/ca.crt": f"{tls}/ca.pem",
                         "/etc/mysql/tls/db.crt": f"{tls}/server.pem", "/etc/mysql/tls/db.key": f"{tls}/server.key"}.items():
            own = own.replace(was, now)
        super().__init__(number, addresses, data, f"port = 3306\n{own}")

    @property
    def host(self):
        return address(self.number)

    def cable(self, state):
        self.net.ip("link", "set", f"{self.net.name}{self.number}", state)

    def others(self, what):
        """What it sends to the other two goes nowhere, or goes there again; the programs still reach it."""
        for number in {0, 1, 2} - {self.number}:
            self.namespace.ip("route", what, "blackhole", f"{address(number)}/32")


class Machines(Clustered):
    namespaces = ()

    def _up(self):
        self.net = Namespace("net")
        self.namespaces = [self.net]
        self.net.ip("link", "add", "br0", "type", "bridge")
        self.net.ip("link", "set", "br0", "up")
        # The programs are on this machine.
        ip("link", "add", f"{self.net.name}p", "type", "veth", "peer", "name", "programs", "netns", self.net.name)
        self.net.ip("link", "set", "programs", "master", "br0", "up")
        ip("address", "add", "198.51.100.100/24", "dev", f"{self.net.name}p")
        ip("link", "set", f"{self.net.name}p", "up")
        self.tls = self.var / "db-tls"
        self.tls.mkdir()
        self.tls.chmod(0o755)
        self.var.chmod(0o711)
        authority(self.tls, ",".join(f"IP:{address(n)}" for n in range(3)))
        return super()._up()

    def use_servers(self, hosts):
        self.set_env(LOYALTY_DB_TLS_CA=f"{self.tls}/ca.pem")
        super().use_servers(hosts)

    def addresses(self):
        return [f"{address(n)}:4567" for n in range(3)]

    def node(self, number, addresses, data=None):
        machine = Machine(number, addresses, data, self.net, self.tls)
        self.namespaces.append(machine.namespace)
        return machine

    def db_environment(self):
        return {**super().db_environment(), "LOYALTY_DB_ACCOUNT_HOST": "%"}

    def down(self):
        try:
            super().down()
        finally:
            while self.namespaces:
                self.namespaces.pop().remove()


@pytest.fixture(scope="module")
def machines():
    with Machines() as s:
        yield s


def lose_power(machine):
    machine.cable("down")
    machine.signal(signal.SIGKILL)


def boot(machine):
    machine.cable("up")
    machine.start()


def hang(machine):
    machine.signal(signal.SIGSTOP)


def go_on(machine):
    machine.signal(signal.SIGCONT)


def unplug(machine):
    machine.cable("down")


def plug(machine):
    machine.cable("up")


def cut_off_from_the_others(machine):
    machine.others("add")


def reach_the_others(machine):
    machine.others("del")


@pytest.mark.parametrize("fault, back", [(lose_power, boot), (hang, go_on), (unplug, plug), (cut_off_from_the_others, reach_the_others)])
def test_a_machine_goes_and_comes_back(machines, fault, back):
    goes_and_comes_back(machines, fault, back)


def test_a_machine_without_data_takes_all(machines):
    """From another one, over TLS, while that takes writes."""
    lost = next(m for m in machines.nodes if m is not machines.writer())
    machines.close_db()
    with Load(machines, seed=8, pause=0.02) as load:
        lose_power(lost)
        load.progress()
        shutil.rmtree(lost.data)
        lost.install()
        boot(lost)
        machines.whole()
        load.progress()
    assert load.failures <= load.n, load.why
    same_everywhere(machines)
