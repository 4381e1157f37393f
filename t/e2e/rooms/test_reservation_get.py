"""GET /v1/reservations/{id}"""

import datetime
import uuid

import pytest


def test_get_equals_what_the_creation_answered(stack, api):
    room, user = stack.room(total=5, price=30), stack.user(points=100)
    made = stack.reserve(room, user)
    a = api.get(made.header("Location"))
    assert a.status == 200 and a.json == made.json


def test_times_are_utc_with_microseconds(stack, api):
    made = stack.reserve(stack.room(price=0), stack.user()).json
    at = datetime.datetime.strptime(made["created_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    assert abs((datetime.datetime.now(datetime.timezone.utc) - at).total_seconds()) < 5
    assert made["created_at"] == made["updated_at"]
    micros = {stack.reserve(stack.room(price=0), stack.user()).json["created_at"][-4:] for _ in range(12)}
    assert len(micros) > 1, "the last digits never change"


@pytest.mark.parametrize("key", ["public", "restricted"])
def test_E062_upper_case_id_is_taken(stack, api, key):
    made = stack.reserve(stack.room(price=0), stack.user()).json
    a = api.get(f"/v1/reservations/{made['id'].upper()}", key=key)
    assert a.status == 200 and a.json["id"] == made["id"]


@pytest.mark.parametrize("id_", [str(uuid.uuid4()), "x", "{0}", "urn:uuid:" + str(uuid.uuid4()), "0" * 36,
                                 uuid.uuid4().hex])
def test_unknown_or_broken_id_is_404(api, id_):
    api.get(f"/v1/reservations/{id_}").is_problem(404, "reservation-not-found")


def test_E063_id_of_a_room_or_user_is_404(stack, api):
    for id_ in (stack.room().id, stack.user().id):
        api.get(f"/v1/reservations/{id_}").is_problem(404, "reservation-not-found")


def test_get_shows_todays_room_and_the_price_of_the_request(stack, api):
    room, user = stack.room(total=5, price=30), stack.user(points=100)
    made = stack.reserve(room, user).json
    stack.sql("UPDATE loyalty.room SET required_points = 77, name = 'Renamed', name_folded = 'renamed' WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))
    r = api.get(f"/v1/reservations/{made['id']}").json
    assert (r["points"], r["room"]["required_points"], r["room"]["name"]) == (30, 77, "Renamed")


def test_E099_reservation_of_an_archived_room_still_resolves(stack, api):
    room, user = stack.room(), stack.user(points=1000)
    made = stack.reserve(room, user).json
    stack.archive(room)
    a = api.get(f"/v1/reservations/{made['id']}")
    assert a.status == 200 and a.json["room"]["id"] == room.id
    assert [r["id"] for r in api.get(f"/v1/reservations?user_id={user.id}").json] == [made["id"]]


def test_etag_changes_with_the_status(stack, api):
    made = stack.reserve(stack.room(price=0), stack.user()).json
    target = f"/v1/reservations/{made['id']}"
    etag = api.get(target).header("ETag")
    assert api.get(target, headers=[("If-None-Match", etag)]).status == 304
    stack.cancel(made["id"])
    a = api.get(target, headers=[("If-None-Match", etag)])
    assert a.status == 200 and a.header("ETag") != etag


def test_answers_about_people_are_not_for_shared_caches(stack, api):
    user = stack.user()
    made = stack.reserve(stack.room(price=0), user)
    for a in (made, api.get(f"/v1/reservations/{made.json['id']}"), api.get(f"/v1/reservations?user_id={user.id}"),
              api.get(f"/v1/users/{user.id}/points"), stack.adjust(user, 5), stack.cancel(made.json["id"])):
        assert a.status < 300
        assert {"private", "no-store"} & {part.strip() for part in a.header("Cache-Control").split(",")}, a
