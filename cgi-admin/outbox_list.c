#include <limits.h>
#include <string.h>

#include "answer.h"
#include "outbox.h"
#include "page.h"
#include "routes.h"

/* The mails, newest first: what is queued, sent, dead, and why. */
enum prob
outbox_list(struct req *rq, struct resp *rs)
{
	const char *status = query_get(&rq->query, "status", NULL);
	struct page page;

	page_read(rq, &page);
	if (status != NULL && strcmp(status, "PENDING") != 0 && strcmp(status, "SENT") != 0
	    && strcmp(status, "DEAD") != 0)
		faults_add(&rq->faults, FAULT_QUERY, "status", "must be PENDING, SENT or DEAD");
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	rs->personal = true;
	db_call(rq->db, "outbox_list");
	if (status != NULL)
		db_utf8(rq->db, status, strlen(status));
	else
		db_null(rq->db);
	db_int(rq->db, page.first ? LLONG_MAX : page_number(&page));
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, call_read(rq), &page, outbox_shape, SHAPE_OUTBOX);
}
