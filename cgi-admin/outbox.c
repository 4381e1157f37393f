#include "jsonw.h"
#include "outbox.h"

void
outbox_shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_number(w, "id", &f[0]);
	shape_member_text(w, "event", &f[1]);
	shape_member_text(w, "status", &f[2]);
	shape_member_number(w, "attempts", &f[3]);
	shape_member_text(w, "subject", &f[4]);
	shape_member_id_or_null(w, "reservation_id", &f[5]);
	shape_member_id(w, "room_id", &f[6]);
	shape_member_text(w, "request_id", &f[7]);
	shape_member_time(w, "created_at", &f[8]);
	shape_member_time_or_null(w, "next_attempt_at", &f[9]);
	shape_member_time_or_null(w, "sent_at", &f[10]);
	shape_member_text_or_null(w, "last_error", &f[11]);
	jsonw_close(w);
}
