"""Many want one thing at one instant: each gets what there is, once."""

import collections
import itertools
import uuid

import pytest

from crowd import Crowd


@pytest.fixture(scope="module")
def raced(make_stack):
    with make_stack() as s:
        yield s


def statuses(answers):
    return collections.Counter((a.status, a.json["status"] if a.status < 300 else a.problem) for a in answers)


def test_a_hot_room(raced, proof):
    """10 units, 200 clients: 10 have one, 190 hear that it is sold out."""
    users = [raced.user(points=10 ** 9) for _ in range(200)]
    with Crowd(raced.api, 200) as crowd:
        for n in range(proof.times(500)):
            room = raced.room(total=10, price=1)
            found = statuses(crowd.ask([("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": u.id}}, {}) for u in users]))
            there = len(raced.reservations(room=room))
            proof.add(rounds=1, acknowledged=found[201, "RESERVED"], lost=max(0, found[201, "RESERVED"] - there), doubled=max(0, there - found[201, "RESERVED"]))
            assert found == {(201, "RESERVED"): 10, (409, "sold-out"): 190} and there == 10 and raced.available(room) == 0, (n, found, there)
            proof.said_now(f"hot room: {n + 1} rounds")
    raced.check_invariants()


def test_a_hot_wallet(raced, proof):
    """100 points, 20 spends of 100: one is paid, 19 wait for approval."""
    room = raced.room(total=1000000, price=100)
    with Crowd(raced.api, 20) as crowd:
        for n in range(proof.times(1000)):
            user = raced.user(points=100)
            found = statuses(crowd.ask([("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, {})] * 20))
            there = len(raced.reservations(user=user))
            proof.add(rounds=1, acknowledged=found[201, "RESERVED"] + found[201, "PENDING_APPROVAL"], lost=max(0, 20 - there), doubled=max(0, there - 20))
            assert found == {(201, "RESERVED"): 1, (201, "PENDING_APPROVAL"): 19} and there == 20 and raced.balance(user) == 0, (n, found, there)
            proof.said_now(f"hot wallet: {n + 1} rounds")
    raced.check_invariants()


def test_everything_sent_twice_at_once_under_one_key(raced, proof):
    """Reservations, cancellations and adjustments: both get the same answer, one of them replayed."""
    room = raced.room(total=1000000, price=1)
    with Crowd(raced.api, 20) as crowd:
        users = [raced.user(points=1000000) for _ in range(10)]
        mine, made, given = {}, set(), 0
        for n in range(proof.times(5000, 30) // 10):
            kinds, calls = [], []
            for i, user in enumerate(users):
                kind = ("reserve", "adjust", "cancel")[(n + i) % 3]
                if kind == "cancel" and not mine.get(user):
                    kind = "reserve"
                call = {"reserve": lambda: ("/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, "public"),
                        "adjust": lambda: (f"/v1/users/{user.id}/points", {"amount": 3, "reason": "twice"}, "restricted"),
                        "cancel": lambda: (f"/v1/reservations/{mine.pop(user)}/cancel", {}, "public")}[kind]()
                kinds.append(kind)
                calls += [("POST", call[0], call[1], {"key": call[2], "idem": f"pair-{proof.seed}-{n}-{i}"})] * 2
            answers = crowd.ask(calls)
            for i, user in enumerate(users):
                one, other = answers[2 * i:2 * i + 2]
                assert one.status == other.status == (200 if kinds[i] == "cancel" else 201) and one.body == other.body, (one, other)
                assert one.replayed != other.replayed, (one, other)
                proof.add(pairs=1, acknowledged=1)
                if kinds[i] == "reserve":
                    mine[user] = one.json["id"]
                    made.add(one.json["id"])
                given += 3 * (kinds[i] == "adjust")
                for a in one, other:
                    raced.journal.append(a)
            proof.said_now(f"pairs: {10 * (n + 1)}")
    rows = [row for user in users for row in raced.reservations(user=user)]
    there = {str(uuid.UUID(bytes=row["id"])) for row in rows}
    moved = sum(raced.balance(user) - 1000000 for user in users) + sum(row["status"] == "RESERVED" for row in rows)
    proof.add(lost=len(made - there) + max(0, given - moved) // 3, doubled=len(there - made) + max(0, moved - given) // 3)
    assert there == made and moved == given
    raced.check_invariants()


def test_decisions_against_each_other(raced, proof):
    """Cancel, approve, release, reject and erase at once: the outcome is one that some order of them gives."""
    room = raced.room(total=1000000, price=50)
    with Crowd(raced.api, 5) as crowd:
        for n, points in zip(range(proof.times(1000, 6)), itertools.cycle((50, 40))):
            user = raced.user(points=points)
            made = raced.reserve(room, user).json
            at = f"/v1/admin/reservations/{made['id']}"
            staff = {"key": "restricted"}
            answers = crowd.ask([("POST", f"/v1/reservations/{made['id']}/cancel", {}, {}),
                                 ("POST", f"{at}/approve", {"points": 40}, staff),
                                 ("POST", f"{at}/release", {}, staff),
                                 ("POST", f"{at}/reject", {"reason": "a race"}, staff),
                                 ("POST", f"/v1/admin/users/{user.id}/erase", {"reason": "a race"}, staff)])
            told = [a.json["status"] for a in answers[:4] if a.status == 200]
            erased = answers[4].status == 200
            assert all(a.status in (200, 404, 409) for a in answers), answers
            row, = raced.reservations(user=user)
            status, balance = row["status"], raced.balance(user)
            spent = row["points"] if status in ("RESERVED", "RELEASED") else 0
            proof.add(rounds=1, acknowledged=1 + len(told) + erased)
            # What was told last is so, unless the account's erasure ended it.
            kept = status in told or made["status"] == status or (erased and status == "CANCELLED")
            proof.add(lost=int(not kept), doubled=len(told) - len(set(told)))
            assert kept and len(told) == len(set(told)), (n, status, answers)
            assert balance == (0 if erased else points - spent), (n, status, balance, answers)
            proof.said_now(f"decisions: {n + 1}")
    raced.check_invariants()
