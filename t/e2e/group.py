"""The system on a MySQL group: three containers with Group Replication, a single primary, over TLS, with the settings of mysql/group.cnf.

Their group has a network of its own, the programs reach each by a port: so one can be cut off from the others alone."""

import os
import random
import shutil

import pymysql

from mysqld import MySQLServer, tool
from stack import TOP, Stack, free_port, until

# At the first start, before it has joined: nothing of that may be in its log.
FIRST = """
SET sql_log_bin = 0;
CREATE USER 'replica'@'%' IDENTIFIED BY '{password}' REQUIRE SSL;
GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO 'replica'@'%';
CHANGE REPLICATION SOURCE TO SOURCE_USER = 'replica', SOURCE_PASSWORD = '{password}' FOR CHANNEL 'group_replication_recovery';
RESET BINARY LOGS AND GTIDS;
SET PERSIST_ONLY super_read_only = ON;
"""


class Node:
    container = None

    def __init__(self, stack, number, port):
        self.stack, self.number, self.port = stack, number, port
        self.ip = f"{stack.subnet}.{11 + number}"
        self.host = f"127.0.0.1:{port}"

    def create(self, image, *volumes):
        others = ",".join(f"{self.stack.subnet}.{11 + n}:33061" for n in range(3))
        self.container = tool(
            "docker", "create", "--user", "mysql", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--memory", "1g",
            *volumes, "--volume", "/var/lib/mysql", "--publish", f"127.0.0.1:{self.port}:3306", "--env", "MYSQL_ROOT_PASSWORD=" + self.stack.root_password(), image,
            "--innodb-buffer-pool-size=64M", "--innodb-numa-interleave=OFF", "--mysqlx=OFF", "--temptable-max-ram=64M", "--skip-name-resolve", "--max-connections=400",
            "--require-secure-transport=ON", "--ssl-ca=/tls/ca.pem", "--ssl-cert=/tls/server.pem", "--ssl-key=/tls/server.key",
            f"--server-id={self.number + 1}", f"--report-host={self.ip}", f"--loose-group-replication-local-address={self.ip}:33061",
            f"--loose-group-replication-group-seeds={others}").splitlines()[-1]
        self.connect_group()
        self.docker("start")

    def docker(self, what, *args):
        return tool("docker", what, *args, self.container)

    def connect_group(self):
        tool("docker", "network", "connect", "--ip", self.ip, self.stack.network, self.container)

    def leave_network(self):
        tool("docker", "network", "disconnect", "--force", self.stack.network, self.container)

    def sql(self, *statements):
        """Rows of the last of these statements."""
        connection = pymysql.connect(**{**self.stack.db_options(), "port": self.port}, **self.stack.db_root(), autocommit=True, connect_timeout=5, read_timeout=120)
        with connection, connection.cursor() as c:
            for statement in statements:
                c.execute(statement)
            return list(c.fetchall())

    def answers(self):
        try:
            return bool(self.sql("SELECT 1"))
        except pymysql.err.MySQLError:
            assert tool("docker", "inspect", "--format", "{{.State.Running}}", self.container) == "true", tool("docker", "logs", "--tail", "30", self.container)
            return False

    def members(self):
        """What it knows of the group: {its address: (state, role)}."""
        return {host: (state, role) for host, state, role in self.sql("SELECT member_host, member_state, member_role FROM performance_schema.replication_group_members")}

    def join(self, bootstrap=False):
        if bootstrap:
            self.sql("SET GLOBAL group_replication_bootstrap_group = ON", "START GROUP_REPLICATION", "SET GLOBAL group_replication_bootstrap_group = OFF")
        else:
            self.sql("START GROUP_REPLICATION")

    def log(self):
        return tool("docker", "logs", "--tail", "60", self.container)


class Grouped(MySQLServer, Stack):
    """native/stack whose programs have the group for their database.  `at`: where the tests look."""

    image = os.environ.get("LOYALTY_MYSQL") or "mysql:9.7"
    nodes, network, at = (), None, None

    def up(self):
        try:
            tls = self.make_secrets()
            for _ in range(20):  # a subnet that nobody has
                self.subnet = f"10.{random.randrange(200, 250)}.{random.randrange(256)}"
                name = f"{self.var.name}-group"
                tool("docker", "network", "create", "--internal", "--subnet", f"{self.subnet}.0/24", name, check=False)
                if name in tool("docker", "network", "ls", "--format", "{{.Name}}").splitlines():
                    self.network = name
                    break
            first = self.var / "first"
            first.mkdir()
            (first / "first.sql").write_text(FIRST.format(password=self.root_password()))
            (self.var / "group.cnf").write_text((TOP / "mysql" / "group.cnf").read_text())
            for file in (first, first / "first.sql", self.var / "group.cnf"):
                file.chmod(0o755)  # its user is another one; the folder around it is ours alone
            self.nodes = [Node(self, n, free_port()) for n in range(3)]
            self.at = self.nodes[0]
            for node in self.nodes:
                node.create(self.image, "--volume", f"{tls}:/tls:ro", "--volume", f"{first}:/docker-entrypoint-initdb.d:ro",
                            "--volume", f"{self.var}/group.cnf:/etc/mysql/conf.d/group.cnf:ro")
            for node in self.nodes:
                until(node.answers, 180, 0.5, f"node {node.number + 1}")
            for node in self.nodes:
                node.join(bootstrap=node is self.at)
            self.whole()
            tool(str(TOP / "mysql" / "migrate"), "--demo", **self.db_environment())
            self.set_env(**self.db_settings())
            return super().up()
        except BaseException:
            self.remove_server()
            shutil.rmtree(self.var, ignore_errors=True)
            raise

    def down(self):
        try:
            super().down()
        finally:
            self.remove_server()

    def remove_server(self):
        self.close_db()
        for node in self.nodes:
            if node.container:
                tool("docker", "rm", "--force", "--volumes", node.container)
        self.nodes = ()
        if self.network:
            tool("docker", "network", "rm", self.network)
            self.network = None

    @property
    def db_port(self):
        return self.at.port

    def db_settings(self):
        return {"LOYALTY_DB_HOSTS": ",".join(node.host for node in self.nodes), "LOYALTY_DB_TLS_CA": self.db_ca}

    def look_at(self, node):
        self.at = node
        self.close_db()

    def primary(self, at):
        """As that node sees it, or None."""
        for node in self.nodes:
            if at.members().get(node.ip) == ("ONLINE", "PRIMARY"):
                return node

    def whole(self):
        """All are in it, and each says so."""
        def all_online():
            return all([state for state, _ in node.members().values()] == ["ONLINE"] * 3 for node in self.nodes)
        until(all_online, 120, 0.3, "three nodes")
