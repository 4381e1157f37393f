#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "jsonw.h"

/* One result of the procedure: name, number checked, and a row for each violation behind the first.
 */
static bool
tell_check(struct db *db, const struct audit_sink *to, void *arg)
{
	const char *s;
	size_t len;
	bool ok = true;

	to->check(arg, db_text(db, 0, NULL), db_text(db, 1, NULL));
	while (db_row(db)) {
		s = db_text(db, 2, &len);
		to->violation(arg, s, len);
		ok = false;
	}
	to->end(arg, ok);
	return ok;
}

enum db_status
audit_run(const struct db_conf *c, const char *request_id, const struct audit_sink *to, void *arg,
    bool *ok, char *reason, unsigned size)
{
	struct db_conf own = *c;
	struct db *db = db_new(&own, NULL);
	enum db_status st = DB_FAILED;
	unsigned checks = 0;

	own.deadline_ms = AUDIT_DEADLINE_MS;
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
	do {
		if (!db_row(db))
			break;
		checks++;
		if (!tell_check(db, to, arg))
			*ok = false;
	} while (db_next_result(db));
	db_free(db);
	if (checks == 0)
		snprintf(reason, size, "the database made no check at all");
	return checks > 0 ? DB_OK : DB_FAILED;
}

/* ---- as JSON ---- */

static void
json_check(void *w, const char *name, const char *checked)
{
	jsonw_object(w);
	jsonw_name(w, "name");
	jsonw_str(w, name);
	jsonw_name(w, "checked");
	jsonw_digits(w, checked, strlen(checked));
	jsonw_name(w, "violations");
	jsonw_array(w);
}

static void
json_violation(void *w, const char *text, size_t len)
{
	jsonw_text(w, text, len);
}

static void
json_end(void *w, bool ok)
{
	jsonw_close(w);
	jsonw_name(w, "ok");
	jsonw_bool(w, ok);
	jsonw_close(w);
}

enum db_status
audit_write(const struct db_conf *c, const char *request_id, struct jsonw *w, bool *ok,
    char *reason, unsigned size)
{
	static const struct audit_sink json = {json_check, json_violation, json_end};
	enum db_status st;

	jsonw_object(w);
	jsonw_name(w, "checks");
	jsonw_array(w);
	st = audit_run(c, request_id, &json, w, ok, reason, size);
	jsonw_close(w);
	jsonw_name(w, "ok");
	jsonw_bool(w, *ok);
	jsonw_close(w);
	return st;
}
