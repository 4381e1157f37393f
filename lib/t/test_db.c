#include <mysql.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "db.h"
#include "fakedb.h"
#include "version.h"

/* What a test has: the configuration that its connections share, and one. */
static struct db_conf conf;
static struct db_shared shared;
static struct db *db;
static enum {
	AS_TEXT,
	PREPARED,
	TWO_STEPS
} way; /* how call does it; TWO_STEPS: db_send and db_receive */

static void
begin_at(const char *hosts, int deadline_ms)
{
	conf.hosts = hosts;
	conf.user = "u";
	conf.name = "loyalty";
	conf.deadline_ms = deadline_ms;
	shared.bad_until_ms = 0;
	shared.host = 0;
	if ((db = db_new(&conf, &shared)) == NULL)
		abort();
}

/* A connection to the server that answers as these steps say. */
#define BEGIN(deadline_ms, ...)                                                                    \
	do {                                                                                       \
		const struct fake_step steps_[] = {__VA_ARGS__};                                   \
		fakedb_script(steps_, sizeof(steps_) / sizeof(steps_[0]));                         \
		begin_at(fakedb_path(), deadline_ms);                                              \
	} while (0)

static void
end(void)
{
	db_free(db);
	db = NULL;
	fakedb_script(NULL, 0);
}

static enum db_status
call(enum db_mode mode)
{
	(way == PREPARED ? db_call_row : db_call)(db, "thing_do");
	db_int(db, 1);
	if (way != TWO_STEPS)
		return db_exec(db, mode, "req-1");
	db_send(db);
	return db_receive(db, mode, "req-1");
}

static const char *
name_of(enum db_status st)
{
	static const char *const names[] = {"OK", "DOWN", "UNKNOWN", "VERSION", "FAILED"};

	return names[st];
}

/* The outcome of a call, and how often the server was sent it. */
static void
ends(const char *what, enum db_mode mode, enum db_status want, unsigned calls)
{
	enum db_status st = call(mode);

	CHECK(st == want, "%s: %s, not %s (%s)", what, name_of(st), name_of(want), db_reason(db));
	CHECK(fakedb_calls() == calls, "%s: sent %u times, not %u", what, fakedb_calls(), calls);
	if (st != DB_OK)
		CHECK(db_reason(db)[0] != '\0', "%s: no reason", what);
	db_done(db);
}

static void
within(const char *what, enum db_mode mode, int deadline_ms)
{
	int64_t start = db_now_ms(), took;
	enum db_status st;

	if (way == TWO_STEPS) /* a request has one for both */
		db_until(db, start + deadline_ms);
	st = call(mode);
	took = check_since(start);
	CHECK(st == DB_DOWN || st == DB_UNKNOWN, "%s: %s", what, name_of(st));
	CHECK(took < deadline_ms + 500, "%s: %lld ms of %d", what, (long long)took, deadline_ms);
	db_done(db);
}

/* ---- the statement and its answer ---- */

static void
db_sends_arguments_as_literals(void)
{
	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	db_call(db, "thing_do");
	db_bytes(db, "\x00\xff'", 3);
	db_int(db, -9223372036854775807LL - 1);
	db_utf8(db, "a'\\\xc3\xa9", 5);
	db_null(db);
	db_utf8(db, "", 0);
	db_bytes(db, "", 0);
	db_int(db, 0);
	CHECK(db_exec(db, DB_ONCE, NULL) == DB_OK, "%s", db_reason(db));
	CHECK(!db_row(db), "a row of nothing");
	CHECK_TEXT("the statement", fakedb_text(0), strlen(fakedb_text(0)),
	    "CALL thing_do(X'00ff27',-9223372036854775808,_utf8mb4 X'61275cc3a9',NULL,_utf8mb4 "
	    "X'',X'',0)");
	db_done(db);
	db_call(db, "nothing");
	CHECK(db_exec(db, DB_READ, NULL) == DB_OK, "%s", db_reason(db));
	CHECK_TEXT("the statement", fakedb_text(1), strlen(fakedb_text(1)), "CALL nothing()");
	end();
}

static void
db_gives_rows_with_lengths_and_nulls(void)
{
	static const char *const values[] = {"abc", NULL, "-42", "", "9007199254740993", "x"};
	size_t len;

	BEGIN(3000, {.kind = FAKE_ROWS, .columns = 3, .nrows = 2, .values = values});
	CHECK(call(DB_READ) == DB_OK, "%s", db_reason(db));
	CHECK(db_row(db), "the first row");
	CHECK(strcmp(db_text(db, 0, &len), "abc") == 0 && len == 3, "text");
	len = 99;
	CHECK(db_text(db, 1, &len) == NULL && len == 0 && db_number(db, 1) == 0, "NULL");
	CHECK(db_number(db, 2) == -42, "a number");
	CHECK(db_row(db), "the second row");
	CHECK(db_text(db, 0, &len) != NULL && len == 0, "empty text");
	CHECK(db_number(db, 1) == 9007199254740993, "a large number");
	CHECK(!db_row(db), "a third row");
	db_done(db);
	db_done(db);
	CHECK(!db_row(db), "a row of a result let go");
	ends("the connection can be used again", DB_READ, DB_OK, 2);
	CHECK(fakedb_connections() == 1 && fakedb_schema_calls() == 1, "%u connections",
	    fakedb_connections());
	end();
}

/* OUT parameters are the row, prepared or, where the library could wait too long, as text; unless
 * there is one already. */
static void
db_gives_out_parameters_as_the_row(void)
{
	static const char *const values[] = {"abc", NULL};
	const struct fake_step row = {
	    .kind = FAKE_ROWS, .columns = 2, .nrows = 1, .values = values};
	static const struct {
		int deadline_ms;
		bool answers;
		const char *text[2];
	} t[] = {{3000, true, {"CALL thing_do(1,NULL,NULL)", ""}},
	    {900, true, {"CALL thing_do(1,@loyalty_out_0,@loyalty_out_1)", ""}},
	    {900, false,
		{"CALL thing_do(1,@loyalty_out_0,@loyalty_out_1)",
		    "SELECT @loyalty_out_0,@loyalty_out_1"}}};
	size_t i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		BEGIN(t[i].deadline_ms,
		    t[i].answers ? row : (struct fake_step){.kind = FAKE_NO_ROWS}, row);
		db_call_row(db, "thing_do");
		db_int(db, 1);
		db_out(db, 2);
		CHECK(db_exec(db, DB_ONCE, NULL) == DB_OK, "%zu: %s", i, db_reason(db));
		CHECK(db_row(db) && db_columns(db) == 2, "%zu: no row", i);
		CHECK(strcmp(db_text(db, 0, NULL), "abc") == 0 && db_text(db, 1, NULL) == NULL,
		    "%zu: another row", i);
		CHECK(!db_row(db), "%zu: a second row", i);
		for (n = 0; n < 2; n++)
			CHECK_TEXT("sent", fakedb_text((unsigned)n),
			    strlen(fakedb_text((unsigned)n)), t[i].text[n]);
		end();
	}
}

