#include "answer.h"
#include "routes.h"
#include "room.h"

void
admin_room_read(struct req *rq)
{
	db_select(rq->db, admin_room_get,
	    "SELECT id, name, available_amount, required_points, total_amount, archived FROM room"
	    " WHERE id = ?");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
}

/* One room with its total, archived or not.  404 room-not-found: unknown, or no UUID. */
enum prob
admin_room_get(struct req *rq, struct resp *rs)
{
	admin_room_read(rq);
	return answer_row(
	    rq, rs, call_read(rq), admin_room_shape, SHAPE_ADMIN_ROOM, PROB_ROOM_NOT_FOUND);
}
