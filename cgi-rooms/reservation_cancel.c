#include "answer.h"
#include "routes.h"

/*
 * Cancel.  200: from RESERVED the points that were taken and the unit go
 * back; from PENDING_APPROVAL there is nothing to give back.  409
 * invalid-transition from any other state; 404 unknown, or no UUID.
 */
enum prob
reservation_cancel(struct req *rq, struct resp *rs)
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
	req_call(rq, "reservation_cancel");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_write(rq, rs, shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
