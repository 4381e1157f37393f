#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "check.h"
#include "json.h"

/* An address that is not of a value: *out must stay so after a refusal. */
static struct json_object *const untouched = (struct json_object *)&tests_json;

/* Read from memory of just this length, so that a sanitizer sees one byte too many. */
static const char *
read_exactly(const char *s, size_t len, struct json_object **out)
{
	char *copy = malloc(len + (len == 0));
	const char *why;

	memcpy(copy, s, len);
	why = json_read(copy, len, out);
	free(copy);
	return why;
}

static void
refuses(const char *s, size_t len)
{
	struct json_object *o = untouched;
	const char *why = read_exactly(s, len, &o);

	CHECK(why != NULL && *why != '\0', "'%.*s' is taken", (int)(len < 80 ? len : 80), s);
	CHECK(o == untouched, "'%.*s': *out has changed", (int)(len < 80 ? len : 80), s);
	if (why == NULL)
		json_object_put(o);
}

static void
refuses_because(const char *s, const char *reason)
{
	struct json_object *o = untouched;
	const char *why = read_exactly(s, strlen(s), &o);

	CHECK_TEXT(s, why != NULL ? why : "taken", why != NULL ? strlen(why) : 5, reason);
	if (why == NULL)
		json_object_put(o);
}

/* Taken, and json-c's own text of it is want. */
static void
takes(const char *s, size_t len, const char *want)
{
	struct json_object *o = untouched;
	const char *why = read_exactly(s, len, &o), *text;

	if (!CHECK(why == NULL, "'%.*s' is refused: %s", (int)len, s, why != NULL ? why : ""))
		return;
	text = json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	CHECK_TEXT(s, text, strlen(text), want);
	json_object_put(o);
}

#define TAKES(s, want) takes(s, strlen(s), want)

static void
read_takes_what_rfc_8259_allows(void)
{
	TAKES("{}", "{}");
	TAKES(" \t\r\n{ \"a\" : [ 1 , 2 ] } \n", "{\"a\":[1,2]}");
	TAKES("[]", "[]");
	TAKES("\"\"", "\"\"");
	TAKES("true", "true");
	TAKES("false", "false");
	TAKES("null", "null");
	TAKES(" null ", "null");
	TAKES("0", "0");
	TAKES("12", "12");
	TAKES("12 ", "12");
	TAKES("[null,true,false,{},[]]", "[null,true,false,{},[]]");
	TAKES("{\"a\":null}", "{\"a\":null}");
	TAKES("{\"\":1}", "{\"\":1}");
	TAKES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
	TAKES("\"\\u00e9\\u20AC\\ud83d\\uDE00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	TAKES("\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"", "\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"");
}

static void
read_gives_null_for_null(void)
{
	struct json_object *o = untouched;

	CHECK(json_read("null", 4, &o) == NULL && o == NULL, "null");
}

static void
read_keeps_equal_names_apart_where_they_are_of_different_objects(void)
{
	TAKES("{\"a\":{\"a\":{\"a\":1}}}", "{\"a\":{\"a\":{\"a\":1}}}");
	TAKES("[{\"a\":1},{\"a\":2}]", "[{\"a\":1},{\"a\":2}]");
	TAKES("{\"a\":1,\"A\":2,\"\":3}", "{\"a\":1,\"A\":2,\"\":3}");
	TAKES("{\"\xc3\xa9\":1,\"e\xcc\x81\":2}", "{\"\xc3\xa9\":1,\"e\xcc\x81\":2}");
}

static void
read_refuses_an_empty_text(void)
{
	refuses_because("", "the text is empty");
	refuses(" ", 1);
	refuses("\n\t ", 3);
}

static void
read_refuses_what_follows_the_text(void)
{
	static const char *const bad[] = {"{}{}", "{} {}", "{}x", "{},", "1 2", "nullnull", "true,",
	    "[]]", "{}}", "\"a\"\"b\"", "{}\x0b", "{}//", "{}/**/", "1\xc2\xa0"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]));
	refuses("{}\0", 3);
	refuses("1\0", 2);
}

