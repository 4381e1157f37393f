#ifndef LOYALTY_UUID_H
#define LOYALTY_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT 36 /* characters of the canonical text, without a NUL */

struct uuid {
	uint8_t b[16];
};

/*
 * Read the canonical text form (RFC 9562, 4), 36 characters, any case, any
 * version.  No braces, no urn:.  false with *u unchanged for anything else.
 */
bool uuid_parse(struct uuid *u, const char *s, size_t len);

/* Write the lower-case text, UUID_TEXT characters and no NUL, to out. */
void uuid_text(char *out, const uint8_t b[16]);

/*
 * Make a UUIDv7 (RFC 9562, 5.7; method 3 of 6.2: twelve bits below the
 * millisecond).  Within one process each is greater than all before, also
 * where the clock was set back.  Safe from any thread.  false where the
 * kernel gives no random bytes.
 */
bool uuid_v7(struct uuid *u);

#endif
