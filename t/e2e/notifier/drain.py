#!/usr/bin/python3
"""drain.py [MAILS] - how fast the notifier empties its outbox into a local sink.

The sink speaks just enough SMTP not to be what is measured; a database of its own, with a real flush
per commit.  Prints mails per second, and that of the sink alone at one mail per connection and at 100."""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from bench import Bench  # noqa: E402


class Sink(asyncio.Protocol):
    count = 0

    def connection_made(self, transport):
        self.transport, self.data, self.text = transport, b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data):
        self.data += data
        while True:
            if self.text:
                head, end, rest = self.data.partition(b"\r\n.\r\n")
                if not end:
                    return
                self.data, self.text = rest, False
                Sink.count += 1
                self.transport.write(b"250 taken\r\n")
                continue
            line, end, rest = self.data.partition(b"\r\n")
            if not end:
                return
            self.data = rest
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.transport.write(b"250-sink\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                self.text = True
                self.transport.write(b"354 go on\r\n")
            else:
                self.transport.write(b"250 OK\r\n")
            if verb == b"QUIT":
                self.transport.close()


def main(mails):
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    server = asyncio.run_coroutine_threadsafe(loop.create_server(Sink, "127.0.0.1", 0), loop).result()
    port = server.sockets[0].getsockname()[1]
    with Bench() as bench:
        for notifiers in (1, 2):
            for batch in (100, 1):
                bench.clear()
                bench.reservations_made(mails)
                before, began = Sink.count, time.monotonic()
                running = [bench.notifier(port, "--once", NOTIFIER_BATCH=batch, LOG_LEVEL="warn") for _ in range(notifiers)]
                for n in running:
                    assert n.wait(300) == 0, n.log()
                took = time.monotonic() - began
                assert bench.statuses() == {"SENT": mails}, bench.statuses()
                assert Sink.count - before == mails, Sink.count - before
                print(f"{mails} mails, {notifiers} notifier(s), {batch:3} a connection: {mails / took:6.0f}/s", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("LOYALTY_BUILD", "build")
    os.umask(0o077)  # its passwords are files, and refused where others may read them
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
