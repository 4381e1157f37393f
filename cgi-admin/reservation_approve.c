#include "answer.h"
#include "body.h"
#include "routes.h"
#include "room.h"

/*
 * Approve: takes a unit, and the price quoted or `points` of it.  200; 404;
 * 409 invalid-transition, sold-out, insufficient-points, in this order.
 */
enum prob
reservation_approve(struct req *rq, struct resp *rs)
{
	int64_t points = -1;
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, false)) != PROB_NONE)
		return pr;
	body_int(&b, "points", 0, REQUIRED_POINTS_MAX, &points);
	if ((pr = body_end(&b)) != PROB_NONE)
		return pr;
	call_begin(rq, "reservation_approve");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	if (points >= 0)
		db_int(rq->db, points);
	else
		db_null(rq->db);
	return answer_write(
	    rq, rs, call_write(rq), shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
