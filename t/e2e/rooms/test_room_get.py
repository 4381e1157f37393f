"""GET /v1/rooms/{id}"""

import uuid

import pytest


def test_get_gives_the_four_members_and_no_more(stack, api):
    room = stack.room(total=3, price=0)
    a = api.get(f"/v1/rooms/{room.id}")
    assert a.status == 200
    assert a.json == {"id": room.id, "name": room.name, "available_amount": 3, "required_points": 0}


def test_demo_room_is_there(stack, api):
    r = api.get("/v1/rooms/d635c003-fffc-4beb-87b8-eaf3458cf772").json
    assert (r["name"], r["required_points"]) == ("Economy Single Room", 260)


@pytest.mark.parametrize("key", ["public", "restricted"])
def test_E062_upper_case_id_is_taken_lower_case_comes_out(stack, api, key):
    room = stack.room()
    for spelled in (room.id.upper(), room.id[:18].upper() + room.id[18:]):
        a = api.get(f"/v1/rooms/{spelled}", key=key)
        assert a.status == 200 and a.json["id"] == room.id


def test_E062_other_spellings_of_a_uuid_are_404(stack, api):
    id_ = stack.room().id
    bare = id_.replace("-", "")
    for bad in ("{" + id_ + "}", "%7B" + id_ + "%7D", "urn:uuid:" + id_, bare, id_[:-1], id_ + "0", id_[:-1] + "g",
                id_.replace("-", "_"), "-" + id_, id_ + "%20", "%20" + id_, id_ + "%0A", id_ + "%00", id_ + ".",
                bare[:4] + "-" + bare[4:12] + "-" + bare[12:16] + "-" + bare[16:20] + "-" + bare[20:], "0", "x", "null",
                id_ + "," + id_, "%ff" + id_[3:], id_[:-2] + "%C3%A9"):
        a = api.get(f"/v1/rooms/{bad}", check="%00" not in bad)
        if "%00" in bad:
            assert a.status in (400, 404)
        else:
            a.is_problem(404, "room-not-found")


def test_E063_id_of_a_user_is_as_unknown_as_any(stack, api):
    words = set()
    reservation = stack.reserve(stack.room(price=0), stack.user()).json["id"]
    for id_ in (stack.user().id, reservation, str(uuid.uuid4()), "nonsense"):
        a = api.get(f"/v1/rooms/{id_}", request_id="e063").is_problem(404, "room-not-found")
        words.add(a.body)
    assert len(words) == 1, words


def test_E099_archived_room_is_404(stack, api):
    room = stack.room()
    etag = api.get(f"/v1/rooms/{room.id}").header("ETag")
    stack.archive(room)
    api.get(f"/v1/rooms/{room.id}").is_problem(404, "room-not-found")
    api.get(f"/v1/rooms/{room.id}", headers=[("If-None-Match", etag)]).is_problem(404, "room-not-found")


def test_get_shows_what_is_left_after_each_reservation(stack, api):
    room, user = stack.room(total=3, price=1), stack.user(points=10)
    for left in (2, 1, 0):
        stack.reserve(room, user)
        assert api.get(f"/v1/rooms/{room.id}").json["available_amount"] == left


def test_if_none_match_is_honoured(stack, api):
    room = stack.room()
    target = f"/v1/rooms/{room.id}"
    etag = api.get(target).header("ETag")
    for value, status in ((etag, 304), ("W/" + etag, 304), ("*", 304), (f'"x", {etag}', 304), (f'"x",W/{etag} , "y"', 304),
                          ('"x"', 200), (etag.strip('"'), 200), (etag[:-1] + 'x"', 200), ('""', 200), ("", 200)):
        a = api.get(target, headers=[("If-None-Match", value)])
        assert a.status == status, (value, a)
        assert a.header("ETag") == etag
        head = api.head(target, headers=[("If-None-Match", value)])
        assert head.status == status, (value, head)
    a = api.get(target, headers=[("If-None-Match", '"x"'), ("If-None-Match", etag)])
    assert a.status in (200, 304, 400)  # nginx takes it once only


def test_E057_head_has_the_headers_of_get_and_no_body(stack, api):
    user = stack.user(points=5)
    room = stack.room(price=0)
    made = stack.reserve(room, user).json
    for target in (f"/v1/rooms/{room.id}", "/v1/rooms?limit=3", f"/v1/reservations?user_id={user.id}",
                   f"/v1/reservations/{made['id']}", f"/v1/users/{user.id}/points", "/healthz", "/readyz",
                   f"/v1/rooms/{uuid.uuid4()}", "/v1/rooms?limit=0", "/v1/nothing", "/nothing"):
        wire = api.wire()
        a = api.get(target, request_id="e057")
        b = api.head(target, request_id="e057", wire=wire)
        skip = {"date", "connection", "keep-alive"}
        # nginx need not count the bytes of a body that it doesn't send
        want = sorted((n.lower(), v) for n, v in a.headers if n.lower() not in skip)
        have = sorted((n.lower(), v) for n, v in b.headers if n.lower() not in skip)
        assert (b.status, have) == (a.status, want), target
        # the connection is in step: no body came
        assert api.get("/healthz", wire=wire, key=None).status == 200
        wire.close()
