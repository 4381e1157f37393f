#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "client.h"
#include "db.h"
#include "fcgi.h"
#include "log.h"

#define BODY_MAX 16384
#define GRACE_MS 1500

/* ---- the server, in a process of its own ---- */

static const char *
param(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; *env != NULL; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return "";
}

/* Answers with the parameter ECHO and the body; SLEEP: ms before; BIG: bytes behind; PARTS: so
 * often the latter, each sent at once; CUT: and no end. */
static void
serve(void *context, char **env, const char *body, size_t body_len, struct fcgi_out *answer)
{
	struct buf *out = &answer->buf;
	size_t big = strtoul(param(env, "BIG"), NULL, 10);
	long parts = strtol(param(env, "PARTS"), NULL, 10);

	(void)context;
	check_pause(atoi(param(env, "SLEEP")));
	buf_str(out, "Status: 200\r\n\r\n");
	buf_str(out, param(env, "ECHO"));
	buf_str(out, "|");
	if (body != NULL)
		buf_add(out, body, body_len);
	else
		buf_str(out, "NO BODY");
	do {
		if (big > 0 && buf_reserve(out, big)) {
			memset(out->p + out->len, 'x', big);
			out->len += big;
		}
	} while (--parts > 0 && fcgi_send(answer));
	answer->cut = *param(env, "CUT") != '\0';
}

static void *
begin_thread(void *arg)
{
	return arg;
}

static void *
begin_no_thread(void *arg)
{
	(void)arg;
	return NULL;
}

static void
end_thread(void *context)
{
	(void)context;
}

/* -fcgi THREADS [no-context | own-socket] */
int
fcgi_server(int argc, char **argv)
{
	struct fcgi f = {.listen_fd = 0,
	    .threads = argc > 1 ? atoi(argv[1]) : 2,
	    .body_max = BODY_MAX,
	    .grace_ms = GRACE_MS,
	    .own_socket = argc > 2 && strcmp(argv[2], "own-socket") == 0,
	    .thread_begin =
		argc > 2 && strcmp(argv[2], "no-context") == 0 ? begin_no_thread : begin_thread,
	    .thread_end = end_thread,
	    .serve = serve,
	    .arg = &f};

	log_init("fcgi", LOG_ERROR);
	return fcgi_run(&f) == 0 ? 0 : 3;
}

/* ---- the client's side ---- */

static pid_t server;
static char path[100];

static void
begin(const char *threads, const char *more)
{
	char *argv[] = {(char *)"check", (char *)"-fcgi", (char *)(uintptr_t)threads,
	    (char *)(uintptr_t)more, NULL};

	snprintf(path, sizeof(path), "%s/fcgi", check_folder());
	server = check_spawn(path, argv);
}

static void
end(void)
{
	int rc;

	kill(server, SIGTERM);
	rc = check_wait(server, GRACE_MS + 3000);
	CHECK(rc == 0, "the server ends with %d", rc);
}

/* Send a request; answered with this? */
static bool
sends(int fd, bool keep, const char *const params[], const char *body, size_t len)
{
	struct buf b = {0};
	bool ok;

	client_request(&b, keep, params, body, len);
	ok = client_send(fd, b.p, b.len);
	buf_free(&b);
	return ok;
}

static bool
answers(int fd, const char *want)
{
	struct buf b = {0};
	bool ok = client_receive(fd, &b) && b.len >= 15 && strcmp(b.p + 15, want) == 0;

	if (!ok)
		CHECK(ok, "the answer is '%.*s', not '%s'", (int)(b.len < 100 ? b.len : 100),
		    b.len > 0 ? b.p : "", want);
	buf_free(&b);
	return ok;
}

/* A request of its own connection. */
static bool
asks(const char *echo)
{
	char p[100], want[100];
	int fd = client_connect(path);
	bool ok;

	snprintf(p, sizeof(p), "ECHO=%s", echo);
	snprintf(want, sizeof(want), "%s|", echo);
	ok = fd >= 0 && sends(fd, false, (const char *const[]){p, NULL}, NULL, 0)
	     && answers(fd, want);
	close(fd);
	return ok;
}

