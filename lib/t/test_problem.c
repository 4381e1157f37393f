#include <string.h>

#include "check.h"
#include "problem.h"

/* The contract's list, as far as it is a service's business. */
static const struct {
	enum prob p;
	const char *name;
	int status;
} contract[] = {
    {PROB_MALFORMED_JSON, "malformed-json", 400},
    {PROB_BAD_QUERY, "validation", 400},
    {PROB_VALIDATION, "validation", 422},
    {PROB_UNAUTHORIZED, "unauthorized", 401},
    {PROB_FORBIDDEN, "forbidden", 403},
    {PROB_NOT_FOUND, "not-found", 404},
    {PROB_ROOM_NOT_FOUND, "room-not-found", 404},
    {PROB_USER_NOT_FOUND, "user-not-found", 404},
    {PROB_RESERVATION_NOT_FOUND, "reservation-not-found", 404},
    {PROB_METHOD_NOT_ALLOWED, "method-not-allowed", 405},
    {PROB_SOLD_OUT, "sold-out", 409},
    {PROB_INSUFFICIENT_POINTS, "insufficient-points", 409},
    {PROB_INVALID_TRANSITION, "invalid-transition", 409},
    {PROB_STOCK_BELOW_RESERVED, "stock-below-reserved", 409},
    {PROB_BALANCE_LIMIT, "balance-limit", 409},
    {PROB_ROOM_EXISTS, "room-exists", 409},
    {PROB_PRECONDITION_FAILED, "precondition-failed", 412},
    {PROB_PAYLOAD_TOO_LARGE, "payload-too-large", 413},
    {PROB_UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", 415},
    {PROB_IDEMPOTENCY_KEY_REUSED, "idempotency-key-reused", 422},
    {PROB_UNAVAILABLE, "unavailable", 503},
    {PROB_INTERNAL, "internal", 500},
};
#define PROBLEMS (sizeof(contract) / sizeof(contract[0]))

static void
problem_table_is_the_contracts(void)
{
	size_t i;

	CHECK(PROBLEMS == PROB_INTERNAL, "%zu problems of %d", PROBLEMS, PROB_INTERNAL);
	for (i = 0; i < PROBLEMS; i++) {
		const struct problem *p = problem_of(contract[i].p);

		CHECK_TEXT("name", p->name, strlen(p->name), contract[i].name);
		CHECK(p->status == contract[i].status, "%s: status %d", p->name, p->status);
		CHECK(p->title != NULL && *p->title != '\0', "%s: no title", p->name);
		CHECK(p->detail != NULL && *p->detail != '\0', "%s: no detail", p->name);
	}
}

static void
problem_is_found_by_name(void)
{
	size_t i;

	for (i = 0; i < PROBLEMS; i++) {
		enum prob p = problem_named(contract[i].name, strlen(contract[i].name));

		CHECK(strcmp(problem_of(p)->name, contract[i].name) == 0, "%s", contract[i].name);
		if (contract[i].p != PROB_VALIDATION)
			CHECK(p == contract[i].p, "%s is %d", contract[i].name, p);
	}
	CHECK(problem_named("sold-outX", 8) == PROB_SOLD_OUT, "no NUL is needed");
}

static void
problem_of_an_unknown_name_is_internal(void)
{
	static const char *const bad[] = {
	    "", "none", "sold", "sold-out ", "SOLD-OUT", "unknown", "rate-limited"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(problem_named(bad[i], strlen(bad[i])) == PROB_INTERNAL, "'%s'", bad[i]);
}

CU_TestInfo tests_problem[] = {
    TEST(problem_table_is_the_contracts),
    TEST(problem_is_found_by_name),
    TEST(problem_of_an_unknown_name_is_internal),
    CU_TEST_INFO_NULL,
};
