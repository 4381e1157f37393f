#ifndef ADMIN_ROOM_H
#define ADMIN_ROOM_H

#include "shape.h"

#define AMOUNT_MAX 1000000	       /* units of a room */
#define REQUIRED_POINTS_MAX 1000000000 /* points */

/* {"room":{room},"total_amount","archived"}: SHAPE_ROOM fields, then these two. */
#define SHAPE_ADMIN_ROOM 6
void admin_room_shape(struct jsonw *w, const struct field *f);

struct req;

/* Begin the read of the room rq->id: these columns. */
void admin_room_read(struct req *rq);

#endif