static void
read_refuses_a_name_given_twice_however_spelled(void)
{
	static const char why[] = "a name is given twice";

	refuses_because("{\"amount\":1,\"amount\":1000}", why);
	refuses_because("{\"amount\":1,\"amount\":1}", why);
	refuses_because("{\"amount\":1,\"\\u0061mount\":1000}", why);
	refuses_because("{\"\\u0061\":1,\"\\u0061\":2}", why);
	refuses_because("{\"\\u00e9\":1,\"\xc3\xa9\":2}", why);
	refuses_because("{\"\\u00E9\":1,\"\\u00e9\":2}", why);
	refuses_because("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", why);
	refuses_because("{\"/\":1,\"\\/\":2}", why);
	refuses_because("{\"\\n\":1,\"\\u000a\":2}", why);
	refuses_because("{\"\\\"\":1,\"\\u0022\":2}", why);
	refuses_because("{\"\":1,\"\":2}", why);
	refuses_because("{\"a\":1,\"b\":2,\"a\":3}", why);
	refuses_because("{\"x\":{\"a\":1,\"a\":2}}", why);
	refuses_because("[0,{\"x\":[{\"a\":null,\"a\":null}]}]", why);
	refuses_because("{\"x\":{\"a\":1},\"x\":{\"a\":1,\"b\":2,\"c\":3}}", why);
	refuses_because("{\"x\":{\"a\":1,\"b\":2},\"x\":1}", why);
}

static void
read_refuses_bad_utf8(void)
{
	static const char *const bad[] = {"\"\xc0\x80\"", "\"\xf0\"", "\"\xed\xa0\x80\"",
	    "\"\xff\"", "\"\x80\"", "\"\xc3\"", "\"\xe2\x82\"", "\"\xf4\x90\x80\x80\"",
	    "{\"\xc0\x80\":1}", "\xc3\xa9", "[\"a\",\"\xf8\x88\x80\x80\x80\"]",
	    "\"\xed\xb0\x80\xed\xa0\x80\""};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]));
	refuses("\"\xf0\x9f\x98", 4);
}

static void
read_refuses_nul(void)
{
	refuses("\"\\u0000\"", 8);
	refuses("\"a\\u0000b\"", 10);
	refuses("{\"a\\u0000b\":1}", 14);
	refuses("\"a\0b\"", 5);
	refuses("\0{}", 3);
	refuses("{\0}", 3);
	refuses("\0", 1);
	refuses("{}\0{}", 5);
	refuses("\"\\\0\"", 4);
}

static void
read_refuses_lone_surrogates(void)
{
	static const char *const bad[] = {"\"\\ud800\"", "\"\\udc00\"", "\"\\uDBFF\"",
	    "\"\\uDFFF\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"",
	    "\"\\ud800\\u0041\"", "\"\\udc00\\ud800\"", "\"\\ud83d\\ude00\\ude00\"",
	    "{\"\\ud800\":1}", "\"\\ud800\\\"", "\"\\ud800\\u", "\"\\ud800\\uDC0\""};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]));
}

static void
read_refuses_a_byte_order_mark(void)
{
	refuses("\xef\xbb\xbf{}", 5);
	refuses("\xfe\xff\0{\0}", 6);
	refuses("\xff\xfe{\0}\0", 6);
	refuses("{\0}\0", 4);
}

static void
read_refuses_bad_escapes_and_controls(void)
{
	static const char *const bad[] = {"\"\\x41\"", "\"\\'\"", "\"\\a\"", "\"\\U0041\"",
	    "\"\\u41\"", "\"\\u004g\"", "\"\\u+041\"", "\"\\u 041\"", "\"\\\"", "\"\\", "\"\\u",
	    "\"\\u004", "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "\"\x1f\"", "\"\r\"", "\"abc", "\"",
	    "'a'", "{'a':1}", "{a:1}"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]));
}

