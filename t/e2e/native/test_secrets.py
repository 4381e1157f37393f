"""native/secrets: what is there stays, what is missing is made, what cannot be read is refused."""

import os
import stat
import subprocess

import pytest

from stack import PARTS, TOP

MADE = {name for part in PARTS.values() for name in part["secrets"]}
DB = {"db-root", "db-migrate", "db-ca.crt", "db.crt", "db.key"}


def run(*args, status=0):
    done = subprocess.run([str(TOP / "native" / "secrets"), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def openssl(*args, **how):
    done = subprocess.run(["openssl", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


def content(folder):
    return {f.name: os.readlink(f) if f.is_symlink() else f.read_bytes() for f in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "etc" / "secrets"
    run(folder, "db")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it that a test may change."""
    mine = tmp_path / "secrets"
    subprocess.run(["cp", "-a", str(made), str(mine)], check=True)
    return mine


def test_all_are_made_and_a_second_run_changes_nothing(made):
    assert {f.name for f in made.iterdir()} == MADE | DB
    before = content(made)
    assert run(made, "db") == "" and content(made) == before
    assert stat.S_IMODE(made.stat().st_mode) == 0o700 and stat.S_IMODE(made.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize("name", sorted(MADE | DB))
def test_a_link_whose_target_cannot_be_seen_is_refused_and_stays(folder, name):
    (folder / name).unlink()
    (folder / name).symlink_to("/nowhere/live/" + name)
    (folder / ("api-key-public" if name != "api-key-public" else "console")).unlink()  # nothing else is made, either
    before = content(folder)
    told = run(folder, "db", status=1)
    assert f"{folder}/{name} is a symbolic link to /nowhere/live/{name}" in told
    assert content(folder) == before


@pytest.mark.parametrize("pair", [("tls.crt", "tls.key"), ("db-ca.crt", "db.crt", "db.key")])
def test_links_of_a_whole_set_are_refused_and_stay(folder, pair):
    for name in pair:
        (folder / name).unlink()
        (folder / name).symlink_to("../nowhere/" + name)
    before = content(folder)
    assert "symbolic link" in run(folder, "db", status=1) and content(folder) == before


def test_links_that_can_be_read_are_fine(folder, tmp_path):
    for name in ("tls.crt", "tls.key", "db-rooms"):
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
    before = content(folder)
    assert run(folder, "db") == "" and content(folder) == before


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "db-ca.crt", "db.key"])
def test_half_a_set_is_refused(folder, name):
    (folder / name).unlink()
    before = content(folder)
    told = run(folder, "db", status=1)
    assert f"not {name}" in told and content(folder) == before


def test_a_folder_in_place_of_a_file_is_refused(folder):
    (folder / "tls.crt").unlink()
    (folder / "tls.crt").mkdir()
    assert "tls.crt is not a file" in run(folder, status=1)


@pytest.mark.parametrize("name", ["db-rooms", "db-root", "console"])
def test_a_password_that_others_may_read_is_refused(folder, name):
    (folder / name).chmod(0o644)
    assert f"chmod 600 {folder}/{name}" in run(folder, "db", status=1)


def test_help_and_wrong_arguments(tmp_path):
    assert "make the secrets that are missing" in run("--help") and "make the secrets that are missing" in run("-h")
    for wrong in ([], ["--no"], [tmp_path / "x", "no"], [tmp_path / "x", "db", "more"]):
        assert "native/secrets DIR [db]" in run(*wrong, status=2)
    assert not (tmp_path / "x").exists()


def test_passwords_satisfy_a_policy(tmp_path):
    for n in range(2):
        run(tmp_path / str(n), "db")
        for name in (MADE | DB) - {"tls.crt", "tls.key", "db-ca.crt", "db.crt", "db.key"}:
            word = (tmp_path / str(n) / name).read_text().strip()
            assert len(word) >= 40 and word.isascii(), name
            assert all(any(test(c) for c in word) for test in (str.isupper, str.islower, str.isdigit, lambda c: c in "-_")), (name, word)


def ends(file, days):
    """Whether it has ended in so many days."""
    return subprocess.run(["openssl", "x509", "-in", str(file), "-noout", "-checkend", str(days * 86400)], stdout=subprocess.DEVNULL).returncode == 1


def test_the_certificate_is_of_a_length_that_browsers_accept(made):
    assert not ends(made / "tls.crt", 396) and ends(made / "tls.crt", 398)


def reissue(folder, days):
    """The same certificate, the same key, another end."""
    openssl("x509", "-in", folder / "tls.crt", "-signkey", folder / "tls.key", "-days", days, "-out", folder / "new")
    (folder / "new").rename(folder / "tls.crt")


def test_our_certificate_is_renewed_near_its_end_and_keeps_its_key(folder):
    reissue(folder, 31)
    before = content(folder)
    assert run(folder) == "" and content(folder) == before
    reissue(folder, 29)
    before = content(folder)
    assert run(folder) == f"{folder}/tls.crt\n"
    after = content(folder)
    assert {n for n in after if after[n] != before.get(n)} == {"tls.crt"} and not ends(folder / "tls.crt", 396)
    assert openssl("x509", "-in", folder / "tls.crt", "-noout", "-pubkey") == openssl("pkey", "-in", folder / "tls.key", "-pubout")


def test_a_certificate_of_earlier_versions_is_renewed_too(folder):
    openssl("req", "-x509", "-key", folder / "tls.key", "-days", "5", "-config", "-", "-extensions", "v3", "-out", folder / "tls.crt", input="""
[req]
distinguished_name = dn
prompt = no
[dn]
CN = localhost
[v3]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = DNS:localhost,DNS:nginx,IP:127.0.0.1,IP:::1
""")
    assert run(folder) == f"{folder}/tls.crt\n" and not ends(folder / "tls.crt", 396)


@pytest.mark.parametrize("subject", ["/CN=localhost", "/CN=hotel.example.org", "/O=Loyalty/CN=localhost"])
def test_a_certificate_of_somebody_else_is_never_renewed(folder, subject):
    openssl("req", "-x509", "-key", folder / "tls.key", "-days", "2", "-subj", subject, "-out", folder / "tls.crt")
    before = content(folder)
    assert run(folder) == "" and content(folder) == before


@pytest.mark.parametrize("names, days", [("DNS:mysql,DNS:mysql-2,DNS:mysql-3,DNS:localhost,IP:127.0.0.1", 9), ("DNS:mysql,DNS:localhost,IP:127.0.0.1", 900)])
def test_the_certificate_of_the_database_is_renewed_and_the_old_one_still_accepted(folder, tmp_path, names, days):
    """Near its end, or because it is of a version that knew of no other nodes."""
    (tmp_path / "names").write_text(f"subjectAltName = {names}\n")
    old_ca, old = tmp_path / "old-ca.crt", tmp_path / "old.crt"
    ca_key = tmp_path / "ca.key"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca_key, "-out", folder / "db-ca.crt", "-days", days,
            "-subj", "/CN=Loyalty database authority")
    openssl("req", "-new", "-key", folder / "db.key", "-subj", "/CN=mysql", "-out", tmp_path / "csr")
    openssl("x509", "-req", "-in", tmp_path / "csr", "-CA", folder / "db-ca.crt", "-CAkey", ca_key, "-CAcreateserial", "-days", days,
            "-extfile", tmp_path / "names", "-out", folder / "db.crt")
    old_ca.write_bytes((folder / "db-ca.crt").read_bytes())
    old.write_bytes((folder / "db.crt").read_bytes())
    assert set(run(folder, "db").split()) == {f"{folder}/{n}" for n in ("db-ca.crt", "db.crt", "db.key")}
    assert not ends(folder / "db.crt", 3000)
    assert "DNS:mysql-2, DNS:mysql-3" in openssl("x509", "-in", folder / "db.crt", "-noout", "-ext", "subjectAltName")
    openssl("verify", "-purpose", "sslclient", "-CAfile", folder / "db-ca.crt", folder / "db.crt")
    for cert in (old, folder / "db.crt"):
        openssl("verify", "-CAfile", folder / "db-ca.crt", cert)
