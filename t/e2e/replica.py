"""The system on a server and its replica: two MariaDB servers on this machine, with the settings of mysql/replica.cnf, over TLS."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from mariadbd import AS_ME, ME, Server
from mysqld import authority
from stack import TOP, Stack, free_port, until


class Copy(Server):
    """One of the two, as docs/operating/replica.md makes them: from nothing, or from a copy of the other while that runs."""

    def __init__(self, number, password, tls, source=None):
        self.number, self.password, self.tls = number, password, tls
        self.folder = Path(tempfile.mkdtemp(prefix=f"ly-copy{number}-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.data, self.socket = self.folder / "data", str(self.folder / "s")
        self.process, self.port = None, free_port()
        (self.folder / "cnf").write_text((TOP / "mysql" / "replica.cnf").read_text() + f"""
server_id = {number}
datadir = {self.data}
socket = {self.socket}
pid-file = {self.folder}/pid
relay_log = loyalty-relay
tmpdir = {self.folder}
bind-address = 127.0.0.1
port = {self.port}
ssl_cert = {tls}/server.pem
ssl_key = {tls}/server.key
ssl_ca = {tls}/ca.pem
skip-name-resolve
innodb_buffer_pool_size = 64M
innodb_log_file_size = 32M
max_connections = 400
""")
        self.options = [f"--defaults-file={self.folder}/cnf", *AS_ME]
        if source:
            self.position = source.copy(self.data)
        else:
            self.install()
        self.start()

    def copy(self, to):
        """Where the copy is, as a GTID."""
        for step in (["--backup", f"--socket={self.socket}", f"--user={ME}"], ["--prepare"]):
            done = subprocess.run(["mariadb-backup", "--no-defaults", *step, f"--target-dir={to}"], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]
        info = next(file for name in ("mariadb_backup_binlog_info", "xtrabackup_binlog_info") if (file := to / name).exists())
        return info.read_text().split()[2]

    def follow(self, other, position=None):
        """Be a replica of the other, from that position, or after having been written to."""
        if position:
            self.sql(f"SET GLOBAL gtid_slave_pos = '{position}'")
        self.sql(f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {other.port}, MASTER_USER = 'replica', MASTER_PASSWORD = '{self.password}', MASTER_CONNECT_RETRY = 1, "
                 f"MASTER_SSL = 1, MASTER_SSL_CA = '{self.tls}/ca.pem', MASTER_SSL_VERIFY_SERVER_CERT = 1, "
                 + ("MASTER_USE_GTID = slave_pos" if position else "MASTER_DEMOTE_TO_SLAVE = 1"), "START SLAVE")

    def state(self):
        """What SHOW SLAVE STATUS says."""
        connection = self.connect()
        with connection, connection.cursor() as c:
            c.execute("SHOW SLAVE STATUS")
            row = c.fetchone()
            return dict(zip((d[0] for d in c.description), row)) if row else {}

    def promote(self):
        """Take all that has come, and then writes."""
        self.sql("STOP SLAVE IO_THREAD")
        came = self.state()["Gtid_IO_Pos"]
        assert self.value("SELECT MASTER_GTID_WAIT(%s, 60)", (came,)) == 0
        self.sql("STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


class Replicated(Stack):
    """native/stack whose programs have the two for their database, the first of them written to."""

    servers = ()

    def up(self):
        try:
            self.tls = self.var / "db-tls"
            self.tls.mkdir()
            self.tls.chmod(0o755)
            self.var.chmod(0o711)
            authority(self.tls)
            self.password = secrets.token_hex(16)
            first = Copy(1, self.password, self.tls)
            self.servers = [first]
            first.sql("SET GLOBAL read_only = OFF", f"CREATE USER 'replica'@'%' IDENTIFIED BY '{self.password}' REQUIRE SSL",
                      "GRANT REPLICATION SLAVE ON *.* TO 'replica'@'%'")
            super().up()
            second = Copy(2, self.password, self.tls, source=first)
            self.servers.append(second)
            second.follow(first, second.position)
            self.use_servers(server.socket for server in self.servers)
            self.safe(first)
            return self
        except BaseException:
            self.down()
            raise

    def safe(self, written):
        """What is acknowledged there is on both; which the server knows after the next write."""
        told = {}

        def both():
            told.update(written.sql("SHOW STATUS LIKE 'Rpl_semi_sync_master_%'"))
            return told["Rpl_semi_sync_master_status"] == "ON" and told["Rpl_semi_sync_master_clients"] == "1"
        try:
            until(both, 30)
        except AssertionError as e:
            raise AssertionError(f"no replica acknowledges: {told} {[server.state() for server in self.servers]}") from e

    def down(self):
        try:
            super().down()
        finally:
            for server in self.servers:
                if server.process and server.process.poll() is None:
                    server.kill()
                if not os.environ.get("LOYALTY_KEEP"):
                    shutil.rmtree(server.folder, ignore_errors=True)

    @property
    def db_socket(self):
        """Of the one that is written to."""
        for server in self.servers:
            if server.process and server.process.poll() is None and server.value("SELECT @@read_only") == 0:
                return server.socket
        return super().db_socket
