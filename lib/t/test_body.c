#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "check.h"
#include "json.h"
#include "req.h"

static char *no_env[] = {NULL};

/* The request of the test at hand, with this body. */
static struct req rq;

static void
with_body(const char *body)
{
	const char *why;

	json_object_put(rq.wire.json);
	memset(&rq, 0, sizeof(rq));
	rq.wire.env = no_env;
	rq.wire.body = body;
	rq.wire.body_len = strlen(body);
	if (*body != '\0') {
		why = json_read(body, rq.wire.body_len, &rq.wire.json);
		CHECK(why == NULL, "%s: %s", body, why != NULL ? why : "");
	}
}

static struct body *
with_object(const char *body)
{
	static struct body b;

	with_body(body);
	CHECK(body_begin(&b, &rq, true) == PROB_NONE, "%s is no object", body);
	return &b;
}

/* Nothing but these members is known of the body, an object at this pointer. */
static void
only(const char *body, const char *pointer, const char *const names[])
{
	struct body *b = with_object(body);

	b->at = pointer;
	while (names[b->n] != NULL) {
		b->known[b->n] = names[b->n];
		b->n++;
	}
	CHECK((body_end(b) != PROB_NONE) == (rq.faults.n > 0), "%s: faults and no problem", body);
}

static void
done(void)
{
	json_object_put(rq.wire.json);
	rq.wire.json = NULL;
}

/* Just these faults, as "pointer detail", in order. */
static void
faults_are(const char *what, const char *const want[])
{
	char got[sizeof(struct fault) + 2];
	size_t i;

	for (i = 0; want[i] != NULL && i < rq.faults.n; i++) {
		snprintf(got, sizeof(got), "%s %s", rq.faults.list[i].at, rq.faults.list[i].detail);
		CHECK(strcmp(got, want[i]) == 0, "%s: fault %zu is '%s', not '%s'", what, i, got,
		    want[i]);
	}
	CHECK(want[i] == NULL && i == rq.faults.n, "%s: %zu faults, the last '%s', expected '%s'",
	    what, rq.faults.n, rq.faults.n > 0 ? rq.faults.list[rq.faults.n - 1].detail : "",
	    want[i] != NULL ? want[i] : "none");
}

#define FAULTS(what, ...) faults_are(what, (const char *const[]){__VA_ARGS__})

#define ID "0192f4a1-7b3c-7def-8123-456789abcdef"

static void
json_uuid_takes_a_uuid_only(void)
{
	static const char *const bad[] = {
	    "{\"id\":1}", "{\"id\":null}", "{\"id\":[\"" ID "\"]}", "{\"id\":{}}", "{\"id\":true}"};
	struct uuid u = {{7}}, before = u;
	size_t i;

	body_uuid(with_object("{\"id\":\"" ID "\"}"), "id", &u);
	FAULTS("a uuid", NULL);
	CHECK(u.b[0] == 1 && u.b[15] == 0xef, "its bytes");
	u = before;
	body_uuid(with_object("{}"), "id", &u);
	FAULTS("missing", "/id is missing", NULL);
	body_uuid(with_object("{\"id\":\"" ID "0\"}"), "id", &u);
	FAULTS("too long", "/id must be a UUID", NULL);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		body_uuid(with_object(bad[i]), "id", &u);
		FAULTS(bad[i], "/id must be a string: a UUID", NULL);
	}
	CHECK(memcmp(&u, &before, sizeof(u)) == 0, "the id has changed");
	done();
}

static void
amount(const char *value, int64_t want, const char *fault)
{
	char body[600];
	int64_t n = 4711;

	snprintf(body, sizeof(body), *value != '\0' ? "{\"amount\":%s}" : "{}", value);
	body_int(with_object(body), "amount", -1000000000, 1000000000, &n);
	FAULTS(body, fault, NULL);
	CHECK(n == (fault == NULL ? want : 4711), "%.60s: %lld", body, (long long)n);
}

static void
json_int_takes_integers_of_the_range_only(void)
{
	static const char range[] = "/amount must be from -1000000000 to 1000000000",
			  type[] = "/amount must be an integer without fraction or exponent";
	static const char *const not_integers[] = {"\"100\"", "true", "null", "[]", "{}", "1.5",
	    "1.0", "1e3", "1E0", "0.0", "-0.0", "1e400", "\"\""};
	char digits[402];
	size_t i;

	amount("1", 1, NULL);
	amount("0", 0, NULL);
	amount("-0", 0, NULL);
	amount("1000000000", 1000000000, NULL);
	amount("-1000000000", -1000000000, NULL);
	amount("1000000001", 0, range);
	amount("-1000000001", 0, range);
	amount("4294967297", 0, range);
	amount("9007199254740993", 0, range);
	amount("9223372036854775807", 0, range);
	amount("-9223372036854775808", 0, range);
	amount("9223372036854775808", 0, range);
	amount("18446744073709551617", 0, range);
	memset(digits, '9', 400);
	digits[400] = '\0';
	amount(digits, 0, range);
	digits[0] = '-';
	amount(digits, 0, range);
	amount("", 0, "/amount is missing");
	for (i = 0; i < sizeof(not_integers) / sizeof(not_integers[0]); i++)
		amount(not_integers[i], 0, type);
	done();
}

