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
 * The row of a writing procedure (status, problem, replayed, fields): a
 * success through shape, with Location where location is not NULL (it gets
 * the id in field 0 appended); a refusal as its problem document, with the
 * request id that it was first given under (`validation` has a third field,
 * the pointer of the member at fault).
 */
enum prob answer_write(
    struct req *rq, struct resp *rs, answer_shape *shape, unsigned columns, const char *location);

/* What a database status other than DB_OK means for the client; sets rq->detail. */
enum prob answer_failed(struct req *rq, enum db_status st, bool write);

#endif
