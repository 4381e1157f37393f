#!/usr/bin/python3
"""The tool alone, against a TLS server that says whatever a test wants.  t/e2e/cli has it against the real one."""

import contextlib
import http.server
import importlib.machinery
import importlib.util
import json
import os
import pty
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = os.path.join(HERE, "..", "loyalty")
MAN = os.path.join(HERE, "..", "loyalty.1")
COMPLETION = os.path.join(HERE, "..", "completion.bash")
KEY = "a-restricted-key-0123456789"
ROOM, USER = "d635c003-fffc-4beb-87b8-eaf3458cf772", "b9fa7d71-548c-4739-8e6a-0931cc218cd1"
HOSTILE = "Evil\x1b]0;owned\x07\x9b31m\u202etxt.exe\nnext\tline\x7f"

_loader = importlib.machinery.SourceFileLoader("loyalty", TOOL)
loyalty = importlib.util.module_from_spec(importlib.util.spec_from_loader("loyalty", _loader))
_loader.exec_module(loyalty)


class Server:
    """Answers from a list of (status, body, headers); DROP breaks the connection.  Keeps what it was asked."""

    DROP = object()

    def __init__(self, folder):
        self.answers, self.requests = [], []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.requests.append((self.command, self.path, dict(self.headers), body))
                answer = server.answers.pop(0) if server.answers else (500, {"title": "no answer left"}, {})
                if answer is server.DROP:
                    self.close_connection = True
                    return
                status, value, headers = answer
                data = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = any

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/tls.crt", f"{folder}/tls.key")
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def will_say(self, *answers):
        self.answers[:], self.requests[:] = answers, []

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def problem(status, name, **more):
    return status, {"type": f"/problems/{name}", "title": name.capitalize(), "status": status, "detail": "So it is.",
                    "request_id": "r-1", **more}, {"Content-Type": "application/problem+json"}


def account(name="Jane Doe", points=10):
    return {"user": {"id": USER, "name": name, "role": "USER"}, "bonus_points": points}


