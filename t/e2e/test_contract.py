"""After everything else: what the whole run has shown"""

import time

import pytest

pytestmark = pytest.mark.whole_run


def test_every_described_operation_was_exercised(contract):
    assert contract.spec is not None, "docs/openapi.yaml is missing"
    assert contract.spec.uncovered() == []


def test_description_and_route_tables_agree(contract, stack):
    import os
    import subprocess
    from stack import TOP
    build = os.environ.get("LOYALTY_BUILD", "build")
    printed = "".join(subprocess.run([str(TOP / name / build / name), "-r"], stdout=subprocess.PIPE, text=True, check=True).stdout
                      for name in sorted(folder.name for folder in TOP.glob("cgi-*")))
    assert contract.spec.differences(printed) == []


def test_no_key_and_no_password_stands_in_any_log(stack):
    time.sleep(1.3)
    for name in ("api-key-public", "api-key-restricted", "db-rooms", "db-points", "db-notifier", "db-prune"):
        secret = stack.secret(name).split()[0].encode()
        for file, data in stack.all_logs().items():
            assert secret not in data, f"{name} stands in {file}"


def test_every_line_of_the_access_log_is_json(stack):
    assert len(stack.access_log()) > 1000
    stack.access_log_text()


def test_books_balance_and_every_event_was_mailed(stack):
    from invariants import mails_went
    mails_went(stack, 60)
    stack.check_invariants()


def test_no_service_died_on_the_way(stack):
    for name in ("rooms", "points", "notifier"):
        log = stack.log(name)
        for word in ("panic", "Segmentation", "core dumped", "AddressSanitizer", "runtime error", "terminated"):
            assert word not in log, f"{name}: {word}"
    assert not stack.sanitizer_reports()