static void
json_int_is_exact_at_the_ends_of_its_range(void)
{
	int64_t n = 0;

	body_int(with_object("{\"n\":9007199254740991}"), "n", 0, 9007199254740991, &n);
	FAULTS("2^53 - 1", NULL);
	CHECK(n == 9007199254740991, "%lld", (long long)n);
	body_int(with_object("{\"n\":9007199254740992}"), "n", 0, 9007199254740991, &n);
	FAULTS("2^53", "/n must be from 0 to 9007199254740991", NULL);
	done();
}

static void
json_text_takes_1_to_200_characters(void)
{
	static const char *const bad[] = {"{\"t\":1}", "{\"t\":null}", "{\"t\":[]}"};
	const char *s = NULL;
	char body[1000], *p;
	size_t len = 0, i;

	body_text(with_object("{\"t\":\"a\\n\\u00e9\"}"), "t", TEXT_REASON, &s, &len);
	FAULTS("a reason", NULL);
	CHECK_TEXT("the reason", s, len, "a\n\xc3\xa9");
	s = NULL;
	body_text(with_object("{\"t\":\"a\\nb\"}"), "t", TEXT_NAME, &s, &len);
	FAULTS("a line feed", "/t must have no control characters", NULL);
	body_text(with_object("{\"t\":\"\"}"), "t", TEXT_NAME, &s, &len);
	FAULTS("empty", "/t must not be empty", NULL);
	body_text(with_object("{}"), "t", TEXT_NAME, &s, &len);
	FAULTS("missing", "/t is missing", NULL);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		body_text(with_object(bad[i]), "t", TEXT_NAME, &s, &len);
		FAULTS(bad[i], "/t must be a string", NULL);
	}
	p = stpcpy(body, "{\"t\":\"");
	for (i = 0; i < 201; i++)
		p = stpcpy(p, "\xf0\x9f\x98\x80");
	strcpy(p, "\"}");
	body_text(with_object(body), "t", TEXT_NAME, &s, &len);
	FAULTS("201", "/t must have at most 200 characters", NULL);
	CHECK(s == NULL, "the text has changed");
	strcpy(p - 4, "\"}");
	body_text(with_object(body), "t", TEXT_NAME, &s, &len);
	FAULTS("200", NULL);
	CHECK(len == 800, "200 characters of four bytes");
	done();
}

static void
user(const char *body, const char *const want[])
{
	struct uuid u = {{0}};

	body_user(with_object(body), "user", &u);
	faults_are(body, want);
}

#define USER(body, ...) user(body, (const char *const[]){__VA_ARGS__})

static void
json_user_needs_an_id_and_checks_the_rest(void)
{
	static const char role[] = "/user/role must be \"USER\" or \"ADMIN\"";

	USER("{\"user\":{\"id\":\"" ID "\"}}", NULL);
	USER("{\"user\":{\"id\":\"" ID "\",\"name\":\"n\",\"role\":\"USER\"}}", NULL);
	USER("{\"user\":{\"role\":\"ADMIN\",\"id\":\"" ID "\"}}", NULL);
	USER("{}", "/user is missing", NULL);
	USER("{\"user\":null}", "/user must be an object", NULL);
	USER("{\"user\":\"" ID "\"}", "/user must be an object", NULL);
	USER("{\"user\":[]}", "/user must be an object", NULL);
	USER("{\"user\":{}}", "/user/id is missing", NULL);
	USER("{\"user\":{\"id\":\"" ID "\",\"role\":\"user\"}}", role, NULL);
	USER("{\"user\":{\"id\":\"" ID "\",\"role\":\"ADMIN \"}}", role, NULL);
	USER("{\"user\":{\"id\":\"" ID "\",\"role\":null}}", role, NULL);
	USER("{\"user\":{\"id\":\"" ID "\",\"role\":1}}", role, NULL);
	USER("{\"user\":{\"id\":\"" ID "\",\"name\":null}}", "/user/name must be a string", NULL);
	USER("{\"user\":{\"id\":\"x\",\"name\":\"\",\"role\":\"\",\"e\":1}}",
	    "/user/id must be a UUID", "/user/name must not be empty", role,
	    "/user/e is not a known member", NULL);
	done();
}

static void
json_only_points_at_unknown_members(void)
{
	static const char *const names[] = {"a", "b", NULL};

	only("{\"a\":1,\"b\":{\"x\":1}}", "", names);
	FAULTS("known ones", NULL);
	only("{\"A\":1,\"a\":2,\"\":3,\"ab\":4}", "", names);
	FAULTS("unknown ones", "/A is not a known member", "/ is not a known member",
	    "/ab is not a known member", NULL);
	only("{\"~\":1,\"/\":2,\"m~n/o\":3,\"~1\":4,\"\xc3\xa9\":5}", "/user", names);
	FAULTS("escapes", "/user/~0 is not a known member", "/user/~1 is not a known member",
	    "/user/m~0n~1o is not a known member", "/user/~01 is not a known member",
	    "/user/\xc3\xa9 is not a known member", NULL);
	done();
}