#define PARAMS(...)                                                                                \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void
fcgi_passes_parameters_and_body(void)
{
	char value[3000], p[3010], want[3100], body[BODY_MAX];
	struct buf out = {0};
	int fd;

	begin("2", NULL);
	fd = client_connect(path);
	CHECK(sends(fd, true, PARAMS("ECHO=a=b", "CONTENT_LENGTH=5"), "h\0llo", 5), "sent");
	CHECK(client_receive(fd, &out) && out.len == 15 + 9
		  && memcmp(out.p + 15, "a=b|h\0llo", 9) == 0,
	    "a body with a NUL");
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	snprintf(p, sizeof(p), "ECHO=%s", value);
	snprintf(want, sizeof(want), "%s|", value);
	CHECK(sends(fd, true, PARAMS("EMPTY=", p, "CONTENT_LENGTH="), NULL, 0) && answers(fd, want),
	    "a long value");
	memset(body, 'b', sizeof(body));
	CHECK(sends(fd, true, PARAMS("CONTENT_LENGTH=16384"), body, sizeof(body)), "sent");
	CHECK(client_receive(fd, &out) && out.len == 16 + 16384 && out.p[out.len - 1] == 'b',
	    "the longest body: %zu", out.len);
	close(fd);
	buf_free(&out);
	end();
}

static void
fcgi_answers_many_kept_connections_with_few_threads(void)
{
	int fd[40], i, round;
	int64_t slowest = 0;

	begin("2", NULL);
	for (i = 0; i < 40; i++)
		fd[i] = client_connect(path);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 40; i++) {
			int64_t start = db_now_ms();

			CHECK(sends(fd[i], true, PARAMS("ECHO=x"), NULL, 0) && answers(fd[i], "x|"),
			    "connection %d", i);
			slowest = check_since(start) > slowest ? check_since(start) : slowest;
		}
	}
	for (i = 0; i < 40; i++)
		CHECK(
		    sends(fd[i], true, PARAMS("ECHO=y", "SLEEP=10"), NULL, 0), "connection %d", i);
	for (i = 39; i >= 0; i--)
		CHECK(answers(fd[i], "y|"), "connection %d, all at once", i);
	CHECK(slowest < 1000, "the slowest took %lld ms", (long long)slowest);
	for (i = 0; i < 40; i++)
		close(fd[i]);
	end();
}

static void
fcgi_serves_many_requests_on_one_connection(void)
{
	char p[32], want[32];
	int fd, i;

	begin("2", NULL);
	fd = client_connect(path);
	for (i = 0; i < 300; i++) {
		snprintf(p, sizeof(p), "ECHO=%d", i);
		snprintf(want, sizeof(want), "%d|body", i);
		if (!CHECK(sends(fd, true, PARAMS(p, "CONTENT_LENGTH=4"), "body", 4)
			       && answers(fd, want),
			"request %d", i))
			break;
	}
	close(fd);
	end();
}

static void
fcgi_closes_where_it_is_not_to_keep(void)
{
	int fd;

	begin("2", NULL);
	fd = client_connect(path);
	CHECK(sends(fd, false, PARAMS("ECHO=x"), NULL, 0) && answers(fd, "x|"), "answered");
	CHECK(client_closed(fd, 1000), "still open");
	close(fd);
	fd = client_connect(path);
	CHECK(sends(fd, true, PARAMS("ECHO=x"), NULL, 0) && answers(fd, "x|"), "answered");
	CHECK(!client_closed(fd, 200), "closed though it was to keep");
	close(fd);
	end();
}

/* A request cut off anywhere: the connection goes, the threads stay. */
static void
fcgi_survives_clients_that_leave_in_mid_request(void)
{
	struct buf b = {0};
	size_t cut;
	int fd;

	begin("2", NULL);
	client_request(&b, true, PARAMS("ECHO=x", "CONTENT_LENGTH=100"), "only this", 9);
	for (cut = 0; cut <= b.len; cut++) {
		fd = client_connect(path);
		CHECK(client_send(fd, b.p, cut), "%zu bytes", cut);
		close(fd);
	}
	CHECK(asks("after"), "nobody is left to answer");
	fd = client_connect(path);
	CHECK(sends(fd, true, PARAMS("ECHO=x", "BIG=3000000", "SLEEP=50"), NULL, 0), "sent");
	close(fd);
	CHECK(asks("after"), "nobody is left to answer");
	buf_free(&b);
	end();
}

