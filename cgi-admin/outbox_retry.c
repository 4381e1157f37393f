#include "answer.h"
#include "body.h"
#include "outbox.h"
#include "routes.h"

/* A DEAD mail is due again.  200; 404; 409 invalid-transition of any other. */
enum prob
outbox_retry(struct req *rq, struct resp *rs)
{
	enum prob pr;

	if ((pr = body_none(rq)) != PROB_NONE)
		return pr;
	call_begin(rq, "outbox_retry");
	db_int(rq->db, rq->number);
	return answer_write(rq, rs, call_write(rq), outbox_shape, SHAPE_OUTBOX, 200, NULL);
}
