#ifndef ADMIN_STOCK_H
#define ADMIN_STOCK_H

#include "shape.h"

#define AMOUNT_MAX 1000000   /* units of a room */
#define PRICE_MAX 1000000000 /* points */

/* {"room":{room},"total_amount","archived"}: SHAPE_ROOM fields, then these two. */
#define SHAPE_STOCK 6
void stock_shape(struct jsonw *w, const struct field *f);

struct req;

/* Begin the read of the room rq->id: these columns. */
void stock_read(struct req *rq);

#endif
