#include "jsonw.h"
#include "outbox.h"

static void
member_subject(struct jsonw *w, const struct field *f)
{
	struct mail_row row;
	struct buf b = {0};

	jsonw_name(w, "subject");
	if (f[4].s != NULL) {
		jsonw_text(w, f[4].s, f[4].len);
		return;
	}
	mail_subject_read(&row, f[1].s, &f[OUTBOX_COLUMNS]);
	mail_subject(&b, &row);
	jsonw_text(w, b.p, b.len);
	w->broken = w->broken || b.failed;
	buf_free(&b);
}

void
outbox_members(struct jsonw *w, const struct field *f)
{
	shape_member_number(w, "id", &f[0]);
	shape_member_text(w, "event", &f[1]);
	shape_member_text(w, "status", &f[2]);
	shape_member_number(w, "attempts", &f[3]);
	member_subject(w, f);
	shape_member_id_or_null(w, "reservation_id", &f[5]);
	shape_member_id(w, "room_id", &f[6]);
	shape_member_text(w, "request_id", &f[7]);
	shape_member_time(w, "created_at", &f[8]);
	shape_member_time_or_null(w, "next_attempt_at", &f[9]);
	shape_member_time_or_null(w, "sent_at", &f[10]);
	shape_member_text_or_null(w, "last_error", &f[11]);
}

void
outbox_shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	outbox_members(w, f);
	jsonw_close(w);
}
