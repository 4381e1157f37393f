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
    {PROB_USER_HAS_RESERVATIONS, "user-has-reservations", 409},
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

/* Every word of the procedures, and what is said of it. */
static void
refusal_has_its_problem_and_its_sentence(void)
{
	static const struct {
		const char *name;
		enum prob p;
		const char *detail;
	} want[] = {
	    {"user-not-found", PROB_USER_NOT_FOUND, ""},
	    {"room-not-found", PROB_ROOM_NOT_FOUND, ""},
	    {"reservation-not-found", PROB_RESERVATION_NOT_FOUND, ""},
	    {"mail-not-found", PROB_NOT_FOUND, "There is no mail with this id."},
	    {"sold-out", PROB_SOLD_OUT, "No unit of \"100%s\" is left."},
	    {"sold-out-pending", PROB_SOLD_OUT,
		"No unit of \"100%s\" is left; the reservation stays PENDING_APPROVAL."},
	    {"insufficient-points", PROB_INSUFFICIENT_POINTS,
		"The balance is 9007199254740991 points: 7 too few."},
	    {"insufficient-points-pending", PROB_INSUFFICIENT_POINTS,
		"The balance is 9007199254740991 points: 7 are missing; the reservation stays "
		"PENDING_APPROVAL."},
	    {"points-above-price", PROB_VALIDATION,
		"must be from 0 to the price quoted, 9007199254740991"},
	    {"invalid-transition-cancel", PROB_INVALID_TRANSITION,
		"The reservation is 100%s; only a RESERVED or PENDING_APPROVAL one can be "
		"cancelled."},
	    {"invalid-transition-approve", PROB_INVALID_TRANSITION,
		"The reservation is 100%s; only a PENDING_APPROVAL one can be approved."},
	    {"invalid-transition-reject", PROB_INVALID_TRANSITION,
		"The reservation is 100%s; only a PENDING_APPROVAL one can be rejected."},
	    {"invalid-transition-release", PROB_INVALID_TRANSITION,
		"The reservation is 100%s; only a RESERVED one can be released."},
	    {"invalid-transition-retry", PROB_INVALID_TRANSITION,
		"The mail is 100%s; only a DEAD one can be sent again."},
	    {"stock-below-reserved", PROB_STOCK_BELOW_RESERVED,
		"A total of 9007199254740991 is below the 7 units that are reserved."},
	    {"balance-limit", PROB_BALANCE_LIMIT, ""},
	    {"balance-limit-refund", PROB_BALANCE_LIMIT,
		"The refund would lift the balance over 9007199254740991 points."},
	    {"room-exists", PROB_ROOM_EXISTS, ""},
	    {"user-has-reservations", PROB_USER_HAS_RESERVATIONS,
		"Reservations of the user that are RESERVED: 9007199254740991. Release or cancel "
		"them first."},
	    {"precondition-failed", PROB_PRECONDITION_FAILED, ""},
	    {"idempotency-key-reused", PROB_IDEMPOTENCY_KEY_REUSED, ""},
	};
	char detail[200];
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct refusal *r = refusal_named(want[i].name, strlen(want[i].name));

		CHECK(r != NULL && r->problem == want[i].p, "%s", want[i].name);
		if (r == NULL)
			continue;
		refusal_detail(r, "100%s", 9007199254740991, 7, detail, sizeof(detail));
		CHECK_TEXT(want[i].name, detail, strlen(detail), want[i].detail);
	}
	CHECK(refusal_named("sold-outX", 8) != NULL, "no NUL is needed");
}

static void
refusal_sentence_is_cut_to_its_room(void)
{
	char detail[10];

	memset(detail, 'x', sizeof(detail));
	refusal_detail(refusal_named("sold-out", 8), "a room", 0, 0, detail, sizeof(detail));
	CHECK_TEXT("cut", detail, strlen(detail), "No unit o");
	refusal_detail(refusal_named("sold-out", 8), NULL, 0, 0, detail, sizeof(detail));
	CHECK_TEXT("no text", detail, strlen(detail), "No unit o");
}

static void
refusal_of_an_unknown_name_is_none(void)
{
	static const char *const bad[] = {
	    "", "none", "sold", "sold-out ", "SOLD-OUT", "unknown", "rate-limited", "validation"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(refusal_named(bad[i], strlen(bad[i])) == NULL, "'%s'", bad[i]);
}

CU_TestInfo tests_problem[] = {
    TEST(problem_table_is_the_contracts),
    TEST(refusal_has_its_problem_and_its_sentence),
    TEST(refusal_sentence_is_cut_to_its_room),
    TEST(refusal_of_an_unknown_name_is_none),
    CU_TEST_INFO_NULL,
};