class Tests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="ly-cli-")
        cls.folder = cls.temporary.name
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{cls.folder}/tls.key",
                        "-out", f"{cls.folder}/tls.crt"], check=True, capture_output=True)
        cls.key_file = cls.write("key", f"# rotated every month\n\n{KEY}\nanother-key-of-the-same-file\n")
        cls.server = Server(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.temporary.cleanup()

    @classmethod
    def write(cls, name, text):
        with open(os.path.join(cls.folder, name), "w", encoding="utf-8") as f:
            f.write(text)
        return os.path.join(cls.folder, name)

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "USER": "tester", "LOYALTY_URL": self.server.url,
                "LOYALTY_KEY_FILE": self.key_file, **more}

    def run_tool(self, *words, status=0, **env):
        done = subprocess.run([TOOL, *words], env=self.environment(**env), capture_output=True, timeout=60)
        out, err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        self.assertEqual(done.returncode, status, (words, out, err))
        return out, err

    def on_terminal(self, *words, **env):
        """Everything that a terminal would have got."""
        master, slave = pty.openpty()
        tool = subprocess.Popen([TOOL, *words], env=self.environment(**env), stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        data = b""
        with contextlib.suppress(OSError):
            while True:
                piece = os.read(master, 65536)
                if not piece:
                    break
                data += piece
        tool.wait(30)
        os.close(master)
        return data.decode("utf-8").replace("\r\n", "\n")

    # -- what is sent ---------------------------------------------------------------------------

    def test_a_write_names_the_actor_and_has_a_key_of_its_own(self):
        seen = set()
        for _ in range(2):
            self.server.will_say((201, account(), {}))
            self.run_tool("points", USER, "-250", "für Zoë", USER="Zoë / ops")
            method, path, headers, body = self.server.requests[0]
            self.assertEqual((method, path), ("POST", f"/v1/users/{USER}/points"))
            self.assertEqual(json.loads(body), {"amount": -250, "reason": "für Zoë"})
            self.assertEqual(headers["X-API-Key"], KEY)
            self.assertEqual(headers["X-Actor"], "Zo%C3%AB%20%2F%20ops")
            self.assertRegex(headers["X-Request-Id"], r"\A[A-Za-z0-9._-]{1,64}\Z")
            seen.add(headers["Idempotency-Key"])
        self.assertEqual(len(seen), 2)

    def test_the_person_behind_sudo_is_the_actor(self):
        self.server.will_say((201, account(), {}))
        self.run_tool("points", USER, "+1", "x", USER="root", SUDO_USER="jane")
        self.assertEqual(self.server.requests[0][2]["X-Actor"], "jane")

    def test_every_write_has_an_idempotency_key(self):
        reservation = {"id": USER}
        for words in (["room-add", "A", "1", "2"], ["room-set", ROOM, "--total=3"], ["user-put", "new", "A", "admin"],
                      ["points", USER, "+1", "x"], ["reserve", ROOM, USER], ["approve", ROOM], ["approve", ROOM, "--points", "0"],
                      ["reject", ROOM, "x"], ["release", ROOM], ["cancel", ROOM], ["outbox-retry", "7"]):
            self.server.will_say((200, reservation, {}))
            self.run_tool(*words, "--idempotency-key=k-1" if words[0] not in ("room-set", "user-put") else "--json")
            key = self.server.requests[0][2]["Idempotency-Key"]
            self.assertTrue(key == "k-1" or words[0] in ("room-set", "user-put") and len(key) == 36, words)

    def test_options_stand_anywhere_and_a_name_may_look_like_one(self):
        self.server.will_say((201, account(), {}), (201, {"id": 1}, {}))
        self.run_tool("--json", "points", USER, "--actor", "boss", "-1", "x", "--wait=1")
        self.assertEqual(self.server.requests[0][2]["X-Actor"], "boss")
        self.run_tool("room-add", "--", "--json", "1", "-5")
        self.assertEqual(json.loads(self.server.requests[1][3]), {"name": "--json", "total_amount": 1, "required_points": -5})

    def test_what_goes_into_a_query_is_quoted(self):
        self.server.will_say((200, [], {}))
        self.run_tool("users", "a&limit=1#ü")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.server.requests[0][1]).query)
        self.assertEqual(query, {"q": ["a&limit=1#ü"], "limit": ["200"]})

    def test_a_blank_in_a_query_is_no_plus(self):
        self.server.will_say((200, [], {}))
        self.run_tool("users", "Jane Doe+1")
        self.assertEqual(self.server.requests[0][1], "/v1/admin/users?q=Jane%20Doe%2B1&limit=200")

    def test_in_a_checkout_it_finds_port_key_and_certificate(self):
        for name in ("cli", "var", "secrets"):
            os.makedirs(f"{self.folder}/checkout/{name}", exist_ok=True)
        shutil.copy(TOOL, f"{self.folder}/checkout/cli/loyalty")
        shutil.copy(f"{self.folder}/tls.crt", f"{self.folder}/checkout/secrets/tls.crt")
        self.write("checkout/secrets/api-key-restricted", "the-key-of-the-checkout\n")
        self.write("checkout/var/settings", f'HTTPS_PORT="{self.server.url.rpartition(":")[2]}"\nLOYALTY_BUILD="build"\n')
        self.server.will_say((200, [], {}))
        os.symlink(f"{self.folder}/checkout/cli/loyalty", f"{self.folder}/loyalty-link")
        done = subprocess.run([f"{self.folder}/loyalty-link", "rooms"], env={"PATH": os.environ["PATH"]}, capture_output=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(self.server.requests[0][2]["X-API-Key"], "the-key-of-the-checkout")

    def test_times_are_taken_as_people_give_them(self):
        for given, sent in (("2026-11-23", r"2026-11-23T00:00:00Z"), ("7d", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
                            ("2026-11-23T21:07:00.5+01:00", r"2026-11-23T21:07:00\.5\+01:00")):
            self.server.will_say((200, [], {}))
            self.run_tool("history", "points", "--since", given)
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.server.requests[0][1]).query)
            self.assertRegex(query["since"][0], rf"\A{sent}\Z")

    # -- again and again ------------------------------------------------------------------------

    def test_a_broken_connection_is_tried_again_under_the_same_key(self):
        self.server.will_say(Server.DROP, Server.DROP, (201, account(), {}))
        self.run_tool("points", USER, "+1", "x")
        keys = {r[2]["Idempotency-Key"] for r in self.server.requests}
        self.assertEqual((len(self.server.requests), len(keys)), (3, 1))

    def test_503_is_tried_again_when_it_says(self):
        self.server.will_say((*problem(503, "unavailable")[:2], {"Retry-After": "1"}), (201, account(), {}))
        began = time.monotonic()
        self.run_tool("points", USER, "+1", "x")
        self.assertGreater(time.monotonic() - began, 0.9)

    def test_what_stays_unknown_is_said_with_the_key(self):
        self.server.will_say(*[Server.DROP] * 50)
        _, err = self.run_tool("points", USER, "+1", "x", "--wait", "1", status=5)
        self.assertIn("The outcome is unknown", err)
        self.assertIn(f"--idempotency-key {self.server.requests[0][2]['Idempotency-Key']}:", err)

    def test_what_a_load_balancer_says_of_a_write_is_asked_again_under_the_same_key(self):
        """The change was made, its answer was lost: 502, 504 in HTML, a page in place of the answer, JSON of another kind."""
        for between in ((502, b"<html>bad gateway</html>", {}), (504, b"", {}), (500, b"<html>", {}), (408, b"timeout", {}),
                        (502, b'{"message":"bad gateway"}', {}), (200, b"<html>sign in</html>", {}), (201, b'{"half', {}),
                        problem(503, "unavailable"), problem(500, "internal"), problem(429, "rate-limited")):
            self.server.will_say(between, (201, account(), {}))
            out, _ = self.run_tool("points", USER, "+1", "x")
            self.assertIn("bonus_points", out)
            self.assertEqual(len({r[2]["Idempotency-Key"] for r in self.server.requests}), 1, between)
            self.assertEqual(len(self.server.requests), 2, between)

    def test_what_a_load_balancer_says_to_the_end_leaves_the_outcome_unknown(self):
        for between in ((504, b"<html>gateway timeout</html>", {}), problem(503, "unavailable"), (200, b"<html>", {})):
            self.server.will_say(*[between] * 20)
            _, err = self.run_tool("points", USER, "+1", "x", "--wait", "0", status=5)
            key = self.server.requests[0][2]["Idempotency-Key"]
            self.assertIn(f"Repeat the command with --idempotency-key {key}: it is done once", err)
            self.assertEqual(len(self.server.requests), 1, between)
            # and so it is repeated
            self.server.will_say((201, account(), {"Idempotency-Replayed": "true"}))
            self.run_tool("points", USER, "+1", "x", "--idempotency-key", key)
            self.assertEqual(self.server.requests[0][2]["Idempotency-Key"], key)

    def test_put_and_patch_of_unknown_outcome_are_told_how_to_repeat(self):
        for words in (("room-set", ROOM, "--total", "3"), ("user-put", "new", "A", "USER")):
            self.server.will_say((502, b"<html>", {}), (200, {"user": {"id": USER}}, {}))
            self.run_tool(*words)
            self.assertEqual(self.server.requests[0][:2], self.server.requests[1][:2])
            self.server.will_say(*[(502, b"<html>", {})] * 20)
            _, err = self.run_tool(*words, "--wait", "0", status=5)
            self.assertIn("done twice it is the same", err)
            self.assertNotIn("--idempotency-key", err)
        # `new` again would be another user
        self.assertIn(self.server.requests[0][1].rpartition("/")[2], err)

    def test_a_refusal_that_says_nothing_of_the_try_before_leaves_it_unknown(self):
        for after in (problem(401, "unauthorized"), (403, b"<html>", {}), problem(429, "rate-limited")):
            self.server.will_say(Server.DROP, *[after] * 20)
            _, err = self.run_tool("points", USER, "+1", "x", "--wait", "1", status=5)
            self.assertIn("--idempotency-key", err)
        self.server.will_say(Server.DROP, problem(409, "insufficient-points"))
        self.run_tool("points", USER, "+1", "x", status=1)

    def test_what_was_certainly_not_done_is_not_unknown(self):
        self.server.will_say(*[problem(429, "rate-limited")] * 20)
        _, err = self.run_tool("points", USER, "+1", "x", "--wait", "0", status=3)
        self.assertNotIn("unknown", err)
        down = problem(503, "unavailable", detail="The database is unavailable. Nothing was changed. Try again.")
        self.server.will_say(*[down] * 20)
        _, err = self.run_tool("points", USER, "+1", "x", "--wait", "0", status=3)
        self.assertNotIn("unknown", err)
        self.server.will_say(Server.DROP, *[down] * 20)
        self.run_tool("points", USER, "+1", "x", "--wait", "1", status=5)
        for status in (404, 301, 400):
            self.server.will_say((status, b"<html>", {}))
            _, err = self.run_tool("points", USER, "+1", "x", status=3)
            self.assertIn("--url", err)

    def test_a_write_that_is_interrupted_tells_the_key(self):
        for answers in ([Server.DROP] * 50, [(502, b"<html>", {})] * 50):
            self.server.will_say(*answers)
            # what runs in the background of a shell ignores SIGINT
            tool = subprocess.Popen([TOOL, "points", USER, "+1", "x"], env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
            while not self.server.requests:
                time.sleep(0.02)
            time.sleep(0.3)
            tool.send_signal(signal.SIGINT)
            _, err = tool.communicate(timeout=30)
            self.assertEqual(tool.returncode, 130, err)
            self.assertIn(f"--idempotency-key {self.server.requests[0][2]['Idempotency-Key']}", err.decode())

    def test_a_read_behind_a_load_balancer_is_tried_again_and_never_unknown(self):
        self.server.will_say((502, b"<html>", {}), (504, b"<html>", {}), (200, [], {}))
        self.run_tool("rooms")
        self.server.will_say(*[(502, b"<html>", {})] * 20)
        _, err = self.run_tool("rooms", "--wait", "0", status=3)
        self.assertIn("502", err)
        self.assertNotIn("unknown", err)

    def test_503_to_the_end_is_unavailable(self):
        self.server.will_say(*[problem(503, "unavailable")] * 50)
        _, err = self.run_tool("rooms", "--wait", "1", status=3)
        self.assertIn("503 unavailable", err)

    def test_too_fast_is_tried_again(self):
        self.server.will_say(problem(429, "rate-limited"), (200, [], {}))
        self.run_tool("rooms")

    def test_a_dead_gateway_fails_at_once(self):
        began = time.monotonic()
        _, err = self.run_tool("points", USER, "+1", "x", LOYALTY_URL="https://localhost:1", status=3)
        self.assertLess(time.monotonic() - began, 3)
        self.assertIn("https://localhost:1", err)

    def test_ready_asks_once_and_without_a_key(self):
        self.server.will_say(problem(503, "unavailable"))
        _, err = self.run_tool("ready", LOYALTY_KEY_FILE="/nonexistent", LOYALTY_CA=f"{self.folder}/tls.crt", status=3)
        self.assertEqual(len(self.server.requests), 1)
        self.assertNotIn("X-API-Key", self.server.requests[0][2])
        self.assertIn("So it is.", err)

    # -- the key --------------------------------------------------------------------------------

    def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_key_is_sent(self):
        key_file = self.write("elsewhere-key", KEY + "\n")
        os.makedirs(f"{self.folder}/elsewhere", exist_ok=True)
        os.replace(key_file, f"{self.folder}/elsewhere/key")
        self.server.will_say((200, [], {}))
        _, err = self.run_tool("rooms", LOYALTY_KEY_FILE=f"{self.folder}/elsewhere/key", status=3)
        self.assertIn("--ca", err)
        self.assertEqual(self.server.requests, [])

    def test_a_link_leads_to_no_other_host(self):
        self.server.will_say((200, [account()], {"Link": '<https://evil.example/v1/next?cursor=a>; rel="next"'}), (200, [], {}))
        self.run_tool("users")
        self.assertEqual(self.server.requests[1][1], "/v1/next?cursor=a")

    def test_the_key_is_never_shown(self):
        self.server.will_say(problem(401, "unauthorized"))
        out, err = self.run_tool("rooms", status=1)
        self.assertNotIn(KEY, out + err)

    def test_key_files_without_a_key(self):
        for text in ("", "# nothing\n", "short\n", "a key with blanks in it\n", "schlüssel-schlüssel-schlüssel\n"):
            _, err = self.run_tool("rooms", LOYALTY_KEY_FILE=self.write("bad", text), status=2)
            self.assertIn("holds no key", err)
        self.run_tool("rooms", LOYALTY_KEY_FILE="/nonexistent", status=2)

    # -- what is shown --------------------------------------------------------------------------

    def test_nothing_that_a_terminal_obeys_is_printed(self):
        answers = [(200, [account(HOSTILE)], {}), problem(422, "validation", detail=HOSTILE, title=HOSTILE,
                                                          errors=[{"pointer": HOSTILE, "detail": HOSTILE}, {"parameter": HOSTILE, "detail": HOSTILE},
                                                                  {"header": HOSTILE, "detail": HOSTILE}])]
        for words in (("users",), ("users", "--json")):
            for answer in answers:
                self.server.will_say(answer)
                text = self.on_terminal(*words)
                self.assertFalse(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), repr(text))
                self.assertIn("Evil", text)
                self.assertNotIn("\nnext", text)

    def test_json_is_escaped_but_the_same(self):
        self.server.will_say((200, [account(HOSTILE)], {}))
        out, _ = self.run_tool("users", "--json")
        self.assertEqual(json.loads(out), [account(HOSTILE)])

    def test_metrics_are_harmless_and_keep_their_lines(self):
        self.server.will_say((200, "# HELP a\x1b[2J\nb 1\n".encode(), {"Content-Type": "text/plain"}))
        self.assertEqual(self.run_tool("metrics")[0], "# HELP a\\x1b[2J\nb 1\n")

    def test_wide_and_combining_characters_keep_the_columns(self):
        names = ["漢字", "Zoë", "e\u0301e\u0301", "👩\u200d👩\u200d👧 x", "plain"]
        lines = list(loyalty.aligned([[(n, False), ("|", False)] for n in names], []))
        self.assertEqual(len({loyalty.width(line) for line in lines}), 1)

    def test_a_locale_without_utf8_is_no_crash(self):
        self.server.will_say((200, [account("漢字")], {}))
        done = subprocess.run([TOOL, "users"], env=self.environment(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
                              capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_pipe_gets_all_in_plain_lines(self):
        pages = [[account(f"U{p}-{i}", 7) for i in range(200)] for p in range(3)]
        link = {"Link": '</v1/admin/users?cursor=c&limit=200>; rel="next"'}
        self.server.will_say((200, pages[0], link), (200, pages[1], link), (200, pages[2], {}))
        out, _ = self.run_tool("users")
        lines = out.splitlines()
        self.assertEqual(len(lines), 600)
        self.assertEqual(lines[0], f"{USER}\tUSER\t7\tU0-0")
        self.server.will_say((200, pages[0], link), (200, pages[1], link), (200, pages[2], {}))
        self.assertEqual(json.loads(self.run_tool("users", "--json")[0]), sum(pages, []))

    def test_limit_is_exact_and_asks_for_no_more(self):
        link = {"Link": '</v1/admin/users?cursor=c&limit=200>; rel="next"'}
        self.server.will_say((200, [account()] * 200, link), (200, [account()] * 200, link))
        self.assertEqual(len(json.loads(self.run_tool("users", "--json", "--limit", "250")[0])), 250)
        self.server.will_say((200, [account()] * 5, link))
        self.assertEqual(len(self.run_tool("users", "--limit=5")[0].splitlines()), 5)
        self.assertIn("limit=5", self.server.requests[0][1])
        self.assertEqual(len(self.server.requests), 1)

    def test_a_terminal_gets_a_screenful_and_is_told(self):
        link = {"Link": '</v1/admin/users?cursor=c&limit=100>; rel="next"'}
        self.server.will_say((200, [account()] * 100, link))
        self.assertIn("--all", self.on_terminal("users"))
        self.server.will_say((200, [account()] * 100, {}))
        self.assertNotIn("--all", self.on_terminal("users"))

    def test_raw_json_stays_raw(self):
        self.server.will_say((200, b'[ {"a": 1.50,  "b":"x]\\"y"} , [2, 3], "]" ]', {}))
        self.assertEqual(self.run_tool("users", "--json")[0], '[{"a": 1.50,  "b":"x]\\"y"},[2, 3],"]"]\n')

    def test_a_reader_that_has_seen_enough_is_no_error(self):
        self.server.will_say((200, [account("x" * 150)] * 200, {"Link": '</v1/a>; rel="next"'}),
                             *[(200, [account("x" * 150)] * 200, {"Link": '</v1/a>; rel="next"'})] * 20)
        done = subprocess.run(["bash", "-c", f"'{TOOL}' users | head -n 1; exit ${{PIPESTATUS[0]}}"],
                              env=self.environment(), capture_output=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_a_full_disk_is_said(self):
        self.server.will_say((200, [account()], {}))
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "users"], env=self.environment(), stdout=full, stderr=subprocess.PIPE, timeout=30)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(b"No space left", done.stderr)
        self.server.will_say((201, account(), {}))
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "points", USER, "+1", "x"], env=self.environment(), stdout=full, stderr=subprocess.PIPE, timeout=30)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(b"It was done, but", done.stderr)

    # -- how it ends ----------------------------------------------------------------------------

    def test_a_refusal_tells_all(self):
        self.server.will_say(problem(422, "validation", errors=[
            {"pointer": "/amount", "detail": "must not be 0"}, {"parameter": "limit", "detail": "is given twice"},
            {"header": "X-Actor", "detail": "must be UTF-8, percent-encoded"}]))
        _, err = self.run_tool("points", USER, "0", "x", status=1)
        for word in ("Validation", "422", "So it is.", "/amount: must not be 0", "limit: is given twice", "X-Actor: must be UTF-8", "r-1"):
            self.assertIn(word, err)
        self.server.will_say(problem(409, "sold-out"))
        out, err = self.run_tool("reserve", ROOM, USER, "--json", status=1)
        self.assertEqual((out, json.loads(err)["type"]), ("", "/problems/sold-out"))

    def test_what_is_not_the_api_is_out_of_reach(self):
        for status, body in ((200, b"<html>hello"), (404, b"not found"), (301, b""), (200, b"{}"), (200, b"\xff\xfe"), (500, b'"x"')):
            self.server.will_say((status, body, {}))
            _, err = self.run_tool("users", status=3)
            self.assertIn("--url", err)

    def test_audit_ends_with_4_where_something_is_broken(self):
        def found(*violations):
            return 200, {"ok": not violations, "checks": [
                {"name": "balance-sum", "ok": not violations, "checked": 3, "violations": list(violations)}]}, {}

        self.server.will_say(found())
        self.assertEqual(self.run_tool("audit")[0], "ok\tbalance-sum\t3 checked\n")
        self.server.will_say(found("user x: \x1b 1 <> 2"))
        self.assertEqual(self.run_tool("audit", status=4)[0],
                         "BROKEN\tbalance-sum\t3 checked\nviolation\tbalance-sum\tuser x: \\x1b 1 <> 2\n")
        self.server.will_say(found("v"))
        self.assertFalse(json.loads(self.run_tool("audit", "--json", status=4)[0])["ok"])

    def test_wrong_usage(self):
        for words in ((), ("rooom",), ("--frob",), ("rooms", "--frob"), ("rooms", "x", "y"), ("room",), ("room", "x"), ("room", "../users"),
                      ("points", USER, "5"), ("points", USER, "1.5", "x"), ("points", USER, "1e3", "x"), ("room-set", ROOM),
                      ("room-set", ROOM, "--archive", "--unarchive"), ("users", "--limit", "0"), ("users", "--limit=1", "--all"),
                      ("users", "--limit"), ("users", "--all=1"), ("reservations", "--status", "OPEN"), ("history", "people"),
                      ("reservations", "--ids", ROOM + ","),
                      ("history", "points", "--since", "yesterday"), ("outbox-retry", "0"), ("outbox-retry", "x"),
                      ("user-put", "new", "A", "GOD"), ("-x",), ("rooms", "--url", "http://localhost"), ("rooms", "--wait", "soon"),
                      ("rooms", "--url", "https://user:pw@localhost"), ("rooms", "--url", "https://localhost/x"),
                      ("rooms", "--ca", "/nonexistent"), ("points", USER, "1", "x", "--idempotency-key", "a b"), ("help", "frob")):
            self.server.will_say()
            out, err = self.run_tool(*words, status=2)
            self.assertEqual((out, self.server.requests), ("", []), words)
            self.assertTrue(err.startswith("loyalty: ") and "Traceback" not in err, err)

    def test_a_reason_that_is_no_utf8_is_refused(self):
        done = subprocess.run([TOOL.encode(), b"reject", ROOM.encode(), b"\xff"], env=self.environment(), capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 2)

    # -- what is said about it ------------------------------------------------------------------

    def test_help_is_there_for_all(self):
        out, _ = self.run_tool("help")
        for name, c in loyalty.COMMANDS.items():
            self.assertIn(f"  {name} ", out)
            text = loyalty.help_of(c)
            self.assertTrue(text.startswith(f"usage: loyalty {name}"), text)
            for option in c.options:
                self.assertIn(option.usage(), text)
        for words in (("points", "--help"), ("-h", "points"), ("help", "points")):
            self.assertEqual(self.run_tool(*words, LOYALTY_KEY_FILE="/nonexistent")[0], loyalty.help_of(loyalty.COMMANDS["points"]))

    def test_the_man_page_knows_every_command_and_option(self):
        with open(MAN, encoding="utf-8") as f:
            page = f.read()
        for c in loyalty.COMMANDS.values():
            self.assertRegex(page, rf"(?m)^\.It Cm {c.name}\b")
            for option in c.options + loyalty.GLOBAL:
                self.assertIn(f"Fl -{option.name[2:]}", page)

    def complete(self, *words):
        script = f'source "{COMPLETION}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _loyalty; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run(["bash", "-c", script, "x", "loyalty", *words], capture_output=True, text=True, check=True, timeout=30)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_completion_knows_every_command_and_option(self):
        self.assertEqual(self.complete(""), set(loyalty.COMMANDS))
        everywhere = {o.name for o in loyalty.GLOBAL}
        for c in loyalty.COMMANDS.values():
            self.assertEqual(self.complete(c.name, "-"), everywhere | {o.name for o in c.options}, c.name)
            for option in c.options:
                words = getattr(option.check, "words", None)
                if words:
                    self.assertEqual(self.complete(c.name, option.name, ""), set(words))
                    self.assertEqual(self.complete(c.name, option.name, "="), set(words))
                    self.assertEqual(self.complete(c.name, option.name, "=", words[0][:2]), {w for w in words if w[:2] == words[0][:2]})
        self.assertEqual(self.complete("--json", "history", "p"), {"points"})
        self.assertEqual(self.complete("user-put", "new", "--actor", "x", "Name", ""), {"USER", "ADMIN"})

    def test_ages(self):
        for ago, text in ((0, "0s"), (59, "59s"), (60, "1m"), (61, "1m 1s"), (3600, "1h"), (90061, "1d 1h"), (-5, "0s")):
            self.assertEqual(loyalty.age("2026-11-23T21:07:00.123456Z", 1795468020 + ago), text)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=0).result
    idle = len(result.skipped) + (not result.testsRun)
    sys.exit(0 if result.wasSuccessful() and not idle else 1)
