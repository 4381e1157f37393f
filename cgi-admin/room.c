#include "jsonw.h"
#include "room.h"

void
admin_room_shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	jsonw_name(w, "room");
	shape_room(w, f);
	shape_member_number(w, "total_amount", &f[SHAPE_ROOM]);
	shape_member_bool(w, "archived", &f[SHAPE_ROOM + 1]);
	jsonw_close(w);
}
