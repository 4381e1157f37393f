#include "answer.h"
#include "routes.h"
#include "user.h"

void
user_read(struct req *rq)
{
	db_select(rq->db, user_get, "SELECT id, name, role, bonus_points FROM user WHERE id = ?");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
}

/* One account.  404 user-not-found: unknown, or no UUID. */
enum prob
user_get(struct req *rq, struct resp *rs)
{
	rs->personal = true;
	user_read(rq);
	return answer_row(rq, rs, call_read(rq), shape_account, SHAPE_ACCOUNT, PROB_USER_NOT_FOUND);
}
