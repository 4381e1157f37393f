#include <stdio.h>
#include <string.h>

#include "check.h"
#include "etag.h"
#include "wire.h"

#define MATCH "HTTP_IF_MATCH"
#define NONE "HTTP_IF_NONE_MATCH"
#define TAG "\"0123456789abcdef0123456789abcdef\""

static struct wire w;
static char text[3][300];
static char *env[4];

/* A request with these headers; NULL: it did not come. */
static const struct wire *
with(const char *match, const char *none, const char *more)
{
	const char *const names[] = {MATCH, NONE, MATCH}, *const values[] = {match, none, more};
	size_t i, n = 0;

	for (i = 0; i < 3; i++)
		if (values[i] != NULL) {
			snprintf(text[n], sizeof(text[n]), "%s=%s", names[i], values[i]);
			env[n] = text[n];
			n++;
		}
	env[n] = NULL;
	w.env = env;
	return &w;
}

static void
etag_is_of_every_byte(void)
{
	char a[ETAG_SIZE], b[ETAG_SIZE];

	etag_of(a, "[1]", 3);
	etag_of(b, "[1]", 3);
	CHECK(strcmp(a, b) == 0 && strlen(a) == ETAG_SIZE - 2 && a[0] == '"' && a[33] == '"', "%s",
	    a);
	etag_of(b, "[2]", 3);
	CHECK(strcmp(a, b) != 0, "another for other bytes");
	etag_of(b, "[1", 2);
	CHECK(strcmp(a, b) != 0, "another for fewer bytes");
}

static void
etag_list_tells_what_it_is(void)
{
	static const char *const tags[] = {"\"\"", "\"a\"", "W/\"a\"", " \"a\" ", "\"a\",\"b\"",
	    ",, \"a\" ,,\t\"b\", ", "\"a,b\"", "\"\xc3\xa9\"", "\"*\"", "\"a\\\""};
	static const char *const any[] = {"*", " * ", "\t*"};
	static const char *const broken[] = {"", " ", ",", "a", "\"", "\"a", "a\"", "\"a\" \"b\"",
	    "\"a b\"", "\"a\tb\"", "\"\x7f\"", "w/\"a\"", "W/a", "W/", "W/ \"a\"", "*,*",
	    "*, \"a\"", "\"a\", *", "**", "W/*", "\"a\"b", "\"a\";", "\"a\", b"};
	size_t i;

	CHECK(etag_list(with(NULL, "*", NULL), MATCH) == ETAG_NONE, "it did not come");
	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		CHECK(etag_list(with(tags[i], NULL, NULL), MATCH) == ETAG_TAGS, "'%s'", tags[i]);
	for (i = 0; i < sizeof(any) / sizeof(any[0]); i++)
		CHECK(etag_list(with(any[i], NULL, NULL), MATCH) == ETAG_ANY, "'%s'", any[i]);
	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		CHECK(etag_list(with(broken[i], NULL, NULL), MATCH) == ETAG_BROKEN, "'%s'",
		    broken[i]);
	CHECK(etag_list(with("\"a\"", NULL, "\"b\""), MATCH) == ETAG_TAGS, "two lines are a list");
	CHECK(etag_list(with("*", NULL, "\"b\""), MATCH) == ETAG_BROKEN, "* stands alone");
	CHECK(etag_list(with("\"a\"", NULL, "b"), MATCH) == ETAG_BROKEN, "the second is broken");
}

/* Do the conditions hold for the state with the tag TAG, and where there is none? */
static void
holds(const char *match, const char *none, bool there, bool absent)
{
	with(match, none, NULL);
	CHECK(etag_conditions_hold(&w, TAG) == there, "If-Match %s, If-None-Match %s: there",
	    match != NULL ? match : "-", none != NULL ? none : "-");
	CHECK(etag_conditions_hold(&w, NULL) == absent, "If-Match %s, If-None-Match %s: absent",
	    match != NULL ? match : "-", none != NULL ? none : "-");
}

static void
conditions_hold_by_rfc_9110(void)
{
	holds(NULL, NULL, true, true);
	holds("*", NULL, true, false);
	holds(TAG, NULL, true, false);
	holds("\"a\", " TAG, NULL, true, false);
	holds("W/" TAG, NULL, false, false);
	holds("\"a\"", NULL, false, false);
	holds("\"0123456789abcdef0123456789abcde\"", NULL, false, false);
	holds(NULL, "*", false, true);
	holds(NULL, TAG, false, true);
	holds(NULL, "W/" TAG, false, true);
	holds(NULL, "\"a\", W/" TAG, false, true);
	holds(NULL, "\"a\"", true, true);
	holds(TAG, "\"a\"", true, false);
	holds(TAG, TAG, false, false);
	holds("\"a\"", "\"a\"", false, false);
	CHECK(etag_conditions_hold(with("\"a\"", NULL, TAG), TAG), "the second line has it");
}

CU_TestInfo tests_etag[] = {
    TEST(etag_is_of_every_byte),
    TEST(etag_list_tells_what_it_is),
    TEST(conditions_hold_by_rfc_9110),
    CU_TEST_INFO_NULL,
};
