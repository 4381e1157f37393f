#include "body.h"
#include "change.h"
#include "routes.h"
#include "room.h"

/* What to change; -1 and NULL: leave it. */
struct room_change_in {
	const char *name;
	size_t name_len;
	int64_t total, required_points, archived;
};

static enum prob
parse(struct req *rq, struct room_change_in *c)
{
	bool archived;
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, false)) != PROB_NONE)
		return pr;
	body_text(&b, "name", TEXT_NAME, &c->name, &c->name_len);
	body_int(&b, "total_amount", 0, AMOUNT_MAX, &c->total);
	body_int(&b, "required_points", 0, REQUIRED_POINTS_MAX, &c->required_points);
	if (body_bool(&b, "archived", &archived))
		c->archived = archived;
	return body_end(&b);
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
	const struct room_change_in *c = in;

	call_begin(rq, "room_change");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	if (c->name != NULL)
		db_utf8(rq->db, c->name, c->name_len);
	else
		db_null(rq->db);
	int_or_null(rq->db, c->total);
	int_or_null(rq->db, c->required_points);
	int_or_null(rq->db, c->archived);
}

/*
 * Change a room: any of name, total_amount, required_points, archived.  200;
 * 404 room-not-found; 409 stock-below-reserved; 412 precondition-failed.
 */
enum prob
room_change(struct req *rq, struct resp *rs)
{
	static const struct change change = {admin_room_read, admin_room_shape, SHAPE_ADMIN_ROOM,
	    PROB_ROOM_NOT_FOUND, PROB_NONE, call};
	struct room_change_in c = {.total = -1, .required_points = -1, .archived = -1};
	enum prob pr;

	if ((pr = parse(rq, &c)) != PROB_NONE)
		return pr;
	return change_answer(rq, rs, &change, &c);
}
