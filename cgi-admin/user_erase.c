#include "answer.h"
#include "body.h"
#include "log.h"
#include "routes.h"
#include "uuid.h"

/*
 * The line by which mysql/loyalty-erasures finds what has to be done again after a restore: its
 * form is fixed.
 */
static void
tell(const struct req *rq)
{
	char id[UUID_TEXT + 1];

	uuid_text(id, rq->id.b);
	id[UUID_TEXT] = '\0';
	log_line(LOG_ALWAYS, rq->request_id, "erased user %s", id);
}

/*
 * Close the account and forget whose it is.  200, also where that has been done; 404; 409
 * user-has-reservations.
 */
enum prob
user_erase(struct req *rq, struct resp *rs)
{
	const char *reason;
	enum prob pr;
	size_t len;

	if ((pr = body_reason(rq, &reason, &len)) != PROB_NONE)
		return pr;
	call_begin(rq, "user_erase");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	db_utf8(rq->db, reason, len);
	pr = answer_write(rq, rs, call_write(rq), shape_account, SHAPE_ACCOUNT, 200, NULL);
	if (pr == PROB_NONE && rs->status == 200)
		tell(rq);
	return pr;
}
