#ifndef NOTIFIER_OWNER_H
#define NOTIFIER_OWNER_H

#include "uuid.h"

/*
 * Whose the leases are.  With a file the owner outlives the process, so that
 * the next one can give back at once what a killed one had at hand; without,
 * that waits until its leases run out.
 *
 * path: a file that holds the owner's UUID, made where there is none, and
 * locked as long as the process lives; NULL: none.  A file that another
 * process has locked is left alone: a new owner, like without one.
 * 1: *owner is that of the file; 0: it is new, of this process alone; -1: the
 * file can't be used (errno), or there are no random bytes.
 */
int owner_take(const char *path, struct uuid *owner);

#endif
