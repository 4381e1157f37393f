#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "check.h"
#include "db.h"
#include "fakedb.h"
#include "jsonw.h"
#include "page.h"
#include "target.h"

#define ID "0192f4a1-7b3c-7def-8123-456789abcdef"
#define HEX "0192f4a17b3c7def8123456789abcdef"
#define BYTES TARGET_ID
#define TAIL "\x92\xf4\xa1\x7b\x3c\x7d\xef\x81\x23\x45\x67\x89\xab\xcd\xef"
#define USER "{\"id\":\"" ID "\",\"name\":\"Anna\",\"role\":\"USER\"}"
#define TAG "\"4945e4d933cda72c6969732f3e9017fe\""	 /* of USER */
#define SEEN "_utf8mb4 X'416e6e61',_utf8mb4 X'55534552'" /* Anna, USER */

static struct db_conf conf;
static struct db_shared shared;
static struct db *db;
static struct exchange x;

/* What a server answers to the next CALL. */
static void
tells(const struct fake_step *step)
{
	fakedb_script(step, 1);
	conf = (struct db_conf){
	    .hosts = fakedb_path(), .user = "u", .name = "loyalty", .deadline_ms = 3000};
	if (db == NULL)
		db = db_new(&conf, &shared);
}

static void
done(void)
{
	db_free(db);
	db = NULL;
	exchange_free(&x);
	fakedb_script(NULL, 0);
}

static int
run(const char *method, const char *path, const char *key)
{
	const char *why;
	size_t len;

	exchange_begin(&x, method, path);
	exchange_role(&x, "public");
	exchange_add(&x, "LOYALTY_REQUEST_ID=req-2");
	if (key != NULL)
		exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=%s", key);
	x.rq.db = db;
	check_stderr_begin();
	exchange_run(&x);
	free(check_stderr_end(&len));
	why = exchange_fault(&x);
	CHECK(why == NULL, "%s: %.*s", why != NULL ? why : "", (int)x.out.len, x.out.p);
	return x.rs.status;
}

static void
body_is(const char *want)
{
	CHECK_TEXT("the body", x.out.p + x.head_len, x.out.len - x.head_len, want);
}

static bool
has(const char *s)
{
	return memmem(x.out.p, x.out.len, s, strlen(s)) != NULL;
}

/* ---- one row ---- */

static void
row_is_rendered_with_an_etag(void)
{
	static const char *const v[] = {BYTES, "Anna", "USER"};

	tells(&(struct fake_step){.kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = v});
	CHECK(run("GET", "/v1/stored", NULL) == 200, "%d", x.rs.status);
	body_is(USER);
	CHECK(has("ETag: \""), "no ETag");
	CHECK(
	    strcmp(fakedb_text(0), "SELECT id, name, role FROM stored") == 0, "%s", fakedb_text(0));
	done();
}

static void
row_that_is_not_there_is_missing(void)
{
	tells(&(struct fake_step){.kind = FAKE_ROWS, .columns = 3});
	CHECK(run("GET", "/v1/stored", NULL) == 404, "%d", x.rs.status);
	CHECK(has("/problems/user-not-found"), "%.*s", (int)x.out.len, x.out.p);
	done();
}

static void
row_with_a_null_is_internal(void)
{
	static const char *const v[] = {BYTES, NULL, "USER"};

	tells(&(struct fake_step){.kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = v});
	CHECK(run("GET", "/v1/stored", NULL) == 500, "%d", x.rs.status);
	done();
}

/* ---- a list ---- */

static const char *const ids[] = {
    BYTES, "A", "USER", "\x11" TAIL, "B", "ADMIN", "\x21" TAIL, "C", "USER"};

