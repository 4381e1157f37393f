#ifndef LOYALTY_FIND_H
#define LOYALTY_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "answer.h"

struct page;

/* What is looked for in a list, and in which order.  Texts are the request's. */
struct find {
	const char *q; /* a part of the name, or NULL */
	size_t q_len;
	const char *sort;     /* "id", where it was not given */
	long long max_points; /* price at most; -1: any */
};

/*
 * Read q, sort and max_points, as far as the route knows them.  order: what
 * sort may be, NULL-terminated, each also with - in front.  Faults go to rq.
 */
void find_read(struct req *rq, struct find *f, const char *const *order);

/* Is there anything that the plain list by id does not do? */
bool find_asked(const struct find *f);

/* Bind q, or NULL. */
void find_bind_q(struct req *rq, const struct find *f);

/*
 * Execute the call of a procedure that looks for q.  PROB_BAD_QUERY, with the
 * reason: it answers with one column, what is wrong with q.  Else as call_read.
 */
enum prob find_call(struct req *rq);

/* Bind what the procedures of ordered lists end with: sort, where the page begins, how many rows.
 * number_column: of the row, what numbers are ordered by; name_column: the folded name. */
void find_bind_page(struct req *rq, struct page *page, const struct find *f, unsigned name_column,
    unsigned number_column);

/*
 * The parameter ids, which was given: answer those that exist, in the order
 * given, on one page.  select: begin the read with db_select, a SELECT that is
 * FIND_IDS, its columns, " FROM k STRAIGHT_JOIN …" by FIND_ID, " ORDER BY n"; its
 * two arguments follow by themselves.  k numbers the ids.
 */
#define FIND_IDS                                                                                   \
	"WITH RECURSIVE k (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < ?) SELECT "
#define FIND_ID "SUBSTR(?, n * 16 - 15, 16)"
enum prob find_ids(struct req *rq, struct resp *rs, void (*select)(struct db *db),
    answer_shape *shape, unsigned columns);

/* The orders of rooms, and the call of room_find: archived, those too; available, only those of
 * which a unit is left. */
extern const char *const find_room_orders[];
void find_rooms(
    struct req *rq, struct page *page, const struct find *f, bool archived, bool available);

#endif
