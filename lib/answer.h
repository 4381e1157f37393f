#ifndef LOYALTY_ANSWER_H
#define LOYALTY_ANSWER_H

#include "call.h"
#include "problem.h"
#include "shape.h"

struct jsonw;
struct page;
struct resp;

#define ANSWER_COLUMNS_MAX 48

/*
 * The last of a handler's three steps, parse, call, answer: the rows of the
 * call that was made (call_read, call_write) into the answer.  called: what
 * that returned; a problem is passed on.  Each returns PROB_NONE with rs
 * filled, or a problem; the call is done with either way.
 */
typedef void answer_shape(struct jsonw *w, const struct field *f);

/* One entity: the row's first columns through shape; no row: `missing`. */
enum prob answer_row(struct req *rq, struct resp *rs, enum prob called, answer_shape *shape,
    unsigned columns, enum prob missing);

/*
 * A bare array of rows and the Link to the next page.  The call was made for
 * page->limit + 1 rows; column 0 is the id that tells where a page ends: a
 * UUID, or a decimal number (page_number reads it back).  With
 * page->order_column the row has more columns than are shown: see page.h.
 */
enum prob answer_list(struct req *rq, struct resp *rs, enum prob called, const struct page *page,
    answer_shape *shape, unsigned columns);

/*
 * The row of a writing procedure (see mysql/frame.sql).  A success (0 or,
 * replayed, 1; then `columns` of its own) through shape, with this HTTP status, and
 * with Location where location is not NULL (it gets the id in the first of them
 * appended); the row of a PUT has one more column, not 0: it made the resource,
 * 201.  A refusal (problem, text, n, m, request id, replayed) as its problem
 * document, with the request id that it was first given under.  A success of
 * PATCH has the entity tag that a GET would have, since its body is the same.
 */
enum prob answer_write(struct req *rq, struct resp *rs, enum prob called, answer_shape *shape,
    unsigned columns, int status, const char *location);

/*
 * The same of a procedure whose row lacks what the request has told: shape
 * gets that, known, behind the columns.  NULL for replayed: 0.
 */
enum prob answer_known(struct req *rq, struct resp *rs, enum prob called, answer_shape *shape,
    unsigned columns, const struct field *known, unsigned nknown, int status, const char *location);

/* The row's columns from first on, to f. */
void answer_fields(struct db *db, struct field *f, unsigned first, unsigned columns);

/* Log that a result is none that was to be expected; PROB_INTERNAL. */
enum prob answer_unexpected(const struct req *rq);

#endif
