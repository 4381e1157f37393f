#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "log_count.h"
#include "metrics.h"

const int64_t metrics_bounds_us[METRICS_BUCKETS] = {
    1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 0};

/* Every status that a service can answer; the last stands for any other. */
static const int statuses[] = {
    200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 500, 503, 0};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

struct cell {
	_Atomic long long time_us, bucket[METRICS_BUCKETS];
};

struct metrics {
	const char *service;
	const struct route *routes;
	size_t n;
	struct cell (*cells)[STATUSES]; /* n + 1 routes: the last is none of ours */
	long long dropped;		/* log lines of which the database knows */
};

struct metrics *
metrics_new(const char *service, const struct route *routes, size_t n)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	*m = (struct metrics){.service = service, .routes = routes, .n = n};
	if ((m->cells = calloc(n + 1, sizeof(*m->cells))) == NULL) {
		free(m);
		return NULL;
	}
	return m;
}

void
metrics_free(struct metrics *m)
{
	if (m != NULL)
		free(m->cells);
	free(m);
}

void
metrics_count(struct metrics *m, const struct route *route, int status, int64_t took_us)
{
	size_t r = route != NULL ? (size_t)(route - m->routes) : m->n, s, b;
	struct cell *c;

	for (s = 0; s < STATUSES - 1 && statuses[s] != status; s++)
		;
	for (b = 0; b < METRICS_BUCKETS - 1 && took_us > metrics_bounds_us[b]; b++)
		;
	c = &m->cells[r][s];
	atomic_fetch_add_explicit(&c->time_us, took_us, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->bucket[b], 1, memory_order_relaxed);
}

/* Take what a cell holds; false: nothing. */
static bool
take(struct cell *c, long long taken[METRICS_BUCKETS], long long *time_us)
{
	bool any = false;
	size_t b;

	for (b = 0; b < METRICS_BUCKETS; b++) {
		taken[b] = atomic_exchange_explicit(&c->bucket[b], 0, memory_order_relaxed);
		any = any || taken[b] != 0;
	}
	*time_us = any ? atomic_exchange_explicit(&c->time_us, 0, memory_order_relaxed) : 0;
	return any;
}

static void
put_back(struct cell *c, const long long taken[METRICS_BUCKETS], long long time_us)
{
	size_t b;

	for (b = 0; b < METRICS_BUCKETS; b++)
		atomic_fetch_add_explicit(&c->bucket[b], taken[b], memory_order_relaxed);
	atomic_fetch_add_explicit(&c->time_us, time_us, memory_order_relaxed);
}

/* false: the database did not take it */
static bool
flush_cell(struct metrics *m, struct db *db, size_t r, size_t s)
{
	const char *method = r < m->n ? wire_method_name(m->routes[r].method) : "";
	char path[80] = "";
	long long taken[METRICS_BUCKETS], time_us;
	struct cell *c = &m->cells[r][s];
	enum db_status st;
	size_t b;

	if (!take(c, taken, &time_us))
		return true;
	if (r < m->n)
		route_template(&m->routes[r], path, sizeof(path));
	db_call(db, "metrics_add");
	db_utf8(db, m->service, strlen(m->service));
	db_utf8(db, method, strlen(method));
	db_utf8(db, path, strlen(path));
	db_int(db, statuses[s]);
	db_int(db, time_us);
	for (b = 0; b < METRICS_BUCKETS; b++)
		db_int(db, taken[b]);
	st = db_exec(db, DB_ONCE, NULL);
	db_done(db);
	if (st == DB_OK || st == DB_UNKNOWN)
		return st == DB_OK;
	put_back(c, taken, time_us);
	return false;
}

static void
flush_retries(struct metrics *m, struct db *db, struct db_shared *counted)
{
	long long retries = atomic_exchange(&counted->retries, 0);
	enum db_status st;

	if (retries == 0)
		return;
	db_call(db, "metrics_retry");
	db_utf8(db, m->service, strlen(m->service));
	db_int(db, retries);
	st = db_exec(db, DB_ONCE, NULL);
	if (st != DB_OK && st != DB_UNKNOWN) /* better one too few than one twice */
		atomic_fetch_add(&counted->retries, retries);
	db_done(db);
}

void
metrics_flush(struct metrics *m, struct db *db, struct db_shared *counted)
{
	size_t r, s;

	for (r = 0; r <= m->n; r++)
		for (s = 0; s < STATUSES; s++)
			if (!flush_cell(m, db, r, s))
				return;
	flush_retries(m, db, counted);
	log_count(db, &m->dropped);
}