/* What answer_list makes of n rows where two are wanted. */
static void
list_of(unsigned n)
{
	struct page page = {.limit = 2, .first = true};
	enum prob pr;

	tells(&(struct fake_step){.kind = FAKE_ROWS, .columns = 3, .nrows = n, .values = ids});
	exchange_begin(&x, "GET", "/v1/things");
	x.rq.wire.path = "/v1/things";
	x.rq.db = db;
	db_call(db, "list");
	pr = answer_list(&x.rq, &x.rs, call_read(&x.rq), &page, shape_user, SHAPE_USER);
	CHECK(pr == PROB_NONE && x.rs.has_etag, "%u rows: problem %d", n, pr);
	buf_add(&x.rs.head, "", 1);
	buf_add(&x.rs.body, "", 1);
}

static void
list_has_a_link_where_rows_are_left(void)
{
	list_of(0);
	CHECK(strcmp(x.rs.body.p, "[]") == 0 && *x.rs.head.p == '\0', "no rows: %s %s", x.rs.body.p,
	    x.rs.head.p);
	list_of(2);
	CHECK(strstr(x.rs.body.p, "\"B\"") != NULL && *x.rs.head.p == '\0', "two rows: %s %s",
	    x.rs.body.p, x.rs.head.p);
	list_of(3);
	CHECK(strstr(x.rs.body.p, "\"B\"") != NULL && strstr(x.rs.body.p, "\"C\"") == NULL,
	    "three rows: %s", x.rs.body.p);
	CHECK(strncmp(x.rs.head.p, "Link: </v1/things?limit=2&cursor=", 33) == 0, "three rows: %s",
	    x.rs.head.p);
	done();
}

/* The cursor stands for the last row that was shown. */
static void
list_goes_on_behind_its_last_row(void)
{
	struct page page;
	char cursor[33];

	list_of(3);
	snprintf(cursor, sizeof(cursor), "%s", strstr(x.rs.head.p, "cursor=") + 7);
	exchange_begin(&x, "GET", "/v1/things");
	x.rq.wire.path = "/v1/things";
	x.rq.query.v[0] = (struct query_value){"cursor", cursor, 32};
	x.rq.query.n = 1;
	page_read(&x.rq, &page);
	CHECK(!page.first && page.id[0] == 0x11 && page.id[15] == 0xef, "behind %02x", page.id[0]);
	done();
}

static void
list_with_a_null_is_internal(void)
{
	static const char *const v[] = {BYTES, "A", NULL};
	struct page page = {.limit = 2, .first = true};

	tells(&(struct fake_step){.kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = v});
	exchange_begin(&x, "GET", "/v1/things");
	x.rq.db = db;
	db_call(db, "list");
	CHECK(answer_list(&x.rq, &x.rs, call_read(&x.rq), &page, shape_user, SHAPE_USER)
		  == PROB_INTERNAL,
	    "NULL in a list");
	done();
}

/* ---- a write ---- */

#define COLUMNS 6

/* POST, answered by this row; its status. */
static int
write_row(const char *key, unsigned columns, const char *const *row)
{
	tells(
	    &(struct fake_step){.kind = FAKE_ROWS, .columns = columns, .nrows = 1, .values = row});
	return run("POST", "/v1/stored", key);
}

#define WRITE(key, ...) write_row(key, COLUMNS, (const char *const[COLUMNS]){__VA_ARGS__})
#define MADE(key, replayed)                                                                        \
	write_row(key, 4, (const char *const[]){replayed, BYTES, "Anna", "USER"})

static void
write_success_is_rendered(void)
{
	CHECK(MADE(NULL, "0") == 201, "%d", x.rs.status);
	body_is(USER);
	CHECK(has("Location: /v1/stored/" ID "\r\n") && has("Cache-Control: no-store\r\n"), "%.*s",
	    (int)x.out.len, x.out.p);
	CHECK(!has("Idempotency-Replayed") && !has("ETag"), "%.*s", (int)x.out.len, x.out.p);
	CHECK(strcmp(fakedb_text(0),
		  "CALL stored_create(_utf8mb4 X'7075626c6963',_utf8mb4 X'7265712d32',NULL,NULL)")
		  == 0,
	    "%s", fakedb_text(0));
	done();
}

