#ifndef LOYALTY_BUF_H
#define LOYALTY_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * A growing byte buffer.  Zeroed is empty and valid.  It is the caller's;
 * buf_reset keeps the memory for the next use, buf_free gives it back.
 * Where memory runs out `failed` is set and stays until buf_reset: what was
 * appended since is lost, so look once, at the end.  Not NUL-terminated.
 */
struct buf {
	char *p;
	size_t len, cap;
	bool failed;
};

void buf_reset(struct buf *b);
void buf_free(struct buf *b);

/* See to it that n more bytes fit.  false (and failed set) if not. */
bool buf_reserve(struct buf *b, size_t n);

/* Append n bytes, a C string, or a number in decimal.  Here, since an answer is made of hundreds
 * of such pieces. */
static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || b->failed || (n > b->cap - b->len && !buf_reserve(b, n)))
		return;
	memcpy(b->p + b->len, p, n);
	b->len += n;
}

static inline void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_int(struct buf *b, long long n);

/* The decimal digits of n, a sign before them, a NUL behind; how many characters. */
#define DIGITS_SIZE 24
size_t digits_of(char out[DIGITS_SIZE], long long n);

#endif
