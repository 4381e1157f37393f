#ifndef ADMIN_OUTBOX_H
#define ADMIN_OUTBOX_H

#include "shape.h"

/* A mail: id, event, status, attempts, subject, reservation, room, request id, created, next
 * attempt, sent, error. */
#define SHAPE_OUTBOX 12
void outbox_shape(struct jsonw *w, const struct field *f);

#endif
