#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "json.h"
#include "target.h"
#include "text.h"
#include "uuid.h"

#define ID "0192f4a1-7b3c-7def-8123-456789abcdef"
#define BODY "{\"room_id\":\"" ID "\",\"user\":{\"id\":\"" ID "\"},\"amount\":1,\"reason\":\"r\"}"

static struct exchange x;

/* Run it: the status, and CHECKed that the answer is well-formed. */
static int
run(void)
{
	const char *why;

	target_calls = 0;
	exchange_run(&x);
	why = exchange_fault(&x);
	CHECK(why == NULL, "%s: %.*s", why != NULL ? why : "", (int)x.out.len, x.out.p);
	return x.rs.status;
}

static int
ask(const char *role, const char *method, const char *path, const char *query)
{
	exchange_begin(&x, method, path);
	if (role != NULL)
		exchange_role(&x, role);
	if (query != NULL)
		exchange_add(&x, "QUERY_STRING=%s", query);
	return run();
}

static int
post(const char *path, const char *body)
{
	exchange_begin(&x, "POST", path);
	exchange_role(&x, "restricted");
	exchange_body(&x, body, strlen(body));
	return run();
}

/* The member of the answer's object as JSON text, "" if there is none; overwritten by the next
 * call. */
static const char *
member(const char *name)
{
	static char text[1000];
	struct json_object *o = NULL, *v = NULL;

	text[0] = '\0';
	if (json_read(x.out.p + x.head_len, x.out.len - x.head_len, &o) == NULL
	    && json_object_object_get_ex(o, name, &v))
		snprintf(text, sizeof(text), "%s",
		    json_object_to_json_string_ext(
			v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return text;
}

static bool
member_is(const char *name, const char *want)
{
	return CHECK(strcmp(member(name), want) == 0, "%s is %s, not %s", name, member(name), want);
}

static void
header_is(const char *name, const char *want)
{
	size_t len;
	const char *v = exchange_header(&x, name, &len, NULL);

	CHECK_TEXT(name, v, len, want);
}

/* Refused with this status and problem, and no handler was called. */
static void
refused(const char *what, int status, int want, const char *type)
{
	char full[80];

	snprintf(full, sizeof(full), "\"/problems/%s\"", type);
	CHECK(status == want, "%s: %d, not %d", what, status, want);
	CHECK(target_calls == 0, "%s: the handler was called", what);
	CHECK(strcmp(member("type"), full) == 0, "%s: %s, not %s", what, member("type"), full);
}

/* ---- keys ---- */

static void
route_lets_both_keys_in_where_any_may(void)
{
	CHECK(ask("public", "GET", "/v1/things", NULL) == 200 && target_calls == 1, "public");
	CHECK(
	    ask("restricted", "GET", "/v1/things", NULL) == 200 && target_calls == 1, "restricted");
	exchange_begin(&x, "GET", "/v1/things");
	exchange_add(&x, "LOYALTY_ROLE=public");
	exchange_add(&x, "HTTP_AUTHORIZATION=bearer k");
	CHECK(run() == 200, "a Bearer key");
	exchange_begin(&x, "GET", "/v1/things");
	exchange_role(&x, "public");
	exchange_add(&x, "HTTP_AUTHORIZATION=Bearer k");
	CHECK(run() == 200, "the same key both ways");
}

static void
with_params(const char *what, const char *const params[])
{
	exchange_begin(&x, "GET", "/v1/things");
	for (; *params != NULL; params++)
		exchange_add(&x, "%s", *params);
	refused(what, run(), 401, "unauthorized");
	header_is("WWW-Authenticate", "Bearer realm=\"loyalty\"");
}

#define UNAUTHORIZED(what, ...) with_params(what, (const char *const[]){__VA_ARGS__, NULL})

static void
route_refuses_without_one_valid_key(void)
{
	UNAUTHORIZED("nothing", NULL);
	UNAUTHORIZED("no role", "HTTP_X_API_KEY=k");
	UNAUTHORIZED("an empty role", "LOYALTY_ROLE=", "HTTP_X_API_KEY=k");
	UNAUTHORIZED("an unknown role", "LOYALTY_ROLE=admin", "HTTP_X_API_KEY=k");
	UNAUTHORIZED("a longer role", "LOYALTY_ROLE=restricted2", "HTTP_X_API_KEY=k");
	UNAUTHORIZED("a role without a key", "LOYALTY_ROLE=restricted");
	UNAUTHORIZED("a client's own header", "HTTP_LOYALTY_ROLE=restricted", "HTTP_X_API_KEY=k");
	UNAUTHORIZED("two keys", "LOYALTY_ROLE=public", "HTTP_X_API_KEY=k", "HTTP_X_API_KEY=k");
	UNAUTHORIZED("two Bearers", "LOYALTY_ROLE=public", "HTTP_AUTHORIZATION=Bearer k",
	    "HTTP_AUTHORIZATION=Bearer k");
	UNAUTHORIZED("Basic", "LOYALTY_ROLE=public", "HTTP_AUTHORIZATION=Basic azpr");
	UNAUTHORIZED("Basic beside a key", "LOYALTY_ROLE=public", "HTTP_X_API_KEY=k",
	    "HTTP_AUTHORIZATION=Basic azpr");
	UNAUTHORIZED("Bearer alone", "LOYALTY_ROLE=public", "HTTP_AUTHORIZATION=Bearer");
	UNAUTHORIZED("an empty Authorization", "LOYALTY_ROLE=public", "HTTP_X_API_KEY=k",
	    "HTTP_AUTHORIZATION=");
}

static void
route_refuses_a_key_elsewhere(void)
{
	UNAUTHORIZED("in the query", "QUERY_STRING=api_key=k");
	UNAUTHORIZED("in a cookie", "HTTP_COOKIE=X-API-Key=k");
}

static void
route_refuses_the_public_key_on_restricted_routes_before_the_body(void)
{
	exchange_begin(&x, "POST", "/v1/things/" ID "/act");
	exchange_role(&x, "public");
	exchange_body(&x, "{{{", 3);
	exchange_add(&x, "QUERY_STRING=what=1");
	exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=");
	refused("public on restricted", run(), 403, "forbidden");
	CHECK(post("/v1/things/" ID "/act", "{}") == 200 && target_calls == 1,
	    "restricted on restricted");
}

/* 401, then 404, then 405, then 403. */
static void
route_asks_for_the_key_before_anything_else(void)
{
	refused("no key, unknown path", ask(NULL, "GET", "/v1/nothing", NULL), 401, "unauthorized");
	refused(
	    "no key, unknown method", ask(NULL, "FOO", "/v1/things", NULL), 401, "unauthorized");
	refused(
	    "no key, restricted", ask(NULL, "PUT", "/v1/things/" ID, NULL), 401, "unauthorized");
	refused("unknown path", ask("public", "GET", "/v1/nothing", NULL), 404, "not-found");
	refused(
	    "unknown path and method", ask("public", "FOO", "/v1/nothing", NULL), 404, "not-found");
	refused("unknown method", ask("public", "DELETE", "/v1/things/" ID, NULL), 405,
	    "method-not-allowed");
}

/* ---- paths and methods ---- */

static void
route_knows_no_other_paths(void)
{
	static const char *const bad[] = {"", "/", "/v1", "/v1/", "/v1/thing", "/v1/things/",
	    "/v1/thingsx", "/V1/things", "/v1//things", "//v1/things", "/v1/things/" ID "/",
	    "/v1/things/" ID "/act/", "/v1/things/" ID "/acts", "/v1/things/" ID "/ac",
	    "/v1/things//act", "/v1/things/{id}/x", "/v1/things/a/b/act", "/readyz/", "/healthz"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], ask("restricted", "GET", bad[i], NULL), 404, "not-found");
}

static void
route_reads_the_id_of_the_path(void)
{
	static const char *const bad[] = {"x", "{" ID "}", "urn:uuid:" ID, ID "0",
	    "0192f4a17b3c7def8123456789abcdef", "{id}", "1", "%30", "\xc3\xa9"};
	char path[200];
	size_t i;

	CHECK(ask("public", "GET", "/v1/things/" ID, NULL) == 200, "lower case");
	member_is("id", "\"" ID "\"");
	CHECK(ask("public", "GET", "/v1/things/0192F4A1-7B3C-7DEF-8123-456789ABCDEF", NULL) == 200,
	    "upper case");
	member_is("id", "\"" ID "\"");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(path, sizeof(path), "/v1/things/%s", bad[i]);
		CHECK(ask("public", "GET", path, NULL) == 404, "%s", path);
		member_is("type", "\"/problems/room-not-found\"");
	}
}

