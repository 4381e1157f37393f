#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "client.h"
#include "db.h"
#include "fakedb.h"
#include "service.h"
#include "target.h"

/* -service [-h | -r | -t]: a whole service, of the routes in target.c */
int
service_server(int argc, char **argv)
{
	return service_main(
	    argc, argv, "cgi-check", "loyalty_check", target_routes, target_nroutes, NULL);
}

/* Run it with these words behind its name and this setting; its status, and what it wrote to
 * either. */
static int
command(const char *setting, const char *words, char *text, size_t size)
{
	char line[300];
	size_t n;
	FILE *f;
	int status;

	snprintf(line, sizeof(line), "env %s /proc/%d/exe -service %s 2>&1 </dev/null", setting,
	    (int)getpid(), words);
	if ((f = popen(line, "r")) == NULL)
		return -1;
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
service_prints_its_routes(void)
{
	char text[4000];

	CHECK(command("", "-r", text, sizeof(text)) == 0, "%s", text);
	CHECK(strstr(text, "POST /v1/things/{id}/act RESTRICTED thing_act\n") != NULL, "%s", text);
}

static void
service_prints_its_settings(void)
{
	static const char *const names[] = {"LOYALTY_DB_HOSTS", "LOYALTY_DB_USER",
	    "LOYALTY_DB_PASSWORD", "LOYALTY_DB_PASSWORD_FILE", "LOYALTY_DB_NAME",
	    "LOYALTY_DB_TLS_CA", "LOYALTY_LOG_LEVEL", "LOYALTY_CHECK_THREADS",
	    "LOYALTY_CHECK_DEADLINE_MS", "loyalty_check"};
	char text[4000];
	size_t i;

	CHECK(command("", "-h", text, sizeof(text)) == 0, "%s", text);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(strstr(text, names[i]) != NULL, "%s is not in %s", names[i], text);
}

static void
service_refuses_a_wrong_command_line(void)
{
	static const char *const bad[] = {"-x", "-t -t", "-rh", "serve", "--help", "''"};
	char text[4000];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(command("", bad[i], text, sizeof(text)) == 2, "%s: %s", bad[i], text);
		CHECK(strstr(text, "usage:") != NULL, "%s: %s", bad[i], text);
	}
}

static void
service_refuses_a_wrong_configuration(void)
{
	static const char *const bad[] = {"LOYALTY_NONSENSE=1", "LOYALTY_THREADS=1",
	    "LOYALTY_CHECK_THREAD=1", "LOYALTY_CHECK_PROCESSES=0", "LOYALTY_CHECK_THREADS=0",
	    "LOYALTY_CHECK_THREADS=65", "LOYALTY_CHECK_THREADS=x", "LOYALTY_CHECK_DEADLINE_MS=499",
	    "LOYALTY_CHECK_DEADLINE_MS=60001", "LOYALTY_LOG_LEVEL=loud",
	    "LOYALTY_DB_HOSTS=/x,db.example:3306", "LOYALTY_DB_HOSTS=localhost.example",
	    "LOYALTY_DB_HOSTS=192.0.2.1", "LOYALTY_DB_PASSWORD_FILE=/nonexistent/x",
	    "LOYALTY_DB_USER_FILE=/dev/null"};
	char text[4000];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(command(bad[i], "-t", text, sizeof(text)) == 2, "%s: %s", bad[i], text);
		CHECK(command(bad[i], "", text, sizeof(text)) == 2, "%s: %s", bad[i], text);
		CHECK(strncmp(text, "LOYALTY_", 8) == 0, "%s: %s", bad[i], text);
	}
}

static void
service_tests_the_database(void)
{
	char setting[200], text[4000];

	CHECK(command("LOYALTY_DB_HOSTS=/nonexistent/sock", "-t", text, sizeof(text)) == 1, "%s",
	    text);
	CHECK(strstr(text, "/nonexistent/sock") != NULL, "%s", text);
	CHECK(command("LOYALTY_DB_HOSTS=127.0.0.1:1,localhost:1", "-t", text, sizeof(text)) == 1,
	    "loopback needs no TLS: %s", text);
	CHECK(command(
		  "LOYALTY_DB_TLS=off LOYALTY_DB_HOSTS=nowhere.invalid:1", "-t", text, sizeof(text))
		  == 1,
	    "nor what may be plain: %s", text);
	fakedb_script(NULL, 0);
	snprintf(setting, sizeof(setting), "LOYALTY_DB_HOSTS=%s", fakedb_path());
	CHECK(command(setting, "-t", text, sizeof(text)) == 0, "%s", text);
	fakedb_schema(9999);
	CHECK(command(setting, "-t", text, sizeof(text)) == 1 && strstr(text, "9999") != NULL, "%s",
	    text);
	fakedb_script(NULL, 0);
}

static void
service_fails_without_a_socket(void)
{
	char text[4000];

	CHECK(command("", "", text, sizeof(text)) == 1, "%s", text);
}

/* ---- serving ---- */

static pid_t server;
static char path[100];

