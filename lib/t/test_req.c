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
	rq.env = no_env;
}

static void
req_param_finds_whole_names_and_counts_them(void)
{
	char *env[] = {(char *)"HTTP_X=1", (char *)"HTTP_X_ACTOR=a=b", (char *)"HTTP_X=2",
	    (char *)"EMPTY=", (char *)"HTTP_X", NULL};
	const char *v;
	int n = -1;

	begin();
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

	begin();
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
	begin();
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

CU_TestInfo tests_req[] = {
    TEST(req_param_finds_whole_names_and_counts_them),
    TEST(req_query_gives_value_and_length),
    TEST(req_fault_is_bounded),
    CU_TEST_INFO_NULL,
};