static void
route_allow_lists_the_methods_of_the_path(void)
{
	static const char *const methods[] = {
	    "DELETE", "PATCH", "TRACE", "FOO", "get", "", "CONNECT", "GETX"};
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		refused(methods[i], ask("public", methods[i], "/v1/things", NULL), 405,
		    "method-not-allowed");
		header_is("Allow", "GET, HEAD, POST, OPTIONS");
		refused(methods[i], ask("public", methods[i], "/v1/things/" ID, NULL), 405,
		    "method-not-allowed");
		header_is("Allow", "GET, HEAD, PUT, OPTIONS");
		refused(methods[i], ask("restricted", methods[i], "/v1/things/" ID "/act", NULL),
		    405, "method-not-allowed");
		header_is("Allow", "POST, OPTIONS");
	}
	CHECK(ask("restricted", "HEAD", "/v1/things/" ID "/act", NULL) == 405 && target_calls == 0,
	    "HEAD without GET");
	exchange_begin(&x, NULL, "/v1/things");
	exchange_role(&x, "public");
	refused("no method at all", run(), 405, "method-not-allowed");
	exchange_begin(&x, "GET", NULL);
	exchange_role(&x, "public");
	refused("no path at all", run(), 404, "not-found");
}

static void
route_options_needs_no_key_and_has_no_body(void)
{
	CHECK(
	    ask(NULL, "OPTIONS", "/v1/things", NULL) == 204 && target_calls == 0, "without a key");
	header_is("Allow", "GET, HEAD, POST, OPTIONS");
	CHECK(x.out.len == x.head_len, "a body");
	CHECK(ask("public", "OPTIONS", "/v1/things/x/act", "nonsense=1") == 204, "with a key");
	header_is("Allow", "POST, OPTIONS");
	refused(
	    "of an unknown path", ask("public", "OPTIONS", "/v1/nothing", NULL), 404, "not-found");
}

