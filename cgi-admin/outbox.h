#ifndef ADMIN_OUTBOX_H
#define ADMIN_OUTBOX_H

#include "mail_text.h"
#include "shape.h"

/* A mail: id, event, status, attempts, subject (NULL but of an answer kept by an earlier version),
 * reservation, room, request id, created, next attempt, sent, error, and what the subject is made
 * of: MAIL_SUBJECT columns. */
#define OUTBOX_COLUMNS 12
#define SHAPE_OUTBOX (OUTBOX_COLUMNS + MAIL_SUBJECT)
void outbox_shape(struct jsonw *w, const struct field *f);
void outbox_members(struct jsonw *w, const struct field *f); /* without the braces */

#endif