static void
fcgi_survives_garbage(void)
{
	char garbage[3000];
	unsigned seed = 1, i, k;

	begin("2", NULL);
	for (i = 0; i < 50; i++) {
		int fd = client_connect(path);

		for (k = 0; k < sizeof(garbage); k++) {
			seed = seed * 1103515245 + 12345;
			garbage[k] = (char)(seed >> 16 & (i & 1 ? 0x7f : 0xff));
		}
		if (i % 4 != 0) /* a request, whose parameters begin */
			memcpy(garbage, "\1\1\0\1\0\x08\0\0\0\1\1\0\0\0\0\0\1\4\0\1", 20);
		client_send(fd, garbage, sizeof(garbage));
		close(fd);
	}
	CHECK(asks("after"), "nobody is left to answer");
	end();
}

/* Lengths whose sum is none of 32 bits, or more than there is memory. */
static void
fcgi_survives_parameters_of_any_announced_length(void)
{
	static const unsigned char lengths[][8] = {{0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfe},
	    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	    {0xc0, 0, 0, 0, 0xbf, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0xfd, 0x80, 0, 0, 1},
	    {0x80, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe}, {0x80, 0x10, 0, 0, 0x80, 0, 0, 1}};
	char p[60] = "\1\1\0\1\0\x08\0\0\0\1\1\0\0\0\0\0\1\4\0\1\0\x24\0\0";
	size_t i;
	int fd;

	begin("2", NULL);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memcpy(p + 24, lengths[i], 8);
		memset(p + 32, 'x', sizeof(p) - 32);
		fd = client_connect(path);
		CHECK(client_send(fd, p, sizeof(p)), "sent");
		CHECK(client_closed(fd, 1000), "number %zu is not refused", i);
		close(fd);
		CHECK(asks("after"), "number %zu: nobody is left to answer", i);
	}
	end();
}

/* Nothing but empty names and values; each makes libfcgi keep something. */
static void
fcgi_refuses_parameters_without_end(void)
{
	static char p[60016] = "\1\1\0\1\0\x08\0\0\0\1\1\0\0\0\0\0\1\4\0\1\xea\x58\0";
	int fd, i;
	bool sent;

	begin("1", NULL);
	fd = client_connect(path);
	sent = client_send(fd, p, 16);
	for (i = 0; i < 20 && sent; i++)
		sent = client_send(fd, p + 16, sizeof(p) - 16);
	CHECK(client_closed(fd, 1000), "%d records of %zu bytes are taken", i, sizeof(p) - 16);
	close(fd);
	CHECK(asks("after"), "nobody is left to answer");
	end();
}

/* Its Idempotency-Key may be among those that are missing. */
static void
fcgi_serves_no_request_whose_parameters_are_cut_off(void)
{
	struct buf b = {0};
	int fd;

	begin("1", NULL);
	client_request(&b, true, PARAMS("ECHO=x"), NULL, 0);
	fd = client_connect(path);
	CHECK(client_send(fd, b.p, 16 + 8 + 7), "the record with ECHO, and no empty one");
	shutdown(fd, SHUT_WR);
	CHECK(client_closed(fd, 3000), "it is answered");
	close(fd);
	buf_free(&b);
	CHECK(asks("after"), "nobody is left to answer");
	end();
}

/* A client that stalls in mid-record holds its thread for a bounded time. */
static void
fcgi_frees_a_thread_from_a_client_that_stalls(void)
{
	struct buf b = {0};
	int64_t start;
	int fd;

	begin("1", NULL);
	client_request(&b, true, PARAMS("ECHO=x"), NULL, 0);
	fd = client_connect(path);
	CHECK(client_send(fd, b.p, 20), "sent");
	start = db_now_ms();
	CHECK(asks("after"), "nobody is left to answer");
	CHECK(check_since(start) < 8000, "after %lld ms", (long long)check_since(start));
	close(fd);
	buf_free(&b);
	end();
}

static void
fcgi_hands_on_no_body_that_is_too_long_or_cut_off(void)
{
	static const char *const lengths[] = {"CONTENT_LENGTH=16385",
	    "CONTENT_LENGTH=99999999999999999999", "CONTENT_LENGTH=-1", "CONTENT_LENGTH=4294967297",
	    "CONTENT_LENGTH=10"};
	size_t i;

	begin("2", NULL);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		int fd = client_connect(path);

		CHECK(sends(fd, true, PARAMS("ECHO=x", lengths[i]), "123456789", 9)
			  && answers(fd, "x|NO BODY"),
		    "%s", lengths[i]);
		close(fd);
	}
	CHECK(asks("after"), "nobody is left to answer");
	end();
}

