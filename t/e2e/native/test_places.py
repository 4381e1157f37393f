"""Where a checkout lies, and how it came there."""

import os
import shutil
import subprocess

import pytest

from stack import TOP


def run(*command, status=0, **how):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          timeout=60, **how)
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.mark.parametrize("name", ["Hôtel", "two words", "a&b"])
def test_a_checkout_in_a_folder_that_does_not_do_is_refused_before_anything_is_built(tmp_path, name):
    top = tmp_path / name
    for part in ("native", "nginx"):
        shutil.copytree(TOP / part, top / part)
    for part in ("GNUmakefile", "install.mk", "VERSION"):
        shutil.copy(TOP / part, top)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LOYALTY_", "MAKE", "MFLAGS"))}
    told = run("make", "-C", top, "up", status=2, env=env)
    assert "accept only ASCII letters" in told and "LOYALTY_VAR" in told and str(top) in told and "cc " not in told
    # the data elsewhere alone does not help: the programs are started from here
    told = run("make", "-C", top, "up", status=2, env={**env, "LOYALTY_VAR": str(tmp_path / "var")})
    assert "only from a path of ASCII letters" in told and "Move the checkout" in told
    assert not (tmp_path / "var").exists() and not (top / "var").exists()


def test_a_clone_with_crlf_wanted_has_none_and_runs(tmp_path):
    """core.autocrlf=true, as on Windows: files keep the ends that they have here."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.safecrlf=false", "-c", "user.name=x", "-c", "user.email=x@localhost"]
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    for part in ("native", "nginx", "mysql", ".gitattributes", "GNUmakefile"):
        (shutil.copytree if (TOP / part).is_dir() else shutil.copy)(TOP / part, first / part)
    run(*git, "init", "-q", cwd=first, env=env)
    run(*git, "add", ".", cwd=first, env=env)
    run(*git, "commit", "-q", "-m", "x", cwd=first, env=env)
    run(*git, "clone", "-q", first, second, env=env)
    files = [f for f in second.rglob("*") if f.is_file() and ".git" not in f.parts]
    assert len(files) > 40 and not [f for f in files if b"\r\n" in f.read_bytes()]
    assert "make the secrets that are missing" in run(second / "native" / "secrets", "--help")
