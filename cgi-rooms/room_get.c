#include "answer.h"
#include "routes.h"

/* One room.  404 room-not-found: unknown, archived, or no UUID. */
enum prob
room_get(struct req *rq, struct resp *rs)
{
	db_select(rq->db, room_get,
	    "SELECT id, name, available_amount, required_points FROM room"
	    " WHERE id = ? AND archived = 0");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_row(rq, rs, call_read(rq), shape_room, SHAPE_ROOM, PROB_ROOM_NOT_FOUND);
}
