#include "answer.h"
#include "jsonw.h"
#include "routes.h"

static void
shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	jsonw_name(w, "user");
	shape_user(w, f);
	jsonw_name(w, "bonus_points");
	jsonw_digits(w, f[SHAPE_USER].s, f[SHAPE_USER].len);
	jsonw_close(w);
}

/* The balance of an account.  404 user-not-found: unknown, or no UUID. */
enum prob
points_get(struct req *rq, struct resp *rs)
{
	if (!rq->has_id)
		return PROB_USER_NOT_FOUND;
	rs->personal = true;
	db_call(rq->db, "points_get");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_row(rq, rs, shape, SHAPE_USER + 1, PROB_USER_NOT_FOUND);
}
