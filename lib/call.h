#ifndef LOYALTY_CALL_H
#define LOYALTY_CALL_H

#include "db.h"
#include "problem.h"

struct req;

/* Begin a call of a writing procedure, a literal in the program's text, with the arguments that all
 * of them begin with. */
void call_begin(struct req *rq, const char *procedure);

/*
 * Execute the read or the writing call that was begun.  PROB_NONE: its rows
 * are at hand, until db_done.  A problem: it is done with and logged, and
 * rq->faults.detail says what a client may do.
 */
enum prob call_read(struct req *rq);
enum prob call_write(struct req *rq);

#endif
