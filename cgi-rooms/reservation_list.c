#include <string.h>

#include "answer.h"
#include "page.h"
#include "routes.h"

static bool
is_status(const char *s)
{
	static const char *const known[] = {
	    "RESERVED", "PENDING_APPROVAL", "CANCELLED", "REJECTED", "RELEASED"};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(s, known[i]) == 0)
			return true;
	return false;
}

/*
 * Reservations, newest first.  user_id is required with the public key: nobody
 * reads all travellers' stays with what every booking front end has.
 */
enum prob
reservation_list(struct req *rq, struct resp *rs)
{
	const char *status = req_query(rq, "status", NULL), *user_id;
	struct page page;
	struct uuid user;
	size_t len;

	page_read(rq, &page);
	if ((user_id = req_query(rq, "user_id", &len)) != NULL) {
		if (!uuid_parse(&user, user_id, len))
			req_fault_query(rq, "user_id", "must be a UUID");
	} else if (rq->role != ROLE_RESTRICTED) {
		req_fault_query(rq, "user_id", "is required with the public key");
	}
	if (status != NULL && !is_status(status))
		req_fault_query(rq, "status",
		    "must be RESERVED, PENDING_APPROVAL, CANCELLED, REJECTED or RELEASED");
	if (rq->nfaults > 0)
		return PROB_BAD_QUERY;
	if (page.first)
		memset(page.id, 0xff, sizeof(page.id));
	rs->personal = true;
	db_call(rq->db, "reservation_list");
	if (user_id != NULL)
		db_bytes(rq->db, user.b, sizeof(user.b));
	else
		db_null(rq->db);
	if (status != NULL)
		db_utf8(rq->db, status, strlen(status));
	else
		db_null(rq->db);
	db_bytes(rq->db, page.id, sizeof(page.id));
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, &page, shape_reservation, SHAPE_RESERVATION);
}
