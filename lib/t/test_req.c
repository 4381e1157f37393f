#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "req.h"

static char *no_env[] = {NULL};
static struct req rq;

static void
begin(void)
{
	memset(&rq, 0, sizeof(rq));
	rq.wire.env = no_env;
}

static void
req_param_finds_whole_names_and_counts_them(void)
{
	char *env[] = {(char *)"HTTP_X=1", (char *)"HTTP_X_ACTOR=a=b", (char *)"HTTP_X=2",
	    (char *)"EMPTY=", (char *)"HTTP_X", NULL};
	const char *v;
	int n = -1;

	begin();
	rq.wire.env = env;
	v = wire_param(&rq.wire, "HTTP_X", &n);
	CHECK(v != NULL && strcmp(v, "1") == 0 && n == 2, "the first of two");
	v = wire_param(&rq.wire, "HTTP_X_ACTOR", &n);
	CHECK(v != NULL && strcmp(v, "a=b") == 0 && n == 1, "a value with =");
	v = wire_param(&rq.wire, "EMPTY", NULL);
	CHECK(v != NULL && *v == '\0', "an empty value");
	CHECK(wire_param(&rq.wire, "HTTP", &n) == NULL && n == 0, "the beginning of a name");
	CHECK(wire_param(&rq.wire, "HTTP_X_ACTORS", &n) == NULL && n == 0, "more than a name");
}

static void
req_query_gives_value_and_length(void)
{
	char value[] = "a\0b";
	size_t len = 99;

	begin();
	rq.query.v[0] = (struct query_value){"q", value, 3};
	rq.query.n = 1;
	CHECK(query_get(&rq.query, "q", &len) == value && len == 3, "q");
	CHECK(query_get(&rq.query, "q", NULL) == value, "q without a length");
	len = 99;
	CHECK(query_get(&rq.query, "qq", &len) == NULL && len == 99, "what was not given");
}

/* What stands for n ids, each another, in hexadecimal digits of either case. */
static size_t
ids_text(char *out, size_t n)
{
	size_t i;
	char *at = out;

	for (i = 0; i < n; i++)
		at += sprintf(at, "%s01A20a3b-c99b-7c5a-9d53-2f8e4b7a%04zx", i > 0 ? "," : "", i);
	return (size_t)(at - out);
}

static size_t
ids_of(char *text, size_t len, unsigned char *out)
{
	faults_reset(&rq.faults);
	rq.query.v[0] = (struct query_value){"ids", text, len};
	rq.query.n = rq.query.n > 1 ? rq.query.n : 1;
	return query_ids(&rq.query, &rq.faults, out);
}

static void
req_query_ids_are_read_in_their_order(void)
{
	static unsigned char out[QUERY_IDS * 16];
	char text[QUERY_IDS * 40];
	size_t n;

	begin();
	for (n = 1; n <= QUERY_IDS; n++) {
		CHECK(ids_of(text, ids_text(text, n), out) == n && rq.faults.n == 0, "all of them");
		CHECK(out[0] == 0x01 && out[n * 16 - 15] == 0xa2 && out[n * 16 - 1] == n - 1,
		    "their bytes");
	}
}

static void
req_query_ids_are_refused(void)
{
	static unsigned char out[(QUERY_IDS + 1) * 16];
	static const char *const wrong[] = {"", ",", "x", "%s,", ",%s", "%s,,%s", "%s %s", "{%s}",
	    "%s,urn:uuid:%s", "%s,%s0", "%s,%s", NULL};
	char text[(QUERY_IDS + 1) * 40], one[40];
	size_t i;

	begin();
	ids_text(one, 1);
	for (i = 0; wrong[i] != NULL; i++) {
		/* the same twice: each place has it */
		char *at = text;
		const char *w;

		for (w = wrong[i]; *w != '\0'; w++)
			if (w[0] == '%')
				at += sprintf(at, "%s", one), w++;
			else
				*at++ = *w;
		CHECK(ids_of(text, (size_t)(at - text), out) == 0 && rq.faults.n == 1, "'%s'",
		    wrong[i]);
		CHECK(strcmp(rq.faults.list[0].at, "ids") == 0, "its name");
	}
	CHECK(ids_of(text, ids_text(text, QUERY_IDS + 1), out) == 0, "more than 100");
	rq.query.v[1] = (struct query_value){"limit", text, 1};
	rq.query.v[2] = (struct query_value){"status", text, 1};
	rq.query.n = 3;
	CHECK(ids_of(text, ids_text(text, 1), out) == 0 && rq.faults.n == 2, "beside others");
	CHECK(strcmp(rq.faults.list[0].at, "limit") == 0
		  && strcmp(rq.faults.list[1].at, "status") == 0,
	    "they are named");
}

static void
req_fault_is_bounded(void)
{
	char big[5000];
	int i;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	begin();
	for (i = 0; i < 40; i++)
		faults_add(&rq.faults, FAULT_BODY, big, "%d %s", i, big);
	CHECK(rq.faults.n == FAULTS_MAX, "%zu faults", rq.faults.n);
	for (i = 0; i < FAULTS_MAX; i++) {
		CHECK(strlen(rq.faults.list[i].at) == sizeof(rq.faults.list[i].at) - 1,
		    "pointer %d", i);
		CHECK(strlen(rq.faults.list[i].detail) == sizeof(rq.faults.list[i].detail) - 1,
		    "detail %d", i);
		CHECK(atoi(rq.faults.list[i].detail) == i, "those that came first stay");
	}
}

/* Whatever is told of a request by its predecessor would be a leak. */
static void
req_begin_leaves_nothing_of_the_one_before(void)
{
	struct db *db = (struct db *)&rq;

	memset(&rq, 0x5a, sizeof(rq));
	req_begin(&rq, db, no_env, "{}", 2);
	CHECK(rq.wire.env == no_env && strcmp(rq.wire.body, "{}") == 0 && rq.wire.body_len == 2
		  && rq.wire.json == NULL && !rq.wire.keyed && !rq.wire.conditional
		  && rq.wire.path[0] == '\0',
	    "the wire");
	CHECK(rq.query.n == 0 && query_get(&rq.query, "q", NULL) == NULL, "the query");
	CHECK(rq.caller.role == ROLE_NONE && rq.caller.api_key == NULL && rq.caller.actor[0] == '\0'
		  && !caller_tells_key(&rq.caller, "ZZZZZZZZZZZZZZZZZZZZ", 20),
	    "the caller");
	CHECK(rq.faults.n == 0 && rq.faults.detail[0] == '\0', "the faults");
	CHECK(rq.route == NULL && rq.number == 0 && rq.missing == PROB_NONE && rq.allow[0] == '\0'
		  && rq.request_id[0] == '\0' && rq.db == db && rq.id.b[0] == 0 && rq.id.b[15] == 0,
	    "the rest");
}

CU_TestInfo tests_req[] = {
    TEST(req_param_finds_whole_names_and_counts_them),
    TEST(req_query_gives_value_and_length),
    TEST(req_query_ids_are_read_in_their_order),
    TEST(req_query_ids_are_refused),
    TEST(req_fault_is_bounded),
    TEST(req_begin_leaves_nothing_of_the_one_before),
    CU_TEST_INFO_NULL,
};
