#ifndef LOYALTY_READY_H
#define LOYALTY_READY_H

#include <stddef.h>

#include "db.h"

/*
 * Would a write work now?  The database makes one (the procedure `ready`): a
 * server that is up but takes no writes, read-only or with a full disk, is
 * not ready.  The answer is kept for a second for all threads of the process,
 * so that probes cost one write a second, however many come.  Waits a second
 * at most; who asks while another thread does gets the answer before.
 * The deadline of db's next calls is changed.  why: the reason where it is
 * not DB_OK, for people, cut to size bytes.
 */
enum db_status ready_ask(struct db *db, const char *request_id, char *why, size_t size);

#endif
