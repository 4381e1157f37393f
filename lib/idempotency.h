#ifndef LOYALTY_IDEMPOTENCY_H
#define LOYALTY_IDEMPOTENCY_H

struct caller;
struct faults;
struct wire;

/* Read Idempotency-Key into w: keyed, with a hash of the key in its scope (the key's role, the
 * method, the path) and one of the body. */
void idempotency_read(struct wire *w, const struct caller *caller, struct faults *faults);

#endif
