#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "jsonw.h"
#include "log.h"
#include "page.h"
#include "req.h"
#include "resp.h"
#include "uuid.h"

#define COLUMNS_MAX 20
#define SEPARATOR '\x1f'

enum prob
answer_failed(struct req *rq, enum db_status st, bool write)
{
	log_line(st == DB_FAILED ? LOG_ERROR : LOG_WARN, rq->request_id, "%s", db_reason(rq->db));
	switch (st) {
	case DB_UNKNOWN:
		snprintf(rq->detail, sizeof(rq->detail),
		    rq->keyed ? "Outcome unknown: the database did not answer. Retry with the same "
				"key: what was done will be answered, what was not will be done."
			      : "Outcome unknown: the database did not answer. Look before you try "
				"again; with an Idempotency-Key a retry would be safe.");
		return PROB_UNAVAILABLE;
	case DB_VERSION:
		snprintf(
		    rq->detail, sizeof(rq->detail), "Nothing was changed: %s.", db_reason(rq->db));
		return PROB_UNAVAILABLE;
	case DB_DOWN:
		if (!write)
			snprintf(rq->detail, sizeof(rq->detail),
			    "The database is out of reach; try again.");
		return PROB_UNAVAILABLE;
	case DB_OK:
	case DB_FAILED:
		break;
	}
	return PROB_INTERNAL;
}

static void
read_row(struct db *db, struct field *f, unsigned columns)
{
	unsigned i;

	for (i = 0; i < columns; i++)
		f[i].s = db_text(db, i, &f[i].len);
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
		read_row(rq->db, f, columns);
		shape(&w, f);
		rs->has_etag = true;
		pr = jsonw_end(&w) ? PROB_NONE : PROB_INTERNAL;
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
		read_row(rq->db, f, columns);
		shape(&w, f);
		page_key(&f[0], last);
	}
	jsonw_close(&w);
	db_done(rq->db);
	rs->has_etag = true;
	return jsonw_end(&w) ? PROB_NONE : PROB_INTERNAL;
}

/* How many fields a refusal has: `validation` says where, too. */
static unsigned
refusal_fields(const char *problem, size_t len)
{
	return problem_named(problem, len) == PROB_BAD_QUERY ? 3 : 2;
}

/* Cut fields at the separator; the number of them. */
static unsigned
split(const char *s, size_t len, struct field *f, unsigned max)
{
	unsigned n = 0;

	while (n < max) {
		const char *sep = memchr(s, SEPARATOR, len);

		f[n].s = s;
		f[n++].len = sep != NULL ? (size_t)(sep - s) : len;
		if (sep == NULL)
			break;
		len -= (size_t)(sep - s) + 1;
		s = sep + 1;
	}
	return n;
}

static enum prob
write_success(struct resp *rs, answer_shape *shape, const struct field *f, const char *location)
{
	struct jsonw w = jsonw_begin(&rs->body);
	unsigned char id[16];
	char at[128];
	size_t n;

	shape(&w, f);
	if (location != NULL) {
		shape_id(&f[0], id);
		n = (size_t)snprintf(at, sizeof(at) - UUID_TEXT - 1, "%s", location);
		uuid_text(at + n, id);
		at[n + UUID_TEXT] = '\0';
		resp_header(rs, "Location", at);
	}
	resp_header(rs, "Cache-Control", "no-store");
	return jsonw_end(&w) ? PROB_NONE : PROB_INTERNAL;
}

static enum prob
write_refusal(
    struct resp *rs, struct req *rq, const char *problem, size_t problem_len, const struct field *f)
{
	enum prob p = problem_named(problem, problem_len);
	char detail[600], request_id[65], pointer[sizeof(rq->faults[0].at)];

	snprintf(request_id, sizeof(request_id), "%.*s", (int)f[0].len, f[0].s);
	snprintf(detail, sizeof(detail), "%.*s", (int)f[1].len, f[1].s);
	if (p == PROB_BAD_QUERY) {
		p = PROB_VALIDATION; /* of the same name; the database has seen a body's member only
				      */
		snprintf(pointer, sizeof(pointer), "%.*s", (int)f[2].len, f[2].s);
		req_fault(rq, pointer, "%s", detail);
		detail[0] = '\0';
	}
	resp_problem(rs, rq, p, detail, request_id);
	return PROB_NONE;
}

/* A key, or a method that says what shall be, not what to do (RFC 9110, 9.2.2). */
static bool
repeatable(const struct req *rq)
{
	return rq->keyed || rq->method == METHOD_PUT || rq->method == METHOD_PATCH;
}

enum prob
answer_write(
    struct req *rq, struct resp *rs, answer_shape *shape, unsigned columns, const char *location)
{
	struct field f[COLUMNS_MAX];
	const char *fields, *problem;
	size_t len, problem_len;
	enum db_status st;
	enum prob pr = PROB_INTERNAL;
	unsigned given;
	int status;

	if ((st = db_exec(rq->db, repeatable(rq) ? DB_KEYED : DB_ONCE, rq->request_id)) != DB_OK)
		return answer_failed(rq, st, true);
	if (!db_row(rq->db) || (problem = db_text(rq->db, 1, &problem_len)) == NULL
	    || (fields = db_text(rq->db, 3, &len)) == NULL)
		goto out;
	status = (int)db_number(rq->db, 0);
	given = split(fields, len, f, COLUMNS_MAX);
	if (given != (problem_len > 0 ? refusal_fields(problem, problem_len) : columns))
		goto out;
	if (problem_len > 0)
		pr = write_refusal(rs, rq, problem, problem_len, f);
	else
		pr = write_success(rs, shape, f, location);
	rs->status = status;
	if (db_number(rq->db, 2) != 0)
		resp_header(rs, "Idempotency-Replayed", "true");
out:
	db_done(rq->db);
	if (pr == PROB_INTERNAL)
		log_line(LOG_ERROR, rq->request_id, "unexpected result from the procedure");
	return pr;
}
