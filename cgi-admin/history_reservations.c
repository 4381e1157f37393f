#include "history.h"
#include "jsonw.h"
#include "req.h"
#include "routes.h"

void
history_reservation_head(struct jsonw *w, const struct field *f)
{
	shape_member_number(w, "id", &f[0]);
	shape_member_id(w, "reservation_id", &f[1]);
	shape_member_id(w, "room_id", &f[2]);
	shape_member_id(w, "user_id", &f[3]);
	shape_member_text_or_null(w, "from", &f[4]);
	shape_member_text(w, "to", &f[5]);
	shape_member_number_or_null(w, "points", &f[6]);
}

void
history_reservation_shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	history_reservation_head(w, f);
	shape_member_text_or_null(w, "reason", &f[7]);
	history_tail(w, &f[8]);
	jsonw_close(w);
}

/* Every change of a reservation's status, newest first; reservation_id: of one; user_id: of all of
 * one guest's. */
enum prob
history_reservations(struct req *rq, struct resp *rs)
{
	if (query_get(&rq->query, "user_id", NULL) != NULL) {
		if (query_get(&rq->query, "reservation_id", NULL) != NULL)
			faults_add(&rq->faults, FAULT_QUERY, "reservation_id",
			    "must not stand beside user_id");
		return history_list(rq, rs, "history_reservations_user", "user_id",
		    history_reservation_shape, HISTORY_RESERVATION);
	}
	return history_list(rq, rs, "history_reservations", "reservation_id",
	    history_reservation_shape, HISTORY_RESERVATION);
}
