#include "answer.h"
#include "routes.h"
#include "text.h"

/* Reject, with a reason that the mail tells.  200; 404; 409 invalid-transition. */
enum prob
reservation_reject(struct req *rq, struct resp *rs)
{
	static const char *const names[] = {"reason", NULL};
	struct json_object *in;
	const char *reason = "";
	size_t len = 0;
	enum prob pr;

	if ((pr = req_json_object(rq, true, &in)) != PROB_NONE)
		return pr;
	req_json_text(rq, in, "reason", "/reason", TEXT_REASON, &reason, &len);
	req_json_only(rq, in, "", names);
	if (rq->nfaults > 0)
		return PROB_VALIDATION;
	req_call(rq, "reservation_reject");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	db_utf8(rq->db, reason, len);
	return answer_write(rq, rs, shape_reservation, SHAPE_RESERVATION, 200, NULL);
}
