#include "answer.h"
#include "outbox.h"
#include "routes.h"

/* A DEAD mail is due again.  200; 404; 409 invalid-transition of any other. */
enum prob
outbox_retry(struct req *rq, struct resp *rs)
{
	static const char *const names[] = {NULL};
	struct json_object *in;
	enum prob pr;

	if ((pr = req_json_object(rq, false, &in)) != PROB_NONE)
		return pr;
	if (in != NULL)
		req_json_only(rq, in, "", names);
	if (rq->nfaults > 0)
		return PROB_VALIDATION;
	req_call(rq, "outbox_retry");
	db_int(rq->db, rq->number);
	return answer_write(rq, rs, outbox_shape, SHAPE_OUTBOX, 200, NULL);
}
