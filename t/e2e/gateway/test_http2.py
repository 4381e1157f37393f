"""HTTP/2 gets the same rules"""

import json
import uuid

import pytest

from h2client import H2


@pytest.fixture
def h2(stack):
    connection = H2(stack)
    yield connection
    connection.close()


def key(stack, name="public"):
    return ("x-api-key", stack.keys[name])


def one(stack, connection, *args, **how):
    answer, = connection.answers(connection.ask(*args, **how))
    assert answer is not None, connection.gone
    stack.api.observe(answer)
    return answer


def test_http2_answers_like_http1(stack, api, h2):
    room = stack.room()
    for target in (f"/v1/rooms/{room.id}", f"/v1/rooms/{uuid.uuid4()}", "/v1/nothing", "/nothing", "/healthz", "/v1/rooms?limit=0"):
        a, b = one(stack, h2, "GET", target, [key(stack), ("x-request-id", "h2")]), api.get(target, request_id="h2")
        assert (a.status, a.body) == (b.status, b.body)
        skip = ("date", "connection", "keep-alive", "transfer-encoding")
        assert sorted((n.lower(), v) for n, v in a.headers if n not in skip) == sorted((n.lower(), v) for n, v in b.headers if n.lower() not in skip)


def test_http2_posts_with_a_body(stack, h2):
    room, user = stack.room(price=10), stack.user(points=100)
    body = json.dumps({"room_id": room.id, "user": {"id": user.id}}).encode()
    id_ = "h2-" + uuid.uuid4().hex[:8]
    a = one(stack, h2, "POST", "/v1/reservations", [key(stack), ("content-type", "application/json"), ("x-request-id", id_), ("idempotency-key", "h2")], body)
    assert a.status == 201 and a.request_id == id_ and stack.balance(user) == 90
    b = one(stack, h2, "POST", "/v1/reservations", [key(stack), ("content-type", "application/json"), ("idempotency-key", "h2")], body)
    assert b.body == a.body and b.replayed


def test_100_streams_at_once_on_one_connection(stack, h2):
    room, user = stack.room(total=40, price=1), stack.user(points=1000)
    body = json.dumps({"room_id": room.id, "user": {"id": user.id}}).encode()
    streams = [h2.ask("POST", "/v1/reservations", [key(stack), ("content-type", "application/json"), ("x-request-id", f"s{i}-{user.id[:8]}")], body)
               for i in range(100)]
    answers = h2.answers(*streams)
    assert None not in answers
    for a in answers:
        a.idem, a.key_name, a.request_body = None, "public", body
        stack.api.observe(a)
    assert sorted(a.status for a in answers) == [201] * 40 + [409] * 60
    assert stack.balance(user) == 960 and stack.available(room) == 0


def test_no_two_streams_get_the_same_request_id(stack, h2):
    ids = {a.request_id for a in h2.answers(*[h2.ask("GET", "/healthz") for _ in range(60)])}
    assert len(ids) == 60, ids


def test_http2_refusals(stack, h2):
    user = stack.user()
    json_ = ("content-type", "application/json")
    with stack.unchanged():
        one(stack, h2, "GET", "/v1/rooms").is_problem(401, "unauthorized")
        one(stack, h2, "GET", "/v1/rooms", [key(stack), key(stack, "restricted")]).is_problem(401, "unauthorized")
        one(stack, h2, "GET", "/v1/rooms", [key(stack, "restricted"), key(stack)]).is_problem(401, "unauthorized")
        one(stack, h2, "GET", "/v1/rooms", [("cookie", f"x-api-key={stack.keys['public']}")]).is_problem(401, "unauthorized")
        one(stack, h2, "DELETE", "/v1/rooms", [key(stack)]).is_problem(405, "method-not-allowed")
        one(stack, h2, "POST", f"/v1/users/{user.id}/points", [key(stack), json_], b"{}").is_problem(403, "forbidden")
        one(stack, h2, "POST", "/v1/reservations", [key(stack), json_], b"{").is_problem(400, "malformed-json")
        one(stack, h2, "POST", "/v1/reservations", [key(stack), json_], b"").is_problem(400, "malformed-json")
        one(stack, h2, "POST", "/v1/reservations", [key(stack)], b"{}").is_problem(415, "unsupported-media-type")
    assert one(stack, h2, "OPTIONS", "/v1/rooms").status == 204
    assert one(stack, h2, "HEAD", "/v1/rooms", [key(stack)]).body == b""


