#ifndef LOYALTY_CHECK_H
#define LOYALTY_CHECK_H

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A test by its function's name; NUMBERED: of a scenario in docs/edge-cases.md (E042). */
#define TEST(f)                                                                                    \
	{                                                                                          \
#f, f                                                                              \
	}
#define NUMBERED(number, f)                                                                        \
	{                                                                                          \
		number " " #f, f                                                                   \
	}

/* Note a failure, with a printf-like message, unless ok; the test goes on.  Returns ok. */
#define CHECK(ok, ...) check_that((ok), __FILE__, __LINE__, __VA_ARGS__)
bool check_that(bool ok, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* CHECK that n bytes at p are the text want; what: to say in the message. */
#define CHECK_TEXT(what, p, n, want) check_text(what, p, n, want, __FILE__, __LINE__)
bool check_text(
    const char *what, const char *p, size_t n, const char *want, const char *file, unsigned line);

/* Descriptor 2 goes to a file, until check_stderr_end gives back what came (allocated). */
void check_stderr_begin(void);
char *check_stderr_end(size_t *len);

/* A folder of this run's own (static). */
const char *check_folder(void);

/* Start this program again as one of the servers that main.c knows, its
 * descriptor 0 listening on the unix socket path; its process id. */
pid_t check_spawn(const char *path, char *const argv[]);

/* Wait for a child; its exit status, -1 if a signal ended it, -2: not gone within ms (killed). */
int check_wait(pid_t pid, int ms);

/* Milliseconds since start, a value of db_now_ms. */
int64_t check_since(int64_t start);

void check_pause(int ms);

extern CU_TestInfo tests_answer[], tests_body[], tests_buf[], tests_conf[], tests_db[],
    tests_db_hosts[], tests_db_in_two_steps[], tests_db_prepared[], tests_etag[], tests_fcgi[],
    tests_hash[], tests_hex[], tests_json[], tests_jsonw[], tests_log[], tests_page[], tests_find[],
    tests_problem[], tests_req[], tests_resp[], tests_route[], tests_service[], tests_shape[],
    tests_text[], tests_uuid[];

/* The servers that main.c starts: test_fcgi.c's and test_service.c's. */
int fcgi_server(int argc, char **argv);
int service_server(int argc, char **argv);

/* Around the suites of the ways to make a call. */
int db_in_two_steps(void);
int db_prepared(void);
int db_as_text(void);

#endif
