#include "answer.h"
#include "routes.h"

/* The balance of an account.  404 user-not-found: unknown, or no UUID. */
enum prob
points_get(struct req *rq, struct resp *rs)
{
	rs->personal = true;
	db_select(rq->db, points_get, "SELECT id, name, role, bonus_points FROM user WHERE id = ?");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_row(rq, rs, call_read(rq), shape_account, SHAPE_ACCOUNT, PROB_USER_NOT_FOUND);
}
