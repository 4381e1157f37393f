#ifndef LOYALTY_REQ_H
#define LOYALTY_REQ_H

#include "caller.h"
#include "faults.h"
#include "problem.h"
#include "query.h"
#include "uuid.h"
#include "wire.h"

struct db;
struct route;

/* A request, from its first byte to its answer; nothing of it survives. */
struct req {
	struct wire wire;	   /* what came */
	struct query query;	   /* of it, what the route knows */
	struct caller caller;	   /* who asks */
	struct faults faults;	   /* what was found wrong */
	const struct route *route; /* NULL: none of ours */
	struct uuid id;		   /* of the path: a room's, a user's or a reservation's */
	long long number;	   /* of the path: a mail's */
	enum prob missing;	   /* what stands there is none: the path's 404; else PROB_NONE */
	char request_id[65];
	char allow[80]; /* Allow, while the answer is under way */
	struct db *db;
};

/* Begin with these FastCGI parameters and this body (NULL: too large).  Whatever a request may
 * leave behind is gone; buffers that a count or a NUL rules are not wiped. */
void req_begin(struct req *rq, struct db *db, char **env, const char *body, size_t body_len);

#endif
