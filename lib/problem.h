#ifndef LOYALTY_PROBLEM_H
#define LOYALTY_PROBLEM_H

#include <stddef.h>

/* Everything that can be wrong; the names are the contract's (/problems/NAME). */
enum prob {
	PROB_NONE,
	PROB_MALFORMED_JSON,
	PROB_BAD_QUERY,	 /* `validation` of a query or header: 400 */
	PROB_VALIDATION, /* `validation` of a body: 422 */
	PROB_UNAUTHORIZED,
	PROB_FORBIDDEN,
	PROB_NOT_FOUND,
	PROB_ROOM_NOT_FOUND,
	PROB_USER_NOT_FOUND,
	PROB_RESERVATION_NOT_FOUND,
	PROB_METHOD_NOT_ALLOWED,
	PROB_SOLD_OUT,
	PROB_INSUFFICIENT_POINTS,
	PROB_INVALID_TRANSITION,
	PROB_STOCK_BELOW_RESERVED,
	PROB_BALANCE_LIMIT,
	PROB_ROOM_EXISTS,
	PROB_USER_HAS_RESERVATIONS,
	PROB_PRECONDITION_FAILED,
	PROB_PAYLOAD_TOO_LARGE,
	PROB_UNSUPPORTED_MEDIA_TYPE,
	PROB_IDEMPOTENCY_KEY_REUSED,
	PROB_UNAVAILABLE,
	PROB_INTERNAL,
};

struct problem {
	const char *name;
	int status; /* HTTP (RFC 9110, 15) */
	const char *title;
	const char *detail; /* where nobody knows better */
};

const struct problem *problem_of(enum prob p);

/* What a writing procedure refuses, in its own words for it. */
struct refusal {
	const char *name;
	enum prob problem;
	const char *pointer;  /* the member of the body that is at fault, or NULL */
	const char *sentence; /* %s: a text, %n and %m: numbers; NULL: the problem's own */
};

/* The refusal of this name, or NULL. */
const struct refusal *refusal_named(const char *name, size_t len);

/* The sentence, cut to size, to out; empty where the problem's own says it all.  text may be NULL.
 */
void refusal_detail(
    const struct refusal *r, const char *text, long long n, long long m, char *out, size_t size);

#endif
