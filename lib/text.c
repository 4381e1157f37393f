#include "hex.h"
#include "text.h"

size_t
text_char(const char *s, size_t len, uint32_t *c)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t v;
	size_t i, n;

	if (p[0] < 0x80) {
		*c = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	v = p[0] & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*c = v;
	return n;
}

/*
 * Does it leave no mark on paper?  White_Space and Default_Ignorable_Code_Point
 * (Unicode, PropList and DerivedCoreProperties), and the empty braille pattern.
 */
static bool
is_blank(uint32_t c)
{
	static const uint32_t range[][2] = {{0x09, 0x0d}, {0x20, 0x20}, {0x85, 0x85}, {0xa0, 0xa0},
	    {0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x1680, 0x1680},
	    {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f}, {0x2028, 0x202f},
	    {0x205f, 0x206f}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
	    {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfff8},
	    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
	size_t i;

	for (i = 0; i < sizeof(range) / sizeof(range[0]) && c >= range[i][0]; i++)
		if (c <= range[i][1])
			return true;
	return false;
}

const char *
text_fault(enum text_kind kind, const char *s, size_t len, size_t max)
{
	bool blank = kind == TEXT_NAME;
	size_t i = 0, n, chars = 0;
	uint32_t c;

	for (; i < len; i += n, chars++) {
		if ((n = text_char(s + i, len - i, &c)) == 0)
			return "be UTF-8";
		if ((c < 0x20 && !(kind == TEXT_REASON && c == '\n')) || (c >= 0x7f && c <= 0x9f))
			return "have no control characters";
		if (kind != TEXT_REASON
		    && ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)))
			return "have no bidirectional overrides";
		blank = blank && is_blank(c);
	}
	if (chars == 0)
		return "not be empty";
	if (blank)
		return "not be blank";
	if (chars > max)
		return max == 100 ? "have at most 100 characters" : "have at most 200 characters";
	return NULL;
}

/* Undo percent-encoding; plus: what a '+' stands for. */
static long
decode(char *out, const char *s, size_t len, char plus)
{
	size_t i;
	long n = 0;

	for (i = 0; i < len; i++) {
		int hi, lo;

		if (s[i] != '%') {
			out[n++] = s[i] == '+' ? plus : s[i];
			continue;
		}
		if (len - i < 3 || (hi = hex_value(s[i + 1])) < 0 || (lo = hex_value(s[i + 2])) < 0)
			return -1;
		out[n++] = (char)(hi << 4 | lo);
		i += 2;
	}
	return n;
}

long
text_unpercent(char *out, const char *s, size_t len)
{
	return decode(out, s, len, '+');
}

long
text_unform(char *out, const char *s, size_t len)
{
	return decode(out, s, len, ' ');
}
