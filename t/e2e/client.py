"""The REST client of the end-to-end tests.

Raw enough to misbehave (headers twice, half a body, bytes of any kind) and strict about what comes
back: every answer that passes through `Api` is held against the ground rules of the contract, and
against docs/openapi.yaml by whoever listens in `Api.observers`.
"""

import json
import re
import select
import socket
import ssl
import struct
import threading
import uuid

UNSET = object()

# Name of every problem, and the status that goes with it; bad-request is nginx's own.
PROBLEMS = {
    "malformed-json": {400},
    "validation": {400, 422},
    "unauthorized": {401},
    "forbidden": {403},
    "not-found": {404},
    "room-not-found": {404},
    "user-not-found": {404},
    "reservation-not-found": {404},
    "method-not-allowed": {405},
    "sold-out": {409},
    "insufficient-points": {409},
    "invalid-transition": {409},
    "stock-below-reserved": {409},
    "balance-limit": {409},
    "room-exists": {409},
    "user-has-reservations": {409},
    "precondition-failed": {412},
    "bad-request": {400, 408, 414, 431, 501, 505},
    "payload-too-large": {413},
    "unsupported-media-type": {415},
    "idempotency-key-reused": {422},
    "rate-limited": {429},
    "unavailable": {503},
    "internal": {500},
}

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
# Whole names: a cursor is random base64url text, and has spelt Cgi-fKlu1.
VERSION_TOLD = re.compile(rb"(nginx|openssl|mariadb|mysql|json-c|libfcgi|cgi-(?:rooms|points|admin)|debian)[/ -]?v?\d", re.I)
METRICS = "/v1/admin/metrics"
WITHOUT_ETAG = re.compile(re.escape(METRICS) + r"\Z|/v1/admin/audit\Z|/v1/admin/users/[^/]+/export\Z")
ONCE = (
    "x-request-id", "x-content-type-options", "strict-transport-security", "content-type", "content-length",
    "etag", "cache-control", "location", "allow", "retry-after", "www-authenticate", "idempotency-replayed", "link",
)


class Broken(Exception):
    """The other side closed, or sent what isn't HTTP."""


