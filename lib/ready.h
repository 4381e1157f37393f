#ifndef LOYALTY_READY_H
#define LOYALTY_READY_H

#include "problem.h"

struct req;
struct resp;

/*
 * GET /readyz, without a key: would a write work now?  The database makes one
 * (the procedure `ready`), at most one a second for the process: a server that
 * is up but takes no writes, read-only or with a full disk, is not ready.
 * Waits a second at most; the deadline of rq->db's next calls is changed.
 * nginx asks one service after the other: LOYALTY_READY_NEXT is where it goes on.
 */
enum prob ready_get(struct req *rq, struct resp *rs, const char *service);

#endif