static void
read_refuses_bad_structure(void)
{
	static const char *const bad[] = {"{", "[", "}", "]", "[1", "[1,", "[,1]", "[1,]", "[1,,2]",
	    "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{\"a\" 1}",
	    "{\"a\"=1}", "{1:2}", "{\"a\":1]", "[1}", "[1 2]", "{\"a\":1 \"b\":2}", ":", ",",
	    "[1;2]", "tru", "True", "TRUE", "nul", "truex", "undefined", "/*c*/1", "[1,//c\n2]",
	    "{\"a\":1,/**/\"b\":2}", "(1)"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]));
}

static void
read_refuses_bad_numbers(void)
{
	static const char *const bad[] = {"01", "+1", "0x10", "NaN", "-", "--1", "00", "-01", "1.",
	    ".5", "-.5", "1e", "1e+", "1.e1", "1e1.5", "0x", "1_000", "1,000", "Infinity",
	    "-Infinity", "inf", "nan", "1f", "1L", "1 e1", "- 1", "0b1", "0o7", "1..2", "1e1e1",
	    "\xef\xbc\x91"};
	size_t i;
	char s[64];

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refuses(bad[i], strlen(bad[i]));
		snprintf(s, sizeof(s), "{\"amount\":%s}", bad[i]);
		refuses(s, strlen(s));
	}
}

/* As an integer or a fraction of what value? */
static void
number_is(const char *s, enum json_type type, int64_t want)
{
	struct json_object *o = untouched;
	const char *why = read_exactly(s, strlen(s), &o);

	if (!CHECK(why == NULL, "%.40s is refused: %s", s, why != NULL ? why : ""))
		return;
	CHECK(json_object_get_type(o) == type, "%.40s is of type %d", s, json_object_get_type(o));
	if (type == json_type_int)
		CHECK(json_object_get_int64(o) == want, "%.40s is %lld", s,
		    (long long)json_object_get_int64(o));
	json_object_put(o);
}

static void
read_takes_integers_exactly(void)
{
	char long_number[402];

	number_is("-0", json_type_int, 0);
	number_is("9007199254740993", json_type_int, 9007199254740993);
	number_is("-9007199254740993", json_type_int, -9007199254740993);
	number_is("9223372036854775807", json_type_int, INT64_MAX);
	number_is("-9223372036854775808", json_type_int, INT64_MIN);
	number_is("9223372036854775808", json_type_int, INT64_MAX);
	memset(long_number, '9', 400);
	long_number[400] = '\0';
	number_is(long_number, json_type_int, INT64_MAX);
	memmove(long_number + 1, long_number, 401);
	long_number[0] = '-';
	number_is(long_number, json_type_int, INT64_MIN);
}

static void
read_takes_fractions_as_no_integers(void)
{
	static const char *const fine[] = {"1.0", "1.5", "-0.0", "1e2", "1E2", "1e+2", "1e-2",
	    "1e400", "-1e400", "0e0", "0.1e1", "10E-1", "1e-400",
	    "0.00000000000000000000000000000001"};
	size_t i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		number_is(fine[i], json_type_double, 0);
}

/* depth times open, then close as often. */
static void
nest(char *s, const char *open, const char *inner, char close, int depth)
{
	char *p = s;
	int i;

	for (i = 0; i < depth; i++)
		p = stpcpy(p, open);
	p = stpcpy(p, inner);
	memset(p, close, (size_t)depth);
	p[depth] = '\0';
}

static void
read_takes_16_levels_and_refuses_17(void)
{
	static const char why[] = "the nesting is deeper than 16 levels";
	char s[256];

	nest(s, "[", "", ']', 16);
	TAKES(s, s);
	nest(s, "[", "1", ']', 16);
	TAKES(s, s);
	nest(s, "{\"a\":", "null", '}', 16);
	TAKES(s, s);
	nest(s, "{\"a\":", "\"x\"", '}', 16);
	TAKES(s, s);
	nest(s, "[", "", ']', 17);
	refuses_because(s, why);
	nest(s, "{\"a\":", "1", '}', 17);
	refuses_because(s, why);
	nest(s, "[", "{}", ']', 16);
	refuses_because(s, why);
	nest(s, "[", "[]", ']', 15);
	TAKES(s, s);
}

