#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "text.h"

/* RFC 3629 written down once more, another way round: the encoder. */
static size_t
encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

static void
text_char_reads_every_character(void)
{
	size_t wrong = 0;
	uint32_t c;

	for (c = 0; c <= 0x10ffff; c++) {
		uint32_t got = 0xffffffff;
		size_t n, want;
		char s[4];

		n = encode(c, s);
		want = c >= 0xd800 && c <= 0xdfff ? 0 : n;
		if (text_char(s, n, &got) != want || (want > 0 && got != c))
			wrong++;
		/* bytes behind it don't matter, those that are missing do */
		if (n > 1 && text_char(s, n - 1, &got) != 0)
			wrong++;
	}
	CHECK(wrong == 0, "%zu characters read wrongly", wrong);
}

static void
text_char_refuses_what_is_none(void)
{
	static const struct {
		const char *s, *what;
	} bad[] = {{"\x80", "a continuation"}, {"\xbf", "a continuation"},
	    {"\xc0\x80", "overlong NUL"}, {"\xc1\xbf", "overlong 7F"},
	    {"\xe0\x80\x80", "overlong in three"}, {"\xe0\x9f\xbf", "overlong 7FF"},
	    {"\xf0\x80\x80\x80", "overlong in four"}, {"\xf0\x8f\xbf\xbf", "overlong FFFF"},
	    {"\xed\xa0\x80", "surrogate D800"}, {"\xed\xbf\xbf", "surrogate DFFF"},
	    {"\xf4\x90\x80\x80", "110000"}, {"\xf5\x80\x80\x80", "F5"},
	    {"\xf8\x88\x80\x80\x80", "five bytes"}, {"\xfe", "FE"}, {"\xff", "FF"},
	    {"\xc3(", "no continuation"}, {"\xe2\x82(", "no second continuation"},
	    {"\xf0\x9f\x98(", "no third continuation"}, {"\xf0", "a lone F0"},
	    {"\xe2\x82", "cut off"}, {"\xc3\xc3", "two starts"}};
	uint32_t c = 42;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(text_char(bad[i].s, strlen(bad[i].s), &c) == 0, "%s is taken", bad[i].what);
	CHECK(c == 42, "the output has changed");
}

/* kind, text, what is wrong ("" for nothing) */
static void
is(enum text_kind kind, const char *s, size_t len, const char *want)
{
	const char *why = text_fault(kind, s, len, 200);

	CHECK_TEXT(s, why != NULL ? why : "", why != NULL ? strlen(why) : 0, want);
}

static void
names_have_no_controls_and_no_overrides(void)
{
	char s[5];
	uint32_t c;

	for (c = 0; c < 0x3000; c++) {
		bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
		bool bidi = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
		size_t n = 1 + encode(c, s + 1);

		s[0] = 'a';
		CHECK((text_fault(TEXT_NAME, s, n, 200) != NULL) == (control || bidi),
		    "U+%04X in a name", (unsigned)c);
		CHECK((text_fault(TEXT_REASON, s, n, 200) != NULL) == (control && c != '\n'),
		    "U+%04X in a reason", (unsigned)c);
	}
}

static void
names_may_be_anything_else(void)
{
	static const char *const fine[] = {"a", " a ", "Zimmer \xc3\x9c", "\xf0\x9f\x8f\xa8",
	    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "\xe2\x80\x8e.\xe2\x80\x8f",
	    "'; DROP --", "<b>\"\\", "\xf4\x8f\xbf\xbf",
	    "\xef\xbb\xbf"
	    "a"};
	size_t i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		is(TEXT_NAME, fine[i], strlen(fine[i]), "");
}

/* Every character that is_blank knows, by its last and by the neighbours of its range. */
static void
blank_names_are_refused(void)
{
	static const char *const blank[] = {" ", "   ", "\xc2\xa0", "\xe2\x80\x8b", "\xef\xbb\xbf",
	    " \xc2\xa0\xe2\x80\x8b\xef\xbb\xbf ", "\xc2\xad", "\xe3\x80\x80", "\xe1\x9a\x80",
	    "\xe2\x80\x8a", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe2\x81\xa0", "\xe3\x85\xa4",
	    "\xef\xbe\xa0", "\xef\xb8\x8f", "\xe2\xa0\x80", "\xf3\xa0\x81\x81", "\xe1\x85\x9f"};
	static const uint32_t visible[] = {
	    0x21, 0xa1, 0xae, 0x1681, 0x2010, 0x3001, 0xfe10, 0xff00, 0xfffd, 0x1bca4, 0xe1000};
	char s[5];
	size_t i, n;

	for (i = 0; i < sizeof(blank) / sizeof(blank[0]); i++) {
		is(TEXT_NAME, blank[i], strlen(blank[i]), "not be blank");
		is(TEXT_REASON, blank[i], strlen(blank[i]), "");
		is(TEXT_PART, blank[i], strlen(blank[i]), "");
	}
	for (i = 0; i < sizeof(visible) / sizeof(visible[0]); i++) {
		n = encode(visible[i], s);
		s[n] = '\0'; /* it is printed */
		is(TEXT_NAME, s, n, "");
	}
}

