"""Strict input: what a body may be"""

import json
import time
import uuid

import pytest

ROOM, USER = str(uuid.uuid4()), str(uuid.uuid4())
GOOD = json.dumps({"room_id": ROOM, "user": {"id": USER}}).encode()  # well-formed: 404, for neither exists


def deep(levels, inside=b"1"):
    """Arrays in an object, so many levels in all."""
    return b'{"x":' + b"[" * (levels - 1) + inside + b"]" * (levels - 1) + b"}"


BROKEN = {
    "E037_empty": b"",
    "E037_blank": b" \t\r\n ",
    "E040_trailing_garbage": GOOD + b" x",
    "E040_trailing_brace": GOOD + b"}",
    "E040_trailing_comma": GOOD + b",",
    "E040_two_documents": GOOD + GOOD,
    "E040_two_documents_on_lines": GOOD + b"\n" + GOOD,
    "E040_trailing_nul": GOOD + b"\0",
    "E040_comment_after": GOOD + b"/* x */",
    "E040_comment_before": b"// x\n" + GOOD,
    "E042_twice": b'{"room_id":"a","room_id":"a"}',
    "E042_twice_escaped": b'{"room_id":"a","\\u0072oom_id":"b"}',
    "E042_twice_all_escaped": b'{"\\u0061":1,"\\u0061":1}',
    "E042_twice_upper_escape": b'{"\\u00e9":1,"\\u00E9":1}',
    "E042_twice_in_the_depth": b'{"room_id":"a","user":{"id":1,"name":"x","id":1}}',
    "E042_twice_in_an_array": b'{"x":[1,{"a":1,"a":2}]}',
    "E042_twice_surrogates": b'{"\\ud83d\\ude00":1,"\xf0\x9f\x98\x80":1}',
    "E042_twice_empty_name": b'{"":1,"":1}',
    "E042_twice_slash": b'{"a/b":1,"a\\/b":1}',
    "E043_overlong_nul": b'{"room_id":"\xc0\x80"}',
    "E043_overlong_slash": b'{"room_id":"\xc0\xaf"}',
    "E043_overlong_3": b'{"room_id":"\xe0\x80\xaf"}',
    "E043_overlong_4": b'{"room_id":"\xf0\x80\x80\xaf"}',
    "E043_lone_f0": b'{"room_id":"\xf0"}',
    "E043_lone_continuation": b'{"room_id":"\x80"}',
    "E043_truncated": b'{"room_id":"\xe2\x82"}',
    "E043_truncated_in_name": b'{"\xe2\x82":1}',
    "E043_encoded_surrogates": b'{"room_id":"\xed\xa0\x80"}',
    "E043_encoded_surrogate_pair": b'{"room_id":"\xed\xa0\xbd\xed\xb8\x80"}',
    "E043_past_10ffff": b'{"room_id":"\xf4\x90\x80\x80"}',
    "E043_five_bytes": b'{"room_id":"\xf8\x88\x80\x80\x80"}',
    "E043_fe_ff": b'{"room_id":"\xfe\xff"}',
    "E043_latin_1": '{"room_id":"é"}'.encode("latin-1"),
    "E043_utf_16": GOOD.decode().encode("utf-16"),
    "E043_utf_16_le": GOOD.decode().encode("utf-16-le"),
    "E043_utf_32": GOOD.decode().encode("utf-32"),
    "E043_outside_strings": GOOD[:-1] + b"\xc3\xa9}",
    "E044_escaped_nul": b'{"room_id":"a\\u0000b"}',
    "E044_escaped_nul_in_name": b'{"room\\u0000_id":1}',
    "E044_raw_nul": b'{"room_id":"a\0b"}',
    "E044_nul_between": b'{"room_id":\0"a"}',
    "E044_only_nul": b"\0",
    "E044_nul_first": b"\0" + GOOD,
    "E048_deep_arrays": b"[" * 10000,
    "E048_deep_closed": b"[" * 8000 + b"]" * 8000,
    "E048_deep_objects": b'{"a":' * 3000,
    "E048_deep_mixed": b'[{"a":' * 2500,
    "depth_17": deep(17),
    "depth_17_objects": b'{"x":' * 17 + b"1" + b"}" * 17,
    "depth_17_empty": deep(17, b""),
    "bom": b"\xef\xbb\xbf" + GOOD,
    "bom_alone": b"\xef\xbb\xbf",
    "lone_high_surrogate": b'{"room_id":"\\ud800"}',
    "lone_low_surrogate": b'{"room_id":"\\udc00"}',
    "surrogates_reversed": b'{"room_id":"\\ude00\\ud83d"}',
    "high_then_letter": b'{"room_id":"\\ud800\\u0041"}',
    "two_high": b'{"room_id":"\\ud800\\ud800"}',
    "lone_surrogate_in_name": b'{"\\ud800":1}',
    "open": b"{",
    "half": GOOD[:-1],
    "half_string": GOOD[:20],
    "half_true": b'{"a":tru',
    "single_quotes": b"{'room_id':'a'}",
    "bare_name": b'{room_id:"a"}',
    "comma_at_the_end": b'{"a":1,}',
    "comma_at_the_end_of_an_array": b'{"a":[1,]}',
    "comma_first": b'{,"a":1}',
    "two_commas": b'{"a":1,,"b":2}',
    "no_comma": b'{"a":1 "b":2}',
    "no_colon": b'{"a" 1}',
    "no_value": b'{"a":}',
    "number_as_name": b'{1:1}',
    "wrong_bracket": b'{"a":[1}',
    "True": b'{"a":True}',
    "TRUE": b'{"a":TRUE}',
    "Null": b'{"a":Null}',
    "NULL": b'{"a":NULL}',
    "nan": b'{"a":NaN}',
    "infinity": b'{"a":Infinity}',
    "undefined": b'{"a":undefined}',
    "plus": b'{"a":+1}',
    "zero_first": b'{"a":01}',
    "point_first": b'{"a":.5}',
    "point_last": b'{"a":5.}',
    "hexadecimal": b'{"a":0x10}',
    "half_exponent": b'{"a":1e}',
    "minus": b'{"a":-}',
    "raw_newline": b'{"room_id":"a\nb"}',
    "raw_tab": b'{"room_id":"a\tb"}',
    "raw_1f": b'{"room_id":"a\x1fb"}',
    "bad_escape": b'{"room_id":"\\x41"}',
    "escaped_quote": b'{"room_id":"\\\'"}',
    "short_escape": b'{"room_id":"\\u12"}',
    "no_hex_escape": b'{"room_id":"\\u12g4"}',
    "backslash_at_the_end": b'{"room_id":"\\',
    "form_feed_between": b'{\x0c"a":1}',
    "vertical_tab_between": b'{\x0b"a":1}',
    "nbsp_between": '{\u00a0"a":1}'.encode(),
    "line_separator_between": '{\u2028"a":1}'.encode(),
    "form": b"room_id=a&user=b",
    "xml": b"<a/>",
    "json_p": b"f(" + GOOD + b")",
    "prefix": b")]}'\n" + GOOD,
}
POSTS = ["/v1/reservations", f"/v1/reservations/{uuid.uuid4()}/cancel", f"/v1/users/{uuid.uuid4()}/points"]


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_json_is_400(stack, api, name):
    reservation = stack.reserve(stack.room(price=0), stack.user()).json["id"]
    user = stack.user()
    with stack.unchanged():
        for target in ("/v1/reservations", f"/v1/users/{user.id}/points", f"/v1/reservations/{reservation}/cancel"):
            if name == "E037_empty" and target.endswith("cancel"):
                continue  # which needs no member
            a = api.post(target, body=BROKEN[name], key="restricted")
            a.is_problem(400, "malformed-json")
            assert not a.all("Idempotency-Replayed")


