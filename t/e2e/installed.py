"""The same system as the packages installed it on this machine, which systemd runs: LOYALTY_INSTALLED=1 t/run FOLDERS, as root.

There is one, which nobody starts or stops, so what wants a system of its own, or other settings, is not asked of it."""

import os
import re
import subprocess
from pathlib import Path

from client import Api
from stack import CALM, Stack, until

SECRETS = Path("/etc/loyalty/secrets")
CONF = Path("/etc/loyalty/nginx.conf")
UNITS = {name: f"loyalty-{name}@1" for name in ("rooms", "points", "admin")} | {"notifier": "loyalty-notifier", "console": "loyalty-console", "nginx": "nginx",
                                                                              "db": "mariadb"}
SOCKETS = ("rooms", "points", "admin")

# What is not asked of it, and why.  A prefix of the test's id below t/e2e; conftest.py deselects, and fails on a line that fits no test.
# A test that takes new_stack needs no line.
NATIVE = {
    "admin/test_audit.py": "has a system of its own",
    "admin/test_audit_sql.py": "the same",
    "admin/test_outbox.py": "changes the notifier's settings, and has relays of its own",
    "admin/test_metrics.py::test_counts_of_all_services_and_processes_add_up_and_survive_a_restart": "changes the number of processes",
    "admin/test_metrics.py::test_text_pleases_promtool": "Prometheus is not installed there",
    "admin/test_metrics.py::test_debians_prometheus_scrapes_it_over_https_and_reads_it_back": "the same",
    "admin/test_events.py::test_a_long_unread_feed_is_followed_at_once": "has a system of its own",
    "admin/test_events.py::test_follows_over_a_restart_of_the_database": "the same",
    "rooms/test_reservation_cancel.py::test_mails_of_one_reservation_come_in_order_and_form_a_thread": "reads the files of a Maildir",
}


def systemctl(*args):
    return subprocess.run(["systemctl", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=True).stdout


class Installed(Stack):
    there = os.environ.get("LOYALTY_INSTALLED", "")
    _box_read = 0  # bytes of the mailbox

    def up(self):
        self.connect()
        return self

    def connect(self):
        self.port = 443
        self.name = dict(line.split("=", 1) for line in CONF.read_text().splitlines() if line[:1].isalpha())["LOYALTY_NGINX_SERVER_NAME"]
        self.ca = str(SECRETS / "tls.crt")
        self.keys = {name: self.secret(f"api-key-{name}").split()[0] for name in ("public", "restricted")}
        self.api = Api(self.port, self.ca, self.keys, self.name)
        self.api.observers.append(self._write_down)
        self.base = f"https://{self.name}"

    def down(self):
        if self.api:
            self.api.drop()
        self.close_db()

    def native(self, *args, **how):
        raise AssertionError(f"native/stack {args} has no counterpart here")

    def secret(self, name):
        return (SECRETS / name).read_text().strip()

    # -- units ----------------------------------------------------------------------------------

    def pids(self, name):
        pid = int(systemctl("show", "-P", "MainPID", UNITS[name]))
        return [pid] if pid else []

    def stop(self, name):
        systemctl("stop", *([f"loyalty-{name}.socket"] if name in SOCKETS else []), UNITS[name])

    def start(self, name):
        systemctl("start", *([f"loyalty-{name}.socket"] if name in SOCKETS else []), UNITS[name])

    def restart(self, name):
        systemctl("restart", UNITS[name])

    def fastcgi(self, name):
        return f"/run/loyalty/{name}.sock"

    # -- logs and mail --------------------------------------------------------------------------

    def log(self, name):
        subprocess.run(["journalctl", "--sync"], check=True)
        return subprocess.run(["journalctl", "--no-pager", "-o", "cat", "-u", UNITS[name]], stdout=subprocess.PIPE, text=True, errors="replace", check=True).stdout

    def all_logs(self):
        return {f"log/{name}": self.log(name).encode() for name in UNITS} | {"log/nginx/access.log": self.access_file.read_bytes()}

    @property
    def access_file(self):
        return Path("/var/log/loyalty/access.log")

    def drained(self, seconds=30):
        super().drained(seconds)
        until(lambda: "queue is empty" in subprocess.run(["mailq"], stdout=subprocess.PIPE, text=True, check=True).stdout, seconds, 0.2, "the relay's queue is empty")

    def _arrived(self):
        with open("/var/mail/root", "rb") as box:
            box.seek(self._box_read)
            data = box.read()
        if not data.endswith(b"\n\n"):  # the last one is being written
            return
        for i, text in enumerate(re.split(rb"^From [^\n]*\n", data, flags=re.M)[1:]):
            yield (self._box_read, i), lambda text=text: text
        self._box_read += len(data)

    # -- database -------------------------------------------------------------------------------

    @property
    def db_socket(self):
        return "/run/mysqld/mysqld.sock"


def calm():
    """Limits that the tests never meet, as in the others."""
    with open(CONF, "a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in CALM.items())
    subprocess.run(["loyalty-nginx", "apply"], check=True)
