#include "history.h"
#include "jsonw.h"
#include "routes.h"

/* name, role: an account as it was or became; null before it was made */
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
	shape_member_text(w, "role", &f[1]);
	jsonw_close(w);
}

void
history_user_shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_number(w, "id", &f[0]);
	shape_member_id(w, "user_id", &f[1]);
	state(w, "from", &f[2]);
	state(w, "to", &f[4]);
	shape_member_text_or_null(w, "reason", &f[6]);
	history_tail(w, &f[7]);
	jsonw_close(w);
}

/* Every change of an account's name or role, newest first; user_id: of one account. */
enum prob
history_users(struct req *rq, struct resp *rs)
{
	return history_list(rq, rs, "history_users", "user_id", history_user_shape, HISTORY_USER);
}
