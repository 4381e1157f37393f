"""The same system on MySQL: a container of the image that LOYALTY_MYSQL names is its database, over TLS.

LOYALTY_MYSQL=mysql:9.7 t/run rooms points …  All other parts run natively; the MariaDB that native/stack starts
is migrated too, and idle.  LOYALTY_MYSQL=mysql:9.7 t/run notifier: a notifier and that database alone."""

import os
import secrets
import shutil
import subprocess
from contextlib import contextmanager

from stack import TOP, Stack, free_port, until

ROOT = "db-root"
PASSWORDS = ("rooms", "points", "notifier", "admin", "prune")


def tool(*command, check=True, **env):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180,
                          env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env})
    assert done.returncode == 0 or not check, f"{command}: {done.stdout}"
    return done.stdout.strip()


def authority(folder, names="DNS:db,DNS:localhost,IP:127.0.0.1", **env):
    """A CA of its own and a certificate for these: MySQL's own has no name in it."""
    tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "4", "-subj", "/CN=a CA of the tests", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
         "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem", **env)
    tool("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db", "-keyout", f"{folder}/server.key", "-out", f"{folder}/server.csr")
    (folder / "names").write_text(f"subjectAltName={names}\n")
    tool("openssl", "x509", "-req", "-days", "4", "-in", f"{folder}/server.csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key",
         "-CAcreateserial", "-extfile", f"{folder}/names", "-out", f"{folder}/server.pem", **env)
    for file in folder.iterdir():
        file.chmod(0o444)


