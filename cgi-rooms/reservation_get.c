#include "answer.h"
#include "routes.h"

/* One reservation.  404 reservation-not-found: unknown, or no UUID. */
enum prob
reservation_get(struct req *rq, struct resp *rs)
{
	rs->personal = true;
	db_select(rq->db, reservation_get,
	    "SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points,"
	    " u.id, u.name, u.role, v.created_at, v.updated_at"
	    " FROM reservation v JOIN room r ON r.id = v.room_id JOIN user u ON u.id = v.user_id"
	    " WHERE v.id = ?");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_row(rq, rs, call_read(rq), shape_reservation, SHAPE_RESERVATION,
	    PROB_RESERVATION_NOT_FOUND);
}
