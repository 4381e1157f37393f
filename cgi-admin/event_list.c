#include <string.h>

#include "history.h"
#include "jsonw.h"
#include "page.h"
#include "req.h"
#include "resp.h"
#include "rfc3339.h"
#include "routes.h"

#define EVENT 10 /* columns of an event; the check of its cursor follows */
#define CHECK 8

static void
shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	history_reservation_head(w, f);
	history_tail(w, &f[7]);
	jsonw_close(w);
}

/* The cursor's id: a check of the event that it stands behind, then the event's number, 0 at the
 * beginning. */
static enum prob
answer(struct req *rq, struct resp *rs, const struct page *page)
{
	struct jsonw w = jsonw_begin(&rs->body);
	struct field f[EVENT + 1], check;
	unsigned char last[16];

	memcpy(last, page->id, sizeof(last));
	if (!db_row(rq->db))
		return answer_unexpected(rq);
	if (db_number(rq->db, 0) == 0) {
		faults_add(&rq->faults, FAULT_QUERY, "cursor",
		    "is older than a restore of the database; begin again without it");
		return PROB_BAD_QUERY;
	}
	check.s = db_text(rq->db, 1, &check.len);
	if (page->first) {
		memset(last, 0, sizeof(last));
		memcpy(last, check.s, CHECK);
	}
	db_next_result(rq->db);
	jsonw_array(&w);
	while (db_row(rq->db)) {
		answer_fields(rq->db, f, 0, EVENT + 1);
		shape(&w, f);
		page_key(&f[0], last);
		memcpy(last, f[EVENT].s, CHECK);
	}
	jsonw_close(&w);
	page_next(rq, rs, page, last, NULL);
	rs->has_etag = true;
	return jsonw_end(&w) ? PROB_NONE : answer_unexpected(rq);
}

/* The changes of reservations, oldest first: a feed that has a next page always. */
enum prob
event_list(struct req *rq, struct resp *rs)
{
	char since[RFC3339_SQL + 1];
	struct page page;
	enum prob pr;

	page_read(rq, &page);
	history_time(rq, "since", HISTORY_BEGIN, since);
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	rs->personal = true;
	db_call(rq->db, "event_list");
	db_int(rq->db, page_number(&page));
	if (page.first)
		db_null(rq->db);
	else
		db_bytes(rq->db, page.id, CHECK);
	db_utf8(rq->db, since, RFC3339_SQL);
	db_int(rq->db, page.limit);
	if ((pr = call_read(rq)) != PROB_NONE)
		return pr;
	pr = answer(rq, rs, &page);
	db_done(rq->db);
	return pr;
}
