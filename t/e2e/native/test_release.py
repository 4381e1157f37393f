"""What a release promises: one version, archives that are the same bytes each time, and a tree that cites nothing it lacks."""

import hashlib
import os
import re
import shutil
import subprocess

import pytest

from stack import TOP

BUILD = os.environ.get("LOYALTY_BUILD", "build")
VERSION = (TOP / "VERSION").read_text().strip()
EDGE = re.compile(r"(?<![A-Za-z0-9])E(\d{3})(?!\d)")
PROGRAMS = {
    "cgi-rooms": f"cgi-rooms/{BUILD}/cgi-rooms", "cgi-points": f"cgi-points/{BUILD}/cgi-points", "cgi-admin": f"cgi-admin/{BUILD}/cgi-admin",
    "loyalty-audit": f"cgi-admin/{BUILD}/loyalty-audit", "notifier": f"notifier/{BUILD}/notifier", "console": "console/console",
    "loyalty": "cli/loyalty", "migrate": "mysql/migrate", "prune": "mysql/prune", "backup": "mysql/backup", "restore": "mysql/restore",
    "loyalty-erasures": "mysql/loyalty-erasures",
}


def run(*args, cwd=TOP, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOYALTY_", "MAKE", "MFLAGS", "SOURCE_DATE_EPOCH"))}
    done = subprocess.run([str(a) for a in args], cwd=cwd, env={**clean, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked():
    """(name, text) of every file of text that belongs to the tree."""
    for name in run("git", "ls-files", "-co", "--exclude-standard").splitlines():
        if not name.endswith((".json", ".ico", ".png")) and (TOP / name).is_file():
            yield name, (TOP / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_every_program_tells_the_one_version(name):
    assert run(TOP / PROGRAMS[name], "-V") == f"{name} {VERSION}\n"


def test_installed_commands_tell_it_without_the_tree(tmp_path):
    for folder in ("lib", "cli", "mysql", "console"):
        run("make", "-C", folder, "install", f"DESTDIR={tmp_path}", "prefix=/usr", "sysconfdir=/etc")
    found = {"loyalty": "usr/bin/loyalty", "console": "usr/share/loyalty/console/console",
             **{name: f"usr/sbin/{name}" for name in ("loyalty-migrate", "loyalty-prune", "loyalty-erasures")}}
    for name, path in found.items():
        assert run(tmp_path / path, "-V", cwd="/") == f"{name} {VERSION}\n"


def test_the_version_is_semantic_and_the_changelog_has_it_or_is_about_to():
    assert re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", VERSION)
    changelog = (TOP / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", changelog, re.M)
    assert len(sections) == len(re.findall(r"^## ", changelog, re.M)) and sections[0] == ("Unreleased", "")
    assert all(date for _, date in sections[1:])
    assert VERSION in [name for name, _ in sections] or f"Becomes {VERSION}." in changelog


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Two checkouts of what is here, made at other times under other umasks, with the archives that each makes: [{target: (name, bytes)}]"""
    made = []
    for umask, zone in ((0o022, "UTC"), (0o077, "Asia/Tokyo")):
        top = tmp_path_factory.mktemp("checkout")
        names = [n for n in run("git", "ls-files", "-co", "--exclude-standard", "-z").split("\0") if (TOP / n).is_file()]
        for name in sorted(names, reverse=umask == 0o077):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, top / name)
            (top / name).chmod((0o777 if os.access(TOP / name, os.X_OK) else 0o666) & ~umask)
        run("git", "init", "-q", cwd=top)
        run("git", "add", "-A", cwd=top)
        run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "t", cwd=top,
            GIT_AUTHOR_DATE="2026-01-02T03:04:05Z", GIT_COMMITTER_DATE="2026-01-02T03:04:05Z")
        made.append((top, make_archives(top, umask, zone)))
    return made


def make_archives(top, umask=0o022, zone="UTC"):
    found = {}
    for target in ("dist", "dist-cgi-rooms", "dist-notifier", "dist-console"):
        name = run("sh", "-c", f"umask {umask:o}; exec make {target}", cwd=top, TZ=zone).split()[-1]
        found[target] = name, (top / name).read_bytes()
    return found


def test_archives_are_the_same_bytes_whoever_makes_them(archives):
    one, other = (made for _, made in archives)
    for target, (name, content) in one.items():
        assert other[target][0] == name and name.startswith(f"build/{'loyalty' if target == 'dist' else target[5:]}-{VERSION}")
        assert hashlib.sha256(other[target][1]).digest() == hashlib.sha256(content).digest(), target


def test_an_unpacked_archive_makes_itself_again(archives, tmp_path):
    top, made = archives[0]
    name, content = made["dist"]
    run("unzip", "-q", top / name, cwd=tmp_path)
    assert make_archives(next(tmp_path.iterdir()))["dist"] == (name, content)


def test_every_edge_case_that_is_cited_is_in_the_list():
    listed = set(re.findall(r"^\| E(\d{3}) \|", (TOP / "docs" / "edge-cases.md").read_text(), re.M))
    cited = {n for name, text in tracked() for n in EDGE.findall(re.sub(r"noqa: .*|--ignore.*", "", text).replace("_", " "))}
    assert listed and cited == listed


def test_every_edge_case_names_a_test_that_there_is():
    rows = re.findall(r"^\| E(\d{3}) \| .+ \| `(.+?)` (\w+) \|$", (TOP / "docs" / "edge-cases.md").read_text(), re.M)
    assert len(rows) == len(re.findall(r"^\| E", (TOP / "docs" / "edge-cases.md").read_text(), re.M)) > 90
    for number, file, name in rows:
        path = TOP / file if (TOP / file).is_file() else TOP / "t" / "e2e" / file
        text = path.read_text()
        assert re.search(rf"\b{name}\b", text) and re.search(rf"E{number}(?!\d)", text), (number, file, name)


def test_every_library_that_the_programs_need_is_in_the_decision_on_licenses():
    told = (TOP / "docs" / "decisions" / "license.md").read_text()
    words = {"libmariadb": "MariaDB Connector/C", "libmysqlclient": "libmysqlclient", "libesmtp": "libesmtp", "libfcgi": "libfcgi",
             "libjson-c": "json-c", "libssl": "OpenSSL", "libcrypto": "OpenSSL", "libc": "glibc", "libm": "glibc", "libasan": None, "libubsan": None}
    for name in ("cgi-rooms", "cgi-points", "cgi-admin", "loyalty-audit", "notifier"):
        needed = re.findall(r"\(NEEDED\).*\[([\w-]+)\.so", run("readelf", "-d", TOP / PROGRAMS[name]))
        assert "libmariadb" in needed or "libmysqlclient" in needed
        for library in needed:
            assert words[library] is None or words[library] in told, (name, library)


def test_base_images_are_those_of_one_file():
    rows = [line.split("\t") for line in (TOP / "compose" / "base-images").read_text().splitlines() if line and not line.startswith("#")]
    base, mysql = [name for name, _ in rows]
    compose = (TOP / "docker-compose.yml").read_text()
    for name, variable in rows:
        assert set(re.findall(rf"\$\{{{variable}:-(.+?)\}}", compose)) == {name}
    files = {name: text for name, text in tracked() if name.endswith("Dockerfile")}
    assert len(files) >= 10
    for name, text in files.items():
        assert re.findall(r"^ARG BASE=(.*)$", text, re.M) == [base], name
        built = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.M))
        assert set(re.findall(r"^FROM (\S+)", text, re.M)) <= {"${BASE}", "scratch"} | built, name
    assert mysql in (TOP / "t" / "e2e" / "mysqld.py").read_text()


def test_nothing_is_cited_that_is_not_in_the_tree():
    """Documents named in comments, tests and texts, with their folder or alone."""
    files = dict(tracked())
    known = {os.path.basename(n) for n in files}
    lost = [f"{name}: {cited}" for name, text in files.items() for cited in re.findall(r"(?<![\w*/.-])((?:[\w.-]+/)*[\w.-]+\.md)\b", text)
            if not {cited, os.path.normpath(os.path.join(os.path.dirname(name), cited))} & set(files) and not ("/" not in cited and cited in known)]
    assert not lost
