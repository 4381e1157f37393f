#ifndef ADMIN_AUDIT_H
#define ADMIN_AUDIT_H

#include <stdbool.h>

#include "db.h"

struct jsonw;

#define AUDIT_MOST 100		 /* violations that are named, of each check */
#define AUDIT_DEADLINE_MS 600000 /* it may read all of the history */

/* Who is told: of each check its name and how many things it looked at, in
 * decimal; then each violation, a sentence; then its end.  Texts live as long as
 * the call. */
struct audit_sink {
	void (*check)(void *arg, const char *name, const char *checked);
	void (*violation)(void *arg, const char *text, size_t len);
	void (*end)(void *arg, bool ok);
};

/*
 * Recompute every invariant from the history, on one consistent snapshot.
 * Uses a connection of its own, with c's settings and a long deadline.
 * *ok: no violation.  reason: of a status other than DB_OK, to size bytes.
 */
enum db_status audit_run(const struct db_conf *c, const char *request_id,
    const struct audit_sink *to, void *arg, bool *ok, char *reason, unsigned size);

/* The same, written as {"checks":[{"name","checked","violations":[text],"ok"}],"ok"}. */
enum db_status audit_write(const struct db_conf *c, const char *request_id, struct jsonw *w,
    bool *ok, char *reason, unsigned size);

#endif