static void
route_head_answers_as_get_without_the_body(void)
{
	char head[2000];
	size_t len;

	CHECK(ask("public", "GET", "/v1/things", NULL) == 200, "GET");
	len = x.head_len;
	snprintf(head, sizeof(head), "%.*s", (int)len, x.out.p);
	CHECK(strstr(head, "ETag: \"") != NULL && strstr(head, "Link: ") != NULL, "%s", head);
	CHECK(ask("public", "HEAD", "/v1/things", NULL) == 200 && target_calls == 1, "HEAD");
	CHECK_TEXT("HEAD's answer", x.out.p, x.out.len, head);
	CHECK(ask("public", "HEAD", "/v1/things/x", NULL) == 404 && x.out.len == x.head_len,
	    "a problem has no body either");
}

static void
route_answers_304_to_its_own_etag(void)
{
	char tag[64];
	size_t len;
	const char *v;

	ask("public", "GET", "/v1/things/" ID, NULL);
	v = exchange_header(&x, "ETag", &len, NULL);
	snprintf(tag, sizeof(tag), "%.*s", (int)len, v != NULL ? v : "");
	header_is("Cache-Control", "private, no-cache");
	exchange_begin(&x, "GET", "/v1/things/" ID);
	exchange_role(&x, "public");
	exchange_add(&x, "HTTP_IF_NONE_MATCH=%s", tag);
	CHECK(run() == 304, "%d", x.rs.status);
	header_is("ETag", tag);
	exchange_begin(&x, "GET", "/v1/things/" ID);
	exchange_role(&x, "restricted");
	exchange_add(&x, "HTTP_IF_NONE_MATCH=%s", tag);
	CHECK(run() == 200, "another representation: %d", x.rs.status);
}

static void
route_answers_json_whatever_is_accepted(void)
{
	exchange_begin(&x, "GET", "/v1/things");
	exchange_role(&x, "public");
	exchange_add(&x, "HTTP_ACCEPT=text/html");
	CHECK(run() == 200, "%d", x.rs.status);
	header_is("Content-Type", "application/json");
}

static void
route_hides_what_a_handler_left_behind(void)
{
	size_t len;
	char *log;

	check_stderr_begin();
	CHECK(ask("public", "GET", "/v1/broken", NULL) == 500, "%d", x.rs.status);
	log = check_stderr_end(&len);
	CHECK(strstr(log, x.rq.request_id) != NULL, "the log has the request id: %s", log);
	free(log);
	CHECK(exchange_header(&x, "X-Half", NULL, NULL) == NULL, "a header of the half answer");
	member_is("type", "\"/problems/internal\"");
}

/* ---- request id and actor ---- */

static void
route_takes_a_well_formed_request_id_only(void)
{
	static const char *const fine[] = {
	    "a", "A.b_c-9", "0123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const bad[] = {"", "a b", "a\r\nX: y", "a\x1b[31m", "\xc3\xa9", "a/b",
	    "a\"b", "01234567890123456789012345678901234567890123456789012345678901234"};
	struct uuid u;
	size_t i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		exchange_begin(&x, "GET", "/v1/nothing");
		exchange_add(&x, "LOYALTY_REQUEST_ID=%s", fine[i]);
		run();
		CHECK(strcmp(x.rq.request_id, fine[i]) == 0, "%s became %s", fine[i],
		    x.rq.request_id);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		exchange_begin(&x, "GET", "/v1/nothing");
		exchange_add(&x, "LOYALTY_REQUEST_ID=%s", bad[i]);
		run();
		CHECK(uuid_parse(&u, x.rq.request_id, strlen(x.rq.request_id)), "'%s' became '%s'",
		    bad[i], x.rq.request_id);
	}
	ask(NULL, "GET", "/v1/nothing", NULL);
	CHECK(uuid_parse(&u, x.rq.request_id, strlen(x.rq.request_id)), "none became '%s'",
	    x.rq.request_id);
}

