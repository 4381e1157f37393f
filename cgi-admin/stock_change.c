#include "answer.h"
#include "routes.h"
#include "stock.h"
#include "text.h"

/* What to change; -1 and NULL: leave it. */
struct stock_change_in {
	const char *name;
	size_t name_len;
	int64_t total, price, archived;
};

static enum prob
parse(struct req *rq, struct stock_change_in *c)
{
	static const char *const names[] = {
	    "name", "total_amount", "required_points", "archived", NULL};
	struct json_object *in;
	bool archived = false;
	enum prob pr;

	if ((pr = req_json_object(rq, false, &in)) != PROB_NONE || in == NULL)
		return pr;
	if (req_json_has(in, "name"))
		req_json_text(rq, in, "name", "/name", TEXT_NAME, &c->name, &c->name_len);
	if (req_json_has(in, "total_amount"))
		req_json_int(rq, in, "total_amount", "/total_amount", 0, AMOUNT_MAX, &c->total);
	if (req_json_has(in, "required_points"))
		req_json_int(
		    rq, in, "required_points", "/required_points", 0, PRICE_MAX, &c->price);
	if (req_json_has(in, "archived")) {
		req_json_bool(rq, in, "archived", "/archived", &archived);
		c->archived = archived;
	}
	req_json_only(rq, in, "", names);
	return rq->nfaults > 0 ? PROB_VALIDATION : PROB_NONE;
}

static void
int_or_null(struct db *db, int64_t n)
{
	if (n >= 0)
		db_int(db, n);
	else
		db_null(db);
}

static void
call(struct req *rq, const void *in)
{
	const struct stock_change_in *c = in;

	req_call(rq, "stock_change");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	if (c->name != NULL)
		db_utf8(rq->db, c->name, c->name_len);
	else
		db_null(rq->db);
	int_or_null(rq->db, c->total);
	int_or_null(rq->db, c->price);
	int_or_null(rq->db, c->archived);
}

/*
 * Change a room: any of name, total_amount, required_points, archived.  200;
 * 404 room-not-found; 409 stock-below-reserved; 412 precondition-failed.
 */
enum prob
stock_change(struct req *rq, struct resp *rs)
{
	static const struct change change = {
	    stock_read, stock_shape, SHAPE_STOCK, PROB_ROOM_NOT_FOUND, call};
	struct stock_change_in c = {.total = -1, .price = -1, .archived = -1};
	enum prob pr;

	if ((pr = parse(rq, &c)) != PROB_NONE)
		return pr;
	return answer_change(rq, rs, &change, &c);
}