/* What the request has told is not in the row; NULL is not replayed. */
static void
write_success_is_completed_by_what_is_known(void)
{
	static const char *const rows[][3] = {
	    {NULL, "Anna", "USER"}, {"1", "Anna", "USER"}, {NULL, NULL, NULL}};
	static const int status[] = {201, 201, 500};
	size_t i;

	for (i = 0; i < 3; i++) {
		tells(&(struct fake_step){
		    .kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = rows[i]});
		CHECK(run("POST", "/v1/known", "k1") == status[i], "row %zu: %d", i, x.rs.status);
		if (status[i] == 201)
			body_is(USER);
		CHECK(has("Idempotency-Replayed") == (i == 1), "row %zu: %.*s", i, (int)x.out.len,
		    x.out.p);
	}
	done();
}

static void
write_sends_key_and_body_as_digests(void)
{
	const char *s = fakedb_text(0);

	CHECK(MADE("k1", "0") == 201, "%d", x.rs.status);
	CHECK(strstr(s, "NULL") == NULL
		  && strlen(s)
			 == strlen("CALL stored_create(_utf8mb4 X'7075626c6963',_utf8mb4 "
				   "X'7265712d32',X'',X'')")
				+ 128,
	    "%s", s);
	CHECK(strstr(s, ",X'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')")
		  != NULL,
	    "%s", s);
	done();
}

static void
write_replay_is_the_same_bytes_and_says_so(void)
{
	char first[200];
	size_t len;

	MADE("k1", "0");
	len = x.out.len - x.head_len;
	CHECK(len < sizeof(first), "%zu bytes", len);
	memcpy(first, x.out.p + x.head_len, len);
	CHECK(MADE("k1", "1") == 201, "%d", x.rs.status);
	CHECK(x.out.len - x.head_len == len && memcmp(first, x.out.p + x.head_len, len) == 0,
	    "the body");
	CHECK(has("Idempotency-Replayed: true\r\n") && has("Location: "), "%.*s", (int)x.out.len,
	    x.out.p);
	done();
}

static void
write_refusal_keeps_its_first_request_id(void)
{
	CHECK(WRITE("k1", "sold-out", "Blue \"1\"", NULL, NULL, "req-1", "1") == 409, "%d",
	    x.rs.status);
	body_is("{\"type\":\"/problems/sold-out\",\"title\":\"Sold "
		"out\",\"status\":409,\"detail\":\"No unit of \\\"Blue \\\"1\\\"\\\" is left.\","
		"\"request_id\":\"req-1\"}");
	CHECK(has("Idempotency-Replayed: true\r\n"), "%.*s", (int)x.out.len, x.out.p);
	done();
}

static void
write_refusal_without_a_detail_has_the_tables(void)
{
	CHECK(WRITE(NULL, "room-not-found", NULL, NULL, NULL, "req-2", "0") == 404, "%d",
	    x.rs.status);
	CHECK(has("There is no room with this id.") && !has("Idempotency-Replayed"), "%.*s",
	    (int)x.out.len, x.out.p);
	CHECK(WRITE("k1", "idempotency-key-reused", NULL, NULL, NULL, "req-2", "0") == 422, "%d",
	    x.rs.status);
	done();
}

static void
write_refusal_of_a_member_points_at_it(void)
{
	CHECK(WRITE(NULL, "points-above-price", NULL, "900", NULL, "req-2", "0") == 422, "%d",
	    x.rs.status);
	CHECK(has("\"detail\":\"The body is invalid: see errors.\"")
		  && has("\"errors\":[{\"pointer\":\"/points\",\"detail\":\"must be from 0 to the "
			 "price quoted, 900\"}]"),
	    "%.*s", (int)x.out.len, x.out.p);
	done();
}

