#include <string.h>

#include "answer.h"
#include "find.h"
#include "page.h"
#include "routes.h"

#define ROOMS "SELECT id, name, available_amount, required_points FROM room"

/*
 * Rooms that are not archived, by id.  available=true: only those of which a
 * unit is left.  max_points, q, sort: by room_find.
 */
enum prob
room_list(struct req *rq, struct resp *rs)
{
	const char *available = query_get(&rq->query, "available", NULL);
	struct find find;
	struct page page;

	page_read(rq, &page);
	find_read(rq, &find, find_room_orders);
	if (available != NULL && strcmp(available, "true") != 0 && strcmp(available, "false") != 0)
		faults_add(&rq->faults, FAULT_QUERY, "available", "must be true or false");
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	if (find_asked(&find)) {
		find_rooms(
		    rq, &page, &find, false, available != NULL && strcmp(available, "true") == 0);
		return answer_list(rq, rs, find_call(rq), &page, shape_room, SHAPE_ROOM);
	}
	/* The indexes are forced: left alone, the optimizer takes the flag alone and walks to the
	 * page from the beginning.  Archived rooms on the way are few. */
	if (available != NULL && strcmp(available, "true") == 0) {
		db_select(rq->db, room_list,
		    ROOMS " FORCE INDEX (room_reservable) WHERE reservable = 1 AND id > ? ORDER BY "
			  "id LIMIT ?");
		db_bytes(rq->db, page.id, page.first ? 0 : sizeof(page.id));
	} else if (page.first) { /* half the cost of a range that begins at the beginning */
		db_select(rq->db, room_list,
		    ROOMS " FORCE INDEX (PRIMARY) WHERE archived = 0 ORDER BY id LIMIT ?");
	} else {
		db_select(rq->db, room_list,
		    ROOMS
		    " FORCE INDEX (PRIMARY) WHERE archived = 0 AND id > ? ORDER BY id LIMIT ?");
		db_bytes(rq->db, page.id, sizeof(page.id));
	}
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, call_read(rq), &page, shape_room, SHAPE_ROOM);
}
