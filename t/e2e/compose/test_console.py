"""The staff's web page in a container of its own: it reaches the API through nginx alone, and keeps who is signed in"""

import sys
import threading
import uuid
from pathlib import Path

import pytest
import requests

from stack import TOP

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "console"))

from visitor import COOKIE, Visitor, words  # noqa: E402

ROLL = str(TOP / "compose" / "roll")


def waiting(stack):
    """Somebody with too few points, and his reservation."""
    room, person = stack.room(total=2, price=90), stack.user(40, f"Waiting {uuid.uuid4().hex[:8]}")
    reservation = stack.reserve(room, person).json
    assert reservation["status"] == "PENDING_APPROVAL"
    return reservation, person


def test_staff_sign_in_and_approve(stack):
    reservation, person = waiting(stack)
    staff = Visitor(stack).sign_in("Mia Berg")
    staff.get(f"/console/reservations/{reservation['id']}")
    assert staff.page.status_code == 200 and person.name in words(staff.page)
    staff.submit(f"/console/reservations/{reservation['id']}/approve", points="40")
    assert staff.follow().status_code == 200
    assert stack.api.get(f"/v1/reservations/{reservation['id']}").json["status"] == "RESERVED"
    assert stack.balance(person) == 0
    made, = [h for h in stack.api.get(f"/v1/admin/history/reservations?reservation_id={reservation['id']}&limit=1", key="restricted").json]
    assert made["actor"] == "Mia Berg"


def test_a_wrong_key_opens_nothing(stack):
    visitor = Visitor(stack)
    visitor.get("/console/sign-in")
    visitor.submit("/console/sign-in", name="Mia Berg", key=stack.keys["public"])
    assert visitor.page.status_code in (401, 422)
    assert "Staff key" in visitor.get("/console/pending").text


@pytest.fixture
def one_again(stack):
    # settings that other tests have taken back without a restart: not while somebody reads
    stack.compose("up", "--detach", "--no-build", "--wait")
    yield
    stack.compose("up", "--detach", "--no-build", "--wait")


def test_a_session_outlives_its_console_and_no_page_is_lost(stack, one_again):
    """Two instances instead of one, then others in their place, while somebody reads on."""
    staff = Visitor(stack).sign_in("Mia Berg")
    answers, done = [], threading.Event()

    def read():
        while not done.is_set():
            try:
                answers.append(staff.get("/console/rooms").status_code)
            except requests.RequestException as e:
                answers.append(repr(e))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        stack.compose("up", "--detach", "--no-build", "--wait", "--scale", "console=2")
        before = stack.containers("console")
        stack.run(ROLL, "console")
        after = stack.containers("console")
    finally:
        done.set()
        reader.join(60)
    assert len(before) == len(after) == 2 and not set(before) & set(after)
    assert len(answers) > 20 and set(answers) == {200}, {status: answers.count(status) for status in set(answers)}
    old = staff.cookie()
    staff.get("/console/rooms")
    staff.submit("/console/sign-out")
    for _ in range(6):  # whichever of the two nginx asks
        page = requests.get(stack.base + "/console/rooms", headers={"Cookie": f"{COOKIE}={old}"}, verify=stack.ca, timeout=30)
        assert "Staff key" in page.text and "Sign out" not in page.text