/* A pointer that was cut would point at nothing: the object that has the member is named instead.
 */
static void
json_only_points_at_the_object_where_a_name_is_too_long(void)
{
	static const char *const units[] = {
	    "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "~", "/", "x"};
	static const char *const names[] = {NULL};
	char body[1200], want[80], *p;
	size_t i, lead, k;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		for (lead = 0; lead < 5; lead++) {
			p = stpcpy(body, "{\"");
			p = stpcpy(p, &"xxxxx"[5 - lead]);
			for (k = 0; k < 100; k++)
				p = stpcpy(p, units[i]);
			strcpy(p, "\":1}");
			only(body, "/user", names);
			snprintf(want, sizeof(want),
			    "/user has an unknown member, with a name of %zu bytes",
			    lead + 100 * strlen(units[i]));
			FAULTS(body, want, NULL);
		}
	}
	done();
}

static void
json_faults_come_all_at_once(void)
{
	struct body *b = with_object("{\"user\":{\"role\":1},\"amount\":\"1\",\"extra\":1}");
	struct uuid u;
	int64_t n;

	body_uuid(b, "room_id", &u);
	body_user(b, "user", &u);
	body_int(b, "amount", 0, 1, &n);
	CHECK(body_end(b) == PROB_VALIDATION, "they are no problem");
	FAULTS("all", "/room_id is missing", "/user/id is missing",
	    "/user/role must be \"USER\" or \"ADMIN\"",
	    "/amount must be an integer without fraction or exponent",
	    "/extra is not a known member", NULL);
	done();
}

static void
json_faults_are_16_at_most(void)
{
	static const char *const names[] = {NULL};
	char body[2000], *p = body;
	int i;

	*p++ = '{';
	for (i = 0; i < 100; i++)
		p += sprintf(p, "%s\"m%d\":1", i > 0 ? "," : "", i);
	strcpy(p, "}");
	only(body, "", names);
	CHECK(rq.faults.n == FAULTS_MAX, "%zu faults", rq.faults.n);
	done();
}

static void
json_object_is_an_object_or_a_problem(void)
{
	static const char *const others[] = {"[]", "1", "\"{}\"", "null", "true"};
	struct body b;
	size_t i;

	with_body("");
	CHECK(body_begin(&b, &rq, false) == PROB_NONE && b.in == NULL, "no body, none needed");
	CHECK(body_end(&b) == PROB_NONE && body_none(&rq) == PROB_NONE, "no body, no member");
	CHECK(body_begin(&b, &rq, true) == PROB_MALFORMED_JSON && rq.faults.detail[0] != '\0',
	    "no body, one needed");
	with_body("{}");
	CHECK(body_begin(&b, &rq, true) == PROB_NONE && b.in == rq.wire.json && b.in != NULL,
	    "an object");
	CHECK(body_begin(&b, &rq, false) == PROB_NONE && b.in == rq.wire.json,
	    "an object that is not needed");
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		with_body(others[i]);
		CHECK(body_begin(&b, &rq, i & 1) == PROB_VALIDATION, "%s", others[i]);
		FAULTS(others[i], " must be an object", NULL);
	}
	done();
}

/* A member that may be missing is checked all the same where it is there. */
static void
json_optional_members_may_be_missing(void)
{
	struct body *b = with_object("{\"n\":\"1\"}");
	int64_t n = 7;

	b->optional = true;
	CHECK(!body_int(b, "m", 0, 1, &n) && n == 7 && rq.faults.n == 0, "a missing one");
	CHECK(!body_int(b, "n", 0, 1, &n) && n == 7, "one of another type");
	CHECK(body_end(b) == PROB_VALIDATION, "no problem");
	FAULTS("n", "/n must be an integer without fraction or exponent", NULL);
	CHECK(
	    body_none(&rq) == PROB_VALIDATION && rq.faults.n == 2, "a member where there is none");
	done();
}

CU_TestInfo tests_body[] = {
    TEST(json_uuid_takes_a_uuid_only),
    NUMBERED("E023-E030", json_int_takes_integers_of_the_range_only),
    NUMBERED("E029", json_int_is_exact_at_the_ends_of_its_range),
    TEST(json_text_takes_1_to_200_characters),
    NUMBERED("E055", json_user_needs_an_id_and_checks_the_rest),
    NUMBERED("E041", json_only_points_at_unknown_members),
    TEST(json_only_points_at_the_object_where_a_name_is_too_long),
    NUMBERED("E038", json_faults_come_all_at_once),
    TEST(json_faults_are_16_at_most),
    NUMBERED("E037", json_object_is_an_object_or_a_problem),
    TEST(json_optional_members_may_be_missing),
    CU_TEST_INFO_NULL,
};
