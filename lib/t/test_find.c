#include <string.h>

#include "check.h"
#include "find.h"
#include "req.h"

static struct req rq;
static struct find find;

/* Read one parameter of a list of rooms; the fault's name, or "" where it is taken. */
static const char *
reading(const char *name, const char *value)
{
	memset(&rq, 0, sizeof(rq));
	rq.query.v[rq.query.n++] =
	    (struct query_value){name, (char *)(uintptr_t)value, strlen(value)};
	find_read(&rq, &find, find_room_orders);
	return rq.faults.n > 0 ? rq.faults.list[0].at : "";
}

static void
find_of_nothing_is_the_plain_list(void)
{
	memset(&rq, 0, sizeof(rq));
	find_read(&rq, &find, find_room_orders);
	CHECK(rq.faults.n == 0 && !find_asked(&find) && strcmp(find.sort, "id") == 0, "%s",
	    find.sort);
	reading("sort", "id");
	CHECK(!find_asked(&find), "sort=id is the default");
}

static void
find_sort_is_one_of_the_orders_in_either_direction(void)
{
	static const char *const fine[] = {
	    "id", "-id", "name", "-name", "required_points", "-required_points"};
	static const char *const bad[] = {
	    "", "-", "--id", "ID", "nam", "names", "bonus_points", "id,name", " id", "+id"};
	size_t i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		CHECK(*reading("sort", fine[i]) == '\0' && strcmp(find.sort, fine[i]) == 0, "%s",
		    fine[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(strcmp(reading("sort", bad[i]), "sort") == 0, "'%s' is taken", bad[i]);
	CHECK_TEXT("what it must be", rq.faults.list[0].detail, strlen(rq.faults.list[0].detail),
	    "must be one of id, name, required_points, or one with - in front");
}

static void
find_max_points_is_an_integer_up_to_a_balance(void)
{
	static const char *const bad[] = {"", "-1", "+1", "01", "1.0", "1e3", "0x1", " 1", "1 ",
	    "9007199254740992", "99999999999999999999", "\xd9\xa3"};
	size_t i;

	CHECK(*reading("max_points", "0") == '\0' && find.max_points == 0 && find_asked(&find),
	    "0: %lld", find.max_points);
	CHECK(*reading("max_points", "9007199254740991") == '\0'
		  && find.max_points == 9007199254740991,
	    "the greatest: %lld", find.max_points);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(strcmp(reading("max_points", bad[i]), "max_points") == 0, "'%s' is taken",
		    bad[i]);
}

static void
find_q_is_a_part_of_a_name(void)
{
	CHECK(*reading("q", " ") == '\0' && find.q_len == 1 && find_asked(&find), "a blank");
	CHECK(*reading("q", "%_\\") == '\0', "what LIKE knows");
	CHECK(strcmp(reading("q", ""), "q") == 0, "nothing");
	CHECK(strcmp(reading("q", "\n"), "q") == 0, "a control character");
	CHECK(strcmp(reading("q", "\xc3"), "q") == 0, "no UTF-8");
}

CU_TestInfo tests_find[] = {
    TEST(find_of_nothing_is_the_plain_list),
    TEST(find_sort_is_one_of_the_orders_in_either_direction),
    NUMBERED("E065", find_max_points_is_an_integer_up_to_a_balance),
    TEST(find_q_is_a_part_of_a_name),
    CU_TEST_INFO_NULL,
};
