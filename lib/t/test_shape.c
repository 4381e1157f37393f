#include <string.h>

#include "buf.h"
#include "check.h"
#include "jsonw.h"
#include "shape.h"

#define ID "0192f4a1-7b3c-7def-8123-456789abcdef"
#define BYTES "\x01\x92\xf4\xa1\x7b\x3c\x7d\xef\x81\x23\x45\x67\x89\xab\xcd\xef"
#define ROOM                                                                                       \
	"{\"id\":\"" ID                                                                            \
	"\",\"name\":\"Blue \\\"1\\\"\",\"available_amount\":3,\"required_points\":1000}"
#define USER "{\"id\":\"" ID "\",\"name\":\"\xc3\x84nne\",\"role\":\"USER\"}"

static void
writes(void (*shape)(struct jsonw *, const struct field *), const struct field *f, const char *want)
{
	struct buf b = {0};
	struct jsonw w = jsonw_begin(&b);

	shape(&w, f);
	CHECK(jsonw_end(&w), "not complete");
	CHECK_TEXT("the shape", b.p, b.len, want);
	buf_free(&b);
}

#define F(s)                                                                                       \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}

static void
shape_room_has_its_four_members(void)
{
	static const struct field f[SHAPE_ROOM] = {F(BYTES), F("Blue \"1\""), F("3"), F("1000")};

	writes(shape_room, f, ROOM);
}

static void
shape_user_has_its_three_members(void)
{
	static const struct field f[SHAPE_USER] = {F(BYTES), F("\xc3\x84nne"), F("USER")};

	writes(shape_user, f, USER);
}

static void
shape_reservation_holds_room_and_user(void)
{
	static const struct field f[SHAPE_RESERVATION] = {F(BYTES), F("RESERVED"), F("900"),
	    F(BYTES), F("Blue \"1\""), F("3"), F("1000"), F(BYTES), F("\xc3\x84nne"), F("USER"),
	    F("2026-11-23T21:07:00.123456Z"), F("2026-11-24T00:00:00.000000Z")};

	writes(shape_reservation, f,
	    "{\"id\":\"" ID "\",\"status\":\"RESERVED\",\"points\":900,\"room\":" ROOM
	    ",\"user\":" USER ",\"created_at\":\"2026-11-23T21:07:00.123456Z\",\"updated_at\":"
	    "\"2026-11-24T00:00:00.000000Z\"}");
}

static void
shape_of_an_amount_that_is_no_number_is_broken(void)
{
	static const struct field f[SHAPE_ROOM] = {F(BYTES), F("a"), F("x"), F("1000")};
	struct buf b = {0};
	struct jsonw w = jsonw_begin(&b);

	shape_room(&w, f);
	CHECK(!jsonw_end(&w), "a room with 'x' available");
	buf_free(&b);
}

static void
shape_id_takes_sixteen_bytes_and_nothing_else(void)
{
	static const struct field bytes = F(BYTES),
				  others[] = {F("0192f4a17b3c7def8123456789abcdef"), F(""), F(ID),
				      F("fifteen bytes, "), {NULL, 0}, {NULL, 16}};
	unsigned char out[16] = "unchanged";
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct buf b = {0};
		struct jsonw w = jsonw_begin(&b);

		CHECK(!shape_id(&others[i], out) && strcmp((char *)out, "unchanged") == 0,
		    "number %zu", i);
		jsonw_object(&w);
		shape_member_id(&w, "id", &others[i]);
		jsonw_close(&w);
		CHECK(!jsonw_end(&w), "an answer with id number %zu: %.*s", i, (int)b.len, b.p);
		buf_free(&b);
	}
	CHECK(shape_id(&bytes, out) && memcmp(out, BYTES, 16) == 0, "16 bytes");
}

static void
one_member(void (*member)(struct jsonw *, const char *, const struct field *),
    const struct field *f, const char *want)
{
	struct buf b = {0};
	struct jsonw w = jsonw_begin(&b);

	jsonw_object(&w);
	member(&w, "a", f);
	jsonw_close(&w);
	CHECK(jsonw_end(&w) == (want != NULL), "%.*s", (int)b.len, b.p);
	if (want != NULL)
		CHECK_TEXT("the member", b.p, b.len, want);
	buf_free(&b);
}

static void
shape_null_is_null_and_an_empty_text_is_none(void)
{
	static const struct field null = {NULL, 0}, empty = F(""), bytes = F(BYTES);

	one_member(shape_member_text_or_null, &null, "{\"a\":null}");
	one_member(shape_member_text_or_null, &empty, "{\"a\":\"\"}");
	one_member(shape_member_text, &null, NULL);
	one_member(shape_member_id_or_null, &null, "{\"a\":null}");
	one_member(shape_member_id_or_null, &empty, NULL);
	one_member(shape_member_id_or_null, &bytes, "{\"a\":\"" ID "\"}");
}

static void
shape_time_is_rfc3339_in_either_form(void)
{
	static const struct field sql = F("2026-11-23 21:07:00.123456"),
				  rfc = F("2026-11-23T21:07:00.123456Z"), null = {NULL, 0};

	one_member(shape_member_time, &sql, "{\"a\":\"2026-11-23T21:07:00.123456Z\"}");
	one_member(shape_member_time, &rfc, "{\"a\":\"2026-11-23T21:07:00.123456Z\"}");
	one_member(shape_member_time, &null, NULL);
	one_member(shape_member_time_or_null, &null, "{\"a\":null}");
	one_member(shape_member_time_or_null, &sql, "{\"a\":\"2026-11-23T21:07:00.123456Z\"}");
}

CU_TestInfo tests_shape[] = {
    TEST(shape_room_has_its_four_members),
    TEST(shape_user_has_its_three_members),
    TEST(shape_reservation_holds_room_and_user),
    TEST(shape_of_an_amount_that_is_no_number_is_broken),
    TEST(shape_id_takes_sixteen_bytes_and_nothing_else),
    TEST(shape_null_is_null_and_an_empty_text_is_none),
    TEST(shape_time_is_rfc3339_in_either_form),
    CU_TEST_INFO_NULL,
};
