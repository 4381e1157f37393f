#include "history.h"
#include "jsonw.h"
#include "routes.h"

static void
shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_number(w, "id", &f[0]);
	shape_member_id(w, "reservation_id", &f[1]);
	shape_member_id(w, "room_id", &f[2]);
	shape_member_id(w, "user_id", &f[3]);
	shape_member_text_or_null(w, "from", &f[4]);
	shape_member_text(w, "to", &f[5]);
	shape_member_number_or_null(w, "points", &f[6]);
	shape_member_text_or_null(w, "reason", &f[7]);
	history_tail(w, &f[8]);
	jsonw_close(w);
}

/* Every change of a reservation's status, newest first; reservation_id: of one. */
enum prob
history_reservations(struct req *rq, struct resp *rs)
{
	return history_list(rq, rs, "history_reservations", "reservation_id", shape, 11);
}
