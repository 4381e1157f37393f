"""loyalty-support on machines where something is missing, which is when one asks for help"""

import os
import subprocess
import tarfile
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from stack import TOP

SUPPORT = str(TOP / "setup" / "loyalty-support")


def collected(etc, tmp_path):
    """{name: text} of the archive."""
    out = tmp_path / "support.tar.gz"
    done = subprocess.run([SUPPORT, str(out)], env={"PATH": os.environ["PATH"], "LOYALTY_ETC": str(etc)}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, f"{out}\n")
    assert out.stat().st_mode & 0o777 == 0o600
    with tarfile.open(out) as tar:
        return {m.name.partition("/")[2]: tar.extractfile(m).read().decode() for m in tar}


@pytest.mark.parametrize("made", ((), ("",), ("", "secrets")))
def test_what_is_not_set_up_yet_is_told_too(made, tmp_path):
    etc = tmp_path / "etc"
    for folder in made:
        (etc / folder).mkdir()
    found = collected(etc, tmp_path)
    assert "PRETTY_NAME" in found["versions"] and "units" in found and "journal" in found


def test_a_secret_in_a_settings_file_is_told_by_its_name(tmp_path):
    etc = tmp_path / "etc"
    (etc / "secrets").mkdir(parents=True)
    (etc / "secrets" / "db-rooms").write_text("planted-secret\n")
    (etc / "rooms.conf").write_text("LOYALTY_LOG_LEVEL=planted-secret\nLOYALTY_SMTP_PASSWORD=another\n")
    found = collected(etc, tmp_path)
    assert found[f"files{etc}/rooms.conf"] == "LOYALTY_LOG_LEVEL=[db-rooms]\nLOYALTY_SMTP_PASSWORD=[password]\n"
    assert not [name for name, text in found.items() if "planted-secret" in text]


def test_a_command_that_hangs_is_ended_with_all_it_started():
    loader = SourceFileLoader("support", SUPPORT)
    module = module_from_spec(spec_from_loader("support", loader))
    loader.exec_module(module)
    module.PATIENCE = 1
    begun = time.monotonic()
    assert module.told("echo this much; sleep 60 & sleep 60") == "this much\n\n(ended after 1 s)\n"
    assert time.monotonic() - begun < 30