static void
write_answer_of_another_form_is_internal(void)
{
	static const char *const bad[][COLUMNS] = {{"validation", "x", "1", "2", "req-1", "0"},
	    {"", "x", "1", "2", "req-1", "0"}, {"sold-out", "x", NULL, NULL, NULL, "0"},
	    {"0", NULL, "Anna", "USER"}, {"0", "", "Anna", "USER"}, {"0", HEX, "Anna", "USER"},
	    {"0", ID, "Anna", "USER"}, {"0", BYTES, NULL, "USER"}, {NULL, BYTES, "Anna", "USER"},
	    {"2", BYTES, "Anna", "USER"}};
	static const char *const good[] = {
	    "0", BYTES, "Anna", "USER", "x", "sold-out", "x", "1", "2", "req-1", "0"};
	size_t i;
	unsigned n;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(write_row(NULL, i < 3 ? COLUMNS : 4, bad[i]) == 500, "row %zu: %d", i,
		    x.rs.status);
	for (n = 1; n <= 5; n++)
		CHECK(write_row(NULL, n, good) == (n == 4 ? 201 : 500), "%u columns: %d", n,
		    x.rs.status);
	for (n = 1; n < COLUMNS; n++)
		CHECK(write_row(NULL, n, good + 5) == 500, "a refusal of %u columns: %d", n,
		    x.rs.status);
	tells(&(struct fake_step){.kind = FAKE_ROWS, .columns = COLUMNS});
	CHECK(run("POST", "/v1/stored", NULL) == 500, "no row: %d", x.rs.status);
	tells(&(struct fake_step){.kind = FAKE_NO_ROWS});
	CHECK(run("POST", "/v1/stored", NULL) == 500, "no result: %d", x.rs.status);
	done();
}

/* ---- conditions ---- */

static const char *const stored[] = {BYTES, "Anna", "USER"};
static const char *const done_row[] = {"0", BYTES, "Anna", "USER", "0"};
static const char *const made_row[] = {"0", BYTES, "Anna", "USER", "1"};
static const char *const changed_row[] = {"precondition-failed", NULL, NULL, NULL, "req-2", "0"};
static const struct fake_step there = {
    .kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = stored};
static const struct fake_step absent = {.kind = FAKE_ROWS, .columns = 3};
static const struct fake_step written = {
    .kind = FAKE_ROWS, .columns = 5, .nrows = 1, .values = done_row};
static const struct fake_step made = {
    .kind = FAKE_ROWS, .columns = 5, .nrows = 1, .values = made_row};
static const struct fake_step changed = {
    .kind = FAKE_ROWS, .columns = 6, .nrows = 1, .values = changed_row};

/* PUT under a condition, answered by these steps; its status. */
static int
put(const char *condition, const struct fake_step *steps, size_t n)
{
	size_t len;
	const char *why;

	tells(steps);
	fakedb_script(steps, n);
	exchange_begin(&x, "PUT", "/v1/stored/" ID);
	exchange_role(&x, "public");
	if (condition != NULL)
		exchange_add(&x, "%s", condition);
	x.rq.db = db;
	check_stderr_begin();
	exchange_run(&x);
	free(check_stderr_end(&len));
	why = exchange_fault(&x);
	CHECK(why == NULL, "%s: %.*s", why != NULL ? why : "", (int)x.out.len, x.out.p);
	return x.rs.status;
}

#define PUT(condition, ...)                                                                        \
	put(condition, (const struct fake_step[]){__VA_ARGS__},                                    \
	    sizeof((const struct fake_step[]){__VA_ARGS__}) / sizeof(struct fake_step))

/* Call number n ends in these arguments: what the conditions were held against. */
static bool
seen_is(unsigned n, const char *arguments)
{
	const char *s = fakedb_text(n);
	size_t len = strlen(s), want = strlen(arguments);

	return strncmp(s, "CALL stored_put(", 16) == 0 && len > want + 2 && s[len - want - 2] == ','
	       && strncmp(s + len - want - 1, arguments, want) == 0;
}

