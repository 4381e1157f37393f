#ifndef LOYALTY_TARGET_H
#define LOYALTY_TARGET_H

#include <stddef.h>

#include "buf.h"
#include "req.h"
#include "resp.h"
#include "route.h"

/* An id, 16 bytes. */
#define TARGET_ID "\x01\x92\xf4\xa1\x7b\x3c\x7d\xef\x81\x23\x45\x67\x89\xab\xcd\xef"

#define TARGET_PARAMS 64

/*
 * A service for tests: routes whose handlers need no database.
 *
 *	GET  /v1/things               a list, with Link and ETag
 *	POST /v1/things               room_id, user, amount, reason required: 201
 *	GET  /v1/things/{room}        what the handler saw of the request, ETag
 *	PUT  /v1/things/{reservation} restricted: no body needed
 *	POST /v1/things/{reservation}/act restricted: no body needed
 *	GET  /v1/broken               PROB_INTERNAL
 *	GET  /v1/stored, POST /v1/stored   ask the database
 */
extern const struct route target_routes[];
extern const size_t target_nroutes;

/* How often a handler was called. */
extern unsigned target_calls;

/* A request to it, and what came of it. */
struct exchange {
	struct req rq;
	struct resp rs;
	struct buf out;
	char *env[TARGET_PARAMS + 1];
	size_t nenv;
	size_t head_len; /* of out, with the empty line; 0: there is none */
};

/* A new one, with these parameters; the memory of the last is used again.  Begin with {0}. */
void exchange_begin(struct exchange *x, const char *method, const char *path);
/* One parameter more: NAME=value, copied. */
void exchange_add(struct exchange *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A key, as nginx tells of it: public, restricted. */
void exchange_role(struct exchange *x, const char *role);
/* A body, not copied, and its Content-Type. */
void exchange_body(struct exchange *x, const char *body, size_t len);
/* Dispatch and render. */
void exchange_run(struct exchange *x);
void exchange_free(struct exchange *x);

/* The value of a header of the answer, of *len bytes, or NULL.  *count where not NULL: how often it
 * is there. */
const char *exchange_header(const struct exchange *x, const char *name, size_t *len, int *count);

/* The answer as it must be whatever was asked: see the definition.  NULL, or what is wrong
 * (static). */
const char *exchange_fault(const struct exchange *x);

#endif
