#include <string.h>

#include "answer.h"
#include "routes.h"
#include "text.h"
#include "user.h"

struct user_in {
	const char *name, *role;
	size_t name_len;
};

static void
call(struct req *rq, const void *in)
{
	const struct user_in *u = in;

	req_call(rq, "user_put");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	db_utf8(rq->db, u->name, u->name_len);
	db_utf8(rq->db, u->role, strlen(u->role));
}

/*
 * Make an account under this id, balance 0 (201), or replace its name and
 * role (200).  404 user-not-found: no UUID; 412 precondition-failed.
 */
enum prob
user_put(struct req *rq, struct resp *rs)
{
	static const char *const names[] = {"name", "role", NULL};
	static const struct change change = {
	    user_read, shape_account, SHAPE_ACCOUNT, PROB_NONE, call};
	struct user_in u = {.name = "", .role = ""};
	struct json_object *in;
	enum prob pr;

	if ((pr = req_json_object(rq, true, &in)) != PROB_NONE)
		return pr;
	req_json_text(rq, in, "name", "/name", TEXT_NAME, &u.name, &u.name_len);
	req_json_role(rq, in, "role", "/role", &u.role);
	req_json_only(rq, in, "", names);
	if (rq->nfaults > 0)
		return PROB_VALIDATION;
	return answer_change(rq, rs, &change, &u);
}
