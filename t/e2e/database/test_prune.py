"""mysql/prune-hourly: what runs mysql/prune where there is no cron"""

import os
import signal
import subprocess

from stack import TOP, until


def test_prune_that_failed_is_tried_again_within_seconds(stack, tmp_path):
    """A database that comes back finds it at work within seconds, not an hour; once told to end, nothing of it stays."""
    secrets, done, log = tmp_path / "secrets", tmp_path / "done", tmp_path / "log"
    secrets.mkdir(0o700)
    (secrets / "db-prune").write_text("not-its-password\n")
    with open(log, "wb") as out:
        hourly = subprocess.Popen([str(TOP / "mysql" / "prune-hourly"), str(done)], start_new_session=True, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  env={"PATH": os.environ["PATH"], **stack.db_environment(), "LOYALTY_SECRETS": str(secrets)})
    try:
        until(lambda: b"again in 2 s" in log.read_bytes(), 20)
        assert not done.exists()
        (secrets / "db-prune").write_bytes((stack.var / "secrets" / "db-prune").read_bytes())
        until(done.exists, 20)
        assert log.read_bytes().endswith(b" rows\n"), log.read_text()
        hourly.send_signal(signal.SIGTERM)
        assert hourly.wait(5) == 0
        until(lambda: not subprocess.run(["pgrep", "--session", str(hourly.pid)], stdout=subprocess.PIPE).stdout, 5, what="an end of all of it")
    finally:
        if hourly.poll() is None or subprocess.run(["pgrep", "--session", str(hourly.pid)], stdout=subprocess.DEVNULL).returncode == 0:
            os.killpg(hourly.pid, signal.SIGKILL)
