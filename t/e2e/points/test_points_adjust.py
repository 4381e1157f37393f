"""POST /v1/users/{id}/points"""

import threading
import uuid

import pytest

LIMIT = 9007199254740991


def body_of(amount, reason='"a reason"'):
    """A body with these very characters as the amount."""
    return f'{{"amount":{amount},"reason":{reason}}}'.encode()


def post(api, user, body, **how):
    how.setdefault("key", "restricted")
    return api.post(f"/v1/users/{user.id}/points", body=body, **how)


def test_adjust_adds_and_takes(stack, api):
    user = stack.user(points=100)
    a = stack.adjust(user, 250, "welcome back")
    assert a.status == 201
    assert a.json == {"user": {"id": user.id, "name": user.name, "role": "USER"}, "amount": 250, "bonus_points": 350}
    b = stack.adjust(user, -350)
    assert b.status == 201 and b.json["amount"] == -350 and b.json["bonus_points"] == 0
    rows = stack.points_history(user)[1:]
    assert [(r["from_points"], r["to_points"], r["delta"], r["reason"], r["reservation_id"], r["actor"], r["request_id"])
            for r in rows] == [(100, 350, 250, "welcome back", None, "restricted", a.request_id),
                               (350, 0, -350, "a test", None, "restricted", b.request_id)]
    assert api.get(f"/v1/users/{user.id}/points").json["bonus_points"] == 0


def test_adjust_sends_no_mail_and_touches_no_room(stack, api):
    user = stack.user()
    before = stack.snapshot()
    stack.adjust(user, 5)
    after = stack.snapshot()
    assert {name for name in after if before[name] != after[name]} == {"loyalty.user", "loyalty_history.points_history"}


@pytest.mark.parametrize("amount", ["0", "-0", "00", "0.0", "-0.0", "0e0"])
def test_E023_E025_zero_is_422(stack, api, amount):
    user = stack.user(points=10)
    with stack.unchanged():
        a = post(api, user, body_of(amount))
        if amount == "00":
            a.is_problem(400, "malformed-json")
        else:
            a.is_problem(422, "validation")
            assert a.pointers == ["/amount"]


@pytest.mark.parametrize("amount", ['"100"', "true", "false", "null", "[]", "[5]", "{}", "1.5", "1.0", "1e3", "1E0", "-1e2", '""',
                                    '"0x10"', "1e400", "0.1e1", "1e-1"])
def test_E027_amount_of_another_type_is_422(stack, api, amount):
    user = stack.user(points=10)
    with stack.unchanged():
        a = post(api, user, body_of(amount)).is_problem(422, "validation")
    assert a.pointers == ["/amount"]


@pytest.mark.parametrize("body, pointers", [(b'{"reason":"x"}', ["/amount"]), (b'{"amount":5}', ["/reason"]),
                                            (b"{}", ["/amount", "/reason"])])
def test_E028_E038_missing_members_are_all_named(stack, api, body, pointers):
    user = stack.user(points=10)
    with stack.unchanged():
        a = post(api, user, body).is_problem(422, "validation")
    assert a.pointers == pointers


@pytest.mark.parametrize("amount", ["9007199254740993", "1000000001", "-1000000001", "2147483648", "4294967297", "-4294967295",
                                    "9223372036854775807", "9223372036854775808", "-9223372036854775808",
                                    "-9223372036854775809", "18446744073709551617", "18446744073709551616"])
def test_E029_amount_too_large_is_422_and_wraps_nowhere(stack, api, amount):
    user = stack.user(points=5000000000)
    with stack.unchanged():
        a = post(api, user, body_of(amount)).is_problem(422, "validation")
    assert a.pointers == ["/amount"]


@pytest.mark.parametrize("amount", ["1" * 400, "-" + "9" * 400, "1" + "0" * 15000, "1" * 300 + ".5", "1" * 100 + "e" + "9" * 100])
def test_E030_four_hundred_digits_are_422(stack, api, amount):
    user = stack.user(points=10)
    with stack.unchanged():
        a = post(api, user, body_of(amount)).is_problem(422, "validation")
    assert a.pointers == ["/amount"]


