#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}

bool
buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 1024;
	char *p;

	if (b->failed)
		return false;
	if (n <= b->cap - b->len)
		return true;
	while (cap - b->len < n) {
		if (cap > SIZE_MAX / 2)
			goto fail;
		cap *= 2;
	}
	if ((p = realloc(b->p, cap)) == NULL)
		goto fail;
	b->p = p;
	b->cap = cap;
	return true;
fail:
	b->failed = true;
	return false;
}

size_t
digits_of(char out[DIGITS_SIZE], long long n)
{
	unsigned long long u = n < 0 ? 0 - (unsigned long long)n : (unsigned long long)n;
	char reversed[DIGITS_SIZE];
	size_t k = 0, len = 0;

	do
		reversed[k++] = (char)('0' + u % 10);
	while ((u /= 10) != 0);
	if (n < 0)
		out[len++] = '-';
	while (k > 0)
		out[len++] = reversed[--k];
	out[len] = '\0';
	return len;
}

void
buf_int(struct buf *b, long long n)
{
	char s[DIGITS_SIZE];

	buf_add(b, s, digits_of(s, n));
}
