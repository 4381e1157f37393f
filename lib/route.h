#ifndef LOYALTY_ROUTE_H
#define LOYALTY_ROUTE_H

#include <stddef.h>
#include <stdio.h>

#include "problem.h"
#include "req.h"
#include "resp.h"

enum scope { SCOPE_ANY, SCOPE_RESTRICTED };

/* Fill rs and return PROB_NONE, or return a problem (rq->faults.detail may say more). */
typedef enum prob route_handler(struct req *rq, struct resp *rs);

/*
 * One line of a service's table: method (GET answers HEAD too), path, who may,
 * who answers, and the query parameters that it knows, separated by spaces.  A
 * path has at most one typed segment: {room}, {user}, {reservation} (a UUID:
 * rq->id) or {mail} (a number: rq->number).  What is none of that kind is its
 * 404, and the handler is not called.  A handler of a route that knows query
 * parameters is called even where rq->faults.n > 0: it adds its own faults and
 * returns PROB_BAD_QUERY.
 */
struct route {
	enum method method;
	const char *path;
	enum scope scope;
	route_handler *handler;
	const char *handler_name;
	const char *query;
};

/* A handler and its name. */
#define ROUTE_HANDLER(f) f, #f

/* The path as the outside knows it, /v1/rooms/{id}, to out, cut to size. */
void route_template(const struct route *r, char *out, size_t size);

/*
 * From a filled-in env and body to a finished answer.  Owns what is the same
 * for all: keys and roles, 404, 405, OPTIONS, HEAD, the form of query, body
 * and headers, problems.  Handlers never see any of it.
 */
void route_dispatch(
    const struct route *routes, size_t n, const char *service, struct req *rq, struct resp *rs);

/* METHOD PATH SCOPE HANDLER, a line each. */
void route_print(const struct route *routes, size_t n, FILE *out);

#endif
