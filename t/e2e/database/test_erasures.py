"""mysql/loyalty-erasures on either server: the list, and what --repeat makes of a backup (t/e2e/native/test_restore.py has the rest)"""

import os
import subprocess
import uuid

from stack import TOP


def erasures(stack, *args, stdin=None):
    done = subprocess.run([str(TOP / "mysql" / "loyalty-erasures"), *args], input=stdin, capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], **stack.db_environment()})
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_guests_of_the_list_are_erased_whatever_they_hold(stack):
    free, dear = stack.room(total=3, price=10), stack.room(total=3, price=900)
    held, plain, other = (stack.user(points=100, name=f"Guest {i} Doe") for i in range(3))
    stack.adjust(plain, 5, "for Guest 1 Doe")
    made = [stack.reserve(free, held).json["id"] for _ in range(2)] + [stack.reserve(dear, held).json["id"]]
    assert held.id not in erasures(stack)[0]
    lines = "".join(f"2026-11-29T10:00:00.000000Z {id_} the-request\n" for id_ in (held.id, str(uuid.uuid4()), plain.id, held.id))
    told = erasures(stack, "--repeat", stdin=lines)[1]
    assert "2 guests erased again; 1 of the list are not in the database" in told
    assert [stack.api.get(f"/v1/reservations/{id_}").json["status"] for id_ in made] == ["RELEASED", "RELEASED", "CANCELLED"]
    assert stack.available(free) == 3
    for user in (held, plain):
        account = stack.api.get(f"/v1/admin/users/{user.id}", key="restricted").json
        assert account == {"user": {"id": user.id, "name": "Erased", "role": "USER"}, "bonus_points": 0}
        last = stack.api.get(f"/v1/admin/history/users?user_id={user.id}&limit=1", key="restricted").json[0]
        assert (last["actor"], last["request_id"], last["reason"]) == ("restore", "the-request", "repeated after a restore")
    assert stack.api.get(f"/v1/admin/users/{other.id}", key="restricted").json["user"]["name"] == other.name
    listed = erasures(stack)[0].splitlines()
    assert {line.split()[1] for line in listed} >= {held.id, plain.id} and listed == sorted(listed)
    with stack.unchanged():
        assert "2 guests erased again" in erasures(stack, "--repeat", stdin=lines)[1]
        assert "no guest" in erasures(stack, "--repeat", stdin="\n")[1]
    assert stack.api.get("/v1/admin/audit", key="restricted").json["ok"]
