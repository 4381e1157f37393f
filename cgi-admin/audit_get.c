#include <stdatomic.h>
#include <stdio.h>

#include "answer.h"
#include "audit.h"
#include "jsonw.h"
#include "routes.h"

/* One at a time in a process: audits must not take the threads that everybody needs. */
static atomic_flag audit_runs = ATOMIC_FLAG_INIT;

/* All invariants, recomputed from the history.  200 also where some are broken: `ok` tells. */
enum prob
audit_get(struct req *rq, struct resp *rs)
{
	struct jsonw w = jsonw_begin(&rs->body);
	enum db_status st;
	bool ok;

	if (atomic_flag_test_and_set(&audit_runs)) {
		snprintf(rq->faults.detail, sizeof(rq->faults.detail),
		    "Another audit is under way; try again later.");
		return PROB_UNAVAILABLE;
	}
	st = audit_write(db_conf_of(rq->db), rq->request_id, &w, &ok, rq->faults.detail,
	    sizeof(rq->faults.detail));
	atomic_flag_clear(&audit_runs);
	if (st != DB_OK) {
		rq->faults.detail[0] = '\0'; /* it is logged; clients need no SQL */
		return st == DB_FAILED ? PROB_INTERNAL : PROB_UNAVAILABLE;
	}
	resp_header(rs, "Cache-Control", "no-store");
	return jsonw_end(&w) ? PROB_NONE : PROB_INTERNAL;
}
