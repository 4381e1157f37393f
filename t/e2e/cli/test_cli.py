"""cli/loyalty and loyalty-audit, run as those who run the programme do."""

import json
import os
import pty
import re
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest

from stack import TOP, until

TOOL = str(TOP / "cli" / "loyalty")
AUDIT = str(TOP / "cgi-admin" / (os.environ.get("LOYALTY_BUILD") or "build") / "loyalty-audit")
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # by a terminal
WRITTEN = "cli tests"


def environment(stack, **more):
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "USER": WRITTEN, "LOYALTY_URL": stack.base,
            "LOYALTY_KEY_FILE": str(stack.var / "secrets" / "api-key-restricted"), **more}


class Tool:
    def __init__(self, stack):
        self.stack = stack

    def run(self, *words, status=0, **env):
        """(stdout, stderr) of the tool in a pipe."""
        done = subprocess.run([TOOL, *words], env=environment(self.stack, **env), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == status, (words, done.returncode, out, err)
        for key in self.stack.keys.values():
            assert key not in out + err
        return out, err

    def __call__(self, *words, **how):
        """What it prints: lines of fields."""
        self.stack.used = True
        return [line.split("\t") for line in self.run(*words, **how)[0].splitlines()]

    def one(self, *words, **how):
        return dict(self(*words, **how))

    def json(self, *words, **how):
        return json.loads(self.run(*words, "--json", **how)[0])

    def terminal(self, *words):
        master, slave = pty.openpty()
        tool = subprocess.Popen([TOOL, *words], env=environment(self.stack), stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        data = b""
        try:
            while piece := os.read(master, 65536):
                data += piece
        except OSError:  # the other end is closed
            pass
        tool.wait(30)
        os.close(master)
        return data.decode().replace("\r\n", "\n")


@pytest.fixture
def tool(stack):
    return Tool(stack)


@pytest.fixture(scope="module")
def own(make_stack):
    """A system that tests may break; each leaves it working."""
    with make_stack() as s:
        yield s


def kept(stack, id_):
    return stack.api.get(f"/v1/reservations/{id_}", key="restricted").json


# -- Every command ------------------------------------------------------------------------------------


def test_rooms_are_made_listed_changed_and_archived(stack, tool):
    name = f"Suite “ü” 漢字 {uuid.uuid4()}"
    made = tool.one("room-add", name, "3", "120")
    id_ = made["room.id"]
    assert (made["room.name"], made["room.available_amount"], made["total_amount"], made["archived"]) == (name, "3", "3", "no")
    assert [id_, "3", "3", "120", "no", name] in tool("rooms")
    assert [id_, "3", "120", name] in tool("rooms", "--available")
    cheap = tool.one("room-add", name + " cheap", "1", "7")["room.id"]
    assert [row[0] for row in tool("rooms", name.upper(), "--sort", "price")] == [cheap, id_]
    assert [row[0] for row in tool("rooms", name, "--sort=-price")] == [id_, cheap]
    assert [row[0] for row in tool("rooms", name, "--available", "--max-points", "7")] == [cheap]
    changed = tool.one("room-set", id_, "--total", "5", "--price=130", "--name", name + "!", "--archive")
    assert (changed["room.name"], changed["total_amount"], changed["room.required_points"], changed["archived"]) == \
        (name + "!", "5", "130", "yes")
    assert tool.one("room", id_.upper()) == changed
    assert id_ not in [row[0] for row in tool("rooms", "--available")]
    assert tool.one("room-set", id_, "--unarchive")["archived"] == "no"
    changes = tool("history", "rooms", "--id", id_)
    assert [c[5] for c in changes] == ["archived yes -> no",
                                       f"name {name} -> {name}!, total 3 -> 5, available 3 -> 5, price 120 -> 130, archived no -> yes",
                                       f"made: name {name}, total 3, available 3, price 120, archived no"]
    assert {c[3] for c in changes} == {WRITTEN}


def test_users_are_made_found_and_changed(stack, tool):
    name = f"Zoë {uuid.uuid4()}"
    made = tool.one("user-put", "new", name, "user")
    id_ = made["user.id"]
    assert made == {"user.id": id_, "user.name": name, "user.role": "USER", "bonus_points": "0"}
    assert tool("users", name[4:].upper()) == [[id_, "USER", "0", name]]
    assert tool.one("user-put", id_, name, "ADMIN")["user.role"] == "ADMIN"
    assert tool.one("user", id_)["user.role"] == "ADMIN"


def test_guests_are_sorted_listed_by_id_and_found_with_their_reservations(stack, tool):
    mark = uuid.uuid4().hex
    users = [stack.user(points=p, name=f"{mark} {n}") for p, n in ((5, "Zoë"), (1, "anna"), (9, "Bob"))]
    assert [row[0] for row in tool("users", mark, "--sort", "name")] == [users[i].id for i in (1, 2, 0)]
    assert [row[0] for row in tool("users", mark, "--sort=-points")] == [users[i].id for i in (2, 0, 1)]
    assert [row[0] for row in tool("users", "--ids", f"{users[2].id},{users[0].id}")] == [users[2].id, users[0].id]
    made = [stack.reserve(stack.room(price=0), user).json["id"] for user in users]
    assert [row[0] for row in tool("reservations", mark.upper())] == made[::-1]
    assert [row[0] for row in tool("reservations", f"{mark} zoe", "--status", "RESERVED")] == made[:1]
    assert [row[2] for row in tool("history", "reservations", "--user", users[1].id)] == [made[1]]
    tool.run("history", "points", "--user", users[1].id, status=2)


def test_a_mail_and_what_waits_are_shown(stack, tool):
    a = stack.reserve(stack.room(price=0), stack.user())
    id_ = stack.value("SELECT id FROM loyalty.outbox_mail WHERE request_id = %s", (a.request_id,))
    text = stack.api.get(f"/v1/admin/outbox/{id_}", key="restricted").json["text"]
    assert tool.run("mail", str(id_))[0] == text and a.json["id"] in text
    assert json.loads(tool.run("mail", str(id_), "--json")[0])["text"] == text
    assert set(tool.one("summary")) == {"pending_approval", "dead_mails", "queued_mails"}


def test_a_guest_is_exported_and_erased(stack, tool):
    user = stack.user(points=7, name="Jane Doe")
    held = stack.reserve(stack.room(price=0), user).json["id"]
    stack.drained()
    assert tool.json("user-export", user.id) == stack.api.get(f"/v1/admin/users/{user.id}/export", key="restricted").json
    assert "RESERVED" in tool.run("user-erase", user.id, "by letter", status=1)[1]
    assert tool.one("release", held)["status"] == "RELEASED"
    assert tool.one("user-erase", user.id, "by letter") == {"user.id": user.id, "user.name": "Erased", "user.role": "USER", "bonus_points": "0"}
    assert [r[5:] for r in tool("history", "users", "--id", user.id)] == [["erased", "by letter"], ["made: name Erased, role USER", ""]]


def test_points_are_told_added_and_taken(stack, tool):
    user = stack.user(points=100)
    assert tool.one("points", user.id)["bonus_points"] == "100"
    assert tool.one("points", user.id, "+250", "a late upgrade")["bonus_points"] == "350"
    assert tool.one("points", user.id, "-50", "two\nlines", "--actor", "Zoë / front desk")["bonus_points"] == "300"
    rows = tool("history", "points", "--id", user.id, "--since", "1h")
    assert [(r[3], r[4], r[5], r[7], r[9]) for r in rows[:2]] == [("350", "300", "-50", "Zoë / front desk", "two\\nlines"),
                                                              ("100", "350", "250", WRITTEN, "a late upgrade")]
    assert rows[0][8].startswith("cli-") and stack.access_log(rows[0][8])
    assert tool("history", "points", "--id", user.id, "--until", "1h") == []


def test_a_reservation_and_its_cancellation(stack, tool):
    room, user = stack.room(total=2, price=70), stack.user(points=100)
    made = tool.one("reserve", room.id, user.id)
    assert (made["status"], made["points"], made["room.available_amount"]) == ("RESERVED", "70", "1")
    assert tool("reservations", "--user", user.id) == [[made["id"], "RESERVED", "70", made["created_at"], room.name, user.name]]
    assert tool.one("cancel", made["id"])["status"] == "CANCELLED"
    assert tool("reservations", "--user", user.id, "--status", "reserved") == []
    assert tool.one("reservation", made["id"])["status"] == "CANCELLED"
    assert stack.balance(user) == 100
    assert [r[3:5] for r in tool("history", "reservations", "--id", made["id"])] == [["RESERVED", "CANCELLED"], ["", "RESERVED"]]
    told = [r for r in tool("events", "--since", made["created_at"]) if r[2] == made["id"]]
    assert [r[3:6] for r in told] == [["", "RESERVED", "70"], ["RESERVED", "CANCELLED", "70"]]


def test_who_waits_is_approved_or_rejected_and_released(stack, tool):
    room = stack.room(total=2, price=90)
    poor, poorer = stack.user(points=40, name="Poor Richard"), stack.user(points=0, name="Poorer Richard")
    first, second = tool.one("reserve", room.id, poor.id), tool.one("reserve", room.id, poorer.id)
    assert {first["status"], second["status"]} == {"PENDING_APPROVAL"}
    rows = [row for row in tool("pending") if row[6] == room.name]
    assert [(r[0], *r[2:]) for r in rows] == [(first["id"], "90", "40", "50", "2", room.name, "Poor Richard"),
                                             (second["id"], "90", "0", "90", "2", room.name, "Poorer Richard")]
    assert tool("pending", "--limit", "1")[0] == tool("pending")[0]
    assert "SINCE" in tool.terminal("pending") and "(" in tool.terminal("pending")

    _, err = tool.run("approve", first["id"], status=1)
    assert "insufficient-points" in err
    assert tool.one("approve", first["id"], "--points", "40")["status"] == "RESERVED"
    assert (stack.balance(poor), stack.available(room)) == (0, 1)
    assert tool.one("reject", second["id"], "fully booked")["status"] == "REJECTED"
    assert tool.one("release", first["id"])["status"] == "RELEASED"
    assert (stack.balance(poor), stack.available(room)) == (0, 2)
    mails = [mail.get_content() for mail in stack.mails_about(second["id"], 2, 15)]
    assert any("fully booked" in text and WRITTEN in text for text in mails)
    rows = [r for r in tool("outbox", "--status", "sent") if r[6].endswith("for Poorer Richard")]


def test_a_dead_mail_is_sent_after_all(own):
    tool = Tool(own)
    made = own.reserve(own.room(), own.user(points=100)).json
    own.drained()
    id_ = own.value("SELECT MAX(id) FROM loyalty.outbox")
    own.sql("UPDATE loyalty.outbox SET status = 'DEAD', sent_at = NULL, last_error = %s WHERE id = %s", ("550 \x1b[2J no\nsuch box", id_))
    assert [row[0] for row in tool("outbox", "--status", "DEAD")] == [str(id_)]
    for text in (tool.terminal("outbox", "--status=DEAD"), tool.terminal("outbox", "--status=DEAD", "--json")):
        assert "no" in text and not OBEYED.search(text), repr(text)
    assert tool.one("outbox-retry", str(id_))["status"] == "PENDING"
    until(lambda: tool("outbox", "--limit", "1")[0][1] == "SENT", 15, 0.3)
    tool.run("outbox-retry", str(id_), status=1)
    assert len(own.mails_about(made["id"])) >= 1


def test_audit_metrics_and_ready(stack, tool):
    checks = tool("audit")
    assert len(checks) >= 12 and {c[0] for c in checks} == {"ok"}
    assert tool.json("audit")["ok"] is True
    assert "\nloyalty_outbox_pending " in tool.run("metrics")[0]
    assert tool.run("ready", LOYALTY_KEY_FILE="/nonexistent", LOYALTY_CA=stack.ca)[0] == "status\tready\n"


# -- JSON, lists --------------------------------------------------------------------------------------


def test_json_is_what_the_api_says(stack, tool):
    room, user = stack.room(price=10), stack.user(points=50)
    made = tool.json("reserve", room.id, user.id)
    assert made == kept(stack, made["id"])
    page = stack.api.get("/v1/rooms?available=true&limit=200", key="restricted").json
    assert json.loads(tool.run("rooms", "--available", "--json")[0])[:len(page)] == page
    for words, path in ((("room", room.id), f"/v1/admin/rooms/{room.id}"),
                        (("user", user.id), f"/v1/admin/users/{user.id}"), (("points", user.id), f"/v1/users/{user.id}/points"),
                        (("reservations", "--user", user.id), f"/v1/reservations?user_id={user.id}"),
                        (("reservations", "--ids", f"{made['id']},{room.id}"), f"/v1/reservations?ids={made['id']},{room.id}"),
                        (("history", "points", "--id", user.id), f"/v1/admin/history/points?user_id={user.id}")):
        text = stack.api.get(path, key="restricted").body.decode()
        assert tool.run(*words, "--json")[0] == text + "\n"


def test_lists_go_over_all_pages(own):
    tool = Tool(own)
    mark = f"Page {uuid.uuid4()}"
    made = {own.user(name=f"{mark} {i}").id for i in range(450)}
    found = tool.json("users", mark)
    assert len(found) == 450 and {a["user"]["id"] for a in found} == made
    assert [row[0] for row in tool("users", mark)] == [a["user"]["id"] for a in found]
    assert len(tool("users", mark, "--limit=201")) == 201
    screen = tool.terminal("users", mark)
    assert len(screen.splitlines()) == 102 and "--all" in screen
    assert len(tool.terminal("users", mark, "--all").splitlines()) == 451


# -- How it ends --------------------------------------------------------------------------------------


def test_what_the_api_refuses_is_1(stack, tool):
    room, user = stack.room(total=0), stack.user()
    _, err = tool.run("reserve", room.id, user.id, status=1)
    assert "409 sold-out" in err and "request id: cli-" in err
    _, err = tool.run("room", str(uuid.uuid4()), status=1)
    assert "404 room-not-found" in err
    _, err = tool.run("room-add", "x" * 201, "-1", "1000000001", status=1)
    for pointer in ("/name: ", "/total_amount: ", "/required_points: "):
        assert pointer in err
    out, err = tool.run("points", user.id, "-1", "x", "--json", status=1)
    assert out == "" and json.loads(err)["type"] == "/problems/insufficient-points"
    _, err = tool.run("rooms", status=1, LOYALTY_KEY_FILE=str(stack.var / "secrets" / "api-key-public"))
    assert "403 forbidden" in err
    tool.run("rooms", "--available", LOYALTY_KEY_FILE=str(stack.var / "secrets" / "api-key-public"))


def test_wrong_usage_is_2_and_asks_nobody(stack, tool):
    for words in ((), ("frob",), ("room",), ("room", "1"), ("points", stack.user().id, "5"), ("reservations", "--status", "OPEN")):
        _, err = tool.run(*words, status=2, LOYALTY_URL="https://localhost:1")
        assert err.startswith("loyalty: ")


def test_a_dead_gateway_is_3_at_once(own):
    tool, user = Tool(own), own.user(points=5)
    own.stop("nginx")
    try:
        began = time.monotonic()
        for words in (["rooms"], ["points", user.id, "+5", "x"], ["ready"]):
            _, err = tool.run(*words, status=3)
            assert own.base in err
        assert time.monotonic() - began < 5
    finally:
        own.start("nginx")
        own.ready()
    assert own.balance(user) == 5


def test_a_dead_database_is_3_and_nothing_is_done(own):
    tool, user = Tool(own), own.user(points=5)
    own.stop("db")
    try:
        _, err = tool.run("points", user.id, "+5", "x", "--wait", "1", status=3)
        assert "503 unavailable" in err and "Nothing was changed" in err and "unknown" not in err
        time.sleep(1.2)  # what /readyz said is kept for a second
        tool.run("ready", status=3)
    finally:
        own.start("db")
        own.close_db()
        own.ready()
    assert own.balance(user) == 5


def test_a_write_survives_a_restart_and_is_done_once(own):
    tool, user = Tool(own), own.user(points=5)
    own.stop("points")
    result = []
    thread = threading.Thread(target=lambda: result.append(tool.one("points", user.id, "+5", "x", "--wait", "30")))
    thread.start()
    time.sleep(1.5)
    own.start("points")
    thread.join(60)
    assert result[0]["bonus_points"] == "10" and own.balance(user) == 10


def test_an_unknown_outcome_is_found_out_with_the_key(stack, tool):
    user = stack.user(points=5)
    first = tool.run("points", user.id, "+5", "x", "--idempotency-key", "found-out")[0]
    assert tool.run("points", user.id, "+5", "x", "--idempotency-key", "found-out")[0] == first
    assert stack.balance(user) == 10


# -- The key, the terminal ----------------------------------------------------------------------------


def test_the_key_is_in_no_command_line_and_no_environment(stack):
    """While it waits for a gateway that takes the connection and says nothing."""
    key = stack.keys["restricted"].encode()
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(5)
        tool = subprocess.Popen([TOOL, "rooms", "--url", f"https://127.0.0.1:{mute.getsockname()[1]}"], env=environment(stack),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            peer, _ = mute.accept()
            assert peer.recv(1)  # it has its key by now, or is about to
            time.sleep(0.5)
            assert tool.poll() is None
            assert key not in Path(f"/proc/{tool.pid}/environ").read_bytes()
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    try:
                        assert key not in Path(f"/proc/{entry}/cmdline").read_bytes()
                    except OSError:
                        pass
            peer.close()
        finally:
            tool.kill()
            out, err = tool.communicate()
        assert key not in out + err


def test_while_it_works_nobody_sees_the_key(stack, tool):
    key, seen, done = stack.keys["restricted"].encode(), [], threading.Event()

    def watch():
        while not done.is_set():
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    try:
                        if key in Path(f"/proc/{entry}/cmdline").read_bytes():
                            seen.append(entry)
                    except OSError:
                        pass

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for words in (["rooms"], ["pending"], ["audit"], ["metrics"], ["users", "--json"]):
            tool.run(*words)
    finally:
        done.set()
        thread.join()
    assert not seen


def test_names_of_any_kind_come_out_whole_and_harmless(stack, tool):
    marks = ["李小龍", "👩\u200d👩\u200d👧", "עברית", "<b>\"'\\", "%s%n", "a\u2028b", "\ufeffx", "e\u0301"]
    for mark in marks:
        name = f"{mark} {uuid.uuid4()}"
        made = tool.json("user-put", "new", name, "USER")
        assert made["user"]["name"] == name
        found = tool.json("users", name[-36:])
        assert found == [made]
        for words in (["users", name[-36:]], ["user", made["user"]["id"]], ["users", name[-36:], "--json"]):
            assert not OBEYED.search(tool.terminal(*words)), name
    _, err = tool.run("room-add", "a\x1b[31mb\u202e", "1", "1", status=1)
    assert "/name: " in err and not OBEYED.search(err)


def test_completion_in_a_shell():
    script = 'source "$1"; complete -p loyalty; COMP_WORDS=(loyalty "${@:2}"); COMP_CWORD=$(($# - 1)); _loyalty; echo "${COMPREPLY[*]}"'

    def complete(*words):
        done = subprocess.run(["bash", "-c", script, "x", str(TOP / "cli" / "completion.bash"), *words], capture_output=True, text=True,
                              check=True, timeout=20)
        return done.stdout.split("\n", 1)[1].split()

    assert complete("app") == ["approve"]
    assert complete("outbox", "--status", "") == ["PENDING", "SENT", "DEAD"]
    assert complete("reservations", "--status", "P") == ["PENDING_APPROVAL"]
    assert "--points" in complete("approve", "--")


def test_up_and_its_settings_do_not_mind_the_tools_own(stack):
    """Who has LOYALTY_URL in the shell can still start a system; and is told of the tool and of the documentation."""
    text = stack.native("up", env={"LOYALTY_URL": "https://localhost:1", "LOYALTY_CA": "/x", "LOYALTY_KEY_FILE": "/x"})
    assert "no program" not in text
    line = next(line for line in stack.native("try").splitlines() if line.strip().endswith(" rooms"))
    done = subprocess.run(line, shell=True, cwd=TOP, capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    assert done.returncode == 0, done.stderr
    assert f"{stack.base}/docs/" in stack.native("try").split()


# -- loyalty-audit ------------------------------------------------------------------------------------


def audit(stack, *words, **env):
    env = {"PATH": os.environ["PATH"], **stack.db_settings(),
           "LOYALTY_DB_PASSWORD_FILE": str(stack.var / "secrets" / "db-admin"), **env}
    return subprocess.run([AUDIT, *words], env=env, capture_output=True, text=True, timeout=120)


def test_audit_of_a_sound_system_is_0(stack, tool):
    done = audit(stack, LOYALTY_URL=stack.base)
    assert (done.returncode, done.stderr) == (0, ""), done
    names = [line.split()[1] for line in done.stdout.splitlines()]
    assert all(line.startswith("ok ") for line in done.stdout.splitlines()) and len(names) >= 12
    told = json.loads(audit(stack, "--json").stdout)
    assert told["ok"] is True and [c["name"] for c in told["checks"]] == names
    assert set(told) == {"ok", "checks"} and {frozenset(c) for c in told["checks"]} == {frozenset({"name", "ok", "checked", "violations"})}
    assert [c["name"] for c in tool.json("audit")["checks"]] == names


def test_audit_finds_what_was_planted_and_is_1_and_4(own):
    user = own.user(points=77)
    own.sql("UPDATE loyalty_history.points_history SET to_points = 78, delta = 78 WHERE user_id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    try:
        done = audit(own)
        assert done.returncode == 1, done
        assert re.search(r"^BROKEN balance-sum +\d+ checked, 1 violated$", done.stdout, re.M) and user.id in done.stdout
        assert json.loads(audit(own, "--json").stdout)["ok"] is False
        rows = Tool(own)("audit", status=4)
        assert any(r[0] == "BROKEN" and r[1] == "balance-sum" for r in rows)
        assert any(r[0] == "violation" and user.id in r[2] for r in rows)
        assert Tool(own).json("audit", status=4)["ok"] is False
    finally:
        own.sql("UPDATE loyalty_history.points_history SET to_points = 77, delta = 77 WHERE user_id = UNHEX(REPLACE(%s, '-', ''))", (user.id,))
    assert audit(own).returncode == 0


def test_audit_that_cannot_is_2(own, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("not the password\n")
    for how in ({"LOYALTY_DB_HOSTS": "/nonexistent.sock"}, {"LOYALTY_DB_PASSWORD_FILE": str(bad)}, {"LOYALTY_DB_PASSWORD_FILE": "/none"},
                {"LOYALTY_DB_NAME": "nothing"}, {"LOYALTY_NONSENSE": "1"}, {"LOYALTY_LOG_LEVEL": "loud"}):
        done = audit(own, **how)
        assert done.returncode == 2 and done.stdout == "" and done.stderr, how
    for words in (["-x"], ["--json", "x"], [""]):
        assert audit(own, *words).returncode == 2, words
    assert audit(own, "-h").returncode == 0
    with open("/dev/full", "w") as full:
        done = subprocess.run([AUDIT], env={**own.db_settings(), "LOYALTY_DB_PASSWORD_FILE":
                                                                      str(own.var / "secrets" / "db-admin")}, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2
