#include <string.h>

#include "answer.h"
#include "find.h"
#include "page.h"
#include "routes.h"

static void
check_status(struct req *rq, const char *s)
{
	static const char *const known[] = {
	    "RESERVED", "PENDING_APPROVAL", "CANCELLED", "REJECTED", "RELEASED"};
	size_t i;

	for (i = 0; s != NULL && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(s, known[i]) == 0)
			return;
	if (s != NULL)
		faults_add(&rq->faults, FAULT_QUERY, "status",
		    "must be RESERVED, PENDING_APPROVAL, CANCELLED, REJECTED or RELEASED");
}

/* Whether the oldest come first. */
static bool
is_upward(struct req *rq)
{
	const char *sort = query_get(&rq->query, "sort", NULL);

	if (sort != NULL && strcmp(sort + (*sort == '-'), "created_at") != 0)
		faults_add(&rq->faults, FAULT_QUERY, "sort", "must be created_at or -created_at");
	return sort != NULL && *sort != '-';
}

#define COLUMNS                                                                                    \
	"v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points,"           \
	" u.id, u.name, u.role, v.created_at, v.updated_at"

/* The page of ids, which are in the order of time, comes from one index, then its rows are joined:
 * the cost does not grow with the table.  (One user's with one status walks that user's.) */
#define PAGE(of, behind, order)                                                                    \
	"SELECT " COLUMNS " FROM"                                                                  \
	" (SELECT id, user_id, room_id, status, points, created_at, updated_at FROM "              \
	"reservation " of " id " behind " ? ORDER BY id " order " LIMIT ?) v"                      \
	" JOIN room r ON r.id = v.room_id JOIN user u ON u.id = v.user_id ORDER BY v.id " order
#define SELECT_PAGE(of)                                                                            \
	do {                                                                                       \
		if (up)                                                                            \
			db_select(rq->db, reservation_list, PAGE(of, ">", "ASC"));                 \
		else                                                                               \
			db_select(rq->db, reservation_list, PAGE(of, "<", "DESC"));                \
	} while (0)

static void
select_ids(struct db *db)
{
	db_select(db, reservation_list,
	    FIND_IDS COLUMNS " FROM k STRAIGHT_JOIN reservation v FORCE INDEX (PRIMARY)"
			     " ON v.id = " FIND_ID
			     " STRAIGHT_JOIN room r FORCE INDEX (PRIMARY) ON r.id = v.room_id"
			     " STRAIGHT_JOIN user u FORCE INDEX (PRIMARY) ON u.id = v.user_id"
			     " ORDER BY n");
}

/* Those of the guests whose name has q as a part, newest first; see
 * mysql/procs/reservation_find.sql.
 */
static enum prob
by_guest(struct req *rq, struct resp *rs, const char *status)
{
	static const char *const no_order[] = {NULL};
	struct find find;
	struct page page;

	page_read(rq, &page);
	find_read(rq, &find, no_order);
	if (query_get(&rq->query, "user_id", NULL) != NULL)
		faults_add(&rq->faults, FAULT_QUERY, "user_id", "must not stand beside q");
	check_status(rq, status);
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	if (page.first)
		memset(page.id, 0xff, sizeof(page.id));
	rs->personal = true;
	db_call(rq->db, "reservation_find");
	find_bind_q(rq, &find);
	if (status != NULL)
		db_utf8(rq->db, status, strlen(status));
	else
		db_null(rq->db);
	db_bytes(rq->db, page.id, sizeof(page.id));
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, find_call(rq), &page, shape_reservation, SHAPE_RESERVATION);
}

/*
 * Reservations, newest first or oldest first; or those of the ids given, or of the guests that q
 * finds.  user_id is required with the public key: nobody reads all travellers' stays with what
 * every booking front end has.
 */
enum prob
reservation_list(struct req *rq, struct resp *rs)
{
	const char *status = query_get(&rq->query, "status", NULL), *user_id;
	struct page page;
	struct uuid user;
	size_t len;
	bool up;

	if (query_get(&rq->query, "q", NULL) != NULL && rq->caller.role != ROLE_RESTRICTED)
		return PROB_FORBIDDEN;
	if (query_get(&rq->query, "ids", NULL) != NULL)
		return find_ids(rq, rs, select_ids, shape_reservation, SHAPE_RESERVATION);
	if (query_get(&rq->query, "q", NULL) != NULL)
		return by_guest(rq, rs, status);
	page_read(rq, &page);
	if ((user_id = query_get(&rq->query, "user_id", &len)) != NULL) {
		if (!uuid_parse(&user, user_id, len))
			faults_add(&rq->faults, FAULT_QUERY, "user_id", "must be a UUID");
	} else if (rq->caller.role != ROLE_RESTRICTED) {
		faults_add(&rq->faults, FAULT_QUERY, "user_id", "is required with the public key");
	}
	check_status(rq, status);
	up = is_upward(rq);
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	if (page.first)
		memset(page.id, up ? 0 : 0xff, sizeof(page.id));
	rs->personal = true;
	if (user_id != NULL && status != NULL)
		SELECT_PAGE("FORCE INDEX (reservation_user) WHERE user_id = ? AND status = ? AND");
	else if (user_id != NULL)
		SELECT_PAGE("FORCE INDEX (reservation_user) WHERE user_id = ? AND");
	else if (status != NULL)
		SELECT_PAGE("FORCE INDEX (reservation_status) WHERE status = ? AND");
	else
		SELECT_PAGE("WHERE");
	if (user_id != NULL)
		db_bytes(rq->db, user.b, sizeof(user.b));
	if (status != NULL)
		db_utf8(rq->db, status, strlen(status));
	db_bytes(rq->db, page.id, sizeof(page.id));
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, call_read(rq), &page, shape_reservation, SHAPE_RESERVATION);
}
