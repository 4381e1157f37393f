#include "answer.h"
#include "body.h"
#include "routes.h"

static enum prob
parse(struct req *rq, struct uuid *room, struct uuid *user)
{
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, true)) != PROB_NONE)
		return pr;
	body_uuid(&b, "room_id", room);
	body_user(&b, "user", user);
	return body_end(&b);
}

/*
 * Reserve one unit of a room.  201 with Location, RESERVED or
 * PENDING_APPROVAL; 404 room or user unknown; 409 sold-out.
 */
enum prob
reservation_create(struct req *rq, struct resp *rs)
{
	struct uuid id, room, user;
	enum prob pr;

	if ((pr = parse(rq, &room, &user)) != PROB_NONE)
		return pr;
	if (!uuid_v7(&id))
		return PROB_INTERNAL;
	call_begin(rq, "reservation_create");
	db_bytes(rq->db, id.b, sizeof(id.b));
	db_bytes(rq->db, room.b, sizeof(room.b));
	db_bytes(rq->db, user.b, sizeof(user.b));
	return answer_write(
	    rq, rs, call_write(rq), shape_reservation, SHAPE_RESERVATION, 201, "/v1/reservations/");
}
