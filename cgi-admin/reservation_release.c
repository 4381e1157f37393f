#include "answer.h"
#include "body.h"
#include "routes.h"

/* The stay is over: the unit is back, the points stay spent.  200; 404; 409 invalid-transition. */
enum prob
reservation_release(struct req *rq, struct resp *rs)
{
	enum prob pr;

	if ((pr = body_none(rq)) != PROB_NONE)
		return pr;
	call_begin(rq, "reservation_release");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_write(
	    rq, rs, call_write(rq), shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
