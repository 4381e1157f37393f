"""GET /v1/users/{id}/points"""

import uuid

import pytest


@pytest.mark.parametrize("key", ["public", "restricted"])
def test_E076_any_key_sees_the_balance(stack, api, key):
    user = stack.user(points=1240, role="ADMIN")
    a = api.get(f"/v1/users/{user.id}/points", key=key)
    assert a.status == 200
    assert a.json == {"user": {"id": user.id, "name": user.name, "role": "ADMIN"}, "bonus_points": 1240}


def test_demo_user_is_there(api):
    a = api.get("/v1/users/b9fa7d71-548c-4739-8e6a-0931cc218cd1/points")
    assert a.json["user"] == {"id": "b9fa7d71-548c-4739-8e6a-0931cc218cd1", "name": "Jane Doe", "role": "USER"}
    assert a.json["bonus_points"] > 0


@pytest.mark.parametrize("points", [0, 1, 9007199254740991])
def test_balance_is_exact_up_to_the_limit(stack, api, points):
    user = stack.user(points=points)
    assert f'"bonus_points":{points}'.encode() in api.get(f"/v1/users/{user.id}/points").body


def test_E062_upper_case_id_is_taken(stack, api):
    user = stack.user()
    assert api.get(f"/v1/users/{user.id.upper()}/points").json["user"]["id"] == user.id


def test_unknown_or_broken_id_is_404(stack, api):
    for id_ in (str(uuid.uuid4()), "x", stack.room().id, "{" + stack.user().id + "}", stack.user().id.replace("-", "")):
        for key in ("public", "restricted"):
            api.get(f"/v1/users/{id_}/points", key=key).is_problem(404, "user-not-found")


def test_E064_query_parameters_are_400(stack, api):
    user = stack.user()
    for query in ("x=1", "limit=5", "cursor=x", "user_id=" + user.id):
        api.get(f"/v1/users/{user.id}/points?{query}").is_problem(400, "validation")


def test_etag_changes_with_the_balance(stack, api):
    user = stack.user(points=5)
    target = f"/v1/users/{user.id}/points"
    etag = api.get(target).header("ETag")
    assert api.get(target, headers=[("If-None-Match", etag)]).status == 304
    stack.adjust(user, 1)
    a = api.get(target, headers=[("If-None-Match", etag)])
    assert a.status == 200 and a.header("ETag") != etag


def test_users_themselves_are_not_found_here(stack, api):
    """/v1/users/{id} and /v1/users belong to nobody."""
    user = stack.user()
    for target in ("/v1/users", "/v1/users/", f"/v1/users/{user.id}", f"/v1/users/{user.id}/", f"/v1/users/{user.id}/points/",
                   f"/v1/users/{user.id}/points/x", "/v1/users//points"):
        api.get(target).is_problem(404, "not-found")
