#include "answer.h"
#include "jsonw.h"
#include "mail_text.h"
#include "outbox.h"
#include "routes.h"

/* "text": what the mail says, lines ending in LF; null where it can't be made into a mail. */
static void
member_text(struct jsonw *w, const struct field *f)
{
	struct mail_row row;
	struct mail_ids ids;
	struct buf b = {0};
	size_t from, to = 0;

	jsonw_name(w, "text");
	mail_row_read(&row, &ids, f);
	if (mail_row_fault(&row) != NULL) {
		jsonw_null(w);
		return;
	}
	mail_text(&b, &row);
	for (from = 0; from < b.len; from++)
		if (b.p[from] != '\r')
			b.p[to++] = b.p[from];
	jsonw_text(w, b.p, to);
	w->broken = w->broken || b.failed;
	buf_free(&b);
}

static void
shape(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	outbox_members(w, f);
	member_text(w, &f[SHAPE_OUTBOX]);
	jsonw_close(w);
}

/* One mail, with its text as it was or would be sent.  404: unknown, or no number. */
enum prob
outbox_get(struct req *rq, struct resp *rs)
{
	rs->personal = true;
	db_call(rq->db, "outbox_get");
	db_int(rq->db, rq->number);
	return answer_row(rq, rs, call_read(rq), shape, SHAPE_OUTBOX + MAIL_ROW, PROB_NOT_FOUND);
}
