"""The packages on a machine that has a site, a database and a mail relay already.  The tests are one story: they run in this order."""

import ast
import collections
import json
import os
import re
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from machine import NAME, TOP, Machine, until

SERVICES = ("rooms", "points", "admin")
RUNNING = [f"loyalty-{name}@1" for name in SERVICES] + ["loyalty-notifier", "loyalty-console", "loyalty-nginx-count"]
TIMERS = ("audit", "prune", "backup")
SETUP = f"loyalty-setup --name {NAME} --relay localhost:25 --relay-tls off --mail-from loyalty@hotel.example --mail-to root@localhost --demo"
SHARED = 8444  # a port of the other site
# What this machine writes itself, the database, the mail and the backups; dpkg's and apt's own; accounts.
NOT_COMPARED = r"""/(proc|sys|dev|run|tmp|packages|checkout|root|var/(tmp|cache|mail|spool|backups|log/(?!loyalty))|var/lib/(dpkg|apt|mysql|postfix|systemd/(random-seed|timers|catalog))|
    etc/((passwd|group|shadow|gshadow|subuid|subgid)-?|\.pwd\.lock|ld\.so\.cache|mtab|machine-id|resolv\.conf|hosts|hostname))(/|$)"""


def snapshot(machine):
    """{path: what it is} of every file there is."""
    out = machine.sh(r"find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /var/lib/mysql \) -prune -o "
                     r"-printf '%M %u %g %p -> %l\n'; find /etc /usr /var/lib /opt /srv /home -xdev -path /var/lib/mysql -prune -o -type f -exec sha256sum {} +")
    found = {}
    for line in out.splitlines():
        if re.match(r"\\?[0-9a-f]{64}  ", line):  # a backslash before it: there are more in the name, each doubled
            what, _, path = line.lstrip("\\").partition("  ")
            path = path.replace("\\\\", "\\")
        else:
            mode, user, group, path = line.split(" ", 3)
            path, _, to = path.partition(" -> ")
            what = f"{mode} {user}:{group} {to}"
        if not re.match(NOT_COMPARED, path, re.X):
            found.setdefault(path, []).append(what)
    return found


@pytest.fixture(scope="module")
def machine():
    m = Machine(os.environ["LOYALTY_MACHINE"], os.environ["LOYALTY_PACKAGES"])
    # The others: a site, a database, a relay.
    m.sh(f"""openssl req -x509 -newkey rsa:2048 -nodes -days 4 -subj /CN=shop.example -keyout /etc/nginx/shop.key -out /etc/nginx/shop.crt 2>/dev/null
cat >/etc/nginx/sites-enabled/other <<'END'
server {{
	listen 80;
	listen {SHARED} ssl;
	server_name shop.example;
	ssl_certificate shop.crt;
	ssl_certificate_key shop.key;
	location / {{ return 200 "the shop\\n"; }}
}}
END
systemctl reload nginx""")
    m.sh("mariadb -e \"CREATE DATABASE shop; CREATE TABLE shop.item (n INT); INSERT INTO shop.item VALUES (7)\"")
    yield m
    m.close()


def others_are_well(machine):
    assert machine.sh("curl -sS -H 'Host: shop.example' http://127.0.0.1/ && mariadb -N -e 'SELECT n FROM shop.item' && exec 3<>/dev/tcp/127.0.0.1/25 && head -c 4 <&3"
                      ) == "the shop\n7\n220 "


def others_are_well_over_tls(machine):
    for name in "shop.example", "unknown.example":
        assert machine.sh(f"curl -sS --cacert /etc/nginx/shop.crt --connect-to ::127.0.0.1:{SHARED} https://shop.example:{SHARED}/ -H 'Host: {name}'") == "the shop\n"


def failed(machine):
    return machine.sh("systemctl list-units --failed --plain --no-legend 'loyalty*'").strip()


def pids_of(machine, units):
    out = machine.sh(f"systemctl show -P MainPID {' '.join(units)}")
    return dict(zip(units, (int(n) for n in out.split())))


@pytest.fixture(scope="module")
def before(machine):
    return snapshot(machine)


def test_installed_they_start_nothing_and_ask_nothing(machine, before):
    others_are_well(machine)
    told = machine.sh("apt-get install -y -q --no-install-recommends -o Acquire::http::Proxy=http://127.0.0.1:9 /packages/loyalty*.deb </dev/null")
    assert "not running" not in told, told
    assert machine.sh("dpkg-query -W -f '${Package} ${db:Status-Status}\\n' 'loyalty*'").count(" installed") == len(
        list(Path(os.environ["LOYALTY_PACKAGES"]).glob("loyalty*.deb")))
    assert not machine.run("ls /var/lib/dpkg/info/loyalty*.templates")[1].count(".templates\n")
    running = machine.sh("systemctl list-units --plain --no-legend --state=active 'loyalty*'")
    assert [line.split()[0] for line in running.splitlines()] == ["loyalty.target"], running
    assert not failed(machine)
    assert machine.sh("stat -c '%a %U' /etc/loyalty/secrets") == "700 root\n"
    others_are_well(machine)


