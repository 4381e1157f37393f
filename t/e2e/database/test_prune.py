"""mysql/prune: what is forgotten, and when; mysql/prune-hourly, which runs it where there is no cron"""

import os
import signal
import subprocess

import pytest

from stack import TOP, until


def prune(stack, check=True, **settings):
    done = subprocess.run([str(TOP / "mysql" / "prune")], env={"PATH": os.environ["PATH"], **stack.db_environment(), **settings}, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 or not check, done.stderr
    return done


def test_each_age_is_a_setting(new_stack):
    stack = new_stack()
    room, user = stack.room(total=100, price=0), stack.user()
    keys = [f"key-{i}" for i in range(3)]
    made = [stack.reserve(room, user, idem=key).json["id"] for key in keys]
    stack.drained()
    stack.stop("notifier")
    mails = [i for i, in stack.sql("SELECT id FROM loyalty.outbox WHERE reservation_id IS NOT NULL ORDER BY id")]
    assert len(mails) == 3
    first = stack.value("SELECT COUNT(*) FROM loyalty.outbox") - 3
    # one sent 31 days ago, one dead for 91 days, one dead for 91 days but queued again since
    stack.sql("UPDATE loyalty.outbox SET sent_at = UTC_TIMESTAMP(6) - INTERVAL 31 DAY WHERE id = %s", (mails[0],))
    for id_, again in ((mails[1], None), (mails[2], 89)):
        stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', sent_at = NULL, created_at = created_at - INTERVAL 91 DAY,"
                  " queued_at = UTC_TIMESTAMP(6) - INTERVAL %s DAY WHERE id = %s", (again, id_))
        stack.sql("UPDATE loyalty_history.reservation_history SET changed_at = changed_at - INTERVAL 91 DAY WHERE mail_id = %s", (id_,))
    stack.sql("INSERT INTO loyalty_history.outbox_history (outbox_id, from_status, to_status, actor, request_id, changed_at)"
              " SELECT id, 'DEAD', 'PENDING', 'x', 'x', queued_at FROM loyalty.outbox WHERE queued_at IS NOT NULL")
    left = lambda: ({i for i, in stack.sql("SELECT id FROM loyalty.outbox")} & set(mails), stack.value("SELECT COUNT(*) FROM loyalty.idempotency"))
    stack.sql("UPDATE loyalty.idempotency i JOIN (SELECT id, ROW_NUMBER() OVER (ORDER BY id) n FROM loyalty.idempotency) k ON k.id = i.id"
              " SET i.created_at = UTC_TIMESTAMP(6) - INTERVAL ELT(k.n, 25, 45, 47) HOUR")  # an hour and more before the next run would come too late
    prune(stack, LOYALTY_PRUNE_SENT_D="40", LOYALTY_PRUNE_DEAD_D="100")
    assert left() == (set(mails), 2)
    prune(stack)
    assert left() == ({mails[2]}, 2), "as it is by default"
    assert stack.api.get("/v1/admin/audit", key="restricted").json["ok"]
    prune(stack, LOYALTY_PRUNE_KEYS_H="24", LOYALTY_PRUNE_DEAD_D="88", LOYALTY_PRUNE_SENT_D="31")
    assert left() == (set(), 0) and stack.value("SELECT COUNT(*) FROM loyalty.outbox") == first
    assert stack.api.get("/v1/admin/audit", key="restricted").json["ok"]
    assert all(stack.api.get(f"/v1/reservations/{id_}").status == 200 for id_ in made)
    # the procedure of before the settings, and bounds that a caller cannot leave
    with stack.service_db("prune").cursor() as c:
        c.execute("CALL loyalty.prune(10)")
        assert c.fetchall() == ((0,),)
    stack.reserve(room, user, idem="young")
    with stack.service_db("prune").cursor() as c:
        c.execute("CALL loyalty.prune_aged(10, 0, 0, 0)")
        assert c.fetchall() == ((0,),)


@pytest.mark.parametrize("name, value", [("KEYS_H", "23"), ("KEYS_H", "48"), ("SENT_D", "0"), ("DEAD_D", "x"), ("DEAD_D", "-1"), ("SENT_D", "1;"), ("DEAD_D", "99999")])
def test_an_age_out_of_bounds_is_refused(stack, name, value):
    with stack.unchanged():
        done = prune(stack, check=False, **{"LOYALTY_PRUNE_" + name: value})
    assert done.returncode == 2 and f"LOYALTY_PRUNE_{name}={value}" in done.stderr


def test_an_unknown_age_is_refused(stack):
    with stack.unchanged():
        done = prune(stack, check=False, LOYALTY_PRUNE_SENT="31")
    assert done.returncode == 2 and "LOYALTY_PRUNE_SENT: no such setting" in done.stderr


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
