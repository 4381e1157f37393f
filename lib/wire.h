#ifndef LOYALTY_WIRE_H
#define LOYALTY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"

struct json_object;

enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_OTHER
};

#define WIRE_BODY_MAX 16384

/* What came: pointers are into the FastCGI parameters and the body that they came with. */
struct wire {
	char **env; /* FastCGI parameters, NAME=value */
	enum method method;
	const char *path;
	const char *body; /* NULL: too large */
	size_t body_len;
	struct json_object *json; /* the body, or NULL: none */
	bool keyed;		  /* an Idempotency-Key came */
	uint8_t key[HASH_SIZE], body_hash[HASH_SIZE];
	bool conditional; /* a PUT or PATCH with If-Match or If-None-Match, well-formed */
};

/* Value of the header parameter (HTTP_X_ACTOR), or NULL.  *count, where not
 * NULL: how often it came. */
const char *wire_param(const struct wire *w, const char *name, int *count);

/* The method of this name, METHOD_OTHER where there is none, and its name, then "". */
enum method wire_method(const char *name);
const char *wire_method_name(enum method m);

#endif