@pytest.mark.parametrize("amount", ["01", "+1", "0x10", "NaN", "Infinity", "-Infinity", "-", "-01", "1.", ".5", "1e", "1e+", "1_000",
                                    "1,000", "0b1", "0o7", "--1", "nan", "- 1", "1 2", "٣", "", "1-", "0x"])
def test_E031_what_is_no_json_number_is_400(stack, api, amount):
    user = stack.user(points=10)
    with stack.unchanged():
        post(api, user, body_of(amount)).is_problem(400, "malformed-json")


def test_largest_amounts_are_taken(stack, api):
    user = stack.user()
    assert stack.adjust(user, 1000000000).json["bonus_points"] == 1000000000
    assert stack.adjust(user, -1000000000).json["bonus_points"] == 0
    assert stack.adjust(user, 1).status == stack.adjust(user, -1).status == 201


def test_E032_sum_past_the_limit_is_409(stack, api):
    user = stack.user(points=LIMIT - 5)
    for amount in (6, 7, 1000000000):
        with stack.unchanged():
            stack.adjust(user, amount).is_problem(409, "balance-limit")
    a = stack.adjust(user, 5)
    assert a.status == 201 and f'"bonus_points":{LIMIT}'.encode() in a.body
    with stack.unchanged():
        stack.adjust(user, 1).is_problem(409, "balance-limit")


def test_E032_a_check_stands_behind_it(stack):
    import pymysql
    user = stack.user(points=5)
    for value in (LIMIT + 1, -1):
        with stack.unchanged(), pytest.raises(pymysql.err.MySQLError):
            stack.sql("UPDATE loyalty.user SET bonus_points = %s WHERE id = UNHEX(REPLACE(%s, '-', ''))", (value, user.id))


def test_E033_below_zero_is_409_and_never_clamped(stack, api):
    user = stack.user(points=100)
    for amount in (-101, -1000000000):
        with stack.unchanged():
            a = stack.adjust(user, amount).is_problem(409, "insufficient-points")
        assert str(-amount - 100) in a.json["detail"].replace(",", "")
    assert stack.adjust(user, -100).json["bonus_points"] == 0
    with stack.unchanged():
        stack.adjust(user, -1).is_problem(409, "insufficient-points")


@pytest.mark.parametrize("id_", [str(uuid.uuid4()), "x", "{}", "0" * 36])
def test_unknown_or_broken_user_is_404(stack, api, id_):
    with stack.unchanged():
        api.post(f"/v1/users/{id_}/points", {"amount": 5, "reason": "x"}, key="restricted").is_problem(404, "user-not-found")


def test_E063_id_of_a_room_is_404(stack, api):
    room = stack.room()
    with stack.unchanged():
        api.post(f"/v1/users/{room.id}/points", {"amount": 5, "reason": "x"}, key="restricted").is_problem(404, "user-not-found")


def test_E062_upper_case_id_is_taken(stack, api):
    user = stack.user()
    a = api.post(f"/v1/users/{user.id.upper()}/points", {"amount": 5, "reason": "x"}, key="restricted")
    assert a.status == 201 and a.json["user"]["id"] == user.id


@pytest.mark.parametrize("reason", ["x", "x" * 200, "🛏" * 200, "two\nlines", "\n", "Ünïcödé 中文", "'; DROP TABLE user; --", '"\\/', " ",
                                    "\ufffe\U0010ffff"])
def test_reasons_of_200_characters_and_line_feeds_are_fine(stack, api, reason):
    user = stack.user()
    a = stack.adjust(user, 5, reason)
    assert a.status == 201
    assert stack.points_history(user)[-1]["reason"] == reason


@pytest.mark.parametrize("reason", ["", "x" * 201, "🛏" * 201, None, 5, True, [], {}, "a\rb", "a\tb", "a\x7fb", "a\x85b", "a\x1bb", "\x01",
                                    "a\x9fb", "a\r\nb"])