def test_E037_empty_body_needs_no_content_type_to_be_400(api):
    for target in ("/v1/reservations", f"/v1/users/{USER}/points"):
        api.post(target, key="restricted").is_problem(400, "malformed-json")


@pytest.mark.parametrize("body", [
    GOOD, b"\r\n\t " + GOOD + b"\n\n", GOOD.replace(b":", b" : "), b'{"room_id":"' + ROOM.encode() + b'","user":{"id":"' + USER.encode() + b'"}}',
    GOOD.replace(b"room_id", b"\\u0072\\u006fom_id"), GOOD.replace(b"-", b"\\u002d"), GOOD.replace(b"-", b"\\u002D")])
def test_well_formed_json_however_it_is_spelled(api, body):
    api.post("/v1/reservations", body=body).is_problem(404, "user-not-found")


@pytest.mark.parametrize("body, pointer", [
    (deep(16), "/x"), (b'{"x":' * 16 + b"1" + b"}" * 16, "/x"), (b'{"x":[' + b"[]," * 2000 + b"1]}", "/x"), (b'{"x":1e400}', "/x"), (b'{"x":-0.0}', "/x"),
    (b'{"x":1E+2}', "/x"), ('{"é":1}'.encode(), "/é"), (b'{"\\u00e9":1}', "/é"), (b'{"x":"\\ud83d\\ude00"}', "/x"), (b'{"x":"\\/\\b\\f\\n\\r\\t\\"\\\\"}', "/x"),
    (b'{"x":"\xf4\x8f\xbf\xbf"}', "/x"), (b'{"x":"\xef\xbb\xbf"}', "/x"), (b'{"x":"\x7f"}', "/x"), (b'{"x":"\\uffff"}', "/x"),
    (b'{"x":' + b"9" * 10000 + b"}", "/x")])
def test_well_formed_json_that_breaks_a_rule_is_422(api, body, pointer):
    a = api.post("/v1/reservations", body=body).is_problem(422, "validation")
    assert pointer in a.pointers, a


@pytest.mark.parametrize("body", [b"[]", b"null", b"true", b"false", b'"x"', b"5", b"1.5", b"[{}]", b'["room_id"]', b"-0", b" 0 "])
def test_top_level_that_is_no_object_is_422(api, body):
    for target in ("/v1/reservations", f"/v1/users/{USER}/points"):
        a = api.post(target, body=body, key="restricted").is_problem(422, "validation")
        assert a.pointers == [""], a


