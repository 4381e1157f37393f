#include "answer.h"
#include "jsonw.h"
#include "routes.h"

static void
shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_number(w, "pending_approval", &f[0]);
	shape_member_number(w, "dead_mails", &f[1]);
	shape_member_number(w, "queued_mails", &f[2]);
	jsonw_close(w);
}

/* What waits for staff.  Counts index entries of these alone. */
enum prob
summary_get(struct req *rq, struct resp *rs)
{
	rs->personal = true;
	db_select(rq->db, summary_get,
	    "SELECT"
	    " (SELECT COUNT(*) FROM reservation FORCE INDEX (reservation_status)"
	    " WHERE status = 'PENDING_APPROVAL'),"
	    " (SELECT COUNT(*) FROM outbox FORCE INDEX (outbox_status) WHERE status = 'DEAD'),"
	    " (SELECT COUNT(*) FROM outbox FORCE INDEX (outbox_status) WHERE status = 'PENDING')");
	return answer_row(rq, rs, call_read(rq), shape, 3, PROB_INTERNAL);
}
