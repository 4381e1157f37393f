#include "hex.h"

int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *
hex_text(char *out, const void *bytes, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const unsigned char *b = bytes;

	for (; n > 0; n--, b++) {
		*out++ = digit[*b >> 4];
		*out++ = digit[*b & 15];
	}
	return out;
}