def test_reasons_that_are_empty_too_long_or_hold_controls_are_422(stack, api, reason):
    user = stack.user()
    with stack.unchanged():
        a = stack.adjust(user, 5, reason).is_problem(422, "validation")
    assert a.pointers == ["/reason"]


def test_E041_unknown_members_are_named_beside_all_other_faults(stack, api):
    user = stack.user()
    with stack.unchanged():
        a = api.post(f"/v1/users/{user.id}/points", {"amount": 0, "reason": "", "user": {}, "x": 1}, key="restricted")
        a.is_problem(422, "validation")
    assert a.pointers == ["/amount", "/reason", "/user", "/x"]


def test_E042_amount_given_twice_is_400(stack, api):
    user = stack.user()
    for body in (b'{"amount":1,"amount":1000,"reason":"x"}', b'{"amount":1,"reason":"x","\\u0061mount":1000}',
                 b'{"amount":1,"reason":"x","amount":1}'):
        with stack.unchanged():
            post(api, user, body).is_problem(400, "malformed-json")


def test_E075_public_key_is_403_before_body_and_user_are_looked_at(stack, api):
    user = stack.user(points=100)
    with stack.unchanged():
        for target in (f"/v1/users/{user.id}/points", f"/v1/users/{uuid.uuid4()}/points", "/v1/users/x/points",
                       f"/v1/users/{user.id}/points?x=1"):
            for how in ({"body": b'{"amount":5,"reason":"x"}'}, {"body": b"{broken"}, {"body": b""},
                        {"body": b"x", "content_type": "text/plain"}, {"body": b'{"amount":0}', "idem": "é"},
                        {"body": b"{}", "actor": "%zz"}, {"body": b"{}", "headers": [("Content-Encoding", "gzip")]}):
                api.post(target, key="public", **how).is_problem(403, "forbidden")
        big = api.post(f"/v1/users/{user.id}/points", key="public", body=b" " * 40000, wire=api.wire())
        assert big.status in (403, 413)


# -- at once ------------------------------------------------------------------------------------------

def test_E003_20_subtractions_at_once_from_points_for_one(stack, api):
    user = stack.user(points=100)
    answers = api.at_once([("POST", f"/v1/users/{user.id}/points", {"amount": -100, "reason": "gift"}, {"key": "restricted"})] * 20)
    assert sorted(a.status for a in answers) == [201] + [409] * 19
    assert {a.problem for a in answers if a.status == 409} == {"insufficient-points"}
    assert stack.balance(user) == 0 and len(stack.points_history(user)) == 2


def test_E003_subtractions_that_all_wait_for_the_account(stack, api):
    user = stack.user(points=100)
    answers = stack.at_once_after("user", user, [("POST", f"/v1/users/{user.id}/points", {"amount": -100, "reason": "gift"}, {"key": "restricted"})] * 6)
    assert sorted(a.status for a in answers) == [201] + [409] * 5, answers
    assert stack.balance(user) == 0 and len(stack.points_history(user)) == 2


def test_E022_bulk_adjustments_while_the_user_reserves(stack, api):
    room, user = stack.room(total=1000, price=10), stack.user(points=1000)
    calls = [("POST", f"/v1/users/{user.id}/points", {"amount": (7, -3)[i % 2], "reason": "bulk"}, {"key": "restricted"})
             for i in range(20)]
    calls += [("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, {}) for _ in range(20)]
    for _ in range(3):
        assert {a.status for a in api.at_once(calls)} == {201}
    assert stack.balance(user) == 1000 + 3 * (10 * 7 - 10 * 3 - 20 * 10)
    assert len(stack.points_history(user)) == 1 + 3 * 40


def test_E022_sum_of_two_at_once_is_both(stack, api):
    user = stack.user()
    threads = [threading.Thread(target=lambda: [stack.adjust(user, 1) for _ in range(25)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert stack.balance(user) == 100
