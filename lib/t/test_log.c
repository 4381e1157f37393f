#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "log.h"

static bool
fits(const char *s, const char *pattern)
{
	regex_t re;
	bool ok;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		abort();
	ok = regexec(&re, s, 0, NULL, 0) == 0;
	regfree(&re);
	return ok;
}

#define STAMP "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z "

static void
log_line_has_time_level_program_and_request(void)
{
	char *s;
	size_t n;

	check_stderr_begin();
	log_init("test", LOG_INFO);
	log_line(LOG_WARN, "req-1", "hello %d", 42);
	s = check_stderr_end(&n);
	CHECK(fits(s, STAMP "warn test req-1 hello 42\n$"), "'%s'", s);
	free(s);
	check_stderr_begin();
	log_line(LOG_ERROR, NULL, "%s", "a");
	log_line(LOG_INFO, "", "b");
	s = check_stderr_end(&n);
	CHECK(fits(s, STAMP "error test - a\n"), "'%s'", s);
	CHECK(strstr(s, " info test - b\n") != NULL, "'%s'", s);
	free(s);
	log_init("check", LOG_ERROR);
}

static void
log_line_masks_control_characters(void)
{
	char *s;
	size_t n;

	check_stderr_begin();
	log_line(LOG_ERROR, NULL, "%s",
	    "a\nb\rc\td\x1b[31me\x7f\x01"
	    "f\xc3\xa9");
	s = check_stderr_end(&n);
	CHECK(strstr(s, " a?b?c?d?[31me??f\xc3\xa9\n") != NULL, "'%s'", s);
	CHECK(strchr(s, '\n') == s + n - 1, "one line");
	free(s);
	check_stderr_begin();
	log_line(LOG_ERROR, NULL, "%s",
	    "a\xc2\x9b"
	    "31m\xc2\x85\xc2\xa0\xc3\x9f");
	s = check_stderr_end(&n);
	CHECK(strstr(s, " a??31m??") != NULL, "C1, in whole characters: '%s'", s);
	CHECK(strstr(s, "\xc2\xa0\xc3\x9f\n") != NULL, "other characters stay: '%s'", s);
	free(s);
}

static void
log_line_cuts_long_messages(void)
{
	char *s, message[5000];
	size_t n, len;

	memset(message, 'x', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	for (len = 900; len < sizeof(message); len += 41) {
		check_stderr_begin();
		log_line(
		    LOG_ERROR, "0192f4a1-7b3c-7def-8123-456789abcdef", "%.*s", (int)len, message);
		s = check_stderr_end(&n);
		CHECK(n <= 1280 && n >= 900 && strchr(s, '\n') == s + n - 1,
		    "%zu: a line of %zu bytes", len, n);
		free(s);
	}
}

static void
log_line_bounds_a_request_id(void)
{
	char *s, id[5000];
	size_t n, len;

	memset(id, 'i', sizeof(id));
	for (len = 64; len < sizeof(id); len += 97) {
		id[len] = '\0';
		check_stderr_begin();
		log_line(LOG_ERROR, id, "%s", id);
		s = check_stderr_end(&n);
		id[len] = 'i';
		CHECK(n <= 1280 && strchr(s, '\n') == s + n - 1, "%zu: %zu bytes", len, n);
		free(s);
	}
}

static void
log_level_holds_back_what_is_below(void)
{
	char *s;
	size_t n;

	check_stderr_begin();
	log_init("test", LOG_WARN);
	log_line(LOG_ERROR, NULL, "one");
	log_line(LOG_WARN, NULL, "two");
	log_line(LOG_INFO, NULL, "three");
	log_line(LOG_DEBUG, NULL, "four");
	log_init("test", LOG_DEBUG);
	log_line(LOG_DEBUG, NULL, "five");
	s = check_stderr_end(&n);
	CHECK(strstr(s, "one") != NULL && strstr(s, "two") != NULL, "'%s'", s);
	CHECK(strstr(s, "three") == NULL && strstr(s, "four") == NULL, "'%s'", s);
	CHECK(strstr(s, " debug test - five\n") != NULL, "'%s'", s);
	free(s);
	log_init("check", LOG_ERROR);
}

static void *
write_many(void *arg)
{
	int i;

	for (i = 0; i < 500; i++)
		log_line(
		    LOG_ERROR, arg, "%s%s%s%s", (char *)arg, (char *)arg, (char *)arg, (char *)arg);
	return NULL;
}

static void
log_lines_of_several_threads_stay_whole(void)
{
	static char ids[4][41];
	pthread_t t[4];
	char *s, *line;
	size_t n, lines = 0;
	int i;

	check_stderr_begin();
	for (i = 0; i < 4; i++) {
		memset(ids[i], 'a' + i, 40);
		pthread_create(&t[i], NULL, write_many, ids[i]);
	}
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	s = check_stderr_end(&n);
	for (line = strtok(s, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++)
		if (!CHECK(
			fits(line, STAMP
			    "error check (a{40} a{160}|b{40} b{160}|c{40} c{160}|d{40} d{160})$"),
			"'%s'", line))
			break;
	CHECK(lines == 2000, "%zu lines", lines);
	free(s);
}

CU_TestInfo tests_log[] = {
    TEST(log_line_has_time_level_program_and_request),
    TEST(log_line_masks_control_characters),
    TEST(log_line_cuts_long_messages),
    TEST(log_line_bounds_a_request_id),
    TEST(log_level_holds_back_what_is_below),
    TEST(log_lines_of_several_threads_stay_whole),
    CU_TEST_INFO_NULL,
};
