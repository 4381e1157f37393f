"""A database server that is somebody else's: private, below /tmp, with another system's database beside ours, with or without a binary log, over TLS if asked for."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pymysql

from mysqld import authority
from stack import TOP, free_port, until

ME = pwd.getpwuid(os.getuid()).pw_name
AS_ME = [f"--user={ME}"] if os.getuid() == 0 else []


class Server:
    def __init__(self, log=True, tls=False):
        self.folder = Path(tempfile.mkdtemp(prefix="ly-db-", dir="/tmp"))
        self.data, self.socket = self.folder / "data", str(self.folder / "s")
        self.secrets = self.folder / "secrets"
        self.process = None
        self.options = ["--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}", f"--pid-file={self.folder}/pid", f"--tmpdir={self.folder}",
                        "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--performance-schema=OFF", "--skip-name-resolve",
                        # no test pulls its plug
                        "--innodb-flush-method=nosync", "--sync-frm=OFF", "--innodb-flush-log-at-trx-commit=2", *AS_ME]
        if log:
            self.options += ["--log-bin=here-bin", "--server-id=7"]
        if tls:
            folder = self.folder / "tls"
            folder.mkdir()
            authority(folder)
            self.port, self.ca = free_port(), str(folder / "ca.pem")
            self.options += ["--bind-address=127.0.0.1", f"--port={self.port}", f"--ssl-cert={folder}/server.pem", f"--ssl-key={folder}/server.key", f"--ssl-ca={folder}/ca.pem"]
        else:
            self.options.append("--skip-networking")
        self.install()
        self.start()
        self.sql("CREATE DATABASE shop", "CREATE TABLE shop.sale (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(20), loyalty INT)", "INSERT INTO shop.sale (what) VALUES ('a'), ('b')",
                 "CREATE USER 'shop'@'localhost' IDENTIFIED BY 'theirs'", "GRANT ALL ON shop.* TO 'shop'@'localhost'")

    def install(self):
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", *AS_ME, "--auth-root-authentication-method=socket", f"--auth-root-socket-user={ME}",
                        "--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=32M"], check=True, capture_output=True)

    def start(self):
        self.process = subprocess.Popen(["mariadbd", *self.options], stdout=subprocess.DEVNULL, stderr=open(self.folder / "error.log", "ab"), cwd="/")
        until(self.answers, 60, 0.1, "mariadbd")

    def answers(self):
        assert self.process.poll() is None, (self.folder / "error.log").read_text()[-2000:]
        try:
            self.connect().close()
            return True
        except pymysql.err.OperationalError:
            return False

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
        if not os.environ.get("LOYALTY_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, user=ME, password="", **how):
        connection = pymysql.connect(unix_socket=self.socket, user=user, password=password, charset="utf8mb4", autocommit=True, read_timeout=60, **how)
        with connection.cursor() as c:  # as the programs do
            c.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00', collation_connection = 'utf8mb4_bin', tx_isolation = 'READ-COMMITTED'")
        return connection

    def service(self, name):
        return self.connect(f"loyalty_{name}", (self.secrets / f"db-{name}").read_text().strip())

    def sql(self, *statements, args=None):
        """Rows of the last of these statements."""
        connection = self.connect()
        with connection, connection.cursor() as c:
            for statement in statements:
                c.execute(statement, args)
            return list(c.fetchall())

    def value(self, statement, args=None):
        rows = self.sql(statement, args=args)
        return rows[0][0] if rows else None

    def everything(self):
        """What is in all databases, the servers' own included, but for what changes by itself."""
        dump = subprocess.run(["mariadb-dump", "--no-defaults", f"--socket={self.socket}", f"--user={ME}", "--all-databases", "--routines", "--triggers", "--skip-comments", "--skip-dump-date",
                               "--ignore-table=mysql.gtid_slave_pos", "--ignore-table=mysql.innodb_index_stats", "--ignore-table=mysql.innodb_table_stats", "--ignore-table=mysql.table_stats",
                               "--ignore-table=mysql.index_stats", "--ignore-table=mysql.column_stats"],
                              capture_output=True, check=True)
        return dump.stdout

    # -- our tools ------------------------------------------------------------------------------------

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "LOYALTY_BUILD": os.environ.get("LOYALTY_BUILD", "build"), "LOYALTY_DB_SOCKET": self.socket, "LOYALTY_DB_ADMIN": ME,
                "LOYALTY_SECRETS": str(self.secrets), **more}

    def tool(self, name, *args, check=True, **env):
        """(what mysql/NAME prints, what it tells); with check=False (exit status, what it tells)."""
        done = subprocess.run([str(TOP / "mysql" / name), *map(str, args)], env=self.environment(**env), capture_output=True, text=True, timeout=300)
        if check:
            assert done.returncode == 0, f"{name}: {done.stderr}"
            return done.stdout.strip(), done.stderr
        return done.returncode, done.stderr

    def migrate(self, *args):
        subprocess.run([str(TOP / "native" / "secrets"), str(self.secrets)], check=True, capture_output=True)
        self.tool("migrate", *args)