static void
change_without_a_condition_is_one_call(void)
{
	CHECK(PUT(NULL, written) == 200 && fakedb_calls() == 1, "%d", x.rs.status);
	CHECK(seen_is(0, "NULL,NULL"), "%s", fakedb_text(0));
	CHECK(!has("ETag"), "%.*s", (int)x.out.len, x.out.p); /* RFC 9110, 9.3.4 */
	CHECK(PUT(NULL, made) == 201, "%d", x.rs.status);
	done();
}

static void
change_tells_the_database_what_it_saw(void)
{
	CHECK(PUT("HTTP_IF_MATCH=" TAG, there, written) == 200, "%.*s", (int)x.out.len, x.out.p);
	CHECK(
	    strcmp(fakedb_text(0), "SELECT id, name, role FROM stored WHERE id = X'" HEX "'") == 0,
	    "%s", fakedb_text(0));
	CHECK(seen_is(1, SEEN), "%s", fakedb_text(1));
	CHECK(PUT("HTTP_IF_NONE_MATCH=\"a\"", there, written) == 200, "%d", x.rs.status);
	CHECK(seen_is(1, SEEN), "%s", fakedb_text(1));
	CHECK(PUT("HTTP_IF_NONE_MATCH=*", absent, written) == 200, "%d", x.rs.status);
	CHECK(seen_is(1, "_utf8mb4 X'',NULL"), "%s", fakedb_text(1));
	CHECK(PUT("HTTP_IF_MATCH=*", there, written) == 200, "%d", x.rs.status);
	CHECK(seen_is(1, "NULL,NULL"), "any state will do: %s", fakedb_text(1));
	done();
}

static void
change_under_a_condition_that_fails_is_412_and_not_called(void)
{
	CHECK(PUT("HTTP_IF_MATCH=\"a\"", there) == 412, "%d", x.rs.status);
	CHECK(fakedb_calls() == 1 && has("/problems/precondition-failed"), "%.*s", (int)x.out.len,
	    x.out.p);
	CHECK(PUT("HTTP_IF_NONE_MATCH=" TAG, there) == 412, "%d", x.rs.status);
	CHECK(PUT("HTTP_IF_NONE_MATCH=*", there) == 412, "%d", x.rs.status);
	CHECK(PUT("HTTP_IF_MATCH=*", absent) == 412, "%d", x.rs.status);
	CHECK(
	    PUT("HTTP_IF_MATCH=nonsense", there) == 400 && fakedb_calls() == 0, "%d", x.rs.status);
	done();
}

/* Another came between the look and the write: the conditions are held against what it left. */
static void
change_looks_again_where_another_came_first(void)
{
	CHECK(PUT("HTTP_IF_MATCH=" TAG, there, changed, there, written) == 200, "%d", x.rs.status);
	CHECK(fakedb_calls() == 4, "%u calls", fakedb_calls());
	CHECK(PUT("HTTP_IF_NONE_MATCH=*", absent, changed, there) == 412, "%d", x.rs.status);
	CHECK(fakedb_calls() == 3, "%u calls", fakedb_calls());
	CHECK(PUT("HTTP_IF_NONE_MATCH=\"a\"", there, changed, there, changed, there, changed, there,
		  changed, there, changed, there, changed, there, changed, there, changed, there,
		  changed, there, changed)
		  == 503,
	    "%d", x.rs.status);
	CHECK(fakedb_calls() == 20, "%u calls", fakedb_calls());
	done();
}

/* The first of two may have been done, and has made the condition untrue: nobody may ask again. */
static void
change_under_a_condition_is_never_sent_twice(void)
{
	static const struct fake_step gone = {.kind = FAKE_CLOSE};

	CHECK(PUT("HTTP_IF_MATCH=" TAG, there, gone) == 503 && fakedb_calls() == 2, "%u calls",
	    fakedb_calls());
	CHECK(has("outcome is unknown. Check before you retry."), "%.*s", (int)x.out.len, x.out.p);
	CHECK(PUT(NULL, gone, written) == 200 && fakedb_calls() == 2, "%u calls", fakedb_calls());
	done();
}

