#include "answer.h"
#include "routes.h"
#include "stock.h"

/* One room with its stock, archived or not.  404 room-not-found: unknown, or no UUID. */
enum prob
stock_get(struct req *rq, struct resp *rs)
{
	if (!rq->has_id)
		return PROB_ROOM_NOT_FOUND;
	db_call(rq->db, "stock_get");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	return answer_row(rq, rs, stock_shape, SHAPE_STOCK, PROB_ROOM_NOT_FOUND);
}
