"""STARTTLS and AUTH, and that both fail closed: E108, E121."""

import asyncio
import ssl
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from relay import Drop
from stack import until


# A certificate: who signs it, the name in it, its days.
CERTIFICATES = {
    "right": dict(ca="ours", name="localhost"),
    "other name": dict(ca="ours", name="relay.example"),
    "unknown issuer": dict(ca="theirs", name="localhost"),
    "self-signed": dict(ca=None, name="localhost"),
    "expired": dict(ca="ours", name="localhost", days=-1),
}


class Certificates:
    def __init__(self, folder):
        self.folder = folder
        self.ca = {}
        for name in ("ours", "theirs"):
            self.ca[name] = self.make(f"ca-{name}", None, name)

    def openssl(self, *args, stdin=""):
        subprocess.run(["openssl", *map(str, args)], input=stdin, text=True, check=True, capture_output=True)

    def make(self, file, ca, name, days=30):
        """(certificate, key)"""
        crt, key, csr, ext = (self.folder / f"{file}.{kind}" for kind in ("crt", "key", "csr", "ext"))
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", f"/CN={name}"]
        if ca is None:
            self.openssl("req", "-x509", "-days", days, *new, "-addext", f"subjectAltName=DNS:{name}", "-out", crt)
            return crt, key
        ext.write_text(f"subjectAltName=DNS:{name}\n")
        self.openssl("req", "-new", *new, "-out", csr)
        # not `x509 -req`: openssl 3.5 makes no certificate that has expired there
        conf, index = self.folder / "ca.conf", self.folder / "ca.index"
        conf.write_text(f"[ca]\ndefault_ca = us\n[us]\ndatabase = {index}\nnew_certs_dir = {self.folder}\nrand_serial = yes\n"
                        "default_md = sha256\nunique_subject = no\npolicy = any\n[any]\ncommonName = supplied\n")
        index.write_text("")
        now = datetime.now(timezone.utc)
        start, end = (f"{now + timedelta(days=d):%Y%m%d%H%M%SZ}" for d in (min(days, 0) - 1, days))
        self.openssl("ca", "-batch", "-notext", "-config", conf, "-cert", self.ca[ca][0], "-keyfile", self.ca[ca][1], "-in", csr,
                     "-extfile", ext, "-startdate", start, "-enddate", end, "-out", crt)
        return crt, key

    def context(self, kind):
        crt, key = self.make(kind.replace(" ", "-"), **CERTIFICATES[kind])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(crt, key)
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


def tls_settings(certificates, relay, **more):
    return dict(SMTP_HOST=f"localhost:{relay.port}", SMTP_TLS="starttls", SMTP_CA=certificates.ca["ours"][0], **more)


def kept(bench, id_):
    """The mail stands as if nothing had been tried, as soon as the notifier, which first says what is wrong, has let go of it."""
    until(lambda: bench.row(id_)["lease_owner"] is None, 5, 0.02, "released")
    row = bench.row(id_)
    return (row["status"], row["attempts"], row["lease_owner"]) == ("PENDING", 0, None)


def test_E121_mail_goes_out_under_verified_tls(bench, relay, certificates):
    r = relay(tls=certificates.context("right"))
    ids = [bench.reservation(user=bench.user(500, name=name)) for name in ("Jane", "Zoë")]
    n = bench.notifier(r, "--once", **tls_settings(certificates, r))
    assert n.wait() == 0, n.log()
    assert [m.field("Reservation") for m in r.arrived] == ids
    assert r.verbs()[:2] == ["EHLO", "EHLO"]  # the second under TLS
    assert [m.message["Content-Transfer-Encoding"] for m in r.arrived] == ["7bit", "8bit"]


@pytest.mark.parametrize("kind, says", [("other name", "hostname mismatch"), ("self-signed", "self-signed"),
                                        ("unknown issuer", "unable to get local issuer"), ("expired", "expired")])
