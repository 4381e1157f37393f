#ifndef LOYALTY_JSON_H
#define LOYALTY_JSON_H

#include <stddef.h>

struct json_object; /* json-c's */

#define JSON_DEPTH 16 /* levels of nesting, the top one being level 1 */

/*
 * Read one JSON text (RFC 8259) of len bytes, strictly: json-c would also
 * take duplicate names, bad UTF-8, lone surrogates, NUL and more, so the text
 * is scanned first.  Stack use is bounded, whatever the text.
 *
 * *out: the value, for json_object_put; NULL for the text "null".
 * NULL, or what is wrong with the text (static) and *out unchanged.
 */
const char *json_read(const char *s, size_t len, struct json_object **out);

#endif