static void
conditions_are_refused_with_post(void)
{
	tells(&written);
	exchange_begin(&x, "POST", "/v1/stored");
	exchange_role(&x, "public");
	exchange_add(&x, "HTTP_IF_MATCH=*");
	exchange_add(&x, "HTTP_IF_NONE_MATCH=nonsense");
	x.rq.db = db;
	exchange_run(&x);
	CHECK(x.rs.status == 400 && fakedb_calls() == 0 && x.rq.faults.n == 2, "%d", x.rs.status);
	CHECK(has("{\"header\":\"If-Match\",") && has("{\"header\":\"If-None-Match\","), "%.*s",
	    (int)x.out.len, x.out.p);
	done();
}

/* ---- no answer ---- */

static void
write_of_unknown_outcome_says_so(void)
{
	tells(&(struct fake_step){.kind = FAKE_CLOSE});
	CHECK(run("POST", "/v1/stored", NULL) == 503, "%d", x.rs.status);
	CHECK(fakedb_calls() == 1, "sent %u times", fakedb_calls());
	CHECK(has("utcome is unknown") && !has("same key") && has("Retry-After: "), "%.*s",
	    (int)x.out.len, x.out.p);
	tells(&(struct fake_step){.kind = FAKE_CLOSE});
	CHECK(run("POST", "/v1/stored", "k1") == 503, "%d", x.rs.status);
	CHECK(fakedb_calls() > 1, "sent %u times", fakedb_calls());
	CHECK(has("utcome is unknown") && has("etry with the same Idempotency-Key"), "%.*s",
	    (int)x.out.len, x.out.p);
	done();
}

static void
failures_are_503_or_500(void)
{
	tells(&(struct fake_step){.kind = FAKE_ERROR, .error = 1290});
	CHECK(run("POST", "/v1/stored", NULL) == 503 && has("Nothing was changed"), "read-only: %d",
	    x.rs.status);
	tells(&(struct fake_step){.kind = FAKE_ERROR, .error = 1146});
	CHECK(run("POST", "/v1/stored", NULL) == 500 && !has("as it was told"), "a failure: %d",
	    x.rs.status);
	tells(&(struct fake_step){.kind = FAKE_ERROR, .error = 1290});
	CHECK(run("GET", "/v1/stored", NULL) == 503, "a read: %d", x.rs.status);
	tells(&(struct fake_step){.kind = FAKE_NO_ROWS});
	fakedb_schema(9999);
	db_free(db);
	db = db_new(&conf, &shared);
	CHECK(run("POST", "/v1/stored", NULL) == 503 && has("9999"), "another schema: %d",
	    x.rs.status);
	done();
}

/* ---- readiness ---- */

static int
ready(const char *method, const char *next)
{
	size_t len;
	const char *why;

	check_pause(1010); /* an answer is kept for a second */
	exchange_begin(&x, method, "/readyz");
	if (next != NULL)
		exchange_add(&x, "LOYALTY_READY_NEXT=%s", next);
	x.rq.db = db;
	check_stderr_begin();
	exchange_run(&x);
	free(check_stderr_end(&len));
	why = x.rs.redirect == NULL ? exchange_fault(&x) : NULL;
	CHECK(why == NULL, "%s: %.*s", why, (int)x.out.len, x.out.p);
	return x.rs.status;
}

static void
readiness_asks_the_database_and_goes_on(void)
{
	tells(&(struct fake_step){.kind = FAKE_NO_ROWS});
	CHECK(ready("GET", NULL) == 200, "%d", x.rs.status);
	body_is("{\"status\":\"ready\"}");
	CHECK(fakedb_schema_calls() > 0, "the database was not asked");
	CHECK(ready("GET", "") == 200 && has("{\"status\":\"ready\"}"), "an empty next");
	CHECK(ready("GET", "/readyz-points") == 200 && has("X-Accel-Redirect: /readyz-points\r\n")
		  && !has("\"ready\""),
	    "next");
	CHECK(ready("HEAD", NULL) == 200 && x.out.len == x.head_len, "HEAD");
	done();
}

