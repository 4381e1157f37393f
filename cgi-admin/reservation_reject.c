#include "answer.h"
#include "body.h"
#include "routes.h"

/* Reject, with a reason that the mail tells.  200; 404; 409 invalid-transition. */
enum prob
reservation_reject(struct req *rq, struct resp *rs)
{
	const char *reason;
	enum prob pr;
	size_t len;

	if ((pr = body_reason(rq, &reason, &len)) != PROB_NONE)
		return pr;
	call_begin(rq, "reservation_reject");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	db_utf8(rq->db, reason, len);
	return answer_write(
	    rq, rs, call_write(rq), shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
