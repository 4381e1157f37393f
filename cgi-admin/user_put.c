#include <string.h>

#include "body.h"
#include "change.h"
#include "routes.h"

struct user_in {
	const char *name, *role;
	size_t name_len;
};

/* As user_read, and whether it was erased. */
static void
read_seen(struct req *rq)
{
	db_select(rq->db, user_seen,
	    "SELECT id, name, role, bonus_points, erased_at IS NOT NULL FROM user WHERE id = ?");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
}

static void
call(struct req *rq, const void *in)
{
	const struct user_in *u = in;

	call_begin(rq, "user_put");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	db_utf8(rq->db, u->name, u->name_len);
	db_utf8(rq->db, u->role, strlen(u->role));
}

/*
 * Make an account under this id, balance 0 (201), or replace its name and
 * role (200).  404 user-not-found: no UUID, or erased; 412 precondition-failed.
 */
enum prob
user_put(struct req *rq, struct resp *rs)
{
	static const struct change change = {
	    read_seen, shape_account, SHAPE_ACCOUNT, PROB_NONE, PROB_USER_NOT_FOUND, call};
	struct user_in u = {.name = "", .role = ""};
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, true)) != PROB_NONE)
		return pr;
	body_text(&b, "name", TEXT_NAME, &u.name, &u.name_len);
	body_role(&b, "role", &u.role);
	if ((pr = body_end(&b)) != PROB_NONE)
		return pr;
	return change_answer(rq, rs, &change, &u);
}