static void
db_reads_a_stream_row_by_row(void)
{
	static const char *const values[] = {"1", "a", "2", NULL, "3", "c"};
	const char *s;
	size_t len;
	int n = 0;

	BEGIN(3000, {.kind = FAKE_ROWS, .columns = 2, .values = values, .nrows = 3},
	    {.kind = FAKE_NO_ROWS}, {.kind = FAKE_ERROR, .error = 1146},
	    {.kind = FAKE_ROWS, .columns = 2, .values = values, .nrows = 3});
	db_call_stream(db, "thing_all");
	db_bytes(db, "x", 1);
	CHECK(db_exec(db, DB_READ, NULL) == DB_OK, "%s", db_reason(db));
	while (db_row(db)) {
		n++;
		CHECK(db_number(db, 0) == n && db_columns(db) == 2, "row %d", n);
	}
	CHECK(n == 3 && !db_next_result(db) && db_is_whole(db), "%d rows", n);
	db_call_stream(db, "thing_all");
	CHECK(db_exec(db, DB_READ, NULL) == DB_OK && !db_row(db) && db_is_whole(db), "no rows");
	db_call_stream(db, "thing_all");
	CHECK(db_exec(db, DB_READ, NULL) != DB_OK, "an error");
	db_call_stream(db, "thing_all");
	CHECK(db_exec(db, DB_READ, NULL) == DB_OK && db_row(db), "%s", db_reason(db));
	s = db_text(db, 1, &len);
	CHECK_TEXT("a field", s, len, "a");
	end(); /* in the middle of it */
}

static void
db_free_accepts_null_and_open_results(void)
{
	static const char *const values[] = {"abc"};

	db_free(NULL);
	BEGIN(3000, {.kind = FAKE_ROWS, .columns = 1, .nrows = 1, .values = values});
	CHECK(call(DB_READ) == DB_OK && db_row(db), "%s", db_reason(db));
	end();
	begin_at("/nonexistent/sock", 1000);
	end();
}

/* ---- reads ---- */

static enum db_status
read_thing(const char *name)
{
	db_select(db, thing_get,
	    "SELECT a, b, c FROM thing WHERE id = ? AND n < ? AND name = ? AND x <=> ?");
	db_bytes(db, "\x01\xff", 2);
	db_int(db, -7);
	db_utf8(db, name, strlen(name));
	db_null(db);
	return db_exec(db, DB_READ, "req-1");
}

#define READ_TEXT(name)                                                                            \
	"SELECT a, b, c FROM thing WHERE id = X'01ff' AND n < -7 AND name = _utf8mb4 X'" name      \
	"' AND x <=> NULL"

static void
db_reads_with_an_empty_argument_that_is_not_null(void)
{
	BEGIN(3000, {.kind = FAKE_ROWS, .columns = 1});
	db_select(db, thing_list, "SELECT a FROM thing WHERE id > ? LIMIT ?");
	db_bytes(db, "", 0);
	db_int(db, 5);
	CHECK(db_exec(db, DB_READ, "req-1") == DB_OK, "%s", db_reason(db));
	CHECK_TEXT("the first of a connection", fakedb_text(0), strlen(fakedb_text(0)),
	    "SELECT a FROM thing WHERE id > X'' LIMIT 5");
	end();
}

static void
db_reads_with_a_statement_that_is_prepared_once(void)
{
	static const char *const values[] = {"abc", NULL, "-42", "", "9007199254740993", "x"};
	size_t len;

	BEGIN(3000, {.kind = FAKE_ROWS, .columns = 3, .nrows = 2, .values = values});
	CHECK(read_thing("Zoë") == DB_OK, "%s", db_reason(db));
	CHECK_TEXT("the statement", fakedb_text(0), strlen(fakedb_text(0)), READ_TEXT("5a6fc3ab"));
	CHECK(db_row(db) && strcmp(db_text(db, 0, &len), "abc") == 0 && len == 3, "the first row");
	len = 99;
	CHECK(db_text(db, 1, &len) == NULL && len == 0 && db_number(db, 1) == 0, "NULL");
	CHECK(db_number(db, 2) == -42, "a number");
	CHECK(db_row(db) && db_text(db, 0, &len) != NULL && len == 0, "empty text");
	CHECK(db_number(db, 1) == 9007199254740993, "a large number");
	CHECK(!db_row(db) && !db_next_result(db), "a third row, or another result");
	db_done(db);
	db_done(db);
	CHECK(read_thing("x") == DB_OK && db_row(db), "%s", db_reason(db));
	CHECK_TEXT("other values", fakedb_text(1), strlen(fakedb_text(1)), READ_TEXT("78"));
	CHECK(call(DB_READ) == DB_OK, "a call while rows are left: %s", db_reason(db));
	CHECK(read_thing("") == DB_OK, "%s", db_reason(db));
	CHECK_TEXT("empty text", fakedb_text(3), strlen(fakedb_text(3)), READ_TEXT(""));
	CHECK(fakedb_prepares() == 1 && fakedb_connections() == 1, "prepared %u times",
	    fakedb_prepares());
	end();
}

static void
db_prepares_anew_on_another_connection_and_where_the_server_asks_for_it(void)
{
	static const char *const values[] = {"1", "2", "3"};
	static const unsigned errors[] = {1615, 1243, 1213, 4031};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		BEGIN(3000, {.kind = FAKE_ERROR, .error = errors[i]},
		    {.kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = values});
		CHECK(read_thing("x") == DB_OK && db_row(db), "error %u: %s", errors[i],
		    db_reason(db));
		CHECK(db_number(db, 2) == 3 && fakedb_calls() == 2, "error %u: %u executions",
		    errors[i], fakedb_calls());
		end();
	}
	BEGIN(3000, {.kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = values});
	CHECK(read_thing("x") == DB_OK, "%s", db_reason(db));
	fakedb_drop_all();
	CHECK(read_thing("x") == DB_OK && db_row(db), "after the connection was closed: %s",
	    db_reason(db));
	CHECK(fakedb_prepares() == 2 && fakedb_connections() == 2, "prepared %u times",
	    fakedb_prepares());
	end();
}