/* What the actor becomes; want NULL: 400. */
static void
actor(const char *role, const char *given, const char *want)
{
	char text[CALLER_ACTOR_MAX + 3];

	exchange_begin(&x, "GET", "/v1/things/" ID);
	exchange_role(&x, role);
	exchange_add(&x, "HTTP_X_ACTOR=%s", given);
	if (want == NULL) {
		refused(given, run(), 400, "validation");
		CHECK(x.rq.faults.list[0].in == FAULT_HEADER
			  && strcmp(x.rq.faults.list[0].at, "X-Actor") == 0,
		    "at %s", x.rq.faults.list[0].at);
	} else if (CHECK(run() == 200, "'%s': %d", given, x.rs.status)) {
		snprintf(text, sizeof(text), "\"%s\"", want);
		member_is("actor", text);
	}
}

static void
route_names_the_actor(void)
{
	ask("public", "GET", "/v1/things/" ID, NULL);
	member_is("actor", "\"public\"");
	ask("restricted", "GET", "/v1/things/" ID, NULL);
	member_is("actor", "\"restricted\"");
	actor("restricted", "anna", "anna");
	actor("restricted", "Anna%20M%c3%bcller", "Anna M\xc3\xbcller");
	actor("restricted", "a b+c", "a b+c");
	actor("restricted", "a%2Cb", "a,b");
	actor("public", "anna", "public");
	actor("public", "%", "public");
	actor("public", "%00", "public");
}

/* ---- the key where it has no business ---- */

#define API_KEY "Zk3-9fQ.x_7pLw2a"

/* 400, and this header or parameter at fault, or 422 and this member; the key was not taken. */
static void
told(enum fault_in in, const char *at, const char *body, ...)
{
	const char *param;
	va_list ap;

	exchange_begin(&x, "POST", "/v1/things");
	exchange_add(&x, "LOYALTY_ROLE=restricted");
	if (body != NULL)
		exchange_body(&x, body, strlen(body));
	va_start(ap, body);
	while ((param = va_arg(ap, const char *)) != NULL)
		exchange_add(&x, "%s", param);
	va_end(ap);
	CHECK(run() == (in == FAULT_BODY ? 422 : 400), "%s: %d", at, x.rs.status);
	member_is("type", "\"/problems/validation\"");
	CHECK(x.rq.faults.n == 1 && x.rq.faults.list[0].in == in
		  && strcmp(x.rq.faults.list[0].at, at) == 0
		  && strcmp(x.rq.faults.list[0].detail, "must not contain the API key") == 0,
	    "%s: %zu faults, %s %s", at, x.rq.faults.n, x.rq.faults.list[0].at,
	    x.rq.faults.list[0].detail);
	CHECK(
	    memmem(x.out.p, x.out.len, API_KEY, strlen(API_KEY)) == NULL, "%s: it is told on", at);
	CHECK(strstr(x.rq.caller.actor, API_KEY) == NULL && strstr(x.rq.request_id, API_KEY) == NULL
		  && !x.rq.wire.keyed,
	    "%s: it is kept", at);
}

static void
route_refuses_the_key_in_any_text(void)
{
	static const char reason[] =
	    "{\"room_id\":\"" ID "\",\"user\":{\"id\":\"" ID
	    "\"},\"amount\":1,\"reason\":\"my key: \\u005ak3-9fQ.x_7pLw2a\"}";
	static const char name[] = "{\"room_id\":\"" ID "\",\"user\":{\"id\":\"" ID
				   "\",\"name\":\"" API_KEY "\"},\"amount\":1,\"reason\":\"r\"}";
	const char *key = "HTTP_X_API_KEY=" API_KEY,
		   *bearer = "HTTP_AUTHORIZATION=bearer  " API_KEY;

	told(FAULT_HEADER, "X-Actor", BODY, key, "HTTP_X_ACTOR=" API_KEY, NULL);
	told(FAULT_HEADER, "X-Actor", BODY, bearer, "HTTP_X_ACTOR=I%20am%20%5Ak3-9fQ.x_7pLw2a",
	    NULL);
	told(
	    FAULT_HEADER, "Idempotency-Key", BODY, key, "HTTP_IDEMPOTENCY_KEY=a" API_KEY "b", NULL);
	told(FAULT_HEADER, "X-Request-Id", BODY, bearer, "LOYALTY_REQUEST_ID=" API_KEY, NULL);
	told(FAULT_BODY, "/reason", reason, key, NULL);
	told(FAULT_BODY, "/user/name", name, bearer, NULL);
	exchange_begin(&x, "GET", "/v1/things");
	exchange_add(&x, "LOYALTY_ROLE=public");
	exchange_add(&x, "%s", key);
	exchange_add(&x, "QUERY_STRING=q=%%5Ak3-9fQ.x_7pLw2a");
	CHECK(run() == 400, "q: %d", x.rs.status);
	CHECK(x.rq.faults.n == 1 && strcmp(x.rq.faults.list[0].at, "q") == 0, "%s",
	    x.rq.faults.list[0].at);
	exchange_begin(&x, "GET", "/v1/things/" ID);
	exchange_add(&x, "LOYALTY_ROLE=restricted");
	exchange_add(&x, "%s", key);
	exchange_add(&x, "HTTP_X_ACTOR=Zk3-9fQ.x_7pLw2");
	CHECK(run() == 200, "less than the key: %d", x.rs.status);
}

