#include "history.h"
#include "jsonw.h"
#include "routes.h"

void
history_points_shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_number(w, "id", &f[0]);
	shape_member_id(w, "user_id", &f[1]);
	shape_member_number(w, "from", &f[2]);
	shape_member_number(w, "to", &f[3]);
	shape_member_number(w, "delta", &f[4]);
	shape_member_text_or_null(w, "reason", &f[5]);
	shape_member_id_or_null(w, "reservation_id", &f[6]);
	history_tail(w, &f[7]);
	jsonw_close(w);
}

/* Every change of a balance, newest first; user_id: of one account. */
enum prob
history_points(struct req *rq, struct resp *rs)
{
	return history_list(
	    rq, rs, "history_points", "user_id", history_points_shape, HISTORY_POINTS);
}
