#include "answer.h"
#include "routes.h"

/* The stay is over: the unit is back, the points stay spent.  200; 404; 409 invalid-transition. */
enum prob
reservation_release(struct req *rq, struct resp *rs)
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
	req_call(rq, "reservation_release");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_write(rq, rs, shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
