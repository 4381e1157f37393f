#ifndef LOYALTY_METRICS_H
#define LOYALTY_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "route.h"

struct db;
struct db_shared;
struct metrics;

#define METRICS_BUCKETS 13

/* Upper bounds of the buckets, in microseconds; the last one has none and is 0. */
extern const int64_t metrics_bounds_us[METRICS_BUCKETS];

/* Counters of one process for its routes (kept, not copied).  NULL: no memory. */
struct metrics *metrics_new(const char *service, const struct route *routes, size_t n);
void metrics_free(struct metrics *m); /* accepts NULL */

/* An answer: its route (NULL: none of ours), its HTTP status, how long it took.  From any thread.
 */
void metrics_count(struct metrics *m, const struct route *route, int status, int64_t took_us);

/*
 * Add to the database what was counted since the last time, and the
 * connections' retries and the log lines dropped.  What can't be added now is kept for the
 * next time.  From one thread.
 */
void metrics_flush(struct metrics *m, struct db *db, struct db_shared *counted);

#endif