/* One write a second, however many ask; refused and hanging ones are no readiness. */
static void
readiness_is_a_write_that_works(void)
{
	const struct fake_step *refused = &(struct fake_step){.kind = FAKE_ERROR, .error = 1290};
	int64_t start;
	size_t len;
	int i;

	tells(&(struct fake_step){.kind = FAKE_NO_ROWS});
	CHECK(ready("GET", NULL) == 200 && fakedb_calls() == 1, "%u calls", fakedb_calls());
	CHECK(strncmp(fakedb_text(0), "CALL ready(", 11) == 0, "%s", fakedb_text(0));
	for (i = 0; i < 50; i++) {
		exchange_begin(&x, "GET", "/readyz");
		x.rq.db = db;
		exchange_run(&x);
		CHECK(x.rs.status == 200, "%d", x.rs.status);
	}
	CHECK(fakedb_calls() == 1, "%u calls", fakedb_calls());
	done();
	tells(refused);
	CHECK(ready("GET", "/readyz-points") == 503 && has("takes no writes"), "%.*s",
	    (int)x.out.len, x.out.p);
	done();
	tells(&(struct fake_step){.kind = FAKE_HANG});
	start = db_now_ms();
	CHECK(ready("GET", NULL) == 503, "%d", x.rs.status);
	CHECK(check_since(start) < 3000, "%lld ms", (long long)check_since(start));
	check_stderr_begin();
	exchange_begin(&x, "GET", "/readyz");
	x.rq.db = db;
	exchange_run(&x);
	free(check_stderr_end(&len));
	CHECK(x.rs.status == 503, "what is kept is %d", x.rs.status);
	done();
	shared.bad_until_ms = 0;
}

static void
readiness_names_the_service_and_the_reason(void)
{
	tells(&(struct fake_step){.kind = FAKE_NO_ROWS});
	fakedb_schema(9999);
	CHECK(ready("GET", "/readyz-points") == 503, "%d", x.rs.status);
	CHECK(has("check is not ready") && has("9999"), "%.*s", (int)x.out.len, x.out.p);
	CHECK(!has("X-Accel-Redirect"), "it goes on all the same");
	done();
	conf = (struct db_conf){
	    .hosts = "/nonexistent/sock", .user = "u", .name = "n", .deadline_ms = 1000};
	db = db_new(&conf, &shared);
	CHECK(ready("GET", NULL) == 503 && has("check is not ready"), "%d", x.rs.status);
	done();
}

CU_TestInfo tests_answer[] = {
    TEST(row_is_rendered_with_an_etag),
    TEST(row_that_is_not_there_is_missing),
    TEST(row_with_a_null_is_internal),
    TEST(list_has_a_link_where_rows_are_left),
    TEST(list_goes_on_behind_its_last_row),
    TEST(list_with_a_null_is_internal),
    TEST(write_success_is_rendered),
    TEST(write_success_is_completed_by_what_is_known),
    TEST(write_sends_key_and_body_as_digests),
    NUMBERED("E005", write_replay_is_the_same_bytes_and_says_so),
    NUMBERED("E005", write_refusal_keeps_its_first_request_id),
    TEST(write_refusal_without_a_detail_has_the_tables),
    TEST(write_refusal_of_a_member_points_at_it),
    TEST(write_answer_of_another_form_is_internal),
    TEST(change_without_a_condition_is_one_call),
    TEST(change_tells_the_database_what_it_saw),
    TEST(change_under_a_condition_that_fails_is_412_and_not_called),
    TEST(change_looks_again_where_another_came_first),
    TEST(change_under_a_condition_is_never_sent_twice),
    TEST(conditions_are_refused_with_post),
    NUMBERED("E085", write_of_unknown_outcome_says_so),
    TEST(failures_are_503_or_500),
    TEST(readiness_asks_the_database_and_goes_on),
    TEST(readiness_is_a_write_that_works),
    NUMBERED("E094", readiness_names_the_service_and_the_reason),
    CU_TEST_INFO_NULL,
};
