#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "buf.h"
#include "check.h"
#include "json.h"
#include "jsonw.h"

/* The buffer of the test at hand. */
static struct buf b;

static struct jsonw
begin(void)
{
	buf_reset(&b);
	return jsonw_begin(&b);
}

static void
writes(const struct jsonw *w, const char *want)
{
	CHECK(jsonw_end(w), "'%s' is not complete", want);
	CHECK_TEXT("what was written", b.p, b.len, want);
	buf_free(&b);
}

static void
is_broken(const struct jsonw *w, const char *what)
{
	CHECK(w->broken, "%s is not noticed", what);
	CHECK(!jsonw_end(w), "%s: jsonw_end is content", what);
	buf_free(&b);
}

static void
jsonw_writes_every_kind(void)
{
	static const unsigned char id[16] = {0x01, 0x92, 0xf4, 0xa1, 0x7b, 0x3c, 0x7d, 0xef, 0x81};
	struct jsonw w = begin();

	jsonw_object(&w);
	jsonw_name(&w, "o");
	jsonw_object(&w);
	jsonw_close(&w);
	jsonw_name(&w, "a");
	jsonw_array(&w);
	jsonw_int(&w, LLONG_MIN);
	jsonw_int(&w, LLONG_MAX);
	jsonw_bool(&w, true);
	jsonw_bool(&w, false);
	jsonw_null(&w);
	jsonw_str(&w, "s");
	jsonw_text(&w, "text", 2);
	jsonw_uuid(&w, id);
	jsonw_digits(&w, "-12345678901234567890", 21);
	jsonw_array(&w);
	jsonw_close(&w);
	jsonw_object(&w);
	jsonw_close(&w);
	jsonw_close(&w);
	jsonw_name(&w, "z");
	jsonw_int(&w, 0);
	jsonw_close(&w);
	writes(&w,
	    "{\"o\":{},\"a\":[-9223372036854775808,9223372036854775807,true,false,null,\"s\","
	    "\"te\","
	    "\"0192f4a1-7b3c-7def-8100-000000000000\",-12345678901234567890,[],{}],\"z\":0}");
}

static void
jsonw_writes_a_lone_value(void)
{
	struct jsonw w = begin();

	CHECK(!jsonw_end(&w), "nothing is not complete");
	jsonw_int(&w, 1);
	writes(&w, "1");
	w = begin();
	jsonw_array(&w);
	jsonw_close(&w);
	writes(&w, "[]");
}

static void
jsonw_escapes_every_byte_so_that_it_reads_back(void)
{
	struct json_object *o = NULL;
	char text[2];
	int c;

	for (c = 1; c < 0x80; c++) {
		struct jsonw w = begin();
		const char *why;

		text[0] = (char)c;
		text[1] = 'x';
		jsonw_text(&w, text, 2);
		CHECK(jsonw_end(&w), "byte %02x", (unsigned)c);
		why = json_read(b.p, b.len, &o);
		if (!CHECK(why == NULL, "byte %02x: %s", (unsigned)c, why != NULL ? why : ""))
			continue;
		CHECK(json_object_get_string_len(o) == 2
			  && memcmp(json_object_get_string(o), text, 2) == 0,
		    "byte %02x", (unsigned)c);
		json_object_put(o);
	}
	buf_free(&b);
}

static void
jsonw_escapes_as_agreed(void)
{
	struct jsonw w = begin();

	jsonw_text(&w, "\"\\/\n\r\t\0\x1f\x7f\xc3\xa9</script>", 20);
	writes(&w, "\"\\\"\\\\/\\n\\u000d\\u0009\\u0000\\u001f\\u007f\xc3\xa9</script>\"");
	w = begin();
	jsonw_text(&w, "", 0);
	writes(&w, "\"\"");
}

static void
jsonw_notices_values_out_of_place(void)
{
	struct jsonw w = begin();

	jsonw_int(&w, 1);
	jsonw_int(&w, 2);
	is_broken(&w, "a second top value");
	w = begin();
	jsonw_array(&w);
	jsonw_close(&w);
	jsonw_array(&w);
	is_broken(&w, "a second top array");
	w = begin();
	jsonw_object(&w);
	jsonw_int(&w, 1);
	is_broken(&w, "a value without a name");
	w = begin();
	jsonw_object(&w);
	jsonw_name(&w, "a");
	jsonw_int(&w, 1);
	jsonw_array(&w);
	is_broken(&w, "an array without a name");
}

static void
jsonw_notices_names_out_of_place(void)
{
	struct jsonw w = begin();

	jsonw_name(&w, "a");
	is_broken(&w, "a name at the top");
	w = begin();
	jsonw_array(&w);
	jsonw_name(&w, "a");
	is_broken(&w, "a name in an array");
	w = begin();
	jsonw_object(&w);
	jsonw_name(&w, "a");
	jsonw_name(&w, "b");
	is_broken(&w, "two names");
	w = begin();
	jsonw_object(&w);
	jsonw_name(&w, "a");
	jsonw_close(&w);
	is_broken(&w, "a name without a value");
	w = begin();
	jsonw_object(&w);
	jsonw_close(&w);
	jsonw_name(&w, "a");
	is_broken(&w, "a name after the end");
}