def test_told_all_the_setup_asks_nothing_and_once_is_enough(machine):
    state = "find /etc /var/lib/loyalty -printf '%p %T@\\n'; systemctl list-units --plain --no-legend 'loyalty*'; mariadb -N -e 'SHOW DATABASES'"
    was = machine.sh(state)
    assert "nothing was changed" in machine.sh(f"{SETUP} --dry-run </dev/null")
    assert machine.sh(state) == was
    machine.sh(f"{SETUP} </dev/null")
    assert machine.sh(f"{SETUP} </dev/null").splitlines()[-1] == "loyalty-setup: nothing to do: all of it is set up"
    assert not failed(machine)
    others_are_well(machine)


def readme():
    sys.path.insert(0, str(TOP / "t"))
    loader = SourceFileLoader("readme", str(TOP / "t" / "readme"))
    module = module_from_spec(spec_from_loader("readme", loader))
    loader.exec_module(module)
    return module


def test_the_readmes_lines_answer_what_it_prints(machine):
    typed = list(readme().examples((TOP / "README.md").read_text()))
    script = "shopt -s expand_aliases\n"
    for command, _ in typed:
        script += command.replace("secrets/", "/etc/loyalty/secrets/").replace("localhost:8443", NAME) + "\necho; echo ---\n"
    answers = [got.strip() for got in machine.sh("bash -s", script).split("---\n")]
    asked = [(command, answer, got) for (command, answer), got in zip(typed, answers) if answer is not None]
    assert len(asked) >= 5
    assert not [one for one in asked if not readme().matches(one[1], one[2])]


def call(machine, target, body=None, role="public", headers="", status="2..", port=443):
    """The answer of nginx's door, as a client has it."""
    if body is not None:
        headers += f" -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
    out = machine.sh(f"curl -sS -w '\\n%{{http_code}}' --cacert /etc/loyalty/secrets/tls.crt -H \"X-API-Key: $(cat /etc/loyalty/secrets/api-key-{role})\" "
                     f"{headers} 'https://{NAME}:{port}{target}'")
    text, _, got = out.rpartition("\n")
    assert re.fullmatch(status, got), out
    return json.loads(text)


GUEST = {"id": "b9fa7d71-548c-4739-8e6a-0931cc218cd1"}
RESERVATION = {"room_id": "d635c003-fffc-4beb-87b8-eaf3458cf772", "user": GUEST}


def reserve(machine, key, status="201"):
    return call(machine, "/v1/reservations", RESERVATION, headers=f"-H 'Idempotency-Key: {key}'", status=status)


def mail_about(machine, text):
    until(lambda: text in machine.run("cat /var/mail/root")[1], 60, lambda: machine.run("journalctl -u loyalty-notifier -u 'postfix*' -n 30; mailq")[1])


def test_sent_again_it_is_done_once_and_a_mail_is_at_the_relay(machine):
    made = reserve(machine, "again")
    assert made["status"] == "RESERVED"
    had = call(machine, f"/v1/users/{GUEST['id']}/points")
    assert reserve(machine, "again")["id"] == made["id"]
    assert call(machine, f"/v1/users/{GUEST['id']}/points") == had
    mail_about(machine, made["id"])
    assert "Subject: Economy Single Room for Jane Doe" in machine.sh("cat /var/mail/root")


def test_the_page_the_documentation_and_the_command_are_there(machine):
    out = machine.sh(f"""for path in console/ docs/; do curl -sS -o /dev/null -w '%{{http_code}}\\n' -L --cacert /etc/loyalty/secrets/tls.crt https://{NAME}/$path; done
LOYALTY_URL=https://{NAME} LOYALTY_CA=/etc/loyalty/secrets/tls.crt LOYALTY_KEY_FILE=/etc/loyalty/secrets/api-key-restricted loyalty pending""")
    assert out.startswith("200\n200\n") and "Poor Richard" in out


def test_each_runs_as_its_own_user_with_its_own_secret_alone(machine):
    for name, pid in zip(SERVICES, pids_of(machine, RUNNING).values()):
        out = machine.sh(f"""stat -c %U /proc/{pid}; stat -c '%a %U %G' /run/loyalty/{name}.sock; ls /run/credentials/loyalty-{name}@1.service
tr '\\0' '\\n' </proc/{pid}/environ | grep -cF "$(cat /etc/loyalty/secrets/db-{name})"
setpriv --reuid loyalty-{name} --clear-groups cat /etc/loyalty/secrets/db-{name} 2>/dev/null || echo refused""")
        assert out == f"loyalty-{name}\n660 root www-data\ndb-{name}\n0\nrefused\n"


