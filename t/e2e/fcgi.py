"""A FastCGI client: what nginx says to a service, said by hand."""

import socket
import struct

from client import Answer

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = 1, 2, 3, 4, 5, 6, 7


def record(kind, data=b"", request=1):
    out = b""
    for i in range(0, max(len(data), 1), 65535):
        part = data[i:i + 65535]
        out += struct.pack(">BBHHBB", 1, kind, request, len(part), 0, 0) + part
    return out


def length(n):
    return struct.pack(">B", n) if n < 128 else struct.pack(">I", n | 0x80000000)


def pairs(params):
    out = b""
    for name, value in params:
        name, value = name.encode("latin-1"), value.encode("latin-1")
        out += length(len(name)) + length(len(value)) + name + value
    return out


def call(where, method, target, role="public", headers=(), body=b"", params=(), timeout=15):
    """One request to the service that listens on `where`, a socket's path or (host, port); its Answer, without nginx's headers."""
    uri, _, query = target.partition("?")
    given = [("REQUEST_METHOD", method), ("REQUEST_PATH", uri), ("QUERY_STRING", query),
             ("CONTENT_LENGTH", str(len(body)) if body else ""), ("CONTENT_TYPE", "application/json" if body else ""),
             ("LOYALTY_ROLE", role)]
    given = [p for p in given if p[0] not in {name for name, _ in params}] + list(params)
    given += [("HTTP_" + name.upper().replace("-", "_"), value) for name, value in headers]
    with socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET) as s:
        s.settimeout(timeout)
        s.connect(where)
        s.sendall(record(BEGIN, struct.pack(">HB5x", 1, 0)) + record(PARAMS, pairs(given)) + record(PARAMS)
                  + (record(STDIN, body) if body else b"") + record(STDIN))
        out, data = b"", b""
        while True:
            while len(data) < 8 or len(data) < 8 + sum(struct.unpack(">HB", data[4:7])):
                more = s.recv(65536)
                assert more, f"closed after {out!r}"
                data += more
            kind, size, padding = data[1], *struct.unpack(">HB", data[4:7])
            payload, data = data[8:8 + size], data[8 + size + padding:]
            if kind == STDOUT:
                out += payload
            elif kind == END:
                break
    head, _, body = out.partition(b"\r\n\r\n")
    lines = [line.decode("latin-1").partition(":") for line in head.split(b"\r\n") if line]
    found = [(name, value.strip()) for name, _, value in lines]
    status = next((int(value.split()[0]) for name, value in found if name.lower() == "status"), 200)
    return Answer(method, target, given, status, [h for h in found if h[0].lower() != "status"], body)
