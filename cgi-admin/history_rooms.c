#include "history.h"
#include "jsonw.h"
#include "routes.h"

/* name, total, available, price, archived: a room as it was or became; null before the creation */
static void
state(struct jsonw *w, const char *name, const struct field *f)
{
	jsonw_name(w, name);
	if (f[0].s == NULL) {
		jsonw_null(w);
		return;
	}
	jsonw_object(w);
	shape_member_text(w, "name", &f[0]);
	shape_member_number(w, "total_amount", &f[1]);
	shape_member_number(w, "available_amount", &f[2]);
	shape_member_number(w, "required_points", &f[3]);
	shape_member_bool(w, "archived", &f[4]);
	jsonw_close(w);
}

static void
shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_number(w, "id", &f[0]);
	shape_member_id(w, "room_id", &f[1]);
	shape_member_id_or_null(w, "reservation_id", &f[2]);
	state(w, "from", &f[3]);
	state(w, "to", &f[8]);
	history_tail(w, &f[13]);
	jsonw_close(w);
}

/* Every change of a room, newest first; room_id: of one. */
enum prob
history_rooms(struct req *rq, struct resp *rs)
{
	return history_list(rq, rs, "history_rooms", "room_id", shape, 16);
}
