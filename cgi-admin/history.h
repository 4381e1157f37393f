#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "answer.h"

/*
 * The three history streams differ in procedure, filter and shape only.
 * filter: the query parameter that names one room, reservation or user.
 */
enum prob history_list(struct req *rq, struct resp *rs, const char *procedure, const char *filter,
    answer_shape *shape, unsigned columns);

/* What all rows end with: actor, request_id, changed_at. */
void history_tail(struct jsonw *w, const struct field *f);

#endif
