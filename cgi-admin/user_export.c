#include <stdatomic.h>
#include <stdio.h>

#include "answer.h"
#include "history.h"
#include "jsonw.h"
#include "outbox.h"
#include "req.h"
#include "resp.h"
#include "routes.h"
#include "user.h"

#define EXPORT_DEADLINE_MS 60000
#define PART 65536 /* bytes that are sent at once */

/* One at a time in a process: a slow client must not take the threads that everybody needs. */
static atomic_flag export_runs = ATOMIC_FLAG_INIT;

/* A document in the making: what is sent, and the rows that it is made of. */
struct document {
	struct req *rq;
	struct resp *rs;
	struct db *db;
	struct jsonw w;
	bool taken; /* the client still takes it */
};

/* The next result as an array of this name. */
static void
write_list(struct document *d, const char *name, answer_shape *shape, unsigned columns)
{
	struct field f[ANSWER_COLUMNS_MAX];

	jsonw_name(&d->w, name);
	jsonw_array(&d->w);
	if (d->taken)
		db_next_result(d->db);
	while (d->taken && db_row(d->db)) {
		answer_fields(d->db, f, 0, columns);
		shape(&d->w, f);
		if (d->rs->body.len >= PART)
			d->taken = resp_flush(d->rs, &d->rq->wire);
	}
	jsonw_close(&d->w);
}

static enum prob
write_document(struct document *d)
{
	struct field f[SHAPE_ACCOUNT];

	if (!db_row(d->db))
		return db_is_whole(d->db) ? PROB_USER_NOT_FOUND : PROB_UNAVAILABLE;
	jsonw_object(&d->w);
	jsonw_name(&d->w, "account");
	answer_fields(d->db, f, 0, SHAPE_ACCOUNT);
	shape_account(&d->w, f);
	write_list(d, "reservations", shape_reservation, SHAPE_RESERVATION);
	jsonw_name(&d->w, "history");
	jsonw_object(&d->w);
	write_list(d, "users", history_user_shape, HISTORY_USER);
	write_list(d, "reservations", history_reservation_shape, HISTORY_RESERVATION);
	write_list(d, "points", history_points_shape, HISTORY_POINTS);
	jsonw_close(&d->w);
	write_list(d, "mails", outbox_shape, SHAPE_OUTBOX);
	jsonw_close(&d->w);
	if (!d->taken || !db_is_whole(d->db))
		return PROB_UNAVAILABLE;
	return jsonw_end(&d->w) ? PROB_NONE : answer_unexpected(d->rq);
}

/* Over a connection of its own, whose deadline is longer; the first answer comes as soon as any. */
static enum prob
stream(struct req *rq, struct resp *rs)
{
	struct db_conf own = *db_conf_of(rq->db);
	struct document d = {.rq = rq, .rs = rs, .w = jsonw_begin(&rs->body), .taken = true};
	struct db *common = rq->db;
	enum prob pr = PROB_INTERNAL;

	if ((d.db = db_new(&own, NULL)) == NULL)
		return pr;
	db_until(d.db, db_now_ms() + own.deadline_ms);
	own.deadline_ms = EXPORT_DEADLINE_MS;
	db_call_stream(d.db, "user_export");
	db_bytes(d.db, rq->id.b, sizeof(rq->id.b));
	rq->db = d.db;
	if ((pr = call_read(rq)) == PROB_NONE)
		pr = write_document(&d);
	rq->db = common;
	db_free(d.db);
	return pr;
}

/*
 * All that is known of a guest: one document, sent while it is read.  404.  Where it cannot be
 * ended the connection is closed, so that half of it passes for none.
 */
enum prob
user_export(struct req *rq, struct resp *rs)
{
	enum prob pr;

	resp_header(rs, "Cache-Control", "no-store");
	if (rq->wire.method == METHOD_HEAD) {
		user_read(rq);
		if ((pr = call_read(rq)) == PROB_NONE && !db_row(rq->db))
			pr = PROB_USER_NOT_FOUND;
		db_done(rq->db);
		rs->streamed = true;
		return pr;
	}
	if (atomic_flag_test_and_set(&export_runs)) {
		snprintf(rq->faults.detail, sizeof(rq->faults.detail),
		    "Another export is under way; try again later.");
		return PROB_UNAVAILABLE;
	}
	pr = stream(rq, rs);
	atomic_flag_clear(&export_runs);
	return pr;
}
