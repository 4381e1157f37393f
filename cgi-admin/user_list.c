#include <string.h>

#include "answer.h"
#include "find.h"
#include "page.h"
#include "routes.h"

static void
select_ids(struct db *db)
{
	db_select(db, user_list,
	    FIND_IDS "u.id, u.name, u.role, u.bonus_points FROM k"
		     " STRAIGHT_JOIN user u FORCE INDEX (PRIMARY) ON u.id = " FIND_ID
		     " ORDER BY n");
}

/* Accounts, by id or in the order of sort; or those of the ids given.  q: only those whose name has
 * it as a part, in any case. */
enum prob
user_list(struct req *rq, struct resp *rs)
{
	static const char *const orders[] = {"id", "name", "bonus_points", NULL};
	struct find find;
	struct page page;

	if (query_get(&rq->query, "ids", NULL) != NULL)
		return find_ids(rq, rs, select_ids, shape_account, SHAPE_ACCOUNT);
	page_read(rq, &page);
	find_read(rq, &find, orders);
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	rs->personal = true;
	if (strcmp(find.sort, "id") != 0) {
		db_call(rq->db, "user_find");
		find_bind_q(rq, &find);
		find_bind_page(rq, &page, &find, 4, 3);
	} else {
		db_call(rq->db, "user_list");
		find_bind_q(rq, &find);
		db_bytes(rq->db, page.id, page.first ? 0 : sizeof(page.id));
		db_int(rq->db, page.limit + 1);
	}
	return answer_list(rq, rs, find_call(rq), &page, shape_account, SHAPE_ACCOUNT);
}