static void
text_says_what_is_wrong(void)
{
	is(TEXT_NAME, "", 0, "not be empty");
	is(TEXT_NAME, "a\tb", 3, "have no control characters");
	is(TEXT_NAME, "a\nb", 3, "have no control characters");
	is(TEXT_REASON, "a\nb", 3, "");
	is(TEXT_REASON, "a\rb", 3, "have no control characters");
	is(TEXT_NAME, "a\0b", 3, "have no control characters");
	is(TEXT_NAME, "a\xc2\x85", 3, "have no control characters");
	is(TEXT_NAME, "a\x7f", 2, "have no control characters");
	is(TEXT_NAME, "a\xe2\x80\xae", 4, "have no bidirectional overrides");
	is(TEXT_PART, "a\xe2\x80\xae", 4, "have no bidirectional overrides");
	is(TEXT_REASON, "a\xe2\x80\xae", 4, "");
	is(TEXT_NAME, "a\xc0\x80", 3, "be UTF-8");
	is(TEXT_NAME, "a\xf0\x9f\x98", 4, "be UTF-8");
}

static void
text_counts_characters_not_bytes(void)
{
	char s[4 * 201 + 1];
	const char *why;
	int i;

	for (i = 0; i < 201; i++)
		memcpy(s + 4 * i, "\xf0\x9f\x98\x80", 5);
	CHECK(text_fault(TEXT_NAME, s, 800, 200) == NULL, "200 characters of four bytes");
	why = text_fault(TEXT_NAME, s, 804, 200);
	CHECK(why != NULL && strstr(why, "200") != NULL, "201 characters");
	CHECK(text_fault(TEXT_NAME, s, 400, 100) == NULL, "100 characters of four bytes");
	why = text_fault(TEXT_NAME, s, 404, 100);
	CHECK(why != NULL && strstr(why, "100") != NULL, "101 characters");
}

/* want NULL: refused */
static void
unpercents(const char *s, size_t len, const char *want, size_t want_len)
{
	char *out = malloc(len + (len == 0)); /* no byte more, so that a sanitizer sees it */
	long n = text_unpercent(out, s, len);

	if (want == NULL)
		CHECK(n == -1, "'%.*s' is taken", (int)len, s);
	else
		CHECK(n == (long)want_len && memcmp(out, want, want_len) == 0,
		    "'%.*s' is wrongly decoded", (int)len, s);
	free(out);
}

static void
unpercent_decodes(void)
{
	unpercents("", 0, "", 0);
	unpercents("a+b", 3, "a+b", 3);
	unpercents("%41%7a%7A", 9, "Azz", 3);
	unpercents("%00", 3, "\0", 1);
	unpercents("%e2%82%AC!", 10, "\xe2\x82\xac!", 4);
	unpercents("%2541", 5, "%41", 3);
	unpercents("\xc3\xa9", 2, "\xc3\xa9", 2);
	unpercents("%FF%ff", 6, "\xff\xff", 2);
}

static void
unform_takes_a_plus_for_a_blank(void)
{
	char out[20];
	long n = text_unform(out, "Jane+D%6fe%2B+", 14);

	CHECK_TEXT("decoded", out, n >= 0 ? (size_t)n : 0, "Jane Doe+ ");
	CHECK(
	    text_unform(out, "+%", 2) == -1 && text_unform(out, "%+4", 3) == -1, "broken escapes");
}

static void
unpercent_refuses_broken_escapes(void)
{
	static const char *const bad[] = {"%", "%4", "a%", "a%4", "%4g", "%g4", "%%41", "% 41",
	    "%+4", "%-1", "%0x", "%4%31", "%\xc3\xa9"};
	size_t i;
	int c;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		unpercents(bad[i], strlen(bad[i]), NULL, 0);
	unpercents("%41", 2, NULL, 0); /* the third byte is not ours */
	for (c = 1; c < 256; c++) {
		char s[3] = {'%', '4', (char)c}, out[3];
		bool digit = strchr("0123456789abcdefABCDEF", c) != NULL;

		CHECK((text_unpercent(out, s, 3) == 1) == digit, "%%4 and byte %02x", (unsigned)c);
	}
}

CU_TestInfo tests_text[] = {
    TEST(text_char_reads_every_character),
    NUMBERED("E043", text_char_refuses_what_is_none),
    NUMBERED("E054", names_have_no_controls_and_no_overrides),
    NUMBERED("E054", names_may_be_anything_else),
    TEST(blank_names_are_refused),
    TEST(text_says_what_is_wrong),
    TEST(text_counts_characters_not_bytes),
    TEST(unpercent_decodes),
    TEST(unform_takes_a_plus_for_a_blank),
    TEST(unpercent_refuses_broken_escapes),
    CU_TEST_INFO_NULL,
};
