#ifndef LOYALTY_CHANGE_H
#define LOYALTY_CHANGE_H

#include "answer.h"

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
	enum prob gone; /* where one more column is not 0, whatever the conditions; PROB_NONE: none
			   is read */
	/* Begin the writing call, with all its arguments but what was read. */
	void (*call)(struct req *rq, const void *in);
};
enum prob change_answer(struct req *rq, struct resp *rs, const struct change *c, const void *in);

#endif
