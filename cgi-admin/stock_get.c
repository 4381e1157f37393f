#include "answer.h"
#include "routes.h"
#include "stock.h"

void
stock_read(struct req *rq)
{
	db_select(rq->db, stock_get,
	    "SELECT id, name, available_amount, required_points, total_amount, archived FROM room"
	    " WHERE id = ?");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
}

/* One room with its stock, archived or not.  404 room-not-found: unknown, or no UUID. */
enum prob
stock_get(struct req *rq, struct resp *rs)
{
	stock_read(rq);
	return answer_row(rq, rs, call_read(rq), stock_shape, SHAPE_STOCK, PROB_ROOM_NOT_FOUND);
}
