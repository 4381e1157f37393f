import sys; sys.path[:0]=['/work/main/t/e2e/notifier','/work/main/t/e2e']
import pytest
def test_x(bench, relay, tmp_path):
    from test_tls import Certificates, tls_settings
    import time
    c = Certificates(tmp_path)
    r = relay(tls=c.context("right"), user="loyalty", password="right")
    bench.reservation()
    n = bench.notifier(r, **tls_settings(c, r, SMTP_USER="loyalty", SMTP_PASSWORD="wrong"))
    time.sleep(12)
    print(r.commands)
    import subprocess
    assert 0
