"""A lean HTTPS client: one kept-alive connection, one request after the other.

t/e2e/client.py is the thorough one; this one is fast enough for a million requests.
"""

import json
import socket
import ssl


class Broken(Exception):
    """The other side closed, or sent what isn't HTTP."""


class Answer:
    __slots__ = ("status", "headers", "body", "start", "end", "began", "ended")

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.start = self.end = 0.0  # by the wall clock
        self.began = self.ended = 0.0  # by one that never jumps

    def header(self, name):
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else ", ".join(values) if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        if self.header("content-type") != "application/problem+json" or not self.body:
            return None
        return json.loads(self.body)["type"].rpartition("/")[2]

    @property
    def replayed(self):
        return self.header("idempotency-replayed") == "true"

    def __repr__(self):
        return f"{self.status} {self.headers.get('idempotency-replayed', '')} {self.body[:1500].decode('utf-8', 'replace')}"


class Connection:
    def __init__(self, port, ca, timeout=60):
        self.port, self.timeout = port, timeout
        self.context = ssl.create_default_context(cafile=ca)
        self.sock = None
        self.count = 0

    def _open(self):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self.context.wrap_socket(raw, server_hostname="localhost")
        self.count = 0

    def close(self):
        if self.sock is not None:
            try:
                self.sock.close()
            except OSError:
                pass
            self.sock = None

    def send(self, method, target, headers, body):
        """One request, one answer.  headers: a list of (name, value)."""
        if self.sock is None or self.count >= 5000:
            self.close()
            self._open()
        lines = [f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in headers]
        if body is not None or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body or b'')}\r\n")
        try:
            self.sock.sendall("".join(lines).encode("latin-1") + b"\r\n" + (body or b""))
            answer = self._read(method)
        except BaseException:
            self.close()
            raise
        self.count += 1
        if "close" in (answer.header("connection") or ""):
            self.close()
        return answer

    def _read(self, method):
        data = b""
        while True:
            at = data.find(b"\r\n\r\n")
            if at >= 0:
                break
            more = self.sock.recv(262144)
            if not more:
                raise Broken(f"closed after {data[:200]!r}")
            data += more
        lines = data[:at].decode("latin-1").split("\r\n")
        if not lines[0].startswith("HTTP/1.1 "):
            raise Broken(f"not a status line: {lines[0]!r}")
        status = int(lines[0][9:12])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        body = data[at + 4:]
        if method == "HEAD" or status in (204, 304):
            if body:
                raise Broken(f"a body where none may be: {body[:200]!r}")
            return Answer(status, headers, b"")
        if "content-length" not in headers:
            raise Broken(f"no Content-Length: {lines}")
        size = int(headers["content-length"][0])
        while len(body) < size:
            more = self.sock.recv(262144)
            if not more:
                raise Broken(f"closed after {len(body)} of {size} bytes")
            body += more
        if len(body) > size:
            raise Broken("more than one answer")
        return Answer(status, headers, body)