/* Two requests on one connection, the first with a body of size bytes that is said to have `said`.
 */
static void
goes_on_or_closes(const char *big, size_t size, size_t said, const char *want)
{
	struct buf out = {0};
	int64_t start;
	char p[40];
	int fd = client_connect(path);
	bool got;

	snprintf(p, sizeof(p), "CONTENT_LENGTH=%zu", said);
	if (sends(fd, true, PARAMS("ECHO=first", p), big, size) && client_receive(fd, &out))
		CHECK(strcmp(out.p + 15, want) == 0, "%zu of %zu: '%s'", said, size, out.p);
	if (sends(fd, true, PARAMS("ECHO=second"), NULL, 0)) {
		start = db_now_ms();
		got = client_receive(fd, &out);
		CHECK(!got || strcmp(out.p + 15, "second|") == 0, "%zu of %zu: '%s'", said, size,
		    out.p);
		CHECK(check_since(start) < 2000, "%zu of %zu: it hung for %lld ms", said, size,
		    (long long)check_since(start));
	}
	close(fd);
	buf_free(&out);
}

/*
 * What was left of a body must not be taken for the next request: the
 * connection goes on with the right answer, or is closed.
 */
static void
fcgi_goes_on_or_closes_after_a_body_too_long(void)
{
	static const size_t sizes[] = {16385, 20000, 65000, 200000};
	char *big = malloc(200000);
	size_t i;

	memset(big, 'b', 200000);
	begin("2", NULL);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		goes_on_or_closes(big, sizes[i], sizes[i], "first|NO BODY");
		goes_on_or_closes(big, sizes[i], 4, "first|bbbb");
		goes_on_or_closes(big, sizes[i], 0, "first|");
	}
	CHECK(asks("after"), "nobody is left to answer");
	free(big);
	end();
}

static void
fcgi_sends_large_answers_whole(void)
{
	struct buf out = {0};
	int fd;

	begin("2", NULL);
	fd = client_connect(path);
	CHECK(sends(fd, true, PARAMS("ECHO=x", "BIG=1000000"), NULL, 0), "sent");
	CHECK(client_receive(fd, &out) && out.len == 17 + 1000000 && out.p[out.len - 1] == 'x',
	    "%zu bytes", out.len);
	CHECK(sends(fd, true, PARAMS("ECHO=y"), NULL, 0) && answers(fd, "y|"), "the next");
	close(fd);
	buf_free(&out);
	end();
}

static void
fcgi_sends_parts_and_cuts_what_is_not_whole(void)
{
	struct buf out = {0};
	int fd;

	begin("1", NULL);
	fd = client_connect(path);
	CHECK(sends(fd, true, PARAMS("ECHO=x", "BIG=100000", "PARTS=50"), NULL, 0), "sent");
	CHECK(client_receive(fd, &out) && out.len == 17 + 5000000 && out.p[out.len - 1] == 'x',
	    "%zu bytes", out.len);
	CHECK(sends(fd, true, PARAMS("ECHO=y"), NULL, 0) && answers(fd, "y|"), "the next");
	CHECK(sends(fd, true, PARAMS("ECHO=x", "BIG=100000", "PARTS=3", "CUT=1"), NULL, 0), "sent");
	CHECK(!client_receive(fd, &out) && out.len >= 17 + 200000, "an end, %zu bytes", out.len);
	close(fd);
	/* nobody takes it */
	fd = client_connect(path);
	CHECK(sends(fd, true, PARAMS("ECHO=x", "BIG=100000", "PARTS=100000"), NULL, 0), "sent");
	close(fd);
	CHECK(asks("after"), "nobody is left to answer");
	buf_free(&out);
	end();
}

/* Descriptors that the server has open. */
static int
descriptors(void)
{
	char folder[64];
	int n = 0;
	DIR *d;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)server);
	if ((d = opendir(folder)) == NULL)
		return -1;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