def test_many_unknown_members_are_bounded_in_the_answer(api):
    body = json.dumps({f"m{i}": 1 for i in range(1000)}).encode()
    assert len(body) < 16384
    a = api.post("/v1/reservations", body=body).is_problem(422, "validation")
    assert len(a.body) < 200000


# -- sizes --------------------------------------------------------------------------------------------

def padded(size):
    return GOOD + b" " * (size - len(GOOD))


@pytest.mark.parametrize("size", [16383, 16384])
def test_body_of_16_kib_is_taken(api, size):
    api.post("/v1/reservations", body=padded(size)).is_problem(404, "user-not-found")


@pytest.mark.parametrize("size", [16385, 16386, 17000, 65536, 100000])
def test_E049_body_over_16_kib_is_413(stack, api, size):
    with stack.unchanged():
        for target in POSTS:
            api.post(target, body=padded(size), key="restricted", wire=api.wire()).is_problem(413, "payload-too-large")


def test_E049_10_mb_are_413_before_they_are_read(stack, api):
    started = time.monotonic()
    with stack.unchanged():
        for promised in (10 * 1024 * 1024, 2 ** 31, 2 ** 40):
            head = (f"POST /v1/reservations HTTP/1.1\r\nHost: x\r\nX-API-Key: {stack.keys['public']}\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {promised}\r\n\r\n").encode()
            api.raw(head + b" " * 4096, method="POST", target="/v1/reservations").is_problem(413, "payload-too-large")
            api.raw(head.replace(b"Content-Type", b"Expect: 100-continue\r\nContent-Type"), method="POST",
                    target="/v1/reservations").is_problem(413, "payload-too-large")
    assert time.monotonic() - started < 5


def chunked(body, size):
    out = b"".join(f"{len(body[i:i + size]):x}".encode() + b"\r\n" + body[i:i + size] + b"\r\n" for i in range(0, len(body), size))
    return out + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_E051_chunked_upload_works(stack, api, size):
    room, user = stack.room(price=0), stack.user()
    body = json.dumps({"room_id": room.id, "user": {"id": user.id}}).encode()
    a = api.post("/v1/reservations", body=chunked(body, size), headers=[("Transfer-Encoding", "chunked")])
    assert a.status == 201, a


def test_E051_chunked_upload_has_the_same_limit(stack, api):
    with stack.unchanged():
        api.post("/v1/reservations", body=chunked(padded(16384), 1000), headers=[("Transfer-Encoding", "chunked")]).is_problem(404, "user-not-found")
        for size in (16385, 50000):
            api.post("/v1/reservations", body=chunked(padded(size), 1000), headers=[("Transfer-Encoding", "chunked")],
                     wire=api.wire()).is_problem(413, "payload-too-large")


def test_E051_chunked_and_empty_is_400(api):
    api.post("/v1/reservations", body=b"0\r\n\r\n", headers=[("Transfer-Encoding", "chunked")]).is_problem(400, "malformed-json")


def test_expect_100_continue_is_answered(stack, api):
    wire = api.wire()
    wire.send(f"POST /v1/reservations HTTP/1.1\r\nHost: x\r\nX-API-Key: {stack.keys['public']}\r\nContent-Type: application/json\r\n"
              f"Content-Length: {len(GOOD)}\r\nExpect: 100-continue\r\n\r\n".encode())
    time.sleep(0.1)
    wire.send(GOOD)
    a = wire.answer("POST", "/v1/reservations")
    a.is_problem(404, "user-not-found")
    wire.close()


# -- types --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-gzip", "identity, gzip", "zstd", "x"])
def test_E052_content_encoding_is_415(stack, api, encoding):
    import gzip
    with stack.unchanged():
        for body in (GOOD, gzip.compress(GOOD)):
            a = api.post("/v1/reservations", body=body, headers=[("Content-Encoding", encoding)])
            a.is_problem(415, "unsupported-media-type")


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
                                  "application/jsonp", "application/json5", "application/problem+json", "application/ld+json", "application",
                                  "json", "*/*", "application/*", "text/html; x=application/json", "xapplication/json", "application/jsonx; charset=utf-8"])
def test_E053_other_content_types_are_415(stack, api, kind):
    reservation = stack.reserve(stack.room(price=0), stack.user()).json["id"]
    with stack.unchanged():
        for target in ("/v1/reservations", f"/v1/reservations/{reservation}/cancel", f"/v1/users/{USER}/points"):
            body = b"{}" if target.endswith("cancel") else GOOD
            api.post(target, body=body, key="restricted", content_type=kind).is_problem(415, "unsupported-media-type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "APPLICATION/JSON",
                                  "Application/Json ; Charset=utf-8", "application/json; charset=utf8", 'application/json; charset="utf-8"'])
def test_E053_application_json_is_fine(api, kind):
    api.post("/v1/reservations", body=GOOD, content_type=kind).is_problem(404, "user-not-found")


def test_E053_415_comes_before_400(api):
    api.post("/v1/reservations", body=b"{broken", content_type="text/plain").is_problem(415, "unsupported-media-type")