static void
route_refuses_an_ill_formed_actor(void)
{
	static const char *const bad[] = {"", "%", "%4", "%zz", "%00", " ", "%20",
	    "%c2%a0%e2%80%8b", "a%00b", "%0d%0a", "%0A", "%7f", "%c2%85", "%c0%80", "%ff",
	    "%ed%a0%80", "%e2%80%ae", "M\xc3\xbcller", "a\tb", "a\r\nb", "anna, otto", "a,b"};
	char big[1400], *p = big;
	char want[CALLER_ACTOR_MAX + 1], *w = want;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		actor("restricted", bad[i], NULL);
	for (i = 0; i < 100; i++) {
		p = stpcpy(p, "%f0%9f%98%80");
		w = stpcpy(w, "\xf0\x9f\x98\x80");
	}
	actor("restricted", big, want);
	strcpy(p, "x");
	actor("restricted", big, NULL);
	memset(big, 'a', 101);
	big[101] = '\0';
	actor("restricted", big, NULL);
	big[100] = '\0';
	actor("restricted", big, big);
	exchange_begin(&x, "GET", "/v1/things/" ID);
	exchange_role(&x, "restricted");
	exchange_add(&x, "HTTP_X_ACTOR=a");
	exchange_add(&x, "HTTP_X_ACTOR=a");
	refused("two actors", run(), 400, "validation");
}

/* ---- the query ---- */

static void
route_reads_the_query(void)
{
	static const char *const fine[] = {
	    "", "limit=5", "limit=5&", "limit=5&q=", "q=%20%26%3D", "q==", "q=a=b&limit=200"};
	size_t i, len;
	const char *v;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		CHECK(ask("public", "GET", "/v1/things", fine[i]) == 200, "'%s': %.*s", fine[i],
		    (int)x.out.len, x.out.p);
	CHECK(
	    ask("public", "GET", "/v1/things", "q=a%26b+%c3%a9&available=true") == 200, "encoded");
	v = exchange_header(&x, "Link", &len, NULL);
	CHECK(v != NULL
		  && memmem(
			 v, len, "</v1/things?available=true&q=a%26b%20%C3%A9&limit=50&cursor=", 60)
			 != NULL,
	    "decoded, in one order, encoded: %.*s", (int)len, v);
}

/* 400 with this fault as its first. */
static void
bad_query(const char *query, const char *name)
{
	int status = ask("public", "GET", "/v1/things", query);

	CHECK(status == 400, "'%s': %d", query, status);
	member_is("type", "\"/problems/validation\"");
	CHECK(x.rq.faults.n > 0 && x.rq.faults.list[0].in == FAULT_QUERY
		  && strcmp(x.rq.faults.list[0].at, name) == 0,
	    "'%s': parameter '%s', not '%s'", query,
	    x.rq.faults.n > 0 ? x.rq.faults.list[0].at : "", name);
}

static void
route_refuses_a_bad_query(void)
{
	bad_query("unknown=1", "unknown");
	bad_query("limit=5&x=1", "x");
	bad_query("Limit=5", "Limit");
	bad_query("limi=5", "limi");
	bad_query("limits=5", "limits");
	bad_query("=5", "");
	bad_query("limit", "limit");
	bad_query("limit=5&limit=5", "limit");
	bad_query("q=1&available=true&q=1", "q");
	bad_query("q=%", "q");
	bad_query("q=%zz", "q");
	bad_query("q=%00", "q");
	bad_query("q=a%00b", "q");
	bad_query("limit=0", "limit");
	bad_query("limit=201", "limit");
	bad_query("limit=%00", "limit");
	bad_query("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor");
	bad_query("a\r\nb=1", "a\?\?b");
	bad_query("\xff\xfe=1", "\?\?");
	bad_query("available q=1", "available?q");
	bad_query("a=1&b=2&c=3", "a");
	CHECK(x.rq.faults.n == 3, "%zu faults of three", x.rq.faults.n);
}

/* A client may sort its parameters as it likes: the cursor fits. */
static void
route_takes_a_cursor_whatever_the_order_of_parameters(void)
{
	char query[300], cursor[64];
	size_t len;
	const char *v;

	ask("public", "GET", "/v1/things", "available=true&q=x");
	v = exchange_header(&x, "Link", &len, NULL);
	v = v != NULL ? memmem(v, len, "cursor=", 7) : NULL;
	if (!CHECK(v != NULL, "no Link"))
		return;
	snprintf(cursor, sizeof(cursor), "%.32s", v + 7);
	snprintf(query, sizeof(query), "q=x&cursor=%s&available=true", cursor);
	CHECK(ask("public", "GET", "/v1/things", query) == 200, "%.*s", (int)x.out.len, x.out.p);
	snprintf(query, sizeof(query), "q=%%78&available=%%74rue&cursor=%s", cursor);
	CHECK(ask("public", "GET", "/v1/things", query) == 200, "encoded otherwise: %.*s",
	    (int)x.out.len, x.out.p);
	snprintf(query, sizeof(query), "q=y&available=true&cursor=%s", cursor);
	bad_query(query, "cursor");
}

