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
	char store[8192]; /* a cursor may hold a folded name; QUERY_IDS ids take less */
};

/* Split, decode and check a raw query against the names that the route knows, separated by spaces.
 * q->n is 0 before. */
void query_read(struct query *q, const char *raw, const char *names, const struct caller *caller,
    struct faults *faults);

/* Decoded value of a parameter, or NULL: not given. */
const char *query_get(const struct query *q, const char *name, size_t *len);

#define QUERY_IDS 100

/*
 * The parameter ids, which was given: 1 to QUERY_IDS UUIDs with commas between
 * them, each once and no other parameter beside it.  To out, in their order,
 * 16 bytes each; returns how many, or 0 with all faults noted.
 */
size_t query_ids(const struct query *q, struct faults *faults, unsigned char out[QUERY_IDS * 16]);

#endif
