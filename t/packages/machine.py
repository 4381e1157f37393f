"""A Debian in a container, booted by its own systemd, or one that a kernel of its own has booted."""

import os
import shlex
import subprocess
import time
import uuid
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
NAME = "loyalty.example"  # of the API, on this machine itself

# Where the engine has cgroup version 1, the machine gets a place in the hierarchy of version 2, which every kernel has beside it:
# systemd takes nothing else.  It has no controllers there, so no limit acts.
BOOT_V1 = """set -e
mount --make-rshared / # credentials are mounted in another namespace and come back by that
mkdir -p /run/cgroup && mount -t cgroup2 none /run/cgroup && mkdir -p "/run/cgroup/$NAME" && echo 1 >"/run/cgroup/$NAME/cgroup.procs"
exec unshare -C sh -ec 'umount -l /run/cgroup; umount -R -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec /sbin/init'
"""


def docker(*args, check=True, **how):
    done = subprocess.run(["docker", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **how)
    assert not check or done.returncode == 0, f"docker {' '.join(args)}: {done.stdout}"
    return done.stdout


def until(what, seconds, why):
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, why() if callable(why) else why
        time.sleep(0.2)


class Machine:
    def __init__(self, image, packages):
        self.name = f"loyalty-packages-{uuid.uuid4().hex[:12]}"
        boot = ["/sbin/init"]
        namespace = "private"
        if docker("info", "--format", "{{.CgroupVersion}}").strip() == "1":
            boot, namespace = ["sh", "-c", BOOT_V1], "host"
        docker("run", "--detach", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
               f"--cgroupns={namespace}", "--name", self.name, "--hostname", "hotel", "--add-host", f"{NAME}:127.0.0.1", "--env", "container=docker",
               "--env", f"NAME={self.name}", "--tmpfs", "/run:exec", "--tmpfs", "/tmp:exec", "--stop-signal", "SIGRTMIN+3",
               "--volume", f"{packages}:/packages:ro", "--volume", f"{TOP}:/checkout:ro", image, *boot)
        try:
            self.booted()
        except BaseException:
            self.close()
            raise

    def booted(self):
        until(lambda: self.run("systemctl is-system-running")[1].strip() in ("running", "degraded"), 180,
              lambda: "not booted: " + docker("logs", self.name, check=False) + self.run("systemctl list-jobs")[1])

    def reboot(self):
        docker("restart", "--time", "60", self.name)
        self.booted()

    def run(self, command, stdin=None):
        """(exit status, output) of a command of bash."""
        done = subprocess.run(self.command(command), input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=900)
        return done.returncode, done.stdout

    def command(self, command):
        return ["docker", "exec", "-i", self.name, "bash", "-c", command]

    def sh(self, command, stdin=None):
        status, out = self.run(command, stdin)
        assert status == 0, f"{command}: {status}\n{out}"
        return out

    def close(self):
        if os.environ.get("LOYALTY_KEEP"):
            print(f"docker exec -it {self.name} bash")
            return
        docker("rm", "--force", self.name, check=False)
        # A cgroup stays where its processes are gone.
        subprocess.run(["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", self.name, "-exec", "find", "{}", "-depth", "-type", "d",
                        "-exec", "rmdir", "{}", ";", ";", "-prune"], stderr=subprocess.DEVNULL)


class Virtual(Machine):
    """The same in a virtual machine: limits act, and a reboot is one.  Its qemu runs in a container, with KVM where the host has it."""

    SSH = ("ssh", "-q", "-i", "/root/.ssh/id", "-o", "StrictHostKeyChecking=no", "-o", "ConnectTimeout=5", "-o", "ServerAliveInterval=5", "root@127.0.0.1")

    def __init__(self, image, packages):
        self.name = f"loyalty-virtual-{uuid.uuid4().hex[:12]}"
        image = image.partition(":")[0]
        kvm = ["--device", "/dev/kvm"] if os.path.exists("/dev/kvm") else []
        docker("run", "--detach", *kvm, "--name", self.name, "--volume", f"{packages}:/packages:ro", f"{image}:virtual", "sleep", "infinity")
        try:
            files = docker("create", f"{image}:disk").strip()
            with subprocess.Popen(["docker", "export", files], stdout=subprocess.PIPE) as export:
                docker("exec", "-i", "--env", "LC_ALL=C.UTF-8", self.name, "mke2fs", "-q", "-t", "ext4", "-d", "-", "/disk", "8G", stdin=export.stdout)
            docker("rm", files)
            # With that file systemd believes to be in a container, where / is not shared and units have no credentials.
            docker("exec", self.name, "debugfs", "-w", "-R", "rm /.dockerenv", "/disk")
            self.on()
            docker("exec", self.name, "sh", "-c", f"tar -c /packages 2>/dev/null | {shlex.join(self.SSH)} tar -x -C /")
            self.sh(f"echo 127.0.0.1 localhost {NAME} hotel >/etc/hosts && hostnamectl hostname hotel")
        except BaseException:
            self.close()
            raise

    def on(self):
        # A KVM that does not know all instructions stops at the first of them.
        for accelerator, patience in ("kvm", 20), ("tcg", 60):
            if accelerator == "kvm" and not os.path.exists("/dev/kvm"):
                continue
            docker("exec", "--detach", self.name, "sh", "-c", f"""exec qemu-system-x86_64 -accel {accelerator} -cpu max -smp 2 -m 3G -display none \\
                -serial file:/console -kernel /boot/vmlinuz -initrd /boot/initrd -append 'root=/dev/vda rw console=ttyS0' \\
                -drive file=/disk,if=virtio,format=raw -nic user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:22-:22 >/qemu 2>&1""")
            try:
                until(lambda: "Linux version" in self.console(), patience, f"{accelerator}: no kernel")
                break
            except AssertionError:
                self.off()
        until(lambda: self.run("true")[0] == 0, 300, lambda: "not booted: " + self.console())
        self.booted()

    def console(self):
        return docker("exec", self.name, "sh", "-c", "cat /console /qemu", check=False)

    def off(self):
        """As if its power were cut."""
        docker("exec", self.name, "sh", "-c", "kill -9 $(pidof qemu-system-x86_64); rm -f /console")

    def reboot(self):
        boot = "cat /proc/sys/kernel/random/boot_id"
        was = self.sh(boot)
        self.run("systemctl reboot")
        until(lambda: (got := self.run(boot))[0] == 0 and got[1] != was, 300, lambda: "not back: " + self.console())
        self.booted()

    def command(self, command):
        return ["docker", "exec", "-i", self.name, *self.SSH, shlex.join(["bash", "-c", command])]