static void
route_bounds_the_query(void)
{
	char *query = malloc(100001);
	size_t n;

	for (n = 1000; n <= 100000; n += n < 9000 ? 37 : 9700) {
		memset(query, 'a', n);
		memcpy(query, "q=", 2);
		query[n] = '\0';
		CHECK(ask("public", "GET", "/v1/things", query) == (n <= 7936 ? 200 : 400),
		    "%zu bytes: %d", n, x.rs.status);
		memset(query, '&', n);
		CHECK(ask("public", "GET", "/v1/things", query) == 400, "%zu ampersands", n);
	}
	CHECK(x.out.len < 4000, "the answer has %zu bytes", x.out.len);
	for (n = 0; n < 400; n++)
		memcpy(query + 4 * n, "q=%&", 5);
	CHECK(ask("public", "GET", "/v1/things", query) == 400, "400 times ill-formed");
	free(query);
}

static void
route_refuses_any_query_where_none_is_known(void)
{
	refused("of a GET", ask("public", "GET", "/v1/things/" ID, "limit=1"), 400, "validation");
	exchange_begin(&x, "POST", "/v1/things");
	exchange_role(&x, "public");
	exchange_add(&x, "QUERY_STRING=dry_run=1");
	exchange_body(&x, BODY, strlen(BODY));
	refused("of a POST", run(), 400, "validation");
}

/* ---- the body ---- */

static void
route_hands_the_body_on(void)
{
	CHECK(
	    post("/v1/things", BODY) == 201 && target_calls == 1, "%.*s", (int)x.out.len, x.out.p);
	CHECK(post("/v1/things/" ID "/act", "") == 200, "none where none is needed");
	CHECK(post("/v1/things/" ID "/act", "{}") == 200, "{} where none is needed");
	CHECK(post("/v1/things/" ID "/act", "{\"a\":1}") == 422, "a member where none is known");
	CHECK(post("/v1/things/" ID "/act", "[]") == 422, "an array");
	CHECK(post("/v1/things/" ID "/act", "null") == 422, "null");
}

static void
route_refuses_malformed_json(void)
{
	static const char *const bad[] = {"{", "{}{}", "{\"a\":1,\"a\":2}", "\xef\xbb\xbf{}",
	    "\"\xff\"", "\"\\ud800\"", "{\"amount\":01}", "{\"amount\":NaN}", " ",
	    "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refused(bad[i], post("/v1/things", bad[i]), 400, "malformed-json");
		CHECK(strstr(member("detail"), "JSON") != NULL, "%s", member("detail"));
	}
	CHECK(post("/v1/things", "") == 400, "empty where one is needed");
	member_is("type", "\"/problems/malformed-json\"");
}

static void
route_names_every_missing_member(void)
{
	CHECK(post("/v1/things", "{}") == 422, "%d", x.rs.status);
	member_is("errors", "[{\"pointer\":\"/room_id\",\"detail\":\"is "
			    "missing\"},{\"pointer\":\"/user\",\"detail\":\"is missing\"},"
			    "{\"pointer\":\"/amount\",\"detail\":\"is "
			    "missing\"},{\"pointer\":\"/reason\",\"detail\":\"is missing\"}]");
}

static int
typed(const char *type, const char *encoding, const char *body)
{
	exchange_begin(&x, "POST", "/v1/things/" ID "/act");
	exchange_role(&x, "restricted");
	x.rq.wire.body = body;
	x.rq.wire.body_len = strlen(body);
	if (type != NULL)
		exchange_add(&x, "CONTENT_TYPE=%s", type);
	if (encoding != NULL)
		exchange_add(&x, "HTTP_CONTENT_ENCODING=%s", encoding);
	return run();
}

static void
route_takes_application_json_only(void)
{
	static const char *const fine[] = {"application/json", "application/json; charset=utf-8",
	    "Application/JSON;charset=UTF-8", "application/json;charset=\"utf-8\"",
	    "application/json ; charset=utf-8", "application/json;",
	    "application/json; profile=x; charset=utf-8", "application/json; charset=utf8",
	    "application/json; Charset=\"UTF8\"", "application/json; charset=US-ASCII",
	    "application/json; profile=\"a; charset=\\\"latin1\\\"\"; charset=utf-8",
	    "application/json; profile=\"; charset=utf-16\""};
	static const char *const bad[] = {"", "text/plain", "application/x-www-form-urlencoded",
	    "multipart/form-data; boundary=x", "application/jsonx", "application/json-patch+json",
	    "application/problem+json", "application", "application/",
	    "application/json; charset=iso-8859-1", "application/json; charset=utf-16", "text/json",
	    "application/json; charset=", "application/json; charset",
	    "application/json; x=\"utf-8", "application/json; charset=\"utf-8",
	    "application/json; charset=utf-8; charset=latin1",
	    "application/json; profile=x; charset=utf-16", "application/json; charset=utf-8x",
	    "application/json; charset=\"utf-8\"x", "application/json x", " application/json",
	    "application/json, text/plain", "xapplication/json"};
	size_t i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		CHECK(typed(fine[i], NULL, "{}") == 200, "'%s': %d", fine[i], x.rs.status);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], typed(bad[i], NULL, "{}"), 415, "unsupported-media-type");
	refused("none", typed(NULL, NULL, "{}"), 415, "unsupported-media-type");
	CHECK(typed(NULL, NULL, "") == 200, "no body needs no type: %d", x.rs.status);
	CHECK(typed("text/plain", "gzip", "") == 200, "no body of any type: %d", x.rs.status);
}

