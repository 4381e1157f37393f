"""make install, the systemd units, and which package has what: as far as that can be told without a systemd that runs."""

import fnmatch
import os
import re
import subprocess

import pytest

from stack import TOP

SAN = "1" if "san" in os.environ.get("LOYALTY_BUILD", "build") else ""
EXPOSURE_MOST = "20"  # tenths


def make(*args, cwd=TOP):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "LOYALTY_"))}
    done = subprocess.run(["make", "--no-print-directory", f"SAN={SAN}", *map(str, args)], cwd=cwd, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or not path.is_dir()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A root in which everything lies where it says: no DESTDIR."""
    root = tmp_path_factory.mktemp("installed")
    make("install", f"prefix={root}/usr", f"sysconfdir={root}/etc")
    return root


def listed():
    """{package: ([(folder, target)], [patterns of paths])}"""
    found = {}
    for line in (TOP / "t" / "e2e" / "packages" / "installed.list").read_text().splitlines():
        if line.startswith("\t"):
            found[package][1].append(line.strip())
        elif not line.startswith("#"):
            package, _, made = line.partition(": ")
            found[package] = [tuple(one.split()) for one in made.split(", ")], []
    return found


def test_every_file_is_listed_and_of_one_package(tmp_path, installed):
    found, packages = {}, listed()
    for package, (made, _) in packages.items():
        for folder, target in made:
            if (TOP / folder).is_dir():
                make("-C", folder, target, f"DESTDIR={tmp_path}/{package}", "prefix=/usr", "sysconfdir=/etc")
        for path in files(tmp_path / package):
            assert path not in found, f"{path} is of {found[path]} and of {package}"
            found[path] = package
    assert found.keys() == files(installed)
    assert not {(p, f) for f, p in found.items() if not any(fnmatch.fnmatchcase(f, one) for one in packages[p][1])}
    assert not {(p, one) for p, (_, many) in packages.items() for one in many
                if not any(q == p and fnmatch.fnmatchcase(f, one) for f, q in found.items())}


def test_what_is_installed_is_found_by_its_links_and_runs(installed):
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    for command, args in {"sbin/loyalty-migrate": ["--help"], "sbin/loyalty-prune": ["--help"], "libexec/loyalty/cgi-rooms": ["-h"],
                          "libexec/loyalty/notifier": ["-h"], "sbin/loyalty-audit": ["-h"], "bin/loyalty": ["help"],
                          "share/loyalty/console/console": ["-r"]}.items():
        done = subprocess.run([installed / "usr" / command, *args], env=env, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and done.stdout, (command, done)
    for link in (installed / "usr" / "sbin").iterdir():
        assert link.resolve().is_file() and (not link.is_symlink() or not os.path.isabs(os.readlink(link))), link
    assert (installed / "etc" / "loyalty" / "secrets").stat().st_mode & 0o7777 == 0o700


def test_a_second_installation_leaves_configuration_alone(tmp_path):
    where = ("-C", "lib", "install", f"DESTDIR={tmp_path}", "sysconfdir=/etc")
    make(*where)
    conf = tmp_path / "etc" / "loyalty" / "database.conf"
    conf.write_text("LOYALTY_DB_HOSTS=db.example.org\n")
    make(*where)
    assert conf.read_text() == "LOYALTY_DB_HOSTS=db.example.org\n"


def units(installed):
    folder = installed / "usr" / "lib" / "systemd" / "system"
    # of a template, an instance
    return folder, [str(folder / path.name.replace("@.", "@1.")) for path in sorted(folder.iterdir()) if path.is_file()]


def analyze(installed, *args):
    folder, names = units(installed)
    env = {"PATH": os.environ["PATH"] + ":/usr/bin", "SYSTEMD_UNIT_PATH": f"{folder}:", "LANG": "C.UTF-8"}
    done = subprocess.run(["systemd-analyze", *args], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def test_the_units_are_what_systemd_takes(installed):
    folder, names = units(installed)
    assert len(names) > 15
    status, told = analyze(installed, "verify", "--man=no", *names)
    assert status == 0 and not [line for line in told.splitlines() if str(folder) in line or "loyalty" in line], told
    pages = {path.name for path in (installed / "usr" / "share" / "man").rglob("*.[1-9]")}
    for path in folder.iterdir():
        if path.is_file():
            assert "@" not in re.sub(r"@(\d*|%i)\.service|@\d\b|SystemCall.*", "", path.read_text()), path
            for name, section in re.findall(r"man:([\w.-]+)\((\d)\)", path.read_text()):
                assert f"{name}.{section}" in pages, f"{path.name}: no man page {name}({section})"


def test_the_accounts_are_what_systemd_takes(installed):
    done = subprocess.run(["systemd-sysusers", f"--root={installed}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    assert done.returncode == 0, done.stdout
    users = {line.split(":")[0] for line in (installed / "etc" / "passwd").read_text().splitlines()}
    services = (installed / "usr" / "lib" / "systemd" / "system").glob("*.service")
    assert users >= {user for path in services for user in re.findall(r"^User=(.*)", path.read_text(), re.M)}


def test_each_service_may_little(installed):
    folder, names = units(installed)
    services = [name for name in names if name.endswith(".service")]
    for name in services:
        if "@1." in name:
            os.symlink(os.path.basename(name).replace("@1.", "@."), name)
    status, told = analyze(installed, "security", "--offline=true", f"--threshold={EXPOSURE_MOST}", *services)
    for name in services:
        if "@1." in name:
            os.remove(name)
    levels = dict(re.findall(r"Overall exposure level for (\S+): ([0-9.]+)", told))
    assert status == 0 and len(levels) == len(services) and all(float(level) <= 2 for level in levels.values()), levels
    # and the measure measures: without the limits that all share, one has none
    (folder / "loyalty-.service.d" / "10-loyalty.conf").rename(installed / "aside")
    try:
        status, told = analyze(installed, "security", "--offline=true", f"--threshold={EXPOSURE_MOST}", str(folder / "loyalty-notifier.service"))
        assert status != 0, told
    finally:
        (installed / "aside").rename(folder / "loyalty-.service.d" / "10-loyalty.conf")


def test_uninstalled_only_configuration_is_left(installed):
    make("uninstall", f"prefix={installed}/usr", f"sysconfdir={installed}/etc")
    left = files(installed)
    assert "etc/loyalty/rooms.conf" in left and not [f for f in left if not f.startswith("etc/")], left
    assert not list((installed / "usr").rglob("*loyalty*"))


def test_the_debian_packages_are_those_of_the_list():
    into = {}
    for package, folder, target in re.findall(r"\$\(call into,([^,]+),([^,]+),([^,)]+)\)", (TOP / "debian" / "rules").read_text()):
        into.setdefault(package, []).append((folder, target))
    assert into == {package: made for package, (made, _) in listed().items()}
    control = re.findall(r"^Package: (.*)", (TOP / "debian" / "control").read_text(), re.M)
    assert set(control) == into.keys() | {"loyalty"}


def test_the_versions_agree():
    version = (TOP / "VERSION").read_text().strip()
    assert (TOP / "debian" / "changelog").read_text().startswith(f"loyalty ({version}) ")
