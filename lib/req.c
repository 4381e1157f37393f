#include "req.h"

void
req_begin(struct req *rq, struct db *db, char **env, const char *body, size_t body_len)
{
	rq->wire = (struct wire){.env = env, .path = "", .body = body, .body_len = body_len};
	rq->query.n = 0;
	caller_reset(&rq->caller);
	faults_reset(&rq->faults);
	rq->route = NULL;
	rq->id = (struct uuid){{0}};
	rq->number = 0;
	rq->missing = PROB_NONE;
	rq->request_id[0] = rq->allow[0] = '\0';
	rq->db = db;
}
