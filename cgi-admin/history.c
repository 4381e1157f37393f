#include <string.h>

#include "history.h"
#include "page.h"
#include "req.h"
#include "resp.h"
#include "rfc3339.h"

/* The plus of an offset that was sent as it is has become a blank. */
void
history_time(struct req *rq, const char *name, const char *fallback, char *out)
{
	char time[64];
	const char *s;
	int64_t us;
	size_t len;

	memcpy(out, fallback, RFC3339_SQL + 1);
	if ((s = query_get(&rq->query, name, &len)) == NULL)
		return;
	if (len >= sizeof("+hh:mm") && len <= sizeof(time)) {
		memcpy(time, s, len);
		if (time[len - 6] == ' ')
			time[len - 6] = '+';
		if (rfc3339_read(time, len, &us)) {
			rfc3339_sql(out, us);
			return;
		}
	}
	faults_add(&rq->faults, FAULT_QUERY, name, "must be an RFC 3339 date-time");
}

enum prob
history_list(struct req *rq, struct resp *rs, const char *procedure, const char *filter,
    answer_shape *shape, unsigned columns)
{
	char since[RFC3339_SQL + 1], until[RFC3339_SQL + 1];
	struct page page;
	struct uuid id;
	const char *s;
	size_t len;

	page_read(rq, &page);
	history_time(rq, "since", HISTORY_BEGIN, since);
	history_time(rq, "until", "9999-12-31 23:59:59.999999", until);
	if ((s = query_get(&rq->query, filter, &len)) != NULL && !uuid_parse(&id, s, len))
		faults_add(&rq->faults, FAULT_QUERY, filter, "must be a UUID");
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	rs->personal = true;
	db_call(rq->db, procedure);
	if (s != NULL)
		db_bytes(rq->db, id.b, sizeof(id.b));
	else
		db_null(rq->db);
	db_utf8(rq->db, since, RFC3339_SQL);
	db_utf8(rq->db, until, RFC3339_SQL);
	db_int(rq->db, page_number(&page));
	db_int(rq->db, page.limit + 1);
	return answer_list(rq, rs, call_read(rq), &page, shape, columns);
}

void
history_tail(struct jsonw *w, const struct field *f)
{
	shape_member_text(w, "actor", &f[0]);
	shape_member_text(w, "request_id", &f[1]);
	shape_member_text(w, "changed_at", &f[2]);
}
