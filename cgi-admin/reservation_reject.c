#include "answer.h"
#include "body.h"
#include "routes.h"

/* Reject, with a reason that the mail tells.  200; 404; 409 invalid-transition. */
enum prob
reservation_reject(struct req *rq, struct resp *rs)
{
	const char *reason = "";
	size_t len = 0;
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, true)) != PROB_NONE)
		return pr;
	body_text(&b, "reason", TEXT_REASON, &reason, &len);
	if ((pr = body_end(&b)) != PROB_NONE)
		return pr;
	call_begin(rq, "reservation_reject");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	db_utf8(rq->db, reason, len);
	return answer_write(
	    rq, rs, call_write(rq), shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
