#include <stdio.h>

#include "call.h"
#include "metrics.h"
#include "routes.h"

/* Prometheus text format 0.0.4. */
static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_str(b, "# HELP ");
	buf_str(b, name);
	buf_str(b, " ");
	buf_str(b, help);
	buf_str(b, "\n# TYPE ");
	buf_str(b, name);
	buf_str(b, " ");
	buf_str(b, type);
	buf_str(b, "\n");
}

static void
sample(struct buf *b, const char *name, const char *labels, const char *value)
{
	buf_str(b, name);
	buf_str(b, labels);
	buf_str(b, " ");
	buf_str(b, value);
	buf_str(b, "\n");
}

/* Requests of one route and status: a histogram, whose count is the counter. */
static void
write_request(struct buf *b, const struct db *db)
{
	char base[256], labels[320], value[32];
	long long sum = 0;
	size_t i;

	snprintf(base, sizeof(base), "service=\"%s\",method=\"%s\",route=\"%s\",status=\"%s\"",
	    db_text(db, 0, NULL), db_text(db, 1, NULL), db_text(db, 2, NULL), db_text(db, 3, NULL));
	for (i = 0; i < METRICS_BUCKETS; i++) {
		sum += db_number(db, 5 + (unsigned)i);
		if (metrics_bounds_us[i] != 0)
			snprintf(labels, sizeof(labels), "{%s,le=\"%g\"}", base,
			    (double)metrics_bounds_us[i] / 1e6);
		else
			snprintf(labels, sizeof(labels), "{%s,le=\"+Inf\"}", base);
		snprintf(value, sizeof(value), "%lld", sum);
		sample(b, "loyalty_request_duration_seconds_bucket", labels, value);
	}
	snprintf(labels, sizeof(labels), "{%s}", base);
	sample(b, "loyalty_request_duration_seconds_count", labels, value);
	snprintf(value, sizeof(value), "%.6f", (double)db_number(db, 4) / 1e6);
	sample(b, "loyalty_request_duration_seconds_sum", labels, value);
}

static void
write_state(struct buf *b, const struct db *db)
{
	static const struct {
		const char *name, *help;
	} gauges[] = {
	    {"loyalty_reservations_pending_approval", "Reservations that wait for a person."},
	    {"loyalty_outbox_pending", "Mails that wait to be sent."},
	    {"loyalty_outbox_oldest_seconds", "Age of the oldest of them; 0 if there is none."},
	    {"loyalty_outbox_dead", "Mails that were given up."},
	    {"loyalty_rooms_sold_out", "Rooms, not archived, without an available unit."},
	};
	unsigned i;

	for (i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		family(b, gauges[i].name, "gauge", gauges[i].help);
		sample(b, gauges[i].name, "", db_text(db, i, NULL));
	}
}

/* A counter of each service, from a result with its name and the number. */
static void
write_counter(struct buf *b, struct db *db, const char *name, const char *help)
{
	char labels[64];

	db_next_result(db);
	family(b, name, "counter", help);
	while (db_row(db)) {
		snprintf(labels, sizeof(labels), "{service=\"%s\"}", db_text(db, 0, NULL));
		sample(b, name, labels, db_text(db, 1, NULL));
	}
}

/* What all instances of all services have answered, and what waits. */
enum prob
metrics_get(struct req *rq, struct resp *rs)
{
	struct buf *b = &rs->body;
	enum prob pr;

	db_call(rq->db, "metrics_get");
	if ((pr = call_read(rq)) != PROB_NONE)
		return pr;
	family(b, "loyalty_request_duration_seconds", "histogram",
	    "Requests by service, route and status, and how long they took in the service.");
	while (db_row(rq->db))
		write_request(b, rq->db);
	write_counter(b, rq->db, "loyalty_transaction_retries_total",
	    "Transactions retried after a deadlock, a lock timeout or a duplicate key.");
	write_counter(b, rq->db, "loyalty_log_lines_dropped_total",
	    "Log lines dropped because standard error did not take them.");
	if (db_next_result(rq->db) && db_row(rq->db))
		write_state(b, rq->db);
	db_done(rq->db);
	rs->type = "text/plain; version=0.0.4; charset=utf-8";
	resp_header(rs, "Cache-Control", "no-store");
	return PROB_NONE;
}
