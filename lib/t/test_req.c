#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "json.h"
#include "req.h"
#include "text.h"

static char *no_env[] = {NULL};

/* The request of the test at hand, with this body. */
static struct req rq;

static struct json_object *
with_body(const char *body)
{
	const char *why;

	json_object_put(rq.json);
	memset(&rq, 0, sizeof(rq));
	rq.env = no_env;
	rq.body = body;
	rq.body_len = strlen(body);
	if (*body != '\0') {
		why = json_read(body, rq.body_len, &rq.json);
		CHECK(why == NULL, "%s: %s", body, why != NULL ? why : "");
	}
	return rq.json;
}

static void
done(void)
{
	json_object_put(rq.json);
	rq.json = NULL;
}

/* Just these faults, as "pointer detail", in order. */
static void
faults_are(const char *what, const char *const want[])
{
	char got[sizeof(struct fault) + 2];
	size_t i;

	for (i = 0; want[i] != NULL && i < rq.nfaults; i++) {
		snprintf(got, sizeof(got), "%s %s", rq.faults[i].at, rq.faults[i].detail);
		CHECK(strcmp(got, want[i]) == 0, "%s: fault %zu is '%s', not '%s'", what, i, got,
		    want[i]);
	}
	CHECK(want[i] == NULL && i == rq.nfaults, "%s: %zu faults, the last '%s', expected '%s'",
	    what, rq.nfaults, rq.nfaults > 0 ? rq.faults[rq.nfaults - 1].detail : "",
	    want[i] != NULL ? want[i] : "none");
}

#define FAULTS(what, ...) faults_are(what, (const char *const[]){__VA_ARGS__})

static void
req_param_finds_whole_names_and_counts_them(void)
{
	char *env[] = {(char *)"HTTP_X=1", (char *)"HTTP_X_ACTOR=a=b", (char *)"HTTP_X=2",
	    (char *)"EMPTY=", (char *)"HTTP_X", NULL};
	const char *v;
	int n = -1;

	with_body("");
	rq.env = env;
	v = req_param(&rq, "HTTP_X", &n);
	CHECK(v != NULL && strcmp(v, "1") == 0 && n == 2, "the first of two");
	v = req_param(&rq, "HTTP_X_ACTOR", &n);
	CHECK(v != NULL && strcmp(v, "a=b") == 0 && n == 1, "a value with =");
	v = req_param(&rq, "EMPTY", NULL);
	CHECK(v != NULL && *v == '\0', "an empty value");
	CHECK(req_param(&rq, "HTTP", &n) == NULL && n == 0, "the beginning of a name");
	CHECK(req_param(&rq, "HTTP_X_ACTORS", &n) == NULL && n == 0, "more than a name");
}

static void
req_query_gives_value_and_length(void)
{
	char value[] = "a\0b";
	size_t len = 99;

	with_body("");
	rq.query[0] = (struct query_value){"q", value, 3};
	rq.nquery = 1;
	CHECK(req_query(&rq, "q", &len) == value && len == 3, "q");
	CHECK(req_query(&rq, "q", NULL) == value, "q without a length");
	len = 99;
	CHECK(req_query(&rq, "qq", &len) == NULL && len == 99, "what was not given");
}

static void
req_fault_is_bounded(void)
{
	char big[5000];
	int i;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	with_body("");
	for (i = 0; i < 40; i++)
		req_fault(&rq, big, "%d %s", i, big);
	CHECK(rq.nfaults == REQ_FAULTS_MAX, "%zu faults", rq.nfaults);
	for (i = 0; i < REQ_FAULTS_MAX; i++) {
		CHECK(strlen(rq.faults[i].at) == sizeof(rq.faults[i].at) - 1, "pointer %d", i);
		CHECK(
		    strlen(rq.faults[i].detail) == sizeof(rq.faults[i].detail) - 1, "detail %d", i);
		CHECK(atoi(rq.faults[i].detail) == i, "those that came first stay");
	}
}

#define ID "0192f4a1-7b3c-7def-8123-456789abcdef"