static void
db_tells_what_a_read_came_to(void)
{
	static const unsigned missing[] = {1146, 1054, 1142, 1143};
	size_t i;

	for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		BEGIN(3000, {.kind = FAKE_ERROR, .error = missing[i], .columns = 3});
		CHECK(read_thing("x") == DB_VERSION, "error %u", missing[i]);
		CHECK(strstr(db_reason(db), "lacks what thing_get reads") != NULL, "%s",
		    db_reason(db));
		end();
	}
	BEGIN(3000, {.kind = FAKE_ERROR, .error = 1064, .columns = 3});
	CHECK(read_thing("x") == DB_FAILED && strstr(db_reason(db), "as it was told") != NULL, "%s",
	    db_reason(db));
	end();
	BEGIN(1600, {.kind = FAKE_HANG, .columns = 3});
	CHECK(read_thing("x") == DB_UNKNOWN || read_thing("x") == DB_DOWN, "%s", db_reason(db));
	end();
}

/* ---- a procedure of one row, prepared ---- */

static void
db_calls_a_procedure_of_one_row_prepared(void)
{
	static const char *const three[] = {"abc", NULL, "9007199254740993"};
	static const char *const two[] = {"sold-out", ""};
	static const struct {
		unsigned columns;
		const char *const *values;
	} rows[] = {{3, three}, {2, two}, {0, NULL}, {3, three}};
	size_t i, len;
	unsigned k;

	BEGIN(3000, {.kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = three},
	    {.kind = FAKE_ROWS, .columns = 2, .nrows = 1, .values = two}, {.kind = FAKE_NO_ROWS},
	    {.kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = three},
	    {.kind = FAKE_ROWS, .columns = 3, .nrows = 0, .values = three});
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(call(DB_ONCE) == DB_OK, "call %zu: %s", i, db_reason(db));
		CHECK_TEXT(
		    "it", fakedb_text((unsigned)i), strlen(fakedb_text(0)), "CALL thing_do(1)");
		CHECK(db_row(db) == (rows[i].columns > 0), "call %zu: whether there is a row", i);
		if (rows[i].columns > 0)
			CHECK(db_columns(db) == rows[i].columns, "%u columns", db_columns(db));
		for (k = 0; k < rows[i].columns; k++) {
			const char *want = rows[i].values[k], *text = db_text(db, k, &len);

			CHECK(want == NULL
				  ? text == NULL && len == 0
				  : text != NULL && strcmp(text, want) == 0 && len == strlen(want),
			    "call %zu, column %u: %s", i, k, text != NULL ? text : "NULL");
		}
		CHECK(!db_row(db) && !db_next_result(db), "call %zu: a second row", i);
		db_done(db);
	}
	ends("a result without a row", DB_ONCE, DB_OK, 5);
	CHECK(!db_row(db), "a row of nothing");
	CHECK(fakedb_prepares() == 1 && fakedb_connections() == 1, "prepared %u times",
	    fakedb_prepares());
	end();
}

/* Lost before it was executed: no doubt about a write that must never be sent twice. */
static void
db_has_not_begun_what_it_could_not_prepare(void)
{
	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	fakedb_close_at_prepares(2);
	ends("a write", DB_ONCE, DB_OK, 1);
	CHECK(fakedb_prepares() == 3 && fakedb_connections() == 3, "prepared %u times",
	    fakedb_prepares());
	end();
	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	fakedb_close_at_prepares(99);
	ends("a write, never prepared", DB_ONCE, DB_DOWN, 0);
	end();
}

/* With less time than the library would wait for the answer, db.c waits itself. */
static void
db_sends_a_call_in_a_hurry_as_text(void)
{
	int64_t start = db_now_ms();

	BEGIN(4500, {.kind = FAKE_NO_ROWS}, {.kind = FAKE_HANG});
	db_until(db, db_now_ms() + 1000);
	ends("a second left", DB_ONCE, DB_OK, 1);
	CHECK(fakedb_prepares() == 0, "prepared");
	ends("no answer", DB_ONCE, DB_UNKNOWN, 2);
	CHECK(check_since(start) < 1500, "%lld ms", (long long)check_since(start));
	end();
}

/* ---- what goes wrong ---- */

static void
db_tries_again_after_a_collision(void)
{
	static const unsigned errors[] = {1213, 1205, 1020, 3101, 1180, 1062};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "error %u", errors[i]);
		BEGIN(3000, {.kind = FAKE_ERROR, .error = errors[i]},
		    {.kind = FAKE_ERROR, .error = errors[i]}, {.kind = FAKE_NO_ROWS});
		ends(what, DB_ONCE, DB_OK, 3);
		CHECK(fakedb_connections() == 1, "%s: %u connections", what, fakedb_connections());
		end();
	}
}

static void
db_gives_up_after_many_collisions(void)
{
	int64_t start = db_now_ms();

	BEGIN(4500, {.kind = FAKE_ERROR, .error = 1213});
	ends("deadlocks", DB_ONCE, DB_DOWN, 10);
	CHECK(check_since(start) < 4500, "%lld ms", (long long)check_since(start));
	end();
}

static void
db_fails_at_once_on_other_errors(void)
{
	static const unsigned errors[] = {1146, 1064, 1406, 3819, 4025, 1644};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "error %u", errors[i]);
		BEGIN(3000, {.kind = FAKE_ERROR, .error = errors[i]}, {.kind = FAKE_NO_ROWS});
		ends(what, DB_KEYED, DB_FAILED, 1);
		ends("the next call", DB_KEYED, DB_OK, 2);
		end();
	}
}

/* A migration drops it, makes it and grants it again: who calls meanwhile waits. */
static void
db_waits_for_a_procedure_that_is_replaced(void)
{
	int64_t from, took;

	BEGIN(3000, {.kind = FAKE_ERROR, .error = 1305}, {.kind = FAKE_ERROR, .error = 1370},
	    {.kind = FAKE_NO_ROWS});
	shared.retries = 0;
	ends("dropped, not granted yet, there", DB_ONCE, DB_OK, 3);
	CHECK(fakedb_connections() == 1, "%u connections", fakedb_connections());
	CHECK(shared.retries == 0, "%lld retries: nobody was met", shared.retries);
	end();
	BEGIN(4500, {.kind = FAKE_ERROR, .error = 1370});
	from = db_now_ms();
	CHECK(call(DB_ONCE) == DB_VERSION && strstr(db_reason(db), "migrate") != NULL,
	    "never granted: %s", db_reason(db));
	took = db_now_ms() - from;
	CHECK(took >= 1500 && took < 3500, "it waited %lld ms", (long long)took);
	CHECK(fakedb_calls() > 10, "%u looks", fakedb_calls());
	end();
}

