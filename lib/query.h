#ifndef LOYALTY_QUERY_H
#define LOYALTY_QUERY_H

#include <stddef.h>

struct caller;
struct faults;

#define QUERY_MAX 8

struct query_value {
	const char *name; /* one that the route knows; in the store, as the value is */
	char *value;	  /* decoded, NUL-terminated */
	size_t len;
};

/* The query's parameters, by name. */
struct query {
	size_t n;
	struct query_value v[QUERY_MAX];
	char store[2048];
};

/* Split, decode and check a raw query against the names that the route knows, separated by spaces.
 * q->n is 0 before. */
void query_read(struct query *q, const char *raw, const char *names, const struct caller *caller,
    struct faults *faults);

/* Decoded value of a parameter, or NULL: not given. */
const char *query_get(const struct query *q, const char *name, size_t *len);

#endif