def test_E121_wrong_certificate_fails_closed(bench, relay, certificates, kind, says):
    r = relay(tls=certificates.context(kind))
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **tls_settings(certificates, r))
    assert n.wait() == 1
    assert "mail delivery suspended" in n.log() and says in n.log(), n.log()
    assert r.offered == [] and "MAIL" not in r.verbs()
    assert kept(bench, id_)


def test_E121_system_authorities_do_not_vouch_for_ours(bench, relay, certificates):
    r = relay(tls=certificates.context("right"))
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **{**tls_settings(certificates, r), "SMTP_CA": None})
    assert n.wait() == 1
    assert "unable to get local issuer" in n.log()
    assert kept(bench, id_) and r.offered == []


def test_E121_server_without_starttls_fails_closed(bench, relay, certificates):
    r = relay()
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **tls_settings(certificates, r))
    assert n.wait() == 1
    assert "mail delivery suspended" in n.log() and "offers no STARTTLS" in n.log()
    assert "MAIL" not in r.verbs() and kept(bench, id_)


def test_E121_server_without_ehlo_fails_closed(bench, relay, certificates):
    async def old(reader, writer):
        writer.write(b"220 old\r\n")
        while line := await reader.readline():
            r.commands.append((1, line.decode().strip()))
            writer.write(b"502 no EHLO here\r\n" if line.startswith(b"EHLO") else b"250 OK\r\n")

    r = relay(raw=old)
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **tls_settings(certificates, r))
    assert n.wait() == 1
    assert "HELO" in r.verbs() and "MAIL" not in r.verbs() and kept(bench, id_), n.log()


def test_E121_plain_text_slipped_in_before_tls_fails_closed(bench, relay, certificates):
    context = certificates.context("right")

    async def injected(reader, writer):
        writer.write(b"220 relay\r\n")
        await reader.readline()
        writer.write(b"250-relay\r\n250 STARTTLS\r\n")
        await reader.readline()
        # what a man in the middle adds would be read as the server's word under TLS
        writer.write(b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n")
        await writer.drain()
        await writer.start_tls(context) if hasattr(writer, "start_tls") else None
        r.commands.append((1, (await reader.read(200)).decode("latin-1")))

    r = relay(raw=injected)
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **tls_settings(certificates, r))
    assert n.wait() == 1
    assert "more than its reply came before TLS" in n.log(), n.log()
    assert kept(bench, id_)


def test_E121_starttls_refused_fails_closed(bench, relay, certificates):
    async def refuses(reader, writer):
        writer.write(b"220 relay\r\n")
        await reader.readline()
        writer.write(b"250-relay\r\n250 STARTTLS\r\n")
        while line := await reader.readline():
            r.commands.append((1, line.decode().strip()))
            writer.write(b"501 5.5.4 not today\r\n" if line.startswith(b"STARTTLS") else b"250 OK\r\n")

    r = relay(raw=refuses)
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **tls_settings(certificates, r))
    assert n.wait() == 1
    assert "not today" in n.log() and "mail delivery suspended" in n.log(), n.log()
    assert "MAIL" not in r.verbs() and kept(bench, id_)


def test_E121_certificate_is_held_against_the_name_we_asked_for(bench, relay, certificates):
    """127.0.0.1 is what localhost resolves to, but a certificate for localhost doesn't vouch for it."""
    r = relay(tls=certificates.context("right"))
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **{**tls_settings(certificates, r), "SMTP_HOST": f"127.0.0.1:{r.port}"})
    assert n.wait() == 1
    assert "IP address mismatch" in n.log() and kept(bench, id_) and r.offered == []


def test_server_is_named_in_the_handshake(bench, relay, certificates):
    names = []
    context = certificates.context("right")
    context.sni_callback = lambda sock, name, context: names.append(name)
    bench.reservation()
    r = relay(tls=context)
    n = bench.notifier(r, "--once", **tls_settings(certificates, r))
    assert n.wait() == 0, n.log()
    assert names == ["localhost"]


