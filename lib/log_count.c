#include "db.h"
#include "log.h"
#include "log_count.h"

void
log_count(struct db *db, long long *known)
{
	long long dropped = log_dropped();
	enum db_status st;

	if (dropped == *known)
		return;
	db_call(db, "metrics_log");
	db_int(db, dropped - *known);
	st = db_exec(db, DB_ONCE, NULL);
	if (st == DB_OK || st == DB_UNKNOWN)
		*known = dropped;
	db_done(db);
}
