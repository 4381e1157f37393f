#ifndef LOYALTY_REQ_H
#define LOYALTY_REQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "problem.h"
#include "uuid.h"

struct db;
struct json_object;
struct route;

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
enum role { ROLE_NONE, ROLE_FORBIDDEN, ROLE_PUBLIC, ROLE_RESTRICTED };

#define REQ_QUERY_MAX 8
#define REQ_FAULTS_MAX 16
#define REQ_BODY_MAX 16384
#define REQ_ACTOR_MAX 400 /* bytes: 100 characters */
#define REQ_TELLS_KEY "must not contain the API key"

/* What a fault is in; each names itself in another member of the answer. */
enum fault_in { FAULT_BODY, FAULT_QUERY, FAULT_HEADER };

/* One thing that is wrong with a request.  at: a JSON pointer (RFC 6901) into
 * the body, a query parameter's name, or a header's. */
struct fault {
	enum fault_in in;
	char at[80];
	char detail[120];
};

struct query_value {
	const char *name; /* one that the route knows; in query_store, as the value is */
	char *value;	  /* decoded, NUL-terminated */
	size_t len;
};

/*
 * A request, from its first byte to its answer; nothing of it survives.
 * Pointers are into the FastCGI parameters or the request's own buffers.
 */
struct req {
	char **env; /* FastCGI parameters, NAME=value */
	enum method method;
	const struct route *route; /* NULL: none of ours */
	const char *path;
	enum role role;
	const char *api_key; /* the key that the role comes from, or NULL */
	size_t api_key_len;
	char request_id[65];
	char actor[REQ_ACTOR_MAX + 1];
	struct uuid id;	   /* of the path: a room's, a user's or a reservation's */
	long long number;  /* of the path: a mail's */
	enum prob missing; /* what stands there is none: the path's 404; else PROB_NONE */
	struct query_value query[REQ_QUERY_MAX];
	size_t nquery;
	const char *body;
	size_t body_len;
	struct json_object *json; /* the body, or NULL: none */
	bool keyed;		  /* an Idempotency-Key came */
	uint8_t key[HASH_SIZE], body_hash[HASH_SIZE];
	bool conditional; /* a PUT or PATCH with If-Match or If-None-Match, well-formed */
	size_t nfaults;
	char detail[300]; /* a problem's detail, where a handler knows better */
	char allow[80];	  /* Allow, while the answer is under way */
	struct db *db;
	/* from here on not cleared between requests: nquery and nfaults rule */
	char query_store[2048];
	struct fault faults[REQ_FAULTS_MAX];
};

/* Value of the header parameter (HTTP_X_ACTOR), or NULL.  *count, where not
 * NULL: how often it came. */
const char *req_param(const struct req *rq, const char *name, int *count);

/* Decoded value of a query parameter, or NULL: not given. */
const char *req_query(const struct req *rq, const char *name, size_t *len);

/*
 * Note a fault of the body, the query or a header; those past REQ_FAULTS_MAX
 * are dropped.  at and the text are cut to fit struct fault.
 */
void req_fault(struct req *rq, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void req_fault_query(struct req *rq, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void req_fault_header(struct req *rq, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Is the API key that authenticates the request part of this text?  It would
 * stand in histories, mails and logs for ever: who takes a text asks, and
 * refuses it.  Keys of less than 16 characters, which nginx knows none of, are
 * not looked for.
 */
bool req_tells_key(const struct req *rq, const char *s, size_t len);

/* Call a writing procedure: the arguments that all of them begin with. */
void req_call(struct req *rq, const char *procedure);

#endif
