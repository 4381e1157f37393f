#include <stdio.h>

#include "audit.h"
#include "jsonw.h"

/* One result of the procedure: name, number checked, and a row for each violation behind the first.
 */
static bool
write_check(struct jsonw *w, struct db *db)
{
	const char *s;
	size_t len;
	bool ok = true;

	jsonw_object(w);
	jsonw_name(w, "name");
	s = db_text(db, 0, &len);
	jsonw_text(w, s, len);
	jsonw_name(w, "checked");
	s = db_text(db, 1, &len);
	jsonw_digits(w, s, len);
	jsonw_name(w, "violations");
	jsonw_array(w);
	while (db_row(db)) {
		s = db_text(db, 2, &len);
		jsonw_text(w, s, len);
		ok = false;
	}
	jsonw_close(w);
	jsonw_name(w, "ok");
	jsonw_bool(w, ok);
	jsonw_close(w);
	return ok;
}

enum db_status
audit_run(const struct db_conf *c, const char *request_id, struct jsonw *w, bool *ok, char *reason,
    unsigned size)
{
	struct db_conf own = {.hosts = c->hosts,
	    .user = c->user,
	    .password = c->password,
	    .name = c->name,
	    .tls_ca = c->tls_ca,
	    .deadline_ms = AUDIT_DEADLINE_MS};
	struct db *db = db_new(&own);
	enum db_status st = DB_FAILED;
	unsigned checks = 0;

	*ok = true;
	if (db == NULL)
		return st;
	db_call(db, "audit");
	db_int(db, AUDIT_MOST);
	if ((st = db_exec(db, DB_READ, request_id)) != DB_OK) {
		snprintf(reason, size, "%s", db_reason(db));
		db_free(db);
		return st;
	}
	jsonw_object(w);
	jsonw_name(w, "checks");
	jsonw_array(w);
	do {
		if (!db_row(db))
			break;
		checks++;
		if (!write_check(w, db))
			*ok = false;
	} while (db_next_result(db));
	jsonw_close(w);
	jsonw_name(w, "ok");
	jsonw_bool(w, *ok);
	jsonw_close(w);
	db_free(db);
	if (checks == 0)
		snprintf(reason, size, "the database made no check at all");
	return checks > 0 ? DB_OK : DB_FAILED;
}
