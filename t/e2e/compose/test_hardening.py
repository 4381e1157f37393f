"""What each container may do, may use, and does use"""

import time

import pytest

from composed import OURS, docker
from stack import until

LASTING = [*OURS, "mysql"]
ONCE = ["secrets", "migrate"]
IMAGES = ["door", "cgi-rooms", "cgi-points", "cgi-admin", "console", "nginx", "notifier", "migrate", "secrets", "mail"]
MIB = 1 << 20


@pytest.mark.parametrize("name", LASTING + ONCE)
def test_container_is_hardened(stack, name):
    for c in stack.inspect(name):
        host, config = c["HostConfig"], c["Config"]
        assert host["ReadonlyRootfs"] is True and host["Privileged"] is False
        assert host["CapDrop"] == ["ALL"] and "no-new-privileges:true" in host["SecurityOpt"]
        assert host["NanoCpus"] == 10 ** 9 and host["Memory"] == host["MemorySwap"] == 1024 * MIB and 0 < host["PidsLimit"] <= (512 if name == "mysql" else 256)
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "4", "max-size": "10m"}}
        assert not host.get("Devices") and host["PidMode"] == "" and host["IpcMode"] in ("private", "shareable")
        assert "/var/run/docker.sock" not in str(c["Mounts"]) and "docker.sock" not in str(host["Binds"])
        if name in LASTING:
            assert host["RestartPolicy"]["Name"] == "unless-stopped"
            assert config.get("Healthcheck", {}).get("Test", ["NONE"])[0] != "NONE"
        if name == "secrets":  # the exception: it gives files to others, and has no network
            assert sorted(host["CapAdd"]) == ["CHOWN", "DAC_OVERRIDE", "FOWNER"] and host["NetworkMode"] == "none"
        else:
            assert not host["CapAdd"] and config["User"] not in ("", "root", "0", "0:0")


@pytest.mark.parametrize("name", LASTING)
def test_process_has_no_rights(stack, name):
    """What the kernel says of it, not what was asked for."""
    for pid in stack.pids(name):
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
        assert status["NoNewPrivs"] == "1" and int(status["Uid"].split()[0]) in (999, 10000)
        for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[caps], 16) == 0, caps
    id_ = stack.containers(name)[0]
    told = docker("exec", id_, "sh", "-c", "echo x >/usr/x; echo x >/etc/x; echo x >/x", check=False)
    assert told.count("Read-only file system") == 3, told


def test_each_has_its_own_secrets_and_no_others(stack):
    want = {"nginx": "api-key-public api-key-restricted tls.crt tls.key", "cgi-rooms": "db-ca.crt db-rooms", "cgi-points": "db-ca.crt db-points",
            "cgi-admin": "db-admin db-ca.crt", "console": "console gateway.pub", "notifier": "db-ca.crt db-notifier", "prune": "db-ca.crt db-prune",
            "mysql": "db-ca.crt db-root db.crt db.key init.sql probe.cnf"}
    for name, files in want.items():
        assert docker("exec", stack.containers(name)[0], "ls", "/run/secrets").split() == files.split(), name
    assert docker("run", "--rm", "--volume", f"{stack.project}_secrets-migrate:/there:ro", "--entrypoint", "ls", f"loyalty-secrets:{stack.tag}", "/there").split() == \
        "db-admin db-ca.crt db-migrate db-notifier db-points db-prune db-rooms".split()
    for name in ("mail", "door"):
        assert not docker("exec", stack.containers(name)[0], "sh", "-c", "ls /run/secrets 2>/dev/null || :")
    values = {f.name: f.read_text().strip() for f in (stack.var / "secrets").iterdir() if not f.name.endswith(".crt")}
    for name in LASTING + ONCE:
        for c in stack.inspect(name):
            for secret, value in values.items():
                assert value not in str(c), f"{secret} can be read in docker inspect {name}"


@pytest.mark.parametrize("name", IMAGES)
def test_no_file_of_an_image_gives_rights(stack, name):
    """setuid, setgid, capabilities.  Perl is in every Debian; 191 and 8 are getxattr on x86-64 and arm64."""
    look = r"""find / -xdev -type f | perl -lne 'BEGIN { $get = `uname -m` =~ /x86_64/ ? 191 : 8 }
        $file = "$_"; $name = "security.capability"; $value = "\0" x 64;
        print if (stat)[2] & 06000 or syscall($get, $file, $name, $value, 64) > 0'"""
    assert docker("run", "--rm", "--user", "0:0", "--entrypoint", "sh", f"loyalty-{name}:{stack.tag}", "-c", look) == ""


def test_images_are_small(stack):
    sizes = {name: int(docker("image", "inspect", "--format", "{{.Size}}", f"loyalty-{name}:{stack.tag}")) for name in IMAGES}
    print("\n" + "\n".join(f"image {name}: {size / 1e6:.1f} MB" for name, size in sizes.items()))
    assert sizes.pop("console") < 200e6  # PHP alone is more than the rest together
    assert max(sizes.values()) < 100e6, sizes


def test_up_to_ready_takes_less_than_a_minute(stack):
    """On a machine where a container that does nothing takes a second at most; on a slower one as much more."""
    begin = time.monotonic()
    for _ in range(3):
        docker("run", "--rm", "--network", "none", "--entrypoint", "true", f"loyalty-cgi-rooms:{stack.tag}")
    nothing = (time.monotonic() - begin) / 3
    print(f"\nup to ready: {stack.took:.1f} s; a container of nothing: {nothing:.1f} s")
    assert stack.took < 60 * max(1, nothing)


def test_nothing_waits_for_a_name_that_is_gone(stack):
    """cgi-admin stops: the others answer as fast as before, though its name can't be resolved any more."""
    stack.stop("admin")
    try:
        until(lambda: stack.api.get("/readyz", key=None).status == 503, 10)
        started = time.monotonic()
        stack.api.get("/v1/admin/rooms", key="restricted").is_problem(503, "unavailable")
        assert time.monotonic() - started < 5
        for _ in range(5):
            started = time.monotonic()
            assert stack.api.get("/v1/rooms?limit=1").status == 200
            assert time.monotonic() - started < 1
    finally:
        stack.start("admin")
        stack.healthy("admin")
    stack.ready()
