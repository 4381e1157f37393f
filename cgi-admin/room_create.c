#include "answer.h"
#include "body.h"
#include "routes.h"
#include "room.h"

struct room_in {
	struct uuid id;
	const char *name;
	size_t name_len;
	int64_t total, required_points;
};

static enum prob
parse(struct req *rq, struct room_in *s)
{
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, true)) != PROB_NONE)
		return pr;
	body_text(&b, "name", TEXT_NAME, &s->name, &s->name_len);
	body_int(&b, "total_amount", 0, AMOUNT_MAX, &s->total);
	body_int(&b, "required_points", 0, REQUIRED_POINTS_MAX, &s->required_points);
	b.optional = true;
	if (!body_uuid(&b, "id", &s->id) && !uuid_v7(&s->id))
		return PROB_INTERNAL;
	return body_end(&b);
}

/* A new room, all units available.  201 with Location; 409 room-exists. */
enum prob
room_create(struct req *rq, struct resp *rs)
{
	struct room_in s = {.name = ""};
	enum prob pr;

	if ((pr = parse(rq, &s)) != PROB_NONE)
		return pr;
	call_begin(rq, "room_create");
	db_bytes(rq->db, s.id.b, sizeof(s.id.b));
	db_utf8(rq->db, s.name, s.name_len);
	db_int(rq->db, s.total);
	db_int(rq->db, s.required_points);
	return answer_write(
	    rq, rs, call_write(rq), admin_room_shape, SHAPE_ADMIN_ROOM, 201, "/v1/admin/rooms/");
}
