"""The same system in containers: docker-compose.yml as it is, under a project name, a port and secrets of its own.

LOYALTY_COMPOSE=TAG t/run: all stacks of the tests are such projects, of the images that t/compose/run has built under that tag."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import threading
import time

import pymysql

from mysqld import OnMySQL
from stack import TOP, _live, until

SERVICE = {"db": "mysql", "smtp": "mail", "rooms": "cgi-rooms", "points": "cgi-points", "admin": "cgi-admin"}
FASTCGI = ("cgi-rooms", "cgi-points", "cgi-admin")
OURS = FASTCGI + ("console", "nginx", "notifier", "mail", "prune", "door")

# What is not asked of containers, and why.  A prefix of the test's id below t/e2e; conftest.py deselects, and fails on a line
# that fits no test.
NATIVE = {
    "test_contract.py::test_every_described_operation_was_exercised":
        "the suites of all operations run natively, and in containers with make check-mysql",
    "gateway/test_gateway_tls.py::test_the_gateways_port_is_the_only_one_open":
        "looks at the sockets of processes of this machine; compose/test_isolation.py looks at those of containers",
    "gateway/test_addresses.py":
        "its clients have addresses of this machine's loopback network, which the engine puts its own in place of",
    "gateway/test_counts.py::test_the_certificate_that_is_shown_counts_not_the_one_in_the_file":
        "changes what nginx/count has written down, here in a folder, there in a volume",
    "gateway/test_counts.py::test_the_file_is_moved_aside_and_every_line_counted":
        "writes to that folder",
    "gateway/test_metrics_listener.py":
        "its port is one of this machine's loopback address; compose/test_metrics.py has compose/metrics.yml",
    "gateway/test_site.py":
        "an nginx of this machine with another site, in front of services at unix sockets; containers have an nginx of their own",
    "gateway/test_site_by_name.py":
        "the same",
    "gateway/test_limits.py::test_E082_restart_with_a_bad_key_file_leaves_the_gateway_running":
        "native/stack's restart; compose/test_operating.py has up's and that of compose/keys",
    "gateway/test_limits.py::test_bad_settings_are_refused_with_their_name":
        "native/stack's up tries settings before it stops anything; compose/test_scale.py has what compose/roll does in its place",
    "admin/test_outbox.py::test_E107_mail_that_a_relay_refuses_is_dead_with_its_reply_and_a_retry_delivers_it":
        "its relay listens on the loopback address of this machine, which no container reaches",
}


def docker(*args, check=True, timeout=300, stdin=b"", text=True):
    done = subprocess.run(["docker", *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(args)}: exit status {done.returncode}\n{done.stdout.decode('utf-8', 'replace')}")
    return done.stdout.decode("utf-8", "replace").strip() if text else done.stdout


def knobs():
    """The names of nginx's settings."""
    return {line.partition("=")[0] for line in (TOP / "nginx" / "gateway.env").read_text().splitlines() if line[:1].isalpha() and "=" in line}


class Tunnel:
    """A port on the loopback address that leads to wherever target() says: the database is on no port of the host, but the host reaches
    its container, and its certificate is good for a tunnel's end."""

    def __init__(self, target):
        self.target = target
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        with near:
            try:
                far = socket.create_connection(self.target(), 10)
            except (OSError, AssertionError, KeyError, ValueError):
                return
            with far:
                far.settimeout(None)
                back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
                back.start()
                self._pump(near, far)
                back.join()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.socket.close()