/* MySQL says goodbye to a connection that idles (4031), just when we call: it never read that. */
static void
db_calls_again_where_a_farewell_met_the_call(void)
{
	BEGIN(3000, {.kind = FAKE_ERROR, .error = 4031}, {.kind = FAKE_NO_ROWS});
	ends("idle too long", DB_ONCE, DB_OK, 2);
	CHECK(fakedb_connections() == 2, "%u connections", fakedb_connections());
	end();
}

/* Read-only, full or overloaded: nothing was done, and the next call goes to the next host. */
static void
db_leaves_a_server_that_cannot_write(void)
{
	static const unsigned errors[] = {1290, 1836, 1792, 3100, 1021, 1040, 1041};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "error %u", errors[i]);
		BEGIN(3000, {.kind = FAKE_ERROR, .error = errors[i]}, {.kind = FAKE_NO_ROWS});
		ends(what, DB_KEYED, DB_DOWN, 1);
		ends("the next call", DB_KEYED, DB_OK, 2);
		CHECK(fakedb_connections() == 2, "%s: %u connections", what, fakedb_connections());
		end();
	}
}

/* As of two hosts. */
static void
begin_at_two(int deadline_ms, const struct fake_step *steps, size_t n)
{
	static char hosts[300];

	fakedb_script(steps, n);
	snprintf(hosts, sizeof(hosts), "%s,%s", fakedb_path(), fakedb_other_path());
	begin_at(hosts, deadline_ms);
}

#define BEGIN_AT_TWO(deadline_ms, ...)                                                             \
	do {                                                                                       \
		const struct fake_step steps_[] = {__VA_ARGS__};                                   \
		begin_at_two(deadline_ms, steps_, sizeof(steps_) / sizeof(steps_[0]));             \
	} while (0)

/* Nothing was done there, so the next one is asked within the same call; also of a node of Galera
 * that has lost the others. */
static void
db_goes_to_the_next_host_when_one_cannot_write(void)
{
	static const unsigned errors[] = {1290, 1836, 1047, 3100, 1021};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		BEGIN_AT_TWO(
		    3000, {.kind = FAKE_ERROR, .error = errors[i]}, {.kind = FAKE_NO_ROWS});
		ends("it cannot write", DB_ONCE, DB_OK, 2);
		CHECK(fakedb_other_connections() == 1, "%u: the second host was not asked",
		    errors[i]);
		ends("and stays there", DB_READ, DB_OK, 3);
		CHECK(fakedb_connections() == 2, "%u: it went back", errors[i]);
		end();
	}
}

static void
db_passes_by_a_host_that_says_it_is_read_only(void)
{
	BEGIN_AT_TWO(3000, {.kind = FAKE_NO_ROWS});
	fakedb_read_only(true, false);
	ends("a read, too", DB_READ, DB_OK, 1);
	CHECK(fakedb_other_connections() == 1, "the second host was not asked");
	/* it becomes so, and no write has met it */
	fakedb_read_only(false, true);
	check_pause(1100);
	ends("a second later", DB_READ, DB_OK, 2);
	CHECK(fakedb_connections() == 3 && fakedb_other_connections() == 1,
	    "it stays where nothing can be written");
	fakedb_read_only(true, true);
	fakedb_drop_all();
	within("none takes writes", DB_READ, 3000);
	CHECK(shared.bad_until_ms == 0, "who has more time may wait for one that does");
	if (way != TWO_STEPS) /* there sending has found it out */
		CHECK(strstr(db_reason(db), "read-only") != NULL, "%s", db_reason(db));
	end();
}

/* Also where all of them would take writes, as one that came back alone does. */
static void
db_takes_of_a_group_the_primary(void)
{
	static const unsigned errors[] = {1305, 1370, 1142};
	size_t i;

	BEGIN_AT_TWO(3000, {.kind = FAKE_NO_ROWS});
	fakedb_group(0, false, true);
	ends("a read, too", DB_READ, DB_OK, 1);
	CHECK(fakedb_other_connections() == 1, "the second host was not asked");
	fakedb_group(0, true, false);
	check_pause(1100);
	ends("a switch", DB_READ, DB_OK, 2);
	CHECK(fakedb_connections() == 3 && fakedb_other_connections() == 1,
	    "it stays at a secondary");
	end();
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		BEGIN_AT_TWO(3000, {.kind = FAKE_NO_ROWS});
		fakedb_group(errors[i], true, true);
		ends("it can't say", DB_READ, DB_OK, 1);
		CHECK(fakedb_other_connections() == 1, "%u: taken", errors[i]);
		end();
	}
	BEGIN_AT_TWO(3000, {.kind = FAKE_NO_ROWS});
	fakedb_group(0, false, false);
	within("none is the primary", DB_READ, 3000);
	end();
}

/* A single host is used as it is. */
static void
db_asks_a_single_host_nothing(void)
{
	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	fakedb_read_only(true, true);
	fakedb_group(1305, false, false);
	ends("a read", DB_READ, DB_OK, 1);
	end();
}

static void
db_leaves_a_host_that_does_not_answer(void)
{
	int64_t start;

	BEGIN_AT_TWO(4500, {.kind = FAKE_HANG}, {.kind = FAKE_NO_ROWS});
	start = db_now_ms();
	ends("what may be sent again is answered by the next", DB_KEYED, DB_OK, 2);
	CHECK(check_since(start) < 3000, "%lld ms", (long long)check_since(start));
	CHECK(fakedb_other_connections() == 1 && fakedb_kills() == 0, "%u ended on another server",
	    fakedb_kills());
	end();
	BEGIN_AT_TWO(4500, {.kind = FAKE_HANG}, {.kind = FAKE_NO_ROWS});
	ends("what may not", DB_ONCE, DB_UNKNOWN, 1);
	start = db_now_ms();
	ends("the next call", DB_ONCE, DB_OK, 2);
	CHECK(fakedb_other_connections() == 1 && check_since(start) < 500, "%lld ms",
	    (long long)check_since(start));
	end();
}

