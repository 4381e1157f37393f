#include <pthread.h>
#include <stdio.h>

#include "ready.h"

#define KEEP_MS 1000 /* how old an answer may be */
#define WAIT_MS 1000 /* how long the database may take */

static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER; /* by whoever asks the database */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* of what follows */
static int64_t asked_ms;				   /* 0: never */
static enum db_status status;
static char reason[300];

/* The answer that is kept; 0 for *at where there is none. */
static enum db_status
kept(int64_t *at, char *why, size_t size)
{
	enum db_status st;

	pthread_mutex_lock(&lock);
	*at = asked_ms;
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
	snprintf(reason, sizeof(reason), "%s", st != DB_OK ? db_reason(db) : "");
	pthread_mutex_unlock(&lock);
}

enum db_status
ready_ask(struct db *db, const char *request_id, char *why, size_t size)
{
	enum db_status st;
	int64_t at;

	st = kept(&at, why, size);
	if (at != 0 && db_now_ms() - at < KEEP_MS)
		return st;
	if (pthread_mutex_trylock(&asking) != 0) {
		if (at != 0)
			return st;
		pthread_mutex_lock(&asking); /* nobody knows yet */
	}
	st = kept(&at, why, size);
	if (at == 0 || db_now_ms() - at >= KEEP_MS) {
		ask(db, request_id);
		st = kept(&at, why, size);
	}
	pthread_mutex_unlock(&asking);
	return st;
}
