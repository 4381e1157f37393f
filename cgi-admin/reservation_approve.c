#include "answer.h"
#include "routes.h"
#include "stock.h"

/*
 * Approve: takes a unit, and the price quoted or `points` of it.  200; 404;
 * 409 invalid-transition, sold-out, insufficient-points, in this order.
 */
enum prob
reservation_approve(struct req *rq, struct resp *rs)
{
	static const char *const names[] = {"points", NULL};
	struct json_object *in;
	int64_t points = -1;
	enum prob pr;

	if ((pr = req_json_object(rq, false, &in)) != PROB_NONE)
		return pr;
	if (in != NULL) {
		if (req_json_has(in, "points"))
			req_json_int(rq, in, "points", "/points", 0, PRICE_MAX, &points);
		req_json_only(rq, in, "", names);
	}
	if (rq->nfaults > 0)
		return PROB_VALIDATION;
	req_call(rq, "reservation_approve");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	if (points >= 0)
		db_int(rq->db, points);
	else
		db_null(rq->db);
	return answer_write(rq, rs, shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
