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

#define COLUMNS_MAX 20
#define REFUSAL 6     /* columns: problem, request id, replayed, text, n, m */
#define SEEN_MAX 2000 /* bytes: a name and some numbers */
#define ROUNDS_MAX 10

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

enum prob
answer_failed(struct req *rq, enum db_status st, bool write)
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

static void
read_row(struct db *db, struct field *f, unsigned first, unsigned columns)
{
	unsigned i;

	for (i = 0; i < columns; i++)
		f[i].s = db_text(db, first + i, &f[i].len);
}

static enum prob
unexpected(const struct req *rq)
{
	log_line(LOG_ERROR, rq->request_id, "unexpected result from the procedure");
	return PROB_INTERNAL;
}

enum prob
answer_row(
    struct req *rq, struct resp *rs, answer_shape *shape, unsigned columns, enum prob missing)
{
	struct field f[COLUMNS_MAX];
	struct jsonw w = jsonw_begin(&rs->body);
	enum db_status st;
	enum prob pr = PROB_NONE;

	if ((st = db_exec(rq->db, DB_READ, rq->request_id)) != DB_OK)
		return answer_failed(rq, st, false);
	if (!db_row(rq->db)) {
		pr = missing;
	} else {
		read_row(rq->db, f, 0, columns);
		shape(&w, f);
		rs->has_etag = true;
		pr = jsonw_end(&w) ? PROB_NONE : unexpected(rq);
	}
	db_done(rq->db);
	return pr;
}

enum prob
answer_list(
    struct req *rq, struct resp *rs, const struct page *page, answer_shape *shape, unsigned columns)
{
	struct field f[COLUMNS_MAX];
	struct jsonw w = jsonw_begin(&rs->body);
	unsigned char last[16] = {0};
	enum db_status st;
	int n;

	if ((st = db_exec(rq->db, DB_READ, rq->request_id)) != DB_OK)
		return answer_failed(rq, st, false);
	jsonw_array(&w);
	for (n = 0; db_row(rq->db); n++) {
		if (n == page->limit) {
			page_next(rq, rs, page, last);
			break;
		}
		read_row(rq->db, f, 0, columns);
		shape(&w, f);
		page_key(&f[0], last);
	}
	jsonw_close(&w);
	db_done(rq->db);
	rs->has_etag = true;
	return jsonw_end(&w) ? PROB_NONE : unexpected(rq);
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
	    || (request_id = db_text(rq->db, 1, NULL)) == NULL)
		return PROB_INTERNAL;
	if (r->problem == PROB_PRECONDITION_FAILED)
		return r->problem;
	refusal_detail(r, db_text(rq->db, 3, NULL), db_number(rq->db, 4), db_number(rq->db, 5),
	    detail, sizeof(detail));
	if (r->pointer != NULL) {
		faults_add(&rq->faults, FAULT_BODY, r->pointer, "%s", detail);
		detail[0] = '\0';
	}
	resp_problem(rs, &rq->faults, r->problem, detail, request_id);
	return PROB_NONE;
}

enum prob
answer_write(struct req *rq, struct resp *rs, answer_shape *shape, unsigned columns, int status,
    const char *location)
{
	bool put = rq->wire.method == METHOD_PUT; /* its row ends in whether it made something */
	struct field f[COLUMNS_MAX];
	const char *head;
	size_t len;
	enum db_status st;
	enum prob pr = PROB_INTERNAL;
	bool replayed;

	if ((st = db_exec(rq->db, repeatable(rq) ? DB_KEYED : DB_ONCE, rq->request_id)) != DB_OK)
		return answer_failed(rq, st, true);
	if (!db_row(rq->db) || (head = db_text(rq->db, 0, &len)) == NULL)
		goto out;
	replayed = strcmp(head, "1") == 0;
	if (!replayed && strcmp(head, "0") != 0) {
		pr = write_refusal(rs, rq, refusal_named(head, len));
		replayed = pr == PROB_NONE && db_number(rq->db, 2) != 0;
	} else if (db_columns(rq->db) == 1 + columns + put) {
		read_row(rq->db, f, 1, columns);
		pr = write_success(rs, rq, shape, f, location);
		rs->status = put && db_number(rq->db, 1 + columns) != 0 ? 201 : status;
	}
	if (replayed)
		resp_header(rs, "Idempotency-Replayed", "true");
out:
	if (pr == PROB_INTERNAL)
		unexpected(rq);
	db_done(rq->db);
	return pr;
}