static void
read_counts_depth_not_brackets(void)
{
	char s[3 * 1000 + 3], *p = s;
	int i;

	*p++ = '[';
	for (i = 0; i < 1000; i++)
		p = stpcpy(p, i > 0 ? ",[]" : "[]");
	*p++ = ']';
	takes(s, (size_t)(p - s), (*p = '\0', s));
}

static void *
refuse_deep_texts(void *arg)
{
	size_t n = 100000, i;
	char *s = malloc(2 * n);

	(void)arg;
	memset(s, '[', 10000);
	refuses(s, 10000);
	memset(s, '[', n);
	memset(s + n, ']', n);
	refuses(s, 2 * n);
	for (i = 0; i < 10000; i++)
		memcpy(s + 5 * i, "{\"a\":", 5);
	refuses(s, 50000);
	free(s);
	return NULL;
}

/* 256 KiB, less than a recursion of 10,000 levels would need. */
static void
read_refuses_10000_levels_on_a_small_stack(void)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	if (CHECK(pthread_create(&t, &attr, refuse_deep_texts, NULL) == 0, "no thread"))
		pthread_join(t, NULL);
	pthread_attr_destroy(&attr);
}

/* Whatever is cut off a good text, what is left is refused (or is shorter by white space). */
static void
read_refuses_every_part_of_a_text(void)
{
	static const char s[] = "{\"room_id\":\"0192\\u00e9\\ud83d\\ude00\",\"a\":[1.5e3,-2,true,"
				"false,null,{}],\"\xc3\xa9\":\"\\n\"}";
	size_t i;

	takes(s, sizeof(s) - 1,
	    "{\"room_id\":\"0192\xc3\xa9\xf0\x9f\x98\x80\",\"a\":[1.5e3,-2,true,false,null,{}],"
	    "\"\xc3\xa9\":\"\\n\"}");
	for (i = 0; i < sizeof(s) - 1; i++)
		refuses(s, i);
	for (i = 1; i < sizeof(s) - 1; i++)
		if (s[i] != '"' && !(s[i] >= '0' && s[i] <= '9') && s[i] != '{' && s[i] != '['
		    && s[i] != 't' && s[i] != 'f' && s[i] != 'n' && s[i] != '-')
			refuses(s + i, sizeof(s) - 1 - i);
}

CU_TestInfo tests_json[] = {
    TEST(read_takes_what_rfc_8259_allows),
    TEST(read_gives_null_for_null),
    TEST(read_keeps_equal_names_apart_where_they_are_of_different_objects),
    NUMBERED("E037", read_refuses_an_empty_text),
    NUMBERED("E040", read_refuses_what_follows_the_text),
    NUMBERED("E042", read_refuses_a_name_given_twice_however_spelled),
    NUMBERED("E043", read_refuses_bad_utf8),
    NUMBERED("E044", read_refuses_nul),
    NUMBERED("E043", read_refuses_lone_surrogates),
    TEST(read_refuses_a_byte_order_mark),
    TEST(read_refuses_bad_escapes_and_controls),
    TEST(read_refuses_bad_structure),
    NUMBERED("E031", read_refuses_bad_numbers),
    NUMBERED("E029 E030", read_takes_integers_exactly),
    TEST(read_takes_fractions_as_no_integers),
    NUMBERED("E048", read_takes_16_levels_and_refuses_17),
    TEST(read_counts_depth_not_brackets),
    NUMBERED("E048", read_refuses_10000_levels_on_a_small_stack),
    TEST(read_refuses_every_part_of_a_text),
    CU_TEST_INFO_NULL,
};
