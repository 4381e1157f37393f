#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "answer.h"

/*
 * The history streams differ in procedure, filter and shape only.
 * filter: the query parameter that names one room, reservation or user.
 */
enum prob history_list(struct req *rq, struct resp *rs, const char *procedure, const char *filter,
    answer_shape *shape, unsigned columns);

#define HISTORY_BEGIN "1000-01-01 00:00:00.000000"

/* A time of the query as SQL reads it, RFC3339_SQL characters and a NUL; where it was not given,
 * fallback. */
void history_time(struct req *rq, const char *name, const char *fallback, char *out);

/* A row of a stream, in the columns of its procedure. */
#define HISTORY_USER 10
#define HISTORY_RESERVATION 11
#define HISTORY_POINTS 10
answer_shape history_user_shape, history_reservation_shape, history_points_shape;

/* What a change of a reservation begins with: id, reservation, room, guest, from, to, points. */
void history_reservation_head(struct jsonw *w, const struct field *f);

/* What all rows end with: actor, request_id, changed_at. */
void history_tail(struct jsonw *w, const struct field *f);

#endif