/* An audit or an export, whose deadline is long. */
static void
db_waits_for_work_that_takes_its_time_also_at_one_of_several(void)
{
	BEGIN_AT_TWO(60000, {.kind = FAKE_NO_ROWS, .delay_ms = 2300}, {.kind = FAKE_NO_ROWS});
	ends("a long read", DB_READ, DB_OK, 1);
	CHECK(fakedb_other_connections() == 0, "its host was left");
	end();
}

/* One thread's finding is all threads'. */
static void
db_leaves_a_host_with_all_connections_of_the_process(void)
{
	struct db *second;

	BEGIN_AT_TWO(3000, {.kind = FAKE_NO_ROWS}, {.kind = FAKE_NO_ROWS},
	    {.kind = FAKE_ERROR, .error = 1047}, {.kind = FAKE_NO_ROWS});
	if ((second = db_new(&conf, &shared)) == NULL)
		abort();
	ends("one", DB_READ, DB_OK, 1);
	db_call(second, "thing_do");
	CHECK(db_exec(second, DB_READ, NULL) == DB_OK && fakedb_other_connections() == 0, "%s",
	    db_reason(second));
	db_done(second);
	ends("it finds out", DB_READ, DB_OK, 4);
	db_call(second, "thing_do");
	CHECK(db_exec(second, DB_READ, NULL) == DB_OK && fakedb_other_connections() == 2,
	    "it stayed");
	db_free(second);
	end();
}

/* Its number may be somebody else's on another server. */
static void
db_ends_what_it_gave_up_on_the_server_where_it_lives(void)
{
	char away[2][200];
	const char *path = fakedb_path(), *other = fakedb_other_path();

	BEGIN_AT_TWO(1500, {.kind = FAKE_HANG}, {.kind = FAKE_NO_ROWS});
	snprintf(away[0], sizeof(away[0]), "%s.away", path);
	snprintf(away[1], sizeof(away[1]), "%s.away", other);
	ends("a write that hangs", DB_ONCE, DB_UNKNOWN, 1);
	CHECK(rename(path, away[0]) == 0, "the first server is gone");
	ends("on the second", DB_ONCE, DB_OK, 2);
	CHECK(fakedb_other_connections() == 1 && fakedb_kills() == 0, "%u ended on another server",
	    fakedb_kills());
	CHECK(rename(away[0], path) == 0 && rename(other, away[1]) == 0, "it is back");
	fakedb_drop_all();
	check_pause(50);
	ends("on the first again", DB_ONCE, DB_OK, 3);
	CHECK(fakedb_kills() == 1, "%u ended", fakedb_kills());
	CHECK(rename(away[1], other) == 0, "both are there");
	end();
}

static void
db_never_sends_a_write_twice_that_may_have_been_done(void)
{
	static const unsigned errors[] = {1053, 1317, 1927, 1969, 3024, 2026, 2027, 5013};
	size_t i;

	BEGIN(3000, {.kind = FAKE_CLOSE}, {.kind = FAKE_NO_ROWS});
	ends("closed", DB_ONCE, DB_UNKNOWN, 1);
	end();
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "error %u", errors[i]);
		BEGIN(3000, {.kind = FAKE_ERROR, .error = errors[i]}, {.kind = FAKE_NO_ROWS});
		ends(what, DB_ONCE, DB_UNKNOWN, 1);
		end();
	}
}

/* A deadlock first, then the connection is lost: what was sent last counts. */
static void
db_stays_in_doubt_after_a_retry(void)
{
	BEGIN(3000, {.kind = FAKE_ERROR, .error = 1213}, {.kind = FAKE_CLOSE},
	    {.kind = FAKE_NO_ROWS});
	ends("deadlock, closed", DB_ONCE, DB_UNKNOWN, 2);
	end();
	BEGIN(3000, {.kind = FAKE_CLOSE}, {.kind = FAKE_ERROR, .error = 1213},
	    {.kind = FAKE_NO_ROWS});
	ends("closed, deadlock", DB_KEYED, DB_OK, 3);
	end();
}

/* It may have been done the first time: whatever comes of the second, nobody may say it was not. */
static void
db_stays_in_doubt_whatever_the_second_try_comes_to(void)
{
	static const unsigned errors[] = {1290, 1836, 1040, 1146, 3819};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char what[40];

		snprintf(what, sizeof(what), "closed, error %u", errors[i]);
		BEGIN(3000, {.kind = FAKE_CLOSE}, {.kind = FAKE_ERROR, .error = errors[i]});
		ends(what, DB_KEYED, DB_UNKNOWN, 2);
		end();
	}
	BEGIN(3000, {.kind = FAKE_CLOSE}, {.kind = FAKE_ERROR, .error = 1205, .delay_ms = 900});
	ends("closed, a lock wait until no time is left", DB_KEYED, DB_UNKNOWN, 2);
	end();
	BEGIN(3000, {.kind = FAKE_CLOSE}, {.kind = FAKE_ERROR, .error = 1290});
	ends("of a read there is no doubt", DB_READ, DB_DOWN, 2);
	end();
}

static void *
change_schema(void *arg)
{
	check_pause(100);
	fakedb_schema(9999);
	return arg;
}

/* The schema changes between the two tries. */
static void
db_stays_in_doubt_where_the_schema_changes(void)
{
	pthread_t t;

	BEGIN(3000, {.kind = FAKE_CLOSE, .delay_ms = 300}, {.kind = FAKE_NO_ROWS});
	pthread_create(&t, NULL, change_schema, NULL);
	ends("closed, another schema", DB_KEYED, DB_UNKNOWN, 1);
	pthread_join(t, NULL);
	end();
}

static void
db_sends_again_what_may_be_done_again(void)
{
	BEGIN(3000, {.kind = FAKE_CLOSE}, {.kind = FAKE_NO_ROWS});
	ends("a keyed write", DB_KEYED, DB_OK, 2);
	CHECK(strcmp(fakedb_text(0), fakedb_text(1)) == 0, "the same statement");
	CHECK(fakedb_connections() == 2, "%u connections", fakedb_connections());
	end();
	BEGIN(3000, {.kind = FAKE_CLOSE}, {.kind = FAKE_NO_ROWS});
	ends("a read", DB_READ, DB_OK, 2);
	end();
}

