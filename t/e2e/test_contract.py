"""After everything else: what the whole run has shown"""

import time

import pytest

import whole

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
    assert {"api-key-restricted", "db-admin", "console", "tls.key"} <= whole.secrets(stack).keys()
    assert whole.told(stack) == []


def test_every_line_of_the_access_log_is_json(stack):
    assert len(stack.access_log()) > 1000
    stack.access_log_text()


def test_books_balance_and_every_event_was_mailed(stack):
    from invariants import mails_went
    mails_went(stack, 60)
    stack.check_invariants()


def test_no_service_died_on_the_way(stack):
    assert len(whole.programs(stack)) >= 8, whole.programs(stack)
    assert whole.died(stack) == []
    assert not stack.sanitizer_reports()
