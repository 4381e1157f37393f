#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "etag.h"
#include "jsonw.h"
#include "log.h"
#include "page.h"
#include "req.h"
#include "resp.h"
#include "uuid.h"

/* columns of a refusal, behind the problem's name */
enum { TEXT = 1, N, M, REQUEST_ID, REPLAYED, REFUSAL };

void
answer_fields(struct db *db, struct field *f, unsigned first, unsigned columns)
{
	unsigned i;

	for (i = 0; i < columns; i++)
		f[i].s = db_text(db, first + i, &f[i].len);
}

enum prob
answer_unexpected(const struct req *rq)
{
	log_line(LOG_ERROR, rq->request_id, "unexpected result from the procedure");
	return PROB_INTERNAL;
}

enum prob
answer_row(struct req *rq, struct resp *rs, enum prob called, answer_shape *shape, unsigned columns,
    enum prob missing)
{
	struct field f[ANSWER_COLUMNS_MAX];
	struct jsonw w = jsonw_begin(&rs->body);
	enum prob pr = PROB_NONE;

	if (called != PROB_NONE)
		return called;
	if (!db_row(rq->db)) {
		pr = missing;
	} else {
		answer_fields(rq->db, f, 0, columns);
		shape(&w, f);
		rs->has_etag = true;
		pr = jsonw_end(&w) ? PROB_NONE : answer_unexpected(rq);
	}
	db_done(rq->db);
	return pr;
}

/* What the row at hand is ordered by; false: it tells nothing of the kind. */
static bool
answer_order(const struct db *db, unsigned column, struct page_order *order)
{
	const char *s = db_text(db, column, &order->len);

	if (s == NULL || order->len > sizeof(order->key))
		return false;
	memcpy(order->key, s, order->len);
	order->mark = db_number(db, db_columns(db) - 1);
	return true;
}

enum prob
answer_list(struct req *rq, struct resp *rs, enum prob called, const struct page *page,
    answer_shape *shape, unsigned columns)
{
	struct field f[ANSWER_COLUMNS_MAX];
	struct jsonw w = jsonw_begin(&rs->body);
	unsigned char last[16] = {0};
	struct page_order order = {0};
	int n;

	if (called != PROB_NONE)
		return called;
	jsonw_array(&w);
	for (n = 0; db_row(rq->db); n++) {
		if (n == page->limit) {
			page_next(rq, rs, page, last, page->order_column > 0 ? &order : NULL);
			break;
		}
		answer_fields(rq->db, f, 0, columns);
		shape(&w, f);
		page_key(&f[0], last);
		if (page->order_column > 0 && !answer_order(rq->db, page->order_column, &order))
			w.broken = true;
	}
	jsonw_close(&w);
	db_done(rq->db);
	rs->has_etag = true;
	return jsonw_end(&w) ? PROB_NONE : answer_unexpected(rq);
}

static enum prob
write_success(struct resp *rs, const struct req *rq, answer_shape *shape, const struct field *f,
    const char *location)
{
	struct jsonw w = jsonw_begin(&rs->body);
	unsigned char id[16];
	char at[128], etag[ETAG_SIZE];
	size_t n;

	shape(&w, f);
	if (!jsonw_end(&w))
		return PROB_INTERNAL;
	if (location != NULL && shape_id(&f[0], id)) {
		n = (size_t)snprintf(at, sizeof(at) - UUID_TEXT - 1, "%s", location);
		uuid_text(at + n, id);
		at[n + UUID_TEXT] = '\0';
		resp_header(rs, "Location", at);
	}
	/* never of a PUT, whose content is stored in another form (RFC 9110, 9.3.4) */
	if (rq->wire.method == METHOD_PATCH) {
		etag_of(etag, rs->body.p, rs->body.len);
		resp_header(rs, "ETag", etag);
	}
	resp_header(rs, "Cache-Control", "no-store");
	return PROB_NONE;
}

static enum prob
write_refusal(struct resp *rs, struct req *rq, const struct refusal *r)
{
	const char *request_id;
	char detail[1000];

	if (r == NULL || db_columns(rq->db) != REFUSAL
	    || (request_id = db_text(rq->db, REQUEST_ID, NULL)) == NULL)
		return PROB_INTERNAL;
	if (r->problem == PROB_PRECONDITION_FAILED)
		return r->problem;
	refusal_detail(r, db_text(rq->db, TEXT, NULL), db_number(rq->db, N), db_number(rq->db, M),
	    detail, sizeof(detail));
	if (r->pointer != NULL) {
		faults_add(&rq->faults, FAULT_BODY, r->pointer, "%s", detail);
		detail[0] = '\0';
	}
	resp_problem(rs, &rq->faults, r->problem, detail, request_id);
	return PROB_NONE;
}

enum prob
answer_known(struct req *rq, struct resp *rs, enum prob called, answer_shape *shape,
    unsigned columns, const struct field *known, unsigned nknown, int status, const char *location)
{
	bool put = rq->wire.method == METHOD_PUT; /* its row ends in whether it made something */
	struct field f[ANSWER_COLUMNS_MAX];
	const char *head;
	size_t len;
	enum prob pr = PROB_INTERNAL;
	bool replayed;

	if (called != PROB_NONE)
		return called;
	if (!db_row(rq->db) || ((head = db_text(rq->db, 0, &len)) == NULL && known == NULL))
		goto out;
	replayed = head != NULL && strcmp(head, "1") == 0;
	if (!replayed && head != NULL && strcmp(head, "0") != 0) {
		pr = write_refusal(rs, rq, refusal_named(head, len));
		replayed = pr == PROB_NONE && db_number(rq->db, REPLAYED) != 0;
	} else if (db_columns(rq->db) == 1 + columns + put) {
		answer_fields(rq->db, f, 1, columns);
		if (nknown > 0)
			memcpy(f + columns, known, nknown * sizeof(*known));
		pr = write_success(rs, rq, shape, f, location);
		rs->status = put && db_number(rq->db, 1 + columns) != 0 ? 201 : status;
	}
	if (replayed)
		resp_header(rs, "Idempotency-Replayed", "true");
out:
	if (pr == PROB_INTERNAL)
		answer_unexpected(rq);
	db_done(rq->db);
	return pr;
}

enum prob
answer_write(struct req *rq, struct resp *rs, enum prob called, answer_shape *shape,
    unsigned columns, int status, const char *location)
{
	return answer_known(rq, rs, called, shape, columns, NULL, 0, status, location);
}
