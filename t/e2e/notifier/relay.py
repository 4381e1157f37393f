"""A mail relay that can misbehave: aiosmtpd, with hooks where a fault can be planted."""

import asyncio
import email
import email.policy
import inspect
import logging
import socket
import threading
import time

from aiosmtpd.smtp import SMTP, AuthResult

logging.getLogger("mail.log").setLevel(logging.CRITICAL)
logging.getLogger("asyncio").setLevel(logging.CRITICAL)


class Drop:
    """As a hook's answer: the connection is cut, nothing is said."""


class Close:
    """As a hook's answer: this reply, then the connection is closed."""

    def __init__(self, reply):
        self.reply = reply


class Mail:
    def __init__(self, envelope, connection):
        self.raw = bytes(envelope.original_content or envelope.content)
        self.sender = envelope.mail_from
        self.recipients = list(envelope.rcpt_tos)
        self.options = list(envelope.mail_options)
        self.connection = connection
        self.at = time.time()
        self.message = email.message_from_bytes(self.raw, policy=email.policy.SMTP)
        self.id = self.message["Message-ID"]
        self.subject = self.message["Subject"]

    @property
    def text(self):
        return self.message.get_content().replace("\r\n", "\n")

    def field(self, label):
        """What stands behind a label of the body."""
        for line in self.text.split("\n"):
            if line.startswith(label + ":"):
                return line[len(label) + 1:].strip()
        raise AssertionError(f"no {label} in {self.text!r}")

    def code(self, label):
        """The code of the API that stands behind its words, in brackets."""
        return self.field(label).rpartition("(")[2].rstrip(")")


class Relay:
    """up() listens on a port of its own, the same at every up().

    hooks: ehlo(responses), mail(address), rcpt(address), data(mail); functions or coroutines that give a
    reply, Drop, Close(reply) or, for "fine", None.  ehlo gives the changed list of responses, or a reply.
    raw: a coroutine (reader, writer) that takes the place of SMTP altogether.
    tls: for STARTTLS; implicit: the same from the first byte."""

    def __init__(self, tls=None, implicit=None, user=None, password=None, raw=None, **hooks):
        self.tls, self.implicit, self.user, self.password, self.raw, self.hooks = tls, implicit, user, password, raw, hooks
        self.arrived = []   # what a hook let pass to its 250
        self.offered = []   # every text that came to its final dot
        self.commands = []  # (connection, line), and secrets among them
        self.connections = 0
        self.tls_versions = set()
        self.loop = asyncio.new_event_loop()
        self.server = None
        self.protocols = set()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    # -- life

    def up(self):
        self._run(self._up())
        return self

    def down(self):
        self._run(self._down())

    def close(self):
        self.down()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def _up(self):
        if self.raw:
            async def serve(reader, writer):
                self.connections += 1
                try:
                    await self.raw(reader, writer)
                except (ConnectionError, asyncio.IncompleteReadError):
                    pass
                finally:
                    writer.close()

            self.server = await asyncio.start_server(serve, "127.0.0.1", self.port)
        else:
            self.server = await self.loop.create_server(self._protocol, "127.0.0.1", self.port, ssl=self.implicit)

    async def _down(self):
        if self.server:
            self.server.close()
            self.server = None
        for protocol in list(self.protocols):
            try:
                protocol.transport.abort()
            except AttributeError:
                pass  # gone already, in one way or the other
        self.protocols.clear()

    def _protocol(self):
        self.connections += 1
        protocol = _Smtp(self, self.connections, _Handler(self), hostname="relay.test", loop=self.loop,
                         tls_context=self.tls, auth_require_tls=not self.implicit,
                         authenticator=self._authenticate if self.user else None)
        self.protocols.add(protocol)
        return protocol

    def _authenticate(self, server, session, envelope, mechanism, data):
        ok = data.login == self.user.encode() and data.password == self.password.encode()
        return AuthResult(success=ok, handled=False)

    # -- what came

    def ids(self):
        return [m.id for m in self.arrived]

    def verbs(self, connection=None):
        return [line.split()[0].upper() for c, line in self.commands if connection in (None, c) and line.strip()]


class _Smtp(SMTP):
    def __init__(self, relay, number, handler, **how):
        self.relay, self.number = relay, number
        super().__init__(handler, **how)

    async def _call_handler_hook(self, command, *args):
        return await super()._call_handler_hook(command, *args)

    async def hook(self, name, *args):
        """The planted fault's answer, or None."""
        planted = self.relay.hooks.get(name)
        answer = planted(*args) if planted else None
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is Drop or isinstance(answer, Drop):
            self.transport.abort()
            return "250 nobody hears this"
        if isinstance(answer, Close):
            await self.push(answer.reply)
            self.transport.close()
            return answer.reply
        return answer


class _Handler:
    def __init__(self, relay):
        self.relay = relay

    def note(self, server, line):
        self.relay.commands.append((server.number, line))

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.note(server, f"EHLO {hostname}")
        session.host_name = hostname
        answer = await server.hook("ehlo", responses)
        if isinstance(answer, str):
            session.host_name = None
            return [answer]
        return responses if answer is None else answer

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.note(server, f"MAIL {address} {' '.join(options)}")
        tls = server.transport.get_extra_info("ssl_object")
        if tls:
            self.relay.tls_versions.add(tls.version())
        answer = await server.hook("mail", address)
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.note(server, f"RCPT {address}")
        answer = await server.hook("rcpt", address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.note(server, "DATA")
        mail = Mail(envelope, server.number)
        self.relay.offered.append(mail)
        answer = await server.hook("data", mail)
        if answer is None:
            self.relay.arrived.append(mail)
        return answer or "250 OK"

    async def handle_RSET(self, server, session, envelope):
        self.note(server, "RSET")
        return "250 OK"

    async def handle_QUIT(self, server, session, envelope):
        self.note(server, "QUIT")
        return "221 Bye"