static void
route_refuses_content_encodings(void)
{
	static const char *const bad[] = {"gzip", "deflate", "br", "identity, gzip", "GZIP"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(
		    bad[i], typed("application/json", bad[i], "{}"), 415, "unsupported-media-type");
	CHECK(typed("application/json", "identity", "{}") == 200, "identity");
	CHECK(typed("application/json", "", "{}") == 200, "an empty one");
}

static void
route_refuses_a_body_that_did_not_fit(void)
{
	exchange_begin(&x, "POST", "/v1/things");
	exchange_role(&x, "public");
	x.rq.wire.body = NULL;
	refused("too long", run(), 413, "payload-too-large");
}

/* ---- Idempotency-Key ---- */

/* POST with this key and body; the digests that the handler saw, "" without a key. */
static const char *
digests(const char *role, const char *path, const char *key, const char *body)
{
	static char all[200];

	exchange_begin(&x, "POST", path);
	exchange_role(&x, role);
	if (key != NULL)
		exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=%s", key);
	exchange_body(&x, body, strlen(body));
	CHECK(run() / 100 == 2, "%s: %.*s", path, (int)x.out.len, x.out.p);
	snprintf(all, sizeof(all), "%s ", member("key"));
	snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s", member("body"));
	return strcmp(all, " ") == 0 ? "" : all;
}

static void
idempotency_key_is_of_role_method_path_and_key(void)
{
	static const char act[] = "/v1/things/" ID "/act",
			  other[] = "/v1/things/1192f4a1-7b3c-7def-8123-456789abcdef/act";
	char first[200];

	CHECK(*digests("restricted", act, NULL, "{}") == '\0', "no key");
	snprintf(first, sizeof(first), "%s", digests("restricted", act, "k1", "{}"));
	CHECK(strlen(first) == 2 * 66 + 1, "'%s'", first);
	CHECK(strcmp(digests("restricted", act, "k1", "{}"), first) == 0, "the same again");
	CHECK(strncmp(digests("restricted", act, "k1", "{ }"), first, 67) == 0,
	    "another body is of the same key");
	CHECK(strcmp(digests("restricted", act, "k1", "{ }") + 67, first + 67) != 0,
	    "but of another digest");
	CHECK(strcmp(digests("restricted", act, "k1", "") + 67, first + 67) != 0, "so is none");
	CHECK(strncmp(digests("restricted", act, "k2", "{}"), first, 67) != 0, "another key");
	CHECK(strcmp(digests("restricted", act, "k2", "{}") + 67, first + 67) == 0,
	    "of the same body");
	CHECK(strncmp(digests("restricted", other, "k1", "{}"), first, 67) != 0, "another path");
	snprintf(first, sizeof(first), "%s", digests("restricted", "/v1/things", "k1", BODY));
	CHECK(strncmp(digests("public", "/v1/things", "k1", BODY), first, 67) != 0, "another role");
}

/* The body's digest is SHA-256 of its bytes; the key's as it was when records were kept. */
static void
idempotency_digests_stay_as_they_are(void)
{
	CHECK_TEXT("digests of k1", digests("restricted", "/v1/things/" ID "/act", "k1", "{}"),
	    2 * 66 + 1,
	    "\"d54abafdb4e6156ea748c9c51d2ff0f6ca74620c04b3869d9ae9ecc297617834\" "
	    "\"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"");
}

static void
idempotency_key_has_1_to_128_visible_characters(void)
{
	static const char *const bad[] = {
	    "", " ", "a b", "a\tb", "\x7f", "\xc3\xa9", "a\r\nb", "k ", "\x01"};
	char key[200];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		exchange_begin(&x, "POST", "/v1/things/" ID "/act");
		exchange_role(&x, "restricted");
		exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=%s", bad[i]);
		refused(bad[i], run(), 400, "validation");
		CHECK(x.rq.faults.list[0].in == FAULT_HEADER
			  && strcmp(x.rq.faults.list[0].at, "Idempotency-Key") == 0,
		    "at %s", x.rq.faults.list[0].at);
	}
	memset(key, '~', sizeof(key));
	key[128] = '\0';
	CHECK(*digests("restricted", "/v1/things/" ID "/act", key, "{}") != '\0', "128");
	CHECK(*digests("restricted", "/v1/things/" ID "/act", "!", "{}") != '\0', "1");
	key[128] = '~';
	key[129] = '\0';
	exchange_begin(&x, "POST", "/v1/things/" ID "/act");
	exchange_role(&x, "restricted");
	exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=%s", key);
	refused("129", run(), 400, "validation");
	exchange_begin(&x, "POST", "/v1/things/" ID "/act");
	exchange_role(&x, "restricted");
	exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=k");
	exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=k");
	refused("two", run(), 400, "validation");
}

static void
idempotency_key_is_of_post_only(void)
{
	exchange_begin(&x, "PUT", "/v1/things/" ID);
	exchange_role(&x, "restricted");
	exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=k");
	CHECK(run() == 200, "%d", x.rs.status);
	member_is("keyed", "false");
}

static void
route_tells_of_header_and_query_faults_at_once(void)
{
	exchange_begin(&x, "POST", "/v1/things");
	exchange_role(&x, "restricted");
	exchange_add(&x, "HTTP_X_ACTOR=%%");
	exchange_add(&x, "HTTP_IDEMPOTENCY_KEY=a b");
	exchange_add(&x, "QUERY_STRING=a=1&b=2");
	exchange_body(&x, "{{{", 3);
	refused("all", run(), 400, "validation");
	CHECK(x.rq.faults.n == 4, "%zu faults", x.rq.faults.n);
}

static void
route_names_the_longest_parameter_of_a_query_too_long(void)
{
	char query[9000] = "limit=5&q=", *end = query + strlen(query);

	memset(end, 'x', 8000);
	strcpy(end + 8000, "&available=true");
	bad_query(query, "q");
	CHECK(x.rq.faults.n == 1, "%zu faults", x.rq.faults.n);
}

static void
route_print_writes_a_line_for_each(void)
{
	char text[2000];
	FILE *f = fmemopen(text, sizeof(text), "w");

	route_print(target_routes, 5, f);
	fclose(f);
	CHECK_TEXT("the table", text, strlen(text),
	    "GET /v1/things ANY thing_list\nPOST /v1/things ANY thing_create\nGET /v1/things/{id} "
	    "ANY thing_get\n"
	    "PUT /v1/things/{id} RESTRICTED thing_put\nPOST /v1/things/{id}/act RESTRICTED "
	    "thing_act\n");
	exchange_free(&x); /* the last test */
}

CU_TestInfo tests_route[] = {
    NUMBERED("E076", route_lets_both_keys_in_where_any_may),
    NUMBERED("E074", route_refuses_without_one_valid_key),
    NUMBERED("E079", route_refuses_a_key_elsewhere),
    NUMBERED("E075", route_refuses_the_public_key_on_restricted_routes_before_the_body),
    TEST(route_asks_for_the_key_before_anything_else),
    NUMBERED("E060", route_knows_no_other_paths),
    NUMBERED("E062", route_reads_the_id_of_the_path),
    NUMBERED("E059", route_allow_lists_the_methods_of_the_path),
    NUMBERED("E058", route_options_needs_no_key_and_has_no_body),
    NUMBERED("E057", route_head_answers_as_get_without_the_body),
    TEST(route_answers_304_to_its_own_etag),
    NUMBERED("E067", route_answers_json_whatever_is_accepted),
    TEST(route_hides_what_a_handler_left_behind),
    NUMBERED("E072", route_takes_a_well_formed_request_id_only),
    TEST(route_names_the_actor),
    TEST(route_refuses_an_ill_formed_actor),
    NUMBERED("E079", route_refuses_the_key_in_any_text),
    TEST(route_reads_the_query),
    NUMBERED("E064 E065", route_refuses_a_bad_query),
    NUMBERED("E066", route_takes_a_cursor_whatever_the_order_of_parameters),
    TEST(route_bounds_the_query),
    NUMBERED("E064", route_refuses_any_query_where_none_is_known),
    TEST(route_hands_the_body_on),
    NUMBERED("E037-E048", route_refuses_malformed_json),
    NUMBERED("E038", route_names_every_missing_member),
    NUMBERED("E053", route_takes_application_json_only),
    NUMBERED("E052", route_refuses_content_encodings),
    NUMBERED("E049 E050", route_refuses_a_body_that_did_not_fit),
    NUMBERED("E008", idempotency_key_is_of_role_method_path_and_key),
    TEST(idempotency_digests_stay_as_they_are),
    TEST(idempotency_key_has_1_to_128_visible_characters),
    TEST(idempotency_key_is_of_post_only),
    TEST(route_tells_of_header_and_query_faults_at_once),
    TEST(route_names_the_longest_parameter_of_a_query_too_long),
    TEST(route_print_writes_a_line_for_each),
    CU_TEST_INFO_NULL,
};
