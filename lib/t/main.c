#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "db.h"
#include "log.h"

#define SUITE(module)                                                                              \
	{                                                                                          \
#module, NULL, NULL, NULL, NULL, tests_##module                                    \
	}

/* Register the suites of these names, or all where none is given; false: there is no such. */
static bool
choose(CU_SuiteInfo *all, char **names)
{
	CU_SuiteInfo one[2] = {CU_SUITE_INFO_NULL, CU_SUITE_INFO_NULL};
	size_t i;

	if (*names == NULL)
		return CU_register_suites(all) == CUE_SUCCESS;
	for (; *names != NULL; names++) {
		for (i = 0; all[i].pName != NULL && strcmp(all[i].pName, *names) != 0; i++)
			;
		one[0] = all[i];
		if (one[0].pName == NULL || CU_register_suites(one) != CUE_SUCCESS)
			return false;
	}
	return true;
}

/*
 * check [SUITE …]           unit tests: these modules', or all
 * check -l                  the names of all suites
 * check -fcgi …, -service …  a server that one of them needs
 */
int
main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {SUITE(body), SUITE(buf), SUITE(hash), SUITE(hex), SUITE(etag),
	    SUITE(uuid), SUITE(text), SUITE(json), SUITE(jsonw), SUITE(problem), SUITE(shape),
	    SUITE(conf), SUITE(log), SUITE(req), SUITE(resp), SUITE(page), SUITE(find),
	    SUITE(route), SUITE(db_hosts), SUITE(db), SUITE(answer), SUITE(fcgi), SUITE(service),
	    {"db_in_two_steps", db_in_two_steps, db_as_text, NULL, NULL, tests_db_in_two_steps},
	    {"db_prepared", db_prepared, db_as_text, NULL, NULL, tests_db_prepared},
	    CU_SUITE_INFO_NULL};
	unsigned failed = 1, run = 0;

	if (argc > 1 && strcmp(argv[1], "-fcgi") == 0)
		return fcgi_server(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "-service") == 0)
		return service_server(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "-l") == 0) {
		for (CU_SuiteInfo *s = suites; s->pName != NULL; s++)
			puts(s->pName);
		return 0;
	}
	log_init("check", LOG_ERROR);
	if (!db_library_begin())
		return 1;
	if (CU_initialize_registry() == CUE_SUCCESS && choose(suites, argv + 1)) {
		CU_basic_set_mode(CU_BRM_NORMAL);
		CU_basic_run_tests();
		failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
		run = CU_get_number_of_tests_run();
	}
	if (CU_get_error() != CUE_SUCCESS)
		fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
	CU_cleanup_registry();
	db_library_end();
	if (run == 0)
		fprintf(stderr, "no test ran\n");
	return failed == 0 && run > 0 ? 0 : 1;
}