class MySQLServer:
    """What a Stack needs for its database to be that container; comes before it among the bases."""

    image = os.environ.get("LOYALTY_MYSQL", "")
    server = None
    data = ("--volume", "/var/lib/mysql")  # what docker run is told of its files,
    more = ()  # and of what a test needs
    issued = {}  # for openssl

    def make_secrets(self):
        """Passwords, which native/stack then finds, and a certificate."""
        folder = self.var / "secrets"
        folder.mkdir(exist_ok=True)
        for name in PASSWORDS:
            (folder / f"db-{name}").write_text(secrets.token_hex(16) + "\n")
        (self.var / ROOT).write_text(secrets.token_hex(16) + "\n")
        tls = self.var / "db-tls"
        tls.mkdir()
        tls.chmod(0o755)  # whatever the umask: the server is no root
        authority(tls, **self.issued)
        for file in [self.var / ROOT, *folder.iterdir()]:
            file.chmod(0o400)
        return tls

    def start_server(self, *migrate):
        """The server, and in it the schema.  migrate: arguments of mysql/migrate."""
        tls = self.make_secrets()
        sockets = self.var / "mysqld"
        sockets.mkdir()
        sockets.chmod(0o777)  # the server's user is another one; what is above is ours alone
        self.db_port = free_port()
        # as the compose project has it: not root, no capability, nothing but TLS, the binary log on
        self.server = tool(
            "docker", "run", "--detach", "--user", "mysql", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true",
            "--memory", "1g", "--tmpfs", "/tmp:mode=1777", "--volume", f"{sockets}:/var/run/mysqld",
            "--volume", f"{tls}:/tls:ro", *self.data, *self.more, "--publish", f"127.0.0.1:{self.db_port}:3306", "--restart", "unless-stopped",
            "--env", "MYSQL_ROOT_PASSWORD=" + self.root_password(), self.image,
            "--innodb-buffer-pool-size=256M", "--innodb-numa-interleave=OFF", "--mysqlx=OFF", "--temptable-max-ram=64M",
            "--require-secure-transport=ON", "--ssl-ca=/tls/ca.pem", "--ssl-cert=/tls/server.pem", "--ssl-key=/tls/server.key").splitlines()[-1]
        until(self.server_answers, 90, 0.3, "MySQL")
        tool(str(TOP / "mysql" / "migrate"), *migrate, **self.db_environment())

    def server_answers(self):
        try:
            self.db().close()
            return True
        except Exception:
            restarts = tool("docker", "inspect", "--format", "{{.RestartCount}}", self.server)
            assert int(restarts) < 3, tool("docker", "logs", "--tail", "20", self.server)
            return False

    def remove_server(self):
        self.close_db()
        if self.server:
            tool("docker", "rm", "--force", "--volumes", self.server)
            self.server = None

    def root_password(self):
        return (self.var / ROOT).read_text().strip()

    # -- where it is, for whom ------------------------------------------------------------------

    @property
    def db_ca(self):
        return str(self.var / "db-tls" / "ca.pem")

    def db_settings(self):
        return {"LOYALTY_DB_HOSTS": f"127.0.0.1:{self.db_port}", "LOYALTY_DB_TLS_CA": self.db_ca}

    @property
    def db_socket(self):
        return str(self.var / "mysqld" / "mysqld.sock")

    def db_environment(self):
        return {"LOYALTY_DB_HOST": "127.0.0.1", "LOYALTY_DB_PORT": str(self.db_port), "LOYALTY_DB_TLS_CA": self.db_ca,
                "LOYALTY_DB_ADMIN_PASSWORD_FILE": str(self.var / ROOT), "LOYALTY_DB_ACCOUNT_HOST": "%",
                "LOYALTY_SECRETS": str(self.var / "secrets")}

    def db_options(self):
        return {"host": "127.0.0.1", "port": self.db_port, "ssl": {"ca": self.db_ca, "check_hostname": True}}

    db_account_host = "'%'"

    def trust_migrations(self, on):
        self.sql(f"SET GLOBAL log_bin_trust_function_creators = {int(on)}")

    def db_root(self):
        return {"user": "root", "password": self.root_password()}

    # -- what each server has its own words for -------------------------------------------------

    @contextmanager
    def without_checks(self, cursor):
        cursor.execute("SELECT table_schema, table_name, constraint_name FROM information_schema.table_constraints"
                       " WHERE constraint_type = 'CHECK' AND table_schema IN ('loyalty', 'loyalty_history')")
        checks = cursor.fetchall()
        assert checks
        for schema, table, check in checks:
            cursor.execute(f"ALTER TABLE {schema}.{table} ALTER CHECK {check} NOT ENFORCED")
        yield
        for schema, table, check in checks:
            cursor.execute(f"ALTER TABLE {schema}.{table} ALTER CHECK {check} ENFORCED")

    isolation_variable = "transaction_isolation"

    def session(self, connection):
        with connection.cursor() as c:
            c.execute("SELECT @@transaction_isolation, IF(@@transaction_read_only, 'ON', 'OFF')")
            isolation, read_only = c.fetchone()
        open_ = self.value("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = %s", (connection.thread_id(),))
        return open_, isolation, read_only

    # -- its process ------------------------------------------------------------------------------

    def stop_server(self, sig="TERM"):
        """It stays stopped."""
        self.close_db()
        tool("docker", "kill", "--signal", sig, self.server)
        tool("docker", "wait", self.server)

    def start_stopped_server(self):
        tool("docker", "start", self.server)
        until(self.server_answers, 90, 0.3, "MySQL")


class OnMySQL(MySQLServer, Stack):
    def up(self):
        try:
            self.start_server("--demo")
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

    def restart(self, name):
        if name != "db":
            return super().restart(name)
        tool("docker", "restart", self.server)
        self.close_db()
        until(self.server_answers, 90, 0.3, "MySQL")

    def stop(self, name):
        tool("docker", "stop", self.server) if name == "db" else super().stop(name)

    def start(self, name):
        tool("docker", "start", self.server) if name == "db" else super().start(name)

    def pids(self, name):
        if name != "db":
            return super().pids(name)
        return [pid for pid in [int(tool("docker", "inspect", "--format", "{{.State.Pid}}", self.server))] if pid]
