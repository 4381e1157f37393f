#include "answer.h"
#include "routes.h"
#include "stock.h"
#include "text.h"

struct stock_in {
	struct uuid id;
	const char *name;
	size_t name_len;
	int64_t total, price;
};

static enum prob
parse(struct req *rq, struct stock_in *s)
{
	static const char *const names[] = {"id", "name", "total_amount", "required_points", NULL};
	struct json_object *in;
	enum prob pr;

	if ((pr = req_json_object(rq, true, &in)) != PROB_NONE)
		return pr;
	req_json_text(rq, in, "name", "/name", TEXT_NAME, &s->name, &s->name_len);
	req_json_int(rq, in, "total_amount", "/total_amount", 0, AMOUNT_MAX, &s->total);
	req_json_int(rq, in, "required_points", "/required_points", 0, PRICE_MAX, &s->price);
	if (req_json_has(in, "id"))
		req_json_uuid(rq, in, "id", "/id", &s->id);
	else if (!uuid_v7(&s->id))
		return PROB_INTERNAL;
	req_json_only(rq, in, "", names);
	return rq->nfaults > 0 ? PROB_VALIDATION : PROB_NONE;
}

/* A new room, all units available.  201 with Location; 409 room-exists. */
enum prob
stock_create(struct req *rq, struct resp *rs)
{
	struct stock_in s = {.name = ""};
	enum prob pr;

	if ((pr = parse(rq, &s)) != PROB_NONE)
		return pr;
	req_call(rq, "stock_create");
	db_bytes(rq->db, s.id.b, sizeof(s.id.b));
	db_utf8(rq->db, s.name, s.name_len);
	db_int(rq->db, s.total);
	db_int(rq->db, s.price);
	return answer_write(rq, rs, stock_shape, SHAPE_STOCK, 201, "/v1/admin/rooms/");
}
