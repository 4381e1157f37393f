#ifndef ADMIN_USER_H
#define ADMIN_USER_H

struct req;

/* Begin the read of the account rq->id: SHAPE_ACCOUNT columns. */
void user_read(struct req *rq);

#endif
