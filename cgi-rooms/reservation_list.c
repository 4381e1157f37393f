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

/* The page of ids comes from one index, then its rows are joined: the cost does not grow with the
 * table.  (One user's with one status walks that user's.) */
#define PAGE(of)                                                                                   \
	"SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points,"    \
	" u.id, u.name, u.role, v.created_at, v.updated_at FROM"                                   \
	" (SELECT id, user_id, room_id, status, points, created_at, updated_at FROM "              \
	"reservation " of " id < ? ORDER BY id DESC LIMIT ?) v"                                    \
	" JOIN room r ON r.id = v.room_id JOIN user u ON u.id = v.user_id ORDER BY v.id DESC"

/*
 * Reservations, newest first.  user_id is required with the public key: nobody
 * reads all travellers' stays with what every booking front end has.
 */
enum prob
reservation_list(struct req *rq, struct resp *rs)
{
	const char *status = query_get(&rq->query, "status", NULL), *user_id;
	struct page page;
	struct uuid user;
	size_t len;

	page_read(rq, &page);
	if ((user_id = query_get(&rq->query, "user_id", &len)) != NULL) {
		if (!uuid_parse(&user, user_id, len))
			faults_add(&rq->faults, FAULT_QUERY, "user_id", "must be a UUID");
	} else if (rq->caller.role != ROLE_RESTRICTED) {
		faults_add(&rq->faults, FAULT_QUERY, "user_id", "is required with the public key");
	}
	if (status != NULL && !is_status(status))
		faults_add(&rq->faults, FAULT_QUERY, "status",
		    "must be RESERVED, PENDING_APPROVAL, CANCELLED, REJECTED or RELEASED");
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	if (page.first)
		memset(page.id, 0xff, sizeof(page.id));
	rs->personal = true;
	if (user_id != NULL && status != NULL)
		db_select(rq->db, reservation_list,
		    PAGE("FORCE INDEX (reservation_user) WHERE user_id = ? AND status = ? AND"));
	else if (user_id != NULL)
		db_select(rq->db, reservation_list,
		    PAGE("FORCE INDEX (reservation_user) WHERE user_id = ? AND"));
	else if (status != NULL)
		db_select(rq->db, reservation_list,
		    PAGE("FORCE INDEX (reservation_status) WHERE status = ? AND"));
	else
		db_select(rq->db, reservation_list, PAGE("WHERE"));
	if (user_id != NULL)
		db_bytes(rq->db, user.b, sizeof(user.b));
	if (status != NULL)
		db_utf8(rq->db, status, strlen(status));
	db_bytes(rq->db, page.id, sizeof(page.id));
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, call_read(rq), &page, shape_reservation, SHAPE_RESERVATION);
}