def test_tls_works_over_and_over_in_one_process(bench, relay, certificates):
    """libesmtp 1.1.0's own TLS context is used after it was freed; and with TLS 1.3 a ticket that comes too soon
    makes it wait for the answer to what it hasn't sent, for five minutes, one time in ten."""
    r = relay(tls=certificates.context("right"))
    bench.reservations_made(60)
    n = bench.notifier(r, NOTIFIER_BATCH=2, **tls_settings(certificates, r))
    bench.sent(60, 60)
    assert r.connections >= 30 and len(set(r.ids())) == 60
    assert r.tls_versions == {"TLSv1.2"}
    assert n.process.poll() is None


def implicit(certificates, relay, **more):
    return {**tls_settings(certificates, relay, **more), "SMTP_TLS": "tls"}


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_from_the_first_byte(bench, relay, certificates, tmp_path, version):
    """Port 465 (RFC 8314): many connections of one process, long texts both ways, AUTH, SNI."""
    secret = tmp_path / "password"
    secret.write_text("pass wörd\n")
    context, names = certificates.context("right"), []
    context.sni_callback = lambda sock, name, context: names.append(name)
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    r = relay(implicit=context, user="loyalty", password="pass wörd")
    bench.reservations_made(20)
    bench.reservation(bench.quiet_room(name="😀" * 200), bench.user(500, name="語" * 200))
    n = bench.notifier(r, NOTIFIER_BATCH=2, **implicit(certificates, r, SMTP_USER="loyalty", SMTP_PASSWORD_FILE=secret))
    bench.sent(21, 60)
    assert r.connections >= 10 and len(r.ids()) == len(set(r.ids())) == 21
    assert r.tls_versions == {version.replace("_", ".")} and set(names) == {"localhost"}
    assert r.verbs(1)[0] == "EHLO" and "STARTTLS" not in r.verbs()
    assert {m.message["Content-Transfer-Encoding"] for m in r.arrived} == {"7bit", "8bit"}
    assert n.term()[0] == 0


@pytest.mark.parametrize("kind, says", [("other name", "hostname mismatch"), ("unknown issuer", "unable to get local issuer")])
def test_wrong_certificate_from_the_first_byte_fails_closed(bench, relay, certificates, kind, says):
    r = relay(implicit=certificates.context(kind))
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **implicit(certificates, r))
    assert n.wait() == 1
    assert "mail delivery suspended" in n.log() and says in n.log(), n.log()
    assert r.commands == [] and kept(bench, id_)


def test_plain_server_where_tls_is_expected_from_the_first_byte(bench, relay, certificates):
    r = relay()
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **implicit(certificates, r))
    assert n.wait() == 1
    assert "mail delivery suspended" in n.log() and "does this port expect TLS from the first byte" in n.log(), n.log()
    assert r.arrived == [] and kept(bench, id_)


def test_connection_under_tls_that_dies_is_tried_again(bench, relay, certificates):
    """Cut in the handshake, at EHLO and after the final dot; the mail goes out all the same, with one Message-ID."""
    state = []

    def dies(mail):
        state.append(mail)
        return Drop if len(state) == 1 else None

    r = relay(implicit=certificates.context("right"), data=dies)
    r.down()
    r.raw = cut
    r.up()
    id_ = bench.reservation()
    n = bench.notifier(r, NOTIFIER_RETRY_MIN_S=1, **implicit(certificates, r))
    n.logged("mail server unavailable")
    r.down()
    r.raw = None
    r.up()
    bench.sent(1, 20)
    assert [m.field("Reservation") for m in r.offered] == [id_] * 2 and len({m.id for m in r.offered}) == 1


async def cut(reader, writer):
    await reader.read(10)
    writer.transport.abort()


def test_interrupted_under_tls_it_ends_in_time(bench, relay, certificates):
    """SIGTERM while the server thinks about a mail: the connection is broken off, the thread ends."""
    async def slow(mail):
        await asyncio.sleep(60)

    r = relay(implicit=certificates.context("right"), data=slow)
    bench.reservation()
    n = bench.notifier(r, **implicit(certificates, r))
    until(lambda: r.offered, 10)
    status, took = n.term()
    assert status == 0 and took < 9.5