static void
json_uuid_takes_a_uuid_only(void)
{
	static const char *const bad[] = {
	    "{\"id\":1}", "{\"id\":null}", "{\"id\":[\"" ID "\"]}", "{\"id\":{}}", "{\"id\":true}"};
	struct uuid u = {{7}}, before = u;
	size_t i;

	req_json_uuid(&rq, with_body("{\"id\":\"" ID "\"}"), "id", "/id", &u);
	FAULTS("a uuid", NULL);
	CHECK(u.b[0] == 1 && u.b[15] == 0xef, "its bytes");
	u = before;
	req_json_uuid(&rq, with_body("{}"), "id", "/id", &u);
	FAULTS("missing", "/id is missing", NULL);
	req_json_uuid(&rq, with_body("{\"id\":\"" ID "0\"}"), "id", "/id", &u);
	FAULTS("too long", "/id must be a UUID", NULL);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		req_json_uuid(&rq, with_body(bad[i]), "id", "/id", &u);
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
	req_json_int(&rq, with_body(body), "amount", "/amount", -1000000000, 1000000000, &n);
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

	req_json_int(
	    &rq, with_body("{\"n\":9007199254740991}"), "n", "/n", 0, 9007199254740991, &n);
	FAULTS("2^53 - 1", NULL);
	CHECK(n == 9007199254740991, "%lld", (long long)n);
	req_json_int(
	    &rq, with_body("{\"n\":9007199254740992}"), "n", "/n", 0, 9007199254740991, &n);
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

	req_json_text(&rq, with_body("{\"t\":\"a\\n\\u00e9\"}"), "t", "/t", TEXT_REASON, &s, &len);
	FAULTS("a reason", NULL);
	CHECK_TEXT("the reason", s, len, "a\n\xc3\xa9");
	s = NULL;
	req_json_text(&rq, with_body("{\"t\":\"a\\nb\"}"), "t", "/t", TEXT_NAME, &s, &len);
	FAULTS("a line feed", "/t must have no control characters", NULL);
	req_json_text(&rq, with_body("{\"t\":\"\"}"), "t", "/t", TEXT_NAME, &s, &len);
	FAULTS("empty", "/t must not be empty", NULL);
	req_json_text(&rq, with_body("{}"), "t", "/t", TEXT_NAME, &s, &len);
	FAULTS("missing", "/t is missing", NULL);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		req_json_text(&rq, with_body(bad[i]), "t", "/t", TEXT_NAME, &s, &len);
		FAULTS(bad[i], "/t must be a string", NULL);
	}
	p = stpcpy(body, "{\"t\":\"");
	for (i = 0; i < 201; i++)
		p = stpcpy(p, "\xf0\x9f\x98\x80");
	strcpy(p, "\"}");
	req_json_text(&rq, with_body(body), "t", "/t", TEXT_NAME, &s, &len);
	FAULTS("201", "/t must have at most 200 characters", NULL);
	CHECK(s == NULL, "the text has changed");
	strcpy(p - 4, "\"}");
	req_json_text(&rq, with_body(body), "t", "/t", TEXT_NAME, &s, &len);
	FAULTS("200", NULL);
	CHECK(len == 800, "200 characters of four bytes");
	done();
}

static void
user(const char *body, const char *const want[])
{
	struct uuid u = {{0}};

	req_json_user(&rq, with_body(body), &u);
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

	req_json_only(&rq, with_body("{\"a\":1,\"b\":{\"x\":1}}"), "", names);
	FAULTS("known ones", NULL);
	req_json_only(&rq, with_body("{\"A\":1,\"a\":2,\"\":3,\"ab\":4}"), "", names);
	FAULTS("unknown ones", "/A is not a known member", "/ is not a known member",
	    "/ab is not a known member", NULL);
	req_json_only(&rq, with_body("{\"~\":1,\"/\":2,\"m~n/o\":3,\"~1\":4,\"\xc3\xa9\":5}"),
	    "/user", names);
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
			req_json_only(&rq, with_body(body), "/user", names);
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
	static const char *const names[] = {"room_id", "user", "amount", NULL};
	struct json_object *in = with_body("{\"user\":{\"role\":1},\"amount\":\"1\",\"extra\":1}");
	struct uuid u;
	int64_t n;

	req_json_uuid(&rq, in, "room_id", "/room_id", &u);
	req_json_user(&rq, in, &u);
	req_json_int(&rq, in, "amount", "/amount", 0, 1, &n);
	req_json_only(&rq, in, "", names);
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
	req_json_only(&rq, with_body(body), "", names);
	CHECK(rq.nfaults == REQ_FAULTS_MAX, "%zu faults", rq.nfaults);
	done();
}

static void
json_object_is_an_object_or_a_problem(void)
{
	static const char *const others[] = {"[]", "1", "\"{}\"", "null", "true"};
	struct json_object *o = (struct json_object *)&rq;
	size_t i;

	with_body("");
	CHECK(req_json_object(&rq, false, &o) == PROB_NONE && o == NULL, "no body, none needed");
	CHECK(req_json_object(&rq, true, &o) == PROB_MALFORMED_JSON && rq.detail[0] != '\0',
	    "no body, one needed");
	with_body("{}");
	CHECK(
	    req_json_object(&rq, true, &o) == PROB_NONE && o == rq.json && o != NULL, "an object");
	CHECK(req_json_object(&rq, false, &o) == PROB_NONE && o == rq.json,
	    "an object that is not needed");
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		with_body(others[i]);
		CHECK(req_json_object(&rq, i & 1, &o) == PROB_VALIDATION, "%s", others[i]);
		FAULTS(others[i], " must be an object", NULL);
	}
	done();
}

CU_TestInfo tests_req[] = {
    TEST(req_param_finds_whole_names_and_counts_them),
    TEST(req_query_gives_value_and_length),
    TEST(req_fault_is_bounded),
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
    CU_TEST_INFO_NULL,
};