static void
db_knows_no_outcome_of_a_keyed_write_where_it_finds_none(void)
{
	int64_t start;

	BEGIN(3000, {.kind = FAKE_CLOSE});
	start = db_now_ms();
	ends("a keyed write, closed again and again", DB_KEYED, DB_UNKNOWN, 10);
	CHECK(check_since(start) < 2500, "%lld ms", (long long)check_since(start));
	end();
	BEGIN(3000, {.kind = FAKE_CLOSE});
	ends("a read, closed again and again", DB_READ, DB_DOWN, 10);
	end();
}

static void
db_connects_again_when_the_old_connection_is_stale(void)
{
	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	ends("the first", DB_ONCE, DB_OK, 1);
	fakedb_drop_all();
	ends("after the server hung up", DB_ONCE, DB_OK, 2);
	CHECK(fakedb_connections() == 2, "%u connections", fakedb_connections());
	end();
	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	fakedb_drop_after(1);
	ends("the first", DB_ONCE, DB_OK, 1);
	check_pause(20);
	ends("after the server hung up by itself", DB_ONCE, DB_OK, 2);
	end();
}

static void
db_refuses_another_schema(void)
{
	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	fakedb_schema(9999);
	ends("newer", DB_ONCE, DB_VERSION, 0);
	CHECK(strstr(db_reason(db), "9999") != NULL, "%s", db_reason(db));
	fakedb_schema(0);
	ends("older", DB_READ, DB_VERSION, 0);
	end();
	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	ends("the right one", DB_ONCE, DB_OK, 1);
	end();
}

/* ---- out of reach ---- */

static void
db_is_down_at_once_where_nobody_listens(void)
{
	int64_t start = db_now_ms();
	int i;

	begin_at("/nonexistent/sock", 4500);
	for (i = 0; i < 20; i++)
		CHECK(call(i & 1 ? DB_READ : DB_ONCE) == DB_DOWN, "call %d", i);
	CHECK(strstr(db_reason(db), "/nonexistent/sock") != NULL, "%s", db_reason(db));
	CHECK(check_since(start) < 1000, "%lld ms", (long long)check_since(start));
	end();
	start = db_now_ms();
	begin_at("127.0.0.1:1", 4500);
	CHECK(call(DB_ONCE) == DB_DOWN, "a refused port");
	CHECK(check_since(start) < 500, "%lld ms", (long long)check_since(start));
	end();
}

static void
db_tries_the_hosts_in_order(void)
{
	char hosts[300];

	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	end();
	snprintf(hosts, sizeof(hosts), "/nonexistent/sock,127.0.0.1:1,%s", fakedb_path());
	begin_at(hosts, 3000);
	ends("the third", DB_ONCE, DB_OK, 1);
	ends("and stays there", DB_ONCE, DB_OK, 2);
	CHECK(fakedb_connections() == 1, "%u connections", fakedb_connections());
	fakedb_drop_all();
	ends("also afterwards", DB_ONCE, DB_OK, 3);
	end();
	snprintf(hosts, sizeof(hosts), "%s,/nonexistent/sock", fakedb_path());
	begin_at(hosts, 3000);
	ends("the first", DB_ONCE, DB_OK, 1);
	end();
}

static void
db_is_down_within_the_deadline_where_nobody_answers(void)
{
	int64_t start;
	int i;

	BEGIN(4500, {.kind = FAKE_NO_ROWS});
	fakedb_mute(true);
	start = db_now_ms();
	CHECK(call(DB_ONCE) == DB_DOWN, "%s", db_reason(db));
	CHECK(check_since(start) >= 900 && check_since(start) < 2500, "%lld ms",
	    (long long)check_since(start));
	start = db_now_ms();
	for (i = 0; i < 8; i++)
		CHECK(call(DB_READ) == DB_DOWN, "call %d", i);
	CHECK(check_since(start) < 200, "refused at once: %lld ms", (long long)check_since(start));
	CHECK(fakedb_connections() == 1, "%u connections", fakedb_connections());
	fakedb_mute(false);
	check_pause(1100);
	ends("when it is back", DB_ONCE, DB_OK, 1);
	CHECK(shared.bad_until_ms == 0, "it is known to be back");
	end();
}

/* The one that probes is a call like any other: what can be tried again is. */
static void
db_tries_again_also_where_it_probes(void)
{
	static const enum fake_kind kinds[] = {FAKE_ERROR, FAKE_CLOSE};
	size_t i;

	for (i = 0; i < 2; i++) {
		BEGIN(4500, {.kind = kinds[i], .error = 1213}, {.kind = FAKE_NO_ROWS});
		fakedb_mute(true);
		CHECK(call(DB_READ) == DB_DOWN, "%s", db_reason(db));
		fakedb_mute(false);
		check_pause(1100);
		ends(i == 0 ? "a deadlock" : "closed", DB_KEYED, DB_OK, 2);
		end();
	}
}

/* One thread of several that call a muted database. */
static void *
probe(void *arg)
{
	struct db *own = db_new(&conf, &shared);
	int64_t start = db_now_ms();

	db_call(own, "thing_do");
	*(int64_t *)arg = db_exec(own, DB_READ, NULL) == DB_DOWN ? check_since(start) : -1;
	db_free(own);
	return NULL;
}

static void
db_lets_one_at_a_time_probe_a_bad_database(void)
{
	pthread_t t[8];
	int64_t took[8];
	int i, slow = 0;

	BEGIN(4500, {.kind = FAKE_NO_ROWS});
	fakedb_mute(true);
	CHECK(call(DB_READ) == DB_DOWN, "the first");
	check_pause(1050);
	for (i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, probe, &took[i]);
	for (i = 0; i < 8; i++) {
		pthread_join(t[i], NULL);
		CHECK(took[i] >= 0, "thread %d is not refused", i);
		slow += took[i] > 500;
	}
	CHECK(slow == 1, "%d of 8 threads waited", slow);
	end();
}

static void
db_gives_up_a_call_that_is_not_answered(void)
{
	int64_t start;

	BEGIN(1500, {.kind = FAKE_HANG}, {.kind = FAKE_NO_ROWS});
	start = db_now_ms();
	ends("a write", DB_ONCE, DB_UNKNOWN, 1);
	CHECK(check_since(start) < 2000, "%lld ms", (long long)check_since(start));
	start = db_now_ms();
	CHECK(call(DB_READ) == DB_DOWN, "the next is refused");
	CHECK(check_since(start) < 100, "at once: %lld ms", (long long)check_since(start));
	check_pause(1100);
	ends("when it answers again", DB_ONCE, DB_OK, 2);
	CHECK(fakedb_kills() == 1, "the connection given up was ended %u times", fakedb_kills());
	end();
}

