#ifndef LOYALTY_ANSWER_H
#define LOYALTY_ANSWER_H

#include "db.h"
#include "problem.h"
#include "shape.h"

struct jsonw;
struct page;
struct req;
struct resp;

/*
 * The second half of every handler: execute the call that was begun, turn
 * what the database says into the answer.  Each returns PROB_NONE with rs
 * filled, or a problem; the call is done with either way.
 */
typedef void answer_shape(struct jsonw *w, const struct field *f);

/* One entity: the row's first columns through shape; no row: `missing`. */
enum prob answer_row(
    struct req *rq, struct resp *rs, answer_shape *shape, unsigned columns, enum prob missing);

/*
 * A bare array of rows and the Link to the next page.  The call was made for
 * page->limit + 1 rows; column 0 is the id that tells where a page ends: a
 * UUID, or a decimal number (page_number reads it back).
 */
enum prob answer_list(struct req *rq, struct resp *rs, const struct page *page, answer_shape *shape,
    unsigned columns);

/*
 * The row of a writing procedure (see mysql/frame.sql).  A success (0 or,
 * replayed, 1; then `columns` of its own) through shape, with this HTTP status, and
 * with Location where location is not NULL (it gets the id in the first of them
 * appended); the row of a PUT has one more column, not 0: it made the resource,
 * 201.  A refusal (problem, request id, replayed, text, n, m) as its problem
 * document, with the request id that it was first given under.  A success of
 * PATCH has the entity tag that a GET would have, since its body is the same.
 */
enum prob answer_write(struct req *rq, struct resp *rs, answer_shape *shape, unsigned columns,
    int status, const char *location);

/*
 * A write to one resource (PUT, PATCH) that honours If-Match and If-None-Match.
 * Without them it is answer_write.  With them `read` gets the state, they are
 * held against the entity tag that GET gives it, and the
 * writing procedure gets, as its last arguments, what was read: its columns but
 * the id; all NULL: any state will do; an empty text and NULLs: there is no row.
 * Under the row's lock it compares, and refuses with precondition-failed where
 * something has changed: then the conditions are looked at again.  So they hold
 * for the very state that is replaced, and one that still holds refuses nothing.
 */
struct change {
	void (*read)(struct req *rq); /* begin the read of the GET: one row or none, of rq->id */
	answer_shape *shape;
	unsigned columns;
	enum prob missing; /* where there is no row; PROB_NONE: the write makes one */
	/* Begin the writing call, with all its arguments but what was read. */
	void (*call)(struct req *rq, const void *in);
};
enum prob answer_change(struct req *rq, struct resp *rs, const struct change *c, const void *in);

/* What a database status other than DB_OK means for the client; sets rq->faults.detail. */
enum prob answer_failed(struct req *rq, enum db_status st, bool write);

#endif
