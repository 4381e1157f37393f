"""The system on a Galera cluster: three MariaDB servers on this machine, with the settings of mysql/galera.cnf."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pymysql

from mariadbd import ME, Server
from stack import TOP, Stack, free_port, until

def scripts():
    """The folder of the scripts that send a node what it missed.  They come with Debian's package of the whole server, which is looked into, not installed: it would start one."""
    if shutil.which("wsrep_sst_mariabackup"):
        return "/usr/bin"
    folder = TOP / "build" / "mariadb-server"
    if not (folder / "usr/bin/wsrep_sst_mariabackup").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", "mariadb-server"], cwd=folder, check=True, capture_output=True)
        subprocess.run(["dpkg-deb", "-x", next(folder.glob("*.deb")), folder], check=True)
    return folder / "usr/bin"


class Node(Server):
    """All have copies of one database to begin with, so that none has to be sent it; who was away takes what he missed from the others' caches."""

    command = ()  # what mariadbd is started with

    def __init__(self, number, addresses, data=None, settings="skip-networking"):
        """addresses: where each of them talks to the others, HOST:PORT."""
        self.number = number
        host = addresses[number].partition(":")[0]
        self.folder = Path(tempfile.mkdtemp(prefix=f"ly-node{number + 1}-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.data, self.socket = self.folder / "data", str(self.folder / "s")
        self.process = None
        as_me = f"user = {ME}\n" if os.getuid() == 0 else ""
        if data:
            subprocess.run(["cp", "-a", str(data), str(self.data)], check=True)
            state = self.data / "grastate.dat"
            state.write_text(state.read_text().replace("safe_to_bootstrap: 1", "safe_to_bootstrap: 0"))
        else:
            self.install()
        provider = f"gmcast.listen_addr=tcp://{addresses[number]};ist.recv_addr={host}:{free_port()};gcache.size=32M"
        ours = re.sub(r'(wsrep_provider_options *= *"[^"]*)"', rf'\1;{provider}"', (TOP / "mysql" / "galera.cnf").read_text())
        # In a file: the script that sends all data reads it, too.  No test pulls its plug.
        (self.folder / "cnf").write_text(f"""{ours}
{as_me}datadir = {self.data}
socket = {self.socket}
pid-file = {self.folder}/pid
tmpdir = {self.folder}
skip-name-resolve
innodb_buffer_pool_size = 64M
innodb_log_file_size = 32M
innodb_flush_method = nosync
innodb_flush_log_at_trx_commit = 2
sync_frm = OFF
performance_schema = OFF
max_connections = 400
wsrep_node_address = {addresses[number]}
wsrep_node_name = node-{number + 1}
wsrep_sst_receive_address = {host}:{free_port()}
wsrep_sst_auth = {ME}:
wsrep_cluster_address = gcomm://{",".join(addresses)}
{settings}
""")
        self.options = [f"--defaults-file={self.folder}/cnf"]

    def start(self, *more):
        found = subprocess.run([*self.command, "mariadbd", *self.options, "--wsrep-recover"], capture_output=True, text=True, errors="replace", timeout=60, cwd="/")
        positions = re.findall(r"Recovered position: ?(\S+)", found.stderr)
        assert found.returncode == 0 and positions, found.stderr[-2000:]
        position = positions[-1]
        if not position.startswith("0000"):
            more = (*more, f"--wsrep-start-position={position}")
        self.process = subprocess.Popen([*self.command, "mariadbd", *self.options, *more], env={**os.environ, "PATH": f"{scripts()}:{os.environ['PATH']}"}, stdout=subprocess.DEVNULL, stderr=open(self.folder / "error.log", "ab"), cwd="/")
        until(self.synced, 60, 0.1, f"node {self.number + 1} in its cluster")

    def status(self, name):
        """None: it is not in a cluster that has a majority, and refuses to tell (1047)."""
        try:
            return self.value("SELECT variable_value FROM information_schema.global_status WHERE variable_name = %s", (name,))
        except pymysql.err.OperationalError:
            return None

    @property
    def host(self):
        """As the programs have it."""
        return self.socket

    def synced(self):
        return self.answers() and self.status("wsrep_local_state_comment") == "Synced"

    def signal(self, number):
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(10)

    def isolate(self, on):
        """Cut it off from the other nodes: it hears nobody, nobody hears it."""
        connection = self.connect()
        with connection, connection.cursor() as c:
            c.execute("SELECT COUNT(*) FROM information_schema.global_variables WHERE variable_name = 'wsrep_provider_gmcast_isolate'")
            if c.fetchone()[0]:  # MariaDB 11.8
                c.execute(f"SET GLOBAL wsrep_provider_gmcast_isolate = {on:d}")
            else:
                c.execute(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={on:d}'")

    def log(self):
        return (self.folder / "error.log").read_text("utf-8", "replace")


class Clustered(Stack):
    """native/stack whose programs have three nodes for their database."""

    nodes = ()

    def up(self):
        try:
            return self._up()
        except BaseException:
            self.down()
            raise

    def _up(self):
        addresses = self.addresses()
        first = self.node(0, addresses)
        first.start("--wsrep-new-cluster")
        first.stop()
        self.nodes = [first, *(self.node(number, addresses, first.data) for number in (1, 2))]
        first.start("--wsrep-new-cluster")
        for node in self.nodes[1:]:
            node.start()
        super().up()
        self.use_servers(node.host for node in self.nodes)
        return self

    node = Node

    def addresses(self):
        return [f"127.0.0.1:{free_port()}" for _ in range(3)]

    def down(self):
        try:
            super().down()
        finally:
            for node in self.nodes:
                if node.process and node.process.poll() is None:
                    node.signal(signal.SIGCONT)
                    node.signal(signal.SIGKILL)
                if not os.environ.get("LOYALTY_KEEP"):
                    shutil.rmtree(node.folder, ignore_errors=True)

    @property
    def db_socket(self):
        """Of a node that lives."""
        for node in self.nodes:
            if node.process and node.process.poll() is None and node.number not in self.away:
                return node.socket
        return super().db_socket

    away = frozenset()

    def whole(self):
        """All are in it, and each says so."""
        until(lambda: all(node.synced() and node.status("wsrep_cluster_size") == "3" for node in reversed(self.nodes)), 30, 0.2, "three nodes")

    def writer(self):
        return next(n for n in self.nodes if n.host == self.value("SELECT host FROM loyalty.writer"))
