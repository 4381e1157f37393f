#include "answer.h"
#include "body.h"
#include "routes.h"
#include "stock.h"

struct stock_in {
	struct uuid id;
	const char *name;
	size_t name_len;
	int64_t total, price;
};

static enum prob
parse(struct req *rq, struct stock_in *s)
{
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, true)) != PROB_NONE)
		return pr;
	body_text(&b, "name", TEXT_NAME, &s->name, &s->name_len);
	body_int(&b, "total_amount", 0, AMOUNT_MAX, &s->total);
	body_int(&b, "required_points", 0, PRICE_MAX, &s->price);
	b.optional = true;
	if (!body_uuid(&b, "id", &s->id) && !uuid_v7(&s->id))
		return PROB_INTERNAL;
	return body_end(&b);
}

/* A new room, all units available.  201 with Location; 409 room-exists. */
enum prob
stock_create(struct req *rq, struct resp *rs)
{
	struct stock_in s = {.name = ""};
	enum prob pr;

	if ((pr = parse(rq, &s)) != PROB_NONE)
		return pr;
	call_begin(rq, "stock_create");
	db_bytes(rq->db, s.id.b, sizeof(s.id.b));
	db_utf8(rq->db, s.name, s.name_len);
	db_int(rq->db, s.total);
	db_int(rq->db, s.price);
	return answer_write(
	    rq, rs, call_write(rq), stock_shape, SHAPE_STOCK, 201, "/v1/admin/rooms/");
}
