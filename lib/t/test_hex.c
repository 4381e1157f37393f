#include <string.h>

#include "check.h"
#include "hex.h"

static void
value_knows_the_digits_of_either_case_only(void)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	int c;

	for (c = -128; c < 128; c++) {
		const char *at = c != 0 ? strchr(digits, c) : NULL;
		long want = at == NULL ? -1 : at - digits - (at - digits > 15 ? 6 : 0);

		CHECK(hex_value((char)c) == want, "%d: %d, not %ld", c, hex_value((char)c), want);
	}
}

static void
text_writes_lower_case_and_no_more(void)
{
	char out[] = "......#";

	CHECK(
	    hex_text(out, "\x00\xaf\x7e", 3) == out + 6 && strcmp(out, "00af7e#") == 0, "%s", out);
	CHECK(hex_text(out, "", 0) == out && strcmp(out, "00af7e#") == 0, "%s", out);
}

CU_TestInfo tests_hex[] = {
    TEST(value_knows_the_digits_of_either_case_only),
    TEST(text_writes_lower_case_and_no_more),
    CU_TEST_INFO_NULL,
};
