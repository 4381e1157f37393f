#ifndef LOYALTY_TEXT_H
#define LOYALTY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decode one UTF-8 character (RFC 3629) at s, of which len > 0 bytes are
 * there.  Its length 1 to 4 with *c set, or 0: overlong, a surrogate, above
 * U+10FFFF, cut off, or no start of a character.
 */
size_t text_char(const char *s, size_t len, uint32_t *c);

enum text_kind {
	TEXT_NAME,   /* no control characters, no bidi overrides, not blank */
	TEXT_REASON, /* no control characters but line feed */
	TEXT_PART,   /* as a name, but may be blank: what is looked for in names, or kept nowhere */
};

/*
 * Look over a text of len bytes from outside.  NULL if it is UTF-8 of 1 to
 * max characters of this kind, else what is wrong, as a phrase to follow
 * "must" (static).  Control characters: U+0000-001F, 007F-009F; bidi
 * overrides: U+202A-202E, 2066-2069.  Blank: of nothing but characters that
 * leave no mark (white space, zero-width ones).
 */
const char *text_fault(enum text_kind kind, const char *s, size_t len, size_t max);

/*
 * Undo percent-encoding (RFC 3986, 2.1) of s into out, which has room for
 * len bytes; '+' is '+'.  The number of bytes, or -1: a '%' without two
 * hexadecimal digits.
 */
long text_unpercent(char *out, const char *s, size_t len);

/* The same for application/x-www-form-urlencoded, as query strings are: '+' is a blank. */
long text_unform(char *out, const char *s, size_t len);

#endif
