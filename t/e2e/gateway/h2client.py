"""A small HTTP/2 client that shows its frames: streams at once, and headers as they are."""

import socket

import h2.config
import h2.connection
import h2.events

from client import Answer


class H2:
    def __init__(self, stack, timeout=20):
        context = stack.api.context.__class__(stack.api.context.protocol)
        context.load_verify_locations(stack.ca)
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", stack.port), timeout)
        self.sock = context.wrap_socket(raw, server_hostname="localhost")
        assert self.sock.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(client_side=True, header_encoding="latin-1", validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.streams = {}
        self.asked = {}
        self.gone = None
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def ask(self, method, path, headers=(), body=None, authority="localhost"):
        """Send one request, return its stream's number."""
        stream = self.h2.get_next_available_stream_id()
        all_ = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path), *headers]
        if body is not None:
            all_.append(("content-length", str(len(body))))
        self.h2.send_headers(stream, all_, end_stream=body is None)
        if body is not None:
            for i in range(0, len(body), 16000):
                self.h2.send_data(stream, body[i:i + 16000], end_stream=i + 16000 >= len(body))
            if not body:
                self.h2.send_data(stream, b"", end_stream=True)
        self.streams[stream] = [None, b"", None]
        self.asked[stream] = (method, path, [h for h in headers])
        self.flush()
        return stream

    def answers(self, *streams):
        """Answers of these streams; None for one that was reset without."""
        wanted = set(streams)
        while any(self.streams[s][2] is None for s in wanted) and self.gone is None:
            data = self.sock.recv(65536)
            if not data:
                self.gone = "closed"
                break
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    self.streams[event.stream_id][0] = event.headers
                elif isinstance(event, h2.events.DataReceived):
                    self.streams[event.stream_id][1] += event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    self.streams[event.stream_id][2] = "ended"
                elif isinstance(event, h2.events.StreamReset):
                    self.streams[event.stream_id][2] = self.streams[event.stream_id][2] or "reset"
                elif isinstance(event, h2.events.ConnectionTerminated):
                    self.gone = event
            self.flush()
        out = []
        for s in streams:
            headers, body, _ = self.streams[s]
            if headers is None:
                out.append(None)
                continue
            headers = [(n.decode() if isinstance(n, bytes) else n, v.decode("latin-1") if isinstance(v, bytes) else v) for n, v in headers]
            status = int(dict(headers)[":status"])
            method, path, sent = self.asked[s]
            out.append(Answer(method, path, sent, status, [h for h in headers if not h[0].startswith(":")], body, b"HTTP/2"))
        return out

    def close(self):
        self.sock.close()
