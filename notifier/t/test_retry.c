#include <CUnit/Basic.h>

#include "retry.h"

static void
delay_doubles_up_to_the_most(void)
{
	static const int64_t want[] = {60, 120, 240, 480, 960, 1920, 3840, 7680, 14400, 14400};
	int64_t tries;

	for (tries = 1; tries <= 10; tries++)
		CU_ASSERT_EQUAL(retry_delay(60, 14400, tries, 0), want[tries - 1]);
	CU_ASSERT_EQUAL(retry_delay(60, 14400, 0, 0), 60);
}

static void
jitter_takes_a_quarter_at_most(void)
{
	int64_t least = INT64_MAX, most = 0, delay;
	uint32_t r = 1;
	int i;

	for (i = 0; i < 10000; i++) {
		r = r * 1664525 + 1013904223;
		delay = retry_delay(1000, 100000, 3, r);
		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	CU_ASSERT(least >= 3000 && least < 3100);
	CU_ASSERT(most <= 4000 && most > 3900);
}

/* However unlucky the throw, the next pause is longer. */
static void
delay_grows_whatever_the_jitter(void)
{
	int64_t tries;

	for (tries = 1; tries < 8; tries++)
		CU_ASSERT(retry_delay(60, 14400, tries + 1, 30 << tries)
			  > retry_delay(60, 14400, tries, 0));
}

static void
extremes_stay_within_bounds(void)
{
	static const int64_t tries[] = {-1, 0, 1, 62, 63, 64, 1000000, INT64_MAX};
	size_t i;
	int64_t d;

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		CU_ASSERT_EQUAL(retry_delay(1, 1, tries[i], UINT32_MAX), 1);
		d = retry_delay(1, INT64_MAX, tries[i], UINT32_MAX);
		CU_ASSERT(d >= 1);
		d = retry_delay(86400, 60, tries[i], 0);
		CU_ASSERT_EQUAL(d, 60);
		CU_ASSERT_EQUAL(retry_delay(0, 0, tries[i], 7), 1);
	}
}

int
main(void)
{
	static CU_TestInfo tests[] = {
	    {"delay_doubles_up_to_the_most", delay_doubles_up_to_the_most},
	    {"jitter_takes_a_quarter_at_most", jitter_takes_a_quarter_at_most},
	    {"delay_grows_whatever_the_jitter", delay_grows_whatever_the_jitter},
	    {"extremes_stay_within_bounds", extremes_stay_within_bounds},
	    CU_TEST_INFO_NULL,
	};
	static CU_SuiteInfo suites[] = {
	    {"retry", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned failed, ran;

	CU_initialize_registry();
	CU_register_suites(suites);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	ran = CU_get_number_of_tests_run();
	CU_cleanup_registry();
	return failed != 0 || ran == 0;
}