def test_port_465_is_not_for_starttls(bench, relay):
    n = bench.notifier(relay(), "-t", SMTP_HOST="smtp.example.org:465", SMTP_TLS="starttls")
    assert n.wait() == 2 and "set LOYALTY_SMTP_TLS=tls" in n.log()
    n = bench.notifier(relay(), "-t", SMTP_HOST="smtp.example.org:465", SMTP_TLS="tls")
    assert n.wait() == 0, n.log()


def test_authority_file_without_a_certificate_fails_closed(bench, relay, certificates, tmp_path):
    (tmp_path / "empty").write_text("nothing\n")
    r = relay(tls=certificates.context("right"))
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **{**tls_settings(certificates, r), "SMTP_CA": tmp_path / "empty"})
    assert n.wait() == 1
    assert "no certificate in" in n.log() and kept(bench, id_) and r.offered == []


def test_auth_under_tls(bench, relay, certificates, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("pass wörd\n")
    r = relay(tls=certificates.context("right"), user="loyalty", password="pass wörd")
    r.hooks["mail"] = lambda address: None
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **tls_settings(certificates, r, SMTP_USER="loyalty", SMTP_PASSWORD_FILE=secret))
    assert n.wait() == 0, n.log()
    assert [m.field("Reservation") for m in r.arrived] == [id_]
    assert "pass w" not in n.log()


def test_E108_wrong_password_stops_the_channel(bench, relay, certificates):
    r = relay(tls=certificates.context("right"), user="loyalty", password="right")
    ids = [bench.reservation() for _ in range(3)]
    bench.age(400000)
    n = bench.notifier(r, **tls_settings(certificates, r, SMTP_USER="loyalty", SMTP_PASSWORD="s3cret-but-wrong"))
    n.logged("mail delivery suspended", count=2)
    assert "AUTH: 535" in n.log(), n.log()
    assert "s3cret" not in n.log() and "czNjcmV0" not in n.log()
    assert all(kept(bench, id_) for id_ in ids)
    assert r.offered == []  # the relay would have taken them without AUTH
    r.password = "s3cret-but-wrong"
    bench.sent(3, 15)


def test_E108_server_without_auth_stops_the_channel(bench, relay, certificates):
    r = relay(tls=certificates.context("right"))
    r.hooks["ehlo"] = lambda responses: [line for line in responses if "AUTH" not in line]
    id_ = bench.reservation()
    n = bench.notifier(r, "--once", **tls_settings(certificates, r, SMTP_USER="loyalty", SMTP_PASSWORD="x"))
    assert n.wait() == 1
    assert "no AUTH mechanism" in n.log(), n.log()
    assert r.offered == [] and kept(bench, id_)


def test_password_never_goes_out_in_the_clear(bench, relay):
    r = relay(user="loyalty", password="secret")
    n = bench.notifier(r, SMTP_USER="loyalty", SMTP_PASSWORD="secret")
    assert n.wait() == 2
    assert "LOYALTY_SMTP_USER needs LOYALTY_SMTP_TLS=starttls or tls" in n.log()
    assert r.connections == 0


def test_home_folder_of_the_caller_is_not_trusted(bench, relay, certificates, tmp_path):
    """libesmtp by itself takes CAs and keys from ~/.authenticate."""
    (tmp_path / ".authenticate").mkdir(mode=0o700)
    ca = tmp_path / ".authenticate" / "ca.pem"
    ca.write_bytes(certificates.ca["theirs"][0].read_bytes())
    ca.chmod(0o600)
    r = relay(tls=certificates.context("unknown issuer"))
    id_ = bench.reservation()
    env = bench.environment_for(r, **tls_settings(certificates, r))
    env["HOME"] = str(tmp_path)
    from bench import Notifier
    n = Notifier(bench, ["--once"], env)
    bench.notifiers.append(n)
    assert n.wait() == 1
    assert "unable to get local issuer" in n.log()
    assert kept(bench, id_) and r.offered == []
