"""A proxy between services and database that breaks connections at the moment that a test names.

It listens on a unix socket (LOYALTY_DB_HOSTS of the services) and understands just enough of the
MySQL protocol to see which procedure a packet calls.  A rule says what happens to the next calls
of one procedure, as text or prepared, or executions of a prepared SELECT (called "SELECT"):

    drop      the call never reaches the server, the connection is cut
    lose      the call is done, its answer is thrown away, the connection is cut
    hold      the call waits before it is passed on, until release()
    keep      the call is done, its answer waits until release()
    (n, msg)  the server's answer is this error; the call never reaches it
"""

import os
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager

QUERY, PREPARE, EXECUTE = b"\x03", b"\x16", b"\x17"
CALL = re.compile(rb"\s*CALL\s+(?:\w+\.)?`?(\w+)`?", re.I)


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def read_packet(sock):
    """(the bytes as they came, the payload)"""
    head = read_exactly(sock, 4)
    payload = read_exactly(sock, head[0] | head[1] << 8 | head[2] << 16)
    return head + payload, payload


class Proxy:
    def __init__(self, path, server):
        self.path, self.server = path, server
        self.rules = []  # [procedure, action, how many times]
        self.calls = []  # (procedure, statement) of every call that was seen
        self.statements = []  # everything else
        self.connections = 0
        self.refusing = False
        self.delay = 0  # seconds that each call waits before it is passed on
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.reached = threading.Event()
        self.pairs = set()
        self.closed = False
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)  # the services may be other users
        self.listener.listen(200)
        threading.Thread(target=self._accept, daemon=True).start()

    # -- rules ----------------------------------------------------------------------------------

    def on(self, procedure, action, times=1):
        with self.lock:
            self.gate.clear()
            self.reached.clear()
            self.rules.append([procedure, action, times])

    def clear(self):
        with self.lock:
            self.rules.clear()
        self.gate.set()

    def release(self):
        self.gate.set()

    def _action(self, procedure):
        with self.lock:
            for rule in self.rules:
                if rule[0] == procedure and rule[2] > 0:
                    rule[2] -= 1
                    return rule[1]
        return None

    def seen(self, procedure, containing=b""):
        """How many calls of the procedure, with these bytes in the statement, came."""
        if isinstance(containing, str):
            containing = containing.encode().hex().encode()
        with self.lock:
            return sum(1 for name, statement in self.calls if name == procedure and containing in statement.lower())

    def cut_all(self):
        """Cut every connection that stands, as a restarted server would."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self._cut(pair)
        return len(pairs)

    def close(self):
        self.closed = True
        self.clear()
        self.listener.close()
        self.cut_all()

    # -- connections ----------------------------------------------------------------------------

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.server)
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self.lock:
                self.connections += 1
                self.pairs.add(pair)
            threading.Thread(target=self._serve, args=(pair,), daemon=True).start()

    def _cut(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for sock in pair:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for sock in pair:
            sock.close()

    def _serve(self, pair):
        client, server = pair
        state = {"lose": False, "keep": False, "preparing": None, "prepared": {}}
        back = threading.Thread(target=self._backward, args=(pair, state), daemon=True)
        back.start()
        try:
            while True:
                raw, payload = read_packet(client)
                command, statement, text = payload[:1], payload[1:], payload[1:]
                if command == PREPARE:
                    state["preparing"] = text
                elif command == EXECUTE:
                    text, statement = state["prepared"][text[:4]], statement.hex().encode()
                match = CALL.match(text) if command in (QUERY, EXECUTE) else None
                action = None
                if match or command == EXECUTE:
                    procedure = match[1].decode() if match else "SELECT"
                    with self.lock:
                        self.calls.append((procedure, statement))
                    action = self._action(procedure)
                elif command == QUERY:
                    with self.lock:
                        self.statements.append(statement)
                if action == "drop":
                    self.reached.set()
                    return
                if isinstance(action, tuple):
                    number, message = action
                    body = b"\xff" + struct.pack("<H", number) + b"#HY000" + message.encode()
                    client.sendall(struct.pack("<I", len(body))[:3] + bytes([raw[3] + 1]) + body)
                    self.reached.set()
                    continue
                if action == "hold":
                    self.reached.set()
                    self.gate.wait(30)
                if action in ("lose", "keep"):
                    state[action] = True
                if self.delay and command in (QUERY, EXECUTE):
                    time.sleep(self.delay)
                server.sendall(raw)
        except (OSError, ConnectionError, ValueError):
            pass
        finally:
            self._cut(pair)

    def _backward(self, pair, state):
        client, server = pair
        try:
            while True:
                data = server.recv(65536)
                if not data:
                    break
                if state["preparing"] is not None:  # its answer: the statement's number behind the packet's head and a 0
                    state["prepared"][data[5:9]], state["preparing"] = state["preparing"], None
                if state["lose"]:
                    self.reached.set()
                    break
                if state["keep"]:
                    state["keep"] = False
                    self.reached.set()
                    self.gate.wait(30)
                client.sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            self._cut(pair)


@contextmanager
def proxied(make_stack, *parts):
    """A stack of which these parts reach the database through a Proxy, its .proxy."""
    with make_stack() as s:
        s.proxy = Proxy(str(s.var / "run" / "proxy.sock"), s.db_socket)
        s.set_env(LOYALTY_DB_HOSTS=s.proxy.path, LOYALTY_DB_TLS_CA=None)
        for name in parts:
            s.restart(name)
        s.ready()
        assert s.proxy.connections > 0
        yield s
        s.proxy.close()
