#ifndef ADMIN_AUDIT_H
#define ADMIN_AUDIT_H

#include <stdbool.h>

#include "db.h"

struct jsonw;

#define AUDIT_MOST 100		 /* violations that are named, of each check */
#define AUDIT_DEADLINE_MS 600000 /* it may read all of the history */

/*
 * Recompute every invariant from the history, on one consistent snapshot,
 * and write {"ok","checks":[{"name","ok","checked","violations":[text]}]}.
 * Uses a connection of its own, with c's settings and a long deadline.
 * *ok: no violation.  reason: of a status other than DB_OK, to size bytes.
 */
enum db_status audit_run(const struct db_conf *c, const char *request_id, struct jsonw *w, bool *ok,
    char *reason, unsigned size);

#endif
