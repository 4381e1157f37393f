#include <string.h>

#include "answer.h"
#include "routes.h"
#include "text.h"

/*
 * Make an account under this id, balance 0 (201), or replace its name and
 * role (200).  404 user-not-found: no UUID.
 */
enum prob
user_put(struct req *rq, struct resp *rs)
{
	static const char *const names[] = {"name", "role", NULL};
	const char *name = "", *role = "";
	struct json_object *in;
	size_t len = 0;
	enum prob pr;

	if (!rq->has_id)
		return PROB_USER_NOT_FOUND;
	if ((pr = req_json_object(rq, true, &in)) != PROB_NONE)
		return pr;
	req_json_text(rq, in, "name", "/name", TEXT_NAME, &name, &len);
	req_json_role(rq, in, "role", "/role", &role);
	req_json_only(rq, in, "", names);
	if (rq->nfaults > 0)
		return PROB_VALIDATION;
	req_call(rq, "user_put");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	db_utf8(rq->db, name, len);
	db_utf8(rq->db, role, strlen(role));
	return answer_write(rq, rs, shape_account, SHAPE_ACCOUNT, NULL);
}