fcgi_leaks_no_descriptor(void)
{
	int i, before;

	begin("2", NULL);
	CHECK(asks("first"), "it begins");
	check_pause(50);
	before = descriptors();
	for (i = 0; i < 100; i++) {
		int fd = client_connect(path);

		if (i % 3 == 0)
			CHECK(sends(fd, true, PARAMS("ECHO=x"), NULL, 0) && answers(fd, "x|"),
			    "answered");
		else if (i % 3 == 1)
			client_send(fd, "\1\1\0\1\0\x08\0\0\0\1", 10);
		close(fd);
	}
	CHECK(asks("after"), "nobody is left to answer");
	for (i = 0; i < 100 && descriptors() > before; i++)
		check_pause(20);
	CHECK(descriptors() <= before, "%d descriptors, before %d", descriptors(), before);
	end();
}

/* ---- the end ---- */

static void
fcgi_ends_at_once_where_nothing_is_open(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGUSR1};
	size_t i;

	for (i = 0; i < 3; i++) {
		int64_t start;
		int rc;

		begin("4", NULL);
		CHECK(asks("x"), "it serves");
		start = db_now_ms();
		kill(server, signals[i]);
		rc = check_wait(server, 5000);
		CHECK(rc == 0 && check_since(start) < 1000, "signal %d: %d after %lld ms",
		    signals[i], rc, (long long)check_since(start));
	}
}

static void
fcgi_finishes_what_runs(void)
{
	int fd, rc;

	begin("2", NULL);
	fd = client_connect(path);
	CHECK(sends(fd, false, PARAMS("ECHO=x", "SLEEP=700"), NULL, 0), "sent");
	check_pause(200);
	kill(server, SIGTERM);
	CHECK(answers(fd, "x|"), "the answer");
	close(fd);
	rc = check_wait(server, 1000);
	CHECK(rc == 0, "ends with %d", rc);
}

/* Longer than the grace period: what runs is finished all the same. */
static void
fcgi_finishes_what_runs_longer_than_its_grace(void)
{
	int fd, rc;

	begin("2", NULL);
	fd = client_connect(path);
	CHECK(sends(fd, false, PARAMS("ECHO=x", "SLEEP=2300"), NULL, 0), "sent");
	check_pause(200);
	kill(server, SIGTERM);
	CHECK(answers(fd, "x|"), "the answer");
	close(fd);
	rc = check_wait(server, 1000);
	CHECK(rc == 0, "ends with %d", rc);
}

static void
fcgi_answers_kept_connections_until_the_grace_is_over(void)
{
	int64_t start;
	int fd, rc;

	begin("2", NULL);
	fd = client_connect(path);
	CHECK(sends(fd, true, PARAMS("ECHO=x"), NULL, 0) && answers(fd, "x|"), "before");
	kill(server, SIGTERM);
	start = db_now_ms();
	check_pause(300);
	CHECK(sends(fd, true, PARAMS("ECHO=y"), NULL, 0) && answers(fd, "y|"), "within the grace");
	rc = check_wait(server, GRACE_MS + 2000);
	CHECK(rc == 0, "ends with %d", rc);
	CHECK(check_since(start) >= GRACE_MS - 200 && check_since(start) < GRACE_MS + 1000,
	    "after %lld ms", (long long)check_since(start));
	close(fd);
}

static void
fcgi_ends_as_soon_as_kept_connections_are_let_go(void)
{
	int64_t start;
	int fd, rc;

	begin("2", NULL);
	fd = client_connect(path);
	CHECK(sends(fd, true, PARAMS("ECHO=x"), NULL, 0) && answers(fd, "x|"), "before");
	kill(server, SIGTERM);
	check_pause(100);
	start = db_now_ms();
	close(fd);
	rc = check_wait(server, GRACE_MS);
	CHECK(rc == 0 && check_since(start) < 700, "%d after %lld ms", rc,
	    (long long)check_since(start));
}

static void
fcgi_takes_no_new_connections_once_told_to_end(void)
{
	struct pollfd p = {.events = POLLIN};
	int kept, fresh;

	begin("2", NULL);
	kept = client_connect(path);
	CHECK(sends(kept, true, PARAMS("ECHO=x"), NULL, 0) && answers(kept, "x|"), "before");
	kill(server, SIGTERM);
	check_pause(200);
	fresh = client_connect(path); /* it waits in the socket's queue, for another process */
	CHECK(sends(fresh, false, PARAMS("ECHO=y"), NULL, 0), "sent");
	p.fd = fresh;
	CHECK(poll(&p, 1, 400) == 0, "a new connection is answered");
	close(fresh);
	close(kept);
	CHECK(check_wait(server, GRACE_MS + 2000) == 0, "it ends");
}

