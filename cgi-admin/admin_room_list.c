#include "answer.h"
#include "find.h"
#include "page.h"
#include "routes.h"
#include "room.h"

/* All rooms with their totals, archived ones too, by id.  max_points, q, sort: by room_find. */
enum prob
admin_room_list(struct req *rq, struct resp *rs)
{
	struct find find;
	struct page page;

	page_read(rq, &page);
	find_read(rq, &find, find_room_orders);
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	if (find_asked(&find)) {
		find_rooms(rq, &page, &find, true, false);
	} else {
		db_select(rq->db, admin_room_list,
		    "SELECT id, name, available_amount, required_points, total_amount, archived"
		    " FROM room WHERE id > ? ORDER BY id LIMIT ?");
		db_bytes(rq->db, page.id, page.first ? 0 : sizeof(page.id));
		db_int(rq->db, page.limit + 1);
	}
	return answer_list(rq, rs, find_call(rq), &page, admin_room_shape, SHAPE_ADMIN_ROOM);
}
