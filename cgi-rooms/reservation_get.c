#include "answer.h"
#include "routes.h"

/* One reservation.  404 reservation-not-found: unknown, or no UUID. */
enum prob
reservation_get(struct req *rq, struct resp *rs)
{
	if (!rq->has_id)
		return PROB_RESERVATION_NOT_FOUND;
	rs->personal = true;
	db_call(rq->db, "reservation_get");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_row(rq, rs, shape_reservation, SHAPE_RESERVATION, PROB_RESERVATION_NOT_FOUND);
}