static void
begin(const char *hosts)
{
	char *argv[] = {(char *)"check", (char *)"-service", NULL};

	snprintf(path, sizeof(path), "%s/service", check_folder());
	setenv("LOYALTY_DB_HOSTS", hosts, 1);
	setenv("LOYALTY_CHECK_THREADS", "2", 1);
	setenv("LOYALTY_CHECK_DEADLINE_MS", "1500", 1);
	setenv("LOYALTY_LOG_LEVEL", "error", 1);
	server = check_spawn(path, argv);
	unsetenv("LOYALTY_DB_HOSTS");
	unsetenv("LOYALTY_CHECK_THREADS");
	unsetenv("LOYALTY_CHECK_DEADLINE_MS");
	unsetenv("LOYALTY_LOG_LEVEL");
}

static void
end(void)
{
	kill(server, SIGTERM);
	CHECK(check_wait(server, 10000) == 0, "it ends");
}

/* Ask; the answer begins with this status (and is the caller's, to free). */
static struct buf
answer(const char *status, const char *const params[], const char *body)
{
	struct buf b = {0}, out = {0};
	char want[40];
	int fd = client_connect(path);

	client_request(&b, false, params, body, strlen(body));
	snprintf(want, sizeof(want), "Status: %s\r\n", status);
	if (CHECK(client_send(fd, b.p, b.len) && client_receive(fd, &out), "no answer"))
		CHECK(strncmp(out.p, want, strlen(want)) == 0, "not %s: %s", status, out.p);
	close(fd);
	buf_free(&b);
	return out;
}

#define GET(p) "REQUEST_METHOD=GET", "REQUEST_PATH=" p, "LOYALTY_ROLE=public", "HTTP_X_API_KEY=k"
#define ANSWER(status, body, ...) answer(status, (const char *const[]){__VA_ARGS__, NULL}, body)

static void
service_answers_and_forgets(void)
{
	struct buf out;

	begin("/nonexistent/sock");
	out = ANSWER("401", "", "REQUEST_METHOD=GET", "REQUEST_PATH=/v1/things");
	buf_free(&out);
	out = ANSWER("400", "", GET("/v1/things"), "QUERY_STRING=a=1&b=2", "HTTP_X_ACTOR=x");
	buf_free(&out);
	out = ANSWER("200", "", GET("/v1/things"));
	CHECK(strstr(out.p, "\r\n\r\n[]") != NULL, "%s", out.p);
	buf_free(&out);
	out = ANSWER("404", "", GET("/v1/nothing"));
	CHECK(strstr(out.p, "\"errors\"") == NULL, "%s", out.p);
	buf_free(&out);
	out = ANSWER("413", "{}", "REQUEST_METHOD=POST", "REQUEST_PATH=/v1/things",
	    "LOYALTY_ROLE=public", "HTTP_X_API_KEY=k", "CONTENT_LENGTH=16385");
	buf_free(&out);
	out = ANSWER("422", "{}", "REQUEST_METHOD=POST", "REQUEST_PATH=/v1/things",
	    "LOYALTY_ROLE=public", "HTTP_X_API_KEY=k", "CONTENT_LENGTH=2",
	    "CONTENT_TYPE=application/json");
	buf_free(&out);
	out = ANSWER("503", "", GET("/v1/stored"));
	CHECK(strstr(out.p, "Retry-After: ") != NULL, "%s", out.p);
	buf_free(&out);
	out = ANSWER("503", "", "REQUEST_METHOD=GET", "REQUEST_PATH=/readyz");
	buf_free(&out);
	end();
}

/* A request that waited past its deadline is refused unexecuted. */
static void
service_does_not_execute_what_waited_too_long(void)
{
	static const char *const values[] = {"0192f4a17b3c7def", "Anna", "USER"};
	char msec[60];
	struct timespec ts;
	struct buf out;

	fakedb_script(
	    &(struct fake_step){.kind = FAKE_ROWS, .columns = 3, .nrows = 1, .values = values}, 1);
	begin(fakedb_path());
	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(msec, sizeof(msec), "LOYALTY_MSEC=%lld.123", (long long)ts.tv_sec - 3);
	out = ANSWER("503", "", GET("/v1/stored"), msec);
	buf_free(&out);
	CHECK(fakedb_calls() == 0, "it was executed");
	snprintf(msec, sizeof(msec), "LOYALTY_MSEC=%lld.%03ld", (long long)ts.tv_sec,
	    ts.tv_nsec / 1000000);
	out = ANSWER("200", "", GET("/v1/stored"), msec);
	buf_free(&out);
	out = ANSWER("200", "", GET("/v1/stored"), "LOYALTY_MSEC=nonsense");
	buf_free(&out);
	out = ANSWER("200", "", GET("/v1/stored"), "LOYALTY_MSEC=99999999999.000");
	buf_free(&out);
	CHECK(fakedb_calls() == 3, "%u calls", fakedb_calls());
	end();
	fakedb_script(NULL, 0);
}

CU_TestInfo tests_service[] = {
    TEST(service_prints_its_routes),
    TEST(service_prints_its_settings),
    TEST(service_refuses_a_wrong_command_line),
    TEST(service_refuses_a_wrong_configuration),
    TEST(service_tests_the_database),
    TEST(service_fails_without_a_socket),
    TEST(service_answers_and_forgets),
    TEST(service_does_not_execute_what_waited_too_long),
    CU_TEST_INFO_NULL,
};