def strict_json(body):
    """Parse JSON; a member given twice, NaN and what isn't UTF-8 are errors."""

    def members(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), f"member twice in {names}"
        return dict(pairs)

    def constant(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(body.decode("utf-8"), object_pairs_hook=members, parse_constant=constant)


def places(errors):
    """Where errors stand, sorted: JSON pointers, ?parameter, names of headers."""
    return sorted(e["pointer"] if "pointer" in e else "?" + e["parameter"] if "parameter" in e else e["header"] for e in errors)


class Answer:
    def __init__(self, method, target, sent, status, headers, body, version=b"HTTP/1.1"):
        self.method, self.target, self.sent = method, target, sent
        self.status, self.headers, self.body, self.version = status, headers, body, version
        self.idem = self.key_name = self.request_body = None

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} given {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def json(self):
        return strict_json(self.body)

    @property
    def problem(self):
        """Name of the problem, or None."""
        if self.header("Content-Type") != "application/problem+json" or not self.body:
            return None
        return self.json["type"].rpartition("/")[2]

    @property
    def pointers(self):
        """Where the errors of a problem stand: JSON pointers, ?parameter, names of headers."""
        return places(self.json["errors"])

    @property
    def request_id(self):
        return self.header("X-Request-Id")

    @property
    def replayed(self):
        return self.header("Idempotency-Replayed") == "true"

    def is_problem(self, status, name):
        assert (self.status, self.problem) == (status, name), self
        return self

    def __repr__(self):
        return f"<{self.method} {self.target[:200]} -> {self.status} {self.headers} {self.body[:600]!r}>"


class Wire:
    """One TLS connection."""

    def __init__(self, port, context, timeout=30, host="127.0.0.1", name="localhost"):
        raw = socket.create_connection((host, port), timeout=timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = context.wrap_socket(raw, server_hostname=name)
        except BaseException:
            raw.close()
            raise
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data)

    def stale(self):
        """Did the other side close, or say something unasked?  (For a connection that was used before: a fresh one
        has TLS tickets to read.)"""
        return bool(self.buffer or self.sock.pending() or select.select([self.sock], [], [], 0)[0])

    def silent(self, seconds):
        """Does nothing come for so long?"""
        old = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            self.buffer += self.sock.recv(65536)
            return False
        except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
            return True
        finally:
            self.sock.settimeout(old)

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Broken(f"closed after {self.buffer[:200]!r}")
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _take(self, size):
        while len(self.buffer) < size:
            self._fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def answer(self, method="GET", target="?", sent=()):
        while True:
            line = self._line()
            match = re.match(rb"(HTTP/1\.[01]) (\d{3})(?: .*)?\Z", line)
            if not match:
                raise Broken(f"not a status line: {line!r}")
            status = int(match[2])
            headers = []
            while True:
                line_ = self._line()
                if not line_:
                    break
                name, _, value = line_.partition(b":")
                headers.append((name.decode("latin-1"), value.strip().decode("latin-1")))
            if status != 100:
                break
        got = {}
        for name, value in headers:
            got.setdefault(name.lower(), value)
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif got.get("transfer-encoding", "").lower() == "chunked":
            chunks = []
            while True:
                size = int(self._line().split(b";")[0], 16)
                chunks.append(self._take(size))
                self._line()
                if size == 0:
                    break
            body = b"".join(chunks)
        elif "content-length" in got:
            body = self._take(int(got["content-length"]))
        else:
            body = b""
            try:
                while True:
                    self._fill()
            except (Broken, ssl.SSLError, ConnectionError):
                body, self.buffer = self.buffer, b""
        return Answer(method, target, list(sent), status, headers, body, match[1])

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def reset(self):
        """Leave with a RST, as a crashed client would."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def ground_rules(a):
    """What the contract says about every single answer."""
    for name in ONCE:
        if name != "link":
            assert len(a.all(name)) <= 1, f"{name} twice: {a}"
    sent_ids = [v for n, v in a.sent if n.lower() == "x-request-id"]
    assert a.request_id and REQUEST_ID.match(a.request_id), a
    if len(sent_ids) == 1 and REQUEST_ID.match(sent_ids[0]) and a.problem != "bad-request":
        assert a.request_id == sent_ids[0], a
    assert a.header("X-Content-Type-Options") == "nosniff", a
    assert re.search(r"max-age=[1-9]\d*", a.header("Strict-Transport-Security") or ""), a
    assert not a.all("X-Powered-By"), a
    for name, value in a.headers:
        assert not VERSION_TOLD.search(f"{name}: {value}".encode("latin-1")), f"a version is told: {a}"
    assert not VERSION_TOLD.search(a.body), f"a version is told: {a}"
    assert not re.search(r"\d", a.header("Server") or ""), a
    assert a.status not in (502, 504), a
    assert not (300 <= a.status < 400 and a.status != 304), f"a redirect: {a}"
    path = a.target.split("?")[0]

    if a.status == 401:
        assert a.header("WWW-Authenticate"), a
    if a.status == 405:
        assert a.header("Allow"), a
    if a.status in (429, 503):
        assert re.match(r"[1-9]\d*\Z", a.header("Retry-After") or ""), a
    if a.status == 304:
        assert a.header("ETag") and a.body == b"", a
    if a.status == 204:
        assert a.body == b"" and not a.all("Content-Type"), a
    if a.status == 200 and a.method in ("GET", "HEAD") and path.startswith("/v1/") and not WITHOUT_ETAG.match(path) and "/.." not in path:
        assert re.match(r'"[!#-~]+"\Z', a.header("ETag") or ""), f"no strong ETag: {a}"
    if a.status < 300 and re.match(r"/v1/(admin/)?(users|reservations|history|outbox|audit)\b", path) and a.method != "OPTIONS":
        cache = a.header("Cache-Control") or ""
        assert "private" in cache or "no-store" in cache, a
    if a.status >= 400:
        assert "public" not in (a.header("Cache-Control") or ""), a
        assert a.header("Content-Type") == "application/problem+json", a
        if a.method != "HEAD":
            check_problem(a)
    elif a.status in (200, 201) and path == METRICS:
        assert a.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8", a
    elif a.status in (200, 201):
        assert a.header("Content-Type") == "application/json", a
        if a.method != "HEAD":
            check_shapes(a.json)
    if a.header("Content-Length") is not None and a.method != "HEAD" and a.status not in (204, 304):
        assert int(a.header("Content-Length")) == len(a.body), a


def check_problem(a):
    p = a.json
    assert set(p) - {"errors", "instance"} == {"type", "title", "status", "detail", "request_id"}, a
    assert p["type"].startswith("/problems/"), a
    assert a.status in PROBLEMS[p["type"][len("/problems/"):]], a
    assert p["status"] == a.status, a
    for name in ("title", "detail", "request_id"):
        assert isinstance(p[name], str) and p[name], a
    assert REQUEST_ID.match(p["request_id"]), a
    if not a.replayed:
        assert p["request_id"] == a.request_id, a
    if "errors" in p:
        assert p["type"] == "/problems/validation" and p["errors"], a
        for error in p["errors"]:
            assert set(error) in ({"pointer", "detail"}, {"parameter", "detail"}, {"header", "detail"}), a
            assert all(isinstance(value, str) for value in error.values()) and error["detail"], a
            assert ("pointer" in error) == (a.status == 422), a
            assert re.fullmatch(r"(/([^~/]|~[01])*)*", error.get("pointer", "")), a
            assert re.fullmatch(r"[A-Za-z-]+", error.get("header", "X")), a
    if p["type"] == "/problems/validation" and a.status == 422:
        assert p.get("errors"), f"validation without its errors: {a}"


def check_shapes(value):
    """Every entity has its one shape, wherever it appears."""
    if isinstance(value, list):
        for item in value:
            check_shapes(item)
    elif isinstance(value, dict):
        if "required_points" in value and "total_amount" in value:
            check_room_state(value)
        elif "required_points" in value:
            check_room(value)
        elif set(value) == {"name", "role"}:
            assert is_name(value["name"]) and value["role"] in ("USER", "ADMIN"), value
        elif "role" in value:
            check_user(value)
        elif "room" in value and "total_amount" in value:
            check_admin_room(value)
        elif "room" in value:
            check_reservation(value)
        elif "bonus_points" in value:
            assert set(value) - {"amount"} == {"user", "bonus_points"} and is_int(value["bonus_points"], 0, 2**53 - 1), value
        for item in value.values():
            check_shapes(item)


def is_int(value, low, high):
    return type(value) is int and low <= value <= high


def is_name(value):
    bad = r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
    return isinstance(value, str) and 1 <= len(value) <= 200 and not re.search(bad, value)


def check_room(r):
    assert set(r) == {"id", "name", "available_amount", "required_points"}, r
    assert UUID.match(r["id"]) and is_name(r["name"]), r
    assert is_int(r["available_amount"], 0, 1000000) and is_int(r["required_points"], 0, 1000000000), r


def check_admin_room(s):
    assert set(s) == {"room", "total_amount", "archived"} and type(s["archived"]) is bool, s
    assert is_int(s["total_amount"], s["room"]["available_amount"], 1000000), s


def check_room_state(r):
    assert set(r) == {"name", "total_amount", "available_amount", "required_points", "archived"}, r
    assert is_name(r["name"]) and type(r["archived"]) is bool and is_int(r["required_points"], 0, 1000000000), r
    assert is_int(r["total_amount"], 0, 1000000) and is_int(r["available_amount"], 0, r["total_amount"]), r


def check_user(u):
    assert set(u) == {"id", "name", "role"}, u
    assert UUID.match(u["id"]) and is_name(u["name"]) and u["role"] in ("USER", "ADMIN"), u


def check_reservation(r):
    assert set(r) == {"id", "status", "points", "room", "user", "created_at", "updated_at"}, r
    assert UUID.match(r["id"]), r
    assert r["status"] in ("RESERVED", "PENDING_APPROVAL", "CANCELLED", "REJECTED", "RELEASED"), r
    assert is_int(r["points"], 0, 1000000000), r
    assert TIME.match(r["created_at"]) and TIME.match(r["updated_at"]), r
    check_room(r["room"])
    check_user(r["user"])


def request_bytes(method, target, headers, body):
    head = f"{method} {target} HTTP/1.1\r\n".encode("utf-8", "surrogateescape")
    for name, value in headers:
        head += name.encode("latin-1") + b": " + value.encode("latin-1") + b"\r\n"
    return head + b"\r\n" + (body or b"")


class Api:
    """Calls one gateway.  Thread-safe: every thread keeps a connection of its own."""

    def __init__(self, port, ca, keys, name="localhost"):
        self.port, self.keys, self.name = port, keys, name
        self.context = ssl.create_default_context(cafile=ca)
        self.observers = []
        self._local = threading.local()

    # -- building -------------------------------------------------------------------------------

    def key(self, key):
        """The key of that name; bytes are themselves."""
        return key.decode("latin-1") if isinstance(key, bytes) else self.keys.get(key, key)

    def prepare(self, method, target, json_=UNSET, *, body=None, key="public", headers=(), idem=None, actor=None,
                request_id=UNSET, content_type=UNSET, host=None):
        """(headers, body) of a request.  `key` is public, restricted, None, or bytes: a key itself."""
        out = [("Host", host or self.name)]
        if key is not None:
            out.append(("X-API-Key", self.key(key)))
        if request_id is UNSET:
            request_id = "t-" + uuid.uuid4().hex[:20]
        if request_id is not None:
            out.append(("X-Request-Id", request_id))
        if idem is not None:
            out.append(("Idempotency-Key", idem))
        if actor is not None:
            out.append(("X-Actor", actor))
        if json_ is not UNSET:
            body = json.dumps(json_, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if body is not None and content_type is UNSET:
            content_type = "application/json"
        if content_type not in (UNSET, None):
            out.append(("Content-Type", content_type))
        given = {name.lower() for name, _ in headers}
        if body is not None and not given & {"content-length", "transfer-encoding"}:
            out.append(("Content-Length", str(len(body))))
        elif body is None and method in ("POST", "PUT", "PATCH") and not given & {"content-length", "transfer-encoding"}:
            out.append(("Content-Length", "0"))
        out.extend(headers)
        return out, body

    # -- sending --------------------------------------------------------------------------------

    def wire(self, timeout=30):
        return Wire(self.port, self.context, timeout, name=self.name)

    def _own_wire(self):
        wire = getattr(self._local, "wire", None)
        if wire is None or getattr(self._local, "port", None) != self.port or wire.stale():
            self.drop()  # first of all: there may be nobody to connect to
            wire = self._local.wire = self.wire()
            self._local.port = self.port
        return wire

    def drop(self):
        """Close this thread's connection."""
        wire = getattr(self._local, "wire", None)
        if wire is not None:
            wire.close()
            self._local.wire = None

    def request(self, method, target, json_=UNSET, *, wire=None, check=True, **how):
        headers, body = self.prepare(method, target, json_, **how)
        own = wire is None
        wire = wire or self._own_wire()
        try:
            wire.send(request_bytes(method, target, headers, body))
            a = wire.answer(method, target, headers)
        except BaseException:
            if own:
                self.drop()
            raise
        if own and "close" in (a.header("Connection") or "").lower():
            self.drop()
        a.request_body = body
        a.idem = how.get("idem")
        a.key_name = how.get("key", "public")
        if check:
            self.observe(a)
        return a

    def observe(self, a):
        ground_rules(a)
        for observer in self.observers:
            observer(a)

    def raw(self, data, method="GET", target="?", timeout=30, check=True):
        """Send these bytes on a connection of their own; one answer."""
        wire = self.wire(timeout)
        try:
            try:
                wire.send(data)
            except (ConnectionError, ssl.SSLError):
                pass  # refused in mid-request; the answer may be there all the same
            a = wire.answer(method, target)
        finally:
            wire.close()
        if check:
            self.observe(a)
        return a

    def get(self, target, **how):
        return self.request("GET", target, **how)

    def head(self, target, **how):
        return self.request("HEAD", target, **how)

    def put(self, target, json_=UNSET, **how):
        return self.request("PUT", target, json_, **how)

    def patch(self, target, json_=UNSET, **how):
        return self.request("PATCH", target, json_, **how)

    def options(self, target, **how):
        return self.request("OPTIONS", target, **how)

    def post(self, target, json_=UNSET, **how):
        return self.request("POST", target, json_, **how)

    # -- at once --------------------------------------------------------------------------------

    def at_once(self, calls, timeout=60):
        """Send all these requests at the same instant, each on a connection that stands already.

        calls: (method, target, json, how) tuples.  Answers in the same order; an exception in place of
        an answer where there was none."""
        n = len(calls)
        barrier = threading.Barrier(n)
        answers = [None] * n

        def one(i):
            method, target, json_, how = calls[i]
            wire = None
            try:
                try:
                    wire = self.wire(timeout)
                finally:
                    barrier.wait(60)
                answers[i] = self.request(method, target, json_, wire=wire, check=False, **how)
            except Exception as e:  # told to the caller
                answers[i] = e
            finally:
                if wire is not None:
                    wire.close()

        threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(n)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(timeout + 60)
        for a in answers:
            if isinstance(a, Answer):
                self.observe(a)
        return answers


# -- lists ------------------------------------------------------------------------------------------

def link_next(a):
    link = a.header("Link")
    if link is None:
        return None
    match = re.fullmatch(r'<([^<>"]+)>; rel="next"', link)
    assert match, a
    return match[1]


def walk(api, target, **how):
    """All pages; the items, and the sizes of the pages."""
    items, sizes = [], []
    while target:
        a = api.get(target, **how)
        assert a.status == 200, a
        items += a.json
        sizes.append(len(a.json))
        target = link_next(a)
        assert len(sizes) < 10000
    return items, sizes
