"""TLS and headers, as testssl.sh and sslscan see them: nothing above "low" but what is excepted here by name."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.prove

# A certificate of the stack's own for localhost has neither a revocation list nor CAA; and "localhost" is no name that a public authority signs for.
EXCEPTED = ("cert_chain_of_trust", "cert_revocation", "cert_crlDistributionPoints", "cert_ocspURL", "cert_ocspRevoked", "cert_trust", "DNS_CAArecord", "cert_notAfter",
            "cert_extlifeSpan", "cert_expirationStatus", "cert_validityPeriod", "OCSP_stapling", "overall_grade", "grade_cap_reason")
GRAVE = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")


def test_testssl_finds_nothing_grave(stack, proof, tmp_path):
    out = tmp_path / "testssl.json"
    subprocess.run(["testssl", "--add-ca", stack.ca, "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "min", "--jsonfile", str(out), f"localhost:{stack.port}"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=1500, check=False)
    found = json.loads(out.read_text())
    proof.add(checks=len(found))
    assert len(found) > 80, found
    grave = [f for f in found if f["severity"] in GRAVE and not f["id"].startswith(EXCEPTED)]
    assert not grave, grave


def test_sslscan_finds_nothing_old(stack, proof):
    out = subprocess.run(["sslscan", "--no-colour", f"localhost:{stack.port}"], stdout=subprocess.PIPE, text=True, timeout=300, check=True).stdout
    for line in ("SSLv2     disabled", "SSLv3     disabled", "TLSv1.0   disabled", "TLSv1.1   disabled", "TLSv1.2   enabled", "TLSv1.3   enabled", "Session renegotiation not supported", "not vulnerable to heartbleed"):
        assert line in out, (line, out)
    proof.add(checks=8)
