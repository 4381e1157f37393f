#include <stdio.h>
#include <string.h>

#include "call.h"
#include "log.h"
#include "req.h"

void
call_begin(struct req *rq, const char *procedure)
{
	db_call_row(rq->db, procedure);
	db_utf8(rq->db, rq->caller.actor, strlen(rq->caller.actor));
	db_utf8(rq->db, rq->request_id, strlen(rq->request_id));
	if (rq->wire.keyed) {
		db_bytes(rq->db, rq->wire.key, HASH_SIZE);
		db_bytes(rq->db, rq->wire.body_hash, HASH_SIZE);
	} else {
		db_null(rq->db);
		db_null(rq->db);
	}
}

/* A key, or a method that says what shall be, not what to do (RFC 9110, 9.2.2); but not under a
 * condition, which the first of two would have made untrue. */
static bool
repeatable(const struct req *rq)
{
	return rq->wire.keyed
	       || ((rq->wire.method == METHOD_PUT || rq->wire.method == METHOD_PATCH)
		   && !rq->wire.conditional);
}

/* What a client does about a write of which nobody knows whether it was done. */
static const char *
way_out(const struct req *rq)
{
	if (rq->wire.keyed)
		return "Retry with the same Idempotency-Key: what was done is answered, what was "
		       "not is done.";
	if (repeatable(rq))
		return "Retry: done twice it is the same.";
	if (rq->wire.conditional)
		return "Check before you retry.";
	return "Check before you retry; with an Idempotency-Key a retry is safe.";
}

static enum prob
failed(struct req *rq, enum db_status st, bool write)
{
	log_line(st == DB_FAILED ? LOG_ERROR : LOG_WARN, rq->request_id, "%s", db_reason(rq->db));
	switch (st) {
	case DB_UNKNOWN:
		snprintf(rq->faults.detail, sizeof(rq->faults.detail),
		    "The database did not answer. The outcome is unknown. %s", way_out(rq));
		return PROB_UNAVAILABLE;
	case DB_VERSION:
		snprintf(rq->faults.detail, sizeof(rq->faults.detail), "Nothing was changed: %s.",
		    db_reason(rq->db));
		return PROB_UNAVAILABLE;
	case DB_DOWN:
		if (!write)
			snprintf(rq->faults.detail, sizeof(rq->faults.detail),
			    "The database is unavailable. Try again.");
		return PROB_UNAVAILABLE;
	case DB_OK:
	case DB_FAILED:
		break;
	}
	return PROB_INTERNAL;
}

enum prob
call_read(struct req *rq)
{
	enum db_status st = db_exec(rq->db, DB_READ, rq->request_id);

	return st == DB_OK ? PROB_NONE : failed(rq, st, false);
}

enum prob
call_write(struct req *rq)
{
	enum db_status st = db_exec(rq->db, repeatable(rq) ? DB_KEYED : DB_ONCE, rq->request_id);

	return st == DB_OK ? PROB_NONE : failed(rq, st, true);
}