static bool
refused(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), rc;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	rc = connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ? errno : 0;
	close(fd);
	return rc == ECONNREFUSED;
}

/* Who had connected is served, who comes later is refused: nobody else will accept him. */
static void
fcgi_refuses_new_connections_where_the_socket_is_its_own(void)
{
	int early[5], i, running;

	begin("1", "own-socket");
	running = client_connect(path);
	CHECK(sends(running, false, PARAMS("ECHO=w"), NULL, 0) && answers(running, "w|"),
	    "it is there, and knows what to do at SIGTERM");
	close(running);
	running = client_connect(path);
	CHECK(sends(running, false, PARAMS("ECHO=x", "SLEEP=700"), NULL, 0), "sent");
	check_pause(100);
	for (i = 0; i < 5; i++)
		early[i] = client_connect(path); /* nobody accepts: the only thread is busy */
	kill(server, SIGTERM);
	for (i = 0; i < 30 && !refused(); i++)
		check_pause(20);
	CHECK(i < 30, "a new connection is refused");
	CHECK(answers(running, "x|"), "what ran");
	close(running);
	for (i = 0; i < 5; i++) {
		CHECK(sends(early[i], false, PARAMS("ECHO=y"), NULL, 0) && answers(early[i], "y|"),
		    "connection %d", i);
		close(early[i]);
	}
	CHECK(check_wait(server, 1000) == 0, "it ends, before its grace is over");
}

/* ---- the beginning ---- */

static void
fcgi_fails_without_a_listening_socket(void)
{
	int fd = open("/dev/null", O_RDWR), rc;
	pid_t pid = fork();

	if (pid == 0) {
		if (dup2(fd, STDIN_FILENO) == 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO)
			execl("/proc/self/exe", "check", "-fcgi", "2", (char *)NULL);
		_exit(127);
	}
	close(fd);
	rc = check_wait(pid, 3000);
	CHECK(rc == 3, "ends with %d", rc);
}

static void
fcgi_fails_where_threads_cannot_begin(void)
{
	int rc;

	begin("2", "no-context");
	rc = check_wait(server, GRACE_MS + 3000);
	CHECK(rc == 3, "ends with %d", rc);
}

CU_TestInfo tests_fcgi[] = {
    TEST(fcgi_passes_parameters_and_body),
    TEST(fcgi_answers_many_kept_connections_with_few_threads),
    TEST(fcgi_serves_many_requests_on_one_connection),
    TEST(fcgi_closes_where_it_is_not_to_keep),
    NUMBERED("E070", fcgi_survives_clients_that_leave_in_mid_request),
    TEST(fcgi_survives_garbage),
    TEST(fcgi_survives_parameters_of_any_announced_length),
    TEST(fcgi_refuses_parameters_without_end),
    TEST(fcgi_serves_no_request_whose_parameters_are_cut_off),
    TEST(fcgi_frees_a_thread_from_a_client_that_stalls),
    NUMBERED("E049 E050", fcgi_hands_on_no_body_that_is_too_long_or_cut_off),
    NUMBERED("E049", fcgi_goes_on_or_closes_after_a_body_too_long),
    TEST(fcgi_sends_large_answers_whole),
    TEST(fcgi_sends_parts_and_cuts_what_is_not_whole),
    TEST(fcgi_leaks_no_descriptor),
    TEST(fcgi_ends_at_once_where_nothing_is_open),
    TEST(fcgi_finishes_what_runs),
    TEST(fcgi_finishes_what_runs_longer_than_its_grace),
    TEST(fcgi_answers_kept_connections_until_the_grace_is_over),
    TEST(fcgi_ends_as_soon_as_kept_connections_are_let_go),
    TEST(fcgi_takes_no_new_connections_once_told_to_end),
    TEST(fcgi_refuses_new_connections_where_the_socket_is_its_own),
    TEST(fcgi_fails_without_a_listening_socket),
    TEST(fcgi_fails_where_threads_cannot_begin),
    CU_TEST_INFO_NULL,
};
