"""compose/sbom: what is in an image, as SPDX, from its own dpkg data"""

import json
import os
import subprocess

import pytest

from composed import Composed
from stack import TOP


def run(*args):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600,
                          env={**os.environ, "LOYALTY_TAG": Composed.tag})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("image", ["cgi-rooms", "console", "door"])
def test_bill_of_materials_lists_what_dpkg_has_and_repeats(tmp_path, image):
    """It is valid, or the command would have failed: spdx-tools checks it."""
    made = []
    for folder in tmp_path / "one", tmp_path / "other":
        assert run(TOP / "compose" / "sbom", folder, image) == f"{folder}/{image}.spdx.json\n"
        made.append((folder / f"{image}.spdx.json").read_bytes())
    assert made[0] == made[1]
    document = json.loads(made[0])
    installed = run("docker", "run", "--rm", "--network", "none", "--entrypoint", "dpkg-query", f"loyalty-{image}:{Composed.tag}", "-W", "-f", "${Package} ${Version}\n")
    listed = {f"{p['name']} {p['versionInfo']}" for p in document["packages"] if p["primaryPackagePurpose"] == "LIBRARY"}
    assert document["spdxVersion"] == "SPDX-2.3" and listed == set(installed.splitlines())
    root = [p for p in document["packages"] if p["name"] == f"loyalty-{image}"]
    assert [p["versionInfo"] for p in root] == [(TOP / "VERSION").read_text().strip()]


@pytest.mark.long
def test_image_that_there_is_none_of_is_an_error_and_nothing_is_written(tmp_path):
    done = subprocess.run([str(TOP / "compose" / "sbom"), str(tmp_path / "out"), "nonsense"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600,
                          env={**os.environ, "LOYALTY_TAG": Composed.tag})
    assert done.returncode != 0 and "loyalty-nonsense" in done.stderr and not list((tmp_path / "out").iterdir())