class Composed(OnMySQL):
    tag = os.environ.get("LOYALTY_COMPOSE", "")
    files = ("docker-compose.yml",)

    def __init__(self, *args, **how):
        super().__init__(*args, **how)
        self.project = "check" + self.var.name.replace("-", "").lower().replace("_", "")
        self.took = None
        self._addresses = {}
        self._tunnel = None

    # -- life -----------------------------------------------------------------------------------

    def environment(self):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("LOYALTY_", "COMPOSE_", "MAKE", "MFLAGS", "PYTEST")) and k != "HTTPS_PORT"}
        env.update(COMPOSE_PROJECT_NAME=self.project, COMPOSE_FILE=":".join([*(f"{TOP}/{file}" for file in self.files), f"{self.var}/override.json"]),
                   COMPOSE_PROGRESS="plain", HTTPS_PORT=str(self.port), LOYALTY_TAG=self.tag, LOYALTY_SECRETS=str(self.var / "secrets"),
                   # what is not ours has no part in it
                   COMPOSE_ENV_FILES="/dev/null")
        return env

    def run(self, *command, check=True, timeout=600, stdin=b""):
        """Run a command of the checkout for this project; its output, an error where it failed."""
        done = subprocess.run(command, cwd=TOP, env=self.environment(), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        text = done.stdout.decode("utf-8", "replace")
        if check and done.returncode:
            raise AssertionError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{text}\n{self.tail()}")
        return text

    def compose(self, *args, **how):
        return self.run("docker", "compose", *args, **how)

    def up(self):
        _live.append(self)
        try:
            self._write_settings()
            started = time.monotonic()
            self.compose("up", "--detach", "--no-build", "--wait")
            self.took = time.monotonic() - started
        except BaseException:
            self.down()
            raise
        self.connect()
        return self

    def down(self):
        if self not in _live:
            return
        _live.remove(self)
        if self.api:
            self.api.drop()
        self.close_db()
        if self._tunnel:
            self._tunnel.close()
        if os.environ.get("LOYALTY_KEEP"):
            print(f"kept: project {self.project}, {self.var}")
            return
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)
        left = [docker(*what, "--quiet", "--filter", f"label=com.docker.compose.project={self.project}")
                for what in (("ps", "--all"), ("network", "ls"), ("volume", "ls"))]
        shutil.rmtree(self.var, ignore_errors=True)
        assert not any(left), f"{self.project} left something behind: {left}"

    def native(self, *args, check=True, **how):
        """What native/stack does, done here."""
        command, *rest = args
        if command == "keys":
            return self.run(str(TOP / "compose" / "keys"), check=check)
        if command == "restart":
            return self.restart(*rest)
        if command == "up":
            return self.compose("up", "--detach", "--no-build", "--wait", check=check)
        if command == "pid":
            return "\n".join(map(str, self.pids(*rest)))
        raise AssertionError(f"native/stack {args} has no counterpart in containers")

    # -- settings -------------------------------------------------------------------------------

    def _write_settings(self):
        """docker-compose.override.yml, as a user would write it; in JSON, which is YAML too."""
        services, gateway = {}, knobs()
        for name, value in self.settings.items():
            if name.endswith("_PROCESSES"):  # here: containers
                continue
            if name in gateway:
                takers = ("nginx",)
            elif name.endswith(("_THREADS", "_DEADLINE_MS")):
                takers = (f"cgi-{name.split('_')[1].lower()}",)
            else:
                takers = ("notifier",)
            for taker in takers:
                services.setdefault(taker, {"environment": {}})["environment"][name] = str(value)
        (self.var / "override.json").write_text(json.dumps({"services": services}))

    # -- containers -----------------------------------------------------------------------------

    def containers(self, name, running=False):
        """The ids of a service's containers."""
        return docker("ps", "--quiet", "--no-trunc", *([] if running else ["--all"]), "--filter", f"label=com.docker.compose.project={self.project}",
                      "--filter", f"label=com.docker.compose.service={SERVICE.get(name, name)}", "--filter", "label=com.docker.compose.oneoff=False").split()

    def inspect(self, name):
        return json.loads(docker("inspect", *self.containers(name)))

    def health(self, name):
        return [c["State"].get("Health", {}).get("Status", c["State"]["Status"]) for c in self.inspect(name)]

    def healthy(self, name, count=1, seconds=60):
        until(lambda: self.containers(name) and self.health(name) == ["healthy"] * count, seconds, 0.3, f"{count} healthy {name}")

    def address(self, name, network):
        """Of the one container of a service, on a network of the project; the host reaches it there."""
        if (name, network) not in self._addresses:
            container, = self.inspect(name)
            self._addresses[name, network] = container["NetworkSettings"]["Networks"][f"{self.project}_{network}"]["IPAddress"]
        return self._addresses[name, network]

    def fastcgi(self, name):
        return self.address(name, f"app-{name}"), 9000

    def pids(self, name):
        """The first processes of a service's containers, as the host sees them."""
        return [c["State"]["Pid"] for c in self.inspect(name) if c["State"]["Pid"]]

    def all_pids(self, name):
        found = {}
        for id_ in self.containers(name, running=True):
            for line in docker("top", id_, "-o", "pid,comm").splitlines()[1:]:
                pid, comm = line.split(None, 1)
                found[int(pid)] = comm
        return found

    def kill(self, name, sig=signal.SIGKILL):
        """Signal the containers' programs from the host: a crash, to the engine."""
        pids = self.pids(name)
        assert pids, f"{name}: nothing to kill"
        for pid in pids:
            os.kill(pid, sig)
        return pids

    def close_db(self):
        super().close_db()
        self._addresses.clear()

    def stop(self, name):
        docker("stop", *self.containers(name))
        self.close_db()

    def start(self, name):
        docker("start", *self.containers(name))

    def restart(self, name):
        """With the settings that are written now: new containers in place of the old ones."""
        self._archive(name)
        n = int(self.settings.get(f"LOYALTY_{name.upper()}_PROCESSES", 1)) if SERVICE.get(name, name) in FASTCGI else len(self.containers(name))
        self.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--scale", f"{SERVICE.get(name, name)}={n}",
                     "--wait", SERVICE.get(name, name))
        self.close_db()
        if name == "nginx":
            self.api.drop()
            self.answers()

    # -- logs and mail --------------------------------------------------------------------------

    def _outputs(self, name):
        """(stdout, stderr) of a service so far, of containers that are gone too."""
        out = err = b""
        folder = self.var / "log" / SERVICE.get(name, name)
        for file in sorted(folder.glob("*.out")):
            out, err = out + file.read_bytes(), err + file.with_suffix(".err").read_bytes()
        for id_ in self.containers(name):
            done = subprocess.run(["docker", "logs", id_], capture_output=True, timeout=60)
            out, err = out + done.stdout, err + done.stderr
        return out, err

    def _archive(self, name):
        folder = self.var / "log" / SERVICE.get(name, name)
        folder.mkdir(parents=True, exist_ok=True)
        for id_ in self.containers(name):
            done = subprocess.run(["docker", "logs", id_], capture_output=True, timeout=60)
            (folder / f"{time.time_ns()}.out").write_bytes(done.stdout)
            max(folder.glob("*.out")).with_suffix(".err").write_bytes(done.stderr)

    def log(self, name):
        return b"".join(self._outputs(name)).decode("utf-8", "replace")

    def all_logs(self):
        return {name: b"".join(self._outputs(name)) for name in OURS + ("mysql", "migrate", "secrets")}

    def access_log(self, request_id=None, wait=4):
        def read():
            text = self.access_log_text()
            entries = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines() if line.strip()]
            return [e for e in entries if request_id is None or e.get("request_id") == request_id]

        return read() if request_id is None else until(read, wait, 0.2, f"{request_id} in the access log")

    def access_log_text(self):
        return self._outputs("nginx")[0].decode("utf-8")

    def _read_mails(self):
        """Copies what has arrived in the mail catcher's volume to var/mail, then as ever."""
        folder = self.var / "mail" / "new"
        folder.mkdir(parents=True, exist_ok=True)
        id_, = self.containers("mail")
        there = docker("exec", id_, "ls", "/mail/new").split()
        new = sorted(set(there) - set(os.listdir(folder)))
        if new:
            data = docker("exec", "-i", id_, "tar", "-C", "/mail/new", "--format=posix", "-cf", "-", "-T", "-", stdin="\n".join(new).encode(), text=False)
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                tar.extractall(folder)
        return super()._read_mails()

    # -- database -------------------------------------------------------------------------------

    @property
    def db_ca(self):
        return str(self.var / "secrets" / "db-ca.crt")

    @property
    def db_port(self):
        if self._tunnel is None:
            self._tunnel = Tunnel(lambda: (self.address("db", "data"), 3306))
        return self._tunnel.port

    def root_password(self):
        return self.secret("db-root")

    def db_environment(self):
        return {**super().db_environment(), "LOYALTY_DB_ADMIN_PASSWORD_FILE": str(self.var / "secrets" / "db-root")}

    def db(self, **how):
        for attempt in range(60):
            try:
                return super().db(**how)
            except (pymysql.err.OperationalError, KeyError):
                self._addresses.clear()
                if attempt == 59:
                    raise
                time.sleep(0.5)