static void
jsonw_notices_brackets_out_of_place(void)
{
	struct jsonw w = begin();

	jsonw_close(&w);
	is_broken(&w, "a close of nothing");
	w = begin();
	jsonw_object(&w);
	jsonw_close(&w);
	jsonw_close(&w);
	is_broken(&w, "a close too many");
	w = begin();
	jsonw_array(&w);
	CHECK(!jsonw_end(&w) && !w.broken, "an open array is not complete");
	buf_free(&b);
	w = begin();
	jsonw_object(&w);
	jsonw_name(&w, "a");
	jsonw_array(&w);
	jsonw_close(&w);
	CHECK(!jsonw_end(&w) && !w.broken, "an open object is not complete");
	buf_free(&b);
}

static void
jsonw_writes_nothing_once_broken(void)
{
	struct jsonw w = begin();
	size_t len;

	jsonw_array(&w);
	jsonw_name(&w, "a");
	len = b.len;
	jsonw_int(&w, 1);
	jsonw_str(&w, "s");
	jsonw_object(&w);
	jsonw_name(&w, "a");
	jsonw_close(&w);
	jsonw_close(&w);
	CHECK(b.len == len, "%zu bytes more", b.len - len);
	is_broken(&w, "a name in an array");
}

static void
jsonw_takes_only_digits_as_digits(void)
{
	static const char *const bad[] = {"", "-", "1.5", "1e5", "+1", " 1", "1 ", "0x1", "1-",
	    "--1", "NULL", "1,2", "007", "-01", "00"};
	static const char *const fine[] = {
	    "0", "-1", "1", "9007199254740993", "-9223372036854775808"};
	struct jsonw w;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		w = begin();
		jsonw_digits(&w, bad[i], strlen(bad[i]));
		CHECK(b.len == 0, "'%s' is written", bad[i]);
		is_broken(&w, bad[i]);
	}
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		w = begin();
		jsonw_digits(&w, fine[i], strlen(fine[i]));
		writes(&w, fine[i]);
	}
}

static void
jsonw_goes_16_deep_and_no_deeper(void)
{
	struct jsonw w = begin();
	int i;

	for (i = 0; i < 16; i++)
		jsonw_array(&w);
	for (i = 0; i < 16; i++)
		jsonw_close(&w);
	writes(&w, "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
	w = begin();
	for (i = 0; i < 17; i++)
		jsonw_array(&w);
	is_broken(&w, "level 17");
	w = begin();
	jsonw_array(&w);
	for (i = 0; i < 15; i += 3) {
		jsonw_object(&w);
		jsonw_name(&w, "a");
		jsonw_array(&w);
		jsonw_array(&w);
	}
	for (i = 0; i < 16; i++)
		jsonw_close(&w);
	writes(&w, "[{\"a\":[[{\"a\":[[{\"a\":[[{\"a\":[[{\"a\":[[]]}]]}]]}]]}]]}]");
}

static void
jsonw_end_sees_a_failed_buffer(void)
{
	struct jsonw w = begin();

	jsonw_int(&w, 1);
	b.failed = true;
	CHECK(!jsonw_end(&w), "content without memory");
	buf_free(&b);
}

/* Random calls: whatever jsonw_end is content with reads back. */
static void
jsonw_never_passes_broken_json(void)
{
	unsigned seed = 1, round, complete = 0;

	for (round = 0; round < 20000; round++) {
		struct jsonw w = begin();
		struct json_object *o = NULL;
		int calls;

		for (calls = 0; calls < 12 && !jsonw_end(&w); calls++) {
			seed = seed * 1103515245 + 12345;
			switch (seed >> 16 & 7) {
			case 0:
				jsonw_object(&w);
				break;
			case 1:
				jsonw_array(&w);
				break;
			case 2:
			case 3:
				jsonw_close(&w);
				break;
			case 4:
				jsonw_name(&w, calls & 1 ? "a" : calls & 2 ? "b" : "c");
				break;
			case 5:
				jsonw_int(&w, calls);
				break;
			case 6:
				jsonw_str(&w, "\"\n");
				break;
			default:
				jsonw_digits(&w, "-7", 2);
				break;
			}
		}
		if (!jsonw_end(&w))
			continue;
		complete++;
		/* a name twice is the caller's fault, not the writer's */
		const char *why = json_read(b.p, b.len, &o);
		CHECK(why == NULL || strstr(why, "twice") != NULL, "'%.*s': %s", (int)b.len, b.p,
		    why);
		json_object_put(o);
	}
	CHECK(complete > 1000, "only %u texts were complete", complete);
	buf_free(&b);
}

CU_TestInfo tests_jsonw[] = {
    TEST(jsonw_writes_every_kind),
    TEST(jsonw_writes_a_lone_value),
    TEST(jsonw_escapes_every_byte_so_that_it_reads_back),
    TEST(jsonw_escapes_as_agreed),
    TEST(jsonw_notices_values_out_of_place),
    TEST(jsonw_notices_names_out_of_place),
    TEST(jsonw_notices_brackets_out_of_place),
    TEST(jsonw_writes_nothing_once_broken),
    TEST(jsonw_takes_only_digits_as_digits),
    TEST(jsonw_goes_16_deep_and_no_deeper),
    TEST(jsonw_end_sees_a_failed_buffer),
    TEST(jsonw_never_passes_broken_json),
    CU_TEST_INFO_NULL,
};
