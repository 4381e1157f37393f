#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"

#define ID "0192f4a1-7b3c-7def-8123-456789abcdef"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{\"room_id\":\"" ID "\",\"user\":{\"id\":\"" ID
	      "\",\"name\":\"Anna \\u00e9\",\"role\":\"USER\"}}"),
    FUZZ_SEED("{\"amount\":-250,\"reason\":\"a\\nb \\ud83d\\ude00\"}"),
    FUZZ_SEED("[1,-0,1.5e3,1E-2,0.1,9007199254740993,true,false,null,\"\",{},[]]"),
    FUZZ_SEED("{\"a\":{\"b\":[{\"c\":1},{\"c\":2}]},\"b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"),
    FUZZ_SEED("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"),
    FUZZ_SEED("{\"a\":1,\"\\u0061\":2}"),
    FUZZ_SEED("{\"\xc3\xa9\":\"\xf0\x9f\x98\x80\",\"\\u00e9\":1}"),
    FUZZ_SEED(" \t\r\n-12 "),
    FUZZ_SEED("\"\""),
    FUZZ_SEED("null"),
    {NULL, 0},
};

const struct fuzz_seed fuzz_words[] = {FUZZ_SEED("{"), FUZZ_SEED("}"), FUZZ_SEED("["),
    FUZZ_SEED("]"), FUZZ_SEED(","), FUZZ_SEED(":"), FUZZ_SEED("\""), FUZZ_SEED("\\"),
    FUZZ_SEED("\\u0000"), FUZZ_SEED("\\ud800"), FUZZ_SEED("\\udc00"), FUZZ_SEED("\\u0061"),
    FUZZ_SEED("a"), FUZZ_SEED("\"a\":1,"), FUZZ_SEED(",\"a\":1"), FUZZ_SEED("\0"),
    FUZZ_SEED("\x1f"), FUZZ_SEED("\x7f"), FUZZ_SEED("\xc0\x80"), FUZZ_SEED("\xed\xa0\x80"),
    FUZZ_SEED("\xf0\x9f\x98\x80"), FUZZ_SEED("\xef\xbb\xbf"), FUZZ_SEED("0"), FUZZ_SEED("-"),
    FUZZ_SEED("+"), FUZZ_SEED("."), FUZZ_SEED("e"), FUZZ_SEED("1e400"), FUZZ_SEED("NaN"),
    FUZZ_SEED("Infinity"), FUZZ_SEED("null"), FUZZ_SEED("true"), FUZZ_SEED("false"),
    FUZZ_SEED("/**/"), FUZZ_SEED("//"), FUZZ_SEED(" "), FUZZ_SEED("\n"), FUZZ_SEED("\x0b"),
    FUZZ_SEED("'"), FUZZ_SEED("[[[[[[[["), FUZZ_SEED("]]]]]]]]"),
    FUZZ_SEED("99999999999999999999999999"), {NULL, 0}};

/* For json_judge.py: the verdict and the text in hexadecimal, a line each. */
static void
note(bool taken, const uint8_t *data, size_t size)
{
	static FILE *f;
	const char *path = getenv("FUZZ_TRANSCRIPT");
	size_t i;

	if (path == NULL || (f == NULL && (f = fopen(path, "w")) == NULL))
		return;
	fputs(taken ? "1 " : "0 ", f);
	for (i = 0; i < size; i++)
		fprintf(f, "%02x", data[i]);
	fputc('\n', f);
}

/* What is taken must come back the same from json-c's own text of it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *const untouched = (struct json_object *)(uintptr_t)&fuzz_seeds;
	struct json_object *o = untouched, *again = NULL;
	const char *why = json_read((const char *)data, size, &o), *text;

	note(why == NULL, data, size);
	if (why != NULL) {
		if (o != untouched)
			fuzz_fail("refused, and the output has changed", data, size);
		return 0;
	}
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	if ((why = json_read(text, strlen(text), &again)) != NULL)
		fuzz_fail(why, data, size);
	if (!json_object_equal(o, again))
		fuzz_fail("read again it is another value", data, size);
	json_object_put(o);
	json_object_put(again);
	return 0;
}
