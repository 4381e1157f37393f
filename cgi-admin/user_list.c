#include <string.h>

#include "answer.h"
#include "page.h"
#include "routes.h"
#include "text.h"

/* Accounts by id.  q: only those whose name has it as a part, in any case. */
enum prob
user_list(struct req *rq, struct resp *rs)
{
	struct page page;
	const char *q, *why;
	size_t len;

	page_read(rq, &page);
	q = query_get(&rq->query, "q", &len);
	if (q != NULL && (why = text_fault(TEXT_PART, q, len, 200)) != NULL)
		faults_add(&rq->faults, FAULT_QUERY, "q", "must %s", why);
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	rs->personal = true;
	db_call(rq->db, "user_list");
	if (q != NULL)
		db_utf8(rq->db, q, len);
	else
		db_null(rq->db);
	db_bytes(rq->db, page.id, page.first ? 0 : sizeof(page.id));
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, call_read(rq), &page, shape_account, SHAPE_ACCOUNT);
}
