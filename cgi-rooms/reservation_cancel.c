#include "answer.h"
#include "body.h"
#include "routes.h"

/*
 * Cancel.  200: from RESERVED the points that were taken and the unit go
 * back; from PENDING_APPROVAL there is nothing to give back.  409
 * invalid-transition from any other state; 404 unknown, or no UUID.
 */
enum prob
reservation_cancel(struct req *rq, struct resp *rs)
{
	enum prob pr;

	if ((pr = body_none(rq)) != PROB_NONE)
		return pr;
	call_begin(rq, "reservation_cancel");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_write(
	    rq, rs, call_write(rq), shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