static void
db_does_nothing_when_no_time_is_left(void)
{
	int64_t start = db_now_ms();

	BEGIN(3000, {.kind = FAKE_NO_ROWS});
	db_until(db, db_now_ms() - 1);
	ends("too late", DB_ONCE, DB_DOWN, 0);
	CHECK(fakedb_connections() == 0, "%u connections", fakedb_connections());
	db_until(db, db_now_ms() + 3000);
	ends("in time", DB_ONCE, DB_OK, 1);
	db_until(db, 0);
	ends("without a time", DB_ONCE, DB_OK, 2);
	CHECK(check_since(start) < 1000, "%lld ms", (long long)check_since(start));
	end();
}

/* ---- the deadline, whatever takes the time; half a second of grace ---- */

static void
db_keeps_the_deadline_when_the_schema_is_not_told(void)
{
	BEGIN(2500, {.kind = FAKE_NO_ROWS});
	fakedb_schema(-1);
	within("schema_version hangs", DB_READ, 2500);
	end();
}

static void
db_keeps_the_deadline_when_collisions_are_slow(void)
{
	BEGIN(2500, {.kind = FAKE_ERROR, .error = 1205, .delay_ms = 1200});
	within("lock waits", DB_ONCE, 2500);
	end();
}

static void
db_keeps_the_deadline_when_little_time_is_left(void)
{
	BEGIN(4500, {.kind = FAKE_HANG});
	db_until(db, db_now_ms() + 1000);
	within("a call with a second left", DB_ONCE, 1000);
	end();
}

static void
db_keeps_the_deadline_when_the_session_is_not_set_up(void)
{
	BEGIN(4500, {.kind = FAKE_NO_ROWS});
	fakedb_stall(true);
	db_until(db, db_now_ms() + 1500);
	within("SET hangs", DB_READ, 1500);
	CHECK(strstr(db_reason(db), ": no answer") != NULL, "the reason is '%s'", db_reason(db));
	end();
}

static void
db_keeps_the_deadline_with_many_hosts(void)
{
	char hosts[600];

	BEGIN(2500, {.kind = FAKE_NO_ROWS});
	fakedb_mute(true);
	snprintf(hosts, sizeof(hosts), "%s,%s,%s,%s", fakedb_path(), fakedb_path(), fakedb_path(),
	    fakedb_path());
	conf.hosts = hosts;
	within("four that don't answer", DB_READ, 2500);
	CHECK(shared.bad_until_ms != 0, "all others wait as long");
	end();
}

/* ---- sending and receiving, with something in between ---- */

int
db_in_two_steps(void)
{
	way = TWO_STEPS;
	return 0;
}

int
db_prepared(void)
{
	way = PREPARED;
	return 0;
}

int
db_as_text(void)
{
	way = AS_TEXT;
	return 0;
}

static void
send_call(const char *procedure)
{
	db_call(db, procedure);
	db_int(db, 1);
	db_send(db);
}

static void
db_has_sent_before_it_is_asked_for_the_answer(void)
{
	static const char *const values[] = {"7"};
	int64_t start;

	BEGIN(3000, {.kind = FAKE_NO_ROWS},
	    {.kind = FAKE_ROWS, .columns = 1, .nrows = 1, .values = values, .delay_ms = 300},
	    {.kind = FAKE_NO_ROWS});
	ends("the connection is there", DB_ONCE, DB_OK, 1);
	start = db_now_ms();
	send_call("thing_do");
	CHECK(check_since(start) < 200, "sending waited for the answer: %lld ms",
	    (long long)check_since(start));
	check_pause(200);
	CHECK(fakedb_calls() == 2, "sent %u times", fakedb_calls() - 1);
	check_pause(200);
	start = db_now_ms();
	CHECK(db_receive(db, DB_ONCE, NULL) == DB_OK && db_row(db) && db_number(db, 0) == 7,
	    "its row: %s", db_reason(db));
	CHECK(check_since(start) < 100, "it was here: %lld ms", (long long)check_since(start));
	db_done(db);
	ends("the next", DB_ONCE, DB_OK, 3);
	CHECK(fakedb_connections() == 1, "%u connections", fakedb_connections());
	end();
}

/* What lies between the steps is not the database's fault. */
static void
db_takes_an_answer_however_late_it_is_asked_for(void)
{
	BEGIN(1000, {.kind = FAKE_NO_ROWS}, {.kind = FAKE_ERROR, .error = 1213},
	    {.kind = FAKE_NO_ROWS});
	send_call("thing_do");
	check_pause(1200);
	CHECK(db_receive(db, DB_ONCE, NULL) == DB_OK, "%s", db_reason(db));
	send_call("thing_do");
	check_pause(1200);
	CHECK(db_receive(db, DB_ONCE, NULL) == DB_OK, "a deadlock, and then: %s", db_reason(db));
	CHECK(fakedb_calls() == 3 && fakedb_connections() == 1, "%u calls, %u connections",
	    fakedb_calls(), fakedb_connections());
	CHECK(shared.bad_until_ms == 0, "the database is not to blame");
	end();
}

/* Sent is sent: what became of it, nobody may say if the answer is not here. */
static void
db_is_in_doubt_where_no_time_is_left_for_an_answer(void)
{
	BEGIN(3000, {.kind = FAKE_NO_ROWS}, {.kind = FAKE_HANG});
	send_call("thing_do");
	check_pause(50);
	db_until(db, db_now_ms() - 1);
	CHECK(db_receive(db, DB_ONCE, NULL) == DB_OK, "it was here: %s", db_reason(db));
	db_until(db, 0);
	send_call("thing_do");
	check_pause(50);
	db_until(db, db_now_ms() - 1);
	CHECK(db_receive(db, DB_ONCE, NULL) == DB_UNKNOWN, "%s", db_reason(db));
	end();
}

static void
db_tells_of_a_connection_that_was_lost_between_the_steps(void)
{
	static const struct {
		enum db_mode mode;
		enum db_status want;
		unsigned calls;
	} cases[] = {{DB_ONCE, DB_UNKNOWN, 1}, {DB_KEYED, DB_OK, 2}, {DB_READ, DB_OK, 2}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		BEGIN(3000, {.kind = FAKE_HANG}, {.kind = FAKE_NO_ROWS});
		send_call("thing_do");
		check_pause(50);
		fakedb_drop_all();
		CHECK(db_receive(db, cases[i].mode, NULL) == cases[i].want, "mode %zu: %s", i,
		    db_reason(db));
		CHECK(
		    fakedb_calls() == cases[i].calls, "mode %zu: sent %u times", i, fakedb_calls());
		end();
	}
}

