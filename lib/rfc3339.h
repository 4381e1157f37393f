#ifndef LOYALTY_RFC3339_H
#define LOYALTY_RFC3339_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFC3339_SQL 26 /* characters of YYYY-MM-DD HH:MM:SS.ffffff, without a NUL */

/*
 * Read a time (RFC 3339, 5.6) of len bytes: any offset, any fraction, lower
 * or upper case t and z, a leap second.  *us: microseconds since the epoch,
 * UTC, rounded up, so that "not before" and "before" mean the same for it as
 * for the finer time.  false with *us unchanged for anything else.
 */
bool rfc3339_read(const char *s, size_t len, int64_t *us);

/* The time as the database reads it, RFC3339_SQL characters and a NUL; years 1000 to 9999, else the
 * nearer end. */
void rfc3339_sql(char *out, int64_t us);

#endif
