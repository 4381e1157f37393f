#include <pthread.h>
#include <stdio.h>

#include "db.h"
#include "jsonw.h"
#include "log.h"
#include "ready.h"
#include "req.h"
#include "resp.h"

#define KEEP_MS 1000 /* how old an answer may be */
#define WAIT_MS 1000 /* how long the database may take */

static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER; /* by whoever asks the database */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* of what follows */
static int64_t asked_ms;				   /* 0: never */
static enum db_status status;
static char reason[200];
static unsigned host; /* db_host_of */

/* The answer that is kept; 0 for *at where there is none. */
static enum db_status
kept(int64_t *at, unsigned *of, char *why, size_t size)
{
	enum db_status st;

	pthread_mutex_lock(&lock);
	*at = asked_ms;
	*of = host;
	st = status;
	snprintf(why, size, "%s", reason);
	pthread_mutex_unlock(&lock);
	return st;
}

static void
ask(struct db *db, const char *request_id)
{
	enum db_status st;

	db_until(db, db_now_ms() + WAIT_MS);
	db_call(db, "ready");
	st = db_exec(db, DB_READ, request_id);
	db_done(db);
	pthread_mutex_lock(&lock);
	asked_ms = db_now_ms();
	status = st;
	host = db_host_of(db);
	snprintf(reason, sizeof(reason), "%s", st != DB_OK ? db_reason(db) : "");
	pthread_mutex_unlock(&lock);
}

/*
 * The answer is kept for a second for all threads of the process, so that
 * probes cost one write a second, however many come.  Who asks while another
 * thread does gets the answer before.
 */
static enum db_status
ready_ask(struct db *db, const char *request_id, unsigned *of, char *why, size_t size)
{
	enum db_status st;
	int64_t at;

	st = kept(&at, of, why, size);
	if (at != 0 && db_now_ms() - at < KEEP_MS)
		return st;
	if (pthread_mutex_trylock(&asking) != 0) {
		if (at != 0)
			return st;
		pthread_mutex_lock(&asking); /* nobody knows yet */
	}
	st = kept(&at, of, why, size);
	if (at == 0 || db_now_ms() - at >= KEEP_MS) {
		ask(db, request_id);
		st = kept(&at, of, why, size);
	}
	pthread_mutex_unlock(&asking);
	return st;
}

enum prob
ready_get(struct req *rq, struct resp *rs, const char *service)
{
	const char *next = wire_param(&rq->wire, "LOYALTY_READY_NEXT", NULL);
	struct jsonw w = jsonw_begin(&rs->body);
	char why[sizeof(reason)];
	unsigned of;
	enum db_status st = ready_ask(rq->db, rq->request_id, &of, why, sizeof(why));

	if (st != DB_OK) {
		/* anybody may ask: no addresses, no names of the library's making */
		log_line(LOG_WARN, rq->request_id, "not ready: %s", why);
		snprintf(rq->faults.detail, sizeof(rq->faults.detail), "%s is not ready: %s.",
		    service,
		    st == DB_VERSION ? why : "the database is out of reach or takes no writes");
		return PROB_UNAVAILABLE;
	}
	if (next != NULL && *next != '\0') {
		rs->redirect = next; /* nginx keeps our headers: the last one sets them */
		return PROB_NONE;
	}
	resp_header(rs, "Cache-Control", "no-store");
	jsonw_object(&w);
	jsonw_name(&w, "status");
	jsonw_str(&w, "ready");
	if (of != 0) {
		jsonw_name(&w, "database_host");
		jsonw_int(&w, of);
	}
	jsonw_close(&w);
	return jsonw_end(&w) ? PROB_NONE : PROB_INTERNAL;
}
