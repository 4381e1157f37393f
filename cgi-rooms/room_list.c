#include <string.h>

#include "answer.h"
#include "page.h"
#include "routes.h"

/*
 * Rooms that are not archived, by id.  available=true: only those of which a
 * unit is left.
 */
enum prob
room_list(struct req *rq, struct resp *rs)
{
	const char *available = req_query(rq, "available", NULL);
	struct page page;

	page_read(rq, &page);
	if (available != NULL && strcmp(available, "true") != 0 && strcmp(available, "false") != 0)
		req_fault_query(rq, "available", "must be true or false");
	if (rq->nfaults > 0)
		return PROB_BAD_QUERY;
	db_call(rq->db, "room_list");
	db_int(rq->db, available != NULL && strcmp(available, "true") == 0);
	db_bytes(rq->db, page.id, page.first ? 0 : sizeof(page.id));
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, &page, shape_room, SHAPE_ROOM);
}