def test_http2_too_large(stack):
    connection = H2(stack)
    one(stack, connection, "POST", "/v1/reservations", [key(stack), ("content-type", "application/json")], b" " * 20000).is_problem(413, "payload-too-large")
    connection.close()
    for headers in ([("x-long", "".join(chr(33 + i * i % 90) for i in range(12000)))], [(f"x-{i}", f"{i}" * 4000) for i in range(10, 30)]):
        connection = H2(stack)
        answer, = connection.answers(connection.ask("GET", "/v1/rooms", [key(stack), *headers]))
        if answer is None:
            assert connection.gone, "nginx may end the connection over a header that it does not want to read"
        else:
            answer.is_problem(431, "bad-request")
        connection.close()
        assert stack.api.get("/healthz", key=None).status == 200


def test_http2_bodies_without_a_length(stack, h2):
    room, user = stack.room(price=0), stack.user()
    body = json.dumps({"room_id": room.id, "user": {"id": user.id}}).encode()
    stream = h2.h2.get_next_available_stream_id()
    h2.h2.send_headers(stream, [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/v1/reservations"), key(stack),
                                ("content-type", "application/json"), ("x-request-id", "nolen-" + user.id[:8])])
    h2.streams[stream], h2.asked[stream] = [None, b"", None], ("POST", "/v1/reservations", [])
    for i in range(0, len(body), 11):
        h2.h2.send_data(stream, body[i:i + 11], end_stream=i + 11 >= len(body))
    h2.flush()
    answer, = h2.answers(stream)
    assert answer.status == 201


def test_http2_request_id_with_line_breaks_splits_nothing(stack):
    for value in ("a\r\nx-injected: 1", "a\nb", "a\0b"):
        connection = H2(stack)
        answer, = connection.answers(connection.ask("GET", "/v1/rooms?limit=1", [key(stack), ("x-request-id", value)]))
        if answer is not None:
            assert not answer.all("x-injected") and answer.status in (200, 400)
            stack.api.observe(answer)
        connection.close()
        assert stack.api.get("/healthz", key=None).status == 200


def test_access_log_is_json_whatever_happened(stack):
    """nginx has no status for what ends before it has read a request."""
    import time
    connection = H2(stack)
    connection.answers(connection.ask("GET", "/v1/rooms", [key(stack), ("x-long", "".join(chr(33 + i * i % 90) for i in range(12000)))]))
    connection.close()
    for data in (b"GET /v1/rooms", b"GET /v1/rooms HTTP/1.1\r\nHost: x\r\nX-Half: ", b"\x00\x01\x02\r\n\r\n", b"POST /v1/reservations HTTP/1.1\r\nHost: x\r\n"
                 b"X-API-Key: " + stack.keys["public"].encode() + b"\r\nContent-Length: 100\r\n\r\n{", b"GET /\xff\xfe\"\\ HTTP/1.1\r\nHost: x\r\n\r\n"):
        wire = stack.api.wire()
        wire.send(data)
        time.sleep(0.05)
        wire.reset()
    id_ = "last-" + uuid.uuid4().hex[:8]
    stack.api.get("/healthz", key=None, request_id=id_)
    time.sleep(1.3)
    stack.access_log_text()
    for entry in stack.access_log():
        assert isinstance(entry["status"], int) and isinstance(entry["request_time"], (int, float)), entry