/* ---- conditions ---- */

/* The state that the conditions were held against, as the writing procedure compares it. */
struct seen {
	bool any;   /* they would hold for any other as well */
	bool there; /* else: there was a row, of these columns */
	size_t len[COLUMNS_MAX];
	char s[SEEN_MAX];
};

static bool
remember(struct seen *seen, const struct field *f, unsigned columns)
{
	size_t used = 0;
	unsigned i;

	for (i = 1; i < columns; i++) {
		if (f[i].s == NULL || used + f[i].len > sizeof(seen->s))
			return false;
		memcpy(seen->s + used, f[i].s, f[i].len);
		used += seen->len[i] = f[i].len;
	}
	return true;
}

/* The last arguments of the writing call. */
static void
send_seen(struct db *db, const struct seen *seen, unsigned columns)
{
	const char *s = seen->s;
	unsigned i;

	for (i = 1; i < columns; i++) {
		if (seen->any || (!seen->there && i > 1)) {
			db_null(db);
			continue;
		}
		db_utf8(db, s, seen->there ? seen->len[i] : 0);
		s += seen->len[i];
	}
}

/* Read the state; PROB_NONE where the conditions hold for it.  rs is used, and left empty. */
static enum prob
look(struct req *rq, struct resp *rs, const struct change *c, struct seen *seen)
{
	struct field f[COLUMNS_MAX];
	struct jsonw w = jsonw_begin(&rs->body);
	char etag[ETAG_SIZE];
	enum db_status st;
	bool fine = true;

	c->read(rq);
	if ((st = db_exec(rq->db, DB_READ, rq->request_id)) != DB_OK)
		return answer_failed(rq, st, false);
	if ((seen->there = db_row(rq->db))) {
		read_row(rq->db, f, 0, c->columns);
		c->shape(&w, f);
		fine = jsonw_end(&w) && remember(seen, f, c->columns);
		etag_of(etag, rs->body.p, rs->body.len);
	}
	db_done(rq->db);
	resp_reset(rs);
	if (!fine)
		return unexpected(rq);
	if (!seen->there && c->missing != PROB_NONE)
		return c->missing;
	/* of "*" all that counts is that there is a row; none ever goes away */
	seen->any = seen->there && etag_list(&rq->wire, "HTTP_IF_MATCH") != ETAG_TAGS
		    && etag_list(&rq->wire, "HTTP_IF_NONE_MATCH") != ETAG_TAGS;
	return etag_conditions_hold(&rq->wire, seen->there ? etag : NULL)
		   ? PROB_NONE
		   : PROB_PRECONDITION_FAILED;
}

enum prob
answer_change(struct req *rq, struct resp *rs, const struct change *c, const void *in)
{
	struct seen seen = {.any = true};
	enum prob pr;
	int round = 0;

	do {
		if (rq->wire.conditional && (pr = look(rq, rs, c, &seen)) != PROB_NONE)
			return pr;
		c->call(rq, in);
		send_seen(rq->db, &seen, c->columns);
		pr = answer_write(rq, rs, c->shape, c->columns, 200, NULL);
	} while (pr == PROB_PRECONDITION_FAILED && ++round < ROUNDS_MAX);
	if (pr != PROB_PRECONDITION_FAILED)
		return pr;
	snprintf(rq->faults.detail, sizeof(rq->faults.detail),
	    "Others keep changing it. Nothing was changed by this request; try again.");
	return PROB_UNAVAILABLE;
}