def test_the_suite_that_the_private_stack_passes(machine):
    """What is asked through the gateway alone, and of the database and mails behind it."""
    machine.sh("cd /checkout/t/e2e && python3 -Bc 'import installed; installed.calm()'")
    status, out = machine.run("cd /checkout && LOYALTY_INSTALLED=1 t/run rooms points admin gateway/test_http.py gateway/test_http2.py gateway/test_json.py "
                              "gateway/test_idempotency.py gateway/test_keys.py gateway/test_actor.py 2>&1")
    print(out[-300:])
    assert status == 0, out[-8000:]
    passed = int(re.search(r"(\d+) passed", out)[1])
    assert passed > 1000 and not re.search("skipped|xfailed", out), out[-300:]


def test_what_systemd_says_of_their_security(machine):
    units = machine.sh("systemctl list-unit-files --no-legend 'loyalty-*.service' | cut -d ' ' -f 1").split()
    units = [unit.replace("@.", "@1.") for unit in units]
    assert len(units) >= 10, units
    out = machine.sh(f"for unit in {' '.join(units)}; do echo \"$unit $(systemd-analyze security --no-pager $unit | tail -n 1)\"; done")
    exposure = {line.split()[0]: float(re.search(r": ([0-9.]+)", line)[1]) for line in out.splitlines()}
    assert exposure.keys() == set(units)
    assert not {unit: number for unit, number in exposure.items() if number > 2.0}


def test_a_killed_one_comes_back(machine):
    pids = pids_of(machine, RUNNING)
    machine.sh(f"kill -9 {' '.join(map(str, pids.values()))}")
    until(lambda: all(pid not in (0, pids[unit]) for unit, pid in pids_of(machine, RUNNING).items()), 60, lambda: machine.run("systemctl status 'loyalty-*'")[1])


def longest_gap(machine):
    """How long, in seconds, one of the services that the load asks was between its last end and being ready again."""
    gaps = []
    for name in "rooms", "points":
        out = machine.sh(f"journalctl --sync; journalctl --no-pager -o short-unix -u loyalty-{name}@1 | grep -E 'finishing|ready: ' | tail -n 2")
        ended, ready = (float(line.split()[0]) for line in out.splitlines())
        gaps.append(ready - ended)
    return max(gaps)