/* Nobody asked for the answer: the next call must not take it for its own. */
static void
db_gives_up_an_answer_that_nobody_wants(void)
{
	static const char *const first[] = {"1"}, *const second[] = {"2"};

	BEGIN(3000, {.kind = FAKE_ROWS, .columns = 1, .nrows = 1, .values = first},
	    {.kind = FAKE_ROWS, .columns = 1, .nrows = 1, .values = second});
	send_call("thing_do");
	check_pause(50);
	db_call(db, "other_do");
	CHECK(db_exec(db, DB_READ, NULL) == DB_OK && db_row(db) && db_number(db, 0) == 2,
	    "its own row: %s", db_reason(db));
	CHECK(fakedb_calls() == 2 && fakedb_connections() == 2, "%u calls, %u connections",
	    fakedb_calls(), fakedb_connections());
	send_call("thing_do");
	check_pause(50);
	end();
}

/* Within the seconds for which a version is taken for granted, any statement may be of the old one.
 */
static void
db_looks_at_the_schema_again_when_a_statement_fails(void)
{
	BEGIN(3000, {.kind = FAKE_NO_ROWS}, {.kind = FAKE_ERROR, .error = 1318},
	    {.kind = FAKE_ERROR, .error = 1054}, {.kind = FAKE_ERROR, .error = 1054});
	ends("the version is known", DB_ONCE, DB_OK, 1);
	fakedb_schema(0);
	ends("another number of arguments", DB_ONCE, DB_VERSION, 2);
	CHECK(strstr(db_reason(db), "is being migrated") != NULL, "%s", db_reason(db));
	fakedb_schema(LOYALTY_COMPATIBILITY);
	ends("the same schema", DB_ONCE, DB_FAILED, 3);
	CHECK(strstr(db_reason(db), "schema") == NULL, "%s", db_reason(db));
	end();
}

/* Whichever way a call is made. */
/* clang-format off */
#define IN_ALL_WAYS \
	NUMBERED("E021", db_tries_again_after_a_collision), \
	NUMBERED("E021", db_gives_up_after_many_collisions), \
	TEST(db_fails_at_once_on_other_errors), \
	TEST(db_waits_for_a_procedure_that_is_replaced), \
	NUMBERED("E087", db_calls_again_where_a_farewell_met_the_call), \
	NUMBERED("E086", db_leaves_a_server_that_cannot_write), \
	NUMBERED("E086", db_goes_to_the_next_host_when_one_cannot_write), \
	TEST(db_passes_by_a_host_that_says_it_is_read_only), \
	TEST(db_takes_of_a_group_the_primary), \
	TEST(db_asks_a_single_host_nothing), \
	TEST(db_leaves_a_host_that_does_not_answer), \
	TEST(db_waits_for_work_that_takes_its_time_also_at_one_of_several), \
	TEST(db_leaves_a_host_with_all_connections_of_the_process), \
	TEST(db_ends_what_it_gave_up_on_the_server_where_it_lives), \
	NUMBERED("E085 E087", db_never_sends_a_write_twice_that_may_have_been_done), \
	NUMBERED("E085", db_stays_in_doubt_after_a_retry), \
	NUMBERED("E085 E086", db_stays_in_doubt_whatever_the_second_try_comes_to), \
	NUMBERED("E085 E094", db_stays_in_doubt_where_the_schema_changes), \
	NUMBERED("E085", db_sends_again_what_may_be_done_again), \
	NUMBERED("E085", db_knows_no_outcome_of_a_keyed_write_where_it_finds_none), \
	NUMBERED("E087", db_connects_again_when_the_old_connection_is_stale), \
	NUMBERED("E094", db_refuses_another_schema), \
	NUMBERED("E094", db_looks_at_the_schema_again_when_a_statement_fails), \
	NUMBERED("E083", db_is_down_at_once_where_nobody_listens), \
	NUMBERED("E084", db_gives_up_a_call_that_is_not_answered), \
	TEST(db_does_nothing_when_no_time_is_left)
/* clang-format on */

CU_TestInfo tests_db_in_two_steps[] = {
    TEST(db_has_sent_before_it_is_asked_for_the_answer),
    TEST(db_takes_an_answer_however_late_it_is_asked_for),
    NUMBERED("E085", db_is_in_doubt_where_no_time_is_left_for_an_answer),
    NUMBERED("E085", db_tells_of_a_connection_that_was_lost_between_the_steps),
    TEST(db_gives_up_an_answer_that_nobody_wants),
    TEST(db_gives_rows_with_lengths_and_nulls),
    IN_ALL_WAYS,
    CU_TEST_INFO_NULL,
};

CU_TestInfo tests_db_prepared[] = {
    TEST(db_calls_a_procedure_of_one_row_prepared),
    NUMBERED("E085", db_has_not_begun_what_it_could_not_prepare),
    TEST(db_sends_a_call_in_a_hurry_as_text),
    IN_ALL_WAYS,
    CU_TEST_INFO_NULL,
};

CU_TestInfo tests_db[] = {
    TEST(db_sends_arguments_as_literals),
    TEST(db_gives_rows_with_lengths_and_nulls),
    TEST(db_free_accepts_null_and_open_results),
    TEST(db_reads_a_stream_row_by_row),
    TEST(db_gives_out_parameters_as_the_row),
    TEST(db_reads_with_an_empty_argument_that_is_not_null),
    TEST(db_reads_with_a_statement_that_is_prepared_once),
    TEST(db_prepares_anew_on_another_connection_and_where_the_server_asks_for_it),
    TEST(db_tells_what_a_read_came_to),
    IN_ALL_WAYS,
    TEST(db_tries_the_hosts_in_order),
    NUMBERED("E084", db_is_down_within_the_deadline_where_nobody_answers),
    NUMBERED("E084", db_tries_again_also_where_it_probes),
    NUMBERED("E084", db_lets_one_at_a_time_probe_a_bad_database),
    NUMBERED("E084", db_keeps_the_deadline_when_the_schema_is_not_told),
    NUMBERED("E084", db_keeps_the_deadline_when_collisions_are_slow),
    NUMBERED("E084", db_keeps_the_deadline_when_little_time_is_left),
    NUMBERED("E084", db_keeps_the_deadline_when_the_session_is_not_set_up),
    NUMBERED("E084", db_keeps_the_deadline_with_many_hosts),
    CU_TEST_INFO_NULL,
};
