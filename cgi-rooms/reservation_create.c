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

/* What the procedure gives, and behind it what the request has told. */
enum {
	ID,
	STATUS,
	POINTS,
	ROOM_NAME,
	AVAILABLE,
	USER_NAME,
	ROLE,
	AT,
	COLUMNS,
	ROOM = COLUMNS,
	USER,
	FIELDS
};

static void
shape(struct jsonw *w, const struct field *f)
{
	const struct field all[SHAPE_RESERVATION] = {f[ID], f[STATUS], f[POINTS], f[ROOM],
	    f[ROOM_NAME], f[AVAILABLE], f[POINTS], f[USER], f[USER_NAME], f[ROLE], f[AT], f[AT]};

	shape_reservation(w, all);
}

/*
 * Reserve one unit of a room.  201 with Location, RESERVED or
 * PENDING_APPROVAL; 404 room or user unknown; 409 sold-out.
 */
enum prob
reservation_create(struct req *rq, struct resp *rs)
{
	struct uuid id, room, user;
	const struct field known[FIELDS - COLUMNS] = {
	    {(const char *)room.b, sizeof(room.b)}, {(const char *)user.b, sizeof(user.b)}};
	enum prob pr;

	if ((pr = parse(rq, &room, &user)) != PROB_NONE)
		return pr;
	if (!uuid_v7(&id))
		return PROB_INTERNAL;
	call_begin(rq, "reservation_create");
	db_bytes(rq->db, id.b, sizeof(id.b));
	db_bytes(rq->db, room.b, sizeof(room.b));
	db_bytes(rq->db, user.b, sizeof(user.b));
	db_out(rq->db, 1 + COLUMNS);
	return answer_known(rq, rs, call_write(rq), shape, COLUMNS, known, FIELDS - COLUMNS, 201,
	    "/v1/reservations/");
}
