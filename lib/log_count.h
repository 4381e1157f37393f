#ifndef LOYALTY_LOG_COUNT_H
#define LOYALTY_LOG_COUNT_H

struct db;

/*
 * Add the log lines that were dropped (log_dropped) to the account's count in
 * the database, where there are any.  *known: how many it has been told of, 0
 * at first.  What can't be added now is added the next time; where the outcome
 * is unknown it is taken for added.
 */
void log_count(struct db *db, long long *known);

#endif