def under_load(machine, command):
    """While a command runs clients come all the time; each gets its answer.  How many times one was told to come again, or refused a connection."""
    with subprocess.Popen(machine.command("python3 -B /checkout/t/packages/load.py"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        time.sleep(2)
        machine.sh(command)
        time.sleep(2)
        out = running.communicate("", timeout=120)[0]
    counts = collections.Counter(ast.literal_eval(out))
    print(command, dict(counts))
    again, refused = counts.pop("again", 0), counts.pop("refused", 0)
    assert counts.keys() == {"rooms 200", "points 201"}, counts
    return again, refused


def no_request_is_lost(machine, command):
    """Each gets its answer at once, unless a service was away for about the deadline of 5 s."""
    again, refused = under_load(machine, command)
    assert not refused and (not again or longest_gap(machine) > 4)


def test_no_request_is_lost_while_services_are_restarted(machine):
    no_request_is_lost(machine, "systemctl restart loyalty-rooms@1 loyalty-points@1")


def test_more_instances_share_the_socket(machine):
    machine.sh("systemctl enable --now loyalty-rooms@2")
    until(lambda: "ready: " in machine.sh("journalctl -u loyalty-rooms@2"), 60, "the second instance is not ready")
    no_request_is_lost(machine, "systemctl stop loyalty-rooms@1")
    machine.sh("systemctl start loyalty-rooms@1; systemctl disable --now loyalty-rooms@2")


def test_the_notifier_may_run_once_a_minute(machine):
    machine.sh("systemctl disable --now loyalty-notifier")
    made = reserve(machine, "once")
    machine.sh("systemctl start loyalty-notifier-once")
    mail_about(machine, made["id"])
    machine.sh("systemctl enable --now loyalty-notifier-once.timer && systemctl disable --now loyalty-notifier-once.timer && systemctl enable --now loyalty-notifier")


def test_the_timers_do_their_work(machine):
    timers = machine.sh("systemctl list-timers --no-legend 'loyalty*'")
    for name in TIMERS:
        assert f"loyalty-{name}.timer" in timers, timers
        machine.sh(f"systemctl start loyalty-{name} || {{ journalctl -u loyalty-{name}; exit 1; }}")
    assert re.search("^ok +room-stock", machine.sh("journalctl -o cat -u loyalty-audit"), re.M)
    assert "prune: " in machine.sh("journalctl -o cat -u loyalty-prune")
    assert machine.sh("stat -c '%a %U' /var/backups/loyalty") == "700 root\n"
    machine.sh("set -- /var/backups/loyalty/loyalty-*.sql.gz && loyalty-restore --check \"$1\"")


def test_what_is_collected_for_support_has_no_secret(machine):
    machine.sh("""cp -p /etc/loyalty/notifier.conf /tmp/
echo 'LOYALTY_SMTP_PASSWORD=in-the-wrong-place' >>/etc/loyalty/notifier.conf
systemd-run --quiet --wait --unit loyalty-careless sh -c 'cat /etc/loyalty/secrets/db-rooms /etc/loyalty/secrets/api-key-restricted /etc/loyalty/secrets/tls.key'
loyalty-support /tmp/support.tar.gz
cp -p /tmp/notifier.conf /etc/loyalty/
mkdir /tmp/support && tar -xzf /tmp/support.tar.gz -C /tmp/support""")
    assert machine.sh("stat -c %a /tmp/support.tar.gz") == "600\n"
    assert machine.run("""for file in /etc/loyalty/secrets/*; do [ $file = /etc/loyalty/secrets/tls.crt ] || grep -v ^----- $file; done >/tmp/hidden
echo in-the-wrong-place >>/tmp/hidden; grep -rFf /tmp/hidden /tmp/support""") == (1, "")
    text = machine.sh("cd /tmp/support/* && ls . files/etc/loyalty && cat journal versions units setup")
    for expected in ("[db-rooms]", "[api-key-restricted]", "[tls.key]", "loyalty-rooms", "VERSION_CODENAME=", "loyalty-backup.timer", "loyalty-setup: ", "database.conf", "nginx-test"):
        assert expected in text, expected


def test_a_port_may_be_shared_with_the_other_site(machine):
    others_are_well_over_tls(machine)
    told = machine.sh(f"{SETUP} --by-name --port {SHARED}")
    print(told)
    assert call(machine, "/v1/rooms?limit=1", port=SHARED)
    others_are_well_over_tls(machine)
    others_are_well(machine)
    machine.sh(f"sed -i s/BY_NAME=on/BY_NAME=off/ /etc/loyalty/nginx.conf && {SETUP} --port 443")
    assert call(machine, "/v1/rooms?limit=1")
    others_are_well_over_tls(machine)


def test_stopped_all_is_stopped_and_started_all_runs(machine):
    machine.sh("systemctl stop loyalty.target")
    left = "systemctl list-units --plain --no-legend --state=active 'loyalty*'"
    until(lambda: not machine.sh(left), 30, lambda: machine.sh(left))
    machine.sh("systemctl start loyalty.target")
    until(lambda: call(machine, "/v1/rooms?limit=1", status="2..|5..") and call(machine, "/v1/rooms?limit=1"), 60, "it does not serve")
    assert not failed(machine)


def test_after_a_reboot_everything_is_back(machine):
    made = reserve(machine, "reboot")
    machine.reboot()
    until(lambda: machine.run(f"curl -fsS --cacert /etc/loyalty/secrets/tls.crt https://{NAME}/readyz")[0] == 0, 30, lambda: machine.run("systemctl status 'loyalty*'")[1])
    assert reserve(machine, "reboot")["id"] == made["id"]
    mail_about(machine, reserve(machine, "after-the-reboot")["id"])
    assert 0 not in pids_of(machine, RUNNING).values()
    timers = machine.sh("systemctl list-timers --no-legend 'loyalty*'")
    assert all(f"loyalty-{name}.timer" in timers for name in TIMERS), timers
    assert not failed(machine)
    others_are_well(machine)


def test_purged_they_leave_what_was_there(machine, before):
    told = machine.sh("apt-get purge -y -q --autoremove 'loyalty*' </dev/null")
    assert "the databases loyalty and loyalty_history and their accounts were not removed" in told, told
    assert "the backups in /var/backups/loyalty were not removed" in told, told
    after = snapshot(machine)
    changed = {path: (before.get(path), after.get(path)) for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert not changed, "\n".join(f"{path}: {was} {is_}" for path, (was, is_) in sorted(changed.items()))
    assert not machine.sh("ls /run | grep loyalty || :")
    assert machine.sh("mariadb -N -e 'SELECT COUNT(*) > 0 FROM loyalty.room'") == "1\n"
    others_are_well(machine)
