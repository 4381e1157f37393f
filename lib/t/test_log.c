#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
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

/* ---- standard error that takes nothing ---- */

#define FLOOD 6000 /* lines: more than any pipe or socket holds */

/* The child of a flood: says each step on `out`, goes on when `in` says so. */
static void
flood_child(int err, int in, int out)
{
	char c;
	int i;

	alarm(20); /* who waits for standard error is found out */
	if (dup2(err, STDERR_FILENO) < 0)
		_exit(3);
	log_init("flood", LOG_INFO);
	log_open();
	if (write(out, "o", 1) != 1 || read(in, &c, 1) != 1)
		_exit(4);
	for (i = 0; i < FLOOD; i++)
		log_line(LOG_INFO, NULL, "%0300d", i);
	if (write(out, "d", 1) != 1 || read(in, &c, 1) != 1)
		_exit(5);
	log_catch_up();
	log_line(LOG_INFO, NULL, "after, %lld dropped", log_dropped());
	exit(0);
}

/* Read what comes until nothing has for 300 ms, or the other end is closed. */
static void
drain(int fd, struct buf *b)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char part[65536];
	ssize_t n;

	while (poll(&p, 1, 300) > 0 && (n = read(fd, part, sizeof(part))) > 0)
		buf_add(b, part, (size_t)n);
	buf_add(b, "", 1);
	b->len--;
}

/* Of the lines in s those that fit; *told: the sum of the lines about dropped ones. */
static int
count_lines(const char *s, long long *told)
{
	const char *at;
	int n = 0;

	for (at = s; (at = strstr(at, " info flood - 0")) != NULL; at++, n++)
		if (strcspn(at, "\n") != strlen(" info flood - ") + 300)
			return -1;
	*told = 0;
	for (at = s; (at = strstr(at, " warn flood - dropped ")) != NULL; at++)
		*told += strtoll(at + strlen(" warn flood - dropped "), NULL, 10);
	return n;
}

/*
 * A process logs far more than err holds while nobody reads r: it goes on.
 * Then somebody reads: all that was not lost is there, whole, and the number
 * of what was.  fifo: r is opened only when log_open is over.
 */
static void
flood(int r, int err, const char *fifo)
{
	int in[2], out[2], lines, status, flags = fcntl(err, F_GETFL);
	struct buf b = {0};
	long long told = 0, lost;
	char c = 0;
	pid_t pid;

	if (pipe(in) != 0 || pipe(out) != 0)
		abort();
	if ((pid = fork()) == 0)
		flood_child(err, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	CHECK(read(out[0], &c, 1) == 1 && c == 'o', "it did not start");
	if (fifo != NULL)
		r = open(fifo, O_RDONLY);
	CHECK(fcntl(err, F_GETFL) == flags, "the shared descriptor was changed");
	CHECK(write(in[1], "g", 1) == 1 && read(out[0], &c, 1) == 1 && c == 'd', "it waited");
	close(err);
	drain(r, &b);
	CHECK(write(in[1], "g", 1) == 1, "it is gone");
	drain(r, &b);
	lines = count_lines(b.p, &told);
	CHECK(
	    lines > 0 && told > 0 && lines + told == FLOOD, "%d lines, %lld dropped", lines, told);
	lost = strstr(b.p, "after, ") != NULL ? strtoll(strstr(b.p, "after, ") + 7, NULL, 10) : -1;
	CHECK(lost == told, "%lld dropped, %lld told", lost, told);
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
	close(r);
	close(in[1]);
	close(out[0]);
	buf_free(&b);
}

static void
log_line_is_dropped_where_nobody_reads_the_pipe(void)
{
	int p[2];

	if (pipe(p) != 0)
		abort();
	flood(p[0], p[1], NULL);
}

static void
log_line_is_dropped_where_nobody_reads_the_socket(void)
{
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) != 0)
		abort();
	flood(p[0], p[1], NULL);
}

/* Without a reader it can't be opened again, as a pipe of another user can't. */
static void
log_line_is_dropped_where_the_pipe_can_not_be_opened_again(void)
{
	char path[100];
	int r, w;

	snprintf(path, sizeof(path), "%s/fifo", check_folder());
	if (mkfifo(path, 0600) != 0 || (r = open(path, O_RDONLY | O_NONBLOCK)) < 0
	    || (w = open(path, O_WRONLY)) < 0)
		abort();
	close(r);
	flood(-1, w, path);
}

/* A disk that is full, and one that has room again. */
static void
log_line_is_dropped_where_the_disk_is_full(void)
{
	long long before = log_dropped();
	int full = open("/dev/full", O_WRONLY), kept = dup(STDERR_FILENO);
	size_t n;
	char *s;

	dup2(full, STDERR_FILENO);
	log_line(LOG_ERROR, NULL, "one");
	log_line(LOG_ERROR, NULL, "two");
	log_catch_up();
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(full);
	CHECK(log_dropped() - before == 2, "%lld dropped", log_dropped() - before);
	check_stderr_begin();
	log_line(LOG_ERROR, NULL, "three");
	log_line(LOG_ERROR, NULL, "four");
	s = check_stderr_end(&n);
	CHECK(fits(s,
		  "^[^ ]* warn check - dropped 2 log lines: [^\n]*\n[^\n]* three\n[^\n]* four\n$"),
	    "'%s'", s);
	free(s);
}

CU_TestInfo tests_log[] = {
    TEST(log_line_has_time_level_program_and_request),
    TEST(log_line_masks_control_characters),
    TEST(log_line_cuts_long_messages),
    TEST(log_line_bounds_a_request_id),
    TEST(log_level_holds_back_what_is_below),
    TEST(log_lines_of_several_threads_stay_whole),
    TEST(log_line_is_dropped_where_nobody_reads_the_pipe),
    TEST(log_line_is_dropped_where_nobody_reads_the_socket),
    TEST(log_line_is_dropped_where_the_pipe_can_not_be_opened_again),
    TEST(log_line_is_dropped_where_the_disk_is_full),
    CU_TEST_INFO_NULL,
};
