"""One more PHP-FPM of the console beside the stack's own: the same settings but for those that a test names."""

import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import fcgi
from chromium import spki
from visitor import COOKIE, Visitor

from stack import TOP, free_port, until


class Instance:
    """with Instance(stack, LOYALTY_X=...) as console: None takes a setting out.  Its log is in .log()."""

    def __init__(self, stack, **settings):
        self.stack = stack
        self.folder = Path(tempfile.mkdtemp(prefix="ly-console-", dir="/tmp"))
        self.socket = str(self.folder / "sock")
        secrets = stack.var / "secrets"
        # Started by root, the console runs as a user of its own, with copies of what it reads.
        self.sessions = stack.var / "console-sessions"
        self.owner = self.sessions.stat().st_uid
        self.program, secret = TOP / "console" / "console", secrets / "console"
        if self.owner != os.geteuid():
            self.program, secret = stack.var / "programs" / "console" / "console", stack.var / "private" / "console" / "console"
            os.chown(self.folder, self.owner, self.owner)
        self.env = {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC", "LOYALTY_CONSOLE_LISTEN": self.socket,
            "LOYALTY_CONSOLE_API_URL": stack.base, "LOYALTY_CONSOLE_API_CONNECT": f"127.0.0.1:{stack.port}",
            "LOYALTY_CONSOLE_API_PIN": f"sha256//{spki((secrets / 'tls.crt').read_bytes())}",
            "LOYALTY_CONSOLE_SECRET_FILE": str(secret), "LOYALTY_CONSOLE_SESSIONS": str(self.sessions)}
        for name, value in settings.items():
            if value is None:
                self.env.pop(name, None)
            else:
                self.env[name] = str(value)

    def __enter__(self):
        self.written = b""
        # Python ignores SIGXFSZ; so does it, then: a file that may not grow is an error of write(2), as on a full disk.
        out, end = os.pipe()
        self.as_user = {}
        if self.owner != os.geteuid():
            self.as_user = {"user": self.owner, "group": self.owner, "extra_groups": []}
            os.fchown(end, self.owner, self.owner)  # PHP opens its standard error by name
        self.process = subprocess.Popen([str(self.program), str(self.folder / "run")], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=end, stderr=end, restore_signals=False, **self.as_user)
        os.close(end)
        self.out = open(out, "rb")
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            until(lambda: os.path.exists(self.socket) or self.process.poll() is not None, 20, what="the second console listens")
            assert self.process.poll() is None, self.log()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)
        self.reader.join(5)
        self.out.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self):
        for line in self.out:
            self.written += line

    def log(self):
        return self.written.decode("utf-8", "replace")

    def logs(self, text):
        """Wait for a line with this: PHP-FPM passes on what its workers write."""
        until(lambda: text in self.log(), 5, what=f"{text} in {self.log()}")

    def no_file_grows(self):
        subprocess.run(["prlimit", f"--pid={self.process.pid}", "--fsize=0"], check=True, **self.as_user)

    def call(self, method, target, cookie=None, fields=None, **headers):
        """One request, as nginx passes it on; an Answer."""
        given = [("Host", f"localhost:{self.stack.port}"), *headers.items()]
        if cookie:
            given.append(("Cookie", f"{COOKIE}={cookie}"))
        body = urlencode(fields).encode() if fields is not None else b""
        return fcgi.call(self.socket, method, target, headers=given, body=body, timeout=60, params=[
            ("SCRIPT_FILENAME", "index.php"), ("REMOTE_ADDR", "127.0.0.1"), ("CONTENT_TYPE", "application/x-www-form-urlencoded" if body else ""),
            ("LOYALTY_REQUEST_ID", "second-" + os.urandom(6).hex())])

    def get(self, target, cookie=None, **headers):
        return self.call("GET", target, cookie, **headers)

    def submit(self, action, page, cookie, **fields):
        """Fill in the form of a page that this instance has shown, and send it."""
        return self.call("POST", action, cookie, {**Visitor(self.stack).form(action, Page(page)), **fields}, **{"Sec-Fetch-Site": "same-origin"})

    def sign_in(self, name="Mia Berg", key=None):
        """The answer, and the cookie that it sets."""
        page = self.get("/console/sign-in")
        return self.submit("/console/sign-in", page, set_cookie(page), name=name, key=key or self.stack.keys["restricted"])


class Page:
    """An Answer with the names that the readers of pages know."""

    def __init__(self, answer):
        self.text = answer.body.decode("utf-8")
        self.status_code = answer.status


def set_cookie(answer, name=COOKIE):
    """What the answer sets the cookie to; None where it does not."""
    for header, value in answer.headers:
        if header.lower() == "set-cookie" and value.startswith(f"{name}="):
            return value.split(";")[0].partition("=")[2]
    return None


class BrokenApi:
    """An API with the gateway's certificate that answers every call with what it is told: (status, headers, pieces of a body)."""

    def __init__(self, stack, answer):
        broken = self
        self.answer = answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, body = broken.answer(self.path, self.command)
                try:
                    self.send_response_only(status)
                    for name, value in headers:
                        self.send_header(name, value)
                    self.end_headers()
                    for piece in body:
                        self.wfile.write(piece)
                    # An end that is told, as nginx tells it: to newer libraries any other is a cut answer.
                    self.connection.settimeout(5)
                    self.connection.unwrap()
                except OSError:
                    pass  # the other end has heard enough

            do_PATCH = do_GET

            def log_message(self, *what):
                pass

        secrets = stack.var / "secrets"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(secrets / "tls.crt", secrets / "tls.key")
        self.port = free_port()
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
